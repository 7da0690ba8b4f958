package replica

import (
	"bytes"
	"errors"
	"fmt"
	"testing"

	"github.com/ringwood-kv/ringwood/cluster/hlc"
	"github.com/ringwood-kv/ringwood/cluster/vclock"
	"github.com/ringwood-kv/ringwood/lsm/vfs"
)

// plantRecord puts a record where the one of key lies, past everything that makes it right.
func plantRecord(t testing.TB, r *Replica, b *Bucket, key string, record []byte) {
	t.Helper()
	token := r.layout.token([]byte(key))
	must(t, r.db.Put(r.layout.appendKey(nil, b.ID(), token, []byte(key)), record))
}

// A record that makes no sense is an error that names it, wherever it is met, and is
// never taken for an absent key.
func TestBadRecord(t *testing.T) {
	for _, bad := range [][]byte{nil, {0}, {0x20}, []byte("rubbish"), {0x10, 17}, {0x11, 0, 2}} {
		fs := vfs.NewMem()
		r := open(t, small(fs))
		b := bucket(t, r, FirstBucket)
		put(t, r, b, "good", "v")
		plantRecord(t, r, b, "bad", bad)
		check := func(what string, err error) {
			t.Helper()
			var e *RecordError
			if !errors.As(err, &e) || !errors.Is(err, ErrCorruption) || string(e.Key) != "bad" || e.Bucket != FirstBucket ||
				e.Token != r.layout.token([]byte("bad")) || err.Error() == "" {
				t.Errorf("%s of %x: %v", what, bad, err)
			}
		}
		_, _, err := r.Get(start, b, []byte("bad"), nil)
		check("get", err)
		_, err = r.Read(b, []byte("bad"), new(vclock.Object), nil)
		check("read", err)
		check("put", r.Put(start, b, []byte("bad"), Write{}))
		_, err = r.Delete(start, b, []byte("bad"), nil)
		check("delete", err)
		_, err = r.Scan(start, b, 0, ScanOptions{Limit: 1000}, func([]byte, Item) error { return nil })
		check("scan", err)
		var v Verification
		if _, err := r.Verify(&v, 100); err != nil || v.Bad != 1 || v.Records != 1 {
			t.Fatalf("%+v, %v", v, err)
		}
		check("verify", v.Problems[0])
		c, err := Open("data", start, small(fs.CrashClone(vfs.CrashOptions{})))
		must(t, err)
		_, err = c.Recount(100)
		check("recount", err)
		if s := bucket(t, c, FirstBucket).Stats(); s.Exact {
			t.Fatal("exact without having been counted")
		}
		must(t, c.Close())
		want(t, r, start, b, "good", "v")
	}
}

// Verify finds what is not where it belongs.
func TestVerify(t *testing.T) {
	r, b := fresh(t)
	for i := range 20 {
		must(t, r.Put(start, b, fmt.Append(nil, i), Write{Value: []byte("v"), Expiry: start + int64(i)*10}))
	}
	if v := verify(t, r); v.Records != 19 || v.Marks != 19 || v.Dangling != 0 {
		t.Fatalf("%+v", v)
	}
	whole, err := r.db.Get(r.layout.appendKey(nil, b.ID(), r.layout.token([]byte("5")), []byte("5")))
	must(t, err)
	future := vclock.Object{Vector: vclock.Vector{{Actor: r.Actor(), Counter: 1 << 50}}}
	future.Siblings = []vclock.Sibling{{Dot: future.Vector[0], HLC: hlc.At(start, 0)}}
	fromFuture, err := future.AppendTo(nil)
	must(t, err)
	token := r.layout.token([]byte("x"))
	for i, c := range []struct {
		what       string
		key, value []byte
	}{
		{"no key of ours", []byte("x"), nil},
		{"the wrong token", r.layout.appendKey(nil, b.ID(), token+1, []byte("x")), fromFuture},
		{"the wrong partition", append([]byte{0, 15 - byte(r.layout.partition(token))}, r.layout.appendKey(nil, b.ID(), token, []byte("x"))[2:]...), fromFuture},
		{"no bucket", r.layout.appendKey(nil, 4000, token, []byte("x")), whole},
		{"a dot that was not minted", r.layout.appendKey(nil, b.ID(), token, []byte("x")), fromFuture},
		{"no mark", r.layout.appendKey(nil, b.ID(), token, []byte("x")), whole},
		{"a mark of an unknown kind", r.layout.appendIndex(nil, b.ID(), mark{9, 5}, token, []byte("x")), nil},
	} {
		must(t, r.db.Put(c.key, c.value))
		var v Verification
		for {
			more, err := r.Verify(&v, 1+i)
			must(t, err)
			if !more {
				break
			}
		}
		if v.Bad != 1 || len(v.Problems) != 1 || !errors.Is(v.Problems[0], ErrCorruption) {
			t.Errorf("%s: %+v", c.what, v)
		}
		must(t, r.db.Delete(c.key))
	}
	// A mark of nobody does no harm, and a sweep takes it away.
	must(t, r.db.Put(r.layout.appendIndex(nil, b.ID(), mark{markExpiry, 5}, token, []byte("x")), nil))
	if v := verify(t, r); v.Dangling != 1 {
		t.Fatalf("%+v", v)
	}
	for _, d := range b.gen.Load().due {
		d.lower(r.layout.partition(token), 5)
	}
	if n, err := r.Sweep(start, 10); n != 0 || err != nil {
		t.Fatal(n, err)
	}
	if v := verify(t, r); v.Dangling != 0 || v.Records != 19 {
		t.Fatalf("%+v", v)
	}
}

