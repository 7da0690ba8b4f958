//go:build !linux || !(amd64 || arm64)

package socket

import "net"

// Ordered says that connections are served in the order of their events.
const Ordered = false

// Poller does nothing here.
type Poller struct{}

// NewPoller returns one.
func NewPoller() (*Poller, error) { return &Poller{}, nil }

// Adopt returns nc.
func (p *Poller) Adopt(nc net.Conn) net.Conn { return nc }

// Close does nothing.
func (p *Poller) Close() error { return nil }
