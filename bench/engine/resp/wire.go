package resp

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
)

// Limits of what a server may send.
const (
	maxString   = 512 << 20 // as Redis has it
	maxLine     = 64 << 10
	maxElements = 1 << 20 // of an array
	maxNesting  = 4
	chunk       = 1 << 20 // memory is taken for this much before it has arrived
)

// appendCommand appends a command with its arguments.
func appendCommand(dst []byte, name string, args ...[]byte) []byte {
	dst = appendHead(dst, '*', 1+len(args))
	dst = appendHead(dst, '$', len(name))
	dst = append(dst, name...)
	dst = append(dst, '\r', '\n')
	for _, a := range args {
		dst = appendArgument(dst, a)
	}
	return dst
}

func appendHead(dst []byte, mark byte, n int) []byte {
	dst = append(dst, mark)
	dst = strconv.AppendInt(dst, int64(n), 10)
	return append(dst, '\r', '\n')
}

func appendArgument(dst, a []byte) []byte {
	dst = appendHead(dst, '$', len(a))
	dst = append(dst, a...)
	return append(dst, '\r', '\n')
}

// reply is what a server answers to a command.
type reply struct {
	mark byte  // '+' simple string, '-' error, ':' integer, '$' string, '*' array
	null bool  // no string, or no array
	n    int64 // the integer, or the number of elements
	data []byte
	list []string // what the elements of an array say
	// refused is the first error among the elements of an array.
	refused string
}

// errProtocol is what replies that are none are wrapped in.
var errProtocol = errors.New("the server broke the protocol")

func broken(format string, args ...any) error {
	return fmt.Errorf("%w: %s", errProtocol, fmt.Sprintf(format, args...))
}

// read reads one reply. What it says is appended to rep.data.
func (rep *reply) read(r *bufio.Reader) error { return rep.readNested(r, 0) }

func (rep *reply) readNested(r *bufio.Reader, depth int) error {
	rep.null, rep.n, rep.list, rep.refused = false, 0, rep.list[:0], ""
	line, err := readLine(r)
	if err != nil {
		return err
	}
	if len(line) == 0 {
		return broken("an empty line in place of a reply")
	}
	rep.mark, line = line[0], line[1:]
	switch rep.mark {
	case '+', '-':
		rep.data = append(rep.data, line...)
		return nil
	case ':', '$', '*':
	default:
		return broken("a reply begins with the byte %q", rep.mark)
	}
	var ok bool
	if rep.n, ok = parseInt(line); !ok {
		return broken("%q is no number", clip(line))
	}
	switch {
	case rep.mark == ':':
		return nil
	case rep.n == -1:
		rep.null = true
		return nil
	case rep.n < 0:
		return broken("a length of %d", rep.n)
	case rep.mark == '$':
		return rep.readString(r)
	}
	return rep.readArray(r, depth)
}

// readString reads a string of rep.n bytes and the end of its line.
func (rep *reply) readString(r *bufio.Reader) error {
	if rep.n > maxString {
		return broken("a string of %d bytes: at most %d are taken", rep.n, maxString)
	}
	for left := int(rep.n); left > 0; {
		rep.data = slices.Grow(rep.data, min(left, chunk))
		at := len(rep.data)
		n, err := r.Read(rep.data[at : at+min(left, chunk)])
		rep.data = rep.data[:at+n]
		if left -= n; err != nil {
			return ended(err)
		}
	}
	end, err := r.Peek(2)
	switch {
	case err != nil:
		return ended(err)
	case string(end) != "\r\n":
		return broken("a string of %d bytes does not end there", rep.n)
	}
	_, err = r.Discard(2)
	return err
}

func (rep *reply) readArray(r *bufio.Reader, depth int) error {
	if rep.n > maxElements || depth == maxNesting {
		return broken("an array of %d elements at depth %d", rep.n, depth)
	}
	var e reply
	for range rep.n {
		e.data = e.data[:0]
		if err := e.readNested(r, depth+1); err != nil {
			return err
		}
		switch {
		case e.mark == '-' && rep.refused == "":
			rep.refused = string(e.data)
		case e.refused != "" && rep.refused == "":
			rep.refused = e.refused
		}
		rep.list = append(rep.list, string(e.data))
	}
	return nil
}

// readLine reads up to the end of a line, which is cut off. The line lives until the next
// read.
func readLine(r *bufio.Reader) ([]byte, error) {
	line, err := r.ReadSlice('\n')
	switch {
	case errors.Is(err, bufio.ErrBufferFull):
		return nil, broken("a line of more than %d bytes", maxLine)
	case err != nil:
		return nil, ended(err)
	}
	n := len(line) - 2
	if n < 0 || line[n] != '\r' {
		return nil, broken("the line %q ends without a carriage return", clip(line))
	}
	return line[:n], nil
}

// clip is the beginning of what a server sent, for an error.
func clip(b []byte) []byte { return b[:min(len(b), 80)] }

// ended says what the end of a connection means in the middle of a conversation.
func ended(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errors.New("the server closed the connection")
	}
	return err
}

// parseInt reads a number of up to 18 digits.
func parseInt(b []byte) (n int64, ok bool) {
	negative := len(b) > 0 && b[0] == '-'
	if negative {
		b = b[1:]
	}
	if len(b) == 0 || len(b) > 18 {
		return 0, false
	}
	for _, c := range b {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int64(c-'0')
	}
	if negative {
		n = -n
	}
	return n, true
}
