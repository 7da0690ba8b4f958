package replica

import (
	"errors"
	"fmt"

	"github.com/ringwood-kv/ringwood/lsm"
	"github.com/ringwood-kv/ringwood/lsm/vfs"
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

// MarkCopied says that the store in dir, which nobody has open, was not simply closed there:
// it was salvaged, or restored from files that were copied. Whoever opens it gets a new
// actor, as with a checkpoint, also where the lease of the old one was lost. It says
// whether there is a store of this package in dir; anything else it leaves as it is. It
// waits for the disk.
func MarkCopied(dir string, fsys vfs.FS) (marked bool, err error) {
	db, err := lsm.Open(dir, &lsm.Options{FS: fsys, ReadOnly: true})
	if err != nil {
		return false, fmt.Errorf("replica: %w", err)
	}
	marked, err = db.Has(metaIdentity)
	if err = errors.Join(err, db.Close()); err != nil || !marked {
		return false, err
	}
	if db, err = lsm.Open(dir, &lsm.Options{FS: fsys}); err != nil {
		return false, fmt.Errorf("replica: %w", err)
	}
	b := db.NewBatch()
	err = errors.Join(b.Put(metaCopied, []byte{formatVersion}), b.Commit(lsm.Sync), db.Close())
	return err == nil, err
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
