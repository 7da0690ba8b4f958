package wire

import "io"

const (
	flushAt    = 16 << 10 // pending bytes that are written without being asked
	directBulk = 32 << 10 // length from which a bulk string is not copied
	idlePend   = 32 << 10 // the most memory that stays after a flush
)

// ErrOutputLimit is the error of a Writer whose pending replies exceed its limit.
const ErrOutputLimit Error = "ERR output buffer limit exceeded"

// Writer collects replies and writes them to a destination: when Flush says so, and
// by itself from 16 KiB on. Bytes handed to a method are copied or written before it
// returns.
//
// The first error of the destination stays: after it, what is appended is dropped,
// and Flush and Err return it.
type Writer struct {
	dst   io.Writer
	buf   []byte
	proto Proto
	err   error

	// trip is the length of buf from which an appending method has to stop and look:
	// to write it, to drop it or to complain.
	trip     int
	limit    int
	hook     func(pending int) error
	deferred int // heads still to be inserted: buf must stay in one piece
	muted    bool
}

// NewWriter returns a Writer of RESP2 to dst.
func NewWriter(dst io.Writer) *Writer {
	return &Writer{dst: dst, proto: RESP2, trip: flushAt}
}

// Proto returns the version that replies are written in.
func (w *Writer) Proto() Proto { return w.proto }

// SetProto changes it for the replies to come.
func (w *Writer) SetProto(p Proto) { w.proto = p }

// SetLimit bounds the bytes that wait in the Writer, 0 for no bound. Only replies that
// cannot be written in parts wait: those between Defer and its end. When they are more
// than limit, hook is called with their number: its error becomes that of the Writer,
// and after nil they may double before it is asked again. Without a hook it is
// ErrOutputLimit.
func (w *Writer) SetLimit(limit int, hook func(pending int) error) {
	w.limit, w.hook = limit, hook
	w.arm()
}

// Mute drops the replies that follow, until it is called with false: for a client that
// wants none. Heads are not to be deferred across a change.
func (w *Writer) Mute(on bool) {
	w.muted = on
	w.arm()
}

// Pending returns the number of bytes that wait to be written.
func (w *Writer) Pending() int { return len(w.buf) }

// Err returns the error that ended the Writer, or nil.
func (w *Writer) Err() error { return w.err }

// Flush writes what waits. It does nothing while a head is deferred.
func (w *Writer) Flush() error {
	if w.err != nil || w.deferred > 0 || len(w.buf) == 0 {
		return w.err
	}
	_, err := w.dst.Write(w.buf)
	w.buf = w.buf[:0]
	if cap(w.buf) > idlePend {
		w.buf = nil
	}
	if err != nil {
		w.fail(err)
	}
	w.arm()
	return w.err
}

func (w *Writer) fail(err error) {
	w.err = err
	w.buf = nil
	w.arm()
}

// arm computes trip.
func (w *Writer) arm() {
	switch {
	case w.err != nil:
		w.trip = 0
	case w.muted:
		w.trip = len(w.buf)
	case w.deferred == 0:
		w.trip = flushAt
	case w.limit > 0:
		w.trip = max(w.limit, len(w.buf)) + 1
	default:
		w.trip = int(^uint(0) >> 1)
	}
}

// appended takes the buffer with a reply more.
func (w *Writer) appended(buf []byte) {
	w.buf = buf
	if len(buf) >= w.trip {
		w.tripped()
	}
}

func (w *Writer) tripped() {
	switch {
	case w.err != nil:
		w.buf = nil
	case w.muted:
		w.buf = w.buf[:w.trip]
	case w.deferred == 0:
		_ = w.Flush() // kept in w.err
	default:
		err := error(ErrOutputLimit)
		if w.hook != nil {
			err = w.hook(len(w.buf))
		}
		if err != nil {
			w.fail(err)
			return
		}
		w.trip = 2 * len(w.buf)
	}
}

// Raw appends a reply that is encoded already.
func (w *Writer) Raw(b []byte) { w.appended(append(w.buf, b...)) }

// Simple appends a simple string.
func (w *Writer) Simple(s string) { w.appended(AppendSimple(w.buf, s)) }

// OK appends the simple string OK.
func (w *Writer) OK() { w.appended(append(w.buf, "+OK\r\n"...)) }

// Error appends an error.
func (w *Writer) Error(e Error) { w.appended(AppendError(w.buf, e)) }

