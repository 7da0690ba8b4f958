package lsm_test

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"iter"
	"math/rand/v2"
	"path/filepath"
	"runtime/debug"
	"runtime/metrics"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ringwood-kv/ringwood/lsm"
	"github.com/ringwood-kv/ringwood/lsm/inspect"
	"github.com/ringwood-kv/ringwood/lsm/internal/base"
	"github.com/ringwood-kv/ringwood/lsm/internal/batch"
	"github.com/ringwood-kv/ringwood/lsm/internal/manifest"
	"github.com/ringwood-kv/ringwood/lsm/internal/wal"
	"github.com/ringwood-kv/ringwood/lsm/vfs"
)

// The corruption tests damage a store in every way and ask it everything: each answer
// must be right, or an error that is ErrCorruption. The full run, every bit and every
// length of every file, is
//
//	go test -run 'TestCorruption$' -v -timeout 0 . -corrupt.all
//
// and half of it, for two processes at a time, with -corrupt.part=1/2 or 2/2.
var (
	corruptAll  = flag.Bool("corrupt.all", false, "damage every bit and every length, in place of a sample")
	corruptSeed = flag.Uint64("corrupt.seed", 1, "chooses the sample")
	corruptPart = flag.String("corrupt.part", "1/1", "i/n: do the i-th of n parts")
)

// damage is one way to damage a store.
type damage struct {
	what string
	file string
	lo   int64 // the bytes from lo to hi are no longer what they were; hi -1 is the end
	hi   int64
	do   func(t testing.TB, fs *vfs.Mem)
}

func (d damage) String() string { return d.file + ": " + d.what }

// rotten is a store to be damaged with what it must answer.
type rotten struct {
	*damageStore
	closed  bool
	files   map[string][]byte
	names   []string
	logs    map[string][]rottenFrame
	want    map[string]string
	keys    []string // all that were ever there, and some that never were
	salvage int      // 1 in so many cases is salvaged too
}

type rottenFrame struct {
	off, end, mark int64
	seq            uint64
	commit         bool
}

func newRotten(t testing.TB, crashed bool) *rotten {
	r := rottenOf(t, makeDamageStore(t, crashed), crashed)
	total := 0
	for _, b := range r.files {
		total += len(b)
	}
	if total < 256<<10 {
		t.Fatalf("the store has %d bytes only", total)
	}
	r.mustHaveAll(t)
	r.addLogsDir(t)
	t.Logf("closed %v: %d bytes in %d files, %d keys, logs %v", r.closed, total, len(r.files), len(r.want), sortedKeys(r.logs))
	return r
}

func rottenOf(t testing.TB, d *damageStore, crashed bool) *rotten {
	r := &rotten{damageStore: d, closed: !crashed, logs: make(map[string][]rottenFrame)}
	r.files = filesOf(t, r.fs, r.dir)
	r.names = sortedKeys(r.files)
	for _, name := range r.names {
		if kind, num, ok := manifest.ParseName(name); ok && kind == manifest.FileLog {
			r.logs[name] = r.frames(t, name, num)
		}
	}
	r.want = r.apply(func(damageEvent) bool { return true })
	for i := range damageKeys + 50 {
		r.keys = append(r.keys, damageKey(i), damageKey(i)+"\x00")
	}
	r.keys = append(r.keys, "", "zzz")
	return r
}

func (r *rotten) frames(t testing.TB, name string, num base.FileNum) (frames []rottenFrame) {
	b := r.files[name]
	var first base.SeqNum
	_, err := wal.ScanFrames(bytes.NewReader(b), int64(len(b)), name, wal.KindLog, num, wal.ScanOptions{}, func(f *wal.Frame) error {
		x := rottenFrame{off: f.Offset, end: f.Offset + f.Len, mark: f.Mark}
		switch {
		case f.Type == wal.TypeHeader:
			first = base.SeqNum(f.Base)
		case f.Type != wal.TypeEnd && len(f.Payload) > 0:
			g, err := batch.Decode(f.Payload, first)
			must(t, err)
			x.seq, x.commit = uint64(g.Seq), g.Count > 0
		}
		frames = append(frames, x)
		return nil
	})
	must(t, err)
	return frames
}

