package driver

import (
	"bytes"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

// A second is finished when the slowest worker has left it, in whatever order the
// workers report.
func TestSeries(t *testing.T) {
	s := newSeries(time.Second, 2)
	a, b := newInterval(), newInterval()
	s.bars = true
	a.ops, a.since, a.late = 10, 5*time.Millisecond, 2*time.Millisecond
	a.h.Record(time.Millisecond)
	s.flush(0, a, 3)
	if len(s.points) != 0 {
		t.Fatal("second 0 is finished while a worker is in it")
	}
	b.ops, b.since, b.late = 5, 7*time.Millisecond, time.Millisecond
	b.h.Record(3 * time.Millisecond)
	s.flush(1, b, 2)
	if len(s.points) != 1 || s.points[0].Ops != 15 || s.points[0].Max != 3*time.Millisecond ||
		s.points[0].Late != 2*time.Millisecond || s.points[0].Since != 5*time.Millisecond {
		t.Fatalf("second 0: %+v", s.points)
	}
	a.ops = 7
	a.h.Record(time.Second)
	s.flush(0, a, -1)
	s.flush(1, b, -1)
	if len(s.points) != 4 || s.points[3].Ops != 7 || !reflect.DeepEqual(s.points[1], Point{Start: time.Second}) || len(s.pending) != 0 {
		t.Fatalf("%+v", s.points)
	}
}

// Intervals can be shorter than a second, and those without a call are there too.
func TestSeriesEvery(t *testing.T) {
	r := newRecorder(0, newSeries(100*time.Millisecond, 1), time.Second)
	for _, end := range []time.Duration{10, 20, 99, 100, 310} {
		r.record(Outcome{Ops: 1}, 0, end*time.Millisecond)
	}
	r.finish()
	var got []int64
	for i, p := range r.series.points {
		if p.Start != time.Duration(i)*100*time.Millisecond {
			t.Errorf("interval %d begins at %v", i, p.Start)
		}
		got = append(got, p.Ops)
	}
	if !slices.Equal(got, []int64{3, 1, 0, 1}) {
		t.Errorf("%v", got)
	}
}

func TestPausesMerge(t *testing.T) {
	ms := time.Millisecond
	p := pauses{at: 10 * ms}
	p.add(0, 5*ms)      // too short
	p.add(10*ms, 30*ms) // 20 ms
	p.add(15*ms, 31*ms) // held up by it
	p.add(100*ms, 111*ms)
	if len(p.list) != 2 || p.list[0] != (Pause{10 * ms, 31 * ms, 20 * ms}) {
		t.Fatalf("%+v", p.list)
	}
	merged := mergePauses(append(p.list, Pause{20 * ms, 105 * ms, 85 * ms}, Pause{200 * ms, 300 * ms, 100 * ms}))
	if len(merged) != 2 || merged[0] != (Pause{10 * ms, 111 * ms, 85 * ms}) {
		t.Fatalf("%+v", merged)
	}
}

func TestHistogram(t *testing.T) {
	h := NewHistogram()
	for i := 1; i <= 1000; i++ {
		h.Record(time.Duration(i) * time.Microsecond)
	}
	h.Record(-5)
	h.Record(200 * time.Second) // beyond what percentiles tell apart
	if h.Count() != 1002 || h.Max() != 200*time.Second {
		t.Errorf("%d, max %v", h.Count(), h.Max())
	}
	if got := h.Percentile(50); got < 499*time.Microsecond || got > 503*time.Microsecond {
		t.Errorf("median %v", got)
	}
	var out bytes.Buffer
	if err := h.WritePercentiles(&out); err != nil || !strings.Contains(out.String(), "1/(1-Percentile)") {
		t.Errorf("%v\n%s", err, out.String())
	}
	var none *Histogram
	if none.Count() != 0 || none.Mean() != 0 || none.Max() != 0 || none.Percentile(99) != 0 {
		t.Error("a nil histogram is an empty one")
	}
	h.Reset()
	if h.Count() != 0 || h.Max() != 0 {
		t.Error("not empty after Reset")
	}
}

// Bars keep what was recorded, to two digits, and only where they are asked for.
func TestSeriesBars(t *testing.T) {
	for _, keep := range []bool{true, false} {
		s := newSeries(time.Second, 1)
		s.bars = keep
		i := newInterval()
		i.ops = 3
		for _, d := range []time.Duration{5 * time.Microsecond, 5 * time.Microsecond, 7 * time.Millisecond} {
			i.h.Record(d)
		}
		s.flush(0, i, -1)
		bars := s.points[0].Bars
		if !keep {
			if bars != nil {
				t.Errorf("kept %v", bars)
			}
			continue
		}
		h := NewHistogram()
		h.AddBars(bars)
		within := func(got, want time.Duration) bool { return got >= want && got <= want+want/50 }
		if len(bars) != 2 || h.Count() != 3 || !within(h.Percentile(50), 5*time.Microsecond) || !within(h.Max(), 7*time.Millisecond) {
			t.Errorf("%v: %d, p50 %v, max %v", bars, h.Count(), h.Percentile(50), h.Max())
		}
	}
}
