package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/ringwood-kv/ringwood/lsm/inspect"
)

// progress is one line on a terminal, for work of more than a moment.
type progress struct {
	w     io.Writer // nil: none
	start time.Time
	last  time.Time
	width int
}

const (
	progressAfter = 500 * time.Millisecond
	progressEvery = 100 * time.Millisecond
)

func newProgress(w io.Writer, quiet bool) *progress {
	p := &progress{start: time.Now()}
	if f, ok := w.(*os.File); ok && !quiet {
		if info, err := f.Stat(); err == nil && info.Mode()&os.ModeCharDevice != 0 {
			p.w = w
		}
	}
	return p
}

func (p *progress) show(x inspect.Progress) {
	now := time.Now()
	if p.w == nil || now.Sub(p.start) < progressAfter || now.Sub(p.last) < progressEvery {
		return
	}
	p.last = now
	line := fmt.Sprintf("%s %s", x.Step, x.File)
	if x.Total > 0 {
		line = fmt.Sprintf("%3.0f%% %s", 100*float64(x.Done)/float64(x.Total), line)
		if took := now.Sub(p.start); x.Done > x.Total/100 {
			left := time.Duration(float64(took) * float64(x.Total-x.Done) / float64(x.Done))
			line += fmt.Sprintf(", %v left", left.Round(time.Second))
		}
	}
	fmt.Fprintf(p.w, "\r%-*s", p.width, line)
	p.width = len(line)
}

// clear takes the line away.
func (p *progress) clear() {
	if p.width > 0 {
		fmt.Fprintf(p.w, "\r%s\r", strings.Repeat(" ", p.width))
	}
}
