package httpnode

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/ringwood-kv/ringwood/cluster/access"
	"github.com/ringwood-kv/ringwood/cluster/httpapi"
	"github.com/ringwood-kv/ringwood/cluster/httpapi/wire"
	"github.com/ringwood-kv/ringwood/cluster/replica"
	"github.com/ringwood-kv/ringwood/cluster/vclock"
	"github.com/ringwood-kv/ringwood/lsm/vfs"
)

// Options of a Node. Keyring is needed.
type Options struct {
	// Keyring makes and opens context tokens.
	Keyring *vclock.Keyring
	// Clock is where the wall time comes from. Default time.Now.
	Clock func() time.Time
	// Keep is how long request ids are kept. Default DefaultKeep.
	Keep time.Duration
	// Checkpoints is the directory in which checkpoints are made; "" for none. FS is where
	// it is: that of the replica's engine, nil for the operating system's.
	Checkpoints string
	FS          vfs.FS
	// Bucket is what CreateBucket takes where nothing else is said.
	Bucket replica.BucketConfig
	// Logger takes what clients are not told. Nil for nothing.
	Logger *slog.Logger
}

// DefaultKeep is how long request ids are kept.
const DefaultKeep = wire.RequestIDLife

// Node serves a replica. It is safe for concurrent use.
type Node struct {
	r     *replica.Replica
	o     Options
	admin sync.Mutex // one change of buckets at a time
}

