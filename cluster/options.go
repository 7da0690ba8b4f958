package cluster

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/ringwood-kv/ringwood/cluster/access"
	"github.com/ringwood-kv/ringwood/cluster/replica"
	"github.com/ringwood-kv/ringwood/lsm/vfs"
)

// Options configures Open. The zero value of every field but Dir is a good default.
type Options struct {
	// Dir is the directory of the store. It is made, for nobody but its owner, if it is not
	// there. Required.
	Dir string
	// Memory is the budget of the engine in bytes: write buffers, block cache, filters and
	// indexes. 0 means 256 MiB. Connections have Limits.Inflight beside it, logins
	// LoginMemory.
	Memory int64
	// OpenFiles bounds the files with data that the engine has open at once. 0 is the
	// default of the engine, see lsm.Options.MaxOpenFiles; otherwise at least 16.
	OpenFiles int
	// Bucket configures the buckets that the node makes itself, the first one of a new
	// store, and those of databases that are written to for the first time, and what is
	// not said of those that are made over HTTP. It changes no bucket that there is. Its MaxValue is at least Limits.Value.
	Bucket replica.BucketConfig
	// Partitions is fixed when the store is made. 0 means replica.DefaultPartitions.
	Partitions int

	// RESP is where Redis clients are listened to, HTTP where HTTP is.
	RESP Listen
	HTTP Listen
	// Handler makes what answers HTTP, once, when the store is open. Until then the node
	// itself answers: /healthz with 200, all else with 503 and the reason. It must be set
	// if HTTP has an address. Where there are users, a connection ends after Timeouts.Login
	// unless somebody logs in on it: at the API that NewAPI makes, or at what is behind its
	// Guard.
	Handler func(*Node) http.Handler

	// Insecure lets the node listen on addresses that other machines reach without TLS and
	// without users, and gives all rights to everybody who reaches it as long as there are
	// no users.
	Insecure bool
	// AdminPassword, if it is not empty, is the password of the user admin, who is made
	// when there are no users. With ResetAdmin, admin is made anew also where there are
	// some, with this password and all rights: for when nobody can log in any more.
	AdminPassword access.Secret
	ResetAdmin    bool
	// LoginMemory is how many bytes all checks of passwords together work on at a time;
	// one takes 19 MiB. 0 means 64 MiB.
	LoginMemory int64

	Limits   Limits
	Timeouts Timeouts

	// SlowThreshold is from when on a request is slow. 0 means 10 ms, negative never.
	SlowThreshold time.Duration
	// SlowEntries is how many slow requests are remembered. 0 means 128.
	SlowEntries int

	// Logger takes what an operator wants to know. Nil for nothing.
	Logger *slog.Logger
	// Progress, if not nil, is called while Open replays the log of a store that was not
	// closed in order, every megabyte or so. It must return soon.
	Progress func(Progress)
	// Version is that of the program, for INFO and Metrics.
	Version string

	// FS, Clock and Random are the outside world, for tests. Nil means the operating
	// system's: its files, time.Now and crypto/rand.
	FS     vfs.FS
	Clock  func() time.Time
	Random io.Reader
}

// Listen is an address to listen on.
type Listen struct {
	// Addr is HOST:PORT. An empty host is all addresses of the machine, port 0 is any that
	// is free. Empty: nobody listens.
	Addr string
	// TLS, if it names a certificate, is spoken by all clients: version 1.3.
	TLS TLS
}

// TLS names files in PEM. They are read again when they change, and by ReloadTLS.
type TLS struct {
	Cert string // the certificate, and those between it and the root
	Key  string // its private key, which nobody but the owner and the group may read
	// ClientCA, if not empty, has certificates of which one must have signed that of each
	// client. Users log in all the same.
	ClientCA string
}

