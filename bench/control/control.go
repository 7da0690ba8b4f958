package control

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"time"
)

const (
	mark = "RINGWOOD_BENCH_CONTROL" // names the directory to the child

	every     = 10 * time.Millisecond // between the beginnings of two writes
	blockSize = 4096
	blocks    = 256              // written in turn, so that the file does not grow
	tellFrom  = time.Millisecond // shorter writes are counted, and not told one by one
)

// Pause is a write and sync of the control process that took long: from when it was
// due until it was done.
type Pause struct {
	Start, End time.Time
}

// Duration is how long it took.
func (p Pause) Duration() time.Duration { return p.End.Sub(p.Start) }

// Report is what the control process saw.
type Report struct {
	Writes  int64         // writes and syncs done
	Mean    time.Duration // of them
	Longest time.Duration
	Pauses  []Pause // those of a millisecond and more, in order
	Thefts  []Theft // in order
}

// Theft is a stretch in which the hypervisor gave processors to others.
type Theft struct {
	Start, End time.Time     // it was noticed at the end, and had not been at the start
	Stolen     time.Duration // of all processors together, in steps of 10 ms
}

// message is a line from the child: a write that took long, a theft, or the summary.
type message struct {
	Start    int64  `json:"start,omitempty"` // Unix nanoseconds
	Duration int64  `json:"duration,omitempty"`
	Stolen   int64  `json:"stolen,omitempty"` // then start and duration are those of the stretch
	Writes   int64  `json:"writes,omitempty"`
	Total    int64  `json:"total,omitempty"`
	Longest  int64  `json:"longest,omitempty"`
	Error    string `json:"error,omitempty"`
}

// Monitor is a control process at work.
type Monitor struct {
	cmd    *exec.Cmd
	stdin  io.Closer
	done   chan struct{}
	report Report
	err    error
}

// Start starts a control process that writes in dir, in a file that it removes.
func Start(dir string) (*Monitor, error) {
	exe, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("control process: %w", err)
	}
	m := &Monitor{cmd: exec.Command(exe), done: make(chan struct{})}
	m.cmd.Env = append(os.Environ(), mark+"="+dir, "GOMAXPROCS=1")
	m.cmd.Stderr = os.Stderr
	stdin, err := m.cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	m.stdin = stdin
	stdout, err := m.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := m.cmd.Start(); err != nil {
		return nil, fmt.Errorf("control process: %w", err)
	}
	go func() {
		defer close(m.done)
		m.err = m.listen(stdout)
	}()
	return m, nil
}

func (m *Monitor) listen(r io.Reader) error {
	summed := false
	for lines := bufio.NewScanner(r); lines.Scan(); {
		var msg message
		if err := json.Unmarshal(lines.Bytes(), &msg); err != nil {
			return fmt.Errorf("control process said %q", lines.Text())
		}
		switch {
		case msg.Error != "":
			return fmt.Errorf("control process: %s", msg.Error)
		case msg.Writes > 0:
			summed = true
			m.report.Writes = msg.Writes
			m.report.Mean = time.Duration(msg.Total / msg.Writes)
			m.report.Longest = time.Duration(msg.Longest)
		case msg.Stolen > 0:
			start := time.Unix(0, msg.Start)
			m.report.Thefts = append(m.report.Thefts, Theft{start, start.Add(time.Duration(msg.Duration)), time.Duration(msg.Stolen)})
		default:
			start := time.Unix(0, msg.Start)
			m.report.Pauses = append(m.report.Pauses, Pause{start, start.Add(time.Duration(msg.Duration))})
		}
	}
	if !summed {
		return errors.New("control process ended early")
	}
	return nil
}

// Stop ends the process and returns what it saw.
func (m *Monitor) Stop() (Report, error) {
	m.stdin.Close() // the child ends at the end of its input
	<-m.done
	waited := m.cmd.Wait()
	if m.err == nil {
		m.err = waited
	}
	return m.report, m.err
}

// Shared tells whether the machine explains a pause of the engine: the control process
// paused too, in the same stretch of time, or all processors were taken away in it, and that
// for at least half as long; or some of them for longer. What is shorter does not explain it.
func (r *Report) Shared(start, end time.Time, longest time.Duration) bool {
	for _, p := range r.Pauses {
		if p.Start.Before(end) && p.End.After(start) && p.Duration() >= longest/2 {
			return true
		}
	}
	return r.Stolen(start, end) >= longest/2*time.Duration(processors)
}

// processors share what is stolen.
var processors = runtime.NumCPU()

// Stolen returns the processor time taken away in stretches that touch the one from start
// to end, of all processors together.
func (r *Report) Stolen(start, end time.Time) (sum time.Duration) {
	for _, t := range r.Thefts {
		if t.Start.Before(end) && t.End.After(start) {
			sum += t.Stolen
		}
	}
	return sum
}

// Quiet tells whether, from start to end, less than a hundredth of the processors was taken
// away and the control process did not pause for as long as atLeast.
func (r *Report) Quiet(start, end time.Time, atLeast time.Duration) bool {
	for _, p := range r.Pauses {
		if p.Start.Before(end) && p.End.After(start) && p.Duration() >= atLeast {
			return false
		}
	}
	return r.Stolen(start, end) <= end.Sub(start)*time.Duration(processors)/100
}
