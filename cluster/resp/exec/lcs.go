package exec

import (
	"github.com/ringwood-kv/ringwood/cluster/resp/internal/lcs"
	"github.com/ringwood-kv/ringwood/cluster/resp/internal/option"
)

func lcsOf(s *Session, args [][]byte) error {
	a, _, err := s.read(0)
	if err != nil {
		return err
	}
	// The second value has the other buffer.
	s.val, s.tmp = s.tmp, a
	b, _, err := s.read(1)
	if err != nil {
		return err
	}
	r, err := option.ParseLCS(args)
	if err != nil {
		return err
	}
	if !lcs.Fits(len(a), len(b), int64(s.x.opts.MaxValue)) {
		return option.ErrLCSMemory
	}
	// A row of lengths, and a bit for each pair of bytes.
	if err := s.charge(4*(len(b)+1) + len(a)*len(b)/8); err != nil {
		return err
	}
	switch {
	case r.Idx:
		s.matches(a, b, r)
	case r.Len:
		s.w.Int(int64(lcs.Length(a, b)))
	default:
		s.w.Bulk(lcs.Sequence(nil, a, b))
	}
	return nil
}

// matches answers LCS with IDX.
func (s *Session) matches(a, b []byte, r option.LCS) {
	s.w.Map(2)
	s.w.BulkString("matches")
	head, n := s.w.Defer(), 0
	length := lcs.Matches(a, b, r.MinMatchLen, func(m lcs.Match) {
		n++
		if r.WithMatchLen {
			s.w.Array(3)
		} else {
			s.w.Array(2)
		}
		s.w.Array(2)
		s.w.Int(int64(m.AStart))
		s.w.Int(int64(m.AEnd))
		s.w.Array(2)
		s.w.Int(int64(m.BStart))
		s.w.Int(int64(m.BEnd))
		if r.WithMatchLen {
			s.w.Int(int64(m.Len()))
		}
	})
	s.w.EndArray(head, n)
	s.w.BulkString("len")
	s.w.Int(int64(length))
}
