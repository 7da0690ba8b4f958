package wire

import (
	"bytes"
	"errors"
	"io"
	"math"
	"strings"
	"testing"
)

func TestReplies(t *testing.T) {
	for _, c := range []struct {
		name         string
		write        func(w *Writer)
		resp2, resp3 string // resp3 is the same if it is empty
	}{
		{"simple", func(w *Writer) { w.Simple("PONG") }, "+PONG\r\n", ""},
		{"simple with a line end", func(w *Writer) { w.Simple("a\r\nb") }, "+a  b\r\n", ""},
		{"OK", func(w *Writer) { w.OK() }, "+OK\r\n", ""},
		{"error", func(w *Writer) { w.Error(ErrSyntax) }, "-ERR syntax error\r\n", ""},
		{"error with a line end", func(w *Writer) { w.Error("ERR a\nb\rc\xff") }, "-ERR a b c\xff\r\n", ""},
		{"integer", func(w *Writer) { w.Int(0); w.Int(-1); w.Int(math.MinInt64) }, ":0\r\n:-1\r\n:-9223372036854775808\r\n", ""},
		{"bulk", func(w *Writer) { w.Bulk([]byte("a\r\nb")) }, "$4\r\na\r\nb\r\n", ""},
		{"empty bulk", func(w *Writer) { w.Bulk(nil); w.BulkString("") }, "$0\r\n\r\n$0\r\n\r\n", ""},
		{"bulk string", func(w *Writer) { w.BulkString("hello") }, "$5\r\nhello\r\n", ""},
		{"bulk integer", func(w *Writer) { w.BulkInt(-12); w.BulkInt(math.MinInt64) }, "$3\r\n-12\r\n$20\r\n-9223372036854775808\r\n", ""},
		{"null", func(w *Writer) { w.Null() }, "$-1\r\n", "_\r\n"},
		{"null array", func(w *Writer) { w.NullArray() }, "*-1\r\n", "_\r\n"},
		{"array", func(w *Writer) { w.Array(2); w.Int(1); w.Null() }, "*2\r\n:1\r\n$-1\r\n", "*2\r\n:1\r\n_\r\n"},
		{"empty array", func(w *Writer) { w.Array(0) }, "*0\r\n", ""},
		{"map", func(w *Writer) { w.Map(1); w.BulkString("a"); w.Int(1) }, "*2\r\n$1\r\na\r\n:1\r\n", "%1\r\n$1\r\na\r\n:1\r\n"},
		{"set", func(w *Writer) { w.Set(1); w.Simple("fast") }, "*1\r\n+fast\r\n", "~1\r\n+fast\r\n"},
		{"push", func(w *Writer) { w.Push(1); w.BulkString("x") }, "*1\r\n$1\r\nx\r\n", ">1\r\n$1\r\nx\r\n"},
		{"true", func(w *Writer) { w.Bool(true) }, ":1\r\n", "#t\r\n"},
		{"false", func(w *Writer) { w.Bool(false) }, ":0\r\n", "#f\r\n"},
		{"big number", func(w *Writer) { w.BigNumber("-3492890328409238509324850943850943825024385") },
			"$44\r\n-3492890328409238509324850943850943825024385\r\n", "(-3492890328409238509324850943850943825024385\r\n"},
		{"verbatim", func(w *Writer) { w.Verbatim("txt", []byte("id=1\n")) }, "$5\r\nid=1\n\r\n", "=9\r\ntxt:id=1\n\r\n"},
		{"verbatim with a short format", func(w *Writer) { w.Verbatim("md", nil) }, "$0\r\n\r\n", "=4\r\nmd :\r\n"},
		{"raw", func(w *Writer) { w.Raw([]byte("+x\r\n")) }, "+x\r\n", ""},
		{"deferred", func(w *Writer) {
			outer := w.Defer()
			w.Int(7)
			inner := w.Defer()
			w.BulkString("k")
			w.Int(8)
			w.EndMap(inner, 1)
			empty := w.Defer()
			w.EndSet(empty, 0)
			w.EndArray(outer, 3)
			w.OK()
		}, "*3\r\n:7\r\n*2\r\n$1\r\nk\r\n:8\r\n*0\r\n+OK\r\n", "*3\r\n:7\r\n%1\r\n$1\r\nk\r\n:8\r\n~0\r\n+OK\r\n"},
		{"muted", func(w *Writer) {
			w.Int(1)
			w.Mute(true)
			m := w.Defer()
			w.Int(2)
			w.Bulk(make([]byte, directBulk))
			w.EndArray(m, 1)
			w.OK()
			w.Mute(false)
			w.Int(3)
		}, ":1\r\n:3\r\n", ""},
	} {
		for _, p := range []Proto{RESP2, RESP3} {
			want := c.resp2
			if p == RESP3 && c.resp3 != "" {
				want = c.resp3
			}
			var out bytes.Buffer
			w := NewWriter(&out)
			if w.Proto() != RESP2 {
				t.Error("a connection does not begin with RESP2")
			}
			w.SetProto(p)
			c.write(w)
			if w.Pending() != len(want) || out.Len() != 0 {
				t.Errorf("%s: %d bytes pending, %d written", c.name, w.Pending(), out.Len())
			}
			if err := w.Flush(); err != nil || out.String() != want || w.Pending() != 0 {
				t.Errorf("%s, version %d: %q %v, want %q", c.name, p, out.String(), err, want)
			}
		}
	}
}

