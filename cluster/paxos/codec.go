package paxos

import (
	"encoding/binary"
	"fmt"
	"slices"
)

// The first byte of each encoding: what it is, and version 1.
const (
	headRecord = 0x11
	headAsk    = 0x21
	headAnswer = 0x31
)

// Bits of the second byte of a message, above its kind.
const (
	kindMask = 0x0f
	hasState = 0x10
	isOK     = 0x20
)

// ParseRecord returns what a durable record of an Acceptor holds; the state is nil if
// nothing was accepted. It shares the bytes. The error is ErrFormat.
func ParseRecord(b []byte) (promised, accepted Ballot, s *State, err error) {
	var a Acceptor
	err = a.decode(b)
	return a.promised, a.accepted, a.state, err
}

func (a *Acceptor) appendRecord(dst []byte) []byte {
	dst = append(dst, headRecord)
	dst = appendBallot(dst, a.promised)
	dst = appendBallot(dst, a.accepted)
	if a.state != nil {
		dst = appendState(dst, a.state)
	}
	return dst
}

func (a *Acceptor) decode(b []byte) error {
	r := reader{b: b}
	r.head(headRecord)
	promised, accepted := r.ballot(), r.ballot()
	if promised.Compare(accepted) < 0 {
		r.fail("accepted above the promise")
	}
	s := r.optionalState(!accepted.IsZero())
	if err := r.end(); err != nil {
		return err
	}
	a.promised, a.accepted, a.state = promised, accepted, s
	return nil
}

// AppendTo appends the encoding of a to dst. The error is ErrInvalid.
func (a *Ask) AppendTo(dst []byte) ([]byte, error) {
	if err := a.validate(); err != nil {
		return dst, err
	}
	kind := byte(a.Kind)
	if a.State != nil {
		kind |= hasState
	}
	dst = append(dst, headAsk, kind)
	dst = append(dst, a.To[:]...)
	dst = appendBallot(dst, a.Ballot)
	if a.State != nil {
		dst = appendBallot(dst, a.Next)
		dst = appendState(dst, a.State)
	}
	return dst, nil
}

// Decode makes a what b encodes. Its state shares the bytes. The error is ErrFormat.
func (a *Ask) Decode(b []byte) error {
	r := reader{b: b}
	r.head(headAsk)
	kind := r.byte()
	m := Ask{Kind: Kind(kind &^ hasState), To: r.id(), Ballot: r.ballot()}
	if kind&hasState != 0 {
		m.Next = r.ballot()
		m.State = r.optionalState(true)
	}
	if err := r.end(); err != nil {
		return err
	}
	if err := m.validate(); err != nil {
		return fmt.Errorf("%w: %w", ErrFormat, err)
	}
	*a = m
	return nil
}

// AppendTo appends the encoding of a to dst. The error is ErrInvalid.
func (a *Answer) AppendTo(dst []byte) ([]byte, error) {
	if err := a.validate(); err != nil {
		return dst, err
	}
	kind := byte(a.Kind)
	if a.State != nil {
		kind |= hasState
	}
	if a.OK {
		kind |= isOK
	}
	dst = append(dst, headAnswer, kind)
	dst = append(dst, a.From[:]...)
	dst = appendBallot(dst, a.Ballot)
	dst = appendBallot(dst, a.Promised)
	if a.State != nil {
		dst = appendBallot(dst, a.Accepted)
		dst = appendState(dst, a.State)
	}
	return dst, nil
}

// Decode makes a what b encodes. Its state shares the bytes. The error is ErrFormat.
func (a *Answer) Decode(b []byte) error {
	r := reader{b: b}
	r.head(headAnswer)
	kind := r.byte()
	m := Answer{Kind: Kind(kind &^ (hasState | isOK)), OK: kind&isOK != 0, From: r.id(), Ballot: r.ballot(), Promised: r.ballot()}
	if kind&hasState != 0 {
		m.Accepted = r.ballot()
		m.State = r.optionalState(true)
	}
	if err := r.end(); err != nil {
		return err
	}
	if err := m.validate(); err != nil {
		return fmt.Errorf("%w: %w", ErrFormat, err)
	}
	*a = m
	return nil
}

