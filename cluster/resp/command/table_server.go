package command

// The commands about connections, transactions and the server. The facts are those of
// Redis 7.0 (7.2 where Since says so), the summaries are ours.

func connection() []Command {
	cs := []Command{
		{Name: "auth", Arity: -2, Flags: NoScript | Loading | Stale | Fast | NoAuth | AllowBusy, Since: "1.0.0",
			Usage: "[username] password", Summary: "Logs in."},
		{Name: "echo", Arity: 2, Flags: Loading | Stale | Fast, Since: "1.0.0",
			Usage: "message", Summary: "Returns the message."},
		{Name: "hello", Arity: -1, Flags: NoScript | Loading | Stale | Fast | NoAuth | AllowBusy, Since: "6.0.0",
			Usage: "[protover [AUTH username password] [SETNAME clientname]]", Summary: "Chooses the version of the protocol, and may log in."},
		{Name: "ping", Arity: -1, Flags: Fast, Since: "1.0.0", Tips: []string{allShards, allSucceeded},
			Usage: "[message]", Summary: "Returns PONG or the message."},
		{Name: "quit", Arity: -1, Flags: AllowBusy | NoScript | Loading | Stale | Fast | NoAuth, Since: "1.0.0",
			Summary: "Closes the connection."},
		{Name: "reset", Arity: 1, Flags: NoScript | Loading | Stale | Fast | NoAuth | AllowBusy, Since: "6.2.0",
			Summary: "Makes the connection like a new one."},
		{Name: "select", Arity: 2, Flags: Loading | Stale | Fast, Since: "1.0.0",
			Usage: "index", Summary: "Chooses the database."},
	}
	cs = inGroup(cs, GroupConnection, CatConnection)
	return append(cs, Command{Name: "client", Arity: -2, Group: GroupConnection, Since: "2.4.0",
		Summary: "This connection and the others.", Subcommands: clientSubcommands()})
}

func clientSubcommands() []*Command {
	const own = NoScript | Loading | Stale
	sub := func(name string, arity int, f Flags, since, usage, summary string) *Command {
		return &Command{Name: name, Arity: arity, Flags: f, Categories: CatConnection, Since: since, Usage: usage, Summary: summary}
	}
	info := sub("info", 2, own, "6.2.0", "", "Describes this connection.")
	list := sub("list", -2, Admin|own, "2.4.0", "[TYPE NORMAL|MASTER|REPLICA|PUBSUB] [ID client-id [client-id ...]]", "Describes connections.")
	info.Tips, list.Tips = []string{randomOutput}, []string{randomOutput}
	pause := sub("pause", -3, Admin|own, "2.9.50", "timeout [WRITE|ALL]", "Makes all clients wait.")
	pause.Refused = "CLIENT PAUSE is not supported"
	return []*Command{
		sub("caching", 3, own, "6.0.0", "YES|NO", "Says whether the keys of the next command are tracked."),
		sub("getname", 2, own, "2.6.9", "", "Returns the name of this connection."),
		sub("getredir", 2, own, "6.0.0", "", "Returns where invalidations are sent: 0 here, -1 nowhere."),
		help("5.0.0", CatConnection),
		sub("id", 2, own, "5.0.0", "", "Returns the number of this connection."),
		info,
		sub("kill", -3, Admin|own, "2.4.0", "ip:port|<[ID client-id] [TYPE type] [USER username] [ADDR ip:port] [LADDR ip:port] [SKIPME YES|NO] ...>", "Closes connections."),
		list,
		sub("no-evict", 3, Admin|own, "7.0.0", "ON|OFF", "Protects this connection when memory is short."),
		sub("no-touch", 3, own, "7.2.0", "ON|OFF", "Makes reads not count as a use of the key."),
		pause,
		sub("reply", 3, own, "3.2.0", "ON|OFF|SKIP", "Chooses whether commands are answered."),
		sub("setinfo", 4, own, "7.2.0", "LIB-NAME|LIB-VER value", "Tells which library the client uses."),
		sub("setname", 3, own, "2.6.9", "connection-name", "Names this connection."),
		sub("tracking", -3, own, "6.0.0", "ON|OFF [OPTIN] [OPTOUT] [NOLOOP]", "Chooses whether the keys that are read are tracked for the client's cache."),
		sub("trackinginfo", 2, own, "6.2.0", "", "Describes the tracking of keys."),
		sub("unblock", -3, Admin|own, "5.0.0", "client-id [TIMEOUT|ERROR]", "Wakes a client that waits: there is none."),
		sub("unpause", 2, Admin|own, "6.2.0", "", "Ends a pause."),
	}
}

func transactions() []Command {
	const plain = NoScript | Loading | Stale | Fast | AllowBusy
	cs := []Command{
		{Name: "discard", Arity: 1, Flags: plain, Since: "2.0.0", Summary: "Forgets the commands since MULTI."},
		{Name: "exec", Arity: 1, Flags: NoScript | Loading | Stale | SkipSlowlog, Since: "1.2.0", Summary: "Runs the commands since MULTI at once."},
		{Name: "multi", Arity: 1, Flags: plain, Since: "1.2.0", Summary: "Begins a transaction: what follows is kept until EXEC."},
		{Name: "unwatch", Arity: 1, Flags: plain, Since: "2.2.0", Summary: "Forgets the keys of WATCH."},
		{Name: "watch", Arity: -2, Flags: plain, Since: "2.2.0", Keys: many(KeyRO, 1), Refused: "WATCH is not supported",
			Usage: "key [key ...]", Summary: "Makes EXEC depend on keys that do not change."},
	}
	return inGroup(cs, GroupTransactions, CatTransaction)
}

