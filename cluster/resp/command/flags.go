package command

import "github.com/ringwood-kv/ringwood/cluster/resp/internal/ascii"

// Flags are properties of a command, in the order in which COMMAND INFO lists them.
type Flags uint32

// The flags that COMMAND INFO shows. Some mean nothing to this server; they are there
// because clients read them.
const (
	Write           Flags = 1 << iota // changes keys
	ReadOnly                          // reads keys, changes none
	DenyOOM                           // may need memory: refused when there is none
	Admin                             // for operators
	PubSub                            // about channels
	NoScript                          // not in scripts
	Blocking                          // may wait
	Loading                           // runs while data is loaded
	Stale                             // runs while data may be old
	SkipMonitor                       // hidden from MONITOR
	SkipSlowlog                       // hidden from the slow log
	Asking                            // about cluster slots
	Fast                              // takes constant or logarithmic time
	NoAuth                            // runs before logging in
	NoMandatoryKeys                   // keys may be absent
	NoAsyncLoading                    // does not run during asynchronous loading
	NoMulti                           // not in a transaction
	MovableKeys                       // key positions depend on the arguments
	AllowBusy                         // runs while a script blocks the server
)

var flagNames = []string{
	"write", "readonly", "denyoom", "admin", "pubsub", "noscript", "blocking", "loading",
	"stale", "skip_monitor", "skip_slowlog", "asking", "fast", "no_auth",
	"no_mandatory_keys", "no_async_loading", "no_multi", "movablekeys", "allow_busy",
}

// Category is a set of ACL categories.
type Category uint32

// The categories, in the order of Redis.
const (
	CatKeyspace Category = 1 << iota
	CatRead
	CatWrite
	CatSet
	CatSortedSet
	CatList
	CatHash
	CatString
	CatBitmap
	CatHyperLogLog
	CatGeo
	CatStream
	CatPubSub
	CatAdmin
	CatFast
	CatSlow
	CatBlocking
	CatDangerous
	CatConnection
	CatTransaction
	CatScripting
)

var categoryNames = []string{
	"keyspace", "read", "write", "set", "sortedset", "list", "hash", "string", "bitmap",
	"hyperloglog", "geo", "stream", "pubsub", "admin", "fast", "slow", "blocking",
	"dangerous", "connection", "transaction", "scripting",
}

// ParseCategory returns the category of a name in any case, 0 if there is none.
func ParseCategory(name string) Category {
	for i, n := range categoryNames {
		if ascii.EqualFold(name, n) {
			return 1 << i
		}
	}
	return 0
}

// implied returns the categories that follow from flags.
func implied(f Flags) (c Category) {
	if f&Write != 0 {
		c |= CatWrite
	}
	if f&ReadOnly != 0 {
		c |= CatRead
	}
	if f&Admin != 0 {
		c |= CatAdmin | CatDangerous
	}
	if f&PubSub != 0 {
		c |= CatPubSub
	}
	if f&Blocking != 0 {
		c |= CatBlocking
	}
	if f&Fast != 0 {
		return c | CatFast
	}
	return c | CatSlow
}

// KeyFlags say what a command does with a key.
type KeyFlags uint16

// The first four are exclusive: the value is read, changed with regard to what it was,
// replaced without, or removed. The next four say what of it reaches the client or is
// changed: Access returns or copies the value, Update changes it, Insert adds to it,
// Delete removes some or all of it.
const (
	KeyRO KeyFlags = 1 << iota
	KeyRW
	KeyOW
	KeyRM
	KeyAccess
	KeyUpdate
	KeyInsert
	KeyDelete
	KeyNotKey        // is placed like a key and is none
	KeyIncomplete    // there may be more keys than the specification finds
	KeyVariableFlags // the arguments decide: see Table.Keys
)

var keyFlagNames = []string{
	"RO", "RW", "OW", "RM", "access", "update", "insert", "delete", "not_key",
	"incomplete", "variable_flags",
}

// Reads reports whether the client learns of the value: a permission to read is
// needed.
func (f KeyFlags) Reads() bool { return f&(KeyRO|KeyAccess) != 0 }

// Writes reports whether the key may change.
func (f KeyFlags) Writes() bool { return f&(KeyRW|KeyOW|KeyRM) != 0 }

// Group is the chapter of the manual that a command stands in.
type Group uint8

// The groups in use.
const (
	GroupGeneric Group = iota
	GroupString
	GroupConnection
	GroupServer
	GroupTransactions
)

var groupNames = []string{"generic", "string", "connection", "server", "transactions"}

func (g Group) String() string { return groupNames[g] }

// names returns the names of the bits that are set.
func names[F ~uint16 | ~uint32](f F, all []string) []string {
	var set []string
	for i, n := range all {
		if f>>i&1 != 0 {
			set = append(set, n)
		}
	}
	return set
}

// Names returns the names of the flags, as COMMAND INFO has them.
func (f Flags) Names() []string { return names(f, flagNames) }

// Names returns the names of the categories, without the @ of Redis.
func (c Category) Names() []string { return names(c, categoryNames) }

// Names returns the names of the flags, as COMMAND GETKEYSANDFLAGS has them.
func (f KeyFlags) Names() []string { return names(f, keyFlagNames) }
