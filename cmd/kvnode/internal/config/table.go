package config

import (
	"time"

	"github.com/ringwood-kv/ringwood/lsm"
)

// The chapters of the help.
const (
	storage     = "Storage"
	listening   = "Listening"
	security    = "Security"
	clustering  = "Cluster"
	limits      = "Limits"
	timeouts    = "Timeouts"
	diagnostics = "Diagnostics"
)

// setting is a line of the table. Bind points its value into a Config.
type setting struct {
	name   string
	group  string
	def    string // the default, as text
	reload bool   // takes effect without a restart
	secret bool
	help   string // a sentence without its dot
	bind   func(c *Config) value
}

const (
	kib = 1 << 10
	mib = 1 << 20
	gib = 1 << 30
	pib = 1 << 50
)

// table returns all settings, in the order of help and Print.
func table() []setting {
	return []setting{
		{name: "data-dir", group: storage, def: "kvnode-data",
			help: "directory of the store, with nothing else in it; made if there is none, readable for nobody else",
			bind: func(c *Config) value { return &pathValue{p: &c.DataDir} }},
		{name: "memory", group: storage, def: "256MiB",
			help: "memory of the engine: write buffers, block cache, filters and indexes",
			bind: func(c *Config) value { return &sizeValue{&c.Memory, 8 * mib, pib} }},
		{name: "durability", group: storage, def: "sync",
			help: "what a write has survived when it is acknowledged, where the bucket does not say: sync, a power cut; os, the death of the process; none, nothing",
			bind: func(c *Config) value {
				return &enumValue[lsm.Durability]{&c.Durability, []string{"sync", "os", "none"}, []lsm.Durability{lsm.Sync, lsm.OS, lsm.None}}
			}},

		{name: "resp-addr", group: listening, def: "127.0.0.1:6379",
			help: "address for Redis clients; empty for none",
			bind: func(c *Config) value { return &addrValue{p: &c.RESPAddr} }},
		{name: "http-addr", group: listening, def: "127.0.0.1:8379",
			help: "address for HTTP: the API under /v1, /metrics, /healthz and /readyz; empty for none",
			bind: func(c *Config) value { return &addrValue{p: &c.HTTPAddr} }},
		{name: "http-allowed-hosts", group: listening, reload: true,
			help: "names by which HTTP clients may call this server, beside localhost and the host of --http-addr; others are refused, so that no web page can reach it under a name of its own",
			bind: func(c *Config) value { return &listValue{&c.AllowedHosts, checkHost} }},
		{name: "http-allowed-origins", group: listening, reload: true,
			help: "origins of web pages that may use the HTTP API, like https://admin.example.com",
			bind: func(c *Config) value { return &listValue{&c.AllowedOrigins, checkOrigin} }},

		{name: "insecure", group: security, def: "false",
			help: "listen on addresses that other machines reach without TLS and without users: whoever reaches them reads and changes everything",
			bind: func(c *Config) value { return &boolValue{&c.Insecure} }},
		tlsFile("resp-tls-cert-file", security, "certificate for Redis clients, with those between it and the root, in PEM", func(c *Config) *string { return &c.RESP.Cert }),
		tlsFile("resp-tls-key-file", security, "private key of that certificate, in PEM, readable for nobody else", func(c *Config) *string { return &c.RESP.Key }),
		tlsFile("resp-tls-client-ca-file", security, "certificates of which one must have signed that of a Redis client, in PEM; users log in all the same", func(c *Config) *string { return &c.RESP.CA }),
		tlsFile("http-tls-cert-file", security, "certificate for HTTP clients, with those between it and the root, in PEM", func(c *Config) *string { return &c.HTTP.Cert }),
		tlsFile("http-tls-key-file", security, "private key of that certificate, in PEM, readable for nobody else", func(c *Config) *string { return &c.HTTP.Key }),
		tlsFile("http-tls-client-ca-file", security, "certificates of which one must have signed that of an HTTP client, in PEM; users log in all the same", func(c *Config) *string { return &c.HTTP.CA }),
		{name: "admin-password", group: security, secret: true,
			help: "password of the user admin, who is made at the start if there are no users yet",
			bind: func(c *Config) value { return &secretValue{&c.AdminPassword} }},
		{name: "admin-password-file", group: security,
			help: "file with the password of the user admin, who is made at the start if there are no users yet; nothing else is in it, and nobody else may read it",
			bind: func(c *Config) value { return &pathValue{p: &c.AdminPasswordFile, optional: true} }},
		{name: "admin-reset", group: security, def: "false",
			help: "make the user admin anew at the start, with that password and all rights, also where there are users: for one start, when nobody can log in any more",
			bind: func(c *Config) value { return &boolValue{&c.AdminReset} }},
		{name: "max-login-memory", group: security, def: "64MiB",
			help: "memory for checking passwords, about 19 MiB for each at a time; further logins wait",
			bind: func(c *Config) value { return &sizeValue{&c.MaxLoginMemory, 8 * mib, gib} }},

		{name: "cluster-addr", group: clustering,
			help: "address for the other nodes of a cluster; this version listens on none",
			bind: func(c *Config) value { return &addrValue{p: &c.ClusterAddr} }},
		{name: "join", group: clustering,
			help: "cluster addresses of nodes to join; this version is a ring of one, and takes none but its own",
			bind: func(c *Config) value { return &listValue{&c.Join, checkPeer} }},
		{name: "bootstrap-expect", group: clustering, def: "1",
			help: "number of nodes that form a new cluster together; this version takes 1",
			bind: func(c *Config) value { return &intValue{&c.BootstrapExpect, 1, 1000} }},

		limit("max-key-size", "32KiB", 1, 60*kib, "longest key", func(c *Config) *int64 { return &c.MaxKeySize }),
		limit("max-value-size", "16MiB", 1, 128*mib, "longest value", func(c *Config) *int64 { return &c.MaxValueSize }),
		limit("max-request-size", "64MiB", kib, gib, "largest request: all arguments of a command, or the body over HTTP", func(c *Config) *int64 { return &c.MaxRequestSize }),
		count("max-batch", "100000", 1, 8_000_000, "most keys of one request", func(c *Config) *int { return &c.MaxBatch }),
		atOnce(count("max-scan-keys", "10000", 1, 1_000_000, "most keys of one page of a scan over HTTP", func(c *Config) *int { return &c.MaxScanKeys })),
		atOnce(limit("max-scan-size", "16MiB", kib, gib, "largest page of a scan over HTTP", func(c *Config) *int64 { return &c.MaxScanSize })),
		count("max-siblings", "100", 1, 10_000, "most concurrent values of one key, in buckets that are made without saying how many", func(c *Config) *int { return &c.MaxSiblings }),
		atOnce(count("max-connections", "16384", 1, 1_000_000, "most connections of clients, for each protocol; fewer if the process may not have so many files open", func(c *Config) *int { return &c.MaxConnections })),
		count("max-connections-per-address", "16384", 1, 1_000_000, "most connections from one address, or one /64 of IPv6, for each protocol", func(c *Config) *int { return &c.MaxConnectionsPerAddress }),
		count("max-unauthenticated-connections", "1024", 1, 1_000_000, "most connections that have not logged in, where there are users, for each protocol", func(c *Config) *int { return &c.MaxUnauthenticatedConnections }),
		count("max-pipeline", "256", 1, 1_000_000, "most commands over RESP that are committed together; more wait for the next time", func(c *Config) *int { return &c.MaxPipeline }),
		limit("max-output-buffer", "64MiB", 64*kib, gib, "most bytes of replies that a client has not read; the connection is closed beyond", func(c *Config) *int64 { return &c.MaxOutputBuffer }),
		limit("max-inflight-size", "256MiB", mib, pib, "memory for requests and replies of all clients together, for each protocol; more wait, or over HTTP are refused", func(c *Config) *int64 { return &c.MaxInflightSize }),

		wait("idle-timeout", "0s", 365*24*time.Hour, "close connections that ask nothing for so long; 0 for never", func(c *Config) *time.Duration { return &c.IdleTimeout }),
		wait("login-timeout", "10s", time.Hour, "time for a client to connect, agree on TLS and log in; 0 for no limit", func(c *Config) *time.Duration { return &c.LoginTimeout }),
		wait("header-timeout", "5s", time.Hour, "time for an HTTP client to send the header of a request; 0 for no limit", func(c *Config) *time.Duration { return &c.HeaderTimeout }),
		wait("read-timeout", "1m", time.Hour, "time for a client to send the rest of a request that it has begun, over HTTP with a second more for each 64 KiB; 0 for no limit", func(c *Config) *time.Duration { return &c.ReadTimeout }),
		wait("write-timeout", "1m", time.Hour, "time for a client to take what is sent to it, over HTTP with a second more for each 64 KiB; 0 for no limit", func(c *Config) *time.Duration { return &c.WriteTimeout }),
		atOnce(wait("shutdown-grace", "10s", time.Hour, "time for requests under way to end when the server stops; 0 to cut them off", func(c *Config) *time.Duration { return &c.ShutdownGrace })),

		{name: "log-level", group: diagnostics, def: "info", reload: true,
			help: "least level that is logged",
			bind: func(c *Config) value { return words(&c.LogLevel, "debug", "info", "warn", "error") }},
		{name: "log-format", group: diagnostics, def: "auto",
			help: "form of the log: auto is text on a terminal and json elsewhere",
			bind: func(c *Config) value { return words(&c.LogFormat, "auto", "text", "json") }},
		{name: "slow-log-threshold", group: diagnostics, def: "10ms", reload: true,
			help: "time from which a request is kept in the slow log; 0 for none",
			bind: func(c *Config) value { return &durationValue{&c.SlowLogThreshold, time.Hour} }},
		{name: "slow-log-size", group: diagnostics, def: "128",
			help: "number of requests that the slow log keeps",
			bind: func(c *Config) value { return &intValue{&c.SlowLogSize, 1, 100_000} }},
		{name: "pprof-addr", group: diagnostics,
			help: "address for profiles of the program, on loopback; empty for none",
			bind: func(c *Config) value { return &addrValue{p: &c.PprofAddr} }},
	}
}

