package cluster

import (
	"context"
	"errors"
	"io/fs"
	"time"

	"github.com/ringwood-kv/ringwood/cluster/access"
	"github.com/ringwood-kv/ringwood/cluster/httpapi"
	"github.com/ringwood-kv/ringwood/cluster/httpapi/wire"
	"github.com/ringwood-kv/ringwood/cluster/internal/httpnode"
)

// APIOptions is what the HTTP API of a node needs beside the node.
type APIOptions struct {
	// Settings are the first ones; httpapi.API.Apply changes them.
	Settings httpapi.Settings
	// Config answers what the node was configured with, without secrets. Nil: the API does
	// not tell.
	Config func(context.Context) (wire.Config, error)
	// Numbers are the metrics of the node by name, for the status. Nil for none.
	Numbers func() map[string]float64
	// Observe is told of each request that was answered, and does not block. Nil for
	// nobody.
	Observe func(httpapi.Observation)
}

// NewAPI returns the handler of all that is below /v1/ for a node that Open has opened.
// Options.Handler calls it, and puts beside it what else there is over HTTP, behind
// httpapi.API.Guard. The error says which setting does not fit.
func (n *Node) NewAPI(o APIOptions) (*httpapi.API, error) {
	checkpoints := ""
	if n.opts.FS == nil {
		checkpoints = n.CheckpointDir()
	}
	store, err := httpnode.New(n.replica, httpnode.Options{Keyring: n.keyring, Bucket: n.opts.Bucket, Clock: n.opts.Clock, Checkpoints: checkpoints, FS: n.opts.FS, Logger: n.log})
	if err != nil {
		return nil, err
	}
	return httpapi.New(httpapi.Options{
		Store: store, Upkeep: apiUpkeep{n}, Users: apiUsers{n},
		Access: &httpapi.Access{Door: n.door, Policy: n.Policy, Open: n.opts.Insecure},
		Status: func(context.Context) (wire.Status, error) { return n.apiStatus(o.Numbers), nil },
		Config: o.Config,
		SlowLog: func(context.Context) (wire.SlowLog, error) {
			return wire.SlowLog{Requests: slowRequests(n.SlowLog(n.opts.SlowEntries))}, nil
		},
		Top: func(context.Context) (wire.Top, error) {
			return wire.Top{Seconds: wire.SecondsOf(apiHotSpan), Keys: wireHotKeys(n.HotKeys(apiHotKeys))}, nil
		},
		Observe: func(x httpapi.Observation) {
			n.observe(&x)
			if o.Observe != nil {
				o.Observe(x)
			}
		},
		Logger: n.log, Clock: n.opts.Clock, Settings: o.Settings,
	})
}

const (
	// apiHotKeys is how many hot keys the API shows.
	apiHotKeys = 100
	// apiHotSpan is over how long their counts are: they are halved each agePause, so that
	// a steady use adds up to two of them.
	apiHotSpan = 2 * agePause
)

// observe notes a request for the slow log and the hot keys.
func (n *Node) observe(x *httpapi.Observation) {
	if x.Keys > 0 && (x.Reads || x.Writes) && len(x.Key) > 0 {
		n.hot.Note(x.Bucket, x.Key, x.Writes)
	}
	if threshold := n.slowThreshold.Load(); threshold <= 0 || int64(x.Took) < threshold {
		return
	}
	if x.Code == wire.Unauthorized || x.Code == wire.TooManyLogins {
		return // strangers would fill the log: a password takes its time, wrong or right
	}
	n.NoteSlow(Slow{
		Time: x.Time, Took: x.Took, Protocol: "http", Command: x.Method + " " + x.Route, Bytes: int(x.BytesIn), Keys: x.Keys,
		Bucket: x.Bucket, Key: string(x.Key), Client: x.Addr.String(), User: x.User,
	})
}

func (n *Node) apiStatus(numbers func() map[string]float64) wire.Status {
	m := n.Metrics()
	s := wire.Status{Version: m.Version, Started: m.Started, Ready: len(m.Ready) == 0}
	s.Cluster, s.Node = n.Identity()
	for _, r := range m.Ready {
		s.Reasons = append(s.Reasons, r.Code+": "+r.Text)
	}
	for _, r := range m.Live {
		s.Warnings = append(s.Warnings, r.Code+": "+r.Text)
	}
	for _, l := range m.Insecure {
		s.Warnings = append(s.Warnings, "insecure: whoever reaches the address for "+l+" may read and change everything, or listen to those who do")
	}
	s.Warnings = append(s.Warnings, n.expiring(n.now())...)
	if m.Upkeep.Bad > 0 || m.Engine.Corruptions > 0 {
		s.Warnings = append(s.Warnings, "damage: the log names what is damaged; kvctl check looks at all files")
	}
	if numbers != nil {
		s.Metrics = numbers()
	}
	return s
}

func slowRequests(all []Slow) []wire.SlowRequest {
	out := make([]wire.SlowRequest, len(all))
	for i := range all {
		s := &all[i]
		out[i] = wire.SlowRequest{
			Time: s.Time.UTC(), Took: wire.SecondsOf(s.Took), Protocol: s.Protocol, Request: s.Command, Bucket: s.Bucket,
			Keys: s.Keys, Bytes: int64(s.Bytes), User: s.User, Addr: s.Client,
		}
		if s.Bucket != "" && s.Keys > 0 {
			key := wire.KeyOf([]byte(s.Key))
			out[i].Key = &key
		}
	}
	return out
}

func wireHotKeys(all []HotKey) []wire.HotKey {
	out := make([]wire.HotKey, len(all))
	for i, k := range all {
		out[i] = wire.HotKey{Bucket: k.Bucket, Key: wire.KeyOf([]byte(k.Key)), Reads: int64(k.Uses - min(k.Writes, k.Uses)), Writes: int64(k.Writes)}
	}
	return out
}

// apiUsers keeps the users for the API, which judges who may change them.
type apiUsers struct{ n *Node }

func (u apiUsers) State() access.State { return u.n.Users() }

func (u apiUsers) Change(_ context.Context, change func(access.State) (access.State, error)) error {
	u.n.users.mu.Lock()
	defer u.n.users.mu.Unlock()
	before := u.n.Users()
	after, err := change(before)
	if err == nil {
		err = u.n.keepUsers(before, after)
	}
	if errors.Is(err, ErrUnsafe) {
		return wire.Errorf(wire.LastAdmin, "without users, everybody could do everything: other machines reach this server").
			WithHint("let it listen on 127.0.0.1 first")
	}
	if err == nil && after.Seq() != before.Seq() {
		u.n.endSessions()
	}
	return err
}

// apiUpkeep is the maintenance behind /v1/admin.
type apiUpkeep struct{ n *Node }

func (u apiUpkeep) Flush(context.Context) error       { return u.n.Flush() }
func (u apiUpkeep) Compact(ctx context.Context) error { return u.n.Compact(ctx) }

func (u apiUpkeep) Checkpoint(_ context.Context, name string) (string, error) {
	path, err := u.n.Checkpoint(name)
	if errors.Is(err, fs.ErrExist) {
		return "", wire.Errorf(wire.Exists, "there is a checkpoint %s already", name)
	}
	return path, err
}

// slowFrom is a threshold as SlowThreshold says it, in nanoseconds; 0 for never.
func slowFrom(d time.Duration) int64 { return int64(max(d, 0)) }
