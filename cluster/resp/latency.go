package resp

import (
	"math/bits"
	"sync/atomic"
	"time"

	"github.com/ringwood-kv/ringwood/cluster/resp/command"
)

// A Latency counts commands by how long they took. The first bound is 1.024 us, and each
// one is four times the one before.
const (
	latencyBounds = 13 // the last one is 17 s
	firstBound    = 10 // the first one, as a power of two nanoseconds
)

// Latency is how long commands of one kind took.
type Latency struct {
	Kind    string // read, write, other
	Count   uint64
	Sum     time.Duration
	Buckets []LatencyBucket // ascending
}

// LatencyBucket is the number of commands that took no longer than a bound.
type LatencyBucket struct {
	Bound time.Duration
	Count uint64 // those of the buckets before included
}

// The kinds of commands.
const (
	kindRead = iota
	kindWrite
	kindOther
	kinds
)

var kindNames = [kinds]string{"read", "write", "other"}

func kindOf(c *command.Command) int {
	switch {
	case c.Flags&command.Write != 0:
		return kindWrite
	case c.Flags&command.ReadOnly != 0:
		return kindRead
	}
	return kindOther
}

// latencies is what Latency is made of.
type latencies [kinds]struct {
	sum     atomic.Int64
	buckets [latencyBounds + 1]atomic.Uint64
}

// bucketOf is the first bucket whose bound is not below d.
func bucketOf(d time.Duration) int {
	n := bits.Len64(uint64(max(d-1, 0)) >> firstBound)
	return min((n+1)/2, latencyBounds)
}

// latencyRun is commands of a connection in a row that count for the same bucket: most of
// a pipeline do, and to add them up here takes no measurable time, which the counters that
// all share do.
type latencyRun struct {
	kind, bucket int
	count        uint64
	sum          time.Duration
}

// note counts a command in r, which publish adds to l.
func (l *latencies) note(r *latencyRun, kind int, took time.Duration) {
	if b := bucketOf(took); b != r.bucket || kind != r.kind {
		l.publish(r)
		r.kind, r.bucket = kind, b
	}
	r.count++
	r.sum += took
}

func (l *latencies) publish(r *latencyRun) {
	if r.count > 0 {
		l[r.kind].sum.Add(int64(r.sum))
		l[r.kind].buckets[r.bucket].Add(r.count)
		r.count, r.sum = 0, 0
	}
}

func (l *latencies) all() []Latency {
	var all []Latency
	for kind := range l {
		x := Latency{Kind: kindNames[kind], Sum: time.Duration(l[kind].sum.Load())}
		for i := range l[kind].buckets {
			x.Count += l[kind].buckets[i].Load()
			if i < latencyBounds {
				x.Buckets = append(x.Buckets, LatencyBucket{1 << (firstBound + 2*i), x.Count})
			}
		}
		all = append(all, x)
	}
	return all
}
