package main

import (
	"context"
	"io"
	"log/slog"
	"math"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/ringwood-kv/ringwood/cluster"
	"github.com/ringwood-kv/ringwood/cluster/httpapi"
	"github.com/ringwood-kv/ringwood/cluster/replica"
	"github.com/ringwood-kv/ringwood/cmd/internal/version"
	"github.com/ringwood-kv/ringwood/cmd/kvnode/internal/config"
	"github.com/ringwood-kv/ringwood/cmd/kvnode/internal/notify"
)

// program is one life of the process.
type program struct {
	in             config.Input // to read the settings again
	loaded         atomic.Pointer[config.Loaded]
	log            *slog.Logger
	level          *slog.LevelVar
	stdout, stderr io.Writer
	systemd        notify.Socket

	files    int // that the process may have open; 0: not known
	bar      *bar
	said     time.Time // when progress was told last; belongs to the goroutine that opens
	profiles io.Closer // nil: nobody listens

	api    *httpapi.API // set before open returns; nil without HTTP
	apiErr error        // of making it
}

// open opens the store.
func (p *program) open() (*cluster.Node, error) {
	p.systemd.Starting("opening the store", time.Minute)
	n, err := cluster.Open(context.Background(), p.options())
	if err != nil {
		return nil, err
	}
	if p.apiErr != nil {
		_ = n.Close()
		return nil, p.apiErr
	}
	return n, nil
}

// options are the settings as the node knows them. Its zeros stand for defaults, and
// negative times for none; ours are what they say.
func (p *program) options() cluster.Options {
	c := &p.loaded.Load().Config
	tuned := p.tuning(c)
	dir, err := filepath.Abs(c.DataDir) // what the log and a checkpoint name is to be found
	if err != nil {
		dir = c.DataDir
	}
	return cluster.Options{
		Dir: dir, Memory: c.Memory, OpenFiles: engineFiles(p.files),
		Bucket:   replica.BucketConfig{Durability: c.Durability, MaxSiblings: c.MaxSiblings},
		RESP:     cluster.Listen{Addr: c.RESPAddr, TLS: tlsFiles(c.RESP)},
		HTTP:     cluster.Listen{Addr: c.HTTPAddr, TLS: tlsFiles(c.HTTP)},
		Handler:  p.handler,
		Insecure: c.Insecure, AdminPassword: c.AdminPassword, ResetAdmin: c.AdminReset, LoginMemory: c.MaxLoginMemory,
		Limits: cluster.Limits{
			Key: int(c.MaxKeySize), Value: int(c.MaxValueSize), Request: int(c.MaxRequestSize), Args: maxArgs(c),
			Connections: tuned.Connections, MostConnections: mostConnections(c, p.files), PerAddress: c.MaxConnectionsPerAddress, Unauthenticated: c.MaxUnauthenticatedConnections,
			Pipeline: c.MaxPipeline, Transaction: int(c.MaxRequestSize), Output: int(c.MaxOutputBuffer), Inflight: c.MaxInflightSize,
		},
		Timeouts: cluster.Timeouts{
			Idle: tuned.Idle, Login: orNone(c.LoginTimeout), Header: orNone(c.HeaderTimeout),
			Read: orNone(c.ReadTimeout), Write: orNone(c.WriteTimeout),
		},
		SlowThreshold: tuned.SlowThreshold, SlowEntries: c.SlowLogSize,
		Logger: p.log, Progress: p.progressOf, Version: version.Number,
	}
}

// tuning is what a node can change while it runs.
func (p *program) tuning(c *config.Config) cluster.Tuning {
	t := cluster.Tuning{Connections: connections(c, p.files), Idle: orNone(c.IdleTimeout), SlowThreshold: c.SlowLogThreshold}
	if t.SlowThreshold == 0 {
		t.SlowThreshold = math.MaxInt64 // a node that is told never cannot be told otherwise later
	}
	return t
}

// apiSettings is what the HTTP API can change while it serves, and its limits.
func apiSettings(c *config.Config) httpapi.Settings {
	return httpapi.Settings{
		Hosts: append(hostsOf(c.HTTPAddr), c.AllowedHosts...), Origins: c.AllowedOrigins,
		Limits: httpapi.Limits{
			Key: int(c.MaxKeySize), Value: int(c.MaxValueSize), Body: int(c.MaxRequestSize), Keys: c.MaxBatch,
			ScanKeys: c.MaxScanKeys, ScanBytes: int(c.MaxScanSize), InFlight: c.MaxInflightSize,
			ReadTime: orNone(c.ReadTimeout), WriteTime: orNone(c.WriteTimeout),
		},
	}
}

// maxArgs lets a command have as many keys as a request, each with a value, and what else
// belongs to it.
func maxArgs(c *config.Config) int { return 2*c.MaxBatch + 16 }

func tlsFiles(t config.TLS) cluster.TLS { return cluster.TLS{Cert: t.Cert, Key: t.Key, ClientCA: t.CA} }

func orNone(d time.Duration) time.Duration {
	if d == 0 {
		return -1
	}
	return d
}
