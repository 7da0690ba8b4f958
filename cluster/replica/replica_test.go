package replica

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/ringwood-kv/ringwood/cluster/hlc"
	"github.com/ringwood-kv/ringwood/cluster/vclock"
	"github.com/ringwood-kv/ringwood/lsm"
	"github.com/ringwood-kv/ringwood/lsm/vfs"
)

func TestPutGetDelete(t *testing.T) {
	r, b := fresh(t)
	want(t, r, start, b, "k", "-")
	put(t, r, b, "k", "v")
	want(t, r, start, b, "k", "v")
	put(t, r, b, "k", "w")
	put(t, r, b, "", "of the empty key")
	want(t, r, start, b, "k", "w")
	want(t, r, start, b, "", "of the empty key")
	if s := b.Stats(); s != (BucketStats{2, 2 + 16, 0, true}) {
		t.Fatalf("%+v", s)
	}
	existed, err := r.Delete(start, b, []byte("k"), nil)
	if err != nil || !existed {
		t.Fatal(existed, err)
	}
	existed, err = r.Delete(start, b, []byte("k"), nil)
	if err != nil || existed {
		t.Fatal(existed, err)
	}
	want(t, r, start, b, "k", "-")
	if s := b.Stats(); s.Keys != 1 || engineKeys(t, r) != 1 {
		t.Fatalf("%+v, %d keys in the engine", s, engineKeys(t, r))
	}
	verify(t, r)
}

func TestItem(t *testing.T) {
	r, b := fresh(t)
	must(t, r.Put(start, b, []byte("k"), Write{Value: []byte("v"), Type: 15, Expiry: start + 10}))
	it, buf, err := r.Get(start+9, b, []byte("k"), []byte("before"))
	must(t, err)
	if string(it.Value) != "v" || it.Type != 15 || it.Expiry != start+10 || it.HLC.Millis() != start || it.Siblings != 1 ||
		!strings.HasPrefix(string(buf), "before") {
		t.Fatalf("%+v", it)
	}
	want(t, r, start+10, b, "k", "-")
	// A value whose end is past is nothing, on a ring of one.
	must(t, r.Put(start+20, b, []byte("k"), Write{Value: []byte("v"), Expiry: start + 20}))
	if n := engineKeys(t, r); n != 0 || b.Stats().Keys != 0 {
		t.Fatal(n)
	}
}

func TestLimits(t *testing.T) {
	r, b := fresh(t)
	long := pattern(MaxKeyLen)
	must(t, r.Put(start, b, long, Write{Value: []byte("v"), Expiry: start + 1}))
	want(t, r, start, b, string(long), "v")
	for _, err := range []error{
		r.Put(start, b, pattern(MaxKeyLen+1), Write{}),
		func() error { _, _, err := r.Get(start, b, pattern(MaxKeyLen+1), nil); return err }(),
	} {
		if !errors.Is(err, ErrTooLarge) {
			t.Fatal(err)
		}
	}
	must(t, r.AlterBucket(b, BucketConfig{MaxValue: 10}))
	must(t, r.Put(start, b, []byte("k"), Write{Value: pattern(10)}))
	if err := r.Put(start, b, []byte("k"), Write{Value: pattern(11)}); !errors.Is(err, ErrTooLarge) {
		t.Fatal(err)
	}
	want(t, r, start, b, "k", "0123456789")
	for _, w := range []Write{{Type: 16}, {Expiry: -1}} {
		if err := r.Put(start, b, []byte("k"), w); !errors.Is(err, ErrInvalid) {
			t.Fatal(err)
		}
	}
	if err := r.Put(start, nil, []byte("k"), Write{}); !errors.Is(err, ErrInvalid) {
		t.Fatal(err)
	}
}

