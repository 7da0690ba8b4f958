package command

import "github.com/ringwood-kv/ringwood/cluster/resp/wire"

// Command is an entry of the table: a command, or a subcommand of a container.
type Command struct {
	// ID is the position in Table.Commands.
	ID int
	// Name is in lower case; that of a subcommand is container|subcommand.
	Name string
	// Arity is the number of arguments with the name (both names of a subcommand), or
	// if it is negative, the least number.
	Arity int
	Flags Flags
	// Categories are for the permissions, those that follow from Flags included.
	Categories Category
	Group      Group
	Since      string // the version of Redis that had it first
	Summary    string
	// Usage is the arguments in the notation of manuals.
	Usage string
	Keys  []KeySpec
	// Tips are hints to clients that speak to many servers.
	Tips []string
	// DeprecatedSince and ReplacedBy are set together.
	DeprecatedSince string
	ReplacedBy      string
	// Refused is the error of a command that is known and not to be had, without the
	// code ERR.
	Refused string

	Parent      *Command   // the container of a subcommand
	Subcommands []*Command // by name
}

// KeySpec says where keys are among the arguments and what happens to them.
type KeySpec struct {
	Flags KeyFlags
	// First is the argument that is the first key.
	First int
	// Last is the last one, counted from First, or if it is negative, from the end: -1
	// is the last argument.
	Last int
	// Step is the distance from one key to the next.
	Step int
	// Note explains Flags.
	Note string
}

// Table is all commands.
type Table struct {
	commands []*Command // by ID: containers before their subcommands
	top      []*Command // without subcommands, by name
	byName   map[string]*Command
}

// New returns the table.
func New() *Table {
	t := &Table{byName: make(map[string]*Command)}
	for _, group := range [][]Command{generic(), stringGroup(), connection(), transactions(), server()} {
		for i := range group {
			t.top = append(t.top, &group[i])
		}
	}
	sortByName(t.top)
	for _, c := range t.top {
		t.add(c)
		sortByName(c.Subcommands)
		for _, s := range c.Subcommands {
			s.Name = c.Name + "|" + s.Name
			s.Parent, s.Group = c, c.Group
			t.add(s)
		}
	}
	return t
}

func (t *Table) add(c *Command) {
	c.ID = len(t.commands)
	c.Categories |= implied(c.Flags)
	t.commands = append(t.commands, c)
	t.byName[c.Name] = c
}

func sortByName(cs []*Command) {
	for i := range cs {
		for j := i; j > 0 && cs[j].Name < cs[j-1].Name; j-- {
			cs[j], cs[j-1] = cs[j-1], cs[j]
		}
	}
}

// Commands returns all commands and subcommands, by ID. It is not to be changed.
func (t *Table) Commands() []*Command { return t.commands }

// Find returns the command of a name in any case, container|subcommand for a
// subcommand, or nil.
func (t *Table) Find(name string) *Command {
	if len(name) > maxName {
		return nil
	}
	return t.byName[string(appendLower(nil, []byte(name)))]
}

// ErrRefused is the error of a command with Refused.
func (c *Command) ErrRefused() error { return wire.Error("ERR " + c.Refused) }

// arguments checks a number of arguments.
func (c *Command) arguments(n int) bool {
	if c.Arity >= 0 {
		return n == c.Arity
	}
	return n >= -c.Arity
}

// legacyKeys is the range of all keys in one: the first, the last (negative from the
// end) and the step, zeros if there are none.
func (c *Command) legacyKeys() (first, last, step int) {
	if len(c.Keys) == 0 {
		return 0, 0, 0
	}
	k := c.Keys[0]
	first, last, step = k.First, k.Last, k.Step
	if last >= 0 {
		last += first
	}
	for _, k := range c.Keys[1:] { // one key each, right behind the one before
		last = k.First
	}
	return first, last, step
}