// Damage on disk comes through as what it is.
func TestDamagedDisk(t *testing.T) {
	fault := vfs.NewFault(vfs.NewMem())
	r := open(t, small(fault))
	b := bucket(t, r, FirstBucket)
	for i := range 200 {
		must(t, r.Put(start, b, fmt.Append(nil, i), Write{Value: pattern(100)}))
	}
	must(t, r.db.Flush())
	fault.SetAfter(func(op vfs.Op) {
		if op.Kind == vfs.OpRead && len(op.Data) > 0 {
			op.Data[len(op.Data)/2] ^= 0x55
		}
	})
	_, _, err := r.Get(start, b, []byte("7"), nil)
	var e *RecordError
	if !errors.As(err, &e) || !errors.Is(err, ErrCorruption) || string(e.Key) != "7" {
		t.Fatal(err)
	}
	if err := r.Put(start, b, []byte("7"), Write{}); !errors.Is(err, ErrCorruption) {
		t.Fatal(err)
	}
	fault.SetAfter(nil)
}

// FuzzRecord plants any bytes as a record: every way to meet it is an answer or an
// error, and what was decoded can be written over.
func FuzzRecord(f *testing.F) {
	r, b := fresh(f)
	must(f, r.Put(start, b, []byte("k"), Write{Value: []byte("v"), Expiry: start + 5, Type: 3}))
	one, err := r.db.Get(r.layout.appendKey(nil, b.ID(), r.layout.token([]byte("k")), []byte("k")))
	must(f, err)
	f.Add(one)
	must(f, r.Put(start, b, []byte("k"), Write{Value: []byte("w"), Context: &vclock.Context{}}))
	two, err := r.db.Get(r.layout.appendKey(nil, b.ID(), r.layout.token([]byte("k")), []byte("k")))
	must(f, err)
	f.Add(two)
	f.Fuzz(func(t *testing.T, record []byte) {
		plantRecord(t, r, b, "k", record)
		it, _, err := r.Get(start, b, []byte("k"), nil)
		if err != nil && !errors.Is(err, ErrCorruption) {
			t.Fatal(err)
		}
		var o vclock.Object
		_, readErr := r.Read(b, []byte("k"), &o, nil)
		if readErr != nil && !errors.Is(readErr, ErrCorruption) {
			t.Fatal(readErr)
		}
		if err != nil && readErr == nil {
			t.Fatal("a record that is whole cannot be got", err)
		}
		if readErr == nil && it.Found() && !bytes.Equal(it.Value, itemOf(&o, start).Value) {
			t.Fatal("two values")
		}
		if err := r.Put(start, b, []byte("k"), Write{Value: []byte("x")}); readErr == nil && err == nil {
			want(t, r, start, b, "k", "x")
		} else if readErr != nil && !errors.Is(err, ErrCorruption) {
			t.Fatal("written over what cannot be read", err)
		}
	})
}
