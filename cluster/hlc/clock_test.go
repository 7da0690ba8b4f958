package hlc

import (
	"errors"
	"math"
	"math/rand/v2"
	"sync"
	"testing"
	"time"
)

const start = 1_700_000_000_000 // some wall time

// running returns a clock whose lease never ends.
func running(lease Timestamp) *Clock {
	c := NewClock(lease, 0)
	c.Extend(Max)
	return c
}

func now(t *testing.T, c *Clock, wall int64) Timestamp {
	t.Helper()
	ts, err := c.Now(wall)
	if err != nil {
		t.Fatal(err)
	}
	return ts
}

func TestNow(t *testing.T) {
	c := running(0)
	for _, step := range []struct {
		wall int64
		want Timestamp
	}{
		{start, At(start, 0)},
		{start, At(start, 1)},
		{start + 1, At(start+1, 0)},
		{start - 1000, At(start+1, 1)}, // the wall went back, the clock does not
		{-5, At(start+1, 2)},
		{start + 2, At(start+2, 0)},
	} {
		if got := now(t, c, step.wall); got != step.want {
			t.Fatalf("at wall %d: %v, want %v", step.wall, got, step.want)
		}
	}
}

func TestLogicalPartOverflows(t *testing.T) {
	c := running(At(start, math.MaxUint16-1))
	if got := now(t, c, start); got != At(start, math.MaxUint16) {
		t.Fatal(got)
	}
	if got := now(t, c, start); got != At(start+1, 0) {
		t.Fatal("the logical part must carry into the milliseconds", got)
	}
	if d := c.Ahead(start); d != time.Millisecond {
		t.Fatal(d)
	}
}

func TestObserve(t *testing.T) {
	c := running(0)
	now(t, c, start)
	if err := c.Observe(At(start+500, 9), start); err != nil {
		t.Fatal(err)
	}
	if got := now(t, c, start); got != At(start+500, 10) {
		t.Fatal(got)
	}
	// One millisecond more is too far.
	err := c.Observe(At(start+502, 0), start+1)
	var off *OffsetError
	if !errors.As(err, &off) || !errors.Is(err, ErrOffset) {
		t.Fatal(err)
	}
	if off.Remote != At(start+502, 0) || off.Wall != start+1 || off.MaxOffset != DefaultMaxOffset || err.Error() == "" {
		t.Fatalf("%+v", off)
	}
	if c.Last() != At(start+500, 10) {
		t.Fatal("a refused timestamp changed the clock")
	}
	// What the clock has passed cannot be too far ahead, even if the wall went back.
	if err := c.Observe(At(start+500, 0), start-5000); err != nil {
		t.Fatal(err)
	}
}

func TestAfter(t *testing.T) {
	c := running(0)
	if got, err := c.After(At(start+3, 7), start); err != nil || got != At(start+3, 8) {
		t.Fatal(got, err)
	}
	if got, err := c.After(At(start, 7), start+10); err != nil || got != At(start+10, 0) {
		t.Fatal(got, err)
	}
	if _, err := c.After(At(start+511, 0), start+10); !errors.Is(err, ErrOffset) {
		t.Fatal(err)
	}
	if c.Last() != At(start+10, 0) {
		t.Fatal("a refused timestamp changed the clock")
	}
}

// A clock that is ahead of the wall is leased little more, or each start from a lease would
// put it further ahead; and enough for whoever writes.
func TestLeaseOfAClockThatIsAhead(t *testing.T) {
	c := NewClock(At(start+60_000, 0), 0)
	for range 10 {
		last := c.Last()
		bound, due := c.Renewal(start)
		if !due || bound != At(last.Millis()+100, 0) {
			t.Fatal(bound, due)
		}
		c.Extend(bound)
		if _, due = c.Renewal(start); due {
			t.Fatal("due again at once")
		}
		if got := now(t, c, start); got != last+1 {
			t.Fatal(got)
		}
		c = NewClock(bound, 0) // a crash
	}
	if ahead := c.Ahead(start); ahead > 61*time.Second {
		t.Fatal(ahead)
	}
}

