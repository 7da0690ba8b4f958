package exec

import "github.com/ringwood-kv/ringwood/cluster/resp/internal/option"

// The commands about several strings.

// mGet answers an error in place of the values that it cannot read: the head of the
// array is on its way by then.
func mGet(s *Session, _ [][]byte) error {
	s.w.Array(len(s.keys))
	for i := range s.keys {
		v, info, err := s.read(i)
		if err != nil {
			s.w.Error(s.told(nil, err))
		} else {
			s.bulkOrNull(v, info.Exists)
			s.forget(i)
		}
		s.releaseValue()
	}
	return nil
}

func mSet(s *Session, args [][]byte) error {
	if err := option.CheckPairs(args, "mset"); err != nil {
		return err
	}
	if err := s.putAll(args); err != nil {
		return err
	}
	s.w.OK()
	return nil
}

func mSetNX(s *Session, args [][]byte) error {
	if err := option.CheckPairs(args, "msetnx"); err != nil {
		return err
	}
	for i := range s.keys {
		info, err := s.stat(i)
		if err != nil {
			return err
		}
		if info.Exists {
			s.flag(false)
			return nil
		}
	}
	if err := s.putAll(args); err != nil {
		return err
	}
	s.flag(true)
	return nil
}

func (s *Session) putAll(args [][]byte) error {
	for i := range s.keys {
		if err := s.put(i, args[2+2*i], Info{}); err != nil {
			return err
		}
	}
	return nil
}
