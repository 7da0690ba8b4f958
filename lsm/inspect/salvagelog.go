package inspect

import (
	"fmt"
	"slices"

	"github.com/ringwood-kv/ringwood/lsm/internal/arena"
	"github.com/ringwood-kv/ringwood/lsm/internal/base"
	"github.com/ringwood-kv/ringwood/lsm/internal/batch"
	"github.com/ringwood-kv/ringwood/lsm/internal/manifest"
	"github.com/ringwood-kv/ringwood/lsm/internal/rangedel"
	"github.com/ringwood-kv/ringwood/lsm/internal/skiplist"
	"github.com/ringwood-kv/ringwood/lsm/internal/wal"
)

// logTable holds operations of logs in order of keys.
type logTable struct {
	arena *arena.Arena
	list  *skiplist.List
}

const logTableSize = 32 << 20

// room returns a table that takes one more record, a new one if need be.
func (s *salvager) room(key, value int) (*logTable, error) {
	need := 2*skiplist.MaxEntrySize(key, value) + 4096
	if n := len(s.mems); n > 0 {
		if m := s.mems[n-1]; m.arena.Cap()-m.arena.Size() > need {
			return m, nil
		}
	}
	a, err := arena.New(max(logTableSize, need+4096))
	if err != nil {
		return nil, err
	}
	m := &logTable{arena: a, list: skiplist.New(a, nil)}
	s.mems = append(s.mems, m)
	return m, nil
}

// readLogs reads the logs that are not yet in tables; all of them if that is not
// known.
func (s *salvager) readLogs() error {
	var first base.FileNum
	if s.t != nil && s.t.whole {
		if first = s.t.minLog; first == 0 {
			return nil
		}
	}
	nums := slices.DeleteFunc(slices.Clone(s.l.logs), func(n base.FileNum) bool { return n < first })
	missing := func(num base.FileNum) {
		s.lost(Finding{File: manifest.Path(s.dir, manifest.FileLog, num), Offset: -1,
			Problem: "the whole log: the file is missing; the commits in it, of any key, are lost"})
	}
	if first != 0 && (len(nums) == 0 || nums[0] != first) {
		missing(first)
	}
	for i, num := range nums {
		tail, err := s.readLog(num)
		if err != nil {
			return err
		}
		if tail.Clean && tail.Next != 0 && (i+1 == len(nums) || nums[i+1] != tail.Next) && s.t != nil {
			missing(tail.Next)
		}
	}
	for _, m := range slices.Backward(s.mems) {
		it := new(skiplist.Iter)
		m.list.Init(it)
		s.sources = slices.Insert(s.sources, 0, base.Iter(it))
	}
	return nil
}

// readLog takes everything that checks out in one log.
func (s *salvager) readLog(num base.FileNum) (wal.Tail, error) {
	short := manifest.FileName(manifest.FileLog, num)
	name := manifest.Path(s.dir, manifest.FileLog, num)
	s.bar.file("log", short)
	defer func() { s.bar.add(s.l.sizes[short]) }()
	f, err := s.fs.Open(name)
	if tooManyOpen(err) {
		return wal.Tail{}, fmt.Errorf("salvage %s: %w", s.dir, err)
	}
	if err != nil {
		s.wholeLog(name, err)
		return wal.Tail{}, nil
	}
	defer f.Close()
	size, err := f.Size()
	if err != nil {
		s.wholeLog(name, err)
		return wal.Tail{}, nil
	}
	s.r.Logs++
	// As recovery sees it first: a torn end is no loss, damage is.
	var o wal.ScanOptions
	if s.t != nil {
		if end, ok := s.t.ends[num]; ok {
			o.Expect = wal.Expect{MinEnd: end, Clean: true}
		}
	}
	whole, strict := wal.ScanFrames(f, size, name, wal.KindLog, num, o, func(*wal.Frame) error { return nil })
	if strict == nil && whole.Dropped > 0 {
		s.note(name, fmt.Sprintf("torn end at offset %d, %d bytes: commits that were not yet synced", whole.End, whole.Dropped))
	}
	x := logSalvage{s: s, name: name, torn: strict == nil, last: s.logSeq}
	reported := len(s.r.Lost)
	o.SkipDamage = true
	tail, err := wal.ScanFrames(f, size, name, wal.KindLog, num, o, x.frame)
	if x.failed != nil {
		return tail, x.failed
	}
	if err != nil {
		s.lost(finding(err, name))
	}
	x.gap(0, 0)
	s.logSeq, s.logTorn = x.last, !tail.Clean
	if strict != nil && len(s.r.Lost) == reported { // no range to point at
		d := finding(strict, name)
		d.Problem += "; the last commits of the log, of any key, are lost"
		s.lost(d)
	}
	return tail, nil
}

