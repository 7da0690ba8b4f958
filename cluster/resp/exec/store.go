package exec

// Key is a key of a database.
type Key struct {
	DB   int
	Name []byte
}

// Encoding says how OBJECT ENCODING is to describe a value: things of its history that
// its bytes do not tell. A Store keeps the two bits with the value.
type Encoding uint8

// The encodings.
const (
	EncodingAuto   Encoding = iota // what the bytes suggest
	EncodingRaw                    // it was changed in place
	EncodingText                   // it was computed as a text, though it may look like an integer
	EncodingOwnInt                 // an integer that is no shared object
)

// Info is what is kept beside a value.
type Info struct {
	Exists   bool
	Encoding Encoding
	Len      int   // bytes of the value
	ExpireAt int64 // milliseconds since 1970, 0 for never; the key is there up to and including it
}

// Store is the data. Its methods are safe for concurrent use. Times are in milliseconds
// since 1970: a key that expires before now does not exist. Names of keys belong to the
// caller and are not kept.
//
// An error that is a wire.Error is told to the client as it is. Others are handed to
// Options.Report, and the client learns that there was one.
type Store interface {
	// Get appends the value that is committed to dst, which it may reallocate, and
	// returns both. Where the key does not exist it returns dst. It waits for no
	// transaction.
	Get(dst []byte, k Key, now int64) ([]byte, Info, error)
	// Stat is Get without the value.
	Stat(k Key, now int64) (Info, error)

	// Update runs a function as a transaction over keys, some of which may be the same:
	// no other transaction has one of them at the same time. When it returns nil, what
	// the function wrote is as durable as the Store promises, and visible as from one
	// moment. A Store that lets others have the keys before that must show them what
	// is written here, and acknowledge nothing of theirs before.
	//
	// An error of the function is returned as it is, and nothing is written. After
	// another error nothing is written either, or the error says that this is not
	// certain. CrossSlot says that the Store has no transactions over these keys.
	//
	// The function may run more than once: the last time counts. It does not call
	// Update.
	Update(keys []Key, now int64, f func(Txn) error) error

	// Flush removes all keys of some databases. Transactions are before it or after
	// it.
	Flush(dbs []int) error

	// Scan visits the keys of a database in an order that does not change, from a
	// cursor on, 0 being the beginning: about count of them, and returns the cursor to
	// go on with, 0 at the end. A key that exists from the first call to the last is
	// visited at least once. The bytes are valid during the visit. An error of visit
	// ends the scan and is returned.
	Scan(db int, cursor uint64, count int, now int64, visit func(name []byte) error) (next uint64, err error)

	// Len returns how many keys a database has and how many of them expire. Expired
	// ones may be counted.
	Len(db int, now int64) (keys, expiring int64, err error)

	// RandomKey appends the name of some key to dst. It is not ok if there is none.
	RandomKey(dst []byte, db int, now int64) (name []byte, ok bool, err error)
}

// Txn is a transaction in the hands of the function of Update. Keys are named by their
// index among those of Update. It sees its own writes.
type Txn interface {
	// Get and Stat are like those of Store, at the time that Update was given.
	Get(dst []byte, i int) ([]byte, Info, error)
	Stat(i int) (Info, error)
	// Put sets a key with all that is kept beside it; Len and Exists of the Info mean
	// nothing. The value stays as it is until the function returns. Delete removes a
	// key; one that does not exist is no error. After an error the transaction is as
	// before.
	Put(i int, value []byte, info Info) error
	Delete(i int) error
	// Held returns how many bytes of what is stored the transaction has read, in any of
	// the calls above, and keeps in memory until its end.
	Held() int
	// Forget lets go of what was read of a key that was not written: Held no longer counts
	// it, and it is read again when it is asked for.
	Forget(i int)
}
