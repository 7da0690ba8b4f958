package lsm

import (
	"fmt"
	"runtime"
	"sync"

	"github.com/ringwood-kv/ringwood/lsm/internal/base"
	"github.com/ringwood-kv/ringwood/lsm/internal/batch"
)

// The write path. Commits queue up; one writer at a time leads. The leader takes
// what waits as one group, gives it sequence numbers, writes one log record, syncs
// once if any member asked for it, adds the operations to the memtable and then
// makes them visible. Followers sleep meanwhile. Invariants:
//
//   - log order = sequence order = memtable order;
//   - nothing is visible before it may be acknowledged, and a group that failed
//     leaves no trace in memtable or log;
//   - only the leader touches lastSeq, the mutable memtable and the current log.
//
// Whoever needs the write path to stand still (rotation on demand, checkpoint,
// ingest, excise) queues up as a member that is alone in its group.
type pipeline struct {
	mu      sync.Mutex
	leading bool
	queue   []*Batch

	// The leader's.
	group     []*Batch
	parts     [][]byte
	header    []byte
	lastGroup int
	rowKeys   uint64 // written since the row cache was last looked at
}

// commitReq is what a batch needs while it waits in the queue.
type commitReq struct {
	durability Durability
	check      func() error // a transaction's validation; nothing is in flight while it runs
	exclusive  func() error // runs in place of a commit
	async      func(uint64, error)
	wake       chan bool // true: lead; false: done
	done       bool
	seq        base.SeqNum
	err        error
}

// maxGroupBytes bounds one log record, so that a follower's latency stays small.
const maxGroupBytes = 1 << 20

// Commit applies the batch atomically and returns when it is as durable as d says.
// On an error none of it was applied, except that after a failed sync (ErrReadOnly)
// it may or may not be there when the store is opened again.
func (b *Batch) Commit(d Durability) error {
	if b.db == nil {
		return fmt.Errorf("lsm: batch was not made by NewBatch")
	}
	return b.db.commit(b, d, nil)
}

// CommitAsync is Commit without the wait: done, if not nil, is called, from another goroutine
// or from the Executor, with the sequence number of the batch's last operation (0 if it
// has none) when Commit would have returned. Batches are applied in the order of the calls. done
// must return soon: it holds up later commits. The batch must not be touched before.
func (b *Batch) CommitAsync(d Durability, done func(seq uint64, err error)) {
	if done == nil {
		done = func(uint64, error) {}
	}
	if b.db == nil {
		done(0, fmt.Errorf("lsm: batch was not made by NewBatch"))
		return
	}
	if d > None {
		done(0, fmt.Errorf("lsm: unknown durability %d", d))
		return
	}
	db := b.db
	b.commit = commitReq{durability: d, async: done}
	p := &db.pipe
	p.mu.Lock()
	p.queue = append(p.queue, b)
	lead := !p.leading && !db.stepped
	if lead {
		p.leading = true
	}
	p.mu.Unlock()
	if lead {
		db.lead()
	} else if db.stepped {
		db.leadStepped()
	}
}

// lead leads on another goroutine, or here if the DB has been closed.
func (db *DB) lead() {
	if !db.spawnLeader() {
		db.leadAsync()
	}
}

// leadStepped is lead of a stepped engine.
func (db *DB) leadStepped() {
	if !db.spawn(db.leadIfNobody) {
		db.leadIfNobody()
	}
}

// leadIfNobody is the job of a stepped engine for CommitAsync.
func (db *DB) leadIfNobody() {
	p := &db.pipe
	p.mu.Lock()
	lead := !p.leading
	p.leading = true
	p.mu.Unlock()
	if lead {
		db.leadAsync()
	}
}

// exclusive runs fn while no commit is in flight and none begins.
func (db *DB) exclusive(fn func() error) error {
	b := &Batch{db: db}
	b.commit.exclusive = fn
	return db.enqueue(b)
}

func (db *DB) commit(b *Batch, d Durability, check func() error) error {
	if b.err != nil {
		return b.err
	}
	if d > None {
		return fmt.Errorf("lsm: unknown durability %d", d)
	}
	c := &b.commit
	c.durability, c.check, c.exclusive, c.async = d, check, nil, nil
	return db.enqueue(b)
}

// enqueue queues b and returns when it is done, leading groups meanwhile if nobody
// else does.
func (db *DB) enqueue(b *Batch) error {
	p, c := &db.pipe, &b.commit
	c.done, c.err = false, nil
	if c.wake == nil {
		c.wake = make(chan bool, 1)
	}
	p.mu.Lock()
	p.queue = append(p.queue, b)
	if p.leading {
		p.mu.Unlock()
		if lead := <-c.wake; !lead {
			return c.err
		}
		if p.lastGroup > 1 {
			// The writers of the last group are about to come back: one more
			// turn of the scheduler lets them share this group's sync.
			runtime.Gosched()
		}
	} else {
		p.leading = true
		p.mu.Unlock()
	}
	for !c.done {
		db.runGroup(b)
	}
	db.passOn()
	return c.err
}

