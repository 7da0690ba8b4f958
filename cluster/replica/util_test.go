package replica

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/ringwood-kv/ringwood/lsm"
	"github.com/ringwood-kv/ringwood/lsm/vfs"
)

const start = 1_700_000_000_000 // some wall time

// seeded is a source of random bytes that repeats.
type seeded struct{ rng *rand.Rand }

func (s seeded) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = byte(s.rng.Uint32())
	}
	return len(b), nil
}

func randomness(seed uint64) seeded { return seeded{rand.New(rand.NewPCG(seed, 99))} }

// small returns options for a store of 16 partitions on fs.
func small(fs vfs.FS) *Options {
	return &Options{
		Engine: lsm.Options{FS: fs, Memory: 8 << 20},
		Create: Creation{Partitions: 16},
		Random: randomness(1),
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func open(t testing.TB, o *Options) *Replica {
	t.Helper()
	r, err := Open("data", start, o)
	must(t, err)
	t.Cleanup(func() { _ = r.Close() })
	return r
}

// fresh returns a new store in memory, and its first bucket.
func fresh(t testing.TB) (*Replica, *Bucket) {
	t.Helper()
	r := open(t, small(vfs.NewMem()))
	return r, bucket(t, r, FirstBucket)
}

func bucket(t testing.TB, r *Replica, name string) *Bucket {
	t.Helper()
	b, err := r.Bucket(name)
	must(t, err)
	return b
}

func put(t testing.TB, r *Replica, b *Bucket, key, value string) {
	t.Helper()
	must(t, r.Put(start, b, []byte(key), Write{Value: []byte(value)}))
}

// get returns the value of key at wall, or "-".
func get(t testing.TB, r *Replica, wall int64, b *Bucket, key string) string {
	t.Helper()
	it, _, err := r.Get(wall, b, []byte(key), nil)
	must(t, err)
	if !it.Found() {
		return "-"
	}
	return string(it.Value)
}

func want(t testing.TB, r *Replica, wall int64, b *Bucket, key, value string) {
	t.Helper()
	if got := get(t, r, wall, b, key); got != value {
		t.Fatalf("key %q is %q, want %q", key, got, value)
	}
}

// verify looks at everything and returns what it counted.
func verify(t testing.TB, r *Replica) *Verification {
	t.Helper()
	v := new(Verification)
	for {
		more, err := r.Verify(v, 1000)
		must(t, err)
		if !more {
			break
		}
	}
	for _, err := range v.Problems {
		t.Error(err)
	}
	if v.Bad > 0 {
		t.Fatalf("%d bad records", v.Bad)
	}
	return v
}

// scan returns all keys and values of b, and fails if a key comes twice.
func scan(t testing.TB, r *Replica, wall int64, b *Bucket, limit int) map[string]string {
	t.Helper()
	all := map[string]string{}
	for cursor := uint64(0); ; {
		next, err := r.Scan(wall, b, cursor, ScanOptions{Limit: limit}, func(key []byte, it Item) error {
			if _, twice := all[string(key)]; twice {
				return fmt.Errorf("key %q comes twice", key)
			}
			all[string(key)] = string(it.Value)
			return nil
		})
		must(t, err)
		if next == 0 {
			return all
		}
		if next <= cursor {
			t.Fatalf("the cursor goes from %d to %d", cursor, next)
		}
		cursor = next
	}
}

func recountAll(t testing.TB, r *Replica) {
	t.Helper()
	for {
		more, err := r.Recount(7)
		must(t, err)
		if !more {
			return
		}
	}
}

func reclaimAll(t testing.TB, r *Replica) {
	t.Helper()
	for {
		more, err := r.Reclaim(3)
		must(t, err)
		if !more {
			return
		}
	}
}

// engineKeys returns how many keys the engine has, outside of the meta partition.
func engineKeys(t testing.TB, r *Replica) int {
	t.Helper()
	it, err := r.db.NewIter(&lsm.IterOptions{Upper: []byte{0xff, 0xff}})
	must(t, err)
	n := 0
	for it.First(); it.Valid(); it.Next() {
		n++
	}
	must(t, it.Err())
	must(t, it.Close())
	return n
}

func pattern(n int) []byte { return bytes.Repeat([]byte("0123456789"), n/10+1)[:n] }
