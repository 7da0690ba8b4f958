package paxos

import (
	"errors"
	"fmt"
	"math"
	"math/bits"
	"slices"
	"time"
)

const (
	firstTimeout = 100 * time.Millisecond // of a round; doubles with each attempt
	maxTimeout   = 2 * time.Second
	firstBackoff = 4 * time.Millisecond // after a conflict; doubles with each attempt
	maxBackoff   = time.Second
)

// Change is a change of the value that somebody asked for.
type Change struct {
	// ID is that of the request, drawn by whoever wants it to happen once. A retry has the
	// ID of the first attempt.
	ID ID
	// Retry says that the request may have been tried before. Then Since is a version of
	// the register that was read, or was told in an Outcome, before the first attempt
	// could have been applied; 0 if none is known.
	Retry bool
	Since uint64
	// Apply returns the value to put in place of old, nil for none. An error says that
	// the value does not allow the change: nothing is changed then. It may be called
	// several times, on different values, of which one at most is the one that counts;
	// so it must have no effect of its own. It must not change old, nor the result later.
	Apply func(old []byte) ([]byte, error)
}

// Result is how sure an Outcome is.
type Result uint8

const (
	Done    Result = 1 + iota // it happened
	Failed                    // it has not happened by this operation, and never will
	Unknown                   // it may have happened, or happen later
)

// String is one word.
func (r Result) String() string {
	switch r {
	case Done:
		return "done"
	case Failed:
		return "failed"
	}
	return "unknown"
}

// Outcome is how an operation ended.
type Outcome struct {
	Result Result
	// Err is nil if Done, and otherwise says why not: ErrRejected with the error of Apply,
	// ErrNoMajority, ErrForgotten, ErrMoving, ErrLost, ErrRounds, ErrInvalid.
	Err error
	// State is what the register held at some moment during the operation, at or after the
	// change. It is set if Done, and if Failed with ErrRejected: the state that the change
	// rejected. Not to be changed.
	State State
	// Version, of a change that is Done, is the one that it made. Again says that it was
	// there before this operation proposed it: an earlier one had made it.
	Version uint64
	Again   bool
	// Since, if Unknown, is what a retry of the Change needs as its Since.
	Since uint64
}

// Effects are what the caller must do after a step.
type Effects struct {
	// Send are the questions to send, each to its voter. The slice is valid until the
	// next step, the states for ever. Any of them may be lost, late or twice.
	Send []Ask
	// Timer is not 0 if the caller must call Wake with it after After. It replaces the
	// timer before it.
	Timer uint64
	After time.Duration
	// Outcome is not nil when the operation has ended. The timer is then void.
	Outcome *Outcome
}

type phase uint8

const (
	idle phase = iota
	querying
	preparing
	accepting
	sleeping // until the end of a backoff
)

type opKind uint8

const (
	reading opKind = 1 + iota
	changing
	moving
)

// operation is what the proposer is about.
type operation struct {
	kind     opKind
	change   Change
	target   []ID   // moving: the new voters
	full     bool   // reading: the voters did not agree, so write
	proposed bool   // the change was in a proposal that may yet be chosen
	since    uint64 // if the change was proposed or is a retry: it made no version up to this one
	rejected error  // of the proposal under way, which keeps the value: why
}

// Proposer is a client's part of one register: it carries out one operation at a time.
// It is stepped by the operations, Receive, Wake and Abort, from one goroutine, and
// every step returns Effects.
//
// It may be dropped between operations. Another proposer of the same ID on the same
// register must be made with After at least its Round.
type Proposer struct {
	id      ID
	round   uint64 // the highest that was used or seen
	genesis Voters // before the register was written, or as far as the caller knew
	rng     uint64

	// The proposal of the highest ballot that any voter was seen to have accepted.
	seen  Ballot
	state *State
	// fast, unless zero: seen was chosen by this proposer, and a majority has promised
	// fast when it accepted seen, so that phase 1 is over for fast.
	fast Ballot

	op       operation
	attempts int
	timer    uint64

	// The round under way.
	phase    phase
	ballot   Ballot
	voters   Voters  // who decides
	list     []ID    // all who were asked, each once
	sets     [3]mask // of list: Now, Next, and the new voters that a move wants to hear
	got      mask    // who answered yes
	refused  mask
	same     mask   // who has accepted seen
	proposal *State // accepting
	after    Ballot // accepting: the ballot that comes next

	out []Ask
}

