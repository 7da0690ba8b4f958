package vfs

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

const lockEnv = "RINGWOOD_VFS_TEST_LOCK"

// TestMain lets the test binary serve as the other process: it takes the lock
// named in the environment, says how that went, and holds it until its standard
// input ends.
func TestMain(m *testing.M) {
	name := os.Getenv(lockEnv)
	if name == "" {
		os.Exit(m.Run())
	}
	_, err := OS.Lock(name, fmt.Sprintf("process %d", os.Getpid()))
	var locked *LockedError
	switch {
	case errors.As(err, &locked):
		fmt.Println("locked by", locked.Holder)
	case err != nil:
		fmt.Println("failed:", err)
	default:
		fmt.Println("ok")
	}
	_, _ = io.Copy(io.Discard, os.Stdin)
	os.Exit(0)
}

type locker struct {
	cmd  *exec.Cmd
	in   io.Closer
	said string
}

func startLocker(t *testing.T, name string) *locker {
	t.Helper()
	exe, err := os.Executable()
	must(t, err)
	cmd := exec.Command(exe)
	cmd.Env = append(os.Environ(), lockEnv+"="+name)
	in, err := cmd.StdinPipe()
	must(t, err)
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	line, err := bufio.NewReader(out).ReadString('\n')
	must(t, err)
	return &locker{cmd, in, strings.TrimSpace(line)}
}

func (l *locker) stop() {
	l.in.Close()
	_ = l.cmd.Wait()
}

func TestLockBetweenProcesses(t *testing.T) {
	name := filepath.Join(t.TempDir(), "LOCK")
	here, err := OS.Lock(name, "the test")
	must(t, err)
	p := startLocker(t, name)
	if p.stop(); p.said != "locked by the test" {
		t.Fatalf("the other process said %q", p.said)
	}
	must(t, here.Close())

	p = startLocker(t, name)
	if p.said != "ok" {
		t.Fatalf("the other process said %q", p.said)
	}
	_, err = OS.Lock(name, "the test")
	wantLocked(t, err, fmt.Sprintf("process %d", p.cmd.Process.Pid))
	must(t, p.cmd.Process.Kill()) // the lock goes with the process
	p.stop()
	here, err = OS.Lock(name, "the test")
	must(t, err)
	must(t, here.Close())
}

func TestLockBySymlinks(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("symlinks need a privilege")
	}
	dir := t.TempDir()
	must(t, os.Mkdir(filepath.Join(dir, "real"), 0o700))
	must(t, os.Symlink("real", filepath.Join(dir, "alias")))
	l, err := OS.Lock(filepath.Join(dir, "real", "LOCK"), "me")
	must(t, err)
	_, err = OS.Lock(filepath.Join(dir, "alias", "LOCK"), "you")
	wantLocked(t, err, "me")
	must(t, l.Close())
}

func TestLockKeepsForeignTextShort(t *testing.T) {
	name := filepath.Join(t.TempDir(), "LOCK")
	p := startLocker(t, name)
	defer p.stop()
	junk := append([]byte("\xff"), make([]byte, 1<<20)...)
	if err := os.WriteFile(name, junk, 0o600); err != nil {
		t.Skip(err) // mandatory locks
	}
	_, err := OS.Lock(name, "x")
	var locked *LockedError
	if !errors.As(err, &locked) || len(locked.Holder) > maxHolder || locked.Holder[0] != '?' {
		t.Fatal(err)
	}
}
