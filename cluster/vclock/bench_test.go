package vclock

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/ringwood-kv/ringwood/cluster/hlc"
)

// benchObject is what a replica holds of a key with some actors and siblings.
func benchObject(actors, siblings int) *Object {
	o := &Object{}
	for i := range actors {
		o.Vector = append(o.Vector, Dot{actor(byte('a' + i)), 1 << 20})
	}
	for i := range siblings {
		d := Dot{o.Vector[i%actors].Actor, 1<<20 - uint64(i/actors)}
		s := Sibling{Dot: d, HLC: hlc.At(1_700_000_000_000, uint16(i)), Value: bytes.Repeat([]byte("v"), 100)}
		j := 0
		for j < len(o.Siblings) && o.Siblings[j].Dot.Compare(d) < 0 {
			j++
		}
		o.Siblings = append(o.Siblings[:j:j], append([]Sibling{s}, o.Siblings[j:]...)...)
	}
	return o
}

// The paths that every request takes must not allocate, once their buffers are there.
func TestAllocations(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	for _, siblings := range []int{1, 3} {
		o := benchObject(3, siblings)
		record := encode(t, o)
		var obj, other Object
		buf := make([]byte, 0, 2*len(record)+500)
		counter := newCounter(t, actor('b'), 1<<20)
		ring := keyring(t, 1, 2)
		text := token(t, ring, 1, "key", o.Context())
		var ctx Context
		key, value := []byte("key"), []byte("value")
		policy := &Policy{WarnSiblings: 8, MaxSiblings: 64, OnLimit: Collapse}
		news := Dot{actor('c'), 1 << 21}
		must := func(err error) {
			if err != nil {
				t.Error(err)
			}
		}
		for name, c := range map[string]struct {
			f     func()
			limit float64
		}{
			"view": {func() {
				v, err := ParseView(record)
				must(err)
				_ = v.Live(5)
				_, err = v.Dot()
				must(err)
				obj.Vector, err = v.Vector(obj.Vector)
				must(err)
			}, 0},
			"decode": {func() { must(obj.Decode(record)) }, 0},
			"encode": {func() {
				b, err := o.AppendTo(buf)
				must(err)
				o.AppendSummary(b[:0])
			}, 0},
			"put": {func() {
				must(obj.Decode(record))
				d, err := counter.Mint()
				must(err)
				_, err = obj.Put(obj.Context(), Sibling{Dot: d, HLC: hlc.Max, Value: value}, policy)
				must(err)
				_, err = obj.AppendTo(buf)
				must(err)
			}, 0},
			"merge": {func() {
				must(obj.Decode(record))
				must(other.Decode(record))
				other.Vector.Add(news)
				_, err := obj.Merge(&other, policy)
				must(err)
			}, 0},
			"token": {func() {
				_, err := ring.Append(buf, 1, key, o.Context())
				must(err)
			}, 0},
			"open": {func() {
				must(counter.Check(ctx.Vector))
				must(ring.Open(&ctx, 1, key, text))
			}, 0},
		} {
			if n := testing.AllocsPerRun(100, c.f); n > c.limit {
				t.Errorf("%s of %d siblings: %v allocations", name, siblings, n)
			}
		}
	}
}

func benchEach(b *testing.B, f func(b *testing.B, o *Object, record []byte)) {
	for _, c := range []struct{ actors, siblings int }{{1, 1}, {3, 1}, {3, 3}, {8, 8}} {
		b.Run(fmt.Sprintf("actors=%d/siblings=%d", c.actors, c.siblings), func(b *testing.B) {
			o := benchObject(c.actors, c.siblings)
			record := encode(b, o)
			b.ReportAllocs()
			b.ResetTimer()
			f(b, o, record)
		})
	}
}

func BenchmarkView(b *testing.B) {
	benchEach(b, func(b *testing.B, _ *Object, record []byte) {
		for range b.N {
			v, err := ParseView(record)
			if err != nil || v.Siblings() == 1 && !v.Live(1) {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkDecode(b *testing.B) {
	benchEach(b, func(b *testing.B, _ *Object, record []byte) {
		var o Object
		for range b.N {
			if err := o.Decode(record); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkEncode(b *testing.B) {
	benchEach(b, func(b *testing.B, o *Object, record []byte) {
		for range b.N {
			var err error
			if record, err = o.AppendTo(record[:0]); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkPut is the whole of a replica's work on the record, from bytes to bytes.
func BenchmarkPut(b *testing.B) {
	benchEach(b, func(b *testing.B, _ *Object, record []byte) {
		var o Object
		counter := newCounter(b, actor('a'), 1<<20)
		counter.Extend(1 << 60)
		value := bytes.Repeat([]byte("w"), 100)
		var buf []byte
		for range b.N {
			if err := o.Decode(record); err != nil {
				b.Fatal(err)
			}
			d, err := counter.Mint()
			if err != nil {
				b.Fatal(err)
			}
			if _, err := o.Put(o.Context(), Sibling{Dot: d, HLC: hlc.Max, Value: value}, nil); err != nil {
				b.Fatal(err)
			}
			if buf, err = o.AppendTo(buf[:0]); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkMerge(b *testing.B) {
	benchEach(b, func(b *testing.B, x *Object, record []byte) {
		var o Object
		for range b.N {
			if err := o.Decode(record); err != nil {
				b.Fatal(err)
			}
			if _, err := o.Merge(x, nil); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkToken(b *testing.B) {
	k := keyring(b, 1)
	c := benchObject(3, 1).Context()
	key := []byte("key")
	text := token(b, k, 1, "key", c)
	b.Run("append", func(b *testing.B) {
		var buf []byte
		for range b.N {
			buf, _ = k.Append(buf[:0], 1, key, c)
		}
	})
	b.Run("open", func(b *testing.B) {
		var c Context
		for range b.N {
			if err := k.Open(&c, 1, key, text); err != nil {
				b.Fatal(err)
			}
		}
	})
}
