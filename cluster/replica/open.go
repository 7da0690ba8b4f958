package replica

import (
	"cmp"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/ringwood-kv/ringwood/cluster/hlc"
	"github.com/ringwood-kv/ringwood/cluster/vclock"
	"github.com/ringwood-kv/ringwood/lsm"
	"github.com/ringwood-kv/ringwood/lsm/vfs"
)

// Replica is the data of one node, open. All methods are safe for concurrent use. See
// the package comment.
type Replica struct {
	db       *lsm.DB
	stepped  bool // somebody else runs what the engine does aside
	layout   layout
	id       identity
	random   io.Reader
	dotBlock uint64
	opened   Opened

	clock  *hlc.Clock
	dots   atomic.Pointer[vclock.Counter] // changes only while all latches are held
	shared atomic.Bool                    // so does this
	closed atomic.Bool                    // and this
	leases leases

	stripes  []stripe
	txs      sync.Pool // of *Tx
	objects  sync.Pool // of *vclock.Object
	stats    counters
	failures atomic.Uint64 // commits that failed after others could read what they wrote
	floor    atomic.Uint64 // hlc.Timestamp

	admin   sync.Mutex // one change of what follows at a time
	catalog *catalog
	buckets atomic.Pointer[[]*Bucket] // ascending by name

	maint      sync.Mutex // one step of maintenance at a time
	sweeps     [markKinds]sweepCursor
	drop       dropCursor
	count      *recount    // nil: done
	recounting atomic.Bool // count is not nil

	checkpoint sync.Mutex
	closing    sync.Once
	closeErr   error
}

// Opened tells what Open found.
type Opened struct {
	Created bool
	// Clean says that the store had been closed in order.
	Clean bool
	// NewActor is why the store goes on as a new incarnation, empty if it does not.
	NewActor string
}

// Open opens the store in dir, or makes one where there is none, at wall, in
// milliseconds since the Unix epoch. o may be nil. It waits for the disk.
//
// The error is the engine's; ErrFormat, for a directory that holds something else, files
// without a store among them, or the store of another node; ErrCorruption, for damage in what is needed before
// anything else, of which Options.NewActor gets over a damaged lease; or ErrInvalid.
func Open(dir string, wall int64, o *Options) (*Replica, error) {
	if o == nil {
		o = &Options{}
	}
	if o.Engine.ReadOnly {
		return nil, fmt.Errorf("%w: a replica cannot be opened read-only", ErrInvalid)
	}
	db, err := openEngine(dir, o.Engine)
	if err != nil {
		return nil, fmt.Errorf("replica: %w", err)
	}
	r := &Replica{db: db, stepped: o.Engine.Executor != nil, random: o.Random, dotBlock: o.DotBlock}
	if r.random == nil {
		r.random = rand.Reader
	}
	r.leases.cond = sync.NewCond(&r.leases.mu)
	r.stripes = make([]stripe, stripeCount)
	r.txs.New = func() any { return r.newTx() }
	r.objects.New = func() any { return new(vclock.Object) }
	if err := r.open(wall, o); err != nil {
		return nil, errors.Join(fmt.Errorf("replica: opening %s: %w", dir, err), db.Close())
	}
	return r, nil
}

// openEngine opens the store of the engine in dir, or makes one, but not among files of
// somebody else: they would be taken for a part of it, by people and their backups.
func openEngine(dir string, o lsm.Options) (*lsm.DB, error) {
	files := o.FS
	if files == nil {
		files = vfs.OS
	}
	other := ""
	names, _ := files.List(dir) // what is wrong with dir the engine says better
	for _, name := range names {
		if !mayBeThere[name] {
			other, o.MustExist = name, true
			break
		}
	}
	db, err := lsm.Open(dir, &o)
	if other != "" && errors.Is(err, fs.ErrNotExist) && !errors.Is(err, lsm.ErrCorruption) {
		return nil, fmt.Errorf("%w: there is no store in %s, but %s and perhaps more: a new store takes a directory that is empty, or not there yet", ErrFormat, dir, other)
	}
	return db, err
}

// mayBeThere is what a directory for a new store may have: what a file system puts into an
// empty one, and what the engine leaves when the making of a store is interrupted.
var mayBeThere = map[string]bool{"lost+found": true, "LOCK": true, "CURRENT.tmp": true, "MANIFEST-000001": true}

// meta returns a record of the meta partition, nil if there is none.
func (r *Replica) meta(key []byte) ([]byte, error) {
	b, err := r.db.Get(key)
	if errors.Is(err, lsm.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", key[2:], err)
	}
	return b, nil
}

