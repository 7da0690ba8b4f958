package respstore

import (
	"errors"
	"math"
	"sync"
	"sync/atomic"

	"github.com/ringwood-kv/ringwood/cluster/replica"
	"github.com/ringwood-kv/ringwood/cluster/resp/exec"
	"github.com/ringwood-kv/ringwood/cluster/resp/wire"
)

// Options of a Store.
type Options struct {
	// Databases is the bucket of each database, 1 to Count of them, all different.
	Databases []string
	// Bucket configures the buckets that the first write to a database makes.
	Bucket replica.BucketConfig
	// Random draws what RANDOMKEY begins with. It is safe for concurrent use.
	Random func() uint64
	// Touched, if not nil, is called for each key that is read or written, before that
	// is certain to succeed. It returns at once and does not keep the key.
	Touched func(bucket string, key []byte, write bool)
	// Failed, if not nil, is called with each error of the replica of which clients are
	// told the kind only, and with damage.
	Failed func(error)
}

// Store implements exec.Store. It is safe for concurrent use.
type Store struct {
	r       *replica.Replica
	opts    Options
	buckets []atomic.Pointer[replica.Bucket] // nil: not looked for yet, or not there
	making  sync.Mutex
	txns    sync.Pool // of *txn
	buffers sync.Pool // of *[]byte, for Stat
	hints   sync.Pool // of *[]replica.Ref
}

var (
	_ exec.Store      = (*Store)(nil)
	_ exec.Prefetcher = (*Store)(nil)
)

// New returns a store on r.
func New(r *replica.Replica, o Options) *Store {
	s := &Store{r: r, opts: o, buckets: make([]atomic.Pointer[replica.Bucket], len(o.Databases))}
	s.txns.New = func() any { return s.newTxn() }
	s.buffers.New = func() any { return new([]byte) }
	s.hints.New = func() any { return new([]replica.Ref) }
	return s
}

// maxTries is how often something is tried whose bucket was dropped meanwhile.
const maxTries = 32

// keptBytes bounds the buffers that are kept.
const keptBytes = 64 << 10

// find returns the bucket of a database, nil if there is none.
func (s *Store) find(db int) (*replica.Bucket, error) {
	if db < 0 || db >= len(s.buckets) {
		return nil, wire.ErrDBRange
	}
	if b := s.buckets[db].Load(); b != nil {
		return b, nil
	}
	b, err := s.r.Bucket(s.opts.Databases[db])
	if errors.Is(err, replica.ErrNoBucket) {
		return nil, nil
	}
	if err == nil {
		s.buckets[db].Store(b)
	}
	return b, err
}

// dropped reports whether err says that the bucket is gone: then it is looked for again.
func (s *Store) dropped(db int, b *replica.Bucket, err error) bool {
	if !errors.Is(err, replica.ErrNoBucket) {
		return false
	}
	s.buckets[db].CompareAndSwap(b, nil)
	return true
}

// make makes the bucket of a database, if it is not there.
func (s *Store) make(db int) error {
	s.making.Lock()
	defer s.making.Unlock()
	if b, err := s.find(db); b != nil || err != nil {
		return err
	}
	_, err := s.r.CreateBucket(s.opts.Databases[db], s.opts.Bucket)
	if errors.Is(err, replica.ErrBucketExists) {
		return nil
	}
	return err
}

func (s *Store) touched(b *replica.Bucket, key []byte, write bool) {
	if f := s.opts.Touched; f != nil {
		f(b.Name(), key, write)
	}
}

// Get implements exec.Store.
func (s *Store) Get(dst []byte, k exec.Key, now int64) ([]byte, exec.Info, error) {
	for try := 1; ; try++ {
		b, err := s.find(k.DB)
		if b == nil {
			return dst, exec.Info{}, err
		}
		s.touched(b, k.Name, false)
		it, buf, err := s.r.Get(now, b, k.Name, dst)
		switch {
		case err == nil && it.Found():
			// What the replica needs besides lies in front of the value.
			return append(buf[:len(dst)], it.Value...), infoOf(&it), nil
		case err == nil:
			return buf[:len(dst)], exec.Info{}, nil
		case s.dropped(k.DB, b, err) && try < maxTries:
		default:
			return dst, exec.Info{}, s.told(err)
		}
	}
}

