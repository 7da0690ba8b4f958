package vfs

import (
	"errors"
	"io"
	"io/fs"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// script does one operation of each kind and returns the first error.
func script(sys FS) (err error) {
	check := func(e error) {
		if err == nil {
			err = e
		}
	}
	check(sys.MkdirAll("/d"))
	l, e := sys.Lock("/d/LOCK", "me")
	check(e)
	f, e := sys.Create("/d/f")
	check(e)
	if e == nil {
		_, e = f.WriteAt([]byte("0123456789"), 0)
		check(e)
		_, e = f.ReadAt(make([]byte, 4), 2)
		check(e)
		check(f.Truncate(8))
		_, e = f.Size()
		check(e)
		check(f.Sync())
		check(f.Close())
	}
	check(sys.Link("/d/f", "/d/g"))
	check(sys.Rename("/d/f", "/d/h"))
	check(sys.Remove("/d/g"))
	check(sys.SyncDir("/d"))
	if f, e = sys.Open("/d/h"); e == nil {
		e = f.Close()
	}
	check(e)
	_, e = sys.List("/d")
	check(e)
	_, e = sys.Stat("/d/h")
	check(e)
	if l != nil {
		check(l.Close())
	}
	return err
}

// TestFaultEachOperation fails the Nth operation, for every N until none fails,
// and wants each failure back.
func TestFaultEachOperation(t *testing.T) {
	boom := errors.New("boom")
	clean := NewFault(NewMem())
	must(t, script(clean))
	total := clean.Counters().Total()
	for k := range numOpKinds {
		if clean.Counters().Count(k) == 0 {
			t.Errorf("the script lacks %s", k)
		}
	}
	for n := range total {
		f := NewFault(NewMem())
		var failed Op
		f.SetHook(func(op Op) error {
			if op.Index == n {
				failed = op
				return boom
			}
			return nil
		})
		err := script(f)
		wantErr(t, err, boom)
		var pe *fs.PathError
		if !errors.As(err, &pe) || pe.Path != failed.Name || pe.Op != failed.Kind.String() {
			t.Errorf("%v: error %v", failed, err)
		}
		if f.Counters().Failed != 1 {
			t.Errorf("%v: counted %d failures", failed, f.Counters().Failed)
		}
	}
}

func TestFaultFailedOperationsAreNotDone(t *testing.T) {
	m := NewMem()
	put(t, m, "/f", "f")
	f := NewFault(m)
	h, err := f.Create("/g")
	must(t, err)
	f.SetHook(func(Op) error { return syscall.EIO })
	for _, err := range []error{
		f.Remove("/f"), f.Rename("/f", "/x"), f.Link("/f", "/x"), f.MkdirAll("/x"), f.SyncDir("/"),
		h.Truncate(5), h.Sync(), errOf(h.WriteAt([]byte("x"), 0)), errOf(h.Size()),
		errOf(f.Create("/x")), errOf(f.Lock("/x", "")), errOf(f.List("/")), errOf(f.Stat("/f")), errOf(f.Open("/f")),
	} {
		wantErr(t, err, syscall.EIO)
	}
	if got := tree(t, m, ""); got != "f=f g=" {
		t.Fatal(got)
	}
	if got := tree(t, m.CrashClone(nothing), ""); got != "" {
		t.Fatal(got)
	}
	wantErr(t, h.Close(), syscall.EIO)
	f.SetHook(nil)
	wantErr(t, h.Close(), fs.ErrClosed) // a failed close closes
	must(t, f.Remove("/f"))
}

func errOf[T any](_ T, err error) error { return err }

func TestFaultShort(t *testing.T) {
	f := NewFault(NewMem())
	h, err := f.Create("/f")
	must(t, err)
	var ret error
	f.SetHook(func(op Op) error { return ret })
	ret = ShortWrite(3)
	n, err := h.WriteAt([]byte("abcdef"), 0)
	if n != 3 || !errors.Is(err, io.ErrShortWrite) {
		t.Fatal(n, err)
	}
	ret = &Short{N: 100, Err: syscall.ENOSPC}
	n, err = h.WriteAt([]byte("def"), 3)
	if n != 3 || !IsNoSpace(err) {
		t.Fatal(n, err)
	}
	ret = ShortRead(2)
	b := []byte("......")
	n, err = h.ReadAt(b, 1)
	if n != 2 || !errors.Is(err, syscall.EIO) || string(b) != "bc...." {
		t.Fatal(n, err, string(b))
	}
	ret = &Short{N: 4, Err: io.EOF}
	if n, err = h.ReadAt(b, 0); n != 4 || err != io.EOF {
		t.Fatal(n, err)
	}
	ret = nil
	wantText(t, f, "/f", "abcdef")
	if c := f.Counters(); c.BytesWritten != 6 || c.BytesRead != 12 || c.Count(OpWrite) != 2 || c.Failed != 4 {
		t.Fatalf("%+v", c)
	}
}

func TestFaultAfterMayCorruptReads(t *testing.T) {
	f := NewFault(NewMem())
	put(t, f, "/f", "abc")
	var log []string
	f.SetAfter(func(op Op) {
		log = append(log, op.String())
		if op.Kind == OpRead {
			op.Data[1] ^= 1
		}
	})
	wantText(t, f, "/f", "acc")
	wantErr(t, f.Remove("/none"), fs.ErrNotExist)
	want := "4 open /f|5 stat /f|6 read /f [0+3]|7 close /f|8 remove /none: remove /none: file does not exist"
	if got := strings.Join(log, "|"); got != want {
		t.Fatalf("\n got %s\nwant %s", got, want)
	}
	f.SetAfter(nil)
	wantText(t, f, "/f", "abc")
}

// TestFaultLostSync is the trap of fsync on Linux: the retry succeeds, the data is
// read back, and a crash shows that it never got to the disk.
func TestFaultLostSync(t *testing.T) {
	m := NewMem()
	f := NewFault(NewFault(m)) // through two layers
	h, err := f.Create("/f")
	must(t, err)
	must(t, f.SyncDir("/"))
	page1 := strings.Repeat("1", pageSize)
	_, err = h.WriteAt([]byte(page1), 0)
	must(t, err)
	must(t, h.Sync())
	page2 := strings.Repeat("2", pageSize)
	_, err = h.WriteAt([]byte(page2+page2), 0)
	must(t, err)
	f.SetHook(func(op Op) error {
		if op.Kind == OpSync {
			return ErrLostSync
		}
		return nil
	})
	wantErr(t, h.Sync(), syscall.EIO)
	f.SetHook(nil)
	must(t, h.Sync())
	wantText(t, f, "/f", page2+page2)
	wantText(t, m.CrashClone(nothing), "/f", page1+strings.Repeat("\x00", pageSize))
	_, err = h.WriteAt([]byte("3"), 0) // makes its page dirty again
	must(t, err)
	must(t, h.Sync())
	wantText(t, m.CrashClone(nothing), "/f", "3"+page2[1:]+strings.Repeat("\x00", pageSize))
}

// Pages that a sync has lost stay lost where the file was cut as well.
func TestFaultLostSyncOfACutFile(t *testing.T) {
	m, h := newSynced(t, "/f", []byte(strings.Repeat("o", 3*pageSize)))
	must(t, h.Truncate(100))
	_, err := h.WriteAt([]byte(strings.Repeat("n", 100)), 2*pageSize)
	must(t, err)
	h.(*memFile).failSync()
	must(t, h.Sync())
	c := m.CrashClone(nothing)
	checkContent(t, &c.root.entries.get("f").content)
	wantText(t, c, "/f", strings.Repeat("o", 100)+strings.Repeat("\x00", 2*pageSize))
}

func TestFaultHooksSwapWhileRunning(t *testing.T) {
	m := NewMem()
	f := NewFault(m)
	h, err := f.Create("/f")
	must(t, err)
	var wg sync.WaitGroup
	for w := range 3 {
		wg.Go(func() {
			for i := range 300 {
				_, _ = h.WriteAt([]byte("x"), int64(w*1000+i))
				_ = h.Sync()
			}
		})
	}
	var mu sync.Mutex
	seen := map[int64]bool{}
	for i := range 100 {
		f.SetHook(func(op Op) error {
			mu.Lock()
			defer mu.Unlock()
			if seen[op.Index] {
				t.Errorf("index %d twice", op.Index)
			}
			seen[op.Index] = true
			if op.Index%5 == 0 {
				m.CrashClone(CrashOptions{Survive: 0.5})
			}
			return nil
		})
		f.SetAfter(func(Op) {})
		if i%3 == 0 {
			f.SetHook(nil)
		}
	}
	wg.Wait()
	if c := f.Counters(); c.Count(OpSync) != 900 || c.BytesWritten != 900 || c.Sub(c).Total() != 0 {
		t.Fatalf("%+v", c)
	}
}
