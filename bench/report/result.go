package report

import (
	"time"

	"github.com/ringwood-kv/ringwood/bench/driver"
	"github.com/ringwood-kv/ringwood/bench/engine"
	"github.com/ringwood-kv/ringwood/bench/trace"
)

// Schema is the version of the JSON document. It changes when a field changes its
// meaning or goes away, not when one is added.
const Schema = 1

// Document is a whole report.
type Document struct {
	Schema      int         `json:"schema"`
	Command     []string    `json:"command"`
	Environment Environment `json:"environment"`
	Results     []Result    `json:"results"`
}

// Result is one workload, or one phase of it, measured.
type Result struct {
	Workload string   `json:"workload"`
	Phase    string   `json:"phase"` // "load", "capacity" (before an open loop at a share of it) or "run"
	Engine   string   `json:"engine"`
	Round    int      `json:"round,omitempty"` // of a comparison, from 1
	Group    string   `json:"group,omitempty"` // of rows, in a comparison that has them
	Settings Settings `json:"settings"`

	Ops          int64   `json:"ops"`
	Calls        int64   `json:"calls"` // a batch, or a thousand rows of a scan, is one
	Seconds      float64 `json:"seconds"`
	OpsPerSecond float64 `json:"ops_per_second"`
	// What was written had to settle afterwards: flushes and compactions. Settled is
	// operations by the time of both.
	SettleSeconds       *float64 `json:"settle_seconds"`
	SettledOpsPerSecond *float64 `json:"settled_ops_per_second"`
	// How long it took to open the store, recovery included; null if it was open.
	OpenSeconds *float64 `json:"open_seconds"`

	UserRead    int64 `json:"user_bytes_read"` // keys and values
	UserWritten int64 `json:"user_bytes_written"`
	Misses      int64 `json:"misses"` // reads that found nothing where nothing had to be
	Lost        int64 `json:"lost"`   // reads that did not find what had to be there

	Latency    []Latency   `json:"latency"`
	Background *Background `json:"background,omitempty"`
	OpenLoop   *OpenLoop   `json:"open_loop,omitempty"`
	Pauses     Pauses      `json:"pauses"`
	Tenths     []float64   `json:"tenths_ops_per_second,omitempty"`

	Process Process      `json:"process"`
	Disk    Disk         `json:"disk"`
	Counts  engine.Stats `json:"engine_counts"`
	// Server is the server that was measured, null for a store within the process. With
	// one, Process has the costs of the harness alone, and nothing is known of Disk.
	Server *Server `json:"server,omitempty"`

	Trace       *trace.Report `json:"trace,omitempty"`
	Interrupted bool          `json:"interrupted,omitempty"`
	Series      []Second      `json:"series"`

	Histograms map[driver.Kind]*driver.Histogram `json:"-"`
}

// PerOp divides a count by the operations; nil for what nobody knows.
func (r Result) PerOp(n *int64) *float64 {
	if n == nil || r.Ops == 0 {
		return nil
	}
	q := float64(*n) / float64(r.Ops)
	return &q
}

// CPUPerOp returns the processor time for an operation, in microseconds: of the process,
// or of the server, as far as it tells.
func (r Result) CPUPerOp() *float64 {
	if r.Server != nil {
		return r.Server.CPUPerOp
	}
	return r.Process.CPUPerOp
}

// SettledCPU is CPUPerOp with the settling.
func (r Result) SettledCPU() *float64 {
	if r.Server != nil {
		return r.Server.SettledCPU
	}
	return r.Process.SettledCPU
}

// Memory returns resident memory in bytes: the peak of the process, or what the server
// has at the end.
func (r Result) Memory() *int64 {
	if r.Server != nil {
		return r.Server.Resident
	}
	return r.Process.PeakMemory
}

// AllocsPerOp returns the objects on the Go heap for an operation; null for a server.
func (r Result) AllocsPerOp() *float64 {
	if r.Server != nil {
		return nil
	}
	return &r.Process.AllocsPerOp
}

// Settings are what the run was asked for.
type Settings struct {
	Records      int64   `json:"records,omitempty"`
	KeySize      int     `json:"key_size,omitempty"`
	ValueSize    int     `json:"value_size,omitempty"`
	Ratio        float64 `json:"compression_ratio"`
	Threads      int     `json:"threads"`
	Pipeline     int     `json:"pipeline,omitempty"` // calls under way on each connection; 0: no server
	Durability   string  `json:"durability"`         // "": the server's own
	Memory       int64   `json:"memory"`             // 0: the engine's default, or the server's
	Seed         uint64  `json:"seed"`
	Distribution string  `json:"distribution,omitempty"`
	Update       string  `json:"update,omitempty"`
	Trace        string  `json:"trace,omitempty"`
}

// Latency is the distribution of one kind of call, in nanoseconds.
type Latency struct {
	Kind  string        `json:"kind"`
	Count int64         `json:"count"`
	Mean  time.Duration `json:"mean_ns"`
	P50   time.Duration `json:"p50_ns"`
	P95   time.Duration `json:"p95_ns"`
	P99   time.Duration `json:"p99_ns"`
	P999  time.Duration `json:"p999_ns"`
	P9999 time.Duration `json:"p9999_ns"`
	Max   time.Duration `json:"max_ns"`
}

