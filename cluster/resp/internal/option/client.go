package option

import (
	"github.com/ringwood-kv/ringwood/cluster/resp/internal/num"
	"github.com/ringwood-kv/ringwood/cluster/resp/wire"
)

// Hello is a request of HELLO.
type Hello struct {
	Proto    wire.Proto // 0 to keep the version
	Auth     bool
	User     []byte
	Password []byte
	SetName  bool
	Name     []byte
}

// ParseHello parses HELLO [version [AUTH user password] [SETNAME name]].
//
// Redis acts on the options as it meets them. So with an error the struct holds what
// stood before it, and a caller that wants to be like Redis logs in first, which may
// fail with an error of its own, and answers this one afterwards.
func ParseHello(args [][]byte) (h Hello, err error) {
	if len(args) > 1 {
		n, ok := num.ParseInt(args[1])
		if !ok {
			return h, wire.Error("ERR Protocol version is not an integer or out of range")
		}
		if n != int64(wire.RESP2) && n != int64(wire.RESP3) {
			return h, wire.ErrNoProto
		}
		h.Proto = wire.Proto(n)
	}
	for i := 2; i < len(args); i++ {
		switch a, more := args[i], len(args)-i-1; {
		case is(a, "AUTH") && more >= 2:
			h.Auth, h.User, h.Password = true, args[i+1], args[i+2]
			i += 2
		case is(a, "SETNAME") && more >= 1:
			if err := CheckName(args[i+1]); err != nil {
				return h, err
			}
			h.SetName, h.Name = true, args[i+1]
			i++
		default:
			return h, wire.Error("ERR Syntax error in HELLO option '" + text(a) + "'")
		}
	}
	return h, nil
}

// ErrHelloNoAuth answers HELLO of a client that has still to log in.
const ErrHelloNoAuth wire.Error = "NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO AUTH <user> <pass> option can be used to authenticate the client and select the RESP protocol version at the same time"

// ParseAuth parses AUTH [user] password. The user is nil where none is given.
func ParseAuth(args [][]byte) (user, password []byte, err error) {
	switch len(args) {
	case 2:
		return nil, args[1], nil
	case 3:
		return args[1], args[2], nil
	}
	return nil, nil, wire.ErrSyntax
}

// printable reports whether s can stand in CLIENT LIST: no spaces, no control
// characters, ASCII only.
func printable(s []byte) bool {
	for _, c := range s {
		if c < '!' || c > '~' {
			return false
		}
	}
	return true
}

// maxName is the length of the name of a connection, which is kept as long as that.
const maxName = 1024

// CheckName checks the name of a connection. An empty one takes the name away.
func CheckName(name []byte) error {
	if len(name) > maxName {
		return wire.Error("ERR Client names cannot be longer than 1024 bytes.")
	}
	if !printable(name) {
		return wire.Error("ERR Client names cannot contain spaces, newlines or special characters.")
	}
	return nil
}

// SetInfo is a request of CLIENT SETINFO, a command of Redis 7.2 that all clients send.
type SetInfo struct {
	Version bool // LIB-VER, otherwise LIB-NAME
	Value   []byte
}

// ParseSetInfo parses CLIENT SETINFO LIB-NAME|LIB-VER value.
func ParseSetInfo(args [][]byte) (s SetInfo, err error) {
	s.Value = args[3]
	switch option := args[2]; {
	case is(option, "LIB-NAME"):
	case is(option, "LIB-VER"):
		s.Version = true
	default:
		return s, wire.Error("ERR Unrecognized option '" + text(option) + "'")
	}
	if !printable(s.Value) {
		return s, wire.Error("ERR " + text(args[2]) + " cannot contain spaces, newlines or special characters.")
	}
	return s, nil
}

// ParseOnOff parses the last word of CLIENT NO-EVICT and CLIENT NO-TOUCH.
func ParseOnOff(args [][]byte) (on bool, err error) {
	switch a := args[2]; {
	case is(a, "ON"):
		return true, nil
	case is(a, "OFF"):
		return false, nil
	}
	return false, wire.ErrSyntax
}

// Reply is a mode of CLIENT REPLY.
type Reply uint8

// The modes. ReplySkip holds for the next command, and does nothing after ReplyOff.
// Only ReplyOn is answered.
const (
	ReplyOn Reply = iota
	ReplyOff
	ReplySkip
)

// ParseReply parses CLIENT REPLY ON|OFF|SKIP.
func ParseReply(args [][]byte) (r Reply, err error) {
	switch a := args[2]; {
	case is(a, "ON"):
		return ReplyOn, nil
	case is(a, "OFF"):
		return ReplyOff, nil
	case is(a, "SKIP"):
		return ReplySkip, nil
	}
	return ReplyOn, wire.ErrSyntax
}

