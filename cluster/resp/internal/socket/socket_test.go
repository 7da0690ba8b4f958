package socket_test

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/ringwood-kv/ringwood/cluster/resp/internal/socket"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// pairs returns what makes connections: the adopted side and the client's.
func pairs(t *testing.T, network string) func() (net.Conn, net.Conn) {
	t.Helper()
	p, err := socket.NewPoller()
	must(t, err)
	address := "127.0.0.1:0"
	if network == "unix" {
		address = filepath.Join(t.TempDir(), "s")
	}
	l, err := net.Listen(network, address)
	must(t, err)
	var all []net.Conn
	t.Cleanup(func() {
		for _, c := range all {
			_ = c.Close()
		}
		must(t, p.Close())
		_ = l.Close()
	})
	return func() (net.Conn, net.Conn) {
		t.Helper()
		client, err := net.Dial(network, l.Addr().String())
		must(t, err)
		nc, err := l.Accept()
		must(t, err)
		remote := nc.RemoteAddr().String()
		c := p.Adopt(nc)
		if c.RemoteAddr().String() != remote || c.LocalAddr().Network() != network {
			t.Errorf("addresses %v and %v", c.LocalAddr(), c.RemoteAddr())
		}
		all = append(all, c, client)
		return c, client
	}
}

// wait fails the test if done is not closed in time.
func wait(t *testing.T, what string, done <-chan error) error {
	t.Helper()
	select {
	case err := <-done:
		return err
	case <-time.After(10 * time.Second):
		buf := make([]byte, 1<<16)
		t.Fatalf("%s: nothing for ten seconds\n%s", what, buf[:runtime.Stack(buf, true)])
	}
	return nil
}

func async(f func() error) <-chan error {
	done := make(chan error, 1)
	go func() { done <- f() }()
	return done
}

// Everything that is sent in pieces of all sizes, in both directions at once, arrives,
// and the end after it.
func TestEcho(t *testing.T) {
	for _, network := range []string{"tcp", "unix"} {
		pair := pairs(t, network)
		var wg sync.WaitGroup
		for n := range 20 {
			c, client := pair()
			wg.Add(1)
			go func() { // the server: echoes, and closes at the end
				defer wg.Done()
				_, err := io.CopyBuffer(struct{ io.Writer }{c}, struct{ io.Reader }{c}, make([]byte, 1000))
				if err != nil {
					t.Error(err)
				}
				_ = c.Close()
			}()
			wg.Add(1)
			go func() {
				defer wg.Done()
				rng := rand.New(rand.NewPCG(uint64(n), 1))
				sent := make([]byte, 300_000)
				for i := range sent {
					sent[i] = byte(rng.Uint32())
				}
				go func() {
					for rest := sent; len(rest) > 0; {
						k := min(len(rest), 1+rng.IntN(1<<rng.IntN(16)))
						if _, err := client.Write(rest[:k]); err != nil {
							t.Error(err)
							return
						}
						rest = rest[k:]
						if rng.IntN(8) == 0 {
							time.Sleep(time.Duration(rng.IntN(1000)) * time.Microsecond)
						}
					}
					_ = client.(interface{ CloseWrite() error }).CloseWrite()
				}()
				got, err := io.ReadAll(client)
				if err != nil || !bytes.Equal(got, sent) {
					t.Errorf("%s: %d of %d bytes came back, %v", network, len(got), len(sent), err)
				}
			}()
		}
		err := wait(t, "echo", async(func() error { wg.Wait(); return nil }))
		must(t, err)
	}
}

