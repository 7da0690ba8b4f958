package report

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// Table prints results for people, each as soon as it is there.
type Table struct {
	w      io.Writer
	header bool
	all    []Result
}

// NewTable prints to w.
func NewTable(w io.Writer) *Table { return &Table{w: w} }

// Environment prints what is measured and where.
func (t *Table) Environment(e Environment) {
	parts := []string{e.OS + "/" + e.Arch, fmt.Sprintf("%d CPUs", e.CPUs)}
	if e.GOMAXPROCS != e.CPUs {
		parts[1] += fmt.Sprintf(" (GOMAXPROCS %d)", e.GOMAXPROCS)
	}
	goVersion := e.Go
	if e.NoCgo {
		goVersion += " without cgo"
	}
	for _, s := range []string{e.CPU, e.FileSystem, goVersion, e.Revision} {
		if s != "" {
			parts = append(parts, s)
		}
	}
	fmt.Fprintln(t.w, strings.Join(parts, " · "))
}

const speedFormat = "%-22s %-7s %12s %10s %9s %9s %9s %9s %9s\n"

// Add prints the speed of a result.
func (t *Table) Add(r Result) {
	t.all = append(t.all, r)
	if !t.header {
		t.header = true
		fmt.Fprintf(t.w, "\n"+speedFormat, "workload", "op", "ops/s", "CPU µs/op", "p50", "p95", "p99", "p99.9", "max")
	}
	name, cpu := label(r), Known(r.CPUPerOp(), Three)
	if len(r.Latency) != 1 {
		fmt.Fprintf(t.w, "%-22s %-7s %12s %10s\n", name, "all", Rate(r.OpsPerSecond), cpu)
		name, cpu = "", ""
	}
	for _, l := range r.Latency {
		speed := float64(l.Count) / r.Seconds
		if len(r.Latency) == 1 {
			speed = r.OpsPerSecond
		}
		t.latency(name, cpu, speed, l)
	}
	if b := r.Background; b != nil {
		for _, l := range b.Latency {
			t.latency("  beside it", "", b.OpsPerSecond, l)
		}
	}
}

func label(r Result) string {
	name := r.Workload
	if r.Settings.Update == "blind" {
		name += " blind"
	}
	if r.Phase == "capacity" {
		name += " (max)"
	}
	return name
}

func (t *Table) latency(name, cpu string, speed float64, l Latency) {
	fmt.Fprintf(t.w, speedFormat, name, l.Kind, Rate(speed), cpu, Duration(l.P50), Duration(l.P95),
		Duration(l.P99), Duration(l.P999), Duration(l.Max))
}

const costFormat = "%-22s %9s %12s %9s %9s %9s %9s %9s %9s %9s\n"

// Finish prints what the results cost, and what is to be noted about them.
func (t *Table) Finish() {
	if len(t.all) == 0 {
		return
	}
	server := slices.ContainsFunc(t.all, func(r Result) bool { return r.Server != nil })
	rss := "peak RSS"
	if server {
		rss = "its RSS"
	}
	fmt.Fprintf(t.w, "\n"+costFormat, "workload", "settling", "ops/s incl.", "MiB/s", "write amp", "disk/user", rss, "allocs/op", "misses", "pause")
	for _, r := range t.all {
		fmt.Fprintf(t.w, costFormat, label(r),
			Known(r.SettleSeconds, func(s float64) string { return Duration(time.Duration(s * 1e9)) }),
			Known(r.SettledOpsPerSecond, Rate),
			Three(float64(r.UserRead+r.UserWritten)/r.Seconds/(1<<20)),
			Known(r.Disk.WriteAmplification, Three), Known(r.Disk.AllocPerUserByte, Three),
			Known(r.Memory(), Bytes), Known(r.AllocsPerOp(), Three), Count(r.Misses),
			Duration(r.Pauses.Longest))
	}
	if server {
		fmt.Fprintln(t.w, "\nCPU µs/op, RSS: the server's, as it tells; RSS at the end. settling: until the server came to rest after the last")
		fmt.Fprintln(t.w, "operation; then operations by the time of both. pause: the longest single call. -: what the server does not tell.")
		t.notes()
		return
	}
	fmt.Fprintln(t.w, "\nsettling: flushes and compactions after the last operation; then operations by the time of both.")
	fmt.Fprintln(t.w, "write amp: bytes of log, flush and compaction for each byte written. disk/user: disk space for each byte of")
	fmt.Fprintln(t.w, "the records that are there. pause: the longest single call.")
	t.notes()
}

