package replica

import (
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/ringwood-kv/ringwood/cluster/hlc"
	"github.com/ringwood-kv/ringwood/cluster/vclock"
	"github.com/ringwood-kv/ringwood/lsm"
	"github.com/ringwood-kv/ringwood/lsm/vfs"
)

var crashSeeds = flag.Int("crash.seeds", 6, "how many histories TestPowerLoss plays")

// crashWorld is a store whose disk loses its power at any operation. After each the
// store that is left must hold what was acknowledged, and nothing that was not written.
type crashWorld struct {
	t     *testing.T
	rng   *rand.Rand
	mem   *vfs.Mem
	o     *Options
	r     *Replica
	every int

	mu      sync.Mutex
	acked   map[string]string // in the bucket that syncs; "" is deleted
	flying  map[string]string // begun, not acknowledged
	flushes int               // begun
	clones  []crashed
}

// crashed is a disk after a power cut, and what must be on it.
type crashed struct {
	fs       *vfs.Mem
	acked    map[string]string
	flying   map[string]string
	flushing bool
	actor    vclock.Actor
	issued   uint64
	last     hlc.Timestamp
}

func TestPowerLoss(t *testing.T) {
	looked := 0
	for seed := range uint64(*crashSeeds) {
		w := &crashWorld{
			t: t, rng: rand.New(rand.NewPCG(seed, 8)), mem: vfs.NewMem(),
			acked: map[string]string{}, flying: map[string]string{}, every: 7,
		}
		fault := vfs.NewFault(w.mem)
		w.o = small(fault)
		w.o.DotBlock = 9
		w.o.Engine.Executor = lsm.NewStepper() // commits are made by this goroutine
		w.r = open(t, w.o)
		n := 0
		fault.SetHook(func(op vfs.Op) error {
			if op.Kind.Changes() {
				if n++; n%w.every == 0 {
					w.cut()
				}
			}
			return nil
		})
		w.play()
		fault.SetHook(nil)
		for i := range w.clones {
			if err := w.clones[i].check(); err != nil {
				t.Fatalf("seed %d, cut %d: %v", seed, i, err)
			}
		}
		looked += len(w.clones)
	}
	if looked < 20**crashSeeds {
		t.Fatalf("only %d power cuts", looked)
	}
	t.Logf("%d power cuts", looked)
}

// cut remembers what a power cut would leave now.
func (w *crashWorld) cut() {
	w.mu.Lock()
	defer w.mu.Unlock()
	c := crashed{
		fs:    w.mem.CrashClone(vfs.CrashOptions{Survive: float64(w.rng.IntN(3)) / 2, Torn: true, Rand: w.rng}),
		acked: clone(w.acked), flying: clone(w.flying), flushing: w.flushes > 0,
		actor: w.r.Actor(), issued: w.r.dots.Load().Issued(), last: w.r.clock.Last(),
	}
	w.clones = append(w.clones, c)
}

func clone(m map[string]string) map[string]string {
	c := make(map[string]string, len(m))
	for k, v := range m {
		c[k] = v
	}
	return c
}

// play writes to the store.
func (w *crashWorld) play() {
	b := bucket(w.t, w.r, FirstBucket)
	for i := range 400 {
		wall := start + int64(i)*40 // the lease of the clock ends now and then
		key := fmt.Sprint("key", w.rng.IntN(20))
		value := fmt.Sprint("value", i)
		switch w.rng.IntN(40) {
		case 0:
			w.flush(b)
			continue
		case 1:
			if _, err := w.r.Reclaim(100); err != nil {
				w.t.Fatal(err)
			}
			continue
		case 2, 3, 4, 5, 6, 7, 8:
			value = ""
		}
		w.set(w.flying, key, value)
		var err error
		if value == "" {
			_, err = w.r.Delete(wall, b, []byte(key), nil)
		} else {
			err = w.r.Put(wall, b, []byte(key), Write{Value: []byte(value)})
		}
		must(w.t, err)
		w.mu.Lock()
		w.acked[key] = value
		delete(w.flying, key)
		w.mu.Unlock()
	}
}

func (w *crashWorld) set(m map[string]string, key, value string) {
	w.mu.Lock()
	m[key] = value
	w.mu.Unlock()
}

