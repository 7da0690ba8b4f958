package resp

import (
	"log/slog"
	"net"
	"time"

	"github.com/ringwood-kv/ringwood/cluster/resp/command"
	"github.com/ringwood-kv/ringwood/cluster/resp/exec"
)

// Options of a Server. Zero stands for the default, and a negative time for none.
type Options struct {
	// Databases is what SELECT chooses from. Default 16.
	Databases int
	// MaxKey is the length of a key, MaxValue of a value or any other argument, in
	// bytes. Defaults 65,000 and 512 MiB.
	MaxKey   int
	MaxValue int
	// MaxArgs is the number of arguments of a request, MaxRequest their bytes together.
	// Defaults 1,048,576 and MaxValue plus 1 MiB.
	MaxArgs    int
	MaxRequest int
	// MaxTransaction is the bytes that MULTI keeps. Default 64 MiB.
	MaxTransaction int

	// MaxClients bounds the connections. Default 10,000.
	MaxClients int
	// MostClients is what CONFIG SET may make of MaxClients: what the process has files
	// for. 0 for no limit.
	MostClients int
	// MaxClientsPerAddr bounds those from one IP address, or one /64 of IPv6. Default
	// MaxClients.
	MaxClientsPerAddr int
	// MaxUnauthenticated bounds those that have still to log in. Default a tenth of
	// MaxClients, and at least 10.
	MaxUnauthenticated int

	// IdleTimeout ends a connection without requests. Default none.
	IdleTimeout time.Duration
	// AuthTimeout ends a connection that has not logged in, or not finished the
	// handshake of TLS. Default 10 s.
	AuthTimeout time.Duration
	// RequestTimeout is what a request may take from its first byte to its last; each
	// 64 KiB that have arrived add a second. Default 60 s.
	RequestTimeout time.Duration
	// WriteTimeout ends a connection that takes less than 256 KiB of replies in it.
	// Default 60 s.
	WriteTimeout time.Duration
	// ShutdownGrace is how long Shutdown answers what still arrives. Default 100 ms.
	ShutdownGrace time.Duration

	// MaxOutput is the bytes of replies that may wait for one client: of EXEC, of KEYS,
	// of a pipeline. Default 256 MiB.
	MaxOutput int
	// MaxMemory is the bytes of requests and replies in flight of all clients. Default
	// 1 GiB. Values that are being read take as much once more at most, if it is at least
	// four times MaxValue. The last quarter is for connections that hold no more than a 64th
	// of it. After a refusal, those that hold more and wait for a client that does less
	// than 256 KiB a second are closed, the largest first.
	MaxMemory int64

	// GroupCommands and GroupBytes end a group of a pipeline, see exec.Options.
	GroupCommands int
	GroupBytes    int

	// Access says who may do what. Nil: everybody may do everything.
	Access Access

	// Slow is called for each command that took at least SlowThreshold (default 10 ms, none
	// if it is negative), in the goroutine of its connection. The time does not contain the wait for a
	// commit.
	Slow          func(SlowCommand)
	SlowThreshold time.Duration

	// Logger takes what an operator wants to know. Nil for nothing.
	Logger *slog.Logger
	// Clock is where the time of day comes from. Default time.Now. How long something takes
	// is measured by the clock of the process.
	Clock func() time.Time
	// Version is what INFO gives as ringwood_version.
	Version string
	// RunID is what INFO gives as run_id: 40 hexadecimal digits that tell apart two starts.
	RunID string
	// Info adds to INFO: fields to sections that there are, or sections.
	Info func() []Section
}

// Section is a part of INFO.
type Section struct {
	Name   string // as in its headline: Server, Memory
	Fields []Field
}

// Field is a line of INFO.
type Field struct{ Name, Value string }

// SlowCommand describes a command without its values.
type SlowCommand struct {
	Time     time.Time
	Took     time.Duration
	Command  *command.Command
	Args     int    // their number, with the name
	Bytes    int    // of all of them
	Keys     int    // how many of them are keys
	Key      string // the first one, at most 128 bytes
	DB       int    // of it
	ClientID int64
	Addr     string
	User     string
}

// User is a client that is known.
type User = exec.User

// Access is who may log in. Its methods are safe for concurrent use.
type Access interface {
	// Default is the user of a connection that has not logged in, nil if it has to.
	Default(addr net.Addr) User
	// Login returns the user of a name and password, or an error: the client is told
	// that the pair is wrong, and no more, unless the error is a wire.Error. The bytes are valid
	// during the call. It may take its time; to limit how many passwords are hashed
	// at once is its task.
	Login(addr net.Addr, name, password []byte) (User, error)
	// Exists reports whether there is a user, for the filter of CLIENT KILL.
	Exists(name []byte) bool
}

// defaultUser is the name that stands for a client without one.
const defaultUser = "default"

func (o *Options) setDefaults() {
	ints := func(p *int, n int) {
		if *p <= 0 {
			*p = n
		}
	}
	ints(&o.Databases, 16)
	ints(&o.MaxKey, 65_000)
	ints(&o.MaxValue, 512<<20)
	ints(&o.MaxTransaction, 64<<20)
	ints(&o.MaxClients, 10_000)
	ints(&o.MaxClientsPerAddr, o.MaxClients)
	ints(&o.MaxUnauthenticated, max(10, o.MaxClients/10))
	ints(&o.MaxOutput, 256<<20)
	if o.MaxMemory <= 0 {
		o.MaxMemory = 1 << 30
	}
	times := func(p *time.Duration, d time.Duration) {
		switch {
		case *p == 0:
			*p = d
		case *p < 0:
			*p = 0
		}
	}
	times(&o.IdleTimeout, 0)
	times(&o.AuthTimeout, 10*time.Second)
	times(&o.RequestTimeout, 60*time.Second)
	times(&o.WriteTimeout, 60*time.Second)
	times(&o.ShutdownGrace, 100*time.Millisecond)
	if o.SlowThreshold == 0 {
		o.SlowThreshold = 10 * time.Millisecond
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Clock == nil {
		o.Clock = time.Now
	}
}
