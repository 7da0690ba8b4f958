// Package resptest has servers for tests of what speaks RESP to one: a small one within
// the process, which can be made slow, wrong or silent, and redis-server where it is
// installed. Neither is for anything else.
package resptest

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"maps"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// Server keeps keys in a map for each database, and knows the commands that a measurement
// needs. The fields are set before Start.
type Server struct {
	// Hook, if set, sees each command, with its name in capital letters. With ok its reply
	// is sent as it is, or nothing if it is empty; else the server answers itself.
	Hook func(name string, args []string) (reply string, ok bool)
	// User and Password are asked for by AUTH if the latter is set.
	User, Password string
	// Info is what INFO answers; "" means that of a Redis at rest.
	Info string
	TLS  *tls.Config

	// Addr is where the server listens.
	Addr string

	mu    sync.Mutex
	dbs   map[string]map[string]string
	conns map[net.Conn]bool
	count map[string]int
	wg    sync.WaitGroup
}

// Start starts the server and ends it with the test.
func (s *Server) Start(tb testing.TB) *Server {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	s.Addr = l.Addr().String()
	if s.TLS != nil {
		l = tls.NewListener(l, s.TLS)
	}
	s.dbs, s.conns, s.count = make(map[string]map[string]string), make(map[net.Conn]bool), make(map[string]int)
	s.wg.Go(func() { s.accept(l) })
	tb.Cleanup(func() {
		_ = l.Close()
		s.Hangup()
		s.wg.Wait()
	})
	return s
}

// Hangup closes all connections.
func (s *Server) Hangup() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.conns {
		_ = c.Close()
	}
}

// Keys returns a copy of a database.
func (s *Server) Keys(db string) map[string]string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.dbs[db])
}

// Set writes a key, as some other client would.
func (s *Server) Set(db, key, value string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.db(db)[key] = value
}

// Count returns how often a command was received.
func (s *Server) Count(name string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.count[name]
}

// db returns a database, with mu locked.
func (s *Server) db(name string) map[string]string {
	if s.dbs[name] == nil {
		s.dbs[name] = make(map[string]string)
	}
	return s.dbs[name]
}

func (s *Server) accept(l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		s.mu.Lock()
		s.conns[c] = true
		s.mu.Unlock()
		s.wg.Go(func() {
			s.serve(c)
			_ = c.Close()
			s.mu.Lock()
			delete(s.conns, c)
			s.mu.Unlock()
		})
	}
}

// client is what the server knows of a connection.
type client struct {
	db     string
	in     bool       // logged in
	queued [][]string // within MULTI; nil outside
}

func (s *Server) serve(c net.Conn) {
	r, w := bufio.NewReader(c), bufio.NewWriter(c)
	state := &client{db: "0", in: s.Password == ""}
	for {
		args, err := request(r)
		if err != nil {
			return
		}
		if _, err := w.WriteString(s.answer(state, args)); err != nil {
			return
		}
		if r.Buffered() == 0 && w.Flush() != nil {
			return
		}
	}
}

// request reads a command: an array of strings.
func request(r *bufio.Reader) ([]string, error) {
	n, err := length(r, '*')
	if err != nil {
		return nil, err
	}
	args := make([]string, n)
	for i := range args {
		size, err := length(r, '$')
		if err != nil {
			return nil, err
		}
		b := make([]byte, size+2)
		if _, err := io.ReadFull(r, b); err != nil {
			return nil, err
		}
		args[i] = string(b[:size])
	}
	return args, nil
}

func length(r *bufio.Reader, mark byte) (int, error) {
	line, err := r.ReadString('\n')
	if err != nil {
		return 0, err
	}
	if line[0] != mark {
		return 0, fmt.Errorf("%q does not begin with %q", line, mark)
	}
	n, err := strconv.Atoi(strings.TrimRight(line[1:], "\r\n"))
	if err != nil || n < 0 || n > 1<<24 {
		return 0, fmt.Errorf("the length %q", line)
	}
	return n, nil
}

