package lsm_test

import (
	"errors"
	"fmt"
	"math/rand/v2"

	"github.com/ringwood-kv/ringwood/lsm"
)

// Several writers in one store, each with its own keys, so that whatever state is
// found later can be judged without knowing how they took turns.

// ack is one commit as it was acknowledged.
type ack struct {
	writer, n  int
	durability lsm.Durability
	seq        uint64 // 0 if it was not told
}

const (
	writerCount = 4
	writerKeeps = 150 // commits whose keys stay
	writerPairs = 7
)

func writerKey(w, n int) string { return fmt.Sprintf("w%d/%09d", w, n) }

func writerValue(w, n int) string {
	return fmt.Sprintf("%d.%d.%0*d", w, n, (w*7919+n*104729)%1500, n)
}

// write makes the commits of writer w, from where the store is, until report says to
// stop. A commit that failed is tried again.
func write(db *lsm.DB, w int, rng *rand.Rand, weights []int, report func(ack, error) bool) {
	n := 0
	if v, err := db.Get(fmt.Appendf(nil, "last/%d", w)); err == nil {
		_, _ = fmt.Sscan(string(v), &n)
	} else if !errors.Is(err, lsm.ErrNotFound) {
		report(ack{writer: w}, err)
		return
	}
	for n++; ; {
		d := lsm.Durability(0)
		for p := rng.IntN(weights[0] + weights[1] + weights[2]); p >= weights[d]; d++ {
			p -= weights[d]
		}
		b := db.NewBatch()
		text := fmt.Append(nil, n)
		_ = b.Put([]byte(writerKey(w, n)), []byte(writerValue(w, n)))
		_ = b.Put(fmt.Appendf(nil, "last/%d", w), text)
		_ = b.Put(fmt.Appendf(nil, "pair/a/%d/%d", w, n%writerPairs), text)
		if n%2 == 0 {
			_ = b.Delete([]byte(writerKey(w, n-writerKeeps)))
			_ = b.Delete([]byte(writerKey(w, n-writerKeeps-1)))
		} else {
			_ = b.DeleteRange([]byte(writerKey(w, 0)), []byte(writerKey(w, max(0, n-writerKeeps+1))))
		}
		_ = b.Put(fmt.Appendf(nil, "pair/b/%d/%d", w, n%writerPairs), text)
		var err error
		var seq uint64
		if rng.IntN(2) == 0 {
			err = b.Commit(d)
		} else {
			done := make(chan struct{})
			b.CommitAsync(d, func(s uint64, e error) {
				seq, err = s, e
				close(done)
			})
			<-done
		}
		if !report(ack{w, n, d, seq}, err) {
			return
		}
		if err == nil {
			n++
		}
	}
}

// judge sees that the store is at one moment, of whole commits, and has every commit
// of acks that was acknowledged at floor or better.
func judge(db *lsm.DB, acks []ack, floor lsm.Durability) error {
	pairs, err := scan(db)
	if err != nil {
		return err
	}
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	got := map[string]string{}
	for _, p := range pairs {
		got[p.key] = p.value
		if v, err := db.Get([]byte(p.key)); err != nil || string(v) != p.value {
			bad("Get(%q) = %.20q, %w; the iterator has %.20q", p.key, v, err, p.value)
		}
	}
	last := make([]int, writerCount)
	makeSense := 0
	for w := range last {
		_, _ = fmt.Sscan(got[fmt.Sprintf("last/%d", w)], &last[w])
		for n := max(1, last[w]-writerKeeps+1); n <= last[w]; n++ {
			if got[writerKey(w, n)] != writerValue(w, n) {
				bad("writer %d is at %d, and its commit %d has %.20q", w, last[w], n, got[writerKey(w, n)])
			}
			makeSense++
		}
		for n := range writerPairs {
			a, b := got[fmt.Sprintf("pair/a/%d/%d", w, n)], got[fmt.Sprintf("pair/b/%d/%d", w, n)]
			if a != b {
				bad("half of a batch: %q and %q", a, b)
			}
			if a != "" {
				makeSense += 2
			}
		}
		if last[w] > 0 {
			makeSense++
		}
	}
	if makeSense != len(pairs) {
		bad("%d keys, %d make sense; writers are at %v", len(pairs), makeSense, last)
	}
	newest := uint64(0)
	for _, a := range acks {
		if a.n <= last[a.writer] {
			newest = max(newest, a.seq)
		} else if a.durability <= floor {
			bad("commit %d of writer %d was acknowledged at %v, and the writer is at %d", a.n, a.writer, a.durability, last[a.writer])
		}
	}
	for _, a := range acks {
		if a.n > last[a.writer] && a.seq != 0 && a.seq < newest {
			bad("commit %d of writer %d, number %d, is missing, and number %d is there", a.n, a.writer, a.seq, newest)
		}
	}
	return errors.Join(errs...)
}
