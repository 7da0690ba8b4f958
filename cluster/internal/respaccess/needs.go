package respaccess

import (
	"github.com/ringwood-kv/ringwood/cluster/access"
	"github.com/ringwood-kv/ringwood/cluster/resp/command"
)

// Kind says what decides whether a user may use a command.
type Kind uint8

// The kinds, as the package comment has them. The zero Kind is Nobody.
const (
	Nobody   Kind = iota
	Anyone        // who has logged in
	Keys          // each key of the request
	Scan          // scan somewhere; each name that is returned
	Database      // all keys of a database
	Server        // a verb on the server as a whole
)

// Need is what a command needs.
type Need struct {
	Kind Kind
	Verb access.Verb // of Server
}

// Needs is the table: what each command and subcommand needs, by its name.
func Needs() map[string]Need {
	t := make(map[string]Need)
	add := func(n Need, names ...string) {
		for _, name := range names {
			t[name] = n
		}
	}
	add(Need{Kind: Keys},
		"append", "copy", "decr", "decrby", "del", "exists", "expire", "expireat", "expiretime",
		"get", "getdel", "getex", "getrange", "getset", "incr", "incrby", "incrbyfloat", "lcs",
		"memory|usage", "mget", "move", "mset", "msetnx", "object|encoding", "object|freq",
		"object|idletime", "object|refcount", "persist", "pexpire", "pexpireat", "pexpiretime",
		"psetex", "pttl", "rename", "renamenx", "set", "setex", "setnx", "setrange", "strlen",
		"substr", "touch", "ttl", "type", "unlink")
	add(Need{Kind: Scan}, "keys", "randomkey", "scan")
	add(Need{Kind: Database}, "dbsize", "flushall", "flushdb")
	add(Need{Kind: Anyone},
		"acl", "acl|help", "acl|whoami", "auth", "client", "client|caching", "client|getname", "client|getredir",
		"client|help", "client|id", "client|info", "client|no-touch", "client|reply",
		"client|setinfo", "client|setname", "client|tracking", "client|trackinginfo", "command", "command|count",
		"command|docs", "command|getkeys", "command|getkeysandflags", "command|help",
		"command|info", "command|list", "config", "config|help", "discard", "echo", "exec",
		"hello", "memory", "memory|help", "multi", "object", "object|help", "ping", "quit",
		"reset", "select", "time", "unwatch", "wait")
	add(Need{Server, access.Status}, "info")
	add(Need{Server, access.AdminClients}, "client|kill", "client|list", "client|no-evict", "client|unblock", "client|unpause")
	add(Need{Server, access.AdminConfig}, "config|get", "config|resetstat", "config|set")
	add(Need{Kind: Nobody}, "client|pause", "config|rewrite", "debug", "swapdb", "watch")
	return t
}

// KeyVerbs returns what a key needs, by what the request does with it. It is 0, which
// nobody has, for flags that say nothing.
func KeyVerbs(f command.KeyFlags) (v access.Verb) {
	if f.Reads() {
		v |= access.Read
	}
	if f&(command.KeyRM|command.KeyDelete) != 0 {
		v |= access.Delete
	}
	if f&(command.KeyUpdate|command.KeyInsert) != 0 {
		v |= access.Write
	}
	if v&^access.Read == 0 && f.Writes() {
		v |= access.Write // it changes the key, and does not say how
	}
	return v
}