// wholeLog reports that nothing of a log can be read.
func (s *salvager) wholeLog(name string, err error) {
	f := finding(err, name)
	f.Problem = "the whole log: " + f.Problem
	s.lost(f)
}

// logSalvage reads one log.
type logSalvage struct {
	s      *salvager
	name   string
	torn   bool // damage is a torn end, or nothing that counts
	based  bool
	base   base.SeqNum
	last   base.SeqNum // of the last record, of earlier logs too
	holes  []Finding   // since then
	failed error       // no memory: not the log's fault
}

func (x *logSalvage) frame(fr *wal.Frame) error {
	hole := func(what string) {
		x.holes = append(x.holes, Finding{File: x.name, Offset: fr.Offset, Length: fr.Len, Problem: what})
	}
	switch fr.Type {
	case wal.TypeHeader:
		x.base, x.based = base.SeqNum(fr.Base), true
	case wal.TypeDamage:
		hole("no whole frame")
	case wal.TypeData, wal.TypeMarked:
		if len(fr.Payload) == 0 {
			return nil
		}
		x.guessBase(fr.Payload)
		g, err := batch.Decode(fr.Payload, x.base)
		if err != nil {
			hole("record: " + err.Error())
			return nil
		}
		x.gap(g.Seq, fr.Offset)
		if x.failed = x.add(g); x.failed != nil {
			return x.failed
		}
		x.last = max(x.last, g.Seq+base.SeqNum(max(g.Count, 1))-1)
		x.s.lastSeq = max(x.s.lastSeq, x.last)
	}
	return nil
}

// guessBase makes up for a lost header: the first record that is left is newer than
// everything before this log.
func (x *logSalvage) guessBase(payload []byte) {
	if x.based {
		return
	}
	x.based = true
	g, err := batch.Decode(payload, 0)
	if err != nil {
		return
	}
	if x.base = x.s.lastSeq + 1; x.base > g.Seq {
		x.base -= g.Seq
	} else {
		x.base = 0
	}
	x.s.note(x.name, "the header with its first sequence number is lost: its commits count as newer than all before it")
}

// gap reports what is missing before the record at off with number next, 0 for the
// end.
func (x *logSalvage) gap(next base.SeqNum, off int64) {
	// The first log has no number to go on from, but a log is followed by another one
	// only when it was ended.
	if len(x.holes) == 0 && (x.last > 0 && next > x.last+1 || x.last == 0 && next > 0 && x.s.logTorn) {
		x.s.lost(Finding{File: x.name, Offset: off,
			Problem: fmt.Sprintf("commits with sequence numbers from %d to %d, of any key, are missing before this record", x.last+1, next-1)})
	}
	for _, h := range x.holes {
		switch {
		case x.torn && next == 0:
			continue // the torn end, noted already
		case next > x.last+1:
			h.Problem += fmt.Sprintf("; commits with sequence numbers from %d to %d, of any key, are lost", x.last+1, next-1)
		case next == 0:
			h.Problem += fmt.Sprintf("; commits with sequence numbers after %d, of any key, are lost", x.last)
		default:
			h.Problem += "; no commit is missing"
			x.s.note(x.name, fmt.Sprintf("at offset %d, %d bytes: %s", h.Offset, h.Length, h.Problem))
			continue
		}
		x.s.lost(h)
	}
	x.holes = x.holes[:0]
}

// add files the operations of one record.
func (x *logSalvage) add(g batch.Group) error {
	for ops, seq := g.Ops, g.Seq; len(ops) > 0; seq++ {
		op, rest, err := batch.DecodeOp(ops)
		if err != nil {
			return nil // Decode has seen all of them
		}
		ops = rest
		if op.Kind == base.KindRangeDelete {
			t := rangedel.Tombstone{Start: append([]byte{}, op.Key...), Seq: seq}
			if len(op.Value) > 0 {
				t.End = append([]byte{}, op.Value...)
			}
			if !t.Empty() {
				x.s.dels = append(x.s.dels, t)
			}
			continue
		}
		m, err := x.s.room(len(op.Key), len(op.Value))
		if err != nil {
			return err
		}
		if !m.list.Add(op.Key, base.MakeTrailer(seq, op.Kind), op.Value) {
			return fmt.Errorf("no room for a record of %d bytes", len(op.Key)+len(op.Value))
		}
		x.s.r.LogRecords++
	}
	return nil
}
