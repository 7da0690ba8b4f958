package inspect

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ringwood-kv/ringwood/lsm"
	"github.com/ringwood-kv/ringwood/lsm/vfs"
)

// writer changes a store in every way until stop is closed: it writes, flushes,
// compacts, ingests, excises, and closes and opens the store.
func writer(fs vfs.FS, stop <-chan struct{}) (rounds int, err error) {
	rnd := rand.New(rand.NewPCG(1, 2))
	key := func() []byte { return fmt.Appendf(nil, "k%03d", rnd.IntN(1000)) }
	ingest := func(db *lsm.DB) error {
		w, err := lsm.NewTableWriter("/in", &lsm.Options{FS: fs})
		if err != nil {
			return err
		}
		k := key()
		return errors.Join(w.Put(k, []byte("v")), w.DeleteRange(k, append(k, '5')), w.Finish(), db.Ingest([]string{"/in"}), fs.Remove("/in"))
	}
	for {
		db, err := lsm.Open(dir, &lsm.Options{FS: fs, Memory: 8 << 20, Durability: lsm.Durability(rnd.IntN(3)), BlobThreshold: 200})
		if err != nil {
			return rounds, err
		}
		for range 20 {
			rounds++
			for range 20 {
				err = errors.Join(err, db.Put(key(), fmt.Appendf(nil, "%0300d", rounds)))
			}
			k := key()
			err = errors.Join(err, db.Delete(key()), db.DeleteRange(k, append(k, '5')))
			switch rnd.IntN(10) {
			case 0, 1, 2, 3:
				err = errors.Join(err, db.Flush())
			case 4:
				err = errors.Join(err, db.Compact(context.Background(), nil, nil))
			case 5:
				err = errors.Join(err, ingest(db))
			case 6:
				k := key()
				err = errors.Join(err, db.Excise(k, append(k, '5')))
			}
		}
		err = errors.Join(err, db.Close())
		select {
		case <-stop:
			return rounds, err
		default:
		}
		if err != nil {
			return rounds, err
		}
	}
}

// TestLive looks at a store again and again while it is written: it is whole, and
// nothing that is found says otherwise.
func TestLive(t *testing.T) {
	fs := vfs.NewMem()
	stop, done := make(chan struct{}), make(chan error)
	rounds := 0
	db, err := lsm.Open(dir, &lsm.Options{FS: fs})
	must(t, err)
	must(t, db.Close())
	go func() {
		var err error
		rounds, err = writer(fs, stop)
		done <- err
	}()
	end := time.Now().Add(500 * time.Millisecond)
	if testing.Short() {
		end = time.Now().Add(150 * time.Millisecond)
	}
	looks, busy := 0, 0
	for !t.Failed() && time.Now().Before(end) {
		looks++
		r, err := Check(fs, dir, nil)
		switch {
		case errors.Is(err, ErrBusy):
			busy++
		case err != nil || !r.OK():
			t.Errorf("Check: %v, %v", err, r)
		}
		s, err := Stats(fs, dir, nil)
		switch {
		case errors.Is(err, ErrBusy):
			busy++
		case err != nil || len(s.Findings) > 0:
			t.Errorf("Stats: %v, %v", err, s)
		}
		names, err := fs.List(dir)
		must(t, err)
		for _, n := range names {
			name := filepath.Join(dir, n)
			var err error
			switch {
			case strings.HasSuffix(n, ".log"):
				err = DumpLog(fs, name, nil, func(r *LogRecord) error { _ = r.String(); return nil })
			case strings.HasSuffix(n, ".sst"), strings.HasSuffix(n, ".blob"):
				err = DumpTable(fs, name, nil, func(r *TableRecord) error { _ = r.String(); return nil })
			case strings.HasPrefix(n, "MANIFEST"):
				err = DumpManifest(fs, name, nil, func(r *ManifestRecord) error { _ = r.String(); return nil })
			}
			if err != nil && !isNotExist(err) && !strings.Contains(err.Error(), "footer is lost") { // being written
				t.Errorf("dump: %v", err)
			}
		}
	}
	close(stop)
	must(t, <-done)
	t.Logf("%d looks, %d busy, beside %d rounds of writing", looks, busy, rounds)
	if busy > looks/10 {
		t.Errorf("%d of %d looks failed because the store was written", busy, looks)
	}
}

// stepped is a store that changes between the operations of whoever looks at it
// through its file system.
type stepped struct {
	*vfs.Fault
	mem *vfs.Mem
	db  *lsm.DB
	n   int // changes so far
}

