package httpapi

import (
	"context"

	"github.com/ringwood-kv/ringwood/cluster/httpapi/wire"
)

// Store is the data that the API serves. Its methods are safe for concurrent use, and
// wait for the disk where they have to. Bytes that are handed in are not kept; what comes
// back belongs to the caller, unless said.
//
// An error that is a *wire.Error, or wraps one, is told to the client as it is. Others
// are logged, and the client learns that there was one; from a write they count as
// indeterminate.
type Store interface {
	// Read returns all that is known of a key. A key without a value is no error.
	Read(ctx context.Context, bucket string, key []byte) (Record, error)

	// Write does one or more operations on keys of a bucket. An error says that none of
	// them was applied, unless it is not definite. Otherwise there is a result for each,
	// and an operation with an error was not applied.
	Write(ctx context.Context, bucket string, w Write) (Written, error)

	// Scan calls visit for keys that have a value, in an order that does not change, from
	// a cursor on, "" being the beginning, and returns the cursor to go on with, "" at the
	// end. If visit returns false, the key counts as not visited, and the scan ends. It
	// looks at a limited number of records, and may show none and yet not be the end. Key
	// and value live until visit returns; visit does not block.
	Scan(ctx context.Context, bucket string, s Scan, visit func(Item) bool) (next string, err error)

	// Buckets returns all buckets, by name; Bucket one of them.
	Buckets(ctx context.Context) ([]wire.Bucket, error)
	Bucket(ctx context.Context, name string) (wire.Bucket, error)
	CreateBucket(ctx context.Context, name string, c wire.BucketConfig) error
	AlterBucket(ctx context.Context, name string, c wire.BucketConfig) error
	DropBucket(ctx context.Context, name string) error
	// EmptyBucket removes all keys, in one step.
	EmptyBucket(ctx context.Context, name string) error
}

// Record is what is known of a key.
type Record struct {
	Values  []Value // the latest first
	Context string  // what a reader has seen, as a token; never empty
	Tag     string  // names the set of values, in letters and digits; "" if there is none
}

// Value is one sibling.
type Value struct {
	Data    []byte
	Written int64 // milliseconds since the Unix epoch
	Expiry  int64 // likewise; 0 never
	TTL     int64 // milliseconds from the read to the expiry; 0 without one
}

// Write is what Store.Write does.
type Write struct {
	Operations []Operation
	// Atomic: if one operation fails, none is applied, and the error says which one it
	// was. A Store that cannot do that for these keys says so and applies nothing.
	Atomic bool
	// Durability, if it is not empty, is what the write has survived at least when it is
	// acknowledged: sync, os or none. That of the bucket holds too.
	Durability string
	// ID, if it is not empty, makes a repetition harmless. It is the client's, in the
	// name of User.
	ID, User string

	// A write has to read what it replaces, and nobody knows before how large that is. Turn
	// waits until the Store may read a record, and done ends that. Before that, Hold is
	// told how many bytes of records are in memory for this write by now; its error says
	// that there is not so much, and is that of the operation. Both are nil where nothing
	// is limited, and may be called while the Store holds locks.
	Turn func() (done func(), err error)
	Hold func(bytes int64) error
}

// Kind is what an Operation does.
type Kind uint8

// The kinds.
const (
	Put Kind = iota
	Delete
	Increment // adds By to the decimal integer that the key has, 0 if it has none
)

// Operation is a write of one key.
type Operation struct {
	Kind    Kind
	Key     []byte
	Value   []byte
	By      int64
	TTL     int64  // milliseconds, 0 for ever
	Context string // a token; "" replaces all that there is
	If      Condition
}

// Condition is what has to hold for an operation to be applied. The zero Condition does.
type Condition struct {
	Match     Tags // the record is one of these
	NoneMatch Tags // the record is none of these
}

// Tags are records. Any stands for every record that has a value.
type Tags struct {
	Set  bool // there is a condition
	Any  bool
	Tags []string
}

// Holds says whether c holds for a record with that tag, "" for one without a value.
func (c *Condition) Holds(tag string) bool {
	return (!c.Match.Set || c.Match.has(tag)) && (!c.NoneMatch.Set || !c.NoneMatch.has(tag))
}

func (t *Tags) has(tag string) bool {
	if tag == "" {
		return false
	}
	if t.Any {
		return true
	}
	for _, x := range t.Tags {
		if x == tag {
			return true
		}
	}
	return false
}

// Written is what a Write did.
type Written struct {
	Results []Result
	// Replayed says that a request of that id had been applied before, and that the
	// results are from then.
	Replayed bool
}

// Result is what an Operation did.
type Result struct {
	Tag      string // of the record now, "" if it has no value, or others are beside it
	Context  string // covers what was written and what that replaced; "" if others are beside it
	Siblings int    // values now
	Number   int64  // after Increment
	Err      *wire.Error
}

// Scan says which keys Store.Scan shows.
type Scan struct {
	Prefix []byte
	Cursor string
	// Match, if not nil, is asked for each key before anything else about it is looked
	// at, and false leaves it out.
	Match func(key []byte) bool
}

// Item is a key in a scan, with the latest of its values.
type Item struct {
	Key      []byte
	Value    []byte
	Expiry   int64 // milliseconds since the Unix epoch, 0 never
	TTL      int64 // milliseconds, 0 without an expiry
	Siblings int
}