func TestSiblings(t *testing.T) {
	r, b := fresh(t)
	key := []byte("k")
	var o vclock.Object
	read := func() vclock.Context {
		t.Helper()
		_, err := r.Read(b, key, &o, nil)
		must(t, err)
		c := o.Clone()
		return c.Context()
	}
	none := read()
	if !o.Absent() {
		t.Fatal(o)
	}
	write := func(v string, c *vclock.Context) {
		t.Helper()
		must(t, r.Put(start, b, key, Write{Value: []byte(v), Context: c}))
	}
	write("a", &none)
	first := read()
	write("b", &none)
	write("c", &first) // replaces a, not b
	it, _, err := r.Get(start, b, key, nil)
	if err != nil || it.Siblings != 2 || string(it.Value) != "c" {
		t.Fatal(it, err)
	}
	if r.Stats().Conflicts != 1 || b.Stats() != (BucketStats{1, 3, 0, true}) {
		t.Fatal(r.Stats(), b.Stats())
	}
	// A deletion of what was read leaves what was not.
	existed, err := r.Delete(start, b, key, &first)
	if err != nil || !existed {
		t.Fatal(existed, err)
	}
	if read(); len(o.Siblings) != 3 {
		t.Fatal(o)
	}
	both := read()
	write("d", &both)
	if read(); len(o.Siblings) != 1 {
		t.Fatal(o)
	}
	// A blind write replaces everything.
	write("e", &none)
	write("f", nil)
	if read(); len(o.Siblings) != 1 || string(o.Siblings[0].Value) != "f" {
		t.Fatal(o)
	}
	// A context that this node cannot have given out.
	future := read()
	future.Vector[0].Counter += 1 << 30
	if err := r.Put(start, b, key, Write{Context: &future}); !errors.Is(err, vclock.ErrAmnesia) {
		t.Fatal(err)
	}
	future = read()
	future.HLC = hlc.At(start+3_600_000, 0)
	if err := r.Put(start, b, key, Write{Context: &future}); !errors.Is(err, hlc.ErrOffset) {
		t.Fatal(err)
	}
	want(t, r, start, b, "k", "f")
	verify(t, r)
}

func TestSiblingLimit(t *testing.T) {
	r, b := fresh(t)
	must(t, r.AlterBucket(b, BucketConfig{MaxSiblings: 3, WarnSiblings: 2}))
	none := &vclock.Context{}
	for i := range 3 {
		must(t, r.Put(start, b, []byte("k"), Write{Value: fmt.Append(nil, i), Context: none}))
	}
	if err := r.Put(start, b, []byte("k"), Write{Value: []byte("x"), Context: none}); !errors.Is(err, vclock.ErrLimit) {
		t.Fatal(err)
	}
	if r.Stats().SiblingWarnings != 1 {
		t.Fatal(r.Stats())
	}
	must(t, r.AlterBucket(b, BucketConfig{MaxSiblings: 3, OnLimit: vclock.Collapse}))
	must(t, r.Put(start, b, []byte("k"), Write{Value: []byte("x"), Context: none}))
	it, _, err := r.Get(start, b, []byte("k"), nil)
	if err != nil || it.Siblings != 1 || string(it.Value) != "x" || r.Stats().DroppedSiblings != 3 {
		t.Fatal(it, err, r.Stats())
	}
}

func TestLastWriterWins(t *testing.T) {
	r, _ := fresh(t)
	b, err := r.CreateBucket("last", BucketConfig{LastWriterWins: true})
	must(t, err)
	none := &vclock.Context{}
	for i := range 5 {
		must(t, r.Put(start-int64(i)*1000, b, []byte("k"), Write{Value: fmt.Append(nil, i), Context: none}))
		it, _, err := r.Get(start, b, []byte("k"), nil)
		if err != nil || it.Siblings != 1 || string(it.Value) != fmt.Sprint(i) {
			t.Fatal(it, err)
		}
	}
}

