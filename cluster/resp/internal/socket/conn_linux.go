//go:build linux && (amd64 || arm64)

package socket

import (
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"
)

// Conn is a connection of a Poller. One goroutine reads and writes; Close and the
// deadlines are safe for concurrent use.
type Conn struct {
	poller        *Poller
	slot          int32
	local, remote net.Addr

	// wake has a token if something may have happened since the last look: an event, Close,
	// or a deadline.
	wake chan struct{}
	over atomic.Bool // the other side has ended, or the connection has: no event may follow

	more bool // reading may give something; the reader's

	// Deadlines in nanoseconds since began, 0 for none.
	readBy, writeBy atomic.Int64

	mu     sync.Mutex // held during system calls, which do not block, for fd to be ours
	fd     int
	closed bool
	timers [2]*time.Timer
}

var _ net.Conn = (*Conn)(nil)

// happened is told of events.
func (c *Conn) happened(events uint32) {
	if events&ended != 0 {
		c.over.Store(true)
	}
	c.poke()
}

func (c *Conn) poke() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// Read implements net.Conn.
func (c *Conn) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	for {
		if err := past(&c.readBy); err != nil {
			return 0, c.failed("read", err)
		}
		if !c.more && !c.over.Load() {
			<-c.wake
			c.more = true
			continue
		}
		n, err := c.call(syscall.SYS_RECVFROM, p)
		switch {
		case err == syscall.EAGAIN:
			c.more = false
			if c.over.Load() { // it ended between the call and now, or by an error that was told
				if n, err = c.call(syscall.SYS_RECVFROM, p); err == syscall.EAGAIN {
					c.over.Store(false)
					continue
				}
				return c.received(n, len(p), err)
			}
		default:
			return c.received(n, len(p), err)
		}
	}
}

// received is the result of a read of up to room bytes.
func (c *Conn) received(n, room int, err error) (int, error) {
	switch {
	case err != nil:
		return 0, c.failed("read", err)
	case n == 0:
		return 0, io.EOF
	}
	c.more = n == room
	return n, nil
}

// Write implements net.Conn.
func (c *Conn) Write(p []byte) (n int, err error) {
	for n < len(p) {
		if err := past(&c.writeBy); err != nil {
			return n, c.failed("write", err)
		}
		m, err := c.call(syscall.SYS_SENDTO, p[n:])
		switch {
		case err == syscall.EAGAIN:
			<-c.wake
			c.more = true // the event may have been about reading
		case err != nil:
			return n, c.failed("write", err)
		default:
			n += m
		}
	}
	return n, nil
}

// call sends or receives what it can.
func (c *Conn) call(trap uintptr, p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return 0, net.ErrClosed
	}
	for {
		n, _, e := syscall.RawSyscall6(trap, uintptr(c.fd), uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)), syscall.MSG_DONTWAIT|syscall.MSG_NOSIGNAL, 0, 0)
		switch e {
		case 0:
			return int(n), nil
		case syscall.EINTR:
		default:
			return 0, e
		}
	}
}

// failed is an error as package net has it.
func (c *Conn) failed(op string, err error) error {
	if e, ok := err.(syscall.Errno); ok {
		err = os.NewSyscallError(op, e)
	}
	return &net.OpError{Op: op, Net: c.local.Network(), Source: c.local, Addr: c.remote, Err: err}
}

// began is what deadlines count from, by the clock of the process, as timers do: if
// somebody set the clock of the machine back, a timer would come before its deadline was
// over, and no other would follow.
var began = time.Now()

// past returns an error when a deadline is over.
func past(deadline *atomic.Int64) error {
	if d := deadline.Load(); d != 0 && int64(time.Since(began)) >= d {
		return os.ErrDeadlineExceeded
	}
	return nil
}

// Close implements net.Conn. A Read or Write that waits ends.
func (c *Conn) Close() error {
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return c.failed("close", net.ErrClosed)
	}
	c.closed = true
	err := syscall.Close(c.fd)
	for _, t := range c.timers {
		if t != nil {
			t.Stop()
		}
	}
	c.mu.Unlock()
	c.poller.remove(c)
	c.over.Store(true)
	c.poke()
	if err != nil {
		return c.failed("close", err)
	}
	return nil
}

// CloseWrite ends what the other side reads.
func (c *Conn) CloseWrite() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return c.failed("close", net.ErrClosed)
	}
	if err := syscall.Shutdown(c.fd, syscall.SHUT_WR); err != nil {
		return c.failed("close", err)
	}
	return nil
}

// LocalAddr implements net.Conn.
func (c *Conn) LocalAddr() net.Addr { return c.local }

// RemoteAddr implements net.Conn.
func (c *Conn) RemoteAddr() net.Addr { return c.remote }

// SetDeadline implements net.Conn.
func (c *Conn) SetDeadline(t time.Time) error {
	if err := c.SetReadDeadline(t); err != nil {
		return err
	}
	return c.SetWriteDeadline(t)
}

// SetReadDeadline implements net.Conn.
func (c *Conn) SetReadDeadline(t time.Time) error { return c.setDeadline(0, &c.readBy, t) }

// SetWriteDeadline implements net.Conn.
func (c *Conn) SetWriteDeadline(t time.Time) error { return c.setDeadline(1, &c.writeBy, t) }

func (c *Conn) setDeadline(which int, deadline *atomic.Int64, t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return c.failed("set", net.ErrClosed)
	}
	if old := c.timers[which]; old != nil {
		old.Stop()
		c.timers[which] = nil
	}
	if t.IsZero() {
		deadline.Store(0)
		return nil
	}
	left := min(time.Until(t), 1<<62)
	deadline.Store(max(1, int64(time.Since(began)+left)))
	c.timers[which] = time.AfterFunc(left, c.poke)
	return nil
}
