package respstore

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/ringwood-kv/ringwood/cluster/replica"
	"github.com/ringwood-kv/ringwood/cluster/resp/exec"
	"github.com/ringwood-kv/ringwood/cluster/resp/resptest"
	"github.com/ringwood-kv/ringwood/cluster/resp/wire"
	"github.com/ringwood-kv/ringwood/lsm"
	"github.com/ringwood-kv/ringwood/lsm/vfs"
)

const now = int64(1_700_000_000_000)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// open returns a store on a file system.
func open(t testing.TB, fs vfs.FS, o Options) *Store {
	t.Helper()
	r, err := replica.Open("data", now, &replica.Options{
		Engine: lsm.Options{FS: fs, Memory: 8 << 20},
		Create: replica.Creation{Partitions: 16, Bucket: replica.BucketConfig{Durability: o.Bucket.Durability}},
	})
	must(t, err)
	t.Cleanup(func() { _ = r.Close() })
	if o.Databases == nil {
		o.Databases = Default()
	}
	o.Random = rand.Uint64
	return New(r, o)
}

func key(db int, name string) exec.Key { return exec.Key{DB: db, Name: []byte(name)} }

func put(t testing.TB, s *Store, k exec.Key, value string, info exec.Info) {
	t.Helper()
	must(t, s.Update([]exec.Key{k}, now, func(tx exec.Txn) error { return tx.Put(0, []byte(value), info) }))
}

func want(t testing.TB, s *Store, k exec.Key, at int64, value string, info exec.Info) {
	t.Helper()
	v, got, err := s.Get([]byte("<"), k, at)
	must(t, err)
	info.Exists, info.Len = value != "", len(value)
	if string(v) != "<"+value || got != info {
		t.Fatalf("%q at %d is %q, %+v, want %q, %+v", k.Name, at, v, got, value, info)
	}
}

// The contract of package exec, in each mode of durability.
func TestStore(t *testing.T) {
	for _, d := range []lsm.Durability{lsm.Sync, lsm.OS, lsm.None} {
		t.Run(d.String(), func(t *testing.T) {
			resptest.Store(t, func(t *testing.T) exec.Store {
				return open(t, vfs.NewMem(), Options{Bucket: replica.BucketConfig{Durability: d}})
			})
		})
	}
}

// A key is there up to and including the millisecond at which it expires, alone and in
// a transaction, and what is told about that is what was asked for.
func TestExpiryToTheMillisecond(t *testing.T) {
	s := open(t, vfs.NewMem(), Options{})
	for _, at := range []int64{now, now + 1, now + 1000, math.MaxInt64 - 1, math.MaxInt64} {
		k := key(0, fmt.Sprint(at))
		info := exec.Info{ExpireAt: at, Encoding: exec.EncodingText}
		put(t, s, k, "v", info)
		inside := func(when int64) {
			if when > now+10_000 {
				return // the clock of the replica would go there
			}
			must(t, s.Update([]exec.Key{k}, when, func(tx exec.Txn) error {
				i, err := tx.Stat(0)
				if err != nil || i.Exists != (when <= at) || i.Exists && i.ExpireAt != at {
					t.Errorf("in a transaction at %d: %+v, %v", when, i, err)
				}
				return nil
			}))
		}
		for _, when := range []int64{now, at - 1, at} {
			if when == math.MaxInt64 {
				continue // the end of time
			}
			want(t, s, k, when, "v", info)
			inside(when)
		}
		if at == math.MaxInt64 {
			continue // there is no later one
		}
		want(t, s, k, at+1, "", exec.Info{})
		inside(at + 1)
	}
	// In the past it is a deletion, at the time before all times as well.
	for _, at := range []int64{-1, math.MinInt64, 1, now - 1} {
		put(t, s, key(0, "past"), "old", exec.Info{})
		put(t, s, key(0, "past"), "v", exec.Info{ExpireAt: at})
		want(t, s, key(0, "past"), now, "", exec.Info{})
	}
}