// The end that comes together with the last bytes is not missed, whether it was there
// before the bytes were read or comes between two reads.
func TestEndBesideBytes(t *testing.T) {
	pair := pairs(t, "tcp")
	for i := range 300 {
		c, client := pair()
		_, err := client.Write([]byte("bye"))
		must(t, err)
		if i%2 == 0 {
			must(t, client.Close())
			time.Sleep(time.Duration(i%7) * 100 * time.Microsecond)
		}
		buf := make([]byte, 100)
		n, err := c.Read(buf)
		if err != nil || string(buf[:n]) != "bye" {
			t.Fatalf("%d: %q, %v", i, buf[:n], err)
		}
		if i%2 == 1 {
			must(t, client.Close())
		}
		err = wait(t, "the end", async(func() error { _, err := c.Read(buf); return err }))
		if err != io.EOF {
			t.Fatalf("%d: %v, want the end", i, err)
		}
		must(t, c.Close())
	}
}

// The same where one event tells of both, and the reader waits for it.
func TestEndInOneEvent(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	pair := pairs(t, "tcp")
	c, client := pair()
	done := async(func() error {
		n, err := c.Read(make([]byte, 100))
		if n != 1 || err != nil {
			t.Errorf("%d bytes, %v, want one", n, err)
		}
		_, err = c.Read(make([]byte, 100))
		return err
	})
	time.Sleep(20 * time.Millisecond) // it waits
	f, err := client.(*net.TCPConn).File()
	must(t, err)
	defer f.Close()
	sendNow(t, f, true)
	if err := wait(t, "the end", done); err != io.EOF {
		t.Errorf("%v, want the end", err)
	}
}

// The beginning of Unix time is as much of a deadline as any other, and so is a time that
// lies further ahead than nanoseconds count.
func TestStrangeDeadlines(t *testing.T) {
	c, client := pairs(t, "tcp")()
	buf := make([]byte, 10)
	for _, past := range []time.Time{time.Unix(0, 0), time.Unix(-1<<40, 0), time.Now().Add(-1)} {
		must(t, c.SetReadDeadline(past))
		err := wait(t, past.String(), async(func() error { _, err := c.Read(buf); return err }))
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("deadline %v: %v", past, err)
		}
	}
	must(t, c.SetReadDeadline(time.Unix(1<<40, 0)))
	_, err := client.Write(buf[:1])
	must(t, err)
	_, err = c.Read(buf)
	must(t, err)
}

// What waits ends by Close and by a deadline, and what comes after says why.
func TestClose(t *testing.T) {
	pair := pairs(t, "tcp")
	buf := make([]byte, 1<<20)
	for name, op := range map[string]func(c net.Conn) error{
		"read": func(c net.Conn) error { _, err := c.Read(buf); return err },
		"write": func(c net.Conn) error {
			for {
				if _, err := c.Write(buf); err != nil {
					return err
				}
			}
		},
	} {
		c, _ := pair()
		done := async(func() error { return op(c) })
		time.Sleep(20 * time.Millisecond)
		must(t, c.Close())
		if err := wait(t, name, done); !errors.Is(err, net.ErrClosed) {
			t.Errorf("%s: %v, want that it is closed", name, err)
		}
		if err := op(c); !errors.Is(err, net.ErrClosed) {
			t.Errorf("%s of a closed connection: %v", name, err)
		}
		if err := c.Close(); !errors.Is(err, net.ErrClosed) {
			t.Errorf("closed twice: %v", err)
		}

		c, client := pair()
		begin := time.Now()
		must(t, c.SetDeadline(begin.Add(30*time.Millisecond)))
		err := wait(t, name, async(func() error { return op(c) }))
		var ne net.Error
		if !errors.Is(err, os.ErrDeadlineExceeded) || !errors.As(err, &ne) || !ne.Timeout() || time.Since(begin) < 30*time.Millisecond {
			t.Errorf("%s with a deadline: %v after %v", name, err, time.Since(begin))
		}
		must(t, c.SetDeadline(time.Time{}))
		if name == "read" {
			_, err = client.Write([]byte("late"))
			must(t, err)
			if n, err := c.Read(buf); err != nil || string(buf[:n]) != "late" {
				t.Errorf("after the deadline was taken back: %q, %v", buf[:n], err)
			}
		}
	}
}

