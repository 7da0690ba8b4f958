package main

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ringwood-kv/ringwood/cmd/internal/nodetest"
	"github.com/ringwood-kv/ringwood/cmd/kvnode/internal/config"
)

// gauge is the value of a metric without labels.
func gauge(t *testing.T, p *nodetest.Process, name string) int64 {
	t.Helper()
	_, body := p.Get(t, "/metrics")
	for line := range strings.SplitSeq(body, "\n") {
		if v, ok := strings.CutPrefix(line, name+" "); ok {
			n, err := strconv.ParseFloat(v, 64)
			if err != nil {
				t.Fatal(err)
			}
			return int64(n)
		}
	}
	t.Fatalf("/metrics has no %s", name)
	return 0
}

// The heap has a limit that follows from the settings and from who is connected, unless the
// environment has another.
func TestHeapLimit(t *testing.T) {
	t.Parallel()
	args := []string{"--max-value-size", "1MiB", "--max-request-size", "4MiB", "--max-inflight-size", "32MiB", "--max-login-memory", "8MiB"}
	p := nodetest.Start(t, nodetest.Options{Args: args})
	const limit = (128 + 8 + 2*32 + 32 + 16) << 20
	if got := gauge(t, p, "go_gc_gomemlimit_bytes"); got < limit || got > limit+4*heapConnection {
		t.Errorf("the limit is %d MiB, want %d", got>>20, limit>>20)
	}
	const more = 200
	for range more {
		p.Dial(t)
	}
	for deadline := time.Now().Add(nodetest.Patience); ; time.Sleep(50 * time.Millisecond) {
		got := gauge(t, p, "go_gc_gomemlimit_bytes")
		if got >= limit+more*heapConnection {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("with %d connections more the limit is %d MiB", more, got>>20)
		}
	}
	p.Stop(t)

	p = nodetest.Start(t, nodetest.Options{Args: args, Env: []string{"GOMEMLIMIT=333MiB"}})
	if got := gauge(t, p, "go_gc_gomemlimit_bytes"); got != 333<<20 {
		t.Errorf("GOMEMLIMIT is not respected: %d", got)
	}
}

func TestHeapLimitOf(t *testing.T) {
	base := config.Config{MaxLoginMemory: 1 << 20, MaxInflightSize: 10 << 20, MaxValueSize: 1 << 20}
	for _, x := range []struct {
		resp, http  string
		inflight    int64
		connections int
		want        int64
	}{
		{"", "", 10, 0, 129},
		{"", "", 10, 16, 131},
		{"r", "", 10, 0, 129 + 10 + 10},
		{"r", "", 1, 0, 129 + 1 + 4},
		{"r", "", 100, 0, 129 + 100 + 64},
		{"", "h", 100, 0, 129 + 100 + 16},
		{"r", "h", 1 << 30, 0, 129 + 2<<30 + 64 + 16}, // the most that can be set
	} {
		c := base
		c.RESPAddr, c.HTTPAddr, c.MaxInflightSize = x.resp, x.http, x.inflight<<20
		if got := heapLimit(&c, x.connections); got != x.want<<20 {
			t.Errorf("%+v: %d MiB", x, got>>20)
		}
	}
}
