package replica

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/ringwood-kv/ringwood/cluster/hlc"
	"github.com/ringwood-kv/ringwood/lsm/vfs"
)

// A flush comes between two steps of a sweep: the marks that are left are nobody's, and
// the sweep does not look at them for ever.
func TestFlushDuringSweep(t *testing.T) {
	o := small(vfs.NewMem())
	o.Create.Partitions = 1
	r := open(t, o)
	b := bucket(t, r, FirstBucket)
	for i := range 4 * sweepBatch {
		must(t, r.Put(start, b, fmt.Append(nil, i), Write{Value: []byte("v"), Expiry: start + 1}))
	}
	flushed := make(chan error, 1)
	looks := 0
	errEndless := errors.New("the sweep looks at the same records again and again")
	n, err := r.sweep(markExpiry, start+1, start+1, 1000, func(tx *Tx, e *entry) (bool, error) {
		if looks++; looks > 100*sweepBatch {
			return false, errEndless
		}
		if looks == 1 { // we hold latches: the flush has the next turn
			waits := r.stats.latchWaits.Load()
			go func() { flushed <- r.FlushBuckets(b) }()
			for r.stats.latchWaits.Load() == waits {
				time.Sleep(time.Millisecond)
			}
		}
		e.dirty = e.obj.Expire(start+1) > 0
		return e.dirty, nil
	})
	if n != sweepBatch || err != nil {
		t.Fatal(n, err)
	}
	must(t, <-flushed)
	reclaimAll(t, r)
	if n := engineKeys(t, r); n != 0 {
		t.Fatalf("%d keys are left", n)
	}
}

// Close waits for what others have handed to the engine, and counts it.
func TestCloseCountsWhatIsUnderWay(t *testing.T) {
	fs := vfs.NewMem()
	r, b, s := steppedStore(t, small(fs))
	s.Run()
	for i := range 5 {
		r.UpdateAsync(start, []Ref{{b, fmt.Append(nil, i)}}, add(0, 1), func(err error) { must(t, err) })
	}
	must(t, r.Close())
	r = open(t, small(fs))
	if s := bucket(t, r, FirstBucket).Stats(); s != (BucketStats{5, 10, 0, true}) {
		t.Fatal(s)
	}
}

// While a store reaps, it begins to share: from then on no tombstone goes before the
// floor has passed it.
func TestShareDuringReap(t *testing.T) {
	r, b := fresh(t)
	// It is as if the store had been alone when the index was read.
	must(t, r.Share(start))
	put(t, r, b, "k", "v")
	_, err := r.Delete(start, b, []byte("k"), nil)
	must(t, err)
	r.shared.Store(false)
	floor := hlc.Timestamp(r.floor.Load())
	visit := r.reaper(start)
	must(t, r.Share(start))
	n, err := r.sweep(markDead, hlc.Max.Millis(), start, 100, visit)
	if n != 0 || err != nil || engineKeys(t, r) != 2 {
		t.Fatalf("%d tombstones went at floor %v: %v", n, floor, err)
	}
	r.SetFloor(hlc.At(start+1, 0))
	if n, err := r.Reap(start, 100); n != 1 || err != nil {
		t.Fatal(n, err)
	}
}

// A transaction that runs out of a lease when the store has just been closed does not
// write over the session of an orderly end.
func TestParkAfterClose(t *testing.T) {
	fs := vfs.NewMem()
	o := small(fs)
	r := open(t, o)
	r.closed.Store(true) // as between the last commit of Close and the end of the engine
	before, err := r.meta(metaSession)
	must(t, err)
	tx := r.getTx(start + 1_000_000)
	r.park(tx)
	<-tx.wake
	after, err := r.meta(metaSession)
	must(t, err)
	if !tx.refused || !errors.Is(tx.err, ErrClosed) || string(before) != string(after) {
		t.Fatal(tx.refused, tx.err)
	}
	r.closed.Store(false)
}

// A count that a broken chain of commits has spoiled stays uncertain when the rest has
// been counted.
func TestBrokenCountStaysInexact(t *testing.T) {
	g := newGeneration(2, 1)
	g.isExact, g.estimate = false, tally{keys: 7}
	g.inexact()
	g.counted(tally{keys: 5})
	if s := g.stats(); s.Exact || s.Keys != 5 {
		t.Fatal(s)
	}
}

// One record that makes no sense keeps nothing else of its partition from expiring.
func TestSweepPassesDamage(t *testing.T) {
	o := small(vfs.NewMem())
	o.Create.Partitions = 1
	r := open(t, o)
	b := bucket(t, r, FirstBucket)
	const n = 3 * sweepBatch
	for i := range n {
		must(t, r.Put(start, b, fmt.Append(nil, i), Write{Value: []byte("v"), Expiry: start + 1 + int64(i)}))
	}
	plantRecord(t, r, b, "0", []byte("rubbish"))
	for i := range 2 {
		swept, err := r.Sweep(start+1000, 1000)
		var e *RecordError
		if want := (n - 1) * (1 - i); swept != want || !errors.As(err, &e) || string(e.Key) != "0" {
			t.Fatalf("%d of %d: %v", swept, want, err)
		}
	}
	if got := engineKeys(t, r); got != 2 {
		t.Fatalf("%d keys are left", got)
	}
}

// The statistics wait for no change of buckets, which waits for the disk.
func TestStatsWaitForNobody(t *testing.T) {
	fs := vfs.NewMem()
	r := open(t, small(fs))
	b := bucket(t, r, FirstBucket)
	put(t, r, b, "k", "v")
	must(t, r.FlushBuckets(b))
	r.admin.Lock()
	s := r.Stats()
	r.admin.Unlock()
	if s.Drops != 1 {
		t.Fatal(s)
	}
	r = open(t, small(fs.CrashClone(vfs.CrashOptions{})))
	if s := r.Stats(); s.Drops != 1 {
		t.Fatal(s)
	}
	reclaimAll(t, r)
	if s := r.Stats(); s.Drops != 0 {
		t.Fatal(s)
	}
}
