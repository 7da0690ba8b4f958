package vclock

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"math/bits"
	"math/rand/v2"

	"github.com/ringwood-kv/ringwood/cluster/hlc"
)

// history is a set of writes, by their index in world.writes.
type history uint64

const maxWrites = 64

// A world is one key on a few replicas, with clients and a network that loses, repeats
// and reorders. It runs the package beside an oracle that knows no vectors: each write
// has its causal history, the set of writes that its client had seen, and each replica
// the set of writes that it has heard of. What must be there are the writes in that set
// which are in the history of no other; what a vector must cover is that set, exactly.
type world struct {
	rng      *rand.Rand
	do       hooks
	policy   *Policy
	ring     *Keyring
	now      int64
	writes   []write
	replicas []*replica
	clients  []*client
	net      []message
	lossy    bool // a replica was wiped or restored, so writes may be gone
	states   []Object
}

type write struct {
	dot  Dot
	hlc  hlc.Timestamp
	past history // without the write itself
}

type replica struct {
	id      int
	obj     Object
	known   history
	counter *Counter
	clock   *hlc.Clock
	lease   hlc.Timestamp // of the clock
	skew    int64
	backup  Object
	saved   history
	bound   uint64 // of the dots, in the backup
}

type client struct {
	token []byte
	seen  history
}

type message struct {
	from, to int
	object   []byte  // the whole object after the write
	known    history // what the object has heard of
	delta    *Delta  // if that is what is sent
	news     history // what the delta tells
	before   history // what the sender knew before the write
}

// hooks are where a test plants its bugs.
type hooks struct {
	put       func(*Object, Context, Sibling, *Policy) (Outcome, error)
	merge     func(o, x *Object, p *Policy) (Outcome, error)
	apply     func(*Object, *Delta, *Policy) (Outcome, error)
	context   func(*Object) Context
	after     func(c *hlc.Clock, seen hlc.Timestamp, wall int64) (hlc.Timestamp, error)
	check     func(*Counter, Vector) error
	restart   func(*Counter) uint64 // the lease that a node finds
	sameActor bool                  // whoever lost data goes on with its actor
}

func honest() hooks {
	return hooks{
		put:     (*Object).Put,
		merge:   (*Object).Merge,
		apply:   (*Object).Apply,
		context: (*Object).Context,
		after:   (*hlc.Clock).After,
		check:   (*Counter).Check,
		restart: func(c *Counter) uint64 { return c.bound.Load() },
	}
}

// block is how many dots the nodes of a world lease at once.
const block = 8

// run plays a history and returns what the oracle complains about.
func run(seed uint64, do hooks, policy *Policy, disasters bool) (*world, error) {
	ring, err := NewKeyring(bytes.Repeat([]byte{7}, MinTokenKey))
	if err != nil {
		return nil, err
	}
	w := &world{rng: rand.New(rand.NewPCG(seed, 7)), do: do, policy: policy, ring: ring, now: 1_700_000_000_000}
	for id := range 2 + w.rng.IntN(3) {
		r := &replica{id: id, skew: w.rng.Int64N(400)}
		w.replicas = append(w.replicas, r)
		if err := w.incarnate(r, w.actor(), 0); err != nil {
			return w, err
		}
	}
	for range 1 + w.rng.IntN(4) {
		w.clients = append(w.clients, &client{})
	}
	for i := range 120 {
		if err := w.step(disasters); err != nil {
			return w, fmt.Errorf("seed %d, step %d: %w", seed, i, err)
		}
	}
	if err := w.settle(); err != nil {
		return w, fmt.Errorf("seed %d, in the end: %w", seed, err)
	}
	return w, nil
}

func (w *world) actor() Actor {
	var random [ActorLen]byte
	for i := range random {
		random[i] = byte(w.rng.Uint32())
	}
	a, err := NewActor(bytes.NewReader(random[:]))
	if err != nil {
		panic(err)
	}
	return a
}

// incarnate starts the node of r, with what it finds in its leases. It waits until the
// wall clock has reached the lease of the other one, or its peers would refuse it.
func (w *world) incarnate(r *replica, a Actor, bound uint64) error {
	r.clock = hlc.NewClock(r.lease, 0)
	w.now += r.clock.Ahead(w.now + r.skew).Milliseconds()
	var err error
	r.counter, err = NewCounter(Lease{a, bound}, block)
	return err
}

