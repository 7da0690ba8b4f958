package resptest

import (
	"fmt"
	"math/rand"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// crowdDB is the database of a crowd.
const crowdDB = "7"

// crowd makes cfg.Crowd connections busy with pipelines of reads, writes, writes that fail
// and large values, on keys of their own, until leave is called, which empties their
// database. Their replies are checked: a key may be gone at any time, by FLUSHALL, but has
// no other value than the last one.
func crowd(tb testing.TB, cfg Config) (leave func()) {
	var over atomic.Bool
	var wg sync.WaitGroup
	for i := range cfg.Crowd {
		c := Dial(tb, cfg.Network, cfg.Addr)
		c.Want("+OK", "SELECT "+crowdDB)
		r := rand.New(rand.NewSource(cfg.Seed + int64(i)))
		wg.Go(func() {
			for n := 0; !over.Load(); n++ {
				if err := bustle(c, r, i, n); err != nil {
					tb.Errorf("connection %d of the crowd, pipeline %d: %v", i, n, err)
					return
				}
			}
		})
	}
	return func() {
		over.Store(true)
		wg.Wait()
		if cfg.Crowd > 0 {
			c := Dial(tb, cfg.Network, cfg.Addr)
			c.Want("+OK", "SELECT "+crowdDB)
			c.Want("+OK", "FLUSHDB")
		}
	}
}

// bustle is one pipeline.
func bustle(c *Client, r *rand.Rand, who, n int) error {
	key, word := fmt.Sprintf("crowd:%d", who), fmt.Sprintf("word of %d, %d", who, n)
	size := r.Intn(200)
	if r.Intn(20) == 0 {
		size = 1 << (12 + r.Intn(4)) // beside those that wait for the commit, those that do not
	}
	value := fmt.Sprintf("%s%0*d", word, size, n)
	steps := []struct {
		args []string
		want []string
	}{
		{[]string{"SET", key, value}, []string{"OK"}},
		{[]string{"INCR", key}, []string{"ERR value is not an integer or out of range", "1"}},
		{[]string{"GET", key}, []string{value, "1", ""}},
		{[]string{"SET", key, value}, []string{"OK"}},
		{[]string{"GETRANGE", key, "0", fmt.Sprint(len(word) - 1)}, []string{word, ""}},
		{[]string{"SET", key + ":2", value, "XX", "GET"}, nil},
		{[]string{"GET", key}, []string{value, ""}},
		{[]string{"DEL", key}, []string{"0", "1"}},
		{[]string{"GET", key}, []string{""}},
	}
	steps = steps[r.Intn(len(steps)/2):]
	var b []byte
	for _, s := range steps {
		b = Encode(b, s.args...)
	}
	if _, err := c.Conn.Write(b); err != nil {
		return err
	}
	for _, s := range steps {
		v, err := c.Read()
		if err != nil {
			return err
		}
		ok := s.want == nil
		for _, w := range s.want {
			ok = ok || v.Text == w
		}
		if !ok {
			return fmt.Errorf("%.60q: %.100q, want one of %.100q", strings.Join(s.args, " "), v.Raw, s.want)
		}
	}
	return nil
}
