package lsm_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"sort"
	"testing"

	"github.com/ringwood-kv/ringwood/lsm"
	"github.com/ringwood-kv/ringwood/lsm/inspect"
	"github.com/ringwood-kv/ringwood/lsm/internal/base"
	"github.com/ringwood-kv/ringwood/lsm/internal/manifest"
	"github.com/ringwood-kv/ringwood/lsm/vfs"
)

// What a case of the full run costs decides whether it is ever run. Open reads nothing
// of a table or blob file, it asks for its size only. So for damage in one of them one
// store stays open, read-only, over a file system whose files are damaged in place
// and healed; before each case the engine forgets what it has in memory of that file.
// Read is what the damage can reach: all within the file's keys, or, in a data block,
// those of the block and its neighbours. Verify and inspect.Check are asked of a store
// that has the damaged file, by a link, for its only table, or only the tables that refer
// to the damaged blob file.

// rottenTable is a table file of the tree, or a blob file.
type rottenTable struct {
	name   string
	num    base.FileNum
	blob   bool
	live   map[int64]bool                       // of a blob file: blocks, by offset, to which tables refer
	newest map[int64]bool                       // of a blob file: blocks with what readers want
	metas  [base.NumLevels][]*manifest.FileMeta // of the tables that stand on it, or refer to it
	lower  string
	upper  string // exclusive
	blocks []rottenBlock
}

// rottenBlock is a data block, and the keys after which and up to which it may have
// some.
type rottenBlock struct {
	off, end    int64
	after, upto string
}

// openRotten is a store that stays open while its tables are damaged.
type openRotten struct {
	*rotten
	fs     *vfs.Mem
	db     *lsm.DB
	state  manifest.State
	tables []*rottenTable
	wants  []string // the keys of want, sorted
	gets   []string // rotten.keys, sorted

	at    *rottenTable // which alone has
	dir   string       // of alone
	alone *lsm.DB

	asked, met map[bool]int // cases, and those in which reading met the damage; true: in blob files
}

func newOpenRotten(t *testing.T, r *rotten) *openRotten {
	o := &openRotten{rotten: r, fs: r.fs.CrashClone(vfs.CrashOptions{Survive: 1}), wants: sortedKeys(r.want), gets: slices.Sorted(slices.Values(r.keys))}
	o.asked, o.met = make(map[bool]int), make(map[bool]int)
	var err error
	o.state, err = manifest.LoadReadOnly(o.fs, r.dir)
	must(t, err)
	byNum := make(map[base.FileNum]*rottenTable)
	for level, files := range o.state.Version.Levels {
		for _, f := range files {
			if f.Unbounded() {
				t.Fatal("a table without an upper bound")
			}
			rt := byNum[f.File]
			if rt == nil {
				rt = &rottenTable{name: manifest.FileName(manifest.FileTable, f.File), num: f.File, lower: string(f.Smallest)}
				byNum[f.File] = rt
				o.tables = append(o.tables, rt)
				rt.blocks = o.blocks(t, rt.name)
			}
			rt.metas[level] = append(rt.metas[level], f)
			rt.lower = min(rt.lower, string(f.Smallest))
			rt.upper = max(rt.upper, string(f.Largest)+"\x00")
		}
	}
	o.addBlobs(t)
	o.db = o.open(t, r.dir)
	t.Cleanup(func() {
		o.turnTo(t, nil)
		_ = o.db.Close()
		t.Logf("reading met the damage in %d of %d cases in tables of an open store, %d of %d in its blob files",
			o.met[false], o.asked[false], o.met[true], o.asked[true])
		if o.met[false] < o.asked[false]*3/4 { // some blocks are clipped away, or deleted
			t.Error("too few")
		}
	})
	return o
}

func (o *openRotten) open(t testing.TB, dir string) *lsm.DB {
	opts := damageOptions(o.fs)
	opts.ReadOnly = true
	db, err := lsm.OpenShaped(dir, opts, damageShape)
	must(t, err)
	return db
}

