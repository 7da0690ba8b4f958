// Package wal writes and reads the frame files of the engine: the write-ahead
// logs, and the manifest, which is a log of edits.
//
// A Writer appends frames to one file, gathers them in memory, and flushes and
// syncs when told. Scan reads them back, and decides whether the end of what it
// can read is the place where a crash tore the file or the place where a disk
// lost what had been safe. ScanFrames shows every frame, and can step over damage,
// for tools. Chain judges the logs of a store together.
//
// # Format
//
// A file is a sequence of frames, the first a header frame, followed by nothing
// or by zeros. Each frame is bound by its checksums to the number of the file and
// to its offset, so that no stale, moved or copied byte is taken for a frame.
// docs/wal.md has it byte by byte.
//
// # Invariants
//
//   - A file is written once, from the front; frames are never overwritten.
//   - A synced mark m in a frame says: when this frame was written, the bytes
//     [0, m) of this file and all of every earlier log were on disk.
//   - Nothing of a frame whose write failed is read back, except when the process
//     or the machine died before the failure was reported.
//
// # Failures
//
// A failed write leaves the file as it was before, and writing can go on when
// there is room again. A failed sync is final for the Writer: ErrSyncFailed.
// Damage is a *base.CorruptionError with file and offset; an error of the file
// system while reading is handed on and is not corruption.
//
// The package does not choose names, does not decide when to sync, and does not
// know what is in a payload.
package wal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math/bits"

	"github.com/ringwood-kv/ringwood/lsm/internal/base"
)

// Kind says what the payloads of a file are. The values are on disk.
type Kind uint8

const (
	KindLog      Kind = 1 // batches of a write-ahead log
	KindManifest Kind = 2 // edits of the tree
)

func (k Kind) String() string {
	switch k {
	case KindLog:
		return "log"
	case KindManifest:
		return "manifest"
	}
	return fmt.Sprintf("kind %d", uint8(k))
}

// Type is the type of a frame. The values up to TypeEnd are on disk.
type Type uint8

const (
	TypeHeader Type = 1 // the first frame of a file, and only that
	TypeData   Type = 2 // a payload
	TypeMarked Type = 3 // a synced mark, then a payload
	TypeEnd    Type = 4 // the orderly end: the number of the next log and a synced mark

	// TypeDamage is never on disk: ScanFrames reports a range under it that holds no
	// frame.
	TypeDamage Type = 255
)

func (t Type) String() string {
	switch t {
	case TypeHeader:
		return "header"
	case TypeData:
		return "data"
	case TypeMarked:
		return "marked"
	case TypeEnd:
		return "end"
	case TypeDamage:
		return "damage"
	}
	return fmt.Sprintf("type %d", uint8(t))
}

// FormatVersion is what Create writes and the newest that Scan reads.
const FormatVersion = 1

var (
	// ErrSyncFailed marks a Writer whose file failed to sync. Nobody knows what is
	// on disk; no later sync can repair that.
	ErrSyncFailed = errors.New("sync failed")
	// ErrNewerFormat marks a file that a later version of the engine wrote.
	ErrNewerFormat = errors.New("written in a newer format")
	// ErrEnded is returned by Append after End or Close.
	ErrEnded = errors.New("wal: log has ended")
)