func appendBallot(dst []byte, b Ballot) []byte {
	dst = binary.AppendUvarint(dst, b.Round)
	if b.Round == 0 {
		return dst
	}
	return append(dst, b.Node[:]...)
}

func appendState(dst []byte, s *State) []byte {
	dst = slices.Grow(dst, 64+IDLen*(len(s.Voters.Now)+len(s.Voters.Next)+len(s.Recent)+1)+len(s.Value))
	dst = binary.AppendUvarint(dst, s.Version)
	dst = binary.AppendUvarint(dst, s.Voters.Epoch)
	for _, set := range [][]ID{s.Voters.Now, s.Voters.Next} {
		dst = append(dst, byte(len(set)))
		for i := range set {
			dst = append(dst, set[i][:]...)
		}
	}
	dst = binary.AppendUvarint(dst, s.Forgotten)
	dst = append(dst, byte(len(s.Recent)))
	for i := range s.Recent {
		dst = append(dst, s.Recent[i].ID[:]...)
		dst = binary.AppendUvarint(dst, s.Recent[i].Version)
	}
	if s.Value == nil {
		return append(dst, 0)
	}
	dst = binary.AppendUvarint(dst, uint64(len(s.Value))+1)
	return append(dst, s.Value...)
}

// reader takes an encoding apart. After the first error it returns zeros.
type reader struct {
	b   []byte
	err error
}

func (r *reader) fail(what string) {
	if r.err == nil {
		r.err = fmt.Errorf("%w: %s", ErrFormat, what)
	}
	r.b = nil
}

// end is the error, also if anything is left over.
func (r *reader) end() error {
	if r.err == nil && len(r.b) > 0 {
		r.fail(fmt.Sprintf("%d bytes too many", len(r.b)))
	}
	return r.err
}

func (r *reader) take(n uint64) []byte {
	if n > uint64(len(r.b)) {
		r.fail("cut short")
		return nil
	}
	t := r.b[:n:n]
	r.b = r.b[n:]
	return t
}

func (r *reader) byte() byte {
	if t := r.take(1); t != nil {
		return t[0]
	}
	return 0
}

func (r *reader) head(want byte) {
	if h := r.byte(); h != want {
		r.fail(fmt.Sprintf("it begins with %#x, want %#x", h, want))
	}
}

// uvarint takes a number in its shortest form, as there is one encoding of each value.
func (r *reader) uvarint() uint64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 || n > 1 && r.b[n-1] == 0 {
		r.fail("bad number")
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *reader) id() (id ID) {
	copy(id[:], r.take(IDLen))
	return id
}

func (r *reader) ballot() (b Ballot) {
	if b.Round = r.uvarint(); b.Round == 0 {
		return b
	}
	if b.Node = r.id(); !b.valid() {
		r.fail("a ballot without a node")
	}
	return b
}

// count takes a number of things, of which there may be most, each of at least size bytes.
func (r *reader) count(most, size int) int {
	n := int(r.byte())
	if n > most || n*size > len(r.b) {
		r.fail(fmt.Sprintf("%d entries in %d bytes, %d at most", n, len(r.b), most))
		return 0
	}
	return n
}

func (r *reader) ids() []ID {
	n := r.count(MaxVoters, IDLen)
	if n == 0 {
		return nil
	}
	ids := make([]ID, n)
	for i := range ids {
		ids[i] = r.id()
	}
	return ids
}

func (r *reader) optionalState(there bool) *State {
	if !there || r.err != nil {
		return nil
	}
	s := &State{Version: r.uvarint()}
	s.Voters = Voters{Epoch: r.uvarint(), Now: r.ids(), Next: r.ids()}
	s.Forgotten = r.uvarint()
	if n := r.count(Remembered, IDLen+1); n > 0 {
		s.Recent = make([]Applied, n)
		for i := range s.Recent {
			s.Recent[i] = Applied{r.id(), r.uvarint()}
		}
	}
	if n := r.uvarint(); n > 0 {
		s.Value = r.take(n - 1)
	}
	if r.err == nil {
		if err := s.validate(); err != nil {
			r.fail(err.Error())
		}
	}
	return s
}
