package lsm

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"time"

	"github.com/ringwood-kv/ringwood/lsm/internal/base"
	"github.com/ringwood-kv/ringwood/lsm/internal/batch"
	"github.com/ringwood-kv/ringwood/lsm/internal/manifest"
	"github.com/ringwood-kv/ringwood/lsm/internal/wal"
)

// Recovery, in this order, so that a crash at any point leaves a store from which it
// can begin again:
//
//  1. The manifest is read; the files of all its tables must be there.
//  2. The logs from its MinLog on are replayed, and what they hold is written into
//     tables, synced with their names. Nothing is trusted to be on disk because it
//     could be read.
//  3. A new log is made, durable with its name.
//  4. One edit adds the tables and makes the new log the first that is needed.
//  5. Only now may old logs, orphaned tables and old manifests be removed, and
//     commits begin.
func (db *DB) recover(st manifest.State) error {
	start := time.Now()
	var outs outputs
	r := replayer{db: db, last: st.LastSeq, sealed: func(m *memtable) error {
		defer m.free()
		made, _, err := db.writeTables([]*memtable{m}, moment{time: db.now()}, nil)
		outs.tables, outs.blobs = append(outs.tables, made.tables...), append(outs.blobs, made.blobs...)
		return err
	}}
	tails, err := r.run(st)
	if err != nil {
		db.removeOutputs(outs)
		return err
	}
	db.lastSeq = r.last
	db.visible.Store(uint64(r.last))
	log, err := db.createLog(db.store.NewNum(), db.lastSeq+1)
	if err != nil {
		db.removeOutputs(outs)
		return err
	}
	edit := &manifest.Edit{MinLog: log.num, LastSeq: r.last}
	outs.addTo(edit, 0)
	db.log, db.logs = log, []*logFile{log}
	if err := db.store.Append(edit); err != nil {
		return db.storeFailed(err)
	}
	if err := db.store.Err(); err != nil { // it has the edit, and can take no more
		return db.storeFailed(err)
	}
	db.mem, err = newMemtable(int(db.plan.memtable), nil, log.num, &db.memtables)
	if err != nil {
		return err
	}
	db.mem.born = 1
	db.mu.Lock()
	db.installLocked(db.mem, nil, db.store.Version())
	db.mu.Unlock()
	db.announceRecovery(tails, r.bytes, time.Since(start))
	return db.removeOrphans()
}

func (db *DB) announceRecovery(tails []wal.LogTail, bytes int64, took time.Duration) {
	for _, t := range tails {
		if t.Tail.Dropped > 0 {
			db.event(Event{Kind: EventRecovered, Reason: "torn end of a log", File: t.Name, Offset: t.Tail.End, Dropped: t.Tail.Dropped})
		}
	}
	if bytes > 0 {
		db.event(Event{Kind: EventRecovered, Reason: "replayed", Files: len(tails), Bytes: bytes, Duration: took})
	}
}

