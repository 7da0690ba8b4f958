package compare

import (
	"errors"
	"fmt"

	"github.com/ringwood-kv/ringwood/bench/engine"
	"github.com/ringwood-kv/ringwood/bench/engine/remote"
	"github.com/ringwood-kv/ringwood/bench/session"
	"github.com/ringwood-kv/ringwood/bench/workload"
)

// checkTargets completes a configuration that has targets, and says what can't go with them.
func (c *Config) checkTargets() error {
	if len(c.Targets) == 0 {
		if c.Pipeline != 0 || c.Timeout != 0 {
			return errors.New("a pipeline and a timeout are for servers, and none is named")
		}
		return nil
	}
	switch {
	case len(c.Groups) > 0:
		return errors.New("tables with groups are measured on engines, not on servers")
	case c.Limits || c.Control:
		return errors.New("the limits of this machine and a control process say nothing of a server")
	case c.Durability != "" || c.Memory != 0:
		return errors.New("a server has its own durability and memory")
	case c.Pipeline < 0 || c.Timeout < 0:
		return errors.New("a pipeline and a timeout can't be negative")
	}
	c.Engines = nil
	for _, t := range c.Targets {
		if c.Pipeline > 1 && !t.Pipelines() {
			return fmt.Errorf("%s: over HTTP each call has a connection to itself: leave the pipeline out, or measure over RESP", t.Name)
		}
		c.Engines = append(c.Engines, t.Name)
	}
	return nil
}

func (c *Config) checkDurability() error {
	if len(c.Targets) > 0 {
		return nil
	}
	_, err := engine.ParseDurability(c.Durability)
	return err
}

// finder returns a function that finds engines, and targets with their passwords.
func (c *Config) finder(find func(string) (engine.Kind, error), passwords remote.Passwords) func(string) (engine.Kind, error) {
	return remote.Find(c.Targets, remote.Options{Passwords: passwords, Timeout: c.Timeout}, find)
}

// meet connects to all targets, notes which programs they are, and makes sure that their
// databases are empty. clear empties them again. With an error nothing was emptied, unless
// all of them were reached.
func (b *bench) meet() (clear func() error, err error) {
	clear = func() error { return nil }
	if len(b.d.Comparison.Config.Targets) == 0 {
		return clear, nil
	}
	keys := make([]int64, len(b.kinds))
	runs := make(map[string]string)
	for i, k := range b.kinds {
		if err := visit(k, func(s engine.Server) (err error) {
			id := s.Identity()
			e := &b.d.Comparison.Engines[i]
			e.Help, e.Server = id.String(), id
			which := id.Run + "/" + id.Database
			if other, ok := runs[which]; ok && id.Run != "" {
				return fmt.Errorf("this is the same database as %s", other)
			}
			runs[which] = k.Name
			keys[i], err = s.Keys()
			return err
		}); err != nil {
			return clear, err
		}
		if keys[i] > 0 && !b.Fresh {
			return clear, fmt.Errorf("%s: its database holds %d keys: give --target an empty one, or --fresh to delete them", k.Name, keys[i])
		}
	}
	clear = func() (err error) {
		for _, k := range b.kinds {
			err = errors.Join(err, visit(k, engine.Server.Clear))
		}
		return err
	}
	for i, k := range b.kinds {
		if keys[i] > 0 {
			if err := visit(k, engine.Server.Clear); err != nil {
				return clear, err
			}
		}
	}
	return clear, nil
}

// visit opens a server, and closes it.
func visit(k engine.Kind, do func(s engine.Server) error) error {
	e, err := k.Open(engine.Config{})
	if err != nil {
		return fmt.Errorf("%s: %w", k.Name, err)
	}
	s, ok := e.(engine.Server)
	if !ok {
		return errors.Join(fmt.Errorf("%s is no server", k.Name), e.Close())
	}
	if err := errors.Join(do(s), s.Close()); err != nil {
		return fmt.Errorf("%s: %w", k.Name, err)
	}
	return nil
}

// spoiled is what is known of a server's database after a failure.
var spoiled = session.Contents{State: workload.Part}

// servers are the identities in a document.
func (d *Document) servers() (list []engine.Identity) {
	for _, e := range d.Comparison.Engines {
		if e.Server != (engine.Identity{}) {
			list = append(list, e.Server)
		}
	}
	return list
}
