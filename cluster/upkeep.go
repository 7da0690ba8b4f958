package cluster

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/ringwood-kv/ringwood/cluster/replica"
	"github.com/ringwood-kv/ringwood/lsm"
)

// Upkeep is two goroutines: one for what is due several times a second, one for what
// takes its time, so that the second never holds up the first.
const (
	roundPause  = 100 * time.Millisecond // between two rounds of the first
	sweepLimit  = 1024                   // records that are expired at once
	sweepTime   = 50 * time.Millisecond  // after which a round expires no more
	secondEvery = 10                     // rounds
	agePause    = 30 * time.Second       // of hot keys, and of looking at certificates

	slowPause    = 200 * time.Millisecond // between two steps of the second
	busyPause    = 50 * time.Millisecond  // while there is more to reclaim or to count
	reclaimStep  = 256                    // partitions: hundreds of small buckets a second
	recountStep  = 8192                   // records: some 160,000 a second, a sixth of a core
	verifyStep   = 200                    // records: a thousand a second
	verifyAgain  = time.Hour              // from the end of one walk to the next
	failurePause = 10 * time.Second       // after an error
)

// upkeep is what the goroutines have done.
type upkeep struct {
	errors   atomic.Uint64
	verified atomic.Int64 // records and marks, in all walks
	walks    atomic.Uint64
	bad      atomic.Int64 // records, of the last whole walk and the present one
	lastWalk atomic.Int64 // when one ended, Unix milliseconds
}

func (n *Node) startUpkeep() {
	n.goroutines.Add(2)
	go func() {
		defer n.goroutines.Done()
		n.rounds()
	}()
	go func() {
		defer n.goroutines.Done()
		n.slowWork()
	}()
}

// pause waits, and reports whether the node goes on.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

// rounds does what is due often.
func (n *Node) rounds() {
	var quiet time.Time // no sweeps before
	aged := n.now()     // the last time of what is due seldom
	for i := 0; pause(n.ctx, roundPause); i++ {
		now := n.now()
		n.coarse.Store(now.UnixNano())
		n.beat.Store(int64(time.Since(n.born)))
		if !now.Before(quiet) {
			if err := n.sweep(now.UnixMilli()); err != nil {
				n.upkeepFailed("sweep", err)
				quiet = now.Add(failurePause)
			}
		}
		if i%secondEvery != 0 {
			continue
		}
		n.replica.Tick(now.UnixMilli())
		n.probe()
		if now.Sub(aged) >= agePause {
			aged = now
			n.hot.Age()
			n.watchTLS()
		}
	}
}

// sweep drops what has expired, and removes what nobody needs to know.
func (n *Node) sweep(wall int64) error {
	for began, more := time.Now(), true; more && time.Since(began) < sweepTime; {
		swept, err := n.replica.Sweep(wall, sweepLimit)
		if err != nil {
			return err
		}
		reaped, err := n.replica.Reap(wall, sweepLimit)
		if err != nil {
			return err
		}
		more = (swept == sweepLimit || reaped == sweepLimit) && n.ctx.Err() == nil
	}
	return nil
}

// metaProbe is what probe writes.
const metaProbe = "probe"

// probe writes a little while the disk seems to be full: a node without clients becomes
// ready because there is room, not because nobody asked.
func (n *Node) probe() {
	if n.isFull() {
		n.full(n.replica.WriteMeta(metaProbe, nil))
	}
}

// slowWork does what takes its time.
func (n *Node) slowWork() {
	var v replica.Verification
	next := n.now().Add(verifyAgain)
	for wait := slowPause; pause(n.ctx, wait); {
		wait = slowPause
		busy, err := n.slowStep()
		if busy {
			wait = busyPause
		}
		if err == nil && !busy && !n.now().Before(next) {
			var more bool
			if more, err = n.verifyStep(&v); err == nil && !more {
				next = n.now().Add(verifyAgain)
			}
		}
		if err != nil {
			n.upkeepFailed("upkeep", err)
			wait = failurePause
		}
	}
}

// slowStep deletes what flushed buckets have left and counts what an unclean end left
// uncounted, a step of each, and reports whether there is more.
func (n *Node) slowStep() (more bool, err error) {
	reclaim, err := n.replica.Reclaim(reclaimStep)
	if err != nil {
		return false, err
	}
	recount, err := n.replica.Recount(recountStep)
	return reclaim || recount, err
}

// verifyStep looks at some records more.
func (n *Node) verifyStep(v *replica.Verification) (more bool, err error) {
	before, bad := v.Records+v.Marks, v.Bad
	more, err = n.replica.Verify(v, verifyStep)
	u := &n.upkeep
	u.verified.Add(v.Records + v.Marks - before)
	if v.Bad > bad {
		for _, problem := range v.Problems[min(int(bad), len(v.Problems)):] {
			n.log.Error("a record is damaged", "err", problem)
		}
		u.bad.Store(v.Bad)
	}
	if err == nil && !more {
		u.walks.Add(1)
		u.bad.Store(v.Bad)
		u.lastWalk.Store(n.wall())
		*v = replica.Verification{}
	}
	return more, err
}

func (n *Node) upkeepFailed(what string, err error) {
	if errors.Is(err, replica.ErrClosed) || n.ctx.Err() != nil {
		return
	}
	n.upkeep.errors.Add(1)
	n.full(err)
	if !errors.Is(err, lsm.ErrReadOnly) { // of which the engine has told
		n.log.Error(what+" failed, it is tried again", "err", err)
	}
}
