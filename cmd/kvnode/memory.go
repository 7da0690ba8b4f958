package main

import (
	"runtime/debug"
	"strings"
	"time"

	"github.com/ringwood-kv/ringwood/cluster"
	"github.com/ringwood-kv/ringwood/cmd/kvnode/internal/config"
)

// The engine keeps its memory outside of the Go heap, within the setting memory. The rest
// is bounded by the other settings, but what is garbage already comes on top: the
// collector lets the heap grow to twice of what is alive before it runs. The limit that
// is set here is what may be alive; near it the collector runs earlier.

const (
	// heapBase is for all that no setting counts: code's own tables, buckets, users, hot
	// keys, the engine's descriptions of files, and what the collector needs itself.
	heapBase int64 = 128 << 20
	// heapConnection is what a connection has without being charged for it.
	heapConnection = 128 << 10
	// heapEvery is how often the connections are counted, and heapStep what makes a new
	// limit worth the moment in which the program stands still for it.
	heapEvery = time.Second
	heapStep  = 16 << 20
)

// heapLimit is how many bytes Go may have, with so many connections. It is what the limits
// of package cluster add up to: see What it costs in cluster/docs/node.md.
func heapLimit(c *config.Config, connections int) int64 {
	limit := heapBase + c.MaxLoginMemory + int64(connections)*heapConnection
	// Values are charged when their length is known: these many may be on their way.
	if c.RESPAddr != "" {
		limit += max(4*c.MaxValueSize, min(64*c.MaxValueSize, c.MaxInflightSize))
	}
	if c.HTTPAddr != "" {
		limit += 16 * c.MaxValueSize
	}
	for _, addr := range []string{c.RESPAddr, c.HTTPAddr} {
		if addr != "" {
			limit += c.MaxInflightSize // at most a pebibyte
		}
	}
	return limit
}

// limitHeap sets that limit, and moves it with the number of connections until the
// returned function is called. Who sets GOMEMLIMIT knows better.
func (p *program) limitHeap(n *cluster.Node) (stop func()) {
	for _, e := range p.in.Env {
		if v, ok := strings.CutPrefix(e, "GOMEMLIMIT="); ok && v != "" {
			return func() {}
		}
	}
	limit := int64(0)
	set := func() {
		want := heapLimit(&p.loaded.Load().Config, n.Connections())
		if d := want - limit; d >= heapStep || d <= -heapStep {
			limit = want
			debug.SetMemoryLimit(limit)
		}
	}
	set()
	quit, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		t := time.NewTicker(heapEvery)
		defer t.Stop()
		for {
			select {
			case <-quit:
				return
			case <-t.C:
				set()
			}
		}
	}()
	return func() {
		close(quit)
		<-done
	}
}