// What another replica wrote comes in by Merge.
func TestMerge(t *testing.T) {
	r, b := fresh(t)
	put(t, r, b, "k", "mine")
	theirs := vclock.Object{
		Vector:   vclock.Vector{{Actor: vclock.Actor{200}, Counter: 5}},
		Siblings: []vclock.Sibling{{Dot: vclock.Dot{Actor: vclock.Actor{200}, Counter: 5}, HLC: hlc.At(start+100, 0), Value: []byte("theirs")}},
	}
	merge := func(x *vclock.Object) (out vclock.Outcome, err error) {
		err = r.Update(start, []Ref{{b, []byte("k")}}, func(tx *Tx) error {
			out, err = tx.Merge(0, x)
			return err
		})
		return out, err
	}
	if _, err := merge(&theirs); !errors.Is(err, ErrInvalid) {
		t.Fatal(err)
	}
	must(t, r.Share(start))
	for i := range 2 {
		out, err := merge(&theirs)
		if err != nil || out.Changed != (i == 0) {
			t.Fatal(out, err)
		}
	}
	it, _, err := r.Get(start, b, []byte("k"), nil)
	if err != nil || it.Siblings != 2 || string(it.Value) != "theirs" {
		t.Fatal(it, err)
	}
	theirs.Siblings[0].HLC = hlc.At(start+3_600_000, 0)
	if _, err := merge(&theirs); !errors.Is(err, hlc.ErrOffset) {
		t.Fatal(err)
	}
	mine := vclock.Object{Vector: vclock.Vector{{Actor: r.Actor(), Counter: math.MaxUint32}}}
	mine.Siblings = []vclock.Sibling{{Dot: mine.Vector[0], HLC: 5}}
	if _, err := merge(&mine); !errors.Is(err, vclock.ErrAmnesia) {
		t.Fatal(err)
	}
	// The timestamp of the next write is above theirs, however slow this clock is.
	put(t, r, b, "k", "both")
	want(t, r, start, b, "k", "both")
	verify(t, r)
}

func TestUpdate(t *testing.T) {
	r, b := fresh(t)
	put(t, r, b, "a", "1")
	refs := []Ref{{b, []byte("a")}, {b, []byte("b")}, {b, []byte("a")}}
	boom := errors.New("boom")
	body := func(fail error) func(*Tx) error {
		return func(tx *Tx) error {
			if tx.Len() != 3 || tx.Wall() != start {
				return errors.New("wrong keys or wall")
			}
			if err := tx.Put(0, Write{Value: []byte("2")}); err != nil {
				return err
			}
			it, err := tx.Get(2) // the same key
			if err != nil || string(it.Value) != "2" {
				return fmt.Errorf("own write: %q %w", it.Value, err)
			}
			if existed, err := tx.Delete(1, nil); existed || err != nil {
				return fmt.Errorf("%v %w", existed, err)
			}
			if existed, err := tx.Delete(2, nil); !existed || err != nil {
				return fmt.Errorf("%v %w", existed, err)
			}
			if it, err := tx.Get(0); it.Found() || err != nil {
				return fmt.Errorf("deleted, and there: %q %w", it.Value, err)
			}
			if err := tx.Put(1, Write{Value: []byte("3")}); err != nil {
				return err
			}
			return fail
		}
	}
	if err := r.Update(start, refs, body(boom)); err != boom {
		t.Fatal(err)
	}
	want(t, r, start, b, "a", "1")
	must(t, r.Update(start, refs, body(nil)))
	want(t, r, start, b, "a", "-")
	want(t, r, start, b, "b", "3")
	if s := b.Stats(); s != (BucketStats{1, 2, 0, true}) {
		t.Fatal(s)
	}
	var kept *Tx
	must(t, r.Update(start, refs[:1], func(tx *Tx) error { kept = tx; return nil }))
	if _, err := kept.Get(0); !errors.Is(err, ErrInvalid) {
		t.Fatal(err)
	}
	for _, i := range []int{-1, 1} {
		err := r.Update(start, refs[:1], func(tx *Tx) error { _, err := tx.Get(i); return err })
		if !errors.Is(err, ErrInvalid) {
			t.Fatal(err)
		}
	}
	must(t, r.Update(start, nil, func(*Tx) error { return nil }))
	verify(t, r)
}

