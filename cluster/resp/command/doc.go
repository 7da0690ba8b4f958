// Package command is the table of the commands that the server speaks, and everything
// that follows from the table alone: which command a request is, whether its number of
// arguments is right, which of them are keys and what happens to them, and the replies
// of COMMAND and of the HELP subcommands. The server dispatches by it, the check of
// permissions reads it, and the tests of both are generated from it.
//
//	t := command.New()
//	c, err := t.Resolve(args) // err is a wire.Error with the text of Redis
//	if c.Refused != "" { … }  // known, and not to be had here
//	handlers[c.ID](…)
//
// Entries say of each command what Redis 7.0 says of it: arity, flags, categories, key
// positions. Invariants, which a test checks: names are unique and in lower case,
// IDs are the positions in Commands, a container has a HELP, a command that has keys
// has a flag of reading or writing unless it does neither, key positions lie within
// the smallest number of arguments.
//
// A Table does not change after New and is safe for concurrent use. The package does
// not run commands and knows no options; those are in package option.
//
// What differs from Redis: the list of commands, their order in replies (Redis has
// the one of its hash table, here it is the alphabet), and COMMAND DOCS, which has our
// own summaries and neither history nor arguments.
package command
