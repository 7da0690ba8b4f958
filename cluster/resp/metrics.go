package resp

import "sync/atomic"

// Metrics are counters since the server began, and gauges. They are plain numbers for
// whoever publishes them.
type Metrics struct {
	Clients         int // connected now
	Unauthenticated int // of them, have still to log in

	Accepted        uint64
	RejectedClients uint64 // over MaxClients
	RejectedAddr    uint64 // over MaxClientsPerAddr
	RejectedUnauth  uint64 // over MaxUnauthenticated

	ClosedIdle     uint64
	ClosedAuth     uint64 // did not log in in time
	ClosedRequest  uint64 // took too long to send one request
	ClosedWrite    uint64 // did not read
	ClosedOutput   uint64 // over MaxOutput
	ClosedMemory   uint64 // over MaxMemory, or held of it what others needed
	ClosedProtocol uint64 // sent something else than requests
	ClosedKill     uint64

	Commands      uint64 // run, those inside of transactions included
	Errors        uint64 // replies that are errors
	Slow          uint64
	LoginFailures uint64
	Denied        uint64 // commands refused for want of permission or login

	BytesIn, BytesOut uint64
	Memory            int64 // charged to MaxMemory now

	// Latency has an entry for each kind of command: how long commands took, without the
	// wait for a commit. It counts nothing where Options.Slow is nil.
	Latency []Latency

	// PerCommand has an entry for each command that was run, by name.
	PerCommand []CommandMetrics
}

// CommandMetrics are the counters of one command.
type CommandMetrics struct {
	Name   string
	Calls  uint64
	Failed uint64 // of Calls, answered with an error
}

// counters are what Metrics is made from.
type counters struct {
	accepted                                               atomic.Uint64
	rejectedClients, rejectedAddr, rejectedUnauth          atomic.Uint64
	closedIdle, closedAuth, closedRequest, closedWrite     atomic.Uint64
	closedOutput, closedMemory, closedProtocol, closedKill atomic.Uint64
	rejectedCommands, slow, loginFailures, denied, in, out atomic.Uint64
	perCommand                                             []commandCounters
	latencies                                              latencies
}

type commandCounters struct{ calls, failed atomic.Uint64 }

// Connections returns how many connections there are.
func (s *Server) Connections() int {
	all, _ := s.clients.count()
	return all
}

// Metrics returns the counters.
func (s *Server) Metrics() Metrics {
	c := &s.counters
	m := Metrics{
		Accepted:        c.accepted.Load(),
		RejectedClients: c.rejectedClients.Load(),
		RejectedAddr:    c.rejectedAddr.Load(),
		RejectedUnauth:  c.rejectedUnauth.Load(),
		ClosedIdle:      c.closedIdle.Load(),
		ClosedAuth:      c.closedAuth.Load(),
		ClosedRequest:   c.closedRequest.Load(),
		ClosedWrite:     c.closedWrite.Load(),
		ClosedOutput:    c.closedOutput.Load(),
		ClosedMemory:    c.closedMemory.Load(),
		ClosedProtocol:  c.closedProtocol.Load(),
		ClosedKill:      c.closedKill.Load(),
		Errors:          c.rejectedCommands.Load(),
		Slow:            c.slow.Load(),
		LoginFailures:   c.loginFailures.Load(),
		Denied:          c.denied.Load(),
		BytesIn:         c.in.Load(),
		BytesOut:        c.out.Load(),
		Memory:          s.memory.used.Load(),
		Latency:         c.latencies.all(),
	}
	m.Clients, m.Unauthenticated = s.clients.count()
	for _, cmd := range s.table.Commands() {
		n := &c.perCommand[cmd.ID]
		calls, failed := n.calls.Load(), n.failed.Load()
		if calls == 0 {
			continue
		}
		m.PerCommand = append(m.PerCommand, CommandMetrics{cmd.Name, calls, failed})
		m.Commands += calls
		m.Errors += failed
	}
	return m
}
