package exec

import "github.com/ringwood-kv/ringwood/cluster/resp/internal/option"

// The commands that set one key, whatever its value was: SET and its older forms.

func set(s *Session, args [][]byte) error {
	r, err := option.ParseSet(args, s.Now)
	if err != nil {
		return err
	}
	old, existed, done, err := s.setKey(r)
	switch {
	case err != nil:
		return err
	case r.Get:
		s.bulkOrNull(old, existed)
	case done:
		s.w.OK()
	default:
		s.w.Null()
	}
	return nil
}

func setNX(s *Session, args [][]byte) error {
	_, _, done, err := s.setKey(option.Set{Key: args[1], Value: args[2], NX: true})
	if err != nil {
		return err
	}
	s.flag(done)
	return nil
}

func setEx(s *Session, args [][]byte) error {
	r, err := option.ParseSetEx(args, s.Now)
	if err != nil {
		return err
	}
	if _, _, _, err := s.setKey(r); err != nil {
		return err
	}
	s.w.OK()
	return nil
}

func getSet(s *Session, args [][]byte) error {
	old, existed, _, err := s.setKey(option.Set{Key: args[1], Value: args[2], Get: true})
	if err != nil {
		return err
	}
	s.bulkOrNull(old, existed)
	return nil
}

// setKey does what r says. It returns the old value where r asks for it, whether the
// key existed where r depends on that, and whether it was set.
func (s *Session) setKey(r option.Set) (old []byte, existed, done bool, err error) {
	var before Info
	switch {
	case r.Get:
		old, before, err = s.read(0)
	case r.NX || r.XX || r.KeepTTL:
		before, err = s.stat(0)
	}
	if err != nil {
		return nil, false, false, err
	}
	existed = before.Exists
	if r.NX && existed || r.XX && !existed {
		return old, existed, false, nil
	}
	var after Info
	switch {
	case r.Expires:
		after.ExpireAt = r.ExpireAt
	case r.KeepTTL:
		after.ExpireAt = before.ExpireAt
	}
	return old, existed, true, s.put(0, r.Value, after)
}
