package vclock

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/ringwood-kv/ringwood/cluster/hlc"
)

func TestPut(t *testing.T) {
	for _, c := range []struct{ name, before, ctx, dot, want string }{
		{"first write", "|", "", "a1", "a1 | a1"},
		{"over what was read", "a1 | a1", "a1", "a2", "a2 | a2"},
		{"blind", "a1 | a1", "", "a2", "a2 | a1 a2"},
		{"blind, at another replica", "a1 | a1", "", "b2", "a1 b2 | a1 b2"},
		{"over siblings", "a1 b2 | a1 b2", "a1 b2", "a3", "a3 b2 | a3"},
		{"over one of two", "a1 b2 | a1 b2", "a1", "a3", "a3 b2 | a3 b2"},
		{"what another replica returned", "a1 | a1", "c7", "a2", "a2 c7 | a1 a2"},
		{"with an old context", "a5 | a5", "a2", "a6", "a6 | a5 a6"},
		{"counters have gaps", "a5 | a5", "a5", "a900", "a900 | a900"},
		{"an actor in between", "a1 c1 | a1 c1", "", "b9", "a1 b9 c1 | a1 b9 c1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := object(c.before)
			prev := o.Vector.Counter(dots(c.dot)[0].Actor)
			out := put(t, o, c.ctx, c.dot)
			wantObject(t, o, c.want)
			if !out.Changed || out.Prev != prev || out.Dropped != 0 || out.Warn {
				t.Fatalf("%+v", out)
			}
		})
	}
}

// A SET over RESP replaces what the replica has, whatever it is.
func TestPutOverOwnContext(t *testing.T) {
	o := object("a3 c4 | a3 c4")
	ctx := o.Context()
	if _, err := o.Put(ctx, Sibling{Dot: dots("b1")[0], HLC: 5}, nil); err != nil {
		t.Fatal(err)
	}
	wantObject(t, o, "a3 b1 c4 | b1")
}

func TestPutRefuses(t *testing.T) {
	full := &Object{}
	for i := range MaxActors {
		full.Vector = append(full.Vector, Dot{Actor{1, byte(i >> 8), byte(i)}, 1})
	}
	full.Siblings = []Sibling{{Dot: full.Vector[3], HLC: 1}}
	good := sibling(dots("a3")[0])
	with := func(change func(*Sibling)) Sibling {
		s := good
		change(&s)
		return s
	}
	for _, c := range []struct {
		name string
		o    *Object
		ctx  Context
		s    Sibling
		want error
	}{
		{"a dot again", object("a3 | a3"), Context{}, good, ErrDotReused},
		{"a dot from the past", object("a9 | a9"), Context{}, good, ErrDotReused},
		{"a dot that the context knows", object("|"), Context{Vector: dots("a3")}, good, ErrDotReused},
		{"before its cause", object("a1 | a1"), Context{dots("a1"), good.HLC}, good, ErrTimestamp},
		{"without a timestamp", object("|"), Context{}, with(func(s *Sibling) { s.HLC = 0 }), ErrTimestamp},
		{"without a dot", object("|"), Context{}, with(func(s *Sibling) { s.Dot = Dot{} }), ErrInvalid},
		{"an unknown flag", object("|"), Context{}, with(func(s *Sibling) { s.Flags = 8 }), ErrInvalid},
		{"a tombstone with a value", object("|"), Context{}, with(func(s *Sibling) { s.Flags = Tombstone }), ErrInvalid},
		{"a tombstone that expires", object("|"), Context{}, with(func(s *Sibling) { s.Flags, s.Value, s.Expiry = Tombstone, nil, 4 }), ErrInvalid},
		{"expired, but when", object("|"), Context{}, with(func(s *Sibling) { s.Flags, s.Value = Expired, nil }), ErrInvalid},
		{"a negative expiry", object("|"), Context{}, with(func(s *Sibling) { s.Expiry = -1 }), ErrInvalid},
		{"one actor too many", full, Context{}, good, ErrTooManyActors},
		{"two actors too many", full, Context{Vector: dots("b1")}, good, ErrTooManyActors},
	} {
		t.Run(c.name, func(t *testing.T) {
			before := c.o.Clone()
			if _, err := c.o.Put(c.ctx, c.s, nil); !errors.Is(err, c.want) || err.Error() == "" {
				t.Fatal(err)
			}
			if !c.o.Equal(&before) {
				t.Fatal("refused, and yet changed")
			}
		})
	}
	// The largest vector still takes writes of actors that it has.
	if _, err := full.Put(full.Context(), Sibling{Dot: Dot{full.Vector[9].Actor, 2}, HLC: 2}, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := full.Merge(object("a1 | a1"), nil); !errors.Is(err, ErrTooManyActors) {
		t.Fatal(err)
	}
	if _, err := full.Apply(&Delta{Sibling: good}, nil); !errors.Is(err, ErrTooManyActors) {
		t.Fatal(err)
	}
}

func TestMerge(t *testing.T) {
	for _, c := range []struct {
		name, x, y, want string
		changed          bool
	}{
		{"into an absent key", "|", "a1 | a1", "a1 | a1", true},
		{"of an absent key", "a1 | a1", "|", "a1 | a1", false},
		{"the same", "a1 b1 | a1 b1", "a1 b1 | a1 b1", "a1 b1 | a1 b1", false},
		{"newer", "a1 | a1", "a2 | a2", "a2 | a2", true},
		{"older", "a2 | a2", "a1 | a1", "a2 | a2", false},
		{"concurrent", "a1 | a1", "b1 | b1", "a1 b1 | a1 b1", true},
		{"one replaced here, one there", "a2 b1 | a2 b1", "a1 b2 | a1 b2", "a2 b2 | a2 b2", true},
		{"in between", "a1 c1 | a1 c1", "b1 | b1", "a1 b1 c1 | a1 b1 c1", true},
		{"seen, but replaced", "a1 | a1", "a1 b1 | b1", "a1 b1 | b1", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := object(c.x)
			out := merge(t, o, object(c.y))
			wantObject(t, o, c.want)
			if out.Changed != c.changed {
				t.Fatalf("%+v", out)
			}
		})
	}
}

