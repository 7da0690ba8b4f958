package manifest

import (
	"bytes"
	"fmt"
	"math"
	"slices"
	"sort"

	"github.com/ringwood-kv/ringwood/lsm/internal/base"
)

// FileMeta is a table as a version of the tree sees it. It is immutable once it
// is part of a Version.
//
// Its keys lie in [Smallest, Largest], or in [Smallest, Largest) when
// LargestExclusive. An exclusive and empty Largest means that there is no upper
// bound (a range tombstone to the end of the key space); no other bound can be
// written that way, since nothing sorts before the empty key.
type FileMeta struct {
	Num  base.FileNum // identity in the tree and in the block cache
	File base.FileNum // the physical file; two FileMetas may share one after an excise
	UID  uint64       // unique id that the physical file carries
	Size int64        // bytes of the physical file

	// LiveSize estimates the bytes within the bounds of a clipped table. 0 where
	// Clipped is false; use Bytes.
	LiveSize int64
	Clipped  bool // the file holds keys outside of the bounds: reads must be limited to them

	Smallest, Largest []byte // user keys, over points and range tombstones
	LargestExclusive  bool

	SmallestSeq, LargestSeq base.SeqNum
	// GlobalSeq, if not 0, is the sequence number of every record of the table,
	// whatever the file says: the table was ingested.
	GlobalSeq base.SeqNum

	Entries, Deletes, RangeDels, TTLs uint64 // Entries counts points, deletes and TTLs among them
	MinExpiry, MaxExpiry              int64  // Unix nanoseconds, over TTLs; 0 when there are none
	RawBytes                          uint64 // keys and values before compression, those in blob files aside

	Blobs []BlobUse // the blob files that it refers to, ascending
}

// Bytes is what the table weighs in its level.
func (f *FileMeta) Bytes() int64 {
	if f.Clipped {
		return f.LiveSize
	}
	return f.Size
}

// Unbounded reports whether the table has no upper bound.
func (f *FileMeta) Unbounded() bool { return f.LargestExclusive && len(f.Largest) == 0 }

// EndsBefore reports whether every key of the table is smaller than key.
func (f *FileMeta) EndsBefore(key []byte) bool {
	c := bytes.Compare(f.Largest, key)
	return c < 0 && !f.Unbounded() || c == 0 && f.LargestExclusive && len(key) > 0
}

// Contains reports whether key lies within the bounds.
func (f *FileMeta) Contains(key []byte) bool {
	return bytes.Compare(f.Smallest, key) <= 0 && !f.EndsBefore(key)
}

// Overlaps reports whether the bounds meet [lo, hi], or [lo, hi) when
// hiExclusive; an exclusive and empty hi means no upper bound.
func (f *FileMeta) Overlaps(lo, hi []byte, hiExclusive bool) bool {
	return !f.EndsBefore(lo) && !startsAfter(f.Smallest, hi, hiExclusive)
}

// startsAfter reports whether key lies beyond the upper bound hi.
func startsAfter(key, hi []byte, hiExclusive bool) bool {
	if hiExclusive && len(hi) == 0 {
		return false
	}
	c := bytes.Compare(key, hi)
	return c > 0 || c == 0 && hiExclusive
}

// CompareUpper orders upper bounds as FileMeta and Overlaps write them: an
// exclusive bound comes before the inclusive one of the same key, no bound last.
func CompareUpper(a []byte, aExclusive bool, b []byte, bExclusive bool) int {
	aInf, bInf := aExclusive && len(a) == 0, bExclusive && len(b) == 0
	switch {
	case aInf && bInf:
		return 0
	case aInf:
		return 1
	case bInf:
		return -1
	}
	if c := bytes.Compare(a, b); c != 0 {
		return c
	}
	switch {
	case aExclusive == bExclusive:
		return 0
	case aExclusive:
		return -1
	}
	return 1
}

