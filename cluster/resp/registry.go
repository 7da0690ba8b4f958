package resp

import (
	"net"
	"net/netip"
	"runtime"
	"slices"
	"sync"
)

// registry is the list of connections, and counts them for the limits.
type registry struct {
	maxPerAddr, maxUnauth int

	mu     sync.Mutex
	lastID int64
	conns  map[int64]*conn
	places []*conn // the same in no order; each knows its place
	byAddr map[string]int
	unauth int
}

// refusal says which limit a connection met.
type refusal uint8

const (
	welcome refusal = iota
	tooMany
	tooManyOfAddr
	tooManyUnauth
)

func (r *registry) init(maxPerAddr, maxUnauth int) {
	r.maxPerAddr, r.maxUnauth = maxPerAddr, maxUnauth
	r.conns = make(map[int64]*conn)
	r.byAddr = make(map[string]int)
}

// add enters a connection and numbers it.
func (r *registry) add(c *conn, maxClients int) refusal {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case len(r.conns) >= maxClients:
		return tooMany
	case c.host != "" && r.byAddr[c.host] >= r.maxPerAddr:
		return tooManyOfAddr
	case c.counted && r.unauth >= r.maxUnauth:
		return tooManyUnauth
	}
	r.lastID++
	c.id = r.lastID
	r.conns[c.id] = c
	c.place = len(r.places)
	r.places = append(r.places, c)
	if c.host != "" {
		r.byAddr[c.host]++
	}
	if c.counted {
		r.unauth++
	}
	return welcome
}

// authenticated notes whether a connection counts as one that has to log in.
func (r *registry) authenticated(c *conn, yes bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if c.counted == yes {
		c.counted = !yes
		if yes {
			r.unauth--
		} else {
			r.unauth++
		}
	}
}

func (r *registry) remove(c *conn) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.conns, c.id)
	last := len(r.places) - 1
	r.places[c.place] = r.places[last]
	r.places[c.place].place = c.place
	r.places[last] = nil
	r.places = r.places[:last]
	if c.counted {
		r.unauth--
	}
	if c.host == "" {
		return
	}
	if r.byAddr[c.host]--; r.byAddr[c.host] == 0 {
		delete(r.byAddr, c.host)
	}
}

func (r *registry) count() (all, unauth int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.conns), r.unauth
}

// each calls f for every connection. It must not block.
func (r *registry) each(f func(*conn)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range r.conns {
		f(c)
	}
}

// walk calls f for every connection, some at a time, and lets others run meanwhile. One
// may be left out when another is removed. f must not block.
func (r *registry) walk(f func(*conn)) {
	for at := 0; ; at += someConns {
		r.mu.Lock()
		rest := r.places[min(at, len(r.places)):]
		for _, c := range rest[:min(len(rest), someConns)] {
			f(c)
		}
		r.mu.Unlock()
		if len(rest) <= someConns {
			return
		}
		runtime.Gosched()
	}
}

// someConns are looked at in some 20 us.
const someConns = 128

// sorted returns the connections by their number.
func (r *registry) sorted() []*conn {
	var all []*conn
	r.each(func(c *conn) { all = append(all, c) })
	slices.SortFunc(all, func(a, b *conn) int { return int(a.id - b.id) })
	return all
}

// hostOf is what the limit for each address counts as one: an address of IPv4, or a /64
// of IPv6, of which whoever has one address has all. It is nothing for a connection that
// has neither.
func hostOf(a net.Addr) string {
	t, ok := a.(*net.TCPAddr)
	if !ok {
		return ""
	}
	ip, ok := netip.AddrFromSlice(t.IP)
	if !ok {
		return ""
	}
	ip = ip.Unmap()
	p, _ := ip.Prefix(min(ip.BitLen(), 64)) // fails for lengths that no address has
	return p.String()
}
