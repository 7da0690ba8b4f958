package paxos

import "fmt"

// Acceptor is a voter's part of one register. It is stepped by Receive, Save and Saved,
// from one goroutine. It may be dropped when it is Idle, and made again from its last
// durable record.
//
// No answer leaves it before what the answer tells is durable: Receive keeps them, and
// Saved gives them out.
type Acceptor struct {
	id       ID
	promised Ballot // never below accepted
	accepted Ballot
	state    *State // nil if nothing was accepted

	changed uint64 // counts the changes of the three above
	saved   uint64 // as many of them are durable
	waiting []waiting
	out     []Addressed
}

// waiting is an answer that may go once so many changes are durable.
type waiting struct {
	needs uint64
	Addressed
}

// Addressed is an answer, with the ticket that came with its question.
type Addressed struct {
	Ticket uint64
	Answer Answer
}

// NewAcceptor returns the voter id's part of a register by its durable record, or nil if
// there never was one. A record that may have been lost is not the same as none: then
// the voter must not be called id any more. The error is ErrInvalid or ErrFormat. The
// record is kept: its owner must not change it.
func NewAcceptor(id ID, record []byte) (*Acceptor, error) {
	if id == (ID{}) {
		return nil, fmt.Errorf("%w: a voter without an ID", ErrInvalid)
	}
	a := &Acceptor{id: id}
	if record == nil {
		return a, nil
	}
	if err := a.decode(record); err != nil {
		return nil, err
	}
	return a, nil
}

// Receive takes in a question. The ticket is the caller's: it comes back with the answer.
// It returns answers that may be sent at once; when save is true then others wait until
// the record is durable: see Save. A question that is invalid (ErrInvalid) or for
// another voter (ErrVoter) is not answered. The answers are valid until the next call.
func (a *Acceptor) Receive(ticket uint64, q *Ask) (answers []Addressed, save bool, err error) {
	if err := q.validate(); err != nil {
		return nil, false, err
	}
	if q.To != a.id {
		return nil, false, fmt.Errorf("%w: it is for %v, this is %v", ErrVoter, q.To, a.id)
	}
	r := Answer{Kind: q.Kind, From: a.id, Ballot: q.Ballot, OK: true}
	switch q.Kind {
	case Prepare:
		if r.OK = a.promised.Compare(q.Ballot) < 0; r.OK {
			a.promised = q.Ballot
			a.changed++
		}
	case Accept:
		if q.Ballot == a.accepted { // and so is its state: this is a duplicate
			break
		}
		if r.OK = a.promised.Compare(q.Ballot) <= 0; r.OK {
			a.promised, a.accepted, a.state = q.Next, q.Ballot, q.State
			a.changed++
		}
	}
	r.Promised = a.promised
	if r.OK && q.Kind != Accept {
		r.Accepted, r.State = a.accepted, a.state
	}
	// Also an answer that changed nothing waits: it may tell of a change before it.
	a.waiting = append(a.waiting, waiting{a.changed, Addressed{ticket, r}})
	return a.release(), a.saved < a.changed, nil
}

// Save appends the record to dst, and returns it with its number: when it is durable, in
// place of those before it, the caller calls Saved with that number. One record covers
// all questions before it, so several may share one. Records become durable in the order
// of their numbers. If a record cannot be made durable then nobody knows which one is
// there: the Acceptor must be dropped, and not be made again from what was read before.
func (a *Acceptor) Save(dst []byte) (record []byte, number uint64) {
	return a.appendRecord(dst), a.changed
}

// Saved says that the record with that number is durable. It returns the answers that
// have waited for it, valid until the next call.
func (a *Acceptor) Saved(number uint64) []Addressed {
	a.saved = max(a.saved, min(number, a.changed))
	return a.release()
}

// Idle says that no answer waits.
func (a *Acceptor) Idle() bool { return len(a.waiting) == 0 }

func (a *Acceptor) release() []Addressed {
	a.out = a.out[:0]
	n := 0
	for n < len(a.waiting) && a.waiting[n].needs <= a.saved {
		a.out = append(a.out, a.waiting[n].Addressed)
		n++
	}
	a.waiting = append(a.waiting[:0], a.waiting[n:]...)
	return a.out
}
