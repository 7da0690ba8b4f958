// Package inspect looks into the directory of a store from outside, for tools: kvctl
// is built on it.
//
//	report, err := inspect.Check(vfs.OS, "data", nil)    // what is wrong, all of it
//	stats, err := inspect.Stats(vfs.OS, "data", nil)     // levels, blob files, filters, amplifications
//	err := inspect.DumpLog(vfs.OS, "data/000012.log", nil, fn)      // also DumpTable (blob files too), DumpManifest
//	report, err := inspect.Salvage(vfs.OS, "data", "saved", nil)    // a new store of what can be read
//
// Nothing here writes to the store that is looked at, takes its lock, or needs it to
// be whole: damage of every kind is reported with file and offset, and does not end
// the work. A store that a process is writing may be looked at; Check and Stats then
// show one moment, and look again while the store changes under them. What the file
// system fails to read is not called damage: it may be whole, see Unread.
//
// Results are plain structs, with a String method for people and JSON tags for
// machines. Keys and values are Bytes: text in the quoting of Go strings, so that
// binary ones survive.
//
// An error that a function returns means that it could not do its work (no such
// directory, no store, no room); damage is in the report. All functions are safe for
// concurrent use.
package inspect

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	iofs "io/fs"
	"os"
	"path/filepath"
	"strconv"
	"syscall"

	"github.com/ringwood-kv/ringwood/lsm/internal/base"
	"github.com/ringwood-kv/ringwood/lsm/internal/manifest"
	"github.com/ringwood-kv/ringwood/lsm/internal/wal"
	"github.com/ringwood-kv/ringwood/lsm/vfs"
)

// Options are what the functions of the package have in common. nil is fine.
type Options struct {
	// Progress, if set, is called now and then, from the goroutine of the call.
	Progress func(Progress)
}

// Progress says how far a function is.
type Progress struct {
	Step        string // "table", "log", "merge", …
	File        string // base name, if it is about one file
	Done, Total int64  // bytes
}

// tracker counts bytes for Options.Progress.
type tracker struct {
	fn func(Progress)
	p  Progress
}

func (o *Options) tracker(total int64) *tracker {
	t := &tracker{p: Progress{Total: total}}
	if o != nil {
		t.fn = o.Progress
	}
	return t
}

func (t *tracker) file(step, name string) {
	t.p.Step, t.p.File = step, name
	t.add(0)
}

func (t *tracker) add(n int64) {
	t.p.Done = min(t.p.Done+n, t.p.Total)
	if t.fn != nil {
		t.fn(t.p)
	}
}

// Bytes is a key or value. In JSON it is a string in the quoting of Go, without the
// quotes ("a\\x00b" for three bytes), and null if it is nil: not known, or no bound.
type Bytes []byte

// String returns the bytes quoted, cut off after 64.
func (b Bytes) String() string {
	if b == nil {
		return "?"
	}
	if len(b) > 64 {
		return fmt.Sprintf("%q…(%d bytes)", []byte(b[:64]), len(b))
	}
	return strconv.Quote(string(b))
}

// MarshalJSON implements json.Marshaler.
func (b Bytes) MarshalJSON() ([]byte, error) {
	if b == nil {
		return []byte("null"), nil
	}
	q := strconv.QuoteToASCII(string(b))
	return json.Marshal(q[1 : len(q)-1])
}

// UnmarshalJSON is the inverse of MarshalJSON.
func (b *Bytes) UnmarshalJSON(p []byte) error {
	var s *string
	if err := json.Unmarshal(p, &s); err != nil {
		return err
	}
	if s == nil {
		*b = nil
		return nil
	}
	u, err := strconv.Unquote(`"` + *s + `"`)
	*b = Bytes(u)
	if *b == nil {
		*b = Bytes{}
	}
	return err
}

// Severity says how bad a Finding is.
type Severity string

const (
	// Damage: something is not what was written, is missing, or contradicts itself.
	Damage Severity = "damage"
	// Unread: the file system failed. What is there is not known, and may be whole.
	Unread Severity = "unread"
	// Note: worth knowing, and no damage.
	Note Severity = "note"
)

// Finding is one thing that is wrong with a store, or worth knowing.
type Finding struct {
	Severity Severity `json:"severity"`
	File     string   `json:"file,omitempty"`   // path
	Offset   int64    `json:"offset"`           // -1: not known, or the whole file
	Length   int64    `json:"length,omitempty"` // bytes from Offset on; 0: not known
	Lower    Bytes    `json:"lower,omitempty"`  // user keys concerned lie in [Lower, Upper]
	Upper    Bytes    `json:"upper,omitempty"`  // nil beside a Lower: all from there on
	Problem  string   `json:"problem"`
	Advice   string   `json:"advice,omitempty"` // what to do next
	Err      error    `json:"-"`                // of the file system, if that is the cause
}

func (f *Finding) String() string {
	s := string(f.Severity) + ": "
	if f.File != "" {
		s += f.File
		if f.Offset >= 0 {
			s += fmt.Sprintf(" at offset %d", f.Offset)
		}
		if f.Length > 0 {
			s += fmt.Sprintf(", %d bytes", f.Length)
		}
		s += ": "
	}
	s += f.Problem
	if f.Lower != nil || f.Upper != nil {
		s += fmt.Sprintf(" (keys %v to %v)", f.Lower, f.Upper)
	}
	if f.Advice != "" {
		s += "\n  next: " + f.Advice
	}
	return s
}

