package vfs

// StartWriteback asks that n bytes at off, which were written to f, be brought to the disk
// soon, so that a later Sync has less to wait for. It promises nothing, does not wait, and
// does nothing where f has no method of that name.
func StartWriteback(f File, off, n int64) {
	if w, ok := f.(interface{ StartWriteback(off, n int64) }); ok {
		w.StartWriteback(off, n)
	}
}
