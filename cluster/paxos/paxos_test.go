package paxos

import (
	"errors"
	"math"
	"slices"
	"testing"
	"time"
)

func mustReceive(t *testing.T, a *Acceptor, ticket uint64, q Ask) (answers []Addressed, save bool) {
	t.Helper()
	answers, save, err := a.Receive(ticket, &q)
	if err != nil {
		t.Fatal(err)
	}
	return slices.Clone(answers), save
}

// TestPersistBeforeReply: no answer leaves before what it tells is durable, not even one
// that changed nothing.
func TestPersistBeforeReply(t *testing.T) {
	a, _ := NewAcceptor(id('a'), nil)
	query := Ask{Kind: Query, To: id('a'), Ballot: Ballot{1, id('r')}}
	if out, save := mustReceive(t, a, 1, query); len(out) != 1 || save {
		t.Fatal("a query of an empty register waits", out, save)
	}
	s := &State{Version: 1, Voters: voters(t, "a"), Value: []byte("v")}
	out, save := mustReceive(t, a, 2, Ask{Kind: Accept, To: id('a'), Ballot: Ballot{1, id('p')}, Next: Ballot{2, id('p')}, State: s})
	if len(out) != 0 || !save || a.Idle() {
		t.Fatal("answered before the save", out, save)
	}
	record, first := a.Save(nil)
	if out, save = mustReceive(t, a, 3, query); len(out) != 0 || !save {
		t.Fatal("a query tells what is not durable", out, save)
	}
	if out, _ = mustReceive(t, a, 4, Ask{Kind: Prepare, To: id('a'), Ballot: Ballot{5, id('q')}}); len(out) != 0 {
		t.Fatal("answered before the save", out)
	}
	_, second := a.Save(nil)
	if out := a.Saved(first); len(out) != 2 || out[0].Ticket != 2 || out[1].Ticket != 3 || string(out[1].Answer.State.Value) != "v" {
		t.Fatalf("after the first save: %+v", out)
	}
	if out := a.Saved(second + 5); len(out) != 1 || out[0].Ticket != 4 || !a.Idle() {
		t.Fatalf("after the second save: %+v", out)
	}
	if _, b, got, err := ParseRecord(record); err != nil || b.Round != 1 || string(got.Value) != "v" {
		t.Fatal(b, got, err)
	}
}

// TestPromiseSurvivesRestart: a promise holds for an acceptor made again of its record.
func TestPromiseSurvivesRestart(t *testing.T) {
	c := newCluster(t, "a")
	if r := c.ask(&Ask{Kind: Prepare, To: id('a'), Ballot: Ballot{5, id('q')}}); !r.OK {
		t.Fatal(r)
	}
	record, _ := c.acc[id('a')].Save(nil)
	var err error
	if c.acc[id('a')], err = NewAcceptor(id('a'), record); err != nil {
		t.Fatal(err)
	}
	s := &State{Version: 1, Voters: voters(t, "a")}
	if r := c.ask(&Ask{Kind: Accept, To: id('a'), Ballot: Ballot{4, id('z')}, Next: Ballot{9, id('z')}, State: s}); r.OK || r.Promised != (Ballot{5, id('q')}) {
		t.Fatalf("%+v", r)
	}
	if r := c.ask(&Ask{Kind: Prepare, To: id('a'), Ballot: Ballot{5, id('q')}}); r.OK {
		t.Fatal("the same ballot is promised twice")
	}
}

// TestHighestIsChosen: a proposer goes on with the accepted value of the highest ballot,
// in whatever order the answers come.
func TestHighestIsChosen(t *testing.T) {
	for _, order := range []string{"ab", "ba"} {
		c := newCluster(t, "abc")
		for i, v := range []byte("ab") {
			s := &State{Version: uint64(1 + i), Voters: voters(t, "abc"), Value: []byte{v}}
			b := uint64(3 + 2*i)
			c.ask(&Ask{Kind: Accept, To: id(v), Ballot: Ballot{b, id('z')}, Next: Ballot{b + 1, id('z')}, State: s})
		}
		p := c.proposer('p', "abc")
		p.round = 10
		e, _ := p.Change(put('r', "!"))
		asks := slices.Clone(e.Send)
		for _, name := range ids(order) {
			i := slices.IndexFunc(asks, func(q Ask) bool { return q.To == name })
			e, _ = p.Receive(c.ask(&asks[i]))
		}
		if len(e.Send) != 3 || e.Send[0].Kind != Accept || string(e.Send[0].State.Value) != "b!" {
			t.Fatalf("%s: %+v", order, e)
		}
	}
}

