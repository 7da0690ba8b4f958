package wal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"

	"github.com/ringwood-kv/ringwood/lsm/internal/base"
)

const (
	windowLen = 256 << 10 // bytes per read of the file
	// smallFrame is the largest frame that is read before its checksum is verified.
	// A larger one is summed in pieces first, so a length alone, even one under a
	// valid header, never makes the reader allocate.
	smallFrame = windowLen
)

// reader gives out verified frames of one file by offset.
type reader struct {
	r    io.ReaderAt
	size int64 // lowered when the file turns out to be shorter
	name string
	num  base.FileNum
	sum  summer

	win    []byte // the bytes [winOff, winOff+len(win)) of the file
	winOff int64
	large  []byte // payload of the last large frame
	tmp    []byte // for summing large frames without moving the window
}

// errTooLong: the platform cannot hold the payload in one slice.
var errTooLong = errors.New("frame too long for this platform")

// rawFrame is a frame that checks out.
type rawFrame struct {
	frameHead
	off     int64
	payload []byte // lives until the next call of a method of reader
}

func (f *rawFrame) end() int64 { return f.off + int64(f.size) + int64(f.n) }

// bytes returns [off, off+n) of the file, fewer only at its end. n is at most
// windowLen.
func (r *reader) bytes(off int64, n int) ([]byte, error) {
	if off >= r.winOff && off+int64(n) <= r.winOff+int64(len(r.win)) {
		return r.win[off-r.winOff:][:n], nil
	}
	if err := r.load(off); err != nil {
		return nil, err
	}
	return r.win[:min(n, len(r.win))], nil
}

// load moves the window to off.
func (r *reader) load(off int64) error {
	want := int(max(0, min(windowLen, r.size-off)))
	if cap(r.win) < want {
		r.win = make([]byte, want)
	}
	n, err := r.readAt(r.win[:want], off)
	r.win, r.winOff = r.win[:n], off
	return err
}

// readAt fills b from off. A file that is shorter than thought lowers size.
func (r *reader) readAt(b []byte, off int64) (int, error) {
	n, err := r.r.ReadAt(b, off)
	if n == len(b) {
		return n, nil
	}
	if err == nil || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		r.size = off + int64(n)
		return n, nil
	}
	return n, fmt.Errorf("wal: %s: read at %d: %w", r.name, off, err)
}

// head decodes the header at off. ok is false when there is none that checks out
// with a payload that ends within the file.
func (r *reader) head(off int64) (h frameHead, ok bool, err error) {
	b, err := r.bytes(off, longHeaderLen)
	if err != nil {
		return h, false, err
	}
	if h, ok = parseHead(b, r.num, off); !ok {
		return h, false, nil
	}
	return h, r.fits(off, h), nil
}

// fits reports whether a frame at off with header h ends within the file.
func (r *reader) fits(off int64, h frameHead) bool {
	rest := r.size - off - int64(h.size)
	return rest >= 0 && h.n <= uint64(rest)
}

// frame returns the frame at off, and whether there is one that checks out.
func (r *reader) frame(off int64) (f rawFrame, ok bool, err error) {
	f.off = off
	if f.frameHead, ok, err = r.head(off); !ok || err != nil {
		return f, false, err
	}
	if f.n > smallFrame-longHeaderLen {
		return r.largeFrame(f)
	}
	total := f.size + int(f.n)
	b, err := r.bytes(off, total)
	if err != nil || len(b) < total {
		return f, false, err
	}
	r.sum.start(r.num, off, b)
	r.sum.add(b[headerLen:])
	f.payload = b[f.size:]
	return f, r.sum.sum() == f.crc, nil
}

// largeFrame verifies a frame before it makes room for it.
func (r *reader) largeFrame(f rawFrame) (rawFrame, bool, error) {
	ok, err := r.sumLarge(&f)
	if !ok || err != nil {
		return f, false, err
	}
	if f.n > math.MaxInt-longHeaderLen {
		return f, false, fmt.Errorf("wal: %s: frame of %d bytes at %d: %w", r.name, f.n, f.off, errTooLong)
	}
	if uint64(cap(r.large)) < f.n {
		r.large = make([]byte, f.n)
	}
	f.payload = r.large[:f.n]
	n, err := r.readAt(f.payload, f.off+int64(f.size))
	if err != nil || n < len(f.payload) {
		return f, false, err
	}
	// Sum again: the file may have changed between the two reads.
	var head [longHeaderLen]byte
	putHead(head[:], f.typ, f.size, f.n)
	r.sum.start(r.num, f.off, head[:])
	r.sum.add(head[headerLen:f.size])
	r.sum.add(f.payload)
	return f, r.sum.sum() == f.crc, nil
}

// sumLarge verifies the checksum of a frame of any length in pieces, without
// moving the window.
func (r *reader) sumLarge(f *rawFrame) (bool, error) {
	if r.tmp == nil {
		r.tmp = make([]byte, 64<<10)
	}
	var head [longHeaderLen]byte
	putHead(head[:], f.typ, f.size, f.n)
	r.sum.start(r.num, f.off, head[:])
	for at, end := f.off+headerLen, f.end(); at < end; {
		b := r.tmp[:min(int64(len(r.tmp)), end-at)]
		n, err := r.readAt(b, at)
		if err != nil || n < len(b) {
			return false, err
		}
		r.sum.add(b)
		at += int64(n)
	}
	return r.sum.sum() == f.crc, nil
}

// search returns the first offset from off on where a frame begins that checks
// out. Every offset is tried: damage knows no boundaries. The header check lets
// one in 65,536 offsets of garbage through; what those may cost is limited, since
// a hostile file could let all of them through.
func (r *reader) search(off int64) (found int64, ok bool, err error) {
	budget := searchBudget + 64*uint64(max(0, r.size-off))
	for ; off+headerLen <= r.size; off++ {
		b, err := r.bytes(off, int(min(longHeaderLen, r.size-off)))
		if err != nil {
			return 0, false, err
		}
		if len(b) < headerLen {
			break
		}
		if t := b[3] >> 4 &^ longFlag; t < uint8(TypeHeader) || t > uint8(TypeEnd) {
			continue
		}
		h, ok := parseHead(b, r.num, off)
		if !ok || !r.fits(off, h) {
			continue
		}
		if h.n > budget {
			return 0, false, base.Corruptf(r.name, off, "too many false frame headers")
		}
		budget -= h.n
		ok, err = r.sumLarge(&rawFrame{frameHead: h, off: off})
		if ok || err != nil {
			return off, ok, err
		}
	}
	return 0, false, nil
}

const searchBudget = 64 << 20

// lastNonzero returns the offset after the last byte at or after off that is not
// zero, or off.
func (r *reader) lastNonzero(off int64) (int64, error) {
	last := off
	for at := off; at < r.size; {
		if err := r.load(at); err != nil {
			return 0, err
		}
		if len(r.win) == 0 {
			break
		}
		if i := trimZeros(r.win); i > 0 {
			last = at + int64(i)
		}
		at += int64(len(r.win))
	}
	return last, nil
}

// trimZeros returns the length of b without the zeros at its end.
func trimZeros(b []byte) int {
	n := len(b)
	for n >= 8 && binary.LittleEndian.Uint64(b[n-8:]) == 0 {
		n -= 8
	}
	for n > 0 && b[n-1] == 0 {
		n--
	}
	return n
}
