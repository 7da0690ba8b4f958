package paxos

import (
	"container/heap"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"testing"
	"time"
)

var (
	simSeeds = flag.Int("paxos.seeds", 0, "how many seeds TestSim runs, in place of its own number")
	simSeed  = flag.Int64("paxos.seed", -1, "the only seed that TestSim runs")
)

// event is something that will happen in the simulated world.
type event struct {
	at   time.Duration
	seq  int
	what func()
}

type events []event

func (q events) Len() int { return len(q) }
func (q events) Less(i, j int) bool {
	return q[i].at < q[j].at || q[i].at == q[j].at && q[i].seq < q[j].seq
}
func (q events) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q *events) Push(x any)   { *q = append(*q, x.(event)) }
func (q *events) Pop() any {
	old := *q
	x := old[len(old)-1]
	*q = old[:len(old)-1]
	return x
}

// knobs say how hostile a world is.
type knobs struct {
	voters     int // at the beginning
	clients    int
	ops        int // of each client
	loss, dup  float64
	maxDelay   time.Duration
	maxSave    time.Duration
	crashes    bool // of voters, who lose what was not durable
	restarts   bool // of proposers
	partitions bool
	moves      bool // of the voters, to any others
	disks      bool // are lost, and their voters replaced
}

func knobsOf(rng *rand.Rand) knobs {
	k := knobs{
		voters: []int{1, 3, 3, 5}[rng.IntN(4)], clients: 1 + rng.IntN(4), ops: 5 + rng.IntN(12),
		maxDelay: time.Duration(1+rng.IntN(40)) * time.Millisecond,
		maxSave:  time.Duration(rng.IntN(10)) * time.Millisecond,
		crashes:  rng.IntN(2) == 0, restarts: rng.IntN(3) == 0, partitions: rng.IntN(2) == 0,
	}
	if rng.IntN(3) == 0 {
		k.maxSave *= 20
	}
	if rng.IntN(2) == 0 {
		k.loss, k.dup = rng.Float64()*0.3, rng.Float64()*0.3
	}
	switch rng.IntN(3) {
	case 0:
		k.moves = true
	case 1:
		k.disks, k.voters = true, max(k.voters, 3)
	}
	return k
}

const machines = 5 // with a voter each; client i is peer machines+i

// machine has a disk and, while it is up, an acceptor.
type machine struct {
	id    ID
	acc   *Acceptor
	disk  []byte
	life  int // counts the starts
	saves time.Duration
}

// world runs acceptors, proposers and their clients in virtual time.
type world struct {
	knobs
	rng     *rand.Rand
	now     time.Duration
	seq     int
	queue   events
	trace   uint64
	vm      [machines]machine
	where   map[ID]int // also of IDs that are lost
	cut     [machines + 8]bool
	genesis Voters
	newest  Voters // of the highest version that was ever answered
	version uint64
	lost    bool // a disk was, and its voter is not replaced yet
	ids     uint64
	clients []*client
	calm    bool // nothing goes wrong any more
	history
}

func newWorld(k knobs, seed uint64) *world {
	w := &world{knobs: k, rng: rand.New(rand.NewPCG(seed, 7)), where: map[ID]int{}}
	var ids []ID
	for i := range w.vm {
		w.format(i)
		w.start(i)
		if i < k.voters {
			ids = append(ids, w.vm[i].id)
		}
	}
	w.genesis, _ = NewVoters(ids...)
	w.newest = w.genesis
	for i := range k.clients {
		c := &client{w: w, peer: machines + i, left: k.ops}
		w.clients = append(w.clients, c)
		c.restart()
		w.after(w.upTo(50*time.Millisecond), c.next)
	}
	w.after(w.upTo(100*time.Millisecond), w.nemesis)
	return w
}

func (w *world) newID() (id ID) {
	w.ids++
	binary.BigEndian.PutUint64(id[:], w.rng.Uint64())
	binary.BigEndian.PutUint64(id[8:], w.ids)
	return id
}

func (w *world) upTo(d time.Duration) time.Duration { return time.Duration(w.rng.Int64N(int64(d) + 1)) }

func (w *world) after(d time.Duration, what func()) {
	w.seq++
	heap.Push(&w.queue, event{w.now + d, w.seq, what})
}

// note makes the trace depend on what happened.
func (w *world) note(what byte, who int, b []byte) {
	h := fnv.New64a()
	var head [25]byte
	binary.BigEndian.PutUint64(head[:], w.trace)
	binary.BigEndian.PutUint64(head[8:], uint64(w.now))
	binary.BigEndian.PutUint64(head[16:], uint64(who))
	head[24] = what
	h.Write(head[:])
	h.Write(b)
	w.trace = h.Sum64()
}

func (w *world) run() {
	for w.queue.Len() > 0 && len(w.wrong) == 0 {
		e := heap.Pop(&w.queue).(event)
		w.now = e.at
		e.what()
	}
}

