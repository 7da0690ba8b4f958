package vclock

import (
	"encoding/hex"
	"errors"
	"math"
	"math/rand/v2"
	"sync"
	"testing"
)

func TestCounter(t *testing.T) {
	c, err := NewCounter(Lease{actor('a'), 0}, 10)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Mint(); !errors.Is(err, ErrLease) {
		t.Fatal("minted without a lease", err)
	}
	l, due := c.Renewal()
	if !due || l != (Lease{actor('a'), 10}) {
		t.Fatal(l, due)
	}
	c.Extend(l.Bound)
	for n := uint64(1); n <= 10; n++ {
		if _, due := c.Renewal(); due != (n > 8) {
			t.Fatal("before dot", n, "due is", due) // at 80 percent
		}
		if d, err := c.Mint(); err != nil || d != (Dot{actor('a'), n}) {
			t.Fatal(d, err)
		}
	}
	if _, err := c.Mint(); !errors.Is(err, ErrLease) || c.Issued() != 10 {
		t.Fatal("minted beyond the lease", err)
	}
	c.Extend(3)
	if _, err := c.Mint(); !errors.Is(err, ErrLease) {
		t.Fatal("a shorter lease changed something", err)
	}
	l, _ = c.Renewal()
	c.Extend(l.Bound)
	if d, err := c.Mint(); err != nil || d.Counter != 11 || c.Actor() != d.Actor {
		t.Fatal(d, err)
	}
	if _, err := NewCounter(Lease{}, 0); !errors.Is(err, ErrInvalid) {
		t.Fatal(err)
	}
}

func TestCounterCheck(t *testing.T) {
	c := newCounter(t, actor('a'), 5)
	for v, ok := range map[string]bool{"": true, "a5": true, "b9": true, "a6": false, "a6 b1": false} {
		if err := c.Check(dots(v)); (err == nil) != ok || !ok && !errors.Is(err, ErrAmnesia) {
			t.Errorf("%q: %v", v, err)
		}
	}
}

// Crashes at any moment between persisting and extending; no dot comes twice.
func TestCounterRestarts(t *testing.T) {
	for seed := range uint64(100) {
		rng := rand.New(rand.NewPCG(seed, 5))
		var disk Lease
		disk.Actor = actor('a')
		c, _ := NewCounter(disk, 7)
		last := uint64(0)
		for range 300 {
			switch rng.IntN(12) {
			case 0:
				c, _ = NewCounter(disk, 7)
			case 1, 2:
				l, due := c.Renewal()
				if due || rng.IntN(3) == 0 {
					disk.Bound = max(disk.Bound, l.Bound)
					if rng.IntN(4) > 0 {
						c.Extend(l.Bound)
					}
				}
			default:
				d, err := c.Mint()
				if err == nil && (d.Counter <= last || d.Counter > disk.Bound) || err != nil && !errors.Is(err, ErrLease) {
					t.Fatalf("seed %d: %v after %d, lease %d: %v", seed, d, last, disk.Bound, err)
				}
				last = max(last, d.Counter)
			}
		}
		if last == 0 {
			t.Fatal("nothing was minted")
		}
	}
}

func TestCounterEnds(t *testing.T) {
	c, err := NewCounter(Lease{actor('a'), math.MaxUint64 - 2}, 100)
	if err != nil {
		t.Fatal(err)
	}
	l, due := c.Renewal()
	if !due || l.Bound != math.MaxUint64 {
		t.Fatal(l, due)
	}
	c.Extend(l.Bound)
	for range 2 {
		if d, err := c.Mint(); err != nil || d.Counter < math.MaxUint64-1 {
			t.Fatal(d, err)
		}
	}
	if d, err := c.Mint(); !errors.Is(err, ErrLease) {
		t.Fatal("a dot after the last", d, err)
	}
	if l, due := c.Renewal(); due {
		t.Fatal("a lease after the last", l)
	}
}

func TestCounterConcurrentUse(t *testing.T) {
	c, _ := NewCounter(Lease{actor('a'), 0}, 50)
	got := make([][]uint64, 4)
	var wg sync.WaitGroup
	for g := range got {
		wg.Go(func() {
			for len(got[g]) < 2000 {
				if l, due := c.Renewal(); due {
					c.Extend(l.Bound)
				}
				if d, err := c.Mint(); err == nil {
					got[g] = append(got[g], d.Counter)
				}
			}
		})
	}
	wg.Wait()
	seen := make(map[uint64]bool)
	for g := range got {
		last := uint64(0)
		for _, n := range got[g] {
			if n <= last || seen[n] {
				t.Fatal(n, "after", last, "twice:", seen[n])
			}
			last, seen[n] = n, true
		}
	}
}

func TestLease(t *testing.T) {
	l := Lease{actor('a'), 1 << 40}
	b := l.AppendTo(nil)
	golden(t, "testdata/lease.txt", []string{"lease"}, map[string]string{"lease": hex.EncodeToString(b)})
	if got, err := DecodeLease(b); err != nil || got != l {
		t.Fatal(got, err)
	}
	for _, bad := range [][]byte{nil, b[:len(b)-1], append(b[:len(b):len(b)], 0), append([]byte{2}, b[1:]...), Lease{}.AppendTo(nil)} {
		if _, err := DecodeLease(bad); !errors.Is(err, ErrFormat) {
			t.Errorf("%x: %v", bad, err)
		}
	}
}