// leadAsync leads while the head of the queue is nobody's to wait for.
func (db *DB) leadAsync() {
	p := &db.pipe
	for {
		p.mu.Lock()
		if len(p.queue) == 0 || p.queue[0].commit.async == nil {
			p.mu.Unlock()
			db.passOn()
			return
		}
		p.mu.Unlock()
		db.runGroup(nil)
	}
}

// passOn gives the lead to the head of the queue.
func (db *DB) passOn() {
	p := &db.pipe
	p.mu.Lock()
	if len(p.queue) == 0 {
		p.leading = false
		db.startRows()
		p.mu.Unlock()
		return
	}
	head := p.queue[0]
	if head.commit.async == nil {
		p.mu.Unlock()
		head.commit.wake <- true
		return
	}
	p.leading = !db.stepped
	p.mu.Unlock()
	if db.stepped {
		db.leadStepped()
		return
	}
	db.lead()
}

// runGroup takes the next group off the queue, carries it out and tells its
// members. self is the leader's own batch, which is not woken.
func (db *DB) runGroup(self *Batch) {
	p := &db.pipe
	p.mu.Lock()
	p.takeGroup()
	p.mu.Unlock()

	head := &p.group[0].commit
	var err error
	switch {
	case head.exclusive != nil:
		err = head.exclusive()
	case head.check != nil:
		if err = head.check(); err == nil {
			err = db.writeGroup(p.group)
		}
	default:
		err = db.writeGroup(p.group)
	}
	p.lastGroup = len(p.group)
	for i, b := range p.group {
		c := &b.commit
		p.group[i] = nil
		if c.async != nil {
			c.async(uint64(c.seq), err)
			continue
		}
		c.err, c.done = err, true
		if b != self {
			c.wake <- false
		}
	}
}

// takeGroup moves the head of the queue, and what may go with it, into p.group.
func (p *pipeline) takeGroup() {
	p.group = append(p.group[:0], p.queue[0])
	n, size := 1, len(p.queue[0].ops)
	alone := func(b *Batch) bool { return b.commit.check != nil || b.commit.exclusive != nil || b.err != nil }
	if !alone(p.queue[0]) {
		for n < len(p.queue) && !alone(p.queue[n]) {
			size += len(p.queue[n].ops)
			if size > maxGroupBytes {
				break
			}
			p.group = append(p.group, p.queue[n])
			n++
		}
	}
	rest := copy(p.queue, p.queue[n:])
	clear(p.queue[rest:])
	p.queue = p.queue[:rest]
}

// writeGroup commits the batches of group as one log record.
func (db *DB) writeGroup(group []*Batch) error {
	if err := group[0].err; err != nil { // an async batch with a bad operation is alone
		return err
	}
	if err := db.writable(); err != nil {
		return err
	}
	p := &db.pipe
	need, size, count, durability := 0, 0, uint64(0), None
	for _, b := range group {
		need += b.need
		size += len(b.ops)
		count += uint64(b.count)
		durability = min(durability, b.commit.durability)
	}
	if count == 0 {
		if durability == Sync {
			return db.syncLogs()
		}
		return nil
	}
	if uint64(overlaySeq-db.lastSeq) <= count {
		return fmt.Errorf("%w: sequence numbers are used up", ErrTooLarge)
	}
	if err := db.makeRoom(need, size); err != nil {
		return err
	}
	first := db.lastSeq + 1
	p.header = batch.AppendHeader(p.header[:0], first, db.log.base, count)
	p.parts = append(p.parts[:0], p.header)
	for _, b := range group {
		p.parts = append(p.parts, b.ops)
	}
	err := db.appendLog(p.parts, durability)
	clear(p.parts)
	if err != nil {
		return err
	}
	seq := first
	for _, b := range group {
		if seq, err = db.mem.apply(b.ops, seq); err != nil {
			// The log has it and memory does not: nothing may be acknowledged any more.
			return db.poison(fmt.Errorf("apply: %w", err))
		}
		b.commit.seq = seq - 1
	}
	db.lastSeq = seq - 1
	db.dead.written(group)
	change := db.beginRows(group, count)
	db.visible.Store(uint64(db.lastSeq))
	db.endRows(group, change)
	db.stats.commit(group, size, count)
	return nil
}
