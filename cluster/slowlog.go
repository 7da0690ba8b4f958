package cluster

import (
	"strings"
	"sync"
	"time"

	"github.com/ringwood-kv/ringwood/cluster/resp"
)

// Slow is a request that took long. It has no values and no arguments but the first key,
// which is data: whoever shows it to somebody asks for permission (scan of that key).
type Slow struct {
	ID       uint64 // ascending
	Time     time.Time
	Took     time.Duration // without the wait for a commit, over RESP
	Protocol string        // resp, http
	Command  string
	Args     int    // their number
	Bytes    int    // of all of them
	Keys     int    // how many of them are keys
	Bucket   string // of Key; empty where there is none
	Key      string // at most 128 bytes of it
	Client   string // address
	User     string
}

// slowLog remembers the last slow requests. It is safe for concurrent use.
type slowLog struct {
	mu   sync.Mutex
	ring []Slow
	next int    // where the next one goes
	last uint64 // ID
}

func newSlowLog(entries int) *slowLog { return &slowLog{ring: make([]Slow, 0, entries)} }

func (l *slowLog) add(s Slow) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.last++
	s.ID = l.last
	if len(l.ring) < cap(l.ring) {
		l.ring = append(l.ring, s)
		return
	}
	l.ring[l.next] = s
	l.next = (l.next + 1) % len(l.ring)
}

// list returns up to n, the latest first.
func (l *slowLog) list(n int) []Slow {
	l.mu.Lock()
	defer l.mu.Unlock()
	var all []Slow
	for i := range min(max(n, 0), len(l.ring)) {
		all = append(all, l.ring[(l.next+2*len(l.ring)-1-i)%len(l.ring)])
	}
	return all
}

func (l *slowLog) reset() {
	l.mu.Lock()
	defer l.mu.Unlock()
	clear(l.ring)
	l.ring, l.next = l.ring[:0], 0
}

func (l *slowLog) total() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.last
}

// maxSlowKey is what a Slow has of a key, and of a command that a client made up, in bytes.
const maxSlowKey = 128

// NoteSlow remembers a request that another protocol than RESP has served. Its ID is
// given here.
func (n *Node) NoteSlow(s Slow) {
	s.Key = strings.Clone(s.Key[:min(len(s.Key), maxSlowKey)])
	s.Command = strings.Clone(s.Command[:min(len(s.Command), maxSlowKey)])
	n.slow.add(s)
}

// SlowLog returns up to limit slow requests, the latest first.
func (n *Node) SlowLog(limit int) []Slow { return n.slow.list(limit) }

// ResetSlowLog forgets the slow requests.
func (n *Node) ResetSlowLog() { n.slow.reset() }

// slowCommand is the hook of the RESP server.
func (n *Node) slowCommand(s resp.SlowCommand) {
	entry := Slow{
		Time: s.Time, Took: s.Took, Protocol: "resp", Command: s.Command.Name, Args: s.Args, Bytes: s.Bytes,
		Keys: s.Keys, Key: s.Key, Client: s.Addr, User: s.User,
	}
	if s.Keys > 0 && s.DB >= 0 && s.DB < len(n.databases) {
		entry.Bucket = n.databases[s.DB]
	}
	n.slow.add(entry)
}
