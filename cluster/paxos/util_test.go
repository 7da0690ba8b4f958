package paxos

import (
	"slices"
	"testing"
)

// id is one that is called by a letter.
func id(name byte) ID { return ID{name} }

func ids(names string) (s []ID) {
	for _, n := range []byte(names) {
		s = append(s, id(n))
	}
	return s
}

func voters(t testing.TB, names string) Voters {
	t.Helper()
	v, err := NewVoters(ids(names)...)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// cluster is some voters whose saves are durable at once, and no network: a test carries
// each message itself.
type cluster struct {
	t   testing.TB
	acc map[ID]*Acceptor
}

func newCluster(t testing.TB, names string) *cluster {
	c := &cluster{t: t, acc: map[ID]*Acceptor{}}
	for _, n := range ids(names) {
		a, err := NewAcceptor(n, nil)
		if err != nil {
			t.Fatal(err)
		}
		c.acc[n] = a
	}
	return c
}

func (c *cluster) proposer(name byte, names string) *Proposer {
	c.t.Helper()
	p, err := NewProposer(id(name), voters(c.t, names), 0, 1)
	if err != nil {
		c.t.Fatal(err)
	}
	return p
}

// ask carries one question to its voter, and returns the answer.
func (c *cluster) ask(q *Ask) *Answer {
	c.t.Helper()
	a := c.acc[q.To]
	answers, save, err := a.Receive(1, q)
	if err != nil {
		c.t.Fatal(err)
	}
	if save {
		_, n := a.Save(nil)
		answers = a.Saved(n)
	}
	if len(answers) != 1 {
		c.t.Fatalf("%d answers", len(answers))
	}
	r := answers[0].Answer
	return &r
}

// round carries all questions of e to those voters, and the answers back, and returns
// the effects of the last step that had any.
func (c *cluster) round(p *Proposer, e Effects, to string) Effects {
	c.t.Helper()
	var last Effects
	for _, q := range slices.Clone(e.Send) {
		if !slices.Contains(ids(to), q.To) {
			continue
		}
		if n, err := p.Receive(c.ask(&q)); err != nil {
			c.t.Fatal(err)
		} else if n.Timer != 0 || n.Outcome != nil {
			last = n
			last.Send = slices.Clone(n.Send)
		}
	}
	return last
}

// run goes on until the operation has ended. Only those voters are there.
func (c *cluster) run(p *Proposer, e Effects, err error, to string) (Outcome, int) {
	c.t.Helper()
	if err != nil {
		c.t.Fatal(err)
	}
	for n := 0; n < 20; n++ {
		if e.Outcome != nil {
			return *e.Outcome, n
		}
		timer := e.Timer
		if e.Send != nil {
			e = c.round(p, e, to)
		} else {
			e = Effects{}
		}
		if e.Timer == 0 && e.Outcome == nil {
			e = p.Wake(timer)
		}
	}
	return *p.Abort().Outcome, 20
}

// put is a change that appends text.
func put(request byte, text string) Change {
	return Change{ID: id(request), Apply: func(old []byte) ([]byte, error) { return append(slices.Clone(old), text...), nil }}
}

func (c *cluster) change(p *Proposer, ch Change, to string) (Outcome, int) {
	c.t.Helper()
	e, err := p.Change(ch)
	return c.run(p, e, err, to)
}

func (c *cluster) read(p *Proposer, to string) (Outcome, int) {
	c.t.Helper()
	e, err := p.Read()
	return c.run(p, e, err, to)
}

// want checks an outcome, and how many round trips it took.
func (c *cluster) want(o Outcome, trips int, r Result, value string, wantTrips int) {
	c.t.Helper()
	if o.Result != r || string(o.State.Value) != value || trips != wantTrips {
		c.t.Fatalf("%v (%v), %q, %d round trips; want %v, %q, %d", o.Result, o.Err, o.State.Value, trips, r, value, wantTrips)
	}
}
