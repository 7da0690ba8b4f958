package cluster

import (
	"io"
	"net"
	"runtime"
	"strings"
	"testing"

	"github.com/ringwood-kv/ringwood/cluster/resp/resptest"
	"github.com/ringwood-kv/ringwood/lsm"
	"github.com/ringwood-kv/ringwood/lsm/vfs"
)

// At most 1 allocation for each GET and 2 for each SET in the whole server, its upkeep
// included, one by one and in pipelines.
func TestAllocations(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	for _, d := range []lsm.Durability{lsm.None, lsm.OS, lsm.Sync} {
		t.Run(d.String(), func(t *testing.T) { countAllocations(t, d) })
	}
}

func countAllocations(t *testing.T, d lsm.Durability) {
	o := onLoopback(t, vfs.NewMem())
	o.Bucket.Durability, o.Memory = d, 64<<20
	n := start(t, o)
	conn, err := net.Dial("tcp", n.RESPAddr().String())
	must(t, err)
	defer func() { _ = conn.Close() }()
	value := strings.Repeat("v", 100)
	set, get := resptest.Encode(nil, "SET", "key:000000000001", value), resptest.Encode(nil, "GET", "key:000000000001")
	for _, c := range []struct {
		name    string
		request []byte
		reply   int
		most    float64
	}{
		{"SET", set, len("+OK\r\n"), 2},
		{"GET", get, len("$100\r\n\r\n") + 100, 1},
	} {
		for _, pipeline := range []int{1, 16} {
			request := []byte(strings.Repeat(string(c.request), pipeline))
			reply := make([]byte, c.reply*pipeline)
			rounds := 2000 / pipeline
			run := func() {
				for range rounds {
					if _, err := conn.Write(request); err != nil {
						t.Fatal(err)
					}
					if _, err := io.ReadFull(conn, reply); err != nil {
						t.Fatal(err)
					}
				}
			}
			run()
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			run()
			runtime.ReadMemStats(&after)
			got := float64(after.Mallocs-before.Mallocs) / float64(rounds*pipeline)
			t.Logf("%s, %d at a time: %.3f allocations", c.name, pipeline, got)
			if got > c.most {
				t.Errorf("%s, %d at a time: %.3f allocations, at most %v are allowed", c.name, pipeline, got, c.most)
			}
		}
	}
}
