package option

import (
	"math"

	"github.com/ringwood-kv/ringwood/cluster/resp/internal/num"
	"github.com/ringwood-kv/ringwood/cluster/resp/wire"
)

// Times are in milliseconds since 1970, as Redis keeps them.

// TTL is a time to live of SET, GETEX and their kin, not looked at yet.
type TTL struct {
	set      bool
	seconds  bool
	absolute bool
	arg      []byte
}

// Set reports whether the request has one.
func (t TTL) Set() bool { return t.set }

// Absolute reports whether it is a point in time, EXAT or PXAT. GETEX deletes the key
// if that has passed.
func (t TTL) Absolute() bool { return t.absolute }

// At returns the time of expiry. It must be a positive number and not overflow: SET
// with an expiry in the past is legal, but not one at or before 1970. The name of the
// command goes into the error.
func (t TTL) At(now int64, command string) (at int64, err error) {
	n, ok := num.ParseInt(t.arg)
	if !ok {
		return 0, wire.ErrNotInteger
	}
	if n <= 0 || t.seconds && n > math.MaxInt64/1000 {
		return 0, errExpireTime(command)
	}
	if t.seconds {
		n *= 1000
	}
	if !t.absolute {
		if n, ok = num.Add(n, now); !ok || n <= 0 {
			return 0, errExpireTime(command)
		}
	}
	return n, nil
}

func errExpireTime(command string) error {
	return wire.Error("ERR invalid expire time in '" + command + "' command")
}

// Expire is a request of EXPIRE, PEXPIRE, EXPIREAT or PEXPIREAT.
type Expire struct {
	At             int64 // may be in the past: the key is deleted
	NX, XX, GT, LT bool
}

// ParseExpire parses one of them.
func ParseExpire(args [][]byte, now int64) (e Expire, err error) {
	var seconds, relative bool
	var command string
	switch name := args[0]; {
	case is(name, "EXPIRE"):
		command, seconds, relative = "expire", true, true
	case is(name, "PEXPIRE"):
		command, relative = "pexpire", true
	case is(name, "EXPIREAT"):
		command, seconds = "expireat", true
	default:
		command = "pexpireat"
	}
	if err := e.flags(args[3:]); err != nil {
		return e, err
	}
	n, ok := num.ParseInt(args[2])
	if !ok {
		return e, wire.ErrNotInteger
	}
	if seconds {
		if n > math.MaxInt64/1000 || n < math.MinInt64/1000 {
			return e, errExpireTime(command)
		}
		n *= 1000
	}
	if relative {
		if n, ok = num.Add(n, now); !ok {
			return e, errExpireTime(command)
		}
	}
	e.At = n
	return e, nil
}

func (e *Expire) flags(args [][]byte) error {
	for _, a := range args {
		switch {
		case is(a, "NX"):
			e.NX = true
		case is(a, "XX"):
			e.XX = true
		case is(a, "GT"):
			e.GT = true
		case is(a, "LT"):
			e.LT = true
		default:
			return wire.Error("ERR Unsupported option " + text(a))
		}
	}
	switch {
	case e.NX && (e.XX || e.GT || e.LT):
		return wire.Error("ERR NX and XX, GT or LT options at the same time are not compatible")
	case e.GT && e.LT:
		return wire.Error("ERR GT and LT options at the same time are not compatible")
	}
	return nil
}

// Allows reports whether the request applies to a key that expires at current, or
// never if has is false: that counts as later than any time.
func (e Expire) Allows(current int64, has bool) bool {
	switch {
	case e.NX && has, e.XX && !has:
		return false
	case e.GT && (!has || e.At <= current):
		return false
	case e.LT && has && e.At >= current:
		return false
	}
	return true
}

// TTLReply is the answer of TTL, PTTL, EXPIRETIME and PEXPIRETIME for a key that
// expires at the given time: relative to now or absolute, in milliseconds or rounded
// to seconds.
func TTLReply(at, now int64, absolute, milliseconds bool) int64 {
	t := at
	if !absolute {
		t -= now
	}
	t = max(t, 0)
	if milliseconds {
		return t
	}
	return int64((uint64(t) + 500) / 1000) // the sum may be more than an int64
}
