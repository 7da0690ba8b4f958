package replica

import (
	"bytes"
	"errors"
	"reflect"
	"testing"

	"github.com/ringwood-kv/ringwood/cluster/vclock"
	"github.com/ringwood-kv/ringwood/lsm"
)

func someCatalog(t testing.TB) *catalog {
	c := &catalog{nextID: firstID}
	for _, name := range []string{"a", "available", "b-2"} {
		cfg, err := BucketConfig{LastWriterWins: name == "a", Durability: lsm.OS, MaxSiblings: -1, OnLimit: vclock.Keep}.normal()
		must(t, err)
		id, err := c.take()
		must(t, err)
		c.buckets = append(c.buckets, catalogEntry{name, id, cfg})
	}
	for range 3 {
		id, err := c.take()
		must(t, err)
		must(t, c.drop(id))
	}
	return c
}

func TestMetaRoundTrip(t *testing.T) {
	id := identity{cluster: ID{1}, node: ID{2}, hash: HashKey{3}, partitions: 512}
	if got, err := decodeIdentity(id.append(nil)); err != nil || got != id {
		t.Fatal(got, err)
	}
	s := session{shared: true, dots: vclock.Lease{Actor: vclock.Actor{1}, Bound: 7}, clock: 9}
	if got, err := decodeSession(s.append(nil)); err != nil || got != s {
		t.Fatal(got, err)
	}
	c := someCatalog(t)
	if got, err := decodeCatalog(c.append(nil)); err != nil || !reflect.DeepEqual(got, c) {
		t.Fatal(got, err)
	}
	n := counts{clean: true, exact: true, list: []count{{2, tally{3, 4, 5}}, {6, tally{0, 1 << 60, 0}}}}
	if got, err := decodeCounts(n.append(nil)); err != nil || !reflect.DeepEqual(got, n) {
		t.Fatal(got, err)
	}
}

func TestMetaDamage(t *testing.T) {
	newer := (&identity{partitions: 1}).append(nil)
	newer[0] = formatVersion + 1
	if _, err := decodeIdentity(newer); !errors.Is(err, ErrFormat) {
		t.Fatal(err)
	}
	// Whatever is cut off or appended shows.
	id := identity{partitions: 512}
	s := session{dots: vclock.Lease{Actor: vclock.Actor{1}}}
	n := counts{list: []count{{2, tally{3, 4, 5}}}}
	for _, c := range []struct {
		b      []byte
		decode func([]byte) error
	}{
		{id.append(nil), func(b []byte) error { _, err := decodeIdentity(b); return err }},
		{s.append(nil), func(b []byte) error { _, err := decodeSession(b); return err }},
		{someCatalog(t).append(nil), func(b []byte) error { _, err := decodeCatalog(b); return err }},
		{n.append(nil), func(b []byte) error { _, err := decodeCounts(b); return err }},
	} {
		must(t, c.decode(c.b))
		for i := range len(c.b) + 1 {
			cut := c.b[:i:i]
			if i == len(c.b) {
				cut = append(cut, 0)
			}
			if err := c.decode(cut); !errors.Is(err, ErrCorruption) {
				t.Fatalf("%d of %d bytes: %v", i, len(c.b), err)
			}
		}
	}
	bad := func(name string, change func(c *catalog)) {
		c := someCatalog(t)
		change(c)
		if _, err := decodeCatalog(c.append(nil)); !errors.Is(err, ErrCorruption) {
			t.Errorf("%s: %v", name, err)
		}
	}
	bad("a number twice", func(c *catalog) { c.buckets[1].id = c.buckets[0].id })
	bad("a bucket that was dropped", func(c *catalog) { c.drops[0] = c.buckets[0].id })
	bad("an odd number", func(c *catalog) { c.buckets[0].id++ })
	bad("a number that was not given out", func(c *catalog) { c.buckets[0].id = c.nextID })
	bad("names out of order", func(c *catalog) { c.buckets[0].name = "c" })
	bad("a bad name", func(c *catalog) { c.buckets[0].name = "\x00" })
	bad("an unknown mode", func(c *catalog) { c.buckets[0].cfg.Mode = Consistent })
	bad("defaults", func(c *catalog) { c.buckets[0].cfg.MaxValue = 0 })
	bad("drops out of order", func(c *catalog) { c.drops[0], c.drops[1] = c.drops[1], c.drops[0] })
}

// Whatever the decoders accept is what the encoders write.
func FuzzMeta(f *testing.F) {
	id := identity{partitions: 512}
	s := session{dots: vclock.Lease{Actor: vclock.Actor{1}}}
	n := counts{list: []count{{2, tally{3, 4, 5}}}}
	for _, b := range [][]byte{id.append(nil), s.append(nil), someCatalog(f).append(nil), n.append(nil)} {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		same := func(again []byte, err error) {
			if err == nil && !bytes.Equal(again, b) {
				t.Fatalf("%x was decoded, and is encoded as %x", b, again)
			}
			if err != nil && !errors.Is(err, ErrCorruption) && !errors.Is(err, ErrFormat) {
				t.Fatal(err)
			}
		}
		id, err := decodeIdentity(b)
		same(id.append(nil), err)
		s, err := decodeSession(b)
		same(s.append(nil), err)
		c, err := decodeCatalog(b)
		if c == nil {
			c = &catalog{}
		}
		same(c.append(nil), err)
		n, err := decodeCounts(b)
		same(n.append(nil), err)
	})
}
