package lsm_test

import (
	"bytes"
	"fmt"
	"maps"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/ringwood-kv/ringwood/lsm"
	"github.com/ringwood-kv/ringwood/lsm/vfs"
)

// damageStore is a store that holds every kind of file and block, for tests that
// damage it, with what it must answer. Background work runs when told, so that it is
// the same each time.
type damageStore struct {
	fs     *vfs.Mem
	dir    string
	events []damageEvent
	older  []map[string][]byte // files as they were earlier
	seq    uint64              // of the last event
}

// damageEvent is a change of the store that happens entirely or not at all.
type damageEvent struct {
	first, last uint64 // sequence numbers
	outside     bool   // an ingest or excise: durable in the manifest
	ops         []damageOp
}

type damageOp struct {
	kind       byte // 'p'ut, 'd'elete, 'r'ange delete
	key, value string
}

const damageDir = "/db"

var damageTime = time.Unix(1_700_000_000, 0)

func damageOptions(fs vfs.FS) *lsm.Options {
	return &lsm.Options{
		FS: fs, Executor: lsm.NewStepper(), Clock: func() time.Time { return damageTime }, Seed: 1, Memory: 8 << 20,
		Durability: lsm.OS, BlockSize: 1 << 10, Compression: []lsm.Compression{lsm.NoCompression, lsm.Snappy},
		BlobThreshold: 270, // about half of the values
	}
}

var damageShape = lsm.Shape{Memtable: 32 << 10, Table: 6 << 10, BaseLevel: 4 << 10, Fanout: 3, Sealed: 4, BlobFile: 32 << 10}

// apply returns what the store holds after the events for which keep says so.
func (d *damageStore) apply(keep func(damageEvent) bool) map[string]string {
	m := make(map[string]string)
	for _, e := range d.events {
		if !keep(e) {
			continue
		}
		for _, o := range e.ops {
			switch o.kind {
			case 'p':
				m[o.key] = o.value
			case 'd':
				delete(m, o.key)
			case 'r':
				maps.DeleteFunc(m, func(k, _ string) bool { return k >= o.key && k < o.value })
			}
		}
	}
	return m
}

// damageMaker writes a damageStore.
type damageMaker struct {
	t testing.TB
	*damageStore
	db *lsm.DB
	o  *lsm.Options
	r  *rand.Rand
}

func (m *damageMaker) event(outside bool, ops ...damageOp) {
	e := damageEvent{first: m.seq + 1, outside: outside, ops: ops}
	m.seq += uint64(len(ops))
	if outside {
		m.seq = e.first
	}
	e.last = m.seq
	m.events = append(m.events, e)
}

func damageKey(i int) string { return fmt.Sprintf("key%05d", i) }

// value is half compressible.
func (m *damageMaker) value(i int) string {
	b := make([]byte, 120+m.r.IntN(120))
	for j := range b {
		b[j] = byte('a' + m.r.IntN(16))
	}
	return fmt.Sprintf("%d:%s%s", i, b, bytes.Repeat([]byte("x"), len(b)/2))
}

// commit writes one batch of n operations.
func (m *damageMaker) commit(n int, d lsm.Durability) {
	b := m.db.NewBatch()
	var ops []damageOp
	for range n {
		k := damageKey(m.r.IntN(damageKeys))
		switch x := m.r.IntN(100); {
		case x < 8:
			must(m.t, b.Delete([]byte(k)))
			ops = append(ops, damageOp{'d', k, ""})
		case x < 10:
			end := damageKey(m.r.IntN(damageKeys))
			if end <= k || end > k[:len(k)-1]+"~" {
				end = k + "~"
			}
			must(m.t, b.DeleteRange([]byte(k), []byte(end)))
			ops = append(ops, damageOp{'r', k, end})
		case x < 16: // expired: hides what is older
			must(m.t, b.PutTTL([]byte(k), []byte("gone"), -1))
			ops = append(ops, damageOp{'d', k, ""})
		case x < 24:
			v := m.value(m.r.IntN(100))
			must(m.t, b.PutTTL([]byte(k), []byte(v), time.Hour))
			ops = append(ops, damageOp{'p', k, v})
		default:
			v := m.value(m.r.IntN(100))
			must(m.t, b.Put([]byte(k), []byte(v)))
			ops = append(ops, damageOp{'p', k, v})
		}
	}
	must(m.t, b.Commit(d))
	m.event(false, ops...)
}

const damageKeys = 900

func (m *damageMaker) step() { m.o.Executor.(*lsm.Stepper).Run() }

