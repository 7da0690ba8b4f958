package control

import (
	"encoding/json"
	"io"
	"os"
	"os/signal"
	"time"

	"github.com/ringwood-kv/ringwood/bench/internal/datasync"
	"github.com/ringwood-kv/ringwood/bench/proc"
)

// RunIfChild is the whole program in a control process, and returns at once in any
// other.
func RunIfChild() {
	dir, ok := os.LookupEnv(mark)
	if !ok {
		return
	}
	signal.Ignore(os.Interrupt) // a terminal sends it to both; the parent decides
	out := json.NewEncoder(os.Stdout)
	stop := make(chan struct{})
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin) // ends with the parent, however it ends
		close(stop)
	}()
	if err := child(dir, stop, out.Encode); err != nil {
		_ = out.Encode(message{Error: err.Error()})
		os.Exit(1)
	}
	os.Exit(0)
}

// child writes and syncs until stop, and tells what took long, and the sums at last.
func child(dir string, stop <-chan struct{}, tell func(any) error) error {
	f, err := os.CreateTemp(dir, "kvbench-control-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	defer f.Close()
	if err := prepare(f); err != nil {
		return err
	}
	var (
		block  [blockSize]byte
		sum    message
		due    = time.Now()
		looked = due
		stolen = proc.Stolen()
	)
	for {
		block[0]++
		if _, err := f.WriteAt(block[:], sum.Writes%blocks*blockSize); err != nil {
			return err
		}
		if err := datasync.Sync(f); err != nil {
			return err
		}
		took := time.Since(due)
		sum.Writes++
		sum.Total += int64(took)
		sum.Longest = max(sum.Longest, int64(took))
		if took >= tellFrom {
			if err := tell(message{Start: due.UnixNano(), Duration: int64(took)}); err != nil {
				return err
			}
		}
		now, was := time.Now(), stolen
		if stolen = proc.Stolen(); stolen > was && was != proc.Unknown {
			m := message{Start: looked.UnixNano(), Duration: int64(now.Sub(looked)), Stolen: int64(stolen - was)}
			if err := tell(m); err != nil {
				return err
			}
		}
		looked = now
		// The next one is due a period after this one was, or now if that is past: one
		// pause is told once.
		if due = due.Add(every); time.Now().After(due) {
			due = time.Now()
		}
		select {
		case <-stop:
			return tell(sum)
		case <-time.After(time.Until(due)):
		}
	}
}

// prepare writes the whole file once, so that later syncs write no metadata.
func prepare(f *os.File) error {
	if _, err := f.Write(make([]byte, blocks*blockSize)); err != nil {
		return err
	}
	return f.Sync()
}