// Buckets are made by writes alone, and one that is dropped is an empty database.
func TestBucketsComeAndGo(t *testing.T) {
	s := open(t, vfs.NewMem(), Options{Bucket: replica.BucketConfig{Durability: lsm.OS}})
	names := func() (all []string) {
		for _, b := range s.r.Buckets() {
			all = append(all, b.Name())
		}
		return all
	}
	k := key(3, "k")
	want(t, s, k, now, "", exec.Info{})
	if _, err := s.Stat(k, now); err != nil {
		t.Fatal(err)
	}
	must(t, s.Flush([]int{2, 3}))
	must(t, s.Update([]exec.Key{k, key(0, "k")}, now, func(tx exec.Txn) error {
		if v, _, err := tx.Get(nil, 0); err != nil || v != nil {
			t.Errorf("%q, %v", v, err)
		}
		return errors.Join(tx.Delete(0), tx.Put(1, []byte("0"), exec.Info{}))
	}))
	if n, _, err := s.Len(3, now); n != 0 || err != nil {
		t.Fatal(n, err)
	}
	if _, ok, err := s.RandomKey(nil, 3, now); ok || err != nil {
		t.Fatal(ok, err)
	}
	if next, err := s.Scan(3, 0, 10, now, func([]byte) error { return errors.New("a key") }); next != 0 || err != nil {
		t.Fatal(next, err)
	}
	if got := names(); !slices.Equal(got, []string{"available"}) {
		t.Fatalf("reads have made %q", got)
	}
	runs := 0
	must(t, s.Update([]exec.Key{key(0, "k"), k, key(5, "k")}, now, func(tx exec.Txn) error {
		runs++
		if v, _, err := tx.Get(nil, 0); err != nil || string(v) != "0" {
			t.Errorf("%q, %v", v, err)
		}
		return errors.Join(tx.Put(0, []byte("1"), exec.Info{}), tx.Put(1, []byte("3"), exec.Info{}), tx.Put(2, []byte("5"), exec.Info{}))
	}))
	if got := names(); !slices.Equal(got, []string{"available", "db3", "db5"}) || runs > 3 {
		t.Fatalf("%q after %d runs", got, runs)
	}
	want(t, s, k, now, "3", exec.Info{})
	b, err := s.r.Bucket("db3")
	must(t, err)
	if b.Config().Durability != lsm.OS {
		t.Fatal(b.Config())
	}
	for range 3 {
		must(t, s.r.DropBucket(b))
		want(t, s, k, now, "", exec.Info{})
		want(t, s, key(5, "k"), now, "5", exec.Info{})
		put(t, s, k, "again", exec.Info{})
		want(t, s, k, now, "again", exec.Info{})
		b, err = s.r.Bucket("db3")
		must(t, err)
	}
	must(t, s.r.DropBucket(b))
	must(t, s.Flush([]int{0, 3, 5}))
	want(t, s, key(0, "k"), now, "", exec.Info{})
	if _, _, err := s.Get(nil, key(16, "k"), now); err != wire.ErrDBRange {
		t.Fatal(err)
	}
}

func isTryAgain(err error) bool {
	var e wire.Error
	return errors.As(err, &e) && e.Code() == "TRYAGAIN"
}

// Whatever drops, flushes and writes meet, none of them fails, unless it met many of
// them; and a write that was acknowledged after the last of the drops is there.
func TestDropsMeetWrites(t *testing.T) {
	s := open(t, vfs.NewMem(), Options{Bucket: replica.BucketConfig{Durability: lsm.None}})
	k := key(1, "k")
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for i := range 3 {
		wg.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-stop:
					return
				default:
				}
				err := s.Update([]exec.Key{k, key(0, fmt.Sprint(i))}, now, func(tx exec.Txn) error {
					return errors.Join(tx.Put(0, []byte("v"), exec.Info{}), tx.Put(1, []byte("v"), exec.Info{}))
				})
				if isTryAgain(err) {
					err = nil
				}
				if _, _, err2 := s.Get(nil, k, now); err != nil || err2 != nil && !isTryAgain(err2) {
					t.Error(err, err2)
					return
				}
			}
		})
	}
	for range 60 {
		if b, err := s.r.Bucket("db1"); err == nil {
			must(t, s.r.DropBucket(b))
		}
		must(t, s.Flush([]int{0, 1}))
		if _, err := s.r.Reclaim(1000); err != nil {
			t.Fatal(err)
		}
	}
	close(stop)
	wg.Wait()
	put(t, s, k, "last", exec.Info{})
	want(t, s, k, now, "last", exec.Info{})
}