// allowed returns what the store may answer in place of everything: after a crash, the
// commits before a damaged part of a log that no mark behind it covers. nil: nothing.
func (r *rotten) allowed(d damage) map[string]string {
	frames := r.logs[d.file]
	if r.closed || frames == nil {
		return nil
	}
	hi := d.hi
	if hi < 0 {
		hi = 1 << 62
	}
	at, lost := -1, uint64(0)
	for i, f := range frames {
		bad := f.off < hi && f.end > d.lo
		if bad && at < 0 {
			at = i
		}
		if at >= 0 && lost == 0 && f.commit {
			lost = f.seq
		}
		if at >= 0 && !bad && f.mark > frames[at].off {
			return nil
		}
	}
	if at < 0 {
		return nil
	}
	// The log ends here; what follows in later logs is dropped too.
	for _, name := range sortedKeys(r.logs) {
		if name > d.file {
			for _, f := range r.logs[name] {
				if f.mark > 0 {
					return nil // says that this log was whole
				}
				if lost == 0 && f.commit {
					lost = f.seq
				}
			}
		}
	}
	if lost == 0 {
		return nil
	}
	return r.apply(func(e damageEvent) bool { return e.outside || e.last < lost })
}

// guard runs one case, which must not panic or hang.
func guard(t *testing.T, d damage, do func()) {
	defer func() {
		if p := recover(); p != nil {
			t.Fatalf("%v: panic: %v\n%s", d, p, debug.Stack())
		}
	}()
	watch := time.AfterFunc(30*time.Second, func() { panic("hangs: " + d.String()) })
	defer watch.Stop()
	do()
	if t.Failed() {
		t.FailNow()
	}
}

// lean runs what must not take much memory.
func lean(t *testing.T, d damage, do func()) {
	before := allocated()
	do()
	if a := allocated() - before; a > 64<<20 {
		t.Errorf("%v: %d bytes were allocated", d, a)
	}
}

// findings notes whether anything was found, which must be a corruption.
type findings struct {
	t   *testing.T
	d   damage
	bad bool
}

func (f *findings) seen(what string, err error) {
	f.bad = true
	if !errors.Is(err, lsm.ErrCorruption) {
		f.t.Errorf("%v: %s: not a corruption: %v", f.d, what, err)
	}
}

// check damages a copy of the store and asks it everything.
func (r *rotten) check(t *testing.T, d damage, n int) {
	guard(t, d, func() {
		fs := r.fs.CrashClone(vfs.CrashOptions{Survive: 1})
		d.do(t, fs)
		found := findings{t: t, d: d}
		lean(t, d, func() { r.ask(t, d, fs.CrashClone(vfs.CrashOptions{Survive: 1}), n%2 == 1, true, found.seen) })
		report, err := inspect.Check(fs, r.dir, nil)
		r.compare(t, d, &found, report, err)
		if r.salvage > 0 && n%r.salvage == 0 {
			r.checkSalvage(t, d, fs)
		}
	})
}

// compare holds what inspect.Check says against what was found.
func (r *rotten) compare(t *testing.T, d damage, found *findings, report *inspect.Report, err error) {
	switch {
	case err != nil:
		t.Errorf("%v: Check: %v", d, err)
	case found.bad && report.OK():
		t.Errorf("%v: Check does not find what reading found", d)
	case r.closed && report.OK() && !r.harmless(d):
		t.Errorf("%v: Check does not find it", d)
	}
}

// harmless says that a closed store may be taken for whole: an older CURRENT that
// names the same manifest says less, and nothing wrong.
func (r *rotten) harmless(d damage) bool {
	return d.file == "CURRENT" && strings.HasPrefix(d.what, "older copy") || d.file == "LOCK"
}

