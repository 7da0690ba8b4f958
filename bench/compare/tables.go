package compare

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ringwood-kv/ringwood/bench/workload"
)

// Table is a set of groups of rows that belongs together, under a name.
type Table struct {
	Name  string
	Help  string // one line
	Takes string // how long, on what
	Config
}

// Tables are all of them. Their Config lacks the engines.
func Tables() []Table { return []Table{quick(), full(), cached(), growth()} }

// Describe says what is in the table, in lines.
func (t Table) Describe() (lines []string) {
	for _, p := range t.parts() {
		line := p.String() + " · " + strings.Join(p.config.Workloads, ", ")
		if threads := p.config.Threads; len(threads) > 1 {
			line += fmt.Sprintf(" · %s threads", strings.Trim(strings.ReplaceAll(fmt.Sprint(threads), " ", ", "), "[]"))
		}
		for i, text := range wrap(line, 100) {
			if i > 0 {
				text = "    " + text
			}
			lines = append(lines, text)
		}
	}
	return lines
}

// FindTable returns the table of that name.
func FindTable(name string) (Table, error) {
	var names []string
	for _, t := range Tables() {
		if t.Name == name {
			return t, nil
		}
		names = append(names, t.Name)
	}
	return Table{}, fmt.Errorf("unknown table %q: it is one of %s", name, strings.Join(names, ", "))
}

// roofs are engines that are not measured where writing is what counts: a store that is
// a roof for reads has nothing to say there, and takes minutes for it.
var roofs = []string{"bbolt"}

// forLarge are engines that are measured where values are large only.
var forLarge = []string{"badger-vlog", "rocksdb-blob"}

// TableRoofs are the engines that do not compress: they are shown, and no peers.
var TableRoofs = []string{"bbolt", "badger-vlog"}

// TableEngines returns the engines that tables have by default: those that are there, and
// those for large values whose engine is.
func TableEngines(names []string) []string {
	for _, name := range forLarge {
		of, _, _ := strings.Cut(name, "-")
		if slices.Contains(names, of) {
			names = append(names, name)
		}
	}
	return names
}

// slow are engines that take many minutes to write five million records.
var slow = append([]string{"badger"}, roofs...)

// weaker are engines that promise less than durability os says: shown there, no peers.
var weaker = []string{"pebble", "pebble-tuned"}

func newTable(name string, rounds int, memory, records int64, groups ...Group) Table {
	for i, g := range groups {
		if g.ValueSize == 0 {
			groups[i].Without = slices.Concat(g.Without, forLarge)
		}
	}
	c := Config{
		Table: name, Groups: groups, Threads: []int{1}, Rounds: rounds, Memory: memory, Durability: "none",
		Params: workload.Params{Records: records, Ratio: 0.5, Seed: 1}, PauseAt: 10 * time.Millisecond, Limits: true,
	}
	return Table{Name: name, Config: c}
}

var (
	fills    = []string{"fillseq", "fillrandom", "fillbatch", "overwrite"}
	lookups  = []string{"readmissing", "seekrandom", "seekreverse"}
	scans    = []string{"scan", "scanreverse"}
	ycsb     = []string{"a", "b", "c", "d", "f"}
	threads3 = []int{1, 2, 16}
	two      = []int{1, 16}
)

// full has all rows that the project is held to: 5 million records, about four times what
// the engines' memory holds. The operations of the queue are few because the peers walk
// over all its tombstones at each seek: their time grows with the square.
func full() Table {
	t := newTable("full", 5, 128<<20, 5_000_000,
		Group{Name: "none", Workloads: fills, Without: slow},
		Group{Name: "os", Workloads: fills, Durability: "os", Without: slow, Roofs: weaker},
		Group{Name: "sync", Workloads: []string{"fillsync"}, Durability: "sync", Threads: []int{1, 16}, Without: roofs},
		Group{Name: "reads", Workloads: []string{"readrandom", "readhot"}, Threads: threads3, Operations: 500_000},
		Group{Name: "lookups", Workloads: lookups, Operations: 300_000},
		Group{Name: "scans", Workloads: scans},
		Group{Name: "mixed", Workloads: []string{"readwhilewriting"}, Duration: 6 * time.Second, Without: roofs},
		Group{Name: "deletes", Workloads: []string{"deleterandom"}, Records: 1_000_000, Without: roofs},
		Group{Name: "queue", Workloads: []string{"deleteseq"}, Operations: 20_000, Without: roofs},
		Group{Name: "16K", Workloads: []string{"fillrandom", "readrandom"}, Records: 40_000, ValueSize: 16 << 10},
		Group{Name: "ycsb", Workloads: ycsb, Threads: threads3, Records: 500_000, Operations: 300_000, Without: roofs},
		Group{Name: "ycsb-e", Workloads: []string{"e"}, Threads: threads3, Records: 500_000, Operations: 50_000, Without: roofs},
	)
	t.Help = "all rows, 5 million records, beyond the engines' memory"
	t.Takes = "about 5 hours on 2 processors with all engines"
	return t
}

