package config

import (
	"errors"
	"io/fs"
	"strings"
	"testing"
	"time"
)

// memFiles are files in memory: content by path. Those named in open can be read by
// everybody.
type memFiles struct {
	content map[string]string
	open    map[string]bool
}

type memInfo struct {
	name string
	size int64
	mode fs.FileMode
}

func (i memInfo) Name() string       { return i.name }
func (i memInfo) Size() int64        { return i.size }
func (i memInfo) Mode() fs.FileMode  { return i.mode }
func (i memInfo) ModTime() time.Time { return time.Time{} }
func (i memInfo) IsDir() bool        { return i.mode.IsDir() }
func (i memInfo) Sys() any           { return nil }

func (m memFiles) Stat(name string) (fs.FileInfo, error) {
	text, ok := m.content[name]
	switch {
	case !ok:
		return nil, &fs.PathError{Op: "stat", Path: name, Err: fs.ErrNotExist}
	case text == "/":
		return memInfo{name, 0, fs.ModeDir | 0o700}, nil
	case m.open[name]:
		return memInfo{name, int64(len(text)), 0o644}, nil
	}
	return memInfo{name, int64(len(text)), 0o640}, nil
}

func (m memFiles) Read(name string, most int64) ([]byte, error) {
	text, ok := m.content[name]
	if !ok {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	return []byte(text[:min(int64(len(text)), most+1)]), nil
}

// load loads with a configuration file /etc/kvnode.yaml, if there is content for it.
func load(file string, env []string, args ...string) (*Loaded, Problems) {
	files := memFiles{content: map[string]string{"/cert": "c", "/key": "k", "/ca": "a", "/password": "from a file\n"}}
	if file != "" {
		files.content["/etc/kvnode.yaml"] = file
		args = append(args, "--config", "/etc/kvnode.yaml")
	}
	return loadFrom(files, env, args...)
}

func loadFrom(files Files, env []string, args ...string) (*Loaded, Problems) {
	l, err := Load(Input{Args: args, Env: env, Files: &hidden{files}})
	var ps Problems
	if err != nil && !errors.As(err, &ps) {
		panic(err)
	}
	return l, ps
}

// hidden keeps what is in Files out of what is printed.
type hidden struct{ Files }

func mustLoad(t testing.TB, file string, env []string, args ...string) *Loaded {
	t.Helper()
	l, ps := load(file, env, args...)
	if ps != nil {
		t.Fatal(ps)
	}
	return l
}

// has reports whether one of the problems contains all of the words.
func has(ps Problems, words ...string) bool {
	for _, p := range ps {
		all := true
		for _, w := range words {
			all = all && strings.Contains(p.String(), w)
		}
		if all {
			return true
		}
	}
	return false
}
