package lsm_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ringwood-kv/ringwood/lsm"
	"github.com/ringwood-kv/ringwood/lsm/vfs"
)

// blobStore is a store with large values, in memory.
func blobStore(t *testing.T, fs vfs.FS, o lsm.Options) *lsm.DB {
	t.Helper()
	o.FS, o.Seed, o.Durability = fs, 1, lsm.None
	if o.Executor == nil {
		o.Executor = lsm.NewStepper()
	}
	db, err := lsm.OpenShaped(storeDir, &o, lsm.Shape{Memtable: 512 << 10, BlobFile: 256 << 10})
	must(t, err)
	return db
}

func blobKey(i int) []byte { return fmt.Appendf(nil, "key%06d", i) }

// blobValue is half compressible, and of no other key and round.
func blobValue(i, round, n int) []byte {
	r := rand.New(rand.NewPCG(uint64(i), uint64(round)))
	v := make([]byte, n)
	for j := range v[:n/2] {
		v[j] = byte(r.Uint32())
	}
	return append(fmt.Appendf(nil, "%d/%d:", i, round), v...)
}

func countFiles(t *testing.T, fs vfs.FS, dir, suffix string) (n int) {
	t.Helper()
	names, err := fs.List(dir)
	must(t, err)
	for _, name := range names {
		if strings.HasSuffix(name, suffix) {
			n++
		}
	}
	return n
}

func settle(t *testing.T, db *lsm.DB) {
	t.Helper()
	must(t, db.Flush())
	must(t, db.WaitIdle(context.Background()))
}

// Large values are written once, log aside, whatever compactions there are.
func TestBlobsAreWrittenOnce(t *testing.T) {
	fs := vfs.NewMem()
	db := blobStore(t, fs, lsm.Options{})
	const n, size = 600, 16 << 10
	for _, i := range rand.New(rand.NewPCG(1, 1)).Perm(n) {
		must(t, db.Put(blobKey(i), blobValue(i, 0, size)))
	}
	settle(t, db)
	must(t, db.Compact(context.Background(), nil, nil))
	m := db.Metrics()
	if w := m.WriteAmplification(); w > 1.7 || w < 1.4 {
		t.Errorf("%.2f bytes written for a byte", w)
	}
	if m.Blobs.Files < 10 || m.Blobs.LiveBytes < n*size/2 || m.Blobs.Bytes > n*size*6/10 || m.TableBytes() > n*60+40<<10 {
		t.Errorf("%+v, tables of %d bytes", m.Blobs, m.TableBytes())
	}
	for i := range n {
		v, err := db.Get(blobKey(i))
		must(t, err)
		if !bytes.Equal(v, blobValue(i, 0, size)) {
			t.Fatalf("%s has another value", blobKey(i))
		}
	}
	must(t, db.Verify(context.Background()))
	must(t, db.Close())
}

// What is replaced or deleted gives its space back, and what is not stays readable for
// every snapshot.
func TestBlobsAreCollected(t *testing.T) {
	fs := vfs.NewMem()
	db := blobStore(t, fs, lsm.Options{})
	const n, size = 300, 8 << 10
	round := make([]int, n)
	put := func(i, r int) {
		round[i] = r
		must(t, db.Put(blobKey(i), blobValue(i, r, size)))
	}
	for i := range n {
		put(i, 0)
	}
	snap := db.NewSnapshot()
	rng := rand.New(rand.NewPCG(1, 1))
	for r := 1; r <= 3000; r++ {
		put(rng.IntN(n), r)
	}
	check := func(get func([]byte) ([]byte, error), round func(int) int) {
		t.Helper()
		for i := range n {
			v, err := get(blobKey(i))
			must(t, err)
			if !bytes.Equal(v, blobValue(i, round(i), size)) {
				t.Fatalf("%s is not of round %d", blobKey(i), round(i))
			}
		}
	}
	check(snap.Get, func(int) int { return 0 })
	check(db.Get, func(i int) int { return round[i] })
	snap.Close()
	settle(t, db)
	m := db.Metrics()
	if share := float64(m.Blobs.Bytes) / float64(m.Blobs.LiveBytes); share > 1.4 {
		t.Errorf("at rest blob files have %.2f times the bytes that are needed: %+v", share, m.Blobs)
	}
	t.Logf("%.2f bytes written for a byte, %+v", m.WriteAmplification(), m.Blobs)
	if w := m.WriteAmplification(); w > 3 {
		t.Errorf("%.2f bytes written for a byte", w)
	}
	must(t, db.Compact(context.Background(), nil, nil))
	m = db.Metrics()
	if share := float64(m.Blobs.Bytes) / float64(m.Blobs.LiveBytes); share > 1.1 {
		t.Errorf("compacted, blob files have %.2f times the bytes that are needed: %+v", share, m.Blobs)
	}
	if files := countFiles(t, fs, storeDir, ".blob"); files != int(m.Blobs.Files) {
		t.Errorf("%d blob files on disk, %d in the store", files, m.Blobs.Files)
	}
	check(db.Get, func(i int) int { return round[i] })
	must(t, db.Verify(context.Background()))
	must(t, db.DeleteRange(nil, nil))
	must(t, db.Compact(context.Background(), nil, nil))
	if files := countFiles(t, fs, storeDir, ".blob"); files != 0 {
		t.Errorf("%d blob files after everything was deleted", files)
	}
	must(t, db.Close())
}

