package replica

import (
	"errors"
	"strings"
	"testing"

	"github.com/ringwood-kv/ringwood/lsm/vfs"
)

// file puts a file into a directory.
func file(t *testing.T, fs vfs.FS, dir, name string) {
	t.Helper()
	must(t, fs.MkdirAll(dir))
	f, err := fs.Create(dir + "/" + name)
	must(t, err)
	must(t, f.Close())
}

// A store is not made among the files of somebody else, who may be surprised; one that is
// there is opened, whatever else is.
func TestForeignFiles(t *testing.T) {
	for _, name := range []string{"holiday.jpg", "000001.log.txt", ".profile", "lost+found2"} {
		fs := vfs.NewMem()
		file(t, fs, "data", name)
		_, err := Open("data", start, small(fs))
		if !errors.Is(err, ErrFormat) || !strings.Contains(err.Error(), name) || !strings.Contains(err.Error(), "empty") {
			t.Errorf("beside %s: %v", name, err)
		}
		if names, _ := fs.List("data"); len(names) > 2 { // and LOCK
			t.Errorf("the refused directory has %q", names)
		}
	}
	fs := vfs.NewMem()
	must(t, fs.MkdirAll("data/lost+found"))
	for _, name := range []string{"LOCK", "CURRENT.tmp", "MANIFEST-000001"} {
		file(t, fs, "data", name)
	}
	r, err := Open("data", start, small(fs))
	if err != nil {
		t.Fatalf("on a fresh file system, after an attempt that was interrupted: %v", err)
	}
	must(t, r.Close())
	file(t, fs, "data", "notes.txt")
	if r, err = Open("data", start, small(fs)); err != nil || r.Opened().Created {
		t.Fatalf("a store beside which somebody has put a file: %v", err)
	}
	must(t, r.Close())
}