// mask is a set of voters, by their index in the list.
type mask uint32

// NewProposer returns a proposer called id. voters are those with which the register
// began, or newer ones that were read from it: not ones that are only planned. Its
// ballots are above the round after; 0 if the id is new. seed is for the jitter of the
// backoff. The error is ErrInvalid.
func NewProposer(id ID, voters Voters, after, seed uint64) (*Proposer, error) {
	if id == (ID{}) {
		return nil, fmt.Errorf("%w: a proposer without an ID", ErrInvalid)
	}
	if err := voters.validate(); err != nil {
		return nil, err
	}
	return &Proposer{id: id, genesis: voters, round: after, rng: seed}, nil
}

// Round is the highest round that was used or seen.
func (p *Proposer) Round() uint64 { return p.round }

// Voters are the newest that the proposer has seen; they need not be chosen yet.
func (p *Proposer) Voters() Voters { return *p.current() }

func (p *Proposer) current() *Voters {
	if p.state != nil {
		return &p.state.Voters
	}
	return &p.genesis
}

// Read begins a linearizable read. The error is ErrBusy.
func (p *Proposer) Read() (Effects, error) { return p.begin(operation{kind: reading}) }

// Change begins a change of the value. The error is ErrBusy or ErrInvalid.
func (p *Proposer) Change(c Change) (Effects, error) {
	if c.ID == (ID{}) || c.Apply == nil || !c.Retry && c.Since != 0 {
		return Effects{}, fmt.Errorf("%w: a change needs an ID and an Apply, and Since goes with Retry", ErrInvalid)
	}
	return p.begin(operation{kind: changing, change: c, since: c.Since})
}

// SetVoters begins to replace the voters by ids. It is done when the new ones decide
// alone; asking for it again finishes what was left in between. It takes a majority of
// the old and of the new voters. The error is ErrBusy or ErrInvalid.
func (p *Proposer) SetVoters(ids ...ID) (Effects, error) {
	v, err := NewVoters(ids...)
	if err != nil {
		return Effects{}, err
	}
	return p.begin(operation{kind: moving, target: v.Now})
}

func (p *Proposer) begin(op operation) (e Effects, err error) {
	if p.phase != idle {
		return e, ErrBusy
	}
	p.op, p.attempts = op, 0
	p.attempt(&e)
	return e, nil
}

// Receive takes in an answer. Those to earlier rounds, or from nobody who was asked,
// change nothing. The error is ErrInvalid.
func (p *Proposer) Receive(a *Answer) (e Effects, err error) {
	if err := a.validate(); err != nil {
		return e, err
	}
	kind := Kind(p.phase) // they have the same order
	i := slices.Index(p.list, a.From)
	if p.phase == idle || a.Kind != kind || a.Ballot != p.ballot || i < 0 {
		return e, nil
	}
	p.round = max(p.round, a.Promised.Round)
	if !a.OK {
		// A prepare that arrives twice is refused the second time, by its own promise.
		if a.Promised != p.ballot {
			p.refused |= 1 << i &^ p.got
		}
		if p.blocked() {
			p.backoff(&e)
		}
		return e, nil
	}
	p.got |= 1 << i
	p.refused &^= p.got
	if p.phase == accepting {
		if majority(p.got, p.sets[:]) {
			p.chosen(&e)
		}
		return e, nil
	}
	p.learn(a)
	if a.Accepted == p.seen {
		p.same |= 1 << i
	}
	switch {
	case !p.current().equal(&p.voters): // go on with those who decide about what was seen
		p.attempt(&e)
	case majority(p.got, p.sets[:]):
		p.phaseOver(&e)
	}
	return e, nil
}

// learn keeps the highest proposal that a voter has accepted.
func (p *Proposer) learn(a *Answer) {
	if a.Accepted.Compare(p.seen) > 0 {
		p.seen, p.state, p.fast, p.same = a.Accepted, a.State, Ballot{}, 0
	}
}

