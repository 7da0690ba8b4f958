package resptest

import (
	"bytes"
	"net"
	"os/exec"
	"testing"
	"time"
)

// StartRedis starts a redis-server of its own, without files, and ends it with the test.
// Without such a program on the PATH the test is skipped. It returns where it listens.
func StartRedis(tb testing.TB, options ...string) (addr string) {
	tb.Helper()
	program, err := exec.LookPath("redis-server")
	if err != nil {
		tb.Skip("redis-server is not on the PATH: on Debian it is in the package redis-server")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	addr = l.Addr().String()
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		tb.Fatal(err)
	}
	_ = l.Close() // for the server
	var output bytes.Buffer
	cmd := exec.Command(program, append([]string{"--bind", "127.0.0.1", "--port", port, "--save", "", "--appendonly", "no", "--dir", tb.TempDir()}, options...)...)
	cmd.Stdout, cmd.Stderr = &output, &output
	if err := cmd.Start(); err != nil {
		tb.Fatal(err)
	}
	end := func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}
	tb.Cleanup(end)
	for range 500 {
		if c, err := net.Dial("tcp", addr); err == nil {
			_ = c.Close()
			return addr
		}
		time.Sleep(20 * time.Millisecond)
	}
	end()
	tb.Fatalf("redis-server does not listen:\n%s", output.Bytes())
	return ""
}