func (r *Replica) open(wall int64, o *Options) error {
	b, err := r.meta(metaIdentity)
	if err != nil {
		return err
	}
	if b == nil {
		return r.create(wall, o)
	}
	if r.id, err = decodeIdentity(b); err != nil {
		return err
	}
	if o.Cluster != (ID{}) && o.Cluster != r.id.cluster {
		return fmt.Errorf("%w: it belongs to cluster %x, not %x", ErrFormat, r.id.cluster, o.Cluster)
	}
	if o.Node != (ID{}) && o.Node != r.id.node {
		return fmt.Errorf("%w: it belongs to node %x, not %x", ErrFormat, r.id.node, o.Node)
	}
	r.layout = newLayout(r.id.hash, r.id.partitions)
	if b, err = r.meta(metaBuckets); err != nil {
		return err
	}
	c, err := decodeCatalog(b)
	if err != nil {
		return err
	}
	r.setCatalog(c)
	known, err := r.readCounts()
	if err != nil {
		return err
	}
	r.opened.Clean = known.clean
	s, err := r.resume(o, known.clean)
	if err != nil {
		return err
	}
	r.openBuckets(known)
	if !known.exact {
		r.count = newRecount(r)
		r.recounting.Store(true)
	}
	return r.start(wall, o, s, nil)
}

// readCounts returns what was noted of the buckets. Damage only means counting again.
func (r *Replica) readCounts() (counts, error) {
	b, err := r.meta(metaCounts)
	if err != nil || b == nil {
		return counts{}, err
	}
	known, err := decodeCounts(b)
	if err != nil {
		return counts{}, nil
	}
	return known, nil
}

// resume returns the session that the store goes on with, of a new actor if something
// may have been lost that others have seen.
func (r *Replica) resume(o *Options, clean bool) (session, error) {
	var s session
	copied, err := r.meta(metaCopied)
	if err != nil {
		return s, err
	}
	b, err := r.meta(metaSession)
	if err == nil {
		s, err = decodeSession(b)
	}
	switch {
	case err == nil:
	case errors.Is(err, ErrFormat):
		return s, err
	case !o.NewActor && copied == nil:
		return s, fmt.Errorf("%w; Options.NewActor goes on without", err)
	default:
		s = session{shared: true} // nobody knows
	}
	switch {
	case o.NewActor:
		r.opened.NewActor = "as told"
	case copied != nil:
		r.opened.NewActor = "the store is a checkpoint or another copy, or ended while a checkpoint was made"
	case !clean && s.shared && r.catalog.lax():
		r.opened.NewActor = "the store was not closed in order, and not every commit was synced"
	default:
		return s, nil
	}
	s.dots = vclock.Lease{}
	s.dots.Actor, err = vclock.NewActor(r.random)
	return s, err
}

// lax says whether a bucket acknowledges what a power cut may take back.
func (c *catalog) lax() bool {
	return slices.ContainsFunc(c.buckets, func(e catalogEntry) bool { return e.cfg.Durability != lsm.Sync })
}

// create makes a store in an empty engine.
func (r *Replica) create(wall int64, o *Options) error {
	it, err := r.db.NewIter(&lsm.IterOptions{KeysOnly: true})
	if err != nil {
		return err
	}
	empty := !it.First()
	if err := errors.Join(it.Err(), it.Close()); err != nil {
		return err
	}
	if !empty {
		return fmt.Errorf("%w: the engine holds keys, but no replica", ErrFormat)
	}
	if r.id.partitions, err = o.Create.partitions(); err != nil {
		return err
	}
	cfg, err := o.Create.Bucket.normal()
	if err != nil {
		return err
	}
	r.id.cluster, r.id.node, r.id.hash = o.Cluster, o.Node, o.Create.HashKey
	for _, b := range [][]byte{r.id.cluster[:], r.id.node[:], r.id.hash[:]} {
		if !slices.ContainsFunc(b, func(c byte) bool { return c != 0 }) {
			if _, err := io.ReadFull(r.random, b); err != nil {
				return fmt.Errorf("drawing ids: %w", err)
			}
		}
	}
	r.layout = newLayout(r.id.hash, r.id.partitions)
	r.catalog = &catalog{nextID: firstID}
	first, err := r.catalog.take()
	if err != nil {
		return err
	}
	r.catalog.buckets = []catalogEntry{{name: FirstBucket, id: first, cfg: cfg}}
	var s session
	if s.dots.Actor, err = vclock.NewActor(r.random); err != nil {
		return err
	}
	r.opened = Opened{Created: true, Clean: true}
	r.openBuckets(counts{clean: true, exact: true})
	return r.start(wall, o, s, func(b *lsm.Batch) error {
		return errors.Join(b.Put(metaIdentity, r.id.append(nil)), b.Put(metaBuckets, r.catalog.append(nil)))
	})
}

