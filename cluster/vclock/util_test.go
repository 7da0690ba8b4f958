package vclock

import (
	"bytes"
	"encoding/binary"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"github.com/ringwood-kv/ringwood/cluster/hlc"
)

var update = flag.Bool("update", false, "write the encodings into testdata")

// actor returns one that is called by a letter.
func actor(name byte) Actor { return Actor(bytes.Repeat([]byte{name}, ActorLen)) }

// dots parses "a3 b1", a vector or a list of dots.
func dots(text string) Vector {
	var v Vector
	for f := range strings.FieldsSeq(text) {
		var d Dot
		d.Actor = actor(f[0])
		if _, err := fmt.Sscan(f[1:], &d.Counter); err != nil {
			panic(err)
		}
		v = append(v, d)
	}
	return v
}

// letters is the other way round, for the failure messages and comparisons.
func letters(v Vector) string {
	var b strings.Builder
	for i, d := range v {
		if i > 0 {
			b.WriteByte(' ')
		}
		fmt.Fprintf(&b, "%c%d", d.Actor[0], d.Counter)
	}
	return b.String()
}

// object parses "a3 b1 | a2 b1": the vector, and the siblings. A sibling's value is its
// dot, its timestamp is its counter.
func object(text string) *Object {
	v, s, _ := strings.Cut(text, "|")
	o := &Object{Vector: dots(v)}
	for _, d := range dots(s) {
		o.Siblings = append(o.Siblings, sibling(d))
	}
	return o
}

func sibling(d Dot) Sibling {
	return Sibling{Dot: d, HLC: hlc.Timestamp(d.Counter), Value: []byte(letters(Vector{d}))}
}

// show is the other way round.
func show(o *Object) string {
	var s Vector
	for i := range o.Siblings {
		s = append(s, o.Siblings[i].Dot)
	}
	return letters(o.Vector) + " | " + letters(s)
}

func wantObject(t *testing.T, o *Object, want string) {
	t.Helper()
	if got := show(o); got != want {
		t.Fatalf("got %q, want %q", got, want)
	}
	if err := o.Validate(); err != nil {
		t.Fatal(err)
	}
}

// put adds the write of dot "b3" to o, after ctx "a1 b2".
func put(t *testing.T, o *Object, ctx, dot string) Outcome {
	t.Helper()
	out, err := o.Put(Context{Vector: dots(ctx)}, sibling(dots(dot)[0]), nil)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func merge(t *testing.T, o, x *Object) Outcome {
	t.Helper()
	out, err := o.Merge(x, nil)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// newCounter returns one with a lease that lasts.
func newCounter(t testing.TB, a Actor, issued uint64) *Counter {
	t.Helper()
	c, err := NewCounter(Lease{a, issued}, 0)
	if err != nil {
		t.Fatal(err)
	}
	c.Extend(issued + DefaultBlock)
	return c
}

func encode(t testing.TB, o *Object) []byte {
	t.Helper()
	b, err := o.AppendTo(nil)
	if err != nil {
		t.Fatalf("%s: %v", show(o), err)
	}
	return b
}

// randomObject returns a valid object that need not have come about by any history.
// What a sibling holds follows from its dot, so that two objects never contradict each
// other about a write.
func randomObject(rng *rand.Rand) *Object {
	o := &Object{}
	for _, name := range "abcde"[:1+rng.IntN(5)] {
		if rng.IntN(4) > 0 || len(o.Vector) == 0 {
			o.Vector = append(o.Vector, Dot{actor(byte(name)), 1 + rng.Uint64N(5)})
		}
	}
	for _, e := range o.Vector {
		for n := uint64(1); n <= e.Counter; n++ {
			if rng.IntN(3) == 0 {
				o.Siblings = append(o.Siblings, randomSibling(Dot{e.Actor, n}, rng.IntN(2) == 0))
			}
		}
	}
	if len(o.Siblings) == 0 {
		o.Siblings = append(o.Siblings, randomSibling(o.Vector[0], false))
	}
	return o
}

// randomSibling depends on the dot alone, but for whether it has expired.
func randomSibling(d Dot, expired bool) Sibling {
	seed := binary.BigEndian.Uint64(d.Actor[:]) ^ d.Counter
	rng := rand.New(rand.NewPCG(seed, 1))
	s := Sibling{Dot: d, HLC: hlc.Timestamp(rng.Uint64N(4) << 30), Flags: Flags(rng.IntN(16)) << 4}
	switch rng.IntN(4) {
	case 0:
		s.Flags |= Tombstone
	case 1:
		s.Expiry = 1 + rng.Int64N(1<<42)
		fallthrough
	default:
		s.Value = make([]byte, rng.IntN(200))
		for i := range s.Value {
			s.Value[i] = byte(rng.Uint32())
		}
	}
	if expired && s.Expiry != 0 {
		s.expire()
	}
	return s
}

// golden compares lines of a name and an encoding with a file, and rewrites it under
// -update.
func golden(t *testing.T, file string, names []string, got map[string]string) {
	t.Helper()
	var b strings.Builder
	for _, name := range names {
		fmt.Fprintf(&b, "%s %s\n", name, got[name])
	}
	if *update {
		if err := os.WriteFile(file, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	g, w := strings.Split(b.String(), "\n"), strings.Split(strings.ReplaceAll(string(want), "\r\n", "\n"), "\n")
	for i := range max(len(g), len(w)) {
		if i >= len(g) || i >= len(w) || g[i] != w[i] {
			t.Fatalf("%s, line %d: the format has changed; now:\n%s", file, i+1, b.String())
		}
	}
}

// rounds is n, or less of them in the short tests.
func rounds(n int) int {
	if testing.Short() {
		return n / 10
	}
	return n
}
