package lsm_test

import (
	"flag"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/ringwood-kv/ringwood/lsm"
)

// The differential test runs random histories of every operation on the engine and on
// internal/model beside it, and compares every answer. The small run is part of the
// ordinary tests. The full run:
//
//	go test -run 'TestDifferential$' -timeout 0 -histories 10000 -ops 5000 .
//
// A failure prints the seed of its history; that one alone runs again by
//
//	go test -run 'TestDifferential$' -seed N -histories 1 -ops M .
//
// Nine of ten histories are stepped and replay exactly. In the tenth the engine has
// its own goroutines; it may take a few runs to fail again.
var (
	diffSeed      = flag.Uint64("seed", 1, "differential test: the first seed")
	diffHistories = flag.Int("histories", 0, "differential test: how many histories, each with the next seed")
	diffOps       = flag.Int("ops", 0, "differential test: operations in each history")
)

// diffFigures are what the histories have reached, so that one can see whether they
// get anywhere.
type diffFigures struct {
	mu                            sync.Mutex
	histories, ops                int64
	commits, flushes, compactions int64
	moves, crashes, reopens       int64
	conflicts, ambiguous, lost    int64
	ingests, excises, checkpoints int64
	levels                        [8]int64 // histories by the number of levels in use at once, at most
}

func TestDifferential(t *testing.T) {
	histories, ops := 36, 2500
	if testing.Short() {
		histories = 10
	}
	if lsm.RaceEnabled {
		ops = 700
	}
	if *diffHistories > 0 {
		histories = *diffHistories
	}
	if *diffOps > 0 {
		ops = *diffOps
	}
	figures := new(diffFigures)
	start := time.Now()
	t.Run("seed", func(t *testing.T) {
		for i := range histories {
			seed := *diffSeed + uint64(i)
			t.Run(fmt.Sprint(seed), func(t *testing.T) {
				t.Parallel()
				newDiffer(t, seed, ops, figures).run()
			})
		}
	})
	f := figures
	t.Logf("%d histories, %d operations, %v", f.histories, f.ops, time.Since(start).Round(time.Millisecond))
	t.Logf("%d commits, %d flushes, %d compactions, %d moves, %d ingests, %d excises", f.commits, f.flushes, f.compactions, f.moves, f.ingests, f.excises)
	t.Logf("%d reopens, %d crashes that took %d commits (%d ambiguous), %d checkpoints, %d conflicts", f.reopens, f.crashes, f.lost, f.ambiguous, f.checkpoints, f.conflicts)
	t.Logf("histories by levels in use: %d", f.levels)
}
