package vfs

import (
	"errors"
	"io"
)

type faultFile struct {
	f     *Fault
	inner File
	name  string
}

func (f *faultFile) ReadAt(b []byte, off int64) (n int, err error) {
	op := Op{Kind: OpRead, Name: f.name, Offset: off, Len: len(b)}
	hookErr := f.f.begin(&op)
	if hookErr == nil {
		n, err = f.inner.ReadAt(b, off)
	} else if n, err = asShort(hookErr, len(b)); n > 0 {
		n, _ = f.inner.ReadAt(b[:n], off)
	}
	f.f.read.Add(int64(n))
	op.Data = b[:n]
	if hookErr != nil && err == io.EOF { // the contract wants it bare
		f.f.failed.Add(1)
		hookErr = nil
	}
	return n, f.f.end(&op, hookErr != nil, err)
}

func (f *faultFile) WriteAt(b []byte, off int64) (n int, err error) {
	op := Op{Kind: OpWrite, Name: f.name, Offset: off, Len: len(b), Data: b}
	hookErr := f.f.begin(&op)
	if hookErr == nil {
		n, err = f.inner.WriteAt(b, off)
	} else if n, err = asShort(hookErr, len(b)); n > 0 {
		n, _ = f.inner.WriteAt(b[:n], off)
	}
	f.f.written.Add(int64(n))
	return n, f.f.end(&op, hookErr != nil, err)
}

func (f *faultFile) Sync() error {
	op := Op{Kind: OpSync, Name: f.name}
	err := f.f.begin(&op)
	injected := err != nil
	if !injected {
		err = f.inner.Sync()
	} else if errors.Is(err, ErrLostSync) {
		f.failSync()
	}
	return f.f.end(&op, injected, err)
}

func (f *faultFile) Truncate(size int64) error {
	return f.f.do(Op{Kind: OpTruncate, Name: f.name, Offset: size},
		func() error { return f.inner.Truncate(size) })
}

func (f *faultFile) Size() (size int64, err error) {
	err = f.f.do(Op{Kind: OpStat, Name: f.name}, func() (err error) {
		size, err = f.inner.Size()
		return err
	})
	return size, err
}

// Close closes the file below also where the hook fails it: a descriptor is gone
// after close(2) whatever it returned.
func (f *faultFile) Close() error {
	op := Op{Kind: OpClose, Name: f.name}
	err := f.f.begin(&op)
	injected := err != nil
	if closeErr := f.inner.Close(); !injected {
		err = closeErr
	}
	return f.f.end(&op, injected, err)
}

// dropper is a file that can forget what was not synced.
type dropper interface{ failSync() }

func (f *faultFile) failSync() {
	if d, ok := f.inner.(dropper); ok {
		d.failSync()
	}
}
