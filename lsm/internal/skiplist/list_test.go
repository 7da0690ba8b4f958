package skiplist

import (
	"bytes"
	"fmt"
	"math/rand"
	"sort"
	"strings"
	"testing"

	"github.com/ringwood-kv/ringwood/lsm/internal/arena"
	"github.com/ringwood-kv/ringwood/lsm/internal/base"
)

type rec struct {
	key   string
	t     base.Trailer
	value string
}

func less(a, b rec) bool {
	return base.Compare([]byte(a.key), a.t, []byte(b.key), b.t) < 0
}

// model is the reference: a sorted slice.
type model []rec

func (m *model) add(r rec) {
	i := sort.Search(len(*m), func(i int) bool { return !less((*m)[i], r) })
	*m = append(*m, rec{})
	copy((*m)[i+1:], (*m)[i:])
	(*m)[i] = r
}

func (m model) seekGE(key string, t base.Trailer) int {
	return sort.Search(len(m), func(i int) bool { return !less(m[i], rec{key: key, t: t}) })
}

func newList(t testing.TB, capacity int, common string) *List {
	a, err := arena.New(capacity)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(a.Free)
	for i := range a.Bytes() { // as after another list
		a.Bytes()[i] = 0xa5
	}
	return New(a, []byte(common))
}

func expect(t *testing.T, what string, m model, i int, kv *base.KV) {
	t.Helper()
	if i < 0 || i >= len(m) {
		if kv != nil {
			t.Fatalf("%s: %q, want nothing", what, kv.Key)
		}
		return
	}
	if kv == nil {
		t.Fatalf("%s: nothing, want %.40q", what, m[i].key)
	}
	if string(kv.Key) != m[i].key || kv.Trailer != m[i].t || string(kv.Value) != m[i].value {
		t.Fatalf("%s: %.40q %d, want %.40q %d", what, kv.Key, kv.Trailer, m[i].key, m[i].t)
	}
}

// check compares everything the list can say with the model.
func check(t *testing.T, l *List, m model, probes []string) {
	t.Helper()
	if l.Len() != len(m) {
		t.Fatalf("Len %d, want %d", l.Len(), len(m))
	}
	var it Iter
	l.Init(&it)
	if it.Next() != nil || it.Prev() != nil {
		t.Fatal("an iterator that is not positioned moved")
	}
	i := 0
	for kv := it.First(); kv != nil || i < len(m); kv = it.Next() {
		expect(t, "forward", m, i, kv)
		i++
	}
	i = len(m) - 1
	for kv := it.Last(); kv != nil || i >= 0; kv = it.Prev() {
		expect(t, "backward", m, i, kv)
		i--
	}
	first, last := l.Bounds()
	if len(m) > 0 && (string(first) != m[0].key || string(last) != m[len(m)-1].key) {
		t.Fatal("Bounds")
	}
	if len(m) == 0 && (first != nil || last != nil) {
		t.Fatal("Bounds of an empty list")
	}
	for _, k := range probes {
		i := m.seekGE(k, base.TrailerMax)
		expect(t, "SeekGE", m, i, it.SeekGE([]byte(k)))
		if i < len(m) && i > 0 {
			expect(t, "SeekGE, Prev", m, i-1, it.Prev())
		}
		expect(t, "SeekLT", m, i-1, it.SeekLT([]byte(k)))
		if i > 0 {
			expect(t, "SeekLT, Next", m, i, it.Next())
		}
		for _, seq := range []base.SeqNum{0, 1, 7, 50, 300, base.SeqNumMax} {
			want := m.seekGE(k, base.MakeTrailer(seq, 0xff))
			v, tr, ok := l.Get([]byte(k), seq)
			found := want < len(m) && m[want].key == k
			if ok != found || found && (tr != m[want].t || string(v) != m[want].value) {
				t.Fatalf("Get(%.40q, %d) = %v %d, want %v", k, seq, ok, tr, found)
			}
		}
	}
}

