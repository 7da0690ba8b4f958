package replica

import (
	"sync"

	"github.com/ringwood-kv/ringwood/cluster/hlc"
	"github.com/ringwood-kv/ringwood/cluster/vclock"
	"github.com/ringwood-kv/ringwood/lsm"
)

// leases is who waits for the durable bounds of dots and timestamps. At most one write
// of the session record is under way.
type leases struct {
	mu      sync.Mutex
	cond    *sync.Cond // busy became false
	busy    bool
	waiters ready // transactions whose body ran out of a lease
}

// Tick renews the leases if they end soon, at wall, in milliseconds since the Unix epoch.
// Transactions do so too, but the first after a pause has to wait for it. It does not
// wait.
func (r *Replica) Tick(wall int64) { r.renewIfDue(wall) }

// renewIfDue begins to renew the leases if it is time to.
func (r *Replica) renewIfDue(wall int64) {
	if _, due := r.clock.Renewal(wall); !due {
		if _, due = r.dots.Load().Renewal(); !due {
			return
		}
	}
	r.leases.mu.Lock()
	begin := !r.leases.busy && !r.closed.Load()
	r.leases.busy = r.leases.busy || begin
	r.leases.mu.Unlock()
	if begin {
		r.renew(wall)
	}
}

// park makes tx, which holds no latch, wait for longer leases.
func (r *Replica) park(tx *Tx) {
	wall := tx.wall
	r.leases.mu.Lock()
	r.leases.waiters.push(tx)
	begin := !r.leases.busy
	r.leases.busy = true
	r.leases.mu.Unlock()
	switch {
	case !begin:
	case r.closed.Load(): // and the last session record is written
		r.leasesFree(ErrClosed)
	default:
		r.renew(wall)
	}
}

// renew makes longer leases durable and goes on with who waited. The leases are busy.
func (r *Replica) renew(wall int64) {
	dots := r.dots.Load()
	s := session{shared: r.shared.Load()}
	s.dots, _ = dots.Renewal()
	s.clock, _ = r.clock.Renewal(wall)
	b := r.db.NewBatch()
	err := b.Put(metaSession, s.append(nil))
	if err == nil {
		err = b.Put(metaCounts, r.counts(false).append(nil))
	}
	extend := func(_ uint64, err error) {
		if err == nil {
			r.stats.renewals.Add(1)
			dots.Extend(s.dots.Bound)
			r.clock.Extend(s.clock)
		}
		r.leasesFree(err)
	}
	if err != nil {
		extend(0, err)
		return
	}
	b.CommitAsync(lsm.Sync, extend)
}

// leasesFree says that no write of the session record is under way any more, and goes
// on with those who waited for it, or refuses them.
func (r *Replica) leasesFree(err error) {
	l := &r.leases
	l.mu.Lock()
	waiters := l.waiters
	l.waiters = ready{}
	l.busy = false
	l.cond.Broadcast()
	l.mu.Unlock()
	var q ready
	for tx := waiters.pop(); tx != nil; tx = waiters.pop() {
		switch {
		case err == nil:
			if r.acquire(tx) {
				tx.granted(&q)
			}
		case tx.done == nil:
			tx.err, tx.refused = err, true
			tx.wake <- struct{}{}
		default:
			tx.finish(err)
		}
	}
	r.runReady(&q)
}

// takeLeases waits until no write of the session record is under way, and keeps others
// from beginning one until leasesFree.
func (r *Replica) takeLeases() {
	l := &r.leases
	l.mu.Lock()
	for l.busy {
		if r.stepped {
			l.mu.Unlock()
			r.barrier()
			l.mu.Lock()
			continue
		}
		l.cond.Wait()
	}
	l.busy = true
	l.mu.Unlock()
}

// barrier makes an engine that others step do the commits that are under way: whoever
// sleeps until one is done might be the one who steps.
func (r *Replica) barrier() {
	if r.stepped {
		_ = r.db.NewBatch().Commit(lsm.None)
	}
}

// writeSession makes the present leases durable together with what edit changes; s is
// what is written. The leases are taken.
func (r *Replica) writeSession(s session, edit func(b *lsm.Batch) error) error {
	b := r.db.NewBatch()
	if err := b.Put(metaSession, s.append(nil)); err != nil {
		return err
	}
	if edit != nil {
		if err := edit(b); err != nil {
			return err
		}
	}
	return b.Commit(lsm.Sync)
}

// currentSession returns leases that cover what may have been used so far.
func (r *Replica) currentSession(wall int64) session {
	s := session{shared: r.shared.Load()}
	s.dots, _ = r.dots.Load().Renewal()
	s.clock, _ = r.clock.Renewal(wall)
	return s
}

// NewActor makes the store go on as a new incarnation of its node, whose dots nobody has
// seen. It is due when something may have been lost that others have seen: a restored
// backup, a salvage, a range that was excised for damage, or an error that is
// vclock.ErrAmnesia. Open does it by itself where it can know. It waits for the disk.
func (r *Replica) NewActor(wall int64) error {
	return r.exclusive(func(*lsm.Batch) error {
		r.takeLeases()
		defer r.leasesFree(nil)
		actor, err := vclock.NewActor(r.random)
		if err != nil {
			return err
		}
		dots, err := vclock.NewCounter(vclock.Lease{Actor: actor}, r.dotBlock)
		if err != nil {
			return err
		}
		s := r.currentSession(wall)
		s.dots, _ = dots.Renewal()
		if err := r.writeSession(s, nil); err != nil {
			return err
		}
		dots.Extend(s.dots.Bound)
		r.clock.Extend(s.clock)
		r.dots.Store(dots)
		return nil
	}, nil)
}

// Share says that from now on other nodes may hold what this one wrote: deletions leave
// tombstones until Reap may take them, and an unclean end of the store after commits
// that were not synced makes a new actor. It cannot be taken back. It waits for the
// disk.
func (r *Replica) Share(wall int64) error {
	return r.exclusive(func(*lsm.Batch) error {
		if r.shared.Load() {
			return nil
		}
		r.takeLeases()
		defer r.leasesFree(nil)
		s := r.currentSession(wall)
		s.shared = true
		if err := r.writeSession(s, nil); err != nil {
			return err
		}
		r.dots.Load().Extend(s.dots.Bound)
		r.clock.Extend(s.clock)
		r.shared.Store(true)
		return nil
	}, nil)
}

// Shared says whether other nodes may hold what this one wrote.
func (r *Replica) Shared() bool { return r.shared.Load() }

// Actor returns the incarnation in whose name the store writes.
func (r *Replica) Actor() vclock.Actor { return r.dots.Load().Actor() }

// Clock returns the clock of the store, for what its node does besides: it observes the
// timestamps of others, and issues some. Its leases are kept here.
func (r *Replica) Clock() *hlc.Clock { return r.clock }