// All ways to read, with values on both sides of the threshold, with and without expiry.
func TestBlobsReadAllWays(t *testing.T) {
	fs := vfs.NewMem()
	now := time.Unix(1000, 0)
	o := lsm.Options{BlobThreshold: 100, Clock: func() time.Time { return now }}
	db := blobStore(t, fs, o)
	want := make(map[string]string)
	const n = 300
	for i := range n {
		v := blobValue(i, 0, []int{0, 92, 93, 99, 100, 101, 5000, 300_000}[i%8])
		if i%3 == 0 {
			must(t, db.PutTTL(blobKey(i), v, time.Duration(1+i%2)*time.Hour))
		} else {
			must(t, db.Put(blobKey(i), v))
		}
		if i%3 != 0 || i%2 == 1 {
			want[string(blobKey(i))] = string(v)
		}
		if i%100 == 99 {
			must(t, db.Flush())
		}
	}
	now = now.Add(90 * time.Minute)
	check := func(db *lsm.DB) {
		t.Helper()
		for _, back := range []bool{false, true} {
			for _, keysOnly := range []bool{false, true} {
				it, err := db.NewIter(&lsm.IterOptions{KeysOnly: keysOnly})
				must(t, err)
				seen := 0
				first, next := it.First, it.Next
				if back {
					first, next = it.Last, it.Prev
				}
				for first(); it.Valid(); next() {
					v, ok := want[string(it.Key())]
					if !ok || !keysOnly && v != string(it.Value()) || keysOnly && it.Value() != nil {
						t.Fatalf("%s: another value, or one at all", it.Key())
					}
					seen++
				}
				must(t, it.Close())
				if seen != len(want) {
					t.Fatalf("%d of %d keys", seen, len(want))
				}
			}
		}
		var keys [][]byte
		for i := range n {
			keys = append(keys, blobKey(i))
		}
		values, err := db.MultiGet(keys)
		must(t, err)
		for i, k := range keys {
			v, ok := want[string(k)]
			if ok != (values[i] != nil) || v != string(values[i]) {
				t.Fatalf("%s: another value", k)
			}
			if has, err := db.Has(k); err != nil || has != ok {
				t.Fatal(has, err)
			}
		}
	}
	check(db)
	settle(t, db)
	check(db)
	must(t, db.Checkpoint("/a/copy"))
	must(t, db.Close())
	// The threshold may be another one each time, and values follow.
	for _, o.BlobThreshold = range []int{-1, 32, 4000, -1} {
		o.Executor = nil
		db = blobStore(t, fs, o)
		check(db)
		must(t, db.Put([]byte("x"), nil))
		must(t, db.Delete([]byte("x")))
		must(t, db.Compact(context.Background(), nil, nil))
		check(db)
		must(t, db.Verify(context.Background()))
		must(t, db.Close())
	}
	o.FS, o.ReadOnly = fs, true
	for _, dir := range []string{storeDir, "/a/copy"} {
		db, err := lsm.Open(dir, &o)
		must(t, err)
		check(db)
		must(t, db.Verify(context.Background()))
		must(t, db.Close())
	}
}

