package compare

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/csv"
	"strings"
	"testing"
	"time"
)

// What was measured of several commits stands in their order, and only like with like.
func TestHistory(t *testing.T) {
	c := config("lsm,slow", "fillseq,readrandom", 1)
	c.Workloads = c.Workloads[:1]
	c.Params.Records, c.Params.Operations = 50, 20
	d, err := Run(context.Background(), c, Options{Find: find})
	if err != nil {
		t.Fatal(err)
	}
	var doc bytes.Buffer
	z := gzip.NewWriter(&doc)
	if err := WriteJSON(z, Analyse(d)); err != nil || z.Close() != nil {
		t.Fatal(err)
	}
	day := func(n int) time.Time { return time.Date(2026, 11, n, 0, 0, 0, 0, time.UTC) }
	h := new(History)
	add := func(revision string, committed, measured time.Time, speed float64, change func(d *Document)) {
		t.Helper()
		d, err := Read(bytes.NewReader(doc.Bytes()))
		if err != nil {
			t.Fatal(err)
		}
		d.Environment.Revision, d.Environment.Committed, d.Environment.Time = revision, committed, measured
		for i := range d.Results {
			if d.Results[i].OpsPerSecond = 1000; d.Results[i].Engine == "lsm" {
				d.Results[i].OpsPerSecond *= speed
			}
		}
		if change != nil {
			change(d)
		}
		h.Add(revision+".json", d)
	}
	add("cccccccccccc", day(3), day(9), 4, nil)
	add("aaaaaaaaaaaa+", day(1), day(8), 1, func(d *Document) { d.Environment.Kernel, d.Environment.Memory = "another", d.Environment.Memory+1<<20 })
	add("", time.Time{}, day(2), 2, nil) // nobody knows of which commit
	add("dddddddddddd", day(4), day(9), 3, func(d *Document) { d.Environment.CPU = "another" })
	add("dddddddddddd", day(4), day(9), 3, func(d *Document) { d.Comparison.Config.Memory <<= 1 })
	add("dddddddddddd", day(4), day(9), 3, func(d *Document) { d.Comparison.Config.Params.Nexts = 11 })
	add("dddddddddddd", day(4), day(9), 3, func(d *Document) { d.Comparison.Engines[1].Peer = false }) // no peer, no ratio
	var names []string
	for _, p := range h.Series[0].Points {
		names = append(names, p.Name()+" "+p.Date())
	}
	if got := strings.Join(names, ", "); got != "aaaaaaa+ 2026-11-01, unknown (2026-11-02), ccccccc 2026-11-03" {
		t.Error(got)
	}
	if len(h.Series) != 4 || len(h.Sections()) != 4 || h.Series[0].Spark() != "▁▅█" {
		t.Errorf("%d series, %s", len(h.Series), h.Series[0].Spark())
	}
	var table, lines bytes.Buffer
	if err := WriteHistory(&table, h); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"lsm to the best peer", "4.00 [4.00, 4.00] few", "trend ▁▅█  1.00 -> 4.00", "20 operations · against slow", "another"} {
		if !strings.Contains(table.String(), want) {
			t.Errorf("%q is not in\n%s", want, table.String())
		}
	}
	for line := range strings.Lines(table.String()) {
		if n := len([]rune(strings.TrimSpace(line))); n > 120 {
			t.Errorf("%d characters: %s", n, line)
		}
	}
	if err := WriteHistoryCSV(&lines, h); err != nil {
		t.Fatal(err)
	}
	if rows, err := csv.NewReader(&lines).ReadAll(); err != nil || len(rows) != 1+3+3 || rows[1][2] != "aaaaaaaaaaaa+" || rows[3][5] != "4" {
		t.Errorf("%v, %q", err, rows)
	}
	table.Reset()
	if err := WriteHistory(&table, new(History)); err != nil || !strings.Contains(table.String(), "no comparisons") {
		t.Errorf("%v %s", err, table.String())
	}
}
