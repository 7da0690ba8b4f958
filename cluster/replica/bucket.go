package replica

import (
	"bytes"
	"fmt"
	"math"
	"sync"
	"sync/atomic"

	"github.com/ringwood-kv/ringwood/cluster/vclock"
	"github.com/ringwood-kv/ringwood/lsm"
)

// Bucket is a namespace of keys. A Bucket stays the same when it is flushed or altered;
// one that was dropped answers ErrNoBucket, also if another of its name is made. All
// methods are safe for concurrent use.
type Bucket struct {
	r        *Replica
	name     string
	settings atomic.Pointer[settings]
	gen      atomic.Pointer[generation] // nil: dropped
}

// settings change as a whole.
type settings struct {
	BucketConfig
	policy vclock.Policy
}

func newSettings(c BucketConfig) *settings { return &settings{c, c.policy()} }

// Name returns the name of the bucket.
func (b *Bucket) Name() string { return b.name }

// Config returns how the bucket is configured, defaults filled in.
func (b *Bucket) Config() BucketConfig { return b.settings.Load().BucketConfig }

// ID returns the number under which the bucket's keys are stored now, 0 if it was
// dropped. It changes with every flush, and no number is used twice.
func (b *Bucket) ID() uint32 {
	if g := b.gen.Load(); g != nil {
		return g.id
	}
	return 0
}

// BucketStats tells about a bucket.
type BucketStats struct {
	// Keys is how many keys have a value, expired ones included until Sweep has met them.
	Keys int64
	// Bytes is the length of these keys and of all their values, siblings included.
	Bytes int64
	// Expiring is how many of these keys have a value with an expiry.
	Expiring int64
	// Exact is false after an unclean end of the store, until Recount is done: the others
	// are then what was last noted on disk, and what has changed since the start.
	Exact bool
}

// Stats returns how much is in the bucket.
func (b *Bucket) Stats() BucketStats {
	g := b.gen.Load()
	if g == nil {
		return BucketStats{Exact: true}
	}
	return g.stats()
}

func (b *Bucket) gone() error { return fmt.Errorf("%w: %s was dropped", ErrNoBucket, b.name) }

// generation is what a bucket holds between two flushes.
type generation struct {
	id   uint32
	used atomic.Bool // something was written, perhaps

	keys, bytes, expiring atomic.Int64 // since Open, or in all if exact

	mu       sync.Mutex
	isExact  bool
	broken   bool  // a commit failed on which others had built, and counted
	estimate tally // what there was at Open, while not exact

	due [markKinds]dueTimes
}

func newGeneration(id uint32, partitions int) *generation {
	g := &generation{id: id, isExact: true}
	for i := range g.due {
		g.due[i] = make(dueTimes, partitions)
		for p := range g.due[i] {
			g.due[i][p].Store(math.MaxInt64)
		}
	}
	return g
}

func (g *generation) stats() BucketStats {
	g.mu.Lock()
	defer g.mu.Unlock()
	t := tally{g.keys.Load(), g.bytes.Load(), g.expiring.Load()}
	if !g.isExact {
		t.add(g.estimate)
		t = tally{max(t.keys, 0), max(t.bytes, 0), max(t.expiring, 0)}
	}
	return BucketStats{t.keys, t.bytes, t.expiring, g.isExact}
}

// add adds what a commit has changed.
func (g *generation) add(t tally) {
	if t.keys != 0 {
		g.keys.Add(t.keys)
	}
	if t.bytes != 0 {
		g.bytes.Add(t.bytes)
	}
	if t.expiring != 0 {
		g.expiring.Add(t.expiring)
	}
}

// counted makes the count exact, unless it cannot be: t is what there was at Open.
func (g *generation) counted(t tally) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.add(t)
	g.isExact, g.estimate = !g.broken, tally{}
}

// inexact says that the count is not certain before the next Open.
func (g *generation) inexact() {
	g.mu.Lock()
	g.isExact, g.broken = false, true
	g.mu.Unlock()
}

// dueTimes has for each partition a time before which no mark is due.
type dueTimes []atomic.Int64

// lower notes a mark.
func (d dueTimes) lower(partition uint16, time int64) {
	for {
		old := d[partition].Load()
		if old <= time || d[partition].CompareAndSwap(old, time) {
			return
		}
	}
}

// Bucket returns the bucket of that name, or ErrNoBucket.
func (r *Replica) Bucket(name string) (*Bucket, error) {
	for _, b := range *r.buckets.Load() {
		if b.name == name {
			return b, nil
		}
	}
	return nil, fmt.Errorf("%w: %q", ErrNoBucket, name)
}

// Buckets returns all buckets in order of their names.
func (r *Replica) Buckets() []*Bucket { return append([]*Bucket(nil), *r.buckets.Load()...) }

// exclusive runs fn while no transaction holds a latch, and commits the batch that it
// fills; applied, if not nil, tells the rest of the program what was committed. All that
// was handed to the engine before is part of an earlier commit.
func (r *Replica) exclusive(fn func(*lsm.Batch) error, applied func()) error {
	r.admin.Lock()
	defer r.admin.Unlock()
	if r.closed.Load() {
		return ErrClosed
	}
	tx := r.getTx(0)
	tx.stripes = tx.stripes[:0]
	for i := range uint32(stripeCount) {
		tx.stripes = append(tx.stripes, i)
	}
	if !r.acquire(tx) {
		<-tx.wake
	}
	tx.batch.Reset()
	err := fn(tx.batch)
	if err == nil && tx.batch.Len() > 0 {
		err = tx.batch.Commit(lsm.Sync)
	}
	if err == nil && applied != nil {
		applied()
	}
	var q ready
	r.release(tx, &q)
	r.runReady(&q)
	r.putTx(tx)
	return err
}