// Latencies sums up histograms, in the order of the kinds.
func Latencies(h map[driver.Kind]*driver.Histogram) []Latency {
	list := []Latency{}
	for _, k := range driver.Kinds() {
		if h[k].Count() > 0 {
			list = append(list, NewLatency(k.String(), h[k]))
		}
	}
	return list
}

// NewLatency sums up one histogram.
func NewLatency(kind string, h *driver.Histogram) Latency {
	return Latency{
		Kind: kind, Count: h.Count(), Mean: h.Mean(), P50: h.Percentile(50), P95: h.Percentile(95),
		P99: h.Percentile(99), P999: h.Percentile(99.9), P9999: h.Percentile(99.99), Max: h.Max(),
	}
}

// Background is what ran beside, reported apart.
type Background struct {
	Ops          int64     `json:"ops"`
	OpsPerSecond float64   `json:"ops_per_second"`
	Latency      []Latency `json:"latency"`
}

// OpenLoop says how well the schedule was kept.
type OpenLoop struct {
	Rate   float64 `json:"rate"`           // operations a second, asked for
	Behind float64 `json:"behind_seconds"` // how late the last calls began: more than a moment says that the rate is beyond the capacity
	Pacing Latency `json:"pacing"`         // how late calls began although a worker was free: the error of the driver
	Spin   float64 `json:"spin_seconds"`   // processor time of the driver's waiting; not in Process
}

// Pauses are calls that took long, joined where they overlap.
type Pauses struct {
	AtLeast time.Duration `json:"at_least_ns"` // shorter calls are none
	Count   int           `json:"count"`
	Longest time.Duration `json:"longest_ns"` // the longest call
	// With a control process: how many of the pauses it had too, and the longest call
	// of the others, 0 if there is none of at least AtLeast. Quiet is of all calls.
	Shared  *int           `json:"shared"`
	Own     *time.Duration `json:"longest_own_ns"`
	Control *Control       `json:"control,omitempty"`
	Quiet   *Quiet         `json:"quiet,omitempty"`
	List    []Pause        `json:"list"` // the longest hundred, in order of time
}

// Pause is one of them.
type Pause struct {
	Start   float64       `json:"start_seconds"`
	End     float64       `json:"end_seconds"`
	Longest time.Duration `json:"longest_ns"`
	Shared  bool          `json:"shared,omitempty"`
}

// Control is what a process saw that only wrote and synced 4 KiB on the same disk.
type Control struct {
	Writes  int64         `json:"writes"`
	Mean    time.Duration `json:"mean_ns"`
	Longest time.Duration `json:"longest_ns"`
	Pauses  int           `json:"pauses"` // of at least half of Pauses.AtLeast
}

// Quiet are the calls in the intervals of Series in which the machine left everybody alone:
// the control process did not pause, no processor was taken away, none of their calls was
// due while that was so, and calls that had waited because of it were done.
type Quiet struct {
	Intervals int     `json:"intervals"`
	Of        int     `json:"of"`
	Latency   Latency `json:"latency"` // of all kinds together, to two digits
}

// Server is a server and what it used, by its own account: null is what it does not
// tell.
type Server struct {
	engine.Identity
	UserSeconds   *float64 `json:"user_cpu_seconds"`
	SystemSeconds *float64 `json:"system_cpu_seconds"`
	CPUPerOp      *float64 `json:"cpu_us_per_op"`         // of the run
	SettledCPU    *float64 `json:"settled_cpu_us_per_op"` // of the run and the settling
	Resident      *int64   `json:"resident_bytes"`        // at the end; no peak
}

// Process are figures of the operating system and the Go runtime.
type Process struct {
	UserSeconds   *float64 `json:"user_cpu_seconds"`
	SystemSeconds *float64 `json:"system_cpu_seconds"`
	CPUPerOp      *float64 `json:"cpu_us_per_op"`         // of the run, both cores
	SettledCPU    *float64 `json:"settled_cpu_us_per_op"` // of the run and the settling
	GCSeconds     float64  `json:"gc_cpu_seconds"`
	Stolen        *float64 `json:"stolen_cpu_seconds"` // that the hypervisor gave to others during the run, all processors
	PeakMemory    *int64   `json:"peak_resident_bytes"`
	AllocsPerOp   float64  `json:"allocs_per_op"`
	BytesPerOp    float64  `json:"alloc_bytes_per_op"`
}

// Disk is what the store wrote and takes, the settling included.
type Disk struct {
	Written     *int64   `json:"written_bytes"` // by the process, from the operating system
	PerUserByte *float64 `json:"written_per_user_byte"`
	// WriteAmplification is the engine's own count of log, flush and compaction by the
	// user's bytes.
	WriteAmplification *float64 `json:"write_amplification"`
	Read               *int64   `json:"read_bytes"`
	Used               *int64   `json:"used_bytes"` // sum of the sizes of the files
	Allocated          *int64   `json:"allocated_bytes"`
	Files              *int     `json:"files"`
	UsedPerUserByte    *float64 `json:"used_per_user_byte"` // of the records that are there
	AllocPerUserByte   *float64 `json:"allocated_per_user_byte"`
}

// Second is a second of the run, or a shorter interval.
type Second struct {
	Second float64       `json:"second"` // when it began
	Ops    int64         `json:"ops"`
	P50    time.Duration `json:"p50_ns"`
	P99    time.Duration `json:"p99_ns"`
	Max    time.Duration `json:"max_ns"`
}