// TestFastPath: a proposer that wrote last needs one round trip, any other two.
func TestFastPath(t *testing.T) {
	c := newCluster(t, "abc")
	p, q := c.proposer('p', "abc"), c.proposer('q', "abc")
	o, n := c.change(p, put(1, "1"), "abc")
	c.want(o, n, Done, "1", 2)
	o, n = c.change(p, put(2, "2"), "ab")
	c.want(o, n, Done, "12", 1)
	o, n = c.read(q, "bc") // disagree: c missed the last one
	c.want(o, n, Done, "12", 3)
	o, n = c.read(q, "bc")
	c.want(o, n, Done, "12", 1)
	o, n = c.change(p, put(3, "3"), "abc") // refused, backoff, prepare, accept
	c.want(o, n, Done, "123", 4)
	o, n = c.change(q, put(4, "4"), "abc")
	if c.want(o, 0, Done, "1234", 0); n < 3 {
		t.Fatal(n)
	}
	if o.Version != 4 || o.Again {
		t.Fatalf("%+v", o)
	}
}

// TestCacheGoesWithWhatItLearns: a read that sees a newer value ends the fast path.
func TestCacheGoesWithWhatItLearns(t *testing.T) {
	c := newCluster(t, "abc")
	p, q := c.proposer('p', "abc"), c.proposer('q', "abc")
	c.change(p, put(1, "1"), "abc")
	q.round = 10
	c.change(q, put(2, "2"), "abc")
	o, n := c.read(p, "abc")
	c.want(o, n, Done, "12", 1)
	o, n = c.change(p, put(3, "3"), "abc")
	c.want(o, n, Done, "123", 2)
}

// TestCacheDoesNotAnswer: what a proposer wrote itself may be old, so a change that this
// value would not allow must ask the voters all the same.
func TestCacheDoesNotAnswer(t *testing.T) {
	c := newCluster(t, "abc")
	p, q := c.proposer('p', "abc"), c.proposer('q', "abc")
	c.change(p, put(1, "1"), "abc")
	q.round = 10
	c.change(q, put(2, "2"), "abc")
	no := errors.New("no")
	change := func(want string) Change {
		return Change{ID: id(3), Apply: func(old []byte) ([]byte, error) {
			if string(old) != want {
				return nil, no
			}
			return []byte("3"), nil
		}}
	}
	o, _ := c.change(p, change("12"), "abc")
	c.want(o, 0, Done, "3", 0)
	o, n := c.change(p, change("4"), "abc") // rejected: the value is proposed again
	c.want(o, n, Done, "3", 1)              // no: the ID was applied already
	o, n = c.change(p, Change{ID: id(4), Apply: change("4").Apply}, "abc")
	if c.want(o, n, Failed, "3", 1); !errors.Is(o.Err, ErrRejected) || !errors.Is(o.Err, no) {
		t.Fatal(o.Err)
	}
}

// TestReadWritesNothing, neither of a register that was never written nor of another.
func TestReadWritesNothing(t *testing.T) {
	c := newCluster(t, "abc")
	o, n := c.read(c.proposer('p', "abc"), "ab")
	if c.want(o, n, Done, "", 1); o.State.Version != 0 || o.State.Value != nil {
		t.Fatalf("%+v", o)
	}
	for _, a := range c.acc {
		if a.changed != 0 {
			t.Fatal("a read of nothing has written")
		}
	}
	c.change(c.proposer('q', "abc"), put(1, "1"), "abc")
	before, _ := c.acc[id('a')].Save(nil)
	o, n = c.read(c.proposer('p', "abc"), "ac")
	c.want(o, n, Done, "1", 1)
	if after, _ := c.acc[id('a')].Save(nil); !slices.Equal(before, after) {
		t.Fatal("a read has written")
	}
}

