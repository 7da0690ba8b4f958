package resp

import "testing"

// A walk meets every connection once, also where others come and go meanwhile, but for
// one that is moved by a removal.
func TestWalk(t *testing.T) {
	var r registry
	r.init(1<<30, 1<<30)
	const n = 10*someConns + 7
	all := make([]*conn, n)
	for i := range all {
		all[i] = &conn{}
		if r.add(all[i], n) != welcome {
			t.Fatal("refused")
		}
	}
	if r.add(&conn{}, n) != tooMany {
		t.Error("one too many was let in")
	}
	met := func() map[*conn]int {
		m := make(map[*conn]int)
		r.walk(func(c *conn) { m[c]++ })
		return m
	}
	check := func(there []*conn) {
		t.Helper()
		m := met()
		for _, c := range there {
			if m[c] != 1 {
				t.Fatalf("connection %d was met %d times", c.id, m[c])
			}
		}
		if all, _ := r.count(); len(m) != len(there) || all != len(there) {
			t.Fatalf("%d connections met, %d counted, want %d", len(m), all, len(there))
		}
	}
	check(all)
	for len(all) > 0 { // the first, the last, one in the middle
		i := []int{0, len(all) - 1, len(all) / 2}[len(all)%3]
		r.remove(all[i])
		all = append(all[:i], all[i+1:]...)
		if len(all)%someConns < 2 {
			check(all)
		}
	}
	check(nil)
}