// ask opens the store and reads everything in all ways; if work, before and after
// background work, and verifies it.
func (r *rotten) ask(t *testing.T, d damage, fs *vfs.Mem, readOnly, work bool, seen func(string, error)) {
	o := damageOptions(fs)
	o.ReadOnly, o.MustExist = readOnly, true
	db, err := lsm.OpenShaped(r.dir, o, damageShape)
	if err != nil {
		seen("open", err)
		return
	}
	defer db.Close()
	want := r.want
	if less := r.allowed(d); less != nil {
		if r.holds(db, less) {
			want = less
		}
	}
	r.read(t, d, db, want, seen)
	if !work {
		return
	}
	if !readOnly {
		// Compactions meet the damage too, and must not make it worse.
		step := o.Executor.(*lsm.Stepper)
		for n := 0; step.Step(); n++ {
			if n == 500 {
				t.Fatalf("%v: background work without end", d)
			}
		}
		r.read(t, d, db, want, seen)
	}
	if err := db.Verify(context.Background()); err != nil {
		seen("verify", err)
	}
}

// holds reports whether an iterator shows exactly want, or fails.
func (r *rotten) holds(db *lsm.DB, want map[string]string) bool {
	it, err := db.NewIter(nil)
	if err != nil {
		return false
	}
	defer it.Close()
	n := 0
	for it.First(); it.Valid(); it.Next() {
		if v, ok := want[string(it.Key())]; !ok || v != string(it.Value()) {
			return false
		}
		n++
	}
	return it.Err() != nil || n == len(want)
}

func (r *rotten) read(t *testing.T, d damage, db *lsm.DB, want map[string]string, seen func(string, error)) {
	readAll(t, d, db, nil, want, sortedKeys(want), r.keys, seen)
}

// readAll walks the keys within o, which must be keys, and gets each of gets.
func readAll(t *testing.T, d damage, db *lsm.DB, o *lsm.IterOptions, want map[string]string, keys, gets []string, seen func(string, error)) {
	it, err := db.NewIter(o)
	if err != nil {
		seen("iterator", err)
		return
	}
	defer it.Close()
	walk := func(how string, first, next func() bool, key func(i int) string) {
		i := 0
		for ok := first(); ok; ok = next() {
			if i >= len(keys) || string(it.Key()) != key(i) || string(it.Value()) != want[key(i)] {
				t.Fatalf("%v: %s: key %q at place %d of %d", d, how, it.Key(), i, len(keys))
			}
			i++
		}
		if err := it.Err(); err != nil {
			seen(how, err)
		} else if i != len(keys) {
			t.Fatalf("%v: %s: %d keys of %d", d, how, i, len(keys))
		}
	}
	walk("forwards", it.First, it.Next, func(i int) string { return keys[i] })
	walk("backwards", it.Last, it.Prev, func(i int) string { return keys[len(keys)-1-i] })
	for _, k := range gets {
		v, err := db.Get([]byte(k))
		w, there := want[k]
		switch {
		case errors.Is(err, lsm.ErrNotFound):
			if there {
				t.Fatalf("%v: Get(%q): silently missing", d, k)
			}
		case err != nil:
			seen("get", err)
		case !there || w != string(v):
			t.Fatalf("%v: Get(%q) is wrong", d, k)
		}
	}
}

var allocSample = []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}

func allocated() uint64 {
	metrics.Read(allocSample)
	return allocSample[0].Value.Uint64()
}

// flips returns damages of some bits of each file.
func (r *rotten) flips(rnd *rand.Rand, each int) (out []damage) {
	for _, name := range r.names {
		bits := int64(len(r.files[name])) * 8
		for range fewer(name, each) {
			if bits > 0 {
				out = append(out, r.flipped(name, rnd.Int64N(bits)))
				out = append(out, r.flipped(name, bits-1-rnd.Int64N(min(bits, 8*200)))) // footers, indexes and ends matter more
			}
		}
	}
	return out
}

