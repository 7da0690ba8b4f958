package resp

import "sync"

// pool hands out places on links: each link has as many as calls fit into its pipeline.
// The place that was free for longest is taken first, so that few calls spread over all
// connections.
type pool struct {
	dial  func() (link, error)
	depth int

	mu   sync.Mutex
	free []link // from head on, each link once for each free place
	head int
	all  []link
}

// open makes a number of connections, whose places are used in turn.
func (p *pool) open(n int) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	for range n {
		l, err := p.dial()
		if err != nil {
			return err
		}
		p.all = append(p.all, l)
	}
	for range p.depth {
		p.free = append(p.free, p.all...)
	}
	return nil
}

// add makes another connection, and returns its first place.
func (p *pool) add() (link, error) {
	l, err := p.dial()
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.all = append(p.all, l)
	for range p.depth - 1 {
		p.free = append(p.free, l)
	}
	return l, nil
}

func (p *pool) take() (link, error) {
	p.mu.Lock()
	if p.head == len(p.free) {
		p.mu.Unlock()
		return p.add()
	}
	l := p.free[p.head]
	p.head++
	p.mu.Unlock()
	return l, nil
}

func (p *pool) give(l link) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.head > 0 && len(p.free) == cap(p.free) { // there is room before head
		p.free = p.free[:copy(p.free, p.free[p.head:])]
		p.head = 0
	}
	p.free = append(p.free, l)
}

// links returns all connections.
func (p *pool) links() []link {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.all[:len(p.all):len(p.all)]
}
