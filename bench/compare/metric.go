package compare

import (
	"time"

	"github.com/ringwood-kv/ringwood/bench/report"
)

// Metric is a figure of a result.
type Metric string

const (
	Speed      Metric = "ops_per_second"
	Settled    Metric = "settled_ops_per_second" // with the time of settling
	CPU        Metric = "cpu_us_per_op"
	WriteAmp   Metric = "write_amplification"   // by the engine's count
	OSWriteAmp Metric = "written_per_user_byte" // by the operating system's
	Blocks     Metric = "block_reads_per_op"
	Looked     Metric = "blocks_looked_at_per_op"
	Filters    Metric = "filter_probes_per_op"
	DiskReads  Metric = "disk_bytes_read_per_op"
	Space      Metric = "disk_per_user_byte"
	Memory     Metric = "peak_resident_bytes"
	Allocs     Metric = "allocs_per_op"
	Syncs      Metric = "syncs_per_op"
	Pause      Metric = "longest_pause_ns"
	Background Metric = "background_ops_per_second"
)

// metric says how one is found, named and written.
type metric struct {
	Metric
	name  string // the head of a column
	help  string
	get   func(r report.Result) *float64 // nil where nobody knows
	write func(v float64) string
}

// metrics are all of them, in the order of tables. Speed and Settled stand elsewhere.
var metrics = []metric{
	{Speed, "ops/s", "operations by the time of the workload", func(r report.Result) *float64 { return &r.OpsPerSecond }, report.Rate},
	{Settled, "settled", "operations by the time of the workload and of the flushes and compactions it left to do", func(r report.Result) *float64 { return r.SettledOpsPerSecond }, report.Rate},
	{CPU, "CPU µs/op", "user and system time of the process, all cores, for an operation; of a server, as it tells", report.Result.CPUPerOp, report.Three},
	{WriteAmp, "w-amp", "bytes of log, flush and compaction for each user byte written, by the engine's count, settling included", func(r report.Result) *float64 { return r.Disk.WriteAmplification }, report.Three},
	{OSWriteAmp, "OS w-amp", "the same by the operating system's count of bytes the process wrote", func(r report.Result) *float64 { return r.Disk.PerUserByte }, report.Three},
	{Blocks, "blocks/op", "blocks read from files (the page cache included) for an operation, by the engine's count", func(r report.Result) *float64 { return r.PerOp(r.Counts.BlockReads) }, report.Three},
	{Looked, "looked at", "blocks looked at for an operation, in the cache or in files, by the engine's count", lookedAt, report.Three},
	{Filters, "filters/op", "filters asked for an operation, by the engine's count", func(r report.Result) *float64 { return r.PerOp(r.Counts.FilterProbes) }, report.Three},
	{DiskReads, "diskB/op", "bytes that came from the disk itself for an operation, by the operating system's count", func(r report.Result) *float64 { return r.PerOp(r.Disk.Read) }, report.Three},
	{Space, "space", "disk space of the store for each byte of the keys and values in it, settled", func(r report.Result) *float64 { return r.Disk.AllocPerUserByte }, report.Three},
	{Memory, "peak RSS", "largest resident memory of the process; of a server, its resident memory at the end, as it tells", func(r report.Result) *float64 { return float(r.Memory()) }, func(v float64) string { return report.Bytes(int64(v)) }},
	{Allocs, "allocs/op", "objects on the Go heap for an operation, those of the harness included", report.Result.AllocsPerOp, report.Three},
	{Syncs, "syncs/op", "syncs of the log for an operation, by the engine's count", func(r report.Result) *float64 { return r.PerOp(r.Counts.Syncs) }, report.Three},
	{Pause, "pause", "the longest single call", func(r report.Result) *float64 { v := float64(r.Pauses.Longest); return &v }, func(v float64) string { return report.Duration(time.Duration(v)) }},
	{Background, "writes/s", "what the thread beside the readers wrote in a second", func(r report.Result) *float64 {
		if r.Background == nil {
			return nil
		}
		return &r.Background.OpsPerSecond
	}, report.Rate},
}

func lookedAt(r report.Result) *float64 {
	reads, hits := r.PerOp(r.Counts.BlockReads), r.PerOp(r.Counts.BlockHits)
	if reads == nil || hits == nil {
		return nil
	}
	sum := *reads + *hits
	return &sum
}

func float(n *int64) *float64 {
	if n == nil {
		return nil
	}
	v := float64(*n)
	return &v
}

// find returns the description of m.
func (m Metric) find() metric {
	for _, d := range metrics {
		if d.Metric == m {
			return d
		}
	}
	panic("compare: no metric " + string(m))
}

// Name is the head of a column of m.
func (m Metric) Name() string { return m.find().name }

// Help says what m is.
func (m Metric) Help() string { return m.find().help }

// Write writes a value, "-" where nobody knows it.
func (m Metric) Write(v *float64) string { return report.Known(v, m.find().write) }

// Of returns the value of a result, nil where nobody knows it.
func (m Metric) Of(r report.Result) *float64 { return m.find().get(r) }
