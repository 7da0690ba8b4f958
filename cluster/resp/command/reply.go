package command

import (
	"strings"

	"github.com/ringwood-kv/ringwood/cluster/resp/internal/ascii"
	"github.com/ringwood-kv/ringwood/cluster/resp/internal/glob"
	"github.com/ringwood-kv/ringwood/cluster/resp/wire"
)

// Reply answers COMMAND and its subcommands, and HELP of every container. The request
// has been resolved to c. It returns false if c is none of these.
func (t *Table) Reply(w *wire.Writer, c *Command, args [][]byte) bool {
	switch c.Name {
	case "command":
		t.replyAll(w)
	case "command|count":
		w.Int(int64(len(t.top)))
	case "command|info":
		t.replyInfo(w, args[2:])
	case "command|docs":
		t.replyDocs(w, args[2:])
	case "command|list":
		t.replyList(w, args[2:])
	case "command|getkeys":
		t.replyKeys(w, args[2:], false)
	case "command|getkeysandflags":
		t.replyKeys(w, args[2:], true)
	default:
		if c.Parent == nil || !strings.HasSuffix(c.Name, "|help") {
			return false
		}
		replyHelp(w, c.Parent)
	}
	return true
}

func (t *Table) replyAll(w *wire.Writer) {
	w.Array(len(t.top))
	for _, c := range t.top {
		c.info(w)
	}
}

func (t *Table) replyInfo(w *wire.Writer, names [][]byte) {
	if len(names) == 0 {
		t.replyAll(w)
		return
	}
	w.Array(len(names))
	for _, n := range names {
		if c := t.Find(string(n)); c != nil {
			c.info(w)
		} else {
			w.Null()
		}
	}
}

// info writes the ten parts of COMMAND INFO.
func (c *Command) info(w *wire.Writer) {
	first, last, step := c.legacyKeys()
	w.Array(10)
	w.BulkString(c.Name)
	w.Int(int64(c.Arity))
	statuses(w, "", c.Flags.Names())
	w.Int(int64(first))
	w.Int(int64(last))
	w.Int(int64(step))
	statuses(w, "@", c.Categories.Names())
	w.Set(len(c.Tips))
	for _, tip := range c.Tips {
		w.BulkString(tip)
	}
	w.Set(len(c.Keys))
	for _, k := range c.Keys {
		k.info(w)
	}
	if len(c.Subcommands) == 0 {
		w.Set(0)
		return
	}
	w.Array(len(c.Subcommands))
	for _, s := range c.Subcommands {
		s.info(w)
	}
}

// statuses writes a set of simple strings.
func statuses(w *wire.Writer, prefix string, names []string) {
	w.Set(len(names))
	for _, n := range names {
		w.Simple(prefix + n)
	}
}

func (k KeySpec) info(w *wire.Writer) {
	if k.Note == "" {
		w.Map(3)
	} else {
		w.Map(4)
		w.BulkString("notes")
		w.BulkString(k.Note)
	}
	w.BulkString("flags")
	statuses(w, "", k.Flags.Names())
	w.BulkString("begin_search")
	typed(w, "index", "index", k.First)
	w.BulkString("find_keys")
	typed(w, "range", "lastkey", k.Last, "keystep", k.Step, "limit", 0)
}

// typed writes a map of a type and its numbers, given as names and values in turn.
func typed(w *wire.Writer, kind string, spec ...any) {
	w.Map(2)
	w.BulkString("type")
	w.BulkString(kind)
	w.BulkString("spec")
	w.Map(len(spec) / 2)
	for i := 0; i < len(spec); i += 2 {
		w.BulkString(spec[i].(string))
		w.Int(int64(spec[i+1].(int)))
	}
}

func (t *Table) replyDocs(w *wire.Writer, names [][]byte) {
	cs := t.top
	if len(names) > 0 {
		cs = nil
		for _, n := range names {
			if c := t.Find(string(n)); c != nil {
				cs = append(cs, c)
			}
		}
	}
	docs(w, cs)
}