// A transaction goes over buckets, and is as durable as the strictest of them.
func TestUpdateOverBuckets(t *testing.T) {
	fs := vfs.NewMem()
	r := open(t, small(fs))
	b := bucket(t, r, FirstBucket)
	lax, err := r.CreateBucket("lax", BucketConfig{Durability: lsm.None})
	must(t, err)
	move := func(from, to *Bucket) error {
		return r.Update(start, []Ref{{from, []byte("k")}, {to, []byte("k")}}, func(tx *Tx) error {
			it, err := tx.Get(0)
			if err != nil {
				return err
			}
			if err := tx.Put(1, Write{Value: it.Value}); err != nil {
				return err
			}
			_, err = tx.Delete(0, nil)
			return err
		})
	}
	put(t, r, lax, "k", "v")
	must(t, move(lax, b))
	check := func(wantIn, wantOut *Bucket) {
		t.Helper()
		want(t, r, start, wantIn, "k", "v")
		want(t, r, start, wantOut, "k", "-")
	}
	check(b, lax)
	crashed := func() *Replica { return open(t, small(fs.CrashClone(vfs.CrashOptions{}))) }
	c := crashed()
	want(t, c, start, bucket(t, c, FirstBucket), "k", "v")
	// In a bucket without durability a transaction can ask for it.
	put(t, r, lax, "soft", "v")
	c = crashed()
	want(t, c, start, bucket(t, c, "lax"), "soft", "-")
	must(t, r.Update(start, []Ref{{lax, []byte("hard")}}, func(tx *Tx) error {
		tx.Durable(lsm.Sync)
		return tx.Put(0, Write{Value: []byte("v")})
	}))
	c = crashed()
	want(t, c, start, bucket(t, c, "lax"), "hard", "v")
	want(t, c, start, bucket(t, c, "lax"), "soft", "v")
	// In whatever order they are named.
	must(t, move(b, lax))
	c = crashed()
	want(t, c, start, bucket(t, c, "lax"), "k", "v")
}

func TestClosed(t *testing.T) {
	r, b := fresh(t)
	put(t, r, b, "k", "v")
	must(t, r.Close())
	must(t, r.Close())
	_, _, err := r.Get(start, b, []byte("k"), nil)
	_, err2 := r.Delete(start, b, []byte("k"), nil)
	_, err3 := r.CreateBucket("x", BucketConfig{})
	_, err4 := r.Scan(start, b, 0, ScanOptions{}, nil)
	_, err5 := r.Recount(1)
	_, err6 := r.Verify(new(Verification), 1)
	_, err7 := r.Sweep(start, 1)
	for i, err := range []error{err, err2, err3, err4, err5, err6, r.Put(start, b, nil, Write{}), r.FlushBuckets(b), r.Share(start),
		r.NewActor(start), r.Sync(), r.Checkpoint("x")} {
		if !errors.Is(err, ErrClosed) {
			t.Errorf("%d: %v", i, err)
		}
	}
	_ = err7 // nothing is due, so nothing is read
	r.Tick(start + 100_000)
	r.UpdateAsync(start, []Ref{{b, nil}}, func(tx *Tx) error { return tx.Put(0, Write{}) }, func(e error) { err = e })
	if !errors.Is(err, ErrClosed) {
		t.Fatal(err)
	}
}

func TestGetMany(t *testing.T) {
	r, b := fresh(t)
	put(t, r, b, "a", "1")
	put(t, r, b, "b", "2")
	refs := []Ref{{b, []byte("b")}, {b, []byte("none")}, {b, []byte("a")}, {b, []byte("b")}}
	got := ""
	_, err := r.GetMany(start, refs, nil, func(i int, it Item) error {
		got += fmt.Sprint(i, string(it.Value), ";")
		return nil
	})
	if err != nil || got != "0 2;1 ;2 1;3 2;" && got != "02;1;21;32;" {
		t.Fatal(got, err)
	}
	boom := errors.New("boom")
	_, err = r.GetMany(start, refs, nil, func(int, Item) error { return boom })
	_, err2 := r.GetMany(start, []Ref{{nil, nil}}, nil, nil)
	_, err3 := r.GetMany(start, []Ref{{b, pattern(MaxKeyLen + 1)}}, nil, nil)
	if err != boom || !errors.Is(err2, ErrInvalid) || !errors.Is(err3, ErrTooLarge) {
		t.Fatal(err, err2, err3)
	}
}

func TestRandomKey(t *testing.T) {
	r, b := fresh(t)
	if _, found, err := r.RandomKey(start, b, 5, nil); found || err != nil {
		t.Fatal(found, err)
	}
	const n = 50
	for i := range n {
		put(t, r, b, fmt.Sprint(i), "v")
	}
	must(t, r.Put(start, b, []byte("short"), Write{Expiry: start + 1}))
	rng := randomness(3).rng
	seen := map[string]int{}
	for range 2000 {
		key, found, err := r.RandomKey(start+1, b, rng.Uint64(), []byte("x"))
		if err != nil || !found || key[0] != 'x' {
			t.Fatal(found, err)
		}
		seen[string(key[1:])]++
	}
	if len(seen) < n*8/10 || seen["short"] > 0 {
		t.Fatal(len(seen), seen)
	}
	must(t, r.FlushBuckets(b))
	put(t, r, b, "only", "v")
	for range 20 {
		key, found, err := r.RandomKey(start, b, rng.Uint64(), nil)
		if err != nil || !found || string(key) != "only" {
			t.Fatal(string(key), found, err)
		}
	}
}

