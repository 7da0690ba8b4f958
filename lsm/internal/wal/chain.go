package wal

import (
	"github.com/ringwood-kv/ringwood/lsm/internal/base"
)

// LogTail is one log of a store and how it ends.
type LogTail struct {
	Name string // path, for errors
	Num  base.FileNum
	Tail Tail
}

// Chain judges the logs of a store together. logs holds all that exist and are
// still needed, by ascending number; each has passed Scan. It returns how many of
// them, from the first on, hold the commits that are to be replayed. The rest was
// written after the first torn log and before anything in it was acknowledged as
// synced: replaying it would leave a hole in the order of commits, so it is
// dropped, and the caller reports it.
//
// The error is a *base.CorruptionError: a log is missing, or a log is torn
// although a later one says that it was synced.
//
// It relies on the order in which logs are made. The next log exists, and its
// directory entry is synced, before the end frame that names it is written. A log
// is synced only when all before it are. And whoever replays logs makes them
// unneeded, by an edit of the manifest, before the first frame of a new log is
// synced, so that a torn log is followed by logs of its own run only.
//
// Between a log and the one that its end names there may be others that were made,
// found of no use because of a failure, and not removed: they hold nothing.
func Chain(logs []LogTail) (n int, err error) {
	for i := 0; i < len(logs); i++ {
		l := logs[i]
		t := &l.Tail
		if t.Clean && t.Next != 0 {
			for i+1 < len(logs) && logs[i+1].Num < t.Next && logs[i+1].Tail.Unused() {
				i++
			}
			if i == len(logs)-1 || logs[i+1].Num != t.Next {
				return 0, base.Corruptf(l.Name, t.End, "log %d is missing: log %d ends with its number", t.Next, l.Num)
			}
		}
		last := i == len(logs)-1
		if last || t.Clean {
			continue
		}
		for _, later := range logs[i+1:] {
			if later.Tail.Synced > 0 {
				return 0, base.Corruptf(l.Name, t.End,
					"log %d is cut short, but log %d says that all of it was synced", l.Num, later.Num)
			}
		}
		return i + 1, nil
	}
	return len(logs), nil
}