// ClientType is a kind of connection in the filters of CLIENT LIST and CLIENT KILL.
type ClientType uint8

// The kinds. This server has normal connections only, so that the others match none.
const (
	AnyClient ClientType = iota
	NormalClient
	ReplicaClient
	PubSubClient
	MasterClient
)

func parseClientType(a []byte) (ClientType, error) {
	switch {
	case is(a, "NORMAL"):
		return NormalClient, nil
	case is(a, "REPLICA"), is(a, "SLAVE"):
		return ReplicaClient, nil
	case is(a, "PUBSUB"):
		return PubSubClient, nil
	case is(a, "MASTER"):
		return MasterClient, nil
	}
	return AnyClient, wire.Error("ERR Unknown client type '" + text(a) + "'")
}

// ClientList is a request of CLIENT LIST.
type ClientList struct {
	Type ClientType
	IDs  []int64 // nil for all
}

// ParseClientList parses CLIENT LIST [TYPE type | ID id...].
func ParseClientList(args [][]byte) (l ClientList, err error) {
	switch {
	case len(args) == 2:
		return l, nil
	case len(args) == 4 && is(args[2], "TYPE"):
		l.Type, err = parseClientType(args[3])
		return l, err
	case len(args) > 3 && is(args[2], "ID"):
		for _, a := range args[3:] {
			id, ok := num.ParseInt(a)
			if !ok {
				return l, wire.Error("ERR Invalid client ID")
			}
			l.IDs = append(l.IDs, id)
		}
		return l, nil
	}
	return l, wire.ErrSyntax
}

// ClientKill is a request of CLIENT KILL: the connections that fit all of it.
type ClientKill struct {
	// Old is the form with an address alone: it answers OK or ErrNoClient, the other
	// form the number of connections.
	Old         bool
	ID          int64 // 0 for any
	Type        ClientType
	Addr, LAddr []byte // nil for any
	User        []byte // nil for any
	SkipMe      bool
}

// ErrNoClient answers the old form of CLIENT KILL where there is no such connection.
const ErrNoClient wire.Error = "ERR No such client"

// ParseClientKill parses CLIENT KILL address, and CLIENT KILL [ID id] [TYPE type]
// [USER name] [ADDR address] [LADDR address] [SKIPME yes|no]. The function says whether
// there is a user of that name.
func ParseClientKill(args [][]byte, isUser func([]byte) bool) (k ClientKill, err error) {
	if len(args) == 3 {
		return ClientKill{Old: true, Addr: args[2]}, nil
	}
	k.SkipMe = true
	for i := 2; i < len(args); i += 2 {
		if i+1 == len(args) {
			return k, wire.ErrSyntax
		}
		if err := k.filter(args[i], args[i+1], isUser); err != nil {
			return k, err
		}
	}
	return k, nil
}

func (k *ClientKill) filter(name, value []byte, isUser func([]byte) bool) (err error) {
	switch {
	case is(name, "ID"):
		n, ok := num.ParseInt(value)
		if !ok || n < 1 {
			return wire.Error("ERR client-id should be greater than 0")
		}
		k.ID = n
	case is(name, "TYPE"):
		k.Type, err = parseClientType(value)
		return err
	case is(name, "ADDR"):
		k.Addr = value
	case is(name, "LADDR"):
		k.LAddr = value
	case is(name, "USER"):
		if !isUser(value) {
			return wire.Error("ERR No such user '" + text(value) + "'")
		}
		k.User = value
	case is(name, "SKIPME") && is(value, "YES"):
		k.SkipMe = true
	case is(name, "SKIPME") && is(value, "NO"):
		k.SkipMe = false
	default:
		return wire.ErrSyntax
	}
	return nil
}

// ParseUnblock parses CLIENT UNBLOCK id [TIMEOUT|ERROR].
func ParseUnblock(args [][]byte) (id int64, err error) {
	if len(args) > 4 {
		return 0, wire.Error("ERR unknown subcommand or wrong number of arguments for '" + text(args[1][:min(len(args[1]), 128)]) + "'. Try CLIENT HELP.")
	}
	if len(args) == 4 && !is(args[3], "TIMEOUT") && !is(args[3], "ERROR") {
		return 0, wire.Error("ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR")
	}
	id, ok := num.ParseInt(args[2])
	if !ok {
		return 0, wire.ErrNotInteger
	}
	return id, nil
}
