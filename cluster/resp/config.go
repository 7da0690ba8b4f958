package resp

import (
	"math"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/ringwood-kv/ringwood/cluster/resp/internal/ascii"
	"github.com/ringwood-kv/ringwood/cluster/resp/internal/num"
	"github.com/ringwood-kv/ringwood/cluster/resp/internal/option"
	"github.com/ringwood-kv/ringwood/cluster/resp/wire"
)

// config is what CONFIG SET changes.
type config struct {
	timeout    atomic.Int64 // milliseconds without a request, 0 for no end
	maxClients atomic.Int64
	slower     atomic.Int64 // nanoseconds from which a command is slow; negative: none is
}

// Tuning is what can be changed while the server runs, also by CONFIG SET. The fields are
// those of Options, their zeros included.
type Tuning struct {
	IdleTimeout   time.Duration
	MaxClients    int
	SlowThreshold time.Duration
}

// Tune changes it. Connections that there are stay, whatever their number.
func (s *Server) Tune(t Tuning) {
	o := Options{IdleTimeout: t.IdleTimeout, MaxClients: t.MaxClients, SlowThreshold: t.SlowThreshold}
	o.setDefaults()
	s.config.init(&o)
}

func (c *config) init(o *Options) {
	c.timeout.Store(o.IdleTimeout.Milliseconds())
	c.maxClients.Store(int64(o.MaxClients))
	c.slower.Store(int64(o.SlowThreshold))
}

// param is a parameter of CONFIG. Without a setter it can be set to what it is, which
// scripts do.
type param struct {
	name string
	get  func(*Server) string
	set  func(*Server, int64)
	low  int64 // bounds of set
	high int64
	not  func(*Server, int64) string // nil, or why set cannot do it; "" if it can
}

func fixed(name, value string) param {
	return param{name: name, get: func(*Server) string { return value }}
}

// params are what clients ask for, by name. The values say what this server does in
// the words of Redis: it evicts nothing and has no snapshots, and its log is its own.
var params = []param{
	fixed("appendfsync", "everysec"),
	fixed("appendonly", "no"),
	fixed("bind", ""),
	fixed("cluster-enabled", "no"),
	{name: "databases", get: func(s *Server) string { return strconv.Itoa(s.opts.Databases) }},
	fixed("io-threads", "1"),
	fixed("lua-time-limit", "5000"),
	{
		name: "maxclients", low: 1, high: math.MaxInt32,
		get: func(s *Server) string { return strconv.FormatInt(s.config.maxClients.Load(), 10) },
		set: func(s *Server, n int64) { s.config.maxClients.Store(n) },
		not: tooManyFiles,
	},
	fixed("maxmemory", "0"),
	fixed("maxmemory-policy", "noeviction"),
	fixed("notify-keyspace-events", ""),
	{name: "proto-max-bulk-len", get: func(s *Server) string { return strconv.Itoa(s.opts.MaxValue) }},
	fixed("requirepass", ""),
	fixed("save", ""),
	{
		name: "slowlog-log-slower-than", low: -1, high: math.MaxInt64 / 1000,
		get: func(s *Server) string {
			n := s.config.slower.Load()
			if n < 0 {
				return "-1"
			}
			return strconv.FormatInt(n/1000, 10)
		},
		set: func(s *Server, n int64) { s.config.slower.Store(n * 1000) },
	},
	{
		name: "timeout", low: 0, high: math.MaxInt32,
		get: func(s *Server) string { return strconv.FormatInt(s.config.timeout.Load()/1000, 10) },
		set: func(s *Server, n int64) { s.config.timeout.Store(n * time.Second.Milliseconds()) },
	},
}

func paramNames() []string {
	var names []string
	for _, p := range params {
		names = append(names, p.name)
	}
	return names
}

func configGet(c *conn, args [][]byte) error {
	found, err := option.MatchConfig(args, paramNames())
	if err != nil {
		return err
	}
	c.w.Map(len(found))
	for _, f := range found {
		c.w.BulkString(f.Name)
		c.w.BulkString(params[f.Index].get(c.srv))
	}
	return nil
}

// configSet changes all the parameters or none.
func configSet(c *conn, args [][]byte) error {
	if len(args)%2 != 0 {
		return wire.ErrSyntax
	}
	type change struct {
		p     *param
		value int64
	}
	var changes []change
	for i := 2; i < len(args); i += 2 {
		p := findParam(args[i])
		if p == nil {
			return wire.Error("ERR Unknown option or number of arguments for CONFIG SET - '" + string(args[i]) + "'")
		}
		for _, before := range changes {
			if before.p == p {
				return errConfig(args[i], "duplicate parameter")
			}
		}
		if p.set == nil {
			if string(args[i+1]) != p.get(c.srv) {
				return errConfig(args[i], "can't set immutable config")
			}
			changes = append(changes, change{p: p})
			continue
		}
		n, ok := num.ParseInt(args[i+1])
		if !ok {
			return errConfig(args[i], "argument couldn't be parsed into an integer")
		}
		if n < p.low || n > p.high {
			return errConfig(args[i], "argument must be between "+strconv.FormatInt(p.low, 10)+" and "+strconv.FormatInt(p.high, 10)+" inclusive")
		}
		changes = append(changes, change{p, n})
	}
	for _, ch := range changes {
		if ch.p.not == nil {
			continue
		}
		if why := ch.p.not(c.srv, ch.value); why != "" {
			return errConfig([]byte(ch.p.name), why)
		}
	}
	for _, ch := range changes {
		if ch.p.set != nil {
			ch.p.set(c.srv, ch.value)
		}
	}
	c.w.OK()
	return nil
}

// tooManyFiles says, in the words of Redis, that there are not so many files to be opened.
func tooManyFiles(s *Server, n int64) string {
	if most := s.opts.MostClients; most > 0 && n > int64(most) {
		return "The operating system is not able to handle the specified number of clients, try with " + strconv.Itoa(most)
	}
	return ""
}

func findParam(name []byte) *param {
	for i := range params {
		if ascii.EqualFold(name, params[i].name) {
			return &params[i]
		}
	}
	return nil
}

func errConfig(name []byte, why string) error {
	return wire.Error("ERR CONFIG SET failed (possibly related to argument '" + string(name) + "') - " + why)
}

func configResetStat(c *conn, _ [][]byte) error {
	c.srv.base.reset(c.srv.Metrics())
	c.w.OK()
	return nil
}
