// Package option parses the arguments of commands: from the words of a request to a
// struct, or to the error that Redis 7.0 answers. The commands of the server call it
// after the command table has checked their number.
//
// All functions are pure. Each takes the whole request, args[0] being the name of the
// command, and its results alias the request. A function does not look up keys, so
// where Redis answers for a missing key before it looks at an option, the comment says
// which part is to be asked for later.
//
// Words are compared as Redis does it: in any case, and up to a NUL byte.
package option

import (
	"github.com/ringwood-kv/ringwood/cluster/resp/internal/ascii"
	"github.com/ringwood-kv/ringwood/cluster/resp/wire"
)

// is reports whether arg is the word.
func is(arg []byte, word string) bool { return ascii.HasWord(arg, word) }

// text is arg as Redis prints it into an error: up to a NUL byte.
func text(arg []byte) string {
	for i, c := range arg {
		if c == 0 {
			return string(arg[:i])
		}
	}
	return string(arg)
}

// errArity is the error of a command that looks at the number of its arguments itself.
func errArity(command string) error {
	return wire.Error("ERR wrong number of arguments for '" + command + "' command")
}
