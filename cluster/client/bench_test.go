package client_test

import (
	"bytes"
	"testing"

	"github.com/ringwood-kv/ringwood/cluster/client"
)

// BenchmarkClient is one client against a node in the same process, over loopback:
//
//	go test -run ^$ -bench Client -cpu 2
func BenchmarkClient(b *testing.B) {
	key, value := []byte("key"), bytes.Repeat([]byte("v"), 100)
	for _, op := range []struct {
		name string
		do   func(bucket *client.Bucket) error
	}{
		{"get", func(bucket *client.Bucket) error { _, err := bucket.Get(background, key); return err }},
		{"put", func(bucket *client.Bucket) error { _, err := bucket.Put(background, key, value); return err }},
		{"put-once", func(bucket *client.Bucket) error {
			_, err := bucket.Put(background, key, value, client.Once())
			return err
		}},
		{"increment", func(bucket *client.Bucket) error { _, err := bucket.Increment(background, []byte("n"), 1); return err }},
	} {
		b.Run("op="+op.name, func(b *testing.B) {
			bucket := newClient(b, client.Options{}, newNode(b)).Bucket("available")
			if _, err := bucket.Put(background, key, value); err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			b.RunParallel(func(p *testing.PB) {
				for p.Next() {
					if err := op.do(bucket); err != nil {
						b.Error(err)
						return
					}
				}
			})
		})
	}
}