// format gives a machine an empty disk, and therefore a new ID.
func (w *world) format(i int) {
	w.vm[i].id, w.vm[i].disk = w.newID(), nil
	w.where[w.vm[i].id] = i
}

func (w *world) start(i int) {
	m := &w.vm[i]
	m.life++
	var err error
	if m.acc, err = NewAcceptor(m.id, m.disk); err != nil {
		w.fail("start of machine %d: %v", i, err)
	}
}

// crash loses what is not on disk, and perhaps the disk.
func (w *world) crash(i int, disk bool) {
	w.note('c', i, nil)
	w.vm[i].acc = nil
	w.vm[i].life++
	if disk {
		w.format(i)
	}
	w.after(w.upTo(300*time.Millisecond), func() { w.start(i) })
}

// send carries a message from one peer to another, perhaps.
func (w *world) send(from, to int, deliver func()) {
	copies := 1
	if !w.calm && w.rng.Float64() < w.dup {
		copies = 2
	}
	for range copies {
		if !w.calm && w.rng.Float64() < w.loss {
			continue
		}
		w.after(100*time.Microsecond+w.upTo(w.maxDelay), func() {
			if w.cut[from] == w.cut[to] {
				deliver()
			}
		})
	}
}

// voterGets handles a question that has arrived at machine i.
func (w *world) voterGets(i int, from int, text []byte) {
	w.note('q', i, text)
	m := &w.vm[i]
	if m.acc == nil {
		return
	}
	var q Ask
	if err := q.Decode(text); err != nil {
		w.fail("ask: %v", err)
		return
	}
	answers, save, err := m.acc.Receive(uint64(from), &q)
	if err != nil && !errors.Is(err, ErrVoter) {
		w.fail("receive: %v", err)
	}
	w.answer(i, answers)
	if !save {
		return
	}
	record, number := m.acc.Save(nil)
	m.saves = max(m.saves, w.now+w.upTo(w.maxSave)) // one after the other
	life := m.life
	w.after(m.saves-w.now, func() {
		if m.life == life {
			m.disk = record
			w.note('s', i, record)
			w.answer(i, m.acc.Saved(number))
		}
	})
}

func (w *world) answer(i int, answers []Addressed) {
	for k := range answers {
		text, err := answers[k].Answer.AppendTo(nil)
		if err != nil {
			w.fail("answer: %v", err)
			return
		}
		to := int(answers[k].Ticket)
		w.send(i, to, func() { w.clients[to-machines].gets(text) })
	}
}

// nemesis makes trouble now and then, until the clients are done.
func (w *world) nemesis() {
	busy := false
	for _, c := range w.clients {
		busy = busy || c.left > 0
	}
	if !busy {
		w.heal()
		return
	}
	w.after(w.upTo(400*time.Millisecond), w.nemesis)
	i := w.rng.IntN(machines)
	switch w.rng.IntN(5) {
	case 0, 1:
		all := w.rng.IntN(3) == 0 // the power of all machines fails at once
		for k := range w.vm {
			if w.crashes && (all || k == i) && w.vm[k].acc != nil {
				w.crash(k, false)
			}
		}
	case 2:
		for p := range w.cut {
			w.cut[p] = w.partitions && w.rng.IntN(3) == 0
		}
	case 3:
		w.cut = [len(w.cut)]bool{}
	case 4:
		if w.disks && !w.lost && w.vm[i].acc != nil && len(w.newest.Next) == 0 {
			w.lost = true
			w.crash(i, true)
		}
	}
}

func (w *world) heal() {
	w.calm, w.cut = true, [len(w.cut)]bool{}
	w.after(time.Second, func() {
		c := w.clients[0]
		c.last, c.retry = true, nil
		c.restart()
		c.next()
	})
}

// wanted are the voters that somebody could ask for now.
func (w *world) wanted() []ID {
	which := w.rng.Perm(machines)[:[]int{1, 3, 5}[w.rng.IntN(3)]]
	if w.lost { // the machines stay the same, one has another ID
		which = []int{0, 1, 2, 3, 4}[:w.voters]
	}
	var ids []ID
	for _, i := range which {
		ids = append(ids, w.vm[i].id)
	}
	return ids
}

// client carries out operations by a proposer of its own.
type client struct {
	w     *world
	peer  int
	p     *Proposer
	left  int
	last  bool // the next operation is the one that must succeed in the end
	call  *call
	retry *call // to be tried again, if not nil
	since uint64
	op    int // counts the operations and restarts
}

// restart makes a new proposer, as a new process would.
func (c *client) restart() {
	voters := c.w.newest
	if !c.w.disks && c.w.rng.IntN(2) == 0 {
		voters = c.w.genesis
	}
	var err error
	if c.p, err = NewProposer(c.w.newID(), voters, 0, c.w.rng.Uint64()); err != nil {
		c.w.fail("proposer: %v", err)
	}
	if c.call != nil {
		c.w.end(c.call, Outcome{Result: Unknown})
	}
	c.call = nil
	c.op++
}

