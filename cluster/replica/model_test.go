package replica

import (
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/ringwood-kv/ringwood/cluster/hlc"
	"github.com/ringwood-kv/ringwood/cluster/vclock"
	"github.com/ringwood-kv/ringwood/lsm/vfs"
)

var modelSeeds = flag.Int("model.seeds", 30, "how many histories TestModel plays")

// model is a store as a client imagines it: for each key the writes that stand side by
// side, by number. It knows nothing of vectors, marks or tokens.
type model struct {
	rng     *rand.Rand
	fs      *vfs.Mem
	o       *Options
	r       *Replica
	wall    int64
	shared  bool
	writes  int
	buckets []*modelBucket
	saved   []modelContext
	log     []string
}

type modelBucket struct {
	b    *Bucket
	lww  bool
	max  int
	keys map[string][]modelWrite
}

type modelWrite struct {
	n      int
	value  string
	typ    uint8
	expiry int64
	dead   bool // a tombstone, or its value was dropped
}

func (w *modelWrite) live(wall int64) bool { return !w.dead && (w.expiry == 0 || wall < w.expiry) }

// modelContext is what a client had read some time ago.
type modelContext struct {
	bucket, key string
	ctx         vclock.Context
	seen        []int
}

const modelKeys = 12

func TestModel(t *testing.T) {
	for seed := range uint64(*modelSeeds) {
		for _, shared := range []bool{false, true} {
			t.Run(fmt.Sprintf("seed=%d/shared=%v", seed, shared), func(t *testing.T) {
				m := newModel(t, seed, shared)
				for i := range 400 {
					if err := m.step(t); err != nil {
						for _, l := range m.log[max(0, len(m.log)-40):] {
							t.Log(l)
						}
						t.Fatalf("step %d: %v", i, err)
					}
				}
			})
		}
	}
}

func newModel(t *testing.T, seed uint64, shared bool) *model {
	m := &model{rng: rand.New(rand.NewPCG(seed, 5)), fs: vfs.NewMem(), wall: start, shared: shared}
	m.o = small(m.fs)
	m.o.Create.Partitions = 1 << m.rng.IntN(5)
	m.o.DotBlock = uint64(20 + m.rng.IntN(100))
	m.o.Random = randomness(seed)
	m.open(t)
	if shared {
		must(t, m.r.Share(m.wall))
	}
	for _, c := range []struct {
		name string
		cfg  BucketConfig
	}{{"limited", BucketConfig{MaxSiblings: 3}}, {"last", BucketConfig{LastWriterWins: true}}} {
		b, err := m.r.CreateBucket(c.name, c.cfg)
		must(t, err)
		m.buckets = append(m.buckets, &modelBucket{b: b, lww: c.cfg.LastWriterWins, max: c.cfg.MaxSiblings, keys: map[string][]modelWrite{}})
	}
	m.buckets = append(m.buckets, &modelBucket{b: bucket(t, m.r, FirstBucket), max: vclock.DefaultMaxSiblings, keys: map[string][]modelWrite{}})
	return m
}

// open opens the store, and finds the buckets again.
func (m *model) open(t *testing.T) {
	t.Helper()
	r, err := Open("data", m.wall, m.o)
	must(t, err)
	t.Cleanup(func() { _ = r.Close() })
	m.r = r
	for _, mb := range m.buckets {
		mb.b = bucket(t, r, mb.b.name)
	}
}

func (m *model) note(format string, args ...any) { m.log = append(m.log, fmt.Sprintf(format, args...)) }

func (m *model) key() string {
	if m.rng.IntN(10) == 0 {
		return ""
	}
	return fmt.Sprint("key", m.rng.IntN(modelKeys))
}

func (m *model) step(t *testing.T) error {
	m.wall += m.rng.Int64N(30)
	mb := m.buckets[m.rng.IntN(len(m.buckets))]
	switch n := m.rng.IntN(100); {
	case n < 45:
		return m.write(mb, 1)
	case n < 55:
		return m.write(mb, 2+m.rng.IntN(5))
	case n < 70:
		return m.save(mb)
	case n < 80:
		return m.check(t)
	case n < 86:
		return m.sweep()
	case n < 89:
		return m.reap()
	case n < 92:
		m.note("flush %s", mb.b.name)
		clear(mb.keys)
		return m.r.FlushBuckets(mb.b)
	case n < 95:
		_, err := m.r.Reclaim(1 + m.rng.IntN(10))
		return err
	case n < 97:
		_, err := m.r.Recount(1 + m.rng.IntN(20))
		return err
	case n < 98:
		m.note("new actor")
		return m.r.NewActor(m.wall)
	default:
		return m.reopen(t)
	}
}