// phaseOver goes on after the questions of a query or a prepare were answered.
func (p *Proposer) phaseOver(e *Effects) {
	agreed := majority(p.same, p.sets[:2])
	switch {
	case p.state == nil && p.genesis.Epoch > 0:
		p.finish(e, Failed, ErrLost)
	case p.phase == preparing:
		p.decide(e, agreed, agreed)
	case agreed:
		p.finish(e, Done, nil)
	default:
		p.op.full = true
		p.attempt(e)
	}
}

// Wake says that the time of a timer is over. A timer that was replaced changes nothing.
func (p *Proposer) Wake(timer uint64) (e Effects) {
	if p.phase != idle && timer == p.timer {
		p.attempts++
		p.attempt(&e)
	}
	return e
}

// Abort ends the operation, if there is one: its deadline is over, or nobody waits.
func (p *Proposer) Abort() (e Effects) {
	if p.phase != idle {
		p.finish(&e, Failed, fmt.Errorf("%w: %d of %d answered in the last of %d attempts, %d refused",
			ErrNoMajority, bits.OnesCount32(uint32(p.got)), len(p.list), p.attempts+1, bits.OnesCount32(uint32(p.refused))))
	}
	return e
}

// attempt begins a round: the first of the operation, or after another came to nothing.
func (p *Proposer) attempt(e *Effects) {
	p.op.rejected = nil
	v := p.current()
	if !p.fast.IsZero() && p.op.kind != reading && (p.op.kind == changing || len(v.Next) > 0) {
		p.ballot = p.fast
		p.decide(e, true, false)
		return
	}
	b, ok := p.nextBallot()
	switch {
	case !ok:
		p.finish(e, Failed, ErrRounds)
	case p.op.kind == reading && !p.op.full:
		p.ask(e, querying, b, v)
	default:
		p.ask(e, preparing, b, v)
	}
}

// nextBallot is above all that were used or seen.
func (p *Proposer) nextBallot() (Ballot, bool) {
	if p.round == math.MaxUint64 {
		return Ballot{}, false
	}
	p.round++
	return Ballot{p.round, p.id}, true
}

// base is what the operation finds.
func (p *Proposer) base() *State {
	if p.state != nil {
		return p.state
	}
	return &State{Voters: p.genesis}
}

// decide goes on after phase 1. The base is known to be chosen, or not. It is fresh if it
// was the newest chosen one at a moment of this operation, which is more: an operation
// may end with what it says. A base that is not fresh is proposed again.
func (p *Proposer) decide(e *Effects, chosen, fresh bool) {
	switch p.op.kind {
	case changing:
		p.decideChange(e, fresh)
	case moving:
		p.decideMove(e, chosen, fresh)
	default:
		p.keep(e, fresh)
	}
}

// keep ends the operation with the base, or proposes it as it is.
func (p *Proposer) keep(e *Effects, fresh bool) {
	if fresh {
		p.finish(e, Done, nil)
		return
	}
	p.propose(e, p.base())
}

func (p *Proposer) decideChange(e *Effects, fresh bool) {
	base, op := p.base(), &p.op
	if base.applied(op.change.ID) > 0 {
		p.keep(e, fresh)
		return
	}
	tried := op.change.Retry || op.proposed
	if tried && base.Forgotten > op.since {
		p.finish(e, Failed, ErrForgotten)
		return
	}
	value, err := op.change.Apply(base.Value)
	if err == nil && len(value) > MaxValue {
		err = fmt.Errorf("%w: a value of %d bytes, %d at most", ErrInvalid, len(value), MaxValue)
	}
	switch {
	case err == nil:
		// The base need not be chosen, so a later one can have a lower version.
		if !tried || base.Version < op.since {
			op.since = base.Version
		}
		op.proposed = true
		p.propose(e, base.with(op.change.ID, value))
	case fresh && !tried:
		p.finish(e, Failed, fmt.Errorf("%w: %w", ErrRejected, err))
	default: // keeping the value ends what was proposed before, unless it is in the base
		op.rejected = fmt.Errorf("%w: %w", ErrRejected, err)
		p.propose(e, base)
	}
}

func (p *Proposer) decideMove(e *Effects, chosen, fresh bool) {
	base := p.base()
	v, to := &base.Voters, p.op.target
	switch {
	case len(v.Next) == 0 && slices.Equal(v.Now, to):
		p.keep(e, fresh)
	case len(v.Next) > 0 && !slices.Equal(v.Next, to):
		p.finish(e, Failed, fmt.Errorf("%w: to %v", ErrMoving, v.Next))
	case !chosen: // see the package's rule on moves: first make sure of what there is
		p.propose(e, base)
	case len(v.Next) == 0:
		p.op.proposed = true
		p.propose(e, base.moved(v.Now, to))
	default:
		p.op.proposed = true
		p.propose(e, base.moved(to, nil))
	}
}