// Int appends an integer.
func (w *Writer) Int(n int64) { w.appended(AppendInt(w.buf, n)) }

// Bulk appends a bulk string. A long one goes to the destination without a copy.
func (w *Writer) Bulk(b []byte) {
	if len(b) < directBulk || w.deferred > 0 || w.muted || w.err != nil {
		w.appended(AppendBulk(w.buf, b))
		return
	}
	w.buf = appendHead(w.buf, '$', int64(len(b)))
	if w.Flush() != nil {
		return
	}
	if _, err := w.dst.Write(b); err != nil {
		w.fail(err)
		return
	}
	w.appended(append(w.buf, '\r', '\n'))
}

// BulkString appends a bulk string.
func (w *Writer) BulkString(s string) { w.appended(AppendBulkString(w.buf, s)) }

// BulkInt appends an integer as a bulk string.
func (w *Writer) BulkInt(n int64) { w.appended(AppendBulkInt(w.buf, n)) }

// Null appends what stands for no value.
func (w *Writer) Null() { w.appended(AppendNull(w.buf, w.proto)) }

// NullArray appends what stands for no array.
func (w *Writer) NullArray() { w.appended(AppendNullArray(w.buf, w.proto)) }

// Array appends the head of an array of n replies.
func (w *Writer) Array(n int) { w.appended(AppendArray(w.buf, n)) }

// Map appends the head of a map of n keys and values.
func (w *Writer) Map(n int) { w.appended(AppendMap(w.buf, w.proto, n)) }

// Set appends the head of a set of n replies.
func (w *Writer) Set(n int) { w.appended(AppendSet(w.buf, w.proto, n)) }

// Push appends the head of a message that answers no request.
func (w *Writer) Push(n int) { w.appended(AppendPush(w.buf, w.proto, n)) }

// Double appends a float.
func (w *Writer) Double(f float64) { w.appended(AppendDouble(w.buf, w.proto, f)) }

// Bool appends a truth value.
func (w *Writer) Bool(v bool) { w.appended(AppendBool(w.buf, w.proto, v)) }

// BigNumber appends an integer of any length.
func (w *Writer) BigNumber(decimal string) { w.appended(AppendBigNumber(w.buf, w.proto, decimal)) }

// Verbatim appends a text for people.
func (w *Writer) Verbatim(format string, text []byte) {
	w.appended(AppendVerbatim(w.buf, w.proto, format, text))
}

// Hold makes the replies that follow wait until Release, whatever Flush is asked: they
// say what is not certain yet. SetLimit bounds them. Until then heads may be deferred
// and ended, and Cut may take back what follows the mark.
func (w *Writer) Hold() Mark { return w.Defer() }

// Cut drops the replies since the mark of Hold.
func (w *Writer) Cut(m Mark) {
	if w.err == nil {
		w.buf = w.buf[:min(int(m), len(w.buf))]
		w.arm()
	}
}

// Release ends Hold.
func (w *Writer) Release() {
	w.deferred--
	w.arm()
	if len(w.buf) >= w.trip {
		w.tripped()
	}
}

// Mark is a place where a head is going to stand.
type Mark int

// Defer leaves the place of a head whose count is not known yet. Each one is ended,
// the last one first, by EndArray, EndMap or EndSet; until then nothing is written.
func (w *Writer) Defer() Mark {
	w.deferred++
	w.arm()
	return Mark(len(w.buf))
}

// EndArray puts the head of an array of n replies at m.
func (w *Writer) EndArray(m Mark, n int) {
	var head [24]byte
	w.insert(m, AppendArray(head[:0], n))
}

// EndMap puts the head of a map of n keys and values at m.
func (w *Writer) EndMap(m Mark, n int) {
	var head [24]byte
	w.insert(m, AppendMap(head[:0], w.proto, n))
}

// EndSet puts the head of a set of n replies at m.
func (w *Writer) EndSet(m Mark, n int) {
	var head [24]byte
	w.insert(m, AppendSet(head[:0], w.proto, n))
}

func (w *Writer) insert(m Mark, head []byte) {
	w.deferred--
	if w.err == nil && !w.muted {
		end := len(w.buf)
		w.buf = append(w.buf, head...)
		copy(w.buf[int(m)+len(head):], w.buf[m:end])
		copy(w.buf[m:], head)
	}
	w.arm()
	if len(w.buf) >= w.trip {
		w.tripped()
	}
}
