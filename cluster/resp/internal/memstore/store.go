package memstore

import (
	"cmp"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/ringwood-kv/ringwood/cluster/resp/exec"
)

// Store implements exec.Store.
type Store struct {
	// Commit, if it is set, is called before each commit with writes takes effect; its
	// error fails the commit. Write is called for each write in a transaction, and its
	// error is that of the write. Again runs each transaction twice, as a store may. All
	// three are set before the store is used.
	Commit func() error
	Write  func(exec.Key) error
	Again  bool

	commits atomic.Int64

	mu  sync.RWMutex // guards the databases and the records in them
	dbs []map[string]*record

	owned [stripes]sync.Mutex // a transaction owns keys by the stripe of their hash
}

const stripes = 256

type record struct {
	value []byte
	info  exec.Info
}

// New returns a store with a number of databases.
func New(dbs int) *Store {
	s := &Store{dbs: make([]map[string]*record, dbs)}
	for i := range s.dbs {
		s.dbs[i] = make(map[string]*record)
	}
	return s
}

// Commits returns the number of commits with writes.
func (s *Store) Commits() int64 { return s.commits.Load() }

// live reports whether a record is there at a time.
func (r *record) live(now int64) bool { return r != nil && live(r.info, now) }

func live(i exec.Info, now int64) bool {
	return i.Exists && (i.ExpireAt == 0 || now <= i.ExpireAt)
}

// Get implements exec.Store.
func (s *Store) Get(dst []byte, k exec.Key, now int64) ([]byte, exec.Info, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	r := s.dbs[k.DB][string(k.Name)]
	if !r.live(now) {
		return dst, exec.Info{}, nil
	}
	return append(dst, r.value...), r.info, nil
}

// Stat implements exec.Store.
func (s *Store) Stat(k exec.Key, now int64) (exec.Info, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if r := s.dbs[k.DB][string(k.Name)]; r.live(now) {
		return r.info, nil
	}
	return exec.Info{}, nil
}

// token is where a key stands in the order of a scan.
func token[K string | []byte](name K) uint64 {
	h := uint64(14695981039346656037)
	for i := range len(name) {
		h = (h ^ uint64(name[i])) * 1099511628211
	}
	return h ^ h>>32
}

// Scan implements exec.Store. The cursor is the token to go on with.
func (s *Store) Scan(db int, cursor uint64, count int, now int64, visit func([]byte) error) (uint64, error) {
	type entry struct {
		token uint64
		name  string
	}
	var rest []entry
	s.mu.RLock()
	for name, r := range s.dbs[db] {
		if t := token(name); t >= cursor && r.live(now) {
			rest = append(rest, entry{t, name})
		}
	}
	s.mu.RUnlock()
	slices.SortFunc(rest, func(a, b entry) int { return cmp.Compare(a.token, b.token) })
	for i, e := range rest {
		if i >= count && e.token != rest[i-1].token {
			return e.token, nil
		}
		if err := visit([]byte(e.name)); err != nil {
			return 0, err
		}
	}
	return 0, nil
}

// Len implements exec.Store.
func (s *Store) Len(db int, now int64) (keys, expiring int64, err error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, r := range s.dbs[db] {
		if r.live(now) {
			keys++
			if r.info.ExpireAt != 0 {
				expiring++
			}
		}
	}
	return keys, expiring, nil
}

// RandomKey implements exec.Store.
func (s *Store) RandomKey(dst []byte, db int, now int64) ([]byte, bool, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for name, r := range s.dbs[db] {
		if r.live(now) {
			return append(dst, name...), true, nil
		}
	}
	return dst, false, nil
}
