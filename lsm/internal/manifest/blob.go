package manifest

import (
	"fmt"
	"slices"

	"github.com/ringwood-kv/ringwood/lsm/internal/base"
)

// BlobMeta is a blob file: values that tables refer to. It is immutable.
type BlobMeta struct {
	Num    base.FileNum
	UID    uint64 // unique id that the file carries
	Size   int64  // of the file
	Values uint64
	Bytes  int64 // of all values, as they are stored
}

// BlobUse is what a table needs of a blob file. After an excise it is an estimate.
type BlobUse struct {
	File   base.FileNum
	Values uint64
	Bytes  int64 // as they are stored
}

// Blob is a blob file of a version, with what its tables need of it. Without any table
// that needs it, it leaves the version.
type Blob struct {
	*BlobMeta
	Live   int64 // bytes that tables need; may exceed Bytes where it is an estimate
	Tables int   // that refer to it
	Deep   int   // of these, below L0
}

// Garbage returns the bytes of b that no table needs.
func (b *Blob) Garbage() int64 { return max(0, b.Bytes-b.Live) }

func (m *BlobMeta) check() error {
	if m.Num == 0 || m.Size <= 0 || m.Values == 0 || m.Bytes <= 0 || m.Bytes > m.Size {
		return fmt.Errorf("blob file %d: %d values of %d bytes in %d", m.Num, m.Values, m.Bytes, m.Size)
	}
	return nil
}

// checkBlobs holds the invariants of the uses of one table: ascending by file.
func (f *FileMeta) checkBlobs() error {
	for i, u := range f.Blobs {
		if u.File == 0 || u.Values == 0 || u.Bytes <= 0 || i > 0 && f.Blobs[i-1].File >= u.File {
			return fmt.Errorf("table %d: use %d of blob files: %d values of %d bytes in file %d", f.Num, i, u.Values, u.Bytes, u.File)
		}
	}
	return nil
}

func compareBlob(b Blob, num base.FileNum) int { return compareNum(b.Num, num) }

// Blob returns the blob file num of v, nil if there is none.
func (v *Version) Blob(num base.FileNum) *Blob {
	if i, ok := slices.BinarySearchFunc(v.Blobs, num, compareBlob); ok {
		return &v.Blobs[i]
	}
	return nil
}

// use counts the uses of f, which joins a level of the version, or with sign -1 leaves it.
func (v *Version) use(level int, f *FileMeta, sign int) error {
	for _, u := range f.Blobs {
		b := v.Blob(u.File)
		if b == nil {
			return fmt.Errorf("table %d refers to blob file %d, which is not there", f.Num, u.File)
		}
		b.Live += int64(sign) * u.Bytes
		b.Tables += sign
		if level > 0 {
			b.Deep += sign
		}
	}
	return nil
}

// addBlobs returns blobs with those of metas, ordered and each used by nobody if new.
func addBlobs(blobs []Blob, metas []*BlobMeta) ([]Blob, error) {
	out := slices.Clone(blobs)
	for _, m := range metas {
		if err := m.check(); err != nil {
			return nil, err
		}
		out = append(out, Blob{BlobMeta: m})
	}
	slices.SortFunc(out, func(a, b Blob) int { return compareNum(a.Num, b.Num) })
	for i := 1; i < len(out); i++ {
		if out[i-1].Num == out[i].Num {
			return nil, fmt.Errorf("blob file %d is there twice", out[i].Num)
		}
	}
	return out, nil
}

// applyBlobs sets the blob files of v, the version after e; old is the one before.
func (v *Version) applyBlobs(old *Version, e *Edit) error {
	touched := len(e.AddedBlobs) > 0
	for _, a := range e.Added {
		touched = touched || len(a.Meta.Blobs) > 0
	}
	v.Blobs = old.Blobs
	if !touched && len(old.Blobs) == 0 {
		return nil
	}
	var err error
	if v.Blobs, err = addBlobs(old.Blobs, e.AddedBlobs); err != nil {
		return err
	}
	for _, d := range e.Deleted {
		for _, f := range old.Levels[d.Level] {
			if f.Num == d.Num {
				_ = v.use(d.Level, f, -1) // it was counted
			}
		}
	}
	for _, a := range e.Added {
		if err := v.use(a.Level, a.Meta, 1); err != nil {
			return err
		}
	}
	v.dropUnused()
	return nil
}

// countBlobs makes metas the blob files of v, as far as its tables need them.
func (v *Version) countBlobs(metas []*BlobMeta) (err error) {
	if v.Blobs, err = addBlobs(nil, metas); err != nil {
		return err
	}
	for level, files := range v.Levels {
		for _, f := range files {
			if err := v.use(level, f, 1); err != nil {
				return err
			}
		}
	}
	v.dropUnused()
	return nil
}

func (v *Version) dropUnused() {
	v.Blobs = slices.DeleteFunc(v.Blobs, func(b Blob) bool { return b.Tables == 0 })
}

// blobMetas returns the blob files of v.
func (v *Version) blobMetas() []*BlobMeta {
	var metas []*BlobMeta
	for _, b := range v.Blobs {
		metas = append(metas, b.BlobMeta)
	}
	return metas
}