// Prefetch implements exec.Prefetcher.
func (s *Store) Prefetch(keys []exec.Key) {
	refs := s.hints.Get().(*[]replica.Ref)
	for _, k := range keys {
		if b, _ := s.find(k.DB); b != nil {
			*refs = append(*refs, replica.Ref{Bucket: b, Key: k.Name})
		}
	}
	s.r.Prefetch(*refs)
	clear(*refs)
	*refs = (*refs)[:0]
	s.hints.Put(refs)
}

// Stat implements exec.Store.
func (s *Store) Stat(k exec.Key, now int64) (exec.Info, error) {
	buf := s.buffers.Get().(*[]byte)
	b, info, err := s.Get((*buf)[:0], k, now)
	if cap(b) <= keptBytes {
		*buf = b
	}
	s.buffers.Put(buf)
	return info, err
}

// Flush implements exec.Store.
func (s *Store) Flush(dbs []int) error {
	for try := 1; ; try++ {
		var buckets []*replica.Bucket
		for _, db := range dbs {
			b, err := s.find(db)
			if err != nil {
				return err
			}
			if b != nil {
				buckets = append(buckets, b)
			}
		}
		if len(buckets) == 0 {
			return nil
		}
		err := s.r.FlushBuckets(buckets...)
		if !errors.Is(err, replica.ErrNoBucket) || try == maxTries {
			return s.told(err)
		}
		s.forget()
	}
}

// forget makes all buckets be looked for again.
func (s *Store) forget() {
	for i := range s.buckets {
		s.buckets[i].Store(nil)
	}
}

// Scan implements exec.Store. The cursor is the token to go on with.
func (s *Store) Scan(db int, cursor uint64, count int, now int64, visit func(name []byte) error) (uint64, error) {
	for try := 1; ; try++ {
		b, err := s.find(db)
		if b == nil {
			return 0, err
		}
		var refused error
		next, err := s.r.Scan(now, b, cursor, replica.ScanOptions{Limit: count}, func(key []byte, _ replica.Item) error {
			refused = visit(key)
			return refused
		})
		switch {
		case refused != nil:
			return 0, refused
		case err == nil:
			return next, nil
		case s.dropped(db, b, err) && try < maxTries:
		default:
			return 0, s.told(err)
		}
	}
}

// Len implements exec.Store. Expired keys count until the replica has swept them.
func (s *Store) Len(db int, _ int64) (keys, expiring int64, err error) {
	b, err := s.find(db)
	if b == nil {
		return 0, 0, err
	}
	n := b.Stats()
	return n.Keys, n.Expiring, nil
}

// RandomKey implements exec.Store.
func (s *Store) RandomKey(dst []byte, db int, now int64) ([]byte, bool, error) {
	for try := 1; ; try++ {
		b, err := s.find(db)
		if b == nil {
			return dst, false, err
		}
		name, ok, err := s.r.RandomKey(now, b, s.opts.Random(), dst)
		switch {
		case err == nil:
			return name, ok, nil
		case s.dropped(db, b, err) && try < maxTries:
		default:
			return dst, false, s.told(err)
		}
	}
}

// Write.Type: the encoding, and that the expiry is that of Redis itself.
const (
	typeEncoding = 1<<2 - 1
	typeLast     = 1 << 2
)

// infoOf is what is kept beside a value that is there.
func infoOf(it *replica.Item) exec.Info {
	i := exec.Info{Exists: true, Encoding: exec.Encoding(it.Type & typeEncoding), Len: len(it.Value), ExpireAt: it.Expiry}
	if it.Expiry != 0 && it.Type&typeLast == 0 {
		i.ExpireAt--
	}
	return i
}

// writeOf is a value with what is kept beside it. ExpireAt is not negative.
func writeOf(value []byte, info exec.Info) replica.Write {
	w := replica.Write{Value: value, Type: uint8(info.Encoding) & typeEncoding}
	switch info.ExpireAt {
	case 0:
	case math.MaxInt64:
		w.Expiry, w.Type = info.ExpireAt, w.Type|typeLast
	default:
		w.Expiry = info.ExpireAt + 1
	}
	return w
}
