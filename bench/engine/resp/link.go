package resp

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"os"
	"runtime"
	"sync"
	"time"
)

// call is a command, or several that belong together, and what is answered. It is of one
// goroutine until a link has it, and again when do has returned.
type call struct {
	cmd     []byte
	replies int // that answer it, at least 1
	// reply is the last one; refused the first error among those before it.
	reply   reply
	refused string

	err  error
	done chan struct{} // of a pipeline
}

// read reads the replies of the call.
func (c *call) read(r *bufio.Reader) error {
	c.refused = ""
	for left := c.replies; ; left-- {
		at := len(c.reply.data)
		if err := c.reply.read(r); err != nil || left <= 1 {
			return err
		}
		if c.reply.mark == '-' && c.refused == "" {
			c.refused = string(c.reply.data[at:])
		}
		c.reply.data = c.reply.data[:at]
	}
}

// link carries calls over one connection. After an error it is closed, and all later
// calls end with that error.
type link interface {
	do(c *call) error
	close()
}

// stream is a connection on which nothing lasts longer than a time: each read brings a
// byte, and each write is taken, within it.
type stream struct {
	net.Conn
	timeout time.Duration
}

func (s *stream) Read(b []byte) (int, error) {
	if err := s.SetReadDeadline(time.Now().Add(s.timeout)); err != nil {
		return 0, err
	}
	return s.Conn.Read(b)
}

func (s *stream) Write(b []byte) (int, error) {
	if err := s.SetWriteDeadline(time.Now().Add(s.timeout)); err != nil {
		return 0, err
	}
	return s.Conn.Write(b)
}

// told says what an error of a stream means.
func (s *stream) told(err error) error {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return fmt.Errorf("the server was silent for %v while a call waited", s.timeout)
	}
	return err
}

var (
	errUnasked = errors.New("the server sent a reply that nobody asked for: one of the replies before was another call's")
	errClosed  = errors.New("the connection is closed")
)

// direct is a link for one call at a time: the caller writes and reads.
type direct struct {
	s   *stream
	r   *bufio.Reader
	err error
}

func newDirect(s *stream) *direct { return &direct{s: s, r: bufio.NewReaderSize(s, maxLine)} }

func (d *direct) do(c *call) error {
	if d.err == nil {
		if d.err = d.try(c); d.err != nil {
			_ = d.s.Close()
		}
	}
	return d.err
}

func (d *direct) try(c *call) error {
	if d.r.Buffered() > 0 {
		return errUnasked
	}
	if _, err := d.s.Write(c.cmd); err != nil {
		return d.s.told(err)
	}
	if err := c.read(d.r); err != nil {
		return d.s.told(err)
	}
	return nil
}

func (d *direct) close() {
	if d.err == nil {
		d.err = errClosed
		_ = d.s.Close()
	}
}

// pipeline is a link for several calls at a time. Invariants, under mu:
//
//  1. A call is in waiting from when its command is in out until the reader takes it, or
//     the link fails. Who takes it out of there signals it, once.
//  2. Commands go out in the order of waiting.
//  3. flushing is set while a goroutine is on its way to write what is in out.
//  4. dealing is set while the reader hands out replies. Those who get one mostly send the
//     next command at once: they leave it in out, and the reader has all of them written
//     together after half of a pipeline, or before it waits for more. It writes nothing
//     itself, since a server may take no command before its replies are read.
type pipeline struct {
	s *stream
	r *bufio.Reader

	mu       sync.Mutex
	out      []byte
	spare    []byte  // the buffer that was written last
	waiting  []*call // a ring: n calls from head on
	head, n  int
	flushing bool
	dealing  bool
	err      error

	ended   chan struct{}  // closed at the end of the reader
	flushes sync.WaitGroup // the goroutines of flushLater
}

// newPipeline takes over the connection of a direct link.
func newPipeline(d *direct, depth int) *pipeline {
	p := &pipeline{s: d.s, r: d.r, waiting: make([]*call, depth), ended: make(chan struct{})}
	go p.read()
	return p
}

