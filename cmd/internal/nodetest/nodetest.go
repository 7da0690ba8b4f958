// Package nodetest runs the real kvnode for the tests of the programs: on ports of its own
// of 127.0.0.1, with a store in a directory of the test.
//
//	func TestMain(m *testing.M) { os.Exit(nodetest.Main(m, "kvnode")) }
//
//	p := nodetest.Start(t, nodetest.Options{Args: []string{"--durability", "os"}})
//	p.Dial(t).Want("+PONG", "PING")
//	status, body := p.Get(t, "/readyz")
//	p.Stop(t)
package nodetest

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/ringwood-kv/ringwood/cluster/resp/resptest"
)

// Patience is how long a test waits for what has to happen soon.
const Patience = 20 * time.Second

var programs = map[string]string{}

// Main builds programs of this module, runs the tests and returns the exit status.
func Main(m *testing.M, names ...string) int {
	dir, err := os.MkdirTemp("", "nodetest")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = os.RemoveAll(dir) }()
	for _, name := range names {
		programs[name] = filepath.Join(dir, name+".exe")
		args := []string{"build"}
		if name == "kvnode" { // the others have one goroutine, and start often
			args = append(args, race...)
		}
		args = append(args, "-o", programs[name], "github.com/ringwood-kv/ringwood/cmd/"+name)
		build := exec.Command("go", args...)
		if out, err := build.CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "building %s: %v\n%s", name, err, out)
			return 1
		}
	}
	return m.Run()
}

// Program returns the path of one that Main has built.
func Program(name string) string { return programs[name] }

// Run runs a program to its end, with no environment but what is given.
func Run(t testing.TB, name string, env, args []string) (status int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	c := exec.Command(programs[name], args...)
	c.Env, c.Stdout, c.Stderr = append([]string{"PATH=" + os.Getenv("PATH")}, env...), &out, &errs
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	timer := time.AfterFunc(Patience, func() { _ = c.Process.Kill() })
	defer timer.Stop()
	_ = c.Wait() // the status says it
	return c.ProcessState.ExitCode(), out.String(), errs.String()
}

// Options of a node.
type Options struct {
	Dir  string   // of the store; "" for a new one
	Env  []string // beside PATH
	Args []string // beside the directory, the addresses and little memory
	TLS  *tls.Config
	// NoWait returns at once: the node may never serve.
	NoWait bool
}

// Process is a node that runs.
type Process struct {
	Dir        string
	RESP, HTTP string // HOST:PORT
	Cmd        *exec.Cmd
	tls        *tls.Config
	client     *http.Client

	mu     sync.Mutex
	lines  []string
	more   *sync.Cond
	closed bool
	ended  chan struct{}
}

// Start starts a node and waits until it serves. The test kills it at its end, if nobody
// has stopped it before.
func Start(t testing.TB, o Options) *Process {
	t.Helper()
	if o.Dir == "" {
		o.Dir = filepath.Join(t.TempDir(), "store")
	}
	args := append([]string{"--data-dir", o.Dir, "--resp-addr", "127.0.0.1:0", "--http-addr", "127.0.0.1:0", "--memory", "8MiB"}, o.Args...)
	p := &Process{Dir: o.Dir, Cmd: exec.Command(programs["kvnode"], args...), tls: o.TLS, ended: make(chan struct{})}
	p.more = sync.NewCond(&p.mu)
	p.client = &http.Client{Transport: &http.Transport{TLSClientConfig: o.TLS}, Timeout: Patience}
	p.Cmd.Env = append([]string{"PATH=" + os.Getenv("PATH")}, o.Env...)
	out, err := p.Cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go p.read(out)
	t.Cleanup(func() {
		_ = p.Cmd.Process.Kill()
		<-p.ended
		p.client.CloseIdleConnections()
		if t.Failed() {
			t.Logf("the log of kvnode:\n%s", p.Log())
		}
	})
	if o.NoWait {
		return p
	}
	line := p.WaitFor(t, "serving", "resp")
	var serving struct{ RESP, HTTP string }
	if json.Unmarshal([]byte(line), &serving) != nil { // text
		for field := range strings.FieldsSeq(line) {
			if a, ok := strings.CutPrefix(field, "resp="); ok {
				serving.RESP = a
			}
			if a, ok := strings.CutPrefix(field, "http="); ok {
				serving.HTTP = a
			}
		}
	}
	p.RESP, p.HTTP = serving.RESP, serving.HTTP
	return p
}

func (p *Process) read(r io.Reader) {
	s := bufio.NewScanner(r)
	s.Buffer(nil, 1<<20)
	for s.Scan() {
		p.mu.Lock()
		p.lines = append(p.lines, s.Text())
		p.mu.Unlock()
		p.more.Broadcast()
	}
	_ = p.Cmd.Wait()
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	p.more.Broadcast()
	close(p.ended)
}

