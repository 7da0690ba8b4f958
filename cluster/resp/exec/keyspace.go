package exec

import (
	"strconv"

	"github.com/ringwood-kv/ringwood/cluster/resp/internal/ascii"
	"github.com/ringwood-kv/ringwood/cluster/resp/internal/glob"
	"github.com/ringwood-kv/ringwood/cluster/resp/internal/option"
	"github.com/ringwood-kv/ringwood/cluster/resp/wire"
)

// The commands about a whole database.

const (
	// The work of a pattern: what a request may take, and what each key adds to that.
	patternWork    = 16 << 20
	patternWorkKey = 256

	keysPortion   = 1024  // keys that KEYS asks the Store for at once
	maxScanCount  = 65536 // keys that one SCAN looks at
	maxScanBytes  = 64 << 20
	randomRetries = 100 // of RANDOMKEY for a user who may not see all keys
)

const errScanBytes wire.Error = "ERR COUNT is too large for keys of this length"

// matcher is a pattern with its budget. The zero value matches every key.
type matcher struct {
	pattern *glob.Pattern
	budget  int
}

func newMatcher(pattern []byte) (m matcher, err error) {
	m.budget = patternWork
	if m.pattern, err = glob.Compile(pattern, false); err != nil {
		return m, wire.Error("ERR " + err.Error())
	}
	return m, nil
}

func (m *matcher) match(name []byte) (bool, error) {
	if m.pattern == nil {
		return true, nil
	}
	m.budget += patternWorkKey
	ok, err := m.pattern.Match(name, &m.budget)
	if err != nil {
		err = wire.Error("ERR " + err.Error())
	}
	return ok, err
}

func keys(s *Session, args [][]byte) error {
	var m matcher
	if p := args[1]; string(p) != "*" {
		var err error
		if m, err = newMatcher(p); err != nil {
			return err
		}
	}
	head, n := s.w.Hold(), 0
	visit := func(name []byte) error {
		ok, err := m.match(name)
		if err != nil || !ok || !s.visible(name) {
			return err
		}
		n++
		s.w.Bulk(name)
		return s.w.Err()
	}
	for cursor := uint64(0); ; {
		var err error
		cursor, err = s.names(cursor, keysPortion, visit)
		if err == nil && s.ended() {
			err = errEnded
		}
		if err != nil {
			s.w.Cut(head)
			s.w.Release()
			return err
		}
		if cursor == 0 {
			break
		}
	}
	s.w.EndArray(head, n)
	return nil
}

// names is Scan of the Store in the database of the session. The visit waits for nobody.
func (s *Session) names(cursor uint64, count int, visit func([]byte) error) (next uint64, err error) {
	s.x.scans.enter()
	defer s.x.scans.leave()
	return s.x.store.Scan(s.DB, cursor, count, s.Now, visit)
}

// someName is RandomKey of the Store.
func (s *Session) someName() (name []byte, ok bool, err error) {
	s.x.scans.enter()
	defer s.x.scans.leave()
	return s.x.store.RandomKey(s.val[:0], s.DB, s.Now)
}

func scan(s *Session, args [][]byte) error {
	r, err := option.ParseScan(args)
	if err != nil {
		return err
	}
	var m matcher
	if r.Match != nil {
		if m, err = newMatcher(r.Match); err != nil {
			return err
		}
	}
	names, ends, room := s.tmp[:0], s.ends[:0], KeepBuffer
	next, err := s.names(r.Cursor, int(min(r.Count, maxScanCount)), func(name []byte) error {
		ok, err := m.match(name)
		if err != nil || !ok || !r.IsType("STRING") || !s.visible(name) {
			return err
		}
		if len(names)+len(name) > maxScanBytes {
			return errScanBytes
		}
		for len(names)+len(name)+8*len(ends) > room { // a client may take its time to read them
			if err := s.take(room); err != nil {
				return err
			}
			room *= 2
		}
		names = append(names, name...)
		ends = append(ends, len(names))
		return nil
	})
	s.tmp, s.ends = names, ends
	if err != nil {
		return err
	}
	s.w.Array(2)
	s.w.BulkString(strconv.FormatUint(next, 10))
	s.w.Array(len(ends))
	from := 0
	for _, to := range ends {
		s.w.Bulk(names[from:to])
		from = to
	}
	return nil
}

func randomKey(s *Session, _ [][]byte) error {
	for range randomRetries {
		name, ok, err := s.someName()
		if err != nil {
			return err
		}
		if !ok {
			break
		}
		s.val = name
		if s.visible(name) {
			s.w.Bulk(name)
			return nil
		}
	}
	s.w.Null()
	return nil
}

func dbSize(s *Session, _ [][]byte) error {
	n, _, err := s.x.store.Len(s.DB, s.Now)
	if err != nil {
		return err
	}
	s.w.Int(n)
	return nil
}

func flush(s *Session, args [][]byte) error {
	if _, err := option.ParseFlush(args); err != nil {
		return err
	}
	dbs := []int{s.DB}
	if ascii.HasWord(args[0], "FLUSHALL") {
		dbs = dbs[:0]
		for db := range s.x.opts.Databases {
			dbs = append(dbs, db)
		}
	}
	if err := s.x.store.Flush(dbs); err != nil {
		return err
	}
	s.w.OK()
	return nil
}
