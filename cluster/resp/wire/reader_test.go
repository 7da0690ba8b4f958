package wire

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"
)

// pieces gives the input in pieces of the given sizes, and then the rest at once.
type pieces struct {
	input []byte
	sizes []int
}

func (p *pieces) Read(b []byte) (int, error) {
	if len(p.input) == 0 {
		return 0, io.EOF
	}
	n := len(p.input)
	if len(p.sizes) > 0 {
		n, p.sizes = min(n, p.sizes[0]), p.sizes[1:]
	}
	n = copy(b, p.input[:n])
	p.input = p.input[n:]
	return n, nil
}

// trickle gives n bytes at a time.
type trickle struct {
	input []byte
	n     int
}

func (t *trickle) Read(b []byte) (int, error) {
	if len(t.input) == 0 {
		return 0, io.EOF
	}
	n := copy(b, t.input[:min(t.n, len(t.input))])
	t.input = t.input[n:]
	return n, nil
}

// array encodes a request.
func array(args ...string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "*%d\r\n", len(args))
	for _, a := range args {
		fmt.Fprintf(&b, "$%d\r\n%s\r\n", len(a), a)
	}
	return b.String()
}

// readAll returns all requests and what ended them.
func readAll(r *Reader) (requests [][]string, err error) {
	for {
		args, err := r.Next()
		if err != nil {
			return requests, err
		}
		var words []string
		for _, a := range args {
			words = append(words, string(a))
		}
		requests = append(requests, words)
	}
}

type readCase struct {
	name, input string
	want        [][]string
	err         error // io.EOF if nil
}

func (c readCase) check(t *testing.T, how string, r *Reader) {
	t.Helper()
	want := c.err
	if want == nil {
		want = io.EOF
	}
	got, err := readAll(r)
	if !reflect.DeepEqual(got, c.want) || err != want {
		t.Errorf("%s, %s:\n got %.200q %v\nwant %.200q %v", c.name, how, got, err, c.want, want)
	}
}

var big = strings.Repeat("0123456789abcdef", 2048) // 32 KiB

