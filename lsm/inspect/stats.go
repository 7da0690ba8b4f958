package inspect

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/ringwood-kv/ringwood/lsm/internal/base"
	"github.com/ringwood-kv/ringwood/lsm/internal/filter"
	"github.com/ringwood-kv/ringwood/lsm/internal/manifest"
	"github.com/ringwood-kv/ringwood/lsm/internal/sstable"
	"github.com/ringwood-kv/ringwood/lsm/vfs"
)

// LevelStats are the tables of one level, or of all.
type LevelStats struct {
	Level      int     `json:"level"` // -1 for the sum
	Tables     int     `json:"tables"`
	Bytes      int64   `json:"bytes"`      // of the files; clipped tables by their live part
	RawBytes   uint64  `json:"raw_bytes"`  // keys and values before compression, those in blob files aside
	DataBytes  int64   `json:"data_bytes"` // data blocks as they are on disk
	DataRatio  float64 `json:"data_ratio"` // DataBytes / RawBytes
	Entries    uint64  `json:"entries"`
	Deletes    uint64  `json:"deletes"`
	RangeDels  uint64  `json:"range_deletes"`
	TTLs       uint64  `json:"expiring"`
	Ingested   int     `json:"ingested"`
	Clipped    int     `json:"clipped"`
	FilterBits int64   `json:"filter_bits"`
	BitsPerKey float64 `json:"filter_bits_per_entry"`
	// FalsePositives is the share of keys that are not in a table and that its filter
	// lets through, measured with made-up keys; 1 where there is no filter.
	FalsePositives float64 `json:"filter_false_positives"`
	IndexBytes     int64   `json:"memory_bytes"` // filters and indexes in memory
	SmallestSeq    uint64  `json:"smallest_seq"`
	LargestSeq     uint64  `json:"largest_seq"`
	// Age is how far the middle of the level's sequence numbers lies back, as a share
	// of all commits: 0 is new, 1 as old as the store. Tables at the bottom, whose
	// sequence numbers were cleared, count as 1.
	Age       float64    `json:"age"`
	MinExpiry *time.Time `json:"min_expiry,omitempty"`
	MaxExpiry *time.Time `json:"max_expiry,omitempty"`

	probes, hits int
}

// BlobStats are the values that stand outside of the tables.
type BlobStats struct {
	Files      int     `json:"files"`
	Bytes      int64   `json:"bytes"`       // of the files
	ValueBytes int64   `json:"value_bytes"` // of the values in them, as they are stored
	LiveBytes  int64   `json:"live_bytes"`  // of those that tables refer to; estimated after an excise
	Garbage    float64 `json:"garbage"`     // share of ValueBytes that no table refers to
	Values     uint64  `json:"values"`      // in the files
	LiveValues uint64  `json:"live_values"` // references of tables; estimated after an excise
}

// StoreStats is what Stats tells about a store.
type StoreStats struct {
	Dir      string       `json:"dir"`
	Closed   bool         `json:"closed"`
	Levels   []LevelStats `json:"levels"` // those with tables
	Total    LevelStats   `json:"total"`
	Blobs    BlobStats    `json:"blobs"`
	Logs     int          `json:"logs"`
	LogBytes int64        `json:"log_bytes"`
	Other    int64        `json:"other_bytes"` // manifest, CURRENT, files not needed
	LastSeq  uint64       `json:"last_seq"`

	// SpaceAmplification is all entries by those of the deepest level that has any: at
	// most so many times the space that one version of each key would take.
	SpaceAmplification float64 `json:"space_amplification"`
	// ReadAmplification is the number of sorted runs: tables in L0 and levels below. A
	// Get asks so many filters at most, and reads about one block.
	ReadAmplification int `json:"read_amplification"`
	// ExpectedReads is the number of blocks that a Get of an absent key reads, by the
	// measured filters.
	ExpectedReads float64 `json:"expected_block_reads_absent_key"`

	Findings []Finding `json:"findings,omitempty"` // tables and blob files that are damaged or cannot be read
}

// Stats describes the store in dir from its manifest and from what tables say of
// themselves: data blocks and values are not read, see Check for that. A store whose manifest is
// damaged, or cannot be read, is an error, and ErrBusy one in which files vanished
// during every look.
func Stats(fs vfs.FS, dir string, o *Options) (*StoreStats, error) {
	for try := 1; ; try++ {
		l, err := list(fs, dir)
		if err != nil {
			return nil, err
		}
		st, err := manifest.LoadReadOnly(fs, dir)
		if errors.Is(err, manifest.ErrNoStore) {
			return nil, fmt.Errorf("%w in %s", ErrNoStore, dir)
		}
		vanished := err != nil && (isNotExist(err) || errors.Is(err, base.ErrCorruption))
		if err != nil && (!vanished || try == tries) {
			return nil, fmt.Errorf("%w; kvctl check tells more", err)
		}
		if err != nil {
			continue
		}
		s, missing := stats(fs, dir, l, &st, o)
		if !missing {
			return s, nil
		}
		now, err := manifest.LoadReadOnly(fs, dir)
		switch {
		case err == nil && now.Manifest == st.Manifest && now.End == st.End:
			return s, nil // no edit took them away
		case try == tries:
			return nil, fmt.Errorf("%w: %s", ErrBusy, dir)
		}
	}
}

