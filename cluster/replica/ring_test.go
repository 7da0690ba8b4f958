package replica

import (
	"errors"
	"flag"
	"fmt"
	"math/bits"
	"math/rand/v2"
	"testing"

	"github.com/ringwood-kv/ringwood/cluster/hlc"
	"github.com/ringwood-kv/ringwood/cluster/vclock"
	"github.com/ringwood-kv/ringwood/lsm"
	"github.com/ringwood-kv/ringwood/lsm/vfs"
)

var ringSeeds = flag.Int("ring.seeds", 3, "how many histories TestRing plays")

// ring is a few stores that exchange what they have, as the nodes of a cluster will, with
// crashes, restored copies and lost disks. The first begins alone. Beside it an oracle
// knows no vectors: each write has its past, the set of writes that its client had seen;
// each record that a store ever had stands for a set of writes; and what must be in it are
// those of the set that are in the past of no other.
type ring struct {
	rng    *rand.Rand
	wall   int64
	d      lsm.Durability
	nodes  []*ringNode
	writes map[ringKey][]ringWrite
	reads  []ringRead
	log    []string

	// What all have forgotten. The last tombstones may come back, and go, for whoever wrote
	// one covers it by what he writes next; what they had deleted may not.
	forgot, tombs map[ringKey]uint64
	// What was replaced while the first was alone. It forgets the dead at once; what comes
	// back with a crash is covered by what clients have read since, and by its next write.
	alone map[ringKey]uint64
}

type ringKey struct{ bucket, key string }

type ringWrite struct {
	dot  vclock.Dot
	hlc  hlc.Timestamp
	past uint64 // a bit for each write of the key
}

type ringRead struct {
	key  ringKey
	ctx  vclock.Context
	seen uint64
}

type ringNode struct {
	id     int
	r      *Replica
	o      *Options
	dir    string
	skew   int64
	known  map[ringKey]uint64
	states map[ringKey]map[string]uint64 // what each record that there ever was stands for
	copies int                           // checkpoints
	saved  string                        // the last of them
}

const ringMaxWrites = 64

var ringKeys = []ringKey{{FirstBucket, "a"}, {FirstBucket, "b"}, {FirstBucket, "c"}, {"last", "a"}}

func TestRing(t *testing.T) {
	for seed := range uint64(*ringSeeds) {
		w := &ring{
			rng: rand.New(rand.NewPCG(seed, 11)), wall: start, d: lsm.Durability(seed % 3),
			writes: map[ringKey][]ringWrite{}, forgot: map[ringKey]uint64{}, tombs: map[ringKey]uint64{},
			alone: map[ringKey]uint64{},
		}
		for i := range 200 {
			if err := w.step(t, i); err != nil {
				for _, l := range w.log[max(0, len(w.log)-40):] {
					t.Log(l)
				}
				t.Fatalf("seed %d, step %d: %v", seed, i, err)
			}
		}
		for _, n := range w.nodes {
			must(t, n.r.Close())
		}
	}
}

func (w *ring) note(format string, args ...any) { w.log = append(w.log, fmt.Sprintf(format, args...)) }

// join adds a store.
func (w *ring) join(t *testing.T) error {
	n := &ringNode{id: len(w.nodes), skew: w.rng.Int64N(300)}
	w.nodes = append(w.nodes, n)
	return w.wipe(t, n)
}

// wipe gives n an empty disk.
func (w *ring) wipe(t *testing.T, n *ringNode) error {
	if n.r != nil {
		must(t, n.r.Close())
	}
	w.note("node %d has an empty disk", n.id)
	n.o, n.dir = small(vfs.NewMem()), "data"
	n.o.Random, n.o.DotBlock = randomness(w.rng.Uint64()), 20
	n.o.Cluster, n.o.Create.HashKey, n.o.Create.Partitions = ID{1}, HashKey{2}, 2
	n.o.Create.Bucket.Durability = w.d
	n.known, n.states, n.saved = map[ringKey]uint64{}, map[ringKey]map[string]uint64{}, ""
	if err := w.open(t, n); err != nil {
		return err
	}
	if _, err := n.r.CreateBucket("last", BucketConfig{LastWriterWins: true, Durability: w.d}); err != nil {
		return err
	}
	if len(w.nodes) > 1 {
		for _, m := range w.nodes {
			must(t, m.r.Share(w.at(m)))
			m.saved = "" // it was alone, and has forgotten more than others may
		}
	}
	return nil
}