func (w *crashWorld) flush(b *Bucket) {
	w.mu.Lock()
	w.flushes++
	w.mu.Unlock()
	must(w.t, w.r.FlushBuckets(b))
	w.mu.Lock()
	w.flushes--
	clear(w.acked)
	w.mu.Unlock()
}

// check opens what is left.
func (c *crashed) check() error {
	r, err := Open("data", start+1_000_000, small(c.fs))
	if err != nil {
		return err
	}
	defer r.Close()
	if r.Actor() != c.actor || r.dots.Load().Issued() < c.issued {
		return fmt.Errorf("dots from %v:%d will be used twice: %d were minted", r.Actor(), r.dots.Load().Issued(), c.issued)
	}
	if lease := r.clock.Last(); lease < c.last {
		return fmt.Errorf("timestamps from %v will be used twice: %v was issued", lease, c.last)
	}
	b, err := r.Bucket(FirstBucket)
	if err != nil {
		return err
	}
	keys := int64(0)
	for i := range 20 {
		key := fmt.Sprint("key", i)
		it, _, err := r.Get(start, b, []byte(key), nil)
		if err != nil {
			return err
		}
		if it.Found() {
			keys++
		}
		flying, inFlight := c.flying[key]
		switch got := string(it.Value); {
		case got == c.acked[key]:
		case inFlight && got == flying:
		case c.flushing && got == "":
		default:
			return fmt.Errorf("%s is %q; %q was acknowledged, %q in flight %v", key, got, c.acked[key], flying, inFlight)
		}
	}
	var v Verification
	if _, err := r.Verify(&v, 1<<30); err != nil || v.Bad > 0 {
		return fmt.Errorf("%w, %v", err, v.Problems)
	}
	if _, err := r.Recount(1 << 30); err != nil {
		return err
	}
	if s := b.Stats(); !s.Exact || s.Keys != keys {
		return fmt.Errorf("%+v, want %d keys", s, keys)
	}
	// What is left to delete is deleted, and the store is usable.
	for more := true; more; {
		if more, err = r.Reclaim(1000); err != nil {
			return err
		}
	}
	var after Verification
	if _, err := r.Verify(&after, 1<<30); err != nil || after.Dropped > 0 || after.Records != v.Records {
		return fmt.Errorf("after Reclaim: %+v, %w", after, err)
	}
	return r.Put(start+1_000_000, b, []byte("more"), Write{Value: []byte("v")})
}

// Leases are durable before they are used, whatever the buckets promise: at no moment
// would a power cut let dots or timestamps be used twice.
func TestLeasesInPowerLoss(t *testing.T) {
	mem := vfs.NewMem()
	fault := vfs.NewFault(mem)
	o := small(fault)
	o.DotBlock = 2
	o.Create.Bucket.Durability = lsm.None
	o.Engine.Executor = lsm.NewStepper()
	r := open(t, o)
	b := bucket(t, r, FirstBucket)
	wall, cuts, failed := int64(start), 0, false
	cut := func() {
		if failed { // and the store goes on, for it is in the middle of a commit
			return
		}
		cuts++
		fs := mem.CrashClone(vfs.CrashOptions{})
		c, err := Open("data", start, small(fs))
		if failed = err != nil; failed {
			t.Error(err)
			return
		}
		if c.dots.Load().Issued() < r.dots.Load().Issued() || c.clock.Last() < r.clock.Last() {
			failed = true
			t.Errorf("cut %d: from dot %d and %v on; %d and %v were used", cuts, c.dots.Load().Issued(), c.clock.Last(), r.dots.Load().Issued(), r.clock.Last())
		}
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}
	fault.SetHook(func(op vfs.Op) error {
		if op.Kind.Changes() {
			cut()
		}
		return nil
	})
	for i := range 100 {
		wall += int64(i) * 10
		must(t, r.Put(wall, b, fmt.Append(nil, i%5), Write{Value: []byte("v")}))
		cut()
	}
	fault.SetHook(nil)
	if !failed && cuts < 150 {
		t.Fatal(cuts)
	}
}

