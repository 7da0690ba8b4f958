package compare

import (
	"fmt"
	"strings"

	"github.com/ringwood-kv/ringwood/bench/limits"
	"github.com/ringwood-kv/ringwood/bench/report"
	"github.com/ringwood-kv/ringwood/bench/workload"
)

// Bound is a rough limit of a row: what the machine would allow if a store did nothing
// but the steps that no store with this durability and this memory can leave out, at
// the speeds that package limits measured. It is an orientation, not a law: an engine
// that finds a way around a step may pass it.
type Bound struct {
	OpsPerSecond float64 `json:"ops_per_second"`
	Derivation   string  `json:"derivation"`
}

// step is a part of an operation: a number of times what a limit takes.
type step struct {
	times float64
	limit string
	what  string
}

// newBound returns the rough limit of a row, nil where a limit it needs is missing.
// The steps of an operation are added up; threads divide the sum up to the number of
// processors. A sync, and with it the append before, serves all threads at once.
func newBound(r Row, processors int, figures []limits.Figure) *Bound {
	e := estimate{s: r.Settings, figures: figures}
	each, shared := e.steps(r.Workload)
	if len(each)+len(shared) == 0 {
		return nil
	}
	parallel := min(r.Threads, processors)
	if r.Workload == "readwhilewriting" {
		parallel = max(1, min(r.Threads, processors-1)) // the writer has one
	}
	own, ownText, ok := e.sum(each)
	together, sharedText, ok2 := e.sum(shared)
	if !ok || !ok2 {
		return nil
	}
	var parts []string
	if len(each) > 0 {
		parts = append(parts, by(ownText, parallel, "processors"))
	}
	if len(shared) > 0 {
		parts = append(parts, by(sharedText, r.Threads, "threads"))
	}
	seconds := own/float64(parallel) + together/float64(r.Threads)
	return &Bound{1 / seconds, "1 / [" + strings.Join(parts, " + ") + "]"}
}

func by(text string, n int, what string) string {
	if n == 1 {
		return text
	}
	return fmt.Sprintf("(%s) / %d %s", text, n, what)
}

// estimate knows the sizes of a row.
type estimate struct {
	s       report.Settings
	figures []limits.Figure
}

// sum adds up steps; not ok where a limit is missing.
func (e estimate) sum(steps []step) (seconds float64, text string, ok bool) {
	var parts []string
	for _, s := range steps {
		v, ok := limits.Find(e.figures, s.limit)
		if !ok {
			return 0, "", false
		}
		if s.limit == limits.CopyMemory || s.limit == limits.WriteFile {
			v = 1 / v // of a byte
		}
		f := limits.Figure{Unit: limits.Seconds, Value: v * s.times}
		seconds += f.Value
		parts = append(parts, f.String()+" "+s.what)
	}
	return seconds, strings.Join(parts, " + "), true
}

// record is the size of a key and a value.
func (e estimate) record() float64 {
	key := e.s.KeySize
	if key == 0 {
		key = 23 // of YCSB's keys, about
	}
	return float64(key + e.s.ValueSize)
}

// steps returns what an operation of a workload takes: on a processor of its own, and
// shared by all threads.
func (e estimate) steps(name string) (each, shared []step) {
	switch name {
	case "fillseq":
		return e.flush(), e.log()
	case "fillrandom", "overwrite":
		return append([]step{e.place()}, e.flush()...), e.log()
	case "deleterandom":
		return []step{e.place()}, e.log()
	case "fillsync":
		return nil, []step{{1, limits.SyncWritten, "append and fdatasync"}}
	case "fillbatch":
		return append([]step{e.place()}, e.flush()...), nil // the log is written once for a batch
	case "deleteseq":
		return []step{access(1, 1<<20, "short queue")}, e.log()
	case "readrandom", "seekrandom", "seekreverse", "readwhilewriting", "c":
		return e.read(), nil
	case "readhot":
		return []step{access(2, e.recent(), "index, record")}, nil
	case "readmissing":
		return []step{access(1, float64(e.s.Records)*10/8, "filter of 10 bits a key")}, nil
	case "scan", "scanreverse":
		return e.rows(1), nil
	case "a", "f":
		// Half of the operations write; with updates of fields they read as well.
		if e.s.Update == string(workload.Blind) {
			return append(scale(0.5, e.read()), scale(0.5, []step{e.place()})...), scale(0.5, e.log())
		}
		return append(e.read(), scale(0.5, []step{e.place()})...), scale(0.5, e.log())
	case "b":
		return append(e.read(), scale(0.05, []step{e.place()})...), scale(0.05, e.log())
	case "d":
		return append([]step{access(2, e.recent(), "index, record")}, scale(0.05, []step{e.place()})...), scale(0.05, e.log())
	case "e":
		return scale(0.95, append(e.read(), e.rows(49.5)...)), nil // 50.5 rows on average, one of them read
	}
	return nil, nil
}

