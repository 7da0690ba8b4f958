package lsm

import (
	"bytes"
	"fmt"
	"runtime"
	"sort"
	"sync"
	"sync/atomic"

	"github.com/ringwood-kv/ringwood/lsm/internal/base"
	"github.com/ringwood-kv/ringwood/lsm/internal/manifest"
	"github.com/ringwood-kv/ringwood/lsm/internal/rangedel"
	"github.com/ringwood-kv/ringwood/lsm/internal/sstable"
	"github.com/ringwood-kv/ringwood/lsm/vfs"
)

// table is one table of the tree as the read path sees it. Its reader, with filter
// and index in memory, is opened at first use and may be taken away again when the
// budget is short. Whoever has a readState by acquire may go on using it; who keeps it
// for longer pins it.
type table struct {
	meta *manifest.FileMeta
	blob bool   // a blob file, of which meta has the numbers and the size
	born uint64 // epoch of the first state that has it

	open atomic.Pointer[openTable]
	mu   sync.Mutex  // one goroutine opens
	used atomic.Bool // since the clock hand last came by
}

// fileRefs counts the tables that share each file: those of the tree, and those that
// left it but that some state still has. An excise makes several of one.
type fileRefs struct {
	mu sync.Mutex
	n  map[base.FileNum]int
}

func (r *fileRefs) add(num base.FileNum) {
	r.mu.Lock()
	r.n[num]++
	r.mu.Unlock()
}

// drop reports whether that was the last one.
func (r *fileRefs) drop(num base.FileNum) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.n[num]--
	if r.n[num] > 0 {
		return false
	}
	delete(r.n, num)
	return true
}

func (r *fileRefs) has(num base.FileNum) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.n[num] > 0
}

// openTable is a reader with the range tombstones of its table as the tree counts
// them: clipped to the table's bounds, with its global sequence number.
type openTable struct {
	*sstable.Reader
	dels *rangedel.List       // nil if there are none; outlives the reader
	top  []rangedel.Tombstone // the envelope of dels, for the picker
	pins atomic.Int64         // and one as long as it is the table's; at 0 it is closed
	open *atomic.Int64        // memory of all open readers; this one is taken off when closed
}

func (o *openTable) unpin() {
	if o.pins.Add(-1) == 0 {
		o.open.Add(-o.MemoryUsage())
		_ = o.Close()
	}
}

// tryPin fails for a reader that has been closed.
func (o *openTable) tryPin() bool {
	for n := o.pins.Load(); n > 0; n = o.pins.Load() {
		if o.pins.CompareAndSwap(n, n+1) {
			return true
		}
	}
	return false
}

// readerList is the set of open readers, in a ring with a clock hand.
type readerList struct {
	mu    sync.Mutex
	ring  []*table
	hand  int
	bytes int64        // memory of the readers in the ring
	open  atomic.Int64 // memory of all open readers, dropped ones that are in use included
}

// reader returns the open table, opening it if need be.
func (db *DB) reader(t *table) (*openTable, error) {
	if o := t.open.Load(); o != nil {
		if !t.used.Load() {
			t.used.Store(true)
		}
		return o, nil
	}
	return db.openTable(t)
}

// pinned returns the open table of t, which stays open until unpin. The caller keeps the
// table.
func (db *DB) pinned(t *table) (*openTable, error) {
	for {
		o, err := db.reader(t)
		if err != nil || o.tryPin() {
			return o, err
		}
	}
}

func (db *DB) openTable(t *table) (*openTable, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if o := t.open.Load(); o != nil {
		return o, nil
	}
	o, err := db.loadTable(t, sstable.ReaderOptions{Cache: db.cache, BlobsOnly: t.blob, NoFilter: db.sparesFilter(t)})
	if err != nil {
		return nil, err
	}
	o.open = &db.readers.open
	o.open.Add(o.MemoryUsage())
	t.used.Store(true)
	db.readers.mu.Lock()
	t.open.Store(o)
	db.readers.ring = append(db.readers.ring, t)
	db.readers.bytes += o.MemoryUsage()
	drop := db.readers.overLimit(db.opts.MaxOpenFiles, db.plan.metadata, t)
	db.readers.mu.Unlock()
	db.dropReaders(drop)
	db.resizeCache(0)
	return o, nil
}

// sparesFilter reports whether t is to do without its filter, because memory for readers
// is short and t is in the last level. What is there is found there without a filter,
// too, and these filters are most of all. To open a reader again and again for want
// of memory costs fifty times the block that a lookup of an absent key then looks into.
func (db *DB) sparesFilter(t *table) bool {
	limit := db.plan.metadata
	db.readers.mu.Lock()
	tight := db.readers.bytes > limit-limit/16
	db.readers.mu.Unlock()
	s := db.state.Load() // what is looked at of it never changes
	if !tight || t.blob || s == nil {
		return false
	}
	for l := len(s.tables) - 1; l > 0; l-- {
		if level := s.tables[l]; len(level) > 0 {
			i := sort.Search(len(level), func(i int) bool { return bytes.Compare(level[i].meta.Smallest, t.meta.Smallest) >= 0 })
			return i < len(level) && level[i] == t
		}
	}
	return false
}

