package memstore

import (
	"slices"
	"sync"

	"github.com/ringwood-kv/ringwood/cluster/resp/exec"
)

// txn keeps its writes in order. Its Get and Stat see them.
type txn struct {
	s       *Store
	now     int64
	keys    []exec.Key
	stripes []int
	ops     []op
	held    int
}

// op is a write: of nothing for a deletion.
type op struct {
	key   int
	value []byte
	info  exec.Info
}

var txns = sync.Pool{New: func() any { return new(txn) }}

func stripe(k exec.Key) int { return int((token(k.Name) + uint64(k.DB)) % stripes) }

// Update implements exec.Store. It takes the stripes in their order, so that two
// transactions cannot wait for each other.
func (s *Store) Update(keys []exec.Key, now int64, f func(exec.Txn) error) error {
	t := txns.Get().(*txn)
	defer txns.Put(t)
	t.s, t.now, t.keys = s, now, keys
	for _, k := range keys {
		t.stripes = append(t.stripes, stripe(k))
	}
	slices.Sort(t.stripes)
	t.stripes = slices.Compact(t.stripes)
	for _, i := range t.stripes {
		s.owned[i].Lock()
	}
	defer t.end()
	runs := 1
	if s.Again {
		runs = 2
	}
	for range runs {
		t.ops, t.held = t.ops[:0], 0
		if err := f(t); err != nil {
			return err
		}
	}
	return t.commit()
}

func (t *txn) end() {
	for _, i := range t.stripes {
		t.s.owned[i].Unlock()
	}
	clear(t.ops)
	t.keys, t.stripes, t.ops = nil, t.stripes[:0], t.ops[:0]
}

// find returns the last write of a key, nil if there is none.
func (t *txn) find(i int) *op {
	k := t.keys[i]
	for j := len(t.ops) - 1; j >= 0; j-- {
		if o := t.keys[t.ops[j].key]; o.DB == k.DB && string(o.Name) == string(k.Name) {
			return &t.ops[j]
		}
	}
	return nil
}

func (t *txn) Get(dst []byte, i int) ([]byte, exec.Info, error) {
	o := t.find(i)
	switch {
	case o == nil:
		v, info, err := t.s.Get(dst, t.keys[i], t.now)
		t.held += info.Len
		return v, info, err
	case !live(o.info, t.now):
		return dst, exec.Info{}, nil
	}
	return append(dst, o.value...), o.info, nil
}

func (t *txn) Stat(i int) (exec.Info, error) {
	o := t.find(i)
	switch {
	case o == nil:
		info, err := t.s.Stat(t.keys[i], t.now)
		t.held += info.Len
		return info, err
	case !live(o.info, t.now):
		return exec.Info{}, nil
	}
	return o.info, nil
}

func (t *txn) Put(i int, value []byte, info exec.Info) error {
	info.Exists, info.Len = true, len(value)
	return t.write(op{i, value, info})
}

func (t *txn) Delete(i int) error { return t.write(op{key: i}) }

// Held counts what was read, as if it were kept, and twice if it was read twice.
func (t *txn) Held() int { return t.held }

// Forget takes what was read once of a key that was not written off what is held.
func (t *txn) Forget(i int) {
	if t.find(i) != nil {
		return
	}
	if info, err := t.s.Stat(t.keys[i], t.now); err == nil {
		t.held -= info.Len
	}
}

func (t *txn) write(o op) error {
	if f := t.s.Write; f != nil {
		if err := f(t.keys[o.key]); err != nil {
			return err
		}
	}
	if info, err := t.s.Stat(t.keys[o.key], t.now); err == nil {
		t.held += info.Len
	}
	t.ops = append(t.ops, o)
	return nil
}

// commit applies the writes at one moment.
func (t *txn) commit() error {
	if len(t.ops) == 0 {
		return nil
	}
	s := t.s
	if s.Commit != nil {
		if err := s.Commit(); err != nil {
			return err
		}
	}
	s.commits.Add(1)
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range t.ops {
		o := &t.ops[i]
		k := t.keys[o.key]
		db := s.dbs[k.DB]
		if !o.info.Exists {
			delete(db, string(k.Name))
			continue
		}
		r := db[string(k.Name)]
		if r == nil {
			r = new(record)
			db[string(k.Name)] = r
		}
		r.value, r.info = append(r.value[:0], o.value...), o.info
	}
	return nil
}

// Flush implements exec.Store.
func (s *Store) Flush(dbs []int) error {
	for i := range s.owned {
		s.owned[i].Lock()
		defer s.owned[i].Unlock()
	}
	if s.Commit != nil {
		if err := s.Commit(); err != nil {
			return err
		}
	}
	s.commits.Add(1)
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, db := range dbs {
		clear(s.dbs[db])
	}
	return nil
}
