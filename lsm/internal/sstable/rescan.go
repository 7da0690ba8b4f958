package sstable

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"unsafe"

	"github.com/ringwood-kv/ringwood/lsm/internal/block"
)

// Without an index the length of a block is not known. Its end is where the checksum
// of everything from its begin checks out: one step of the CRC for each byte. After a
// block that is damaged, every offset may be a begin, and each is tried up to the
// length that blocks of the table have; the work is bounded, and what it does not
// cover is reported as lost.

const (
	rescanWindow = 4 << 20  // the longest block that is found without an index
	rescanPage   = 4 << 10  // what is given up where the disk cannot read
	resyncBudget = 64 << 20 // steps of the CRC per table in search of begins
	resyncLeast  = 8 << 10
)

var crcTable = crc32.MakeTable(crc32.Castagnoli)

// scan finds data blocks in the first end bytes, and behind them, if the footer is
// lost, range tombstones and properties.
func (m *Remains) scan(end int64) {
	s := rescanner{m: m, end: end, longest: resyncLeast, bad: make(map[int64]error)}
	at, lost := int64(0), int64(-1)
	for at < end && !s.done {
		if n := s.block(at, rescanWindow); n > 0 {
			if lost >= 0 {
				m.report(s.lostAt(lost, at))
				lost = -1
			}
			s.longest = max(s.longest, 2*n)
			at += n
			continue
		}
		if lost < 0 {
			lost = at
		}
		at = s.resync(at + 1)
	}
	if !m.HasFooter && s.done {
		return
	}
	if lost < 0 && at < end {
		lost = at
	}
	if lost >= 0 {
		m.report(s.lostAt(lost, end))
	}
}

type rescanner struct {
	m       *Remains
	end     int64
	bad     map[int64]error // offsets of pages that cannot be read
	longest int64
	budget  int64 // steps spent on resync
	done    bool  // the properties were found: no data behind them
	win     []byte
	winOff  int64
}

// load returns what the file has from at on, up to n bytes. Pages that cannot be read
// are zeros: no block that reaches into one checks out.
func (s *rescanner) load(at, n int64) []byte {
	n = min(n, s.end-at)
	if at >= s.winOff && at+n <= s.winOff+int64(len(s.win)) {
		return s.win[at-s.winOff:][:n]
	}
	size := min(max(n, 1<<20), s.end-at)
	if int64(cap(s.win)) < size {
		s.win = make([]byte, size)
	}
	s.win, s.winOff = s.win[:size], at
	if len(s.bad) == 0 && readFull(s.m.f, s.m.name, s.win, at) == nil {
		return s.win[:n]
	}
	for p := s.win; len(p) > 0; {
		page := at &^ (rescanPage - 1)
		part := p[:min(int64(len(p)), page+rescanPage-at)]
		err := s.bad[page]
		if err == nil {
			err = readFull(s.m.f, s.m.name, part, at)
		}
		if err != nil {
			clear(part)
			s.bad[page] = err
		}
		p, at = p[len(part):], at+int64(len(part))
	}
	return s.win[:n]
}

// lostAt describes a range in which no block was found.
func (s *rescanner) lostAt(from, to int64) Damage {
	d := Damage{Offset: from, Len: to - from, What: "data blocks", Err: fmt.Errorf("no block checks out: %w", errChecksum)}
	for page := from &^ (rescanPage - 1); page < to && len(s.bad) > 0; page += rescanPage {
		if err := s.bad[page]; err != nil {
			d.Err = fmt.Errorf("no block checks out: %w", err)
			break
		}
	}
	return d
}

// block looks for a block at at and files it. It returns its length, 0 for none.
func (s *rescanner) block(at, limit int64) int64 {
	for want := s.longest; ; want = limit {
		b := s.load(at, min(want, limit))
		if n := sealedLen(b, s.m.uid, at); n > 0 && s.take(b[:n], at) {
			return int64(n)
		}
		if want >= limit || int64(len(b)) < want {
			return 0
		}
	}
}

// sealedLen returns the length of the block that begins b, at offset off of the
// file: where codec byte and checksum fit. 0 if there is none.
func sealedLen(b []byte, uid uint64, off int64) int {
	var seed [16]byte
	binary.LittleEndian.PutUint64(seed[:], uid)
	binary.LittleEndian.PutUint64(seed[8:], uint64(off))
	c := ^crc32.Update(0, crcTable, seed[:])
	for i := 0; i+trailerLen <= len(b); i++ {
		c = crcTable[byte(c)^b[i]] ^ c>>8
		if i == 0 || b[i] > byte(Snappy) {
			continue
		}
		x := ^c
		if (x>>15|x<<17)+0xa282ead8 == binary.LittleEndian.Uint32(b[i+1:]) {
			return i + trailerLen
		}
	}
	return 0
}

// take decides what the block raw is. Order tells: data blocks, filter, range
// tombstones, properties, index.
func (s *rescanner) take(raw []byte, off int64) bool {
	b, err := unseal(raw, s.m.uid, off)
	if err != nil {
		return false
	}
	var it block.Iter
	if it.Init(b) == nil {
		n := 0
		for kv := it.First(); kv != nil; kv = it.Next() {
			n++
		}
		if it.Err() == nil && n > 0 {
			s.m.Blocks = append(s.m.Blocks, Place{Offset: off, Len: int64(len(raw))})
			return true
		}
	}
	if s.m.HasFooter {
		return false
	}
	if p, err := decodeProperties(b); err == nil {
		s.m.Props, s.done = &p, true
	} else if ts, err := decodeRangeDels(b); err == nil {
		s.m.RangeDels = ts
	}
	return true // or the filter, which nobody needs
}

// resync returns the first offset from at on where a block begins, or the end.
func (s *rescanner) resync(at int64) int64 {
	for ; at < s.end; at++ {
		limit := min(s.longest, s.end-at)
		if s.budget += limit; s.budget > resyncBudget {
			break
		}
		if sealedLen(s.load(at, limit), s.m.uid, at) > 0 {
			return at
		}
	}
	return s.end
}

// bytesOf shows memory that is aligned to 8 as bytes. unsafe: the length is that of
// w, and nothing else is aliased.
func bytesOf(w []uint64) []byte {
	if len(w) == 0 {
		return nil
	}
	return unsafe.Slice((*byte)(unsafe.Pointer(&w[0])), 8*len(w))
}
