package inspect

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strings"

	"github.com/ringwood-kv/ringwood/lsm/internal/base"
	"github.com/ringwood-kv/ringwood/lsm/internal/compaction"
	"github.com/ringwood-kv/ringwood/lsm/internal/manifest"
	"github.com/ringwood-kv/ringwood/lsm/internal/rangedel"
	"github.com/ringwood-kv/ringwood/lsm/internal/sstable"
	"github.com/ringwood-kv/ringwood/lsm/internal/wal"
	"github.com/ringwood-kv/ringwood/lsm/vfs"
)

// SalvageReport says what Salvage saved and what it did not.
type SalvageReport struct {
	Src string `json:"src"`
	Dst string `json:"dst"`

	// Lost is everything that could not be read. A key in the range of a loss may be
	// gone, or have an older value; a key in none of them is as it was, unless a loss
	// names no keys.
	Lost  []Finding `json:"lost"`
	Notes []Finding `json:"notes,omitempty"`

	Tables     int    `json:"tables"` // that were read, at least in part
	Logs       int    `json:"logs"`
	LogRecords uint64 `json:"log_records"`
	Read       uint64 `json:"records_read"`
	Saved      uint64 `json:"keys_saved"`
	Bytes      int64  `json:"bytes_written"`
}

func (r *SalvageReport) String() string {
	var b strings.Builder
	var unread error
	for i := range r.Notes {
		fmt.Fprintln(&b, &r.Notes[i])
	}
	for i := range r.Lost {
		fmt.Fprintln(&b, strings.Replace(r.Lost[i].String(), string(r.Lost[i].Severity), "lost", 1))
		if r.Lost[i].Severity == Unread {
			unread = r.Lost[i].Err
		}
	}
	fmt.Fprintf(&b, "read %d records of %d tables and %d logs; saved %d keys in %d bytes to %s\n",
		r.Read+r.LogRecords, r.Tables, r.Logs, r.Saved, r.Bytes, r.Dst)
	switch n := len(r.Lost); n {
	case 0:
		b.WriteString("nothing was lost\n")
	case 1:
		b.WriteString("1 part was lost\n")
	default:
		fmt.Fprintf(&b, "%d parts were lost\n", n)
	}
	if unread != nil {
		fmt.Fprintf(&b, "some could not be read: %s\n", adviseUnread(unread))
	}
	return b.String()
}

// Salvage writes a new store, in the directory dst that must be empty or not exist,
// with everything that can be read of the one in src: of each key the newest version,
// deletes and range deletes respected, values that expire with their time. It reads
// around damaged blocks and log records, finds blocks without an index and the table
// of another file by its id; without a manifest it takes all tables that there are,
// in the order of their sequence numbers. Values in blob files are read wherever a table
// refers to one that checks out, whatever else is left of the file; what no table refers
// to stays away. What it could not read is in the report.
//
// Where a delete was lost, what it deleted may come back, and where a newest version
// was lost, or its value, an older one may. Of a crashed store Salvage may have commits that Open
// drops, since they lie behind the torn end of a log.
//
// src is not changed, and must not be open in a process. The operations of logs are
// held in memory meanwhile, and every table is open. After an error, lsm.ErrNoSpace if the
// disk of dst is full, EMFILE where so many files cannot be open,
// dst is no store: what was written is removed, as far as the file system lets it be.
func Salvage(fs vfs.FS, src, dst string, o *Options) (*SalvageReport, error) {
	l, err := list(fs, src)
	if err != nil {
		return nil, err
	}
	if err := emptyDir(fs, src, dst); err != nil {
		return nil, err
	}
	s := &salvager{fs: fs, dir: src, l: l, bar: o.tracker(l.bytes)}
	s.r = &SalvageReport{Src: src, Dst: dst, Lost: []Finding{}}
	s.seen = make(map[string]bool)
	defer s.close()
	s.manifest()
	if err := s.openTables(); err != nil {
		return nil, err
	}
	if err := s.readLogs(); err != nil {
		return nil, err
	}
	if err := s.write(dst); err != nil {
		removeAll(fs, dst)
		if vfs.IsNoSpace(err) {
			err = fmt.Errorf("%w: %w", base.ErrNoSpace, err)
		}
		return nil, fmt.Errorf("salvage to %s: %w", dst, err)
	}
	return s.r, nil
}

