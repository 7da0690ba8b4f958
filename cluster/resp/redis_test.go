package resp

import (
	"bufio"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ringwood-kv/ringwood/cluster/resp/internal/memstore"
	"github.com/ringwood-kv/ringwood/cluster/resp/resptest"
)

var (
	commandsFlag = flag.Int("resp.commands", 6000, "random commands that are compared with redis-server")
	seedFlag     = flag.Int64("resp.seed", 1, "seed of the first of them")
	recordFlag   = flag.Bool("resp.record", false, "write the replies of redis-server into testdata/transcripts")
)

// TestLikeRedis compares random commands with a redis-server: one by one and in
// pipelines beside others, in both protocols.
func TestLikeRedis(t *testing.T) {
	network, addr := resptest.StartRedis(t)
	const rounds = 4
	for i := range rounds {
		cfg := resptest.Config{
			RedisNetwork: network, RedisAddr: addr, Seed: *seedFlag + int64(i), Commands: *commandsFlag / rounds,
			Pipeline: 1 + 40*(i%2), Crowd: 3 * (i % 2), RESP3: i >= 2,
		}
		t.Run(fmt.Sprintf("pipeline=%d,resp3=%v", cfg.Pipeline, cfg.RESP3), func(t *testing.T) {
			store, o := memstore.New(16), Options{}
			switch i { // what no client must notice
			case 1:
				o.GroupCommands = 3
			case 3:
				store.Again = true
			}
			_, cfg.Addr = start(t, store, o)
			cfg.Network = "tcp"
			resptest.Differential(t, cfg)
		})
	}
}

// TestTranscripts compares with what a redis-server answered when the files were
// recorded. A line that begins with > is a request, the line below it the reply.
func TestTranscripts(t *testing.T) {
	files, err := filepath.Glob("testdata/transcripts/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no transcripts", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			if *recordFlag {
				network, addr := resptest.StartRedis(t)
				text := replay(t, file, resptest.Dial(t, network, addr), true)
				if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			_, c, _ := serve(t, Options{})
			replay(t, file, c, false)
		})
	}
}

// replay runs a transcript and compares the replies, or returns it with new ones.
func replay(t *testing.T, file string, c *resptest.Client, record bool) string {
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	var out strings.Builder
	got := ""
	for s := bufio.NewScanner(f); s.Scan(); {
		line := s.Text()
		switch {
		case strings.HasPrefix(line, ">"):
			c.Write([]byte(strings.TrimSpace(line[1:]) + "\r\n")) // an inline request has quotes
			got = c.Reply().String()
			out.WriteString(line + "\n" + got + "\n")
		case line == "" || strings.HasPrefix(line, "#"):
			out.WriteString(line + "\n")
			got = ""
		default:
			if !record && line != got {
				t.Errorf("%s: after\n%s got\n%s\nwant\n%s", file, lastRequest(out.String()), got, line)
			}
		}
	}
	return out.String()
}

func lastRequest(s string) string {
	return s[strings.LastIndex(s, "\n>")+1:]
}
