package resp

import (
	"bytes"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"github.com/ringwood-kv/ringwood/cluster/resp/internal/memstore"
	"github.com/ringwood-kv/ringwood/cluster/resp/resptest"
)

func TestLines(t *testing.T) {
	var l lines
	const now = int64(1_800_000_000_000)
	for i := range 100 {
		if left, ok := l.allow(now + int64(i)); ok != (i < linesPerSecond) || left != 0 {
			t.Fatalf("line %d: %d, %v", i, left, ok)
		}
	}
	if left, ok := l.allow(now + 1000); !ok || left != 100-linesPerSecond {
		t.Fatal(left, ok)
	}
	if left, ok := l.allow(now + 1001); !ok || left != 0 {
		t.Fatal(left, ok)
	}
}

// logBuffer is a log that several goroutines write.
type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

// A stranger who guesses passwords as fast as he can does not fill the log.
func TestStrangersDoNotFillTheLog(t *testing.T) {
	log := &logBuffer{}
	_, addr := start(t, memstore.New(16), Options{Access: testAccess{}, Logger: slog.New(slog.NewTextHandler(log, nil))})
	c := resptest.Dial(t, "tcp", addr)
	for range 2000 {
		c.Want("-WRONGPASS invalid username-password pair or user is disabled.", "AUTH nobody wrong")
	}
	log.mu.Lock()
	defer log.mu.Unlock()
	if n := strings.Count(log.b.String(), "login failed"); n < 1 || n > 10*linesPerSecond {
		t.Errorf("%d lines", n)
	}
}
