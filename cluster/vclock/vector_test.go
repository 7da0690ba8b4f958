package vclock

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"math"
	mrand "math/rand/v2"
	"strings"
	"testing"
)

func TestVectorCompare(t *testing.T) {
	for _, c := range []struct {
		v, w string
		want Order
	}{
		{"", "", Equal},
		{"a1", "", After},
		{"", "a1", Before},
		{"a1 b2", "a1 b2", Equal},
		{"a1 b2", "a1 b3", Before},
		{"a2 b2", "a1 b2", After},
		{"a2 b2", "a1 b3", Concurrent},
		{"a1", "b1", Concurrent},
		{"a1 c1", "a1 b1 c1", Before},
		{"a1 b1 c1", "b1", After},
		{"a9 b1", "b2", Concurrent},
	} {
		if got := dots(c.v).Compare(dots(c.w)); got != c.want {
			t.Errorf("%q to %q: %v, want %v", c.v, c.w, got, c.want)
		}
		if got, want := dots(c.v).Descends(dots(c.w)), c.want == After || c.want == Equal; got != want {
			t.Errorf("%q descends from %q: %v", c.v, c.w, got)
		}
	}
	if Concurrent.String() != "concurrent" || Order(9).String() != "Order(9)" {
		t.Error("names")
	}
}

// Join, Add, Covers and Compare against plain maps, on vectors short and long.
func TestVectorAgainstMaps(t *testing.T) {
	rng := mrand.New(mrand.NewPCG(1, 1))
	type set map[Actor]uint64
	random := func(n int) (Vector, set) {
		v, m := Vector{}, set{}
		for range rng.IntN(n) {
			d := Dot{actor(byte(rng.IntN(2 * n))), 1 + rng.Uint64N(3)}
			if d.Actor.IsZero() {
				continue
			}
			v.Add(d)
			m[d.Actor] = max(m[d.Actor], d.Counter)
		}
		return v, m
	}
	for i := range 3000 {
		n := 2 + i%30
		v, vm := random(n)
		w, wm := random(n)
		more, less := false, false
		for a := range 2 * n {
			x, y := vm[actor(byte(a))], wm[actor(byte(a))]
			more, less = more || x > y, less || x < y
		}
		want := map[[2]bool]Order{{true, true}: Concurrent, {true, false}: After, {false, true}: Before}[[2]bool{more, less}]
		if got := v.Compare(w); got != want {
			t.Fatalf("%v to %v: %v", v, w, got)
		}
		before := append(Vector(nil), w...)
		v.Join(w)
		if err := v.Validate(); err != nil {
			t.Fatal(err)
		}
		for a, c := range wm {
			vm[a] = max(vm[a], c)
		}
		if len(v) != len(vm) || w.Compare(before) != Equal {
			t.Fatalf("%v, %d actors", v, len(vm))
		}
		for a, c := range vm {
			if v.Counter(a) != c || !v.Covers(Dot{a, c}) || v.Covers(Dot{a, c + 1}) {
				t.Fatalf("%v of %v: %d", v, a, c)
			}
		}
		same := append(Vector(nil), v...)
		v.Join(v)
		if v.Compare(same) != Equal {
			t.Fatal("joined with itself")
		}
	}
}

func TestVectorValidate(t *testing.T) {
	long := make(Vector, MaxActors+1)
	for i := range long {
		long[i] = Dot{Actor{byte(i >> 8), byte(i), 1}, 1}
	}
	for name, v := range map[string]Vector{
		"order":    dots("b1 a1"),
		"twice":    dots("a1 a2"),
		"no count": dots("a1 b0"),
		"no actor": {{Actor{}, 1}},
		"too long": long,
	} {
		if err := v.Validate(); !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := long[:MaxActors].Validate(); err != nil {
		t.Error(err)
	}
}

func TestActor(t *testing.T) {
	a, err := NewActor(rand.Reader)
	b, err2 := NewActor(rand.Reader)
	if err != nil || err2 != nil || a == b || a.IsZero() {
		t.Fatal(a, b, err, err2)
	}
	if _, err := NewActor(strings.NewReader("15 bytes only..")); err == nil {
		t.Error("an actor of 15 bytes")
	}
	if _, err := NewActor(bytes.NewReader(make([]byte, ActorLen))); err == nil {
		t.Error("the actor that names nobody")
	}
	for range 100 {
		a, _ := NewActor(rand.Reader)
		b, _ := NewActor(rand.Reader)
		copy(b[:mrand.IntN(16)], a[:])
		if a.Compare(b) != bytes.Compare(a[:], b[:]) || a.Compare(a) != 0 {
			t.Fatal(a, b)
		}
	}
	d := Dot{actor('a'), math.MaxUint64}
	if got := fmt.Sprint(d, dots("a1 b2")); got != "61616161:18446744073709551615 {61616161:1 62626262:2}" {
		t.Error(got)
	}
}
