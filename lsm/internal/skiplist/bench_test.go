package skiplist

import (
	"fmt"
	"math/rand"
	"testing"

	"github.com/ringwood-kv/ringwood/lsm/internal/arena"
	"github.com/ringwood-kv/ringwood/lsm/internal/base"
)

// benchKeys returns the keys 0 to n-1, laid out in memory in the order of their use, so
// that only the list's cache misses are measured.
func benchKeys(n int, seed int64) [][]byte {
	order := make([]int, n)
	for i := range order {
		order[i] = i
	}
	if seed != 0 {
		rand.New(rand.NewSource(seed)).Shuffle(n, func(i, j int) { order[i], order[j] = order[j], order[i] })
	}
	keys := make([][]byte, n)
	flat := make([]byte, 0, 16*n)
	for i, k := range order {
		flat = fmt.Appendf(flat, "%016d", k)
		keys[i] = flat[16*i : 16*i+16]
	}
	return keys
}

var benchValue = make([]byte, 100)

func fill(l *List, keys [][]byte) {
	for i, k := range keys {
		if !l.Add(k, base.MakeTrailer(base.SeqNum(i+1), base.KindSet), benchValue) {
			panic("full")
		}
	}
}

func benchArena(b *testing.B, n int) *arena.Arena {
	a, err := arena.New(n*180 + 1<<16)
	if err != nil {
		b.Fatal(err)
	}
	m := a.Bytes()
	for i := 0; i < len(m); i += 4096 { // page faults are not what is measured
		m[i] = 0
	}
	return a
}

func BenchmarkInsert(b *testing.B) {
	for _, order := range []string{"random", "sequential"} {
		for _, n := range []int{50000, 500000} {
			b.Run(fmt.Sprintf("%s/keys=%d", order, n), func(b *testing.B) {
				seed := int64(0)
				if order == "random" {
					seed = 1
				}
				keys := benchKeys(n, seed)
				for done := 0; done < b.N; {
					b.StopTimer()
					a := benchArena(b, n)
					l := New(a, keys[0][:8])
					b.StartTimer()
					part := min(n, b.N-done)
					fill(l, keys[:part])
					done += part
					b.StopTimer()
					if part == n {
						b.ReportMetric(float64(a.Size())/float64(n)-116, "overhead-B/key")
					}
					a.Free()
					b.StartTimer()
				}
			})
		}
	}
}

func BenchmarkGet(b *testing.B) {
	for _, n := range []int{50000, 500000} {
		keys := benchKeys(n, 1)
		a := benchArena(b, n)
		l := New(a, keys[0][:8])
		fill(l, keys)
		keys = benchKeys(n, 2)
		b.Run(fmt.Sprintf("hit/keys=%d", n), func(b *testing.B) {
			b.ReportAllocs()
			for i := 0; i < b.N; i++ {
				if _, _, ok := l.Get(keys[i%n], base.SeqNumMax); !ok {
					b.Fatal("missing")
				}
			}
		})
		b.Run(fmt.Sprintf("miss/keys=%d", n), func(b *testing.B) {
			var k [16]byte
			for i := 0; i < b.N; i++ {
				copy(k[:], keys[i%n])
				k[15] = 'x' // between two keys that are there
				if _, _, ok := l.Get(k[:], base.SeqNumMax); ok {
					b.Fatal("found")
				}
			}
		})
		b.Run(fmt.Sprintf("seek/keys=%d", n), func(b *testing.B) {
			var it Iter
			l.Init(&it)
			for i := 0; i < b.N; i++ {
				if it.SeekGE(keys[i%n]) == nil {
					b.Fatal("missing")
				}
			}
		})
		for _, dir := range []string{"next", "prev"} {
			b.Run(fmt.Sprintf("%s/keys=%d", dir, n), func(b *testing.B) {
				var it Iter
				l.Init(&it)
				var kv *base.KV
				for i := 0; i < b.N; i++ {
					switch {
					case kv == nil && dir == "next":
						kv = it.First()
					case kv == nil:
						kv = it.Last()
					case dir == "next":
						kv = it.Next()
					default:
						kv = it.Prev()
					}
				}
			})
		}
		a.Free()
	}
}

// BenchmarkOverwrite writes 100,000 keys, in random order, as often as fits into four versions of
// each, and walks them as a flush does.
func BenchmarkOverwrite(b *testing.B) {
	const n, versions = 100_000, 4
	var rounds [versions][][]byte
	for i := range rounds {
		rounds[i] = benchKeys(n, int64(i+1))
	}
	for _, what := range []string{"add", "walk"} {
		b.Run(what, func(b *testing.B) {
			for done := 0; done < b.N; {
				b.StopTimer()
				a := benchArena(b, n*versions)
				l := New(a, rounds[0][0][:8])
				add := func(part int) {
					for i := range part {
						k := rounds[i/n][i%n]
						if !l.Add(k, base.MakeTrailer(base.SeqNum(i+1), base.KindSet), benchValue) {
							b.Fatal("full")
						}
					}
				}
				if what == "walk" {
					add(n * versions)
				}
				part := min(n*versions, b.N-done)
				b.StartTimer()
				if what == "add" {
					add(part)
				} else {
					var it Iter
					l.Init(&it)
					for kv := it.First(); kv != nil; kv = it.Next() {
					}
				}
				done += part
				b.StopTimer()
				if part == n*versions {
					b.ReportMetric(float64(a.Size())/(n*versions), "B/version")
				}
				a.Free()
				b.StartTimer()
			}
		})
	}
}
