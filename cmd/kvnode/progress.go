package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/ringwood-kv/ringwood/cluster"
)

// bar is one line on a terminal, for opening a store that takes more than a moment. It is
// safe for concurrent use.
type bar struct {
	w io.Writer // nil: no terminal

	mu    sync.Mutex
	last  time.Time
	width int
	over  bool
}

const (
	barAfter = 500 * time.Millisecond
	barEvery = 100 * time.Millisecond
)

// isTerminal reports whether a person sees what is written to w.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0 && os.Getenv("TERM") != "dumb"
}

func newBar(w io.Writer) *bar {
	if !isTerminal(w) {
		return &bar{}
	}
	return &bar{w: w}
}

func (b *bar) shown() bool { return b.w != nil }

func (b *bar) show(x cluster.Progress) {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now()
	if b.w == nil || b.over || x.Elapsed < barAfter || now.Sub(b.last) < barEvery {
		return
	}
	b.last = now
	line := "opening the store: " + progressText(x)
	fmt.Fprintf(b.w, "\r%-*s", b.width, line)
	b.width = len(line)
}

// clear takes the line away for good.
func (b *bar) clear() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.width > 0 {
		fmt.Fprintf(b.w, "\r%s\r", strings.Repeat(" ", b.width))
	}
	b.width, b.over = 0, true
}

// progressText is like 37% of 812 MiB of log, 12s left.
func progressText(x cluster.Progress) string {
	if x.Total <= 0 {
		return "its files"
	}
	line := fmt.Sprintf("%d%% of %d MiB of log", 100*x.Done/x.Total, x.Total>>20)
	if x.Done > x.Total/100 && x.Elapsed > barAfter {
		left := time.Duration(float64(x.Elapsed) * float64(x.Total-x.Done) / float64(x.Done))
		line += fmt.Sprintf(", %v left", left.Round(time.Second))
	}
	return line
}