func (w *world) step(disasters bool) error {
	w.now += w.rng.Int64N(30)
	r := w.replicas[w.rng.IntN(len(w.replicas))]
	q := w.replicas[w.rng.IntN(len(w.replicas))]
	c := w.clients[w.rng.IntN(len(w.clients))]
	switch n := w.rng.IntN(100); {
	case n < 25:
		return w.read(c, r)
	case n < 30:
		return w.quorumRead(c, r, q)
	case n < 60 && len(w.writes) < maxWrites:
		return w.write(c, r)
	case n < 85 && len(w.net) > 0:
		return w.deliver()
	case n < 90:
		return w.exchange(r, q)
	case n < 92:
		r.obj.Expire(w.now)
		return w.check(r)
	case n < 94:
		// Dots and timestamps go on from the leases, and skip what is left of them.
		return w.incarnate(r, r.counter.Actor(), w.do.restart(r.counter))
	case n < 96:
		r.backup, r.saved, r.bound = r.obj.Clone(), r.known, r.counter.bound.Load()
	case n < 98 && disasters:
		return w.lose(r)
	default: // dots go to other keys
		for range w.rng.IntN(3) {
			if _, err := w.mint(r); err != nil {
				return err
			}
		}
	}
	return nil
}

// lose takes r back to its backup, or to nothing.
func (w *world) lose(r *replica) error {
	w.lossy = true
	bound := r.counter.bound.Load()
	r.obj, r.known, r.lease = Object{}, 0, 0
	if w.rng.IntN(2) == 0 {
		r.obj, r.known, bound = r.backup.Clone(), r.saved, r.bound
	} else if w.rng.IntN(2) == 0 {
		bound = 0
	}
	a := r.counter.Actor()
	if !w.do.sameActor {
		a, bound = w.actor(), 0
	}
	return w.incarnate(r, a, bound)
}

func (w *world) mint(r *replica) (Dot, error) {
	if l, due := r.counter.Renewal(); due {
		r.counter.Extend(l.Bound)
	}
	return r.counter.Mint()
}

func (w *world) read(c *client, r *replica) (err error) {
	c.seen = r.known
	c.token, err = w.ring.Append(c.token[:0], 3, []byte("key"), w.do.context(&r.obj))
	return err
}

func (w *world) quorumRead(c *client, r, q *replica) error {
	o := r.obj.Clone()
	if _, err := w.do.merge(&o, &q.obj, w.policy); err != nil {
		return err
	}
	c.seen = r.known | q.known
	if err := w.checkObject(&o, c.seen); err != nil {
		return fmt.Errorf("read of replicas %d and %d: %w", r.id, q.id, err)
	}
	var err error
	c.token, err = w.ring.Append(c.token[:0], 3, []byte("key"), w.do.context(&o))
	return err
}