// check holds the invariants of one table.
func (f *FileMeta) check() error {
	upper := bytes.Compare(f.Smallest, f.Largest)
	switch {
	case f.Num == 0 || f.File == 0:
		return fmt.Errorf("table %d: file number 0", f.Num)
	case f.Size < 0 || f.LiveSize < 0:
		return fmt.Errorf("table %d: negative size", f.Num)
	case len(f.Smallest) > base.MaxKeyLen+1 || len(f.Largest) > base.MaxKeyLen+1: // the key after the longest is one byte longer
		return fmt.Errorf("table %d: bound longer than a key can be", f.Num)
	case !f.Unbounded() && (upper > 0 || upper == 0 && f.LargestExclusive):
		return fmt.Errorf("table %d: smallest key %.64q is beyond the largest %.64q", f.Num, f.Smallest, f.Largest)
	case f.SmallestSeq > f.LargestSeq || f.LargestSeq > base.SeqNumMax:
		return fmt.Errorf("table %d: sequence numbers %d to %d", f.Num, f.SmallestSeq, f.LargestSeq)
	case f.GlobalSeq != 0 && (f.SmallestSeq != f.GlobalSeq || f.LargestSeq != f.GlobalSeq):
		return fmt.Errorf("table %d: sequence numbers %d to %d under the global one %d",
			f.Num, f.SmallestSeq, f.LargestSeq, f.GlobalSeq)
	case f.File != f.Num && !f.Clipped:
		return fmt.Errorf("table %d: shares file %d and is not clipped", f.Num, f.File)
	}
	return f.checkBlobs()
}

// Version is the tree at one moment. Immutable, so it needs no lock.
//
// Invariants, held by Apply and Check: L0 is ordered newest first, by LargestSeq
// and then Num, and its tables may overlap; in each deeper level the tables are
// ordered by Smallest and disjoint. A table number stands in one place only.
type Version struct {
	Levels [base.NumLevels][]*FileMeta
	Blobs  []Blob // that the tables refer to, ascending by number; no other

	index [base.NumLevels]levelIndex
}

// levelIndex makes the search within a level mostly integer comparisons in one
// flat array: base.Prefix of every table's Largest.
type levelIndex struct {
	common []byte
	upper  []uint64
}

// NewVersion orders files within their levels and builds the search arrays. Of blobs it
// has those that the tables refer to. It takes ownership of the slices, and fails when the
// invariants do not hold.
func NewVersion(levels [base.NumLevels][]*FileMeta, blobs ...*BlobMeta) (*Version, error) {
	v := &Version{Levels: levels}
	for l := range v.Levels {
		slices.SortFunc(v.Levels[l], compareFor(l))
		v.index[l] = indexLevel(l, v.Levels[l])
	}
	if err := v.countBlobs(blobs); err != nil {
		return nil, err
	}
	if err := v.Check(); err != nil {
		return nil, err
	}
	return v, nil
}

// compareFor returns the order of the tables of a level.
func compareFor(level int) func(a, b *FileMeta) int {
	if level == 0 {
		return func(a, b *FileMeta) int {
			switch {
			case a.LargestSeq > b.LargestSeq:
				return -1
			case a.LargestSeq < b.LargestSeq:
				return 1
			case a.Num > b.Num:
				return -1
			case a.Num < b.Num:
				return 1
			}
			return 0
		}
	}
	return func(a, b *FileMeta) int { return bytes.Compare(a.Smallest, b.Smallest) }
}

func indexLevel(level int, files []*FileMeta) levelIndex {
	if level == 0 || len(files) == 0 {
		return levelIndex{}
	}
	// Only the last table of a level can be unbounded, and its Largest is empty.
	bounded := files
	if bounded[len(bounded)-1].Unbounded() {
		bounded = bounded[:len(bounded)-1]
	}
	ix := levelIndex{upper: make([]uint64, len(files))}
	if len(bounded) > 0 {
		first, last := bounded[0].Largest, bounded[len(bounded)-1].Largest
		ix.common = first[:base.CommonPrefixLen(first, last)]
	}
	for i, f := range files {
		if f.Unbounded() {
			ix.upper[i] = math.MaxUint64
		} else {
			ix.upper[i] = base.Prefix(f.Largest, ix.common)
		}
	}
	return ix
}

