//go:build !unix && !windows

package proc

import (
	"io/fs"
	"time"
)

func cpu() (user, system time.Duration) { return Unknown, Unknown }

func allocated(info fs.FileInfo) int64 { return info.Size() }