// finding makes one of an error; name is used when the error names no file.
func finding(err error, name string) Finding {
	f := Finding{Severity: Damage, File: name, Offset: -1, Problem: err.Error()}
	var c *base.CorruptionError
	if errors.As(err, &c) {
		f.File, f.Offset, f.Lower, f.Upper = c.File, c.Offset, c.Lower, c.Upper
		if c.Err != nil {
			f.Problem = c.Err.Error()
		}
		return f
	}
	f.blame(err)
	var p *iofs.PathError
	if f.Severity == Unread && errors.As(err, &p) {
		f.File = p.Path
	}
	return f
}

// blame makes it Unread if err is a failure of the file system.
func (f *Finding) blame(err error) {
	if ioFailed(err) {
		f.Severity, f.Err = Unread, err
	}
}

const (
	adviceUnread    = "the data may be whole: see what the log of the operating system says of the disk, and try again"
	adviceForbidden = "the data may be whole: try again as the user who owns the files"
)

func adviseUnread(err error) string {
	if errors.Is(err, iofs.ErrPermission) {
		return adviceForbidden
	}
	return adviceUnread
}

// ErrNoStore means that the directory holds no file of a store.
var ErrNoStore = errors.New("inspect: there is no store")

// ErrBusy means that a process changed the store during every look at it.
var ErrBusy = errors.New("inspect: the store is being written, and no look at it was of one moment")

// tries is how often a store that changes is looked at.
const tries = 20

// listing is what a directory holds.
type listing struct {
	logs, tables, blobs, manifests []base.FileNum // ascending
	current, tmp                   bool
	others                         []string // no names of ours, LOCK left out
	sizes                          map[string]int64
	bytes                          int64
}

func list(fs vfs.FS, dir string) (*listing, error) {
	info, err := fs.Stat(dir)
	if err != nil {
		return nil, err
	}
	if !info.IsDir {
		return nil, fmt.Errorf("%s is not a directory: name the directory of a store", dir)
	}
	names, err := fs.List(dir)
	if err != nil {
		return nil, err
	}
	l := &listing{sizes: make(map[string]int64)}
	ours := 0
	for _, name := range names {
		kind, num, ok := manifest.ParseName(name)
		if !ok {
			l.others = append(l.others, name)
			continue
		}
		info, err := fs.Stat(filepath.Join(dir, name))
		if isNotExist(err) {
			continue // removed since
		}
		if err != nil {
			return nil, err
		}
		l.sizes[name] = info.Size
		l.bytes += info.Size
		ours++
		switch kind {
		case manifest.FileLog:
			l.logs = append(l.logs, num)
		case manifest.FileTable:
			l.tables = append(l.tables, num)
		case manifest.FileBlob:
			l.blobs = append(l.blobs, num)
		case manifest.FileManifest:
			l.manifests = append(l.manifests, num)
		case manifest.FileCurrent:
			l.current = true
		case manifest.FileCurrentTmp:
			l.tmp = true
		case manifest.FileLock:
			ours--
		}
	}
	for _, nums := range [][]base.FileNum{l.logs, l.tables, l.blobs, l.manifests} {
		sortNums(nums)
	}
	if ours == 0 {
		return nil, fmt.Errorf("%w in %s: it has no CURRENT, log, table, blob file or manifest", ErrNoStore, dir)
	}
	return l, nil
}

func isNotExist(err error) bool { return errors.Is(err, iofs.ErrNotExist) }

func isNewer(err error) bool { return errors.Is(err, wal.ErrNewerFormat) }

// ioFailed reports whether err comes from the file system, and is not that there is no
// such file.
func ioFailed(err error) bool {
	var (
		path *iofs.PathError
		link *os.LinkError
		no   syscall.Errno
	)
	return !isNotExist(err) && (errors.As(err, &path) || errors.As(err, &link) || errors.As(err, &no))
}

// tooManyOpen reports whether err says nothing of the file: the process, or the system, may
// open no more of them.
func tooManyOpen(err error) bool {
	return errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE)
}

// watched remembers where the file could not be read, for code that takes what it
// cannot read for damaged.
type watched struct {
	vfs.File
	failed []failedRead
}

type failedRead struct {
	off, end int64
	err      error
}

func (w *watched) ReadAt(b []byte, off int64) (int, error) {
	n, err := w.File.ReadAt(b, off)
	if err == nil || errors.Is(err, io.EOF) {
		return n, err
	}
	end := off + int64(len(b))
	if i := len(w.failed) - 1; i >= 0 && off >= w.failed[i].off && off <= w.failed[i].end {
		w.failed[i].end = max(w.failed[i].end, end)
	} else {
		w.failed = append(w.failed, failedRead{off, end, err})
	}
	return n, err
}

// cause returns err, or the failure to read the n bytes at off that is behind it.
func (w *watched) cause(err error, off, n int64) error {
	if ioFailed(err) {
		return err
	}
	for _, r := range w.failed {
		if r.off < off+n && off < r.end {
			return r.err
		}
	}
	return err
}
