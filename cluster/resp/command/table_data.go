package command

// The commands about strings and about keys of any type. The facts are those of
// Redis 7.0, the summaries are ours.

// Most commands have one key, the first argument, or all arguments.

func one(f KeyFlags) []KeySpec { return []KeySpec{{Flags: f, First: 1, Step: 1}} }
func many(f KeyFlags, step int) []KeySpec {
	return []KeySpec{{Flags: f, First: 1, Last: -1, Step: step}}
}

func two(source, destination KeyFlags) []KeySpec {
	return []KeySpec{{Flags: source, First: 1, Step: 1}, {Flags: destination, First: 2, Step: 1}}
}

const (
	keyRead   = KeyRO | KeyAccess
	keyModify = KeyRW | KeyAccess | KeyUpdate // reads what it changes

	multiShard   = "request_policy:multi_shard"
	allShards    = "request_policy:all_shards"
	aggSum       = "response_policy:agg_sum"
	aggMin       = "response_policy:agg_min"
	allSucceeded = "response_policy:all_succeeded"
	randomOutput = "nondeterministic_output"
	randomOrder  = "nondeterministic_output_order"
)

func stringGroup() []Command {
	cs := []Command{
		{Name: "append", Arity: 3, Flags: Write | DenyOOM | Fast, Since: "2.0.0", Keys: one(KeyRW | KeyInsert),
			Usage: "key value", Summary: "Adds bytes to the end of a string."},
		{Name: "decr", Arity: 2, Flags: Write | DenyOOM | Fast, Since: "1.0.0", Keys: one(keyModify),
			Usage: "key", Summary: "Subtracts one from an integer."},
		{Name: "decrby", Arity: 3, Flags: Write | DenyOOM | Fast, Since: "1.0.0", Keys: one(keyModify),
			Usage: "key decrement", Summary: "Subtracts from an integer."},
		{Name: "get", Arity: 2, Flags: ReadOnly | Fast, Since: "1.0.0", Keys: one(keyRead),
			Usage: "key", Summary: "Returns a string."},
		{Name: "getdel", Arity: 2, Flags: Write | Fast, Since: "6.2.0", Keys: one(KeyRW | KeyAccess | KeyDelete),
			Usage: "key", Summary: "Returns a string and deletes the key."},
		{Name: "getex", Arity: -2, Flags: Write | Fast, Since: "6.2.0",
			Keys:  []KeySpec{{Flags: keyModify, First: 1, Step: 1, Note: "RW and UPDATE because the expiry may change"}},
			Usage: "key [EX seconds|PX milliseconds|EXAT unix-seconds|PXAT unix-milliseconds|PERSIST]", Summary: "Returns a string and sets or removes its expiry."},
		{Name: "getrange", Arity: 4, Flags: ReadOnly, Since: "2.4.0", Keys: one(keyRead),
			Usage: "key start end", Summary: "Returns a part of a string."},
		{Name: "getset", Arity: 3, Flags: Write | DenyOOM | Fast, Since: "1.0.0", Keys: one(keyModify), DeprecatedSince: "6.2.0", ReplacedBy: "`SET` with the `GET` option",
			Usage: "key value", Summary: "Sets a string and returns the one before."},
		{Name: "incr", Arity: 2, Flags: Write | DenyOOM | Fast, Since: "1.0.0", Keys: one(keyModify),
			Usage: "key", Summary: "Adds one to an integer."},
		{Name: "incrby", Arity: 3, Flags: Write | DenyOOM | Fast, Since: "1.0.0", Keys: one(keyModify),
			Usage: "key increment", Summary: "Adds to an integer."},
		{Name: "incrbyfloat", Arity: 3, Flags: Write | DenyOOM | Fast, Since: "2.6.0", Keys: one(keyModify),
			Usage: "key increment", Summary: "Adds to a number with a fraction."},
		{Name: "lcs", Arity: -3, Flags: ReadOnly, Since: "7.0.0", Keys: []KeySpec{{Flags: keyRead, First: 1, Last: 1, Step: 1}},
			Usage: "key1 key2 [LEN] [IDX] [MINMATCHLEN length] [WITHMATCHLEN]", Summary: "Returns the longest common subsequence of two strings."},
		{Name: "mget", Arity: -2, Flags: ReadOnly | Fast, Since: "1.0.0", Keys: many(keyRead, 1), Tips: []string{multiShard},
			Usage: "key [key ...]", Summary: "Returns several strings."},
		{Name: "mset", Arity: -3, Flags: Write | DenyOOM, Since: "1.0.1", Keys: many(KeyOW|KeyUpdate, 2), Tips: []string{multiShard, allSucceeded},
			Usage: "key value [key value ...]", Summary: "Sets several strings at once."},
		{Name: "msetnx", Arity: -3, Flags: Write | DenyOOM, Since: "1.0.1", Keys: many(KeyOW|KeyInsert, 2), Tips: []string{multiShard, aggMin},
			Usage: "key value [key value ...]", Summary: "Sets several strings at once if none of the keys exists."},
		{Name: "psetex", Arity: 4, Flags: Write | DenyOOM, Since: "2.6.0", Keys: one(KeyOW | KeyUpdate),
			Usage: "key milliseconds value", Summary: "Sets a string that expires, in milliseconds."},
		{Name: "set", Arity: -3, Flags: Write | DenyOOM, Since: "1.0.0",
			Keys:  []KeySpec{{Flags: keyModify | KeyVariableFlags, First: 1, Step: 1, Note: "RW and ACCESS because of the option GET"}},
			Usage: "key value [NX|XX] [GET] [EX seconds|PX milliseconds|EXAT unix-seconds|PXAT unix-milliseconds|KEEPTTL]", Summary: "Sets a string."},
		{Name: "setex", Arity: 4, Flags: Write | DenyOOM, Since: "2.0.0", Keys: one(KeyOW | KeyUpdate),
			Usage: "key seconds value", Summary: "Sets a string that expires, in seconds."},
		{Name: "setnx", Arity: 3, Flags: Write | DenyOOM | Fast, Since: "1.0.0", Keys: one(KeyOW | KeyInsert),
			Usage: "key value", Summary: "Sets a string if the key does not exist."},
		{Name: "setrange", Arity: 4, Flags: Write | DenyOOM, Since: "2.2.0", Keys: one(KeyRW | KeyUpdate),
			Usage: "key offset value", Summary: "Overwrites a part of a string, and makes it longer if need be."},
		{Name: "strlen", Arity: 2, Flags: ReadOnly | Fast, Since: "2.2.0", Keys: one(KeyRO),
			Usage: "key", Summary: "Returns the length of a string."},
		{Name: "substr", Arity: 4, Flags: ReadOnly, Since: "1.0.0", Keys: one(keyRead), DeprecatedSince: "2.0.0", ReplacedBy: "`GETRANGE`",
			Usage: "key start end", Summary: "Returns a part of a string."},
	}
	return inGroup(cs, GroupString, CatString)
}

