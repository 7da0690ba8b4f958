package trace

import (
	"io"
	"sync"
)

const (
	feedOps   = 256 // requests handed over at once
	feedAhead = 8   // handovers that wait for a worker
)

// request is an Op on its way to a worker, with its number in the trace.
type request struct {
	action Action
	key    []byte
	size   int64
	n      int64
}

// handover is a number of requests, whose keys are in one buffer.
type handover struct {
	requests []request
	keys     []byte
}

// add appends a request. Keys are cut from the buffer afterwards, in done, because it
// may move while it grows.
func (h *handover) add(op Op, n int64) {
	h.keys = append(h.keys, op.Key...)
	h.requests = append(h.requests, request{op.Action, op.Key, op.Size, n})
}

func (h *handover) done() {
	at := 0
	for i := range h.requests {
		r := &h.requests[i]
		end := at + len(r.key)
		r.key, at = h.keys[at:end:end], end
	}
}

// feed reads a trace ahead and deals its requests to the workers, by key.
type feed struct {
	out  []chan *handover
	free sync.Pool
	quit chan struct{}
	wg   sync.WaitGroup
	err  error // set before the channels are closed
	ops  int64 // likewise
}

func startFeed(r Reader, shards int, shard func(key []byte) int) *feed {
	f := &feed{quit: make(chan struct{})}
	f.free.New = func() any { return new(handover) }
	for range shards {
		f.out = append(f.out, make(chan *handover, feedAhead))
	}
	f.wg.Go(func() {
		f.err = f.run(r, shard)
		for _, c := range f.out {
			close(c)
		}
	})
	return f
}

func (f *feed) run(r Reader, shard func(key []byte) int) error {
	filling := make([]*handover, len(f.out))
	for i := range filling {
		filling[i] = f.free.Get().(*handover)
	}
	for ; ; f.ops++ {
		op, err := r.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
		i := shard(op.Key)
		filling[i].add(op, f.ops)
		if len(filling[i].requests) == feedOps {
			if !f.send(i, filling[i]) {
				return nil
			}
			filling[i] = f.free.Get().(*handover)
		}
	}
	for i, h := range filling {
		if !f.send(i, h) {
			return nil
		}
	}
	return nil
}

func (f *feed) send(i int, h *handover) bool {
	h.done()
	select {
	case f.out[i] <- h:
		return true
	case <-f.quit:
		return false
	}
}

// take returns the next requests of a worker; nil at the end, with the error.
func (f *feed) take(i int) (*handover, error) {
	if h, ok := <-f.out[i]; ok {
		return h, nil
	}
	return nil, f.err
}

// give returns requests that are done with.
func (f *feed) give(h *handover) {
	h.requests, h.keys = h.requests[:0], h.keys[:0]
	f.free.Put(h)
}

// close ends the reading, also in the middle.
func (f *feed) close() {
	close(f.quit)
	f.wg.Wait()
}
