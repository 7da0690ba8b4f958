package paxos

import (
	"errors"
	"fmt"
	"slices"
)

const (
	// MaxVoters is the most voters in one set.
	MaxVoters = 7
	// MaxValue is the most bytes in a value.
	MaxValue = 16 << 20
	// Remembered is how many of the requests that were applied last a register knows.
	Remembered = 8
)

var (
	// ErrInvalid says that an argument or a message breaks a rule of its type.
	ErrInvalid = errors.New("paxos: invalid")
	// ErrFormat says that bytes are not an encoding that this package writes.
	ErrFormat = errors.New("paxos: malformed encoding")
	// ErrBusy says that the proposer has an operation under way.
	ErrBusy = errors.New("paxos: an operation is under way")
	// ErrVoter says that a message is for another voter: its sender believes in a data
	// directory that is not there any more, or was routed wrongly.
	ErrVoter = errors.New("paxos: the message is for another voter")
	// ErrRejected says that the change itself refused the value it was given.
	ErrRejected = errors.New("paxos: the change was rejected")
	// ErrNoMajority says that an operation was ended before a majority had agreed.
	ErrNoMajority = errors.New("paxos: no majority of the voters agreed in time")
	// ErrForgotten says that a retried change may have been applied so long ago that
	// the register does not remember it. Only a reader of the value can tell.
	ErrForgotten = errors.New("paxos: the register no longer remembers whether the request was applied")
	// ErrMoving says that the voters are being changed to other ones than were asked
	// for. That must be finished first, by a SetVoters to them.
	ErrMoving = errors.New("paxos: another change of the voters is under way")
	// ErrLost says that a majority of the voters know nothing of a register that was
	// written before: they have lost it.
	ErrLost = errors.New("paxos: the voters have lost the register")
	// ErrRounds says that the ballots have run out, which only a broken peer can cause.
	ErrRounds = errors.New("paxos: no ballot is left above those in use")
)

// Voters says who decides: a majority of Now and, while Next is not empty, also a
// majority of Next. Voters are not changed once they are in use; slices may be shared.
type Voters struct {
	Epoch uint64 // 0 for those with which the register begins; each change adds 1
	Now   []ID   // ascending, 1 to MaxVoters
	Next  []ID   // ascending, up to MaxVoters; empty unless a change is under way
}

// NewVoters returns those with which a register begins. It sorts a copy of ids. The
// error is ErrInvalid.
func NewVoters(ids ...ID) (Voters, error) {
	v := Voters{Now: slices.SortedFunc(slices.Values(ids), ID.Compare)}
	return v, v.validate()
}

func (v *Voters) validate() error {
	if len(v.Now) == 0 {
		return fmt.Errorf("%w: no voters", ErrInvalid)
	}
	for _, set := range [][]ID{v.Now, v.Next} {
		if len(set) > MaxVoters {
			return fmt.Errorf("%w: %d voters, %d at most", ErrInvalid, len(set), MaxVoters)
		}
		for i := range set {
			if set[i] == (ID{}) || i > 0 && set[i-1].Compare(set[i]) >= 0 {
				return fmt.Errorf("%w: voters are not ascending, twice the same or zero", ErrInvalid)
			}
		}
	}
	if slices.Equal(v.Now, v.Next) {
		return fmt.Errorf("%w: the voters change to themselves", ErrInvalid)
	}
	return nil
}

func (v *Voters) equal(x *Voters) bool {
	return v.Epoch == x.Epoch && slices.Equal(v.Now, x.Now) && slices.Equal(v.Next, x.Next)
}

// Applied is a request that the register remembers.
type Applied struct {
	ID      ID
	Version uint64 // of the state that it made
}

// State is what a register holds. It is never changed once it is in a message or a
// register: its slices are shared.
type State struct {
	Version   uint64 // how many changes of the value or the voters have led to it
	Voters    Voters
	Value     []byte    // nil if there is none: never written, or deleted
	Recent    []Applied // ascending by version, Remembered at most
	Forgotten uint64    // the version of the last request that fell out of Recent, or 0
}

func (s *State) validate() error {
	if err := s.Voters.validate(); err != nil {
		return err
	}
	if len(s.Value) > MaxValue {
		return fmt.Errorf("%w: a value of %d bytes, %d at most", ErrInvalid, len(s.Value), MaxValue)
	}
	if len(s.Recent) > Remembered {
		return fmt.Errorf("%w: %d requests remembered, %d at most", ErrInvalid, len(s.Recent), Remembered)
	}
	last := s.Forgotten
	for i := range s.Recent {
		if r := &s.Recent[i]; r.ID == (ID{}) || r.Version <= last {
			return fmt.Errorf("%w: remembered requests are not ascending, or without an ID", ErrInvalid)
		}
		last = s.Recent[i].Version
	}
	if last > s.Version {
		return fmt.Errorf("%w: version %d remembers a request of version %d", ErrInvalid, s.Version, last)
	}
	return nil
}

// applied returns the version that the request made, or 0 if s does not remember it.
func (s *State) applied(id ID) uint64 {
	for i := range s.Recent {
		if s.Recent[i].ID == id {
			return s.Recent[i].Version
		}
	}
	return 0
}

// with returns the state after s in which the request has put value.
func (s *State) with(id ID, value []byte) *State {
	n := &State{Version: s.Version + 1, Voters: s.Voters, Value: value, Forgotten: s.Forgotten}
	old := s.Recent
	if len(old) == Remembered {
		n.Forgotten, old = old[0].Version, old[1:]
	}
	n.Recent = append(append(make([]Applied, 0, len(old)+1), old...), Applied{id, n.Version})
	return n
}

// moved returns the state after s with the other voters.
func (s *State) moved(now, next []ID) *State {
	n := *s
	n.Version++
	n.Voters = Voters{Epoch: s.Voters.Epoch + 1, Now: now, Next: next}
	return &n
}