// New returns a Node on r, which stays the caller's.
func New(r *replica.Replica, o Options) (*Node, error) {
	if o.Keyring == nil {
		return nil, errors.New("httpnode: there is no Keyring")
	}
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if o.Keep <= 0 {
		o.Keep = DefaultKeep
	}
	if o.FS == nil {
		o.FS = vfs.OS
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return &Node{r: r, o: o}, nil
}

func (n *Node) wall() int64 { return n.o.Clock().UnixMilli() }

// bucket returns a bucket that clients may name.
func (n *Node) bucket(name string) (*replica.Bucket, error) {
	if !access.ValidName(name) {
		return nil, noBucket(name)
	}
	b, err := n.r.Bucket(name)
	if err != nil {
		return nil, noBucket(name)
	}
	return b, nil
}

func noBucket(name string) error {
	return wire.Errorf(wire.NoBucket, "there is no bucket %.64q", name).WithHint("GET /v1/buckets lists them, PUT /v1/buckets/NAME makes one")
}

// Read is that of httpapi.Store.
func (n *Node) Read(_ context.Context, bucket string, key []byte) (httpapi.Record, error) {
	b, err := n.bucket(bucket)
	if err != nil {
		return httpapi.Record{}, err
	}
	var o vclock.Object
	if _, err := n.r.Read(b, key, &o, nil); err != nil {
		return httpapi.Record{}, n.explain(err)
	}
	wall := n.wall()
	rec := httpapi.Record{Tag: tag(&o, wall)}
	if rec.Context, err = n.token(b, key, o.Context()); err != nil {
		return httpapi.Record{}, err
	}
	for _, s := range live(&o, wall) {
		v := httpapi.Value{Data: s.Value, Written: s.HLC.Millis(), Expiry: s.Expiry}
		if s.Expiry != 0 {
			v.TTL = s.Expiry - wall
		}
		rec.Values = append(rec.Values, v)
	}
	return rec, nil
}

// live returns the siblings that are values, the latest first.
func live(o *vclock.Object, wall int64) []*vclock.Sibling {
	all := make([]*vclock.Sibling, 0, len(o.Siblings))
	for i := range o.Siblings {
		if o.Siblings[i].Live(wall) {
			all = append(all, &o.Siblings[i])
		}
	}
	slices.SortFunc(all, func(a, b *vclock.Sibling) int {
		return cmp.Or(cmp.Compare(b.HLC, a.HLC), b.Dot.Compare(a.Dot))
	})
	return all
}

// tag names the set of live siblings: a hash of their dots, which are never used twice.
func tag(o *vclock.Object, wall int64) string {
	h, n := sha256.New(), 0
	var counter [8]byte
	for i := range o.Siblings { // ascending by dot
		if s := &o.Siblings[i]; s.Live(wall) {
			n++
			h.Write(s.Dot.Actor[:])
			binary.BigEndian.PutUint64(counter[:], s.Dot.Counter)
			h.Write(counter[:])
		}
	}
	if n == 0 {
		return ""
	}
	return hex.EncodeToString(h.Sum(nil)[:12])
}

// token returns a context as clients carry it. One that was read while the bucket was
// emptied names dots that no record has any more, which does nothing.
func (n *Node) token(b *replica.Bucket, key []byte, c vclock.Context) (string, error) {
	t, err := n.o.Keyring.Append(nil, uint64(b.ID()), key, c)
	if err != nil {
		return "", n.explain(err)
	}
	return string(t), nil
}

// scanRecords is how many records a step of Scan looks at.
const scanRecords = 512

// Scan is that of httpapi.Store. The cursor is the token of the key to go on with, in
// hexadecimal: it is a keyed hash, and tells nothing of the key.
func (n *Node) Scan(_ context.Context, bucket string, s httpapi.Scan, visit func(httpapi.Item) bool) (string, error) {
	b, err := n.bucket(bucket)
	if err != nil {
		return "", err
	}
	cursor := uint64(0)
	if s.Cursor != "" {
		cursor, err = strconv.ParseUint(s.Cursor, 16, 64)
		if err != nil || s.Cursor != cursorText(cursor) {
			return "", wire.Errorf(wire.BadCursor, "%.40q is no cursor", s.Cursor).WithHint("use the one from the last line of the page before, or none to begin")
		}
	}
	wall, stop := n.wall(), ""
	next, err := n.r.Scan(wall, b, cursor, replica.ScanOptions{Prefix: s.Prefix, Match: s.Match, Limit: scanRecords}, func(key []byte, it replica.Item) error {
		item := httpapi.Item{Key: key, Value: it.Value, Expiry: it.Expiry, Siblings: it.Siblings}
		if it.Expiry != 0 {
			item.TTL = it.Expiry - wall
		}
		if visit(item) {
			return nil
		}
		_, token := n.r.Locate(key)
		stop = cursorText(token)
		return errStop
	})
	switch {
	case errors.Is(err, errStop):
		return stop, nil
	case err != nil:
		return "", n.explain(err)
	case next == 0:
		return "", nil
	}
	return cursorText(next), nil
}

var errStop = errors.New("httpnode: the page is full")

func cursorText(token uint64) string { return fmt.Sprintf("%016x", token) }

// Flush, Compact and Checkpoint are those of httpapi.Upkeep.

// Flush writes what is in memory into tables.
func (n *Node) Flush(context.Context) error {
	if err := n.r.Engine().Flush(); err != nil {
		return n.explain(err)
	}
	return nil
}

// Compact merges all tables.
func (n *Node) Compact(ctx context.Context) error {
	if err := n.r.Engine().Compact(ctx, nil, nil); err != nil {
		return n.explain(err)
	}
	return nil
}

// Checkpoint makes a copy of the store in the directory of checkpoints.
func (n *Node) Checkpoint(_ context.Context, name string) (string, error) {
	if n.o.Checkpoints == "" {
		return "", wire.Errorf(wire.NotAvailable, "this server has no directory for checkpoints")
	}
	if !access.ValidName(name) { // or it could lead out of the directory
		return "", wire.Errorf(wire.BadRequest, "%.80q cannot be the name of a checkpoint", name)
	}
	n.admin.Lock()
	defer n.admin.Unlock()
	if err := n.o.FS.MkdirAll(n.o.Checkpoints); err != nil {
		return "", n.explain(err)
	}
	path := filepath.Join(n.o.Checkpoints, name)
	names, err := n.o.FS.List(n.o.Checkpoints)
	if err != nil {
		return "", n.explain(err)
	}
	if slices.Contains(names, name) {
		return "", wire.Errorf(wire.Exists, "there is a checkpoint %s already", name)
	}
	if err := n.r.Checkpoint(path); err != nil {
		return "", n.explain(err)
	}
	return path, nil
}
