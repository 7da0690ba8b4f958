package paxos

import "fmt"

// Kind is what a proposer asks of a voter.
type Kind uint8

const (
	Query   Kind = 1 + iota // what have you accepted?
	Prepare                 // promise to accept nothing below this ballot; what have you accepted?
	Accept                  // accept this state
)

// Ask goes from a proposer to one voter.
type Ask struct {
	Kind   Kind
	To     ID     // the voter
	Ballot Ballot // of the round; for a Query it only tells one round from another
	Next   Ballot // Accept: promise this too, having accepted; above Ballot
	State  *State // Accept: not to be changed
}

func (a *Ask) validate() error {
	ok := a.To != ID{} && a.Ballot.Round > 0 && a.Ballot.valid()
	switch a.Kind {
	case Query, Prepare:
		ok = ok && a.Next.IsZero() && a.State == nil
	case Accept:
		ok = ok && a.Next.valid() && a.Ballot.Compare(a.Next) < 0 && a.State != nil
	default:
		ok = false
	}
	if !ok {
		return fmt.Errorf("%w: kind %d, ballots %v and %v, state %t", ErrInvalid, a.Kind, a.Ballot, a.Next, a.State != nil)
	}
	if a.State != nil {
		return a.State.validate()
	}
	return nil
}

// Answer goes back from the voter.
type Answer struct {
	Kind     Kind
	From     ID     // the voter
	Ballot   Ballot // of the Ask
	OK       bool   // it was done; otherwise there is a promise in the way
	Promised Ballot // by this voter, now
	Accepted Ballot // Query and Prepare, if OK: zero if nothing was accepted yet
	State    *State // what was accepted; not to be changed
}

func (a *Answer) validate() error {
	ok := a.From != ID{} && a.Ballot.Round > 0 && a.Ballot.valid() && a.Promised.valid() && a.Accepted.valid()
	ok = ok && a.Accepted.IsZero() == (a.State == nil) && a.Accepted.Compare(a.Promised) <= 0
	switch a.Kind {
	case Query:
		ok = ok && a.OK
	case Prepare:
		ok = ok && a.Ballot.Compare(a.Promised) <= 0 && (a.OK && a.Accepted.Compare(a.Ballot) < 0 || !a.OK && a.State == nil)
	case Accept:
		ok = ok && a.Ballot.Compare(a.Promised) < 0 && a.State == nil
	default:
		ok = false
	}
	if !ok {
		return fmt.Errorf("%w: kind %d, ballot %v, ok %t, promised %v, accepted %v, state %t",
			ErrInvalid, a.Kind, a.Ballot, a.OK, a.Promised, a.Accepted, a.State != nil)
	}
	if a.State != nil {
		return a.State.validate()
	}
	return nil
}
