package resptest

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"
)

// patience is how long a client waits for a reply.
const patience = 60 * time.Second

// Client is a connection that sees every byte of a reply.
type Client struct {
	tb   testing.TB
	Conn net.Conn
	r    *bufio.Reader
}

// Dial connects; the connection is closed with the test.
func Dial(tb testing.TB, network, addr string) *Client {
	tb.Helper()
	c, err := net.Dial(network, addr)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = c.Close() })
	return &Client{tb: tb, Conn: c, r: bufio.NewReader(c)}
}

// Encode appends a request.
func Encode(dst []byte, args ...string) []byte {
	dst = fmt.Appendf(dst, "*%d\r\n", len(args))
	for _, a := range args {
		dst = fmt.Appendf(dst, "$%d\r\n%s\r\n", len(a), a)
	}
	return dst
}

// Write sends bytes as they are.
func (c *Client) Write(b []byte) {
	c.tb.Helper()
	_ = c.Conn.SetWriteDeadline(time.Now().Add(patience))
	if _, err := c.Conn.Write(b); err != nil {
		c.tb.Fatalf("write: %v", err)
	}
}

// Send sends one request.
func (c *Client) Send(args ...string) {
	c.tb.Helper()
	c.Write(Encode(nil, args...))
}

// Do sends a request, its words separated by spaces, and returns the reply.
func (c *Client) Do(args ...string) Value {
	c.tb.Helper()
	c.Send(args...)
	return c.Reply()
}

// Line is Do for a request whose words are separated by spaces.
func (c *Client) Line(line string) Value {
	c.tb.Helper()
	return c.Do(strings.Fields(line)...)
}

// Reply reads one reply.
func (c *Client) Reply() Value {
	c.tb.Helper()
	v, err := c.Read()
	if err != nil {
		c.tb.Fatalf("read a reply: %v", err)
	}
	return v
}

// Read reads one reply.
func (c *Client) Read() (Value, error) {
	_ = c.Conn.SetReadDeadline(time.Now().Add(patience))
	return ReadValue(c.r)
}

// Want sends a request and compares the reply, in the form of Value.String.
func (c *Client) Want(want, line string) {
	c.tb.Helper()
	if got := c.Line(line).String(); got != want {
		c.tb.Errorf("%s: got %s, want %s", line, got, want)
	}
}

// Value is a reply.
type Value struct {
	Kind byte   // its first byte
	Text string // of a simple or bulk value
	Null bool
	List []Value
	Raw  string // all its bytes
}

// ReadValue reads a reply.
func ReadValue(r *bufio.Reader) (v Value, err error) {
	line, err := r.ReadString('\n')
	if err != nil {
		return v, err
	}
	if len(line) < 3 || !strings.HasSuffix(line, "\r\n") {
		return v, fmt.Errorf("a line of a reply is %q", line)
	}
	v.Kind, v.Text, v.Raw = line[0], line[1:len(line)-2], line
	switch v.Kind {
	case '+', '-', ':', ',', '#', '(':
		return v, nil
	case '_':
		v.Null = true
		return v, nil
	}
	n, err := strconv.Atoi(v.Text)
	if err != nil {
		return v, fmt.Errorf("a line of a reply is %q", line)
	}
	v.Text, v.Null = "", n < 0
	switch v.Kind {
	case '$', '=':
		if n < 0 {
			return v, nil
		}
		b := make([]byte, n+2)
		if _, err := io.ReadFull(r, b); err != nil {
			return v, err
		}
		v.Text = string(b[:n])
		v.Raw += string(b)
		return v, nil
	case '%':
		n *= 2
	case '*', '~', '>':
	default:
		return v, fmt.Errorf("a line of a reply is %q", line)
	}
	for range n {
		e, err := ReadValue(r)
		if err != nil {
			return v, err
		}
		v.List = append(v.List, e)
		v.Raw += e.Raw
	}
	return v, nil
}

// Int is the number that a reply is.
func (v Value) Int() (n int64, ok bool) {
	n, err := strconv.ParseInt(v.Text, 10, 64)
	return n, v.Kind == ':' && err == nil
}

// String is a short form for people: +OK, -ERR text, 5, "text", nil, [1 2].
func (v Value) String() string {
	switch {
	case v.Null:
		return "nil"
	case v.Kind == '+' || v.Kind == '-':
		return string(v.Kind) + v.Text
	case v.Kind == '$' || v.Kind == '=':
		return strconv.Quote(v.Text)
	case v.List != nil || strings.IndexByte("*%~>", v.Kind) >= 0:
		var parts []string
		for _, e := range v.List {
			parts = append(parts, e.String())
		}
		return "[" + strings.Join(parts, " ") + "]"
	}
	return v.Text
}
