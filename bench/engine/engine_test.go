package engine

import (
	"strings"
	"testing"
)

func TestFind(t *testing.T) {
	if k, err := Find("noop"); err != nil || k.Name != "noop" {
		t.Fatalf("%v, %v", k.Name, err)
	}
	_, err := Find("nope")
	if err == nil || !strings.Contains(err.Error(), "lsm, goleveldb, ") {
		t.Fatalf("the error must list the engines: %v", err)
	}
}

func TestDurability(t *testing.T) {
	for _, d := range []Durability{Sync, OS, None} {
		if got, err := ParseDurability(d.String()); err != nil || got != d {
			t.Errorf("%v: %v, %v", d, got, err)
		}
	}
	if _, err := ParseDurability("maybe"); err == nil || !strings.Contains(err.Error(), "sync, os, none") {
		t.Errorf("the error must list the choices: %v", err)
	}
	if Durability(9).String() != "Durability(9)" {
		t.Error("an unknown durability must show its number")
	}
}

func TestStatsSince(t *testing.T) {
	n := func(v int64) *int64 { return &v }
	before := Stats{LogBytes: n(10), FlushBytes: n(1)}
	after := Stats{LogBytes: n(30), FlushBytes: n(2), CompactedBytes: n(5), MemoryUsed: n(7), Text: "t"}
	d := after.Since(before)
	if *d.LogBytes != 20 || *d.CompactedBytes != 5 || d.Syncs != nil || *d.MemoryUsed != 7 || d.Text != "t" {
		t.Fatalf("%+v", d)
	}
	if w, ok := d.Written(); !ok || w != 26 {
		t.Fatalf("written %d, %v", w, ok)
	}
	if *after.LogBytes != 30 {
		t.Fatal("the argument was changed")
	}
	if _, ok := before.Written(); ok {
		t.Fatal("what compactions wrote is not known")
	}
}

func TestNoop(t *testing.T) {
	e, _ := Noop.Open(Config{})
	defer e.Close()
	if err := e.Put([]byte("k"), []byte("value")); err != nil {
		t.Fatal(err)
	}
	if v, err := e.AppendGet(nil, []byte("other")); err != nil || len(v) != 5 {
		t.Fatalf("%q, %v", v, err)
	}
	it, _ := e.NewIter(nil, nil)
	if !it.First() || !it.Next() || len(it.Value()) != 5 {
		t.Fatal("an iterator must go on")
	}
}
