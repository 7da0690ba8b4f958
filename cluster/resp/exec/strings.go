package exec

import "github.com/ringwood-kv/ringwood/cluster/resp/internal/option"

// The commands that read or change a part of one string.

func get(s *Session, _ [][]byte) error {
	v, info, err := s.read(0)
	switch {
	case err != nil:
		return err
	case !info.Exists:
		s.w.Null()
		return nil
	}
	return s.bulk(v)
}

func getDel(s *Session, _ [][]byte) error {
	v, info, err := s.read(0)
	if err == nil && info.Exists {
		err = s.remove(0)
	}
	if err != nil {
		return err
	}
	s.bulkOrNull(v, info.Exists)
	return nil
}

func getEx(s *Session, args [][]byte) error {
	r, err := option.ParseGetEx(args)
	if err != nil {
		return err
	}
	v, info, err := s.read(0)
	switch {
	case err != nil:
		return err
	case !info.Exists:
		s.w.Null()
		return nil
	case r.TTL.Set():
		if info.ExpireAt, err = r.TTL.At(s.Now, "getex"); err != nil {
			return err
		}
		if r.TTL.Absolute() && info.ExpireAt <= s.Now {
			err = s.remove(0)
		} else {
			err = s.putOwn(0, v, info)
		}
	case r.Persist && info.ExpireAt != 0:
		info.ExpireAt = 0
		err = s.putOwn(0, v, info)
	}
	if err != nil {
		return err
	}
	s.w.Bulk(v)
	return nil
}

func strLen(s *Session, _ [][]byte) error {
	info, err := s.stat(0)
	if err != nil {
		return err
	}
	s.w.Int(int64(info.Len))
	return nil
}

func getRange(s *Session, args [][]byte) error {
	r, err := option.ParseRange(args)
	if err != nil {
		return err
	}
	v, info, err := s.read(0)
	if err != nil {
		return err
	}
	if !info.Exists {
		v = nil
	}
	from, to := r.Clamp(len(v))
	return s.bulk(v[from:to])
}

func appendTo(s *Session, args [][]byte) error {
	v, info, err := s.read(0)
	if err != nil {
		return err
	}
	more := args[2]
	if !info.Exists {
		if err := s.put(0, more, Info{}); err != nil {
			return err
		}
		s.w.Int(int64(len(more)))
		return nil
	}
	n := len(v)
	if err := option.CheckLength(int64(n), len(more), int64(s.x.opts.MaxValue)); err != nil {
		return err
	}
	if v, err = s.grow(v, n+len(more)); err != nil {
		return err
	}
	copy(v[n:], more)
	return s.changed(v, info)
}

// changed sets the key to a value that was changed in place and answers its length.
func (s *Session) changed(v []byte, info Info) error {
	info.Encoding = EncodingRaw
	if err := s.putOwn(0, v, info); err != nil {
		return err
	}
	s.w.Int(int64(len(v)))
	return nil
}

func setRange(s *Session, args [][]byte) error {
	offset, err := option.ParseSetRange(args)
	if err != nil {
		return err
	}
	v, info, err := s.read(0)
	if err != nil {
		return err
	}
	part := args[3]
	if !info.Exists {
		v = v[:0]
	}
	if len(part) == 0 {
		s.w.Int(int64(len(v)))
		return nil
	}
	if err := option.CheckLength(offset, len(part), int64(s.x.opts.MaxValue)); err != nil {
		return err
	}
	if v, err = s.grow(v, max(len(v), int(offset)+len(part))); err != nil {
		return err
	}
	copy(v[offset:], part)
	return s.changed(v, info)
}
