package compaction

import (
	"bytes"
	"encoding/binary"
	"math"
	"sort"

	"github.com/ringwood-kv/ringwood/lsm/internal/base"
	"github.com/ringwood-kv/ringwood/lsm/internal/manifest"
	"github.com/ringwood-kv/ringwood/lsm/internal/merge"
	"github.com/ringwood-kv/ringwood/lsm/internal/rangedel"
	"github.com/ringwood-kv/ringwood/lsm/internal/sstable"
)

// runner is a job under way.
//
// Snapshots cut the sequence numbers into stripes: stripe i has those that
// snapshot i sees and snapshot i-1 does not; the last one has what only later
// readers see. Of the versions of a key in one stripe nobody sees any but the
// newest.
type runner struct {
	j     *Job
	stats Stats

	horizon []int64 // by stripe: what expired by then is expired for all who see it

	list *rangedel.List       // the sources' tombstones, nil if there are none
	keep []rangedel.Tombstone // those that must be written, sorted

	// The newest tombstone of each kind of reader at covStart..covEnd; without
	// snapshots only, where one number does.
	covEnd   []byte
	covSeq   base.SeqNum
	covKnown bool

	last    []byte // current user key
	some    bool   // last is set
	stripe  int    // of the newest version of last seen so far in its stripe
	emitted bool   // a version of last was written

	outputs []Output
	w       *sstable.Writer
	upper   []byte // the job ends before this key, for now; nil: it does not
	lower   []byte // outputs so far hold the tombstones before this key
	lowerAt int    // tombstones of keep before this index end at or before lower
	cut     cutter
	unasked int // bytes since Cancel and Progress
	blobs   blobWriter
}

func newRunner(j *Job) *runner {
	r := &runner{j: j, lower: j.Lower, upper: j.Upper, horizon: make([]int64, len(j.Snapshots)+1)}
	r.blobs.init(j)
	h := j.Now
	r.horizon[len(j.Snapshots)] = h
	for i := len(j.Snapshots) - 1; i >= 0; i-- {
		h = min(h, j.Snapshots[i].Time)
		r.horizon[i] = h
	}
	r.cut.init(j)
	if len(j.Tombstones) > 0 {
		r.list = rangedel.Build(j.Tombstones)
		r.reduce()
	}
	return r
}

// stripeOf returns the stripe of seq.
func (r *runner) stripeOf(seq base.SeqNum) int {
	s := r.j.Snapshots
	if len(s) == 0 || seq <= s[0].Seq {
		return 0
	}
	return sort.Search(len(s), func(i int) bool { return s[i].Seq >= seq })
}

// stripeTop returns the largest sequence number of stripe i.
func (r *runner) stripeTop(i int) base.SeqNum {
	if i < len(r.j.Snapshots) {
		return r.j.Snapshots[i].Seq
	}
	return base.SeqNumMax
}

// reduce decides which tombstones are to be written: of each stripe the newest at
// each point, except those of the oldest stripe that hide nothing further down.
func (r *runner) reduce() {
	byStripe := make([][]rangedel.Tombstone, len(r.j.Snapshots)+1)
	for _, t := range r.list.Tombstones() {
		i := r.stripeOf(t.Seq)
		byStripe[i] = append(byStripe[i], t)
	}
	for i, ts := range byStripe {
		for _, t := range rangedel.Envelope(ts) {
			if i == 0 && r.j.Bottom != nil && r.j.Bottom(t.Start, t.End, true) {
				r.stats.Tombstones++
				continue
			}
			r.keep = append(r.keep, t)
		}
	}
	rangedel.Sort(r.keep)
}

// covered reports whether a tombstone of the stripe st hides a record of key
// and seq that belongs to it.
func (r *runner) covered(key []byte, seq base.SeqNum, st int) bool {
	if len(r.j.Snapshots) > 0 {
		return r.list.Covering(key, r.stripeTop(st)) > seq
	}
	if !r.covKnown || rangedel.CompareEnd(key, r.covEnd) >= 0 {
		_, r.covEnd, r.covSeq = r.list.FragmentAt(key, base.SeqNumMax)
		r.covKnown = true
	}
	return r.covSeq > seq
}

// merge feeds every record of it through the rules. Without snapshots and
// tombstones a record costs one comparison with the key before it.
func (r *runner) merge(it *merge.Iter) error {
	var kv *base.KV
	if r.j.Lower == nil {
		kv = it.First()
	} else {
		kv = it.SeekGE(r.j.Lower)
	}
	for ; kv != nil; kv = it.Next() {
		if r.upper != nil && bytes.Compare(kv.Key, r.upper) >= 0 && !r.reach(kv) {
			break
		}
		r.stats.Read++
		if n := len(kv.Key) + len(kv.Value); r.unasked+n < askEvery {
			r.unasked += n
		} else if err := r.ask(n); err != nil {
			return err
		}
		st := 0
		if len(r.j.Snapshots) > 0 {
			st = r.stripeOf(kv.Trailer.Seq())
		}
		if string(kv.Key) != string(r.last) || !r.some {
			r.last, r.some = append(r.last[:0], kv.Key...), true
			r.emitted = false
		} else if st == r.stripe {
			r.stats.Shadowed++
			continue
		}
		r.stripe = st
		if r.list != nil && r.covered(kv.Key, kv.Trailer.Seq(), st) {
			r.stats.Covered++
			continue
		}
		if err := r.record(kv, st); err != nil {
			return err
		}
	}
	r.report()
	if kv == nil && it.Err() == nil {
		r.reach(nil)
	}
	return it.Err()
}

