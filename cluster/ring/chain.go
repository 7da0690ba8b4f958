package ring

import "slices"

// chains places what no single change can place any longer: by chains of changes, each of
// which puts a node in the place of the one before, from a free place or a node above its
// quota to a node below. A change that makes a copy costs 1, one that saves a copy made
// before gains 1, and the cheapest chain comes first: so all together make as few copies
// as the quotas allow (successive shortest paths). It ends when there is no chain, or,
// with free set, none that costs nothing, and says whether all nodes have their quotas.
func (s *site) chains(free bool) bool {
	c := &chains{site: s, n: len(s.nodes)}
	for i := range c.count {
		c.count[i] = make([]int32, (c.n+1)*c.n)
	}
	for p := range s.rows {
		c.tally(p, 1)
	}
	for c.augment(free) {
	}
	return slices.Equal(s.load, s.quota)
}

// chains knows the changes that the rows allow at present.
type chains struct {
	*site
	n int
	// count is the number of rows in which b can take the place of out, by its cost+1 and
	// at (out+1)*n+b.
	count [3][]int32
}

// cost returns what it costs that in takes the place of out in a row.
func (s *site) cost(p, out, in int) int {
	cost := 0
	if !slices.Contains(s.held[p], in) {
		cost++
	}
	if out != none && !slices.Contains(s.held[p], out) {
		cost--
	}
	return cost
}

// tally adds the changes that a row allows to the counts, or takes them away.
func (c *chains) tally(p int, by int32) {
	row := c.rows[p]
	for i := range c.replicas {
		out := none
		if i < len(row) {
			out = row[i]
		}
		for b := range c.n {
			if c.fits(row, out, b) {
				c.count[c.cost(p, out, b)+1][(out+1)*c.n+b] += by
			}
		}
	}
}

// augment goes along the cheapest chain, and says whether there was one. Among those that
// are as cheap it takes the shortest: two changes on it cannot disturb each other, even in
// the same row, or there would be a shorter one.
func (c *chains) augment(free bool) bool {
	const (
		unit = MaxNodes + 1 // of a length: the cost counts first, then the changes
		far  = 1 << 30
	)
	length, by := make([]int, c.n), make([]int, c.n) // of the chain to each node, and whose place it takes
	for a := range length {
		if c.load[a] <= c.quota[a] {
			length[a] = far
		}
	}
	for again := true; again; {
		again = false
		for out := none; out < c.n; out++ {
			from := 0
			if out != none {
				from = length[out]
			}
			if from == far {
				continue
			}
			for b := range c.n {
				at := (out+1)*c.n + b
				for i := range c.count {
					if l := from + (i-1)*unit + 1; c.count[i][at] > 0 && l < length[b] {
						length[b], by[b], again = l, out, true
					}
				}
			}
		}
	}
	end := none
	for b, l := range length {
		if c.load[b] < c.quota[b] && l < far && (end == none || l < length[end]) {
			end = b
		}
	}
	if end == none || free && length[end] >= unit {
		return false
	}
	c.load[end]++
	for b := end; ; {
		out := by[b]
		c.change(out, b)
		if out == none {
			return true
		}
		if b = out; c.load[b] > c.quota[b] {
			c.load[b]--
			return true
		}
	}
}

// change puts in in the place of out, in the first of the rows where that is cheapest.
func (c *chains) change(out, in int) {
	at := (out+1)*c.n + in
	cheapest := slices.IndexFunc(c.count[:], func(n []int32) bool { return n[at] > 0 }) - 1
	for p, row := range c.rows {
		there := slices.Contains(row, out) || out == none && len(row) < c.replicas
		if there && c.fits(row, out, in) && c.cost(p, out, in) == cheapest {
			c.tally(p, -1)
			c.put(p, out, in)
			c.tally(p, 1)
			return
		}
	}
}