func scale(by float64, steps []step) (list []step) {
	for _, s := range steps {
		s.times *= by
		list = append(list, s)
	}
	return list
}

// access is a number of dependent accesses to an area of memory, at the speed of the
// measured area that is closest.
func access(times, bytes float64, what string) step {
	limit, size := limits.Access64M, "64 MiB"
	switch {
	case bytes > 512<<20:
		limit, size = limits.Access1G, "1 GiB"
	case bytes < 4<<20:
		limit, size = limits.Access1M, "1 MiB"
	}
	many := "an access"
	if times != 1 {
		many = fmt.Sprintf("%g accesses", times)
	}
	return step{times, limit, fmt.Sprintf("for %s in %s (%s)", many, size, what)}
}

// data is the size of all records.
func (e estimate) data() float64 { return float64(e.s.Records) * e.record() }

// recent is the size of what is in use all the time: a memtable, or the hot records.
func (e estimate) recent() float64 { return min(e.data(), 64<<20) }

// place is finding where a record goes in a memtable.
func (e estimate) place() step { return access(1, e.recent(), "memtable") }

// log is what a write needs by its durability, shared by the threads that wait.
func (e estimate) log() []step {
	switch e.s.Durability {
	case "sync":
		return []step{{1, limits.SyncWritten, "append and fdatasync"}}
	case "os":
		return []step{{1, limits.Append, "write(2)"}}
	}
	return nil
}

// flush is that each record reaches a file once, compressed.
func (e estimate) flush() []step {
	bytes := e.record()
	return []step{
		{bytes / 4096, limits.Encode, "to compress the record"},
		{bytes / 4096, limits.Checksum, "checksum"},
		{bytes * e.s.Ratio, limits.WriteFile, "to write it to a table"},
	}
}

// outside is the share of the records that the engine's memory can't hold.
func (e estimate) outside() float64 {
	data := e.data()
	if e.s.Memory == 0 || data <= float64(e.s.Memory) {
		return 0
	}
	return 1 - float64(e.s.Memory)/data
}

// read finds a record: two dependent accesses to memory, and a block of 4 KiB from the
// page cache where the engine's memory can't hold all.
func (e estimate) read() []step {
	steps := []step{access(2, e.data(), "index, record")}
	if out := e.outside(); out > 0 {
		of := fmt.Sprintf(" (%.0f%% of the blocks)", out*100)
		steps = append(steps, step{out, limits.ReadPage, "pread" + of}, step{out, limits.Checksum, "checksum"}, step{out, limits.Decode, "decode"})
	}
	return steps
}

// rows reads n rows in order.
func (e estimate) rows(n float64) []step {
	bytes := n * e.record()
	steps := []step{{bytes, limits.CopyMemory, "to move the rows through memory"}}
	if out := e.outside(); out > 0 {
		steps = append(steps, step{out * bytes / 4096, limits.Decode, "to decode"}, step{out * bytes / 4096, limits.Checksum, "checksum"},
			step{out * bytes * e.s.Ratio / 4096, limits.ReadPage, "pread"})
	}
	return steps
}