// next begins an operation.
func (c *client) next() {
	w := c.w
	if c.left == 0 && !c.last || c.call != nil {
		return
	}
	c.left--
	c.op++
	op := c.op
	var e Effects
	var err error
	kind := w.rng.IntN(100)
	switch {
	case c.last || c.retry == nil && kind < 55, c.retry != nil && c.left >= 0:
		change := Change{ID: w.newID()}
		if k := c.retry; k != nil {
			change = Change{ID: k.id, Retry: true, Since: c.since}
			c.call = w.begin(callAppend, k)
		} else {
			c.call = w.begin(callAppend, nil)
			c.call.id = change.ID
		}
		c.retry = nil
		change.Apply = c.call.apply(!c.last && kind%4 == 0)
		e, err = c.p.Change(change)
	case w.moves && kind < 65, w.lost && c.peer == machines: // one client replaces voters, or they would fight
		c.call = w.begin(callMove, nil)
		e, err = c.p.SetVoters(w.wanted()...)
	default:
		c.call = w.begin(callRead, nil)
		e, err = c.p.Read()
	}
	if err != nil {
		w.fail("begin: %v", err)
		return
	}
	patience := 10 * time.Millisecond << w.rng.IntN(9)
	if c.last {
		patience = time.Minute
	}
	w.after(patience, func() {
		if c.op == op && c.call != nil {
			if w.restarts && !c.last && w.rng.IntN(3) == 0 {
				c.restart()
				w.after(w.upTo(200*time.Millisecond), c.next)
				return
			}
			c.do(c.p.Abort())
		}
	})
	c.do(e)
}

func (c *client) gets(text []byte) {
	c.w.note('a', c.peer, text)
	var a Answer
	if err := a.Decode(text); err != nil {
		c.w.fail("answer: %v", err)
		return
	}
	e, err := c.p.Receive(&a)
	if err != nil {
		c.w.fail("receive: %v", err)
	}
	c.do(e)
}

func (c *client) do(e Effects) {
	w := c.w
	for i := range e.Send {
		text, err := e.Send[i].AppendTo(nil)
		if err != nil {
			w.fail("ask: %v", err)
			return
		}
		to := w.where[e.Send[i].To]
		w.send(c.peer, to, func() { w.voterGets(to, c.peer, text) })
	}
	if e.Timer != 0 {
		p := c.p
		w.after(e.After, func() {
			if c.p == p {
				c.do(p.Wake(e.Timer))
			}
		})
	}
	if e.Outcome != nil {
		c.done(*e.Outcome)
	}
}

func (c *client) done(o Outcome) {
	w, k := c.w, c.call
	c.call = nil
	w.note('d', c.peer, fmt.Appendf(nil, "%v %v", o.Result, o.Err))
	w.end(k, o)
	if o.Result == Done && o.State.Version >= w.version {
		w.newest, w.version = o.State.Voters, o.State.Version
	}
	if o.Result == Done && k.kind == callMove {
		w.lost = false
		for _, id := range o.State.Voters.Now { // a move begun before the loss ends nothing
			w.lost = w.lost || w.vm[w.where[id]].id != id
		}
	}
	if o.Result == Unknown && k.kind == callAppend && w.rng.IntN(3) > 0 {
		c.retry, c.since = k, o.Since
		if !k.tried {
			c.left++ // it costs nothing the first time
		}
	}
	switch {
	case c.last && o.Result == Done:
		w.final = &o.State
		w.check()
	case c.last:
		w.fail("after healing: %v %v", o.Result, o.Err)
	default:
		w.after(w.upTo(60*time.Millisecond), c.next)
	}
}

func simulate(seed uint64) *world {
	w := newWorld(knobsOf(rand.New(rand.NewPCG(seed, 1))), seed)
	w.run()
	if len(w.wrong) == 0 && w.final == nil {
		w.fail("it never came to an end")
	}
	return w
}

// TestSim runs the register in hostile worlds, each of them twice.
func TestSim(t *testing.T) {
	first, n := uint64(0), 1000
	if testing.Short() {
		n = 100
	}
	if *simSeeds > 0 {
		n = *simSeeds
	}
	if *simSeed >= 0 {
		first, n = uint64(*simSeed), 1
	}
	var sum history
	events := 0
	for seed := first; seed < first+uint64(n); seed++ {
		w := simulate(seed)
		for _, wrong := range w.wrong {
			t.Errorf("seed %d (%+v): %s", seed, w.knobs, wrong)
		}
		if again := simulate(seed); again.trace != w.trace {
			t.Errorf("seed %d: not the same twice", seed)
		}
		if t.Failed() {
			t.FailNow()
		}
		events += w.seq
		sum.add(&w.history)
	}
	t.Logf("%d seeds, %d events; %v", n, events, sum.count)
	if n < 100 {
		return
	}
	for _, what := range []string{"append done", "append again", "append failed", "append unknown", "append rejected", "read done", "move done"} {
		if sum.count[what] == 0 {
			t.Errorf("no %s in %d seeds: %v", what, n, sum.count)
		}
	}
}