// removeAll removes the files of a store from dir, CURRENT first: without it dir is no
// store whatever else stays.
func removeAll(fs vfs.FS, dir string) {
	_ = fs.Remove(manifest.Path(dir, manifest.FileCurrent, 0))
	names, err := fs.List(dir)
	if err != nil {
		return
	}
	for _, name := range names {
		if _, _, ok := manifest.ParseName(name); ok {
			_ = fs.Remove(filepath.Join(dir, name))
		}
	}
}

func emptyDir(fs vfs.FS, src, dst string) error {
	if rel, err := filepath.Rel(src, dst); err == nil && filepath.IsLocal(rel) {
		return fmt.Errorf("salvage to %s: that is within the store itself; name a new directory elsewhere", dst)
	}
	names, err := fs.List(dst)
	if err == nil && len(names) > 0 {
		return fmt.Errorf("salvage to %s: it is not empty; name a new directory", dst)
	}
	if err != nil && !isNotExist(err) {
		return err
	}
	return fs.MkdirAll(dst)
}

// salvager is one Salvage.
type salvager struct {
	fs   vfs.FS
	dir  string
	l    *listing
	t    *tree // nil without any manifest
	r    *SalvageReport
	bar  *tracker
	seen map[string]bool // losses reported, by what they say

	sources []base.Iter // newest file first
	dels    []rangedel.Tombstone
	files   []vfs.File
	blobs   map[base.FileNum]*salvagedBlob
	blobIDs map[base.FileNum]uint64
	open    []*salvagedBlob // of blobs
	mems    []*logTable
	lastSeq base.SeqNum
	logSeq  base.SeqNum // of the last record in the logs so far
	logTorn bool        // the log before has no end frame
}

func (s *salvager) close() {
	for _, f := range s.files {
		_ = f.Close()
	}
	s.closeBlobs()
	for _, m := range s.mems {
		m.arena.Free()
	}
}

func (s *salvager) lost(f Finding) {
	key := fmt.Sprint(f.File, f.Offset, f.Length, f.Problem, f.Lower, f.Upper)
	if s.seen[key] {
		return
	}
	s.seen[key] = true
	if f.Advice = ""; f.Severity != Unread {
		f.Severity = Damage
	}
	s.r.Lost = append(s.r.Lost, f)
}

func (s *salvager) note(file, problem string) { s.noted(file, problem, nil) }

// noted is note with a failure of the file system as the cause; err may be nil.
func (s *salvager) noted(file, problem string, err error) {
	s.r.Notes = append(s.r.Notes, Finding{Severity: Note, File: file, Offset: -1, Problem: problem, Err: err})
}

// unread notes that something of a file which would have helped cannot be read.
func (s *salvager) unread(file, what string, err error) {
	s.noted(file, fmt.Sprintf("%s cannot be read: %v", what, err), err)
}

// manifest reads the manifest that CURRENT names, or else the newest there is.
func (s *salvager) manifest() {
	name := manifest.Path(s.dir, manifest.FileCurrent, 0)
	cur, err := manifest.ReadCurrent(s.fs, s.dir)
	expect := wal.Expect{MinEnd: cur.Length, Clean: cur.Closed}
	if err != nil {
		expect = wal.Expect{}
		f := finding(err, name)
		if n := len(s.l.manifests); n > 0 {
			cur.Manifest = s.l.manifests[n-1]
			s.noted(name, "cannot be used ("+f.Problem+"); the newest manifest is taken", f.Err)
		} else {
			f.Problem += "; there is no manifest"
			s.lost(f)
			return
		}
	}
	s.t = readTree(s.fs, s.dir, cur.Manifest, expect, func(f Finding) {
		f.Problem = "part of the manifest: " + f.Problem + "; all tables are taken, so that what was removed lately may come back"
		s.lost(f)
	})
	s.lastSeq = s.t.lastSeq
	if _, err := s.t.version(); err != nil {
		s.t.whole = false
		s.lost(Finding{File: manifest.Path(s.dir, manifest.FileManifest, cur.Manifest), Offset: -1, Problem: "the levels: " + err.Error()})
	}
	why, err := s.t.stale(s.fs, s.dir, s.l)
	if err != nil {
		s.unread(s.dir, "a log that may tell whether the manifest is older than the store", err)
	}
	if s.t.whole && why != "" {
		s.t.whole = false
		s.lost(Finding{File: manifest.Path(s.dir, manifest.FileManifest, cur.Manifest), Offset: -1,
			Problem: "the manifest is older than the store: " + why + "; all tables are taken, so that what was removed lately may come back"})
	}
}

