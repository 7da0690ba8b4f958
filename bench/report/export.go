package report

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// WriteJSON writes the whole document.
func WriteJSON(w io.Writer, d Document) error {
	d.Schema = Schema
	if d.Results == nil {
		d.Results = []Result{}
	}
	out := json.NewEncoder(w)
	out.SetIndent("", "  ")
	return out.Encode(d)
}

// csvColumns are the columns of WriteCSV, and how they are read from a result. Those
// of the latency come behind.
var csvColumns = []struct {
	name string
	get  func(r Result) string
}{
	{"workload", func(r Result) string { return r.Workload }},
	{"phase", func(r Result) string { return r.Phase }},
	{"engine", func(r Result) string { return r.Engine }},
	{"durability", func(r Result) string { return r.Settings.Durability }},
	{"threads", func(r Result) string { return strconv.Itoa(r.Settings.Threads) }},
	{"records", func(r Result) string { return fmt.Sprint(r.Settings.Records) }},
	{"key_size", func(r Result) string { return fmt.Sprint(r.Settings.KeySize) }},
	{"value_size", func(r Result) string { return fmt.Sprint(r.Settings.ValueSize) }},
	{"memory", func(r Result) string { return fmt.Sprint(r.Settings.Memory) }},
	{"seed", func(r Result) string { return fmt.Sprint(r.Settings.Seed) }},
	{"distribution", func(r Result) string { return r.Settings.Distribution }},
	{"update", func(r Result) string { return r.Settings.Update }},
	{"rate", func(r Result) string {
		if r.OpenLoop == nil {
			return ""
		}
		return number(r.OpenLoop.Rate)
	}},
	{"ops", func(r Result) string { return fmt.Sprint(r.Ops) }},
	{"seconds", func(r Result) string { return number(r.Seconds) }},
	{"ops_per_second", func(r Result) string { return number(r.OpsPerSecond) }},
	{"settle_seconds", func(r Result) string { return cell(r.SettleSeconds) }},
	{"settled_ops_per_second", func(r Result) string { return cell(r.SettledOpsPerSecond) }},
	{"misses", func(r Result) string { return fmt.Sprint(r.Misses) }},
	{"lost", func(r Result) string { return fmt.Sprint(r.Lost) }},
	{"user_bytes_read", func(r Result) string { return fmt.Sprint(r.UserRead) }},
	{"user_bytes_written", func(r Result) string { return fmt.Sprint(r.UserWritten) }},
	{"cpu_us_per_op", func(r Result) string { return cell(r.CPUPerOp()) }},
	{"settled_cpu_us_per_op", func(r Result) string { return cell(r.SettledCPU()) }},
	{"peak_resident_bytes", func(r Result) string { return whole(r.Memory()) }},
	{"allocs_per_op", func(r Result) string { return cell(r.AllocsPerOp()) }},
	{"written_bytes", func(r Result) string { return whole(r.Disk.Written) }},
	{"written_per_user_byte", func(r Result) string { return cell(r.Disk.PerUserByte) }},
	{"write_amplification", func(r Result) string { return cell(r.Disk.WriteAmplification) }},
	{"used_bytes", func(r Result) string { return whole(r.Disk.Used) }},
	{"used_per_user_byte", func(r Result) string { return cell(r.Disk.UsedPerUserByte) }},
	{"longest_pause_ns", func(r Result) string { return nanos(r.Pauses.Longest) }},
	{"round", func(r Result) string {
		if r.Round == 0 {
			return ""
		}
		return strconv.Itoa(r.Round)
	}},
	{"syncs_per_op", func(r Result) string { return cell(r.PerOp(r.Counts.Syncs)) }},
	{"block_reads_per_op", func(r Result) string { return cell(r.PerOp(r.Counts.BlockReads)) }},
	{"longest_own_pause_ns", func(r Result) string { return orBlank(r.Pauses.Own, nanos) }},
	// Of a server; the processor time and memory above are then its own, by its account.
	{"server", func(r Result) string {
		if r.Server == nil {
			return ""
		}
		return strings.TrimSpace(r.Server.Name + " " + r.Server.Version)
	}},
	{"pipeline", func(r Result) string {
		if r.Settings.Pipeline == 0 {
			return ""
		}
		return strconv.Itoa(r.Settings.Pipeline)
	}},
	{"client_cpu_us_per_op", func(r Result) string {
		if r.Server == nil {
			return ""
		}
		return cell(r.Process.CPUPerOp)
	}},
}

func number(v float64) string      { return strconv.FormatFloat(v, 'g', 8, 64) }
func nanos(d time.Duration) string { return strconv.FormatInt(int64(d), 10) }

// orBlank writes *v, or nothing where nobody knows.
func orBlank[T any](v *T, write func(T) string) string {
	if v == nil {
		return ""
	}
	return write(*v)
}