func (o *openRotten) blocks(t testing.TB, name string) (blocks []rottenBlock) {
	after := ""
	must(t, inspect.DumpTable(o.fs, filepath.Join(o.rotten.dir, name), nil, func(x *inspect.TableRecord) error {
		if b := x.Block; b != nil {
			blocks = append(blocks, rottenBlock{b.Offset, b.Offset + b.Length, after, string(b.Separator)})
			after = string(b.Separator)
		}
		return nil
	}))
	return blocks
}

// addBlobs adds the blob files, with the blocks to which tables refer.
func (o *openRotten) addBlobs(t testing.TB) {
	live := make(map[string]map[int64]bool)
	for level, files := range o.state.Version.Levels {
		for _, f := range files {
			path := filepath.Join(o.rotten.dir, manifest.FileName(manifest.FileTable, f.File))
			must(t, inspect.DumpTable(o.fs, path, nil, func(x *inspect.TableRecord) error {
				if x.Op != nil && x.Op.Blob != nil && f.Contains(x.Op.Key) {
					if live[x.Op.Blob.File] == nil {
						live[x.Op.Blob.File] = make(map[int64]bool)
					}
					live[x.Op.Blob.File][int64(x.Op.Blob.Offset)] = true
				}
				return nil
			}))
			for _, u := range f.Blobs {
				rt := o.blobFile(t, u.File)
				rt.metas[level] = append(rt.metas[level], f)
			}
		}
	}
	for _, rt := range o.tables {
		rt.live = live[rt.name]
	}
}

func (o *openRotten) blobFile(t testing.TB, num base.FileNum) *rottenTable {
	name := manifest.FileName(manifest.FileBlob, num)
	if rt := o.table(name); rt != nil {
		return rt
	}
	rt := &rottenTable{name: name, num: num, blob: true, blocks: o.blocks(t, name), newest: make(map[int64]bool)}
	rt.upper = rt.blocks[len(rt.blocks)-1].upto + "\x00"
	at := int64(0)
	must(t, inspect.DumpTable(o.fs, filepath.Join(o.rotten.dir, name), nil, func(x *inspect.TableRecord) error {
		if x.Block != nil {
			at = x.Block.Offset
		}
		if x.Op != nil {
			rt.newest[at] = o.want[string(x.Op.Key)] == string(x.Op.Value)
		}
		return nil
	}))
	o.tables = append(o.tables, rt)
	return rt
}

// value tells of the byte at off of a blob file whether it stands in a value to which no
// table refers, or in one that readers want.
func (rt *rottenTable) value(off int64) (dead, wanted bool) {
	i := sort.Search(len(rt.blocks), func(i int) bool { return rt.blocks[i].end > off })
	if !rt.blob || i == len(rt.blocks) {
		return false, false
	}
	at := rt.blocks[i].off
	return !rt.live[at], rt.live[at] && rt.newest[at]
}

// table returns the table or blob file of the tree with that name, or nil.
func (o *openRotten) table(name string) *rottenTable {
	for _, rt := range o.tables {
		if rt.name == name {
			return rt
		}
	}
	return nil
}

// turnTo makes alone the store of rt only.
func (o *openRotten) turnTo(t testing.TB, rt *rottenTable) {
	if o.at == rt {
		return
	}
	if o.at != nil {
		lsm.Forget(o.db, o.at.num)
		must(t, o.alone.Close())
	}
	if o.at = rt; rt == nil {
		return
	}
	st := o.state
	st.MinLog, st.LogEnds = 0, nil
	var err error
	var blobs []*manifest.BlobMeta
	for _, b := range o.state.Version.Blobs {
		blobs = append(blobs, b.BlobMeta)
	}
	st.Version, err = manifest.NewVersion(rt.metas, blobs...)
	must(t, err)
	names := make(map[string]bool)
	for _, files := range st.Version.Levels {
		for _, f := range files {
			names[manifest.FileName(manifest.FileTable, f.File)] = true
		}
	}
	for _, b := range st.Version.Blobs {
		names[manifest.FileName(manifest.FileBlob, b.Num)] = true
	}
	o.dir = filepath.Join("/alone", rt.name)
	o.alone = o.open(t, o.part(t, o.fs, o.dir, st, sortedKeys(names)...))
}