// keyMakers are the patterns of keys that the tests go through; hostile ones as well.
var keyMakers = []struct {
	name, common string
	key          func(r *rand.Rand, i int) string
}{
	{"random", "", func(r *rand.Rand, i int) string { return fmt.Sprintf("%016x", r.Uint64()) }},
	{"ascending", "user", func(r *rand.Rand, i int) string { return fmt.Sprintf("user%012d", i) }},
	{"descending", "user", func(r *rand.Rand, i int) string { return fmt.Sprintf("user%012d", 1000000-i) }},
	{"streams", "s", func(r *rand.Rand, i int) string { return fmt.Sprintf("s%02d%012d", r.Intn(20), i) }},
	{"few keys", "k", func(r *rand.Rand, i int) string { return fmt.Sprintf("k%d", r.Intn(5)) }},
	{"one key", "", func(r *rand.Rand, i int) string { return "" }},
	{"equal prefixes", "", func(r *rand.Rand, i int) string { return fmt.Sprintf("the same prefix of all %08d", r.Intn(3000)) }},
	{"zeros", "", func(r *rand.Rand, i int) string { return strings.Repeat("\x00", r.Intn(200)) }},
	{"ones", "\xff\xff", func(r *rand.Rand, i int) string { return strings.Repeat("\xff", r.Intn(200)) }},
	{"zeros and ones", "\x00\xff", func(r *rand.Rand, i int) string {
		b := make([]byte, r.Intn(12))
		for i := range b {
			b[i] = byte(r.Intn(2)) * 0xff
		}
		return string(b)
	}},
	{"outside the common prefix", "mmmm", func(r *rand.Rand, i int) string {
		return strings.Repeat(string("lmn"[r.Intn(3)]), r.Intn(7)) + fmt.Sprint(r.Intn(10))
	}},
	{"prefixes of the common prefix", "abcdefghijklmnop", func(r *rand.Rand, i int) string {
		return "abcdefghijklmnopqrstuvwxyz"[:r.Intn(27)]
	}},
	{"long", "", func(r *rand.Rand, i int) string {
		return strings.Repeat("x", base.MaxKeyLen-2*(i%3)) + fmt.Sprintf("%02d", r.Intn(90))[:i%3]
	}},
}

func TestAgainstModel(t *testing.T) {
	for _, km := range keyMakers {
		t.Run(km.name, func(t *testing.T) {
			r := rand.New(rand.NewSource(42))
			n, capacity := 3000, 4<<20
			if km.name == "long" {
				n, capacity = 150, 16<<20
			}
			l := newList(t, capacity, km.common)
			var m model
			check(t, l, m, []string{"", "a", "\xff\xff"})
			for i := 0; i < n; i++ {
				k := km.key(r, i)
				e := rec{k, base.MakeTrailer(base.SeqNum(i+1), base.Kind(r.Intn(2))), fmt.Sprintf("v%d", i)}
				if r.Intn(8) == 0 { // not always in the order of sequence numbers
					e.t = base.MakeTrailer(base.SeqNum(1000000+r.Intn(1<<30)), base.KindSet)
				}
				if !l.Add([]byte(e.key), e.t, []byte(e.value)) {
					t.Fatal("full")
				}
				m.add(e)
				if i < 40 || i%499 == 0 {
					probes := []string{"", k, k + "\x00", "\x00", "m", "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"}
					for j := 0; j < 20; j++ {
						probes = append(probes, m[r.Intn(len(m))].key, km.key(r, r.Intn(2*n)))
					}
					check(t, l, m, probes)
				}
			}
			var probes []string
			for i := 0; i < len(m); i += 1 + len(m)/500 {
				probes = append(probes, m[i].key, m[i].key+"\x00")
			}
			check(t, l, m, probes)
		})
	}
}

