package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ringwood-kv/ringwood/cluster"
	"github.com/ringwood-kv/ringwood/cmd/internal/nodetest"
	"github.com/ringwood-kv/ringwood/cmd/kvnode/internal/config"
)

// What systemd hears, on a socket in its place.
func TestNotify(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "notify")
	l, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Skip("no datagram sockets of that kind: ", err)
	}
	defer l.Close()
	wait := func(want string) {
		t.Helper()
		_ = l.SetReadDeadline(time.Now().Add(nodetest.Patience))
		b := make([]byte, 4096)
		for {
			n, err := l.Read(b)
			if err != nil {
				t.Fatalf("no %s: %v", want, err)
			}
			if strings.Contains("\n"+string(b[:n])+"\n", "\n"+want+"\n") {
				return
			}
		}
	}
	p := nodetest.Start(t, nodetest.Options{Env: []string{"NOTIFY_SOCKET=" + path, "WATCHDOG_USEC=200000"}})
	wait("STATUS=opening the store")
	wait("READY=1")
	wait("WATCHDOG=1")
	wait("WATCHDOG=1")
	p.Stop(t)
	wait("STOPPING=1\nSTATUS=stopping\nEXTEND_TIMEOUT_USEC=130000000")
}

// What a stop has to say is told apart: clients that were cut off, and a store that could
// not be closed.
func TestOnlyLate(t *testing.T) {
	late, other := context.DeadlineExceeded, errors.New("the disk")
	for _, x := range []struct {
		err  error
		want bool
	}{{late, true}, {errors.Join(late, late), true}, {errors.Join(other, late), false}, {other, false}} {
		if got := onlyLate(x.err); got != x.want {
			t.Errorf("%v: %v", x.err, got)
		}
	}
}

