package replica

import (
	"fmt"
	"testing"

	"github.com/ringwood-kv/ringwood/cluster/hlc"
	"github.com/ringwood-kv/ringwood/lsm/vfs"
)

// A sweep takes what is due, in steps, from all buckets, and reads nothing otherwise.
func TestSweep(t *testing.T) {
	fs := vfs.NewMem()
	r := open(t, small(fs))
	other, err := r.CreateBucket("other", BucketConfig{})
	must(t, err)
	first := bucket(t, r, FirstBucket)
	const n = 300
	for i := range n {
		b := first
		if i%3 == 0 {
			b = other
		}
		must(t, r.Put(start, b, fmt.Append(nil, i), Write{Value: []byte("v"), Expiry: start + 1 + int64(i)}))
		put(t, r, b, fmt.Sprint("forever", i), "v")
	}
	reopen := func() {
		must(t, r.Close())
		r = open(t, small(fs))
		first, other = bucket(t, r, FirstBucket), bucket(t, r, "other")
	}
	for i, wall := range []int64{start, start + 100, start + 150} {
		if i == 1 {
			reopen()
		}
		swept, steps := 0, 0
		for {
			n, err := r.Sweep(wall, 7)
			must(t, err)
			swept += n
			if steps++; n < 7 {
				break
			}
		}
		due := []int{0, 100, 50}[i]
		if swept != due || int(first.Stats().Keys+other.Stats().Keys) != 2*n-int(wall-start) {
			t.Fatalf("at %d: %d of %d in %d steps; %v %v", wall-start, swept, due, steps, first.Stats(), other.Stats())
		}
		// From here on a step has nothing to read.
		for _, b := range r.Buckets() {
			for p := range b.gen.Load().due[markExpiry] {
				if at := b.gen.Load().due[markExpiry][p].Load(); at <= wall {
					t.Fatalf("partition %d of %s is looked at again", p, b.Name())
				}
			}
		}
	}
	// A later end, or none, in time.
	must(t, r.Put(start+150, first, []byte("151"), Write{Value: []byte("v"), Expiry: start + 1000}))
	must(t, r.Put(start+150, first, []byte("152"), Write{Value: []byte("v")}))
	if n, err := r.Sweep(start+999, n); n != 148 || err != nil {
		t.Fatal(n, err)
	}
	want(t, r, start+999, first, "151", "v")
	want(t, r, start+999, first, "152", "v")
	if v := verify(t, r); v.Marks != 1 || v.Records != n+2 {
		t.Fatalf("%+v", v)
	}
}

// In a shared store what is deleted or has expired stays until the floor has passed it.
func TestReap(t *testing.T) {
	r, b := fresh(t)
	must(t, r.Share(start))
	must(t, r.Share(start))
	for i := range 10 {
		put(t, r, b, fmt.Sprint(i), "v")
		must(t, r.Put(start, b, fmt.Append(nil, "e", i), Write{Value: []byte("v"), Expiry: start + 5}))
	}
	for i := range 10 {
		if _, err := r.Delete(start+1000+int64(i), b, fmt.Append(nil, i), nil); err != nil {
			t.Fatal(err)
		}
	}
	put(t, r, b, "9", "again")
	if n, err := r.Sweep(start+1010, 100); n != 10 || err != nil {
		t.Fatal(n, err)
	}
	if s := b.Stats(); s != (BucketStats{1, 6, 0, true}) || engineKeys(t, r) != 20+19 {
		t.Fatal(s, engineKeys(t, r))
	}
	reap := func(floor hlc.Timestamp, wanted int) {
		t.Helper()
		r.SetFloor(floor)
		n, err := r.Reap(start+2000, 100)
		must(t, err)
		if n != wanted {
			t.Fatalf("below %v: %d, want %d", floor, n, wanted)
		}
		verify(t, r)
	}
	reap(0, 0)
	reap(hlc.At(start, 0), 0)
	reap(hlc.At(start+1000, 0), 10) // those that expired
	reap(hlc.At(start+1005, 5), 5)
	reap(hlc.At(start, 0), 0) // the floor does not go down
	reap(hlc.At(start+5000, 0), 4)
	want(t, r, start, b, "9", "again")
	if n := engineKeys(t, r); n != 1 || r.Stats().Reaped != 19 {
		t.Fatal(n, r.Stats())
	}
}
