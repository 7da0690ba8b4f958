package report

import (
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"time"
)

// Environment is what a measurement was made on.
type Environment struct {
	Time       time.Time `json:"time"`
	OS         string    `json:"os"`
	Arch       string    `json:"arch"`
	Kernel     string    `json:"kernel,omitempty"`
	CPU        string    `json:"cpu,omitempty"`
	CPUs       int       `json:"cpus"`
	GOMAXPROCS int       `json:"gomaxprocs"`
	Memory     int64     `json:"memory_bytes,omitempty"`
	Go         string    `json:"go"`
	NoCgo      bool      `json:"no_cgo,omitempty"`       // built without cgo: Pebble then has its cache and memtables on the Go heap
	Revision   string    `json:"revision,omitempty"`     // of the source; "+" behind if it was changed
	Committed  time.Time `json:"revision_time,omitzero"` // of the revision
	FileSystem string    `json:"file_system,omitempty"`
}

// Look describes this machine, with the file system of dir.
func Look(dir string) Environment {
	e := Environment{
		Time: time.Now().UTC().Truncate(time.Second), OS: runtime.GOOS, Arch: runtime.GOARCH,
		CPUs: runtime.NumCPU(), GOMAXPROCS: runtime.GOMAXPROCS(0), Go: runtime.Version(),
	}
	if info, ok := debug.ReadBuildInfo(); ok {
		e.Revision, e.Committed = revision(info.Settings)
		e.NoCgo = !slices.Contains(info.Settings, debug.BuildSetting{Key: "CGO_ENABLED", Value: "1"})
	}
	e.Kernel = firstLine("/proc/sys/kernel/osrelease")
	cpuinfo, _ := os.ReadFile("/proc/cpuinfo")
	e.CPU = value(string(cpuinfo), "model name")
	meminfo, _ := os.ReadFile("/proc/meminfo")
	e.Memory = kilobytes(value(string(meminfo), "MemTotal"))
	mounts, _ := os.ReadFile("/proc/self/mounts")
	if abs, err := filepath.Abs(dir); err == nil {
		e.FileSystem = fileSystem(string(mounts), abs)
	}
	return e
}

func revision(settings []debug.BuildSetting) (rev string, committed time.Time) {
	changed := ""
	for _, s := range settings {
		switch s.Key {
		case "vcs.revision":
			rev = s.Value[:min(12, len(s.Value))]
		case "vcs.modified":
			if s.Value == "true" {
				changed = "+"
			}
		case "vcs.time":
			committed, _ = time.Parse(time.RFC3339, s.Value)
		}
	}
	if rev == "" {
		return "", committed
	}
	return rev + changed, committed
}

func firstLine(path string) string {
	text, _ := os.ReadFile(path)
	line, _, _ := strings.Cut(string(text), "\n")
	return line
}

// value finds "name : value" in the text of a file of /proc.
func value(text, name string) string {
	for line := range strings.Lines(text) {
		if k, v, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(k) == name {
			return strings.TrimSpace(v)
		}
	}
	return ""
}

func kilobytes(s string) (n int64) {
	for _, c := range strings.TrimSuffix(s, " kB") {
		if c < '0' || c > '9' {
			return 0
		}
		n = n*10 + int64(c-'0')
	}
	return n << 10
}

// fileSystem finds the type of the mount that dir lies in.
func fileSystem(mounts, dir string) (kind string) {
	longest := -1
	for line := range strings.Lines(mounts) {
		f := strings.Fields(line)
		if len(f) < 3 || len(f[1]) < longest {
			continue
		}
		if f[1] == "/" || dir == f[1] || strings.HasPrefix(dir, f[1]+"/") {
			longest, kind = len(f[1]), f[2]
		}
	}
	return kind
}
