package workload

import (
	"fmt"

	"github.com/ringwood-kv/ringwood/bench/driver"
	"github.com/ringwood-kv/ringwood/bench/engine"
	"github.com/ringwood-kv/ringwood/bench/gen"
)

func (s *setup) readExisting() error {
	requests := s.requests(0)
	s.each(func() driver.Worker { return &reader{base: s.base(), requests: requests.Fork()} })
	return nil
}

type reader struct {
	base
	requests gen.Chooser
}

func (w *reader) Do(n int64) (driver.Outcome, error) {
	w.begin(n)
	o := driver.Outcome{Kind: driver.Read, Ops: 1}
	_, err := w.get(w.choose(w.requests), &o)
	return o, err
}

// readWhileWriting adds one writer to the readers. Its operations are reported apart.
func (s *setup) readWhileWriting() error {
	if err := s.readExisting(); err != nil {
		return err
	}
	writer := *s
	writer.Seed = gen.Mix(s.Seed + 2) // other records than the readers'
	s.run.Background = append(s.run.Background, &overwriter{base: writer.base(), requests: gen.Uniform{N: s.Records}})
	return nil
}

func (s *setup) readMissing() error {
	requests := s.requests(0)
	s.each(func() driver.Worker { return &missReader{base: s.base(), requests: requests.Fork()} })
	return nil
}

// missReader looks for the keys of records with a dot behind, as LevelDB's does: they
// lie between those that exist, so no bound of a table rules them out.
type missReader struct {
	base
	requests gen.Chooser
}

func (w *missReader) Do(n int64) (driver.Outcome, error) {
	w.begin(n)
	o := driver.Outcome{Kind: driver.Read, Ops: 1}
	key := append(w.setKey(w.choose(w.requests)), '.')
	w.key = key
	var err error
	w.value, err = w.e.AppendGet(w.value[:0], key)
	switch {
	case err == engine.ErrNotFound:
		o.Misses = 1
		return o, nil
	case err == nil && !w.Unchecked:
		err = fmt.Errorf("the store answered %d bytes for the key %q, which nobody wrote", len(w.value), key)
	}
	return o, err
}
