package engine

import (
	"context"
	"time"
)

// settleTick is how often an engine that can't be waited for is asked whether it rests.
const settleTick = 5 * time.Millisecond

// rest is Rest with a tick for engines within this process.
func rest(ctx context.Context, times int, idle func() (bool, error)) (rested time.Duration, err error) {
	return Rest(ctx, settleTick, times, idle)
}

// Rest asks at each tick, and waits until idle has answered true the given number of times
// in a row: between the end of one compaction and the start of the next an engine looks
// idle too. rested is the time since the first of these answers.
func Rest(ctx context.Context, each time.Duration, times int, idle func() (bool, error)) (rested time.Duration, err error) {
	tick := time.NewTicker(each)
	defer tick.Stop()
	var since time.Time
	for quiet := 0; ; {
		ok, err := idle()
		switch {
		case err != nil:
			return 0, err
		case !ok:
			quiet = 0
		case quiet == 0:
			since = time.Now()
			fallthrough
		default:
			quiet++
		}
		if quiet == times {
			return time.Since(since), nil
		}
		select {
		case <-ctx.Done():
			return 0, ctx.Err()
		case <-tick.C:
		}
	}
}