// part makes a store in dir of some of the files of the store, by links.
func (r *rotten) part(t testing.TB, fs *vfs.Mem, dir string, st manifest.State, names ...string) string {
	if _, err := fs.Stat(dir); err == nil {
		return dir
	}
	must(t, fs.MkdirAll(dir))
	for _, name := range names {
		must(t, fs.Link(filepath.Join(r.dir, name), filepath.Join(dir, name)))
	}
	s, err := manifest.CreateFrom(fs, dir, st)
	must(t, err)
	must(t, s.Close(false))
	return dir
}

// reach returns the keys that damage at byte off of rt can reach, as bounds, and
// whether these are all keys of rt.
func (rt *rottenTable) reach(off int64, n int) (lower, upper string, all bool) {
	i := sort.Search(len(rt.blocks), func(i int) bool { return rt.blocks[i].end > off })
	if i == len(rt.blocks) || n%8 == 0 {
		return rt.lower, rt.upper, true
	}
	return rt.blocks[max(i-1, 0)].after, rt.blocks[min(i+1, len(rt.blocks)-1)].upto + "\x00", false
}

// within returns those of the sorted keys in [lower, upper).
func within(keys []string, lower, upper string) []string {
	i, _ := slices.BinarySearch(keys, lower)
	j, _ := slices.BinarySearch(keys, upper)
	return keys[i:j]
}

// thin returns one of k keys, another one for each n, where there are many.
func thin(keys []string, n int) (out []string) {
	const many = 64
	k := (len(keys) + many - 1) / many
	if k <= 1 {
		return keys
	}
	for i := n % k; i < len(keys); i += k {
		out = append(out, keys[i])
	}
	return out
}

// askOpen reads what damage in rt, which is there by now, can reach.
func (o *openRotten) askOpen(t *testing.T, rt *rottenTable, d damage, n int, checked bool) {
	found := findings{t: t, d: d}
	lsm.Forget(o.db, rt.num)
	lower, upper, all := rt.reach(d.lo, n)
	gets := within(o.gets, lower, upper)
	if all {
		gets = thin(gets, n/8+n%8)
	}
	readAll(t, d, o.db, &lsm.IterOptions{Lower: []byte(lower), Upper: []byte(upper)}, o.want, within(o.wants, lower, upper), gets, found.seen)
	if o.asked[rt.blob]++; found.bad {
		o.met[rt.blob]++
	}
	dead, wanted := rt.value(d.lo)
	dead = dead && d.hi >= 0
	if wanted && !found.bad {
		t.Errorf("%v: reading does not find it", d)
	}
	switch err := o.alone.Verify(context.Background()); {
	case (err == nil) != dead:
		t.Errorf("%v: Verify: %v; in a value that nobody needs: %v", d, err, dead)
	case err != nil:
		found.seen("verify", err)
	}
	if !checked {
		return
	}
	if report, err := inspect.Check(o.fs, o.dir, nil); err != nil || report.OK() {
		t.Errorf("%v: Check does not find it: %v", d, err)
	}
}

// flip is the case of one bit of a table.
func (o *openRotten) flip(t *testing.T, rt *rottenTable, bit int64, n int) {
	o.turnTo(t, rt)
	off := bit / 8
	old := o.files[rt.name][off : off+1]
	path := filepath.Join(o.rotten.dir, rt.name)
	d := damage{what: fmt.Sprintf("bit %d of byte %d, in an open store", bit%8, off), file: rt.name, lo: off, hi: off + 1}
	guard(t, d, func() {
		must(t, o.fs.Corrupt(path, off, []byte{old[0] ^ 1<<(bit%8)}))
		defer func() { must(t, o.fs.Corrupt(path, off, old)) }()
		lean(t, d, func() { o.askOpen(t, rt, d, n, true) })
	})
}

