package wal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/ringwood-kv/ringwood/lsm/internal/base"
	"github.com/ringwood-kv/ringwood/lsm/vfs"
)

const (
	// maxBuffer bounds what Append gathers before it writes by itself.
	maxBuffer = 1 << 20
	// maxFrame bounds a payload: its length is stored in 60 bits.
	maxFrame = 1 << 60
)

// Writer appends frames to one file. It belongs to one goroutine at a time, the
// commit leader; the caller's locks hand it over. SyncWritten, Size, Synced, Err
// and IsBroken may be called from any goroutine at any time.
//
// Sync and SyncWritten must not be called before every earlier log of the store
// has been synced: the marks that follow promise that to recovery.
type Writer struct {
	f    vfs.File
	name string
	num  base.FileNum
	long uint64 // payload length from which the long form is used
	sum  summer

	buf     []byte  // whole frames that are not in the file yet
	gathers bool    // many frames: it is worth while to take buf from the pool
	pooled  *[]byte // buf, if it is from there: from the first frame after the header to End
	off     int64   // where buf[0] belongs: the end of what is in the file
	marked  int64   // the largest synced mark in a frame
	ended   bool
	closed  bool
	ahead   spaceAhead

	size    atomic.Int64 // off + len(buf)
	written atomic.Int64 // off
	synced  atomic.Int64
	err     atomic.Pointer[error] // sticky
}

// Create begins a log in f, which is new and empty, and takes f over. baseSeq is
// handed back by Scan; the DB keeps in it the sequence number before the first
// of the log. Nothing is written yet: the header frame waits in the buffer.
func Create(f vfs.File, name string, kind Kind, num base.FileNum, baseSeq uint64) (*Writer, error) {
	w := &Writer{f: f, name: name, num: num, long: longLen, gathers: kind == KindLog}
	w.ahead.off = kind == KindManifest // grows slowly; its syncs are not waited for by writers
	h := fileHeader{version: FormatVersion, kind: kind, num: num, base: baseSeq}
	return w, w.frame(TypeHeader, 0, [][]byte{h.encode()})
}

// Append adds one frame whose payload is the concatenation of parts. It copies
// them; it writes to the file only when about a megabyte has gathered, or for a
// payload of that size. After an error the frame is not in the log, and those
// appended before still are.
func (w *Writer) Append(parts ...[]byte) error {
	if s := w.synced.Load(); s > w.marked {
		if err := w.frame(TypeMarked, s, parts); err != nil {
			return err
		}
		w.marked = s
		return nil
	}
	return w.frame(TypeData, 0, parts)
}

// Mark appends a frame without a payload for the sake of its synced mark, if
// there is something new to say. Append does so by itself; Mark is for a log that
// may stay idle after a sync, so that its last frames can be told from torn ones.
func (w *Writer) Mark() error {
	if w.synced.Load() <= w.marked {
		return nil
	}
	return w.Append()
}

// End appends the end frame: next is the number of the log that follows, which
// must exist with its directory entry synced; 0 for none. It flushes, and does
// not sync. If only the flush fails, the end frame waits in the buffer.
func (w *Writer) End(next base.FileNum) error {
	var p [binary.MaxVarintLen64]byte
	n := binary.PutUvarint(p[:], uint64(next))
	s := w.synced.Load()
	var m [binary.MaxVarintLen64]byte
	k := binary.PutUvarint(m[:], uint64(s))
	if err := w.frame(TypeEnd, 0, [][]byte{p[:n], m[:k]}); err != nil {
		return err
	}
	w.ended = true
	if err := w.Flush(); err != nil {
		return err
	}
	w.release()
	return nil
}