// leastBlob is the length of values that go into blob files: the default of
// lsm.Options.BlobThreshold.
const leastBlob = 4 << 10

// write merges all sources into the tables of a new store.
func (s *salvager) write(dst string) error {
	next := base.FileNum(1)
	create := func(kind manifest.FileKind) (vfs.File, string, base.FileNum, uint64, error) {
		next++
		name := manifest.Path(dst, kind, next)
		f, err := s.fs.Create(name)
		return f, name, next, rand.Uint64() | 1, err
	}
	all := &withValues{s: s, dels: rangedel.Build(s.dels)}
	all.it.Init(s.sources)
	job := compaction.Job{
		Sources: []base.Iter{all}, Tombstones: s.dels, OutputLevel: base.NumLevels - 1, AllBottom: true,
		Bottom:         func(_, _ []byte, _ bool) bool { return true },
		TargetFileSize: 32 << 20,
		Writer:         sstable.WriterOptions{Compression: sstable.Snappy, FilterBitsPerKey: 10},
		NewOutput: func() (vfs.File, string, base.FileNum, uint64, error) {
			return create(manifest.FileTable)
		},
		Blobs: compaction.BlobPolicy{
			Least: leastBlob, FileSize: 64 << 20,
			NewFile: func() (vfs.File, string, base.FileNum, uint64, error) {
				return create(manifest.FileBlob)
			},
		},
	}
	s.sources = nil
	made, stats, err := compaction.Run(&job)
	if err != nil {
		return err
	}
	s.r.Read = stats.Read - min(stats.Read, s.r.LogRecords)
	s.r.Saved = stats.Written
	var levels [base.NumLevels][]*manifest.FileMeta
	for _, o := range made.Tables {
		m := o.Meta
		levels[job.OutputLevel] = append(levels[job.OutputLevel], &manifest.FileMeta{
			Num: o.Num, File: o.Num, UID: m.UID, Size: m.Size,
			Smallest: m.Smallest, Largest: m.Largest, LargestExclusive: m.LargestExclusive,
			SmallestSeq: m.SmallestSeq, LargestSeq: m.LargestSeq,
			Entries: m.Entries, Deletes: m.Deletes, RangeDels: m.RangeDels, TTLs: m.TTLs,
			MinExpiry: m.MinExpiry, MaxExpiry: m.MaxExpiry, RawBytes: m.RawKeyBytes + m.RawValueBytes,
			Blobs: o.Uses,
		})
		s.r.Bytes += m.Size
	}
	var blobs []*manifest.BlobMeta
	for _, b := range made.Blobs {
		blobs = append(blobs, &manifest.BlobMeta{Num: b.Num, UID: b.Meta.UID, Size: b.Meta.Size, Values: b.Meta.Entries, Bytes: b.Bytes})
		s.r.Bytes += b.Meta.Size
	}
	v, err := manifest.NewVersion(levels, blobs...)
	if err != nil {
		return err
	}
	if err := s.fs.SyncDir(dst); err != nil {
		return err
	}
	st, err := manifest.CreateFrom(s.fs, dst, manifest.State{Version: v, NextFile: next + 1, LastSeq: s.lastSeq})
	if err != nil {
		return err
	}
	s.bar.file("done", "")
	s.bar.add(s.bar.p.Total)
	return st.Close(true)
}