// openBuckets makes the buckets of the catalog. What is due in them is not known.
func (r *Replica) openBuckets(known counts) {
	var all []*Bucket
	for i := range r.catalog.buckets {
		e := &r.catalog.buckets[i]
		b := r.newBucket(e)
		g := b.gen.Load()
		g.used.Store(!r.opened.Created)
		n := known.of(e.id)
		if known.exact {
			g.counted(n)
		} else {
			g.isExact, g.estimate = false, n
		}
		if !r.opened.Created {
			for kind := range g.due {
				for p := range g.due[kind] {
					g.due[kind][p].Store(math.MinInt64)
				}
			}
		}
		all = append(all, b)
	}
	r.listBuckets(all)
}

func (r *Replica) newBucket(e *catalogEntry) *Bucket {
	b := &Bucket{r: r, name: e.name}
	b.settings.Store(newSettings(e.cfg))
	b.gen.Store(newGeneration(e.id, r.layout.count))
	return b
}

func (r *Replica) listBuckets(all []*Bucket) {
	all = slices.Clone(all)
	slices.SortFunc(all, func(a, b *Bucket) int { return cmp.Compare(a.name, b.name) })
	r.buckets.Store(&all)
}

// start makes the first leases durable, together with what more adds, and takes back the
// word that the store was closed in order.
func (r *Replica) start(wall int64, o *Options, s session, more func(*lsm.Batch) error) error {
	dots, err := vclock.NewCounter(s.dots, r.dotBlock)
	if err != nil {
		return err
	}
	r.dots.Store(dots)
	r.clock = hlc.NewClock(s.clock, o.MaxOffset)
	r.shared.Store(s.shared)
	s = r.currentSession(wall)
	err = r.writeSession(s, func(b *lsm.Batch) error {
		if more != nil {
			if err := more(b); err != nil {
				return err
			}
		}
		return errors.Join(b.Put(metaCounts, r.counts(false).append(nil)), b.Delete(metaCopied))
	})
	if err != nil {
		return err
	}
	dots.Extend(s.dots.Bound)
	r.clock.Extend(s.clock)
	return nil
}

// counts returns what is in the buckets now.
func (r *Replica) counts(clean bool) *counts {
	c := &counts{clean: clean, exact: clean}
	for _, b := range *r.buckets.Load() {
		if g := b.gen.Load(); g != nil {
			s := g.stats()
			c.exact = c.exact && s.Exact
			c.list = append(c.list, count{g.id, tally{s.Keys, s.Bytes, s.Expiring}})
		}
	}
	slices.SortFunc(c.list, func(a, b count) int { return cmp.Compare(a.id, b.id) })
	return c
}

// Close ends the store in order: transactions that have not begun answer ErrClosed,
// those under way are done, everything is made durable, and the next Open finds counts
// and leases as they are. It waits for the disk. Closing twice is fine. An error says
// that not everything could be made durable; the store is released all the same.
func (r *Replica) Close() error {
	r.closing.Do(func() { r.closeErr = r.close() })
	return r.closeErr
}

func (r *Replica) close() error {
	err := r.exclusive(func(*lsm.Batch) error {
		r.takeLeases()
		defer r.leasesFree(ErrClosed)
		r.closed.Store(true)
		// What others have handed to the engine is counted when its commit is done.
		_ = r.db.NewBatch().Commit(lsm.None)
		dots := r.dots.Load()
		s := session{
			shared: r.shared.Load(),
			dots:   vclock.Lease{Actor: dots.Actor(), Bound: dots.Issued()},
			clock:  r.clock.Last(),
		}
		return r.writeSession(s, func(b *lsm.Batch) error { return b.Put(metaCounts, r.counts(true).append(nil)) })
	}, nil)
	r.maint.Lock()
	if r.count != nil {
		r.count.stop()
	}
	r.maint.Unlock()
	if err != nil {
		err = fmt.Errorf("replica: closing: %w", err)
	}
	return errors.Join(err, r.db.Close())
}
