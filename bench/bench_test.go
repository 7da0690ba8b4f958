package bench

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/ringwood-kv/ringwood/bench/engine"
	"github.com/ringwood-kv/ringwood/bench/gen"
)

var (
	engines = flag.String("engines", "", "measure these engines, separated by commas (default: all that keep something)")
	records = flag.Int64("records", 200_000, "records in a store that is read")
)

// Names have what varies as key=value, so that benchstat can put engines, or anything
// else, into columns. Keys have 16 bytes; values compress to half.
const keySize = 16

var keys = gen.DecimalKeys{Size: keySize}

func each(b *testing.B, run func(b *testing.B, k engine.Kind)) {
	chosen := strings.Split(*engines, ",")
	for _, k := range engine.Kinds() {
		if *engines == "" && k.Forgetful || *engines != "" && !slices.Contains(chosen, k.Name) {
			continue
		}
		b.Run("engine="+k.Name, func(b *testing.B) { run(b, k) })
	}
	for _, name := range chosen {
		if _, err := engine.Find(name); err != nil && name != "" {
			b.Fatal(err)
		}
	}
}

func must(b *testing.B, err error) {
	if err != nil {
		b.Helper()
		b.Fatal(err)
	}
}

// memories are the budgets that reads are measured with: one that holds all the records,
// and one that leaves most of them to the page cache.
var memories = []int64{256 << 20, 8 << 20}

func open(b *testing.B, k engine.Kind, dir string, memory int64, d engine.Durability) engine.Engine {
	e, err := k.Open(engine.Config{Dir: dir, Memory: memory, Durability: d})
	must(b, err)
	return e
}

// loaded has the directories of stores that were filled already, by engine and size of
// values.
var loaded = make(map[string]string)

var scratch string

