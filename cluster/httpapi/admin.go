package httpapi

import (
	"context"
	_ "embed"
	"net/http"
	"strings"
	"time"

	"github.com/ringwood-kv/ringwood/cluster/access"
	"github.com/ringwood-kv/ringwood/cluster/httpapi/wire"
)

//go:embed openapi.json
var openAPI []byte

// getOpenAPI serves the description of the API. It is the same for everybody.
func getOpenAPI(c *call) error {
	if err := c.checkQuery(); err != nil {
		return err
	}
	return c.send(http.StatusOK, wire.JSON, openAPI)
}

// ask answers with what a function of Options says.
func ask[T any](c *call, what string, f func(context.Context) (T, error), trim func(*T)) error {
	if err := c.checkQuery(); err != nil {
		return err
	}
	if f == nil {
		return notAvailable(what)
	}
	v, err := f(c.r.Context())
	if err != nil {
		return err
	}
	if trim != nil {
		trim(&v)
	}
	return c.reply(http.StatusOK, v)
}

func getStatus(c *call) error { return ask(c, "a status", c.api.o.Status, nil) }

func getConfig(c *call) error {
	return ask(c, "its configuration", c.api.o.Config, func(v *wire.Config) {
		for i := range v.Settings {
			if v.Settings[i].Secret {
				v.Settings[i].Value = ""
			}
		}
	})
}

// getSlowLog shows slow requests, and their keys to those who may list them.
func getSlowLog(c *call) error {
	return ask(c, "a slow log", c.api.o.SlowLog, func(v *wire.SlowLog) {
		if v.Requests == nil {
			v.Requests = []wire.SlowRequest{}
		}
		for i := range v.Requests {
			if r := &v.Requests[i]; r.Key != nil && !c.mayList(r.Bucket, *r.Key) {
				r.Key = nil
			}
		}
	})
}

// getTop shows the hot keys that the client may list.
func getTop(c *call) error {
	return ask(c, "hot keys", c.api.o.Top, func(v *wire.Top) {
		kept := []wire.HotKey{}
		for _, k := range v.Keys {
			if c.mayList(k.Bucket, k.Key) {
				kept = append(kept, k)
			}
		}
		v.Keys = kept
	})
}

func (c *call) mayList(bucket string, k wire.Key) bool {
	key, err := k.Bytes()
	return err == nil && c.may(access.Scan, bucket, key)
}

// maintain runs one piece of maintenance, which may take its time.
func (c *call) maintain(what string, do func(u Upkeep) error) error {
	if err := c.checkQuery(); err != nil {
		return err
	}
	u := c.api.o.Upkeep
	if u == nil {
		return notAvailable("maintenance")
	}
	if !c.api.upkeep.TryLock() {
		return wire.Errorf(wire.Busy, "another flush, compaction or checkpoint is under way").WithHint("try again when it is done")
	}
	defer c.api.upkeep.Unlock()
	// The server's deadlines are for requests and answers that are there. That for reading
	// would end the context in the middle.
	_ = c.rc.SetReadDeadline(time.Time{})
	_ = c.rc.SetWriteDeadline(time.Time{})
	if err := do(u); err != nil {
		return err
	}
	c.audit(what)
	return nil
}

func flush(c *call) error {
	if err := c.noBody(); err != nil {
		return err
	}
	if err := c.maintain("flushed", func(u Upkeep) error { return u.Flush(c.r.Context()) }); err != nil {
		return err
	}
	return c.empty()
}

func compact(c *call) error {
	if err := c.noBody(); err != nil {
		return err
	}
	if err := c.maintain("compacted", func(u Upkeep) error { return u.Compact(c.r.Context()) }); err != nil {
		return err
	}
	return c.empty()
}

func checkpoint(c *call) error {
	var in wire.CheckpointRequest
	if err := c.json(&in); err != nil {
		return err
	}
	// The name becomes that of a directory.
	if !access.ValidName(in.Name) || strings.Contains(in.Name, "@") {
		return wire.Errorf(wire.BadRequest, "%.80q cannot be the name of a checkpoint", in.Name).WithHint("1 to 64 letters, digits and . _ -, the first a letter or digit")
	}
	var path string
	err := c.maintain("checkpoint made", func(u Upkeep) (err error) {
		path, err = u.Checkpoint(c.r.Context(), in.Name)
		return err
	})
	if err != nil {
		return err
	}
	return c.reply(http.StatusCreated, wire.Checkpoint{Name: in.Name, Path: path})
}
