package driver

import (
	"io"
	"time"

	hdr "github.com/HdrHistogram/hdrhistogram-go"
)

// highest is the longest time a histogram tells apart. What took longer counts as
// that long in percentiles; Max is exact.
const highest = 100 * time.Second

// Histogram is an HDR histogram of durations with three significant digits, from a
// nanosecond to a hundred seconds. It belongs to one goroutine. Reading from a nil
// one says that nothing was recorded.
type Histogram struct {
	h     *hdr.Histogram
	total time.Duration
	max   time.Duration
}

// NewHistogram returns an empty histogram.
func NewHistogram() *Histogram { return newHistogram(3) }

func newHistogram(digits int) *Histogram {
	return &Histogram{h: hdr.New(1, int64(highest), digits)}
}

// Record adds one duration; a negative one counts as none.
func (h *Histogram) Record(d time.Duration) {
	d = max(d, 0)
	h.total += d
	h.max = max(h.max, d)
	// An error would say that the value is out of range: it never is.
	_ = h.h.RecordValue(int64(min(d, highest)))
}

// Merge adds what o has recorded.
func (h *Histogram) Merge(o *Histogram) {
	if o == nil {
		return
	}
	h.h.Merge(o.h)
	h.total += o.total
	h.max = max(h.max, o.max)
}

// Reset forgets everything.
func (h *Histogram) Reset() {
	h.h.Reset()
	h.total, h.max = 0, 0
}

// Bar is a number of durations of about the same length.
type Bar struct {
	Length time.Duration // the longest that counts as this one
	Count  int64
}

// bars returns what was recorded without what was not: a small part of the histogram's
// memory.
func (h *Histogram) bars() (list []Bar) {
	for _, b := range h.h.Distribution() {
		if b.Count > 0 {
			list = append(list, Bar{time.Duration(b.To), b.Count})
		}
	}
	return list
}

// AddBars adds what bars have, as long as their longest.
func (h *Histogram) AddBars(list []Bar) {
	for _, b := range list {
		_ = h.h.RecordValues(int64(b.Length), b.Count)
		h.total += b.Length * time.Duration(b.Count)
		h.max = max(h.max, b.Length)
	}
}

// Count returns how many durations were recorded.
func (h *Histogram) Count() int64 {
	if h == nil {
		return 0
	}
	return h.h.TotalCount()
}

// Mean returns the exact mean.
func (h *Histogram) Mean() time.Duration {
	if h.Count() == 0 {
		return 0
	}
	return h.total / time.Duration(h.Count())
}

// Max returns the longest duration, exactly.
func (h *Histogram) Max() time.Duration {
	if h == nil {
		return 0
	}
	return h.max
}

// Percentile returns the duration that p percent of those recorded do not exceed.
func (h *Histogram) Percentile(p float64) time.Duration {
	if h.Count() == 0 {
		return 0
	}
	return min(time.Duration(h.h.ValueAtPercentile(p)), h.max)
}

// WritePercentiles writes the distribution as an .hgrm file, in microseconds, which
// HdrHistogram's plotters read.
func (h *Histogram) WritePercentiles(w io.Writer) error {
	_, err := h.h.PercentilesPrint(w, 5, float64(time.Microsecond))
	return err
}
