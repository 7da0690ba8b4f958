package resptest

import (
	"slices"
	"strings"
)

// tolerance is how far two servers may be apart with a time, in seconds.
const tolerance = 30

// same reports whether two replies to a request are the same, as far as they have to
// be.
func same(args []string, a, b Value) bool {
	if a.Raw == b.Raw {
		return true
	}
	name := strings.ToLower(args[0])
	if len(args) > 1 && (name == "memory" || name == "object" || name == "client" || name == "config") {
		name += " " + strings.ToLower(args[1])
	}
	switch name {
	case "ttl", "expiretime":
		return near(a, b, tolerance)
	case "pttl", "pexpiretime":
		return near(a, b, tolerance*1000)
	case "keys":
		return a.Kind == b.Kind && slices.Equal(sorted(a), sorted(b))
	case "scan":
		return len(a.List) == 2 && len(b.List) == 2 && a.List[0].Raw == b.List[0].Raw &&
			slices.Equal(sorted(a.List[1]), sorted(b.List[1]))
	case "randomkey":
		return a.Null == b.Null && a.Kind == b.Kind
	case "memory usage": // Redis knows expired keys here
		_, ok := a.Int()
		_, ok2 := b.Int()
		return ok2 && (ok || a.Null)
	case "object refcount": // in EXEC, the queue of Redis has a reference too
		return a.Raw == ":1\r\n" && b.Raw == ":2\r\n"
	case "object idletime", "client id":
		_, ok := a.Int()
		_, ok2 := b.Int()
		return ok && ok2
	case "config get":
		return a.Kind == b.Kind && slices.Equal(pairs(a), pairs(b))
	case "hello":
		return sameHello(a, b)
	}
	return false
}

func near(a, b Value, within int64) bool {
	x, ok := a.Int()
	y, ok2 := b.Int()
	return ok && ok2 && x > 0 && y > 0 && max(x-y, y-x) <= within
}

func sorted(v Value) []string {
	var raw []string
	for _, e := range v.List {
		raw = append(raw, e.Raw)
	}
	slices.Sort(raw)
	return raw
}

// sameHello passes over the number of the client.
func sameHello(a, b Value) bool {
	if a.Kind != b.Kind || len(a.List) != len(b.List) {
		return false
	}
	for i := range a.List {
		if a.List[i].Raw != b.List[i].Raw && (i == 0 || a.List[i-1].Text != "id") {
			return false
		}
	}
	return true
}

// pairs are the entries of a map, in order.
func pairs(v Value) []string {
	var all []string
	for i := 0; i+1 < len(v.List); i += 2 {
		all = append(all, v.List[i].Raw+v.List[i+1].Raw)
	}
	slices.Sort(all)
	return all
}