// A walk between writes shows what is there all the time exactly once, written again or not.
func TestScanBetweenWrites(t *testing.T) {
	r, b := fresh(t)
	must(t, r.AlterBucket(b, BucketConfig{Durability: lsm.None}))
	rng := rand.New(rand.NewPCG(1, 4))
	for i := range 200 {
		put(t, r, b, fmt.Sprint("stays", i), "v")
	}
	shown := map[string]int{}
	for cursor, more := uint64(0), true; more; more = cursor != 0 {
		for range 10 {
			put(t, r, b, fmt.Sprint("stays", rng.IntN(200)), "w")
			put(t, r, b, fmt.Sprint("comes", rng.IntN(500)), "v")
			_, err := r.Delete(start, b, fmt.Append(nil, "comes", rng.IntN(500)), nil)
			must(t, err)
		}
		var err error
		cursor, err = r.Scan(start, b, cursor, ScanOptions{Limit: 1 + rng.IntN(9)}, func(key []byte, _ Item) error {
			shown[string(key)]++
			return nil
		})
		must(t, err)
	}
	for i := range 200 {
		if n := shown[fmt.Sprint("stays", i)]; n != 1 {
			t.Fatalf("stays%d was shown %d times", i, n)
		}
	}
}

func TestScan(t *testing.T) {
	r, _ := fresh(t)
	var all []*Bucket
	for _, name := range []string{"a", "b", "c"} {
		b, err := r.CreateBucket(name, BucketConfig{Durability: lsm.None})
		must(t, err)
		all = append(all, b)
	}
	for i := range 300 {
		put(t, r, all[1], fmt.Sprintf("key%d", i), fmt.Sprint(i))
		put(t, r, all[i%3], fmt.Sprintf("other%d", i), "o")
	}
	for _, limit := range []int{0, 1, 7, 1000} {
		for i, n := range []int{100, 400, 100} {
			got := scan(t, r, start, all[i], limit)
			if len(got) != n {
				t.Fatalf("bucket %d, limit %d: %d keys", i, limit, len(got))
			}
		}
	}
	n := 0
	next, err := r.Scan(start, all[1], 0, ScanOptions{Prefix: []byte("key1"), Limit: 1000, Match: func(k []byte) bool { return len(k) == 5 }},
		func(key []byte, it Item) error {
			n++
			if string(it.Value) != string(key[3:]) {
				return fmt.Errorf("%s: %s", key, it.Value)
			}
			return nil
		})
	if err != nil || n != 10 || next != 0 {
		t.Fatal(n, next, err)
	}
	boom := errors.New("boom")
	if next, err := r.Scan(start, all[1], 3, ScanOptions{}, func([]byte, Item) error { return boom }); err != boom || next != 3 {
		t.Fatal(next, err)
	}
	n = 0
	if next, err := r.Scan(start, all[0], 0, ScanOptions{Limit: math.MaxInt}, func([]byte, Item) error { n++; return nil }); next != 0 || err != nil || n != 100 {
		t.Fatal(n, next, err)
	}
	// Keys of all tokens, to the last.
	if next, err := r.Scan(start, all[1], math.MaxUint64, ScanOptions{}, nil); next != 0 || err != nil {
		t.Fatal(next, err)
	}
}

// A wall clock that jumps does not keep anybody from writing.
func TestWallJumps(t *testing.T) {
	r, b := fresh(t)
	wall := int64(start)
	for i, jump := range []time.Duration{0, time.Hour, -2 * time.Hour, 24 * time.Hour, time.Millisecond, -48 * time.Hour} {
		wall += jump.Milliseconds()
		must(t, r.Put(wall, b, []byte("k"), Write{Value: fmt.Append(nil, i)}))
		want(t, r, wall, b, "k", fmt.Sprint(i))
	}
	if n := r.Stats().LeaseRenewals; n != 2 {
		t.Fatal(n)
	}
}
