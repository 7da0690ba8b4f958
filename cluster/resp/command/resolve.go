package command

import (
	"bytes"
	"strings"

	"github.com/ringwood-kv/ringwood/cluster/resp/internal/ascii"
	"github.com/ringwood-kv/ringwood/cluster/resp/wire"
)

// maxName is longer than every name of a command.
const maxName = 64

// maxQuoted is how much of what the client sent an error repeats.
const maxQuoted = 128

// Resolve finds the command of a request and checks the number of its arguments. The
// error is a wire.Error: unknown command, unknown subcommand or wrong number of
// arguments. It allocates nothing if it finds the command.
//
// A container without a second word is the container itself, which the number of
// arguments then refuses, except for COMMAND.
func (t *Table) Resolve(args [][]byte) (*Command, error) {
	c := t.lookup(args)
	switch {
	case c == nil:
		return nil, t.unknown(args)
	case !c.arguments(len(args)):
		return nil, c.ErrArity()
	}
	return c, nil
}

// Resolver is Table.Resolve for one connection, which remembers what commands its client
// uses. The zero Resolver is ready for use. It belongs to one goroutine.
type Resolver struct {
	known [16]spelling // by spot
}

// spelling is a name as the client writes it, and its command.
type spelling struct {
	name [12]byte
	n    uint8
	c    *Command // without subcommands
}

// Resolve does what that of the table does.
func (r *Resolver) Resolve(t *Table, args [][]byte) (*Command, error) {
	name := args[0]
	if n := len(name); n == 0 || n > len(spelling{}.name) {
		return t.Resolve(args)
	}
	k := &r.known[(uint(name[0])^uint(name[len(name)-1])<<1+uint(len(name)))%uint(len(r.known))]
	if string(k.name[:k.n]) == string(name) && k.c.arguments(len(args)) {
		return k.c, nil
	}
	c, err := t.Resolve(args)
	if err == nil && c.Parent == nil && len(c.Subcommands) == 0 {
		k.n, k.c = uint8(copy(k.name[:], name)), c
	}
	return c, err
}

// lookup finds the command of a request, nil if there is none.
func (t *Table) lookup(args [][]byte) *Command {
	var buf [2*maxName + 1]byte
	name := appendLower(buf[:0], args[0])
	c := t.byName[string(name)]
	if c == nil || c.Parent != nil {
		return nil // a name with a bar is not a command of its own
	}
	if len(args) == 1 || len(c.Subcommands) == 0 {
		return c
	}
	name = append(name, '|')
	return t.byName[string(appendLower(name, args[1]))]
}

// appendLower appends a name in lower case. What is longer than any name is cut and
// still no name.
func appendLower(dst, name []byte) []byte {
	for _, c := range name[:min(len(name), maxName)] {
		dst = append(dst, ascii.Lower(c))
	}
	return dst
}

// ErrArity is the error of a wrong number of arguments.
func (c *Command) ErrArity() error {
	return wire.Error("ERR wrong number of arguments for '" + c.Name + "' command")
}

// unknown is the error of a request that is no command.
func (t *Table) unknown(args [][]byte) error {
	var name [maxName]byte
	if c := t.byName[string(appendLower(name[:0], args[0]))]; c != nil && len(c.Subcommands) > 0 {
		return wire.Error("ERR unknown subcommand '" + quoted(args[1], maxQuoted) + "'. Try " + strings.ToUpper(c.Name) + " HELP.")
	}
	var b strings.Builder
	b.WriteString("ERR unknown command '")
	b.WriteString(quoted(args[0], maxQuoted))
	b.WriteString("', with args beginning with: ")
	start := b.Len()
	for _, a := range args[1:] {
		n := b.Len() - start
		if n >= maxQuoted {
			break
		}
		b.WriteString("'" + quoted(a, maxQuoted-n) + "' ")
	}
	return wire.Error(b.String())
}

// quoted is what an error repeats of an argument: at most n bytes, up to a NUL byte,
// on one line.
func quoted(arg []byte, n int) string {
	arg = arg[:min(n, len(arg))]
	if i := bytes.IndexByte(arg, 0); i >= 0 {
		arg = arg[:i]
	}
	return strings.NewReplacer("\r", " ", "\n", " ").Replace(string(arg))
}

// IsHTTP reports whether a request is a line of HTTP: somebody makes a browser speak
// to us. The connection is to be closed without an answer.
func IsHTTP(args [][]byte) bool {
	return ascii.HasWord(args[0], "post") || ascii.HasWord(args[0], "host:")
}