// TestReadFinishesWhatItSaw: a value that one voter has accepted is read only after a
// majority has it, so that no later read goes back.
func TestReadFinishesWhatItSaw(t *testing.T) {
	c := newCluster(t, "abc")
	p := c.proposer('p', "abc")
	c.change(p, put(1, "1"), "abc")
	e, _ := p.Change(put(2, "2")) // the fast path: one accept arrives
	c.round(p, e, "a")
	if o := p.Abort().Outcome; o.Result != Unknown || o.Since != 1 {
		t.Fatalf("%+v", o)
	}
	q := c.proposer('q', "abc")
	o, _ := c.read(q, "ab")
	c.want(o, 0, Done, "12", 0)
	o, _ = c.read(c.proposer('r', "abc"), "bc")
	c.want(o, 0, Done, "12", 0)
}

// TestVotersCountOnce: the same answer many times, or one of a stranger, is no majority.
func TestVotersCountOnce(t *testing.T) {
	c := newCluster(t, "abc")
	p := c.proposer('p', "abc")
	for _, kind := range []Kind{Prepare, Accept} {
		var e Effects
		if kind == Prepare {
			e, _ = p.Change(put(1, "1"))
		} else {
			o, _ := c.change(p, put(1, "1"), "abc")
			c.want(o, 0, Done, "1", 0)
			e, _ = p.Change(put(2, "2"))
		}
		a := c.ask(&e.Send[0])
		stranger := *a
		stranger.From = id('x')
		for _, a := range []*Answer{a, a, &stranger, a} {
			if e, err := p.Receive(a); err != nil || e.Send != nil || e.Outcome != nil {
				t.Fatalf("kind %d: one voter was enough: %+v %v", kind, e, err)
			}
		}
		p.Abort()
	}
}

// TestHowSure: before a proposal it is a failure, afterwards nobody knows.
func TestHowSure(t *testing.T) {
	c := newCluster(t, "abc")
	p := c.proposer('p', "abc")
	e, _ := p.Change(put(1, "1"))
	if _, err := p.Read(); !errors.Is(err, ErrBusy) {
		t.Fatal(err)
	}
	c.round(p, e, "a")
	o := p.Abort().Outcome
	if o.Result != Failed || !errors.Is(o.Err, ErrNoMajority) {
		t.Fatalf("%+v", o)
	}
	t.Log(o.Err)
	e, _ = p.Change(put(2, "2"))
	if e = c.round(p, e, "ab"); e.Send[0].Kind != Accept {
		t.Fatal(e)
	}
	if o := p.Abort().Outcome; o.Result != Unknown || !errors.Is(o.Err, ErrNoMajority) {
		t.Fatalf("%+v", o)
	}
	if e := p.Abort(); e.Outcome != nil {
		t.Fatal("nothing was under way", e)
	}
	no := func([]byte) ([]byte, error) { return nil, errors.New("no") }
	o2, n := c.change(c.proposer('q', "abc"), Change{ID: id(3), Apply: no}, "bc")
	if c.want(o2, n, Failed, "", 2); !errors.Is(o2.Err, ErrRejected) { // the first prepare is refused
		t.Fatal(o2.Err)
	}
	huge := func([]byte) ([]byte, error) { return make([]byte, MaxValue+1), nil }
	o2, _ = c.change(p, Change{ID: id(4), Apply: huge}, "abc")
	if o2.Result != Failed || !errors.Is(o2.Err, ErrInvalid) {
		t.Fatalf("%+v", o2)
	}
}

// TestR11AcceptAfterDelete: an accept that was long under way does not bring a deleted
// value back.
func TestR11AcceptAfterDelete(t *testing.T) {
	c := newCluster(t, "abc")
	p, q := c.proposer('p', "abc"), c.proposer('q', "abc")
	e, _ := p.Change(put(1, "old"))
	late := slices.Clone(c.round(p, e, "abc").Send)
	p.Abort()
	o, _ := c.change(q, put(2, "new"), "abc")
	c.want(o, 0, Done, "new", 0)
	o, _ = c.change(q, Change{ID: id(3), Apply: func([]byte) ([]byte, error) { return nil, nil }}, "abc")
	if o.Result != Done || o.State.Value != nil || o.State.Version != 2 {
		t.Fatalf("%+v", o)
	}
	for i := range late {
		if c.ask(&late[i]).OK {
			t.Fatal("accepted below a promise")
		}
	}
	o, n := c.read(q, "abc")
	if c.want(o, n, Done, "", 1); o.State.Version != 2 {
		t.Fatalf("%+v", o)
	}
}