// notes prints what has no column.
func (t *Table) notes() {
	for _, r := range t.all {
		for _, note := range notes(r) {
			fmt.Fprintf(t.w, "%s: %s\n", label(r), note)
		}
	}
}

// notes are the things about a result that have no column.
func notes(r Result) (list []string) {
	add := func(format string, args ...any) { list = append(list, fmt.Sprintf(format, args...)) }
	if r.Interrupted {
		add("interrupted: the figures are of what was done until then")
	}
	if c := r.Process.CPUPerOp; r.Server != nil && c != nil {
		add("kvbench itself used %s µs of processor time for an operation", Three(*c))
	}
	if o := r.OpenSeconds; o != nil && *o >= 0.05 {
		add("the store was opened in %s", Duration(time.Duration(*o*1e9)))
	}
	if o := r.OpenLoop; o != nil {
		add("open loop at %s ops/s, latencies from when a call was due; the driver itself was late by %s (p50), %s (p99)",
			Rate(o.Rate), Duration(o.Pacing.P50), Duration(o.Pacing.P99))
		if o.Behind > 0.1 {
			add("the rate is beyond the capacity: the last calls began %s late", Duration(time.Duration(o.Behind*1e9)))
		}
	}
	if c := r.Pauses.Control; c != nil {
		add("%d pauses of %s or more, the longest %s; in %d of them the machine paused too: the control process, which only writes and syncs 4 KiB on the same disk (its longest %s, mean %s), or the hypervisor, which gave processors to others",
			r.Pauses.Count, Duration(r.Pauses.AtLeast), Duration(r.Pauses.Longest), *r.Pauses.Shared, Duration(c.Longest), Duration(c.Mean))
		if own := *r.Pauses.Own; own > 0 {
			add("longest pause without those: %s", Duration(own))
		} else {
			add("without those, no pause of %s or more", Duration(r.Pauses.AtLeast))
		}
	}
	if q := r.Pauses.Quiet; q != nil && q.Intervals == 0 {
		add("the machine disturbed in each of the %d intervals: nothing is known of the engine alone", q.Of)
	} else if q != nil {
		add("in the %d of %d intervals in which the machine did not disturb: p99 %s, p99.9 %s, p99.99 %s, longest %s",
			q.Intervals, q.Of, Duration(q.Latency.P99), Duration(q.Latency.P999), Duration(q.Latency.P9999), Duration(q.Latency.Max))
	}
	if s := r.Process.Stolen; s != nil && r.Seconds > 0.5 && *s > 0.02*r.Seconds {
		add("others took %.0f%% of a processor away from this machine meanwhile", 100**s/r.Seconds)
	}
	if n := len(r.Tenths); n == 10 && slow(r) {
		add("by tenths of the operations: %s ops/s in the first, %s in the last", Rate(r.Tenths[0]), Rate(r.Tenths[n-1]))
	}
	if t := r.Trace; t != nil {
		add("%s requests on %s keys: %s reads (%s hits, %s misses, as expected), %s writes, %s deletes",
			Count(t.Requests), Count(t.Keys), Count(t.Reads), Count(t.Hits), Count(t.Misses), Count(t.Writes), Count(t.Deletes))
		if t.Final > 0 {
			add("%s keys read back at the end", Count(t.Final))
		}
		if t.Wrong == 0 {
			add("every read answered what the trace wrote")
		} else {
			add("WRONG ANSWERS: %s", Count(t.Wrong))
		}
		list = append(list, t.Examples...)
	} else if r.Lost > 0 {
		add("LOST: %s reads did not find what must be there, or found another size", Count(r.Lost))
	}
	return list
}

// slow tells whether the tenths are worth a line: always for the queue, which is there
// to show them, and where the speed fell by a third in more than a moment.
func slow(r Result) bool {
	return r.Workload == "deleteseq" || r.Seconds > 2 && r.Tenths[len(r.Tenths)-1] < r.Tenths[0]*2/3
}