func server() []Command {
	cs := []Command{
		{Name: "acl", Arity: -2, Since: "6.0.0", Summary: "Users and permissions.", Subcommands: aclSubcommands()},
		{Name: "command", Arity: -1, Flags: Loading | Stale, Categories: CatConnection, Since: "2.8.13", Tips: []string{randomOrder},
			Summary: "Describes the commands.", Subcommands: commandSubcommands()},
		{Name: "config", Arity: -2, Since: "2.0.0", Summary: "Parameters of the server.", Subcommands: configSubcommands()},
		{Name: "dbsize", Arity: 1, Flags: ReadOnly | Fast, Categories: CatKeyspace, Since: "1.0.0", Tips: []string{allShards, aggSum},
			Summary: "Returns the number of keys."},
		{Name: "debug", Arity: -2, Flags: Admin | NoScript | Loading | Stale, Since: "1.0.0", Refused: "DEBUG command not allowed",
			Usage: "subcommand [argument ...]", Summary: "Tools of those who develop the server."},
		{Name: "flushall", Arity: -1, Flags: Write, Categories: CatKeyspace | CatDangerous, Since: "1.0.0", Tips: []string{allShards, allSucceeded},
			Usage: "[ASYNC|SYNC]", Summary: "Deletes all keys of all databases."},
		{Name: "flushdb", Arity: -1, Flags: Write, Categories: CatKeyspace | CatDangerous, Since: "1.0.0", Tips: []string{allShards, allSucceeded},
			Usage: "[ASYNC|SYNC]", Summary: "Deletes all keys of the database."},
		{Name: "info", Arity: -1, Flags: Loading | Stale, Categories: CatDangerous, Since: "1.0.0", Tips: []string{randomOutput, allShards, "response_policy:special"},
			Usage: "[section [section ...]]", Summary: "Describes the server and what it has done."},
		{Name: "memory", Arity: -2, Since: "4.0.0", Summary: "Memory that keys take.", Subcommands: memorySubcommands()},
		{Name: "swapdb", Arity: 3, Flags: Write | Fast, Categories: CatKeyspace | CatDangerous, Since: "4.0.0", Refused: "SWAPDB is not supported",
			Usage: "index1 index2", Summary: "Swaps two databases."},
		{Name: "time", Arity: 1, Flags: Loading | Stale | Fast, Since: "2.6.0", Tips: []string{randomOutput},
			Summary: "Returns the time of the server: seconds and microseconds."},
	}
	return inGroup(cs, GroupServer, 0)
}

func aclSubcommands() []*Command {
	return []*Command{
		help("6.0.0", 0),
		{Name: "whoami", Arity: 2, Flags: NoScript | Loading | Stale, Since: "6.0.0", Summary: "Returns the user of this connection."},
	}
}

func commandSubcommands() []*Command {
	sub := func(name string, arity int, since, usage, summary string, tips ...string) *Command {
		return &Command{Name: name, Arity: arity, Flags: Loading | Stale, Categories: CatConnection, Since: since, Usage: usage, Summary: summary, Tips: tips}
	}
	return []*Command{
		sub("count", 2, "2.8.13", "", "Returns the number of commands."),
		sub("docs", -2, "7.0.0", "[command-name [command-name ...]]", "Describes commands for people.", randomOrder),
		sub("getkeys", -4, "2.8.13", "command [argument ...]", "Returns the keys among arguments."),
		sub("getkeysandflags", -4, "7.0.0", "command [argument ...]", "Returns the keys among arguments and what happens to them."),
		help("5.0.0", CatConnection),
		sub("info", -2, "2.8.13", "[command-name [command-name ...]]", "Describes commands for programs.", randomOrder),
		sub("list", -2, "7.0.0", "[FILTERBY MODULE module-name|ACLCAT category|PATTERN pattern]", "Returns the names of commands.", randomOrder),
	}
}

func configSubcommands() []*Command {
	const f = Admin | NoScript | Loading | Stale
	return []*Command{
		{Name: "get", Arity: -3, Flags: f, Since: "2.0.0", Usage: "parameter [parameter ...]", Summary: "Returns parameters."},
		help("5.0.0", 0),
		{Name: "resetstat", Arity: 2, Flags: f, Since: "2.0.0", Summary: "Sets the counters of INFO to zero."},
		{Name: "rewrite", Arity: 2, Flags: f, Since: "2.8.0", Refused: "The server is running without a config file", Summary: "Writes the parameters to the file."},
		{Name: "set", Arity: -4, Flags: f, Since: "2.0.0", Tips: []string{"request_policy:all_nodes", allSucceeded},
			Usage: "parameter value [parameter value ...]", Summary: "Changes parameters."},
	}
}

func memorySubcommands() []*Command {
	return []*Command{
		help("4.0.0", 0),
		{Name: "usage", Arity: -3, Flags: ReadOnly, Since: "4.0.0", Keys: []KeySpec{{Flags: KeyRO, First: 2, Step: 1}},
			Usage: "key [SAMPLES count]", Summary: "Returns the bytes that a key and its value take."},
	}
}