// TestR12DiskLoss: a voter that lost its disk is another voter, which counts only after
// it has taken the place of the first.
func TestR12DiskLoss(t *testing.T) {
	c := newCluster(t, "abcd")
	p := c.proposer('p', "abc")
	o, _ := c.change(p, put(1, "1"), "ab")
	c.want(o, 0, Done, "1", 0)
	// b loses its disk and comes back as d, which refuses what is for b.
	e, _ := c.proposer('q', "abc").Read()
	if _, _, err := c.acc[id('d')].Receive(1, &e.Send[1]); !errors.Is(err, ErrVoter) {
		t.Fatal(err)
	}
	e, err := p.SetVoters(ids("acd")...)
	o, _ = c.run(p, e, err, "acd")
	if o.Result != Done || o.State.Voters.Epoch != 2 || !slices.Equal(o.State.Voters.Now, ids("acd")) {
		t.Fatalf("%+v", o)
	}
	o, _ = c.read(c.proposer('r', "abc"), "cd") // of somebody who knows only the first voters
	c.want(o, 0, Done, "1", 0)
	// A majority that has lost the register is found out: c and d are empty again.
	v := o.State.Voters
	c = newCluster(t, "acd")
	p, _ = NewProposer(id('s'), v, 0, 1)
	if o, _ := c.read(p, "cd"); o.Result != Failed || !errors.Is(o.Err, ErrLost) {
		t.Fatalf("%+v", o)
	}
}

// TestR13Duel: two proposers that always meet both come through.
func TestR13Duel(t *testing.T) {
	c := newCluster(t, "abc")
	const each = Remembered / 2 // or who backs off may be told that it was forgotten
	type party struct {
		p    *Proposer
		e    Effects
		wake time.Duration
		done int
	}
	var duel [2]party
	var now time.Duration
	for i, name := range []byte("pq") {
		p, _ := NewProposer(id(name), voters(t, "abc"), 0, uint64(i))
		duel[i].p = p
	}
	for steps := 0; duel[0].done < each || duel[1].done < each; steps++ {
		if steps > 4000 {
			t.Fatalf("%d and %d changes in %d steps", duel[0].done, duel[1].done, steps)
		}
		now += time.Millisecond
		for i := range duel { // each step is one round trip of both
			d := &duel[i]
			switch {
			case d.p.phase == idle && d.done < each:
				d.e, _ = d.p.Change(put(byte(100*i+d.done+1), "x"))
			case d.e.Send != nil:
				d.e = c.round(d.p, d.e, "abc")
			case d.p.phase != idle && now >= d.wake:
				d.e = d.p.Wake(d.p.timer)
			}
			if d.e.Timer != 0 {
				d.wake, d.e.Timer = now+d.e.After, 0
				d.e.Send = slices.Clone(d.e.Send)
			}
			if d.e.Outcome != nil {
				if d.e.Outcome.Result != Done {
					t.Fatalf("%+v", d.e.Outcome)
				}
				d.done++
				d.e.Outcome = nil
			}
		}
	}
	o, _ := c.read(c.proposer('r', "abc"), "abc")
	if c.want(o, 0, Done, string(o.State.Value), 0); len(o.State.Value) != 2*each {
		t.Fatalf("%d changes were applied, want %d", len(o.State.Value), 2*each)
	}
	t.Logf("all changes in %v", now)
}

// TestR14PausedProposer: one that was away while others wrote goes on with their value.
func TestR14PausedProposer(t *testing.T) {
	c := newCluster(t, "abc")
	p, q := c.proposer('p', "abc"), c.proposer('q', "abc")
	c.change(p, put(1, "1"), "abc")
	e, _ := p.Change(put(2, "2"))
	paused, timer := slices.Clone(e.Send), e.Timer
	for i := range 5 {
		c.change(q, put(byte(10+i), "q"), "abc")
	}
	for i := range paused {
		if a := c.ask(&paused[i]); a.OK {
			t.Fatal("a stale ballot was accepted")
		} else if e, _ = p.Receive(a); e.Timer != 0 && e.After > firstBackoff {
			t.Fatal(e)
		}
	}
	p.Wake(timer) // of long ago
	o, _ := c.run(p, p.Wake(p.timer), nil, "abc")
	c.want(o, 0, Done, "1qqqqq2", 0)
}

