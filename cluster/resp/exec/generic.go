package exec

import (
	"github.com/ringwood-kv/ringwood/cluster/resp/internal/option"
	"github.com/ringwood-kv/ringwood/cluster/resp/wire"
)

// The commands about keys, whatever their value is.

func del(s *Session, _ [][]byte) error {
	n := int64(0)
	for i := range s.keys {
		info, err := s.stat(i)
		if err != nil && n > 0 {
			return s.wrote(err) // not a part of the keys only
		}
		if err != nil {
			return err
		}
		if !info.Exists {
			continue
		}
		if err := s.remove(i); err != nil {
			return err
		}
		n++
	}
	s.w.Int(n)
	return nil
}

func exists(s *Session, _ [][]byte) error {
	n := int64(0)
	for i := range s.keys {
		info, err := s.stat(i)
		if err != nil {
			return err
		}
		if info.Exists {
			n++
		}
		s.forget(i)
	}
	s.w.Int(n)
	return nil
}

func typeOf(s *Session, _ [][]byte) error {
	info, err := s.stat(0)
	switch {
	case err != nil:
		return err
	case info.Exists:
		s.w.Simple("string")
	default:
		s.w.Simple("none")
	}
	return nil
}

func rename(s *Session, _ [][]byte) error {
	if _, err := s.renameKey(false); err != nil {
		return err
	}
	s.w.OK()
	return nil
}

func renameNX(s *Session, _ [][]byte) error {
	done, err := s.renameKey(true)
	if err != nil {
		return err
	}
	s.flag(done)
	return nil
}

// renameKey makes the first key the second. With nx it does not where there is a
// second.
func (s *Session) renameKey(nx bool) (done bool, err error) {
	v, info, err := s.read(0)
	switch {
	case err != nil:
		return false, err
	case !info.Exists:
		return false, wire.ErrNoKey
	case string(s.keys[0].Name) == string(s.keys[1].Name):
		return !nx, nil
	}
	if nx {
		target, err := s.stat(1)
		if err != nil || target.Exists {
			return false, err
		}
	}
	return true, s.moveValue(v, info)
}

// moveValue puts the value of the first key, with all that belongs to it, to the second.
func (s *Session) moveValue(v []byte, info Info) error {
	if err := s.putOwn(1, v, info); err != nil {
		return err
	}
	return s.remove(0)
}

func copyKey(s *Session, args [][]byte) error {
	r, err := option.ParseCopy(args, s.DB, s.x.opts.Databases)
	if err != nil {
		return err
	}
	target, err := s.stat(1)
	if err != nil {
		return err
	}
	v, info, err := s.read(0)
	if err != nil {
		return err
	}
	if !info.Exists || target.Exists && !r.Replace {
		s.flag(false)
		return nil
	}
	info.Encoding = copied(v, info.Encoding)
	if err := s.putOwn(1, v, info); err != nil {
		return err
	}
	s.flag(true)
	return nil
}

func move(s *Session, args [][]byte) error {
	db, err := option.ParseDB(args[2], s.x.opts.Databases)
	switch {
	case err != nil:
		return err
	case db == s.DB:
		return wire.ErrSameObject
	}
	target, err := s.stat(1)
	if err != nil {
		return err
	}
	v, info, err := s.read(0)
	if err != nil {
		return err
	}
	if !info.Exists || target.Exists {
		s.flag(false)
		return nil
	}
	if err := s.moveValue(v, info); err != nil {
		return err
	}
	s.flag(true)
	return nil
}
