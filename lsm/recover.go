package lsm

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"time"

	"github.com/ringwood-kv/ringwood/lsm/internal/base"
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
	var outs []*manifest.FileMeta
	r := replayer{db: db, last: st.LastSeq, sealed: func(m *memtable) error {
		defer m.free()
		made, _, err := db.writeTables([]*memtable{m}, nil)
		outs = append(outs, made...)
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
	for _, o := range outs {
		edit.Added = append(edit.Added, manifest.NewFile{Level: 0, Meta: o})
	}
	db.log, db.logs = log, []*logFile{log}
	if err := db.store.Append(edit); err != nil {
		return db.storeFailed(err)
	}
	db.mem, err = newMemtable(int(db.plan.memtable), nil, log.num)
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
		case manifest.FileTable:
			orphan = db.files[num] == 0
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
	prev   base.SeqNum // of the record before
	last   base.SeqNum
	bytes  int64
	sealed func(*memtable) error // takes over a memtable that is full, or the last
}

// run replays the logs that st needs and returns how each of them ends.
func (r *replayer) run(st manifest.State) (tails []wal.LogTail, err error) {
	defer func() {
		if r.mem != nil {
			r.mem.free()
		}
	}()
	nums, err := r.db.listLogs(st.MinLog)
	if err != nil || len(nums) == 0 {
		return nil, err
	}
	whole := true // no log so far is torn
	for _, num := range nums {
		tail, err := r.log(st, num, whole)
		if err != nil {
			return nil, err
		}
		tails = append(tails, wal.LogTail{Name: r.db.logPath(num), Num: num, Tail: tail})
		whole = whole && tail.Clean
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

// listLogs returns the numbers of the logs from min on, ascending.
func (db *DB) listLogs(min base.FileNum) ([]base.FileNum, error) {
	if min == 0 {
		return nil, nil // created, and not once opened: no commit was ever accepted
	}
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
			if err := r.group(fr.Payload, first); err != nil {
				if isCorruption(err) || errors.Is(err, errBadRecord) {
					return &CorruptionError{File: name, Offset: fr.Offset, Err: err}
				}
				return err
			}
		}
		return nil
	})
	return tail, err
}

var errBadRecord = errors.New("bad record")

// group replays one log record.
func (r *replayer) group(payload []byte, first base.SeqNum) error {
	seq, ops, need, err := decodeGroup(payload, first)
	if err != nil {
		return fmt.Errorf("%w: %w", errBadRecord, err)
	}
	r.bytes += int64(len(payload))
	if len(ops) == 0 {
		return nil
	}
	if seq <= r.prev {
		return fmt.Errorf("%w: sequence number %d after %d", errBadRecord, seq, r.prev)
	}
	if r.mem != nil && r.mem.room() < need {
		m := r.mem
		r.mem = nil
		if err := r.sealed(m); err != nil {
			return err
		}
	}
	if r.mem == nil {
		capacity := max(int(r.db.plan.memtable), need+memtableSlack+1<<12)
		if r.mem, err = newMemtable(capacity, nil, 0); err != nil {
			return err
		}
	}
	next, err := r.mem.apply(ops, seq)
	if err != nil {
		return fmt.Errorf("%w: %w", errBadRecord, err)
	}
	r.prev = next - 1
	r.last = max(r.last, r.prev)
	return nil
}
