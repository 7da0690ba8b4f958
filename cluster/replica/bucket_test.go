package replica

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ringwood-kv/ringwood/lsm"
	"github.com/ringwood-kv/ringwood/lsm/vfs"
)

func TestBuckets(t *testing.T) {
	fs := vfs.NewMem()
	r := open(t, small(fs))
	cfg := BucketConfig{LastWriterWins: true, Durability: lsm.OS, MaxValue: 100}
	b, err := r.CreateBucket("second", cfg)
	must(t, err)
	if c := b.Config(); c.MaxValue != 100 || c.MaxSiblingBytes != 100 || c.MaxSiblings != 64 || b.Name() != "second" {
		t.Fatalf("%+v", c)
	}
	for _, c := range []struct {
		name string
		cfg  BucketConfig
		want error
	}{
		{"second", BucketConfig{}, ErrBucketExists},
		{"", BucketConfig{}, ErrInvalid},
		{"with space", BucketConfig{}, ErrInvalid},
		{strings.Repeat("x", MaxBucketName+1), BucketConfig{}, ErrInvalid},
		{"x", BucketConfig{Mode: Consistent}, ErrMode},
		{"x", BucketConfig{Mode: 7}, ErrMode},
		{"x", BucketConfig{Durability: 7}, ErrInvalid},
		{"x", BucketConfig{OnLimit: 7}, ErrInvalid},
		{"x", BucketConfig{MaxValue: MaxMaxValue + 1}, ErrInvalid},
		{"x", BucketConfig{MaxSiblingBytes: -1}, ErrInvalid},
		{"x", BucketConfig{MaxSiblings: maxSiblings + 1}, ErrInvalid},
	} {
		if _, err := r.CreateBucket(c.name, c.cfg); !errors.Is(err, c.want) {
			t.Errorf("%q, %+v: %v", c.name, c.cfg, err)
		}
	}
	if err := r.AlterBucket(b, BucketConfig{}); !errors.Is(err, ErrInvalid) {
		t.Fatal(err)
	}
	cfg.MaxValue = 50
	must(t, r.AlterBucket(b, cfg))
	put(t, r, b, "k", "v")
	put(t, r, bucket(t, r, FirstBucket), "k", "other")
	must(t, r.DropBucket(b))
	third, err := r.CreateBucket("third", BucketConfig{})
	must(t, err)
	for _, err := range []error{
		r.DropBucket(b), r.AlterBucket(b, cfg), r.FlushBuckets(third, b), r.Put(start, b, nil, Write{}),
		func() error { _, _, err := r.Get(start, b, nil, nil); return err }(),
		func() error { _, err := r.Scan(start, b, 0, ScanOptions{}, nil); return err }(),
		func() error { _, err := r.Bucket("second"); return err }(),
	} {
		if !errors.Is(err, ErrNoBucket) {
			t.Fatal(err)
		}
	}
	again, err := r.CreateBucket("second", BucketConfig{})
	must(t, err)
	want(t, r, start, again, "k", "-")
	want(t, r, start, bucket(t, r, FirstBucket), "k", "other")
	if v := verify(t, r); v.Dropped != 1 || v.Records != 1 {
		t.Fatalf("%+v", v)
	}
	for range 2 {
		var names []string
		for _, b := range r.Buckets() {
			names = append(names, b.Name())
		}
		if strings.Join(names, " ") != "available second third" {
			t.Fatal(names)
		}
		must(t, r.Close())
		r = open(t, small(fs))
	}
	reclaimAll(t, r)
	if v := verify(t, r); v.Dropped != 0 || v.Records != 1 || r.Stats().Drops != 0 {
		t.Fatalf("%+v", v)
	}
	if testing.Short() {
		return // every change writes the list of all
	}
	for i := len(r.Buckets()); i < MaxBuckets; i++ {
		_, err := r.CreateBucket(fmt.Sprint("many", i), BucketConfig{})
		must(t, err)
	}
	if _, err := r.CreateBucket("more", BucketConfig{}); !errors.Is(err, ErrInvalid) {
		t.Fatal(err)
	}
}