// TestR24Retry: a request whose end nobody knew, tried again elsewhere, happens once,
// whether or not it had happened.
func TestR24Retry(t *testing.T) {
	for _, reached := range []string{"", "a", "b", "c", "ab", "bc", "abc"} {
		c := newCluster(t, "abc")
		p, q := c.proposer('p', "abc"), c.proposer('q', "abc")
		c.change(p, put(1, "1"), "abc")
		e, _ := p.Change(put(2, "2"))
		for i := range e.Send {
			if slices.Contains(ids(reached), e.Send[i].To) {
				c.ask(&e.Send[i]) // the answers are lost
			}
		}
		o := p.Abort().Outcome
		if o.Result != Unknown || o.Since != 1 {
			t.Fatalf("%+v", o)
		}
		again := put(2, "2")
		again.Retry, again.Since = true, o.Since
		for range 2 {
			o, _ := c.change(q, again, "bc")
			if c.want(o, 0, Done, "12", 0); o.Version != 2 {
				t.Fatalf("reached %q: %+v", reached, o)
			}
		}
		o2, _ := c.change(p, put(3, "3"), "abc")
		c.want(o2, 0, Done, "123", 0)
	}
}

// TestForgotten: a retry that comes after the register has forgotten is not applied.
func TestForgotten(t *testing.T) {
	c := newCluster(t, "abc")
	p := c.proposer('p', "abc")
	for i := range Remembered + 1 {
		c.change(p, put(byte(1+i), "x"), "abc")
	}
	for since, want := range map[uint64]Result{0: Unknown, 1: Done, 5: Done} {
		retry := put(byte(100+since), "y") // never tried in truth
		retry.Retry, retry.Since = true, since
		q, _ := NewProposer(id(byte(200+since)), voters(t, "abc"), 100*(1+since), 1)
		cc := newCluster(t, "abc")
		for n, a := range c.acc {
			record, _ := a.Save(nil)
			cc.acc[n], _ = NewAcceptor(n, record)
		}
		if o, _ := cc.change(q, retry, "abc"); o.Result != want || (want == Unknown) != errors.Is(o.Err, ErrForgotten) {
			t.Fatalf("since %d: %+v", since, o)
		}
	}
}

// TestRejectedRetryIsFinal: after it, an earlier attempt cannot come to life.
func TestRejectedRetryIsFinal(t *testing.T) {
	c := newCluster(t, "abc")
	p, q := c.proposer('p', "abc"), c.proposer('q', "abc")
	c.change(p, put(1, "1"), "abc")
	e, _ := p.Change(put(2, "2"))
	c.ask(&e.Send[0]) // a has accepted it
	o := p.Abort().Outcome
	retry := Change{ID: id(2), Retry: true, Since: o.Since, Apply: func([]byte) ([]byte, error) { return nil, errors.New("no") }}
	q.round = 100
	o2, n := c.change(q, retry, "bc")
	if c.want(o2, n, Failed, "1", 2); !errors.Is(o2.Err, ErrRejected) {
		t.Fatal(o2.Err)
	}
	o2, _ = c.read(c.proposer('r', "abc"), "ab")
	c.want(o2, 0, Done, "1", 0)
}

// TestMoves goes from one voter to three, to five, replaces one, and back to one, and
// somebody who knows only the first finds the last.
func TestMoves(t *testing.T) {
	c := newCluster(t, "abcdef")
	p := c.proposer('p', "a")
	c.change(p, put(1, "1"), "a")
	for i, to := range []string{"abc", "abcde", "bcdef", "f"} {
		e, err := p.SetVoters(ids(to)...)
		o, _ := c.run(p, e, err, "abcdef")
		if o.Result != Done || !slices.Equal(o.State.Voters.Now, ids(to)) || o.State.Voters.Epoch != uint64(2*(i+1)) {
			t.Fatalf("%s: %+v", to, o)
		}
	}
	q := c.proposer('q', "a")
	o, _ := c.change(q, put(2, "2"), "abcdef")
	if c.want(o, 0, Done, "12", 0); !slices.Equal(q.Voters().Now, ids("f")) {
		t.Fatalf("%+v", q.Voters())
	}
	e, err := q.SetVoters(ids("f")...)
	o, n := c.run(q, e, err, "f")
	c.want(o, n, Done, "12", 1) // nothing to do, but that is certain
}

