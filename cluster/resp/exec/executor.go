package exec

import (
	"github.com/ringwood-kv/ringwood/cluster/resp/command"
	"github.com/ringwood-kv/ringwood/cluster/resp/wire"
)

// Options of an Executor. Zero stands for the default.
type Options struct {
	// Databases is their number. Default 16.
	Databases int
	// MaxKey is the length of a key in bytes. Default 65,000.
	MaxKey int
	// MaxValue is the length of a value in bytes, which APPEND and SETRANGE check.
	// Default 512 MiB.
	MaxValue int

	// A group ends after this many commands (default 256), bytes of their arguments
	// (default 64 KiB) or bytes of held replies (default 64 KiB).
	GroupCommands int
	GroupBytes    int
	GroupReplies  int

	// Memory is asked before a command keeps more than KeepBuffer bytes at once, and for
	// what a transaction keeps beyond that: the records that it has read and the values
	// that were computed. Nil for no limit.
	Memory Memory
	// Reads is how many values may be on their way from the Store at a time, over all
	// sessions: Memory is asked when their lengths are known. As many go through the names
	// of keys. 0 for no limit.
	Reads int
	// Elapsed measures how long commands take, for the observer of a session: nanoseconds
	// since some moment, more than 0, by a clock that nobody sets. It is read once for each
	// command of a pipeline. Nil: they are not measured.
	Elapsed func() int64
	// Report takes errors of the Store that the client is not told.
	Report func(c *command.Command, err error)
}

// Memory is a budget that many share. Take reports whether n bytes were to be had.
type Memory interface {
	Take(n int) bool
	Give(n int)
}

// KeepBuffer is the size up to which a session keeps its buffers between commands.
const KeepBuffer = 64 << 10

func (o *Options) setDefaults() {
	for _, d := range []struct {
		p *int
		n int
	}{
		{&o.Databases, 16}, {&o.MaxKey, 65_000}, {&o.MaxValue, 512 << 20},
		{&o.GroupCommands, 256}, {&o.GroupBytes, 64 << 10}, {&o.GroupReplies, 64 << 10},
	} {
		if *d.p <= 0 {
			*d.p = d.n
		}
	}
}

// Executor runs commands against a Store. It is safe for concurrent use.
type Executor struct {
	store    Store
	prefetch Prefetcher // nil if the store is none
	opts     Options
	entries  []entry // by the ID of the command
	gate     *gate   // for values
	scans    *gate   // for names, which a Store may have to read the values for
	queue    queue
}

// entry is what the executor knows of a command.
type entry struct {
	run func(*Session, [][]byte) error // nil if the command is not run here
	// A command that does not write and has one key may run alone.
	writes bool
	scope  scope
	other  other
}

// scope is what a command is about.
type scope uint8

const (
	scopeKeys     scope = iota
	scopeDatabase       // lists keys of a database
	scopeCount          // counts them
	scopeFlush          // empties a database
	scopeFlushAll       // empties all of them
)

// other says how the request names a second database.
type other uint8

const (
	otherNone other = iota
	otherCopy       // by an option of COPY
	otherMove       // by the argument of MOVE
)

// New returns an Executor of the commands of a table.
func New(t *command.Table, store Store, o Options) *Executor {
	o.setDefaults()
	x := &Executor{store: store, opts: o, entries: make([]entry, len(t.Commands())), gate: newGate(o.Reads), scans: newGate(o.Reads)}
	x.prefetch, _ = store.(Prefetcher)
	for name, run := range handlers() {
		c := t.Find(name)
		x.entries[c.ID] = entry{run: run, writes: c.Flags&command.Write != 0}
	}
	for name, s := range map[string]scope{
		"keys": scopeDatabase, "scan": scopeDatabase, "randomkey": scopeDatabase, "dbsize": scopeCount,
		"flushdb": scopeFlush, "flushall": scopeFlushAll,
	} {
		x.entries[t.Find(name).ID].scope = s
	}
	x.entries[t.Find("copy").ID].other = otherCopy
	x.entries[t.Find("move").ID].other = otherMove
	return x
}

// handlers are the commands by name. Each writes one reply, or returns an error and
// has written nothing.
func handlers() map[string]func(*Session, [][]byte) error {
	return map[string]func(*Session, [][]byte) error{
		"get": get, "getdel": getDel, "getex": getEx, "getset": getSet, "strlen": strLen,
		"getrange": getRange, "substr": getRange,
		"set": set, "setnx": setNX, "setex": setEx, "psetex": setEx,
		"append": appendTo, "setrange": setRange,
		"incr": incr, "decr": incr, "incrby": incrBy, "decrby": incrBy, "incrbyfloat": incrByFloat,
		"mget": mGet, "mset": mSet, "msetnx": mSetNX, "lcs": lcsOf,

		"del": del, "unlink": del, "exists": exists, "touch": exists, "type": typeOf,
		"rename": rename, "renamenx": renameNX, "copy": copyKey, "move": move,
		"expire": expire, "pexpire": expire, "expireat": expire, "pexpireat": expire,
		"ttl": ttl, "pttl": ttl, "expiretime": ttl, "pexpiretime": ttl, "persist": persist,

		"keys": keys, "scan": scan, "randomkey": randomKey, "dbsize": dbSize,
		"flushdb": flush, "flushall": flush,

		"object|encoding": objectEncoding, "object|refcount": objectRefcount,
		"object|idletime": objectIdletime, "object|freq": objectFreq, "memory|usage": memoryUsage,
	}
}

// Runs reports whether Run can run a command: all others are for the server.
func (x *Executor) Runs(c *command.Command) bool { return x.entries[c.ID].run != nil }

// Errors of the limits.
const (
	ErrKeyTooLong wire.Error = "ERR key is too long"
	ErrMemory     wire.Error = "OOM command not allowed when used memory > 'maxmemory'."
	errInternal   wire.Error = "ERR internal error, the server's log has more"
)
