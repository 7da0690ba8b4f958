package paxos

import (
	"bytes"
	"encoding/binary"
	"flag"
	"fmt"
	"hash/maphash"
	"math/bits"
	"slices"
	"testing"
)

var modelRounds = flag.Int("paxos.rounds", 0, "how many new rounds after a timeout or conflict the proposers of TestModel may begin together")

// model is one state of a small world in which everything may happen in any order: a
// message that has been sent arrives at some time, or never, and rounds time out.
type model struct {
	acc    [3]*Acceptor
	prop   [2]*Proposer
	todo   [2]int // changes that a proposer has still to begin
	rounds int    // that may still be begun because of a timeout or a conflict
	asks   []Ask
	ans    []Answer
	votes  []vote
	ghost  []byte // the longest list that was chosen
	failed []byte // the numbers of the calls that failed for certain
}

// vote is a ballot, and which acceptors have accepted it at any time.
type vote struct {
	ballot Ballot
	who    byte
}

func (m *model) clone() *model {
	n := *m
	n.asks, n.ans = slices.Clone(m.asks), slices.Clone(m.ans)
	n.failed, n.votes = slices.Clone(m.failed), slices.Clone(m.votes)
	return &n
}

// acceptor and proposer make the one that is about to step the clone's own.
func (m *model) acceptor(i int) *Acceptor {
	a := *m.acc[i]
	a.waiting, a.out = nil, nil
	m.acc[i] = &a
	return &a
}

func (m *model) proposer(i int) *Proposer {
	p := *m.prop[i]
	p.list, p.out = slices.Clone(p.list), nil
	m.prop[i] = &p
	return &p
}

func modelID(kind byte, i int) ID { return ID{kind, byte(i)} }

// effects takes in what a proposer's step brought.
func (m *model) effects(i int, e Effects) error {
	m.asks = append(m.asks, e.Send...)
	if e.Outcome == nil {
		return nil
	}
	number := byte(10*(i+1) + m.todo[i])
	switch o := e.Outcome; o.Result {
	case Done:
		if bytes.Count(o.State.Value, []byte{number}) != 1 || !bytes.HasPrefix(m.ghost, o.State.Value) {
			return fmt.Errorf("call %d is done by %v, chosen is %v", number, o.State.Value, m.ghost)
		}
	case Failed:
		m.failed = append(m.failed, number)
	}
	return m.begin(i)
}

func (m *model) begin(i int) error {
	if m.todo[i] == 0 {
		return nil
	}
	m.todo[i]--
	number := byte(10*(i+1) + m.todo[i])
	e, err := m.proposer(i).Change(Change{ID: ID{number}, Apply: func(old []byte) ([]byte, error) {
		return append(slices.Clone(old), number), nil
	}})
	if err != nil {
		return err
	}
	return m.effects(i, e)
}

// next returns all states that may follow.
func (m *model) next() (follow []*model, err error) {
	for i := range m.asks {
		n := m.clone()
		q := n.asks[i]
		n.asks = slices.Delete(n.asks, i, i+1)
		k := int(q.To[1])
		a := n.acceptor(k)
		answers, _, err := a.Receive(0, &q)
		if err != nil {
			return nil, err
		}
		_, number := a.Save(nil)
		for _, x := range append(slices.Clone(answers), a.Saved(number)...) {
			n.ans = append(n.ans, x.Answer)
		}
		if err := n.observe(k); err != nil {
			return nil, err
		}
		follow = append(follow, n)
	}
	for i := range m.ans {
		n := m.clone()
		a := n.ans[i]
		n.ans = slices.Delete(n.ans, i, i+1)
		k := int(a.Ballot.Node[1])
		e, err := n.proposer(k).Receive(&a)
		if err == nil {
			err = n.effects(k, e)
		}
		if err != nil {
			return nil, err
		}
		follow = append(follow, n)
	}
	for i := range m.prop {
		if m.prop[i].phase == idle {
			continue
		}
		n := m.clone()
		p := n.proposer(i)
		e := p.Abort()
		if m.rounds > 0 {
			n = m.clone()
			n.rounds--
			p = n.proposer(i)
			e = p.Wake(p.timer)
		}
		if err := n.effects(i, e); err != nil {
			return nil, err
		}
		follow = append(follow, n)
	}
	return follow, nil
}

// observe looks whether an acceptor has accepted something, and whether that chose it.
func (m *model) observe(k int) error {
	a := m.acc[k]
	if a.accepted.IsZero() {
		return nil
	}
	i := slices.IndexFunc(m.votes, func(v vote) bool { return v.ballot == a.accepted })
	if i < 0 {
		i = len(m.votes)
		m.votes = append(m.votes, vote{ballot: a.accepted})
	}
	who := &m.votes[i].who
	if *who |= 1 << k; bits.OnesCount8(*who) == 2 {
		v := a.state.Value
		if !bytes.HasPrefix(v, m.ghost) && !bytes.HasPrefix(m.ghost, v) {
			return fmt.Errorf("%v was chosen after %v", v, m.ghost)
		}
		for k, number := range v {
			if bytes.IndexByte(v[:k], number) >= 0 || bytes.IndexByte(m.failed, number) >= 0 {
				return fmt.Errorf("%v was chosen, with a call twice or one of those that failed: %v", v, m.failed)
			}
		}
		if len(v) > len(m.ghost) {
			m.ghost = v
		}
	}
	return nil
}

