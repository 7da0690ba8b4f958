package model

import (
	"slices"
	"testing"
)

func put(k, v string) Op { return Op{Kind: Put, Key: k, Value: []byte(v), Expiry: Never} }

func keys(entries []Entry) (out []string) {
	for _, e := range entries {
		out = append(out, e.Key+"="+string(e.Value))
	}
	return out
}

func TestState(t *testing.T) {
	var s Store
	s.Commit([]Op{put("b", "1"), put("a", "2"), put("c", "3"), put("b", "4")}, Disk)
	s.Commit([]Op{{Kind: Put, Key: "d", Value: []byte("5"), Expiry: 10}}, Kernel)
	s.Commit([]Op{{Kind: DeleteRange, Key: "a", End: "b"}, put("", "6")}, Process)
	want := []string{"=6", "b=4", "c=3", "d=5"}
	if got := keys(s.Now().Live(9, Bounds{})); !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	if got := keys(s.Now().Live(10, Bounds{Lower: []byte("b")})); !slices.Equal(got, want[1:3]) {
		t.Errorf("%q, want %q", got, want[1:3])
	}
	var lens []int
	s.Prefixes(Disk, func(n int, x *State) { lens = append(lens, x.Len()) })
	if !slices.Equal(lens, []int{3, 4, 4}) {
		t.Errorf("prefixes %d", lens)
	}
	lens = nil
	s.Prefixes(Kernel, func(n int, x *State) { lens = append(lens, n) })
	if !slices.Equal(lens, []int{1, 2}) {
		t.Errorf("prefixes %d", lens)
	}
	s.Adopt(1)
	if got := keys(s.Now().Live(0, Bounds{})); !slices.Equal(got, []string{"a=2", "b=4", "c=3", "d=5"}) {
		t.Errorf("%q after the crash", got)
	}
}

func TestIter(t *testing.T) {
	it := NewIter([]Entry{{Key: "b"}, {Key: "d"}})
	steps := []struct {
		move func()
		want string
	}{
		{it.Next, "-"}, {it.First, "b"}, {it.Next, "d"}, {it.Prev, "b"}, {it.Prev, "-"}, {it.Next, "-"},
		{it.Last, "d"}, {it.Next, "-"}, {it.Prev, "-"},
		{func() { it.SeekGE("c") }, "d"}, {func() { it.SeekGE("e") }, "-"},
		{func() { it.SeekLT("d") }, "b"}, {func() { it.SeekLT("b") }, "-"},
	}
	for i, s := range steps {
		s.move()
		got := "-"
		if it.Valid() {
			got = it.Entry().Key
		}
		if got != s.want {
			t.Errorf("step %d: at %q, want %q", i, got, s.want)
		}
	}
}

func TestTxn(t *testing.T) {
	var s Store
	s.Commit([]Op{put("a", "1"), put("c", "2")}, Disk)
	check := func(tx *Txn, changed, touched bool) {
		t.Helper()
		if tx.Changed() != changed || tx.Touched() != touched {
			t.Errorf("changed %v, touched %v; want %v, %v", tx.Changed(), tx.Touched(), changed, touched)
		}
	}
	key, gap, other := s.Begin(0), s.Begin(0), s.Begin(0)
	key.ReadKey("a")
	gap.ReadRange("a", "c", false, 0)
	other.ReadKey("c")
	s.Commit([]Op{put("a", "1")}, Disk)
	check(key, false, true)
	check(gap, false, true)
	check(other, false, false)
	s.Commit([]Op{put("b", "new")}, Disk)
	check(key, false, true)
	check(gap, true, true)
	s.Commit([]Op{{Kind: DeleteRange, Key: "c", Unbounded: true}}, Disk)
	check(other, true, true)
	check(key, false, true)
}
