package exec

import "sync/atomic"

// gate lets so many pass at a time that what they read, which nobody knows the length of
// before, does not take the memory of all: behind the gate it is charged. It costs two
// additions where nobody waits.
type gate struct {
	places int64
	n      atomic.Int64  // who is inside or waits
	handed chan struct{} // a place, to one who waits
}

// newGate returns a gate with a number of places, nil for no limit.
func newGate(places int) *gate {
	if places <= 0 {
		return nil
	}
	return &gate{places: int64(places), handed: make(chan struct{})}
}

func (g *gate) enter() {
	if g != nil && g.n.Add(1) > g.places {
		<-g.handed
	}
}

func (g *gate) leave() {
	if g != nil && g.n.Add(-1) >= g.places {
		g.handed <- struct{}{} // somebody waits, or is about to
	}
}