func TestFlush(t *testing.T) {
	r, b := fresh(t)
	other, err := r.CreateBucket("other", BucketConfig{})
	must(t, err)
	for i := range 50 {
		must(t, r.Put(start, b, fmt.Append(nil, i), Write{Value: []byte("v"), Expiry: start + 10}))
		put(t, r, other, fmt.Sprint(i), "v")
	}
	id := b.ID()
	must(t, r.FlushBuckets(b, b))
	if b.ID() == id || b.Stats() != (BucketStats{0, 0, 0, true}) || len(scan(t, r, start, b, 3)) != 0 {
		t.Fatal(b.Stats())
	}
	// Nothing was written since, so there is nothing to do.
	id = b.ID()
	must(t, r.FlushBuckets(b))
	if b.ID() != id || r.Stats().Drops != 1 {
		t.Fatal("an empty bucket was flushed")
	}
	put(t, r, b, "0", "new")
	if n, err := r.Sweep(start+100, 1000); n != 0 || err != nil {
		t.Fatal("what was flushed expires", n, err)
	}
	if v := verify(t, r); v.Dropped != 100 || v.Records != 51 || v.Marks != 0 {
		t.Fatalf("%+v", v)
	}
	reclaimAll(t, r)
	if v := verify(t, r); v.Dropped != 0 || v.Records != 51 || r.Stats().Drops != 0 || engineKeys(t, r) != 51 {
		t.Fatalf("%+v", v)
	}
	must(t, r.FlushBuckets(r.Buckets()...))
	reclaimAll(t, r)
	if engineKeys(t, r) != 0 {
		t.Fatal("something is left")
	}
}

// A flush waits for a transaction that knows the bucket by its old number.
func TestFlushWaits(t *testing.T) {
	r, b := fresh(t)
	put(t, r, b, "k", "before")
	flushed := make(chan error, 1)
	must(t, r.Update(start, []Ref{{b, []byte("k")}}, func(tx *Tx) error {
		go func() { flushed <- r.FlushBuckets(b) }()
		select {
		case <-flushed:
			t.Error("flushed under a transaction, whose write is lost")
			flushed <- nil
		case <-time.After(50 * time.Millisecond):
		}
		return tx.Put(0, Write{Value: []byte("after")})
	}))
	must(t, <-flushed)
	want(t, r, start, b, "k", "-")
	put(t, r, b, "k", "again")
	want(t, r, start, b, "k", "again")
}

// While others write, a bucket is flushed: what was acknowledged before is gone, and
// what is acknowledged after stays.
func TestFlushUnderWriters(t *testing.T) {
	r, b := fresh(t)
	must(t, r.AlterBucket(b, BucketConfig{Durability: lsm.None}))
	const writers = 4
	var era atomic.Int64 // odd while a flush is under way
	var acked [writers]atomic.Int64
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := int64(1); ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				e := era.Load()
				key := []byte(fmt.Sprintf("%d-%d", w, i%5))
				done := make(chan error, 1)
				r.UpdateAsync(start, []Ref{{b, key}}, func(tx *Tx) error { return tx.Put(0, Write{Value: fmt.Append(nil, i)}) },
					func(err error) { done <- err })
				if err := <-done; err != nil {
					t.Error(err)
				}
				acked[w].Store(i)
				it, _, err := r.Get(start, b, key, nil)
				if found := it.Found(); err != nil || !found && e%2 == 0 && era.Load() == e {
					t.Errorf("acknowledged, not flushed, and not there: %v", err)
				}
			}
		})
	}
	for range 30 {
		var before [writers]int64
		for w := range before {
			before[w] = acked[w].Load()
		}
		era.Add(1)
		must(t, r.FlushBuckets(b))
		era.Add(1)
		for key, value := range scan(t, r, start, b, 100) {
			w, i := 0, int64(0)
			if _, err := fmt.Sscan(key[:1]+" "+value, &w, &i); err != nil || i <= before[w] {
				t.Fatalf("%s is %s, which was acknowledged before the flush (%v)", key, value, err)
			}
		}
		if _, err := r.Reclaim(5); err != nil {
			t.Fatal(err)
		}
	}
	close(stop)
	wg.Wait()
	reclaimAll(t, r)
	v := verify(t, r)
	if int64(len(scan(t, r, start, b, 100))) != b.Stats().Keys || v.Records != b.Stats().Keys {
		t.Fatal(b.Stats(), v)
	}
}