func TestApply(t *testing.T) {
	delta := func(ctx, dot string, prev uint64) *Delta {
		return &Delta{Sibling: sibling(dots(dot)[0]), Context: dots(ctx), Prev: prev}
	}
	for _, c := range []struct {
		name, before string
		d            *Delta
		want         string
		changed      bool
		err          error
	}{
		{"first", "|", delta("", "a1", 0), "a1 | a1", true, nil},
		{"next", "a1 | a1", delta("a1", "a4", 1), "a4 | a4", true, nil},
		{"beside", "a1 | a1", delta("", "a4", 1), "a4 | a1 a4", true, nil},
		{"one is missing", "a1 | a1", delta("", "a4", 3), "a1 | a1", false, ErrNeedObject},
		{"known", "a4 | a4", delta("a1", "a4", 1), "a4 | a4", false, nil},
		{"replaced already", "a9 | a9", delta("a1", "a4", 1), "a9 | a9", false, nil},
		{"what it replaces is not here", "b1 | b1", delta("c5", "a4", 0), "a4 b1 c5 | a4 b1", true, nil},
		{"contradicts itself", "|", delta("", "a4", 4), "|", false, ErrDotReused},
		{"has seen itself", "|", delta("a4", "a4", 0), "|", false, ErrDotReused},
		{"is nothing", "|", &Delta{}, "|", false, ErrInvalid},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := object(c.before)
			out, err := o.Apply(c.d, nil)
			if !errors.Is(err, c.err) || out.Changed != c.changed {
				t.Fatalf("%+v %v", out, err)
			}
			if got := show(o); got != show(object(c.want)) {
				t.Fatalf("got %q, want %q", got, c.want)
			}
		})
	}
	o := object("a4 | a4")
	other := delta("", "a4", 1)
	other.Sibling.HLC++
	if _, err := o.Apply(other, nil); !errors.Is(err, ErrDotReused) {
		t.Fatal(err)
	}
}