// write puts and deletes a few keys in one transaction.
func (m *model) write(mb *modelBucket, n int) error {
	var refs []Ref
	var ops []func(tx *Tx, i int) error
	next := map[string][]modelWrite{}
	for range n {
		key := m.key()
		refs = append(refs, Ref{mb.b, []byte(key)})
		have, ok := next[key]
		if !ok {
			have = mb.keys[key]
		}
		w := modelWrite{n: m.writes}
		m.writes++
		if w.dead = m.rng.IntN(4) == 0; !w.dead {
			w.value, w.typ = fmt.Sprint("value", w.n), uint8(m.rng.IntN(16))
			if m.rng.IntN(3) == 0 {
				w.expiry = m.wall - 10 + m.rng.Int64N(300)
			}
		}
		ctx, seen := m.context(mb, key)
		m.note("%s %q: %+v, context %v", mb.b.name, key, w, seen)
		after, refused := mb.apply(have, w, ctx != nil, seen)
		if !refused {
			next[key] = after
		}
		existed := slices.ContainsFunc(have, func(w modelWrite) bool { return w.live(m.wall) })
		ops = append(ops, func(tx *Tx, i int) error {
			var err error
			if w.dead {
				var did bool
				if did, err = tx.Delete(i, ctx); err == nil && did != existed {
					return fmt.Errorf("delete said %v, want %v", did, existed)
				}
			} else {
				err = tx.Put(i, Write{Value: []byte(w.value), Type: w.typ, Expiry: w.expiry, Context: ctx})
			}
			if refused && !errors.Is(err, vclock.ErrLimit) {
				return fmt.Errorf("the limit was not noticed: %w", err)
			}
			if refused && errors.Is(err, vclock.ErrLimit) {
				return nil
			}
			return err
		})
	}
	err := m.r.Update(m.wall, refs, func(tx *Tx) error {
		for i, op := range ops {
			if err := op(tx, i); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	for key, after := range next {
		mb.keys[key] = m.forget(after)
	}
	return nil
}

// apply is what a write makes of a key, or says that the limit refuses it.
func (mb *modelBucket) apply(have []modelWrite, w modelWrite, hasContext bool, seen []int) (after []modelWrite, refused bool) {
	if w.dead && !hasContext && !slices.ContainsFunc(have, func(w modelWrite) bool { return !w.dead }) {
		return have, false
	}
	for _, h := range have {
		if hasContext && !mb.lww && !slices.Contains(seen, h.n) {
			after = append(after, h)
		}
	}
	after = append(after, w)
	if !mb.lww && len(after) > mb.max && len(after) > len(have) {
		return have, true
	}
	return after, false
}

// forget is what is left of a key that was just written.
func (m *model) forget(have []modelWrite) []modelWrite {
	if !m.shared && !slices.ContainsFunc(have, func(w modelWrite) bool { return w.live(m.wall) }) {
		return nil
	}
	return have
}

// context returns a context for a write: none, an empty one, or one that was saved.
func (m *model) context(mb *modelBucket, key string) (*vclock.Context, []int) {
	switch m.rng.IntN(4) {
	case 0:
		return &vclock.Context{}, nil
	case 1:
		for _, i := range m.rng.Perm(len(m.saved)) {
			if s := &m.saved[i]; s.bucket == mb.b.name && s.key == key {
				return &s.ctx, s.seen
			}
		}
	}
	return nil, nil
}

// save keeps what a client reads now.
func (m *model) save(mb *modelBucket) error {
	key := m.key()
	var o vclock.Object
	if _, err := m.r.Read(mb.b, []byte(key), &o, nil); err != nil {
		return err
	}
	c := o.Clone()
	s := modelContext{bucket: mb.b.name, key: key, ctx: c.Context()}
	for _, w := range mb.keys[key] {
		s.seen = append(s.seen, w.n)
	}
	m.note("save %s %q: %v", mb.b.name, key, s.seen)
	m.saved = append(m.saved, s)
	return nil
}

func (m *model) sweep() error {
	m.note("sweep at %d", m.wall)
	for limit := 1 + m.rng.IntN(5); ; {
		n, err := m.r.Sweep(m.wall, limit)
		if err != nil {
			return err
		}
		if n < limit {
			break
		}
	}
	for _, mb := range m.buckets {
		for key, have := range mb.keys {
			changed := false
			for i := range have {
				if !have[i].dead && !have[i].live(m.wall) {
					have[i].dead, have[i].value, changed = true, "", true
				}
			}
			if changed {
				mb.keys[key] = m.forget(have)
			}
		}
	}
	return nil
}

// reap removes what is dead, if the floor is high enough. It is above all that was
// written before.
func (m *model) reap() error {
	floor := hlc.At(m.r.Clock().Last().Millis()+1, 0)
	m.note("reap below %v", floor)
	m.r.SetFloor(floor)
	for {
		n, err := m.r.Reap(m.wall, 3)
		if err != nil {
			return err
		}
		if n < 3 {
			break
		}
	}
	for _, mb := range m.buckets {
		for key, have := range mb.keys {
			if !slices.ContainsFunc(have, func(w modelWrite) bool { return !w.dead }) {
				delete(mb.keys, key)
			}
		}
	}
	return nil
}

// reopen ends the process, in order or by a power cut. Everything was acknowledged at
// Sync.
func (m *model) reopen(t *testing.T) error {
	issued, last := m.r.dots.Load().Issued(), m.r.clock.Last()
	clean := m.rng.IntN(2) == 0
	m.note("reopen, clean %v", clean)
	if clean {
		if err := m.r.Close(); err != nil {
			return err
		}
	} else {
		fs := m.fs.CrashClone(vfs.CrashOptions{Survive: m.rng.Float64(), Torn: true, Rand: m.rng})
		m.fs, m.o.Engine.FS = fs, fs
	}
	actor := m.r.Actor()
	m.open(t)
	if m.r.Opened().Clean != clean {
		return fmt.Errorf("clean %v, the store says %+v", clean, m.r.Opened())
	}
	if m.r.Actor() != actor {
		return errors.New("another actor, though everything was synced")
	}
	if m.r.dots.Load().Issued() < issued || m.r.clock.Last() < last {
		return errors.New("dots or timestamps will be used twice")
	}
	return nil
}

// check compares everything.
func (m *model) check(t *testing.T) error {
	v := verify(t, m.r)
	if v.Dangling > 0 {
		return fmt.Errorf("%d index entries without a record", v.Dangling)
	}
	for _, mb := range m.buckets {
		if err := m.checkBucket(t, mb); err != nil {
			return fmt.Errorf("bucket %s: %w", mb.b.name, err)
		}
	}
	return nil
}

func (m *model) checkBucket(t *testing.T, mb *modelBucket) error {
	var keys, bytes, expiring int64
	live := map[string]string{}
	for key, have := range mb.keys {
		counted, expires := false, int64(0)
		for _, w := range have {
			if !w.dead {
				counted = true
				bytes += int64(len(w.value))
				if w.expiry != 0 {
					expires = 1
				}
			}
		}
		expiring += expires
		if counted {
			keys++
			bytes += int64(len(key))
		}
		for _, w := range have {
			if w.live(m.wall) {
				live[key] = w.value // the latest has the highest number
			}
		}
		if err := m.checkKey(mb, key); err != nil {
			return fmt.Errorf("key %q: %w", key, err)
		}
	}
	if s := mb.b.Stats(); s.Exact && s != (BucketStats{keys, bytes, expiring, true}) {
		return fmt.Errorf("%+v, want %d keys of %d bytes, %d with an expiry", s, keys, bytes, expiring)
	}
	got := scan(t, m.r, m.wall, mb.b, 1+m.rng.IntN(6))
	if len(got) != len(live) {
		return fmt.Errorf("a scan shows %v, want %v", got, live)
	}
	for key, value := range live {
		if got[key] != value {
			return fmt.Errorf("a scan shows %q for %q, want %q", got[key], key, value)
		}
	}
	return nil
}

func (m *model) checkKey(mb *modelBucket, key string) error {
	var o vclock.Object
	if _, err := m.r.Read(mb.b, []byte(key), &o, nil); err != nil {
		return err
	}
	if len(o.Siblings) != len(mb.keys[key]) {
		return fmt.Errorf("%d siblings, want %+v", len(o.Siblings), mb.keys[key])
	}
	slices.SortFunc(o.Siblings, func(a, b vclock.Sibling) int {
		if a.HLC < b.HLC {
			return -1
		}
		return 1
	})
	var latest *modelWrite
	n := 0
	for i := range mb.keys[key] {
		w, s := &mb.keys[key][i], &o.Siblings[i]
		dead := s.Flags&(vclock.Tombstone|vclock.Expired) != 0
		if dead != w.dead || string(s.Value) != w.value || !dead && (s.Expiry != w.expiry || uint8(s.Flags>>4) != w.typ) {
			return fmt.Errorf("sibling %d is %+v, want %+v", i, s, w)
		}
		if w.live(m.wall) {
			latest, n = w, n+1
		}
	}
	it, _, err := m.r.Get(m.wall, mb.b, []byte(key), nil)
	if err != nil || it.Siblings != n || n > 0 && (string(it.Value) != latest.value || it.Type != latest.typ || it.Expiry != latest.expiry) {
		return fmt.Errorf("get: %+v, %w; want %+v", it, err, latest)
	}
	return nil
}
