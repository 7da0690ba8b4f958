package respstore

import (
	"errors"

	"github.com/ringwood-kv/ringwood/cluster/replica"
	"github.com/ringwood-kv/ringwood/cluster/resp/exec"
	"github.com/ringwood-kv/ringwood/cluster/resp/wire"
)

// txn is a transaction in the hands of the executor.
type txn struct {
	s    *Store
	now  int64
	keys []exec.Key
	refs []replica.Ref // of the keys whose buckets are there
	// slots is the index among refs of each key, -1 where there is no bucket.
	slots []int32

	f     func(exec.Txn) error
	body  func(*replica.Tx) error // run, made once
	tx    *replica.Tx
	err   error // of f
	lacks bool  // a write to a bucket that is not there
}

// errBody says that the function of the transaction returned an error, and errLacks that
// it wrote to a database without a bucket.
var (
	errBody  = errors.New("respstore: the function of a transaction failed")
	errLacks = errors.New("respstore: the bucket has to be made first")
)

// keptKeys bounds the memory of a transaction that is kept for the next one.
const keptKeys = 1024

func (s *Store) newTxn() *txn {
	t := &txn{s: s}
	t.body = t.run
	return t
}

// Update implements exec.Store.
func (s *Store) Update(keys []exec.Key, now int64, f func(exec.Txn) error) error {
	t := s.txns.Get().(*txn)
	defer t.end()
	t.now, t.keys, t.f = now, keys, f
	for try := 1; ; try++ {
		if err := t.prepare(); err != nil {
			return err
		}
		err := s.r.Update(now, t.refs, t.body)
		switch {
		case err == nil:
			return nil
		case errors.Is(err, errLacks) && try < maxTries:
			if err := t.make(); err != nil {
				return s.told(err)
			}
		case errors.Is(err, errBody):
			return t.err
		case errors.Is(err, replica.ErrNoBucket) && try < maxTries:
			s.forget()
		default:
			return s.told(err)
		}
	}
}

// prepare names the keys as the replica does.
func (t *txn) prepare() error {
	t.refs, t.slots = t.refs[:0], t.slots[:0]
	for _, k := range t.keys {
		b, err := t.s.find(k.DB)
		if err != nil {
			return err
		}
		if b == nil {
			t.slots = append(t.slots, -1)
			continue
		}
		t.slots = append(t.slots, int32(len(t.refs)))
		t.refs = append(t.refs, replica.Ref{Bucket: b, Key: k.Name})
	}
	return nil
}

// make makes the buckets that the transaction lacks.
func (t *txn) make() error {
	for i, slot := range t.slots {
		if slot < 0 {
			if err := t.s.make(t.keys[i].DB); err != nil {
				return err
			}
		}
	}
	return nil
}

// run is the function of the replica's transaction. It may run several times.
func (t *txn) run(tx *replica.Tx) error {
	t.tx, t.lacks = tx, false
	t.err = t.f(t)
	switch {
	case t.lacks:
		return errLacks
	case t.err != nil:
		return errBody
	}
	return nil
}

func (t *txn) end() {
	s := t.s
	clear(t.refs)
	t.keys, t.f, t.tx, t.err = nil, nil, nil, nil
	if cap(t.refs) <= keptKeys && cap(t.slots) <= keptKeys {
		s.txns.Put(t)
	}
}

// at returns the index of a key for the replica, -1 if it has no bucket.
func (t *txn) at(i int, write bool) int {
	slot := int(t.slots[i])
	if slot >= 0 {
		t.s.touched(t.refs[slot].Bucket, t.keys[i].Name, write)
	}
	return slot
}

func (t *txn) Get(dst []byte, i int) ([]byte, exec.Info, error) {
	it, info, err := t.item(i)
	if err != nil || !info.Exists {
		return dst, exec.Info{}, err
	}
	return append(dst, it.Value...), info, nil
}

func (t *txn) Stat(i int) (exec.Info, error) {
	_, info, err := t.item(i)
	return info, err
}

func (t *txn) item(i int) (it replica.Item, info exec.Info, err error) {
	slot := t.at(i, false)
	if slot < 0 { // what was written there is missing: then this run does not count
		return it, info, nil
	}
	if it, err = t.tx.Get(slot); err != nil {
		return it, info, t.s.told(err)
	}
	if it.Found() {
		info = infoOf(&it)
	}
	return it, info, nil
}

func (t *txn) Put(i int, value []byte, info exec.Info) error {
	if info.ExpireAt != 0 && info.ExpireAt < t.now {
		return t.Delete(i)
	}
	slot := t.at(i, true)
	if slot < 0 {
		t.lacks = true // the function runs again when there is a bucket
		return nil
	}
	err := t.tx.Put(slot, writeOf(value, info))
	if errors.Is(err, replica.ErrTooLarge) {
		return wire.ErrTooLong
	}
	return t.s.told(err)
}

// Held implements exec.Txn.
func (t *txn) Held() int { return t.tx.Held() }

// Forget implements exec.Txn.
func (t *txn) Forget(i int) {
	if slot := t.slots[i]; slot >= 0 {
		t.tx.Forget(int(slot))
	}
}

func (t *txn) Delete(i int) error {
	slot := t.at(i, true)
	if slot < 0 {
		return nil
	}
	_, err := t.tx.Delete(slot, nil)
	return t.s.told(err)
}