func (r *rotten) flipped(name string, bit int64) damage {
	off := bit / 8
	return damage{what: fmt.Sprintf("bit %d of byte %d", bit%8, off), file: name, lo: off, hi: off + 1, do: func(t testing.TB, fs *vfs.Mem) {
		must(t, fs.Corrupt(filepath.Join(r.dir, name), off, []byte{r.files[name][off] ^ 1<<(bit%8)}))
	}}
}

func (r *rotten) truncated(name string, n int64) damage {
	return damage{what: fmt.Sprintf("cut to %d bytes", n), file: name, lo: n, hi: -1, do: func(t testing.TB, fs *vfs.Mem) {
		putFile(t, fs, filepath.Join(r.dir, name), r.files[name][:n])
	}}
}

// truncations returns damages by some lengths of each file.
func (r *rotten) truncations(rnd *rand.Rand, each int) (out []damage) {
	for _, name := range r.names {
		b := r.files[name]
		cut := func(n int64) { out = append(out, r.truncated(name, n)) }
		cut(0)
		for range fewer(name, each) {
			if len(b) > 0 {
				cut(rnd.Int64N(int64(len(b))))
				cut(max(0, int64(len(b))-1-rnd.Int64N(100)))
			}
		}
		for _, f := range r.logs[name] { // ends of whole frames look most like a whole log
			if rnd.IntN(4) == 0 {
				cut(f.off)
			}
		}
		if kind, num, _ := manifest.ParseName(name); kind == manifest.FileManifest {
			_, err := wal.Scan(bytes.NewReader(b), int64(len(b)), name, wal.KindManifest, num, wal.Expect{}, func(off int64, _ []byte) error {
				cut(off)
				return nil
			})
			if err != nil {
				panic(err)
			}
		}
	}
	return out
}

// sectors returns damages of one of so many sectors of each file, and of its last one.
func (r *rotten) sectors(rnd *rand.Rand, one int) (out []damage) {
	const sector = 512
	for _, name := range r.names {
		b := r.files[name]
		for off := 0; off < len(b); off += sector {
			if !*corruptAll && rnd.IntN(one) > 0 && off+sector < len(b) {
				continue
			}
			end := min(off+sector, len(b))
			if bytes.Count(b[off:end], []byte{0}) == end-off {
				continue
			}
			out = append(out, damage{what: fmt.Sprintf("zeros at %d", off), file: name, lo: int64(off), hi: int64(end), do: func(t testing.TB, fs *vfs.Mem) {
				must(t, fs.Corrupt(filepath.Join(r.dir, name), int64(off), make([]byte, end-off)))
			}})
		}
	}
	return out
}

// wholeFiles returns damages of whole files: removed, swapped, older copies, garbage
// behind them.
func (r *rotten) wholeFiles(rnd *rand.Rand) (out []damage) {
	for i, name := range r.names {
		path := filepath.Join(r.dir, name)
		out = append(out, damage{what: "removed", file: name, hi: -1, do: func(t testing.TB, fs *vfs.Mem) { must(t, fs.Remove(path)) }})
		for _, n := range []int{1, 600} {
			junk := make([]byte, n)
			for j := range junk {
				junk[j] = byte(rnd.Uint32() | 1)
			}
			end := int64(len(r.files[name]))
			out = append(out, damage{what: fmt.Sprintf("%d bytes of garbage appended", n), file: name, lo: end, hi: end, do: func(t testing.TB, fs *vfs.Mem) {
				putFile(t, fs, path, append(slices.Clone(r.files[name]), junk...))
			}})
		}
		for j, old := range r.older {
			b, ok := old[name]
			if !ok || bytes.Equal(b, r.files[name]) {
				continue
			}
			lo := int64(0)
			for lo < int64(min(len(b), len(r.files[name]))) && b[lo] == r.files[name][lo] {
				lo++
			}
			out = append(out, damage{what: fmt.Sprintf("older copy %d", j), file: name, lo: lo, hi: -1, do: func(t testing.TB, fs *vfs.Mem) { putFile(t, fs, path, b) }})
		}
		if isTable(name) {
			ext := filepath.Ext(name)
			same := slices.DeleteFunc(slices.Clone(r.names), func(n string) bool { return filepath.Ext(n) != ext })
			at := slices.Index(same, name)
			other := same[(at+1+i%3)%len(same)]
			if other == name {
				other = same[(at+1)%len(same)]
			}
			out = append(out, damage{what: "swapped with " + other, file: name, hi: -1, do: func(t testing.TB, fs *vfs.Mem) {
				putFile(t, fs, path, r.files[other])
				putFile(t, fs, filepath.Join(r.dir, other), r.files[name])
			}})
		}
	}
	return out
}