// stats is Stats for one state of the manifest. missing says that a file of it is not
// there.
func stats(fs vfs.FS, dir string, l *listing, st *manifest.State, o *Options) (s *StoreStats, missing bool) {
	s = &StoreStats{Dir: dir, Closed: st.Closed, LastSeq: uint64(st.LastSeq), Levels: []LevelStats{}}
	s.Other = l.bytes
	for _, num := range l.logs {
		if num >= st.MinLog {
			s.Logs++
			s.LogBytes += l.sizes[manifest.FileName(manifest.FileLog, num)]
		}
	}
	var total int64
	for level := range st.Version.Levels {
		total += st.Version.Size(level)
	}
	for _, b := range st.Version.Blobs {
		total += b.Size
	}
	bar := o.tracker(total)
	s.Total.Level = -1
	rnd := rand.New(rand.NewPCG(1, 2))
	counted := make(map[base.FileNum]bool)
	bad := func(err error, name string) {
		d := finding(err, name)
		if d.Advice = "kvctl check tells more"; d.Severity == Unread {
			d.Advice = adviseUnread(d.Err)
		}
		missing = missing || isNotExist(err)
		s.Findings = append(s.Findings, d)
	}
	for level, files := range st.Version.Levels {
		x := LevelStats{Level: level}
		for _, f := range files {
			bar.file("table", manifest.FileName(manifest.FileTable, f.File))
			if err := x.table(fs, dir, f, rnd); err != nil {
				bad(err, manifest.Path(dir, manifest.FileTable, f.File))
			}
			if !counted[f.File] {
				counted[f.File] = true
				s.Other -= f.Size
			}
			bar.add(f.Bytes())
		}
		if x.Tables > 0 {
			s.Total.sum(&x)
			x.finish(st.LastSeq)
			s.Levels = append(s.Levels, x)
		}
	}
	for i := range st.Version.Blobs {
		b := &st.Version.Blobs[i]
		bar.file("blob file", manifest.FileName(manifest.FileBlob, b.Num))
		if err := s.Blobs.add(fs, dir, b); err != nil {
			bad(err, manifest.Path(dir, manifest.FileBlob, b.Num))
		}
		s.Other -= b.Size
		bar.add(b.Size)
	}
	s.Blobs.finish(st.Version)
	s.Other = max(0, s.Other-s.LogBytes)
	s.Total.finish(st.LastSeq)
	s.amplify()
	return s, missing
}

// table adds one table.
func (x *LevelStats) table(fs vfs.FS, dir string, f *manifest.FileMeta, rnd *rand.Rand) error {
	x.Tables++
	x.Bytes += f.Bytes()
	x.RawBytes += f.RawBytes
	x.Entries += f.Entries
	x.Deletes += f.Deletes
	x.RangeDels += f.RangeDels
	x.TTLs += f.TTLs
	if f.GlobalSeq != 0 {
		x.Ingested++
	}
	if f.Clipped {
		x.Clipped++
	}
	if x.Tables == 1 {
		x.SmallestSeq = uint64(f.SmallestSeq)
	}
	x.SmallestSeq = min(x.SmallestSeq, uint64(f.SmallestSeq))
	x.LargestSeq = max(x.LargestSeq, uint64(f.LargestSeq))
	if f.TTLs > 0 {
		x.expiry(time.Unix(0, f.MinExpiry).UTC(), time.Unix(0, f.MaxExpiry).UTC())
	}
	name := manifest.Path(dir, manifest.FileTable, f.File)
	file, err := fs.Open(name)
	if err != nil {
		return err
	}
	r, err := sstable.NewReader(file, sstable.ReaderOptions{Name: name, UID: f.UID, Size: f.Size})
	if err != nil {
		_ = file.Close()
		return err
	}
	defer r.Close()
	x.IndexBytes += r.MemoryUsage()
	parts := r.Parts()
	x.DataBytes += parts.Data
	x.FilterBits += 8 * parts.Filter
	const probes = 2000
	for range probes {
		var key [24]byte
		for i := 0; i < len(key); i += 8 {
			binary.LittleEndian.PutUint64(key[i:], rnd.Uint64())
		}
		h := filter.HashKey(key[:])
		x.probes++
		if r.MayContain(&h) {
			x.hits++
		}
	}
	return nil
}

// add adds a blob file, and sees that values in it can be read.
func (x *BlobStats) add(fs vfs.FS, dir string, b *manifest.Blob) error {
	x.Files++
	x.Bytes += b.Size
	x.ValueBytes += b.Bytes
	x.LiveBytes += b.Bytes - b.Garbage()
	x.Values += b.Values
	name := manifest.Path(dir, manifest.FileBlob, b.Num)
	file, err := fs.Open(name)
	if err != nil {
		return err
	}
	r, err := sstable.NewReader(file, sstable.ReaderOptions{Name: name, UID: b.UID, Size: b.Size, BlobsOnly: true})
	if err != nil {
		_ = file.Close()
		return err
	}
	return r.Close()
}