// reach moves upper past kv, nil being past everything, and reports whether it could.
func (r *runner) reach(kv *base.KV) bool {
	for r.upper != nil && (kv == nil || bytes.Compare(kv.Key, r.upper) >= 0) {
		if r.j.Onward == nil {
			return false
		}
		upper, more := r.j.Onward()
		if !more {
			return false
		}
		r.upper = upper
	}
	return true
}

// record writes a record that somebody may see, unless it is a delete that hides
// nothing.
func (r *runner) record(kv *base.KV, st int) error {
	t, value := kv.Trailer, kv.Value
	kind := t.Kind()
	if kind.TTL() && len(value) >= 8 && int64(binary.BigEndian.Uint64(value)) <= r.horizon[st] {
		// It still hides older versions.
		kind, value = base.KindDelete, nil
		t = base.MakeTrailer(t.Seq(), kind)
		r.stats.Expired++
	}
	if kind == base.KindDelete && st == 0 && r.j.Bottom != nil && (r.j.AllBottom || r.j.Bottom(kv.Key, kv.Key, false)) {
		r.stats.Tombstones++
		return nil
	}
	if r.j.AllBottom && st == 0 {
		t = base.MakeTrailer(0, kind)
	}
	if !r.emitted {
		r.emitted = true
		if r.cut.watch && r.w != nil && r.cut.before(kv.Key, r.w) {
			if err := r.finish(kv.Key); err != nil {
				return err
			}
		}
		if r.w == nil {
			if err := r.open(); err != nil {
				return err
			}
		}
	}
	if kind.Blob() || len(value) >= r.blobs.least {
		var err error
		moved := r.stats.MovedBytes
		if t, value, err = r.blobs.place(kv.Key, t, value, &r.stats); err != nil {
			return err
		}
		r.unasked += int(r.stats.MovedBytes - moved)
	}
	r.cut.add(len(kv.Key) + len(value))
	r.stats.Written++
	return r.w.Add(kv.Key, t, value)
}

const askEvery = 64 << 10

// ask reports n more bytes and whatever was not reported yet, and asks whether to
// go on.
func (r *runner) ask(n int) error {
	r.unasked += n
	r.report()
	if r.j.Cancel != nil {
		return r.j.Cancel()
	}
	return nil
}

func (r *runner) report() {
	r.stats.ReadBytes += uint64(r.unasked)
	if r.j.Progress != nil && r.unasked > 0 {
		r.j.Progress(int64(r.unasked))
	}
	r.unasked = 0
}

// cutter decides where outputs end: at the target size, and rather where a table
// of the next level ends than within one, because each such table that two
// outputs share is rewritten once for each of them. It looks at sizes every few
// kilobytes only.
type cutter struct {
	target int64
	next   []*manifest.FileMeta // grandparents that do not end before the current key
	under  int64                // bytes of grandparents passed since the output began
	raw    int                  // bytes added since the last look
	watch  bool                 // ask before at each key
}

const lookEvery = 4 << 10

func (c *cutter) init(j *Job) {
	c.target = j.TargetFileSize
	if c.target <= 0 {
		c.target = math.MaxInt64 / 64
	}
	c.next = j.Grandparents
	for len(c.next) > 0 && j.Lower != nil && c.next[0].EndsBefore(j.Lower) {
		c.next = c.next[1:]
	}
}

func (c *cutter) add(n int) {
	if c.raw += n; c.raw >= lookEvery {
		c.raw, c.watch = 0, true
	}
}

// begin starts a new output.
func (c *cutter) begin() { c.under, c.raw, c.watch = 0, 0, false }

// before reports whether the output in w should end before key.
func (c *cutter) before(key []byte, w *sstable.Writer) bool {
	crossed := false
	for len(c.next) > 0 && c.next[0].EndsBefore(key) {
		c.under += c.next[0].Bytes()
		c.next = c.next[1:]
		crossed = true
	}
	size := w.EstimatedSize()
	half, tenfold := size >= c.target/2, c.under >= 10*c.target
	// Near a cut each key counts, else the next look will do.
	c.watch = half || tenfold
	switch {
	case len(c.next) == 0 && !crossed:
		return size >= c.target
	case size >= c.target+c.target/2, c.under >= 25*c.target:
		return true
	}
	return crossed && (size >= c.target-c.target/4 || tenfold && half)
}
