package httpapi

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"time"

	"github.com/ringwood-kv/ringwood/cluster/access"
	"github.com/ringwood-kv/ringwood/cluster/httpapi/wire"
)

// Options of an API. Store is needed; an endpoint whose part is nil answers 501.
type Options struct {
	Store  Store
	Access *Access // nil: everybody may do everything
	Users  Users
	Upkeep Upkeep
	// Status, Config, SlowLog and Top answer the endpoints of these names. Config must have
	// no value of a secret. The API takes out keys that the client may not know.
	Status  func(ctx context.Context) (wire.Status, error)
	Config  func(ctx context.Context) (wire.Config, error)
	SlowLog func(ctx context.Context) (wire.SlowLog, error)
	Top     func(ctx context.Context) (wire.Top, error)

	// Observe, if not nil, is called after each answer, in the goroutine of the
	// connection: for metrics, the slow log and the hot keys.
	Observe func(Observation)
	// Logger takes what an operator wants to know: failures of the store, panics. Nil for
	// nothing.
	Logger *slog.Logger
	// Clock is where the time for logins comes from. Default time.Now.
	Clock func() time.Time

	// Settings are the first ones; see API.Apply.
	Settings Settings
}

// Access is who may log in and what they may do.
type Access struct {
	Door *access.Door
	// Policy returns the current one. It is called for each request.
	Policy func() *access.Policy
	// Open makes everybody somebody, where there are no users, and not clients on
	// loopback alone: kvnode's --insecure.
	Open bool
}

// Users keeps the users and roles.
type Users interface {
	// State returns the current one.
	State() access.State
	// Change replaces the current State by what change makes of it, and returns when that
	// is durable and in the Policy. An error of change is returned as it is; change may be
	// called again, if somebody else was faster.
	Change(ctx context.Context, change func(access.State) (access.State, error)) error
}

// Upkeep is the maintenance of the storage below. The methods return when it is done.
type Upkeep interface {
	Flush(ctx context.Context) error
	Compact(ctx context.Context) error
	// Checkpoint makes a copy that can be opened, under a name that consists of letters,
	// digits, and . _ -, and returns where it is. The error is wire.Exists for a name that
	// is taken.
	Checkpoint(ctx context.Context, name string) (path string, err error)
}

// Observation is what happened to a request. It has no values.
type Observation struct {
	Time     time.Time
	Took     time.Duration
	Method   string
	Route    string // its pattern, "" if there is none
	Status   int
	Code     wire.Code // of the error, "" if there was none
	Bucket   string
	Key      []byte // the first key, at most 128 bytes; good until Observe returns
	Keys     int
	Reads    bool // of keys
	Writes   bool
	BytesIn  int64 // of the body
	BytesOut int64
	User     string
	Addr     netip.Addr
}

// Settings can be changed while the API serves.
type Settings struct {
	// Hosts are names by which clients may call this server, beside localhost and IP
	// addresses. A * alone allows all names.
	Hosts []string
	// Origins are those of web pages that may use the API, as in https://example.com.
	Origins []string
	Limits  Limits
}

// Limits are in bytes, unless said. Zero stands for the default, and a negative time for
// none.
type Limits struct {
	Key   int // default 32 KiB
	Value int // default 16 MiB; the bucket may have a lower one
	Body  int // of a request. Default 64 MiB
	Keys  int // of one request. Default 10,000

	ScanKeys  int // of one page. Default 10,000
	ScanBytes int // of one page. Default 16 MiB

	InFlight int64 // of requests and answers together. Default 256 MiB

	ReadTime  time.Duration // for the body; each 64 KiB that have arrived add a second. Default 1 min
	WriteTime time.Duration // for which sending the answer waits; each 64 KiB that were taken add a second. Default 1 min
}

func (l *Limits) setDefaults() error {
	ints := func(p *int, def int) bool {
		if *p == 0 {
			*p = def
		}
		return *p > 0
	}
	ok := ints(&l.Key, 32<<10) && ints(&l.Value, 16<<20) && ints(&l.Body, 64<<20) &&
		ints(&l.Keys, 10_000) && ints(&l.ScanKeys, 10_000) && ints(&l.ScanBytes, 16<<20)
	if l.InFlight == 0 {
		l.InFlight = 256 << 20
	}
	if !ok || l.InFlight < 0 {
		return errors.New("httpapi: a limit is negative")
	}
	times := func(p *time.Duration, def time.Duration) {
		switch {
		case *p == 0:
			*p = def
		case *p < 0:
			*p = 0
		}
	}
	times(&l.ReadTime, time.Minute)
	times(&l.WriteTime, time.Minute)
	return nil
}

// settings are Settings made ready.
type settings struct {
	Limits
	anyHost bool
	hosts   map[string]bool
	origins map[string]bool
}

func (s Settings) compile() (*settings, error) {
	c := &settings{Limits: s.Limits, hosts: map[string]bool{"localhost": true}, origins: map[string]bool{}}
	if err := c.setDefaults(); err != nil {
		return nil, err
	}
	for _, h := range s.Hosts {
		h = strings.ToLower(strings.TrimSuffix(h, "."))
		if h == "" || strings.ContainsAny(h, "/: \t") {
			return nil, fmt.Errorf("httpapi: %q is no name of a host", h)
		}
		c.anyHost = c.anyHost || h == "*"
		c.hosts[h] = true
	}
	for _, o := range s.Origins {
		scheme, rest, ok := strings.Cut(strings.ToLower(o), "://")
		if !ok || scheme != "http" && scheme != "https" || rest == "" || strings.ContainsAny(rest, "/ *") {
			return nil, fmt.Errorf("httpapi: %q is no origin, such as https://example.com", o)
		}
		c.origins[strings.ToLower(o)] = true
	}
	return c, nil
}