func TestLease(t *testing.T) {
	c := NewClock(0, 0)
	if _, err := c.Now(start); !errors.Is(err, ErrLease) {
		t.Fatal("a clock without a lease issued a timestamp", err)
	}
	bound, due := c.Renewal(start)
	if !due || bound != At(start+5000, 0) {
		t.Fatal(bound, due)
	}
	c.Extend(bound)
	for _, step := range []struct {
		wall int64
		due  bool
	}{{start, false}, {start + 2500, false}, {start + 2501, true}} {
		now(t, c, step.wall)
		if bound, due = c.Renewal(step.wall); due != step.due {
			t.Fatal(step, bound)
		}
	}
	if got := now(t, c, start+5000); got != At(start+5000, 0) {
		t.Fatal("the lease itself may be issued", got)
	}
	if _, err := c.Now(start + 5000); !errors.Is(err, ErrLease) {
		t.Fatal(err)
	}
	c.Extend(bound)
	// The wall jumps an hour: nothing is issued up there before somebody agrees.
	if _, err := c.Now(start + 3_600_000); !errors.Is(err, ErrLease) {
		t.Fatal(err)
	}
	if c.Last() != At(start+5000, 0) {
		t.Fatal("a refused Now changed the clock", c.Last())
	}
	if got := now(t, c, start+5000); got != At(start+5000, 1) {
		t.Fatal(got)
	}
	c.Extend(5)
	if now(t, c, start+5001); c.Last() != At(start+5001, 0) {
		t.Fatal("a lease was taken back")
	}
}

// A node restarts and its wall clock is an hour behind where it was.
func TestRestartWithSlowerClock(t *testing.T) {
	c := NewClock(0, 0)
	lease, _ := c.Renewal(start)
	c.Extend(lease)
	last := now(t, c, start+4999)

	c = NewClock(lease, 0)
	wall := int64(start - 3_600_000)
	if _, err := c.Now(wall); !errors.Is(err, ErrLease) {
		t.Fatal("issued without a new lease", err)
	}
	next, due := c.Renewal(wall)
	if !due || next <= lease {
		t.Fatal(next, due)
	}
	c.Extend(next)
	if got := now(t, c, wall); got <= last || got <= lease {
		t.Fatalf("%v after %v, lease %v", got, last, lease)
	}
	if d := c.Ahead(wall); d != time.Hour+5*time.Second {
		t.Fatal(d)
	}
}

func TestEndOfTime(t *testing.T) {
	c := running(Max - 1)
	if bound, due := c.Renewal(start); bound != Max || due {
		t.Fatal(bound, due)
	}
	if got := now(t, c, math.MaxInt64); got != Max {
		t.Fatal(got)
	}
	if ts, err := c.Now(math.MaxInt64); !errors.Is(err, ErrLease) {
		t.Fatal("a timestamp after the last", ts, err)
	}
	if ts, err := c.After(Max, math.MaxInt64); !errors.Is(err, ErrLease) {
		t.Fatal(ts, err)
	}
	if d := c.Ahead(0); d != math.MaxInt64/time.Millisecond*time.Millisecond {
		t.Fatal(d)
	}
	if err := running(0).Observe(Max, math.MinInt64); !errors.Is(err, ErrOffset) || err.Error() == "" {
		t.Fatal(err)
	}
	if err := running(0).Observe(Max, math.MaxInt64); err != nil {
		t.Fatal(err)
	}
}

func TestTimestamp(t *testing.T) {
	ts := At(start, 77)
	if ts.Millis() != start || ts.Logical() != 77 || ts.Time().UnixMilli() != start {
		t.Fatal(ts)
	}
	if got, want := ts.String(), "2023-11-14T22:13:20.000Z+77"; got != want {
		t.Fatal(got)
	}
	if At(-1, 3) != 3 || At(math.MaxInt64, math.MaxUint16) != Max {
		t.Fatal("out of range is not clamped")
	}
}

