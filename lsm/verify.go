package lsm

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Verify reads every table of the store and checks every checksum, the order of
// keys, and that indexes, filters and counts agree with the data. It returns what
// is wrong, all of it joined; errors.As finds each *CorruptionError. It reads at full
// speed and stops when ctx ends.
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
	pace := pacer{ctx: ctx, perSecond: bytesPerSecond, start: time.Now()}
	var errs []error
	for level, tables := range s.tables {
		for _, t := range tables {
			if !t.meta.Overlaps(start, end, true) {
				continue
			}
			if err := db.verifyTable(t, &pace); err != nil {
				if ctx.Err() != nil {
					return errors.Join(append(errs, ctx.Err())...)
				}
				db.noteCorruption(err)
				errs = append(errs, fmt.Errorf("level %d: %w", level, err))
			}
			if db.closing.Load() {
				return errors.Join(append(errs, ErrClosed)...)
			}
		}
	}
	return errors.Join(errs...)
}

// verifyTable opens the file afresh, so that what is in memory hides nothing.
func (db *DB) verifyTable(t *table, pace *pacer) error {
	o, err := db.loadTable(t.meta)
	if err != nil {
		return err
	}
	defer o.Close()
	return o.VerifyBlocks(pace.read)
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