// What clients are told of a store that cannot write.
func TestErrors(t *testing.T) {
	mem := vfs.NewMem()
	fault := vfs.NewFault(mem)
	var failed []error
	s := open(t, fault, Options{Failed: func(err error) { failed = append(failed, err) }})
	told := func(what string, err error, want wire.Error, cause error) {
		t.Helper()
		var e wire.Error
		if !errors.As(err, &e) || e != want || !errors.Is(err, cause) || len(failed) == 0 || failed[len(failed)-1] == nil {
			t.Errorf("%s: %v, want %q for %v", what, err, want, cause)
		}
	}
	k := key(0, "k")
	set := func(value []byte) error {
		return s.Update([]exec.Key{k}, now, func(tx exec.Txn) error { return tx.Put(0, value, exec.Info{}) })
	}
	must(t, set([]byte("v")))
	if err := set(make([]byte, replica.DefaultMaxValue+1)); err != wire.ErrTooLong {
		t.Errorf("too large: %v", err)
	}
	if len(failed) > 0 {
		t.Errorf("%v", failed)
	}
	mem.SetCapacity(1)
	// Room that the log has already is used up first.
	var err error
	for range 1000 {
		if err = set(make([]byte, 100_000)); err != nil {
			break
		}
	}
	told("full disk", err, errNoSpace, lsm.ErrNoSpace)
	mem.SetCapacity(0)
	for range 100 {
		if err = set([]byte("v")); err == nil {
			break
		}
	}
	must(t, err)
	fault.SetHook(func(op vfs.Op) error {
		if op.Kind == vfs.OpSync {
			return errors.New("broken disk")
		}
		return nil
	})
	told("failed sync", set([]byte("w")), errReadOnly, lsm.ErrReadOnly)
	told("after it", set([]byte("w")), errReadOnly, lsm.ErrReadOnly)
	told("flush", s.Flush([]int{0}), errReadOnly, lsm.ErrReadOnly)
	want(t, s, k, now, "v", exec.Info{})
	_ = s.r.Close()
	told("closed", set(nil), errClosed, lsm.ErrClosed)
	_, _, err = s.Get(nil, k, now)
	told("closed", err, errClosed, lsm.ErrClosed)
	told("indeterminate", s.told(fmt.Errorf("%w: %w", replica.ErrIndeterminate, lsm.ErrNoSpace)), errIndeterminate, lsm.ErrNoSpace)
	told("busy", s.told(replica.ErrBusy), errBusy, replica.ErrBusy)
	told("dropped", s.told(replica.ErrNoBucket), errDropped, replica.ErrNoBucket)
	if err := s.told(lsm.ErrCorruption); err != lsm.ErrCorruption {
		t.Errorf("damage: %v", err)
	}
}

// Every key that is touched is told, with its bucket.
func TestTouched(t *testing.T) {
	var got []string
	s := open(t, vfs.NewMem(), Options{Touched: func(bucket string, key []byte, write bool) {
		got = append(got, fmt.Sprint(bucket, " ", string(key), " ", write))
	}})
	put(t, s, key(0, "a"), "v", exec.Info{})
	_, _, err := s.Get(nil, key(0, "b"), now)
	must(t, err)
	must(t, s.Update([]exec.Key{key(0, "a"), key(9, "c")}, now, func(tx exec.Txn) error {
		_, err := tx.Stat(0)
		return errors.Join(err, tx.Delete(1))
	}))
	if want := []string{"available a true", "available b false", "available a false"}; !slices.Equal(got, want) {
		t.Fatalf("%q, want %q", got, want)
	}
}

