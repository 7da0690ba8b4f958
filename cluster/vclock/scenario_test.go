package vclock

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/ringwood-kv/ringwood/cluster/hlc"
)

// store is a replica's side of a write, as the package comment has it.
type store struct {
	t       *testing.T
	counter *Counter
	obj     Object
	ts      *hlc.Timestamp // one clock for all: what matters here are the dots
}

func (s *store) write(ctx Context, flags Flags, value string) {
	s.t.Helper()
	if err := s.counter.Check(ctx.Vector); err != nil {
		s.t.Fatal(err)
	}
	d, err := s.counter.Mint()
	if err != nil {
		s.t.Fatal(err)
	}
	*s.ts++
	if _, err := s.obj.Put(ctx, Sibling{Dot: d, HLC: *s.ts, Flags: flags, Value: []byte(value)}, nil); err != nil {
		s.t.Fatal(err)
	}
}

// values are those of the siblings, tombstones as "-".
func values(o *Object) string {
	text := ""
	for i := range o.Siblings {
		if i > 0 {
			text += " "
		}
		if o.Siblings[i].Flags&Tombstone != 0 {
			text += "-"
		}
		text += string(o.Siblings[i].Value)
	}
	return text
}

func stores(t *testing.T, names string) map[byte]*store {
	ts := new(hlc.Timestamp)
	m := make(map[byte]*store)
	for _, n := range []byte(names) {
		m[n] = &store{t: t, counter: newCounter(t, actor(n), 0), ts: ts}
	}
	return m
}

// R1, the doomstone (riak_kv#1094). A tombstone that everybody has is forgotten, the key
// is written again, and a fallback that was away hands its old tombstone over. Were
// counters to begin again with each key, the tombstone's would be the larger.
func TestDoomstone(t *testing.T) {
	n := stores(t, "abf")
	a, f := n['a'], n['f']
	for i := range 5 {
		a.write(a.obj.Context(), 0, fmt.Sprint("v", i))
	}
	a.write(a.obj.Context(), Tombstone, "")
	merge(t, &f.obj, &a.obj)
	if !a.obj.Removable(*a.ts+1, 0) {
		t.Fatal("a tombstone below the floor stays")
	}
	a.obj.Reset()

	a.write(Context{}, 0, "again")
	merge(t, &a.obj, &f.obj)
	merge(t, &f.obj, &a.obj)
	if values(&a.obj) != "again" || values(&f.obj) != "again" {
		t.Fatal(values(&a.obj), values(&f.obj))
	}

	// With a counter for the key, it is gone.
	o := object("a1 | a1")
	merge(t, o, object("a6 | a6"))
	wantObject(t, o, "a6 | a6")
}

// R3, one actor on two nodes (riak_kv#1865). If both mint the same dot, the merge says so
// and touches nothing. If they mint different ones, nothing can tell, and a write is
// lost: hence random actors.
func TestSameActorTwice(t *testing.T) {
	x, y := object("a7 | a7"), object("a7 | a7")
	y.Siblings[0].Value = []byte("another")
	for _, p := range []*Policy{nil, {LastWriterWins: true}} {
		before := x.Clone()
		_, err := x.Merge(y, p)
		var dot *DotError
		if !errors.As(err, &dot) || dot.Dot != dots("a7")[0] || !errors.Is(err, ErrDotReused) || err.Error() == "" {
			t.Fatal(err)
		}
		if !x.Equal(&before) {
			t.Fatal("changed")
		}
	}
	x, y = object("a7 b1 | b1"), object("a7 b1 | a7")
	if _, err := x.Merge(y, nil); !errors.Is(err, ErrDotReused) || err.Error() == "" {
		t.Fatal("two histories that cannot both be true:", err)
	}
	x = object("a7 | a7")
	merge(t, x, object("a8 | a8"))
	wantObject(t, x, "a8 | a8") // a7 is lost without a trace
	x = object("a7 | a7")
	merge(t, x, object("b8 | b8"))
	wantObject(t, x, "a7 b8 | a7 b8")
}

// R4, a restored backup as a live node.
func TestRestoredBackup(t *testing.T) {
	n := stores(t, "ab")
	a, b := n['a'], n['b']
	a.write(Context{}, 0, "old")
	backup := a.obj.Clone()
	issued := a.counter.Issued()
	a.write(a.obj.Context(), 0, "new")
	merge(t, &b.obj, &a.obj)
	token := b.obj.Context()

	// With the actor of the backup, the first client that has seen more gives it away.
	restored := newCounter(t, actor('a'), issued)
	err := restored.Check(token.Vector)
	var amnesia *AmnesiaError
	if !errors.As(err, &amnesia) || amnesia.Seen != 2 || amnesia.Issued != 1 || !errors.Is(err, ErrAmnesia) || err.Error() == "" {
		t.Fatal(err)
	}
	// With another one, nothing is lost, and what the backup brings back is seen to be old.
	a.counter, a.obj = newCounter(t, actor('x'), 0), backup
	a.write(Context{}, 0, "blind")
	merge(t, &a.obj, &b.obj)
	if values(&a.obj) != "new blind" {
		t.Fatal(values(&a.obj))
	}
}

