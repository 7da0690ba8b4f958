package vclock

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"testing"

	"github.com/ringwood-kv/ringwood/cluster/hlc"
)

func worlds(t *testing.T) uint64 {
	if testing.Short() {
		return 100
	}
	return 400
}

// Histories of several replicas and clients, held against the oracle after each step.
func TestHistories(t *testing.T) {
	for name, policy := range map[string]*Policy{
		"siblings": nil,
		"latest":   {LastWriterWins: true},
		"reject":   {MaxSiblings: 3, WarnSiblings: 2, OnLimit: Reject},
		"collapse": {MaxSiblings: 2, OnLimit: Collapse},
		"keep":     {MaxSiblings: 2, MaxBytes: 10, OnLimit: Keep},
	} {
		t.Run(name, func(t *testing.T) {
			for seed := range worlds(t) {
				if _, err := run(seed, honest(), policy, false); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// The same, with nodes that are wiped, or restored from a backup, and come back with a
// new actor: what others know is not touched.
func TestHistoriesWithDisasters(t *testing.T) {
	for name, policy := range map[string]*Policy{
		"siblings": nil,
		"latest":   {LastWriterWins: true},
		"collapse": {MaxSiblings: 2, OnLimit: Collapse},
	} {
		t.Run(name, func(t *testing.T) {
			for seed := range worlds(t) {
				if _, err := run(seed, honest(), policy, true); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// naivePut is Put as somebody might write it, for the bugs below to be taken from.
func naivePut(o *Object, discard, join Vector, s Sibling) (Outcome, error) {
	prev := o.Vector.Counter(s.Dot.Actor)
	o.Discard(discard)
	o.Vector.Join(join)
	o.Vector.Add(s.Dot)
	i := 0
	for i < len(o.Siblings) && o.Siblings[i].Dot.Compare(s.Dot) < 0 {
		i++
	}
	o.Siblings = append(o.Siblings[:i:i], append([]Sibling{s}, o.Siblings[i:]...)...)
	return Outcome{Changed: true, Prev: prev}, nil
}

// Each bug that is planted here must be seen by the oracle, or the tests above prove
// nothing.
func TestOracleSeesPlantedBugs(t *testing.T) {
	bugs := []struct {
		name   string
		plant  func(*hooks)
		policy *Policy
	}{
		{name: "merge drops what the other side has", plant: func(h *hooks) {
			h.merge = func(o, x *Object, p *Policy) (Outcome, error) {
				if o.Absent() {
					return o.Merge(x, p)
				}
				o.Vector.Join(x.Vector)
				return Outcome{Changed: true}, nil
			}
		}},
		{name: "merge drops what only this side has", plant: func(h *hooks) {
			h.merge = func(o, x *Object, p *Policy) (Outcome, error) {
				v := append(Vector(nil), o.Vector...)
				*o = x.Clone()
				o.Vector.Join(v)
				return Outcome{Changed: true}, nil
			}
		}},
		{name: "merge keeps what was replaced", plant: func(h *hooks) {
			h.merge = func(o, x *Object, p *Policy) (Outcome, error) {
				old := o.Clone()
				out, err := o.Merge(x, p)
				for _, s := range old.Siblings {
					i := 0
					for i < len(o.Siblings) && o.Siblings[i].Dot.Compare(s.Dot) < 0 {
						i++
					}
					if i == len(o.Siblings) || o.Siblings[i].Dot != s.Dot {
						o.Siblings = append(o.Siblings[:i:i], append([]Sibling{s}, o.Siblings[i:]...)...)
					}
				}
				return out, err
			}
		}},
		{name: "merge forgets the other's vector", plant: func(h *hooks) {
			h.merge = func(o, x *Object, p *Policy) (Outcome, error) {
				v := append(Vector(nil), o.Vector...)
				out, err := o.Merge(x, p)
				for i := range o.Siblings {
					v.Add(o.Siblings[i].Dot)
				}
				o.Vector = v
				return out, err
			}
		}},
		{name: "put forgets to drop what the context covers", plant: func(h *hooks) {
			h.put = func(o *Object, ctx Context, s Sibling, p *Policy) (Outcome, error) {
				return naivePut(o, nil, ctx.Vector, s)
			}
		}},
		{name: "put drops what the context does not cover", plant: func(h *hooks) {
			h.put = func(o *Object, ctx Context, s Sibling, p *Policy) (Outcome, error) {
				return naivePut(o, o.Vector, ctx.Vector, s)
			}
		}},
		{name: "put does not join the context", plant: func(h *hooks) {
			h.put = func(o *Object, ctx Context, s Sibling, p *Policy) (Outcome, error) {
				return naivePut(o, ctx.Vector, nil, s)
			}
		}},
		{name: "dots are used again after a restart", plant: func(h *hooks) {
			h.restart = func(c *Counter) uint64 { return c.Issued() - min(c.Issued(), 3) }
			h.check = func(*Counter, Vector) error { return nil }
			h.put = func(o *Object, ctx Context, s Sibling, p *Policy) (Outcome, error) {
				return naivePut(o, ctx.Vector, ctx.Vector, s)
			}
		}},
		{name: "a node that lost data keeps its actor", plant: func(h *hooks) {
			h.sameActor = true
			h.check = func(*Counter, Vector) error { return nil }
		}},
		{name: "a delta is applied without a look at what came before", plant: func(h *hooks) {
			h.apply = func(o *Object, d *Delta, p *Policy) (Outcome, error) {
				free := *d
				free.Prev = 0
				return o.Apply(&free, p)
			}
		}},
		{name: "a delta tells nothing of its context", plant: func(h *hooks) {
			h.apply = func(o *Object, d *Delta, p *Policy) (Outcome, error) {
				bare := *d
				bare.Context = nil
				return o.Apply(&bare, p)
			}
		}},
		{name: "the context covers siblings only, not the vector", plant: func(h *hooks) {
			h.context = func(o *Object) Context {
				c := Context{HLC: o.MaxHLC()}
				for i := range o.Siblings {
					c.Vector.Add(o.Siblings[i].Dot)
				}
				return c
			}
		}},
		{name: "the context leaves tombstones out", plant: func(h *hooks) {
			h.context = func(o *Object) Context {
				if o.Dead(0) {
					return Context{}
				}
				return o.Context()
			}
		}},
		{name: "collapse with timestamps before their cause", policy: &Policy{MaxSiblings: 2, OnLimit: Collapse}, plant: func(h *hooks) {
			h.after = func(c *hlc.Clock, _ hlc.Timestamp, wall int64) (hlc.Timestamp, error) { return c.Now(wall) }
			h.put = func(o *Object, ctx Context, s Sibling, p *Policy) (Outcome, error) {
				ctx.HLC = 0
				return o.Put(ctx, s, p)
			}
		}},
		{name: "the earliest wins on one side", policy: &Policy{LastWriterWins: true}, plant: func(h *hooks) {
			h.merge = func(o, x *Object, p *Policy) (Outcome, error) {
				first := o.Clone()
				out, err := o.Merge(x, p)
				if len(first.Siblings) > 0 {
					o.Siblings[0] = first.Siblings[0]
				}
				return out, err
			}
		}},
	}
	for _, bug := range bugs {
		t.Run(bug.name, func(t *testing.T) {
			do := honest()
			bug.plant(&do)
			for seed := range uint64(200) {
				_, err := run(seed, do, bug.policy, true)
				if err == nil || errors.Is(err, ErrDotReused) || errors.Is(err, ErrInvalid) {
					continue // not seen, or only by the package itself
				}
				t.Log(err)
				return
			}
			t.Fatal("200 histories, and the oracle has not noticed")
		})
	}
}

// The laws hold for states that histories lead to, and for any valid ones that do not
// contradict each other about a write.
func TestMergeLaws(t *testing.T) {
	t.Run("reachable", func(t *testing.T) {
		for seed := range worlds(t) {
			w, err := run(seed, honest(), nil, true)
			if err != nil {
				t.Fatal(err)
			}
			rng := rand.New(rand.NewPCG(seed, 2))
			for range 50 {
				pick := func() *Object { return &w.states[rng.IntN(len(w.states))] }
				if len(w.states) > 0 && !mergeLaws(t, pick(), pick(), pick()) {
					t.Fatalf("seed %d: two states of one history contradict each other", seed)
				}
			}
		}
	})
	t.Run("any", func(t *testing.T) {
		rng := rand.New(rand.NewPCG(1, 3))
		held := 0
		for range 20000 {
			if mergeLaws(t, randomObject(rng), randomObject(rng), randomObject(rng)) {
				held++
			}
		}
		if held < 2000 {
			t.Fatal("too few that can be merged:", held)
		}
	})
}

// mergeLaws says whether the three can be merged at all.
func mergeLaws(t *testing.T, x, y, z *Object) bool {
	t.Helper()
	join := func(a, b *Object) (*Object, bool) {
		if a == nil || b == nil {
			return nil, false
		}
		o, before := a.Clone(), b.Clone()
		out, err := o.Merge(b, nil)
		if !b.Equal(&before) {
			t.Fatalf("merging %s changes what is merged", show(b))
		}
		if err != nil {
			if !errors.Is(err, ErrDotReused) || !o.Equal(a) {
				t.Fatalf("%s with %s: %v", show(a), show(b), err)
			}
			return nil, false
		}
		if out.Changed == o.Equal(a) {
			t.Fatalf("%s with %s is %s: changed is %v", show(a), show(b), show(&o), out.Changed)
		}
		if err := o.Validate(); err != nil {
			t.Fatal(err)
		}
		return &o, true
	}
	same := func(law string, a, b *Object) {
		t.Helper()
		if !bytes.Equal(encode(t, a), encode(t, b)) {
			t.Fatalf("not %s: %s, %s, %s lead to %s or %s", law, show(x), show(y), show(z), show(a), show(b))
		}
	}
	xx, _ := join(x, x)
	same("idempotent", xx, x)
	xy, ok1 := join(x, y)
	yx, ok2 := join(y, x)
	if ok1 != ok2 {
		t.Fatalf("%s and %s can be merged in one direction", show(x), show(y))
	}
	if !ok1 {
		return false
	}
	same("commutative", xy, yx)
	again, _ := join(xy, y)
	same("absorbing", again, xy)
	if xy.Vector.Compare(x.Vector) == Before || xy.Vector.Compare(y.Vector) == Before {
		t.Fatal("the merge has seen less")
	}
	left, ok1 := join(xy, z)
	yz, _ := join(y, z)
	right, ok2 := join(x, yz)
	if !ok1 || !ok2 {
		return false
	}
	same("associative", left, right)
	return true
}