func (s *Server) answer(c *client, args []string) string {
	if len(args) == 0 {
		return "-ERR empty command\r\n"
	}
	name := strings.ToUpper(args[0])
	s.mu.Lock()
	s.count[name]++
	s.mu.Unlock()
	if s.Hook != nil {
		if reply, ok := s.Hook(name, args[1:]); ok {
			return reply
		}
	}
	switch {
	case name == "AUTH":
		return s.auth(c, args[1:])
	case !c.in:
		return "-NOAUTH Authentication required.\r\n"
	case c.queued != nil && name == "EXEC":
		queued := c.queued
		c.queued = nil
		reply := fmt.Sprintf("*%d\r\n", len(queued))
		for _, q := range queued {
			reply += s.do(c, q)
		}
		return reply
	case c.queued != nil:
		c.queued = append(c.queued, args)
		return "+QUEUED\r\n"
	case name == "MULTI":
		c.queued = [][]string{}
		return "+OK\r\n"
	}
	return s.do(c, args)
}

func (s *Server) auth(c *client, args []string) string {
	switch {
	case s.Password == "":
		return "-ERR AUTH <password> called without any password configured for the default user.\r\n"
	case len(args) == 1 && s.User == "" && args[0] == s.Password, len(args) == 2 && args[0] == s.User && args[1] == s.Password:
		c.in = true
		return "+OK\r\n"
	}
	return "-WRONGPASS invalid username-password pair or user is disabled.\r\n"
}

// atRest is what a Redis says that does nothing.
const atRest = "# Server\r\nredis_version:7.0.0\r\nrun_id:%s\r\n# Memory\r\nused_memory_rss:12345678\r\n# CPU\r\nused_cpu_sys:1.500000\r\nused_cpu_user:2.500000\r\n"

func (s *Server) do(c *client, args []string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	db := s.db(c.db)
	switch name := strings.ToUpper(args[0]); {
	case name == "ECHO" && len(args) == 2:
		return bulk(args[1])
	case name == "SELECT" && len(args) == 2:
		c.db = args[1]
	case name == "SET" && len(args) == 3:
		db[args[1]] = args[2]
	case name == "MSET" && len(args) > 1 && len(args)%2 == 1:
		for i := 1; i < len(args); i += 2 {
			db[args[i]] = args[i+1]
		}
	case name == "GET" && len(args) == 2:
		v, ok := db[args[1]]
		if !ok {
			return "$-1\r\n"
		}
		return bulk(v)
	case name == "DEL" && len(args) == 2:
		_, ok := db[args[1]]
		delete(db, args[1])
		return fmt.Sprintf(":%d\r\n", map[bool]int{true: 1}[ok])
	case name == "DBSIZE":
		return fmt.Sprintf(":%d\r\n", len(db))
	case name == "FLUSHDB":
		clear(db)
	case name == "CONFIG" && len(args) == 3 && args[2] == "appendfsync":
		return "*2\r\n" + bulk(args[2]) + bulk("everysec")
	case name == "CONFIG":
		return "*0\r\n"
	case name == "INFO":
		if s.Info == "" {
			return bulk(fmt.Sprintf(atRest, s.Addr))
		}
		return bulk(s.Info)
	default:
		return fmt.Sprintf("-ERR unknown command '%s'\r\n", args[0])
	}
	return "+OK\r\n"
}

func bulk(s string) string { return fmt.Sprintf("$%d\r\n%s\r\n", len(s), s) }

// Nth returns a Hook that answers the n-th command of a name, from 1, and each after it
// if always is set, as reply says. It is safe for concurrent use.
func Nth(name string, n int, always bool, reply string) func(string, []string) (string, bool) {
	var mu sync.Mutex
	seen := 0
	return func(got string, _ []string) (string, bool) {
		if got != name {
			return "", false
		}
		mu.Lock()
		defer mu.Unlock()
		seen++
		return reply, seen == n || always && seen > n
	}
}

// Slow returns a Hook that takes a time for each command of a name.
func Slow(name string, d time.Duration) func(string, []string) (string, bool) {
	return func(got string, _ []string) (string, bool) {
		if got == name {
			time.Sleep(d)
		}
		return "", false
	}
}
