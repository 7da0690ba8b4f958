package ring

import (
	"cmp"
	"slices"
)

// share is a real number of replicas, num/den. All nodes of a rack have the same den.
type share struct{ num, den int64 }

func (s share) floor() int     { return int(s.num / s.den) }
func (s share) rest() int64    { return s.num % s.den }
func (s share) float() float64 { return float64(s.num) / float64(s.den) }

// spread cuts total into shares proportional to the weights, none above limit: those that
// would be above get the limit, and the others more. It returns which those are, and that
// another one with weight w gets left·w/sum.
func spread(total int64, weights []int64, limit int64) (capped []bool, left, sum int64) {
	capped = make([]bool, len(weights))
	left = total
	for _, w := range weights {
		sum += w
	}
	for {
		before, beyond := left, sum
		for i, w := range weights {
			if !capped[i] && before*w > limit*beyond {
				capped[i] = true
				left -= limit
				sum -= w
			}
		}
		if beyond == sum {
			return capped, left, max(sum, 1)
		}
	}
}

// shares says how many replicas each node is to have, as a real number: proportional to
// the weights, except that
//
//   - with as many racks as replicas or more, a rack has each partition at most once;
//   - with fewer, a node has each partition at most once, and a rack at least once.
func (s *site) shares() {
	q, total := int64(s.partitions), int64(s.partitions*s.replicas)
	weights, ofRack := make([]int64, len(s.nodes)), make([]int64, s.racks)
	for i, n := range s.nodes {
		weights[i] = int64(n.Weight)
		ofRack[s.rack[i]] += weights[i]
	}
	s.fair, s.share = s.byWeight(float64(total)), make([]share, len(s.nodes))

	if s.spare == 0 {
		full, left, sum := spread(total, ofRack, q)
		for i, w := range weights {
			s.share[i] = share{left * w, sum}
			if r := s.rack[i]; full[r] {
				s.share[i] = share{q * w, ofRack[r]}
			}
		}
		return
	}
	small := make([]bool, s.racks) // racks that get more than by weight: each partition once
	for again := true; again; {
		again = false
		capped, left, sum := spread(total, weights, q)
		got := make([]int64, s.racks) // times sum
		for i, w := range weights {
			s.share[i] = share{left * w, sum}
			if capped[i] {
				s.share[i] = share{q * sum, sum}
			}
			got[s.rack[i]] += s.share[i].num
		}
		for r := range small {
			if !small[r] && got[r] < q*sum {
				small[r], again = true, true
				total -= q
			}
		}
		for i, n := range s.nodes {
			if r := s.rack[i]; small[r] {
				weights[i] = 0
				s.share[i] = share{q * int64(n.Weight), ofRack[r]}
			}
		}
	}
}

// round makes whole quotas of the shares, with exact sums: of a rack within one of the
// sum of its shares, of a node within one of its share. Who is rounded up is decided by
// what the nodes hold, so that nothing moves for the sake of rounding; then by the
// largest remainder.
func (s *site) round() {
	s.quota = make([]int, len(s.nodes))
	sums, down := make([]share, s.racks), make([]int, s.racks)
	members, holders := make([][]int, s.racks), make([]int, s.racks)
	holds := make([]bool, len(s.nodes))
	for i, sh := range s.share {
		r := s.rack[i]
		s.quota[i] = sh.floor()
		sums[r] = share{sums[r].num + sh.num, sh.den}
		down[r] += sh.floor()
		members[r] = append(members[r], i)
		if holds[i] = sh.rest() > 0 && s.load[i] > sh.floor(); holds[i] {
			holders[r]++
		}
	}
	ofRack, rest, prefer := make([]int, s.racks), make([]int64, s.racks), make([]bool, s.racks)
	all := make([]int, s.racks)
	for r, sum := range sums {
		all[r], ofRack[r], rest[r] = r, sum.floor(), sum.rest()
		prefer[r] = holders[r] > ofRack[r]-down[r]
	}
	roundUp(s.partitions*s.replicas, ofRack, all, rest, prefer)
	remainder := make([]int64, len(s.nodes))
	for i, sh := range s.share {
		remainder[i] = sh.rest()
	}
	for r, who := range members {
		roundUp(ofRack[r], s.quota, who, remainder, holds)
	}
}

// roundUp adds one to the values of some of who, so that those of who add up to total:
// first to the preferred, then by the largest remainder. Those without a remainder stay.
func roundUp(total int, value, who []int, rest []int64, prefer []bool) {
	who = slices.Clone(who)
	for _, i := range who {
		total -= value[i]
	}
	who = slices.DeleteFunc(who, func(i int) bool { return rest[i] == 0 })
	slices.SortStableFunc(who, func(i, j int) int {
		if prefer[i] != prefer[j] {
			if prefer[i] {
				return -1
			}
			return 1
		}
		return cmp.Compare(rest[j], rest[i])
	})
	for _, i := range who[:total] {
		value[i]++
	}
}
