package rows

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/maphash"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func newCache(t testing.TB, capacity int64) *Cache {
	t.Helper()
	c, err := New(capacity)
	if err != nil || c == nil {
		t.Fatalf("New(%d): %v, %v", capacity, c, err)
	}
	t.Cleanup(c.Free)
	c.TurnOn()
	return c
}

// write is what a leader does to make one key visible; visible runs in the middle.
func write(c *Cache, key, value []byte, keep bool, visible func()) {
	c.Lock()
	c.Begin(key)
	c.Unlock()
	visible()
	c.Lock()
	c.End(key, value, keep)
	c.Unlock()
}

func nothing() {}

// want asks for a key; value nil: there is no row.
func want(t *testing.T, c *Cache, key string, value []byte) Ticket {
	t.Helper()
	got, ticket, hit := c.AppendGet([]byte("<"), []byte(key))
	if hit != (value != nil) || !bytes.Equal(got[1:], value) || got[0] != '<' {
		t.Fatalf("%.20q: %q, %v; want %q", key, got, hit, value)
	}
	return ticket
}

func TestRows(t *testing.T) {
	c := newCache(t, 1<<20)
	k := []byte("oak")
	ticket := want(t, c, "oak", nil)
	c.Fill(ticket, k, []byte("ring-porous"))
	want(t, c, "oak", []byte("ring-porous"))
	for _, v := range []string{"", "short", "a value that is longer than the room of the first", "x"} {
		write(c, k, []byte(v), true, func() { want(t, c, "oak", nil) })
		want(t, c, "oak", append([]byte{}, v...))
	}
	write(c, k, nil, false, nothing)
	want(t, c, "oak", nil)
	write(c, k, []byte("v"), true, nothing)
	want(t, c, "oak", nil) // a write adds no row

	if v, _, hit := c.AppendGet(nil, k); hit || v != nil {
		t.Errorf("a miss gave %q", v)
	}
	c.Fill(want(t, c, "", nil), nil, nil)
	if v, _, hit := c.AppendGet(nil, nil); !hit || v == nil {
		t.Errorf("the empty value of the empty key: %v, %v, want an empty slice", v, hit)
	}
}

// What was read before a write, and is handed to Fill after its beginning, is old.
func TestFillIsLate(t *testing.T) {
	k := []byte("k")
	fill := func(c *Cache, ticket Ticket) { c.Fill(ticket, k, []byte("old")) }
	for name, between := range map[string]func(c *Cache, late func()){
		"during a write":          func(c *Cache, late func()) { write(c, k, []byte("new"), true, late) },
		"after a write":           func(c *Cache, late func()) { write(c, k, []byte("new"), true, nothing); late() },
		"during that of a range":  func(c *Cache, late func()) { c.BeginAll(); late(); c.EndAll() },
		"after that of a range":   func(c *Cache, late func()) { c.BeginAll(); c.EndAll(); late() },
		"while it is off":         func(c *Cache, late func()) { c.TurnOff(); late(); c.TurnOn() },
		"after it was off":        func(c *Cache, late func()) { c.TurnOff(); c.TurnOn(); late() },
		"after two writes of two": func(c *Cache, late func()) { write(c, k, nil, true, nothing); write(c, k, nil, true, nothing); late() },
	} {
		c := newCache(t, 1<<20)
		ticket := want(t, c, "k", nil)
		between(c, func() { fill(c, ticket) })
		if v, _, hit := c.AppendGet(nil, k); hit {
			t.Errorf("%s: found %q", name, v)
		}
	}
	c := newCache(t, 1<<20)
	ticket := want(t, c, "k", nil)
	c.TurnOff()
	ticket2 := Ticket{ticket.hash, ticket.ctl, c.gate.Load(), true} // of who saw it on, and came later
	c.Fill(ticket2, k, []byte("old"))
	c.TurnOn()
	want(t, c, "k", nil)
}

// Emptying keeps nothing from before.
func TestRangesAndOff(t *testing.T) {
	c := newCache(t, 1<<20)
	for round, empty := range []func(){
		func() { c.BeginAll(); want(t, c, "k", nil); c.EndAll() },
		func() { c.TurnOff(); c.TurnOn() },
	} {
		c.Fill(want(t, c, "k", nil), []byte("k"), []byte{byte(round)})
		want(t, c, "k", []byte{byte(round)})
		empty()
	}
	want(t, c, "k", nil)
}