// Clocks with jumping walls exchange timestamps and crash; the four invariants hold.
func TestProperties(t *testing.T) {
	type node struct {
		c       *Clock
		disk    Timestamp // the lease that is durable
		issued  Timestamp // the highest ever, over all restarts
		floor   Timestamp // observed since the last restart
		offset  int64     // of its wall clock
		highest int64     // the highest millisecond that may have driven the clock
	}
	for seed := range uint64(200) {
		rng := rand.New(rand.NewPCG(seed, 1))
		nodes := make([]*node, 3)
		for i := range nodes {
			nodes[i] = &node{c: NewClock(0, 0), offset: rng.Int64N(400)}
		}
		trueWall := int64(start)
		for range 400 {
			trueWall += rng.Int64N(20)
			n, peer := nodes[rng.IntN(3)], nodes[rng.IntN(3)]
			wall := trueWall + n.offset
			n.highest = max(n.highest, wall)
			check := func(ts Timestamp) {
				if ts <= n.issued || ts <= n.floor || ts > n.disk {
					t.Fatalf("seed %d: %v issued; before %v, observed %v, lease on disk %v", seed, ts, n.issued, n.floor, n.disk)
				}
				n.issued = ts
			}
			switch rng.IntN(10) {
			case 0: // the wall clock is set
				n.offset = rng.Int64N(2000) - 1000
			case 1: // crash: what was observed is forgotten, what was issued is not
				n.c, n.floor = NewClock(n.disk, 0), 0
			case 2, 3:
				bound, due := n.c.Renewal(wall)
				if rng.IntN(4) == 0 {
					continue // it did not get to the disk
				}
				if bound < n.disk {
					t.Fatalf("seed %d: the lease shrinks", seed)
				}
				if due || rng.IntN(4) == 0 {
					n.disk = max(n.disk, bound)
					n.c.Extend(bound)
				}
			case 4, 5:
				ts, before := peer.c.Last(), n.c.Last()
				err := n.c.Observe(ts, wall)
				if far := ts > before && ts.Millis() > wall+500; far != (err != nil) {
					t.Fatalf("seed %d: observed %v at wall %d: %v", seed, ts, wall, err)
				}
				if err == nil {
					n.floor = max(n.floor, ts)
					n.highest = max(n.highest, min(ts.Millis(), max(wall+500, before.Millis())))
				} else if n.c.Last() != before {
					t.Fatalf("seed %d: refused, and yet the clock changed", seed)
				}
			case 6:
				seen := peer.c.Last()
				if ts, err := n.c.After(seen, wall); err == nil {
					n.floor = max(n.floor, seen)
					n.highest = max(n.highest, seen.Millis())
					check(ts)
				}
			default:
				if ts, err := n.c.Now(wall); err == nil {
					check(ts)
				} else if !errors.Is(err, ErrLease) {
					t.Fatal(err)
				}
			}
			// The clock is driven by walls, timestamps of others and leases, not by itself.
			if got := n.c.Last().Millis(); got > max(n.highest, n.disk.Millis()) {
				t.Fatalf("seed %d: clock at %d, nothing drove it beyond %d", seed, got, n.highest)
			}
		}
	}
}

func TestConcurrentUse(t *testing.T) {
	c := NewClock(0, 0)
	const each = 2000
	got := make([][]Timestamp, 4)
	var wg sync.WaitGroup
	for g := range got {
		wg.Go(func() {
			rng := rand.New(rand.NewPCG(uint64(g), 2))
			for len(got[g]) < each {
				wall := start + rng.Int64N(3)
				if bound, due := c.Renewal(wall); due {
					c.Extend(bound)
				}
				if err := c.Observe(c.Last(), wall); err != nil {
					t.Error(err)
				}
				if ts, err := c.Now(wall); err == nil {
					got[g] = append(got[g], ts)
				}
			}
		})
	}
	wg.Wait()
	seen := make(map[Timestamp]bool)
	for g := range got {
		var last Timestamp
		for _, ts := range got[g] {
			if ts <= last || seen[ts] {
				t.Fatalf("goroutine %d got %v after %v; given out before: %v", g, ts, last, seen[ts])
			}
			last = ts
			seen[ts] = true
		}
	}
}

func TestAllocations(t *testing.T) {
	c := running(0)
	wall := int64(start)
	n := testing.AllocsPerRun(100, func() {
		wall++
		ts, err := c.Now(wall)
		if err != nil || c.Observe(ts+5, wall) != nil {
			t.Error(err)
		}
		if _, err := c.After(ts, wall); err != nil {
			t.Error(err)
		}
		bound, _ := c.Renewal(wall)
		c.Extend(bound)
	})
	if n != 0 {
		t.Fatal(n, "allocations")
	}
}

func BenchmarkNow(b *testing.B) {
	c := running(0)
	b.Run("clients=1", func(b *testing.B) {
		for i := range b.N {
			if _, err := c.Now(start + int64(i>>10)); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("clients=many", func(b *testing.B) {
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				if _, err := c.Now(start); err != nil {
					b.Fatal(err)
				}
			}
		})
	})
}
