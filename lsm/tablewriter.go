package lsm

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"

	"github.com/ringwood-kv/ringwood/lsm/internal/base"
	"github.com/ringwood-kv/ringwood/lsm/internal/sstable"
	"github.com/ringwood-kv/ringwood/lsm/vfs"
)

// TableWriter makes a table for DB.Ingest, outside of any store. Keys must be added
// in strictly ascending order. Not safe for concurrent use.
type TableWriter struct {
	fs   vfs.FS
	path string
	w    *sstable.Writer
	last []byte // key
	err  error
}

// NewTableWriter begins a table in the file path; a file of that name is replaced, not
// written to, for a store that has ingested it may share it. Of o, which may be nil, FS,
// Compression (its last entry), BlockSize and FilterBitsPerKey count.
func NewTableWriter(path string, o *Options) (*TableWriter, error) {
	opts, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	if opts.FS == nil {
		opts.FS = vfs.OS
	}
	if path, err = absolute(opts.FS, path); err != nil {
		return nil, err
	}
	info, err := opts.FS.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err == nil && info.IsDir:
		return nil, fmt.Errorf("%s is a directory", path)
	default:
		if err == nil {
			err = opts.FS.Remove(path)
		}
		if err != nil {
			return nil, classify(err)
		}
	}
	f, err := opts.FS.Create(path)
	if err != nil {
		return nil, classify(err)
	}
	so := sstable.WriterOptions{
		UID: rand.Uint64() | 1, BlockSize: opts.BlockSize, FilterBitsPerKey: opts.FilterBitsPerKey,
		Kind: sstable.External, Compression: sstable.Snappy,
	}
	if opts.compression(base.NumLevels-1) == NoCompression {
		so.Compression = sstable.None
	}
	return &TableWriter{fs: opts.FS, path: path, w: sstable.NewWriter(f, path, so)}, nil
}

// Put adds key with value. Put and Delete take keys in strictly ascending order.
func (t *TableWriter) Put(key, value []byte) error { return t.add(base.KindSet, key, value) }

// Delete adds a tombstone, which removes key from the store that ingests the table.
func (t *TableWriter) Delete(key []byte) error { return t.add(base.KindDelete, key, nil) }

// DeleteRange removes [start, end) from the store that ingests the table, but nothing
// that the table itself holds; end == nil means to the end of the key space. In order
// of start.
func (t *TableWriter) DeleteRange(start, end []byte) error {
	if t.err != nil {
		return t.err
	}
	if len(start) > MaxKeyLen || len(end) > MaxKeyLen {
		return fmt.Errorf("%w: bound of %d bytes, the limit is %d", ErrTooLarge, max(len(start), len(end)), MaxKeyLen)
	}
	if end != nil && bytes.Compare(start, end) >= 0 {
		return nil
	}
	t.err = t.w.AddRangeDel(start, end, 0)
	return t.err
}

func (t *TableWriter) add(kind base.Kind, key, value []byte) error {
	switch {
	case t.err != nil:
		return t.err
	case len(key) > MaxKeyLen:
		return fmt.Errorf("%w: key of %d bytes, the limit is %d", ErrTooLarge, len(key), MaxKeyLen)
	case len(value) > MaxValueLen:
		return fmt.Errorf("%w: value of %d bytes, the limit is %d", ErrTooLarge, len(value), MaxValueLen)
	}
	if t.w.Entries() > 0 && bytes.Compare(key, t.last) <= 0 {
		t.err = fmt.Errorf("lsm: write %s: key %.64q after %.64q: keys must ascend", t.path, key, t.last)
		return t.err
	}
	t.last = append(t.last[:0], key...)
	t.err = t.w.Add(key, base.MakeTrailer(0, kind), value)
	return classify(t.err)
}

// Finish completes and syncs the file.
func (t *TableWriter) Finish() error {
	if t.err == nil {
		_, t.err = t.w.Finish()
	}
	err := t.err
	if err != nil {
		t.Abort()
		return classify(err)
	}
	t.err = ErrClosed
	return nil
}

// Abort gives up and removes the file.
func (t *TableWriter) Abort() {
	if t.err == ErrClosed {
		return
	}
	t.w.Abort()
	_ = t.fs.Remove(t.path)
	t.err = ErrClosed
}
