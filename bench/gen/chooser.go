package gen

// A Chooser chooses which record an operation is about. Choosers made by Fork from
// one another may be used by different goroutines; a single one may not.
type Chooser interface {
	// Next returns the number of a record. It may lie beyond the records that exist
	// so far where the distribution covers expected inserts: draw again then.
	Next(r *Rand) int64
	// Fork returns an independent chooser of the same distribution.
	Fork() Chooser
}

// Uniform chooses each of n records with the same probability.
type Uniform struct{ N int64 }

func (u Uniform) Next(r *Rand) int64 { return r.Int64n(u.N) }
func (u Uniform) Fork() Chooser      { return u }

// Scrambled is what YCSB calls zipfian: ranks of a zipfian distribution over 10^10
// items, scattered over the records by a hash. The most popular record gets
// 1/26.47 = 3.8% of the operations however many records there are.
type Scrambled struct {
	zipf *Zipfian
	n    int64
}

// scrambledItems and scrambledZeta are YCSB's ITEM_COUNT and ZETAN. Its generator
// runs over 0..ITEM_COUNT inclusive and leaves zeta as it is for ITEM_COUNT.
const (
	scrambledItems = 10_000_000_000
	scrambledZeta  = 26.46902820178302
)

// NewScrambled scatters over the numbers 0 to n, both included, as YCSB does when it
// is given n records: number n itself does not exist yet and is drawn again.
func NewScrambled(n int64) Scrambled {
	return Scrambled{zipf: newZipfian(scrambledItems+1, scrambledZeta), n: n + 1}
}

func (s Scrambled) Next(r *Rand) int64 { return FNV64(s.zipf.Rank(r.Float64())) % s.n }
func (s Scrambled) Fork() Chooser      { return s }

// Zipf is the zipfian law over exactly n records, its ranks scattered by a
// permutation. The most popular of a million records gets 1/15.39 = 6.5% of the
// operations: more skewed than Scrambled, and more so the fewer records there are.
type Zipf struct {
	zipf *Zipfian
	perm Permutation
}

// NewZipf chooses among n records; seed decides which of them are popular.
func NewZipf(n int64, seed uint64) Zipf {
	return Zipf{zipf: NewZipfian(n), perm: NewPermutation(n, seed)}
}

func (z Zipf) Next(r *Rand) int64 { return z.perm.At(z.zipf.Rank(r.Float64())) }
func (z Zipf) Fork() Chooser      { return z }

// Latest prefers the records inserted last: the distance from the newest
// acknowledged insert is zipfian. As in YCSB record 0 is never chosen, because the
// set of distances has as many elements as the newest record's number.
type Latest struct {
	ack  *Ack
	zipf Zipfian
}

// NewLatest chooses among the records that ack has acknowledged, at least two.
func NewLatest(ack *Ack) *Latest {
	return &Latest{ack: ack, zipf: *NewZipfian(max(ack.Last(), 1))}
}

func (l *Latest) Next(r *Rand) int64 {
	last := l.ack.Last()
	l.zipf.Grow(last)
	return max(0, last-l.zipf.Rank(r.Float64()))
}

func (l *Latest) Fork() Chooser {
	c := *l
	return &c
}

// Hotspot sends a share of the operations to a share of the records, the first ones;
// uniform within each part.
type Hotspot struct {
	n, hot int64
	ops    float64
}

// NewHotspot sends the share ops of operations to the share set of n records, both
// from 0 to 1. YCSB's defaults are 0.2 and 0.8. db_bench's readhot is 0.01 and 1.
func NewHotspot(n int64, set, ops float64) Hotspot {
	hot := min(max(int64(float64(n)*set), 1), n)
	return Hotspot{n: n, hot: hot, ops: ops}
}

func (h Hotspot) Next(r *Rand) int64 {
	if r.Float64() < h.ops || h.hot == h.n {
		return r.Int64n(h.hot)
	}
	return h.hot + r.Int64n(h.n-h.hot)
}

func (h Hotspot) Fork() Chooser { return h }

// Sequential chooses 0, 1, 2, … n-1, 0, … in the order of its calls; each fork has a
// sequence of its own.
type Sequential struct{ n, next int64 }

// NewSequential walks over n records.
func NewSequential(n int64) *Sequential { return &Sequential{n: n} }

func (s *Sequential) Next(*Rand) int64 {
	v := s.next
	s.next++
	if s.next == s.n {
		s.next = 0
	}
	return v
}

func (s *Sequential) Fork() Chooser { return &Sequential{n: s.n} }