func TestLimits(t *testing.T) {
	blind := func(o *Object, n uint64, value string, p *Policy) (Outcome, error) {
		return o.Put(Context{}, Sibling{Dot: Dot{actor('a'), n}, HLC: hlc.Timestamp(n), Value: []byte(value)}, p)
	}
	p := &Policy{WarnSiblings: 2, MaxSiblings: 4, MaxBytes: 100, OnLimit: Reject}
	o := &Object{}
	for n := uint64(1); n <= 4; n++ {
		if out, err := blind(o, n, "v", p); err != nil || out.Warn != (n > 2) {
			t.Fatalf("write %d: %+v %v", n, out, err)
		}
	}
	_, err := blind(o, 5, "v", p)
	var limit *LimitError
	if !errors.As(err, &limit) || limit.Siblings != 5 || limit.MaxSiblings != 4 || len(o.Siblings) != 4 || err.Error() == "" {
		t.Fatal(err)
	}
	// One byte too many, and the bytes that just fit.
	ctx := Context{Vector: dots("a2")}
	s := Sibling{Dot: dots("a6")[0], HLC: 6, Value: make([]byte, 99)}
	if _, err = o.Put(ctx, s, p); !errors.As(err, &limit) || limit.Bytes != 101 || limit.MaxBytes != 100 || err.Error() == "" {
		t.Fatal(err)
	}
	s.Value = s.Value[:98]
	if out, err := o.Put(ctx, s, p); err != nil || !out.Warn || show(o) != "a6 | a3 a4 a6" {
		t.Fatal(out, err, show(o))
	}
	// A single value may be of any size.
	s.Dot.Counter, s.HLC, s.Value = 7, 7, make([]byte, 1000)
	if out, err := o.Put(o.Context(), s, p); err != nil || out.Warn || len(o.Siblings) != 1 {
		t.Fatal(out, err)
	}
	// Merges take all; then, writes that clean up are welcome and others are not.
	x := object("b9 | b1 b2 b3 b4 b5 b6")
	if out, err := o.Merge(x, p); err != nil || !out.Warn || len(o.Siblings) != 7 {
		t.Fatal(out, err)
	}
	s.Dot.Counter, s.HLC, s.Value = 8, 8, nil
	if _, err := o.Put(Context{}, s, p); !errors.Is(err, ErrLimit) {
		t.Fatal(err)
	}
	if _, err := o.Put(Context{Vector: dots("b1")}, s, p); err != nil || len(o.Siblings) != 7 {
		t.Fatal(err)
	}

	p.OnLimit = Keep
	for n := uint64(10); n < 20; n++ {
		if out, err := blind(o, n, "", p); err != nil || !out.Warn {
			t.Fatal(out, err)
		}
	}
	p.OnLimit = Collapse
	if out, err := blind(o, 20, "last", p); err != nil || out.Warn || out.Dropped != 17 || show(o) != "a20 b9 | a20" {
		t.Fatal(out, err, show(o))
	}
}

