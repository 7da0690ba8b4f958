package replica

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/ringwood-kv/ringwood/cluster/hlc"
	"github.com/ringwood-kv/ringwood/cluster/vclock"
	"github.com/ringwood-kv/ringwood/lsm"
	"github.com/ringwood-kv/ringwood/lsm/vfs"
)

// add makes the number in a key larger.
func add(i, by int) func(*Tx) error {
	return func(tx *Tx) error {
		it, err := tx.Get(i)
		if err != nil {
			return err
		}
		n := 0
		if it.Found() {
			if n, err = strconv.Atoi(string(it.Value)); err != nil {
				return err
			}
		}
		return tx.Put(i, Write{Value: strconv.AppendInt(nil, int64(n+by), 10)})
	}
}

// Many goroutines, sleeping and not, count in few keys: nothing is lost. Others move
// between keys, and whoever looks at all of them sees the same sum.
func TestNothingIsLost(t *testing.T) {
	for _, d := range []lsm.Durability{lsm.Sync, lsm.OS} {
		t.Run(d.String(), func(t *testing.T) {
			o := small(vfs.NewMem())
			o.DotBlock = 500
			r := open(t, o)
			b := bucket(t, r, FirstBucket)
			must(t, r.AlterBucket(b, BucketConfig{Durability: d}))
			const workers, rounds, hot, pots = 8, 250, 3, 5
			must(t, r.Update(start, potRefs(b, pots), func(tx *Tx) error {
				for i := range pots {
					if err := tx.Put(i, Write{Value: []byte("1000")}); err != nil {
						return err
					}
				}
				return nil
			}))
			var counted [hot]atomic.Int64
			var wg sync.WaitGroup
			for w := range workers {
				wg.Go(func() {
					rng := rand.New(rand.NewPCG(uint64(w), 1))
					for i := range rounds {
						k := rng.IntN(hot)
						refs := []Ref{{b, fmt.Append(nil, "hot", k)}}
						switch i % 4 {
						case 0:
							if err := r.Update(start, refs, add(0, 1)); err != nil {
								t.Error(err)
								return
							}
							counted[k].Add(1)
						case 1:
							wg.Add(1)
							r.UpdateAsync(start, refs, add(0, 1), func(err error) {
								if err != nil {
									t.Error(err)
								}
								counted[k].Add(1)
								wg.Done()
							})
						case 2:
							move(t, r, potRefs(b, pots), rng)
						case 3:
							manyPots(t, r, potRefs(b, pots), pots*1000)
							checkPots(t, r, potRefs(b, pots), pots*1000)
							if _, err := r.Verify(new(Verification), 100); err != nil {
								t.Error(err)
							}
						}
					}
				})
			}
			wg.Wait()
			for k := range counted {
				want(t, r, start, b, fmt.Sprint("hot", k), fmt.Sprint(counted[k].Load()))
			}
			verify(t, r)
			keys, size := 0, 0
			for k, v := range scan(t, r, start, b, 100) {
				keys, size = keys+1, size+len(k)+len(v)
			}
			if s := b.Stats(); s != (BucketStats{int64(keys), int64(size), 0, true}) {
				t.Fatalf("%+v, want %d keys of %d bytes", s, keys, size)
			}
			if s := r.Stats(); s.Chained == 0 || s.LatchWaits == 0 || s.LeaseRenewals == 0 {
				t.Fatalf("%+v", s)
			}
			for i := range r.stripes {
				if s := &r.stripes[i]; s.busy || s.head != nil || s.tail != nil || len(s.pending) > 0 {
					t.Fatalf("stripe %d is not free: %+v", i, s.pending)
				}
			}
		})
	}
}

func potRefs(b *Bucket, n int) (refs []Ref) {
	for i := range n {
		refs = append(refs, Ref{b, fmt.Append(nil, "pot", i)})
	}
	return refs
}

// move takes something out of one key and puts it into another.
func move(t *testing.T, r *Replica, refs []Ref, rng *rand.Rand) {
	i, j, by := rng.IntN(len(refs)), rng.IntN(len(refs)), rng.IntN(9)
	err := r.Update(start, []Ref{refs[i], refs[j]}, func(tx *Tx) error {
		if err := add(0, -by)(tx); err != nil {
			return err
		}
		runtime.Gosched() // with the latches, so that others meet them
		return add(1, by)(tx)
	})
	if err != nil {
		t.Error(err)
	}
}