// TestMoveNeedsBoth: without a majority of the new voters nothing is begun, and without
// one of the old ones neither.
func TestMoveNeedsBoth(t *testing.T) {
	c := newCluster(t, "abcdef")
	p := c.proposer('p', "abc")
	c.change(p, put(1, "1"), "abc")
	for _, there := range []string{"abcd", "adef", "def"} {
		e, err := p.SetVoters(ids("def")...)
		if o, _ := c.run(p, e, err, there); o.Result != Failed || !errors.Is(o.Err, ErrNoMajority) {
			t.Fatalf("%s: %+v", there, o)
		}
	}
	o, _ := c.read(c.proposer('q', "abc"), "ab")
	if c.want(o, 0, Done, "1", 0); o.State.Voters.Epoch != 0 {
		t.Fatalf("%+v", o.State)
	}
}

// TestMoveHalfway: between the two steps both sets decide, another goal is refused, and
// anybody may finish.
func TestMoveHalfway(t *testing.T) {
	c := newCluster(t, "abcdef")
	p := c.proposer('p', "abc")
	c.change(p, put(1, "1"), "abc")
	e, _ := p.SetVoters(ids("def")...)
	for range 2 { // prepare, accept of both sets
		e = c.round(p, e, "abcdef")
	}
	if o := p.Abort().Outcome; o.Result != Unknown {
		t.Fatalf("%+v", o)
	}
	q := c.proposer('q', "abc")
	for _, there := range []string{"abc", "def", "abcd"} {
		if o, _ := c.read(q, there); o.Result == Done {
			t.Fatalf("read from %s alone", there)
		}
	}
	e, err := q.SetVoters(ids("abd")...)
	if o, _ := c.run(q, e, err, "abcdef"); o.Result != Failed || !errors.Is(o.Err, ErrMoving) {
		t.Fatalf("%+v", o)
	}
	e, err = q.SetVoters(ids("def")...)
	o, _ := c.run(q, e, err, "abcdef")
	if c.want(o, 0, Done, "1", 0); !slices.Equal(o.State.Voters.Now, ids("def")) || len(o.State.Voters.Next) != 0 {
		t.Fatalf("%+v", o.State.Voters)
	}
}

// TestMoveOnlyFromChosen: the second step of a move is not taken while the first is not
// chosen, or the old voters would go on alone, knowing of nothing.
func TestMoveOnlyFromChosen(t *testing.T) {
	c := newCluster(t, "abcdef")
	p, q := c.proposer('p', "abc"), c.proposer('q', "abc")
	c.change(p, put(1, "1"), "abc")
	e, _ := p.SetVoters(ids("def")...)
	e = c.round(p, e, "abcdef")
	c.ask(&e.Send[0]) // a alone has accepted both sets
	p.Abort()
	q.round = 100
	e, _ = q.SetVoters(ids("def")...)
	e = c.round(q, e, "a") // it learns of both sets, and prepares with both
	e = c.round(q, e, "abcdef")
	if len(e.Send) != 6 || e.Send[0].Kind != Accept || len(e.Send[0].State.Voters.Next) != 3 {
		t.Fatalf("it goes on to %+v", e.Send)
	}
}

