package wire

import (
	"bytes"
	"io"
	"math"

	"github.com/ringwood-kv/ringwood/cluster/resp/internal/num"
)

// Limits bounds the requests of a Reader. Zero stands for the default.
type Limits struct {
	// MaxArgs is the number of arguments of a request, its name included. Default
	// 1,048,576.
	MaxArgs int
	// MaxBulk is the length of an argument in bytes. Default 512 MiB.
	MaxBulk int
	// MaxRequest is the length of all arguments of a request together, in bytes.
	// Default MaxBulk and 1 MiB, at most 2 GiB.
	MaxRequest int
}

const (
	defaultMaxArgs = 1 << 20
	defaultMaxBulk = 512 << 20
	maxRequest     = math.MaxInt32

	// maxLine is the longest line: an inline request, or what stands before a CR where
	// a length is expected.
	maxLine = 64 << 10

	// What a client may send before it has authenticated.
	unauthArgs = 10
	unauthBulk = 16 << 10
)

// Reader reads requests. Its memory is a buffer of 4 KiB that grows to 16 KiB under
// load, and beyond that only for what has arrived of one request.
//
// An error of the source does not change the state: after a timeout, Next may be
// called again and goes on where it was. After a protocol error it repeats it.
type Reader struct {
	src    io.Reader
	srcErr error // came with the last bytes of src
	limits Limits
	unauth bool

	// buf[pos:end] has arrived and is not parsed yet, buf[base:pos] is arguments of the
	// request being parsed. What Next returned last lies before base and stays where it
	// is until Next is called again: fill alone moves bytes.
	buf            []byte
	base, pos, end int
	searched       int  // of buf[pos:end], for the end of a line
	filled         bool // the last read left no room

	left  int // arguments to come, 0 between requests
	bulk  int // length of the next one if it is known, or -1
	sum   int // bytes of all arguments so far
	spans []span
	big   []byte   // the next argument where it has a buffer of its own
	bigs  []bigArg // arguments that have a buffer of their own
	whole bool     // spans and bigs are a request

	// bigHeld is the memory of bigs. Held is asked before each read, and there is at least
	// one for each of them: it must not go through all.
	bigHeld int

	args [][]byte // what Next returned
	err  Error
}

// span is an argument in the buffer, counted from base.
type span struct{ off, n uint32 }

type bigArg struct {
	index int
	b     []byte
}

// NewReader returns a Reader of src. Limits beyond what the format can hold are
// lowered.
func NewReader(src io.Reader, limits Limits) *Reader {
	if limits.MaxArgs <= 0 {
		limits.MaxArgs = defaultMaxArgs
	}
	if limits.MaxBulk <= 0 {
		limits.MaxBulk = defaultMaxBulk
	}
	limits.MaxBulk = min(limits.MaxBulk, maxRequest)
	if limits.MaxRequest <= 0 {
		limits.MaxRequest = min(limits.MaxBulk, maxRequest-1<<20) + 1<<20
	}
	limits.MaxRequest = min(limits.MaxRequest, maxRequest)
	return &Reader{src: src, limits: limits, bulk: -1}
}

// SetUnauthenticated says whether the client has still to log in: then a request may
// have 10 arguments of 16 KiB. It concerns what is parsed from now on.
func (r *Reader) SetUnauthenticated(on bool) { r.unauth = on }

// Next returns the arguments of the next request, at least one. The slices are valid
// until the next call of Next, their bytes until a call before which Ready was false: as
// long as it is true, Next reads nothing into the buffer, and the arguments of a whole
// pipeline may be kept. The caller may change the bytes.
//
// A protocol error is an Error. At the end of the input it is io.EOF, or
// io.ErrUnexpectedEOF in the middle of a request.
func (r *Reader) Next() ([][]byte, error) {
	clear(r.args)
	r.args = r.args[:0]
	r.shrink()
	for !r.parse() {
		if err := r.fill(); err != nil {
			return nil, err
		}
	}
	if r.err != "" {
		return nil, r.err
	}
	if cap(r.args) < len(r.spans) {
		r.args = make([][]byte, 0, max(len(r.spans), 8))
	}
	kept := r.buf[r.base:]
	for _, s := range r.spans {
		r.args = append(r.args, kept[s.off:s.off+s.n:s.off+s.n])
	}
	for _, b := range r.bigs {
		r.args[b.index] = b.b
	}
	r.reset()
	return r.args, nil
}

// Clone copies the arguments of a request, for those who keep them: two allocations.
func Clone(args [][]byte) [][]byte {
	size := 0
	for _, a := range args {
		size += len(a)
	}
	all := make([]byte, 0, size)
	clone := make([][]byte, len(args))
	for i, a := range args {
		start := len(all)
		all = append(all, a...)
		clone[i] = all[start:len(all):len(all)]
	}
	return clone
}

// Ready reports whether Next can answer from what has arrived: with a request or with
// a protocol error. It reads nothing and leaves the arguments that Next returned as
// they are.
func (r *Reader) Ready() bool { return r.parse() }

