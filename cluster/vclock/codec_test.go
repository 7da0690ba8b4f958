package vclock

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/ringwood-kv/ringwood/cluster/hlc"
)

// samples are objects with one encoding each, for ever.
func samples() (names []string, m map[string]*Object) {
	one := func(vector, dot string, s Sibling) *Object {
		s.Dot, s.HLC = dots(dot)[0], hlc.At(1_700_000_000_000, 5)
		return &Object{Vector: dots(vector), Siblings: []Sibling{s}}
	}
	m = make(map[string]*Object)
	add := func(name string, o *Object) {
		names = append(names, name)
		m[name] = o
	}
	add("one", one("a1", "a1", Sibling{Value: []byte("value")}))
	add("empty", one("a1", "a1", Sibling{}))
	add("three-actors", one("a1 b300 c70000", "b300", Sibling{Value: []byte("value")}))
	add("behind", one("a9 b2000", "b1000", Sibling{Value: []byte("value")}))
	add("tombstone", one("a2", "a2", Sibling{Flags: Tombstone}))
	add("expiry", one("a2", "a2", Sibling{Expiry: 1_700_000_100_000, Value: []byte("value")}))
	add("expired", one("a2", "a2", Sibling{Expiry: 1, Flags: Expired}))
	add("caller-flags", one("a2", "a2", Sibling{Flags: CallerFlags, Value: []byte("v")}))
	add("largest", one("a18446744073709551615", "a1", Sibling{Expiry: math.MaxInt64}))
	many := object("a3 b200 c1 | a1 a3 b200")
	many.Siblings[1].Flags, many.Siblings[1].Value = Tombstone, nil
	many.Siblings[2].Expiry = 99
	add("many", many)
	return names, m
}

func TestGoldenObjects(t *testing.T) {
	names, m := samples()
	got := make(map[string]string)
	for name, o := range m {
		b := encode(t, o)
		got[name] = hex.EncodeToString(b)
		var back Object
		if err := back.Decode(b); err != nil || !back.Equal(o) {
			t.Errorf("%s: %s %v", name, show(&back), err)
		}
	}
	golden(t, "testdata/objects.txt", names, got)
}

func TestCodec(t *testing.T) {
	rng := rand.New(rand.NewPCG(2, 2))
	var o Object // reused, as a replica does
	for range rounds(2000) {
		want := randomObject(rng)
		b := encode(t, want)
		with, err := want.AppendTo([]byte("prefix"))
		if err != nil || !bytes.Equal(with, append([]byte("prefix"), b...)) {
			t.Fatal("AppendTo does not append", err)
		}
		if err := o.Decode(b); err != nil || !o.Equal(want) {
			t.Fatalf("%s, want %s: %v", show(&o), show(want), err)
		}
		if again := encode(t, &o); !bytes.Equal(b, again) {
			t.Fatalf("%x\n%x", b, again)
		}
		checkView(t, b, want)
		// Values are where the encoding is.
		for i := range b {
			b[i] ^= 0xff
		}
		for i := range o.Siblings {
			if v := o.Siblings[i].Value; len(v) > 0 && v[0] != ^want.Siblings[i].Value[0] {
				t.Fatal("a value was copied")
			}
		}
	}
}

func checkView(t *testing.T, b []byte, o *Object) {
	t.Helper()
	v, err := ParseView(b)
	if err != nil || v.Siblings() != len(o.Siblings) {
		t.Fatal(v.Siblings(), err)
	}
	vector, err := v.Vector(nil)
	if err != nil || vector.Compare(o.Vector) != Equal || !bytes.Equal(v.VectorBytes(), appendVector(nil, o.Vector)) {
		t.Fatal(vector, err)
	}
	dot, err := v.Dot()
	if err != nil {
		t.Fatal(err)
	}
	if len(o.Siblings) > 1 {
		if v.Live(0) || v.Value() != nil || dot != (Dot{}) {
			t.Fatal("a view of several siblings shows one")
		}
		return
	}
	s := &o.Siblings[0]
	if dot != s.Dot || v.HLC() != s.HLC || v.Flags() != s.Flags || v.Expiry() != s.Expiry || !bytes.Equal(v.Value(), s.Value) {
		t.Fatalf("%+v is not %+v", v, s)
	}
	for _, now := range []int64{0, s.Expiry - 1, s.Expiry, math.MaxInt64} {
		if v.Live(now) != s.Live(now) {
			t.Fatal(now)
		}
	}
}

