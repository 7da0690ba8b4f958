package resptest

import (
	"bytes"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// StartRedis starts a redis-server 7.0 of its own, without files, and ends it with the
// test. Without such a program on the PATH the test is skipped.
func StartRedis(tb testing.TB) (network, addr string) {
	tb.Helper()
	program, err := exec.LookPath("redis-server")
	if err != nil {
		tb.Skip("redis-server is not on the PATH: on Debian it is in the package redis-server; nothing to compare with")
	}
	version, err := exec.Command(program, "--version").CombinedOutput()
	if err != nil || !bytes.Contains(version, []byte("v=7.0.")) {
		tb.Skipf("want redis-server 7.0, this is %q (%v)", bytes.TrimSpace(version), err)
	}
	dir, err := os.MkdirTemp("", "rw") // the path of a socket is limited to 107 bytes
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = os.RemoveAll(dir) })
	addr = filepath.Join(dir, "s")
	var output bytes.Buffer
	// The shell ends the server when its input ends: also when the test is killed.
	cmd := exec.Command("sh", "-c", `"$@" & p=$!; cat >/dev/null; kill -9 $p; wait $p`, "sh", program, "--port", "0", "--unixsocket", addr, "--save", "", "--appendonly", "no", "--dir", dir, "--daemonize", "no")
	cmd.Stdout, cmd.Stderr = &output, &output
	stdin, err := cmd.StdinPipe()
	if err != nil {
		tb.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		tb.Fatal(err)
	}
	end := func() {
		_ = stdin.Close()
		_ = cmd.Wait()
	}
	tb.Cleanup(end)
	for range 500 {
		if c, err := net.Dial("unix", addr); err == nil {
			_ = c.Close()
			return "unix", addr
		}
		time.Sleep(20 * time.Millisecond)
	}
	end()
	tb.Fatalf("redis-server does not listen:\n%s", output.Bytes())
	return "", ""
}
