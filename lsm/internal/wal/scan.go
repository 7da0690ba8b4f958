package wal

import (
	"encoding/binary"
	"fmt"
	"io"

	"github.com/ringwood-kv/ringwood/lsm/internal/base"
)

// Expect is what others know about a file. The zero value is nothing.
type Expect struct {
	// MinEnd: whole frames were on disk up to this offset.
	MinEnd int64
	// Clean: the file was closed in an orderly way, and its frames end at MinEnd; at
	// an end frame if MinEnd is 0. Anything but zeros after that is damage.
	Clean bool
}

// Tail is how a file ends.
type Tail struct {
	End     int64        // offset after the last whole frame
	Clean   bool         // that frame is an end frame
	Next    base.FileNum // what the end frame names; 0 for none
	Synced  int64        // the largest synced mark in any frame; > 0: all earlier logs were synced entirely
	Dropped int64        // bytes from End to the last one that is not zero
	Base    uint64       // from the header frame; 0 if End is 0
}

// Unused says that nothing was ever appended, as far as can be read.
func (t *Tail) Unused() bool { return t.End <= headerLen+headerPayload }

// Frame is one frame as ScanFrames shows it.
type Frame struct {
	Type    Type
	Offset  int64
	Len     int64        // header and payload; for TypeDamage the bytes without a frame
	Mark    int64        // synced mark; 0 for none
	Next    base.FileNum // of TypeEnd
	Base    uint64       // of TypeHeader
	Payload []byte       // of TypeData and TypeMarked, without the mark; lives until the callback returns
}

// ScanOptions parametrises ScanFrames.
type ScanOptions struct {
	Expect
	// SkipDamage goes on behind damage at the next frame that checks out, and reports
	// the range before it as a frame of TypeDamage. Damage is then no error. For
	// salvage only: the payloads no longer are what was written, in sequence.
	SkipDamage bool
}

// Scan reads the file num of size bytes and hands each payload to fn, with the
// offset of its frame; the payload lives until fn returns. An error of fn ends
// the scan and is returned as it is.
//
// Bytes that are not a frame are the torn tail of a crash, or damage:
//
//   - If expect says that the file was whole there, it is damage.
//   - If a later frame carries a synced mark beyond them, they were on disk, and it
//     is damage.
//   - Otherwise they were never acknowledged as synced, and the file ends there.
//
// Damage is a *base.CorruptionError with the offset of the first bad frame. Scan
// hands out payloads before it knows; after an error the caller forgets them. A
// file in a newer format is ErrNewerFormat.
//
// The file may grow during the scan. Memory use is one read window, or the
// largest payload that checks out.
func Scan(r io.ReaderAt, size int64, name string, kind Kind, num base.FileNum, expect Expect,
	fn func(off int64, payload []byte) error) (Tail, error) {
	return ScanFrames(r, size, name, kind, num, ScanOptions{Expect: expect}, func(f *Frame) error {
		if f.Type != TypeData && f.Type != TypeMarked {
			return nil
		}
		return fn(f.Offset, f.Payload)
	})
}

// ScanFrames is Scan for tools: fn sees every frame.
func ScanFrames(r io.ReaderAt, size int64, name string, kind Kind, num base.FileNum, o ScanOptions,
	fn func(*Frame) error) (Tail, error) {
	s := scanner{reader: reader{r: r, size: size, name: name, num: num}, kind: kind, o: o, fn: fn}
	err := s.run()
	return s.tail, err
}

type scanner struct {
	reader
	kind Kind
	o    ScanOptions
	fn   func(*Frame) error
	tail Tail
}

func (s *scanner) run() error {
	for {
		more, err := s.frames()
		if err != nil || !more {
			return err
		}
	}
}

// frames reads frames from tail.End on until there is none, and judges what
// comes then. more means that the scan goes on from a new tail.End.
func (s *scanner) frames() (more bool, err error) {
	for !s.tail.Clean {
		raw, ok, err := s.frame(s.tail.End)
		if err != nil {
			return false, err
		}
		f := Frame{}
		if ok {
			ok, err = s.interpret(&raw, &f)
			if err != nil {
				return false, err
			}
		}
		if !ok {
			break
		}
		s.tail.End = raw.end()
		s.tail.Synced = max(s.tail.Synced, f.Mark)
		switch f.Type {
		case TypeHeader:
			s.tail.Base = f.Base
		case TypeEnd:
			s.tail.Clean, s.tail.Next = true, f.Next
		}
		if err := s.fn(&f); err != nil {
			return false, err
		}
	}
	if s.o.SkipDamage {
		return s.skip()
	}
	if err := s.drop(); err != nil {
		return false, err
	}
	return s.judge()
}

// drop counts what lies beyond tail.End.
func (s *scanner) drop() error {
	last, err := s.lastNonzero(s.tail.End)
	s.tail.Dropped = max(0, last-s.tail.End)
	return err
}