func TestDouble(t *testing.T) {
	for f, want := range map[float64]string{
		0: "0", 1: "1", -1.5: "-1.5", 3.25: "3.25", 0.1: "0.10000000000000001", 100: "100", 1e15: "1000000000000000",
		1e16: "10000000000000000", 1e17: "1e+17", 1e100: "1e+100", 123456789012345680: "1.2345678901234568e+17",
		0.0001: "0.0001", 0.00001: "1.0000000000000001e-05", 5e-324: "4.9406564584124654e-324",
		math.MaxFloat64: "1.7976931348623157e+308", math.Inf(1): "inf", math.Inf(-1): "-inf",
	} {
		if got := string(AppendDouble(nil, RESP3, f)); got != ","+want+"\r\n" {
			t.Errorf("%v: %q, want %s", f, got, want)
		}
		if got, bulk := AppendDouble(nil, RESP2, f), AppendBulkString(nil, want); !bytes.Equal(got, bulk) {
			t.Errorf("%v: %q, want %q", f, got, bulk)
		}
	}
	if got := string(AppendDouble(nil, RESP3, math.Copysign(0, -1))); got != ",-0\r\n" {
		t.Errorf("%q", got)
	}
	if got := string(AppendDouble(nil, RESP3, math.NaN())); got != ",nan\r\n" {
		t.Errorf("%q", got)
	}
}

// sink counts writes and fails from the given one on.
type sink struct {
	bytes.Buffer
	writes, failAt int
}

var errSink = errors.New("broken pipe")

func (s *sink) Write(b []byte) (int, error) {
	if s.writes++; s.failAt > 0 && s.writes >= s.failAt {
		return 0, errSink
	}
	return s.Buffer.Write(b)
}

func TestWriterFlushesItself(t *testing.T) {
	var out sink
	w := NewWriter(&out)
	var want bytes.Buffer
	value := bytes.Repeat([]byte("v"), 1000)
	for range 100 {
		w.Bulk(value)
		want.Write(AppendBulk(nil, value))
		if w.Pending() >= flushAt {
			t.Fatalf("%d bytes pending", w.Pending())
		}
	}
	if err := w.Flush(); err != nil || !bytes.Equal(out.Bytes(), want.Bytes()) {
		t.Fatal("other bytes", err)
	}
	if out.writes > 8 {
		t.Errorf("%d writes", out.writes)
	}
	if w.Flush(); out.writes > 8 {
		t.Error("a write of nothing")
	}

	// A long bulk string is not copied.
	out = sink{}
	long := bytes.Repeat([]byte("x"), 1<<20)
	w.Int(1)
	w.Bulk(long)
	if cap(w.buf) > idlePend {
		t.Errorf("a buffer of %d bytes", cap(w.buf))
	}
	w.Flush()
	if want := append([]byte(":1\r\n"), AppendBulk(nil, long)...); !bytes.Equal(out.Bytes(), want) {
		t.Error("other bytes")
	}
}

func TestWriterErrors(t *testing.T) {
	for failAt := 1; failAt <= 3; failAt++ {
		out := sink{failAt: failAt}
		w := NewWriter(&out)
		w.Bulk(make([]byte, directBulk)) // two writes: the head, and the bytes
		w.Int(1)
		w.Flush()
		if w.Err() != errSink || w.Flush() != errSink {
			t.Errorf("write %d: %v", failAt, w.Err())
		}
		m := w.Defer()
		w.Bulk(make([]byte, directBulk))
		w.Bulk(nil)
		w.EndArray(m, 2)
		if w.Pending() != 0 || out.writes != failAt {
			t.Errorf("%d bytes pending after an error, %d writes", w.Pending(), out.writes)
		}
	}
}

