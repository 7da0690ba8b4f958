package respstore

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/ringwood-kv/ringwood/cluster/replica"
)

// Count is the number of databases, as Redis has by default.
const Count = 16

// Default returns the buckets of the databases of a new store: the first bucket that a
// replica has, and db1 to db15.
func Default() []string {
	names := []string{replica.FirstBucket}
	for i := 1; i < Count; i++ {
		names = append(names, fmt.Sprint("db", i))
	}
	return names
}

// ErrFormat says that bytes are no list of databases.
var ErrFormat = errors.New("respstore: not a list of databases")

const formatVersion = 1

// Encode returns a list of databases as bytes: the version 1, the number of names, and
// each name behind its length; numbers are unsigned varints.
func Encode(names []string) []byte {
	b := []byte{formatVersion}
	b = binary.AppendUvarint(b, uint64(len(names)))
	for _, n := range names {
		b = binary.AppendUvarint(b, uint64(len(n)))
		b = append(b, n...)
	}
	return b
}

// Decode reads what Encode has written. The error is ErrFormat.
func Decode(b []byte) ([]string, error) {
	if len(b) == 0 || b[0] != formatVersion {
		return nil, fmt.Errorf("%w: %d bytes of no known version", ErrFormat, len(b))
	}
	rest := b[1:]
	take := func(limit uint64) (uint64, bool) {
		n, size := binary.Uvarint(rest)
		if size <= 0 || n > limit || size > 1 && rest[size-1] == 0 {
			return 0, false
		}
		rest = rest[size:]
		return n, true
	}
	count, ok := take(Count)
	if !ok || count == 0 {
		return nil, fmt.Errorf("%w: an impossible number of databases", ErrFormat)
	}
	var names []string
	seen := make(map[string]bool)
	for range count {
		n, ok := take(replica.MaxBucketName)
		if !ok || n == 0 || n > uint64(len(rest)) || seen[string(rest[:n])] {
			return nil, fmt.Errorf("%w: the name of database %d", ErrFormat, len(names))
		}
		seen[string(rest[:n])] = true
		names = append(names, string(rest[:n]))
		rest = rest[n:]
	}
	if len(rest) > 0 {
		return nil, fmt.Errorf("%w: %d bytes behind its end", ErrFormat, len(rest))
	}
	return names, nil
}