// removeOrphans removes the files that the store does not need: what a run that was
// interrupted has left. Only names that the engine makes are touched.
func (db *DB) removeOrphans() error {
	names, err := db.fs.List(db.dir)
	if err != nil {
		return err
	}
	state := db.store.State()
	for _, name := range names {
		kind, num, ok := manifest.ParseName(name)
		if !ok {
			continue
		}
		orphan := false
		switch kind {
		case manifest.FileLog:
			orphan = num != db.log.num
		case manifest.FileTable, manifest.FileBlob:
			orphan = !db.files.has(num)
		case manifest.FileManifest:
			orphan = num != state.Manifest
		case manifest.FileCurrentTmp:
			orphan = true
		}
		if !orphan {
			continue
		}
		if err := db.fs.Remove(db.path(name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			// It will be tried again; a file too many harms nobody.
			db.event(Event{Kind: EventBackgroundError, File: name, Err: err})
		}
	}
	return nil
}

// replayer reads logs into memtables.
type replayer struct {
	db     *DB
	mem    *memtable
	known  base.SeqNum // the manifest's LastSeq
	prev   base.SeqNum // of the record before
	last   base.SeqNum
	bytes  int64
	sealed func(*memtable) error // takes over a memtable that is full, or the last

	before, total int64 // of the logs as files: those that were read, all of them
	shown         int64 // how far the last EventReplaying was
}

// showStep is how many bytes of log lie between two EventReplaying.
const showStep = 1 << 20

// show tells how far the replay has come: to an offset of the log that is being read.
func (r *replayer) show(offset int64) {
	if at := r.before + offset; at-r.shown >= showStep {
		r.shown = at
		r.db.event(Event{Kind: EventReplaying, Bytes: at, Total: r.total})
	}
}

// run replays the logs that st needs and returns how each of them ends.
func (r *replayer) run(st manifest.State) (tails []wal.LogTail, err error) {
	defer func() {
		if r.mem != nil {
			r.mem.free()
		}
	}()
	r.known = st.LastSeq
	if st.MinLog == 0 {
		return nil, r.db.checkFresh(st)
	}
	nums, err := r.db.listLogs(st.MinLog)
	if err != nil || len(nums) == 0 {
		return nil, err
	}
	for _, num := range nums {
		if info, err := r.db.fs.Stat(r.db.logPath(num)); err == nil { // else the scan will say so
			r.total += info.Size
		}
	}
	whole := true           // no log so far is torn
	next := base.FileNum(0) // which the last one named
	for _, num := range nums {
		tail, err := r.log(st, num, whole)
		if err != nil {
			return nil, err
		}
		tails = append(tails, wal.LogTail{Name: r.db.logPath(num), Num: num, Tail: tail})
		if num < next && tail.Unused() {
			continue // a rotation that failed has left it: see wal.Chain
		}
		whole, next = whole && tail.Clean, tail.Next
	}
	n, err := wal.Chain(tails)
	if err != nil {
		return nil, err
	}
	for i := n; i < len(tails); i++ {
		// Written after the torn end of an earlier one, and never acknowledged as synced.
		tails[i].Tail.Dropped, tails[i].Tail.End = tails[i].Tail.End, 0
	}
	if r.mem == nil || r.mem.empty() {
		return tails, nil
	}
	m := r.mem
	r.mem = nil
	return tails, r.sealed(m)
}

// checkFresh sees that a store whose manifest has never named a log is what that
// means: created, or salvaged, and not once opened. Then no commit was ever accepted;
// a record in a log, or a table beside the tree, proves that the manifest was cut short.
func (db *DB) checkFresh(st manifest.State) error {
	names, err := db.fs.List(db.dir)
	if err != nil {
		return err
	}
	known := make(map[base.FileNum]bool)
	for _, files := range st.Version.Levels {
		for _, f := range files {
			known[f.File] = true
		}
	}
	for _, b := range st.Version.Blobs {
		known[b.Num] = true
	}
	for _, name := range names {
		kind, num, ok := manifest.ParseName(name)
		used := ok && (kind == manifest.FileTable || kind == manifest.FileBlob) && !known[num]
		if ok && kind == manifest.FileLog {
			if used, err = db.hasRecords(num); err != nil {
				return err
			}
		}
		if used {
			return base.Corruptf(manifest.Path(db.dir, manifest.FileManifest, st.Manifest), st.End,
				"the store was never opened, the manifest says, but %s has data", name)
		}
	}
	return nil
}

func (db *DB) hasRecords(num base.FileNum) (bool, error) {
	name := db.logPath(num)
	f, err := db.fs.Open(name)
	if err != nil {
		return false, err
	}
	defer f.Close()
	size, err := f.Size()
	if err != nil {
		return false, fmt.Errorf("size of %s: %w", name, err)
	}
	records := false
	_, err = wal.Scan(f, size, name, wal.KindLog, num, wal.Expect{}, func(int64, []byte) error {
		records = true
		return nil
	})
	return records, err
}

// listLogs returns the numbers of the logs from min on, ascending.
func (db *DB) listLogs(min base.FileNum) ([]base.FileNum, error) {
	names, err := db.fs.List(db.dir)
	if err != nil {
		return nil, err
	}
	var nums []base.FileNum
	for _, name := range names {
		if kind, num, ok := manifest.ParseName(name); ok && kind == manifest.FileLog && num >= min {
			nums = append(nums, num)
		}
	}
	slices.Sort(nums)
	if len(nums) == 0 || nums[0] != min {
		return nil, base.Corruptf(db.logPath(min), -1, "the manifest needs this log, but there is no such file")
	}
	return nums, nil
}

// log scans one log, and replays it if apply.
func (r *replayer) log(st manifest.State, num base.FileNum, apply bool) (wal.Tail, error) {
	name := r.db.logPath(num)
	f, err := r.db.fs.Open(name)
	if err != nil {
		return wal.Tail{}, err
	}
	defer f.Close()
	size, err := f.Size()
	if err != nil {
		return wal.Tail{}, fmt.Errorf("size of %s: %w", name, err)
	}
	var o wal.ScanOptions
	if end, ok := st.LogEnd(num); ok {
		o.Expect = wal.Expect{MinEnd: end, Clean: true}
	}
	var first base.SeqNum
	tail, err := wal.ScanFrames(f, size, name, wal.KindLog, num, o, func(fr *wal.Frame) error {
		switch fr.Type {
		case wal.TypeHeader:
			first = base.SeqNum(fr.Base)
		case wal.TypeData, wal.TypeMarked:
			if !apply {
				return nil
			}
			r.show(fr.Offset)
			if err := r.group(fr.Payload, first); err != nil {
				if isCorruption(err) || errors.Is(err, errBadRecord) {
					return &CorruptionError{File: name, Offset: fr.Offset, Err: err}
				}
				return err
			}
		}
		return nil
	})
	r.before += size
	return tail, err
}

var errBadRecord = errors.New("bad record")

// group replays one log record.
func (r *replayer) group(payload []byte, first base.SeqNum) error {
	g, err := batch.Decode(payload, first)
	if err != nil {
		return fmt.Errorf("%w: %w", errBadRecord, err)
	}
	r.bytes += int64(len(payload))
	if g.Count == 0 {
		if g.Seq > r.known {
			return fmt.Errorf("%w: the tree was changed under the sequence number %d, and the manifest, which is older, knows up to %d",
				errBadRecord, g.Seq, r.known)
		}
		return nil
	}
	if g.Seq <= r.prev {
		return fmt.Errorf("%w: sequence number %d after %d", errBadRecord, g.Seq, r.prev)
	}
	need := g.Bytes + g.Count*opOverhead
	if r.mem != nil && !r.mem.fits(need) {
		m := r.mem
		r.mem = nil
		if err := r.sealed(m); err != nil {
			return err
		}
	}
	if r.mem == nil {
		capacity := max(int(r.db.plan.memtable), need+memtableSlack+1<<12)
		if r.mem, err = newMemtable(capacity, nil, 0, &r.db.memtables); err != nil {
			return err
		}
	}
	next, err := r.mem.apply(g.Ops, g.Seq)
	if err != nil {
		return fmt.Errorf("%w: %w", errBadRecord, err)
	}
	r.prev = next - 1
	r.last = max(r.last, r.prev)
	return nil
}
