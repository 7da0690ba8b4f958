package lsm_test

import (
	"bufio"
	"bytes"
	"context"
	"flag"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"testing"

	"github.com/ringwood-kv/ringwood/lsm"
	"github.com/ringwood-kv/ringwood/lsm/inspect"
	"github.com/ringwood-kv/ringwood/lsm/vfs"
)

// goldenWrite writes the store of today's format again. Only before a format is
// released: afterwards its store stays as it is forever, and a new format gets a
// directory of its own.
//
//	go test -run TestGolden -args -golden.write
var goldenWrite = flag.Bool("golden.write", false, "write the store of today's format anew")

// goldenDirs are the stores of all formats, ascending; the last is today's.
var goldenDirs = []string{"../testdata/lsm-v1", "../testdata/lsm-v2"}

// TestGolden opens the stores of all formats that there ever were: each has every kind
// of file and block, several levels and live logs, and lies beside a list of what is
// in it, a line for each key with the length and the CRC-32 of its value.
func TestGolden(t *testing.T) {
	if *goldenWrite {
		writeGolden(t, goldenDirs[len(goldenDirs)-1])
	}
	all, err := filepath.Glob("../testdata/lsm-v*.txt")
	must(t, err)
	if len(all) != len(goldenDirs) {
		t.Errorf("there are the stores %v", all)
	}
	for i, dir := range goldenDirs {
		t.Run(filepath.Base(dir), func(t *testing.T) { testGolden(t, dir, i+1 >= 2) })
	}
}

// testGolden opens the store in golden; blobs says that it has blob files.
func testGolden(t *testing.T, golden string, blobs bool) {
	want, err := os.ReadFile(golden + ".txt")
	must(t, err)
	for _, fs := range []vfs.FS{vfs.NewMem(), vfs.OS} {
		dir := "/golden"
		if fs == vfs.OS {
			dir = t.TempDir()
		} else {
			must(t, fs.MkdirAll(dir))
		}
		for name, b := range filesOf(t, vfs.OS, golden) {
			putFile(t, fs, filepath.Join(dir, name), b)
		}
		report, err := inspect.Check(fs, dir, nil)
		must(t, err)
		if !report.OK() || !report.Closed || report.LogOps == 0 || report.Tables < 3 || (report.Blobs > 2) != blobs {
			t.Fatal(report)
		}
		for _, readOnly := range []bool{true, false, true} {
			o := damageOptions(fs)
			o.ReadOnly, o.MustExist = readOnly, true
			db, err := lsm.Open(dir, o)
			must(t, err)
			must(t, db.Verify(context.Background()))
			if got := contents(t, db); got != string(want) {
				t.Fatal("the store holds something else than the list says")
			}
			if !readOnly {
				must(t, db.Put([]byte("zz"), nil))
				must(t, db.Delete([]byte("zz")))
				must(t, db.Compact(context.Background(), nil, nil))
			}
			must(t, db.Close())
		}
	}
}

func contents(t *testing.T, db *lsm.DB) string {
	t.Helper()
	it, err := db.NewIter(nil)
	must(t, err)
	defer it.Close()
	var b bytes.Buffer
	w := bufio.NewWriter(&b)
	for k, v := range it.All() {
		fmt.Fprintf(w, "%q %d %08x\n", k, len(v), crc32.ChecksumIEEE(v))
	}
	must(t, it.Err())
	must(t, w.Flush())
	return b.String()
}

func writeGolden(t *testing.T, goldenDir string) {
	d := makeDamageStoreOf(t, false, 30)
	must(t, os.RemoveAll(goldenDir))
	must(t, os.MkdirAll(goldenDir, 0o755))
	total := 0
	for name, b := range filesOf(t, d.fs, d.dir) {
		must(t, os.WriteFile(filepath.Join(goldenDir, name), b, 0o644))
		total += len(b)
	}
	if total > 200<<10 {
		t.Fatalf("%d bytes are too many to keep forever", total)
	}
	o := damageOptions(d.fs)
	o.ReadOnly = true
	db, err := lsm.Open(d.dir, o)
	must(t, err)
	defer db.Close()
	must(t, os.WriteFile(goldenDir+".txt", []byte(contents(t, db)), 0o644))
}
