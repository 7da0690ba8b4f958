package hlc

import (
	"errors"
	"fmt"
	"math"
	"sync/atomic"
	"time"
)

const (
	// DefaultMaxOffset is how far ahead of the wall clock an observed timestamp may be.
	DefaultMaxOffset = 500 * time.Millisecond

	// LeaseAhead is how far ahead of the present a lease reaches. It is renewed when
	// less than half of it is left.
	LeaseAhead = 5 * time.Second

	// leaseAhead is how far ahead of the clock a lease reaches while that is ahead of the
	// wall: six million timestamps. No more, or a node that crashes again and again, each
	// time to start from its lease, would be hours ahead in the end.
	leaseAhead = 100 * time.Millisecond
)

var (
	// ErrLease says that the next timestamp is above the lease. Nothing was issued;
	// it works again after Extend.
	ErrLease = errors.New("hlc: timestamp beyond the durable lease")
	// ErrOffset is what every *OffsetError is.
	ErrOffset = errors.New("hlc: timestamp too far ahead")
)

// OffsetError says that a timestamp is further ahead of the wall clock than allowed:
// either its sender's clock is wrong or this node's. The clock did not change.
type OffsetError struct {
	Remote    Timestamp
	Wall      int64 // milliseconds since the Unix epoch
	MaxOffset time.Duration
}

func (e *OffsetError) Error() string {
	return fmt.Sprintf("hlc: timestamp %v is %v ahead of this node's clock, at most %v is accepted",
		e.Remote, duration(e.Remote.Millis()-e.Wall), e.MaxOffset)
}

// Unwrap makes errors.Is(err, ErrOffset) hold.
func (e *OffsetError) Unwrap() error { return ErrOffset }

// Clock issues timestamps. All methods may be called by many goroutines at once; they
// take no lock and, but for errors, allocate nothing. See the package comment for the
// invariants.
type Clock struct {
	last      atomic.Uint64 // the highest timestamp issued or observed
	lease     atomic.Uint64 // no timestamp above it is issued; only grows
	maxOffset int64         // milliseconds
}

// NewClock returns a clock that goes on after lease, the last bound that was made
// durable, 0 on a new node. It issues nothing before Extend. maxOffset is in whole
// milliseconds; DefaultMaxOffset unless it is positive.
func NewClock(lease Timestamp, maxOffset time.Duration) *Clock {
	if maxOffset <= 0 {
		maxOffset = DefaultMaxOffset
	}
	c := &Clock{maxOffset: maxOffset.Milliseconds()}
	c.last.Store(uint64(lease))
	c.lease.Store(uint64(lease))
	return c
}

// Now issues a timestamp for an event at wall, in milliseconds since the Unix epoch.
// The error is ErrLease or nil.
func (c *Clock) Now(wall int64) (Timestamp, error) { return c.issue(0, wall) }

// After observes seen and issues a timestamp larger than it, in one step: the
// timestamp of a write that replaces one of timestamp seen. The error is ErrLease, an
// *OffsetError or nil; after an error the clock is as it was.
func (c *Clock) After(seen Timestamp, wall int64) (Timestamp, error) {
	if err := c.check(seen, wall); err != nil {
		return 0, err
	}
	return c.issue(seen, wall)
}

func (c *Clock) issue(seen Timestamp, wall int64) (Timestamp, error) {
	for {
		last := c.last.Load()
		floor := max(last, uint64(seen))
		// Compared before adding one, which therefore cannot overflow. The carry from the
		// logical part into the milliseconds is what happens when the former is full.
		if floor >= c.lease.Load() {
			return 0, ErrLease
		}
		next := max(floor+1, uint64(At(wall, 0)))
		if next > c.lease.Load() {
			return 0, ErrLease
		}
		if c.last.CompareAndSwap(last, next) {
			return Timestamp(next), nil
		}
	}
}

// Observe takes note of a timestamp of another node, so that all that follow are
// larger. It does not need a lease. The error is an *OffsetError or nil. A timestamp
// that the clock has passed already is never too far ahead, whatever wall is.
func (c *Clock) Observe(remote Timestamp, wall int64) error {
	// A message is seldom ahead of the clock, and then nothing is written.
	if uint64(remote) <= c.last.Load() {
		return nil
	}
	if err := c.check(remote, wall); err != nil {
		return err
	}
	raise(&c.last, uint64(remote))
	return nil
}

func (c *Clock) check(remote Timestamp, wall int64) error {
	if remote.Millis() > clamp(wall)+c.maxOffset && uint64(remote) > c.last.Load() {
		return &OffsetError{Remote: remote, Wall: clamp(wall), MaxOffset: duration(c.maxOffset)}
	}
	return nil
}

// Renewal returns the lease to make durable next, and whether it is time to: less than
// half of LeaseAhead is left of the present one, or of a shorter time if the clock is ahead
// of the wall. The caller persists bound, and then calls Extend. It may do both early, or
// beside other calls.
func (c *Clock) Renewal(wall int64) (bound Timestamp, due bool) {
	lease := Timestamp(c.lease.Load())
	last, wall := Timestamp(c.last.Load()).Millis(), clamp(wall)
	if max(last, wall) > MaxMillis-LeaseAhead.Milliseconds() {
		return Max, lease < Max
	}
	ahead := func(share int64) Timestamp {
		return At(max(wall+LeaseAhead.Milliseconds()/share, last+leaseAhead.Milliseconds()/share), 0)
	}
	return max(ahead(1), lease), lease < ahead(2)
}

// Extend allows timestamps up to bound, which must be durable: a crash right after
// Extend must find bound, or more, for NewClock. A bound below the present one changes
// nothing. A clock that never restarts may be given Max.
func (c *Clock) Extend(bound Timestamp) { raise(&c.lease, uint64(bound)) }

// Last returns the highest timestamp issued or observed. It is the lease that an orderly
// stop leaves behind, once nothing more is issued.
func (c *Clock) Last() Timestamp { return Timestamp(c.last.Load()) }

// Ahead returns by how much the clock is ahead of the wall, 0 if it is not. More than
// the maximum offset means that peers refuse this node's timestamps.
func (c *Clock) Ahead(wall int64) time.Duration {
	return duration(max(c.Last().Millis()-clamp(wall), 0))
}

// duration converts milliseconds. A Duration ends after 292 years, a Timestamp later.
func duration(millis int64) time.Duration {
	return time.Duration(min(millis, math.MaxInt64/int64(time.Millisecond))) * time.Millisecond
}

// raise sets a to at least v.
func raise(a *atomic.Uint64, v uint64) {
	for {
		old := a.Load()
		if v <= old || a.CompareAndSwap(old, v) {
			return
		}
	}
}
