package resp

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"testing"

	"github.com/ringwood-kv/ringwood/cluster/resp/internal/memstore"
	"github.com/ringwood-kv/ringwood/cluster/resp/resptest"
)

// BenchmarkServer is requests over a loopback socket to the store in memory: what the
// protocol and the commands cost, without an engine. An operation is a request.
func BenchmarkServer(b *testing.B) {
	for _, op := range []string{"get", "set"} {
		for _, depth := range []int{1, 16} {
			b.Run(fmt.Sprintf("op=%s/pipeline=%d", op, depth), func(b *testing.B) {
				benchmarkServer(b, op, depth)
			})
		}
	}
}

func benchmarkServer(b *testing.B, op string, depth int) {
	_, addr := start(b, memstore.New(16), Options{})
	value := fmt.Sprintf("%0100d", 1)
	resptest.Dial(b, "tcp", addr).Do("SET", "key:000001", value)
	c, err := net.Dial("tcp", addr)
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	request, reply := resptest.Encode(nil, "GET", "key:000001"), len("$100\r\n")+102
	if op == "set" {
		request, reply = resptest.Encode(nil, "SET", "key:000001", value), len("+OK\r\n")
	}
	var requests []byte
	for range depth {
		requests = append(requests, request...)
	}
	r := bufio.NewReaderSize(c, 64<<10)
	b.ReportAllocs()
	b.ResetTimer()
	for n := 0; n < b.N; n += depth {
		if _, err := c.Write(requests); err != nil {
			b.Fatal(err)
		}
		if _, err := r.Discard(reply * depth); err != nil {
			b.Fatal(err)
		}
	}
}

// TestAllocations counts what a GET and a SET allocate in the server, the goroutine of
// the connection and the store included: nothing.
func TestAllocations(t *testing.T) {
	for _, tt := range []struct {
		line string
		most float64
	}{{"GET key:000001", 0}, {"SET key:000001 0123456789", 0}, {"INCR n", 0}, {"MGET key:000001 n", 0}, {"EXISTS key:000001", 0}} {
		store := memstore.New(16)
		srv := New(store, Options{})
		loop := &loopback{}
		c := newConn(srv, loop)
		run := func(line []byte) {
			loop.in = line
			args, err := c.r.Next()
			if err != nil {
				t.Fatal(err)
			}
			c.request(args)
			if !c.flush() {
				t.Fatal(c.w.Err())
			}
		}
		run([]byte("SET key:000001 0123456789\r\n"))
		run([]byte("SET n 1000000\r\n"))
		line := []byte(tt.line + "\r\n")
		if n := testing.AllocsPerRun(1000, func() { run(line) }); n > tt.most {
			t.Errorf("%s: %v allocations, want at most %v", tt.line, n, tt.most)
		}
		c.s.Close()
		_ = srv.Close()
	}
}

// loopback is a connection that reads what it is told and forgets what is written.
type loopback struct {
	net.Conn
	in []byte
}

func (l *loopback) Read(p []byte) (int, error) {
	if len(l.in) == 0 {
		return 0, io.EOF
	}
	n := copy(p, l.in)
	l.in = l.in[n:]
	return n, nil
}

func (l *loopback) Write(p []byte) (int, error) { return len(p), nil }
func (l *loopback) RemoteAddr() net.Addr        { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1} }
func (l *loopback) LocalAddr() net.Addr         { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 2} }

// BenchmarkPipeline is 16 requests that have arrived, without sockets and with the store
// in memory: the way of a request through a connection. An operation is a request.
func BenchmarkPipeline(b *testing.B) {
	value := fmt.Sprintf("%0100d", 1)
	for _, op := range []string{"get", "set"} {
		b.Run("op="+op, func(b *testing.B) {
			srv := New(memstore.New(16), Options{Slow: func(SlowCommand) {}})
			defer func() { _ = srv.Close() }()
			loop := &loopback{}
			c := newConn(srv, loop)
			request := resptest.Encode(nil, "SET", "key:000001", value)
			pipeline := bytes.Repeat(request, 16)
			if op == "get" {
				pipeline = bytes.Repeat(resptest.Encode(nil, "GET", "key:000001"), 16)
				request = append(request, pipeline...)
			}
			b.ReportAllocs()
			for n := 0; n < b.N; n += 16 {
				loop.in = pipeline
				if n == 0 {
					loop.in = request
				}
				for len(loop.in) > 0 || c.r.Ready() {
					args, err := c.r.Next()
					if err != nil {
						b.Fatal(err)
					}
					c.request(args)
				}
				c.flush()
			}
		})
	}
}
