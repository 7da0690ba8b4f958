package trace

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/ringwood-kv/ringwood/bench/driver"
	"github.com/ringwood-kv/ringwood/bench/engine"
	"github.com/ringwood-kv/ringwood/bench/internal/mapengine"
)

// replay runs a trace on a new store on d, and the check at the end.
func replay(t *testing.T, d *mapengine.Disk, content string, o Options) (Report, *driver.Result, error) {
	t.Helper()
	r, err := Open(file(t, "t.csv", content), Mapping{DefaultSize: 20}, Limits{})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	e, err := d.Kind().Open(engine.Config{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	p := New(r, e, o)
	defer p.Close()
	res, err := driver.Run(context.Background(), driver.Job{Workers: p.Workers()})
	if err == nil {
		err = p.Check(context.Background(), e)
	}
	return p.Report(), res, err
}

const story = `op,key,size
r,a,10
w,a,10
r,a,99
w,a,5
r,a,5
w,b,0
r,b,0
d,a,0
r,a,5
d,c,0
w,a,200000
r,a,1
`

func TestReplay(t *testing.T) {
	for _, threads := range []int{1, 2, 5} {
		got, res, err := replay(t, &mapengine.Disk{}, story, Options{Threads: threads})
		want := Report{Requests: 12, Reads: 6, Hits: 4, Misses: 2, Writes: 4, Deletes: 2, Keys: 3, Final: 3}
		if err != nil || fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%d threads: %+v, %v", threads, got, err)
		}
		if res.Totals.Calls != 12 || res.Totals.Misses != 2 || res.Totals.Lost != 0 || res.Totals.Written != 10+5+0+200_000+4+2 {
			t.Errorf("%d threads: %+v", threads, res.Totals)
		}
	}
}

// A request without an operation writes what is not there yet.
func TestReferences(t *testing.T) {
	got, _, err := replay(t, &mapengine.Disk{}, "key,size\na,5\na,5\nb,7\na,5\n", Options{})
	want := Report{Requests: 4, Reads: 2, Hits: 2, Writes: 2, Keys: 2, Final: 2}
	if err != nil || fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%+v, %v", got, err)
	}
}

// Every kind of wrong answer is found, counted and described.
func TestWrongAnswers(t *testing.T) {
	var old []byte // the first value of "a"
	for want, read := range map[string]func(key, value []byte) []byte{
		"the first 5 bytes":    func(_, v []byte) []byte { return v[:5] },
		"other bytes":          func(_, v []byte) []byte { v[len(v)-1] ^= 1; return v },
		"an older value":       func(_, v []byte) []byte { return append([]byte(nil), old...) },
		"nothing was found":    nil,
		"has deleted this key": nil,
		"not written this key": nil,
	} {
		d := &mapengine.Disk{}
		content := "op,key,size\nw,a,30\nr,a,0\nw,a,30\nr,a,0\n"
		reads := 0
		d.Read = func(key, value []byte) []byte {
			if reads++; reads == 1 {
				old = append(old[:0], value...)
				return value
			}
			return read(key, value)
		}
		wrong := int64(2) // the second read, and the one at the end
		switch want {
		case "nothing was found":
			d.Read = nil
			d.Hook = func(op string, _ []byte) error {
				if op == "get" {
					return engine.ErrNotFound
				}
				return nil
			}
			wrong = 3
		case "has deleted this key":
			content = "op,key,size\nw,a,30\nd,a,0\nr,a,0\n"
			d.Read = nil
			d.Hook = func(op string, _ []byte) error {
				if op == "delete" {
					return errors.New("never reached")
				}
				return nil
			}
		case "not written this key":
			content = "op,key,size\nw,b,30\nr,a,0\n"
		}
		if want == "has deleted this key" || want == "not written this key" {
			testFound(t, want, content)
			continue
		}
		got, res, err := replay(t, d, content, Options{})
		if err != nil || got.Wrong != wrong || len(got.Examples) != int(wrong) || !strings.Contains(got.Examples[0], want) {
			t.Errorf("%s: %+v, %v", want, got, err)
			continue
		}
		if res.Totals.Lost != wrong-1 {
			t.Errorf("%s: the driver counts %d lost", want, res.Totals.Lost)
		}
	}
}

