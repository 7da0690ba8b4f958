package workload

import (
	"fmt"
	"slices"
	"strings"

	"github.com/ringwood-kv/ringwood/bench/gen"
)

// Update says what a YCSB update does.
type Update string

const (
	Row   Update = "row"   // read the row, change one field, write the row
	Blind Update = "blind" // write a new row
)

// Params sizes a workload. Zero means the default where the comment names one.
type Params struct {
	Records    int64   `json:"records,omitempty"`    // in the store before the workload starts, at least 2; 0 means 100,000 for YCSB and 1,000,000 for the others
	Operations int64   `json:"operations,omitempty"` // planned; 0 means the workload's own number
	KeySize    int     `json:"key_size,omitempty"`   // bytes; 0 means 16. YCSB's keys have a size of their own
	ValueSize  int     `json:"value_size,omitempty"` // bytes; 0 means 1,000 for YCSB and 100 for the others
	Ratio      float64 `json:"compression_ratio,omitempty"`
	Seed       uint64  `json:"seed,omitempty"`
	Threads    int     `json:"threads,omitempty"` // 0 means 1

	Update       Update  `json:"update,omitempty"`       // YCSB; "" means Row
	Distribution string  `json:"distribution,omitempty"` // of requests; "" means the workload's own
	HotSet       float64 `json:"hot_set,omitempty"`      // hotspot: this share of the records … 0 means 0.2
	HotOps       float64 `json:"hot_ops,omitempty"`      // … gets this share of the operations; 0 means 0.8

	Batch     int     `json:"batch,omitempty"`      // fillbatch: records in a batch; 0 means 100
	Nexts     int     `json:"nexts,omitempty"`      // seekrandom: steps after each seek; 0 means 10
	Queue     int64   `json:"queue,omitempty"`      // deleteseq: length of the queue; 0 means 10,000
	WriteRate float64 `json:"write_rate,omitempty"` // readwhilewriting: writes a second; 0 means as fast as it goes

	// Unchecked leaves out the count of lost records, for an engine that keeps nothing.
	Unchecked bool `json:"unchecked,omitempty"`
}

// Distributions are the names that Params.Distribution takes.
var Distributions = []string{"uniform", "scrambled", "zipf", "latest", "hotspot", "sequential"}

// setDefaults completes p for a data set and checks it.
func (p *Params) setDefaults(d DataSet) error {
	if p.Distribution == "zipfian" { // as YCSB calls it
		p.Distribution = "scrambled"
	}
	def(&p.Records, d.records())
	def(&p.Threads, 1)
	def(&p.KeySize, 16)
	def(&p.ValueSize, d.valueSize())
	def(&p.Ratio, 0.5)
	def(&p.Update, Row)
	def(&p.HotSet, 0.2)
	def(&p.HotOps, 0.8)
	def(&p.Batch, 100)
	def(&p.Nexts, 10)
	def(&p.Queue, 10_000)
	switch {
	case p.Records < 2:
		return fmt.Errorf("a workload needs at least 2 records, not %d", p.Records)
	case p.Operations < 0 || p.Threads < 0 || p.Batch < 0 || p.Nexts < 0 || p.Queue < 0 || p.WriteRate < 0:
		return fmt.Errorf("numbers of operations, threads, batch, nexts, queue and rate can't be negative")
	case p.ValueSize < 0:
		return fmt.Errorf("the size of values can't be negative")
	case p.Ratio <= 0 || p.Ratio > 1:
		return fmt.Errorf("values compress to a share of their size above 0 and up to 1, not %v", p.Ratio)
	case p.HotSet < 0 || p.HotSet > 1 || p.HotOps < 0 || p.HotOps > 1:
		return fmt.Errorf("the hot set and its operations are shares from 0 to 1")
	case p.Update != Row && p.Update != Blind:
		return fmt.Errorf("unknown update %q: it is row or blind", p.Update)
	case p.Distribution != "" && !slices.Contains(Distributions, p.Distribution):
		return fmt.Errorf("unknown distribution %q: it is one of %s", p.Distribution, strings.Join(Distributions, ", "))
	case d == YCSB && p.ValueSize%fields != 0:
		return fmt.Errorf("a YCSB row has %d fields of the same size: %d bytes can't be divided by %d", fields, p.ValueSize, fields)
	case d == Decimal && p.KeySize < len(fmt.Sprint(p.Records)):
		return fmt.Errorf("keys of %d bytes can't count %d records: make them longer", p.KeySize, p.Records)
	}
	return nil
}

func def[T comparable](v *T, d T) {
	var zero T
	if *v == zero {
		*v = d
	}
}

// chooser makes the chooser by that name over p.Records records. future is how many
// more the run may insert; ack knows what exists.
func (p *Params) chooser(name string, ack *gen.Ack, future int64) gen.Chooser {
	switch name {
	case "scrambled":
		return gen.NewScrambled(p.Records + future)
	case "zipf":
		return gen.NewZipf(p.Records, gen.Mix(p.Seed+1))
	case "latest":
		return gen.NewLatest(ack)
	case "hotspot":
		return gen.NewHotspot(p.Records, p.HotSet, p.HotOps)
	case "sequential":
		return gen.NewSequential(p.Records)
	}
	return gen.Uniform{N: p.Records}
}
