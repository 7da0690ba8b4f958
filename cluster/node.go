package cluster

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ringwood-kv/ringwood/cluster/access"
	"github.com/ringwood-kv/ringwood/cluster/internal/hotkeys"
	"github.com/ringwood-kv/ringwood/cluster/internal/respaccess"
	"github.com/ringwood-kv/ringwood/cluster/internal/respstore"
	"github.com/ringwood-kv/ringwood/cluster/replica"
	"github.com/ringwood-kv/ringwood/cluster/resp"
	"github.com/ringwood-kv/ringwood/cluster/vclock"
	"github.com/ringwood-kv/ringwood/lsm"
)

// Node is a node that runs. Its methods are safe for concurrent use. See the package
// comment.
type Node struct {
	opts    Options
	log     *slog.Logger
	started time.Time
	ctx     context.Context // ends when the node does
	cancel  context.CancelFunc
	phase   atomic.Int32

	replica   *replica.Replica
	store     *respstore.Store
	databases []string // the bucket of each
	keyring   *vclock.Keyring
	opened    openedStats

	users  users
	hasher *access.Hasher
	door   *access.Door
	slow   *slowLog
	hot    *hotkeys.Sketch
	coarse atomic.Int64 // the time in nanoseconds, some tenth of a second old at most
	born   time.Time    // by the clock of the process, which nobody sets
	beat   atomic.Int64 // nanoseconds after born: the last round of upkeep
	// slowThreshold is Options.SlowThreshold as Tune has left it, for HTTP; 0 never.
	slowThreshold atomic.Int64
	trouble       trouble
	upkeep        upkeep

	respCerts, httpCerts *certificates
	respListen           net.Listener // nil: nobody listens
	httpListen           *limitListener
	resp                 *resp.Server
	http                 *http.Server
	handler              atomic.Pointer[http.Handler]
	failed               chan error     // of listeners
	goroutines           sync.WaitGroup // of the node itself

	closing   sync.Once
	closed    chan struct{}
	storeErr  error // of closing the store
	clientErr error // of waiting for clients
}

// rowCacheShare of the engine's memory is for its row cache: a server's clients read, and
// write after a read, what they did just before.
const rowCacheShare = 8

// The phases of a node, in their order.
const (
	phaseOpening int32 = iota
	phaseOpen
	phaseServing
	phaseStopping
	phaseClosed
)

// openedStats is what Open found.
type openedStats struct {
	replica.Opened
	replayed int64 // bytes of log
	dropped  int64 // bytes beyond a torn end
	took     time.Duration
}

// Open opens the store in o.Dir, or makes one, and binds the addresses. Serve then
// answers clients; until it is called they wait. HTTP is answered from the start, so that
// probes see that the node is alive and not ready.
//
// Ctx ends the waiting for what may take long, which is hashing the first password; it
// does not interrupt the replay of a log. The error is ErrOptions or ErrUnsafe, and says
// what to do; that of a listener; or that of replica.Open.
func Open(ctx context.Context, o Options) (*Node, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	n := &Node{
		opts: o, log: o.Logger, started: o.Clock(), slow: newSlowLog(o.SlowEntries),
		hot:    hotkeys.New(hotkeys.Options{Random: rand.Uint32}),
		failed: make(chan error, 2), closed: make(chan struct{}), born: time.Now(),
	}
	n.ctx, n.cancel = context.WithCancel(context.Background())
	n.coarse.Store(n.started.UnixNano())
	n.slowThreshold.Store(slowFrom(o.SlowThreshold))
	if err := n.open(ctx); err != nil {
		return nil, errors.Join(err, n.abandon())
	}
	n.beat.Store(int64(time.Since(n.born)))
	n.phase.Store(phaseOpen)
	n.startUpkeep()
	return n, nil
}

// open does all that may fail.
func (n *Node) open(ctx context.Context) error {
	if err := n.listen(); err != nil {
		return err
	}
	n.serveHTTP() // that the node is opening
	if err := n.openReplica(); err != nil {
		return err
	}
	if err := n.openMeta(); err != nil {
		return err
	}
	if err := n.openUsers(ctx); err != nil {
		return err
	}
	n.openRESP()
	if n.http != nil {
		h := n.opts.Handler(n)
		n.handler.Store(&h)
	}
	return nil
}

// abandon gives back what a failed Open has taken.
func (n *Node) abandon() error {
	n.cancel()
	var errs []error
	if n.http != nil {
		_ = n.http.Close()
	}
	for _, l := range []net.Listener{n.respListen, n.httpListener()} {
		if l != nil {
			_ = l.Close()
		}
	}
	if n.resp != nil {
		errs = append(errs, n.resp.Close())
	}
	n.goroutines.Wait()
	if n.replica != nil {
		errs = append(errs, n.replica.Close())
	}
	return errors.Join(errs...)
}

