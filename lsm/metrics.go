package lsm

import (
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/ringwood-kv/ringwood/lsm/internal/base"
	"github.com/ringwood-kv/ringwood/lsm/internal/compaction"
)

func isCorruption(err error) bool { return errors.Is(err, ErrCorruption) }

// counters are what Metrics counts since Open.
type counters struct {
	commits, operations, userBytes  atomic.Int64
	logBytes, logGroups, syncs      atomic.Int64
	flushes, flushBytes             atomic.Int64
	compactions, moves, compactRead atomic.Int64
	compactWritten, tablesDeleted   atomic.Int64
	stalls, stallNanos, delayNanos  atomic.Int64
	conflicts, iterators            atomic.Int64
	backgroundErrors, corruptions   atomic.Int64
}

// commit counts one group. Only the leader adds, so that plain stores would do, but
// Metrics may read meanwhile.
func (c *counters) commit(group []*Batch, size int, operations uint64) {
	c.commits.Add(int64(len(group)))
	c.operations.Add(int64(operations))
	c.userBytes.Add(int64(size))
	c.logGroups.Add(1)
}

func (c *counters) compacted(x *compaction.Compaction, written int64) {
	if x.Move || x.DeleteOnly {
		c.moves.Add(1)
		return
	}
	c.compactions.Add(1)
	c.compactRead.Add(x.InputBytes())
	c.compactWritten.Add(written)
}

// Metrics is a picture of the store. Counts are since Open, sizes are in bytes.
type Metrics struct {
	Levels [base.NumLevels]LevelMetrics

	// Writing. UserBytes are keys and values as committed, encoded. LogBytes are the
	// bytes appended to logs. The write amplification is (LogBytes + FlushBytes +
	// CompactionWrittenBytes) / UserBytes.
	Commits, Operations, UserBytes int64
	LogBytes, LogRecords, LogSyncs int64
	Flushes, FlushBytes            int64
	Compactions, Moves             int64 // moves rewrite nothing
	CompactionReadBytes            int64
	CompactionWrittenBytes         int64
	CompactionsRunning             int
	CompactionDebt                 int64 // bytes to be rewritten until the tree is in shape
	Stalls                         int64 // times that writers stood still until a memtable was flushed
	StallTime                      time.Duration
	// DelayTime is how long writers were slowed down because compactions (more than 16 tables
	// in L0) or the flush are behind. docs/compaction.md, Writers that are slowed down, says
	// what helps when it grows.
	DelayTime                                time.Duration
	TablesDeleted, TxnConflicts              int64
	BackgroundErrors, Corruptions            int64
	BlockReads, TableBytesRead               int64 // from files, by lookups and iterators and compactions
	FilterProbes, FilterNegatives            int64
	CacheHits, CacheMisses                   int64 // of blocks
	RowHits, RowMisses                       int64 // of the row cache: single reads of the newest moment, once it is in use
	OpenTables, OpenIterators, OpenSnapshots int
	FiltersLeftOut                           int // tables among OpenTables without their filter, for want of memory
	SealedMemtables                          int

	// Values outside of the tree. LiveBytes is what tables refer to, values that were replaced
	// or deleted included until compactions meet them; after an excise an estimate. The rest
	// of Bytes is garbage, and what the files have beside values.
	Blobs struct{ Files, Bytes, LiveBytes int64 }

	// Memory in use, against Memory: Budget is Options.Memory.
	Memory struct {
		Budget    int64
		Memtables int64 // reserved for memtables, the next one and those that only iterators keep included
		Cache     int64 // blocks
		Rows      int64 // the row cache
		Tables    int64 // filters and indexes of open tables
		Buffers   int64 // of iterators and compactions that read ahead
		Total     int64
	}

	VisibleSeq     uint64
	OldestSnapshot uint64 // 0: no snapshot is open
	ReadOnlyReason string // why writes are refused; empty while they are not
}