func (w *ring) at(n *ringNode) int64 { return w.wall + n.skew }

// open opens the store of n, which then waits until its clock is not ahead any more, and
// finds out what is left.
func (w *ring) open(t *testing.T, n *ringNode) error {
	r, err := Open(n.dir, w.at(n), n.o)
	if err != nil {
		return err
	}
	t.Cleanup(func() { _ = r.Close() })
	n.r = r
	w.wall += 6000
	for _, key := range ringKeys {
		states, ok := n.states[key]
		if !ok {
			continue
		}
		o, record, err := n.read(key)
		if err != nil {
			return err
		}
		known, ok := states[record]
		known &^= w.forgot[key]
		if !ok {
			return fmt.Errorf("%v: %+v was never there", key, o)
		}
		n.known[key] = known
	}
	return nil
}

// read returns what n has, and its encoding: "" if there is nothing.
func (n *ringNode) read(key ringKey) (o vclock.Object, record string, err error) {
	b, err := n.r.Bucket(key.bucket)
	if err != nil {
		return o, "", err
	}
	if _, err = n.r.Read(b, []byte(key.key), &o, nil); err != nil || o.Absent() {
		return o, "", err
	}
	enc, err := o.AppendTo(nil)
	return o, string(enc), err
}

func (w *ring) key() ringKey {
	return ringKeys[w.rng.IntN(len(ringKeys))]
}

func (w *ring) step(t *testing.T, i int) error {
	w.wall += w.rng.Int64N(40)
	if i == 0 || i == 40 || i == 50 {
		return w.join(t)
	}
	n := w.nodes[w.rng.IntN(len(w.nodes))]
	m := w.nodes[w.rng.IntN(len(w.nodes))]
	switch x := w.rng.IntN(100); {
	case x < 40:
		return w.write(n, w.key())
	case x < 52:
		return w.save(n, w.key())
	case x < 80:
		return w.exchange(n, m, w.key())
	case x < 83:
		w.note("node %d sweeps and reaps", n.id)
		if _, err := n.r.Sweep(w.at(n), 100); err != nil {
			return err
		}
		if err := w.look(n); err != nil {
			return err
		}
		return w.reapNode(n, 0) // below the floor that it has
	case x < 86:
		return w.reap()
	case x < 90:
		return w.crash(t, n)
	case x < 93:
		n.copies++
		n.saved = fmt.Sprint("copy", n.copies)
		w.note("node %d is copied to %s", n.id, n.saved)
		return n.r.Checkpoint(n.saved)
	case x < 96 && n.saved != "":
		w.note("node %d is what %s was", n.id, n.saved)
		must(t, n.r.Close())
		n.dir, n.saved = n.saved, ""
		return w.open(t, n)
	case x < 97 && n.id > 0:
		return w.wipe(t, n)
	case x < 98:
		w.note("node %d is somebody else", n.id)
		return n.r.NewActor(w.at(n))
	}
	return nil
}

// crash ends a store by a power cut, or in order.
func (w *ring) crash(t *testing.T, n *ringNode) error {
	before := map[ringKey]uint64{}
	for k, v := range n.known {
		before[k] = v
	}
	clean := w.rng.IntN(3) == 0
	w.note("node %d ends, clean %v", n.id, clean)
	if clean {
		must(t, n.r.Close())
	} else {
		fs := n.o.Engine.FS.(*vfs.Mem).CrashClone(vfs.CrashOptions{Survive: w.rng.Float64(), Torn: true, Rand: w.rng})
		must(t, n.r.Close()) // on the disk that is no more
		n.o.Engine.FS = fs
	}
	if err := w.open(t, n); err != nil {
		return err
	}
	for key, known := range before {
		if (clean || w.d == lsm.Sync) && n.known[key] != known&^w.forgot[key] {
			return fmt.Errorf("node %d, %v: of %b is left %b", n.id, key, known, n.known[key])
		}
	}
	return nil
}