// A node that crashes again and again, and begins each time where its lease ends, is not
// further ahead of the wall than after one crash.
func TestCrashLoop(t *testing.T) {
	fs := vfs.NewMem()
	wall := int64(start)
	for range 30 {
		r, err := Open("data", wall, small(fs))
		must(t, err)
		must(t, r.Put(wall, bucket(t, r, FirstBucket), []byte("k"), Write{}))
		if ahead := r.clock.Ahead(wall); ahead > hlc.LeaseAhead+time.Second {
			t.Fatalf("%v ahead", ahead)
		}
		fs = fs.CrashClone(vfs.CrashOptions{})
		wall += 500
		must(t, r.Close())
	}
}

// What a bucket without durability acknowledged may be gone, but never in part.
func TestPowerLossOfTransactions(t *testing.T) {
	mem := vfs.NewMem()
	r := open(t, small(mem))
	b := bucket(t, r, FirstBucket)
	must(t, r.AlterBucket(b, BucketConfig{Durability: lsm.None}))
	rng := rand.New(rand.NewPCG(1, 2))
	for i := range 60 {
		must(t, r.Update(start, potRefs(b, 5), func(tx *Tx) error {
			for j := range 5 {
				if err := tx.Put(j, Write{Value: fmt.Append(nil, i), Expiry: start + 1 + int64(i%2)}); err != nil {
					return err
				}
			}
			return nil
		}))
		if i%20 == 0 {
			must(t, r.Sync())
		}
		c := open(t, small(mem.CrashClone(vfs.CrashOptions{Survive: 0.5, Rand: rng})))
		all := scan(t, c, start, bucket(t, c, FirstBucket), 10)
		for _, v := range all {
			if v != all["pot0"] {
				t.Fatalf("a part of a transaction: %v", all)
			}
		}
		if i >= 20 && len(all) != 5 {
			t.Fatal("lost what was synced", all)
		}
		if v := verify(t, c); v.Dangling > 0 {
			t.Fatal(v)
		}
		must(t, c.Close())
	}
}