// frame adds one frame to the buffer. A mark greater than 0 goes before the
// payload.
func (w *Writer) frame(t Type, mark int64, parts [][]byte) error {
	if err := w.usable(); err != nil {
		return err
	}
	n, lead := uint64(0), 0
	for _, p := range parts {
		n += uint64(len(p))
	}
	if mark > 0 {
		lead = uvarintLen(uint64(mark))
		n += uint64(lead)
	}
	if n >= maxFrame {
		return fmt.Errorf("wal: payload of %d bytes: %w", n, base.ErrTooLarge)
	}
	head := headerLen
	if n >= w.long {
		head = longHeaderLen
	}
	if uint64(len(w.buf)+head)+n > maxBuffer && len(w.buf) > 0 {
		if err := w.Flush(); err != nil {
			return err
		}
	}
	if uint64(head)+n > maxBuffer {
		return w.direct(t, mark, head, lead, n, parts)
	}
	start := len(w.buf)
	need := start + head + int(n)
	if w.pooled == nil && w.gathers && t != TypeHeader {
		w.pooled = buffers.Get().(*[]byte)
		w.buf = append((*w.pooled)[:0], w.buf...)
	}
	if need > cap(w.buf) {
		w.buf = slices.Grow(w.buf, need-start)
	}
	w.buf = w.buf[:need]
	b := w.buf[start:]
	putHead(b, t, head, n)
	at := head
	if lead > 0 {
		at += binary.PutUvarint(b[at:], uint64(mark))
	}
	for _, p := range parts {
		at += copy(b[at:], p)
	}
	off := w.off + int64(start)
	w.sum.start(w.num, off, b)
	w.sum.add(b[headerLen:])
	sealHead(b, head, w.num, off, w.sum.sum())
	w.size.Store(w.off + int64(need))
	return nil
}

// direct writes one large frame to the file without gathering it. The buffer is
// empty.
func (w *Writer) direct(t Type, mark int64, head, lead int, n uint64, parts [][]byte) error {
	b := make([]byte, head+lead)
	putHead(b, t, head, n)
	if lead > 0 {
		binary.PutUvarint(b[head:], uint64(mark))
	}
	w.sum.start(w.num, w.off, b)
	w.sum.add(b[headerLen:])
	for _, p := range parts {
		w.sum.add(p)
	}
	sealHead(b, head, w.num, w.off, w.sum.sum())
	at := w.off
	for i := -1; i < len(parts); i++ {
		p := b
		if i >= 0 {
			p = parts[i]
		}
		if err := w.write(p, at); err != nil {
			return err
		}
		at += int64(len(p))
	}
	w.advance(at)
	return nil
}

// Flush writes the buffer to the file. When that fails the file is cut back to
// the last whole frame, and the frames stay in the buffer: the caller calls Flush
// again when there is room, or takes frames back by DropFrom.
func (w *Writer) Flush() error {
	if err := w.Err(); err != nil {
		return err
	}
	if len(w.buf) == 0 {
		return nil
	}
	if err := w.write(w.buf, w.off); err != nil {
		return err
	}
	end := w.off + int64(len(w.buf))
	w.buf = w.buf[:0]
	w.advance(end)
	return nil
}

func (w *Writer) advance(end int64) {
	w.off = end
	w.written.Store(end)
	w.size.Store(end + int64(len(w.buf)))
}

// write puts p at off, or leaves the file as if it had not tried.
func (w *Writer) write(p []byte, off int64) error {
	n, err := w.f.WriteAt(p, off)
	if err == nil && n < len(p) {
		err = io.ErrShortWrite
	}
	if err == nil {
		return nil
	}
	err = fmt.Errorf("wal: %s: write at %d: %w", w.name, off, err)
	return w.cutBack(err)
}

// cutBack removes what a failed write left behind the last whole frame. It syncs
// because the caller is about to report the frames as not committed: after a
// power cut they must not come back, and neither must a longer old frame around a
// shorter new one. What it syncs does not count as synced, since earlier logs may
// not be.
func (w *Writer) cutBack(cause error) error {
	w.ahead.forget()
	if err := w.f.Truncate(w.off); err != nil {
		return w.fail(errors.Join(cause, fmt.Errorf("truncate to %d: %w", w.off, err)))
	}
	if err := w.f.Sync(); err != nil {
		return w.fail(errors.Join(cause, fmt.Errorf("%w: %w", ErrSyncFailed, err)))
	}
	return cause
}