func (p *pipeline) do(c *call) error {
	p.mu.Lock()
	switch {
	case p.err != nil:
		defer p.mu.Unlock()
		return p.err
	case p.n == len(p.waiting):
		p.mu.Unlock()
		return fmt.Errorf("more than %d calls in a pipeline", len(p.waiting)) // a mistake of this package
	}
	p.out = append(p.out, c.cmd...)
	p.waiting[(p.head+p.n)%len(p.waiting)] = c
	p.n++
	flush := !p.flushing && !p.dealing
	p.flushing = p.flushing || flush
	p.mu.Unlock()
	if flush {
		runtime.Gosched() // others that are about to call add theirs
		p.mu.Lock()
		p.write()
		p.flushing = false
		p.flushLater() // what came meanwhile is no business of this call
		p.mu.Unlock()
	}
	<-c.done
	return c.err
}

// write writes what is in out. mu is locked but for the time that takes, and flushing set.
func (p *pipeline) write() {
	if p.err != nil {
		return
	}
	buf := p.out
	p.out = p.spare[:0]
	p.mu.Unlock()
	_, err := p.s.Write(buf)
	p.mu.Lock()
	p.spare = buf
	if err != nil {
		p.fail(p.s.told(err))
	}
}

// flushLater has what is in out written by a goroutine of its own, with mu locked, unless
// that is under way.
func (p *pipeline) flushLater() {
	if len(p.out) == 0 || p.flushing || p.err != nil {
		return
	}
	p.flushing = true
	p.flushes.Go(func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		for len(p.out) > 0 && p.err == nil {
			p.write()
		}
		p.flushing = false
	})
}

// fail ends the link, with mu locked. All calls that wait end with the error.
func (p *pipeline) fail(err error) {
	if p.err != nil {
		return
	}
	p.err = err
	_ = p.s.Close()
	for p.n > 0 {
		c := p.pop()
		c.err = err
		c.done <- struct{}{}
	}
}

// pop takes the call that waits longest.
func (p *pipeline) pop() *call {
	c := p.waiting[p.head]
	p.waiting[p.head] = nil
	p.head = (p.head + 1) % len(p.waiting)
	p.n--
	return c
}

// read hands out the replies, until the link fails.
func (p *pipeline) read() {
	defer close(p.ended)
	late := false // nothing came for a whole timeout, while a call waited at its end
	dealt := 0    // replies since release
	for {
		if dealt > 0 && (p.r.Buffered() == 0 || 2*dealt >= len(p.waiting)) {
			p.release()
			dealt = 0
		}
		_, err := p.r.Peek(1)
		p.mu.Lock()
		quiet := errors.Is(err, os.ErrDeadlineExceeded) && !late
		switch {
		case p.err != nil:
		case quiet:
			late = p.n > 0
		case err != nil && p.n == 0 && errors.Is(err, os.ErrDeadlineExceeded):
			late = false
		case err != nil:
			p.fail(p.s.told(ended(err)))
		case p.n == 0:
			p.fail(errUnasked)
		}
		if p.err != nil {
			p.mu.Unlock()
			return
		}
		if err != nil {
			p.mu.Unlock()
			continue
		}
		c := p.pop()
		p.dealing = true
		p.mu.Unlock()
		late = false
		dealt++
		if c.err = c.read(p.r); c.err != nil {
			c.err = p.s.told(c.err)
			p.mu.Lock()
			p.fail(c.err)
			p.mu.Unlock()
		}
		c.done <- struct{}{}
	}
}

// release has the commands written of those who got their replies.
func (p *pipeline) release() {
	runtime.Gosched() // they add them meanwhile
	p.mu.Lock()
	defer p.mu.Unlock()
	p.dealing = false
	p.flushLater()
}

func (p *pipeline) close() {
	p.mu.Lock()
	p.fail(errClosed)
	p.mu.Unlock()
	<-p.ended
	p.flushes.Wait()
}