// Lines that differ only by their numbers.

func tlsFile(name, group, help string, p func(c *Config) *string) setting {
	return setting{name: name, group: group, help: help,
		bind: func(c *Config) value { return &pathValue{p: p(c), optional: true} }}
}

func limit(name, def string, least, most int64, help string, p func(c *Config) *int64) setting {
	return setting{name: name, group: limits, def: def, help: help,
		bind: func(c *Config) value { return &sizeValue{p(c), least, most} }}
}

func count(name, def string, least, most int, help string, p func(c *Config) *int) setting {
	return setting{name: name, group: limits, def: def, help: help,
		bind: func(c *Config) value { return &intValue{p(c), least, most} }}
}

func wait(name, def string, most time.Duration, help string, p func(c *Config) *time.Duration) setting {
	return setting{name: name, group: timeouts, def: def, help: help,
		bind: func(c *Config) value { return &durationValue{p(c), most} }}
}

// atOnce is a setting that takes effect without a restart.
func atOnce(s setting) setting {
	s.reload = true
	return s
}

// Setting is a line of the table, for documents and tools.
type Setting struct {
	Name    string
	Env     string // its environment variable
	Group   string
	Type    string // SIZE, TIME, N, HOST:PORT, …
	Default string
	Limits  string // "" if there are none
	Help    string
	Reload  bool // takes effect without a restart
	Secret  bool
	Flag    bool // there is a flag, and a line for the file
}

// Settings returns the table.
func Settings() []Setting {
	var all []Setting
	for _, s := range table() {
		v := s.bind(new(Config))
		all = append(all, Setting{s.name, envName(s.name), s.group, v.kind(), s.def, v.limits(), s.help, s.reload, s.secret, !s.secret})
	}
	return all
}
