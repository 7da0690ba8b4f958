package exec

import (
	"github.com/ringwood-kv/ringwood/cluster/resp/internal/ascii"
	"github.com/ringwood-kv/ringwood/cluster/resp/internal/option"
)

// The commands about the time of expiry.

func expire(s *Session, args [][]byte) error {
	r, err := option.ParseExpire(args, s.Now)
	if err != nil {
		return err
	}
	v, info, err := s.read(0)
	if err != nil {
		return err
	}
	if !info.Exists || !r.Allows(info.ExpireAt, info.ExpireAt != 0) {
		s.flag(false)
		return nil
	}
	if r.At <= s.Now {
		err = s.remove(0)
	} else {
		info.ExpireAt = r.At
		err = s.putOwn(0, v, info)
	}
	if err != nil {
		return err
	}
	s.flag(true)
	return nil
}

func persist(s *Session, _ [][]byte) error {
	v, info, err := s.read(0)
	if err != nil {
		return err
	}
	if !info.Exists || info.ExpireAt == 0 {
		s.flag(false)
		return nil
	}
	info.ExpireAt = 0
	if err := s.putOwn(0, v, info); err != nil {
		return err
	}
	s.flag(true)
	return nil
}

// ttl is TTL, PTTL, EXPIRETIME and PEXPIRETIME.
func ttl(s *Session, args [][]byte) error {
	info, err := s.stat(0)
	switch {
	case err != nil:
		return err
	case !info.Exists:
		s.w.Int(-2)
	case info.ExpireAt == 0:
		s.w.Int(-1)
	default:
		name := args[0]
		absolute := ascii.HasWord(name, "EXPIRETIME") || ascii.HasWord(name, "PEXPIRETIME")
		s.w.Int(option.TTLReply(info.ExpireAt, s.Now, absolute, ascii.Lower(name[0]) == 'p'))
	}
	return nil
}