// Sizes at the limits, and one past; a ring that goes round; no row is another's.
func TestRingGoesRound(t *testing.T) {
	c := newCache(t, MinCapacity)
	for _, n := range []struct {
		key, value int
		kept       bool
	}{{maxKey, maxValue, true}, {maxKey + 1, 1, false}, {1, maxValue + 1, false}} {
		k, v := bytes.Repeat([]byte("k"), n.key), bytes.Repeat([]byte("v"), n.value)
		c.Fill(want(t, c, string(k), nil), k, v)
		if _, _, hit := c.AppendGet(nil, k); hit != n.kept {
			t.Errorf("a key of %d and a value of %d bytes: kept %v", n.key, n.value, hit)
		}
	}
	rng := rand.New(rand.NewPCG(1, 2))
	values := make(map[string][]byte)
	hits := 0
	for i := range 100_000 {
		k := fmt.Sprintf("key %d", rng.IntN(3000))
		got, ticket, hit := c.AppendGet(nil, []byte(k))
		if hit {
			hits++
			if !bytes.Equal(got, values[k]) {
				t.Fatalf("%d: %s is %.20q, want %.20q", i, k, got, values[k])
			}
		}
		if rng.IntN(4) == 0 {
			v := make([]byte, rng.IntN(300))
			for j := range v {
				v[j] = byte(rng.Uint32())
			}
			write(c, []byte(k), v, rng.IntN(8) > 0, func() { values[k] = v })
		} else if !hit {
			c.Fill(ticket, []byte(k), values[k])
		}
	}
	s := c.Stats()
	if s.Used > MinCapacity || s.Used < MinCapacity*3/4 || c.Capacity() != s.Used {
		t.Errorf("%d bytes in use, %d when full, of %d", s.Used, c.Capacity(), MinCapacity)
	}
	if hits < 10_000 || int(s.Hits) != hits+1 || c.head < 4*c.places {
		t.Errorf("%d hits, %+v, the ring went round %d times, %d of %d", hits, s, c.head/c.places, s.Used, c.Capacity())
	}
}

// A store of counters with one writer and many readers: nobody reads an older value than
// before, of two keys that are written together the second is never older than the first
// was, and nobody reads what was never written. Without rule 2 of the package this fails.
func TestConcurrent(t *testing.T) {
	const pairs, writes = 64, 60_000
	c := newCache(t, MinCapacity)
	var store [2 * pairs]atomic.Uint64
	key := func(i int) []byte { return fmt.Appendf(nil, "key %d", i) }
	value := func(n uint64) []byte { // a value that shows whether it is whole
		return bytes.Repeat(binary.BigEndian.AppendUint64(nil, n), 1+int(n%7))
	}
	read := func(i int, buf []byte) uint64 {
		out, ticket, hit := c.AppendGet(buf[:0], key(i))
		if !hit {
			n := store[i].Load()
			c.Fill(ticket, key(i), value(n))
			return n
		}
		n := binary.BigEndian.Uint64(out)
		if !bytes.Equal(out, value(n)) {
			t.Errorf("key %d: %x was never written", i, out)
		}
		return n
	}
	var stop atomic.Bool
	var wg sync.WaitGroup
	for r := range 3 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			rng := rand.New(rand.NewPCG(uint64(r), 3))
			buf := make([]byte, 0, 100)
			var seen [2 * pairs]uint64
			for !stop.Load() {
				i := rng.IntN(pairs)
				if rng.IntN(8) == 0 {
					c.Prefetch([][]byte{key(i), key(i + pairs)})
				}
				a := read(i, buf)
				b := read(i+pairs, buf)
				if a < seen[i] || b < seen[i+pairs] || b < a {
					t.Errorf("pair %d: read %d and %d, after %d and %d", i, a, b, seen[i], seen[i+pairs])
					return
				}
				seen[i], seen[i+pairs] = a, b
			}
		}()
	}
	rng := rand.New(rand.NewPCG(9, 9))
	limit := time.Now().Add(20 * time.Second)
	// On a busy machine the writer may stand still for all of the writes' time, with the lock.
	enough := func() bool {
		s := c.Stats()
		return s.Hits >= 1000 && s.Fills >= 100 || time.Now().After(limit)
	}
	for n := uint64(1); n <= writes || n%1000 > 0 || !enough(); n++ {
		i := rng.IntN(pairs)
		switch {
		case n%5000 == 0:
			c.TurnOff()
			c.TurnOn()
		case n%700 == 0:
			c.BeginAll()
			store[i+pairs].Store(n)
			store[i].Store(n)
			c.EndAll()
			continue
		}
		c.Lock()
		c.Begin(key(i))
		c.Begin(key(i + pairs))
		c.Unlock()
		store[i+pairs].Store(n) // first, for whoever reads the pair in its order
		store[i].Store(n)
		c.Lock()
		c.End(key(i), value(n), n%11 > 0)
		c.End(key(i+pairs), value(n), n%13 > 0)
		c.Unlock()
	}
	stop.Store(true)
	wg.Wait()
	if s := c.Stats(); s.Hits < 1000 || s.Fills < 100 {
		t.Errorf("too little was tried: %+v", s)
	}
}

