package engine

import (
	"context"
	"time"
)

// settleTick is how often an engine that can't be waited for is asked whether it rests.
const settleTick = 5 * time.Millisecond

// rest waits until idle has answered true the given number of times in a row: between
// the end of one compaction and the start of the next an engine looks idle too.
func rest(ctx context.Context, times int, idle func() (bool, error)) error {
	tick := time.NewTicker(settleTick)
	defer tick.Stop()
	for quiet := 0; ; {
		ok, err := idle()
		if err != nil {
			return err
		}
		if quiet++; !ok {
			quiet = 0
		}
		if quiet == times {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}
