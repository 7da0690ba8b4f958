package workload

import (
	"math"
	"testing"

	"github.com/ringwood-kv/ringwood/bench/driver"
	"github.com/ringwood-kv/ringwood/bench/engine"
	"github.com/ringwood-kv/ringwood/bench/gen"
	"github.com/ringwood-kv/ringwood/bench/internal/mapengine"
)

// The shares of the operations as in the files workloada to workloadf.
func TestShares(t *testing.T) {
	for name, want := range map[string]map[driver.Kind]float64{
		"a": {driver.Read: .5, driver.Update: .5},
		"b": {driver.Read: .95, driver.Update: .05},
		"c": {driver.Read: 1},
		"d": {driver.Read: .95, driver.Insert: .05},
		"e": {driver.Scan: .95, driver.Insert: .05},
		"f": {driver.Read: .5, driver.ReadModifyWrite: .5},
	} {
		e, _ := engine.Noop.Open(engine.Config{})
		res, _ := perform(t, e, mustFind(t, name), Params{Records: 1000, Operations: 20_000, Unchecked: true})
		if len(res.Latency) != len(want) {
			t.Errorf("%s: %d kinds of operations, want %d", name, len(res.Latency), len(want))
		}
		for kind, share := range want {
			got := float64(res.Latency[kind].Count()) / float64(res.Totals.Ops)
			if math.Abs(got-share) > 0.012 {
				t.Errorf("%s: %.3f %v, want %.2f", name, got, kind, share)
			}
		}
	}
}

// counted runs a workload on a store of rows and counts the calls by key.
func counted(t *testing.T, name string, p Params) (byKey map[string]int, res *driver.Result, e engine.Engine) {
	d := &mapengine.Disk{}
	w := mustFind(t, name)
	e = prepare(t, d, w, p)
	byKey = make(map[string]int)
	d.Hook = func(op string, key []byte) error {
		byKey[op+" "+string(key)]++
		byKey[op]++
		return nil
	}
	res, _ = perform(t, e, w, p)
	d.Hook = nil
	return byKey, res, e
}

// A row update reads the row, changes a single field, and writes it back; a blind one
// writes without reading. A read-modify-write reads twice, or once.
func TestUpdateVariants(t *testing.T) {
	p := Params{Records: 100, Operations: 2000}
	for _, c := range []struct {
		name   string
		update Update
		kind   driver.Kind
		gets   int64 // for each update
	}{{"a", Row, driver.Update, 1}, {"a", Blind, driver.Update, 0}, {"f", Row, driver.ReadModifyWrite, 2}, {"f", Blind, driver.ReadModifyWrite, 1}} {
		p.Update = c.update
		n, res, _ := counted(t, c.name, p)
		reads, updates := res.Latency[driver.Read].Count(), res.Latency[c.kind].Count()
		if int64(n["put"]) != updates || int64(n["get"]) != reads+c.gets*updates {
			t.Errorf("%s %s: %d reads and %d updates made %d gets and %d puts", c.name, c.update, reads, updates, n["get"], n["put"])
		}
	}
}

func TestRowUpdateChangesOneField(t *testing.T) {
	w := mustFind(t, "a")
	p, _ := w.Complete(Params{Records: 2, Seed: 5}, false)
	d := &mapengine.Disk{}
	e := prepare(t, d, w, p)
	run, _ := w.Start(e, p)
	defer run.Close()
	worker := run.Workers[0].(*ycsbWorker)
	worker.begin(0)
	before, _ := e.AppendGet(nil, gen.HashedKeys{}.Append(nil, 1))
	if err := worker.updateRow(1, &driver.Outcome{}); err != nil {
		t.Fatal(err)
	}
	after, _ := e.AppendGet(nil, gen.HashedKeys{}.Append(nil, 1))
	changed := 0
	for f := range fields {
		if string(before[f*100:(f+1)*100]) != string(after[f*100:(f+1)*100]) {
			changed++
		}
	}
	if changed != 1 || len(after) != 1000 {
		t.Errorf("%d of %d fields changed", changed, fields)
	}
}

// Requests of A, B, C and F follow the scrambled zipfian; those of D the newest record.
func TestRequests(t *testing.T) {
	p := Params{Records: 1000, Operations: 20_000}
	n, res, _ := counted(t, "c", p)
	hot := gen.HashedKeys{}.Append([]byte("get "), gen.FNV64(0)%1001)
	if share := float64(n[string(hot)]) / 20_000; math.Abs(share-1/26.469) > 0.006 || res.Totals.Misses != 0 {
		t.Errorf("c: the hottest record gets %.4f, want 0.0378", share)
	}
	n, _, e := counted(t, "d", p)
	last := rows(t, e) - 1
	young, old := 0, 0
	for k := range last + 1 {
		c := n[string(gen.HashedKeys{}.Append([]byte("get "), k))]
		if k >= 1000 {
			young += c
		} else if k < 500 {
			old += c
		}
	}
	// About a thousand inserts: the newest thousand get most of the reads.
	if last < 1900 || float64(young)/19_000 < 0.75 || float64(old)/19_000 > 0.12 {
		t.Errorf("d: %d records, new ones get %d, the oldest 500 get %d of 19,000 reads", last+1, young, old)
	}
}

// Scans of E are of 1 to 100 rows, uniformly.
func TestScanLengths(t *testing.T) {
	p := Params{Records: 300, Operations: 2000}
	d := &mapengine.Disk{}
	w := mustFind(t, "e")
	e := prepare(t, d, w, p)
	res, _ := perform(t, e, w, p)
	scans := float64(res.Latency[driver.Scan].Count())
	// Scans that start among the last hundred rows end early: a sixth fewer rows.
	mean := float64(res.Totals.Read) / scans / 1023
	if mean < 38 || mean > 50 {
		t.Errorf("a scan reads %.1f rows on average, want 50.5 less what the end cuts off", mean)
	}
}

// Inserts of D continue the numbers of the records, without a gap.
func TestInsertsFollowTheRecords(t *testing.T) {
	p := Params{Records: 500, Operations: 5000, Threads: 3}
	_, res, e := counted(t, "d", Params{Records: 500, Operations: 100})
	if got, want := rows(t, e), 500+res.Latency[driver.Insert].Count(); got != want {
		t.Errorf("%d records, want %d", got, want)
	}
	w := mustFind(t, "d")
	e = prepare(t, &mapengine.Disk{}, w, p)
	res, _ = perform(t, e, w, p)
	for k := range 500 + res.Latency[driver.Insert].Count() {
		if _, err := e.AppendGet(nil, gen.HashedKeys{}.Append(nil, k)); err != nil {
			t.Fatalf("record %d: %v", k, err)
		}
	}
	if res.Totals.Lost != 0 {
		t.Errorf("%d reads looked for inserts under way", res.Totals.Lost)
	}
}