// Search returns the index of the first table of a level below L0 that does not
// end before key, or the number of tables. The table may begin after key.
func (v *Version) Search(level int, key []byte) int {
	files, ix := v.Levels[level], &v.index[level]
	p := base.Prefix(key, ix.common)
	lo, hi := 0, len(ix.upper)
	for lo < hi {
		m := int(uint(lo+hi) >> 1)
		// Equal prefixes decide nothing.
		if u := ix.upper[m]; u < p || u == p && files[m].EndsBefore(key) {
			lo = m + 1
		} else {
			hi = m
		}
	}
	return lo
}

// Find returns the table of a level below L0 whose bounds contain key, or nil.
func (v *Version) Find(level int, key []byte) *FileMeta {
	if i := v.Search(level, key); i < len(v.Levels[level]) {
		if f := v.Levels[level][i]; bytes.Compare(f.Smallest, key) <= 0 {
			return f
		}
	}
	return nil
}

// Overlaps returns the tables of a level whose bounds meet [lo, hi], or [lo, hi)
// when hiExclusive, in the order of the level. A nil lo is the smallest key; an
// exclusive and empty hi means no upper bound. The result may alias the version:
// do not write to it.
func (v *Version) Overlaps(level int, lo, hi []byte, hiExclusive bool) []*FileMeta {
	files := v.Levels[level]
	if level == 0 {
		var out []*FileMeta
		for _, f := range files {
			if f.Overlaps(lo, hi, hiExclusive) {
				out = append(out, f)
			}
		}
		return out
	}
	i := v.Search(level, lo)
	rest := files[i:]
	n := sort.Search(len(rest), func(j int) bool { return startsAfter(rest[j].Smallest, hi, hiExclusive) })
	return rest[:n:n]
}

// Size returns the bytes of a level, clipped tables by their live part.
func (v *Version) Size(level int) int64 {
	var n int64
	for _, f := range v.Levels[level] {
		n += f.Bytes()
	}
	return n
}

// Files returns the number of tables in all levels.
func (v *Version) Files() int {
	n := 0
	for _, l := range v.Levels {
		n += len(l)
	}
	return n
}

// Check verifies the invariants of the whole version.
func (v *Version) Check() error {
	type physical struct {
		uid  uint64
		size int64
	}
	seen := make(map[base.FileNum]int, v.Files())
	files := make(map[base.FileNum]physical, v.Files())
	for l := range v.Levels {
		for _, f := range v.Levels[l] {
			if err := f.check(); err != nil {
				return err
			}
			if other, ok := seen[f.Num]; ok {
				return fmt.Errorf("table %d is in L%d and in L%d", f.Num, other, l)
			}
			seen[f.Num] = l
			p := physical{f.UID, f.Size}
			if q, ok := files[f.File]; ok && p != q {
				return fmt.Errorf("table %d: file %d has uid %x and %d bytes here, %x and %d elsewhere",
					f.Num, f.File, p.uid, p.size, q.uid, q.size)
			}
			files[f.File] = p
			for _, u := range f.Blobs {
				if v.Blob(u.File) == nil {
					return fmt.Errorf("table %d refers to blob file %d, which is not there", f.Num, u.File)
				}
			}
		}
		if err := checkOrder(l, v.Levels[l]); err != nil {
			return err
		}
	}
	for i, b := range v.Blobs {
		if _, ok := files[b.Num]; ok || i > 0 && v.Blobs[i-1].Num >= b.Num {
			return fmt.Errorf("blob file %d is there twice, or is a table too", b.Num)
		}
	}
	return nil
}

// checkOrder verifies what Version says of the tables beside one another.
func checkOrder(level int, files []*FileMeta) error {
	cmp := compareFor(level)
	for i := 1; i < len(files); i++ {
		a, b := files[i-1], files[i]
		if cmp(a, b) >= 0 {
			return fmt.Errorf("tables %d and %d of L%d are out of order", a.Num, b.Num, level)
		}
		if level > 0 && !a.EndsBefore(b.Smallest) {
			return fmt.Errorf("tables %d and %d of L%d overlap at %.64q", a.Num, b.Num, level, b.Smallest)
		}
	}
	return nil
}