// LevelMetrics is one level of the tree.
type LevelMetrics struct {
	Tables  int
	Bytes   int64
	Entries uint64
	Deletes uint64  // point tombstones among Entries
	Score   float64 // need for work; a compaction is due from 1 on
}

// Metrics returns a picture of the store. On a closed DB the levels are empty.
func (db *DB) Metrics() *Metrics {
	c := &db.stats
	m := &Metrics{
		Commits: c.commits.Load(), Operations: c.operations.Load(), UserBytes: c.userBytes.Load(),
		LogBytes: c.logBytes.Load(), LogRecords: c.logGroups.Load(), LogSyncs: c.syncs.Load(),
		Flushes: c.flushes.Load(), FlushBytes: c.flushBytes.Load(),
		Compactions: c.compactions.Load(), Moves: c.moves.Load(),
		CompactionReadBytes: c.compactRead.Load(), CompactionWrittenBytes: c.compactWritten.Load(),
		Stalls: c.stalls.Load(), StallTime: time.Duration(c.stallNanos.Load()), DelayTime: time.Duration(c.delayNanos.Load()),
		TablesDeleted: c.tablesDeleted.Load(), TxnConflicts: c.conflicts.Load(),
		BackgroundErrors: c.backgroundErrors.Load(), Corruptions: c.corruptions.Load(),
		BlockReads: db.reads.BlockReads.Load(), TableBytesRead: db.reads.BytesRead.Load(),
		FilterProbes: db.reads.FilterProbes.Load(), FilterNegatives: db.reads.FilterNegatives.Load(),
		OpenIterators: int(c.iterators.Load()), VisibleSeq: db.visible.Load(),
	}
	if err := db.writable(); err != nil {
		m.ReadOnlyReason = err.Error()
	}
	cs := db.cache.Stats()
	m.CacheHits, m.CacheMisses, m.Memory.Cache = cs.Hits, cs.Misses, cs.Used
	rs := db.rows.Stats()
	m.RowHits, m.RowMisses, m.Memory.Rows = rs.Hits, rs.Misses, rs.Used
	m.Memory.Budget = db.opts.Memory
	db.readers.mu.Lock()
	m.OpenTables = len(db.readers.ring)
	for _, t := range db.readers.ring {
		if o := t.open.Load(); o != nil && o.LeftFilterOut() {
			m.FiltersLeftOut++
		}
	}
	db.readers.mu.Unlock()
	m.Memory.Memtables, m.Memory.Tables = db.memtables.total.Load(), db.readers.open.Load()
	m.Memory.Buffers = db.reads.Buffers.Load()
	db.mu.Lock()
	defer db.mu.Unlock()
	m.CompactionsRunning, m.SealedMemtables = len(db.running), len(db.imm)
	m.OpenSnapshots = len(db.snapshots.open)
	if m.OpenSnapshots > 0 {
		m.OldestSnapshot = uint64(db.snapshots.oldest())
	}
	if s := db.state.Load(); s != nil {
		m.addState(s, db.shape)
	}
	m.Memory.Total = m.Memory.Memtables + m.Memory.Cache + m.Memory.Rows + m.Memory.Tables + m.Memory.Buffers
	return m
}

func (m *Metrics) addState(s *readState, shape compaction.Options) {
	scores := compaction.Scores(s.version, shape)
	for l, files := range s.version.Levels {
		x := &m.Levels[l]
		x.Tables, x.Score = len(files), scores[l]
		for _, f := range files {
			x.Bytes += f.Bytes()
			x.Entries += f.Entries
			x.Deletes += f.Deletes
		}
	}
	for i := range s.version.Blobs {
		b := &s.version.Blobs[i]
		m.Blobs.Files++
		m.Blobs.Bytes += b.Size
		m.Blobs.LiveBytes += b.Bytes - b.Garbage()
	}
	m.CompactionDebt = compaction.Debt(s.version, shape)
}

