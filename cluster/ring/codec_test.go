package ring

import (
	"bytes"
	"encoding/hex"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
)

const goldenFile = "testdata/tables.txt"

// goldenTables are tables whose encodings are in testdata.
func goldenTables(t testing.TB) map[string]*Table {
	t.Helper()
	table := func(rows ...[]NodeID) *Table {
		table, err := NewTable(rows)
		if err != nil {
			t.Fatal(err)
		}
		return table
	}
	return map[string]*Table{
		"one":     table([]NodeID{id(1)}),
		"uneven":  table([]NodeID{id(2), id(1)}, []NodeID{id(1)}, []NodeID{id(3), id(2), id(1)}, []NodeID{id(1), id(3)}),
		"planned": plan(t, nil, racked(nodesOf(4, 2, 6, 3, 3, 1), 3), policy(t, map[string]int{"a": 3}), 16).Table,
		"wide":    plan(t, nil, nodesOf(slices.Repeat([]int{1}, 140)...), policy(t, map[string]int{"a": 2}), 128).Table,
	}
}

// The encodings of version 1 stay what they are. Two of the tables are planned: they are
// the same on every machine, and a planner that is meant to do otherwise needs -update.
func TestGolden(t *testing.T) {
	tables := goldenTables(t)
	if *update {
		var b strings.Builder
		for _, name := range slices.Sorted(func(yield func(string) bool) {
			for name := range tables {
				if !yield(name) {
					return
				}
			}
		}) {
			b.WriteString(name + " " + hex.EncodeToString(tables[name].AppendTo(nil)) + "\n")
		}
		if err := os.WriteFile(goldenFile, []byte(b.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(goldenFile)
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for line := range strings.Lines(string(text)) {
		name, digits, _ := strings.Cut(strings.TrimSpace(line), " ")
		b, err := hex.DecodeString(digits)
		if err != nil {
			t.Fatal(err)
		}
		table, err := Decode(b)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if tables[name] == nil || !table.Equal(tables[name]) || !bytes.Equal(tables[name].AppendTo([]byte("x")), append([]byte("x"), b...)) {
			t.Errorf("%s is not what it was", name)
		}
		seen++
	}
	if seen != len(tables) {
		t.Errorf("%d encodings, want %d", seen, len(tables))
	}
}

// What is not exactly an encoding is refused.
func TestDecodeRefuses(t *testing.T) {
	good := goldenTables(t)["uneven"].AppendTo(nil)
	rows := codeHead + 3*idLen
	change := func(at int, b ...byte) []byte {
		return append(append(slices.Clone(good[:at]), b...), good[min(at+len(b), len(good)):]...)
	}
	swapped := slices.Concat(good[:codeHead], good[codeHead+idLen:codeHead+2*idLen], good[codeHead:codeHead+idLen], good[codeHead+2*idLen:])
	for name, b := range map[string][]byte{
		"empty":                  {},
		"only a head":            good[:codeHead],
		"another version":        change(0, 2),
		"too many partitions":    change(1, 16),
		"more partitions":        change(1, 3),
		"no nodes":               change(2, 0, 0),
		"too many nodes":         change(2, 0xff, 0xff),
		"more nodes":             change(2, 0, 4),
		"a node of zeros":        change(codeHead, make([]byte, idLen)...),
		"nodes in disorder":      swapped,
		"an empty row":           change(rows, 0),
		"a row that is too long": change(rows, MaxReplicas+1),
		"a replica twice":        change(rows+1, good[rows+2]),
		"an unknown replica":     change(rows+1, 3),
		"a long integer":         slices.Concat(good[:rows+1], []byte{good[rows+1] | 0x80, 0}, good[rows+2:]),
		"an endless integer":     slices.Concat(good[:rows+1], bytes.Repeat([]byte{0xff}, 20)),
		"more behind":            append(slices.Clone(good), 0),
		"less":                   good[:len(good)-1],
		"an unused node":         unused(good, rows),
	} {
		if table, err := Decode(b); !errors.Is(err, ErrFormat) || table != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// unused returns the encoding with every row that of the first node alone.
func unused(good []byte, rows int) []byte {
	return append(slices.Clone(good[:rows]), 1, 0, 1, 0, 1, 0, 1, 0)
}

func FuzzDecode(f *testing.F) {
	for _, table := range goldenTables(f) {
		f.Add(table.AppendTo(nil))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		table, err := Decode(b)
		if err != nil {
			if !errors.Is(err, ErrFormat) {
				t.Fatal(err)
			}
			return
		}
		if again := table.AppendTo(nil); !bytes.Equal(again, b) {
			t.Fatalf("%x is decoded, and encoded as %x", b, again)
		}
		rows := make([][]NodeID, table.Partitions())
		for p := range rows {
			rows[p] = table.Replicas(uint16(p))
		}
		if built, err := NewTable(rows); err != nil || !built.Equal(table) {
			t.Fatalf("%x is decoded, but is no table: %v", b, err)
		}
	})
}
