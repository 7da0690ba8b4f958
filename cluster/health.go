package cluster

import (
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/ringwood-kv/ringwood/lsm"
)

// Reason says why a node is not ready or not alive: a code for programs, and a sentence
// for people.
type Reason struct {
	Code string
	Text string
}

// The codes of reasons.
const (
	ReasonRecovering = "recovering" // Open is under way
	ReasonStarting   = "starting"   // Serve was not called yet
	ReasonStopping   = "stopping"   // Shutdown is under way, or done
	ReasonReadOnly   = "read-only"  // a sync failed
	ReasonNoSpace    = "no-space"   // the disk is full
	ReasonStalled    = "stalled"    // upkeep makes no step
)

// trouble is what the node has heard from the engine and the store.
type trouble struct {
	replayed, total atomic.Int64 // of the log
	noSpace         atomic.Int64 // the last time that the disk was full, Unix milliseconds
	background      atomic.Uint64
	corruptions     atomic.Uint64
	failures        atomic.Uint64 // requests that the store failed for a reason that clients are told
	damaged         atomic.Uint64 // requests that met damage
}

// noSpaceFor is how long the node is not ready after the disk was full.
const noSpaceFor = 10 * time.Second

// stallAfter is from when on upkeep that makes no step is no life.
const stallAfter = time.Minute

// engineEvent is what the engine calls.
func (n *Node) engineEvent(e lsm.Event) {
	t := &n.trouble
	switch e.Kind {
	case lsm.EventReplaying:
		t.replayed.Store(e.Bytes)
		t.total.Store(e.Total)
		if n.opts.Progress != nil {
			n.opts.Progress(Progress{e.Bytes, e.Total, n.now().Sub(n.started)})
		}
	case lsm.EventRecovered:
		n.opened.replayed += e.Bytes
		n.opened.dropped += e.Dropped
	case lsm.EventBackgroundError:
		t.background.Add(1)
		n.full(e.Err)
	case lsm.EventCorruption:
		t.corruptions.Add(1)
	}
}

// storeFailed takes errors of which clients hear the kind only, or nothing.
func (n *Node) storeFailed(err error) {
	if errors.Is(err, lsm.ErrCorruption) {
		n.trouble.damaged.Add(1)
		return
	}
	n.trouble.failures.Add(1)
	n.full(err)
}

func (n *Node) full(err error) {
	if errors.Is(err, lsm.ErrNoSpace) {
		n.trouble.noSpace.Store(n.wall())
	}
}

// isFull reports whether the disk was full a moment ago.
func (n *Node) isFull() bool {
	last := n.trouble.noSpace.Load()
	since := n.wall() - last // negative if the clock was set back: then nobody knows
	return last != 0 && since >= 0 && since < noSpaceFor.Milliseconds()
}

// opening says how far Open has come.
func (n *Node) opening() Reason {
	done, total := n.trouble.replayed.Load(), n.trouble.total.Load()
	if total == 0 {
		return Reason{ReasonRecovering, "the store is being opened"}
	}
	return Reason{ReasonRecovering, fmt.Sprintf("the store is being opened: %d of %d MiB of its log are replayed", done>>20, total>>20)}
}

// Ready returns why the node does not take all requests; nothing if it does.
func (n *Node) Ready() []Reason {
	switch n.phase.Load() {
	case phaseOpening:
		return []Reason{n.opening()}
	case phaseOpen:
		return []Reason{{ReasonStarting, "the store is open, and clients are not served yet"}}
	case phaseStopping, phaseClosed:
		return []Reason{{ReasonStopping, "the node is being stopped"}}
	}
	var reasons []Reason
	if why := n.replica.Engine().Metrics().ReadOnlyReason; why != "" {
		reasons = append(reasons, Reason{ReasonReadOnly, "reads are served and writes refused until the node is started again: " + why})
	}
	if n.isFull() {
		reasons = append(reasons, Reason{ReasonNoSpace, "the disk is full: make room, writing goes on by itself"})
	}
	return reasons
}

// Live returns why the process should be started again; nothing while it works. A disk
// that is full or failed is no such reason: reads are served, and a start would lose
// them.
func (n *Node) Live() []Reason {
	switch n.phase.Load() {
	case phaseOpening:
		return nil
	case phaseClosed:
		return []Reason{{ReasonStopping, "the node is closed"}}
	}
	if since := time.Since(n.born) - time.Duration(n.beat.Load()); since > stallAfter {
		return []Reason{{ReasonStalled, fmt.Sprintf("upkeep has made no step for %v", since.Round(time.Second))}}
	}
	return nil
}