// changeCatalog is exclusive for a change of the list of buckets.
func (r *Replica) changeCatalog(change func(*catalog) error, applied func()) error {
	var c *catalog
	return r.exclusive(func(b *lsm.Batch) error {
		c = r.catalog.clone()
		if err := change(c); err != nil {
			return err
		}
		encoded := c.append(nil)
		if bytes.Equal(encoded, r.catalog.append(nil)) {
			return nil
		}
		return b.Put(metaBuckets, encoded)
	}, func() {
		r.setCatalog(c)
		applied()
	})
}

// setCatalog goes on with c, which is on disk.
func (r *Replica) setCatalog(c *catalog) {
	r.catalog = c
	r.stats.drops.Store(int64(len(c.drops)))
}

// CreateBucket makes a bucket. The error is ErrBucketExists, ErrMode, ErrInvalid, or of
// the disk, for which it waits.
func (r *Replica) CreateBucket(name string, cfg BucketConfig) (*Bucket, error) {
	if err := checkName(name); err != nil {
		return nil, err
	}
	cfg, err := cfg.normal()
	if err != nil {
		return nil, err
	}
	var made *Bucket
	err = r.changeCatalog(func(c *catalog) error {
		i, found := c.find(name)
		if found {
			return fmt.Errorf("%w: %q", ErrBucketExists, name)
		}
		if len(c.buckets) >= MaxBuckets {
			return fmt.Errorf("%w: more than %d buckets", ErrInvalid, MaxBuckets)
		}
		id, err := c.take()
		if err != nil {
			return err
		}
		c.buckets = append(c.buckets, catalogEntry{})
		copy(c.buckets[i+1:], c.buckets[i:])
		c.buckets[i] = catalogEntry{name: name, id: id, cfg: cfg}
		made = r.newBucket(&c.buckets[i])
		return nil
	}, func() { r.listBuckets(append(*r.buckets.Load(), made)) })
	if err != nil {
		return nil, err
	}
	return made, nil
}

// DropBucket removes a bucket and all that is in it. What is on disk goes with Reclaim.
// The error is ErrNoBucket, ErrBusy, or of the disk, for which it waits.
func (r *Replica) DropBucket(b *Bucket) error {
	return r.changeCatalog(func(c *catalog) error {
		i, err := r.find(c, b)
		if err != nil {
			return err
		}
		id := c.buckets[i].id
		c.buckets = append(c.buckets[:i], c.buckets[i+1:]...)
		return c.drop(id)
	}, func() {
		// Whoever finds that it is gone does not find it in the list again.
		var rest []*Bucket
		for _, o := range *r.buckets.Load() {
			if o != b {
				rest = append(rest, o)
			}
		}
		r.listBuckets(rest)
		b.gen.Store(nil)
	})
}

// AlterBucket changes what can be changed in a bucket's configuration: durability and
// limits. The error is ErrNoBucket, ErrInvalid, or of the disk, for which it waits.
func (r *Replica) AlterBucket(b *Bucket, cfg BucketConfig) error {
	cfg, err := cfg.normal()
	if err != nil {
		return err
	}
	return r.changeCatalog(func(c *catalog) error {
		i, err := r.find(c, b)
		if err != nil {
			return err
		}
		old := &c.buckets[i].cfg
		if old.Mode != cfg.Mode || old.LastWriterWins != cfg.LastWriterWins {
			return fmt.Errorf("%w: mode and conflict policy of bucket %s are fixed", ErrInvalid, b.name)
		}
		*old = cfg
		return nil
	}, func() { b.settings.Store(newSettings(cfg)) })
}

// FlushBuckets empties buckets, all in one durable step. When it returns, no write that
// had begun before can show in them any more, and what is on disk goes with Reclaim. The
// error is ErrNoBucket, ErrBusy, or of the disk, for which it waits.
func (r *Replica) FlushBuckets(buckets ...*Bucket) error {
	fresh := make(map[*Bucket]*generation)
	return r.changeCatalog(func(c *catalog) error {
		for _, b := range buckets {
			if fresh[b] != nil {
				continue // named twice
			}
			i, err := r.find(c, b)
			if err != nil {
				return err
			}
			if !b.gen.Load().used.Load() {
				continue
			}
			id, err := c.take()
			if err != nil {
				return err
			}
			if err := c.drop(c.buckets[i].id); err != nil {
				return err
			}
			c.buckets[i].id = id
			fresh[b] = newGeneration(id, r.layout.count)
		}
		return nil
	}, func() {
		for b, g := range fresh {
			b.gen.Store(g)
		}
	})
}

// find returns the index of b, which may have been dropped.
func (r *Replica) find(c *catalog, b *Bucket) (int, error) {
	if b == nil || b.r != r {
		return 0, fmt.Errorf("%w: no bucket of this replica", ErrInvalid)
	}
	if i, found := c.find(b.name); found && c.buckets[i].id == b.ID() {
		return i, nil
	}
	return 0, b.gone()
}