// Partial reports whether a request has begun to arrive and is not whole. A source may
// ask for it in its Read.
func (r *Reader) Partial() bool { return r.left > 0 || r.pos < r.end }

// reset makes ready for the next request.
func (r *Reader) reset() {
	r.base = r.pos
	r.whole = false
	r.left, r.sum, r.bulk = 0, 0, -1
	r.spans = r.spans[:0]
	clear(r.bigs)
	r.bigs, r.bigHeld = r.bigs[:0], 0
}

// parse goes on through the buffered bytes. It reports whether a request is whole or
// r.err is set; otherwise more bytes are needed.
func (r *Reader) parse() bool {
	for r.err == "" && !r.whole {
		var more bool
		switch {
		case r.left > 0:
			more = r.parseBulk()
		case r.pos == r.end:
			return false
		case r.buf[r.pos] == '*':
			more = r.parseCount()
		default:
			more = r.parseInline()
		}
		if !more && r.err == "" {
			return false
		}
	}
	return true
}

// The parse functions below take one piece off the buffer. They return false if it has
// not arrived completely, or after fail.

func (r *Reader) fail(e Error) bool {
	r.err = e
	return false
}

// line returns the bytes before the next terminator. Only maxLine bytes are searched,
// so that it does not matter how much is buffered behind them.
func (r *Reader) line(terminator byte, tooLong Error) (line []byte, ok bool) {
	window := r.buf[r.pos:min(r.end, r.pos+maxLine+1)]
	i := bytes.IndexByte(window[r.searched:], terminator)
	if i < 0 {
		r.searched = len(window)
		if len(window) > maxLine {
			r.fail(tooLong)
		}
		return nil, false
	}
	r.searched += i
	return window[:r.searched], true
}

// length parses the line of a length: a mark, an integer, CR and one byte more, which
// Redis takes for the LF without a look.
func (r *Reader) length(mark byte, tooLong, invalid Error) (n int64, ok bool) {
	if n, ok := r.short(mark); ok {
		return n, true
	}
	line, ok := r.line('\r', tooLong)
	if !ok || r.pos+len(line)+2 > r.end {
		return 0, false
	}
	if r.buf[r.pos] != mark {
		got := oneLine(string(r.buf[r.pos : r.pos+1]))
		return 0, r.fail(errExpectedPrefix + Error(got) + "'")
	}
	n, ok = num.ParseInt(line[1:])
	if !ok {
		return 0, r.fail(invalid)
	}
	r.pos += len(line) + 2
	r.searched = 0
	return n, true
}

// short takes a length of one to three digits, as nearly all are, in one look at the
// bytes. What else there is it leaves to length.
func (r *Reader) short(mark byte) (n int64, ok bool) {
	b := r.buf[r.pos:r.end]
	if len(b) < 4 || b[0] != mark || b[1] == '0' {
		return 0, false
	}
	b = b[1:min(len(b), 6)]
	for i, c := range b[:len(b)-1] {
		if d := c - '0'; d <= 9 {
			n = 10*n + int64(d)
			continue
		}
		if c != '\r' || i == 0 {
			return 0, false
		}
		r.pos += i + 3
		r.searched = 0
		return n, true
	}
	return 0, false
}

// parseCount begins a request that is an array. An empty one is passed over.
func (r *Reader) parseCount() bool {
	n, ok := r.length('*', errCountLine, errCount)
	switch {
	case !ok:
		return false
	case n > int64(r.limits.MaxArgs):
		return r.fail(errCount)
	case n > unauthArgs && r.unauth:
		return r.fail(errCountUnauth)
	}
	r.base = r.pos
	r.left = int(max(n, 0))
	return true
}

// parseBulk takes the length of an argument or the argument.
func (r *Reader) parseBulk() bool {
	if r.bulk < 0 {
		return r.parseBulkLength()
	}
	size := r.bulk + 2 // with CR and LF, which Redis does not look at either
	switch {
	case r.big != nil:
		if len(r.big) < size {
			return false
		}
		r.bigs = append(r.bigs, bigArg{len(r.spans), r.big[:r.bulk:r.bulk]})
		r.bigHeld += r.bulk
		r.spans = append(r.spans, span{})
		r.big = nil
	case r.end-r.pos < size:
		if r.bulk >= bigBulk {
			r.beginBig(size)
		}
		return false
	default:
		r.spans = append(r.spans, span{uint32(r.pos - r.base), uint32(r.bulk)})
		r.pos += size
	}
	r.bulk = -1
	r.left--
	r.whole = r.left == 0
	return true
}

func (r *Reader) parseBulkLength() bool {
	n, ok := r.length('$', errBulkLine, errBulk)
	switch {
	case !ok:
		return false
	case n < 0 || n > int64(r.limits.MaxBulk):
		return r.fail(errBulk)
	case n > unauthBulk && r.unauth:
		return r.fail(errBulkUnauth)
	case n > int64(r.limits.MaxRequest-r.sum):
		return r.fail(errRequestTooBig)
	}
	r.bulk = int(n)
	r.sum += r.bulk
	return true
}
