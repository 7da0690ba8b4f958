//go:build linux && (amd64 || arm64)

package socket

import (
	"fmt"
	"net"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"
)

// Ordered says that connections are served in the order of their events.
const Ordered = true

// Poller tells sockets that something happened to them. It has one goroutine, which
// Close ends. Its methods are safe for concurrent use.
type Poller struct {
	file *os.File // the epoll instance, itself watched by the runtime
	raw  syscall.RawConn
	done chan struct{}

	closing atomic.Bool

	slots atomic.Pointer[[]atomic.Pointer[Conn]] // by the number that an event carries

	mu   sync.Mutex // guards what follows, and growing
	free []int32
}

// epollET is EPOLLET, which package syscall has as a negative number.
const epollET = 1 << 31

const (
	interest = syscall.EPOLLIN | syscall.EPOLLOUT | syscall.EPOLLRDHUP | epollET
	ended    = syscall.EPOLLRDHUP | syscall.EPOLLHUP | syscall.EPOLLERR
)

// NewPoller returns a poller without sockets.
func NewPoller() (*Poller, error) {
	fd, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("socket: %w", os.NewSyscallError("epoll_create", err))
	}
	if err := syscall.SetNonblock(fd, true); err != nil { // or the runtime does not watch it
		_ = syscall.Close(fd)
		return nil, fmt.Errorf("socket: %w", os.NewSyscallError("fcntl", err))
	}
	p := &Poller{file: os.NewFile(uintptr(fd), "epoll"), done: make(chan struct{})}
	p.slots.Store(new([]atomic.Pointer[Conn]))
	if p.raw, err = p.file.SyscallConn(); err != nil {
		_ = p.file.Close()
		return nil, fmt.Errorf("socket: %w", err)
	}
	go p.run()
	return p, nil
}

// Close ends the goroutine. Sockets hear of no event any more: close them first.
func (p *Poller) Close() error {
	p.closing.Store(true)
	err := p.file.Close()
	<-p.done
	return err
}

// run tells sockets of their events until Close.
func (p *Poller) run() {
	defer close(p.done)
	events := make([]syscall.EpollEvent, 256)
	n := 0
	wait := func(fd uintptr) bool {
		n = poll(fd, events)
		for n == 0 && !p.closing.Load() && shared() {
			n = poll(fd, events)
		}
		return n > 0 || p.closing.Load()
	}
	for {
		if err := p.raw.Read(wait); err != nil {
			return
		}
		slots := *p.slots.Load()
		for i := range events[:n] {
			if c := slots[events[i].Fd].Load(); c != nil {
				c.happened(events[i].Events)
			}
		}
		runtime.Gosched() // they run first, and then whoever became ready meanwhile
	}
}

// shared lets others run, and reports whether there were any. While somebody computes, a
// merge of the store perhaps, the runtime asks its own poller every 10 ms only; clients
// would wait that long. So ours goes on asking, each time that the other one yields.
func shared() bool {
	begin := time.Now()
	runtime.Gosched()
	return time.Since(begin) > aTurn
}

// aTurn is more than it takes to yield to nobody.
const aTurn = 2 * time.Microsecond

// poll returns the events that there are.
func poll(fd uintptr, events []syscall.EpollEvent) int {
	for {
		n, _, e := syscall.RawSyscall6(syscall.SYS_EPOLL_PWAIT, fd, uintptr(unsafe.Pointer(unsafe.SliceData(events))), uintptr(len(events)), 0, 0, 0)
		if e == 0 {
			return int(n)
		}
		if e != syscall.EINTR {
			return 0
		}
	}
}

// Adopt takes over a connection: nc must not be used any more, and the one that it
// returns in its place is closed instead. What is no plain socket, and what cannot be
// taken over, it returns as it is.
func (p *Poller) Adopt(nc net.Conn) net.Conn {
	var sc syscall.Conn
	switch c := nc.(type) {
	case *net.TCPConn:
		sc = c
	case *net.UnixConn:
		sc = c
	default:
		return nc
	}
	fd, err := duplicate(sc)
	if err != nil {
		return nc
	}
	c := &Conn{poller: p, fd: fd, local: nc.LocalAddr(), remote: nc.RemoteAddr(), wake: make(chan struct{}, 1), more: true}
	if err := p.add(c); err != nil {
		_ = syscall.Close(fd)
		return nc
	}
	_ = nc.Close()
	return c
}

// duplicate returns a descriptor of the same socket that the runtime does not know.
func duplicate(sc syscall.Conn) (fd int, err error) {
	raw, err := sc.SyscallConn()
	if err != nil {
		return 0, err
	}
	var e syscall.Errno
	err = raw.Control(func(old uintptr) {
		var n uintptr
		n, _, e = syscall.RawSyscall(syscall.SYS_FCNTL, old, syscall.F_DUPFD_CLOEXEC, 0)
		fd = int(n)
	})
	if err == nil && e != 0 {
		err = e
	}
	return fd, err
}

// add gives a connection its slot and has its events watched.
func (p *Poller) add(c *Conn) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.free) == 0 {
		p.grow()
	}
	c.slot = p.free[len(p.free)-1]
	p.free = p.free[:len(p.free)-1]
	slot := &(*p.slots.Load())[c.slot]
	slot.Store(c)
	ev := syscall.EpollEvent{Events: interest, Fd: c.slot}
	var e error
	err := p.raw.Control(func(fd uintptr) { e = syscall.EpollCtl(int(fd), syscall.EPOLL_CTL_ADD, c.fd, &ev) })
	if err == nil {
		err = e
	}
	if err != nil {
		slot.Store(nil)
		p.free = append(p.free, c.slot)
	}
	return err
}

// grow makes more slots. p.mu is held.
func (p *Poller) grow() {
	old := *p.slots.Load()
	slots := make([]atomic.Pointer[Conn], max(64, 2*len(old)))
	for i := range old {
		slots[i].Store(old[i].Load())
	}
	for i := len(slots) - 1; i >= len(old); i-- {
		p.free = append(p.free, int32(i))
	}
	p.slots.Store(&slots)
}

// remove takes back the slot of a connection whose descriptor was closed, which has
// ended the watch. An event that was on its way meets nobody, or whoever has the slot
// next, who looks for nothing once.
func (p *Poller) remove(c *Conn) {
	p.mu.Lock()
	(*p.slots.Load())[c.slot].Store(nil)
	p.free = append(p.free, c.slot)
	p.mu.Unlock()
}
