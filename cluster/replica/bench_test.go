package replica

import (
	"encoding/binary"
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/ringwood-kv/ringwood/lsm"
)

// benchStore is a store on disk with n keys of 100 bytes, and its engine for comparison.
func benchStore(b *testing.B, n int, d lsm.Durability) (*Replica, *Bucket) {
	b.Helper()
	r, err := Open(b.TempDir(), start, &Options{Create: Creation{Bucket: BucketConfig{Durability: d}}})
	must(b, err)
	b.Cleanup(func() { _ = r.Close() })
	bk := bucket(b, r, FirstBucket)
	for i := range n {
		must(b, r.Put(start, bk, benchKey(nil, i), Write{Value: pattern(100)}))
	}
	return r, bk
}

func benchKey(dst []byte, i int) []byte {
	return binary.BigEndian.AppendUint64(append(dst[:0], "key:0000"...), uint64(i))
}

const benchKeys = 100_000

func BenchmarkGet(b *testing.B) {
	r, bk := benchStore(b, benchKeys, lsm.None)
	b.Run("replica", func(b *testing.B) {
		b.ReportAllocs()
		var key, buf []byte
		for i := 0; b.Loop(); i++ {
			key = benchKey(key, i*7919%benchKeys)
			it, next, err := r.Get(start, bk, key, buf[:0])
			if buf = next; err != nil || !it.Found() {
				b.Fatal(err)
			}
		}
	})
	b.Run("engine", func(b *testing.B) {
		b.ReportAllocs()
		var key, buf []byte
		for i := 0; b.Loop(); i++ {
			key = benchKey(key, i*7919%benchKeys)
			buf = r.layout.appendKey(buf[:0], bk.ID(), r.layout.token(key), key)
			var err error
			if buf, err = r.db.AppendGet(buf, buf); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkPut(b *testing.B) {
	for _, d := range []lsm.Durability{lsm.None, lsm.OS} {
		r, bk := benchStore(b, benchKeys, d)
		value := pattern(100)
		for _, expiry := range []int64{0, start + 1_000_000} {
			b.Run(fmt.Sprintf("replica/%v/expires=%v", d, expiry > 0), func(b *testing.B) {
				b.ReportAllocs()
				var key []byte
				for i := 0; b.Loop(); i++ {
					key = benchKey(key, i*7919%benchKeys)
					must(b, r.Put(start, bk, key, Write{Value: value, Expiry: expiry}))
				}
			})
		}
		b.Run(fmt.Sprintf("engine/%v", d), func(b *testing.B) {
			b.ReportAllocs()
			batch := r.db.NewBatch()
			var key, long []byte
			value := pattern(135)
			for i := 0; b.Loop(); i++ {
				key = benchKey(key, i*7919%benchKeys)
				long = r.layout.appendKey(long[:0], 4000, r.layout.token(key), key)
				batch.Reset()
				must(b, batch.Put(long, value))
				must(b, batch.Commit(d))
			}
		})
	}
}

// Many writers, on one key and on many.
func BenchmarkPutParallel(b *testing.B) {
	for _, d := range []lsm.Durability{lsm.OS, lsm.Sync} {
		for _, keys := range []int{1, benchKeys} {
			b.Run(fmt.Sprintf("%v/keys=%d", d, keys), func(b *testing.B) {
				r, bk := benchStore(b, 0, d)
				value := pattern(100)
				var next atomic.Int64
				b.SetParallelism(25)
				b.ReportAllocs()
				b.RunParallel(func(pb *testing.PB) {
					var key []byte
					for pb.Next() {
						key = benchKey(key, int(next.Add(1))*7919%keys)
						if err := r.Put(start, bk, key, Write{Value: value}); err != nil {
							b.Error(err)
						}
					}
				})
				s := r.Stats()
				b.ReportMetric(float64(s.Chained)/float64(b.N), "chained/op")
			})
		}
	}
}

// Sixteen writes in one transaction, as of a pipeline.
func BenchmarkUpdate16(b *testing.B) {
	r, bk := benchStore(b, benchKeys, lsm.OS)
	value := pattern(100)
	refs := make([]Ref, 16)
	keys := make([][]byte, 16)
	body := func(tx *Tx) error {
		for i := range refs {
			if err := tx.Put(i, Write{Value: value}); err != nil {
				return err
			}
		}
		return nil
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		for j := range refs {
			keys[j] = benchKey(keys[j], (i*16+j)*7919%benchKeys)
			refs[j] = Ref{bk, keys[j]}
		}
		must(b, r.Update(start, refs, body))
	}
}

func BenchmarkScan(b *testing.B) {
	r, bk := benchStore(b, benchKeys, lsm.None)
	b.ReportAllocs()
	cursor, n := uint64(0), 0
	for b.Loop() {
		next, err := r.Scan(start, bk, cursor, ScanOptions{Limit: 100}, func([]byte, Item) error { n++; return nil })
		must(b, err)
		cursor = next
	}
	b.ReportMetric(float64(n)/float64(b.N), "keys/op")
}
