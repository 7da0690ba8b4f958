package replica

import (
	"fmt"

	"github.com/ringwood-kv/ringwood/lsm"
)

// Limits of the values that WriteMeta keeps.
const (
	MaxMetaName  = MaxBucketName // bytes
	MaxMetaValue = 1 << 20       // bytes
)

// metaNamed is in front of the names of others in the meta partition, so that none of
// them is one of ours.
const metaNamed = "named/"

// ReadMeta returns what WriteMeta has stored under name, and whether there is something.
// The value is the caller's. The error is ErrInvalid for a name that is not possible,
// ErrClosed, ErrCorruption, ErrFormat for a value of a later version, or the engine's.
func (r *Replica) ReadMeta(name string) (value []byte, found bool, err error) {
	if err := checkName(name); err != nil {
		return nil, false, err
	}
	b, err := r.meta(metaKey(metaNamed + name))
	if err != nil {
		return nil, false, fmt.Errorf("replica: %w", err)
	}
	if b == nil {
		return nil, false, nil
	}
	if err := checkVersion(b); err != nil {
		return nil, false, fmt.Errorf("replica: the named value %s: %w", name, err)
	}
	if len(b) == 0 || b[0] != formatVersion {
		return nil, false, fmt.Errorf("replica: %w: the named value %s has %d bytes and no version that is known", ErrCorruption, name, len(b))
	}
	return b[1:], true, nil
}

// WriteMeta stores a small value of the node's own under name, in place of the one
// before: what belongs to the node and not to a bucket, such as its users. It is on disk
// when the call returns, and part of every checkpoint. A name is made like that of a
// bucket, of which it is independent.
//
// The error is ErrInvalid; ErrTooLarge, beyond MaxMetaValue; ErrClosed; or the engine's,
// of which ErrReadOnly leaves open which of the two values the next Open finds.
func (r *Replica) WriteMeta(name string, value []byte) error {
	if err := checkName(name); err != nil {
		return err
	}
	if len(value) > MaxMetaValue {
		return fmt.Errorf("%w: the value %s has %d bytes, the limit is %d", ErrTooLarge, name, len(value), MaxMetaValue)
	}
	r.admin.Lock()
	defer r.admin.Unlock()
	if r.closed.Load() {
		return ErrClosed
	}
	b := r.db.NewBatch()
	if err := b.Put(metaKey(metaNamed+name), append([]byte{formatVersion}, value...)); err != nil {
		return err
	}
	return b.Commit(lsm.Sync)
}