// propose begins phase 2 of the ballot for which phase 1 is over.
func (p *Proposer) propose(e *Effects, s *State) {
	after, ok := p.nextBallot()
	if !ok {
		p.finish(e, Failed, ErrRounds)
		return
	}
	p.proposal, p.after, p.fast = s, after, Ballot{}
	p.ask(e, accepting, p.ballot, &s.Voters)
}

// chosen goes on after a majority has accepted the proposal.
func (p *Proposer) chosen(e *Effects) {
	// With its acceptance each of them has promised after, at once: phase 1 is over for it.
	p.seen, p.state, p.fast = p.ballot, p.proposal, p.after
	v := &p.state.Voters
	switch {
	case p.op.rejected != nil:
		p.op.proposed, p.op.change.Retry = false, false // none of them can be chosen now
		p.finish(e, Failed, p.op.rejected)
	case p.op.kind == moving && !(len(v.Next) == 0 && slices.Equal(v.Now, p.op.target)):
		p.attempt(e)
	default:
		p.finish(e, Done, nil)
	}
}

// ask begins a phase with all the voters.
func (p *Proposer) ask(e *Effects, ph phase, b Ballot, v *Voters) {
	sets := [3][]ID{v.Now, v.Next}
	if p.op.kind == moving && ph == preparing && len(v.Next) == 0 {
		sets[2] = p.op.target // so that it is not left to voters who are not there
	}
	p.phase, p.ballot, p.voters = ph, b, *v
	p.got, p.refused, p.same, p.sets = 0, 0, 0, [3]mask{}
	p.list, p.out = p.list[:0], p.out[:0]
	q := Ask{Kind: Kind(ph), Ballot: b}
	if ph == accepting {
		q.Next, q.State = p.after, p.proposal
	}
	for i, set := range sets {
		for _, id := range set {
			n := slices.Index(p.list, id)
			if n < 0 {
				n = len(p.list)
				p.list = append(p.list, id)
				q.To = id
				p.out = append(p.out, q)
			}
			p.sets[i] |= 1 << n
		}
	}
	e.Send = p.out
	p.setTimer(e, doubled(firstTimeout, maxTimeout, p.attempts))
}

// majority says that m has a majority of each set.
func majority(m mask, sets []mask) bool {
	for _, s := range sets {
		if s != 0 && 2*bits.OnesCount32(uint32(m&s)) <= bits.OnesCount32(uint32(s)) {
			return false
		}
	}
	return true
}

// blocked says that those who have not refused are no majority of some set.
func (p *Proposer) blocked() bool { return !majority(^p.refused, p.sets[:]) }

// backoff waits for a random time before the next attempt, as others are at work.
func (p *Proposer) backoff(e *Effects) {
	p.phase, p.fast = sleeping, Ballot{}
	d := doubled(firstBackoff, maxBackoff, p.attempts)
	p.setTimer(e, d/2+time.Duration(p.random()%uint64(d/2)))
}

func (p *Proposer) setTimer(e *Effects, d time.Duration) {
	p.timer++
	e.Timer, e.After = p.timer, d
}

func doubled(first, most time.Duration, times int) time.Duration {
	return min(first<<min(times, 16), most)
}

// random is SplitMix64.
func (p *Proposer) random() uint64 {
	p.rng += 0x9e3779b97f4a7c15
	z := p.rng
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// finish ends the operation.
func (p *Proposer) finish(e *Effects, r Result, err error) {
	o := &Outcome{Result: r, Err: err}
	if r == Failed && (p.op.proposed || p.op.change.Retry) {
		o.Result, o.Since = Unknown, p.op.since
	}
	if r == Done || errors.Is(err, ErrRejected) {
		o.State = *p.base()
	}
	if r == Done && p.op.kind == changing {
		o.Version, o.Again = o.State.applied(p.op.change.ID), !p.op.proposed
	}
	p.phase, p.op, p.proposal = idle, operation{}, nil
	*e = Effects{Outcome: o}
}
