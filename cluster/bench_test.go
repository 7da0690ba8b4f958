package cluster

import (
	"fmt"
	"io"
	"net"
	"strings"
	"testing"

	"github.com/ringwood-kv/ringwood/cluster/resp/resptest"
	"github.com/ringwood-kv/ringwood/lsm"
)

// BenchmarkNode is one connection over loopback, with and without a pipeline.
func BenchmarkNode(b *testing.B) {
	for _, d := range []lsm.Durability{lsm.OS, lsm.Sync} {
		o := onLoopback(b, nil)
		o.Bucket.Durability, o.Memory, o.HTTP = d, 256<<20, Listen{}
		n := start(b, o)
		value := strings.Repeat("v", 100)
		for name, c := range map[string]struct {
			request []byte
			reply   int
		}{
			"set": {resptest.Encode(nil, "SET", "key:000000000001", value), len("+OK\r\n")},
			"get": {resptest.Encode(nil, "GET", "key:000000000001"), len("$100\r\n\r\n") + 100},
		} {
			for _, pipeline := range []int{1, 16} {
				b.Run(fmt.Sprintf("op=%s/durability=%v/pipeline=%d", name, d, pipeline), func(b *testing.B) {
					conn, err := net.Dial("tcp", n.RESPAddr().String())
					must(b, err)
					defer func() { _ = conn.Close() }()
					_, err = conn.Write(resptest.Encode(nil, "SET", "key:000000000001", value))
					must(b, err)
					_, err = io.ReadFull(conn, make([]byte, 5))
					must(b, err)
					request := []byte(strings.Repeat(string(c.request), pipeline))
					reply := make([]byte, c.reply*pipeline)
					b.ReportAllocs()
					for i := 0; i < b.N; i += pipeline {
						_, err := conn.Write(request)
						must(b, err)
						_, err = io.ReadFull(conn, reply)
						must(b, err)
					}
				})
			}
		}
	}
}
