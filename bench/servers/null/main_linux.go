package main

import (
	"bytes"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"syscall"
)

func main() {
	address := flag.String("address", "127.0.0.1:17005", "to listen on, IPv4")
	flag.Parse()
	fmt.Fprintln(os.Stderr, "null:", serve(*address))
	os.Exit(1)
}

var (
	ok    = []byte("+OK\r\n")
	value = append(append([]byte("$100\r\n"), bytes.Repeat([]byte("x"), 100)...), "\r\n"...)
	saves = []byte("*2\r\n$4\r\nsave\r\n$0\r\n\r\n") // to CONFIG GET
)

// serve is one loop over all connections, until something fails. It never sleeps, or whoever
// sends would spend its time with waking it.
func serve(address string) error {
	a, err := netip.ParseAddrPort(address)
	if err != nil || !a.Addr().Is4() {
		return fmt.Errorf("address %q: want an IPv4 address and a port", address)
	}
	listener, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_NONBLOCK, 0)
	if err != nil {
		return fmt.Errorf("socket: %w", err)
	}
	if err := syscall.Bind(listener, &syscall.SockaddrInet4{Port: int(a.Port()), Addr: a.Addr().As4()}); err != nil {
		return fmt.Errorf("bind %s: %w", address, err)
	}
	if err := syscall.Listen(listener, 128); err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	poller, err := syscall.EpollCreate1(0)
	if err != nil {
		return fmt.Errorf("epoll: %w", err)
	}
	watch := func(fd int) error {
		return syscall.EpollCtl(poller, syscall.EPOLL_CTL_ADD, fd, &syscall.EpollEvent{Events: syscall.EPOLLIN, Fd: int32(fd)})
	}
	if err := watch(listener); err != nil {
		return fmt.Errorf("epoll: %w", err)
	}
	events, in, out := make([]syscall.EpollEvent, 128), make([]byte, 64<<10), []byte(nil)
	for {
		n, err := syscall.EpollWait(poller, events, 0)
		if err != nil && err != syscall.EINTR {
			return fmt.Errorf("epoll: %w", err)
		}
		for _, e := range events[:max(n, 0)] {
			fd := int(e.Fd)
			if fd == listener {
				if err := accept(listener, watch); err != nil {
					return err
				}
				continue
			}
			n, err := syscall.Read(fd, in)
			if n <= 0 || err != nil {
				_ = syscall.Close(fd)
				continue
			}
			out = answer(out[:0], in[:n])
			if _, err := syscall.Write(fd, out); err != nil {
				_ = syscall.Close(fd)
			}
		}
	}
}

func accept(listener int, watch func(int) error) error {
	fd, _, err := syscall.Accept(listener)
	if err != nil {
		return fmt.Errorf("accept: %w", err)
	}
	if err := syscall.SetsockoptInt(fd, syscall.IPPROTO_TCP, syscall.TCP_NODELAY, 1); err != nil {
		return fmt.Errorf("socket option: %w", err)
	}
	return watch(fd)
}

// answer appends the answers to the requests that begin in b.
func answer(out, b []byte) []byte {
	reply := value
	switch {
	case bytes.Contains(b, []byte("CONFIG\r\n")):
		reply = saves
	case bytes.Contains(b, []byte("*3\r\n")):
		reply = ok
	}
	for range bytes.Count(b, []byte("*")) {
		out = append(out, reply...)
	}
	return out
}
