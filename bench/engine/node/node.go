package node

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/ringwood-kv/ringwood/bench/engine"
	"github.com/ringwood-kv/ringwood/cluster/client"
	"github.com/ringwood-kv/ringwood/cluster/httpapi/wire"
)

// FirstBucket is the one that a node makes itself: database 0 over RESP.
const FirstBucket = "available"

// Limits of keys and values that no node goes beyond.
const (
	maxKey   = 60 << 10
	maxValue = 128 << 20
)

const (
	defaultTimeout = 10 * time.Second
	// clearTimeout is how long a node may take to empty the bucket.
	clearTimeout = 10 * time.Minute
)

// errUnordered is what iterators of a node come to.
var errUnordered = errors.New("a node keeps its keys in no order: there is nothing to seek or to scan in")

// Kind returns a bucket of a node as a kind of engine. The URL is http:// or https://, with
// a host, a port and the name of the bucket.
func Kind(r engine.Remote) engine.Kind {
	return engine.Kind{
		Name: r.Name, Help: r.URL, Server: true,
		Limits: engine.Limits{Key: maxKey, Value: maxValue},
		Open:   func(c engine.Config) (engine.Engine, error) { return open(r, c) },
	}
}

// store is the engine: a bucket. It is an engine.Server.
type store struct {
	client   *client.Client
	bucket   *client.Bucket
	timeout  time.Duration
	identity engine.Identity
}

func open(r engine.Remote, c engine.Config) (engine.Engine, error) {
	u, err := url.Parse(r.URL)
	if err != nil {
		return nil, fmt.Errorf("the target %q has no valid URL", r.Name)
	}
	if r.Timeout == 0 {
		r.Timeout = defaultTimeout
	}
	o := client.Options{
		Addresses: []string{u.Scheme + "://" + u.Host}, User: u.User.Username(), Password: r.Password,
		Plaintext: true, // the URL says so
		TLS:       &tls.Config{RootCAs: r.Roots, MinVersion: tls.VersionTLS13},
		Retries:   -1, Timeout: -1, MaxConnections: max(c.Connections, 1),
	}
	if o.User == "" && o.Password != "" {
		o.Token, o.Password = o.Password, ""
	}
	node, err := client.New(o)
	if err != nil {
		return nil, err
	}
	s := &store{client: node, bucket: node.Bucket(strings.Trim(u.Path, "/")), timeout: r.Timeout}
	s.identity = engine.Identity{Address: r.URL, Name: "ringwood", Database: s.bucket.Name()}
	if err := s.identify(); err != nil {
		return nil, errors.Join(fmt.Errorf("connect to %s: %w", r.URL, err), s.Close())
	}
	return s, nil
}

// within calls a function with a context of a length.
func within[T any](d time.Duration, do func(ctx context.Context) (T, error)) (T, error) {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	defer cancel()
	return do(ctx)
}

// refused reports whether a node has answered that it does not tell.
func refused(err error) bool {
	return errors.Is(err, client.ErrForbidden) || errors.Is(err, wire.NotAvailable)
}

// identify asks the node who it is, as far as it tells.
func (s *store) identify() error {
	info, err := within(s.timeout, s.bucket.Info)
	if errors.Is(err, client.ErrNoBucket) {
		return fmt.Errorf("there is no bucket %s: kvctl buckets create %[1]s makes it", s.bucket.Name())
	}
	if err != nil {
		return err
	}
	settings := []string{}
	if d := info.Durability; d != nil {
		settings = append(settings, "durability "+*d)
	}
	status, err := within(s.timeout, s.client.Status)
	switch {
	case err == nil:
		s.identity.Version, s.identity.Run = status.Version, status.Node
		if memory, ok := status.Metrics["ringwood_lsm_memory_budget_bytes"]; ok {
			settings = append(settings, fmt.Sprintf("memory %d MiB", int64(memory)>>20))
		}
	case !refused(err):
		return err
	}
	s.identity.Settings = strings.Join(settings, ", ")
	return nil
}

func (s *store) Put(key, value []byte) error {
	ctx, cancel := context.WithTimeout(context.Background(), s.timeout)
	defer cancel()
	_, err := s.bucket.Put(ctx, key, value)
	return err
}