// checkPots looks at all the keys in one transaction.
func checkPots(t *testing.T, r *Replica, refs []Ref, total int) {
	sum := 0
	err := r.Update(start, refs, func(tx *Tx) error {
		sum = 0
		for i := range refs {
			it, err := tx.Get(i)
			if err != nil {
				return err
			}
			n, err := strconv.Atoi(string(it.Value))
			if err != nil {
				return err
			}
			sum += n
		}
		return nil
	})
	if err != nil || sum != total {
		t.Errorf("the sum is %d, want %d: %v", sum, total, err)
	}
}

// manyPots looks at all the keys without a latch.
func manyPots(t *testing.T, r *Replica, refs []Ref, total int) {
	sum := 0
	_, err := r.GetMany(start, refs, nil, func(i int, it Item) error {
		n, err := strconv.Atoi(string(it.Value))
		sum += n
		return err
	})
	if err != nil || sum != total {
		t.Errorf("the sum is %d at one moment, want %d: %v", sum, total, err)
	}
}

// Who reads what is not committed yet is told when it is, or that it failed.
func TestReadersOfAChain(t *testing.T) {
	fault := vfs.NewFault(vfs.NewMem())
	r, b, s := steppedStore(t, small(fault))
	refs := []Ref{{b, []byte("k")}}
	for _, fails := range []bool{false, true} {
		var results []string
		note := func(what string) func(error) {
			return func(err error) {
				results = append(results, fmt.Sprint(what, " ", errors.Is(err, lsm.ErrNoSpace) || errors.Is(err, ErrIndeterminate)))
			}
		}
		read := func(tx *Tx) error {
			it, err := tx.Get(0)
			if err == nil && len(it.Value) != 2<<20 {
				err = fmt.Errorf("%d bytes", len(it.Value))
			}
			return err
		}
		r.UpdateAsync(start, refs, func(tx *Tx) error { return tx.Put(0, Write{Value: pattern(2 << 20)}) }, note("write"))
		r.UpdateAsync(start, refs, read, note("read"))
		if len(results) > 0 {
			t.Fatal("before the commit", results)
		}
		if fails {
			fault.SetHook(func(op vfs.Op) error {
				if op.Kind == vfs.OpWrite {
					return syscall.ENOSPC
				}
				return nil
			})
		}
		// One that sleeps does the commits of this store itself.
		err := r.Update(start, refs, read)
		if (err != nil) != fails {
			t.Fatal(err)
		}
		s.Run()
		if want := fmt.Sprintf("[write %v read %v]", fails, fails); fmt.Sprint(results) != want {
			t.Fatal(results, want)
		}
		fault.SetHook(nil)
		if _, err := r.Delete(start, b, []byte("k"), nil); err != nil {
			t.Fatal(err)
		}
	}
}

// steppedStore is a store in one goroutine, whose engine the test steps.
func steppedStore(t *testing.T, o *Options) (*Replica, *Bucket, *lsm.Stepper) {
	t.Helper()
	s := lsm.NewStepper()
	o.Engine.Executor, o.Engine.Seed = s, 1
	r := open(t, o)
	s.Run()
	return r, bucket(t, r, FirstBucket), s
}

// Transactions of one key follow one another before the first is committed, each on
// what the one before wrote; nobody else sees that.
func TestChain(t *testing.T) {
	r, b, s := steppedStore(t, small(vfs.NewMem()))
	const n = 50
	done := 0
	for i := range n {
		// The callback is in the midst of a commit: it must not end the test.
		r.UpdateAsync(start, []Ref{{b, []byte("k")}}, add(0, 1), func(err error) {
			if err != nil || done != i {
				t.Errorf("%d is done before %d, with %v", i, done, err)
			}
			done++
			if got := get(t, r, start, b, "k"); got != fmt.Sprint(n) { // all in one group
				t.Errorf("the key is %q, want %d", got, n)
			}
		})
	}
	if done > 0 {
		t.Fatal("acknowledged before the commit")
	}
	want(t, r, start, b, "k", "-")
	s.Run()
	if done != n {
		t.Fatal(done)
	}
	want(t, r, start, b, "k", fmt.Sprint(n))
	if st := b.Stats(); st != (BucketStats{1, 3, 0, true}) {
		t.Fatal(st)
	}
	verify(t, r)
}

// A chain of deletions and of values that expire.
func TestChainOfMarks(t *testing.T) {
	r, b, s := steppedStore(t, small(vfs.NewMem()))
	must(t, r.Share(start))
	rng := rand.New(rand.NewPCG(1, 1))
	for range 200 {
		for range 1 + rng.IntN(5) {
			refs := []Ref{{b, fmt.Append(nil, rng.IntN(3))}, {b, fmt.Append(nil, rng.IntN(3))}}
			r.UpdateAsync(start, refs, func(tx *Tx) error {
				if _, err := tx.Delete(0, nil); err != nil {
					return err
				}
				return tx.Put(1, Write{Value: []byte("v"), Expiry: int64(rng.IntN(3)) * (start + 1 + rng.Int64N(3))})
			}, func(err error) { must(t, err) })
		}
		s.Run()
		if v := verify(t, r); v.Dangling > 0 {
			t.Fatal(v)
		}
		if got := int64(len(scan(t, r, start, b, 10))); got != b.Stats().Keys {
			t.Fatal(got, b.Stats())
		}
	}
}

