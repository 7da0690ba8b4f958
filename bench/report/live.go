package report

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/ringwood-kv/ringwood/bench/driver"
)

// Live shows where a run stands, in one line that is written over again on a
// terminal, and in a line now and then elsewhere.
type Live struct {
	w        io.Writer
	terminal bool
	shown    bool
	last     time.Time
}

// NewLive writes to w.
func NewLive(w io.Writer, terminal bool) *Live { return &Live{w: w, terminal: terminal} }

// plainEvery is how often a line is written where it can't be written over.
const plainEvery = 5 * time.Second

// Show shows the progress of what is called name.
func (l *Live) Show(name string, p driver.Progress) { l.Line(liveLine(name, p)) }

// Line shows a line of the caller's own.
func (l *Live) Line(line string) {
	if l.terminal {
		fmt.Fprintf(l.w, "\r\x1b[K%s", line)
		l.shown = true
		return
	}
	if now := time.Now(); now.Sub(l.last) >= plainEvery {
		l.last = now
		fmt.Fprintln(l.w, line)
	}
}

// Clear takes the line away, so that something else can be printed.
func (l *Live) Clear() {
	if l.shown {
		fmt.Fprint(l.w, "\r\x1b[K")
		l.shown = false
	}
}

func liveLine(name string, p driver.Progress) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: ", name)
	if p.Done >= 0 {
		fmt.Fprintf(&b, "%3.0f%%, ", p.Done*100)
	}
	fmt.Fprintf(&b, "%s ops in %s, now %s/s, mean %s/s", Count(p.Ops), Duration(p.Elapsed), Rate(p.Rate), Rate(p.Mean))
	if p.Left >= 0 {
		fmt.Fprintf(&b, ", %s left", Duration(p.Left))
	}
	return b.String()
}