// Limits bounds what clients can make the node do. Sizes are in bytes.
type Limits struct {
	Key     int // longest key. 0 means 32 KiB; at most 60 KiB
	Value   int // longest value. 0 means 16 MiB; at most 128 MiB
	Request int // all arguments of a command, or the body over HTTP. 0 means 64 MiB
	Args    int // arguments of a command. 0 means 1,048,576

	Connections     int // of each protocol. 0 means 16,384
	MostConnections int // what CONFIG SET maxclients may make of Connections over RESP: what there are files for. 0: no limit
	PerAddress      int // of Connections, from one IP address, or one /64 of IPv6. 0 means Connections
	Unauthenticated int // of Connections, that have still to log in. 0 means 1024

	Pipeline    int   // commands over RESP that are committed together. 0 means 256
	Transaction int   // what MULTI keeps. 0 means 64 MiB
	Output      int   // replies that one RESP client has not read. 0 means 64 MiB
	Inflight    int64 // requests and replies over RESP of all clients. 0 means 256 MiB
	Header      int   // header of an HTTP request. 0 means 32 KiB
}

// Timeouts end connections. 0 means the default, negative none.
type Timeouts struct {
	Idle   time.Duration // without a request, for who has logged in. Default none
	Login  time.Duration // to agree on TLS and to log in. Default 10 s
	Header time.Duration // to send the header of an HTTP request. Default 5 s
	Read   time.Duration // to send the rest of a request; over HTTP, with a second more for each 64 KiB. Default 60 s
	Write  time.Duration // to take a reply; likewise. Default 60 s
}

// Progress is how far Open has come.
type Progress struct {
	Done, Total int64         // bytes of log
	Elapsed     time.Duration // since Open was called
}

var (
	// ErrOptions says that Options cannot be right, whatever the store is.
	ErrOptions = errors.New("cluster: options")
	// ErrUnsafe says that the node would listen where others reach it, and they could do
	// what they like.
	ErrUnsafe = errors.New("cluster: unsafe")
	// ErrClosed is what a node answers after Shutdown or Close.
	ErrClosed = errors.New("cluster: the node is closed")
)

func badOption(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrOptions, fmt.Sprintf(format, args...))
}

const (
	maxKey   = 60 << 10
	maxValue = replica.MaxMaxValue
)

// withDefaults returns o with its defaults filled in, or what is wrong with it.
func (o Options) withDefaults() (Options, error) {
	l := &o.Limits
	for _, d := range []struct {
		p    *int
		n    int
		most int
		name string
	}{
		{&l.Key, 32 << 10, maxKey, "Limits.Key"}, {&l.Value, 16 << 20, maxValue, "Limits.Value"},
		{&l.Request, 64 << 20, 1 << 30, "Limits.Request"}, {&l.Args, 1 << 20, 1 << 24, "Limits.Args"},
		{&l.Connections, 16_384, 1 << 24, "Limits.Connections"}, {&l.PerAddress, 0, 1 << 24, "Limits.PerAddress"},
		{&l.Unauthenticated, 1024, 1 << 24, "Limits.Unauthenticated"}, {&l.Pipeline, 256, 1 << 20, "Limits.Pipeline"},
		{&l.Transaction, 64 << 20, 1 << 30, "Limits.Transaction"}, {&l.Output, 64 << 20, 1 << 30, "Limits.Output"},
		{&l.Header, 32 << 10, 1 << 20, "Limits.Header"}, {&o.SlowEntries, 128, 1 << 20, "SlowEntries"},
	} {
		if *d.p == 0 {
			*d.p = d.n
		}
		if *d.p < 0 || *d.p > d.most {
			return o, badOption("%s is %d, from 1 to %d is possible", d.name, *d.p, d.most)
		}
	}
	if l.PerAddress == 0 {
		l.PerAddress = l.Connections
	}
	if l.Inflight == 0 {
		l.Inflight = 256 << 20
	}
	if o.Memory == 0 {
		o.Memory = 256 << 20
	}
	if l.MostConnections < 0 || l.Inflight < 0 || o.Memory < 0 || o.LoginMemory < 0 {
		return o, badOption("Limits.MostConnections or a budget of memory is negative")
	}
	if o.ResetAdmin && o.AdminPassword.IsEmpty() {
		return o, badOption("ResetAdmin takes an AdminPassword")
	}
	if l.Request < l.Key+l.Value {
		return o, badOption("Limits.Request is %d: it must hold a key and a value, which may have %d and %d bytes", l.Request, l.Key, l.Value)
	}
	t := &o.Timeouts
	for _, d := range []struct {
		p *time.Duration
		d time.Duration
	}{
		{&t.Idle, -1}, {&t.Login, 10 * time.Second}, {&t.Header, 5 * time.Second},
		{&t.Read, time.Minute}, {&t.Write, time.Minute}, {&o.SlowThreshold, 10 * time.Millisecond},
	} {
		if *d.p == 0 {
			*d.p = d.d
		}
	}
	o.Bucket.MaxValue = max(o.Bucket.MaxValue, l.Value, min(replica.DefaultMaxValue, maxValue))
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if o.Random == nil {
		o.Random = rand.Reader
	}
	return o, o.check()
}

