package lsm

import (
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/ringwood-kv/ringwood/lsm/internal/compaction"
	"github.com/ringwood-kv/ringwood/lsm/internal/sstable"
)

// split is a compaction that several goroutines may merge together. Keys cut it into
// parts of about the size of a table. Whoever begins has all parts before it and goes
// through them without a stop. Another one that has a processor to spare takes the later
// half of what the busiest has not come to: so nothing is cut that is not shared.
//
// A processor is to spare while somebody waits for compactions (WaitIdle, Compact) and
// nobody writes. At other times a second merge would hold writers up.
type split struct {
	db     *DB
	c      *compaction.Compaction
	s      *readState
	now    moment
	bounds [][]byte // part i ends before bounds[i]; the last one has no end
	most   int      // helpers for whose buffers there is memory
	others sync.WaitGroup

	helpers int // under db.mu

	mu     sync.Mutex
	shares []*share
	err    error
}

// share is a run of parts that one goroutine merges.
type share struct {
	at, end int // the part it is in, and the first one that is not its own
	begun   bool
	outs    outputs
}

const (
	// marksPerTable is by how many keys of each table a compaction may be cut.
	marksPerTable = 32
	// quietFor is how long nobody must have written for a helper to begin.
	quietFor = time.Millisecond
)

// newSplit prepares the compaction c, whose tables s keeps.
func (db *DB) newSplit(c *compaction.Compaction, s *readState, now moment) (*split, error) {
	p := &split{db: db, c: c, s: s, now: now}
	var marks []compaction.Mark
	sources := int64(0)
	for _, in := range c.Inputs {
		tables, err := s.inputs(in)
		if err != nil {
			return nil, err
		}
		if sources++; in.Level == 0 {
			sources += int64(len(tables)) - 1
		}
		for _, t := range tables {
			if err := db.breathe(); err != nil { // opening a table takes about half a millisecond
				return nil, err
			}
			of, err := db.pinned(t)
			if err != nil {
				return nil, err
			}
			of.Marks(marksPerTable, func(key []byte, n int64) {
				if t.meta.Contains(key) {
					marks = append(marks, compaction.Mark{Key: key, Bytes: n})
				}
			})
			of.unpin()
		}
	}
	if c.TargetFileSize > 0 {
		p.bounds = compaction.Split(marks, c.TargetFileSize)
	}
	// Those who begin compactions have their buffers anyway.
	p.most = int(db.plan.reserve/((sources+3)*sstable.SequentialBuffer)) - db.opts.CompactionConcurrency
	p.shares = []*share{{end: len(p.bounds) + 1}}
	return p, nil
}

// run merges everything and returns the outputs in the order of their keys, durable
// with their names. On an error they are removed.
func (p *split) run() (outputs, error) {
	db := p.db
	db.mu.Lock()
	db.splits = append(db.splits, p)
	db.helpLocked()
	// There is no helper in a stepped engine: it merges share by share.
	for db.stepped && db.waiting > 0 && p.cut() {
	}
	db.mu.Unlock()
	for x := p.take(); x != nil; x = p.take() {
		p.merge(x, func() bool { return true })
	}
	db.mu.Lock()
	db.splits = slices.DeleteFunc(db.splits, func(x *split) bool { return x == p })
	db.mu.Unlock()
	p.others.Wait()

	slices.SortFunc(p.shares, func(a, b *share) int { return a.end - b.end })
	var outs outputs
	for _, x := range p.shares {
		outs.add(x.outs)
	}
	if p.err != nil {
		db.removeOutputs(outs)
		return outputs{}, p.err
	}
	if err := db.syncNames(outs); err != nil {
		return outputs{}, err
	}
	return outs, nil
}

// take begins a share; nil if there is nothing left to do.
func (p *split) take() *share {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err != nil {
		return nil
	}
	fresh := func(x *share) bool { return !x.begun }
	i := slices.IndexFunc(p.shares, fresh)
	if i < 0 {
		if !p.cutLocked() {
			return nil
		}
		i = len(p.shares) - 1
	}
	p.shares[i].begun = true
	return p.shares[i]
}

// cut makes a new share of the later half of the largest.
func (p *split) cut() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.cutLocked()
}

func (p *split) cutLocked() bool {
	var of *share
	most := 0 // parts that were not come to
	for _, x := range p.shares {
		if n := x.end - x.at - 1; n > most {
			of, most = x, n
		}
	}
	if of == nil {
		return false
	}
	p.endLocked(of, of.end-(most+1)/2)
	return true
}

// endLocked leaves to others what x has from part i on.
func (p *split) endLocked(x *share, i int) {
	p.shares = append(p.shares, &share{at: i, end: x.end})
	x.end = i
}

// onward takes x to its next part, if it has one and is to stay.
func (p *split) onward(x *share, stay bool) (upper []byte, more bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if x.at+1 >= x.end {
		return nil, false
	}
	if !stay {
		p.endLocked(x, x.at+1)
		return nil, false
	}
	x.at++
	return p.upper(x.at), true
}

// upper is where part i ends.
func (p *split) upper(i int) []byte {
	if i < len(p.bounds) {
		return p.bounds[i]
	}
	return nil
}

// merge does x, for as long as stay says so. After an error nobody goes on.
func (p *split) merge(x *share, stay func() bool) {
	job := compaction.Job{Snapshots: p.now.snapshots, Now: p.now.time, Upper: p.upper(x.at), Cancel: p.breathe}
	if x.at > 0 {
		job.Lower = p.bounds[x.at-1]
	}
	job.Onward = func() ([]byte, bool) { return p.onward(x, stay()) }
	p.c.Configure(&job, p.s.version)
	outs, err := p.db.mergeTables(&job, p.s, p.c.Inputs)
	p.mu.Lock()
	defer p.mu.Unlock()
	x.outs = outs
	if p.err == nil {
		p.err = err
	}
}

// breathe is what each goroutine asks whether to go on.
func (p *split) breathe() error {
	p.mu.Lock()
	err := p.err
	p.mu.Unlock()
	if err != nil {
		return err
	}
	return p.db.breathe()
}

// helpLocked starts helpers, one for each processor to spare, if there is something for
// them to do. db.mu is held.
func (db *DB) helpLocked() {
	if db.waiting == 0 || db.stepped || db.closing.Load() {
		return
	}
	busy := len(db.running) + db.helpers
	if db.flushing {
		busy++
	}
	wanted := -db.helpers
	for _, p := range db.splits {
		wanted += max(p.most, p.helpers) // most is negative where there is no memory
	}
	for ; wanted > 0 && busy < runtime.GOMAXPROCS(0) && db.spawn(db.help); wanted-- {
		db.helpers++
		busy++
	}
}

// help takes shares of merges until there is none, or writers come back.
func (db *DB) help() {
	for {
		seq := db.visible.Load()
		time.Sleep(quietFor)
		quiet := func() bool { return db.visible.Load() == seq }
		db.mu.Lock()
		var p *split
		var x *share
		if quiet() && db.waiting > 0 {
			p, x = db.shareLocked()
		}
		if x == nil {
			db.helpers--
			db.mu.Unlock()
			return
		}
		p.helpers++
		p.others.Add(1)
		db.mu.Unlock()
		p.merge(x, quiet)
		db.mu.Lock()
		p.helpers--
		db.mu.Unlock()
		p.others.Done()
	}
}

// shareLocked takes a share of some merge. db.mu is held.
func (db *DB) shareLocked() (*split, *share) {
	for _, p := range db.splits {
		if p.helpers < p.most {
			if x := p.take(); x != nil {
				return p, x
			}
		}
	}
	return nil, nil
}
