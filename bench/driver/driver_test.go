package driver

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// worker calls a function for each call.
type worker struct {
	do func(n int64) (Outcome, error)
}

func (w worker) Do(n int64) (Outcome, error) { return w.do(n) }
func (w worker) Close() error                { return nil }

func each(threads int, do func(n int64) (Outcome, error)) (list []Worker) {
	for range threads {
		list = append(list, worker{do})
	}
	return list
}

func read() (Outcome, error) { return Outcome{Kind: Read, Ops: 1}, nil }

func mustRun(t *testing.T, job Job) *Result {
	t.Helper()
	res, err := Run(context.Background(), job)
	if err != nil {
		t.Fatal(err)
	}
	return res
}

// Each number is performed once, by whichever worker, and every sum agrees.
func TestClosedLoopPerformsEachCallOnce(t *testing.T) {
	var mu sync.Mutex
	seen := make(map[int64]int)
	res := mustRun(t, Job{Calls: 10_000, First: 500, Workers: each(4, func(n int64) (Outcome, error) {
		mu.Lock()
		seen[n]++
		mu.Unlock()
		return Outcome{Kind: Kind(n % 2), Ops: 3, Read: 2, Written: 5, Misses: 1, Lost: 4}, nil
	})})
	for n := int64(500); n < 10_500; n++ {
		if seen[n] != 1 {
			t.Fatalf("call %d was performed %d times", n, seen[n])
		}
	}
	want := Totals{Calls: 10_000, Ops: 30_000, Read: 20_000, Written: 50_000, Misses: 10_000, Lost: 40_000}
	if len(seen) != 10_000 || res.Totals != want {
		t.Fatalf("%d numbers, %+v", len(seen), res.Totals)
	}
	if r, u := res.Latency[Read].Count(), res.Latency[Update].Count(); r != 5000 || u != 5000 || len(res.Latency) != 2 {
		t.Fatalf("histograms have %d and %d", r, u)
	}
	var ops int64
	for _, p := range res.Series {
		ops += p.Ops
	}
	if ops != 30_000 {
		t.Fatalf("the seconds add up to %d operations", ops)
	}
	if len(res.Tenths) != 10 || res.Tenths[9] <= res.Tenths[0] || res.Tenths[9] > res.Elapsed {
		t.Fatalf("tenths %v of %v", res.Tenths, res.Elapsed)
	}
}

// An engine that stops once for 300 ms. Calls are due every millisecond. In an open
// loop the pause must show in the latency of each call that it held up, falling by a
// millisecond from one to the next; a closed loop sees a single slow call.
func TestOpenLoopCountsFromWhenACallWasDue(t *testing.T) {
	const pause, calls, stallAt = 300 * time.Millisecond, 1000, 400
	stalling := func(n int64) (Outcome, error) {
		if n == stallAt {
			time.Sleep(pause)
		}
		return read()
	}
	open := mustRun(t, Job{Calls: calls, Rate: 1000, Workers: each(1, stalling)})
	h := open.Latency[Read]
	if open.Elapsed < 995*time.Millisecond {
		t.Errorf("took %v: the schedule of 1000 calls a second was not kept", open.Elapsed)
	}
	if h.Max() < pause {
		t.Errorf("longest latency %v, the engine stopped for %v", h.Max(), pause)
	}
	// 300 of 1000 calls were held up, by 300, 299, … 1 ms: the 85th percentile is
	// 150 ms, the 95th 250. Machine noise only adds.
	for p, want := range map[float64]time.Duration{85: 150 * time.Millisecond, 95: 250 * time.Millisecond, 99: 290 * time.Millisecond} {
		if got := h.Percentile(p); got < want-5*time.Millisecond || got > want+150*time.Millisecond {
			t.Errorf("p%v is %v, want about %v", p, got, want)
		}
	}
	longest := Pause{}
	for _, p := range open.Pauses {
		if p.Longest > longest.Longest {
			longest = p
		}
	}
	if longest.Longest < pause || longest.Start > 410*time.Millisecond || longest.End < 690*time.Millisecond {
		t.Errorf("pause %+v, want 300 ms from 400 ms on", longest)
	}

	closed := mustRun(t, Job{Calls: calls, Workers: each(1, stalling)})
	if c := closed.Latency[Read]; c.Percentile(99) > pause/2 || c.Max() < pause {
		t.Errorf("closed loop: p99 %v, max %v; it should hide the pause but for its longest", c.Percentile(99), c.Max())
	}
}

// With a second worker only the one call is slow: others go on while it hangs. One
// worker alone would hold up 200 of the 500 calls, 100 of them for 100 ms and more.
func TestOpenLoopGoesOnWhileOneWorkerHangs(t *testing.T) {
	res := mustRun(t, Job{Calls: 500, Rate: 1000, Workers: each(2, func(n int64) (Outcome, error) {
		if n == 100 {
			time.Sleep(200 * time.Millisecond)
		}
		return read()
	})})
	if h := res.Latency[Read]; h.Max() < 200*time.Millisecond || h.Percentile(80) > 50*time.Millisecond {
		t.Errorf("max %v, p80 %v", h.Max(), h.Percentile(80))
	}
}

// An engine that does half of what is asked of it falls behind, and that is told.
func TestOpenLoopBeyondCapacity(t *testing.T) {
	res := mustRun(t, Job{Duration: 200 * time.Millisecond, Rate: 1000, Workers: each(1, func(int64) (Outcome, error) {
		for start := time.Now(); time.Since(start) < 2*time.Millisecond; {
		}
		return read()
	})})
	if res.Totals.Calls != 200 {
		t.Errorf("%d calls, all 200 that were due must be performed", res.Totals.Calls)
	}
	if res.Behind < 190*time.Millisecond || res.Elapsed < 400*time.Millisecond {
		t.Errorf("behind by %v after %v", res.Behind, res.Elapsed)
	}
}