// Profiles are on an address of their own, for this machine.
func TestProfiles(t *testing.T) {
	t.Parallel()
	p := nodetest.Start(t, nodetest.Options{Args: []string{"--pprof-addr", "127.0.0.1:0"}})
	line := p.WaitFor(t, "serving profiles")
	_, rest, _ := strings.Cut(line, `"url":"`)
	url, _, _ := strings.Cut(rest, `"`)
	for host, want := range map[string]int{"": 200, "localhost:6060": 200, "[::1]:6060": 200, "evil.example": 403} {
		r, err := http.NewRequest(http.MethodGet, url+"goroutine?debug=1", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Host = host
		a, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = a.Body.Close()
		if a.StatusCode != want {
			t.Errorf("%q: %d, want %d", host, a.StatusCode, want)
		}
	}
}

func TestBar(t *testing.T) {
	var out bytes.Buffer
	b := &bar{w: &out}
	b.show(cluster.Progress{Done: 1 << 20, Total: 100 << 20, Elapsed: barAfter - 1})
	if out.Len() > 0 {
		t.Errorf("too early: %q", &out)
	}
	b.show(cluster.Progress{Done: 40 << 20, Total: 100 << 20, Elapsed: 4 * time.Second})
	b.show(cluster.Progress{Done: 41 << 20, Total: 100 << 20, Elapsed: 4 * time.Second}) // too soon after the other
	if got := out.String(); got != "\ropening the store: 40% of 100 MiB of log, 6s left" {
		t.Errorf("%q", got)
	}
	out.Reset()
	b.clear()
	if got := out.String(); !strings.HasPrefix(got, "\r  ") || !strings.HasSuffix(got, " \r") {
		t.Errorf("%q", got)
	}
	out.Reset()
	b.show(cluster.Progress{Done: 50 << 20, Total: 100 << 20, Elapsed: 5 * time.Second})
	newBar(&out).show(cluster.Progress{Done: 1, Total: 2, Elapsed: time.Hour}) // no terminal
	if out.Len() > 0 {
		t.Errorf("after the end: %q", &out)
	}
	if got := progressText(cluster.Progress{}); got != "its files" {
		t.Error(got)
	}
}

// The unit is one that systemd takes. ExecStart is a program that is here.
func TestUnit(t *testing.T) {
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Skip("there is no systemd-analyze")
	}
	b, err := os.ReadFile("kvnode.service")
	if err != nil {
		t.Fatal(err)
	}
	const program = "/usr/local/bin/kvnode"
	if strings.Count(string(b), program) == 0 {
		t.Fatalf("the unit does not start %s", program)
	}
	unit := filepath.Join(t.TempDir(), "kvnode.service")
	text := strings.ReplaceAll(string(b), program, nodetest.Program("kvnode"))
	if err := os.WriteFile(unit, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(analyze, "verify", "--man=no", unit).CombinedOutput()
	for line := range strings.Lines(string(out)) {
		if strings.Contains(line, "kvnode.service") {
			t.Errorf("%s", line)
		}
	}
	if err != nil {
		t.Logf("systemd-analyze: %v\n%s", err, out)
	}
}

// Whoever asks to reload without end does not keep anybody from stopping the process.
func TestStopAmongReloads(t *testing.T) {
	asked := newSignals()
	defer signal.Stop(asked.stop)
	defer signal.Stop(asked.reload)
	self, err := os.FindProcess(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	send := func(s os.Signal) {
		t.Helper()
		if err := self.Signal(s); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Millisecond) // signals that wait together are one
	}
	for range 20 {
		send(syscall.SIGHUP)
	}
	send(syscall.SIGTERM)
	select {
	case <-asked.stop:
	case <-time.After(nodetest.Patience):
		t.Fatal("nobody is told to stop")
	}
	if len(asked.reload) != 1 {
		t.Errorf("%d reloads wait", len(asked.reload))
	}
}

// Clients leave the store files to write into.
func TestConnections(t *testing.T) {
	for _, x := range []struct{ most, files, both, one int }{
		{16384, 0, 16384, 16384}, {16384, 1 << 20, 16384, 16384}, {16384, 20_000, 7480, 14960}, {100, 20_000, 100, 100},
		{16384, 1024, 364, 728}, {16384, 100, 17, 35}, {16384, 48, 1, 1},
	} {
		c := config.Config{RESPAddr: "127.0.0.1:1", HTTPAddr: "127.0.0.1:2", MaxConnections: x.most}
		if got := connections(&c, x.files); got != x.both {
			t.Errorf("%d of %d files, for both protocols: %d, want %d", x.most, x.files, got, x.both)
		}
		c.HTTPAddr = ""
		if got := connections(&c, x.files); got != x.one {
			t.Errorf("%d of %d files, for one protocol: %d, want %d", x.most, x.files, got, x.one)
		}
	}
}

// Nor does CONFIG SET take the files of the store.
func TestConfigSetConnections(t *testing.T) {
	t.Parallel()
	p := nodetest.Start(t, nodetest.Options{})
	p.Dial(t).Want(t, "-ERR CONFIG SET failed (possibly related to argument 'maxclients') - The operating system", "CONFIG SET maxclients 2147483647")
}

// Whoever reads the log may go away: that is no reason to die.
func TestLogReaderGone(t *testing.T) {
	t.Parallel()
	cmd := exec.Command(nodetest.Program("kvnode"), "--data-dir", filepath.Join(t.TempDir(), "store"), "--memory", "8MiB", "--resp-addr", "127.0.0.1:0", "--http-addr=")
	log, err := cmd.StderrPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cmd.Process.Kill() }()
	for s := bufio.NewScanner(log); s.Scan() && !strings.Contains(s.Text(), `"serving"`); {
	}
	_ = log.Close()
	for _, s := range []os.Signal{syscall.SIGHUP, syscall.SIGTERM} { // each logs something
		if err := cmd.Process.Signal(s); err != nil {
			t.Fatal(err)
		}
		time.Sleep(50 * time.Millisecond)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("the log went nowhere, and kvnode ended: %v", err)
	}
}