// isTable reports whether a file is a table or a blob file: those are opened when they are
// needed.
func isTable(name string) bool {
	return strings.HasSuffix(name, ".sst") || strings.HasSuffix(name, ".blob")
}

// fewer is how many damages of a sample are for a file: there are many blob files.
func fewer(name string, each int) int {
	if strings.HasSuffix(name, ".blob") {
		return (each + 3) / 4
	}
	return each
}

// thinned is of how many cases in the sample one is tried.
func thinned() int {
	switch {
	case *corruptAll:
		return 1
	case lsm.RaceEnabled:
		return 59
	case testing.Short():
		return 13
	}
	return 2
}

// corruption is a kind of damage, with its cases.
type corruption struct {
	name  string
	cases int // at least; 0 is not known
	all   iter.Seq[func(t *testing.T, n int)]
}

// checked returns a corruption whose cases are damages, each checked in all ways.
func (r *rotten) checked(name string, damages []damage) corruption {
	return corruption{name, len(damages), func(yield func(func(*testing.T, int)) bool) {
		for _, d := range damages {
			if !yield(func(t *testing.T, n int) { r.check(t, d, n) }) {
				return
			}
		}
	}}
}

// sample returns the cases of the ordinary run.
func (r *rotten) sample(o *openRotten) []corruption {
	rnd := rand.New(rand.NewPCG(*corruptSeed, 3))
	return []corruption{
		r.checked("files", r.wholeFiles(rnd)),
		r.checked("truncated", r.truncations(rnd, 3)),
		r.checked("zeroed", r.sectors(rnd, 8)),
		r.checked("flipped", r.flips(rnd, 5)),
		{"open", 0, func(yield func(func(*testing.T, int)) bool) {
			for _, name := range r.names {
				if rt := o.table(name); rt != nil {
					size := int64(len(r.files[name]))
					for range 15 {
						bit, end, cut := rnd.Int64N(size*8), (size-1-rnd.Int64N(min(size, 200)))*8+rnd.Int64N(8), rnd.Int64N(size)
						if !yield(func(t *testing.T, n int) { o.flip(t, rt, bit, n) }) ||
							!yield(func(t *testing.T, n int) { o.flip(t, rt, end, n) }) ||
							!yield(func(t *testing.T, n int) { o.cut(t, rt, cut, n) }) {
							return
						}
					}
					continue
				}
				if size := int64(len(r.files[name])); size > 0 && !isTable(name) {
					for range 20 {
						flip, cut := r.flipped(name, rnd.Int64N(size*8)), r.truncated(name, rnd.Int64N(size))
						if !yield(func(t *testing.T, n int) { r.checkOpen(t, flip, n) }) || !yield(func(t *testing.T, n int) { r.checkOpen(t, cut, n) }) {
							return
						}
					}
				}
			}
		}},
	}
}

