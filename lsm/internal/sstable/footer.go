package sstable

import (
	"encoding/binary"
	"fmt"

	"github.com/ringwood-kv/ringwood/lsm/internal/base"
)

// formatVersion is the newest format that this build reads and writes. A table without
// anything of it is still written as formatPlain.
const (
	formatPlain   = 1
	formatVersion = 2 // blob files, and tables that refer to them
)

const (
	footerLen     = 88
	footerVersion = 72
	footerSum     = 76
	footerMagic   = 80
	magic         = "\x8bRingTbl"
)

// handle is the place of a block, its trailer included; length 0 means that the
// table has no such block.
type handle struct{ off, len uint64 }

func (h handle) end() uint64 { return h.off + h.len }

// footer is the last part of the file. The regions that it names lie end to end,
// from the end of the data blocks to the footer.
type footer struct {
	uid       uint64
	version   uint32
	filter    handle
	rangeDels handle
	props     handle
	index     handle
}

func (f *footer) handles() [4]*handle {
	return [4]*handle{&f.filter, &f.rangeDels, &f.props, &f.index}
}

// encode returns the footer that will be at offset off.
func (f *footer) encode(off int64) []byte {
	b := make([]byte, 0, footerLen)
	b = binary.LittleEndian.AppendUint64(b, f.uid)
	for _, h := range f.handles() {
		b = binary.LittleEndian.AppendUint64(b, h.off)
		b = binary.LittleEndian.AppendUint64(b, h.len)
	}
	b = binary.LittleEndian.AppendUint32(b, f.version)
	b = binary.LittleEndian.AppendUint32(b, base.Checksum(f.uid, off, b, []byte(magic)))
	return append(b, magic...)
}

// decodeFooter reads the footer b, found at offset off of a file that ends with
// it. uid is what the table must have, 0 for any.
func decodeFooter(b []byte, off int64, uid uint64) (f footer, err error) {
	if len(b) != footerLen || off < 0 {
		return f, fmt.Errorf("no table: too short")
	}
	if string(b[footerMagic:]) != magic {
		return f, fmt.Errorf("no table, or one that is cut off: magic %x", b[footerMagic:])
	}
	f.uid = binary.LittleEndian.Uint64(b)
	if base.Checksum(f.uid, off, b[:footerSum], b[footerMagic:]) != binary.LittleEndian.Uint32(b[footerSum:]) {
		return f, fmt.Errorf("footer: %w", errChecksum)
	}
	f.version = binary.LittleEndian.Uint32(b[footerVersion:])
	if f.version == 0 || f.version > formatVersion {
		return f, &VersionError{Version: f.version}
	}
	if uid != 0 && f.uid != uid {
		return f, fmt.Errorf("another table: its id is %016x, wanted %016x", f.uid, uid)
	}
	for i, h := range f.handles() {
		p := b[8+16*i:]
		*h = handle{binary.LittleEndian.Uint64(p), binary.LittleEndian.Uint64(p[8:])}
	}
	return f, f.check(uint64(off))
}

// check sees that the regions lie end to end up to the footer.
func (f *footer) check(end uint64) error {
	at := f.filter.off
	for _, h := range f.handles() {
		if h.off != at || h.len > end || at > end-h.len || h.len > 0 && h.len <= trailerLen {
			return fmt.Errorf("footer: blocks do not lie end to end")
		}
		at = h.end()
	}
	if at != end || f.props.len == 0 || (f.filter.off == 0) != (f.index.len == 0) {
		return fmt.Errorf("footer: blocks do not fill the file")
	}
	return nil
}

// VersionError is returned for a table of a format that this build cannot read.
type VersionError struct {
	File    string
	Version uint32
}

func (e *VersionError) Error() string {
	return fmt.Sprintf("lsm: table %s has format %d; this build reads formats 1 to %d", e.File, e.Version, formatVersion)
}
