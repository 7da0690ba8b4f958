package respstore

import (
	"testing"

	"github.com/ringwood-kv/ringwood/cluster/replica"
	"github.com/ringwood-kv/ringwood/cluster/resp/exec"
	"github.com/ringwood-kv/ringwood/lsm"
	"github.com/ringwood-kv/ringwood/lsm/vfs"
)

// BenchmarkStore is what the replica costs the server for each command, without sockets.
func BenchmarkStore(b *testing.B) {
	s := open(b, vfs.NewMem(), Options{Bucket: replica.BucketConfig{Durability: lsm.None}})
	keys := []exec.Key{key(0, "key:000000000001")}
	value := make([]byte, 100)
	body := func(tx exec.Txn) error { return tx.Put(0, value, exec.Info{}) }
	buf := make([]byte, 0, 1000)
	b.Run("op=set", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			must(b, s.Update(keys, now, body))
		}
	})
	b.Run("op=get", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_, _, err := s.Get(buf, keys[0], now)
			must(b, err)
		}
	})
}