// R6, equal timestamps under last-writer-wins: one and the same write wins everywhere,
// and all of it.
func TestEqualTimestamps(t *testing.T) {
	p := &Policy{LastWriterWins: true}
	var all []*Object
	for _, d := range dots("a5 b3 b4 c1") {
		o := &Object{Vector: Vector{d}, Siblings: []Sibling{sibling(d)}}
		o.Siblings[0].HLC, o.Siblings[0].Expiry = 77, int64(d.Counter)
		all = append(all, o)
	}
	rng := rand.New(rand.NewPCG(6, 6))
	for range 50 {
		rng.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
		o := all[0].Clone()
		for _, x := range all[1:] {
			if _, err := o.Merge(x, p); err != nil {
				t.Fatal(err)
			}
		}
		wantObject(t, &o, "a5 b4 c1 | c1")
		if s := o.Siblings[0]; string(s.Value) != "c1" || s.Expiry != 1 {
			t.Fatalf("%+v", s)
		}
	}
	// Of one actor, the later of two dots wins.
	o := object("b3 | b3")
	x := object("b4 | b4")
	x.Siblings[0].HLC = o.Siblings[0].HLC
	if _, err := o.Merge(x, p); err != nil || show(o) != "b4 | b4" {
		t.Fatal(show(o), err)
	}
}

// A node loses power with a write that it had sent but not synced, and comes back with
// its lease. If it kept its actor, its next write would say that it had seen the lost
// one, and erase it where it survived.
func TestUnsyncedWriteAndSameActor(t *testing.T) {
	for _, c := range []struct {
		after Actor
		want  string
	}{{actor('a'), "next"}, {actor('n'), "sent next"}} {
		n := stores(t, "ab")
		a, b := n['a'], n['b']
		a.write(Context{}, 0, "sent")
		merge(t, &b.obj, &a.obj)
		a.obj.Reset() // power
		a.counter = newCounter(t, c.after, a.counter.bound.Load())
		a.write(Context{}, 0, "next")
		merge(t, &b.obj, &a.obj)
		if got := values(&b.obj); got != c.want {
			t.Fatalf("%v: %q", c.after, got)
		}
	}
}

// Two clients read and write in turns through one replica. With version vectors that
// have no dots every write stays for ever (riak_kv#746).
func TestInterleavedWritersAtOneReplica(t *testing.T) {
	for clients := 1; clients <= 5; clients++ {
		a := stores(t, "a")['a']
		ctx := make([]Context, clients)
		for i := range 1000 {
			c := &ctx[i%clients]
			a.write(*c, 0, fmt.Sprint(i))
			if len(a.obj.Siblings) > clients {
				t.Fatalf("%d clients, %d siblings", clients, len(a.obj.Siblings))
			}
			o := a.obj.Clone()
			*c = o.Context()
		}
		a.write(a.obj.Context(), 0, "all")
		if len(a.obj.Vector) != 1 || values(&a.obj) != "all" {
			t.Fatal(show(&a.obj))
		}
	}
}

// The same through several replicas that hear of each other late. Each write replaces the
// one before of its client, so there are at most as many siblings as clients.
func TestInterleavedWritersAtManyReplicas(t *testing.T) {
	rng := rand.New(rand.NewPCG(8, 8))
	n := stores(t, "abc")
	const clients = 4
	ctx := make([]Context, clients)
	for i := range 2000 {
		c := &ctx[rng.IntN(clients)]
		r := n["abc"[rng.IntN(3)]]
		r.write(*c, 0, fmt.Sprint(i))
		o := r.obj.Clone()
		for _, q := range n {
			if rng.IntN(2) == 0 {
				merge(t, &q.obj, &r.obj)
			}
		}
		*c = o.Context()
		for _, q := range n {
			if len(q.obj.Siblings) > clients {
				t.Fatalf("%d siblings at one replica", len(q.obj.Siblings))
			}
		}
		if i%20 != 0 {
			continue
		}
		for range 2 {
			for _, q := range n {
				for _, r := range n {
					merge(t, &q.obj, &r.obj)
				}
			}
		}
		if a := &n['a'].obj; len(a.Vector) > 3 || !a.Equal(&n['b'].obj) {
			t.Fatal(show(a))
		}
	}
}

// A deletion beside a write that it has not seen leaves both; a reader gets the value,
// and what it then writes replaces both. A deletion of a deleted key is the same.
func TestDeleteBesideWrite(t *testing.T) {
	n := stores(t, "ab")
	a, b := n['a'], n['b']
	a.write(Context{}, 0, "one")
	merge(t, &b.obj, &a.obj)
	o := a.obj.Clone()
	ctx := o.Context()
	a.write(ctx, Tombstone, "")
	b.write(ctx, 0, "two")
	merge(t, &a.obj, &b.obj)
	if values(&a.obj) != "- two" {
		t.Fatal(values(&a.obj))
	}
	if i, live := a.obj.Latest(0); live != 1 || i != 1 {
		t.Fatal(i, live)
	}
	a.write(a.obj.Context(), Tombstone, "")
	merge(t, &b.obj, &a.obj)
	if values(&b.obj) != "-" || !b.obj.Dead(0) {
		t.Fatal(values(&b.obj))
	}
	// Made again by somebody who was told that it is deleted.
	b.write(b.obj.Context(), 0, "three")
	merge(t, &b.obj, &a.obj)
	if values(&b.obj) != "three" {
		t.Fatal(values(&b.obj))
	}
}
