package cluster

import (
	"bufio"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ringwood-kv/ringwood/cluster/resp/resptest"
	"github.com/ringwood-kv/ringwood/lsm"
	"github.com/ringwood-kv/ringwood/lsm/vfs"
)

var (
	respCommands = flag.Int("resp.commands", 6000, "random commands that are compared with redis-server")
	respSeed     = flag.Int64("resp.seed", 1, "seed of the first of them")
)

// TestLikeRedis compares random commands with a redis-server: one by one and in
// pipelines beside others, in both protocols, at each durability.
func TestLikeRedis(t *testing.T) {
	network, addr := resptest.StartRedis(t)
	const rounds = 4
	for i := range rounds {
		d := []lsm.Durability{lsm.None, lsm.OS, lsm.Sync, lsm.OS}[i]
		cfg := resptest.Config{
			RedisNetwork: network, RedisAddr: addr, Network: "tcp", Seed: *respSeed + int64(i), Commands: *respCommands / rounds,
			Pipeline: 1 + 40*(i%2), Crowd: 3 * (i % 2), RESP3: i >= 2, Ignore: aboutLimits,
		}
		t.Run(fmt.Sprintf("durability=%v,pipeline=%d,resp3=%v", d, cfg.Pipeline, cfg.RESP3), func(t *testing.T) {
			o := likeRedis(t)
			o.Bucket.Durability = d
			if i == 3 {
				o.Limits.Pipeline = 3
			}
			cfg.Addr = start(t, o).RESPAddr().String()
			resptest.Differential(t, cfg)
		})
	}
}

// aboutLimits is CONFIG GET of the longest value, which is less than that of Redis.
func aboutLimits(args []string) bool {
	return len(args) > 2 && strings.EqualFold(args[0], "config") && strings.EqualFold(args[1], "get")
}

// likeRedis has the limits of Redis where ours are lower.
func likeRedis(t testing.TB) Options {
	o := onLoopback(t, vfs.NewMem())
	o.HTTP, o.Memory = Listen{}, 64<<20
	o.Limits.Value, o.Limits.Request, o.Limits.Key = maxValue, 1<<30, maxKey
	return o
}

// TestTranscripts holds the node against what a redis-server has answered to the
// transcripts of package resp.
func TestTranscripts(t *testing.T) {
	files, err := filepath.Glob("resp/testdata/transcripts/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no transcripts", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			f, err := os.Open(file)
			must(t, err)
			defer func() { _ = f.Close() }()
			c := dial(t, start(t, likeRedis(t)))
			request, got := "", ""
			for s := bufio.NewScanner(f); s.Scan(); {
				line := s.Text()
				switch {
				case strings.HasPrefix(line, ">"):
					request = strings.TrimSpace(line[1:])
					c.Write([]byte(request + "\r\n"))
					got = c.Reply().String()
				case line == "" || strings.HasPrefix(line, "#"):
				case line != got:
					t.Errorf("%s: got\n%s\nwant\n%s", request, got, line)
				}
			}
		})
	}
}

// A key is there up to and including the millisecond at which it expires, through the
// whole server.
func TestExpiryToTheMillisecond(t *testing.T) {
	clock := &testClock{}
	const now int64 = 1_800_000_000_000
	clock.ms.Store(now)
	o := onLoopback(t, vfs.NewMem())
	o.Clock = clock.now
	n := start(t, o)
	c := dial(t, n)
	c.Want("+OK", "SET k v PX 1000")
	c.Want(fmt.Sprint(now+1000), "PEXPIRETIME k")
	c.Want("1000", "PTTL k")
	clock.ms.Store(now + 1000)
	time.Sleep(250 * time.Millisecond) // upkeep looks as well
	c.Want(`"v"`, "GET k")
	c.Want("0", "PTTL k")
	c.Want("1", "DBSIZE")
	clock.ms.Store(now + 1001)
	c.Want("nil", "GET k")
	c.Want("-2", "PTTL k")
	eventually(t, "it is removed", func() bool { return c.Line("DBSIZE").String() == "0" })
}
