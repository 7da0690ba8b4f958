package lsm

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ringwood-kv/ringwood/lsm/internal/base"
	"github.com/ringwood-kv/ringwood/lsm/internal/sstable"
)

// Verify reads every table of the store, and every value in blob files, and checks every
// checksum, the order of keys, that indexes, filters and counts agree with the data, and
// that each value is where its table says. It returns what is wrong, all of it joined;
// errors.As finds each *CorruptionError. It reads at full speed and stops when ctx ends.
func (db *DB) Verify(ctx context.Context) error { return db.VerifyRange(ctx, nil, nil, 0) }

// VerifyRange is Verify for the tables that hold keys of [start, end), end == nil
// meaning to the end of the key space, at no more than bytesPerSecond (0: no limit).
// Tables are checked whole.
func (db *DB) VerifyRange(ctx context.Context, start, end []byte, bytesPerSecond int64) error {
	if bytesPerSecond < 0 {
		return fmt.Errorf("lsm: verify: %d bytes a second; 0 is for no limit", bytesPerSecond)
	}
	s := db.acquire()
	if s == nil {
		return ErrClosed
	}
	s.keep(holdTables)
	s.release()
	defer s.drop(holdTables)
	if end != nil && string(start) >= string(end) {
		return nil
	}
	v := verification{db: db, s: s, pace: pacer{ctx: ctx, perSecond: bytesPerSecond, start: time.Now()}}
	defer v.closeBlobs()
	for level, tables := range s.tables {
		for _, t := range tables {
			if !t.meta.Overlaps(start, end, true) {
				continue
			}
			if err := v.table(t, fmt.Sprintf("level %d", level)); err != nil {
				return errors.Join(append(v.errs, err)...)
			}
		}
	}
	return errors.Join(v.errs...)
}

// verification is under way. It opens every file afresh and reads past the cache, so that
// what is in memory hides nothing.
type verification struct {
	db    *DB
	s     *readState
	pace  pacer
	errs  []error
	blobs map[base.FileNum]*openTable // open; nil for one that cannot be opened
	known map[base.FileNum]bool       // blob files that were opened whole
}

// maxVerifyBlobs bounds the blob files that a verification has open.
const maxVerifyBlobs = 64

// report takes note of what is wrong. It returns an error when the work is to end.
func (v *verification) report(where string, err error) error {
	if ctxErr := v.pace.ctx.Err(); ctxErr != nil {
		return ctxErr
	}
	v.db.noteCorruption(err)
	v.errs = append(v.errs, fmt.Errorf("%s: %w", where, err))
	return nil
}

// table verifies a table, the blob files that it refers to, and its values there.
func (v *verification) table(t *table, where string) error {
	if v.db.closing.Load() {
		return ErrClosed
	}
	o, err := v.db.loadTable(t, sstable.ReaderOptions{})
	if err != nil {
		return v.report(where, err)
	}
	defer o.Close()
	for _, u := range t.meta.Blobs {
		if err := v.blobFile(u.File); err != nil {
			return err
		}
	}
	var stop error
	err = o.Audit(sstable.Audit{
		Progress: v.pace.read,
		Report: func(err error) error {
			stop = v.report(where, err)
			return stop
		},
		Blob: func(key []byte, ref base.BlobRef) error {
			if t.meta.Clipped && !t.meta.Contains(key) {
				return nil // the file that it refers to may be gone
			}
			return v.value(key, ref)
		},
	})
	if err != nil && stop == nil && v.pace.ctx.Err() == nil {
		return v.report(where, err)
	}
	return err
}

// blobFile checks of a blob file, once, what readers of single values do not look at.
func (v *verification) blobFile(num base.FileNum) error {
	if v.known[num] {
		return nil
	}
	if v.known == nil {
		v.known = make(map[base.FileNum]bool)
	}
	v.known[num] = true
	t := v.s.blob(num)
	if t == nil {
		return nil // reported where something refers to it
	}
	o, err := v.db.loadTable(t, sstable.ReaderOptions{})
	if err != nil {
		return v.report("blob file", err)
	}
	return o.Close()
}

// value reads a value.
func (v *verification) value(key []byte, ref base.BlobRef) error {
	o, ok := v.blobs[ref.File]
	if !ok {
		t := v.s.blob(ref.File)
		if t == nil {
			return v.db.errStrayRef(key, ref)
		}
		if len(v.blobs) >= maxVerifyBlobs {
			v.closeBlobs()
		}
		if v.blobs == nil {
			v.blobs = make(map[base.FileNum]*openTable)
		}
		var err error
		o, err = v.db.loadTable(t, sstable.ReaderOptions{BlobsOnly: true})
		v.blobs[ref.File] = o
		if err != nil {
			return err
		}
	}
	if o == nil {
		return nil // reported
	}
	b, err := o.Blob(key, ref, false)
	b.Release()
	if err == nil {
		err = v.pace.read(int64(ref.Len))
	}
	return err
}

func (v *verification) closeBlobs() {
	for _, o := range v.blobs {
		if o != nil {
			_ = o.Close()
		}
	}
	v.blobs = nil
}

// pacer limits reading.
type pacer struct {
	ctx       context.Context
	perSecond int64
	start     time.Time
	bytes     int64
}

// read takes note of n bytes read and sleeps as long as that was too fast.
func (p *pacer) read(n int64) error {
	p.bytes += n
	if p.perSecond > 0 {
		due := time.Duration(float64(p.bytes) / float64(p.perSecond) * float64(time.Second))
		if wait := due - time.Since(p.start); wait > 0 {
			select {
			case <-p.ctx.Done():
			case <-time.After(wait):
			}
		}
	}
	return p.ctx.Err()
}
