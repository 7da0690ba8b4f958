// Package version says which program this is.
package version

import (
	"fmt"
	"runtime"
	"runtime/debug"
)

// Number is the version of all programs of the repository.
const Number = "0.1.0-dev"

// Revision is the commit that the program was built from, shortened, with a + if files had
// been changed; empty if the build does not know.
func Revision() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	revision, changed := "", ""
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			revision = s.Value[:min(len(s.Value), 12)]
		case "vcs.modified":
			if s.Value == "true" {
				changed = "+"
			}
		}
	}
	if revision == "" {
		return ""
	}
	return revision + changed
}

// Line is what PROGRAM --version prints.
func Line(program string) string {
	revision := Revision()
	if revision == "" {
		revision = "revision unknown"
	}
	return fmt.Sprintf("%s %s (%s, %s %s/%s)", program, Number, revision, runtime.Version(), runtime.GOOS, runtime.GOARCH)
}
