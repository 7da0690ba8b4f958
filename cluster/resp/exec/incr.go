package exec

import (
	"strconv"

	"github.com/ringwood-kv/ringwood/cluster/resp/internal/ascii"
	"github.com/ringwood-kv/ringwood/cluster/resp/internal/option"
)

// The commands that count.

func incr(s *Session, args [][]byte) error {
	if ascii.HasWord(args[0], "DECR") {
		return s.add(-1)
	}
	return s.add(1)
}

func incrBy(s *Session, args [][]byte) error {
	n, err := option.IncrBy(args)
	if err != nil {
		return err
	}
	return s.add(n)
}

// add adds to an integer; the key keeps its expiry.
func (s *Session) add(n int64) error {
	v, info, err := s.number()
	if err != nil {
		return err
	}
	sum, err := option.Incr(v, n)
	if err != nil {
		return err
	}
	info.Encoding = EncodingAuto
	s.tmp = strconv.AppendInt(s.tmp[:0], sum, 10)
	if err := s.putOwn(0, s.tmp, info); err != nil {
		return err
	}
	s.w.Int(sum)
	return nil
}

// number reads a value to add to, nil if there is none.
func (s *Session) number() (v []byte, info Info, err error) {
	v, info, err = s.read(0)
	switch {
	case err != nil || !info.Exists:
		return nil, info, err
	case v == nil: // empty, and there
		v = []byte{}
	}
	return v, info, nil
}

func incrByFloat(s *Session, args [][]byte) error {
	v, info, err := s.number()
	if err != nil {
		return err
	}
	s.tmp, err = option.IncrFloat(s.tmp[:0], v, args[2])
	if err != nil {
		return err
	}
	info.Encoding = EncodingText
	sum := s.tmp
	if err := s.putOwn(0, sum, info); err != nil {
		return err
	}
	s.w.Bulk(sum)
	return nil
}
