package resp

import (
	"context"
	"log/slog"
	"sync"
)

// lines logs one kind of thing that clients can cause as often as they like: so many
// lines a second, so that no stranger fills the disk with the log, and with the next
// line how many were left out.
type lines struct {
	mu     sync.Mutex
	second int64
	n      int
	left   uint64
}

const linesPerSecond = 20

// allow reports whether there may be another line at a time in milliseconds, and how many
// were left out since the last one.
func (l *lines) allow(now int64) (left uint64, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if second := now / 1000; second != l.second {
		l.second, l.n = second, 0
	}
	if l.n++; l.n > linesPerSecond {
		l.left++
		return 0, false
	}
	left, l.left = l.left, 0
	return left, true
}

// logLine logs a line of one kind.
func (s *Server) logLine(l *lines, level slog.Level, msg string, attrs ...any) {
	if !s.opts.Logger.Enabled(context.Background(), level) {
		return
	}
	left, ok := l.allow(s.tick.Load())
	if !ok {
		return
	}
	if left > 0 {
		attrs = append(attrs, "left_out", left)
	}
	s.opts.Logger.Log(context.Background(), level, msg, attrs...)
}
