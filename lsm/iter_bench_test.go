package lsm_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"testing"

	"github.com/ringwood-kv/ringwood/lsm"
)

// BenchmarkScan walks 300,000 settled records of 16+100 bytes, with as many newer ones
// between them in the memtable as the name says; the time is of a record.
func BenchmarkScan(b *testing.B) {
	const records = 300_000
	for _, newer := range []int{0, 300, 3_000, 30_000} {
		b.Run(fmt.Sprintf("newer=%d", newer), func(b *testing.B) {
			db, err := lsm.Open(b.TempDir(), &lsm.Options{Durability: lsm.None, Memory: 64 << 20})
			if err != nil {
				b.Fatal(err)
			}
			defer db.Close()
			key, value := make([]byte, 16), make([]byte, 100)
			put := func(i uint64) {
				binary.BigEndian.PutUint64(key[8:], i)
				copy(value[50:], key)
				if err := db.Put(key, value); err != nil {
					b.Fatal(err)
				}
			}
			for i := range uint64(records) {
				put(i * 2)
			}
			if err := db.Compact(context.Background(), nil, nil); err != nil {
				b.Fatal(err)
			}
			for i := range uint64(newer) {
				put(i*2*records/uint64(newer) + 1)
			}
			it, err := db.NewIter(nil)
			if err != nil {
				b.Fatal(err)
			}
			defer it.Close()
			for b.Loop() {
				if !it.Next() && !it.First() {
					b.Fatal(it.Err())
				}
			}
		})
	}
}