func TestVersions(t *testing.T) {
	l := newList(t, 1<<20, "")
	for seq := base.SeqNum(10); seq <= 1000; seq += 10 {
		for _, k := range []string{"a", "b", "bb"} {
			if !l.Add([]byte(k), base.MakeTrailer(seq, base.KindSet), []byte(fmt.Sprint(k, seq))) {
				t.Fatal("full")
			}
		}
	}
	for seq := base.SeqNum(0); seq < 1020; seq++ {
		v, tr, ok := l.Get([]byte("b"), seq)
		want := min(seq/10*10, 1000)
		if ok != (want > 0) || ok && (tr.Seq() != want || string(v) != fmt.Sprint("b", want)) {
			t.Fatalf("at %d: %q %d %v", seq, v, tr.Seq(), ok)
		}
	}
	if _, _, ok := l.Get([]byte("ba"), base.SeqNumMax); ok {
		t.Fatal("found what is not there")
	}
}

func TestKeyLimit(t *testing.T) {
	l := newList(t, 1<<20, "")
	if l.Add(make([]byte, base.MaxKeyLen+1), 1<<8, nil) {
		t.Fatal("took a key that is too long")
	}
	k := bytes.Repeat([]byte{0xff}, base.MaxKeyLen)
	if !l.Add(k, 1<<8|1, nil) {
		t.Fatal("refused the longest key")
	}
	if v, _, ok := l.Get(k, 1); !ok || len(v) != 0 {
		t.Fatal("the longest key is not there")
	}
}

// TestFull fills arenas of many sizes to the last byte: what Add refused must
// leave no trace, and smaller records may still find room.
func TestFull(t *testing.T) {
	for capacity := 64; capacity < 20000; capacity += 97 {
		r := rand.New(rand.NewSource(int64(capacity)))
		a, err := arena.New(capacity)
		if err != nil {
			t.Fatal(err)
		}
		l := New(a, nil)
		var m model
		for i, refused := 0, 0; refused < 20; i++ {
			e := rec{fmt.Sprintf("%04d", r.Intn(2000)), base.MakeTrailer(base.SeqNum(i+1), base.KindSet), strings.Repeat("v", r.Intn(90))}
			before := a.Size()
			room := a.Cap() - before
			if l.Add([]byte(e.key), e.t, []byte(e.value)) {
				if a.Size()-before > MaxEntrySize(len(e.key), len(e.value)) {
					t.Fatalf("an Add took %d", a.Size()-before)
				}
				m.add(e)
				continue
			}
			if a.Size() != before && l.head != 0 || room > MaxEntrySize(len(e.key), len(e.value)) && l.head != 0 {
				t.Fatalf("capacity %d: refused with %d of room, size went from %d to %d", capacity, room, before, a.Size())
			}
			refused++
		}
		check(t, l, m, []string{"", "0500", "1000", "1999", "x"})
		a.Free()
	}
}

func TestGetAndIterDoNotAllocate(t *testing.T) {
	l := newList(t, 1<<20, "k")
	for i := 0; i < 1000; i++ {
		l.Add([]byte(fmt.Sprintf("k%06d", i*7919%1000)), base.MakeTrailer(base.SeqNum(i+1), base.KindSet), []byte("v"))
	}
	k := []byte("k000500")
	n := testing.AllocsPerRun(100, func() {
		var it Iter
		l.Init(&it)
		if _, _, ok := l.Get(k, base.SeqNumMax); !ok || it.SeekGE(k) == nil || it.Next() == nil || it.Prev() == nil || it.SeekLT(k) == nil {
			t.Fatal("not found")
		}
	})
	if n != 0 {
		t.Fatalf("%v allocations", n)
	}
}

func FuzzList(f *testing.F) {
	f.Add([]byte("a\x00b"), []byte("zzz\x00zz\x00z\x00\xff\xff\x00"))
	f.Add([]byte(""), bytes.Repeat([]byte{0, 1, 2, 0, 0xff}, 50))
	f.Fuzz(func(t *testing.T, common, data []byte) {
		l := newList(t, 1<<20, string(common))
		var m model
		for i, k := range bytes.Split(data, []byte{1}) {
			e := rec{string(k), base.MakeTrailer(base.SeqNum(i+1), base.KindSet), "v"}
			if len(k) > base.MaxKeyLen || !l.Add(k, e.t, []byte(e.value)) {
				break
			}
			m.add(e)
		}
		var probes []string
		for _, e := range m {
			probes = append(probes, e.key, e.key+"\x00")
		}
		check(t, l, m, probes)
	})
}