func newStepped(t testing.TB, mem *vfs.Mem) *stepped {
	s := &stepped{Fault: vfs.NewFault(mem), mem: mem}
	var err error
	s.db, err = lsm.Open(dir, options(mem))
	must(t, err)
	return s
}

func (s *stepped) put(t testing.TB) {
	s.n++
	must(t, s.db.Put(fmt.Appendf(nil, "s%06d", s.n), make([]byte, 200)))
}

// changes are ways in which it changes.
var changes = []struct {
	name string
	make func(t testing.TB, s *stepped)
}{
	{"flush", func(t testing.TB, s *stepped) {
		s.put(t)
		must(t, s.db.Flush())
	}},
	{"compact", func(t testing.TB, s *stepped) {
		s.put(t)
		must(t, s.db.Compact(context.Background(), nil, nil))
	}},
	{"excise", func(t testing.TB, s *stepped) {
		s.put(t)
		must(t, s.db.Excise([]byte("s000000"), fmt.Appendf(nil, "s%06d", s.n-1)))
	}},
	{"ingest", func(t testing.TB, s *stepped) {
		s.put(t)
		w, err := lsm.NewTableWriter("/in", options(s.mem))
		must(t, err)
		must(t, errors.Join(w.Put(fmt.Appendf(nil, "s%06d", s.n), []byte("v")), w.Finish()))
		must(t, errors.Join(s.db.Ingest([]string{"/in"}), s.mem.Remove("/in")))
	}},
	{"open again", func(t testing.TB, s *stepped) {
		s.put(t)
		must(t, s.db.Close())
		var err error
		s.db, err = lsm.Open(dir, options(s.mem))
		must(t, err)
		s.put(t)
	}},
}

// TestLiveSteps changes the store before one operation of Check and Stats, or before
// some from there on, for many operations and every change.
func TestLiveSteps(t *testing.T) {
	step := 7
	if testing.Short() {
		step = 35
	}
	whole := small(t)
	for i, change := range changes {
		for n := i; ; n += step {
			hit := false
			for _, on := range []bool{false, true} {
				s := newStepped(t, whole.CrashClone(vfs.CrashOptions{Survive: 1}))
				at := 0
				s.SetHook(func(vfs.Op) error {
					if at == n || on && at > n && at < n+6 {
						hit = true
						change.make(t, s)
					}
					at++
					return nil
				})
				name := fmt.Sprintf("%s before operation %d (and after: %v)", change.name, n, on)
				if r, err := Check(s, dir, nil); err != nil || !r.OK() {
					t.Fatalf("%s: Check: %v, %v", name, err, r)
				}
				at = 0
				if st, err := Stats(s, dir, nil); err != nil || len(st.Findings) > 0 {
					t.Fatalf("%s: Stats: %v, %v", name, err, st)
				}
				must(t, s.db.Close())
			}
			if !hit {
				break
			}
		}
	}
}

// TestLiveBusy compacts tables away whenever one of them is about to be opened: that is
// no damage, and is said.
func TestLiveBusy(t *testing.T) {
	s := newStepped(t, small(t))
	s.SetHook(func(op vfs.Op) error {
		if op.Kind == vfs.OpOpen && strings.HasSuffix(op.Name, ".sst") {
			s.put(t)
			must(t, s.db.Compact(context.Background(), nil, nil))
		}
		return nil
	})
	if r, err := Check(s, dir, nil); !errors.Is(err, ErrBusy) || !strings.Contains(err.Error(), dir) {
		t.Errorf("Check: %v, %v", err, r)
	}
	if st, err := Stats(s, dir, nil); !errors.Is(err, ErrBusy) || !strings.Contains(err.Error(), dir) {
		t.Errorf("Stats: %v, %v", err, st)
	}
	must(t, s.db.Close())
}

// TestLiveDamage: damage in a store that never rests is found, and only that.
func TestLiveDamage(t *testing.T) {
	mem := small(t)
	name := files(t, mem, ".sst")[0]
	must(t, mem.Corrupt(name, 100, []byte("damage")))
	s := newStepped(t, mem)
	ops := 0
	s.SetHook(func(vfs.Op) error {
		if ops++; ops%8 == 0 { // a look at a value takes one, or two
			s.put(t)
		}
		if ops%80 == 0 {
			must(t, s.db.Flush())
		}
		return nil
	})
	r, err := Check(s, dir, nil)
	if err != nil || r.Damages() != 1 || !strings.Contains(r.String(), name) {
		t.Fatal(err, r)
	}
	must(t, s.db.Close())
}
