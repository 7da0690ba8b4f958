package lsm

import (
	"context"
	"log/slog"
	"time"
)

// EventKind names what an Event tells.
type EventKind uint8

const (
	EventRecovered       EventKind = iota + 1 // Open replayed logs: Bytes replayed, Dropped beyond the torn end, File, Offset
	EventFlush                                // memtables are in tables: Files, Bytes, Duration, FlushedSeq
	EventCompaction                           // Reason, Level, OutputLevel, Files, Bytes written, Duration
	EventTableDeleted                         // or a blob file: File
	EventBackgroundError                      // a flush or compaction failed, and is tried again unless a table is damaged: Err
	EventCorruption                           // Err, as ErrCorruption says
	EventPoisoned                             // a sync failed, writes are refused until reopening: Err
	EventStall                                // a writer waited for room in memory: Duration
	EventReplaying                            // Open is replaying logs, and has come as far as Bytes of Total
)

func (k EventKind) String() string {
	switch k {
	case EventRecovered:
		return "recovered"
	case EventFlush:
		return "flush"
	case EventCompaction:
		return "compaction"
	case EventTableDeleted:
		return "table deleted"
	case EventBackgroundError:
		return "background error"
	case EventCorruption:
		return "corruption"
	case EventPoisoned:
		return "poisoned"
	case EventStall:
		return "stall"
	case EventReplaying:
		return "replaying"
	}
	return "event?"
}

// Event is something that happened in the engine. Which fields are set depends on
// the kind.
type Event struct {
	Kind        EventKind
	Reason      string
	File        string
	Offset      int64
	Level       int
	OutputLevel int
	Files       int   // tables that a compaction took in; files that a flush made; logs replayed
	Bytes       int64 // bytes written; for EventRecovered and EventReplaying, of log read
	Total       int64 // of EventReplaying: the length of all logs, as files
	Dropped     int64
	Duration    time.Duration
	// FlushedSeq is the sequence number up to which every commit is in tables, durable
	// however it was committed.
	FlushedSeq uint64
	Err        error
}

func (db *DB) event(e Event) {
	if f := db.opts.Events; f != nil {
		f(e)
	}
	l := db.opts.Logger
	if l == nil {
		return
	}
	level := slog.LevelDebug
	switch e.Kind {
	case EventRecovered, EventStall:
		level = slog.LevelInfo
	case EventBackgroundError:
		level = slog.LevelWarn
	case EventCorruption, EventPoisoned:
		level = slog.LevelError
	}
	attrs := []any{"kind", e.Kind.String()}
	add := func(key string, value any, set bool) {
		if set {
			attrs = append(attrs, key, value)
		}
	}
	add("reason", e.Reason, e.Reason != "")
	add("file", e.File, e.File != "")
	add("offset", e.Offset, e.Offset != 0)
	add("level", e.Level, e.Kind == EventCompaction)
	add("output level", e.OutputLevel, e.Kind == EventCompaction)
	add("files", e.Files, e.Files != 0)
	add("bytes", e.Bytes, e.Bytes != 0)
	add("total", e.Total, e.Total != 0)
	add("dropped", e.Dropped, e.Dropped != 0)
	add("duration", e.Duration, e.Duration != 0)
	add("flushed seq", e.FlushedSeq, e.FlushedSeq != 0)
	add("err", e.Err, e.Err != nil)
	l.Log(context.Background(), level, "lsm", attrs...)
}