func TestUnused(t *testing.T) {
	c := newCache(t, 1<<20)
	if !c.Unused() {
		t.Error("used before it was")
	}
	want(t, c, "k", nil)
	if c.Unused() {
		t.Error("unused after a look-up")
	}
	if !c.Unused() {
		t.Error("used twice")
	}
}

// A nil Cache is never on, and holds nothing.
func TestNil(t *testing.T) {
	c, err := New(MinCapacity - 1)
	if c != nil || err != nil {
		t.Fatalf("%v, %v, want no cache", c, err)
	}
	c.Want()
	if c.On() || c.Wanted() || c.Capacity() != 0 || c.Stats() != (Stats{}) {
		t.Error("a nil cache is something")
	}
	c.Free()
}

// filled returns a cache with rows for n keys, and their value.
func filled(b *testing.B, n int) (c *Cache, keys [][]byte, value []byte) {
	c = newCache(b, 32<<20)
	keys, value = make([][]byte, n), make([]byte, 130)
	for i := range keys {
		keys[i] = fmt.Appendf(nil, "%040d", i*7919)
		_, ticket, _ := c.AppendGet(nil, keys[i])
		c.Fill(ticket, keys[i], value)
	}
	return c, keys, value
}

func BenchmarkRows(b *testing.B) {
	const n = 100_000
	c, keys, v := filled(b, n)
	order := rand.New(rand.NewPCG(1, 1)).Perm(n)
	b.Run("op=get", func(b *testing.B) {
		buf := make([]byte, 0, 200)
		i, hits := 0, 0
		for b.Loop() {
			i++
			if _, _, hit := c.AppendGet(buf, keys[order[i%n]]); hit {
				hits++
			}
		}
		b.ReportMetric(float64(hits)/float64(i), "hits/op")
	})
	b.Run("op=write", func(b *testing.B) {
		i := 0
		for b.Loop() {
			i++
			write(c, keys[order[i%n]], v, true, nothing)
		}
	})
}

// BenchmarkPrefetch is sixteen reads that were announced together, and that were not.
func BenchmarkPrefetch(b *testing.B) {
	const n, together = 100_000, 16
	c, keys, _ := filled(b, n)
	rand.New(rand.NewPCG(1, 1)).Shuffle(n, func(i, j int) { keys[i], keys[j] = keys[j], keys[i] })
	order := make([][]byte, n) // so that the keys themselves lie in order
	all := make([]byte, 0, 40*n)
	for i, k := range keys {
		all = append(all, k...)
		order[i] = all[40*i : 40*i+40]
	}
	for _, hint := range []bool{false, true} {
		b.Run(fmt.Sprintf("hint=%v", hint), func(b *testing.B) {
			buf := make([]byte, 0, 200)
			i := 0
			for b.Loop() {
				batch := order[i%(n/together)*together:][:together]
				i++
				if hint {
					c.Prefetch(batch)
				}
				for _, k := range batch {
					_, _, _ = c.AppendGet(buf, k)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(i*together), "ns/key")
		})
	}
}

// A reader may be stopped between finding a row and copying it, until the row's place in
// the ring and its slot in the bucket belong to another key. The keys differ in front only,
// so that the row of another is found out late.
func TestSlotOfAnother(t *testing.T) {
	c := newCache(t, MinCapacity)
	const readers, keys, size = 8, 2 * slots, 64
	var names, values [][]byte // all of one bucket
	for i := 0; len(names) < keys; i++ {
		k := make([]byte, maxKey)
		binary.LittleEndian.PutUint32(k, uint32(i))
		if h := maphash.Bytes(c.seed, k); c.bucketOf(h) == &c.buckets[0] {
			values = append(values, bytes.Repeat([]byte{byte(len(names))}, size))
			names = append(names, k)
		}
	}
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(readers)) // more than there are processors: they are stopped anywhere
	end := time.Now().Add(2 * time.Second)
	var wg sync.WaitGroup
	for r := range readers {
		wg.Go(func() {
			var buf []byte
			for n := r; n&1023 != 0 || time.Now().Before(end); n++ {
				i := n % keys
				out, ticket, hit := c.AppendGet(buf[:0], names[i])
				if buf = out; !hit {
					c.Fill(ticket, names[i], values[i])
				} else if !bytes.Equal(out, values[i]) {
					t.Errorf("key %d has the value %x", i, out)
					return
				}
			}
		})
	}
	wg.Wait()
}