// Log returns what the node has written.
func (p *Process) Log() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return strings.Join(p.lines, "\n")
}

// WaitFor waits for a line of the log with all of the words, and returns the first.
func (p *Process) WaitFor(t testing.TB, words ...string) string {
	t.Helper()
	timer := time.AfterFunc(Patience, p.more.Broadcast)
	defer timer.Stop()
	deadline := time.Now().Add(Patience - time.Millisecond)
	p.mu.Lock()
	defer p.mu.Unlock()
	for seen := 0; ; {
		for ; seen < len(p.lines); seen++ {
			all := true
			for _, w := range words {
				all = all && strings.Contains(p.lines[seen], w)
			}
			if all {
				return p.lines[seen]
			}
		}
		if p.closed || time.Now().After(deadline) {
			t.Fatalf("no line with %q in the log of kvnode:\n%s", words, strings.Join(p.lines, "\n"))
		}
		p.more.Wait()
	}
}

// Signal sends a signal.
func (p *Process) Signal(t testing.TB, s syscall.Signal) {
	t.Helper()
	if err := p.Cmd.Process.Signal(s); err != nil {
		t.Fatal(err)
	}
}

// Wait waits for the end and returns the exit status.
func (p *Process) Wait(t testing.TB) int {
	t.Helper()
	select {
	case <-p.ended:
	case <-time.After(Patience):
		t.Fatal("kvnode does not end")
	}
	return p.Cmd.ProcessState.ExitCode()
}

// Ended reports whether the process has ended.
func (p *Process) Ended() bool {
	select {
	case <-p.ended:
		return true
	default:
		return false
	}
}

// Stop stops the node in order.
func (p *Process) Stop(t testing.TB) {
	t.Helper()
	p.Signal(t, syscall.SIGTERM)
	if status := p.Wait(t); status != 0 {
		t.Errorf("kvnode ended with %d", status)
	}
}

// Kill ends the node as kill -9 does.
func (p *Process) Kill(t testing.TB) {
	t.Helper()
	p.Signal(t, syscall.SIGKILL)
	p.Wait(t)
}

// URL returns that of a path.
func (p *Process) URL(path string) string {
	if p.tls != nil {
		return "https://" + p.HTTP + path
	}
	return "http://" + p.HTTP + path
}

// Get asks for a page, with headers as NAME: VALUE.
func (p *Process) Get(t testing.TB, path string, headers ...string) (status int, body string) {
	t.Helper()
	return p.Do(t, http.MethodGet, path, "", headers...)
}

// Do sends a request.
func (p *Process) Do(t testing.TB, method, path, body string, headers ...string) (status int, answer string) {
	t.Helper()
	r, err := http.NewRequest(method, p.URL(path), strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		if name == "Host" {
			r.Host = value
		}
		r.Header.Set(name, value)
	}
	a, err := p.client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = a.Body.Close() }()
	b, err := io.ReadAll(a.Body)
	if err != nil {
		t.Fatal(err)
	}
	return a.StatusCode, string(b)
}

// Client is a connection over RESP.
type Client struct {
	Conn net.Conn
	r    *bufio.Reader
}

// Dial connects over RESP, with TLS if the node has it.
func (p *Process) Dial(t testing.TB) *Client {
	t.Helper()
	var c net.Conn
	var err error
	if p.tls != nil {
		c, err = tls.Dial("tcp", p.RESP, p.tls)
	} else {
		c, err = net.Dial("tcp", p.RESP)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return &Client{c, bufio.NewReader(c)}
}

// Do sends a command and returns the reply. The error is that of the connection.
func (c *Client) Do(args ...string) (resptest.Value, error) {
	_ = c.Conn.SetDeadline(time.Now().Add(Patience))
	if _, err := c.Conn.Write(resptest.Encode(nil, args...)); err != nil {
		return resptest.Value{}, err
	}
	return resptest.ReadValue(c.r)
}

// Want sends the words of a line as a command and compares the reply, of which an error
// has to have the beginning alone.
func (c *Client) Want(t testing.TB, want, line string) {
	t.Helper()
	v, err := c.Do(strings.Fields(line)...)
	if err != nil {
		t.Fatalf("%s: %v", line, err)
	}
	got := string(v.Kind) + v.Text
	if got != want && !(v.Kind == '-' && strings.HasPrefix(got, want)) {
		t.Errorf("%s: got %q, want %q", line, got, want)
	}
}

// TLS returns what clients of the node trust, to be changed at will; nil if it has none.
func (p *Process) TLS() *tls.Config { return p.tls.Clone() }