// A transaction that waits for a latch goes on in whoever gives it back; one that blocks
// does so too, in a store that is stepped.
func TestBlockingInASteppedStore(t *testing.T) {
	o := small(vfs.NewMem())
	o.DotBlock = 7
	r, b, s := steppedStore(t, o)
	for i := range 100 {
		if i%3 == 0 {
			r.UpdateAsync(start, []Ref{{b, []byte("k")}}, add(0, 1), func(err error) { must(t, err) })
			continue
		}
		must(t, r.Update(start, []Ref{{b, []byte("k")}}, add(0, 1)))
	}
	s.Run()
	want(t, r, start, b, "k", "100")
	if r.Stats().LeaseRenewals < 10 {
		t.Fatal(r.Stats())
	}
}

// The same calls give the same bytes.
func TestReplay(t *testing.T) {
	run := func() []byte {
		fs := vfs.NewMem()
		r, b, s := steppedStore(t, small(fs))
		rng := rand.New(rand.NewPCG(3, 3))
		for i := range 300 {
			key := fmt.Append(nil, rng.IntN(20))
			r.UpdateAsync(start+int64(i), []Ref{{b, key}}, add(0, i), func(error) {})
			if rng.IntN(3) == 0 {
				s.Step()
			}
		}
		s.Run()
		it, err := r.db.NewIter(nil)
		must(t, err)
		defer it.Close()
		var all []byte
		for it.First(); it.Valid(); it.Next() {
			all = append(append(all, it.Key()...), it.Value()...)
		}
		return all
	}
	if a, b := run(), run(); len(a) == 0 || !bytes.Equal(a, b) {
		t.Fatal("two runs differ")
	}
}

// A commit fails after another one was built on it: the first does not know what became
// of it, and index and records agree all the same.
func TestChainBroken(t *testing.T) {
	fault := vfs.NewFault(vfs.NewMem())
	r, b, s := steppedStore(t, small(fault))
	must(t, r.Put(start, b, []byte("k"), Write{Value: []byte("0"), Expiry: start + 5}))
	var errs []error
	result := func(err error) { errs = append(errs, err) }
	refs := []Ref{{b, []byte("k")}}
	// More than a group holds, so that the second is in the next one.
	r.UpdateAsync(start, refs, func(tx *Tx) error {
		return tx.Put(0, Write{Value: pattern(2 << 20), Expiry: start + 10})
	}, result)
	r.UpdateAsync(start, refs, func(tx *Tx) error {
		it, err := tx.Get(0)
		if err != nil || len(it.Value) != 2<<20 {
			return fmt.Errorf("%d bytes: %w", len(it.Value), err)
		}
		return tx.Put(0, Write{Value: []byte("2"), Expiry: start + 10})
	}, result)
	failed := false
	fault.SetHook(func(op vfs.Op) error {
		if op.Kind == vfs.OpWrite && op.Len > 16<<10 && !failed {
			failed = true
			return syscall.ENOSPC
		}
		return nil
	})
	s.Run()
	fault.SetHook(nil)
	if len(errs) != 2 || !errors.Is(errs[0], ErrIndeterminate) || !errors.Is(errs[0], lsm.ErrNoSpace) || errs[1] != nil {
		t.Fatal(errs)
	}
	want(t, r, start, b, "k", "2")
	if b.Stats().Exact {
		t.Fatal("the count cannot be certain")
	}
	if v := verify(t, r); v.Dangling != 1 {
		t.Fatalf("%+v", v)
	}
	n, err := r.Sweep(start+10, 10)
	if err != nil || n != 1 || r.Stats().Dangling != 1 || engineKeys(t, r) != 0 {
		t.Fatal(n, err, r.Stats())
	}
}