func (w *world) write(c *client, r *replica) error {
	var ctx Context
	var past history
	switch w.rng.IntN(4) {
	case 0: // blind
	case 1: // over what the replica has, as SET does
		ctx, past = w.do.context(&r.obj), r.known
	default:
		if len(c.token) > 0 {
			if err := w.ring.Open(&ctx, 3, []byte("key"), c.token); err != nil {
				return err
			}
			past = c.seen
		}
	}
	if err := w.do.check(r.counter, ctx.Vector); err != nil {
		return err
	}
	wall := w.now + r.skew
	if bound, due := r.clock.Renewal(wall); due {
		r.lease = bound
		r.clock.Extend(bound)
	}
	var s Sibling
	var err error
	if s.HLC, err = w.do.after(r.clock, ctx.HLC, wall); err != nil {
		return err
	}
	if s.Dot, err = w.mint(r); err != nil {
		return err
	}
	switch w.rng.IntN(5) {
	case 0:
		s.Flags = Tombstone
	case 1:
		s.Expiry = w.now + w.rng.Int64N(500)
		fallthrough
	default:
		s.Value = fmt.Appendf(nil, "write %d", len(w.writes))
	}
	context := ctx.Vector
	if w.rng.IntN(2) == 0 {
		// Put may be given the object's own vector; the delta needs a copy of it.
		context = append(Vector(nil), context...)
	}
	d := &Delta{Sibling: s, Context: append(Vector(nil), ctx.Vector...)}
	unchanged := r.obj.Clone()
	out, err := w.do.put(&r.obj, Context{context, ctx.HLC}, s, w.policy)
	if err != nil {
		if errors.Is(err, ErrLimit) && r.obj.Equal(&unchanged) {
			return w.check(r)
		}
		return err
	}
	d.Prev = out.Prev
	before := r.known
	id := history(1) << len(w.writes)
	w.writes = append(w.writes, write{s.Dot, s.HLC, past})
	r.known |= past | id
	if err := w.check(r); err != nil {
		return err
	}
	for _, q := range w.replicas {
		if q == r || w.rng.IntN(4) == 0 {
			continue // lost
		}
		m := message{from: r.id, to: q.id, object: w.encode(r), known: r.known, news: past | id, before: before}
		if w.rng.IntN(2) == 0 {
			m.delta = d
		}
		w.net = append(w.net, m)
		if w.rng.IntN(8) == 0 {
			w.net = append(w.net, m)
		}
	}
	return nil
}

// encode returns r's object as it is sent. check has made sure that it can be.
func (w *world) encode(r *replica) []byte {
	b, err := r.obj.AppendTo(nil)
	if err != nil {
		panic(err)
	}
	return b
}

func (w *world) deliver() error {
	i := w.rng.IntN(len(w.net))
	m := w.net[i]
	w.net[i] = w.net[len(w.net)-1]
	w.net = w.net[:len(w.net)-1]
	r := w.replicas[m.to]
	var full Object
	if err := full.Decode(m.object); err != nil {
		return err
	}
	if m.delta == nil {
		if _, err := w.do.merge(&r.obj, &full, w.policy); err != nil {
			return err
		}
		r.known |= m.known
		return w.check(r)
	}
	merged := r.obj.Clone()
	if _, err := w.do.merge(&merged, &full, w.policy); err != nil {
		return err
	}
	before := r.known
	out, err := w.do.apply(&r.obj, m.delta, w.policy)
	if errors.Is(err, ErrNeedObject) {
		if before&m.before == m.before {
			return fmt.Errorf("a delta was refused by replica %d, which has all that the sender had", r.id)
		}
		if s := w.replicas[m.from]; !s.obj.Absent() {
			w.net = append(w.net, message{from: s.id, to: r.id, object: w.encode(s), known: s.known})
		}
		return w.check(r)
	}
	if err != nil {
		return err
	}
	r.known |= m.news
	if out.Changed != (before != r.known) {
		return fmt.Errorf("a delta to replica %d: changed is %v", r.id, out.Changed)
	}
	if err := w.check(r); err != nil {
		return fmt.Errorf("after a delta: %w", err)
	}
	return w.sameAsMerge(r, m, before, &merged, &full)
}

// sameAsMerge verifies that a delta leads where the whole object leads: at once if the
// receiver had all that the sender had, after the whole object otherwise. Collapsing
// at different moments may leave different siblings.
func (w *world) sameAsMerge(r *replica, m message, before history, merged, full *Object) error {
	if w.policy != nil && w.policy.OnLimit == Collapse {
		return nil
	}
	o := r.obj.Clone()
	if before&m.before != m.before {
		if _, err := w.do.merge(&o, full, w.policy); err != nil {
			return err
		}
	}
	// One of them may have heard that something has expired.
	o.Expire(math.MaxInt64)
	merged.Expire(math.MaxInt64)
	if !o.Equal(merged) {
		return fmt.Errorf("a delta leads to %v, the object to %v", show(&o), show(merged))
	}
	return nil
}