const (
	headerLen     = 10      // of a frame
	longHeaderLen = 14      // of a frame of longLen bytes or more
	longLen       = 1 << 28 // payload length from which the long form is written
	longFlag      = 8       // bit of the type nibble: four more bytes of length follow

	headerPayload = 26
	headerMagic   = "RingWAL\x00"
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// frameHead is the decoded header of a frame.
type frameHead struct {
	typ  Type
	size int    // of the header: headerLen or longHeaderLen
	n    uint64 // payload bytes
	crc  uint32
}

// headCheck guards a header on its own, so that a search for frames in damaged
// bytes compares two integers per offset, and a damaged length is seen before it
// is used. lf is the length field, ext the extension of the long form.
func headCheck(num base.FileNum, off int64, lf, ext, crc uint32) uint16 {
	h := uint64(num)*0x9e3779b97f4a7c15 ^ uint64(off)*0xc2b2ae3d27d4eb4f ^ uint64(ext)*0x165667b19e3779f9
	h ^= uint64(lf)<<32 | uint64(crc)
	h *= 0xff51afd7ed558ccd
	h ^= h >> 32
	h *= 0xc4ceb9fe1a85ec53
	return uint16(h >> 48)
}

// parseHead decodes the header at the beginning of b, which stands at off in the
// file num. It is true only for a header that checks out; the payload may still
// be beyond the end of the file.
func parseHead(b []byte, num base.FileNum, off int64) (frameHead, bool) {
	if len(b) < headerLen {
		return frameHead{}, false
	}
	lf := binary.LittleEndian.Uint32(b)
	t := lf >> 28
	h := frameHead{typ: Type(t &^ longFlag), size: headerLen, n: uint64(lf & (longLen - 1))}
	if h.typ < TypeHeader || h.typ > TypeEnd {
		return frameHead{}, false
	}
	var ext uint32
	if t&longFlag != 0 {
		if len(b) < longHeaderLen {
			return frameHead{}, false
		}
		ext = binary.LittleEndian.Uint32(b[headerLen:])
		h.size = longHeaderLen
		h.n |= uint64(ext) << 28
	}
	h.crc = binary.LittleEndian.Uint32(b[6:])
	return h, binary.LittleEndian.Uint16(b[4:]) == headCheck(num, off, lf, ext, h.crc)
}

// putHead encodes a header; the long form if size says so.
func putHead(b []byte, t Type, size int, n uint64) {
	lf := uint32(n&(longLen-1)) | uint32(t)<<28
	if size == longHeaderLen {
		lf |= longFlag << 28
		binary.LittleEndian.PutUint32(b[headerLen:], uint32(n>>28))
	}
	binary.LittleEndian.PutUint32(b, lf)
}

// sealHead enters the checksums into a header that putHead made.
func sealHead(b []byte, size int, num base.FileNum, off int64, crc uint32) {
	var ext uint32
	if size == longHeaderLen {
		ext = binary.LittleEndian.Uint32(b[headerLen:])
	}
	binary.LittleEndian.PutUint16(b[4:], headCheck(num, off, binary.LittleEndian.Uint32(b), ext, crc))
	binary.LittleEndian.PutUint32(b[6:], crc)
}

// summer computes base.Checksum(num, offset, length field, rest of the frame) in
// steps. The seed lives here because crc32 lets its argument escape: on the stack
// of Append it would be an allocation per frame.
type summer struct {
	seed [20]byte
	c    uint32
}

func (s *summer) start(num base.FileNum, off int64, head []byte) {
	binary.LittleEndian.PutUint64(s.seed[:], uint64(num))
	binary.LittleEndian.PutUint64(s.seed[8:], uint64(off))
	copy(s.seed[16:], head[:4])
	s.c = crc32.Update(0, castagnoli, s.seed[:])
}

func (s *summer) add(b []byte) { s.c = crc32.Update(s.c, castagnoli, b) }

func (s *summer) sum() uint32 { return (s.c>>15 | s.c<<17) + 0xa282ead8 }

// fileHeader is the payload of a header frame.
type fileHeader struct {
	version uint8
	kind    Kind
	num     base.FileNum
	base    uint64
}

func (h fileHeader) encode() []byte {
	b := make([]byte, 0, headerPayload)
	b = append(b, headerMagic...)
	b = append(b, h.version, byte(h.kind))
	b = binary.LittleEndian.AppendUint64(b, uint64(h.num))
	return binary.LittleEndian.AppendUint64(b, h.base)
}

// decodeFileHeader reads a header payload. Of a newer version only the version
// is known.
func decodeFileHeader(b []byte) (fileHeader, bool) {
	if len(b) < len(headerMagic)+2 || string(b[:len(headerMagic)]) != headerMagic {
		return fileHeader{}, false
	}
	h := fileHeader{version: b[8], kind: Kind(b[9])}
	if h.version > FormatVersion {
		return h, true
	}
	if h.version == 0 || len(b) != headerPayload {
		return fileHeader{}, false
	}
	h.num = base.FileNum(binary.LittleEndian.Uint64(b[10:]))
	h.base = binary.LittleEndian.Uint64(b[18:])
	return h, true
}

// uvarintLen is the number of bytes that binary.PutUvarint takes.
func uvarintLen(v uint64) int { return (bits.Len64(v|1) + 6) / 7 }
