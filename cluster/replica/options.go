package replica

import (
	"fmt"
	"io"
	"math/bits"
	"time"

	"github.com/ringwood-kv/ringwood/cluster/vclock"
	"github.com/ringwood-kv/ringwood/lsm"
)

// ID names a cluster or a node. The zero ID names none.
type ID [16]byte

// Options configures Open. The zero value of every field is a good default.
type Options struct {
	// Engine is handed to lsm.Open, except for Durability, which buckets decide. ReadOnly
	// is refused. With an Executor, everything that this package begins is finished by its
	// steps.
	Engine lsm.Options

	// Random gives the bytes of new actors, ids and hash keys. nil means crypto/rand.
	Random io.Reader

	// Cluster and Node, where they are not zero, must be those of the store; a new store
	// takes them, or draws its own.
	Cluster, Node ID

	// Create is what a new store is made with, for good. It says nothing about one that
	// exists.
	Create Creation

	// MaxOffset is how far ahead of the wall clock the timestamp of another node may be. 0
	// means hlc.DefaultMaxOffset.
	MaxOffset time.Duration

	// DotBlock is how many dots are leased at once. 0 means vclock.DefaultBlock.
	DotBlock uint64

	// NewActor makes the store go on as a new incarnation, also where the lease of the
	// old one cannot be read: after a restored backup, a salvage, or damage that lost
	// something. See Replica.NewActor.
	NewActor bool
}

// Creation is what is fixed when a store is made.
type Creation struct {
	// Partitions is Q, a power of two up to MaxPartitions. 0 means DefaultPartitions.
	Partitions int
	// HashKey is the cluster's; zero means that this store draws one.
	HashKey HashKey
	// Bucket configures the first bucket, which is named FirstBucket.
	Bucket BucketConfig
}

// FirstBucket is the name of the bucket that a new store has.
const FirstBucket = "available"

// Mode is what a bucket promises. It never changes.
type Mode uint8

const (
	// Available: versions with dots, siblings, quorums. The zero value.
	Available Mode = iota
	// Consistent: every key is a register that is agreed upon. It is not supported yet.
	Consistent
)

func (m Mode) String() string {
	switch m {
	case Available:
		return "available"
	case Consistent:
		return "consistent"
	}
	return fmt.Sprintf("Mode(%d)", uint8(m))
}

// Limits of a bucket's configuration.
const (
	DefaultMaxValue = 64 << 20  // bytes
	MaxMaxValue     = 128 << 20 // bytes
	MaxBucketName   = 64        // bytes
	MaxBuckets      = 256

	maxSiblings = 1 << 20
)

// BucketConfig is how a bucket keeps its keys. Mode and LastWriterWins are fixed when
// it is created; AlterBucket changes the others.
type BucketConfig struct {
	Mode Mode
	// LastWriterWins keeps only the latest write by timestamp, where otherwise concurrent
	// writes stay side by side as siblings.
	LastWriterWins bool
	// Durability is what a write has survived when it is acknowledged. A transaction may
	// ask for more.
	Durability lsm.Durability
	// WarnSiblings is how many siblings are worth a count in the statistics. 0 means
	// vclock.DefaultWarnSiblings; negative never.
	WarnSiblings int
	// MaxSiblings is how many siblings there may be. 0 means vclock.DefaultMaxSiblings;
	// negative means no limit.
	MaxSiblings int
	// MaxSiblingBytes limits the values of two or more siblings together. 0 means
	// MaxValue.
	MaxSiblingBytes int
	// OnLimit is what happens to a write that goes beyond: vclock.Reject unless said.
	OnLimit vclock.Action
	// MaxValue is the length of the longest value, in bytes. 0 means DefaultMaxValue; at
	// most MaxMaxValue.
	MaxValue int
}

// normal returns c with its defaults filled in, or what is wrong with it.
func (c BucketConfig) normal() (BucketConfig, error) {
	switch {
	case c.Mode == Consistent:
		return c, fmt.Errorf("%w: consistent buckets need the register of a later version", ErrMode)
	case c.Mode != Available:
		return c, fmt.Errorf("%w: %v", ErrMode, c.Mode)
	case c.Durability > lsm.None:
		return c, fmt.Errorf("%w: unknown durability %d", ErrInvalid, c.Durability)
	case c.OnLimit > vclock.Keep:
		return c, fmt.Errorf("%w: unknown action %d", ErrInvalid, c.OnLimit)
	case c.MaxValue < 0 || c.MaxValue > MaxMaxValue:
		return c, fmt.Errorf("%w: MaxValue is %d, from 1 to %d is possible", ErrInvalid, c.MaxValue, MaxMaxValue)
	case c.MaxSiblingBytes < 0 || c.MaxSiblingBytes > lsm.MaxValueLen:
		return c, fmt.Errorf("%w: MaxSiblingBytes is %d, up to %d is possible", ErrInvalid, c.MaxSiblingBytes, lsm.MaxValueLen)
	case c.WarnSiblings > maxSiblings || c.MaxSiblings > maxSiblings:
		return c, fmt.Errorf("%w: limits of %d and %d siblings, up to %d is possible", ErrInvalid, c.WarnSiblings, c.MaxSiblings, maxSiblings)
	}
	if c.MaxValue == 0 {
		c.MaxValue = DefaultMaxValue
	}
	if c.MaxSiblingBytes == 0 {
		c.MaxSiblingBytes = c.MaxValue
	}
	if c.WarnSiblings == 0 {
		c.WarnSiblings = vclock.DefaultWarnSiblings
	}
	if c.MaxSiblings == 0 {
		c.MaxSiblings = vclock.DefaultMaxSiblings
	}
	c.WarnSiblings, c.MaxSiblings = max(c.WarnSiblings, -1), max(c.MaxSiblings, -1)
	return c, nil
}

// policy returns c, which is normal, in the words of vclock.
func (c *BucketConfig) policy() vclock.Policy {
	return vclock.Policy{
		LastWriterWins: c.LastWriterWins,
		WarnSiblings:   max(c.WarnSiblings, 0),
		MaxSiblings:    max(c.MaxSiblings, 0),
		MaxBytes:       c.MaxSiblingBytes,
		OnLimit:        c.OnLimit,
	}
}

// checkName says whether name can be that of a bucket: letters, digits, and - _ .
func checkName(name string) error {
	if len(name) == 0 || len(name) > MaxBucketName {
		return fmt.Errorf("%w: a bucket name of %d bytes, from 1 to %d are possible", ErrInvalid, len(name), MaxBucketName)
	}
	for _, c := range []byte(name) {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '-', c == '_', c == '.':
		default:
			return fmt.Errorf("%w: bucket name %q: letters, digits and -_. are possible", ErrInvalid, name)
		}
	}
	return nil
}

// partitions returns Q, or what is wrong with it.
func (c *Creation) partitions() (int, error) {
	n := c.Partitions
	if n == 0 {
		n = DefaultPartitions
	}
	if n < 1 || n > MaxPartitions || bits.OnesCount(uint(n)) != 1 {
		return 0, fmt.Errorf("%w: %d partitions: a power of two up to %d is possible", ErrInvalid, n, MaxPartitions)
	}
	return n, nil
}