func TestMain(m *testing.M) {
	flag.Parse()
	var err error
	if scratch, err = os.MkdirTemp("", "bench"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	_ = os.RemoveAll(scratch)
	os.Exit(code)
}

// fill writes records n to n+count-1 of a random order of total, or in order.
func fill(b *testing.B, e engine.Engine, values *gen.Values, size int, count, total int64, random bool) {
	order := gen.NewPermutation(max(total, 1), 1)
	key := make([]byte, 0, keySize)
	for i := range count {
		n := i % total
		if random {
			n = order.At(n)
		}
		key = keys.Append(key[:0], n)
		must(b, e.Put(key, values.At(gen.Mix(uint64(n)), size)))
	}
}

// store opens a settled store of all records, loading it first if need be.
func store(b *testing.B, k engine.Kind, size int, memory int64) engine.Engine {
	name := fmt.Sprintf("%s-%d", k.Name, size)
	if loaded[name] == "" {
		dir := filepath.Join(scratch, name)
		e := open(b, k, dir, memories[0], engine.OS)
		fill(b, e, gen.NewValues(1, size, 0.5), size, *records, *records, true)
		_, err := e.Settle(context.Background())
		must(b, err)
		must(b, e.Close())
		loaded[name] = dir
	}
	return open(b, k, loaded[name], memory, engine.OS)
}

// reads runs a benchmark for each engine, size of values and budget.
func reads(b *testing.B, run func(b *testing.B, e engine.Engine, size int)) {
	each(b, func(b *testing.B, k engine.Kind) {
		for _, size := range []int{100, 1000} {
			for _, memory := range memories {
				b.Run(fmt.Sprintf("values=%d/memory=%dMiB", size, memory>>20), func(b *testing.B) {
					e := store(b, k, size, memory)
					defer e.Close()
					before := e.Stats()
					b.ReportAllocs()
					b.ResetTimer()
					run(b, e, size)
					b.StopTimer()
					if after := e.Stats(); after.BlockReads != nil && before.BlockReads != nil {
						b.ReportMetric(float64(*after.BlockReads-*before.BlockReads)/float64(b.N), "blocks/op")
					}
				})
			}
		}
	})
}

// BenchmarkPut writes b.N records into a new store. settled-ns/op has the time until
// compactions rest too.
func BenchmarkPut(b *testing.B) {
	each(b, func(b *testing.B, k engine.Kind) {
		for _, order := range []string{"random", "sequential"} {
			for _, size := range []int{100, 1000} {
				b.Run(fmt.Sprintf("order=%s/values=%d", order, size), func(b *testing.B) {
					values := gen.NewValues(1, size, 0.5)
					e := open(b, k, b.TempDir(), memories[0], engine.OS)
					defer e.Close()
					b.SetBytes(int64(keySize + size))
					b.ReportAllocs()
					b.ResetTimer()
					fill(b, e, values, size, int64(b.N), int64(b.N), order == "random")
					b.StopTimer()
					settle(b, e)
				})
			}
		}
	})
}

// settle reports what finishing the work costs.
func settle(b *testing.B, e engine.Engine) {
	writing := b.Elapsed()
	b.StartTimer()
	rested, err := e.Settle(context.Background())
	must(b, err)
	b.StopTimer()
	b.ReportMetric(float64(b.Elapsed()-rested)/float64(b.N), "settled-ns/op")
	b.ReportMetric(float64(writing)/float64(b.N), "ns/op")
	s := e.Stats()
	if s.BytesIn != nil && s.LogBytes != nil && s.FlushBytes != nil && s.CompactedBytes != nil {
		b.ReportMetric(float64(*s.LogBytes+*s.FlushBytes+*s.CompactedBytes)/float64(max(*s.BytesIn, 1)), "written/user-byte")
	}
}

// BenchmarkBatch commits batches of 100 records; an operation is a record.
func BenchmarkBatch(b *testing.B) {
	each(b, func(b *testing.B, k engine.Kind) {
		values := gen.NewValues(1, 100, 0.5)
		e := open(b, k, b.TempDir(), memories[0], engine.OS)
		defer e.Close()
		order := gen.NewPermutation(int64(b.N), 1)
		batch := e.NewBatch()
		defer batch.Close()
		key := make([]byte, 0, keySize)
		b.SetBytes(keySize + 100)
		b.ReportAllocs()
		b.ResetTimer()
		for i := range int64(b.N) {
			n := order.At(i)
			key = keys.Append(key[:0], n)
			must(b, batch.Put(key, values.At(gen.Mix(uint64(n)), 100)))
			if i%100 == 99 || i+1 == int64(b.N) {
				must(b, batch.Commit())
			}
		}
		b.StopTimer()
		settle(b, e)
	})
}

// BenchmarkPutSync writes records that are on disk when they are acknowledged.
func BenchmarkPutSync(b *testing.B) {
	each(b, func(b *testing.B, k engine.Kind) {
		for _, threads := range []int{1, 16} {
			b.Run(fmt.Sprintf("threads=%d", threads), func(b *testing.B) {
				values := gen.NewValues(1, 100, 0.5)
				e := open(b, k, b.TempDir(), memories[0], engine.Sync)
				defer e.Close()
				order := gen.NewPermutation(int64(b.N), 1)
				var next atomic.Int64
				b.ReportAllocs()
				b.ResetTimer()
				done := make(chan error)
				for range threads {
					go func() {
						key := make([]byte, 0, keySize)
						for i := next.Add(1) - 1; i < int64(b.N); i = next.Add(1) - 1 {
							n := order.At(i)
							key = keys.Append(key[:0], n)
							if err := e.Put(key, values.At(gen.Mix(uint64(n)), 100)); err != nil {
								done <- err
								return
							}
						}
						done <- nil
					}()
				}
				for range threads {
					must(b, <-done)
				}
			})
		}
	})
}

// BenchmarkGet reads random records.
func BenchmarkGet(b *testing.B) {
	reads(b, func(b *testing.B, e engine.Engine, size int) {
		key, value := make([]byte, 0, keySize), []byte(nil)
		for i := range b.N {
			n := int64(gen.Mix(uint64(i)) % uint64(*records))
			var err error
			if value, err = e.AppendGet(value[:0], keys.Append(key[:0], n)); err != nil || len(value) != size {
				b.Fatalf("record %d: %d bytes, %v", n, len(value), err)
			}
		}
	})
}

// BenchmarkGetMissing reads keys that are not there, between those that are.
func BenchmarkGetMissing(b *testing.B) {
	reads(b, func(b *testing.B, e engine.Engine, _ int) {
		key := make([]byte, 0, keySize+1)
		for i := range b.N {
			key = keys.Append(key[:0], int64(gen.Mix(uint64(i))%uint64(*records)))
			if _, err := e.AppendGet(nil, append(key, '.')); !errors.Is(err, engine.ErrNotFound) {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkSeek makes an iterator, seeks a random record, and steps over ten.
func BenchmarkSeek(b *testing.B) {
	for _, back := range []bool{false, true} {
		b.Run("direction="+direction(back), func(b *testing.B) {
			reads(b, func(b *testing.B, e engine.Engine, _ int) {
				key := make([]byte, 0, keySize)
				for i := range b.N {
					it, err := e.NewIter(nil, nil)
					must(b, err)
					key = keys.Append(key[:0], 10+int64(gen.Mix(uint64(i))%uint64(*records-20)))
					seek, step := it.SeekGE, it.Next
					if back {
						seek, step = it.SeekLT, it.Prev
					}
					ok := seek(key)
					for range 10 {
						ok = ok && step()
					}
					if err := it.Err(); err != nil || !ok && !back {
						b.Fatal(ok, err)
					}
					must(b, it.Close())
				}
			})
		})
	}
}

// BenchmarkScan walks over all records again and again; an operation is a record.
func BenchmarkScan(b *testing.B) {
	for _, back := range []bool{false, true} {
		b.Run("direction="+direction(back), func(b *testing.B) {
			reads(b, func(b *testing.B, e engine.Engine, size int) {
				it, err := e.NewIter(nil, nil)
				must(b, err)
				defer it.Close()
				first, step := it.First, it.Next
				if back {
					first, step = it.Last, it.Prev
				}
				ok := false
				for range b.N {
					if !ok {
						ok = first()
					}
					if !ok || len(it.Value()) != size {
						b.Fatal(ok, it.Err())
					}
					ok = step()
				}
				must(b, it.Err())
			})
		})
	}
}

func direction(back bool) string {
	if back {
		return "back"
	}
	return "forward"
}
