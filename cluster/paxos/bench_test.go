package paxos

import "testing"

// BenchmarkAcceptor is one fast change on one voter: the accept, its record, its answer.
func BenchmarkAcceptor(b *testing.B) {
	a, _ := NewAcceptor(id('a'), nil)
	s := &State{Version: 1, Voters: voters(b, "abc"), Value: make([]byte, 100)}
	q := Ask{Kind: Accept, To: id('a'), State: s}
	var record []byte
	b.ReportAllocs()
	for n := uint64(1); b.Loop(); n++ {
		q.Ballot, q.Next = Ballot{n, id('p')}, Ballot{n + 1, id('p')}
		_, _, err := a.Receive(1, &q)
		if err != nil {
			b.Fatal(err)
		}
		var number uint64
		record, number = a.Save(record[:0])
		if len(a.Saved(number)) != 1 {
			b.Fatal("no answer")
		}
	}
}

// BenchmarkProposer is one operation with three voters, without their part: the answers
// are made up.
func BenchmarkProposer(b *testing.B) {
	value := make([]byte, 100)
	apply := func([]byte) ([]byte, error) { return value, nil }
	p, _ := NewProposer(id('p'), voters(b, "abc"), 0, 1)
	answer := func(b *testing.B, e Effects) Effects {
		for e.Outcome == nil {
			sent := e.Send
			for i := range sent {
				q := &sent[i]
				r := Answer{Kind: q.Kind, From: q.To, Ballot: q.Ballot, OK: true, Promised: q.Ballot, Accepted: p.seen, State: p.state}
				if q.Kind == Accept {
					r.Promised, r.Accepted, r.State = q.Next, Ballot{}, nil
				}
				var err error
				if e, err = p.Receive(&r); err != nil {
					b.Fatal(err)
				}
				if e.Outcome != nil || e.Send != nil {
					break
				}
			}
		}
		return e
	}
	n := byte(0)
	change := func(b *testing.B) {
		n++
		request := ID{1, n}
		e, err := p.Change(Change{ID: request, Apply: apply})
		if err != nil {
			b.Fatal(err)
		}
		answer(b, e)
	}
	b.Run("change-fast", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			change(b)
		}
	})
	b.Run("change-two-rounds", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			p.fast = Ballot{}
			change(b)
		}
	})
	b.Run("read", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			e, err := p.Read()
			if err != nil {
				b.Fatal(err)
			}
			answer(b, e)
		}
	})
}

// BenchmarkCodec is an accept with 100 bytes and eight remembered requests.
func BenchmarkCodec(b *testing.B) {
	s := sampleStates()[5]
	full := *s
	full.Value = make([]byte, 100)
	q := Ask{Kind: Accept, To: id('a'), Ballot: Ballot{5, id('p')}, Next: Ballot{6, id('p')}, State: &full}
	text, err := q.AppendTo(nil)
	if err != nil {
		b.Fatal(err)
	}
	b.Run("encode", func(b *testing.B) {
		b.ReportAllocs()
		buf := make([]byte, 0, 1024)
		for b.Loop() {
			buf, _ = q.AppendTo(buf[:0])
		}
	})
	b.Run("decode", func(b *testing.B) {
		b.ReportAllocs()
		var into Ask
		for b.Loop() {
			if err := into.Decode(text); err != nil {
				b.Fatal(err)
			}
		}
	})
}