func (m *damageMaker) ingest(from int) {
	path := "/external.sst"
	w, err := lsm.NewTableWriterID(path, m.o, m.r.Uint64()|1)
	must(m.t, err)
	var ops []damageOp
	start, end := damageKey(from+40), damageKey(from+60)
	must(m.t, w.DeleteRange([]byte(start), []byte(end)))
	ops = append(ops, damageOp{'r', start, end})
	for i := range 40 {
		k, v := damageKey(from+i), m.value(i)
		if i%10 == 3 {
			must(m.t, w.Delete([]byte(k)))
			ops = append(ops, damageOp{'d', k, ""})
			continue
		}
		must(m.t, w.Put([]byte(k), []byte(v)))
		ops = append(ops, damageOp{'p', k, v})
	}
	must(m.t, w.Finish())
	must(m.t, m.db.Ingest([]string{path}))
	must(m.t, m.fs.Remove(path))
	m.event(true, ops...)
}

func (m *damageMaker) excise(from, to int) {
	start, end := damageKey(from), damageKey(to)
	must(m.t, m.db.Excise([]byte(start), []byte(end)))
	m.event(true, damageOp{'r', start, end})
}

// keepOlder remembers the files as they are now.
func (m *damageMaker) keepOlder() { m.older = append(m.older, filesOf(m.t, m.fs, m.dir)) }

// makeDamageStore writes the store. A crashed one has two logs whose commits are in no
// table, and a tail that was never synced.
func makeDamageStore(t testing.TB, crashed bool) *damageStore {
	return makeDamageStoreOf(t, crashed, 115)
}

func makeDamageStoreOf(t testing.TB, crashed bool, rounds int) *damageStore {
	t.Helper()
	d := &damageStore{fs: vfs.NewMem(), dir: damageDir}
	m := &damageMaker{t: t, damageStore: d, o: damageOptions(d.fs), r: rand.New(rand.NewPCG(7, 7))}
	var err error
	m.db, err = lsm.OpenShaped(d.dir, m.o, damageShape)
	must(t, err)
	for range rounds {
		m.commit(12, lsm.OS)
		m.step()
	}
	snap := m.db.NewSnapshot() // keeps old versions and tombstones alive
	for range rounds * 2 / 5 {
		m.commit(12, lsm.OS)
		m.step()
	}
	must(t, lsm.RollManifest(m.db)) // so that the manifest is small, with edits in it
	m.keepOlder()
	m.excise(200, 215)
	m.ingest(300)
	m.excise(310, 312)
	m.commit(5, lsm.Sync)
	m.keepOlder()
	must(t, m.db.Flush())
	for range 3 {
		m.commit(12, lsm.OS)
	}
	must(t, m.db.Flush())
	m.step()
	m.ingest(500)
	m.commit(12, lsm.OS)
	must(t, m.db.Flush())
	m.keepOlder()
	if n := lsm.Levels(m.db); rounds >= 30 && (n[0] == 0 || n[5] == 0 || n[6] == 0) {
		t.Fatalf("the store has too few levels: %v", n)
	}
	for i := range 12 { // rotates: more than one log is live
		d := lsm.OS
		if i%4 == 1 {
			d = lsm.Sync
		}
		m.commit(10, d)
	}
	if !crashed {
		snap.Close()
		must(t, m.db.Close())
	}
	d.fs = d.fs.CrashClone(vfs.CrashOptions{Survive: 1})
	if crashed {
		snap.Close()
		_ = m.db.Close()
	}
	return d
}

// filesOf returns the contents of the files in dir, LOCK left out.
func filesOf(t testing.TB, fs vfs.FS, dir string) map[string][]byte {
	t.Helper()
	names, err := fs.List(dir)
	must(t, err)
	files := make(map[string][]byte)
	for _, name := range names {
		if name == "LOCK" {
			continue
		}
		f, err := fs.Open(filepath.Join(dir, name))
		must(t, err)
		n, err := f.Size()
		must(t, err)
		b := make([]byte, n)
		if n > 0 {
			if k, err := f.ReadAt(b, 0); int64(k) < n {
				t.Fatal(err)
			}
		}
		must(t, f.Close())
		files[name] = b
	}
	return files
}

// putFile replaces a file.
func putFile(t testing.TB, fs vfs.FS, name string, b []byte) {
	t.Helper()
	f, err := fs.Create(name)
	must(t, err)
	if len(b) > 0 {
		_, err = f.WriteAt(b, 0)
		must(t, err)
	}
	must(t, f.Close())
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
