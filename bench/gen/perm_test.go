package gen

import (
	"slices"
	"sync"
	"testing"
)

func TestPermutation(t *testing.T) {
	for _, n := range []int64{1, 2, 3, 4, 5, 100, 1000, 1024, 1025, 65_537} {
		p := NewPermutation(n, 9)
		seen := make([]bool, n)
		fixed := 0
		for i := range n {
			v := p.At(i)
			if v < 0 || v >= n || seen[v] {
				t.Fatalf("n=%d: number %d comes twice or is out of range", n, v)
			}
			seen[v] = true
			if v == i {
				fixed++
			}
		}
		if n >= 100 && fixed > 10 {
			t.Errorf("n=%d: %d numbers stay in place", n, fixed)
		}
	}
}

func TestPermutationSeeds(t *testing.T) {
	order := func(seed uint64) (v []int64) {
		p := NewPermutation(100, seed)
		for i := range int64(100) {
			v = append(v, p.At(i))
		}
		return v
	}
	if !slices.Equal(order(1), order(1)) || slices.Equal(order(1), order(2)) {
		t.Fatal("the order must follow from the seed")
	}
}

func TestAckWaitsForTheOldest(t *testing.T) {
	a := NewAck(10)
	x, y, z := a.Next(), a.Next(), a.Next()
	a.Done(y)
	a.Done(z)
	if a.Last() != 9 {
		t.Fatalf("last is %d while %d is under way", a.Last(), x)
	}
	a.Done(x)
	if a.Last() != z {
		t.Fatalf("last is %d, want %d", a.Last(), z)
	}
}

func TestAckConcurrent(t *testing.T) {
	a := NewAck(0)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 10_000 {
				n := a.Next()
				if a.Last() >= n {
					t.Error("a record counts as acknowledged before it is")
				}
				a.Done(n)
			}
		})
	}
	wg.Wait()
	if a.Last() != 39_999 || len(a.done) != 0 {
		t.Fatalf("last %d, %d left over", a.Last(), len(a.done))
	}
}