// When the store goes on as somebody else.
func TestNewActorWhenDue(t *testing.T) {
	type world struct {
		fs    *vfs.Mem
		o     *Options
		r     *Replica
		actor vclock.Actor
	}
	reopen := func(t *testing.T, w *world, clean bool) (changed bool) {
		t.Helper()
		if clean {
			must(t, w.r.Close())
		} else {
			w.fs = w.fs.CrashClone(vfs.CrashOptions{})
			w.o.Engine.FS = w.fs
		}
		w.r = open(t, w.o)
		changed = w.r.Actor() != w.actor
		if changed != (w.r.Opened().NewActor != "") {
			t.Fatalf("%+v", w.r.Opened())
		}
		w.actor = w.r.Actor()
		// Where a lease was lost, so is how far the clock was ahead.
		must(t, w.r.Put(start+60_000, bucket(t, w.r, FirstBucket), []byte("k"), Write{Value: []byte("v")}))
		return changed
	}
	begin := func(t *testing.T, d lsm.Durability, shared bool) *world {
		t.Helper()
		w := &world{fs: vfs.NewMem()}
		w.o = small(w.fs)
		w.o.Create.Bucket.Durability = d
		w.r = open(t, w.o)
		w.actor = w.r.Actor()
		if shared {
			must(t, w.r.Share(start))
		}
		return w
	}
	for _, c := range []struct {
		d             lsm.Durability
		shared, clean bool
		want          bool
	}{
		{lsm.Sync, false, false, false}, {lsm.OS, false, false, false}, {lsm.None, false, false, false},
		{lsm.Sync, true, false, false}, {lsm.OS, true, false, true}, {lsm.None, true, false, true},
		{lsm.Sync, true, true, false}, {lsm.OS, true, true, false}, {lsm.OS, false, true, false},
	} {
		w := begin(t, c.d, c.shared)
		for range 3 {
			if got := reopen(t, w, c.clean); got != c.want {
				t.Fatalf("%+v: %v", c, got)
			}
			if w.r.Shared() != c.shared {
				t.Fatal("shared", c.shared)
			}
		}
	}
	t.Run("as told", func(t *testing.T) {
		w := begin(t, lsm.Sync, false)
		w.o.NewActor = true
		if !reopen(t, w, true) {
			t.Fatal("the same actor")
		}
		before := w.r.Actor()
		must(t, w.r.NewActor(start))
		if w.r.Actor() == before {
			t.Fatal("the same actor")
		}
		w.actor, w.o.NewActor = w.r.Actor(), false
		if reopen(t, w, false) {
			t.Fatal("another actor")
		}
	})
	t.Run("of a checkpoint", func(t *testing.T) {
		w := begin(t, lsm.Sync, false)
		b := bucket(t, w.r, FirstBucket)
		put(t, w.r, b, "k", "v")
		must(t, w.r.Checkpoint("copy"))
		put(t, w.r, b, "k", "later")
		copied, err := Open("copy", start, w.o)
		must(t, err)
		want(t, copied, start, bucket(t, copied, FirstBucket), "k", "v")
		if copied.Actor() == w.r.Actor() || copied.Opened().NewActor == "" || copied.Node() != w.r.Node() {
			t.Fatalf("%+v", copied.Opened())
		}
		must(t, copied.Close())
		if reopen(t, w, true) {
			t.Fatal("a checkpoint changed the store itself")
		}
	})
	t.Run("of a salvaged store", func(t *testing.T) {
		w := begin(t, lsm.Sync, false)
		must(t, w.r.Close())
		w.o.DotBlock = 1
		w.r = open(t, w.o)
		old, err := w.r.meta(metaSession)
		must(t, err)
		b := bucket(t, w.r, FirstBucket)
		for i := range 100 {
			put(t, w.r, b, fmt.Sprint(i), "v")
		}
		for _, session := range [][]byte{old, nil} {
			must(t, w.r.db.Put(metaSession, session)) // all that could be saved
			w.fs = w.fs.CrashClone(vfs.CrashOptions{})
			w.o.Engine.FS = w.fs
			marked, err := MarkCopied("data", w.fs)
			if must(t, err); !marked || !reopen(t, w, false) {
				t.Fatal("the same actor", marked)
			}
			b = bucket(t, w.r, FirstBucket)
			for i := range 100 {
				must(t, w.r.Put(start+60_000, b, fmt.Append(nil, 99-i), Write{Value: []byte("w")}))
			}
			must(t, w.r.Close())
			w.r = open(t, w.o)
		}
		other := vfs.NewMem()
		db, err := lsm.Open("other", &lsm.Options{FS: other})
		must(t, err)
		must(t, db.Put([]byte("k"), nil))
		must(t, db.Close())
		if marked, err := MarkCopied("other", other); marked || err != nil {
			t.Fatal(marked, err)
		}
	})
	t.Run("of a damaged lease", func(t *testing.T) {
		w := begin(t, lsm.Sync, false)
		must(t, w.r.db.Put(metaSession, []byte{formatVersion, 2}))
		w.fs = w.fs.CrashClone(vfs.CrashOptions{})
		w.o.Engine.FS = w.fs
		if _, err := Open("data", start, w.o); !errors.Is(err, ErrCorruption) {
			t.Fatal(err)
		}
		w.o.NewActor = true
		r := open(t, w.o)
		if r.Actor() == w.actor || !r.Shared() {
			t.Fatal("the same actor")
		}
	})
}

