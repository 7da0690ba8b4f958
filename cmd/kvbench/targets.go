package main

import (
	"fmt"
	"os"
	"time"

	"github.com/ringwood-kv/ringwood/bench/engine"
	"github.com/ringwood-kv/ringwood/bench/engine/remote"
	"github.com/ringwood-kv/ringwood/bench/workload"
)

// servers are the flags of what is measured over a network.
type servers struct {
	urls     []string
	pipeline int
	timeout  time.Duration
}

// serverFlags name servers in place of engines.
func (o *options) serverFlags() {
	o.StringArrayVar(&o.servers.urls, "target", nil, "measure a server in place of an engine: `NAME=URL`, the URL being resp://[USER@]HOST[:PORT][/DB], or http://[USER@]HOST[:PORT][/BUCKET] for kvnode through its Go client, or resps:// or https:// for TLS; may be given several times. The password is in $KVBENCH_PASSWORD_NAME")
	o.IntVar(&o.servers.pipeline, "pipeline", 1, "calls under way on each connection of a server over RESP; each of --threads has one")
	o.DurationVar(&o.servers.timeout, "timeout", 10*time.Second, "give up on a server that is silent for this long while a call waits")
}

// misplaced are the flags that say nothing of a server, and what to do.
var misplaced = []struct{ flag, why string }{
	{"engine", "measures a store within kvbench, and --target a server: give one of them"},
	{"engines", "measures stores within kvbench, and --target servers: give one of them"},
	{"dir", "is the directory of a store within kvbench: a server has its own, by its own configuration"},
	{"memory", "is the budget of a store within kvbench: give the server one by its own configuration"},
	{"durability", "is that of a store within kvbench: what a write to a server has survived is for its own configuration to say (appendfsync of Redis, the bucket or --durability of kvnode)"},
	{"control", "runs a process on the disk of the store, which is the server's: leave it out"},
	{"limits", "measures this machine, and not the one of a server: leave it out"},
}

// needServer are the flags that say nothing without a server.
var needServer = []string{"pipeline", "timeout"}

// targets returns the servers that are named, if there are any, and checks that the other
// flags go with that.
func (o *options) targets() ([]remote.Target, remote.Passwords, error) {
	if len(o.servers.urls) == 0 {
		for _, name := range needServer {
			if o.Changed(name) {
				return nil, nil, usagef("--%s is for servers: name one by --target", name)
			}
		}
		return nil, nil, nil
	}
	for _, f := range misplaced {
		if o.Changed(f.flag) {
			return nil, nil, usagef("--%s %s", f.flag, f.why)
		}
	}
	switch {
	case o.servers.pipeline < 1:
		return nil, nil, usagef("--pipeline %d: at least one call is under way", o.servers.pipeline)
	case o.servers.timeout <= 0:
		return nil, nil, usagef("--timeout %v: write a time above 0", o.servers.timeout)
	}
	list, passwords, err := remote.Parse(o.servers.urls, os.LookupEnv)
	if err != nil {
		return nil, nil, usageError{fmt.Errorf("--target: %w", err)}
	}
	for _, t := range list {
		if o.servers.pipeline > 1 && !t.Pipelines() {
			return nil, nil, usagef("--pipeline %d: %s is reached over HTTP, where each call has a connection to itself", o.servers.pipeline, t.Name)
		}
	}
	return list, passwords, nil
}

// forServers are the names of the workloads that a server can run.
func forServers() (names []string) {
	for _, w := range workload.List() {
		if w.On(engine.Kind{Server: true}) == nil {
			names = append(names, w.Name)
		}
	}
	return names
}

// redacted returns a command line as documents keep it.
func redacted(name string, args []string) []string {
	list := []string{"kvbench", name}
	for _, a := range args {
		list = append(list, remote.Redact(a))
	}
	return list
}

// redactedError is the text of an error without passwords: it may repeat an argument.
func redactedError(err error) string { return remote.Redact(err.Error()) }
