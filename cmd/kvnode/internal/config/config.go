package config

import (
	"time"

	"github.com/ringwood-kv/ringwood/cluster/access"
	"github.com/ringwood-kv/ringwood/lsm"
)

// Config is the value of every setting. The table says what each means; sizes are in
// bytes, an empty address means that nobody listens, and a zero time that there is no
// limit.
type Config struct {
	DataDir    string
	Memory     int64
	Durability lsm.Durability

	RESPAddr       string
	HTTPAddr       string
	AllowedHosts   []string
	AllowedOrigins []string

	Insecure          bool
	RESP              TLS
	HTTP              TLS
	AdminPassword     access.Secret
	AdminPasswordFile string
	AdminReset        bool
	MaxLoginMemory    int64

	ClusterAddr     string
	Join            []string
	BootstrapExpect int

	MaxKeySize                    int64
	MaxValueSize                  int64
	MaxRequestSize                int64
	MaxBatch                      int
	MaxScanKeys                   int
	MaxScanSize                   int64
	MaxSiblings                   int
	MaxConnections                int
	MaxConnectionsPerAddress      int
	MaxUnauthenticatedConnections int
	MaxPipeline                   int
	MaxOutputBuffer               int64
	MaxInflightSize               int64
	IdleTimeout                   time.Duration
	LoginTimeout                  time.Duration
	HeaderTimeout                 time.Duration
	ReadTimeout                   time.Duration
	WriteTimeout                  time.Duration

	LogLevel         string // debug, info, warn or error
	LogFormat        string // auto, text or json
	SlowLogThreshold time.Duration
	SlowLogSize      int
	PprofAddr        string
	ShutdownGrace    time.Duration
}

// TLS is the files for the connections of one port. CA has the certificates that those of
// the other side must come from.
type TLS struct {
	Cert, Key, CA string
}

// Enabled reports whether there are a certificate and its key.
func (t TLS) Enabled() bool { return t.Cert != "" && t.Key != "" }