func TestOpen(t *testing.T) {
	fs := vfs.NewMem()
	o := small(fs)
	o.Node = ID{1}
	r := open(t, o)
	if x := r.Opened(); x != (Opened{Created: true, Clean: true}) || r.Node() != (ID{1}) || r.Cluster() == (ID{}) || r.HashKey() == (HashKey{}) || r.Partitions() != 16 {
		t.Fatalf("%+v", x)
	}
	put(t, r, bucket(t, r, FirstBucket), "k", "v")
	hash := r.HashKey()
	must(t, r.Close())
	fail := func(want error, change func(o *Options)) {
		t.Helper()
		o := *small(fs)
		change(&o)
		if _, err := Open("data", start, &o); !errors.Is(err, want) {
			t.Fatalf("%v, want %v", err, want)
		}
	}
	fail(ErrFormat, func(o *Options) { o.Node = ID{2} })
	fail(ErrFormat, func(o *Options) { o.Cluster = ID{2} })
	fail(ErrInvalid, func(o *Options) { o.Engine.ReadOnly = true })
	fail(ErrInvalid, func(o *Options) { o.Engine.FS, o.Create.Partitions = vfs.NewMem(), 3 })
	fail(ErrInvalid, func(o *Options) { o.Engine.FS, o.Create.Partitions = vfs.NewMem(), 2*MaxPartitions })
	fail(ErrMode, func(o *Options) { o.Engine.FS, o.Create.Bucket.Mode = vfs.NewMem(), Consistent })
	// Another size is for another store.
	o.Create.Partitions = 4
	r = open(t, o)
	if x := r.Opened(); x != (Opened{Clean: true}) || r.Partitions() != 16 || r.HashKey() != hash {
		t.Fatalf("%+v", x)
	}
	b := bucket(t, r, FirstBucket)
	want(t, r, start, b, "k", "v")
	if s := b.Stats(); s != (BucketStats{1, 2, 0, true}) {
		t.Fatal(s)
	}
	// A version that is not known, rubbish, and no list of buckets.
	for _, c := range []struct {
		key, value []byte
		want       error
	}{
		{metaIdentity, append([]byte{2}, make([]byte, identityLen-1)...), ErrFormat},
		{metaIdentity, []byte{1}, ErrCorruption},
		{metaBuckets, nil, ErrCorruption},
		{metaBuckets, []byte{formatVersion + 1}, ErrFormat},
		{metaSession, nil, ErrCorruption},
		{metaSession, append([]byte{formatVersion + 1}, make([]byte, sessionLen-1)...), ErrFormat},
	} {
		broken := vfs.NewMem()
		s := open(t, small(broken))
		must(t, s.db.Put(c.key, c.value))
		fail(c.want, func(o *Options) { o.Engine.FS = broken.CrashClone(vfs.CrashOptions{}) })
		must(t, s.db.Delete(c.key))
		want := ErrCorruption
		if &c.key[0] == &metaIdentity[0] {
			want = ErrFormat // keys, and nothing that says whose
		}
		fail(want, func(o *Options) { o.Engine.FS = broken.CrashClone(vfs.CrashOptions{}) })
	}
	// Damaged counts are counted again.
	must(t, r.db.Put(metaCounts, []byte("rubbish")))
	c := open(t, small(fs.CrashClone(vfs.CrashOptions{})))
	recountAll(t, c)
	if s := bucket(t, c, FirstBucket).Stats(); s != (BucketStats{1, 2, 0, true}) {
		t.Fatal(s)
	}
}

// Counts after an unclean end: what was noted last, and what has changed, until they are
// counted, while others write.
func TestRecount(t *testing.T) {
	fs := vfs.NewMem()
	r := open(t, small(fs))
	for i := range 100 {
		put(t, r, bucket(t, r, FirstBucket), fmt.Sprint(i), "v")
	}
	dropped, err := r.CreateBucket("dropped", BucketConfig{})
	must(t, err)
	put(t, r, dropped, "k", "v")
	r = open(t, small(fs.CrashClone(vfs.CrashOptions{})))
	b := bucket(t, r, FirstBucket)
	if s := b.Stats(); s.Exact || s.Keys > 100 || !r.Stats().Recounting {
		t.Fatal(s)
	}
	must(t, r.FlushBuckets(bucket(t, r, "dropped")))
	for i := 0; ; i++ {
		put(t, r, b, fmt.Sprint("more", i), "v")
		if _, err := r.Delete(start, b, fmt.Append(nil, i), nil); err != nil {
			t.Fatal(err)
		}
		more, err := r.Recount(3)
		must(t, err)
		if !more {
			break
		}
		if b.Stats().Exact {
			t.Fatal("exact before it is done")
		}
	}
	if s := b.Stats(); !s.Exact || int(s.Keys) != len(scan(t, r, start, b, 100)) || r.Stats().Recounting {
		t.Fatal(s)
	}
	if s := bucket(t, r, "dropped").Stats(); s != (BucketStats{0, 0, 0, true}) {
		t.Fatal(s)
	}
}
