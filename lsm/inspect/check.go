package inspect

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/ringwood-kv/ringwood/lsm/internal/base"
	"github.com/ringwood-kv/ringwood/lsm/internal/batch"
	"github.com/ringwood-kv/ringwood/lsm/internal/manifest"
	"github.com/ringwood-kv/ringwood/lsm/internal/sstable"
	"github.com/ringwood-kv/ringwood/lsm/internal/wal"
	"github.com/ringwood-kv/ringwood/lsm/vfs"
)

// Report is what Check found.
type Report struct {
	Dir      string    `json:"dir"`
	Findings []Finding `json:"findings"` // in the order in which they were met

	Closed   bool   `json:"closed"` // the store was closed in an orderly way
	Manifest string `json:"manifest,omitempty"`
	Edits    int    `json:"edits"`

	Logs       int    `json:"logs"`
	LogRecords uint64 `json:"log_records"`
	LogOps     uint64 `json:"log_operations"`

	Tables  int    `json:"tables"`
	Blocks  uint64 `json:"blocks"` // data blocks of tables that checked out
	Entries uint64 `json:"entries"`
	Blobs   int    `json:"blob_files"`
	Values  uint64 `json:"values"` // in blob files, dead ones included
	LastSeq uint64 `json:"last_seq"`
	Bytes   int64  `json:"bytes"` // of all files of the store
}

// OK reports whether everything was read and there is no damage.
func (r *Report) OK() bool { return r.Damages() == 0 && r.count(Unread) == 0 }

// Damages counts the findings that are damage.
func (r *Report) Damages() int { return r.count(Damage) }

func (r *Report) count(s Severity) int {
	n := 0
	for i := range r.Findings {
		if r.Findings[i].Severity == s {
			n++
		}
	}
	return n
}

func (r *Report) String() string {
	var b strings.Builder
	for i := range r.Findings {
		fmt.Fprintln(&b, &r.Findings[i])
	}
	state := "was not closed in an orderly way, as after a crash or while it is open"
	if r.Closed {
		state = "was closed in an orderly way"
	}
	fmt.Fprintf(&b, "%s: %d tables, %d blocks, %d entries; %d blob files, %d values; %d logs, %d records, %d operations; %d bytes; %s\n",
		r.Dir, r.Tables, r.Blocks, r.Entries, r.Blobs, r.Values, r.Logs, r.LogRecords, r.LogOps, r.Bytes, state)
	unread := r.count(Unread)
	switch n := r.Damages(); {
	case n == 1:
		b.WriteString("1 place is damaged\n")
	case n > 1:
		fmt.Fprintf(&b, "%d places are damaged\n", n)
	case unread > 0:
		b.WriteString("no damage in what was read\n")
	default:
		b.WriteString("no damage\n")
	}
	switch {
	case unread == 1:
		b.WriteString("1 place could not be read\n")
	case unread > 1:
		fmt.Fprintf(&b, "%d places could not be read\n", unread)
	}
	return b.String()
}

// Check reads every file of the store in dir and reports all that is wrong with it:
// CURRENT, the manifest, the chain of logs and every record in them, every block of
// every table, that keys are in order, filters and bounds right, levels in order; every
// value in blob files, that each reference of a table leads to a whole value of its key,
// and that the manifest counts the references right; no file missing and none left over.
// Damage is a Finding, and so is what could not be
// read; the error says that dir is no store, or cannot be listed. If the manifest could
// not be read, nothing else is checked.
//
// The store may be open in a process. Damage is reported when two looks in a row find
// it; the second one does not read tables again that were whole. ErrBusy says that each
// look found something else.
func Check(fs vfs.FS, dir string, o *Options) (*Report, error) {
	whole := make(map[base.FileNum]wholeTable)
	var before map[string]bool // the damage that the last look found
	var unread []Finding       // in all looks
	for try := 1; ; try++ {
		r, err := checkOnce(fs, dir, o, whole)
		if err != nil {
			return nil, err
		}
		found := make(map[string]bool)
		again := 0
		for _, f := range r.Findings {
			switch f.Severity {
			case Damage:
				found[f.key()] = true
				if before[f.key()] {
					again++
				}
			case Unread:
				unread = append(unread, f)
			}
		}
		switch {
		case again == r.Damages():
		case try < tries:
			before = found
			continue
		case again == 0 && len(unread) == 0:
			return nil, fmt.Errorf("%w: %s", ErrBusy, dir)
		default:
			r.note(dir, "a process is writing to the store: what only the last look found is left out", "close the store, or check a checkpoint of it")
		}
		r.settle(before, unread)
		return r, nil
	}
}

