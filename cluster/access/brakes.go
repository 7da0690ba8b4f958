package access

import "time"

// rate is how many failures are free at once, and how long one takes to be forgotten.
type rate struct {
	burst    int
	recovery time.Duration
}

// bucket is a leaky bucket, as the time at which it will be empty (the generic cell rate
// algorithm). One that is empty already is as good as none.
type bucket struct {
	empty time.Time
}

// ahead is how long the bucket takes to be empty. A clock that was set back must not
// make that longer than failures could.
func (b *bucket) ahead(r rate, now time.Time) time.Duration {
	if most := 2 * time.Duration(r.burst) * r.recovery; b.empty.Sub(now) > most {
		b.empty = now.Add(most)
	}
	return max(0, b.empty.Sub(now))
}

// wait is how long it takes until one more failure is free.
func (b *bucket) wait(r rate, now time.Time) time.Duration {
	return max(0, b.ahead(r, now)-time.Duration(r.burst-1)*r.recovery)
}

func (b *bucket) fail(r rate, now time.Time) {
	b.empty = now.Add(b.ahead(r, now) + r.recovery)
}

// brakes has a bucket for each key, in bounded memory: a place whose bucket is empty may
// be taken by another key, and those for whom there is none share a bucket. Nothing in it
// depends on the order of a map or on a clock.
type brakes[K comparable] struct {
	rate   rate
	index  map[K]int
	places []place[K]
	most   int
	hand   int // where the search for a place goes on

	shared     rate
	overflowed bucket
}

type place[K comparable] struct {
	key K
	bucket
}

// sweep is how many places one failure looks at for a free one.
const sweep = 16

// shareOfOthers is how much more than one key all those may fail that share a bucket.
const shareOfOthers = 10

func newBrakes[K comparable](r rate, most int) brakes[K] {
	return brakes[K]{
		rate: r, most: most, index: make(map[K]int),
		shared: rate{r.burst * shareOfOthers, max(1, r.recovery/shareOfOthers)},
	}
}

// wait is how long key is braked.
func (b *brakes[K]) wait(key K, now time.Time) time.Duration {
	if i, ok := b.index[key]; ok {
		return b.places[i].wait(b.rate, now)
	}
	return b.overflowed.wait(b.shared, now)
}

func (b *brakes[K]) fail(key K, now time.Time) {
	if i, ok := b.take(key, now); ok {
		b.places[i].fail(b.rate, now)
	} else {
		b.overflowed.fail(b.shared, now)
	}
}

// take returns the place of key, a new one if need be and possible.
func (b *brakes[K]) take(key K, now time.Time) (int, bool) {
	if i, ok := b.index[key]; ok {
		return i, true
	}
	if len(b.places) < b.most {
		b.places = append(b.places, place[K]{key: key})
		b.index[key] = len(b.places) - 1
		return len(b.places) - 1, true
	}
	for range min(sweep, len(b.places)) {
		i := b.hand
		b.hand = (b.hand + 1) % len(b.places)
		if b.places[i].ahead(b.rate, now) == 0 {
			delete(b.index, b.places[i].key)
			b.places[i] = place[K]{key: key}
			b.index[key] = i
			return i, true
		}
	}
	return 0, false
}