// A full disk: the write fails for certain, and works when there is room.
func TestNoSpace(t *testing.T) {
	fault := vfs.NewFault(vfs.NewMem())
	r := open(t, small(fault))
	b := bucket(t, r, FirstBucket)
	put(t, r, b, "k", "before")
	fault.SetHook(func(op vfs.Op) error {
		if op.Kind == vfs.OpWrite && strings.HasSuffix(op.Name, ".log") {
			return syscall.ENOSPC
		}
		return nil
	})
	err := r.Put(start, b, []byte("k"), Write{Value: []byte("after")})
	if !errors.Is(err, lsm.ErrNoSpace) || errors.Is(err, ErrIndeterminate) {
		t.Fatal(err)
	}
	fault.SetHook(nil)
	want(t, r, start, b, "k", "before")
	put(t, r, b, "k", "after")
	if s := b.Stats(); s != (BucketStats{1, 6, 0, true}) {
		t.Fatal(s)
	}
	verify(t, r)
}

// The leases cannot be made durable: whoever needs them is told, and it goes on when
// they can.
func TestLeaseFails(t *testing.T) {
	fault := vfs.NewFault(vfs.NewMem())
	o := small(fault)
	o.DotBlock = 1
	r := open(t, o)
	b := bucket(t, r, FirstBucket)
	put(t, r, b, "k", "before")
	fault.SetHook(func(op vfs.Op) error {
		if op.Kind == vfs.OpWrite {
			return syscall.ENOSPC
		}
		return nil
	})
	if err := r.Put(start, b, []byte("k"), Write{}); !errors.Is(err, lsm.ErrNoSpace) {
		t.Fatal(err)
	}
	result := make(chan error, 1)
	r.UpdateAsync(start, []Ref{{b, []byte("k")}}, func(tx *Tx) error { return tx.Put(0, Write{}) }, func(err error) { result <- err })
	if err := <-result; !errors.Is(err, lsm.ErrNoSpace) {
		t.Fatal(err)
	}
	fault.SetHook(nil)
	put(t, r, b, "k", "after")
	want(t, r, start, b, "k", "after")
	// More dots than a lease can have.
	err := r.Update(start, []Ref{{b, []byte("k")}}, func(tx *Tx) error {
		for range 10 {
			if err := tx.Put(0, Write{}); err != nil {
				return err
			}
		}
		return nil
	})
	if !errors.Is(err, vclock.ErrLease) || errors.Is(err, hlc.ErrLease) {
		t.Fatal(err)
	}
	want(t, r, start, b, "k", "after")
}

// A transaction over many large records does not have all of them in memory: what was
// replaced is let go, and what is forgotten can be read again.
func TestLargeRecordsAreLetGo(t *testing.T) {
	r, b := fresh(t)
	big := strings.Repeat("v", 2*keptRecord)
	refs := make([]Ref, 4)
	for i := range refs {
		refs[i] = Ref{b, []byte{byte('a' + i)}}
		put(t, r, b, string(refs[i].Key), big)
	}
	must(t, r.Update(start, refs, func(tx *Tx) error {
		if _, err := tx.Get(0); err != nil {
			return err
		}
		tx.Forget(0)
		if err := tx.Put(1, Write{Value: []byte("new")}); err != nil {
			return err
		}
		tx.Forget(1) // it was written: that stays
		if _, err := tx.Delete(2, nil); err != nil {
			return err
		}
		// A sibling stays beside this, and with it the record.
		if err := tx.Put(3, Write{Value: []byte("beside"), Context: new(vclock.Context)}); err != nil {
			return err
		}
		for i := range refs {
			if held := tx.entries[i].rec != nil; held != (i == 3) {
				t.Errorf("record %d is held: %v", i, held)
			}
		}
		if n := tx.Held(); n < len(big) || n > len(big)+1000 {
			t.Errorf("%d bytes are held, and one record has %d", n, len(big))
		}
		if it, err := tx.Get(0); err != nil || string(it.Value) != big {
			t.Errorf("%d bytes are read again, %v", len(it.Value), err)
		}
		return nil
	}))
	// Nor does one over many small ones.
	var many []Ref
	for i := range 4 * keptEntries {
		many = append(many, Ref{b, fmt.Append(nil, "many", i)})
		put(t, r, b, string(many[i].Key), big[:2*keptForgotten])
	}
	must(t, r.Update(start, many, func(tx *Tx) error {
		for i := range many {
			if i%2 == 0 {
				if _, err := tx.Delete(i, nil); err != nil {
					return err
				}
				continue
			}
			if _, err := tx.Get(i); err != nil {
				return err
			}
			tx.Forget(i)
		}
		if n := tx.Held(); n != 0 {
			t.Errorf("%d bytes of %d small records are held", n, len(many))
		}
		return nil
	}))
	want(t, r, start, b, "a", big)
	want(t, r, start, b, "b", "new")
	want(t, r, start, b, "c", "-")
	if it, _, err := r.Get(start, b, []byte("d"), nil); err != nil || it.Siblings != 2 {
		t.Errorf("%d siblings, %v", it.Siblings, err)
	}
}
