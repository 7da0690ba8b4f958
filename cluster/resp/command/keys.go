package command

import "github.com/ringwood-kv/ringwood/cluster/resp/internal/ascii"

// Key is a key among the arguments of a request.
type Key struct {
	Pos   int // its argument
	Flags KeyFlags
}

// HasKeys reports whether the command has keys at all.
func (c *Command) HasKeys() bool {
	for _, k := range c.Keys {
		if k.Flags&KeyNotKey == 0 {
			return true
		}
	}
	return false
}

// AppendKeys appends the keys of a request, whose number of arguments has been checked,
// and what happens to each. Where that depends on the options (SET reads the key only
// with GET), the flags say what this request does.
func (c *Command) AppendKeys(dst []Key, args [][]byte) []Key {
	for _, k := range c.Keys {
		if k.Flags&KeyNotKey != 0 {
			continue
		}
		flags := k.Flags
		if flags&KeyVariableFlags != 0 {
			flags = setKeyFlags(args)
		}
		last := k.First + k.Last
		if k.Last < 0 {
			last = len(args) + k.Last
		}
		for pos := k.First; pos <= last && pos < len(args); pos += k.Step {
			dst = append(dst, Key{pos, flags})
		}
	}
	return dst
}

// setKeyFlags are the flags of the key of SET.
func setKeyFlags(args [][]byte) KeyFlags {
	for _, a := range args[3:] {
		if ascii.HasWord(a, "GET") {
			return KeyRW | KeyAccess | KeyUpdate
		}
	}
	return KeyOW | KeyUpdate
}