// checkDecode verifies what must hold for any bytes: an error, or an object with
// exactly this encoding.
func checkDecode(t *testing.T, b []byte) bool {
	t.Helper()
	o := Object{Vector: dots("z1"), Siblings: []Sibling{{}}}
	if err := o.Decode(b); err != nil {
		if !errors.Is(err, ErrFormat) || !o.Absent() || err.Error() == "" {
			t.Fatalf("%x: %v, %s", b, err, show(&o))
		}
		if v, err := ParseView(b); err == nil { // it looks less closely, but not beyond the bytes
			_, _ = v.Dot()
			_, _ = v.Vector(nil)
		} else if !errors.Is(err, ErrFormat) {
			t.Fatal(err)
		}
		return false
	}
	if err := o.Validate(); err != nil || len(o.Siblings) == 0 {
		t.Fatalf("%x: %v", b, err)
	}
	if again := encode(t, &o); !bytes.Equal(b, again) {
		t.Fatalf("two encodings of one object:\n%x\n%x", b, again)
	}
	checkView(t, b, &o)
	return true
}

func TestDecodeDamaged(t *testing.T) {
	_, m := samples()
	for name, o := range m {
		b := encode(t, o)
		start := len(b)
		if len(o.Siblings) == 1 {
			start -= len(o.Siblings[0].Value) // a shorter value is a value, too
		}
		for n := range start {
			if checkDecode(t, b[:n:n]) {
				t.Errorf("%s is accepted, cut to %d of %d bytes", name, n, len(b))
			}
		}
		for i := range b {
			for bit := range 8 {
				c := bytes.Clone(b)
				c[i] ^= 1 << bit
				checkDecode(t, c)
			}
		}
		if o := m[name]; len(o.Siblings) > 1 && checkDecode(t, append(bytes.Clone(b), 0)) {
			t.Errorf("%s is accepted with a byte behind", name)
		}
	}
}

