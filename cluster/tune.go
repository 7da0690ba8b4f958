package cluster

import (
	"time"

	"github.com/ringwood-kv/ringwood/cluster/resp"
)

// Tuning is what can be changed while a node runs; the rest of Options takes another
// start. Zeros and negative values mean what they mean there.
type Tuning struct {
	Connections   int           // Limits.Connections; those that there are stay
	Idle          time.Duration // Timeouts.Idle, over RESP
	SlowThreshold time.Duration // does nothing if the node was started with a negative one
}

// Tune changes it. The error is ErrOptions, and then nothing has changed.
func (n *Node) Tune(t Tuning) error {
	o := n.opts
	o.Limits.Connections, o.Timeouts.Idle, o.SlowThreshold = t.Connections, t.Idle, t.SlowThreshold
	o, err := o.withDefaults()
	if err != nil {
		return err
	}
	if n.httpListen != nil {
		n.httpListen.limit(o.Limits.Connections)
	}
	if n.opts.SlowThreshold > 0 {
		n.slowThreshold.Store(slowFrom(o.SlowThreshold))
	}
	n.resp.Tune(resp.Tuning{IdleTimeout: o.Timeouts.Idle, MaxClients: o.Limits.Connections, SlowThreshold: o.SlowThreshold})
	return nil
}
