// Package notify tells systemd how a service is: sd_notify(3) without a library, which is
// a datagram to the socket that NOTIFY_SOCKET names.
//
//	s := notify.FromEnv(os.Environ())
//	s.Starting("37% of the log", time.Minute) // and at least so long until the next word
//	s.Ready("serving")
//	stop := s.Watch(healthy)                  // as often as WATCHDOG_USEC asks for
//	s.Stopping(time.Minute)
//
// Where nobody asked to be told, all of it does nothing. A socket that cannot be written
// to is no reason for a service to fail, and nobody hears of it: systemd notices.
package notify

import (
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"time"
)

// Socket is where systemd listens. The zero Socket does nothing.
type Socket struct {
	addr     string
	watchdog time.Duration // within which systemd wants to hear of life; 0: it does not
}

// FromEnv returns the socket that an environment names.
func FromEnv(env []string) (s Socket) {
	watch, pid := "", ""
	for _, e := range env {
		switch name, value, _ := strings.Cut(e, "="); name {
		case "NOTIFY_SOCKET":
			s.addr = value
		case "WATCHDOG_USEC":
			watch = value
		case "WATCHDOG_PID":
			pid = value
		}
	}
	if pid != "" && pid != strconv.Itoa(os.Getpid()) { // for a parent of ours
		return s
	}
	if n, err := strconv.ParseInt(watch, 10, 64); err == nil && n > 0 {
		s.watchdog = time.Duration(n) * time.Microsecond
	}
	return s
}

// send sends lines of NAME=VALUE. An address that begins with @ is in the abstract name
// space of Linux, which package net knows.
func (s Socket) send(lines ...string) {
	if s.addr == "" {
		return
	}
	c, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: s.addr, Net: "unixgram"})
	if err != nil {
		return
	}
	defer c.Close()
	_ = c.SetWriteDeadline(time.Now().Add(time.Second))
	_, _ = c.Write([]byte(strings.Join(lines, "\n")))
}

// Starting says what the start is at, and asks systemd for so much time until the next
// word.
func (s Socket) Starting(text string, more time.Duration) {
	s.send("STATUS="+oneLine(text), fmt.Sprintf("EXTEND_TIMEOUT_USEC=%d", more.Microseconds()))
}

// Ready says that the service does its work.
func (s Socket) Ready(text string) { s.send("READY=1", "STATUS="+oneLine(text)) }

// Stopping says that the service has begun to stop, and asks systemd for so much time.
func (s Socket) Stopping(more time.Duration) {
	s.send("STOPPING=1", "STATUS=stopping", fmt.Sprintf("EXTEND_TIMEOUT_USEC=%d", more.Microseconds()))
}

// Watch tells systemd of life as often as it wants to hear of it, as long as alive says
// so. Stop ends that and waits for it.
func (s Socket) Watch(alive func() bool) (stop func()) {
	if s.addr == "" || s.watchdog == 0 {
		return func() {}
	}
	quit, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		t := time.NewTicker(max(s.watchdog/2, time.Millisecond))
		defer t.Stop()
		for {
			if alive() {
				s.send("WATCHDOG=1")
			}
			select {
			case <-quit:
				return
			case <-t.C:
			}
		}
	}()
	return func() {
		close(quit)
		<-done
	}
}

// oneLine keeps a text from becoming another message.
func oneLine(s string) string { return strings.NewReplacer("\n", " ", "\r", " ").Replace(s) }
