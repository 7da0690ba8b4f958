package lsm

import (
	"runtime"
	"testing"

	"github.com/ringwood-kv/ringwood/lsm/vfs"
)

// TestHelpersAreCountedOnce: those who share in a merge already do not stand for others
// that are wanted, and a merge without memory for helpers takes none from another.
func TestHelpersAreCountedOnce(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(16))
	for _, x := range []struct {
		splits     []*split
		have, want int // helpers
	}{
		{[]*split{{most: 6}}, 0, 6},
		{[]*split{{most: 6}}, 2, 6}, // who is on the way
		{[]*split{{most: 6, helpers: 3}}, 3, 6},
		{[]*split{{most: 6, helpers: 3}}, 4, 6},
		{[]*split{{most: 6, helpers: 6}}, 6, 6},
		{[]*split{{most: 4}, {most: -7}}, 0, 4},
		{[]*split{{most: 4, helpers: 1}, {most: 3, helpers: 2}}, 3, 7},
		{[]*split{{most: 99, helpers: 3}}, 3, 16},
		{nil, 0, 0},
	} {
		db, err := Open("/db", &Options{FS: vfs.NewMem()})
		mustDo(t, err)
		db.mu.Lock()
		db.waiting, db.splits, db.helpers = 1, x.splits, x.have
		db.helpLocked()
		if db.helpers != x.want {
			t.Errorf("%d helpers, want %d", db.helpers, x.want)
		}
		db.waiting, db.splits = 0, nil
		db.mu.Unlock()
		mustDo(t, db.Close())
	}
}