// interpret says what a frame means. It is false for a frame that no Writer can
// have made there; err is for files that are not what the caller thinks.
func (s *scanner) interpret(raw *rawFrame, f *Frame) (ok bool, err error) {
	*f = Frame{Type: raw.typ, Offset: raw.off, Len: int64(raw.size) + int64(raw.n)}
	if (raw.off == 0) != (raw.typ == TypeHeader) && !(s.o.SkipDamage && raw.off > 0) {
		return false, nil
	}
	p := raw.payload
	switch raw.typ {
	case TypeHeader:
		h, ok := decodeFileHeader(p)
		switch {
		case !ok:
			return false, nil
		case h.version > FormatVersion:
			return false, fmt.Errorf("wal: %s: %w: version %d, this build reads 1 to %d",
				s.name, ErrNewerFormat, h.version, FormatVersion)
		case h.kind != s.kind || h.num != s.num:
			return false, base.Corruptf(s.name, 0, "header of %v %d, not of %v %d", h.kind, h.num, s.kind, s.num)
		}
		f.Base = h.base
	case TypeData:
		f.Payload = p
	case TypeMarked:
		m, n := binary.Uvarint(p)
		if n <= 0 || m > uint64(raw.off) {
			return false, nil
		}
		f.Mark, f.Payload = int64(m), p[n:]
	case TypeEnd:
		next, n := binary.Uvarint(p)
		if n <= 0 {
			return false, nil
		}
		m, k := binary.Uvarint(p[n:])
		if k <= 0 || n+k != len(p) || m > uint64(raw.off) {
			return false, nil
		}
		f.Next, f.Mark = base.FileNum(next), int64(m)
	}
	return true, nil
}

// judge decides what the bytes from tail.End on are. A writer may be at work on
// the file (a read-only open), so what looks damaged is read once more before it
// is called that.
func (s *scanner) judge() (more bool, err error) {
	t := &s.tail
	bad := ""
	switch {
	case t.End < s.o.MinEnd:
		bad = fmt.Sprintf("no whole frame, but the log was whole up to %d", s.o.MinEnd)
	case s.o.Clean && s.o.MinEnd > 0 && t.End != s.o.MinEnd:
		bad = fmt.Sprintf("log was closed at %d, and goes on", s.o.MinEnd)
	case s.o.Clean && !t.Clean && s.o.MinEnd == 0:
		bad = "log was closed, but has no end frame"
	case s.o.Clean && t.Dropped > 0:
		bad = "log was closed here, and something follows"
	case t.Dropped == 0 || t.Clean:
		return false, nil
	default:
		mark, err := s.marksAfter(t.End)
		if err != nil {
			return false, err
		}
		if mark <= t.End {
			t.Synced = max(t.Synced, mark)
			return false, nil
		}
		bad = fmt.Sprintf("no whole frame, but the log was synced up to %d", mark)
	}
	if again, err := s.again(); again || err != nil {
		return again, err
	}
	return false, base.Corruptf(s.name, t.End, "%s", bad)
}

// again reports whether there is a frame at tail.End after all.
func (s *scanner) again() (bool, error) {
	if s.tail.Clean {
		return false, nil
	}
	s.win = s.win[:0]
	raw, ok, err := s.frame(s.tail.End)
	if !ok || err != nil {
		return false, err
	}
	return s.interpret(&raw, &Frame{})
}

// marksAfter returns the largest synced mark of the frames beyond the bad one at
// off. Frames that follow a valid one are stepped through, not searched for: this
// keeps bytes within a payload from being taken for frames.
func (s *scanner) marksAfter(off int64) (int64, error) {
	var mark int64
	for at := off + 1; ; {
		raw, ok, err := s.frame(at)
		var f Frame
		if err == nil && ok {
			ok, err = s.interpret(&raw, &f)
		}
		if err != nil {
			return 0, err
		}
		if ok {
			mark = max(mark, f.Mark)
			at = raw.end()
			continue
		}
		if at, ok, err = s.search(at + 1); err != nil || !ok {
			return mark, err
		}
	}
}

// skip reports the damage at tail.End, if any, and moves on to the next frame.
func (s *scanner) skip() (more bool, err error) {
	t := &s.tail
	for at := t.End; ; {
		var ok bool
		if at, ok, err = s.search(at + 1); err != nil {
			return false, err
		}
		if !ok {
			if err := s.drop(); err != nil || t.Dropped == 0 {
				return false, err
			}
			return false, s.fn(&Frame{Type: TypeDamage, Offset: t.End, Len: t.Dropped})
		}
		raw, ok, err := s.frame(at)
		if err == nil && ok {
			ok, err = s.interpret(&raw, &Frame{})
		}
		if err != nil {
			return false, err
		}
		if !ok {
			continue
		}
		f := Frame{Type: TypeDamage, Offset: t.End, Len: at - t.End}
		t.End, t.Clean, t.Next = at, false, 0
		return true, s.fn(&f)
	}
}
