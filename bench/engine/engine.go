// Package engine is what a benchmark sees of a key-value store: the operations that
// every store has, and the figures that some of them tell about themselves. Each
// engine is a file of its own here, with a Kind, and one entry in the list of kinds.
//
//	kind, err := engine.Find("lsm")
//	e, err := kind.Open(engine.Config{Dir: dir, Memory: 256 << 20, Durability: engine.OS})
//	err = e.Put(key, value)
//	value, err = e.AppendGet(value[:0], key)
//
// The adapters add no caching, batching or retries of their own: what is measured is
// the engine. How each one is configured stands in its file.
package engine

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// ErrNotFound is what AppendGet returns for a key that is not there.
var ErrNotFound = errors.New("key not found")

// ErrUntold is what Settle returns for an engine that does not tell whether it rests.
var ErrUntold = errors.New("the engine does not tell whether it rests")

// Engine is an open store. It is safe for concurrent use; its batches and iterators
// belong to one goroutine each. Keys and values passed in are not kept.
type Engine interface {
	// Put stores a value, with the durability the engine was opened with.
	Put(key, value []byte) error
	// AppendGet appends the value of key to dst and returns the extended slice, or
	// ErrNotFound and dst.
	AppendGet(dst, key []byte) ([]byte, error)
	// Delete removes a key; removing one that is not there is no error.
	Delete(key []byte) error
	// NewBatch returns an empty batch, to be used many times.
	NewBatch() Batch
	// NewIter returns an iterator over the keys in [lower, upper), nil for no bound,
	// as of now. It stands on no key until it is moved.
	NewIter(lower, upper []byte) (Iter, error)
	// Sync makes everything acknowledged so far durable.
	Sync() error
	// Settle writes out what is in memory and waits until background work rests, so
	// that what writing costs has been paid and reads see a settled store. rested is how
	// long it went on looking at an engine that rested already: no time of the engine's.
	// The error is ErrUntold where nobody can know.
	Settle(ctx context.Context) (rested time.Duration, err error)
	// Stats returns what the engine counts since it was opened.
	Stats() Stats
	// Close syncs and closes the store.
	Close() error
}

// Batch collects writes that Commit applies at once.
type Batch interface {
	Put(key, value []byte) error
	Delete(key []byte) error
	// Commit applies the writes, with the engine's durability, and empties the batch.
	Commit() error
	Close() error
}

// Iter walks over keys in order. Moves report whether it stands on a key afterwards.
// Key and Value live until the next move.
type Iter interface {
	First() bool
	Last() bool
	SeekGE(key []byte) bool
	SeekLT(key []byte) bool
	Next() bool
	Prev() bool
	Key() []byte
	Value() []byte
	Err() error
	Close() error
}

// Durability is what a write has survived when it is acknowledged.
type Durability uint8

const (
	Sync Durability = iota // on disk: survives a power cut
	OS                     // with the operating system: survives the death of the process
	None                   // in the memory of the process
)

var durabilities = []string{Sync: "sync", OS: "os", None: "none"}

func (d Durability) String() string {
	if int(d) < len(durabilities) {
		return durabilities[d]
	}
	return fmt.Sprintf("Durability(%d)", uint8(d))
}

// ParseDurability reads what String prints.
func ParseDurability(s string) (Durability, error) {
	for i, name := range durabilities {
		if s == name {
			return Durability(i), nil
		}
	}
	return 0, fmt.Errorf("unknown durability %q: it is one of %s", s, strings.Join(durabilities, ", "))
}

// Config says how to open a store. An engine uses its own defaults for whatever is
// not here.
type Config struct {
	Dir        string
	Memory     int64 // budget in bytes for caches and write buffers; 0 means the engine's default
	Durability Durability

	// Of a server, which has none of the above:
	Connections int // 0 means one
	Pipeline    int // calls under way on each connection; 0 means one
}

// memory is the budget that lsm has too where none is given.
func (c Config) memory() int64 {
	if c.Memory == 0 {
		return 256 << 20
	}
	return c.Memory
}

// Limits are the largest key and value in bytes that an engine takes.
type Limits struct {
	Key, Value int64
}

// Kind is an engine that can be opened by its name.
type Kind struct {
	Name   string
	Help   string // one line
	Limits Limits
	// Marker is a file that every store of this engine has in its directory, as a
	// pattern of io/fs.Glob: a directory that is not empty is cleared only if it is there.
	Marker string
	// BelowOS marks an engine that at durability OS promises less: it leaves part of the log
	// in the memory of the process.
	BelowOS bool
	// Variant marks an engine set up otherwise, for some rows: not compared unless asked for.
	Variant bool
	// Forgetful marks an engine that keeps nothing, so that what it answers can't be
	// checked.
	Forgetful bool
	// Server marks a program of its own, which Open connects to: its engine is a Server.
	Server bool
	Open   func(Config) (Engine, error)
}

// Find returns the kind with that name, or an error that lists those there are.
func Find(name string) (Kind, error) {
	var names []string
	for _, k := range Kinds() {
		if k.Name == name {
			return k, nil
		}
		names = append(names, k.Name)
	}
	return Kind{}, fmt.Errorf("unknown engine %q: it is one of %s", name, strings.Join(names, ", "))
}
