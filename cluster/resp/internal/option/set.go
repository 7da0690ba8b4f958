package option

import "github.com/ringwood-kv/ringwood/cluster/resp/wire"

// Set is a request of SET, SETNX, SETEX, PSETEX or GETSET.
type Set struct {
	Key, Value []byte
	NX, XX     bool
	Get        bool // answer the old value
	KeepTTL    bool
	ExpireAt   int64 // where Expires
	Expires    bool
}

// ParseSet parses SET key value [NX|XX] [GET] [EX s|PX ms|EXAT s|PXAT ms|KEEPTTL].
// Options that exclude each other are a syntax error; one may be repeated.
func ParseSet(args [][]byte, now int64) (s Set, err error) {
	s.Key, s.Value = args[1], args[2]
	var ttl TTL
	for i := 3; i < len(args); i++ {
		switch a := args[i]; {
		case is(a, "NX") && !s.XX:
			s.NX = true
		case is(a, "XX") && !s.NX:
			s.XX = true
		case is(a, "GET"):
			s.Get = true
		case is(a, "KEEPTTL") && !ttl.Set():
			s.KeepTTL = true
		default:
			if s.KeepTTL || !ttl.parse(args[i:]) {
				return s, wire.ErrSyntax
			}
			i++
		}
	}
	if ttl.Set() {
		s.Expires = true
		s.ExpireAt, err = ttl.At(now, "set")
	}
	return s, err
}

// parse takes EX, PX, EXAT or PXAT and the argument behind it. A second one must be of
// the same kind.
func (t *TTL) parse(args [][]byte) bool {
	if len(args) < 2 {
		return false
	}
	n := TTL{set: true, arg: args[1]}
	switch a := args[0]; {
	case is(a, "EX"):
		n.seconds = true
	case is(a, "PX"):
	case is(a, "EXAT"):
		n.seconds, n.absolute = true, true
	case is(a, "PXAT"):
		n.absolute = true
	default:
		return false
	}
	if t.Set() && (t.seconds != n.seconds || t.absolute != n.absolute) {
		return false
	}
	*t = n
	return true
}

// ParseSetEx parses SETEX key seconds value, and PSETEX key milliseconds value.
func ParseSetEx(args [][]byte, now int64) (s Set, err error) {
	ttl := TTL{set: true, arg: args[2], seconds: is(args[0], "SETEX")}
	command := "psetex"
	if ttl.seconds {
		command = "setex"
	}
	s = Set{Key: args[1], Value: args[3], Expires: true}
	s.ExpireAt, err = ttl.At(now, command)
	return s, err
}

// GetEx is a request of GETEX.
type GetEx struct {
	Key     []byte
	Persist bool
	TTL     TTL // Redis looks at it when it has found the key, and not before
}

// ParseGetEx parses GETEX key [EX s|PX ms|EXAT s|PXAT ms|PERSIST].
func ParseGetEx(args [][]byte) (g GetEx, err error) {
	g.Key = args[1]
	for i := 2; i < len(args); i++ {
		switch {
		case is(args[i], "PERSIST") && !g.TTL.Set():
			g.Persist = true
		case g.Persist || !g.TTL.parse(args[i:]):
			return g, wire.ErrSyntax
		default:
			i++
		}
	}
	return g, nil
}

// CheckPairs is the check of MSET and MSETNX that each key has a value.
func CheckPairs(args [][]byte, command string) error {
	if len(args)%2 == 0 {
		return errArity(command)
	}
	return nil
}
