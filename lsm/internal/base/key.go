// Package base holds what every other room of the engine speaks: internal keys
// and their order, sequence numbers, the record kinds that are written to disk,
// the one iterator interface, checksums and errors. It imports nothing of the
// engine.
package base

import (
	"bytes"
	"encoding/binary"
	"math"
)

// SeqNum orders commits. Every record of a batch has its own; a larger one is
// newer. 56 bits are stored.
type SeqNum uint64

// SeqNumMax is larger than any sequence number that a record can have, so that
// a search at SeqNumMax finds the newest version of a key.
const SeqNumMax SeqNum = 1<<56 - 1

// Kind says what a record means. The values are on disk: never renumber them.
type Kind uint8

const (
	KindDelete      Kind = 0 // a tombstone; no value
	KindSet         Kind = 1 // a value
	KindSetTTL      Kind = 2 // 8 bytes big-endian expiry (Unix nanoseconds), then the value
	KindRangeDelete Kind = 3 // key is the start, value the exclusive end; lives apart from points
	KindBlob        Kind = 4 // a BlobRef: the value is in a blob file; in tables only
	KindBlobTTL     Kind = 5 // 8 bytes of expiry as in KindSetTTL, then a BlobRef
)

// Written reports whether k is a kind that a commit can have.
func (k Kind) Written() bool { return k <= KindRangeDelete }

// Point reports whether k may stand among the points of a table.
func (k Kind) Point() bool { return k <= KindBlobTTL && k != KindRangeDelete }

// TTL reports whether the value of a record of kind k begins with 8 bytes of expiry.
func (k Kind) TTL() bool { return k == KindSetTTL || k == KindBlobTTL }

// Blob reports whether the value stands elsewhere.
func (k Kind) Blob() bool { return k == KindBlob || k == KindBlobTTL }

func (k Kind) String() string {
	switch k {
	case KindDelete:
		return "DEL"
	case KindSet:
		return "SET"
	case KindSetTTL:
		return "SETTTL"
	case KindRangeDelete:
		return "RANGEDEL"
	case KindBlob:
		return "BLOB"
	case KindBlobTTL:
		return "BLOBTTL"
	}
	return "KIND?"
}

// Trailer is a sequence number and a kind in one integer: seq<<8 | kind. Among
// versions of one user key the larger trailer is the newer record.
type Trailer uint64

// MakeTrailer packs seq and kind.
func MakeTrailer(seq SeqNum, kind Kind) Trailer { return Trailer(seq)<<8 | Trailer(kind) }

// Seq returns the sequence number.
func (t Trailer) Seq() SeqNum { return SeqNum(t >> 8) }

// Kind returns the record kind.
func (t Trailer) Kind() Kind { return Kind(t) }

// TrailerMax sorts before every stored record of its user key.
const TrailerMax Trailer = math.MaxUint64

// KV is one record as an iterator shows it. The bytes belong to the iterator
// and live until its next move; nobody may write to them.
type KV struct {
	Key     []byte // user key
	Trailer Trailer
	Value   []byte // where Kind.TTL it begins with the 8-byte expiry
	Single  bool   // the source has no other record of Key, and this one has sequence number 0
}

// Iter walks records in internal order: user keys ascending by bytes.Compare,
// and the versions of one user key from newest to oldest. Every positioning
// method returns the record it lands on, or nil at the end or after an error;
// after nil, Err tells which. Next and Prev on an iterator that is not
// positioned return nil. Not safe for concurrent use.
type Iter interface {
	First() *KV
	Last() *KV
	SeekGE(key []byte) *KV // the newest version of the first user key >= key
	SeekLT(key []byte) *KV // the oldest version of the last user key < key
	Next() *KV
	Prev() *KV
	Err() error
	Close() error // releases what the iterator holds; returns Err()
}

// Compare orders internal keys: user key ascending, then newest first.
func Compare(ak []byte, at Trailer, bk []byte, bt Trailer) int {
	if c := bytes.Compare(ak, bk); c != 0 {
		return c
	}
	switch {
	case at > bt:
		return -1
	case at < bt:
		return 1
	}
	return 0
}

// Prefix maps key to an integer such that a < b implies Prefix(a) <= Prefix(b):
// the eight bytes after the common prefix, big-endian and zero padded; keys
// that lack the common prefix map to 0 or to the largest integer, as they sort
// before or after it. Most comparisons between keys are then decided by one
// integer comparison; equal integers decide nothing.
func Prefix(key, common []byte) uint64 {
	n := len(common)
	if len(key) < n || string(key[:n]) != string(common) {
		if bytes.Compare(key, common) < 0 {
			return 0
		}
		return math.MaxUint64
	}
	rest := key[n:]
	if len(rest) >= 8 {
		return binary.BigEndian.Uint64(rest)
	}
	var p uint64
	for i, b := range rest {
		p |= uint64(b) << (56 - 8*i)
	}
	return p
}

// CommonPrefixLen returns the length of the longest common prefix of a and b.
func CommonPrefixLen(a, b []byte) int {
	n := min(len(a), len(b))
	i := 0
	for i+8 <= n && binary.LittleEndian.Uint64(a[i:]) == binary.LittleEndian.Uint64(b[i:]) {
		i += 8
	}
	for i < n && a[i] == b[i] {
		i++
	}
	return i
}

// Limits of the public interface.
const (
	MaxKeyLen   = 65535
	MaxValueLen = 256 << 20
)

// NumLevels is the number of levels of the tree, L0 included.
const NumLevels = 7

// FileNum names a file of a store: logs, tables and manifests draw from one
// counter, and a number is never used twice.
type FileNum uint64