func (n *Node) openReplica() error {
	o := &replica.Options{
		Engine: lsm.Options{Memory: n.opts.Memory, RowCache: n.opts.Memory / rowCacheShare, MaxOpenFiles: n.opts.OpenFiles, FS: n.opts.FS, Clock: n.opts.Clock, Logger: n.log, Events: n.engineEvent},
		Random: n.opts.Random,
		Create: replica.Creation{Partitions: n.opts.Partitions, Bucket: n.opts.Bucket},
	}
	r, err := replica.Open(n.opts.Dir, n.wall(), o)
	switch {
	case errors.Is(err, lsm.ErrLocked):
		return fmt.Errorf("cluster: another process has the store open: stop it first, or name another directory: %w", err)
	case errors.Is(err, lsm.ErrNoSpace):
		return fmt.Errorf("cluster: the store cannot be opened while its disk is full: make room first: %w", err)
	case err != nil:
		return fmt.Errorf("cluster: %w", err)
	}
	n.replica = r
	n.opened.Opened, n.opened.took = r.Opened(), n.now().Sub(n.started)
	n.log.Info("store opened", "dir", n.opts.Dir, "created", n.opened.Created, "clean", n.opened.Clean, "took", n.opened.took,
		"replayed", n.opened.replayed, "dropped", n.opened.dropped)
	if why := n.opened.NewActor; why != "" {
		n.log.Warn("the store goes on as a new incarnation", "why", why)
	}
	first, err := r.Bucket(replica.FirstBucket)
	if err == nil && first.Config().Durability != n.opts.Bucket.Durability {
		n.log.Warn("the bucket keeps the durability that it has: it is changed by changing the bucket", "bucket", first.Name(),
			"durability", first.Config().Durability.String(), "asked for", n.opts.Bucket.Durability.String())
	}
	return nil
}

// Names of what the node keeps beside its data.
const (
	metaDatabases = "databases"
	metaTokenKeys = "token-keys"
	metaUsers     = "users"
)

// openMeta reads what was decided when the store was made, or decides it.
func (n *Node) openMeta() error {
	b, found, err := n.replica.ReadMeta(metaDatabases)
	if err != nil {
		return err
	}
	if found {
		if n.databases, err = respstore.Decode(b); err != nil {
			return fmt.Errorf("cluster: %w", err)
		}
	} else {
		n.databases = respstore.Default()
		if err := n.replica.WriteMeta(metaDatabases, respstore.Encode(n.databases)); err != nil {
			return err
		}
	}
	keys, found, err := n.replica.ReadMeta(metaTokenKeys)
	if err != nil {
		return err
	}
	if !found {
		keys = make([]byte, vclock.MinTokenKey)
		if _, err := io.ReadFull(n.opts.Random, keys); err != nil {
			return fmt.Errorf("cluster: no random bytes: %w", err)
		}
		if err := n.replica.WriteMeta(metaTokenKeys, keys); err != nil {
			return err
		}
	}
	if n.keyring, err = vclock.NewKeyring(keys); err != nil {
		return fmt.Errorf("cluster: the key of context tokens: %w", err)
	}
	return nil
}

// openRESP makes the server for Redis clients.
func (n *Node) openRESP() {
	l, t := &n.opts.Limits, &n.opts.Timeouts
	n.store = respstore.New(n.replica, respstore.Options{
		Databases: n.databases, Bucket: n.opts.Bucket, Random: rand.Uint64, Touched: n.hot.Note, Failed: n.storeFailed,
	})
	o := resp.Options{
		Databases: len(n.databases),
		MaxKey:    l.Key, MaxValue: l.Value, MaxArgs: l.Args, MaxRequest: l.Request, MaxTransaction: l.Transaction,
		MaxClients: l.Connections, MostClients: l.MostConnections, MaxClientsPerAddr: l.PerAddress, MaxUnauthenticated: l.Unauthenticated,
		IdleTimeout: t.Idle, AuthTimeout: t.Login, RequestTimeout: t.Read, WriteTimeout: t.Write,
		MaxOutput: l.Output, MaxMemory: l.Inflight, GroupCommands: l.Pipeline,
		Access: respaccess.New(respaccess.Options{
			Policy: n.Policy, Exists: n.users.exists, Door: n.door, Open: n.anonymous, Databases: n.databases,
			Context: n.ctx, LoginTimeout: loginWait, Clock: n.coarseNow,
		}),
		SlowThreshold: n.opts.SlowThreshold,
		Logger:        n.log, Clock: n.opts.Clock, Version: n.opts.Version, Info: n.infoSections,
		RunID: fmt.Sprintf("%016x%016x%08x", rand.Uint64(), rand.Uint64(), rand.Uint32()),
	}
	if n.opts.SlowThreshold > 0 {
		o.Slow = n.slowCommand
	}
	n.resp = resp.New(n.store, o)
}