// settle drops damage that was not met before, and adds what earlier looks could not
// read.
func (r *Report) settle(before map[string]bool, unread []Finding) {
	has := make(map[string]bool)
	r.Findings = slices.DeleteFunc(r.Findings, func(f Finding) bool {
		has[f.key()] = true
		return f.Severity == Damage && !before[f.key()]
	})
	for _, f := range unread {
		if !has[f.key()] {
			has[f.key()] = true
			r.add(f)
		}
	}
}

// key is the same for the same finding of another look.
func (f *Finding) key() string { return fmt.Sprint(f.Severity, f.File, f.Offset, f.Length, f.Problem) }

func (r *Report) add(f Finding) {
	if f.Severity == Unread {
		f.Advice = adviseUnread(f.Err)
		if slices.ContainsFunc(r.Findings, func(g Finding) bool { return g.File == f.File && g.Offset == f.Offset && g.Problem == f.Problem }) {
			return
		}
	}
	r.Findings = append(r.Findings, f)
}

func (r *Report) note(file, problem, advice string) {
	r.add(Finding{Severity: Note, File: file, Offset: -1, Problem: problem, Advice: advice})
}

// checker is one look at a store.
type checker struct {
	fs    vfs.FS
	dir   string
	r     *Report
	l     *listing
	t     *tree // nil without a manifest
	bar   *tracker
	done  map[base.FileNum]bool       // physical tables that were read
	whole map[base.FileNum]wholeTable // by this look or an earlier one

	sound   map[base.FileNum]bool            // blob files, by whether single values can be read
	readers map[base.FileNum]*sstable.Reader // of those that are open
}

func checkOnce(fs vfs.FS, dir string, o *Options, whole map[base.FileNum]wholeTable) (*Report, error) {
	l, err := list(fs, dir)
	if err != nil {
		return nil, err
	}
	c := &checker{fs: fs, dir: dir, l: l, bar: o.tracker(l.bytes), done: make(map[base.FileNum]bool), whole: whole}
	c.sound, c.readers = make(map[base.FileNum]bool), make(map[base.FileNum]*sstable.Reader)
	defer c.closeBlobs()
	c.r = &Report{Dir: dir, Bytes: l.bytes, Findings: []Finding{}}
	if c.manifest() {
		c.logs()
		c.openBlobs()
		c.tables()
		c.blobFiles()
		c.leftOver()
	}
	c.bar.file("done", "")
	c.bar.add(c.bar.p.Total)
	return c.r, nil
}

func (c *checker) path(kind manifest.FileKind, num base.FileNum) string {
	return manifest.Path(c.dir, kind, num)
}