// DropFrom takes back the frames of the buffer from offset off on, after a
// failed Flush. off is what Size was before the first of them was appended;
// frames that are in the file cannot be dropped.
func (w *Writer) DropFrom(off int64) error {
	at := w.off
	for at < off && at < w.size.Load() {
		h, ok := parseHead(w.buf[at-w.off:], w.num, at)
		if !ok {
			break
		}
		at += int64(h.size) + int64(h.n)
	}
	if at != off {
		return fmt.Errorf("wal: %s: no buffered frame begins at %d", w.name, off)
	}
	w.buf = w.buf[:off-w.off]
	w.size.Store(off)
	w.ended = false
	w.marked = 0 // the mark may have been in a dropped frame; repeating it is cheap
	return nil
}

// Sync flushes, and makes everything appended so far durable. A failure of the
// sync itself is final.
func (w *Writer) Sync() error {
	if err := w.Flush(); err != nil {
		return err
	}
	if !w.ended && !w.closed {
		w.ahead.fill(w.f, w.off, w.synced.Load())
	}
	return w.SyncWritten()
}

// SyncWritten makes durable what Flush has written. It may run beside Append and
// Flush on another goroutine; it covers what was flushed when it began.
func (w *Writer) SyncWritten() error {
	if err := w.Err(); err != nil {
		return err
	}
	to := w.written.Load()
	if to <= w.synced.Load() {
		return nil
	}
	if err := w.f.Sync(); err != nil {
		return w.fail(fmt.Errorf("%w: %w", ErrSyncFailed, err))
	}
	for {
		s := w.synced.Load()
		if to <= s || w.synced.CompareAndSwap(s, to) {
			return nil
		}
	}
}

// Close flushes and closes the file, without a sync. The Writer is unusable
// afterwards; Close again does nothing.
func (w *Writer) Close() error {
	if w.closed {
		return nil
	}
	var err error
	if !w.IsBroken() {
		err = w.Flush()
	}
	w.closed = true
	if !w.IsBroken() {
		w.ahead.cut(w.f, w.off)
	}
	if cerr := w.f.Close(); cerr != nil {
		err = errors.Join(err, fmt.Errorf("wal: %s: close: %w", w.name, cerr))
	}
	w.release()
	return err
}

// Abandon closes the file as it is, and forgets what is in the buffer: the log
// is about to be removed.
func (w *Writer) Abandon() error {
	if w.closed {
		return nil
	}
	w.closed = true
	w.release()
	return w.f.Close()
}

// buffers are those of logs that were closed.
var buffers = sync.Pool{New: func() any { return new([]byte) }}

// release lets the next log have the buffer, which is empty or of no use any more: at
// durability None it grows to a megabyte.
func (w *Writer) release() {
	if w.pooled != nil {
		*w.pooled = w.buf[:0]
		buffers.Put(w.pooled)
	}
	w.buf, w.pooled = nil, nil
}

// Size is the offset after the last frame appended, buffered ones included.
func (w *Writer) Size() int64 { return w.size.Load() }

// Written is the offset after the last frame that is in the file.
func (w *Writer) Written() int64 { return w.written.Load() }

// Synced is the offset up to which the log is on disk.
func (w *Writer) Synced() int64 { return w.synced.Load() }

// Num is the number of the log.
func (w *Writer) Num() base.FileNum { return w.num }

// Err returns the failure that ended this log, or nil. After a failed sync
// errors.Is(err, ErrSyncFailed).
func (w *Writer) Err() error {
	if p := w.err.Load(); p != nil {
		return *p
	}
	return nil
}

// IsBroken reports whether Err is not nil: nothing can be appended any more.
func (w *Writer) IsBroken() bool { return w.err.Load() != nil }

func (w *Writer) usable() error {
	if w.ended || w.closed {
		return ErrEnded
	}
	return w.Err()
}

// fail makes err, or an earlier one, the answer from now on.
func (w *Writer) fail(err error) error {
	err = fmt.Errorf("wal: %s: %w", w.name, err)
	w.err.CompareAndSwap(nil, &err)
	return w.Err()
}