// A reset is an error, and not the end of what was sent.
func TestReset(t *testing.T) {
	pair := pairs(t, "tcp")
	c, client := pair()
	done := async(func() error { _, err := c.Read(make([]byte, 10)); return err })
	time.Sleep(10 * time.Millisecond)
	must(t, client.(*net.TCPConn).SetLinger(0))
	must(t, client.Close())
	if err := wait(t, "reset", done); err == nil || err == io.EOF {
		t.Errorf("read: %v, want a reset", err)
	}
	if _, err := c.Write([]byte("x")); err == nil {
		t.Error("write after a reset: no error")
	}
}

// Slots are used again, and an event for who had one before does no harm.
func TestManyAfterEachOther(t *testing.T) {
	pair := pairs(t, "tcp")
	for range 500 {
		c, client := pair()
		_, err := client.Write([]byte("x"))
		must(t, err)
		if n, err := c.Read(make([]byte, 10)); n != 1 || err != nil {
			t.Fatal(n, err)
		}
		_, _ = client.Write([]byte("unread"))
		must(t, c.Close())
		must(t, client.Close())
	}
}

// With one processor, connections are served in the order in which their requests came.
func TestFirstComeFirstServed(t *testing.T) {
	if !socket.Ordered {
		t.Skip("the order is that of the runtime here")
	}
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	pair := pairs(t, "tcp")
	const n = 20
	var mu sync.Mutex
	var order []int
	var wg sync.WaitGroup
	clients := make([]net.Conn, n)
	for i := range n {
		var c net.Conn
		c, clients[i] = pair()
		wg.Add(1)
		go func() {
			defer wg.Done()
			if _, err := c.Read(make([]byte, 10)); err != nil {
				t.Error(err)
			}
			mu.Lock()
			order = append(order, i)
			mu.Unlock()
		}()
	}
	time.Sleep(20 * time.Millisecond) // all of them wait
	fds := make([]*os.File, n)
	for i, c := range clients {
		f, err := c.(*net.TCPConn).File()
		must(t, err)
		fds[i] = f
	}
	for _, f := range fds { // without letting go of the processor
		sendNow(t, f, false)
	}
	must(t, wait(t, "order", async(func() error { wg.Wait(); return nil })))
	for _, f := range fds {
		_ = f.Close()
	}
	// The scheduler runs the goroutine first that was readied last.
	late := 0
	for at, i := range order {
		if i != n-1 && i > at {
			late++
		}
	}
	if late > 2 {
		t.Errorf("served in the order %v", order)
	}
}

// A request that comes while a reply waits to be sent is read after it. One try does not tell:
// the end of the reply may come with an event of its own.
func TestEventWhileWriting(t *testing.T) {
	pair := pairs(t, "tcp")
	for range 10 {
		c, client := pair()
		eventWhileWriting(t, c, client)
		must(t, c.Close())
		must(t, client.Close())
	}
}

func eventWhileWriting(t *testing.T, c, client net.Conn) {
	reply := make([]byte, 16<<20)
	done := async(func() error {
		buf := make([]byte, 100)
		for _, want := range []string{"one", "two"} {
			n, err := c.Read(buf)
			if err != nil || string(buf[:n]) != want {
				t.Errorf("read %q, %v, want %s", buf[:n], err, want)
			}
			if want == "one" {
				if _, err = c.Write(reply); err != nil {
					return err
				}
			}
		}
		return nil
	})
	_, err := client.Write([]byte("one"))
	must(t, err)
	time.Sleep(20 * time.Millisecond) // the reply fills the buffers
	_, err = client.Write([]byte("two"))
	must(t, err)
	time.Sleep(20 * time.Millisecond) // its event is consumed
	_, err = io.ReadFull(client, make([]byte, len(reply)))
	must(t, err)
	must(t, wait(t, "the second request", done))
}