// manifest reads CURRENT and the manifest that it names. It is false if one of them
// cannot be read, so that nobody knows which files belong to the store.
func (c *checker) manifest() bool {
	c.bar.file("manifest", "CURRENT")
	name := c.path(manifest.FileCurrent, 0)
	cur, err := manifest.ReadCurrent(c.fs, c.dir)
	if err != nil {
		if isNotExist(err) && len(c.l.logs)+len(c.l.tables)+len(c.l.blobs) == 0 && len(c.l.manifests) <= 1 {
			c.r.note(c.dir, "no CURRENT and no data: the store was never completely created", "the next Open creates it anew")
			return true
		}
		f := finding(err, name)
		if isNotExist(err) {
			f.Problem = "missing, but there are other files of a store"
		}
		f.Advice = adviceManifest
		if isNewer(err) {
			f.Advice = "use a newer version of this program"
		}
		c.r.add(f)
		return f.Severity == Damage
	}
	c.r.Closed = cur.Closed
	c.r.Manifest = manifest.FileName(manifest.FileManifest, cur.Manifest)
	c.t = readTree(c.fs, c.dir, cur.Manifest, wal.Expect{MinEnd: cur.Length, Clean: cur.Closed}, c.r.add)
	c.bar.add(c.l.sizes[c.r.Manifest])
	c.r.Edits, c.r.LastSeq = c.t.edits, uint64(c.t.lastSeq)
	if c.r.count(Unread) > 0 {
		return false
	}
	mname := c.path(manifest.FileManifest, cur.Manifest)
	if c.t.whole && c.t.edits == 0 {
		c.r.add(Finding{Severity: Damage, File: mname, Offset: -1, Problem: "no snapshot", Advice: adviceManifest})
	}
	why, err := c.t.stale(c.fs, c.dir, c.l)
	if err != nil {
		c.r.add(finding(err, c.dir))
	}
	if c.t.whole && why != "" {
		c.t.whole = false
		c.r.add(Finding{Severity: Damage, File: mname, Offset: -1, Problem: "older than the store: " + why, Advice: adviceManifest})
	}
	if _, err := c.t.version(); err != nil {
		c.r.add(Finding{Severity: Damage, File: mname, Offset: -1, Problem: "the levels: " + err.Error(), Advice: adviceManifest})
	}
	for _, p := range c.t.tables() {
		if p.meta.Num >= c.t.next || p.meta.File >= c.t.next {
			c.r.add(Finding{Severity: Damage, File: mname, Offset: -1, Advice: adviceManifest,
				Problem: fmt.Sprintf("table %d in file %d, but the next number is %d", p.meta.Num, p.meta.File, c.t.next)})
		}
	}
	for _, b := range c.t.blobs() {
		if b.Num >= c.t.next {
			c.r.add(Finding{Severity: Damage, File: mname, Offset: -1, Advice: adviceManifest,
				Problem: fmt.Sprintf("blob file %d, but the next number is %d", b.Num, c.t.next)})
		}
	}
	return true
}

const adviceLog = "commits are lost: restore the store from a checkpoint, or save what can be read with: kvctl salvage DIR NEWDIR"

// logs reads the logs that are still needed, or all if that is not known.
func (c *checker) logs() {
	var first base.FileNum
	if c.t != nil {
		first = c.t.minLog
		if first == 0 && c.t.whole {
			return
		}
	}
	var tails []wal.LogTail
	damaged := false
	s := logSeq{}
	for _, num := range c.l.logs {
		if num < first {
			continue
		}
		name := c.path(manifest.FileLog, num)
		tail, ok := c.log(name, num, &s)
		damaged = damaged || !ok
		tails = append(tails, wal.LogTail{Name: name, Num: num, Tail: tail})
		c.r.Logs++
	}
	if first != 0 && (len(tails) == 0 || tails[0].Num != first) {
		damaged = true
		c.r.add(Finding{Severity: Damage, File: c.path(manifest.FileLog, first), Offset: -1,
			Problem: "missing, but the manifest needs this log", Advice: adviceLog})
	}
	if damaged || c.t == nil {
		return
	}
	n, err := wal.Chain(tails)
	if err != nil {
		f := finding(err, c.dir)
		f.Advice = adviceLog
		c.r.add(f)
		return
	}
	for i, t := range tails {
		switch {
		case i >= n && t.Tail.End > 0 && s.records[t.Num] > 0:
			c.r.note(t.Name, "written after the torn end of an earlier log, and never synced: it is not replayed", "")
		case i < n && t.Tail.Dropped > 0:
			c.r.add(Finding{Severity: Note, File: t.Name, Offset: t.Tail.End, Length: t.Tail.Dropped,
				Problem: "torn end, as a crash leaves it: commits that were not yet synced"})
		}
	}
}

// logSeq follows the sequence numbers through the logs.
type logSeq struct {
	last    base.SeqNum
	records map[base.FileNum]int
}

