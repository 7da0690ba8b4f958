package wire

import "io"

const (
	firstBuf = 4 << 10  // bytes of the first buffer
	idleBuf  = 16 << 10 // the buffer grows to this while reads fill it, and shrinks to it
	minRead  = 512      // room worth a read

	// bigBulk is the length from which an argument that has not arrived completely is
	// read into a buffer of its own: it is not copied again, and the buffer of the
	// connection stays small.
	bigBulk  = 8 << 10
	firstBig = 32 << 10 // bytes of such a buffer to begin with: all that an announcement costs

	// idleArgs is the number of arguments whose slices are kept for the next request.
	idleArgs = 1 << 10

	// maxEmptyReads of a source that gives neither bytes nor an error.
	maxEmptyReads = 100
)

// Held returns the bytes of memory that the Reader keeps now, for the limits of the
// server. A source may ask for it in its Read: between two calls it grows by at most
// twice of what has arrived.
func (r *Reader) Held() int {
	held := len(r.buf) + cap(r.big) + cap(r.spans)*8 + cap(r.args)*24 + cap(r.bigs)*32 + r.bigHeld
	for _, a := range r.args { // none while a request arrives
		if cap(a) >= bigBulk {
			held += cap(a)
		}
	}
	return held
}

// fill reads more. It is called by Next alone, when arguments given out before are no
// longer valid.
func (r *Reader) fill() error {
	if r.big != nil {
		return r.fillBig()
	}
	r.makeRoom()
	n, err := r.read(r.buf[r.end:])
	r.end += n
	r.filled = r.end == len(r.buf)
	return err
}

// read calls the source until there is something. An error that comes with bytes is
// for the next call.
func (r *Reader) read(b []byte) (n int, err error) {
	if err = r.srcErr; err == nil {
		for range maxEmptyReads {
			if n, err = r.src.Read(b); n > 0 {
				r.srcErr = err
				return n, nil
			}
			if err != nil {
				break
			}
		}
	}
	switch {
	case err == nil:
		return 0, io.ErrNoProgress
	case err != io.EOF:
		r.srcErr = nil // the next call may try again
		return 0, err
	}
	r.srcErr = io.EOF
	if r.pos < r.end || r.left > 0 {
		return 0, io.ErrUnexpectedEOF
	}
	return 0, io.EOF
}

// makeRoom makes the buffer take more behind end.
func (r *Reader) makeRoom() {
	if r.left == 0 {
		r.base = r.pos
	}
	if r.base == r.end {
		r.base, r.pos, r.end = 0, 0, 0
		if r.filled && len(r.buf) < idleBuf {
			r.buf = make([]byte, idleBuf)
		}
	}
	if r.buf == nil {
		r.buf = make([]byte, firstBuf)
	}
	if len(r.buf)-r.end >= minRead {
		return
	}
	if r.base > 0 {
		r.move(r.buf)
	}
	if len(r.buf)-r.end < minRead {
		r.move(make([]byte, 2*len(r.buf)))
	}
}

// move copies what is kept to the beginning of b, which becomes the buffer.
func (r *Reader) move(b []byte) {
	n := copy(b, r.buf[r.base:r.end])
	r.pos -= r.base
	r.base, r.end = 0, n
	r.buf = b
}

// shrink gives memory back that a large request took. No arguments are out.
func (r *Reader) shrink() {
	if len(r.buf) > idleBuf && r.end-r.base <= idleBuf/2 {
		r.move(make([]byte, idleBuf))
	}
	if cap(r.args) > idleArgs {
		r.args = nil
	}
	if cap(r.spans) > idleArgs && len(r.spans) == 0 {
		r.spans = nil
	}
}

// beginBig moves the argument that has begun to arrive to a buffer of its own. All
// that is in the connection's buffer belongs to it.
func (r *Reader) beginBig(size int) {
	arrived := r.buf[r.pos:r.end]
	r.big = append(make([]byte, 0, min(size, max(firstBig, 2*len(arrived)))), arrived...)
	r.pos = r.end
}

// fillBig reads the rest of the large argument, never a byte more.
func (r *Reader) fillBig() error {
	size := r.bulk + 2
	if len(r.big) == cap(r.big) {
		b := make([]byte, len(r.big), min(size, 2*len(r.big)))
		copy(b, r.big)
		r.big = b
	}
	n, err := r.read(r.big[len(r.big):cap(r.big)])
	r.big = r.big[:len(r.big)+n]
	return err
}