func (s *store) AppendGet(dst, key []byte) ([]byte, error) {
	ctx, cancel := context.WithTimeout(context.Background(), s.timeout)
	defer cancel()
	e, err := s.bucket.Get(ctx, key)
	switch {
	case errors.Is(err, client.ErrNotFound):
		return dst, engine.ErrNotFound
	case err != nil:
		return dst, err
	}
	return append(dst, e.Value...), nil
}

func (s *store) Delete(key []byte) error {
	ctx, cancel := context.WithTimeout(context.Background(), s.timeout)
	defer cancel()
	_, err := s.bucket.Delete(ctx, key)
	return err
}

// batch collects writes. A client.Op copies its arguments.
type batch struct {
	s   *store
	ops []client.Op
}

func (s *store) NewBatch() engine.Batch { return &batch{s: s} }

func (b *batch) Put(key, value []byte) error {
	b.ops = append(b.ops, client.PutOp(key, value))
	return nil
}

func (b *batch) Delete(key []byte) error {
	b.ops = append(b.ops, client.DeleteOp(key))
	return nil
}

func (b *batch) Commit() error {
	if len(b.ops) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), b.s.timeout)
	defer cancel()
	results, err := b.s.bucket.Batch(ctx, client.Batch{Ops: b.ops, Atomic: true})
	clear(b.ops)
	b.ops = b.ops[:0]
	if err != nil {
		return err
	}
	if i := slices.IndexFunc(results, func(r client.OpResult) bool { return r.Err != nil }); i >= 0 {
		return results[i].Err
	}
	return nil
}

func (b *batch) Close() error { return nil }

func (s *store) NewIter(_, _ []byte) (engine.Iter, error) { return nil, errUnordered }

// Sync does nothing: what an answer promises is the bucket's own business.
func (s *store) Sync() error { return nil }

// Check does nothing: HTTP tells which answer belongs to which call.
func (s *store) Check() error { return nil }

func (s *store) Identity() engine.Identity { return s.identity }

func (s *store) Keys() (int64, error) {
	info, err := within(s.timeout, s.bucket.Info)
	switch {
	case err != nil:
		return 0, err
	case info.Keys == nil:
		return 0, fmt.Errorf("the node does not tell how many keys %s has: log in as a user who may scan all of it", s.bucket.Name())
	}
	return *info.Keys, nil
}

func (s *store) Clear() error {
	_, err := within(clearTimeout, func(ctx context.Context) (struct{}, error) { return struct{}{}, s.bucket.Empty(ctx) })
	return err
}

func (s *store) Close() error { return s.client.Close() }

// numbers are the metrics of a node by name, nil if it does not tell them.
func (s *store) numbers(ctx context.Context) (map[string]float64, error) {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	status, err := s.client.Status(ctx)
	if refused(err) {
		return nil, nil
	}
	return status.Metrics, err
}

// Stats has nothing but the metrics as a text.
func (s *store) Stats() engine.Stats {
	m, err := s.numbers(context.Background())
	if err != nil {
		return engine.Stats{}
	}
	var lines []string
	for name, v := range m {
		lines = append(lines, fmt.Sprintf("%s %v\n", name, v))
	}
	slices.Sort(lines)
	return engine.Stats{Text: strings.Join(lines, "")}
}

func (s *store) Usage() (u engine.Usage, err error) {
	m, err := s.numbers(context.Background())
	if cpu, ok := m["process_cpu_seconds_total"]; ok {
		d := time.Duration(cpu * float64(time.Second))
		u.Both = &d
	}
	if memory, ok := m["process_resident_memory_bytes"]; ok {
		n := int64(memory)
		u.Resident = &n
	}
	return u, err
}

const (
	restTick  = 30 * time.Millisecond
	restTimes = 3 // ticks in a row
	// restLimit is how long a node may go on working after the last write.
	restLimit = 30 * time.Minute
)

// Settle waits until the node rewrites no tables, and keeps nothing of dropped keys.
func (s *store) Settle(ctx context.Context) (rested time.Duration, err error) {
	start := time.Now()
	return engine.Rest(ctx, restTick, restTimes, func() (bool, error) {
		m, err := s.numbers(ctx)
		running, ok := m["ringwood_lsm_compactions_running"]
		switch {
		case err != nil:
			return false, err
		case !ok:
			return false, engine.ErrUntold
		case time.Since(start) > restLimit:
			return false, fmt.Errorf("the node did not come to rest in %v", restLimit)
		}
		return running+m["ringwood_lsm_sealed_memtables"]+m["ringwood_dropped_buckets_pending"] == 0, nil
	})
}
