package vfs

import (
	"io"
	"sync/atomic"
)

// Fault wraps a file system, shows every operation to a hook, and fails those the
// hook says. Errors reach the caller as *fs.PathError around what the hook gave.
//
// Hooks run in the goroutine of the operation with no lock held: they may block,
// to make a disk slow or stuck, and may call CrashClone on the Mem below. They
// are called from many goroutines at once.
type Fault struct {
	inner FS
	hook  atomic.Pointer[func(Op) error]
	after atomic.Pointer[func(Op)]

	index   atomic.Int64
	ops     [numOpKinds]atomic.Int64
	failed  atomic.Int64
	read    atomic.Int64
	written atomic.Int64
}

// NewFault returns a Fault over inner, without hooks.
func NewFault(inner FS) *Fault { return &Fault{inner: inner} }

// Inner returns the file system below.
func (f *Fault) Inner() FS { return f.inner }

// SetHook sets what is called before each operation; nil is nothing. If it returns
// an error the operation is not carried out and fails with it, but see *Short and
// ErrLostSync. Operations that have begun still see the hook of before.
func (f *Fault) SetHook(hook func(Op) error) { store(&f.hook, hook == nil, &hook) }

// SetAfter sets what is called after each operation, failed ones included, before
// its caller goes on; nil is nothing.
func (f *Fault) SetAfter(after func(Op)) { store(&f.after, after == nil, &after) }

func store[T any](p *atomic.Pointer[T], isNil bool, v *T) {
	if isNil {
		v = nil
	}
	p.Store(v)
}

// Counters returns the counts since NewFault.
func (f *Fault) Counters() Counters {
	var c Counters
	for i := range f.ops {
		c.Ops[i] = f.ops[i].Load()
	}
	c.Failed = f.failed.Load()
	c.BytesRead = f.read.Load()
	c.BytesWritten = f.written.Load()
	return c
}

// begin counts the operation and asks the hook.
func (f *Fault) begin(op *Op) error {
	op.Index = f.index.Add(1) - 1
	f.ops[op.Kind].Add(1)
	if h := f.hook.Load(); h != nil {
		return (*h)(*op)
	}
	return nil
}

// end tells the second hook, and wraps an injected error.
func (f *Fault) end(op *Op, injected bool, err error) error {
	if injected {
		f.failed.Add(1)
		err = pathError(op.Kind.String(), op.Name, err)
	}
	if a := f.after.Load(); a != nil {
		op.Err = err
		(*a)(*op)
	}
	return err
}

// do runs one operation that moves no data.
func (f *Fault) do(op Op, run func() error) error {
	err := f.begin(&op)
	injected := err != nil
	if !injected {
		err = run()
	}
	return f.end(&op, injected, err)
}

func (f *Fault) Create(name string) (File, error) {
	return f.open(OpCreate, name, f.inner.Create)
}

func (f *Fault) Open(name string) (File, error) {
	return f.open(OpOpen, name, f.inner.Open)
}

func (f *Fault) open(kind OpKind, name string, open func(string) (File, error)) (File, error) {
	var file File
	err := f.do(Op{Kind: kind, Name: name}, func() (err error) {
		file, err = open(name)
		return err
	})
	if err != nil {
		return nil, err
	}
	return &faultFile{f: f, inner: file, name: name}, nil
}

func (f *Fault) List(dir string) (names []string, err error) {
	err = f.do(Op{Kind: OpList, Name: dir}, func() (err error) {
		names, err = f.inner.List(dir)
		return err
	})
	return names, err
}

func (f *Fault) Stat(name string) (info Info, err error) {
	err = f.do(Op{Kind: OpStat, Name: name}, func() (err error) {
		info, err = f.inner.Stat(name)
		return err
	})
	return info, err
}

func (f *Fault) Remove(name string) error {
	return f.do(Op{Kind: OpRemove, Name: name}, func() error { return f.inner.Remove(name) })
}

func (f *Fault) Rename(oldname, newname string) error {
	return f.do(Op{Kind: OpRename, Name: oldname, NewName: newname},
		func() error { return f.inner.Rename(oldname, newname) })
}

func (f *Fault) Link(oldname, newname string) error {
	return f.do(Op{Kind: OpLink, Name: oldname, NewName: newname},
		func() error { return f.inner.Link(oldname, newname) })
}

func (f *Fault) MkdirAll(dir string) error {
	return f.do(Op{Kind: OpMkdir, Name: dir}, func() error { return f.inner.MkdirAll(dir) })
}

func (f *Fault) SyncDir(dir string) error {
	return f.do(Op{Kind: OpSyncDir, Name: dir}, func() error { return f.inner.SyncDir(dir) })
}

func (f *Fault) Lock(name, holder string) (io.Closer, error) {
	var c io.Closer
	err := f.do(Op{Kind: OpLock, Name: name}, func() (err error) {
		c, err = f.inner.Lock(name, holder)
		return err
	})
	if err != nil {
		return nil, err
	}
	return &faultLock{f: f, inner: c, name: name}, nil
}

// faultLock shows the release of a lock as OpUnlock.
type faultLock struct {
	f     *Fault
	inner io.Closer
	name  string
}

func (l *faultLock) Close() error {
	return l.f.do(Op{Kind: OpUnlock, Name: l.name}, l.inner.Close)
}
