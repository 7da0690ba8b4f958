package paxos

import (
	"bytes"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the encodings into testdata")

func sampleStates() []*State {
	v := Voters{Now: ids("abc")}
	full := &State{Version: 300, Voters: Voters{Epoch: 7, Now: ids("abc"), Next: ids("bcd")}, Value: []byte("value"), Forgotten: 200}
	for i := range Remembered {
		full.Recent = append(full.Recent, Applied{id(byte(i + 1)), uint64(210 + 10*i)})
	}
	return []*State{
		nil,
		{Version: 1, Voters: v, Value: []byte("v"), Recent: []Applied{{id('r'), 1}}},
		{Version: 2, Voters: v, Value: []byte{}},
		{Version: 3, Voters: v}, // deleted
		{Version: math.MaxUint64, Voters: Voters{Epoch: math.MaxUint64, Now: ids("a")}, Forgotten: math.MaxUint64},
		full,
	}
}

// samples are encodings, by name, that are the same for ever.
func samples(t testing.TB) (names []string, texts [][]byte) {
	add := func(name string, b []byte, err error) {
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		names, texts = append(names, name), append(texts, b)
	}
	low, high := Ballot{5, id('p')}, Ballot{300, id('q')}
	for i, s := range sampleStates() {
		a := Acceptor{promised: high, state: s}
		if s != nil {
			a.accepted = low
			b, err := (&Ask{Kind: Accept, To: id('a'), Ballot: low, Next: high, State: s}).AppendTo(nil)
			add(fmt.Sprintf("accept-%d", i), b, err)
		}
		add(fmt.Sprintf("record-%d", i), a.appendRecord(nil), nil)
		b, err := (&Answer{Kind: Prepare, From: id('a'), Ballot: high, OK: true, Promised: high, Accepted: a.accepted, State: s}).AppendTo(nil)
		add(fmt.Sprintf("promise-%d", i), b, err)
	}
	b, err := (&Ask{Kind: Query, To: id('a'), Ballot: low}).AppendTo(nil)
	add("query", b, err)
	b, err = (&Ask{Kind: Prepare, To: id('a'), Ballot: Ballot{math.MaxUint64, id('z')}}).AppendTo(nil)
	add("prepare", b, err)
	b, err = (&Answer{Kind: Accept, From: id('a'), Ballot: low, OK: true, Promised: high}).AppendTo(nil)
	add("accepted", b, err)
	b, err = (&Answer{Kind: Prepare, From: id('a'), Ballot: low, Promised: high}).AppendTo(nil)
	add("refused", b, err)
	add("record-empty", new(Acceptor).appendRecord(nil), nil)
	return names, texts
}

// reencode decodes b as what it says it is, and encodes it again.
func reencode(b []byte) ([]byte, error) {
	if len(b) == 0 {
		return nil, ErrFormat
	}
	switch b[0] {
	case headAsk:
		var q Ask
		if err := q.Decode(b); err != nil {
			return nil, err
		}
		return q.AppendTo(nil)
	case headAnswer:
		var a Answer
		if err := a.Decode(b); err != nil {
			return nil, err
		}
		return a.AppendTo(nil)
	}
	promised, accepted, state, err := ParseRecord(b)
	if err != nil {
		return nil, err
	}
	return (&Acceptor{promised: promised, accepted: accepted, state: state}).appendRecord(nil), nil
}

// TestGolden holds the encodings of version 1 as they are.
func TestGolden(t *testing.T) {
	names, texts := samples(t)
	var b strings.Builder
	for i := range names {
		if again, err := reencode(texts[i]); err != nil || !bytes.Equal(again, texts[i]) {
			t.Errorf("%s: %v, %x becomes %x", names[i], err, texts[i], again)
		}
		fmt.Fprintf(&b, "%s %s\n", names[i], hex.EncodeToString(texts[i]))
	}
	const file = "testdata/encodings.txt"
	if *update {
		if err := os.WriteFile(file, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil || strings.ReplaceAll(string(want), "\r\n", "\n") != b.String() {
		t.Fatalf("the format has changed (%v); now:\n%s", err, b.String())
	}
}

// TestDamagedEncodings cuts, lengthens and changes every encoding at every place.
func TestDamagedEncodings(t *testing.T) {
	names, texts := samples(t)
	for i, b := range texts {
		for n := range b {
			if _, err := reencode(b[:n]); !errors.Is(err, ErrFormat) {
				t.Fatalf("%s, cut to %d bytes: %v", names[i], n, err)
			}
			for _, flip := range []byte{1, 0x10, 0x80, 0xff} {
				c := slices.Clone(b)
				c[n] ^= flip
				if again, err := reencode(c); err == nil && !bytes.Equal(again, c) || err != nil && !errors.Is(err, ErrFormat) {
					t.Fatalf("%s, byte %d changed: %v", names[i], n, err)
				}
			}
		}
		if _, err := reencode(append(slices.Clone(b), 0)); !errors.Is(err, ErrFormat) {
			t.Fatalf("%s, longer: %v", names[i], err)
		}
	}
	for _, b := range [][]byte{
		append([]byte{headRecord, 5}, make([]byte, IDLen)...), // a round without a node
		{headRecord, 0x80, 0}, // not the shortest form
	} {
		if _, err := reencode(b); !errors.Is(err, ErrFormat) {
			t.Errorf("%x: %v", b, err)
		}
	}
}

// TestLengthsAreChecked decodes a record that promises a value of 15 MiB and has none.
func TestLengthsAreChecked(t *testing.T) {
	a := Acceptor{promised: Ballot{1, id('p')}, accepted: Ballot{1, id('p')}, state: &State{Version: 1, Voters: voters(t, "a")}}
	b := a.appendRecord(nil)
	b = append(b[:len(b)-1], 0xff, 0xff, 0xff, 0x07)
	if n := testing.AllocsPerRun(10, func() {
		if _, err := reencode(b); !errors.Is(err, ErrFormat) {
			t.Fatal(err)
		}
	}); n > 10 {
		t.Errorf("%v allocations", n)
	}
}

func FuzzDecode(f *testing.F) {
	_, texts := samples(f)
	for _, b := range texts {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		again, err := reencode(b)
		if err == nil && !bytes.Equal(again, b) || err != nil && !errors.Is(err, ErrFormat) {
			t.Fatalf("%x becomes %x, %v", b, again, err)
		}
		if a, err := NewAcceptor(id('a'), b); err == nil && b != nil {
			if again, _ := a.Save(nil); !bytes.Equal(again, b) {
				t.Fatalf("%x becomes %x", b, again)
			}
		}
	})
}
