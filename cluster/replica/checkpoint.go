package replica

import (
	"errors"

	"github.com/ringwood-kv/ringwood/lsm"
)

// Checkpoint makes a second store in dir, as lsm.DB.Checkpoint does, with all that was
// acknowledged before the call. Whoever opens it gets a new actor: it is a past of this
// store, and both may write from now on. So does this store if it ends before Checkpoint
// returns. It waits for the disk.
func (r *Replica) Checkpoint(dir string) error {
	r.checkpoint.Lock()
	defer r.checkpoint.Unlock()
	if r.closed.Load() {
		return ErrClosed
	}
	b := r.db.NewBatch()
	if err := b.Put(metaCopied, []byte{formatVersion}); err != nil {
		return err
	}
	if err := b.Commit(lsm.Sync); err != nil {
		return err
	}
	err := r.db.Checkpoint(dir)
	b.Reset()
	return errors.Join(err, b.Delete(metaCopied), b.Commit(lsm.OS))
}

// Sync makes all that was acknowledged durable, whatever its bucket asked for.
func (r *Replica) Sync() error { return r.db.Sync() }

// Engine returns the engine below, for its metrics and maintenance: Metrics, Flush,
// Compact, Verify, and Excise for damage, after which NewActor is due. Whoever writes
// keys to it breaks the store.
func (r *Replica) Engine() *lsm.DB { return r.db }

// Opened tells what Open found.
func (r *Replica) Opened() Opened { return r.opened }

// Cluster returns the name of the cluster to which the store belongs.
func (r *Replica) Cluster() ID { return r.id.cluster }

// Node returns the name of the node whose data this is.
func (r *Replica) Node() ID { return r.id.node }

// HashKey returns the key under which keys are hashed; it is the cluster's secret.
func (r *Replica) HashKey() HashKey { return r.id.hash }

// Partitions returns Q.
func (r *Replica) Partitions() int { return r.layout.count }

// Locate returns the token of a key and the partition in which it lies.
func (r *Replica) Locate(key []byte) (partition uint16, token uint64) {
	token = r.layout.token(key)
	return r.layout.partition(token), token
}