// check finds what needs no store to be wrong.
func (o *Options) check() error {
	if o.Dir == "" {
		return badOption("Dir is empty: name the directory of the store")
	}
	if o.HTTP.Addr != "" && o.Handler == nil {
		return badOption("HTTP has the address %s, and Handler is nil: nobody would answer", o.HTTP.Addr)
	}
	for _, l := range o.listens() {
		if l.Addr == "" {
			continue
		}
		if _, _, err := net.SplitHostPort(l.Addr); err != nil {
			return badOption("%s.Addr %q is not HOST:PORT, like 127.0.0.1:6379", l.name, l.Addr)
		}
		if (l.TLS.Cert == "") != (l.TLS.Key == "") || l.TLS.ClientCA != "" && l.TLS.Cert == "" {
			return badOption("%s.TLS needs both a certificate and its key", l.name)
		}
	}
	return o.safe(true) // with users, as far as we know
}

type namedListen struct {
	name string
	Listen
}

func (o *Options) listens() []namedListen {
	return []namedListen{{"RESP", o.RESP}, {"HTTP", o.HTTP}}
}

// safe says why the node must not listen on its addresses. Users says whether there are
// any, or will be.
func (o *Options) safe(users bool) error {
	if o.Insecure {
		return nil
	}
	for _, l := range o.listens() {
		if lacks := l.lacks(users); len(lacks) > 0 {
			return fmt.Errorf("%w: other machines reach the %s address %s, and it has no %s. Or let it listen on 127.0.0.1, or start it as insecure if everybody who reaches it may read and change everything",
				ErrUnsafe, l.name, l.Addr, strings.Join(lacks, ", and no "))
		}
	}
	return nil
}

// lacks is what a listener needs because other machines reach it, and has not.
func (l *namedListen) lacks(users bool) (what []string) {
	if l.Addr == "" || LoopbackAddr(l.Addr) {
		return nil
	}
	if l.TLS.Cert == "" {
		what = append(what, "TLS: give it a certificate and a key")
	}
	if !users {
		what = append(what, "users: give it a password for admin")
	}
	return what
}

// exposed names the listeners that are there only because of Insecure.
func (o *Options) exposed(users bool) (names []string) {
	for _, l := range o.listens() {
		if o.Insecure && len(l.lacks(users)) > 0 {
			names = append(names, l.name)
		}
	}
	return names
}

// LoopbackAddr reports whether nobody but the machine itself reaches HOST:PORT. Names
// are not looked up: localhost is on loopback, all others are not.
func LoopbackAddr(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return false
	}
	if a, err := netip.ParseAddr(host); err == nil {
		return a.Unmap().IsLoopback()
	}
	return strings.EqualFold(host, "localhost")
}