// testFound replays on an engine that answers where it must not.
func testFound(t *testing.T, want, content string) {
	r, err := Open(file(t, "t.csv", content), Mapping{}, Limits{})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	e, _ := engine.Noop.Open(engine.Config{})
	p := New(r, e, Options{})
	defer p.Close()
	if _, err := driver.Run(context.Background(), driver.Job{Workers: p.Workers()}); err != nil {
		t.Fatal(err)
	}
	if got := p.Report(); got.Wrong != 1 || got.Misses != 0 || !strings.Contains(got.Examples[0], want) {
		t.Errorf("%s: %+v", want, got)
	}
}

func TestExamplesAreFew(t *testing.T) {
	d := &mapengine.Disk{Read: func(_, v []byte) []byte { return append(v, 'x') }}
	got, _, err := replay(t, d, "op,key,size\nw,a,1\n"+strings.Repeat("r,a,1\n", 50), Options{})
	if err != nil || got.Wrong != 51 || len(got.Examples) != maxExamples {
		t.Errorf("%d wrong, %d examples, %v", got.Wrong, len(got.Examples), err)
	}
}

func TestTraceErrorEndsTheReplay(t *testing.T) {
	content := "op,key,size\n" + strings.Repeat("w,a,1\n", 3000) + "zap,a,1\n"
	for _, threads := range []int{1, 3} {
		_, _, err := replay(t, &mapengine.Disk{}, content, Options{Threads: threads})
		if err == nil || !strings.Contains(err.Error(), "t.csv:3002") {
			t.Errorf("%d threads: %v", threads, err)
		}
	}
}

// An engine error ends the replay, and the reading ahead, in the middle of the trace.
func TestEngineErrorEndsTheReplay(t *testing.T) {
	broken := errors.New("broken")
	n := 0
	d := &mapengine.Disk{Hook: func(string, []byte) error {
		if n++; n > 10 {
			return broken
		}
		return nil
	}}
	_, _, err := replay(t, d, "op,key,size\n"+strings.Repeat("w,a,1\n", 100_000), Options{})
	if !errors.Is(err, broken) {
		t.Error(err)
	}
}

// Values differ by key and version, have any size, and are recognized.
func TestValues(t *testing.T) {
	v := newValues(1, 0.5)
	for _, size := range []int64{0, 1, 7, 8, 9, 100, chunk, chunk + 8, 3*chunk + 17} {
		a := v.append(nil, []byte("k"), 1, size)
		if int64(len(a)) != size || !v.is(a, []byte("k"), 1, size) || v.is(a, []byte("k"), 1, size+1) {
			t.Fatalf("size %d: %d bytes, or not recognized", size, len(a))
		}
		if size < 7 {
			continue
		}
		b := v.append(nil, []byte("k"), 2, size)
		if bytes.Equal(a, b) || v.is(b, []byte("k"), 1, size) || v.is(a, []byte("l"), 1, size) {
			t.Fatalf("size %d: versions or keys are mixed up", size)
		}
		i := rand.IntN(int(size))
		if a[i] ^= 0x10; v.is(a, []byte("k"), 1, size) {
			t.Fatalf("size %d: a flipped bit at %d goes unnoticed", size, i)
		}
	}
}

// Nothing is allocated for a request on a known key.
func TestNoAllocationPerRequest(t *testing.T) {
	r, err := Open(file(t, "t.csv", "op,key,size\n"+strings.Repeat("w,a,100\nr,a,0\n", 2000)), Mapping{}, Limits{})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	p := New(r, discard{}, Options{})
	defer p.Close()
	w := p.workers[0]
	for range 1501 { // up to a write
		w.Next()
		w.Do(0)
	}
	if n := testing.AllocsPerRun(200, func() { w.Do(0) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

// discard keeps nothing and finds nothing.
type discard struct{ engine.Engine }

func (discard) Put(_, _ []byte) error                   { return nil }
func (discard) AppendGet(dst, _ []byte) ([]byte, error) { return dst, engine.ErrNotFound }
