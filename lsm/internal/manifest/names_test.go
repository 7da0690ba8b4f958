package manifest

import (
	"testing"

	"github.com/ringwood-kv/ringwood/lsm/internal/base"
)

func TestNames(t *testing.T) {
	for _, c := range []struct {
		name string
		kind FileKind
		num  base.FileNum
	}{
		{"000001.log", FileLog, 1}, {"123456.sst", FileTable, 123456}, {"1234567.sst", FileTable, 1234567},
		{"MANIFEST-000012", FileManifest, 12}, {"CURRENT", FileCurrent, 0}, {"CURRENT.tmp", FileCurrentTmp, 0}, {"LOCK", FileLock, 0},
	} {
		kind, num, ok := ParseName(c.name)
		if !ok || kind != c.kind || num != c.num || FileName(kind, num) != c.name {
			t.Errorf("%s: %v %d %v, back %q", c.name, kind, num, ok, FileName(kind, num))
		}
	}
	for _, name := range []string{
		"", ".log", "1.log", "00001.log", "0000001.log", "000000.log", "+00001.log", "-00001.log", "0x0001.sst",
		"000001.LOG", "000001.log.bak", "000001.ldb", "000001", "MANIFEST-", "MANIFEST-1", "MANIFEST-000001.tmp",
		"CURRENT.tmp-1", "current", "18446744073709551616.sst", "18446744073709551615.sst", "99999999999999999999999.log", " 000001.log",
	} {
		if kind, num, ok := ParseName(name); ok {
			t.Errorf("%q is taken for kind %v number %d", name, kind, num)
		}
	}
	if FileName(99, 1) != "" {
		t.Error("a name for no kind")
	}
}
