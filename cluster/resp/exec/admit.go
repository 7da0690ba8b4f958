package exec

import (
	"github.com/ringwood-kv/ringwood/cluster/resp/command"
	"github.com/ringwood-kv/ringwood/cluster/resp/internal/option"
	"github.com/ringwood-kv/ringwood/cluster/resp/wire"
)

// User decides what a client may do. Its methods are safe for concurrent use and
// answer for this moment: what is taken away from a user holds for the next request.
type User interface {
	Name() string
	// Command reports whether the user may use a command or subcommand at all.
	Command(c *command.Command) bool
	// Key reports whether the user may do with a key what the flags say.
	Key(k Key, f command.KeyFlags) bool
	// Listed reports whether the user may see the name of a key in a list.
	Listed(k Key) bool
	// Database is Key for all keys of a database at once: with KeyRM for FLUSHDB and
	// FLUSHALL, with KeyRO for DBSIZE.
	Database(db int, f command.KeyFlags) bool
}

// SetUser says who the client is from now on; nil may do everything.
func (s *Session) SetUser(u User) { s.user = u }

// What a user without permission is told.
const (
	ErrNoKeyPermission wire.Error = "NOPERM this user has no permissions to access one of the keys used as arguments"
	errNoDatabase      wire.Error = "NOPERM this user has no permissions for the whole database"
)

// ErrNoPermission is the error for a command that the user may not use.
func ErrNoPermission(c *command.Command) error {
	return wire.Error("NOPERM this user has no permissions to run the '" + c.Name + "' command")
}

// removes is what emptying a database does to its keys.
const removes = command.KeyRM | command.KeyDelete

// Admit finds the keys of a request and checks that the user may do what it says. It
// is called for every request that the server runs or keeps for later, those that the
// server runs itself included. Run takes the keys from here, so that what is checked is
// what is done.
func (s *Session) Admit(c *command.Command, args [][]byte) error {
	e := &s.x.entries[c.ID]
	s.found = c.AppendKeys(s.found[:0], args)
	s.keys = s.keys[:0]
	for _, f := range s.found {
		if len(args[f.Pos]) > s.x.opts.MaxKey && e.run != nil {
			return ErrKeyTooLong
		}
		s.keys = append(s.keys, Key{s.DB, args[f.Pos]})
	}
	if e.other != otherNone {
		s.otherDatabase(e.other, args)
	}
	if s.user == nil {
		return nil
	}
	return s.permitted(c, e)
}

// otherDatabase puts the second database of COPY and MOVE into the keys. Where the
// request has an error there, it is going to fail before it does anything.
func (s *Session) otherDatabase(o other, args [][]byte) {
	switch o {
	case otherCopy:
		if r, err := option.ParseCopy(args, s.DB, s.x.opts.Databases); err == nil {
			s.keys[1].DB = r.DB
		}
	case otherMove:
		if db, err := option.ParseDB(args[2], s.x.opts.Databases); err == nil {
			// The source goes, as with RENAME. The table has what Redis says: that it is updated.
			s.found[0].Flags = command.KeyRW | command.KeyAccess | command.KeyDelete
			s.keys = append(s.keys, Key{db, args[1]})
			s.found = append(s.found, command.Key{Pos: 1, Flags: command.KeyOW | command.KeyInsert})
		}
	}
}

// permitted checks the request whose keys have been found.
func (s *Session) permitted(c *command.Command, e *entry) error {
	if !s.user.Command(c) {
		return ErrNoPermission(c)
	}
	for i, k := range s.keys {
		if !s.user.Key(k, s.found[i].Flags) {
			return ErrNoKeyPermission
		}
	}
	switch e.scope {
	case scopeCount:
		if !s.user.Database(s.DB, command.KeyRO) {
			return errNoDatabase
		}
	case scopeFlush:
		if !s.user.Database(s.DB, removes) {
			return errNoDatabase
		}
	case scopeFlushAll:
		for db := range s.x.opts.Databases {
			if !s.user.Database(db, removes) {
				return errNoDatabase
			}
		}
	}
	return nil
}

// visible reports whether the user may see that a key exists.
func (s *Session) visible(name []byte) bool {
	return s.user == nil || s.user.Listed(Key{s.DB, name})
}