func TestLastWriterWins(t *testing.T) {
	p := &Policy{LastWriterWins: true}
	o := &Object{}
	write := func(dot string, ctx Context, ts hlc.Timestamp) Outcome {
		t.Helper()
		out, err := o.Put(ctx, Sibling{Dot: dots(dot)[0], HLC: ts}, p)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	write("a1", Context{}, 10)
	if out := write("b2", Context{}, 20); out.Dropped != 1 || show(o) != "a1 b2 | b2" {
		t.Fatal(out, show(o))
	}
	if out := write("a3", Context{}, 15); out.Dropped != 1 || show(o) != "a3 b2 | b2" {
		t.Fatal("an earlier write won", out, show(o))
	}
	if out := write("a4", o.Context(), 21); out.Dropped != 0 || show(o) != "a4 b2 | a4" {
		t.Fatal("what was read and replaced was not lost", out, show(o))
	}
	d := &Delta{Sibling: Sibling{Dot: dots("c1")[0], HLC: 30}}
	if out, err := o.Apply(d, p); err != nil || out.Dropped != 1 || show(o) != "a4 b2 c1 | c1" {
		t.Fatal(out, err, show(o))
	}
}

// The laws of the merge of last-writer-wins, on any objects of one sibling.
func TestLastWriterWinsLaws(t *testing.T) {
	p := &Policy{LastWriterWins: true}
	rng := rand.New(rand.NewPCG(4, 4))
	random := func() *Object {
		o := randomObject(rng)
		o.keepLatest(func(*Sibling) bool { return true })
		return o
	}
	join := func(a, b *Object) *Object {
		o := a.Clone()
		out, err := o.Merge(b, p)
		if err != nil || out.Changed == o.Equal(a) {
			t.Fatalf("%s with %s: %+v %v", show(a), show(b), out, err)
		}
		return &o
	}
	for range rounds(5000) {
		x, y, z := random(), random(), random()
		xy := join(x, y)
		if !xy.Equal(join(y, x)) || !join(x, x).Equal(x) || !join(xy, y).Equal(xy) {
			t.Fatal(show(x), show(y))
		}
		if !join(xy, z).Equal(join(x, join(y, z))) {
			t.Fatal(show(x), show(y), show(z))
		}
	}
}

func TestExpiry(t *testing.T) {
	o := object("a1 b2 c3 | a1 b2 c3")
	o.Siblings[0].Expiry = 100
	o.Siblings[1].Flags, o.Siblings[1].Value = Tombstone, nil
	o.Siblings[2].Expiry = 200
	for _, c := range []struct {
		now         int64
		index, live int
	}{{0, 2, 2}, {99, 2, 2}, {100, 2, 1}, {199, 2, 1}, {200, -1, 0}} {
		if i, live := o.Latest(c.now); i != c.index || live != c.live || o.Dead(c.now) != (live == 0) {
			t.Fatal(c, i, live)
		}
	}
	early := o.Clone()
	if n := o.Expire(150); n != 1 || o.Siblings[0].Value != nil || o.Siblings[0].Flags != Expired {
		t.Fatal(n, o.Siblings[0])
	}
	if n := o.Expire(150); n != 0 {
		t.Fatal("expired twice")
	}
	if err := o.Validate(); err != nil {
		t.Fatal(err)
	}
	// Expired is expired, whoever has noticed.
	x := early.Clone()
	if out := merge(t, &x, o); !out.Changed || !x.Equal(o) {
		t.Fatal(show(&x))
	}
	if out := merge(t, o, &early); out.Changed {
		t.Fatal("an expired value is back")
	}
	for _, c := range []struct {
		floor hlc.Timestamp
		now   int64
		want  bool
	}{{4, 200, true}, {3, 200, false}, {4, 199, false}, {math.MaxUint64, 0, false}} {
		if got := o.Removable(c.floor, c.now); got != c.want {
			t.Fatal(c, got)
		}
	}
	if !new(Object).Dead(0) || !new(Object).Removable(1, 0) || !new(Object).Absent() {
		t.Fatal("an absent key")
	}
}

func TestValidate(t *testing.T) {
	for name, o := range map[string]*Object{
		"not covered":      object("a1 | a2"),
		"unknown actor":    object("a1 | b1"),
		"twice":            object("a2 | a1 a1"),
		"order":            object("a2 b2 | b1 a1"),
		"vector order":     object("b2 a2 | a1"),
		"without siblings": object("a1 |"),
		"bad sibling":      {Vector: dots("a1"), Siblings: []Sibling{{Dot: dots("a1")[0], Flags: 4}}},
	} {
		err := o.Validate()
		if !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
		if b, err := o.AppendTo([]byte("x")); !errors.Is(err, ErrInvalid) || string(b) != "x" {
			t.Errorf("%s is encoded: %v", name, err)
		}
	}
}

func TestDiscard(t *testing.T) {
	o := object("a3 b2 | a1 a3 b2")
	if n := o.Discard(dots("a2")); n != 1 {
		t.Fatal(n)
	}
	wantObject(t, o, "a3 b2 | a3 b2")
	if n := o.Discard(o.Vector); n != 2 || len(o.Siblings) != 0 {
		t.Fatal(n)
	}
}

// Dropped siblings must not keep their values in memory.
func TestNothingLingers(t *testing.T) {
	o := object("a1 b1 c1 | a1 b1 c1")
	all := o.Siblings
	put(t, o, "a1 b1 c1", "a2")
	for i := range all[1:] {
		if all[1+i].Value != nil {
			t.Fatal(fmt.Sprintf("%q", all[1+i].Value), "is still there")
		}
	}
	o.Reset()
	if all[0].Value != nil || !o.Absent() {
		t.Fatal("a value outlived Reset")
	}
}
