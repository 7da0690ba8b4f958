package manifest

import (
	"fmt"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/ringwood-kv/ringwood/lsm/internal/base"
)

// FileKind is a kind of file of a store.
type FileKind uint8

const (
	FileLog        FileKind = iota + 1 // NNNNNN.log
	FileTable                          // NNNNNN.sst
	FileManifest                       // MANIFEST-NNNNNN
	FileCurrent                        // CURRENT
	FileCurrentTmp                     // CURRENT.tmp, on its way to CURRENT
	FileLock                           // LOCK
	FileBlob                           // NNNNNN.blob
)

// maxNum keeps a counter that goes on from a file's number from wrapping.
const maxNum = 1 << 60

// FileName returns the base name of a file: the number in decimal, at least six
// digits. The kinds of which a store has one ignore num.
func FileName(kind FileKind, num base.FileNum) string {
	switch kind {
	case FileLog:
		return fmt.Sprintf("%06d.log", uint64(num))
	case FileTable:
		return fmt.Sprintf("%06d.sst", uint64(num))
	case FileBlob:
		return fmt.Sprintf("%06d.blob", uint64(num))
	case FileManifest:
		return fmt.Sprintf("MANIFEST-%06d", uint64(num))
	case FileCurrent:
		return "CURRENT"
	case FileCurrentTmp:
		return "CURRENT.tmp"
	case FileLock:
		return "LOCK"
	}
	return ""
}

// Path returns the name of a file in dir.
func Path(dir string, kind FileKind, num base.FileNum) string {
	return filepath.Join(dir, FileName(kind, num))
}

// ParseName is the inverse of FileName. ok is false for every name that FileName
// does not make: such a file is not ours, and is never touched.
func ParseName(name string) (kind FileKind, num base.FileNum, ok bool) {
	switch name {
	case "CURRENT":
		return FileCurrent, 0, true
	case "CURRENT.tmp":
		return FileCurrentTmp, 0, true
	case "LOCK":
		return FileLock, 0, true
	}
	digits := name
	if d, found := strings.CutSuffix(name, ".log"); found {
		kind, digits = FileLog, d
	} else if d, found := strings.CutSuffix(name, ".sst"); found {
		kind, digits = FileTable, d
	} else if d, found := strings.CutSuffix(name, ".blob"); found {
		kind, digits = FileBlob, d
	} else if d, found := strings.CutPrefix(name, "MANIFEST-"); found {
		kind, digits = FileManifest, d
	} else {
		return 0, 0, false
	}
	n, err := strconv.ParseUint(digits, 10, 64)
	if err != nil || n == 0 || n > maxNum || FileName(kind, base.FileNum(n)) != name {
		return 0, 0, false
	}
	return kind, base.FileNum(n), true
}