func TestWriterLimit(t *testing.T) {
	w := NewWriter(io.Discard)
	w.SetLimit(100, nil)
	for range 1000 {
		w.Int(1) // written in between, so that no limit matters
	}
	w.Flush()
	m := w.Defer()
	w.Raw(make([]byte, 100))
	if w.Pending() != 100 || w.Err() != nil {
		t.Fatalf("at the limit: %d bytes pending, %v", w.Pending(), w.Err())
	}
	w.Int(1)
	if w.Err() != ErrOutputLimit || w.Pending() != 0 {
		t.Errorf("%v, %d bytes pending", w.Err(), w.Pending())
	}
	w.EndArray(m, 2)

	var asked []int
	w = NewWriter(io.Discard)
	w.SetLimit(1000, func(pending int) error {
		if asked = append(asked, pending); pending > 3000 {
			return errSink
		}
		return nil
	})
	w.Defer()
	for range 1000 {
		w.BulkString("12345") // 11 bytes
	}
	if w.Err() != errSink || len(asked) != 3 || asked[0] != 1001 {
		t.Errorf("asked at %v, then %v", asked, w.Err())
	}
}

func TestWriterAllocs(t *testing.T) {
	w := NewWriter(io.Discard)
	value := bytes.Repeat([]byte("v"), 100)
	for _, p := range []Proto{RESP2, RESP3} {
		w.SetProto(p)
		for name, write := range map[string]func(){
			"integer": func() { w.Int(1234567890123) },
			"bulk":    func() { w.Bulk(value) },
			"OK":      func() { w.OK() },
			"null":    func() { w.Null() },
			"error":   func() { w.Error(ErrNotInteger) },
			"double":  func() { w.Double(0.1) },
			"array":   func() { w.Array(2); w.BulkInt(17); w.BulkString("x") },
			"map":     func() { m := w.Defer(); w.Bool(true); w.Int(1); w.EndMap(m, 1) },
		} {
			for range 2000 {
				write()
			}
			if n := testing.AllocsPerRun(2000, write); n != 0 {
				t.Errorf("%s, version %d: %v allocations", name, p, n)
			}
		}
	}
}

func TestErrorCode(t *testing.T) {
	for e, want := range map[Error]string{ErrSyntax: "ERR", ErrWrongType: "WRONGTYPE", ErrNoProto: "NOPROTO", "OOM": "OOM"} {
		if e.Code() != want {
			t.Errorf("%q: %q", e, e.Code())
		}
	}
	if !strings.HasPrefix(ErrNoAuth.Error(), "NOAUTH ") {
		t.Error(ErrNoAuth)
	}
}

// What is held is not written, and may be taken back.
func TestHold(t *testing.T) {
	var out bytes.Buffer
	w := NewWriter(&out)
	w.OK()
	m := w.Hold()
	w.Int(1)
	head := w.Defer()
	w.Bulk(make([]byte, 2*directBulk))
	w.EndArray(head, 1)
	if err := w.Flush(); err != nil || out.Len() > 0 {
		t.Fatalf("written while it is held: %d bytes, %v", out.Len(), err)
	}
	w.Cut(m)
	w.Error("ERR no")
	w.Release()
	if err := w.Flush(); err != nil || out.String() != "+OK\r\n-ERR no\r\n" {
		t.Errorf("got %q, %v", out.String(), err)
	}
	w.Hold()
	w.Bulk(make([]byte, 2*directBulk))
	w.Release() // that is enough to be written at once
	if out.Len() < 2*directBulk {
		t.Errorf("%d bytes", out.Len())
	}
}

func TestErrorIsOneLine(t *testing.T) {
	for _, c := range [][2]string{{"ERR a\r\nb", "-ERR a  b\r\n"}, {"ERR option \r\n", "-ERR option \r\n"}, {"ERR \n", "-ERR \r\n"}} {
		if got := string(AppendError(nil, Error(c[0]))); got != c[1] {
			t.Errorf("%q: got %q, want %q", c[0], got, c[1])
		}
	}
}