// A value that is damaged is an error that names file, offset and key; others are not
// concerned, merges go on, and excising the key mends the store.
func TestBlobDamage(t *testing.T) {
	fs := vfs.NewMem()
	db := blobStore(t, fs, lsm.Options{})
	const n, size = 60, 8 << 10
	for i := range n {
		must(t, db.Put(blobKey(i), blobValue(i, 0, size)))
	}
	settle(t, db)
	must(t, db.Close())
	for name, b := range filesOf(t, fs, storeDir) {
		if strings.HasSuffix(name, ".blob") && len(b) > 50000 {
			copy(b[10000:], "damage")
			putFile(t, fs, filepath.Join(storeDir, name), b)
			break
		}
	}
	db = blobStore(t, fs, lsm.Options{})
	var bad [][]byte
	for i := range n {
		v, err := db.Get(blobKey(i))
		var ce *lsm.CorruptionError
		switch {
		case errors.As(err, &ce):
			if !strings.HasSuffix(ce.File, ".blob") || ce.Offset <= 0 || !bytes.Equal(ce.Lower, blobKey(i)) || !bytes.Equal(ce.Upper, blobKey(i)) || v != nil {
				t.Error(err)
			}
			bad = append(bad, blobKey(i))
		case err != nil || !bytes.Equal(v, blobValue(i, 0, size)):
			t.Fatal(err)
		}
	}
	if len(bad) != 1 {
		t.Fatalf("%d values are damaged", len(bad))
	}
	var ce *lsm.CorruptionError
	if err := db.Verify(context.Background()); !errors.As(err, &ce) || !bytes.Equal(ce.Lower, bad[0]) {
		t.Error(err)
	}
	it, err := db.NewIter(nil)
	must(t, err)
	seen := 0
	for range it.All() {
		seen++
	}
	if it.Err() == nil || it.Valid() || seen >= n {
		t.Error("a walk over the damage has no error")
	}
	_ = it.Close()
	// Garbage around it: the others move, and what cannot stays, without an end of merges.
	for i := range n {
		if i%4 != 0 && !bytes.Equal(blobKey(i), bad[0]) {
			must(t, db.Put(blobKey(i), blobValue(i, 1, size)))
		}
	}
	must(t, db.Flush())
	_ = db.WaitIdle(context.Background())
	if _, err := db.Get(bad[0]); !errors.Is(err, lsm.ErrCorruption) {
		t.Error(err)
	}
	must(t, db.Excise(bad[0], append(bytes.Clone(bad[0]), 0)))
	must(t, db.Verify(context.Background()))
	must(t, db.Close())
}

// A blob file that the disk does not read for now is left alone for a while, however often
// somebody waits; the others are collected.
func TestUnreadableBlobFileIsSpared(t *testing.T) {
	now := time.Unix(1000, 0)
	mem := vfs.NewMem()
	fs := vfs.NewFault(mem)
	db := blobStore(t, fs, lsm.Options{Clock: func() time.Time { return now }})
	const n, size = 300, 8 << 10
	for i := range n {
		must(t, db.Put(blobKey(i), blobValue(i, 0, size)))
	}
	settle(t, db)
	var victim string
	for name := range filesOf(t, mem, storeDir) {
		if strings.HasSuffix(name, ".blob") && (victim == "" || name < victim) {
			victim = name
		}
	}
	for i := range n {
		if i%3 > 0 {
			must(t, db.Put(blobKey(i), blobValue(i, 1, size)))
		}
	}
	must(t, db.Close())
	db = blobStore(t, fs, lsm.Options{Clock: func() time.Time { return now }})
	fs.SetHook(ends(vfs.OpOpen, victim, syscall.EMFILE))
	there := func() bool {
		t.Helper()
		names, err := fs.List(storeDir)
		must(t, err)
		return slices.Contains(names, victim)
	}
	settle(t, db)
	settle(t, db)
	must(t, db.Compact(context.Background(), nil, nil))
	m := db.Metrics()
	if m.BackgroundErrors != 1 || !there() {
		t.Errorf("%d failures", m.BackgroundErrors)
	}
	if share := float64(m.Blobs.Bytes) / float64(m.Blobs.LiveBytes); share > 1.2 {
		t.Errorf("blob files have %.2f times the bytes that are needed: %+v", share, m.Blobs)
	}
	now = now.Add(time.Minute)
	if err := db.Compact(context.Background(), nil, nil); !errors.Is(err, syscall.EMFILE) {
		t.Errorf("tried again: %v", err)
	}
	now = now.Add(time.Minute)
	must(t, db.Compact(context.Background(), nil, nil)) // twice as long
	fs.SetHook(nil)
	now = now.Add(time.Minute)
	must(t, db.Compact(context.Background(), nil, nil))
	if there() {
		t.Error("what can be read again was not collected")
	}
	for i := range n {
		v, err := db.Get(blobKey(i))
		must(t, err)
		if !bytes.Equal(v, blobValue(i, min(i%3, 1), size)) {
			t.Fatalf("%s has another value", blobKey(i))
		}
	}
	must(t, db.Close())
}