// every returns the cases of the full run. The tables and blob files of the two stores are
// of the same kinds: every bit and length is tried on those of the closed one, and of either store's
// some.
func (r *rotten) every(o *openRotten) []corruption {
	rnd := rand.New(rand.NewPCG(*corruptSeed, 3))
	kinds := []corruption{
		r.checked("files", r.wholeFiles(rnd)),
		r.checked("zeroed", r.sectors(rnd, 1)),
	}
	for _, k := range []struct {
		name  string
		units int64 // for each byte of a file
		each  int64 // unit of a table that is checked in all ways
		one   func(name string, unit int64) damage
		open  func(t *testing.T, rt *rottenTable, unit int64, n int)
	}{
		{"truncated", 1, 131, r.truncated, o.cut},
		{"flipped", 8, 1031, r.flipped, o.flip},
	} {
		logs, tables, some := corruption{name: k.name}, corruption{name: k.name + " tables"}, corruption{name: k.name + " tables, checked in all ways"}
		var rest []string
		for _, name := range r.names {
			units := k.units * int64(len(r.files[name]))
			if !isTable(name) {
				rest = append(rest, name)
				logs.cases += int(units)
				continue
			}
			some.cases += int(units / k.each)
			if o.table(name) != nil {
				tables.cases += int(units)
			}
		}
		logs.all = func(yield func(func(*testing.T, int)) bool) {
			for _, name := range rest {
				for unit := range k.units * int64(len(r.files[name])) {
					if !yield(func(t *testing.T, n int) { r.checkOpen(t, k.one(name, unit), n) }) {
						return
					}
				}
			}
		}
		tables.all = func(yield func(func(*testing.T, int)) bool) {
			for _, rt := range o.tables {
				for unit := range k.units * int64(len(r.files[rt.name])) {
					if !yield(func(t *testing.T, n int) { k.open(t, rt, unit, n) }) {
						return
					}
				}
			}
		}
		some.all = func(yield func(func(*testing.T, int)) bool) {
			for _, name := range r.names {
				if !isTable(name) {
					continue
				}
				for unit := int64(*corruptSeed) % k.each; unit < k.units*int64(len(r.files[name])); unit += k.each {
					if !yield(func(t *testing.T, n int) { r.check(t, k.one(name, unit), n) }) {
						return
					}
				}
			}
		}
		kinds = append(kinds, logs, some)
		if r.closed {
			kinds = append(kinds, tables)
		}
	}
	return kinds
}

// run does the part of the cases of c that is asked for.
func (c corruption) run(t *testing.T) {
	part, parts := 0, 0
	if _, err := fmt.Sscanf(*corruptPart, "%d/%d", &part, &parts); err != nil || part < 1 || part > parts {
		t.Fatalf("-corrupt.part=%s: want i/n", *corruptPart)
	}
	start, done, n := time.Now(), 0, -1
	said := start
	for do := range c.all {
		n++
		if n%thinned() != 0 || n/64%parts != part-1 {
			continue
		}
		do(t, n)
		done++
		if testing.Verbose() && done%64 == 0 && time.Since(said) > time.Minute {
			said = time.Now()
			each := said.Sub(start) / time.Duration(done)
			fmt.Printf("%s: %d of %d cases, %v each, %v to go\n", t.Name(), done, c.cases/parts, each.Round(time.Microsecond),
				(each * time.Duration(max(c.cases/parts-done, 0))).Round(time.Second))
		}
	}
	took := time.Since(start)
	t.Logf("%d cases in %v, %v each", done, took.Round(time.Millisecond), (took / time.Duration(max(done, 1))).Round(time.Microsecond))
}

// TestCorruption: see the top of the file.
func TestCorruption(t *testing.T) {
	for _, crashed := range []bool{false, true} {
		t.Run(map[bool]string{false: "closed", true: "crashed"}[crashed], func(t *testing.T) {
			r := newRotten(t, crashed)
			r.salvage = 10
			r.check(t, damage{what: "nothing", file: "LOCK", do: func(testing.TB, *vfs.Mem) {}}, 0)
			o := newOpenRotten(t, r)
			kinds := r.sample(o)
			if *corruptAll {
				kinds = r.every(o)
			}
			for _, c := range kinds {
				t.Run(c.name, c.run)
			}
		})
	}
}