// TestInvalid: bad arguments and messages are errors, and change nothing.
func TestInvalid(t *testing.T) {
	for _, bad := range [][]ID{nil, ids("aa"), {{}}, ids("abcdefgh")} {
		if _, err := NewVoters(bad...); !errors.Is(err, ErrInvalid) {
			t.Errorf("voters %v: %v", bad, err)
		}
	}
	v := voters(t, "abc")
	if _, err := NewProposer(ID{}, v, 0, 0); !errors.Is(err, ErrInvalid) {
		t.Error(err)
	}
	if _, err := NewProposer(id('p'), Voters{}, 0, 0); !errors.Is(err, ErrInvalid) {
		t.Error(err)
	}
	if _, err := NewAcceptor(ID{}, nil); !errors.Is(err, ErrInvalid) {
		t.Error(err)
	}
	if _, err := NewAcceptor(id('a'), []byte{}); !errors.Is(err, ErrFormat) {
		t.Error(err)
	}
	c := newCluster(t, "abc")
	p := c.proposer('p', "abc")
	for _, bad := range []Change{{}, {ID: id('r')}, {Apply: put(1, "").Apply}, {ID: id('r'), Since: 1, Apply: put(1, "").Apply}} {
		if _, err := p.Change(bad); !errors.Is(err, ErrInvalid) {
			t.Error(err)
		}
	}
	if _, err := p.SetVoters(); !errors.Is(err, ErrInvalid) {
		t.Error(err)
	}
	b, s := Ballot{3, id('q')}, &State{Version: 1, Voters: v}
	for i, bad := range []Ask{
		{},
		{Kind: Query, To: id('a')},
		{Kind: Prepare, Ballot: b},
		{Kind: Prepare, To: id('a'), Ballot: b, State: s},
		{Kind: Prepare, To: id('a'), Ballot: Ballot{3, ID{}}},
		{Kind: Accept, To: id('a'), Ballot: b, Next: Ballot{4, id('q')}},
		{Kind: Accept, To: id('a'), Ballot: b, Next: b, State: s},
		{Kind: Accept, To: id('a'), Ballot: b, Next: Ballot{4, id('q')}, State: &State{}},
		{Kind: 4, To: id('a'), Ballot: b},
	} {
		if _, save, err := c.acc[id('a')].Receive(1, &bad); !errors.Is(err, ErrInvalid) || save {
			t.Errorf("ask %d: %v", i, err)
		}
	}
	for i, bad := range []Answer{
		{},
		{Kind: Query, From: id('a'), Ballot: b},
		{Kind: Query, From: id('a'), Ballot: b, OK: true, Accepted: b, Promised: b},
		{Kind: Query, From: id('a'), Ballot: b, OK: true, Accepted: b, State: s},
		{Kind: Prepare, From: id('a'), Ballot: b, OK: true},
		{Kind: Prepare, From: id('a'), Ballot: b, OK: true, Promised: b, Accepted: b, State: s},
		{Kind: Accept, From: id('a'), Ballot: b, OK: true, Promised: b},
	} {
		if _, err := p.Receive(&bad); !errors.Is(err, ErrInvalid) {
			t.Errorf("answer %d: %v", i, err)
		}
	}
}

// TestNoBallotLeft: a peer that has used up all the rounds makes errors, not a wrap.
func TestNoBallotLeft(t *testing.T) {
	c := newCluster(t, "abc")
	p := c.proposer('p', "abc")
	for _, n := range ids("abc") {
		c.ask(&Ask{Kind: Prepare, To: n, Ballot: Ballot{math.MaxUint64, id('q')}})
	}
	if o, _ := c.change(p, put(1, "1"), "abc"); o.Result != Failed || !errors.Is(o.Err, ErrRounds) {
		t.Fatalf("%+v", o)
	}
	p, _ = NewProposer(id('p'), voters(t, "abc"), math.MaxUint64-1, 0)
	c = newCluster(t, "abc")
	if o, _ := c.change(p, put(1, "1"), "abc"); !errors.Is(o.Err, ErrRounds) {
		t.Fatalf("%+v", o)
	}
}

// TestBackoff: it doubles up to its limit, and depends on the seed alone.
func TestBackoff(t *testing.T) {
	run := func(seed uint64) (waits []time.Duration) {
		p, _ := NewProposer(id('p'), voters(t, "abc"), 0, seed)
		for p.attempts = range 40 {
			var e Effects
			p.backoff(&e)
			if want := min(firstBackoff<<min(p.attempts, 20), maxBackoff); e.After < want/2 || e.After > want {
				t.Fatalf("attempt %d: %v", p.attempts, e.After)
			}
			waits = append(waits, e.After)
		}
		return waits
	}
	if !slices.Equal(run(1), run(1)) || slices.Equal(run(1), run(2)) {
		t.Fatal("the waits do not follow the seed")
	}
}