// TableBytes returns the size of all tables, blob files not included.
func (m *Metrics) TableBytes() int64 {
	var n int64
	for _, l := range m.Levels {
		n += l.Bytes
	}
	return n
}

// WriteAmplification returns bytes written to disk for each byte committed; 0 if
// nothing was.
func (m *Metrics) WriteAmplification() float64 {
	if m.UserBytes == 0 {
		return 0
	}
	return float64(m.LogBytes+m.FlushBytes+m.CompactionWrittenBytes) / float64(m.UserBytes)
}

// String draws the picture as a table.
func (m *Metrics) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "level  tables        size     entries   deletes  score\n")
	for l, x := range m.Levels {
		if x.Tables == 0 && l > 0 {
			continue
		}
		fmt.Fprintf(&b, "L%d    %7d  %10s  %10d  %8d  %5.2f\n", l, x.Tables, humanBytes(x.Bytes), x.Entries, x.Deletes, x.Score)
	}
	line := func(name, format string, args ...any) {
		fmt.Fprintf(&b, "%-12s "+format+"\n", append([]any{name}, args...)...)
	}
	if m.Blobs.Files > 0 {
		line("blob files", "%d, %s; values that are needed %s", m.Blobs.Files, humanBytes(m.Blobs.Bytes), humanBytes(m.Blobs.LiveBytes))
	}
	line("writes", "%d commits, %d operations, %s; write amplification %.2f", m.Commits, m.Operations, humanBytes(m.UserBytes), m.WriteAmplification())
	line("log", "%s in %d records, %d syncs", humanBytes(m.LogBytes), m.LogRecords, m.LogSyncs)
	line("flush", "%d, %s; %d sealed memtables wait", m.Flushes, humanBytes(m.FlushBytes), m.SealedMemtables)
	line("compaction", "%d (%d running) and %d moves; read %s, wrote %s, debt %s", m.Compactions, m.CompactionsRunning, m.Moves,
		humanBytes(m.CompactionReadBytes), humanBytes(m.CompactionWrittenBytes), humanBytes(m.CompactionDebt))
	line("stalls", "%d for %v; writers slowed down for %v", m.Stalls, m.StallTime.Round(time.Millisecond), m.DelayTime.Round(time.Millisecond))
	line("reads", "%d blocks, %s from tables; filters ended %d of %d probes", m.BlockReads, humanBytes(m.TableBytesRead), m.FilterNegatives, m.FilterProbes)
	line("cache", "%d hits, %d misses", m.CacheHits, m.CacheMisses)
	if m.Memory.Rows > 0 {
		line("row cache", "%d hits, %d misses", m.RowHits, m.RowMisses)
	}
	line("memory", "%s of %s: memtables %s, cache %s, rows %s, tables %s, buffers %s", humanBytes(m.Memory.Total), humanBytes(m.Memory.Budget),
		humanBytes(m.Memory.Memtables), humanBytes(m.Memory.Cache), humanBytes(m.Memory.Rows), humanBytes(m.Memory.Tables), humanBytes(m.Memory.Buffers))
	without := ""
	if m.FiltersLeftOut > 0 {
		without = fmt.Sprintf(" (%d without their filter)", m.FiltersLeftOut)
	}
	line("open", "%d tables%s, %d iterators, %d snapshots", m.OpenTables, without, m.OpenIterators, m.OpenSnapshots)
	line("errors", "%d background, %d corruptions", m.BackgroundErrors, m.Corruptions)
	if m.ReadOnlyReason != "" {
		line("read only", "%s", m.ReadOnlyReason)
	}
	return b.String()
}

func humanBytes(n int64) string {
	switch {
	case n >= 10<<30:
		return fmt.Sprintf("%.1f GiB", float64(n)/(1<<30))
	case n >= 10<<20:
		return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
	case n >= 10<<10:
		return fmt.Sprintf("%.1f KiB", float64(n)/(1<<10))
	}
	return fmt.Sprintf("%d B", n)
}
