package cluster

import (
	"fmt"
	"strings"
	"time"

	"github.com/ringwood-kv/ringwood/cluster/replica"
	"github.com/ringwood-kv/ringwood/cluster/resp"
	"github.com/ringwood-kv/ringwood/lsm"
)

// Metrics is a picture of a node, as plain numbers for whoever publishes them. Counts are
// since Open, sizes are in bytes. It is not of one moment.
type Metrics struct {
	Version string
	Started time.Time
	Uptime  time.Duration

	Ready, Live []Reason // why not; nothing if it is
	// Insecure names the listeners that others reach without TLS or users, because
	// Options.Insecure says so.
	Insecure []string
	// RESPCertificate and HTTPCertificate are when the certificates end; zero without TLS.
	RESPCertificate, HTTPCertificate time.Time

	Engine  *lsm.Metrics
	Replica replica.Stats
	Buckets []BucketMetrics // by name
	RESP    resp.Metrics
	HTTP    ConnectionMetrics

	Users, Roles int
	SlowRequests uint64 // of all protocols, as SlowLog has them

	Opened OpenMetrics
	Upkeep UpkeepMetrics

	BackgroundErrors uint64 // of the engine
	Corruptions      uint64 // that the engine has met
	StoreFailures    uint64 // requests over RESP that failed for want of space, a failed sync and the like
	Damaged          uint64 // requests over RESP that met damage, of files or records

	// ClockAhead is how far the timestamps of writes are ahead of the wall clock: up to some
	// seconds after an unclean end, more if that clock was wrong or was set back.
	ClockAhead time.Duration
}

// BucketMetrics tells about a bucket.
type BucketMetrics struct {
	Name     string
	Database int // of RESP, -1 for none
	Config   replica.BucketConfig
	replica.BucketStats
}

// ConnectionMetrics counts the connections of a listener.
type ConnectionMetrics struct {
	Open               int // now
	Unauthenticated    int // of them, have still to log in
	Accepted, Rejected uint64
}

// OpenMetrics tells what Open has found.
type OpenMetrics struct {
	Created  bool
	Clean    bool   // the store had been closed in order
	NewActor string // why the store goes on as a new incarnation, empty if it does not
	Replayed int64  // bytes of log
	Dropped  int64  // bytes of log behind a torn end, which were not acknowledged as synced
	Took     time.Duration
}

// UpkeepMetrics tells what the node does by itself.
type UpkeepMetrics struct {
	Errors   uint64
	Verified int64     // records and index entries, in all walks
	Walks    uint64    // over everything, whole
	Bad      int64     // records of the last walk, or of the one under way, that make no sense
	LastWalk time.Time // when it ended; zero if none has
}

// Metrics returns a picture of the node.
func (n *Node) Metrics() *Metrics {
	users := n.Users()
	m := &Metrics{
		Version: n.opts.Version, Started: n.started, Uptime: n.now().Sub(n.started),
		Ready: n.Ready(), Live: n.Live(), Insecure: n.exposed(),
		RESPCertificate: n.respCerts.expiry(), HTTPCertificate: n.httpCerts.expiry(),
		Engine: n.replica.Engine().Metrics(), Replica: n.replica.Stats(), Buckets: n.buckets(), RESP: n.resp.Metrics(),
		Users: len(users.Users()), Roles: len(users.Roles()), SlowRequests: n.slow.total(),
		Opened: OpenMetrics{
			Created: n.opened.Created, Clean: n.opened.Clean, NewActor: n.opened.NewActor,
			Replayed: n.opened.replayed, Dropped: n.opened.dropped, Took: n.opened.took,
		},
		BackgroundErrors: n.trouble.background.Load(), Corruptions: n.trouble.corruptions.Load(), StoreFailures: n.trouble.failures.Load(),
		Damaged: n.trouble.damaged.Load(), ClockAhead: n.replica.Clock().Ahead(n.wall()),
	}
	if n.httpListen != nil {
		m.HTTP = n.httpListen.metrics()
	}
	u := &n.upkeep
	m.Upkeep = UpkeepMetrics{Errors: u.errors.Load(), Verified: u.verified.Load(), Walks: u.walks.Load(), Bad: u.bad.Load()}
	if t := u.lastWalk.Load(); t != 0 {
		m.Upkeep.LastWalk = time.UnixMilli(t)
	}
	return m
}

func (n *Node) buckets() []BucketMetrics {
	var all []BucketMetrics
	for _, b := range n.replica.Buckets() {
		m := BucketMetrics{Name: b.Name(), Database: -1, Config: b.Config(), BucketStats: b.Stats()}
		for db, name := range n.databases {
			if name == m.Name {
				m.Database = db
			}
		}
		all = append(all, m)
	}
	return all
}

// Connections returns how many connections of clients there are, over RESP and HTTP.
func (n *Node) Connections() int {
	all := n.resp.Connections()
	if n.httpListen != nil {
		all += n.httpListen.metrics().Open
	}
	return all
}

// Clients describes the connections over RESP.
func (n *Node) Clients() []resp.ClientInfo { return n.resp.Clients() }

// KillClients closes the connections over RESP for which match is true, and returns their
// number.
func (n *Node) KillClients(match func(resp.ClientInfo) bool) int { return n.resp.Kill(match) }

// infoSections adds to INFO what is ours.
func (n *Node) infoSections() []resp.Section {
	e, s := n.replica.Engine().Metrics(), n.replica.Stats()
	cluster, node := n.Identity()
	buckets, durabilities := make([]string, len(n.databases)), make([]string, len(n.databases))
	for db, name := range n.databases {
		config := n.opts.Bucket // with which the first write makes it
		if b, err := n.replica.Bucket(name); err == nil {
			config = b.Config()
		}
		buckets[db], durabilities[db] = name, strings.ToLower(config.Durability.String())
	}
	ready := "yes"
	if reasons := n.Ready(); len(reasons) > 0 {
		ready = reasons[0].Code
	}
	return []resp.Section{
		{Name: "Server", Fields: []resp.Field{{Name: "ringwood_node_id", Value: node}, {Name: "ringwood_cluster_id", Value: cluster}}},
		{Name: "Stats", Fields: []resp.Field{{Name: "expired_keys", Value: fmt.Sprint(s.Swept)}, {Name: "ringwood_conflicts", Value: fmt.Sprint(s.Conflicts)}}},
		{Name: "Ringwood", Fields: []resp.Field{
			{Name: "ready", Value: ready},
			{Name: "databases", Value: strings.Join(buckets, ",")},
			{Name: "durabilities", Value: strings.Join(durabilities, ",")},
			{Name: "engine_memory", Value: fmt.Sprint(e.Memory.Total)},
			{Name: "engine_memory_budget", Value: fmt.Sprint(e.Memory.Budget)},
			{Name: "disk_bytes", Value: fmt.Sprint(e.TableBytes() + e.Blobs.Bytes)},
			{Name: "log_syncs", Value: fmt.Sprint(e.LogSyncs)},
			{Name: "write_amplification", Value: fmt.Sprintf("%.2f", e.WriteAmplification())},
			{Name: "compaction_debt", Value: fmt.Sprint(e.CompactionDebt)},
		}},
	}
}