func TestOpenLoopRateCountsOperations(t *testing.T) {
	res := mustRun(t, Job{Duration: 100 * time.Millisecond, Rate: 10_000, CallOps: 100, Workers: each(1, func(int64) (Outcome, error) {
		return Outcome{Kind: BatchWrite, Ops: 100}, nil
	})})
	if res.Totals.Calls != 10 || res.Totals.Ops != 1000 {
		t.Errorf("%+v, want 10 batches of 100", res.Totals)
	}
	if res.Pacing.Count() == 0 || res.Pacing.Percentile(50) > 20*time.Millisecond {
		t.Errorf("%d pacings, half of them later than %v", res.Pacing.Count(), res.Pacing.Percentile(50))
	}
}

func TestDurationEndsAClosedLoop(t *testing.T) {
	res := mustRun(t, Job{Duration: 50 * time.Millisecond, Workers: each(2, func(int64) (Outcome, error) { return read() })})
	if res.Elapsed < 50*time.Millisecond || res.Elapsed > 2*time.Second || res.Totals.Calls == 0 {
		t.Errorf("%v, %d calls", res.Elapsed, res.Totals.Calls)
	}
}

func TestErrorEndsTheRun(t *testing.T) {
	broken := errors.New("broken")
	for _, rate := range []float64{0, 100_000} {
		_, err := Run(context.Background(), Job{Rate: rate, Workers: each(3, func(n int64) (Outcome, error) {
			if n == 100 {
				return Outcome{}, broken
			}
			return read()
		})})
		if !errors.Is(err, broken) {
			t.Errorf("rate %v: %v", rate, err)
		}
	}
}

func TestContextInterrupts(t *testing.T) {
	for _, rate := range []float64{0, 2} {
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Millisecond)
		res, err := Run(ctx, Job{Rate: rate, Workers: each(2, func(int64) (Outcome, error) { return read() })})
		cancel()
		if err != nil || !res.Interrupted || res.Totals.Calls == 0 || res.Elapsed > 2*time.Second {
			t.Errorf("rate %v: %+v, %v", rate, res, err)
		}
	}
}

// Background calls run until the foreground is done, at their own rate, and count
// apart.
func TestBackground(t *testing.T) {
	var calls atomic.Int64
	res := mustRun(t, Job{
		Duration: 100 * time.Millisecond,
		Workers:  each(1, func(int64) (Outcome, error) { return read() }),
		Background: each(1, func(n int64) (Outcome, error) {
			if n != calls.Add(1)-1 {
				t.Error("background calls must be numbered in order")
			}
			return Outcome{Kind: Write, Ops: 1, Written: 7}, nil
		}),
		BackgroundRate: 200,
	})
	if n := res.Background.Calls; n != calls.Load() || n < 1 || float64(n) > 200*res.Elapsed.Seconds()+2 {
		t.Errorf("%d background calls at 200/s in %v", n, res.Elapsed)
	}
	if res.Totals.Written != 0 || res.Latency[Write] != nil || res.BackgroundLatency[Write].Count() != res.Background.Calls {
		t.Error("background calls are mixed into the foreground")
	}
}

// feeder performs its own list of calls.
type feeder struct {
	worker
	list []int64
	err  error
}

func (f *feeder) Next() (int64, bool, error) {
	if len(f.list) == 0 {
		return 0, false, f.err
	}
	n := f.list[0]
	f.list = f.list[1:]
	return n, true, nil
}

func TestFeeder(t *testing.T) {
	var order []int64
	do := func(n int64) (Outcome, error) {
		order = append(order, n)
		return read()
	}
	for _, rate := range []float64{0, 100} {
		order = nil
		res := mustRun(t, Job{Rate: rate, Workers: []Worker{&feeder{worker: worker{do}, list: []int64{0, 2, 5}}}})
		if len(order) != 3 || order[2] != 5 || res.Totals.Calls != 3 {
			t.Fatalf("rate %v: performed %v", rate, order)
		}
		// Call 5 of a schedule of 100 a second is due after 50 ms.
		if rate > 0 && res.Elapsed < 50*time.Millisecond {
			t.Errorf("took %v", res.Elapsed)
		}
	}
	_, err := Run(context.Background(), Job{Workers: []Worker{&feeder{err: errors.New("line 7")}}})
	if err == nil || !strings.Contains(err.Error(), "line 7") {
		t.Errorf("a feeder's error must end the run: %v", err)
	}
}

func TestProgress(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var seen []Progress
	_, err := Run(ctx, Job{
		Calls: 1e6, Every: 20 * time.Millisecond, Rate: 2000,
		Workers: each(1, func(int64) (Outcome, error) { return read() }),
		Progress: func(p Progress) {
			if seen = append(seen, p); len(seen) == 3 {
				cancel()
			}
		},
	})
	if err != nil || len(seen) < 3 {
		t.Fatalf("%d reports, %v", len(seen), err)
	}
	if p := seen[2]; p.Ops < seen[0].Ops || p.Ops == 0 || p.Done <= 0 || p.Done > 0.5 || p.Left <= 0 || p.Mean <= 0 {
		t.Errorf("%+v", p)
	}
}

// What the driver itself costs for each call.
func BenchmarkClosedLoop(b *testing.B) {
	b.ReportAllocs()
	if _, err := Run(context.Background(), Job{Calls: int64(b.N), Workers: each(1, func(int64) (Outcome, error) { return read() })}); err != nil {
		b.Fatal(err)
	}
}
