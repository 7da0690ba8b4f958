package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ringwood-kv/ringwood/cluster/replica"
	"github.com/ringwood-kv/ringwood/lsm"
)

// TestNoStore gives the commands what is no store.
func TestNoStore(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, []byte("no log, no table"), 0o600); err != nil {
		t.Fatal(err)
	}
	dst := filepath.Join(dir, "dst")
	for _, x := range []struct {
		want string
		args []string
	}{
		{"there is no store", []string{"check", dir}},
		{"there is no store", []string{"stats", dir}},
		{"there is no store", []string{"salvage", dir, dst}},
		{"there is no store", []string{"dump", "table", dir}},
		{"is not a directory", []string{"check", file}},
		{"is not a directory", []string{"stats", file}},
		{"is not a directory", []string{"salvage", file, dst}},
		{"not a directory", []string{"check", filepath.Join(file, "data")}},
		{"footer is lost", []string{"dump", "table", file}},
	} {
		_, errs := kvctl(t, 1, x.args...)
		if !strings.Contains(errs, x.want) || !strings.Contains(errs, dir) {
			t.Errorf("%v: %s", x.args, errs)
		}
	}
	for _, kind := range []string{"wal", "manifest"} {
		if out, _ := kvctl(t, 1, "dump", kind, file); !strings.Contains(out, "DAMAGED: no whole frame") {
			t.Errorf("dump %s: %s", kind, out)
		}
	}
	if _, err := os.Stat(dst); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("salvage of no store left %s: %v", dst, err)
	}
	src := store(t)
	if _, errs := kvctl(t, 1, "salvage", src, file); !strings.Contains(errs, file) || !strings.Contains(errs, "not a directory") {
		t.Errorf("salvage into a file: %s", errs)
	}
}

// TestDumpTruncated cuts files in half: what is left is shown, and that the rest is
// not there.
func TestDumpTruncated(t *testing.T) {
	dir := store(t)
	for _, x := range []struct {
		kind, name, want string
		out              bool // it shows damage, else it is an error
	}{
		{"wal", "*.log", `SET "key00000"`, true},
		{"manifest", "MANIFEST-*", "header", true},
		{"table", "*.sst", "", false},
		{"blob", "*.blob", "", false},
	} {
		names, err := filepath.Glob(filepath.Join(dir, x.name))
		if err != nil || len(names) == 0 {
			t.Fatal(names, err)
		}
		info, err := os.Stat(names[0])
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Truncate(names[0], info.Size()/2); err != nil {
			t.Fatal(err)
		}
		out, errs := kvctl(t, 1, "dump", x.kind, names[0])
		if !strings.Contains(out, x.want) || !strings.Contains(out, "DAMAGED") || !x.out && !strings.Contains(errs, names[0]+": the footer is lost") {
			t.Errorf("%s: %.500s %s", x.kind, out, errs)
		}
	}
}

// TestForbidden takes the right to read away: from a file, then from the directory.
func TestForbidden(t *testing.T) {
	dir := store(t)
	name := tables(t, dir)[0]
	if err := os.Chmod(name, 0); err != nil {
		t.Fatal(err)
	}
	if f, err := os.Open(name); err == nil {
		f.Close()
		t.Skip("permissions do not bind this user")
	}
	out, _ := kvctl(t, 1, "check", dir)
	if !strings.Contains(out, "unread: "+name) || !strings.Contains(out, "the user who owns the files") || strings.Contains(out, "damage: ") {
		t.Errorf("check: %s", out)
	}
	if out, _ := kvctl(t, 1, "stats", dir); !strings.Contains(out, "unread: "+name) {
		t.Errorf("stats: %s", out)
	}
	if out, _ := kvctl(t, 1, "salvage", dir, filepath.Join(t.TempDir(), "dst")); !strings.Contains(out, "lost: "+name) || !strings.Contains(out, "may be whole") {
		t.Errorf("salvage: %s", out)
	}
	if _, errs := kvctl(t, 1, "dump", "table", name); !strings.Contains(errs, name) || !strings.Contains(errs, "next: run kvctl as the user") {
		t.Errorf("dump: %s", errs)
	}
	if err := os.Chmod(dir, 0); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = os.Chmod(dir, 0o700) }()
	for _, args := range [][]string{{"check", dir}, {"stats", dir}, {"dump", "wal", dir}, {"salvage", dir, filepath.Join(t.TempDir(), "dst")}} {
		if _, errs := kvctl(t, 1, args...); !strings.Contains(errs, dir) || !strings.Contains(errs, "next: run kvctl as the user") {
			t.Errorf("%v: %s", args, errs)
		}
	}
}

// TestOpenStore looks at a store that this process has open and writes: its lock is
// left alone, and nothing looks damaged.
func TestOpenStore(t *testing.T) {
	dir := store(t)
	db, err := lsm.Open(dir, &lsm.Options{Memory: 8 << 20, Durability: lsm.None})
	if err != nil {
		t.Fatal(err)
	}
	lock, err := os.ReadFile(filepath.Join(dir, "LOCK"))
	if err != nil || len(lock) == 0 {
		t.Fatal(string(lock), err)
	}
	stop, done := make(chan struct{}), make(chan error)
	go func() {
		var err error
		for i := 0; err == nil; i++ {
			select {
			case <-stop:
				done <- db.Close()
				return
			default:
			}
			err = db.Put(fmt.Appendf(nil, "key%05d", i%3000), make([]byte, 200))
			if err == nil && i%500 == 0 {
				err = db.Flush()
			}
		}
		done <- err
	}()
	for range 3 {
		if out, _ := kvctl(t, 0, "check", dir); !strings.Contains(out, "no damage") || !strings.Contains(out, "while it is open") {
			t.Errorf("check: %s", out)
		}
		if out, _ := kvctl(t, 0, "stats", dir); !strings.Contains(out, "amplification") {
			t.Errorf("stats: %s", out)
		}
	}
	if now, err := os.ReadFile(filepath.Join(dir, "LOCK")); err != nil || !bytes.Equal(now, lock) {
		t.Errorf("LOCK was changed from %q to %q, %v", lock, now, err)
	}
	close(stop)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

// A node on a salvaged store goes on as somebody else.
func TestSalvagedNode(t *testing.T) {
	src, dst := t.TempDir(), filepath.Join(t.TempDir(), "dst")
	now := time.Now().UnixMilli()
	for _, dir := range []string{src, dst} {
		r, err := replica.Open(dir, now, &replica.Options{Create: replica.Creation{Partitions: 16}})
		if err != nil {
			t.Fatal(err)
		}
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
		if o := r.Opened(); o.Created != (dir == src) || (o.NewActor != "") != (dir == dst) {
			t.Errorf("%s: %+v", dir, o)
		}
		if dir == src {
			kvctl(t, 0, "salvage", src, dst)
		}
	}
}
