package merge

import "bytes"

// before reports whether source a comes before source b in the direction of the
// walk. An exhausted source comes after everything.
func (m *Iter) before(a, b int32) bool {
	x, y := &m.src[a], &m.src[b]
	if x.kv == nil || y.kv == nil {
		return x.kv != nil
	}
	if x.prefix != y.prefix {
		return x.prefix < y.prefix == (m.dir == forward)
	}
	return m.beforeSlow(a, b)
}

// beforeSlow decides between equal integers. It is apart so that before inlines.
func (m *Iter) beforeSlow(a, b int32) bool {
	x, y := m.src[a].kv, m.src[b].kv
	c := bytes.Compare(x.Key, y.Key)
	if c == 0 {
		switch {
		case x.Trailer > y.Trailer:
			c = -1
		case x.Trailer < y.Trailer:
			c = 1
		default:
			c = int(a) - int(b)
		}
	}
	return c < 0 == (m.dir == forward)
}

// build plays all matches. There are at least two sources. Leaf i of the tree is
// node n+i; the children of node k are 2k and 2k+1.
func (m *Iter) build() {
	n := len(m.src)
	for i := range n {
		m.won[n+i] = int32(i)
	}
	for k := n - 1; k >= 1; k-- {
		a, b := m.won[2*k], m.won[2*k+1]
		if m.before(b, a) {
			a, b = b, a
		}
		m.won[k], m.tree[k] = a, b
	}
	m.tree[0] = m.won[1]
	m.runner = -1
}

// replay plays the matches of w, the winner so far, on its way to the root. When
// it wins again it is probably in a run, and the runner-up is worth knowing: it
// is the best of those that lost to the winner.
func (m *Iter) replay(w int32) {
	cur := w
	for k := (len(m.src) + int(w)) >> 1; k >= 1; k >>= 1 {
		if m.before(m.tree[k], cur) {
			m.tree[k], cur = cur, m.tree[k]
		}
	}
	m.tree[0] = cur
	if cur != w {
		m.runner, m.wins = -1, askEvery
		if len(m.src) == 2 {
			m.runner = w
		}
		return
	}
	r := int32(-1)
	for k := (len(m.src) + int(w)) >> 1; k >= 1; k >>= 1 {
		if r < 0 || m.before(m.tree[k], r) {
			r = m.tree[k]
		}
	}
	m.runner = r
}