var readCases = []readCase{
	{name: "nothing"},
	{name: "an array", input: array("SET", "k", "v"), want: [][]string{{"SET", "k", "v"}}},
	{name: "binary arguments", input: array("a\r\nb", "", "\x00\xff*$"), want: [][]string{{"a\r\nb", "", "\x00\xff*$"}}},
	{name: "a pipeline", input: array("GET", "a") + array("GET", "b") + "ping\r\n" + array("GET", "c"),
		want: [][]string{{"GET", "a"}, {"GET", "b"}, {"ping"}, {"GET", "c"}}},
	{name: "empty requests", input: "\r\n*0\r\n*-1\r\n*-9223372036854775808\r\n\n  \r\n" + array("PING"), want: [][]string{{"PING"}}},
	{name: "other bytes for CR and LF", input: "*1\rX$4\rYPINGab" + array("PING"), want: [][]string{{"PING"}, {"PING"}}},
	{name: "lines", input: "SET k v\r\nget\tk\n \v\fecho  x \r\n", want: [][]string{{"SET", "k", "v"}, {"get", "k"}, {"echo", "x"}}},
	{name: "no space inside a word is \\v", input: "a\vb\fc\r\n", want: [][]string{{"a\vb\fc"}}},
	{name: "a CR inside a line", input: "a\rb\r\r\n", want: [][]string{{"a", "b"}}},
	{name: "double quotes", input: `set "a b" "\n\r\t\b\a\"\\\q" "\x41\xfF\x4" "\xzz" ""` + "\r\n",
		want: [][]string{{"set", "a b", "\n\r\t\b\a\"\\q", "A\xffx4", "xzz", ""}}},
	{name: "single quotes", input: `set 'a "b"' 'it\'s' 'a\nb' 'c\\d' ''` + "\r\n", want: [][]string{{"set", `a "b"`, "it's", `a\nb`, `c\\d`, ""}}},
	{name: "quotes in a word", input: `set k"a b" x'c d'` + "\r\n", want: [][]string{{"set", "ka b", "xc d"}}},
	{name: "NUL in a line", input: "a\x00b\r\n", want: [][]string{{"a\x00b"}}},
	{name: "a large argument", input: array("SET", "k", big+big+big, "EX", "1") + array("GET", "k"),
		want: [][]string{{"SET", "k", big + big + big, "EX", "1"}, {"GET", "k"}}},
	{name: "large arguments only", input: array(big, big+"x"), want: [][]string{{big, big + "x"}}},
	{name: "the end in a request", input: array("GET", "a") + "*2\r\n$3\r\nGET\r\n$1\r\n", want: [][]string{{"GET", "a"}}, err: io.ErrUnexpectedEOF},
	{name: "the end in a line", input: "PING", err: io.ErrUnexpectedEOF},
	{name: "the end in a large argument", input: "*1\r\n$40000\r\n" + big, err: io.ErrUnexpectedEOF},

	{name: "no number of arguments", input: "*\r\n", err: errCount},
	{name: "a bad number of arguments", input: array("GET", "a") + "*1x\r\n", want: [][]string{{"GET", "a"}}, err: errCount},
	{name: "a zero before the number", input: "*01\r\n", err: errCount},
	{name: "a plus before the number", input: "*+1\r\n", err: errCount},
	{name: "a space before the number", input: "* 1\r\n", err: errCount},
	{name: "LF alone", input: "*1\n$4\nPING\n\r\n", err: errCount},
	{name: "too many arguments", input: "*1048577\r\n", err: errCount},
	{name: "an overflowing number of arguments", input: "*9223372036854775808\r\n", err: errCount},
	{name: "no dollar", input: "*1\r\nfoo\r\n", err: Error("ERR Protocol error: expected '$', got 'f'")},
	{name: "an integer for an argument", input: "*1\r\n:5\r\n", err: Error("ERR Protocol error: expected '$', got ':'")},
	{name: "an empty line for an argument", input: "*1\r\n\r\n", err: Error("ERR Protocol error: expected '$', got ' '")},
	{name: "a line feed for an argument", input: "*1\r\n\n\r\n", err: Error("ERR Protocol error: expected '$', got ' '")},
	{name: "a byte that is no character", input: "*1\r\n\xff\r\n", err: Error("ERR Protocol error: expected '$', got '\xff'")},
	{name: "a negative length", input: "*1\r\n$-1\r\n", err: errBulk},
	{name: "no length", input: "*1\r\n$\r\n", err: errBulk},
	{name: "a bad length", input: "*1\r\n$1.5\r\n", err: errBulk},
	{name: "a length above the limit", input: "*1\r\n$536870913\r\n", err: errBulk},
	{name: "unbalanced double quotes", input: `get "a` + "\r\n", err: errQuotes},
	{name: "unbalanced single quotes", input: `get 'a` + "\r\n", err: errQuotes},
	{name: "a backslash at the end", input: `get "a\` + "\r\n", err: errQuotes},
	{name: "text behind a quote", input: `get "a"b` + "\r\n", err: errQuotes},
	{name: "a backslash before the closing single quote", input: `get '\\'` + "\r\n", err: errQuotes},
	{name: "text behind a single quote", input: `get 'a''b'` + "\r\n", err: errQuotes},
	{name: "a line at its limit", input: strings.Repeat("x", maxLine) + "\n", want: [][]string{{strings.Repeat("x", maxLine)}}},
	{name: "a line above its limit", input: strings.Repeat("x", maxLine+1) + "\n", err: errInline},
	{name: "a number of arguments above the limit of lines", input: "*" + strings.Repeat("1", maxLine) + "\r\n", err: errCountLine},
	{name: "a length above the limit of lines", input: "*1\r\n$" + strings.Repeat("1", maxLine) + "\r\n", err: errBulkLine},
	{name: "a number of arguments at the limit of lines", input: "*" + strings.Repeat("1", maxLine-1) + "\r\n", err: errCount},
}

func TestProtocolErrorTexts(t *testing.T) {
	for e, want := range map[Error]string{
		errInline:        "ERR Protocol error: too big inline request",
		errQuotes:        "ERR Protocol error: unbalanced quotes in request",
		errCountLine:     "ERR Protocol error: too big mbulk count string",
		errCount:         "ERR Protocol error: invalid multibulk length",
		errCountUnauth:   "ERR Protocol error: unauthenticated multibulk length",
		errBulkLine:      "ERR Protocol error: too big bulk count string",
		errBulk:          "ERR Protocol error: invalid bulk length",
		errBulkUnauth:    "ERR Protocol error: unauthenticated bulk length",
		errRequestTooBig: "ERR Protocol error: too big request",
	} {
		if e.Error() != want || e.Code() != "ERR" {
			t.Errorf("%q, want %q", e, want)
		}
	}
}

func TestReaderAtOnce(t *testing.T) {
	for _, c := range readCases {
		c.check(t, "at once", NewReader(strings.NewReader(c.input), Limits{}))
	}
}

// TestReaderSplits cuts each input everywhere it matters and expects the same.
func TestReaderSplits(t *testing.T) {
	for _, c := range readCases {
		input := []byte(c.input)
		for i := range input {
			if i > 300 && i < len(input)-300 && i%997 != 0 {
				continue // in the middle of something long
			}
			c.check(t, fmt.Sprintf("cut at %d", i), NewReader(&pieces{input, []int{i}}, Limits{}))
		}
		for _, n := range []int{1, 2, 3, 7, 4095, 4096, 4097, 16 << 10} {
			if n < 4 && len(input) > 10000 {
				continue
			}
			c.check(t, fmt.Sprintf("%d at a time", n), NewReader(&trickle{input, n}, Limits{}))
		}
	}
}

// TestReaderSlowClient sends long inputs byte by byte, which must not take quadratic
// time.
func TestReaderSlowClient(t *testing.T) {
	for _, c := range readCases {
		if len(c.input) > 60000 {
			c.check(t, "byte by byte", NewReader(&trickle{[]byte(c.input), 1}, Limits{}))
		}
	}
}

func TestReaderLimits(t *testing.T) {
	limits := Limits{MaxArgs: 3, MaxBulk: 5, MaxRequest: 8}
	for _, c := range []readCase{
		{name: "arguments at the limit", input: array("a", "b", "c"), want: [][]string{{"a", "b", "c"}}},
		{name: "arguments above", input: "*4\r\n", err: errCount},
		{name: "a length at the limit", input: array("12345"), want: [][]string{{"12345"}}},
		{name: "a length above", input: "*1\r\n$6\r\n", err: errBulk},
		{name: "a sum at the limit", input: array("1234", "1234") + array("1234", "1234"), want: [][]string{{"1234", "1234"}, {"1234", "1234"}}},
		{name: "a sum above", input: array("12345") + "*2\r\n$5\r\n12345\r\n$4\r\n", want: [][]string{{"12345"}}, err: errRequestTooBig},
	} {
		c.check(t, "limited", NewReader(strings.NewReader(c.input), limits))
	}
	if r := NewReader(nil, Limits{MaxBulk: math.MaxInt}); r.limits.MaxBulk != maxRequest || r.limits.MaxRequest != maxRequest {
		t.Errorf("limits %+v", r.limits)
	}
}

func TestReaderUnauthenticated(t *testing.T) {
	ten := []string{"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"}
	k16 := strings.Repeat("x", 16<<10)
	for _, c := range []readCase{
		{name: "ten arguments", input: array(ten...), want: [][]string{ten}},
		{name: "eleven arguments", input: "*11\r\n", err: errCountUnauth},
		{name: "more than there may ever be", input: "*1048577\r\n", err: errCount},
		{name: "16 KiB", input: array(k16), want: [][]string{{k16}}},
		{name: "16 KiB and one", input: "*1\r\n$16385\r\n", err: errBulkUnauth},
		{name: "a line", input: "AUTH x\r\n", want: [][]string{{"AUTH", "x"}}},
	} {
		r := NewReader(strings.NewReader(c.input), Limits{})
		r.SetUnauthenticated(true)
		c.check(t, "unauthenticated", r)
	}

	// What follows the login in one piece is not judged before it.
	input := array("AUTH", "x") + array(append(ten, "10")...)
	r := NewReader(strings.NewReader(input), Limits{})
	r.SetUnauthenticated(true)
	if args, err := r.Next(); err != nil || string(args[0]) != "AUTH" {
		t.Fatalf("%q %v", args, err)
	}
	r.SetUnauthenticated(false)
	if !r.Ready() {
		t.Error("the next request is not ready")
	}
	if args, err := r.Next(); err != nil || len(args) != 11 {
		t.Errorf("%q %v", args, err)
	}
}

func TestReady(t *testing.T) {
	one, two := array("SET", "k", "v"), array("GET", "k")
	for cut := range len(two) {
		r := NewReader(&pieces{[]byte(one + two), []int{len(one) + cut}}, Limits{})
		if r.Ready() {
			t.Fatal("ready before anything was read")
		}
		args, err := r.Next()
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if r.Ready() {
				t.Errorf("cut at %d: ready", cut)
			}
		}
		if string(bytes.Join(args, []byte(" "))) != "SET k v" {
			t.Errorf("cut at %d: arguments changed to %q", cut, args)
		}
		if args, err = r.Next(); err != nil || string(bytes.Join(args, []byte(" "))) != "GET k" {
			t.Errorf("cut at %d: %q %v", cut, args, err)
		}
		if r.Ready() {
			t.Error("ready at the end")
		}
	}
	for _, rest := range []string{two, "ping \"a b\"\r\n", "\r\n*0\r\n" + two, "*x\r\n", "'\r\n"} {
		r := NewReader(strings.NewReader(one+rest), Limits{})
		args, err := r.Next()
		if err != nil || !r.Ready() || !r.Ready() {
			t.Errorf("%q is not ready: %v", rest, err)
		}
		if string(bytes.Join(args, []byte(" "))) != "SET k v" {
			t.Errorf("arguments changed to %q", args)
		}
	}
	for _, rest := range []string{"", "\r\n", "*0\r\n", "*1\r\n", "*1\r\n$4\r\nPING\r"} {
		r := NewReader(strings.NewReader(one+rest), Limits{})
		if _, err := r.Next(); err != nil || r.Ready() {
			t.Errorf("%q is ready, %v", rest, err)
		}
	}
}

func TestClone(t *testing.T) {
	r := NewReader(strings.NewReader(array("SET", "", "v")+array("XXX", "X", "X")), Limits{})
	args, _ := r.Next()
	clone := Clone(args)
	r.Next()
	if len(clone) != 3 || string(bytes.Join(clone, []byte("|"))) != "SET||v" || clone[1] == nil {
		t.Errorf("%q", clone)
	}
	clone[0] = append(clone[0], "more"...)
	if string(clone[2]) != "v" {
		t.Error("the copies share memory beyond their ends")
	}
}

// failing gives an error in place of each second read.
type failing struct {
	src  io.Reader
	turn bool
}

var errTimeout = errors.New("timeout")

func (f *failing) Read(b []byte) (int, error) {
	if f.turn = !f.turn; f.turn {
		return 0, errTimeout
	}
	return f.src.Read(b)
}

func TestReaderGoesOnAfterErrors(t *testing.T) {
	input := array("SET", "k", big) + "ping\r\n"
	r := NewReader(&failing{src: &trickle{[]byte(input), 5}}, Limits{})
	var got [][]string
	for {
		args, err := r.Next()
		if err == io.EOF {
			break
		}
		if err != nil && err != errTimeout {
			t.Fatal(err)
		}
		if err == nil {
			var words []string
			for _, a := range args {
				words = append(words, string(a))
			}
			got = append(got, words)
		}
	}
	if want := [][]string{{"SET", "k", big}, {"ping"}}; !reflect.DeepEqual(got, want) {
		t.Errorf("%.100q", got)
	}
}

// withError gives all bytes together with an error.
type withError struct {
	input []byte
	err   error
}

func (w *withError) Read(b []byte) (int, error) {
	n := copy(b, w.input)
	w.input = w.input[n:]
	return n, w.err
}

func TestReaderBytesWithError(t *testing.T) {
	r := NewReader(&withError{[]byte("ping\r\nping\r\n"), errTimeout}, Limits{})
	for range 2 {
		if args, err := r.Next(); err != nil || len(args) != 1 {
			t.Fatalf("%q %v", args, err)
		}
	}
	if _, err := r.Next(); err != errTimeout {
		t.Error(err)
	}
	r = NewReader(&withError{nil, nil}, Limits{})
	if _, err := r.Next(); err != io.ErrNoProgress {
		t.Error(err)
	}
	r = NewReader(strings.NewReader("*x\r\n"), Limits{})
	for range 2 { // a protocol error stays
		if _, err := r.Next(); err != errCount {
			t.Error(err)
		}
	}
}

// TestReaderMemory announces much and sends little.
func TestReaderMemory(t *testing.T) {
	for _, input := range []string{
		"*1048576\r\n",
		"*1\r\n$536870912\r\n",
		"*1\r\n$536870912\r\nx",
		array("GET", "k") + "*1048576\r\n$500000000\r\nabc",
	} {
		r := NewReader(strings.NewReader(input), Limits{})
		readAll(r)
		if held := r.Held(); held > firstBuf+firstBig+1024 {
			t.Errorf("%q: %d bytes held", input, held)
		}
	}

	// A large request is followed by small ones: the memory goes back.
	many := make([]string, 20000)
	r := NewReader(&trickle{[]byte(array(many...) + array(big+big+big+big) + array("PING") + array("PING")), 9000}, Limits{})
	peak := 0
	for range 4 {
		if _, err := r.Next(); err != nil {
			t.Fatal(err)
		}
		peak = max(peak, r.Held())
	}
	if r.Held() > 20<<10 || peak < 20000*24 {
		t.Errorf("%d bytes held after large requests, %d before", r.Held(), peak)
	}
}

// asker is a source that asks for the memory of its reader, as a server does.
type asker struct {
	io.Reader
	ask func()
}

func (a *asker) Read(p []byte) (int, error) {
	a.ask()
	return a.Reader.Read(p)
}

// What is held is known at each moment of a request with many large arguments, and
// however many there are, telling it takes no time.
func TestReaderHeld(t *testing.T) {
	all := make([]string, 200)
	for i := range all {
		all[i] = strings.Repeat("v", bigBulk+i)
	}
	a := &asker{Reader: &trickle{[]byte(array(all...)), 4096}}
	r := NewReader(a, Limits{})
	asked := 0
	a.ask = func() {
		asked++
		want := len(r.buf) + cap(r.big) + cap(r.spans)*8 + cap(r.args)*24 + cap(r.bigs)*32
		for _, b := range r.bigs {
			want += cap(b.b)
		}
		if got := r.Held(); got != want {
			t.Fatalf("%d bytes held with %d large arguments, want %d", got, len(r.bigs), want)
		}
	}
	for range 2 {
		if _, err := r.Next(); err != nil {
			break
		}
	}
	if asked < len(all) {
		t.Errorf("only %d reads", asked)
	}

	r.bigs = make([]bigArg, 1<<20)
	began := time.Now()
	for range 1000 {
		r.Held()
	}
	if took := time.Since(began); took > 100*time.Millisecond {
		t.Errorf("asking a thousand times takes %v with %d large arguments", took, len(r.bigs))
	}
}

// endless repeats its input.
type endless struct {
	input string
	off   int
}

func (e *endless) Read(b []byte) (n int, err error) {
	for n < len(b) {
		c := copy(b[n:], e.input[e.off:])
		n += c
		e.off = (e.off + c) % len(e.input)
	}
	return n, nil
}

func TestReaderAllocs(t *testing.T) {
	for name, input := range map[string]string{
		"arrays": array("SET", "key:0001", strings.Repeat("v", 100)) + array("GET", "key:0001"),
		"lines":  "SET key:0001 \"a \\x41 b\"\r\nGET key:0001\r\n",
	} {
		r := NewReader(&endless{input: input}, Limits{})
		next := func() {
			if args, err := r.Next(); err != nil || len(args) < 2 {
				t.Fatal(args, err)
			}
			r.Ready()
		}
		for range 1000 {
			next()
		}
		if n := testing.AllocsPerRun(2000, next); n != 0 {
			t.Errorf("%s: %v allocations for a request", name, n)
		}
	}
}

// FuzzReader: no panic, the same requests however the input is cut, and memory that
// depends on what has arrived.
func FuzzReader(f *testing.F) {
	for _, c := range readCases {
		if len(c.input) < 5000 {
			f.Add([]byte(c.input), uint16(len(c.input)/2), uint8(3))
		}
	}
	f.Fuzz(func(t *testing.T, input []byte, cut uint16, step uint8) {
		limits := Limits{MaxBulk: 1 << 20}
		whole := NewReader(bytes.NewReader(input), limits)
		want, wantErr := readAll(whole)
		if held := whole.Held(); held > 64<<10+16*len(input) {
			t.Fatalf("%d bytes held for an input of %d", held, len(input))
		}
		for _, src := range []io.Reader{
			&pieces{input, []int{int(cut)}},
			&trickle{input, int(step) + 1},
		} {
			r := NewReader(src, limits)
			got, err := readAll(r)
			if !reflect.DeepEqual(got, want) || err != wantErr {
				t.Fatalf("in pieces %q %v, at once %q %v", got, err, want, wantErr)
			}
		}
		if _, ok := wantErr.(Error); !ok && wantErr != io.EOF && wantErr != io.ErrUnexpectedEOF {
			t.Fatal(wantErr)
		}
		for _, args := range want {
			if len(args) == 0 {
				t.Fatal("a request without a name")
			}
		}
	})
}

func BenchmarkReader(b *testing.B) {
	input := array("SET", "key:000000000001", strings.Repeat("v", 100))
	r := NewReader(&endless{input: input}, Limits{})
	b.SetBytes(int64(len(input)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := r.Next(); err != nil {
			b.Fatal(err)
		}
	}
}

// The arguments of a pipeline stay as they are while there is more of it.
func TestArgumentsStay(t *testing.T) {
	var input bytes.Buffer
	var want, got [][]byte
	for i := range 200 {
		arg := bytes.Repeat([]byte{byte('a' + i%26)}, []int{3, 100, 5000, 20_000}[i%4])
		want = append(want, arg)
		fmt.Fprintf(&input, "*1\r\n$%d\r\n%s\r\n'%s'\r\n", len(arg), arg, arg[:3])
		want = append(want, arg[:3])
	}
	r := NewReader(&input, Limits{})
	checked := 0
	for range want {
		args, err := r.Next()
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, args[0])
		if r.Ready() {
			continue
		}
		for ; checked < len(got); checked++ {
			if !bytes.Equal(got[checked], want[checked]) {
				t.Fatalf("argument %d: %.10q, want %.10q", checked, got[checked], want[checked])
			}
		}
	}
	if checked != len(want) {
		t.Errorf("%d of %d arguments checked", checked, len(want))
	}
}