// listen binds the addresses, so that one that is taken shows before the store is opened.
func (n *Node) listen() (err error) {
	if n.respCerts, err = newCertificates("RESP", n.opts.RESP.TLS); err != nil {
		return err
	}
	if n.httpCerts, err = newCertificates("HTTP", n.opts.HTTP.TLS, "h2", "http/1.1"); err != nil {
		return err
	}
	bind := func(what, addr string) (net.Listener, error) {
		l, err := net.Listen("tcp", addr)
		if err != nil {
			return nil, fmt.Errorf("cluster: the address for %s cannot be listened on; name another one, or end who has it: %w", what, err)
		}
		return l, nil
	}
	if addr := n.opts.RESP.Addr; addr != "" {
		if n.respListen, err = bind("RESP", addr); err != nil {
			return err
		}
	}
	if addr := n.opts.HTTP.Addr; addr != "" {
		l, err := bind("HTTP", addr)
		if err != nil {
			return err
		}
		n.httpListen = newLimitListener(l, &n.opts.Limits, n.opts.Timeouts.Login, n.needsNoLogin)
	}
	return nil
}

// tlsListener speaks TLS if there are certificates.
func tlsListener(l net.Listener, c *certificates) net.Listener {
	if c == nil {
		return l
	}
	return tls.NewListener(l, c.server())
}

// now is the time, and wall the same in milliseconds since the Unix epoch.
func (n *Node) now() time.Time { return n.opts.Clock() }
func (n *Node) wall() int64    { return n.opts.Clock().UnixMilli() }

// coarseNow is the time of the last round of upkeep: it costs nothing.
func (n *Node) coarseNow() time.Time { return time.Unix(0, n.coarse.Load()) }

// seed draws what a process has for itself.
func (n *Node) seed() (b [16]byte, err error) {
	if _, err := io.ReadFull(n.opts.Random, b[:]); err != nil {
		return b, fmt.Errorf("cluster: no random bytes: %w", err)
	}
	return b, nil
}

// RESPAddr returns the address that Redis clients connect to, nil if there is none.
func (n *Node) RESPAddr() net.Addr {
	if n.respListen == nil {
		return nil
	}
	return n.respListen.Addr()
}

// HTTPAddr returns the address that HTTP clients connect to, nil if there is none.
func (n *Node) HTTPAddr() net.Addr {
	if n.httpListen == nil {
		return nil
	}
	return n.httpListen.Addr()
}

func (n *Node) httpListener() net.Listener {
	if n.httpListen == nil {
		return nil
	}
	return n.httpListen
}

// Replica returns the data, for other protocols. Whoever uses it asks Policy first, and
// lets NoteKey know.
func (n *Node) Replica() *replica.Replica { return n.replica }

// Keyring makes and opens the context tokens of the cluster.
func (n *Node) Keyring() *vclock.Keyring { return n.keyring }

// Databases returns the bucket of each database of RESP. It never changes.
func (n *Node) Databases() []string { return append([]string(nil), n.databases...) }

// Options returns what the node runs with, defaults filled in.
func (n *Node) Options() Options { return n.opts }

// Logger returns where the node logs.
func (n *Node) Logger() *slog.Logger { return n.log }

// Now returns the time by the node's clock.
func (n *Node) Now() time.Time { return n.now() }

// NoteKey counts a use of a key by another protocol than RESP, for HotKeys. It does not
// keep the key.
func (n *Node) NoteKey(bucket string, key []byte, write bool) { n.hot.Note(bucket, key, write) }

// HotKeys returns up to limit keys that are used most, as far as a sample tells: see
// HotKey. Names of keys are data: whoever shows them to somebody asks for scan of each.
func (n *Node) HotKeys(limit int) []HotKey { return n.hot.Top(limit) }

// HotKey is a key that is used much. Its counts are estimates, in uses; those of long ago
// count less.
type HotKey = hotkeys.Key

// Identity names the cluster and the node, as hexadecimal numbers.
func (n *Node) Identity() (cluster, node string) {
	c, me := n.replica.Cluster(), n.replica.Node()
	return fmt.Sprintf("%x", c[:]), fmt.Sprintf("%x", me[:])
}
