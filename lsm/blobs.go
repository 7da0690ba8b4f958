package lsm

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/ringwood-kv/ringwood/lsm/internal/base"
	"github.com/ringwood-kv/ringwood/lsm/internal/manifest"
	"github.com/ringwood-kv/ringwood/lsm/internal/sstable"
)

// Values of at least Options.BlobThreshold bytes leave the tree when they are flushed, or
// when a merge meets them: they go into blob files, and the tree keeps references. So
// merges move references, and a value is written once, until so much of all blob files is
// garbage that compaction moves what is alive of its file (internal/compaction/pick_blobs.go).

const (
	defaultBlobThreshold = 4 << 10
	minBlobThreshold     = 32 // a reference takes about half of it
	// minBlobFile is where merges cut blob files, or at the size of a memtable if that is
	// larger: small enough to be given up one by one, large enough not to be many.
	minBlobFile = 64 << 20
)

// blob returns the handle of a blob file. A state has all that its tables refer to, as far
// as they are sound.
func (s *readState) blob(num base.FileNum) *table {
	i, ok := slices.BinarySearchFunc(s.blobs, num, func(t *table, num base.FileNum) int { return cmp.Compare(t.meta.Num, num) })
	if !ok {
		return nil
	}
	return s.blobs[i]
}

var errBadRef = fmt.Errorf("%w: malformed reference to a blob file", ErrCorruption)

// errStrayRef is a reference to a file that the manifest does not have.
func (db *DB) errStrayRef(key []byte, ref base.BlobRef) error {
	k := append([]byte{}, key...)
	return &CorruptionError{File: db.blobPath(ref.File), Offset: int64(ref.Offset), Lower: k, Upper: k, Err: errors.New("a table refers to this file, which is not part of the store")}
}

// readBlob reads the value of key at ref in the files of s, of which the caller has the
// weakest hold or a stronger one. keep puts it into the cache.
func (db *DB) readBlob(s *readState, key []byte, ref base.BlobRef, keep bool) (sstable.Value, error) {
	o, err := db.blobReader(s, key, ref)
	if err != nil {
		return sstable.Value{}, err
	}
	v, err := o.Blob(key, ref, keep)
	o.unpin()
	return v, err
}

// appendBlob is readBlob that appends the value to dst.
func (db *DB) appendBlob(dst []byte, s *readState, key []byte, ref base.BlobRef) ([]byte, error) {
	o, err := db.blobReader(s, key, ref)
	if err != nil {
		return dst, err
	}
	dst, err = o.AppendBlob(dst, key, ref)
	o.unpin()
	return dst, err
}

// blobReader returns the reader for the value of key at ref, pinned.
func (db *DB) blobReader(s *readState, key []byte, ref base.BlobRef) (*openTable, error) {
	t := s.blob(ref.File)
	if t == nil {
		return nil, db.errStrayRef(key, ref)
	}
	return db.pinned(t)
}

// blobSource reads the values that a merge moves.
type blobSource struct {
	db  *DB
	s   *readState
	v   sstable.Value
	raw sstable.RawBlob
}

func (b *blobSource) fetch(key []byte, ref base.BlobRef) (_ []byte, err error) {
	b.release()
	if b.v, err = b.db.readBlob(b.s, key, ref, false); err != nil {
		return nil, &blobError{ref.File, err}
	}
	return b.v.Bytes, nil
}

// move is fetch for a value that stays compressed.
func (b *blobSource) move(key []byte, ref base.BlobRef) (*sstable.RawBlob, error) {
	b.release()
	o, err := b.db.blobReader(b.s, key, ref)
	if err != nil {
		return nil, &blobError{ref.File, err}
	}
	b.raw, err = o.RawBlob(key, ref)
	o.unpin()
	if err != nil {
		return nil, &blobError{ref.File, err}
	}
	return &b.raw, nil
}

func (b *blobSource) release() {
	b.v.Release()
	b.raw.Release()
}

// blobError is why a merge could not read a value that it was to move.
type blobError struct {
	num base.FileNum
	err error
}

func (e *blobError) Error() string { return e.err.Error() }
func (e *blobError) Unwrap() error { return e.err }

// spare is for how long the values of a blob file are not moved, after one of them could
// not be read: twice as long each time. With damage that is for good.
type spare struct{ until, pause int64 } // by DB.now

const firstSpare = time.Minute

// spareLocked leaves the blob file of e alone. db.mu is held.
func (db *DB) spareLocked(e *blobError) {
	if isCorruption(e.err) {
		db.bad[e.num] = true
		return
	}
	pause := max(int64(firstSpare), 2*db.spared[e.num].pause)
	db.spared[e.num] = spare{db.now() + pause, pause}
}

// scaleUses is what remains of the uses of a table of which a share is left.
func scaleUses(uses []manifest.BlobUse, share float64) []manifest.BlobUse {
	out := slices.Clone(uses)
	for i := range out {
		u := &out[i]
		u.Bytes = max(1, int64(float64(u.Bytes)*share))
		u.Values = max(1, uint64(float64(u.Values)*share))
	}
	return out
}