func (x *BlobStats) finish(v *manifest.Version) {
	for _, files := range v.Levels {
		for _, f := range files {
			for _, u := range f.Blobs {
				x.LiveValues += u.Values
			}
		}
	}
	if x.ValueBytes > 0 {
		x.Garbage = 1 - float64(x.LiveBytes)/float64(x.ValueBytes)
	}
}

func (x *LevelStats) expiry(from, to time.Time) {
	if x.MinExpiry == nil || from.Before(*x.MinExpiry) {
		x.MinExpiry = &from
	}
	if x.MaxExpiry == nil || to.After(*x.MaxExpiry) {
		x.MaxExpiry = &to
	}
}

func (x *LevelStats) sum(y *LevelStats) {
	if x.Tables == 0 {
		x.SmallestSeq = y.SmallestSeq
	}
	x.Tables += y.Tables
	x.Bytes += y.Bytes
	x.RawBytes += y.RawBytes
	x.DataBytes += y.DataBytes
	x.Entries += y.Entries
	x.Deletes += y.Deletes
	x.RangeDels += y.RangeDels
	x.TTLs += y.TTLs
	x.Ingested += y.Ingested
	x.Clipped += y.Clipped
	x.FilterBits += y.FilterBits
	x.IndexBytes += y.IndexBytes
	x.probes += y.probes
	x.hits += y.hits
	x.SmallestSeq = min(x.SmallestSeq, y.SmallestSeq)
	x.LargestSeq = max(x.LargestSeq, y.LargestSeq)
	if y.MinExpiry != nil {
		x.expiry(*y.MinExpiry, *y.MaxExpiry)
	}
}

func (x *LevelStats) finish(last base.SeqNum) {
	if x.RawBytes > 0 {
		x.DataRatio = float64(x.DataBytes) / float64(x.RawBytes)
	}
	if x.Entries > 0 {
		x.BitsPerKey = float64(x.FilterBits) / float64(x.Entries)
	}
	if x.probes > 0 {
		x.FalsePositives = float64(x.hits) / float64(x.probes)
	}
	if last > 0 {
		x.Age = 1 - float64(x.SmallestSeq+x.LargestSeq)/2/float64(last)
	}
}

func (s *StoreStats) amplify() {
	for i := range s.Levels {
		x := &s.Levels[i]
		if x.Level == 0 {
			s.ReadAmplification += x.Tables
			s.ExpectedReads += float64(x.Tables) * x.FalsePositives
			continue
		}
		s.ReadAmplification++
		s.ExpectedReads += x.FalsePositives
	}
	for i := len(s.Levels) - 1; i >= 0; i-- {
		if n := s.Levels[i].Entries; n > 0 {
			s.SpaceAmplification = float64(s.Total.Entries) / float64(n)
			break
		}
	}
}

func (s *StoreStats) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%-5s %6s %12s %12s %10s %9s %9s %9s %6s %8s %7s %5s\n", "level", "tables", "bytes", "raw bytes",
		"entries", "deletes", "rangedels", "expiring", "ratio", "bits/key", "false+", "age")
	row := func(x *LevelStats, name string) {
		fmt.Fprintf(&b, "%-5s %6d %12d %12d %10d %9d %9d %9d %6.2f %8.1f %6.2f%% %5.2f\n", name, x.Tables, x.Bytes, x.RawBytes,
			x.Entries, x.Deletes, x.RangeDels, x.TTLs, x.DataRatio, x.BitsPerKey, 100*x.FalsePositives, x.Age)
	}
	for i := range s.Levels {
		row(&s.Levels[i], fmt.Sprintf("L%d", s.Levels[i].Level))
	}
	row(&s.Total, "all")
	if x := &s.Blobs; x.Files > 0 {
		fmt.Fprintf(&b, "blob files %d with %d bytes: %d values in %d bytes, tables refer to %d in %d; %.1f%% is garbage\n",
			x.Files, x.Bytes, x.Values, x.ValueBytes, x.LiveValues, x.LiveBytes, 100*x.Garbage)
	}
	fmt.Fprintf(&b, "logs %d with %d bytes; other files %d bytes; filters and indexes take %d bytes of memory\n",
		s.Logs, s.LogBytes, s.Other, s.Total.IndexBytes)
	fmt.Fprintf(&b, "%d ingested tables, %d cut by an excise; last sequence number %d\n", s.Total.Ingested, s.Total.Clipped, s.LastSeq)
	fmt.Fprintf(&b, "amplification: space at most %.2f, read %d sorted runs; a Get of an absent key reads %.3f blocks\n",
		s.SpaceAmplification, s.ReadAmplification, s.ExpectedReads)
	for i := range s.Findings {
		fmt.Fprintln(&b, &s.Findings[i])
	}
	return b.String()
}