// save keeps what a client reads.
func (w *ring) save(n *ringNode, key ringKey) error {
	o, _, err := n.read(key)
	if err != nil {
		return err
	}
	c := o.Clone()
	w.reads = append(w.reads, ringRead{key, c.Context(), n.known[key]})
	return nil
}

// write puts or deletes, with a context of any node or none.
func (w *ring) write(n *ringNode, key ringKey) error {
	i := len(w.writes[key])
	if i >= ringMaxWrites {
		return nil
	}
	b, err := n.r.Bucket(key.bucket)
	if err != nil {
		return err
	}
	seen := n.known[key]
	var ctx *vclock.Context
	switch w.rng.IntN(3) {
	case 0:
		ctx, seen = new(vclock.Context), 0
	case 1:
		for _, j := range w.rng.Perm(len(w.reads)) {
			if r := &w.reads[j]; r.key == key {
				ctx, seen = &r.ctx, r.seen
				break
			}
		}
	}
	dead := w.rng.IntN(3) == 0
	expiry := int64(w.rng.IntN(4)/3) * (w.wall + w.rng.Int64N(1000))
	w.note("node %d, %v: write %d, dead %v, expiry %d, context %v, past %b", n.id, key, i, dead, expiry, ctx, seen)
	var made ringWrite
	err = n.r.Update(w.at(n), []Ref{{b, []byte(key.key)}}, func(tx *Tx) error {
		made = ringWrite{}
		var err error
		if dead {
			_, err = tx.Delete(0, ctx)
		} else {
			err = tx.Put(0, Write{Value: fmt.Append(nil, i), Expiry: expiry, Context: ctx})
		}
		if err != nil {
			return err
		}
		o, err := tx.Read(0)
		if err != nil {
			return err
		}
		for _, s := range o.Siblings {
			if w.find(key, s.Dot) < 0 {
				made = ringWrite{s.Dot, s.HLC, seen}
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	if made == (ringWrite{}) { // a blind deletion of nothing
		return w.check(n, key)
	}
	w.writes[key] = append(w.writes[key], made)
	if len(w.nodes) == 1 {
		w.alone[key] |= seen
	}
	n.known[key] |= seen | 1<<i
	return w.check(n, key)
}

func (w *ring) find(key ringKey, dot vclock.Dot) int {
	for i := range w.writes[key] {
		if w.writes[key][i].dot == dot {
			return i
		}
	}
	return -1
}

// exchange merges what m has into what n has.
func (w *ring) exchange(n, m *ringNode, key ringKey) error {
	if n == m {
		return nil
	}
	o, _, err := m.read(key)
	if err != nil || o.Absent() {
		return err
	}
	b, err := n.r.Bucket(key.bucket)
	if err != nil {
		return err
	}
	w.note("node %d, %v: %b and from node %d %b", n.id, key, n.known[key], m.id, m.known[key])
	err = n.r.Update(w.at(n), []Ref{{b, []byte(key.key)}}, func(tx *Tx) error {
		_, err := tx.Merge(0, &o)
		return err
	})
	if err != nil {
		return err
	}
	n.known[key] |= m.known[key]
	return w.check(n, key)
}

// reap makes all equal and durable, and lets them forget the dead below the lowest of their
// clocks before. Copies that are older are of no use any more.
func (w *ring) reap() error {
	floor := hlc.Max
	for _, n := range w.nodes {
		floor = min(floor, n.r.Clock().Last())
	}
	for range 2 {
		for _, key := range ringKeys {
			for i := range w.nodes {
				if err := w.exchange(w.nodes[i], w.nodes[(i+1)%len(w.nodes)], key); err != nil {
					return err
				}
			}
		}
	}
	for _, key := range ringKeys {
		_, first, err := w.nodes[0].read(key)
		for _, n := range w.nodes[1:] {
			_, other, err2 := n.read(key)
			if err = errors.Join(err, err2); err == nil && !w.sameSummary(first, other) {
				err = fmt.Errorf("%v: node 0 and node %d differ", key, n.id)
			}
		}
		if err != nil {
			return err
		}
	}
	w.note("all reap below %v", floor)
	for _, n := range w.nodes {
		n.saved = ""
		if err := n.r.Sync(); err != nil {
			return err
		}
	}
	for _, n := range w.nodes {
		if err := w.reapNode(n, floor); err != nil {
			return err
		}
	}
	return nil
}

func (w *ring) reapNode(n *ringNode, floor hlc.Timestamp) error {
	before := map[ringKey]uint64{}
	for _, key := range ringKeys {
		o, _, err := n.read(key)
		if err != nil {
			return err
		}
		for _, s := range o.Siblings {
			before[key] |= 1 << w.find(key, s.Dot)
		}
	}
	n.r.SetFloor(floor)
	if _, err := n.r.Reap(w.at(n), 100); err != nil {
		return err
	}
	for _, key := range ringKeys {
		o, _, err := n.read(key)
		if err != nil {
			return err
		}
		if o.Absent() && len(w.nodes) > 1 {
			w.forgot[key] |= n.known[key]
			w.tombs[key] |= before[key]
		}
	}
	return w.look(n)
}

func (w *ring) sameSummary(a, b string) bool {
	var x, y vclock.Object
	if a != "" && x.Decode([]byte(a)) != nil || b != "" && y.Decode([]byte(b)) != nil {
		return false
	}
	return string(x.AppendSummary(nil)) == string(y.AppendSummary(nil))
}

// look checks all keys of n.
func (w *ring) look(n *ringNode) error {
	for _, key := range ringKeys {
		if err := w.check(n, key); err != nil {
			return err
		}
	}
	return nil
}

// check compares a record with what the oracle says, and notes what it stands for.
func (w *ring) check(n *ringNode, key ringKey) error {
	o, record, err := n.read(key)
	if err != nil {
		return err
	}
	known, writes := n.known[key]&^w.forgot[key], w.writes[key]
	if o.Absent() {
		// Only what is dead is forgotten; whether it may be shows when it comes back.
		known = 0
	}
	want := known
	if key.bucket == "last" {
		best := -1
		for s := known; s != 0; s &= s - 1 {
			i := bits.TrailingZeros64(s)
			if best < 0 || writes[i].hlc > writes[best].hlc || writes[i].hlc == writes[best].hlc && writes[i].dot.Compare(writes[best].dot) > 0 {
				best = i
			}
		}
		if want = 0; best >= 0 {
			want = 1 << best
		}
	} else {
		for s := known; s != 0; s &= s - 1 {
			want &^= writes[bits.TrailingZeros64(s)].past
		}
	}
	var got uint64
	for _, s := range o.Siblings {
		i := w.find(key, s.Dot)
		if i < 0 {
			return fmt.Errorf("node %d, %v: nobody has written %v", n.id, key, s.Dot)
		}
		got |= 1 << i
	}
	if got&^(want|w.tombs[key]) != 0 || want&^(got|w.tombs[key]|w.alone[key]) != 0 {
		return fmt.Errorf("node %d, %v: %b is there, want %b of %b", n.id, key, got, want, known)
	}
	if n.states[key] == nil {
		n.states[key] = map[string]uint64{"": 0}
	}
	if before, ok := n.states[key][record]; ok && (before^known)&^(w.forgot[key]|w.alone[key]) != 0 {
		return fmt.Errorf("node %d, %v: one record stands for %b and for %b", n.id, key, before, known)
	}
	n.states[key][record], n.known[key] = known, known
	return nil
}