func TestDecodeRefuses(t *testing.T) {
	a, b := string(bytes.Repeat([]byte("a"), 16)), string(bytes.Repeat([]byte("b"), 16))
	ts := "\x00\x00\x00\x00\x00\x00\x00\x01"
	good := "\x10\x11" + a + "\x02" + "\x00" + ts + "\x00\x00" + "v"
	if !checkDecode(t, []byte(good)) {
		t.Fatal("the bytes that the others are made from are wrong")
	}
	two := "\x11\x11" + a + "\x02"
	if !checkDecode(t, []byte(two+"\x02"+"\x00"+ts+"\x00\x01\x00"+"\x00"+ts+"\x00\x00\x00")) {
		t.Fatal("the bytes that the others are made from are wrong")
	}
	actors := func(n int) []byte {
		b := binary.AppendUvarint([]byte{0x10}, uint64(n*17))
		for i := range n {
			b = append(append(b, byte(i>>8)+1, byte(i)), a[2:]...)
			b = append(b, 1)
		}
		return append(b, "\x00"+ts+"\x00\x00"...)
	}
	if !checkDecode(t, actors(MaxActors)) {
		t.Fatal("the largest vector is refused")
	}
	if _, err := new(Object).AppendTo(nil); !errors.Is(err, ErrInvalid) {
		t.Error("an absent key is encoded:", err)
	}
	for name, text := range map[string]string{
		"nothing":                    "",
		"another version":            "\x20" + good[1:],
		"another shape":              "\x12" + good[1:],
		"no vector":                  "\x10\x00\x00" + ts + "\x00\x00",
		"half an entry":              "\x10\x10" + a + "\x00" + ts + "\x00\x00",
		"a long form of a length":    "\x10\x91\x00" + a + "\x02\x00" + ts + "\x00\x00",
		"a long form of a counter":   "\x10\x12" + a + "\x82\x00\x00" + ts + "\x00\x00",
		"a long form of an index":    "\x10\x11" + a + "\x02\x00" + ts + "\x80\x00\x00",
		"counter 0":                  "\x10\x11" + a + "\x00\x00" + ts + "\x00\x00",
		"the zero actor":             "\x10\x11" + string(make([]byte, 16)) + "\x01\x00" + ts + "\x00\x00",
		"actors out of order":        "\x10\x22" + b + "\x01" + a + "\x01\x00" + ts + "\x00\x00",
		"an actor twice":             "\x10\x22" + a + "\x01" + a + "\x02\x00" + ts + "\x00\x00",
		"no such actor":              "\x10\x11" + a + "\x02\x00" + ts + "\x01\x00",
		"too far behind":             "\x10\x11" + a + "\x02\x00" + ts + "\x00\x02",
		"an unknown flag":            "\x10\x11" + a + "\x02\x08" + ts + "\x00\x00",
		"a tombstone with a value":   "\x10\x11" + a + "\x02\x01" + ts + "\x00\x00v",
		"a tombstone with an expiry": "\x10\x11" + a + "\x02\x05" + ts + "\x05\x00\x00",
		"expired with a value":       "\x10\x11" + a + "\x02\x06" + ts + "\x05\x00\x00v",
		"expired without an expiry":  "\x10\x11" + a + "\x02\x02" + ts + "\x00\x00",
		"expiry 0":                   "\x10\x11" + a + "\x02\x04" + ts + "\x00\x00\x00",
		"a negative expiry":          "\x10\x11" + a + "\x02\x04" + ts + "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x00\x00",
		"no siblings":                two + "\x00",
		"one sibling in a list":      two + "\x01\x00" + ts + "\x00\x00\x00",
		"more siblings than bytes":   two + "\xff\xff\xff\xff\x0f\x00" + ts + "\x00\x01\x00\x00" + ts + "\x00\x00\x00",
		"a sibling twice":            two + "\x02\x00" + ts + "\x00\x00\x00\x00" + ts + "\x00\x00\x00",
		"siblings out of order":      two + "\x02\x00" + ts + "\x00\x00\x00\x00" + ts + "\x00\x01\x00",
		"a value beyond the end":     two + "\x02\x00" + ts + "\x00\x01\x00\x00" + ts + "\x00\x00\x01",
		"a huge value":               two + "\x02\x00" + ts + "\x00\x01\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x00" + ts + "\x00\x00\x00",
		"too many actors":            string(actors(MaxActors + 1)),
		"far too many actors":        string(actors(3 * MaxActors)),
	} {
		if checkDecode(t, []byte(text)) {
			t.Errorf("%s is accepted", name)
		}
	}
}

func FuzzDecodeObject(f *testing.F) {
	_, m := samples()
	for _, o := range m {
		f.Add(encode(f, o))
	}
	rng := rand.New(rand.NewPCG(9, 9))
	for range 20 {
		f.Add(encode(f, randomObject(rng)))
	}
	f.Fuzz(func(t *testing.T, b []byte) { checkDecode(t, b) })
}

func TestSummary(t *testing.T) {
	base := "a3 b2 | a1 a3 b2"
	o := object(base)
	want := o.AppendSummary([]byte("x"))
	if want[0] != 'x' {
		t.Fatal("AppendSummary does not append")
	}
	for name, c := range map[string]struct {
		change func(*Object)
		same   bool
	}{
		"nothing":     {func(*Object) {}, true},
		"expiry":      {func(o *Object) { o.Siblings[0].Expiry = 5; o.Expire(5) }, true},
		"a tombstone": {func(o *Object) { o.Siblings[0].Flags, o.Siblings[0].Value = Tombstone, nil }, false},
		"a dot":       {func(o *Object) { o.Siblings[0].Dot.Counter = 2 }, false},
		"vector":      {func(o *Object) { o.Vector.Add(dots("c1")[0]) }, false},
		"collapse":    {func(o *Object) { o.keepLatest(func(*Sibling) bool { return true }) }, false},
	} {
		o := object(base)
		c.change(o)
		if got := o.AppendSummary([]byte("x")); bytes.Equal(got, want) != c.same {
			t.Errorf("%s: %x, before %x", name, got, want)
		}
	}
}