// loadTable opens the file behind t, with those of o that say what for.
func (db *DB) loadTable(t *table, o sstable.ReaderOptions) (*openTable, error) {
	f, name := t.meta, db.fileOf(t)
	file, err := db.openFile(name)
	if err != nil {
		return nil, fmt.Errorf("open table: %w", err)
	}
	o.Name, o.ID, o.UID, o.Size, o.Stats = name, uint64(f.Num), f.UID, f.Size, &db.reads
	if !db.stepped && runtime.GOMAXPROCS(0) > 1 {
		o.Spawn = db.spawn
	}
	r, err := sstable.NewReader(file, o)
	if err != nil {
		_ = file.Close()
		db.noteCorruption(err)
		return nil, err
	}
	x := &openTable{Reader: r}
	x.pins.Store(1)
	if f.RangeDels > 0 {
		var ts []rangedel.Tombstone
		for _, d := range r.RangeDels() {
			if f.GlobalSeq != 0 {
				d.Seq = f.GlobalSeq
			}
			if f.Clipped {
				d = d.Truncate(f.Smallest, clipEnd(f))
			}
			if !d.Empty() {
				ts = append(ts, d)
			}
		}
		if len(ts) > 0 {
			x.dels, x.top = rangedel.Build(ts), rangedel.Envelope(ts)
		}
	}
	return x, nil
}

// heldFile is a file that a read-only store keeps open as long as it has the table.
type heldFile struct{ vfs.File }

func (heldFile) Close() error { return nil }

// fileOf returns the path of t's file.
func (db *DB) fileOf(t *table) string {
	if t.blob {
		return db.blobPath(t.meta.File)
	}
	return db.tablePath(t.meta.File)
}

func (db *DB) openFile(name string) (vfs.File, error) {
	if f := db.held[name]; f != nil {
		return heldFile{f}, nil
	}
	return db.fs.Open(name)
}

// clipEnd returns the exclusive end of the keys of a table, nil for none. Points may
// stand on an inclusive Largest; the smallest key after it is one zero byte longer.
func clipEnd(f *manifest.FileMeta) []byte { return endOf(f, new([]byte)) }

// endOf is clipEnd, which puts what it has to make into buf.
func endOf(f *manifest.FileMeta, buf *[]byte) []byte {
	if f.Unbounded() {
		return nil
	}
	if f.LargestExclusive {
		return f.Largest
	}
	*buf = append(append((*buf)[:0], f.Largest...), 0)
	return *buf
}

// overLimit takes readers off the ring until it is within its limits again, and
// returns them. Readers used since the hand last passed get another round.
func (l *readerList) overLimit(files int, bytes int64, keep *table) []*table {
	var drop []*table
	for tries := 2 * len(l.ring); tries > 0 && len(l.ring) > 1 && (len(l.ring) > files || l.bytes > bytes); tries-- {
		l.hand %= len(l.ring)
		t := l.ring[l.hand]
		if t == keep || t.used.Swap(false) {
			l.hand++
			continue
		}
		drop = append(drop, l.removeAt(l.hand))
	}
	return drop
}

func (l *readerList) removeAt(i int) *table {
	t := l.ring[i]
	last := len(l.ring) - 1
	l.ring[i] = l.ring[last]
	l.ring[last] = nil
	l.ring = l.ring[:last]
	l.bytes -= t.open.Load().MemoryUsage()
	return t
}

// dropReaders closes readers that were taken off the ring when nobody can be using
// them any more. A new state is installed, so that this is not later than the end of
// the single reads that run now, and of pins.
func (db *DB) dropReaders(drop []*table) {
	if len(drop) == 0 {
		return
	}
	closers := make([]*openTable, len(drop))
	for i, t := range drop {
		closers[i] = t.open.Swap(nil)
	}
	db.mu.Lock()
	s := db.state.Load()
	last := db.epoch
	if s != nil { // if closed meanwhile, iterators that are still open keep a state
		db.installLocked(s.mem, s.imm, s.version)
	}
	db.mu.Unlock()
	for i, t := range drop {
		if o := closers[i]; o != nil {
			db.reclaim.retire(holdReaders, t.born, last, o.unpin)
		}
	}
}

// dropTable frees a table that left the tree and that no state has any more: its
// reader, its blocks in the cache, and its file unless another table shares it.
func (db *DB) dropTable(t *table) {
	db.readers.mu.Lock()
	for i, x := range db.readers.ring {
		if x == t {
			db.readers.removeAt(i)
			break
		}
	}
	db.readers.mu.Unlock()
	// Taken in one step: dropReaders may be about to close it too.
	o := t.open.Swap(nil)
	if o != nil {
		o.unpin()
	}
	file := ""
	if db.files.drop(t.meta.File) {
		file = db.fileOf(t)
		if f := db.held[file]; f != nil {
			_ = f.Close()
		}
	}
	db.tidyUp(t.meta.Num, file)
}

// retireAll hands the whole of the last state to the reclaimer, at Close.
func (db *DB) retireAll(s *readState) {
	db.reclaim.retire(holdReaders, 0, s.epoch, db.rows.Free)
	for _, m := range append(s.imm[:len(s.imm):len(s.imm)], s.mem) {
		if m != nil {
			db.reclaim.retire(holdMemory, m.born, s.epoch, m.free)
		}
	}
	for t := range s.files() {
		db.reclaim.retire(holdTables, t.born, s.epoch, func() { db.dropTable(t) })
	}
}

// noteCorruption counts and announces err if it is one.
func (db *DB) noteCorruption(err error) {
	if isCorruption(err) {
		db.stats.corruptions.Add(1)
		db.event(Event{Kind: EventCorruption, Err: err})
	}
}