// key is the same for states that differ in nothing that matters. It drops messages that
// cannot do anything any more.
func (m *model) key(dst []byte) []byte {
	m.ans = slices.DeleteFunc(m.ans, func(a Answer) bool {
		p := m.prop[a.Ballot.Node[1]]
		return p.phase == idle || p.ballot != a.Ballot || Kind(p.phase) != a.Kind
	})
	m.asks = slices.DeleteFunc(m.asks, func(q Ask) bool {
		p := m.prop[q.Ballot.Node[1]]
		gone := p.phase == idle || p.ballot != q.Ballot
		return gone && m.acc[q.To[1]].promised.Compare(q.Ballot) > 0
	})
	dst = append(dst, byte(m.rounds), byte(m.todo[0]), byte(m.todo[1]))
	dst = append(append(dst, m.ghost...), 0)
	dst = append(append(dst, slices.Sorted(slices.Values(m.failed))...), 0)
	for _, p := range m.prop {
		dst = append(dst, byte(p.phase), byte(p.op.kind), byte(p.op.since), bit(p.op.proposed), byte(p.round))
		for _, b := range []Ballot{p.ballot, p.seen, p.fast, p.after} {
			dst = appendBallot(dst, b)
		}
		if p.proposal != nil {
			dst = append(dst, p.proposal.Value...)
		}
	}
	slices.SortFunc(m.votes, func(a, b vote) int { return a.ballot.Compare(b.ballot) })
	for _, v := range m.votes {
		dst = append(appendBallot(dst, v.ballot), byte(bits.OnesCount8(v.who)))
	}
	// What is known of each acceptor, in an order that does not depend on its name.
	var each [3][]byte
	for k := range each {
		each[k] = m.about(k)
	}
	slices.SortFunc(each[:], bytes.Compare)
	for _, t := range each {
		dst = append(binary.AppendUvarint(dst, uint64(len(t))), t...)
	}
	return dst
}

// about is all that concerns one acceptor.
func (m *model) about(k int) []byte {
	dst := m.acc[k].appendRecord(nil)
	for _, v := range m.votes {
		dst = append(dst, v.who>>k&1)
	}
	for _, p := range m.prop { // whose lists are in the order of the acceptors
		for _, x := range []mask{p.got, p.refused, p.same} {
			dst = append(dst, byte(x>>k&1))
		}
	}
	var texts [][]byte
	for i := range m.asks {
		if q := &m.asks[i]; q.To == m.acc[k].id { // the ballot says which state it is
			texts = append(texts, appendBallot([]byte{byte(q.Kind)}, q.Ballot))
		}
	}
	for i := range m.ans {
		if a := &m.ans[i]; a.From == m.acc[k].id {
			t := []byte{byte(a.Kind) << 4, bit(a.OK)}
			texts = append(texts, appendBallot(appendBallot(appendBallot(t, a.Ballot), a.Promised), a.Accepted))
		}
	}
	slices.SortFunc(texts, bytes.Compare)
	return append(dst, bytes.Join(texts, nil)...)
}

func bit(b bool) byte {
	if b {
		return 1
	}
	return 0
}

// explore visits every state that can be reached.
func explore(t *testing.T, todo [2]int, rounds int) int {
	m := &model{todo: todo, rounds: rounds}
	voters, err := NewVoters(modelID('v', 0), modelID('v', 1), modelID('v', 2))
	if err != nil {
		t.Fatal(err)
	}
	for i := range m.acc {
		m.acc[i], _ = NewAcceptor(modelID('v', i), nil)
	}
	for i := range m.prop {
		m.prop[i], _ = NewProposer(modelID('p', i), voters, 0, 0)
		if err := m.begin(i); err != nil {
			t.Fatal(err)
		}
	}
	seed := maphash.MakeSeed()
	visited := map[uint64]bool{}
	stack := []*model{m}
	var buf []byte
	for len(stack) > 0 {
		m := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		buf = m.key(buf[:0])
		h := maphash.Bytes(seed, buf)
		if visited[h] {
			continue
		}
		visited[h] = true
		follow, err := m.next()
		if err != nil {
			t.Fatalf("after %d states: %v", len(visited), err)
		}
		stack = append(stack, follow...)
	}
	return len(visited)
}

// TestModel lets two proposers and three acceptors do everything in every order.
func TestModel(t *testing.T) {
	t.Logf("a change each, %d more rounds: %d states", *modelRounds, explore(t, [2]int{1, 1}, *modelRounds))
	if !testing.Short() && *modelRounds == 0 {
		t.Logf("two changes and one: %d states", explore(t, [2]int{2, 1}, 0))
	}
}
