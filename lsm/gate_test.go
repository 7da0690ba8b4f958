package lsm_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ringwood-kv/ringwood/lsm"
	"github.com/ringwood-kv/ringwood/lsm/vfs"
)

// gateFS holds up those of its calls that the test is about until the gate is opened.
type gateFS struct {
	vfs.FS
	remove, read func(name string) bool
	reached      chan struct{} // holds one
	gate         chan struct{}
	once         sync.Once
}

func newGateFS() *gateFS {
	never := func(string) bool { return false }
	return &gateFS{FS: vfs.NewMem(), remove: never, read: never, reached: make(chan struct{}, 1), gate: make(chan struct{})}
}

// open lets everybody through, for good.
func (f *gateFS) open() { f.once.Do(func() { close(f.gate) }) }

func (f *gateFS) wait() {
	select {
	case f.reached <- struct{}{}:
	default:
	}
	<-f.gate
}

func (f *gateFS) Remove(name string) error {
	if f.remove(name) {
		f.wait()
	}
	return f.FS.Remove(name)
}

func (f *gateFS) Open(name string) (vfs.File, error) {
	file, err := f.FS.Open(name)
	if err != nil {
		return nil, err
	}
	return gateFile{file, f, name}, nil
}

type gateFile struct {
	vfs.File
	fs   *gateFS
	name string
}

func (f gateFile) ReadAt(p []byte, off int64) (int, error) {
	if f.fs.read(f.name) {
		f.fs.wait()
	}
	return f.File.ReadAt(p, off)
}

// soon fails unless c has something before long.
func soon[T any](t *testing.T, c <-chan T, what string) (v T) {
	t.Helper()
	select {
	case v = <-c:
	case <-time.After(20 * time.Second):
		buf := make([]byte, 1<<16)
		t.Fatalf("%s: nothing happens\n%s", what, buf[:runtime.Stack(buf, true)])
	}
	return v
}

// notYet fails if c has something.
func notYet[T any](t *testing.T, c <-chan T, what string) {
	t.Helper()
	select {
	case v := <-c:
		t.Fatalf("%s: %v", what, v)
	case <-time.After(20 * time.Millisecond):
	}
}

// With an Executor a reader that lets go of tables removes their files by itself. WaitIdle
// waits for it.
func TestWaitIdleWaitsForReader(t *testing.T) {
	fs := newGateFS()
	db, err := lsm.Open("/db", &lsm.Options{FS: fs, Executor: lsm.NewStepper(), Seed: 1, Durability: lsm.None})
	must(t, err)
	defer db.Close()
	defer fs.open()
	ctx := context.Background()
	write := func(round int) {
		for i := range 100 {
			must(t, db.Put(key(i), fmt.Append(nil, round)))
		}
		must(t, db.Flush())
	}
	write(1)
	it, err := db.NewIter(nil)
	must(t, err)
	write(2)
	must(t, db.Compact(ctx, nil, nil))
	fs.remove = func(name string) bool { return filepath.Ext(name) == ".sst" } // what it kept
	closed := make(chan error, 1)
	go func() { closed <- it.Close() }()
	soon(t, fs.reached, "removal")

	idle := make(chan error, 1)
	short, cancel := context.WithCancel(ctx)
	go func() { idle <- db.WaitIdle(short) }()
	notYet(t, idle, "idle while a table is being removed")
	cancel()
	if err := soon(t, idle, "WaitIdle without time"); !errors.Is(err, context.Canceled) {
		t.Errorf("without time: %v", err)
	}
	go func() { idle <- db.WaitIdle(ctx) }()
	notYet(t, idle, "idle while a table is being removed")
	fs.open()
	must(t, soon(t, closed, "closing the iterator"))
	must(t, soon(t, idle, "WaitIdle"))
	names, err := fs.List("/db")
	must(t, err)
	if n := strings.Count(strings.Join(names, " "), ".sst"); n != 1 {
		t.Errorf("%d tables are left: %v", n, names)
	}
}

// Close does not return while blocks are being decoded ahead of a walk.
func TestCloseWaitsForDecodingAhead(t *testing.T) {
	if runtime.GOMAXPROCS(0) == 1 {
		t.Skip("one processor decodes nothing ahead")
	}
	fs := newGateFS()
	fs.read = func(name string) bool {
		if filepath.Ext(name) != ".sst" {
			return false
		}
		stack := make([]byte, 4<<10)
		return bytes.Contains(stack[:runtime.Stack(stack, false)], []byte("(*chunk).decode"))
	}
	db, err := lsm.OpenShaped("/db", &lsm.Options{FS: fs, Durability: lsm.None},
		lsm.Shape{Memory: 8 << 20, Memtable: 4 << 20, Table: 8 << 20, BaseLevel: 8 << 20})
	must(t, err)
	defer db.Close()
	defer fs.open()
	value := make([]byte, 100)
	for i := range 20_000 {
		must(t, db.Put(fmt.Appendf(nil, "key%06d", i), value))
	}
	must(t, db.Flush())
	must(t, db.WaitIdle(context.Background()))

	it, err := db.NewIter(nil)
	must(t, err)
	walked := make(chan error, 1)
	go func() {
		for it.First(); it.Valid(); it.Next() {
		}
		walked <- it.Close()
	}()
	soon(t, fs.reached, "decoding ahead")
	closed := make(chan error, 1)
	go func() { closed <- db.Close() }()
	notYet(t, closed, "closed while a block is read ahead")
	fs.open()
	must(t, soon(t, closed, "Close"))
	if err := soon(t, walked, "the walk"); err != nil && !errors.Is(err, lsm.ErrClosed) {
		t.Errorf("the walk: %v", err)
	}
}