// log reads one log as recovery does, and if that fails once more for all damage.
func (c *checker) log(name string, num base.FileNum, s *logSeq) (tail wal.Tail, ok bool) {
	if s.records == nil {
		s.records = make(map[base.FileNum]int)
	}
	c.bar.file("log", manifest.FileName(manifest.FileLog, num))
	defer func() { c.bar.add(c.l.sizes[manifest.FileName(manifest.FileLog, num)]) }()
	var o wal.ScanOptions
	if c.t != nil {
		if end, ok := c.t.ends[num]; ok {
			o.Expect = wal.Expect{MinEnd: end, Clean: true}
		}
	}
	ok = true
	bad := func(f Finding) {
		ok = false
		f.Advice = adviceLog
		c.r.add(f)
	}
	var records []Finding // damage within records that check out
	tail, err := c.scanLog(name, num, o, s, func(f Finding) { records = append(records, f) })
	for _, f := range records {
		bad(f)
	}
	if err == nil {
		return tail, ok
	}
	f := finding(err, name)
	if !errors.Is(err, base.ErrCorruption) {
		bad(f)
		return tail, false
	}
	bad(f)
	seen := f.Offset
	o.SkipDamage = true
	if _, err := c.scanLog(name, num, o, &logSeq{records: s.records}, func(f Finding) {
		if f.Offset != seen && f.Length > 0 {
			bad(f)
		}
	}); err != nil {
		bad(finding(err, name))
	}
	return tail, false
}

func (c *checker) scanLog(name string, num base.FileNum, o wal.ScanOptions, s *logSeq, bad func(Finding)) (wal.Tail, error) {
	f, err := c.fs.Open(name)
	if err != nil {
		return wal.Tail{}, err
	}
	defer f.Close()
	size, err := f.Size()
	if err != nil {
		return wal.Tail{}, err
	}
	var first base.SeqNum
	return wal.ScanFrames(f, size, name, wal.KindLog, num, o, func(fr *wal.Frame) error {
		problem := func(format string, args ...any) {
			bad(Finding{Severity: Damage, File: name, Offset: fr.Offset, Length: fr.Len, Problem: fmt.Sprintf(format, args...)})
		}
		switch fr.Type {
		case wal.TypeHeader:
			first = base.SeqNum(fr.Base)
		case wal.TypeDamage:
			problem("no whole frame")
		case wal.TypeData, wal.TypeMarked:
			if len(fr.Payload) == 0 {
				return nil
			}
			g, err := batch.Decode(fr.Payload, first)
			switch {
			case err != nil:
				problem("record: %v", err)
				return nil
			case g.Seq <= s.last && !o.SkipDamage:
				problem("sequence number %d after %d", g.Seq, s.last)
			}
			s.last = max(s.last, g.Seq+base.SeqNum(g.Count)-1)
			c.r.LastSeq = max(c.r.LastSeq, uint64(s.last))
			s.records[num]++
			if !o.SkipDamage {
				c.r.LogRecords++
				c.r.LogOps += uint64(g.Count)
			}
		}
		return nil
	})
}

// leftOver reports files that the store does not need.
func (c *checker) leftOver() {
	if c.t == nil || !c.t.whole {
		return
	}
	orphan := func(kind manifest.FileKind, num base.FileNum) {
		c.r.note(c.path(kind, num), "not needed: left by an interrupted run, or by a process that has the store open", "the next Open removes it")
	}
	for _, num := range c.l.logs {
		if num < c.t.minLog {
			orphan(manifest.FileLog, num)
		}
	}
	for _, num := range c.l.manifests {
		if num != c.t.num {
			orphan(manifest.FileManifest, num)
		}
	}
	for _, num := range c.l.tables {
		if !c.done[num] {
			orphan(manifest.FileTable, num)
		}
	}
	blobs := c.t.blobs()
	for _, num := range c.l.blobs {
		if _, ok := slices.BinarySearchFunc(blobs, num, func(b *manifest.BlobMeta, num base.FileNum) int { return cmp.Compare(b.Num, num) }); !ok {
			orphan(manifest.FileBlob, num)
		}
	}
	if c.l.tmp {
		orphan(manifest.FileCurrentTmp, 0)
	}
	for _, name := range c.l.others {
		c.r.note(c.dir, fmt.Sprintf("%q is no file of a store: it is left alone", name), "")
	}
}