// cached has the rows that read, with as many records, all of which the engines' own
// caches hold.
func cached() Table {
	t := newTable("cached", 5, 1536<<20, 5_000_000,
		Group{Name: "reads", Workloads: []string{"readrandom", "readhot"}, Threads: threads3, Operations: 500_000},
		Group{Name: "lookups", Workloads: lookups, Operations: 300_000},
		Group{Name: "scans", Workloads: scans},
		Group{Name: "ycsb", Workloads: ycsb, Threads: two, Records: 500_000, Operations: 300_000, Without: roofs},
		Group{Name: "ycsb-e", Workloads: []string{"e"}, Threads: two, Records: 500_000, Operations: 50_000, Without: roofs},
	)
	t.Warmup = 3 * time.Second
	t.Help = "the rows that read, 5 million records, all of them in the engines' caches"
	t.Takes = "about 2 hours on 2 processors with all engines"
	return t
}

// quick has the same rows with less of everything, and fewer threads. What is read fits
// into the engines' memory.
func quick() Table {
	t := newTable("quick", 5, 20<<20, 120_000,
		Group{Name: "none", Workloads: fills, Without: roofs},
		Group{Name: "os", Workloads: fills, Durability: "os", Without: roofs, Roofs: weaker},
		Group{Name: "sync", Workloads: []string{"fillsync"}, Durability: "sync", Threads: two, Without: roofs},
		Group{Name: "reads", Workloads: []string{"readrandom", "readhot"}, Threads: two, Operations: 50_000},
		Group{Name: "lookups", Workloads: lookups, Operations: 20_000},
		Group{Name: "scans", Workloads: scans},
		Group{Name: "mixed", Workloads: []string{"readwhilewriting"}, Operations: 40_000, Without: roofs},
		Group{Name: "deletes", Workloads: []string{"deleterandom"}, Records: 60_000, Without: roofs},
		Group{Name: "queue", Workloads: []string{"deleteseq"}, Operations: 2_000, Without: roofs},
		Group{Name: "16K", Workloads: []string{"fillrandom", "readrandom"}, Records: 3_000, ValueSize: 16 << 10, Without: roofs},
		Group{Name: "ycsb", Workloads: ycsb, Threads: two, Records: 30_000, Operations: 12_000, Without: roofs},
		Group{Name: "ycsb-e", Workloads: []string{"e"}, Threads: two, Records: 30_000, Operations: 3_000, Without: roofs},
	)
	t.Help = "the same rows with 120,000 records, in ten minutes"
	t.Takes = "about 9 minutes on 2 processors with all engines"
	return t
}

// growth shows what a lookup and a write cost as data grows, in a section of its own.
func growth() Table {
	var groups []Group
	for _, n := range []int64{1, 5, 25} {
		name, records := fmt.Sprintf("%dM", n), n*1_000_000
		groups = append(groups,
			Group{Name: name, Workloads: []string{"fillrandom"}, Records: records, Without: roofs},
			Group{Name: name + "-reads", Workloads: []string{"readrandom", "readmissing"}, Records: records, Operations: 300_000, Without: roofs})
	}
	t := newTable("growth", 1, 128<<20, 0, groups...)
	t.Limits = false
	t.Help = "what lookups and writes cost with 1, 5 and 25 million records: blocks, filters, bytes written"
	t.Takes = "about 10 minutes on 2 processors for lsm alone"
	return t
}

// wanted is the least ratio to the best peer that the project promises for a row of the
// tables.
func wanted(r Row) float64 {
	switch r.Workload {
	case "fillsync":
		if r.Threads == 1 {
			return 1
		}
		return 1.1
	case "readrandom", "readhot", "readmissing", "scan", "scanreverse", "readwhilewriting":
		return 1.5
	case "fillrandom":
		if r.Settings.ValueSize >= 16<<10 {
			return 1.5
		}
	}
	return 1.3
}

// Cells is how many measurements a comparison takes, for a configuration that Check has
// completed.
func Cells(c Config) (n int) {
	for _, p := range c.parts() {
		n += len(p.config.Workloads) * len(p.config.Threads) * len(p.config.Engines) * c.Rounds
	}
	return n
}
