package replica

import (
	"testing"

	"github.com/ringwood-kv/ringwood/lsm"
	"github.com/ringwood-kv/ringwood/lsm/vfs"
)

// A read and a write of one key allocate nothing beyond what the engine does.
func TestAllocations(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	o := small(vfs.NewMem())
	o.Create.Bucket.Durability = lsm.None
	o.Engine.Memory = 64 << 20
	r := open(t, o)
	b := bucket(t, r, FirstBucket)
	key, value := pattern(16), pattern(100)
	buf := make([]byte, 0, 1000)
	must(t, r.Put(start, b, key, Write{Value: value}))
	refs := []Ref{{b, key}, {b, []byte("other")}}
	body := func(tx *Tx) error {
		if _, err := tx.Get(0); err != nil {
			return err
		}
		return tx.Put(1, Write{Value: value})
	}
	for _, c := range []struct {
		what string
		most float64
		do   func() error
	}{
		{"get", 0, func() error { _, _, err := r.Get(start, b, key, buf); return err }},
		{"get of nothing", 0, func() error { _, _, err := r.Get(start, b, value, buf); return err }},
		{"put", 0, func() error { return r.Put(start, b, key, Write{Value: value}) }},
		{"put with an expiry", 0, func() error { return r.Put(start, b, key, Write{Value: value, Expiry: start + 1000}) }},
		{"put and delete", 0, func() error {
			if err := r.Put(start, b, value, Write{Value: value}); err != nil {
				return err
			}
			_, err := r.Delete(start, b, value, nil)
			return err
		}},
		{"update", 0, func() error { return r.Update(start, refs, body) }},
	} {
		must(t, c.do())
		got := testing.AllocsPerRun(500, func() {
			if err := c.do(); err != nil {
				t.Fatal(err)
			}
		})
		if got > c.most {
			t.Errorf("%s: %v allocations, at most %v are allowed", c.what, got, c.most)
		}
	}
}
