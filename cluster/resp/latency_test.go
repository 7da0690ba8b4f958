package resp

import (
	"testing"
	"time"

	"github.com/ringwood-kv/ringwood/cluster/resp/internal/memstore"
	"github.com/ringwood-kv/ringwood/cluster/resp/resptest"
)

// A time is counted by the first bound that is not below it.
func TestLatencyBuckets(t *testing.T) {
	var l latencies
	var run latencyRun
	note := func(d time.Duration) { l.note(&run, kindRead, d) }
	note(0)
	l.publish(&run)
	bounds := l.all()[kindRead].Buckets
	if len(bounds) != latencyBounds || bounds[0].Bound != 1024 || bounds[12].Bound != 1024<<24 {
		t.Fatalf("%+v", bounds)
	}
	for i, b := range bounds {
		if got := bucketOf(b.Bound); got != i {
			t.Errorf("%v is in bucket %d, not %d", b.Bound, got, i)
		}
		if got := bucketOf(b.Bound + 1); got != i+1 {
			t.Errorf("a nanosecond more than %v is in bucket %d, not %d", b.Bound, got, i+1)
		}
	}
	if got := bucketOf(time.Hour); got != latencyBounds {
		t.Errorf("an hour is in bucket %d", got)
	}
	note(3 * time.Microsecond)
	note(time.Hour)
	l.publish(&run)
	l.publish(&run)
	if x := l.all()[kindRead]; x.Count != 3 || x.Sum != time.Hour+3*time.Microsecond || x.Buckets[0].Count != 1 || x.Buckets[1].Count != 2 || x.Buckets[12].Count != 2 {
		t.Errorf("%+v", x)
	}
}

// Each command that was run counts for its kind, those of a pipeline and of a transaction
// too.
func TestLatency(t *testing.T) {
	srv, addr := start(t, memstore.New(16), Options{Slow: func(SlowCommand) {}})
	c := resptest.Dial(t, "tcp", addr)
	pipeline(c, "SET a 1", "GET a", "INCR a", "PING", "GET a", "NONSENSE")
	c.Want("+OK", "MULTI")
	c.Want("+QUEUED", "SET b 1")
	c.Want("[+OK]", "EXEC")
	want := map[string]uint64{"read": 2, "write": 3, "other": 3}
	eventually(t, "all are counted", func() bool {
		for _, l := range srv.Metrics().Latency {
			if l.Count != want[l.Kind] {
				return false
			}
		}
		return len(srv.Metrics().Latency) == len(want)
	})
	for _, l := range srv.Metrics().Latency {
		if l.Sum <= 0 || l.Sum > time.Minute {
			t.Errorf("%+v", l)
		}
	}
}