// inGroup sets what the commands of a group have in common.
func inGroup(cs []Command, g Group, c Category) []Command {
	for i := range cs {
		cs[i].Group = g
		cs[i].Categories |= c
	}
	return cs
}

const expireUsage = " [NX|XX|GT|LT]"

func generic() []Command {
	cs := []Command{
		{Name: "copy", Arity: -3, Flags: Write | DenyOOM, Since: "6.2.0", Keys: two(keyRead, KeyOW|KeyUpdate),
			Usage: "source destination [DB index] [REPLACE]", Summary: "Copies a value and its expiry to another key."},
		{Name: "del", Arity: -2, Flags: Write, Since: "1.0.0", Keys: many(KeyRM|KeyDelete, 1), Tips: []string{multiShard, aggSum},
			Usage: "key [key ...]", Summary: "Deletes keys."},
		{Name: "exists", Arity: -2, Flags: ReadOnly | Fast, Since: "1.0.0", Keys: many(KeyRO, 1), Tips: []string{multiShard, aggSum},
			Usage: "key [key ...]", Summary: "Counts which of the keys exist."},
		{Name: "expire", Arity: -3, Flags: Write | Fast, Since: "1.0.0", Keys: one(KeyRW | KeyUpdate),
			Usage: "key seconds" + expireUsage, Summary: "Sets the time to live of a key, in seconds."},
		{Name: "expireat", Arity: -3, Flags: Write | Fast, Since: "1.2.0", Keys: one(KeyRW | KeyUpdate),
			Usage: "key unix-seconds" + expireUsage, Summary: "Sets the time at which a key expires, in seconds."},
		{Name: "expiretime", Arity: 2, Flags: ReadOnly | Fast, Since: "7.0.0", Keys: one(keyRead),
			Usage: "key", Summary: "Returns the time at which a key expires, in seconds."},
		{Name: "keys", Arity: 2, Flags: ReadOnly, Categories: CatDangerous, Since: "1.0.0", Tips: []string{allShards, randomOrder},
			Usage: "pattern", Summary: "Returns all keys that match a pattern."},
		{Name: "move", Arity: 3, Flags: Write | Fast, Since: "1.0.0", Keys: one(keyModify),
			Usage: "key db", Summary: "Moves a key to another database."},
		{Name: "persist", Arity: 2, Flags: Write | Fast, Since: "2.2.0", Keys: one(KeyRW | KeyUpdate),
			Usage: "key", Summary: "Removes the expiry of a key."},
		{Name: "pexpire", Arity: -3, Flags: Write | Fast, Since: "2.6.0", Keys: one(KeyRW | KeyUpdate),
			Usage: "key milliseconds" + expireUsage, Summary: "Sets the time to live of a key, in milliseconds."},
		{Name: "pexpireat", Arity: -3, Flags: Write | Fast, Since: "2.6.0", Keys: one(KeyRW | KeyUpdate),
			Usage: "key unix-milliseconds" + expireUsage, Summary: "Sets the time at which a key expires, in milliseconds."},
		{Name: "pexpiretime", Arity: 2, Flags: ReadOnly | Fast, Since: "7.0.0", Keys: one(keyRead),
			Usage: "key", Summary: "Returns the time at which a key expires, in milliseconds."},
		{Name: "pttl", Arity: 2, Flags: ReadOnly | Fast, Since: "2.6.0", Keys: one(keyRead), Tips: []string{randomOutput},
			Usage: "key", Summary: "Returns the time to live of a key, in milliseconds."},
		{Name: "randomkey", Arity: 1, Flags: ReadOnly, Since: "1.0.0", Tips: []string{allShards, randomOutput},
			Summary: "Returns some key."},
		{Name: "rename", Arity: 3, Flags: Write, Since: "1.0.0", Keys: two(KeyRW|KeyAccess|KeyDelete, KeyOW|KeyUpdate),
			Usage: "key newkey", Summary: "Renames a key, over another one if there is one."},
		{Name: "renamenx", Arity: 3, Flags: Write | Fast, Since: "1.0.0", Keys: two(KeyRW|KeyAccess|KeyDelete, KeyOW|KeyInsert),
			Usage: "key newkey", Summary: "Renames a key if there is none of the new name."},
		{Name: "scan", Arity: -2, Flags: ReadOnly, Since: "2.8.0", Tips: []string{randomOutput, "request_policy:special"},
			Usage: "cursor [MATCH pattern] [COUNT count] [TYPE type]", Summary: "Returns keys, some at a time."},
		{Name: "touch", Arity: -2, Flags: ReadOnly | Fast, Since: "3.2.1", Keys: many(KeyRO, 1), Tips: []string{multiShard, aggSum},
			Usage: "key [key ...]", Summary: "Counts which of the keys exist, as a use of them."},
		{Name: "ttl", Arity: 2, Flags: ReadOnly | Fast, Since: "1.0.0", Keys: one(keyRead), Tips: []string{randomOutput},
			Usage: "key", Summary: "Returns the time to live of a key, in seconds."},
		{Name: "type", Arity: 2, Flags: ReadOnly | Fast, Since: "1.0.0", Keys: one(KeyRO),
			Usage: "key", Summary: "Returns the type of a value."},
		{Name: "unlink", Arity: -2, Flags: Write | Fast, Since: "4.0.0", Keys: many(KeyRM|KeyDelete, 1), Tips: []string{multiShard, aggSum},
			Usage: "key [key ...]", Summary: "Deletes keys."},
	}
	cs = inGroup(cs, GroupGeneric, CatKeyspace)
	return append(cs,
		Command{Name: "object", Arity: -2, Since: "2.2.3", Summary: "How values are kept.", Subcommands: objectSubcommands()},
		Command{Name: "wait", Arity: 3, Flags: NoScript, Categories: CatConnection, Since: "3.0.0", Tips: []string{allShards, aggMin},
			Usage: "numreplicas timeout", Summary: "Waits until replicas have the writes of this connection."})
}

func objectSubcommands() []*Command {
	key := func(name, since, summary string) *Command {
		return &Command{Name: name, Arity: 3, Flags: ReadOnly, Categories: CatKeyspace, Since: since, Usage: "key", Summary: summary,
			Keys: []KeySpec{{Flags: KeyRO, First: 2, Step: 1}}, Tips: []string{randomOutput}}
	}
	return []*Command{
		key("encoding", "2.2.3", "Returns the form that a value is kept in."),
		key("freq", "4.0.0", "Returns how often a key is used."),
		key("idletime", "2.2.3", "Returns the seconds since a key was used."),
		key("refcount", "2.2.3", "Returns the number of references to a value."),
		help("6.2.0", CatKeyspace),
	}
}

// help is the subcommand that every container has.
func help(since string, c Category) *Command {
	return &Command{Name: "help", Arity: 2, Flags: Loading | Stale, Categories: c, Since: since, Summary: "Lists the subcommands."}
}