// What an excise leaves of a table, and of what it needs of blob files, is estimated by
// the table's index.
func TestExciseEstimates(t *testing.T) {
	db := blobStore(t, vfs.NewMem(), lsm.Options{BlobThreshold: 100})
	const n = 6000
	for i := range n {
		must(t, db.Put(blobKey(i), blobValue(i, 0, 150)))
	}
	must(t, db.Compact(context.Background(), nil, nil))
	m := db.Metrics()
	blobs, tables := m.Blobs.LiveBytes, m.TableBytes()
	check := func(left float64) {
		t.Helper()
		m := db.Metrics()
		b, s := float64(m.Blobs.LiveBytes)/float64(blobs), float64(m.TableBytes())/float64(tables)
		if b < left-0.05 || b > left+0.05 || s < left-0.05 || s > left+0.05 {
			t.Errorf("of values %.2f are left, and %.2f of tables, not %.2f", b, s, left)
		}
	}
	check(1)
	excise := func(from, to int) { t.Helper(); must(t, db.Excise(blobKey(from), blobKey(to))) }
	excise(3000, 3001)
	check(1)
	excise(1000, 1001) // of what was cut before
	excise(4000, 4001)
	check(1)
	excise(0, 600)
	check(0.9)
	excise(2000, 3600)
	check(0.9 - 1.6/6)
	must(t, db.Excise(blobKey(4800), nil))
	check(0.9 - 2.8/6)
	must(t, db.Verify(context.Background()))
	must(t, db.Close())
}

// TestReadOnlyOpenBesideRemoval: a file that its store had removed since it was opened
// failed the read-only open, which holds it.
func TestReadOnlyOpenBesideRemoval(t *testing.T) {
	mem := vfs.NewMem()
	db := blobStore(t, mem, lsm.Options{})
	const n = 10
	for i := range n {
		must(t, db.Put(blobKey(i), blobValue(i, 0, 8<<10)))
	}
	must(t, db.Flush())
	must(t, db.Close())
	fs := vfs.NewFault(mem)
	opened := make(map[string]bool)
	fs.SetHook(func(op vfs.Op) error {
		switch ext := filepath.Ext(op.Name); {
		case ext != ".sst" && ext != ".blob":
		case op.Kind == vfs.OpOpen:
			opened[op.Name] = true
		case op.Kind == vfs.OpStat && opened[op.Name]:
			_ = mem.Remove(op.Name)
		}
		return nil
	})
	db, err := lsm.Open(storeDir, &lsm.Options{FS: fs, ReadOnly: true})
	must(t, err)
	if countFiles(t, mem, storeDir, ".blob")+countFiles(t, mem, storeDir, ".sst") > 0 || len(opened) < 2 {
		t.Errorf("of %d files some are still there", len(opened))
	}
	for i := range n {
		v, err := db.Get(blobKey(i))
		must(t, err)
		if !bytes.Equal(v, blobValue(i, 0, 8<<10)) {
			t.Fatalf("%s has another value", blobKey(i))
		}
	}
	must(t, db.Close())
}

// First and Last are seeks too: what they read stays in the cache, however far the walk
// before them went.
func TestFirstAndLastCacheBlobs(t *testing.T) {
	fs := vfs.NewFault(vfs.NewMem())
	db := blobStore(t, fs, lsm.Options{})
	defer db.Close()
	const n = 40
	for i := range n {
		must(t, db.Put(blobKey(i), blobValue(i, 0, 16<<10)))
	}
	settle(t, db)
	reads := 0
	fs.SetHook(func(op vfs.Op) error {
		if op.Kind == vfs.OpRead && strings.HasSuffix(op.Name, ".blob") {
			reads++
		}
		return nil
	})
	it, err := db.NewIter(nil)
	must(t, err)
	defer it.Close()
	again := func(what string, move func() bool) {
		t.Helper()
		for range 3 { // the cache may want to be asked more than once
			move()
		}
		reads = 0
		if !move() || reads > 0 {
			t.Errorf("%s: %d reads, %v", what, reads, it.Err())
		}
	}
	for it.SeekGE(blobKey(10)); it.Valid() && string(it.Key()) < string(blobKey(20)); it.Next() {
	}
	again("Last", it.Last)
	for it.SeekGE(blobKey(10)); it.Valid() && string(it.Key()) < string(blobKey(20)); it.Next() {
	}
	if reads == 0 {
		t.Error("the walk read nothing")
	}
	again("First", it.First)
}
