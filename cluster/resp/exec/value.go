package exec

import "github.com/ringwood-kv/ringwood/cluster/resp/internal/num"

// largeReply is the length from which the Writer sends a value without a copy.
const largeReply = 32 << 10

// smallValue is the length up to which a computed value is copied for a transaction.
const smallValue = 1 << 10

// read gets the value of the i-th key of the request into the buffer of the session:
// it is valid until the next read of the same command, or the next command.
func (s *Session) read(i int) (v []byte, info Info, err error) {
	s.x.gate.enter()
	if s.tx != nil {
		if v, info, err = s.tx.Get(s.val[:0], s.base+i); err == nil {
			err = s.hold()
		}
	} else {
		v, info, err = s.x.store.Get(s.val[:0], s.keys[i], s.Now)
	}
	if err == nil {
		err = s.charge(cap(v))
	}
	s.x.gate.leave()
	if err != nil {
		return nil, Info{}, err
	}
	s.val = v
	return v, info, nil
}

// stat is read without the value. The Store may have to read that all the same.
func (s *Session) stat(i int) (info Info, err error) {
	s.x.gate.enter()
	defer s.x.gate.leave()
	if s.tx == nil {
		return s.x.store.Stat(s.keys[i], s.Now)
	}
	if info, err = s.tx.Stat(s.base + i); err == nil {
		err = s.hold()
	}
	return info, err
}

// forget lets go of what was read of the i-th key of the request, of many: the transaction
// would keep it until its end.
func (s *Session) forget(i int) {
	if s.tx != nil {
		s.tx.Forget(s.base + i)
	}
}

// put sets the i-th key of the request to an argument of it.
func (s *Session) put(i int, value []byte, info Info) error {
	if info.ExpireAt != 0 && info.ExpireAt < s.Now {
		return s.remove(i)
	}
	info.Exists = true
	return s.wrote(s.write(i, value, info))
}

// write is what put and remove do: both read the record that was there.
func (s *Session) write(i int, value []byte, info Info) (err error) {
	s.x.gate.enter()
	if info.Exists {
		err = s.tx.Put(s.base+i, value, info)
	} else {
		err = s.tx.Delete(s.base + i)
	}
	if err == nil {
		err = s.hold()
	}
	s.x.gate.leave()
	return err
}

// putOwn is put for a value in a buffer of the session. The transaction needs it until
// its end.
func (s *Session) putOwn(i int, value []byte, info Info) error {
	if err := s.holdValue(i, value); err != nil {
		return err
	}
	if len(value) <= smallValue {
		value = s.group.keep(value)
	} else {
		s.val, s.tmp = nil, nil // one of them is the transaction's now
	}
	return s.put(i, value, info)
}

// remove deletes the i-th key of the request.
func (s *Session) remove(i int) error { return s.wrote(s.write(i, nil, Info{})) }

// wrote notes an error of a write: the command may have done a part of its work, so
// that the transaction must not be committed.
func (s *Session) wrote(err error) error {
	if err != nil {
		s.failure = err
	}
	return err
}

// bulk writes a value as the reply of a command that only reads one key. If it is large,
// the command runs again behind the group.
func (s *Session) bulk(v []byte) error {
	if len(v) >= largeReply && s.tx != nil && !s.inBlock {
		return errTooLarge
	}
	s.w.Bulk(v)
	return nil
}

// bulkOrNull writes a value, or that there is none. It is held with the group.
func (s *Session) bulkOrNull(v []byte, exists bool) {
	if exists {
		s.w.Bulk(v)
	} else {
		s.w.Null()
	}
}

// flag writes 1 or 0.
func (s *Session) flag(v bool) {
	if v {
		s.w.Int(1)
	} else {
		s.w.Int(0)
	}
}

// grow makes v n bytes long, with zeros at its end, in the buffer of the session.
func (s *Session) grow(v []byte, n int) ([]byte, error) {
	if n > cap(v) {
		if err := s.charge(n); err != nil {
			return nil, err
		}
		longer := make([]byte, len(v), n)
		copy(longer, v)
		v = longer
		s.val = longer
	}
	old := len(v)
	v = v[:n]
	clear(v[min(old, n):])
	return v, nil
}

// embedded is the longest value that Redis keeps in one piece with its header.
const embedded = 44

// maxSharedInt is the first integer that Redis has no shared object of.
const maxSharedInt = 10000

// integer reports whether Redis keeps a value as an integer, and which.
func integer(v []byte, e Encoding) (n int64, ok bool) {
	if e == EncodingRaw || e == EncodingText {
		return 0, false
	}
	return num.ParseInt(v)
}

// encoding is the answer of OBJECT ENCODING.
func encoding(v []byte, e Encoding) string {
	if _, ok := integer(v, e); ok {
		return "int"
	}
	if e == EncodingRaw || len(v) > embedded {
		return "raw"
	}
	return "embstr"
}

// copied is the encoding of a copy.
func copied(v []byte, e Encoding) Encoding {
	if _, ok := integer(v, e); ok {
		return EncodingOwnInt
	}
	return e
}
