package resptest

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/ringwood-kv/ringwood/cluster/resp/exec"
)

// Store checks that a store does what package exec asks of one. It has at least two
// databases and is empty; each call returns another one.
func Store(t *testing.T, open func(t *testing.T) exec.Store) {
	for name, test := range map[string]func(*storeTest){
		"values": testValues, "transactions": testTransactions, "owning": testOwning,
		"expiry": testExpiry, "scan": testScan, "flush": testFlush,
	} {
		t.Run(name, func(t *testing.T) { test(&storeTest{t, open(t)}) })
	}
}

const now = int64(1_700_000_000_000)

type storeTest struct {
	*testing.T
	s exec.Store
}

func key(db int, name string) exec.Key { return exec.Key{DB: db, Name: []byte(name)} }

func (t *storeTest) ok(err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// update runs a transaction that has to succeed.
func (t *storeTest) update(at int64, keys []exec.Key, f func(exec.Txn)) {
	t.Helper()
	t.ok(t.s.Update(keys, at, func(tx exec.Txn) error {
		f(tx)
		return nil
	}))
}

// want compares what the store has of a key; an empty want is no key.
func (t *storeTest) want(k exec.Key, at int64, want string, expire int64, e exec.Encoding) {
	t.Helper()
	v, info, err := t.s.Get([]byte("<"), k, at)
	t.ok(err)
	stat, err := t.s.Stat(k, at)
	t.ok(err)
	t.compare(string(k.Name), v, info, stat, want, expire, e)
}

// wantIn is want inside of a transaction.
func (t *storeTest) wantIn(tx exec.Txn, i int, want string, expire int64, e exec.Encoding) {
	t.Helper()
	v, info, err := tx.Get([]byte("<"), i)
	t.ok(err)
	stat, err := tx.Stat(i)
	t.ok(err)
	t.compare(fmt.Sprint("key ", i), v, info, stat, want, expire, e)
}

func (t *storeTest) compare(name string, v []byte, info, stat exec.Info, want string, expire int64, e exec.Encoding) {
	t.Helper()
	if info != stat || string(v) != "<"+want || info.Exists != (want != "") || info.Exists && (info.ExpireAt != expire || info.Encoding != e || info.Len != len(want)) {
		t.Errorf("%q: got %q %+v, Stat %+v, want %q %d %d", name, v, info, stat, want, expire, e)
	}
}

// put commits one value.
func (t *storeTest) put(k exec.Key, value string, info exec.Info) {
	t.Helper()
	t.update(now, []exec.Key{k}, func(tx exec.Txn) { t.ok(tx.Put(0, []byte(value), info)) })
}

func testValues(t *storeTest) {
	for _, name := range []string{"", "a", "\x00\xff"} {
		k := key(1, name)
		t.want(k, now, "", 0, 0)
		t.put(k, "value", exec.Info{ExpireAt: now + 5, Encoding: exec.EncodingRaw})
		t.want(k, now, "value", now+5, exec.EncodingRaw)
		t.want(key(0, name), now, "", 0, 0)
		t.put(k, "v", exec.Info{Encoding: exec.EncodingOwnInt})
		t.want(k, now, "v", 0, exec.EncodingOwnInt)
	}
	t.put(key(0, "empty"), "", exec.Info{})
	if info, err := t.s.Stat(key(0, "empty"), now); err != nil || !info.Exists {
		t.Errorf("an empty value: %+v %v", info, err)
	}
}

func testTransactions(t *storeTest) {
	a, b := key(0, "a"), key(0, "b")
	t.update(now, []exec.Key{a, b, a}, func(tx exec.Txn) {
		t.wantIn(tx, 0, "", 0, 0)
		t.ok(tx.Put(0, []byte("one"), exec.Info{}))
		t.wantIn(tx, 2, "one", 0, 0) // the same key
		t.ok(tx.Delete(2))
		t.wantIn(tx, 0, "", 0, 0)
		t.ok(tx.Put(0, []byte("old"), exec.Info{ExpireAt: now - 1}))
		t.wantIn(tx, 0, "", 0, 0)
		t.ok(tx.Put(2, []byte("two"), exec.Info{ExpireAt: now + 1}))
		t.ok(tx.Delete(1))
	})
	t.want(a, now, "two", now+1, 0)
	stop := errors.New("stop")
	err := t.s.Update([]exec.Key{a}, now, func(tx exec.Txn) error {
		t.ok(tx.Put(0, []byte("three"), exec.Info{}))
		return stop
	})
	if err != stop {
		t.Errorf("the error of the function: %v", err)
	}
	t.want(a, now, "two", now+1, 0)
	t.update(now, nil, func(exec.Txn) {})
	t.update(now, []exec.Key{a}, func(tx exec.Txn) { t.ok(tx.Delete(0)) })
	t.want(a, now, "", 0, 0)
}

func testOwning(t *storeTest) {
	a, b := key(0, "a"), key(0, "b")
	inside, leave, second := make(chan struct{}, 1), make(chan struct{}), make(chan error, 1)
	first := make(chan error, 1)
	go func() {
		first <- t.s.Update([]exec.Key{b, a}, now, func(tx exec.Txn) error {
			select {
			case inside <- struct{}{}:
			default:
			}
			<-leave
			return tx.Put(1, []byte("1"), exec.Info{})
		})
	}()
	<-inside
	go func() {
		second <- t.s.Update([]exec.Key{a, b}, now, func(tx exec.Txn) error {
			v, _, err := tx.Get(nil, 0)
			if err != nil {
				return err
			}
			return tx.Put(0, append(v, '2'), exec.Info{})
		})
	}()
	t.want(a, now, "", 0, 0) // reading does not wait
	select {
	case err := <-second:
		t.Errorf("two transactions have one key at a time (%v)", err)
	case <-time.After(50 * time.Millisecond):
	}
	close(leave)
	t.ok(<-first)
	t.ok(<-second)
	t.want(a, now, "12", 0, 0)
}

func testExpiry(t *storeTest) {
	k := key(0, "k")
	t.put(k, "v", exec.Info{ExpireAt: now})
	t.want(k, now, "v", now, 0)
	t.want(k, now+1, "", 0, 0)
	if _, ok, err := t.s.RandomKey(nil, 0, now+1); ok || err != nil {
		t.Errorf("RandomKey returns an expired key (%v)", err)
	}
	if got := t.scan(0, 10, now+1); len(got) > 0 {
		t.Errorf("Scan visits %q", got)
	}
	t.update(now+1, []exec.Key{k}, func(tx exec.Txn) { t.wantIn(tx, 0, "", 0, 0) })
}

// scan returns the names of a database, in order.
func (t *storeTest) scan(db, count int, now int64) (names []string) {
	for cursor, rounds := uint64(0), 0; ; rounds++ {
		var err error
		cursor, err = t.s.Scan(db, cursor, count, now, func(name []byte) error {
			names = append(names, string(name))
			return nil
		})
		t.ok(err)
		if cursor == 0 {
			break
		}
		if rounds > 10_000 {
			t.Fatal("Scan does not end")
		}
	}
	slices.Sort(names)
	return names
}

func testScan(t *storeTest) {
	var want []string
	for i := range 500 {
		name := fmt.Sprintf("key:%03d", i)
		want = append(want, name)
		t.put(key(1, name), "v", exec.Info{ExpireAt: now + 1})
	}
	for _, count := range []int{1, 7, 499, 500, 1000} {
		if got := t.scan(1, count, now); !slices.Equal(slices.Compact(got), want) {
			t.Errorf("count %d: %d names", count, len(got))
		}
	}
	if got := t.scan(0, 10, now); len(got) > 0 {
		t.Errorf("the other database: %q", got)
	}
	stop := errors.New("stop")
	if _, err := t.s.Scan(1, 0, 10, now, func([]byte) error { return stop }); err != stop {
		t.Errorf("the error of visit: %v", err)
	}
	keys, expiring, err := t.s.Len(1, now)
	if t.ok(err); keys != 500 || expiring != 500 {
		t.Errorf("Len: %d, %d", keys, expiring)
	}
	name, ok, err := t.s.RandomKey([]byte("<"), 1, now)
	if t.ok(err); !ok || !slices.Contains(want, string(name[1:])) {
		t.Errorf("RandomKey: %q", name)
	}
}

func testFlush(t *storeTest) {
	a, b := key(0, "a"), key(1, "b")
	t.put(a, "1", exec.Info{})
	t.put(b, "2", exec.Info{})
	t.ok(t.s.Flush([]int{0}))
	t.want(a, now, "", 0, 0)
	t.want(b, now, "2", 0, 0)
	t.put(a, "3", exec.Info{})
	t.want(a, now, "3", 0, 0)
	if n, _, _ := t.s.Len(0, now); n != 1 {
		t.Errorf("%d keys", n)
	}
	t.ok(t.s.Flush([]int{0, 1}))
	t.want(a, now, "", 0, 0)
	t.want(b, now, "", 0, 0)
}