// cut is the case of one length of a table.
func (o *openRotten) cut(t *testing.T, rt *rottenTable, size int64, n int) {
	o.turnTo(t, rt)
	path := filepath.Join(o.rotten.dir, rt.name)
	d := damage{what: fmt.Sprintf("cut to %d bytes, in an open store", size), file: rt.name, lo: size, hi: -1}
	guard(t, d, func() {
		putFile(t, o.fs, path, o.files[rt.name][:size])
		defer putFile(t, o.fs, path, o.files[rt.name])
		lean(t, d, func() {
			o.askOpen(t, rt, d, n, n%16 == 0)
			opts := damageOptions(o.fs)
			opts.MustExist = true
			if _, err := lsm.OpenShaped(o.dir, opts, damageShape); !errors.Is(err, lsm.ErrCorruption) {
				t.Errorf("%v: Open does not find it: %v", d, err)
			}
		})
	})
}

// checkOpen is check for damage that Open is expected to find. If it does not, all is
// read, but no compaction is run and no table verified; that is done for one case in
// 32. Where a log is damaged, inspect.Check is asked of a store that has the logs alone.
func (r *rotten) checkOpen(t *testing.T, d damage, n int) {
	if n%32 == 0 {
		r.check(t, d, n/32)
		return
	}
	guard(t, d, func() {
		fs := r.fs.CrashClone(vfs.CrashOptions{Survive: 1})
		d.do(t, fs)
		dir := r.dir
		if r.logs[d.file] != nil {
			dir = logsDir
		}
		lean(t, d, func() {
			report, err := inspect.Check(fs, dir, nil)
			found := findings{t: t, d: d}
			r.ask(t, d, fs, false, false, found.seen)
			r.compare(t, d, &found, report, err)
		})
	})
}

// logsDir has the logs of the store, and a manifest without tables.
const logsDir = "/logs"

func (r *rotten) addLogsDir(t testing.TB) {
	st, err := manifest.LoadReadOnly(r.fs, r.dir)
	must(t, err)
	st.Version = &manifest.Version{}
	var logs []string
	for _, name := range sortedKeys(r.logs) {
		if _, num, _ := manifest.ParseName(name); num >= st.MinLog {
			logs = append(logs, name)
		}
	}
	r.part(t, r.fs, logsDir, st, logs...)
}

// mustHaveAll fails unless the store has every kind of file and block.
func (r *rotten) mustHaveAll(t testing.TB) {
	st, err := manifest.LoadReadOnly(r.fs, r.dir)
	must(t, err)
	have := make(map[string]int)
	for level, files := range st.Version.Levels {
		for _, f := range files {
			have[fmt.Sprint("level ", level)]++
			for what, is := range map[string]bool{
				"clipped": f.Clipped, "ingested": f.GlobalSeq != 0, "range deletes": f.RangeDels > 0,
				"deletes": f.Deletes > 0, "expiring": f.TTLs > 0,
				"level 0 with references": level == 0 && len(f.Blobs) > 0, "clipped with references": f.Clipped && len(f.Blobs) > 0,
			} {
				if is {
					have[what]++
				}
			}
			must(t, inspect.DumpTable(r.fs, filepath.Join(r.dir, manifest.FileName(manifest.FileTable, f.File)), nil, func(x *inspect.TableRecord) error {
				if x.About != nil {
					have["compression "+x.About.Compression]++
				}
				if x.Op != nil {
					have[x.Op.Kind]++
				}
				return nil
			}))
		}
	}
	for _, b := range st.Version.Blobs {
		have["blob files"]++
		if b.Garbage() > 0 {
			have["blob files with garbage"]++
		}
	}
	for name, frames := range r.logs {
		if _, num, _ := manifest.ParseName(name); num >= st.MinLog && slices.ContainsFunc(frames, func(f rottenFrame) bool { return f.commit }) {
			have["live logs"]++
		}
	}
	for what, least := range map[string]int{
		"level 0": 1, "level 3": 1, "level 4": 1, "level 5": 1, "level 6": 1, "clipped": 2, "ingested": 1, "range deletes": 1, "deletes": 1, "expiring": 1,
		"compression none": 1, "compression snappy": 1, "live logs": 2,
		"level 0 with references": 1, "clipped with references": 1, "SET": 100, "SETTTL": 10, "BLOB": 100, "BLOBTTL": 10,
		"blob files": 6, "blob files with garbage": 2,
	} {
		if have[what] < least {
			t.Fatalf("the store has too few %q: %v", what, have)
		}
	}
	t.Logf("the store has %v", have)
}
