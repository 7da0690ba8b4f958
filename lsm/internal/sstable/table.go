// Package sstable is the table: an immutable file of sorted records. A Writer
// makes one in order, a Reader looks records up, walks them and verifies them.
//
// The file, byte by byte in docs/table.md:
//
//	data blocks | filter | range tombstones | properties | index | footer
//
// Every block is followed by its codec and a checksum over contents and codec,
// salted with the table's unique id and the block's offset: a block that was
// changed, moved, or came from another table does not check out. The regions
// leave no gaps, the index gives the place of data blocks by their lengths alone,
// and the footer has a checksum too, so that every byte of the file is covered.
//
// What a Reader keeps in memory (filter, index) is one region outside the Go
// heap. A lookup reads one line of the filter, the index, one block; it
// allocates nothing.
//
// Invariants: records are strictly increasing in base.Compare, across blocks too.
// Separator i of the index is >= every user key of block i and < every user key
// of block i+1, or equal to both where the versions of one user key go on in the
// next block. The filter has every user key of a point record; range tombstones
// are not in it.
//
// Failures: what does not check out is a *base.CorruptionError with file and
// offset, and with the keys concerned where they are known; so is a file that
// ends too early. A failed read is an error that names file and offset, and not
// corruption. A table written by a newer format is neither: it is refused with
// an error that says so.
package sstable

import (
	"errors"
	"fmt"
	"io"
	"sync/atomic"

	"github.com/ringwood-kv/ringwood/lsm/internal/base"
	"github.com/ringwood-kv/ringwood/lsm/internal/block"
)

// DefaultBlockSize is the block size where WriterOptions says nothing. It is the
// slot of the block cache that most blocks should fill.
const DefaultBlockSize = 4096

const (
	minBlockSize = 256
	maxBlockSize = 1 << 20

	// maxRecordBlock is the longest payload of a data block: the largest record
	// that can be written, with its overhead. Nothing longer is believed.
	maxRecordBlock = base.MaxKeyLen + base.MaxValueLen + 8 + block.Overhead
)

// Stats counts what readers do. One Stats may serve many readers.
type Stats struct {
	BlockReads      atomic.Int64 // data blocks taken from the file
	BytesRead       atomic.Int64 // bytes read from files, read-ahead included
	FilterProbes    atomic.Int64
	FilterNegatives atomic.Int64 // lookups that the filter ended
	Buffers         atomic.Int64 // bytes held now by iterators that read ahead
}

var errChecksum = errors.New("checksum mismatch")

// readErr names file and offset in the error of a read of n bytes. The end of
// the file where there should be bytes is corruption.
func readErr(name string, off int64, n int, err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return base.Corruptf(name, off, "file ends inside %d bytes at offset %d", n, off)
	}
	return fmt.Errorf("lsm: read %d bytes of %s at offset %d: %w", n, name, off, err)
}

// readFull reads len(p) bytes at off.
func readFull(f io.ReaderAt, name string, p []byte, off int64) error {
	n, err := f.ReadAt(p, off)
	if n == len(p) {
		return nil // ReadAt may add io.EOF to a full read that ends the file
	}
	if err == nil {
		err = io.ErrUnexpectedEOF
	}
	return readErr(name, off, len(p), err)
}