func TestDatabases(t *testing.T) {
	names := Default()
	if len(names) != Count || names[0] != "available" || names[15] != "db15" {
		t.Fatal(names)
	}
	b := Encode(names)
	got, err := Decode(b)
	if err != nil || !slices.Equal(got, names) {
		t.Fatal(got, err)
	}
	for i := range b {
		if _, err := Decode(b[:i]); !errors.Is(err, ErrFormat) {
			t.Fatalf("%d bytes: %v", i, err)
		}
	}
	for _, bad := range [][]byte{append(slices.Clone(b), 0), Encode(nil), Encode([]string{"a", "a"}), Encode(append(Default(), "more")), Encode([]string{""}), {2, 1, 1, 'a'}, {1, 0x81, 0, 1, 'a'}} {
		if got, err := Decode(bad); !errors.Is(err, ErrFormat) {
			t.Errorf("%x: %q, %v", bad, got, err)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(Encode(Default()))
	f.Add(Encode([]string{"a"}))
	f.Fuzz(func(t *testing.T, b []byte) {
		names, err := Decode(b)
		if err != nil {
			return
		}
		if again := Encode(names); string(again) != string(b) {
			t.Fatalf("%x was decoded, and is encoded as %x", b, again)
		}
	})
}

// Reads and writes of one key allocate nothing.
func TestAllocations(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	s := open(t, vfs.NewMem(), Options{Bucket: replica.BucketConfig{Durability: lsm.None}})
	k := key(0, "k")
	put(t, s, k, "0123456789", exec.Info{ExpireAt: now + 1000})
	buf := make([]byte, 0, 1000)
	keys := []exec.Key{k, key(0, "l")}
	value := []byte("value")
	body := func(tx exec.Txn) error {
		if _, err := tx.Stat(1); err != nil {
			return err
		}
		return tx.Put(0, value, exec.Info{ExpireAt: now + 1000})
	}
	for name, do := range map[string]func() error{
		"get":    func() error { _, _, err := s.Get(buf, k, now); return err },
		"stat":   func() error { _, err := s.Stat(k, now); return err },
		"absent": func() error { _, _, err := s.Get(buf, keys[1], now); return err },
		"update": func() error { return s.Update(keys, now, body) },
	} {
		must(t, do())
		if n := testing.AllocsPerRun(500, func() { _ = do() }); n > 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

// A transaction says how much it keeps in memory of what was stored, whoever reads it.
func TestHeld(t *testing.T) {
	s := open(t, vfs.NewMem(), Options{})
	keys := []exec.Key{key(0, "got"), key(0, "asked"), key(0, "set"), key(0, "deleted"), key(0, "got"), key(0, "left")}
	const size = 10_000
	for _, k := range keys {
		put(t, s, k, strings.Repeat("v", size), exec.Info{})
	}
	must(t, s.Update(keys, now, func(tx exec.Txn) error {
		held := func(what string, values int, err error) {
			must(t, err)
			if n := tx.Held(); n < values*size || n > values*(size+200) {
				t.Errorf("%s: %d bytes are held, want about %d", what, n, values*size)
			}
		}
		held("nothing", 0, nil)
		_, _, err := tx.Get(nil, 0)
		held("Get", 1, err)
		_, err = tx.Stat(1)
		held("Stat", 2, err)
		held("Put", 3, tx.Put(2, []byte("new"), exec.Info{}))
		held("Delete", 4, tx.Delete(3))
		_, _, err = tx.Get(nil, 4)
		held("the same key", 4, err)
		tx.Forget(0)
		held("what was got is forgotten", 3, nil)
		tx.Forget(2)
		held("what was set is not", 3, nil)
		if v, _, err := tx.Get(nil, 0); err != nil || len(v) != size {
			t.Errorf("%d bytes are read again, %v", len(v), err)
		}
		held("and counted again", 4, nil)
		return nil
	}))
}

// While the bucket of a database is still to be made, a transaction reads nothing there,
// and no error: it would be logged.
func TestReadBeforeBucket(t *testing.T) {
	s := open(t, vfs.NewMem(), Options{})
	runs := 0
	must(t, s.Update([]exec.Key{key(5, "a")}, now, func(tx exec.Txn) error {
		runs++
		must(t, tx.Put(0, []byte("v"), exec.Info{}))
		v, info, err := tx.Get(nil, 0)
		must(t, err)
		if runs > 1 && (string(v) != "v" || !info.Exists) {
			t.Errorf("it does not see its own write: %q", v)
		}
		return nil
	}))
	want(t, s, key(5, "a"), now, "v", exec.Info{})
}