func docs(w *wire.Writer, cs []*Command) {
	w.Map(len(cs))
	for _, c := range cs {
		w.BulkString(c.Name)
		c.docs(w)
	}
}

func (c *Command) docs(w *wire.Writer) {
	fields := [][2]string{{"summary", c.Summary}, {"since", c.Since}, {"group", c.Group.String()}}
	n := len(fields)
	if c.DeprecatedSince != "" {
		n += 3
	}
	if len(c.Subcommands) > 0 {
		n++
	}
	w.Map(n)
	for _, f := range fields {
		w.BulkString(f[0])
		w.BulkString(f[1])
	}
	if c.DeprecatedSince != "" {
		w.BulkString("doc_flags")
		statuses(w, "", []string{"deprecated"})
		w.BulkString("deprecated_since")
		w.BulkString(c.DeprecatedSince)
		w.BulkString("replaced_by")
		w.BulkString(c.ReplacedBy)
	}
	if len(c.Subcommands) > 0 {
		w.BulkString("subcommands")
		docs(w, c.Subcommands)
	}
}

// replyList answers COMMAND LIST with an optional filter.
func (t *Table) replyList(w *wire.Writer, args [][]byte) {
	keep := func(*Command) bool { return true }
	if len(args) > 0 {
		if keep = filter(w, args); keep == nil {
			return
		}
	}
	m := w.Defer()
	n := 0
	for _, c := range t.commands {
		if keep(c) {
			w.BulkString(c.Name)
			n++
		}
	}
	w.EndArray(m, n)
}

// filter parses FILTERBY kind value. After an error, which it has answered, it is nil.
func filter(w *wire.Writer, args [][]byte) func(*Command) bool {
	if len(args) != 3 || !ascii.EqualFold(args[0], "filterby") {
		w.Error(wire.ErrSyntax)
		return nil
	}
	switch kind := string(args[1]); {
	case ascii.EqualFold(kind, "module"):
		return func(*Command) bool { return false }
	case ascii.EqualFold(kind, "aclcat"):
		cat := ParseCategory(string(args[2]))
		return func(c *Command) bool { return c.Categories&cat != 0 }
	case ascii.EqualFold(kind, "pattern"):
		p, err := glob.Compile(args[2], true)
		if err != nil {
			w.Error(wire.Error("ERR " + err.Error()))
			return nil
		}
		return func(c *Command) bool {
			ok, _ := p.Match([]byte(c.Name), nil)
			return ok
		}
	}
	w.Error(wire.ErrSyntax)
	return nil
}

// replyKeys answers COMMAND GETKEYS and COMMAND GETKEYSANDFLAGS for a whole request.
func (t *Table) replyKeys(w *wire.Writer, args [][]byte, flags bool) {
	c := t.lookup(args)
	switch {
	case c == nil:
		w.Error("ERR Invalid command specified")
		return
	case !c.HasKeys():
		w.Error("ERR The command has no key arguments")
		return
	case !c.arguments(len(args)):
		w.Error("ERR Invalid number of arguments specified for command")
		return
	}
	keys := c.AppendKeys(nil, args)
	w.Array(len(keys))
	for _, k := range keys {
		if flags {
			w.Array(2)
		}
		w.Bulk(args[k.Pos])
		if flags {
			statuses(w, "", k.Flags.Names())
		}
	}
}

// replyHelp answers HELP of a container with lines like those of Redis.
func replyHelp(w *wire.Writer, c *Command) {
	w.Array(1 + 2*len(c.Subcommands))
	w.Simple(strings.ToUpper(c.Name) + " <subcommand> [<arg> [value] [opt] ...]. Subcommands are:")
	for _, s := range c.Subcommands {
		if !strings.HasSuffix(s.Name, "|help") {
			helpLines(w, s)
		}
	}
	w.Simple("HELP")
	w.Simple("    Lists the subcommands.")
}

func helpLines(w *wire.Writer, s *Command) {
	name := strings.ToUpper(s.Name[len(s.Parent.Name)+1:])
	w.Simple(strings.TrimSpace(name + " " + s.Usage))
	w.Simple("    " + s.Summary)
}