func cell(v *float64) string { return orBlank(v, number) }

func whole(v *int64) string {
	return orBlank(v, func(n int64) string { return strconv.FormatInt(n, 10) })
}

// WriteCSV writes a line for each kind of operation of each result.
func WriteCSV(w io.Writer, results []Result) error {
	out := csv.NewWriter(w)
	var header []string
	for _, c := range csvColumns {
		header = append(header, c.name)
	}
	header = append(header, "op", "count", "mean_ns", "p50_ns", "p95_ns", "p99_ns", "p999_ns", "p9999_ns", "max_ns")
	if err := out.Write(header); err != nil {
		return err
	}
	for _, r := range results {
		var line []string
		for _, c := range csvColumns {
			line = append(line, c.get(r))
		}
		for _, l := range r.Latency {
			if err := out.Write(append(line[:len(csvColumns):len(csvColumns)], l.Kind, fmt.Sprint(l.Count), nanos(l.Mean), nanos(l.P50),
				nanos(l.P95), nanos(l.P99), nanos(l.P999), nanos(l.P9999), nanos(l.Max))); err != nil {
				return err
			}
		}
	}
	out.Flush()
	return out.Error()
}

// WriteSeries writes a line for each interval of each result.
func WriteSeries(w io.Writer, results []Result) error {
	out := csv.NewWriter(w)
	if err := out.Write([]string{"workload", "phase", "engine", "second", "ops", "p50_ns", "p99_ns", "max_ns"}); err != nil {
		return err
	}
	for _, r := range results {
		for _, s := range r.Series {
			if err := out.Write([]string{r.Workload, r.Phase, r.Engine, number(s.Second), fmt.Sprint(s.Ops),
				nanos(s.P50), nanos(s.P99), nanos(s.Max)}); err != nil {
				return err
			}
		}
	}
	out.Flush()
	return out.Error()
}

// WriteHistograms writes an .hgrm file for each kind of operation of a result into
// dir, and returns their names.
func WriteHistograms(dir string, r Result) (names []string, err error) {
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return nil, err
	}
	for kind, h := range r.Histograms {
		parts := []string{r.Engine, r.Workload, kind.String()}
		if r.Phase != "run" && r.Phase != r.Workload {
			parts = append(parts, r.Phase)
		}
		name := filepath.Join(dir, strings.Join(parts, "-")+".hgrm")
		f, err := os.Create(name)
		if err != nil {
			return names, err
		}
		err = h.WritePercentiles(f)
		if e := f.Close(); err == nil {
			err = e
		}
		if err != nil {
			return names, err
		}
		names = append(names, name)
	}
	return names, nil
}

// WriteBenchmarks writes the results in the format of go test -bench, for benchstat.
func WriteBenchmarks(w io.Writer, e Environment, results []Result) error {
	var b strings.Builder
	fmt.Fprintf(&b, "goos: %s\ngoarch: %s\n", e.OS, e.Arch)
	if e.CPU != "" {
		fmt.Fprintf(&b, "cpu: %s\n", e.CPU)
	}
	for _, r := range results {
		if r.Ops == 0 || r.Phase == "capacity" {
			continue
		}
		fmt.Fprintf(&b, "BenchmarkStore/workload=%s/engine=%s/threads=%d", r.Workload, r.Engine, r.Settings.Threads)
		if d := r.Settings.Durability; d != "" {
			b.WriteString("/durability=" + d)
		}
		if n := r.Settings.Pipeline; n > 0 {
			fmt.Fprintf(&b, "/pipeline=%d", n)
		}
		if r.Settings.Update == "blind" {
			b.WriteString("/update=blind")
		}
		if e.GOMAXPROCS > 1 {
			fmt.Fprintf(&b, "-%d", e.GOMAXPROCS)
		}
		fmt.Fprintf(&b, "\t%d\t%s ns/op", r.Ops, number(r.Seconds*1e9/float64(r.Ops)))
		unit := func(v *float64, scale float64, name string) {
			if v != nil {
				fmt.Fprintf(&b, "\t%s %s", number(*v*scale), name)
			}
		}
		unit(r.CPUPerOp(), 1000, "cpu-ns/op")
		for _, l := range r.Latency {
			fmt.Fprintf(&b, "\t%d %s-p50-ns\t%d %s-p99-ns", l.P50, l.Kind, l.P99, l.Kind)
		}
		unit(r.Disk.PerUserByte, 1, "written/user-B")
		unit(r.Disk.UsedPerUserByte, 1, "disk/user-B")
		if r.Server == nil {
			fmt.Fprintf(&b, "\t%s B/op\t%s allocs/op", number(r.Process.BytesPerOp), number(r.Process.AllocsPerOp))
		}
		b.WriteString("\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}