// exchange is anti-entropy between two replicas.
func (w *world) exchange(r, q *replica) error {
	if r.obj.Absent() || q.obj.Absent() {
		return nil
	}
	var x, y Object
	if err := errors.Join(x.Decode(w.encode(r)), y.Decode(w.encode(q))); err != nil {
		return err
	}
	news := q.known &^ r.known
	out, err := w.do.merge(&r.obj, &y, w.policy)
	if err != nil {
		return err
	}
	if news != 0 && !out.Changed {
		return fmt.Errorf("replica %d learned something, but says it has not changed", r.id)
	}
	if _, err := w.do.merge(&q.obj, &x, w.policy); err != nil {
		return err
	}
	r.known |= q.known
	q.known |= r.known
	return errors.Join(w.check(r), w.check(q))
}

// settle lets everybody talk to everybody, and expects agreement.
func (w *world) settle() error {
	first := w.replicas[0]
	for _, r := range w.replicas {
		if !r.obj.Absent() {
			first = r
		}
	}
	if first.obj.Absent() {
		return nil
	}
	for range 2 {
		for _, r := range w.replicas {
			if r == first {
				continue
			}
			if r.obj.Absent() {
				r.obj, r.known = first.obj.Clone(), first.known
			}
			if err := w.exchange(first, r); err != nil {
				return err
			}
		}
	}
	for _, r := range w.replicas {
		if !r.obj.Equal(&first.obj) {
			return fmt.Errorf("replicas %d and %d have exchanged everything and differ: %s, %s", r.id, first.id, show(&r.obj), show(&first.obj))
		}
		a, b := r.obj.AppendSummary(nil), first.obj.AppendSummary(nil)
		if !bytes.Equal(w.encode(r), w.encode(first)) || !bytes.Equal(a, b) {
			return errors.New("equal objects with different encodings")
		}
	}
	if all := history(1)<<len(w.writes) - 1; !w.lossy && first.known != all {
		return errors.New("a write reached nobody")
	}
	return nil
}

func (w *world) check(r *replica) error {
	if err := w.checkObject(&r.obj, r.known); err != nil {
		return fmt.Errorf("replica %d: %w", r.id, err)
	}
	if !r.obj.Absent() && len(w.states) < 64 {
		w.states = append(w.states, r.obj.Clone())
	}
	return nil
}

// checkObject holds an object against the set of writes that it has heard of.
func (w *world) checkObject(o *Object, known history) error {
	replaced := history(0)
	latest := -1
	for i, wr := range w.writes {
		if known&(1<<i) == 0 {
			continue
		}
		replaced |= wr.past
		if latest < 0 || later(wr, w.writes[latest]) {
			latest = i
		}
	}
	want := known &^ replaced
	var have history
	for i, wr := range w.writes {
		if in := known&(1<<i) != 0; o.Vector.Covers(wr.dot) != in {
			return fmt.Errorf("write %d, %v: known is %v, but the vector %v says otherwise", i, wr.dot, in, o.Vector)
		}
		for j := range o.Siblings {
			if o.Siblings[j].Dot == wr.dot {
				have |= 1 << i
			}
		}
	}
	if bits.OnesCount64(uint64(have)) != len(o.Siblings) {
		return fmt.Errorf("siblings that are not one write each: %s", show(o))
	}
	switch {
	case known == 0:
	case w.policy.lastWriterWins():
		if have != 1<<latest {
			return fmt.Errorf("writes %b are there, the latest is %d", have, latest)
		}
	case w.policy != nil && w.policy.OnLimit == Collapse:
		if have&^want != 0 || have&(1<<latest) == 0 {
			return fmt.Errorf("writes %b are there, of %b, and the latest is %d", have, want, latest)
		}
		if len(o.Siblings) > w.policy.MaxSiblings {
			return fmt.Errorf("%d siblings, beyond the limit", len(o.Siblings))
		}
	case have != want:
		return fmt.Errorf("writes %b are there, the oracle wants %b", have, want)
	}
	return w.checkEncoding(o)
}

// later is the order of last-writer-wins.
func later(a, b write) bool {
	if a.hlc != b.hlc {
		return a.hlc > b.hlc
	}
	return a.dot.Compare(b.dot) > 0
}

func (w *world) checkEncoding(o *Object) error {
	if o.Absent() {
		return nil
	}
	b, err := o.AppendTo(nil)
	if err != nil {
		return err
	}
	var again Object
	if err := again.Decode(b); err != nil {
		return err
	}
	if !again.Equal(o) {
		return errors.New("the encoding does not lead back")
	}
	return nil
}
