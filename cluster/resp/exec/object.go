package exec

import (
	"math"

	"github.com/ringwood-kv/ringwood/cluster/resp/internal/option"
	"github.com/ringwood-kv/ringwood/cluster/resp/wire"
)

// The commands that look behind a value.

func objectEncoding(s *Session, _ [][]byte) error {
	v, info, err := s.read(0)
	switch {
	case err != nil:
		return err
	case info.Exists:
		s.w.BulkString(encoding(v, info.Encoding))
	default:
		s.w.Null()
	}
	return nil
}

// objectRefcount answers that small integers are shared by all keys, as Redis does.
func objectRefcount(s *Session, _ [][]byte) error {
	v, info, err := s.read(0)
	if err != nil {
		return err
	}
	n, ok := integer(v, info.Encoding)
	switch {
	case !info.Exists:
		s.w.Null()
	case ok && info.Encoding == EncodingAuto && n >= 0 && n < maxSharedInt:
		s.w.Int(math.MaxInt32)
	default:
		s.w.Int(1)
	}
	return nil
}

// objectIdletime answers 0: the use of keys is not recorded.
func objectIdletime(s *Session, _ [][]byte) error {
	info, err := s.stat(0)
	switch {
	case err != nil:
		return err
	case info.Exists:
		s.w.Int(0)
	default:
		s.w.Null()
	}
	return nil
}

const errNoFreq wire.Error = "ERR An LFU maxmemory policy is not selected, access frequency not tracked. Please note that when switching between policies at runtime LRU and LFU data will take some time to adjust."

func objectFreq(s *Session, _ [][]byte) error {
	info, err := s.stat(0)
	switch {
	case err != nil:
		return err
	case info.Exists:
		return errNoFreq
	}
	s.w.Null()
	return nil
}

// keyOverhead is about what a record costs beside its key and value.
const keyOverhead = 48

func memoryUsage(s *Session, args [][]byte) error {
	if err := option.ParseMemoryUsage(args); err != nil {
		return err
	}
	info, err := s.stat(0)
	switch {
	case err != nil:
		return err
	case info.Exists:
		s.w.Int(int64(len(s.keys[0].Name) + info.Len + keyOverhead))
	default:
		s.w.Null()
	}
	return nil
}
