package replica

import (
	"bytes"
	"errors"
	"fmt"
	"math/bits"
	"sync/atomic"

	"github.com/ringwood-kv/ringwood/cluster/vclock"
	"github.com/ringwood-kv/ringwood/lsm"
)

// Ref names a key that a transaction may touch.
type Ref struct {
	Bucket *Bucket
	Key    []byte
}

// Write is what Put stores.
type Write struct {
	Value []byte
	// Type is for the caller, from 0 to 15: what kind of value it is.
	Type uint8
	// Expiry is when the value ends, in milliseconds since the Unix epoch; 0 never. A value
	// whose expiry is past is stored as one that has expired.
	Expiry int64
	// Context is what the writer had read, and replaces. nil is a blind write, which
	// replaces all that this replica holds. An empty Context replaces nothing.
	Context *vclock.Context
}

// Tx is a transaction over the keys that were declared for it, in the hands of the
// function that Update runs: it holds the latches of these keys, so nobody else writes
// them. It reads its own writes. What it writes is committed in one batch when the
// function returns nil, and forgotten when it returns an error. A Tx is good until that
// return, in that goroutine.
type Tx struct {
	r    *Replica
	wall int64
	fn   func(*Tx) error
	done func(error) // nil: somebody sleeps on wake

	wake  chan struct{} // latches granted, or commit done
	parts atomic.Int32  // who still uses an asynchronous transaction
	next  *Tx           // in the queue of a stripe, or a list

	entries []entry  // as declared
	slots   []int32  // the entry that serves each declared key
	table   []int32  // of a hash: entries by key, plus 1, while they are compared
	stripes []uint32 // ascending; the first held are ours
	held    int
	chained bool // commits of our stripes were under way when we got the latch
	reruns  int

	running    bool
	starved    bool   // a lease did not suffice
	peeked     bool   // it read what was not committed yet
	onlyReads  bool   // it waits for the commits of what it read, and has none of its own
	failures   uint64 // of commits, before it read
	refused    bool   // it was parked, and never ran again
	durability lsm.Durability
	err        error

	keys  []byte // engine keys
	hints [][]byte
	out   []byte // encoded records
	index []byte // an index key
	batch *lsm.Batch
	bytes int // of the records that were read

	// committed is onCommit, made once.
	committed func(uint64, error)

	// What Put and Delete of Replica do, without a function.
	single  singleOp
	one     [1]Ref
	write   Write
	existed bool
}

type singleOp uint8

const (
	noSingle singleOp = iota
	singlePut
	singleDelete
)

// Beyond these, the memory of a transaction is not kept for the next one. A pipeline of
// RESP has up to 256 commands, and those of several connections share a transaction.
const (
	keptEntries = 512
	keptBytes   = 256 << 10
	keptRecord  = 64 << 10 // read for one entry
	keptRecords = 1 << 20  // for all of them

	// keptForgotten is what stays of the memory of a key that was forgotten.
	keptForgotten = 4 << 10
)

func (r *Replica) newTx() *Tx {
	tx := &Tx{r: r, wake: make(chan struct{}, 1), batch: r.db.NewBatch()}
	tx.committed = tx.onCommit
	return tx
}

func (r *Replica) getTx(wall int64) *Tx {
	tx := r.txs.Get().(*Tx)
	tx.wall = wall
	return tx
}

// putTx takes back a transaction that nobody uses any more.
func (r *Replica) putTx(tx *Tx) {
	if len(tx.entries) > keptEntries || cap(tx.keys) > keptBytes || cap(tx.out) > keptBytes || tx.batch.Size() > keptBytes {
		return
	}
	records := 0
	for i := range tx.entries {
		e := &tx.entries[i]
		e.obj.Reset()
		e.letGo()
		if records += cap(e.rec); records > keptRecords {
			e.rec = nil
		}
		e.bucket, e.gen, e.user, e.err = nil, nil, nil, nil
	}
	tx.fn, tx.done, tx.next, tx.err = nil, nil, nil, nil
	tx.one, tx.write = [1]Ref{}, Write{}
	tx.single, tx.existed, tx.refused, tx.reruns = noSingle, false, false, 0
	tx.entries, tx.slots, tx.stripes = tx.entries[:0], tx.slots[:0], tx.stripes[:0]
	tx.chained, tx.onlyReads = false, false
	r.txs.Put(tx)
}

// prepare declares the keys.
func (tx *Tx) prepare(refs []Ref) error {
	r := tx.r
	tx.slots = tx.slots[:0]
	for i := range refs {
		ref := &refs[i]
		if ref.Bucket == nil || ref.Bucket.r != r {
			return fmt.Errorf("%w: key %d is of no bucket of this replica", ErrInvalid, i)
		}
		if len(ref.Key) > MaxKeyLen {
			return fmt.Errorf("%w: key of %d bytes, the limit is %d", ErrTooLarge, len(ref.Key), MaxKeyLen)
		}
		e := tx.addEntry()
		e.bucket, e.user, e.token = ref.Bucket, ref.Key, r.layout.token(ref.Key)
		e.stripe = uint32(e.token) & (stripeCount - 1)
		tx.slots = append(tx.slots, int32(i))
	}
	if len(refs) == 1 {
		tx.stripes = append(tx.stripes[:0], tx.entries[0].stripe)
		return nil
	}
	tx.unite()
	return nil
}

// addEntry returns a new entry, with the memory of an old one.
func (tx *Tx) addEntry() *entry {
	n := len(tx.entries)
	if n < cap(tx.entries) {
		tx.entries = tx.entries[:n+1]
	} else {
		tx.entries = append(tx.entries, entry{})
	}
	return &tx.entries[n]
}

// unite makes one entry serve for a key that was declared twice, and lists the stripes.
func (tx *Tx) unite() {
	size := 2 << bits.Len(uint(len(tx.entries))) // more than half of it stays empty
	if len(tx.table) != size {
		tx.table = make([]int32, size)
	} else {
		clear(tx.table)
	}
	var stripes [stripeCount / 64]uint64
	for i := range tx.entries {
		e := &tx.entries[i]
		// The low bits of a token are those of the stripe.
		at := int(e.token>>32) & (size - 1)
		for tx.table[at] != 0 && !tx.entries[tx.table[at]-1].same(e) {
			at = (at + 1) & (size - 1)
		}
		if first := tx.table[at]; first != 0 {
			tx.slots[i] = first - 1 // the entry i remains, and nobody uses it
			continue
		}
		tx.table[at] = int32(i + 1)
		stripes[e.stripe/64] |= 1 << (e.stripe % 64)
	}
	tx.stripes = tx.stripes[:0]
	for i, w := range stripes {
		for ; w != 0; w &= w - 1 {
			tx.stripes = append(tx.stripes, uint32(64*i+bits.TrailingZeros64(w)))
		}
	}
}

// same says whether e and f are one key.
func (e *entry) same(f *entry) bool {
	return e.token == f.token && e.bucket == f.bucket && bytes.Equal(e.user, f.user)
}

// Len returns how many keys were declared.
func (tx *Tx) Len() int { return len(tx.slots) }

// Wall returns the wall time of the transaction, in milliseconds since the Unix epoch.
func (tx *Tx) Wall() int64 { return tx.wall }

// Held returns how many bytes of records the transaction has read, and keeps until it is
// over: whoever limits memory asks while the function runs. Put and Delete read as well,
// and let go of a large record that they replace.
func (tx *Tx) Held() int { return tx.bytes }

// Durable makes the transaction at least as durable as d when it is acknowledged.
func (tx *Tx) Durable(d lsm.Durability) { tx.durability = min(tx.durability, d) }

// Get returns the value of declared key i, as Replica.Get does. The value is good until
// the key is written, or the function returns.
func (tx *Tx) Get(i int) (Item, error) {
	e, err := tx.load(i)
	if err != nil {
		return Item{}, err
	}
	it := itemOf(&e.obj, tx.wall)
	if it.Siblings > 1 {
		tx.r.stats.conflicts.Add(1)
	}
	return it, nil
}

// Read returns all that is known of declared key i: siblings, tombstones, and the
// context. It is read-only, and good until the key is written, or the function returns.
func (tx *Tx) Read(i int) (*vclock.Object, error) {
	e, err := tx.load(i)
	if err != nil {
		return nil, err
	}
	return &e.obj, nil
}

// Put writes declared key i. The value is not copied, and must stay as it is until the
// function returns. After an error, the transaction is as it was before the call.
//
// The errors are ErrTooLarge and ErrInvalid; vclock.ErrLimit for too many siblings;
// vclock.ErrAmnesia and hlc.ErrOffset for a context that this node cannot have given
// out; what reading the key can say; and a lease that does not suffice, upon which the
// function runs again when there is a longer one.
func (tx *Tx) Put(i int, w Write) error {
	e, err := tx.load(i)
	if err != nil {
		return err
	}
	if limit := e.bucket.settings.Load().MaxValue; len(w.Value) > limit {
		return fmt.Errorf("%w: value of %d bytes, the limit of bucket %s is %d", ErrTooLarge, len(w.Value), e.bucket.name, limit)
	}
	if w.Type > 15 || w.Expiry < 0 {
		return fmt.Errorf("%w: type %d, expiry %d", ErrInvalid, w.Type, w.Expiry)
	}
	return tx.put(e, vclock.Sibling{Flags: vclock.Flags(w.Type << 4), Expiry: w.Expiry, Value: w.Value}, w.Context)
}

// Delete deletes declared key i, and says whether it had a value. ctx is what the
// client had read, as in Write; a deletion without one of a key that is not there
// writes nothing. The errors are as for Put.
func (tx *Tx) Delete(i int, ctx *vclock.Context) (existed bool, err error) {
	e, err := tx.load(i)
	if err != nil {
		return false, err
	}
	if ctx == nil {
		if present(&e.obj, 0).keys == 0 {
			return false, nil
		}
	}
	existed = !e.obj.Dead(tx.wall)
	return existed, tx.put(e, vclock.Sibling{Flags: vclock.Tombstone}, ctx)
}

// Merge joins what another replica knows of declared key i with what this one does.
// Values of x are not copied, as in Put; x is unchanged. A store that is not shared has
// nothing to merge, and would forget tombstones: ErrInvalid. The other errors are those of
// vclock.Object.Merge, vclock.ErrAmnesia, hlc.ErrOffset, and what reading the key can
// say.
func (tx *Tx) Merge(i int, x *vclock.Object) (vclock.Outcome, error) {
	e, err := tx.load(i)
	if err != nil {
		return vclock.Outcome{}, err
	}
	if !tx.r.shared.Load() {
		return vclock.Outcome{}, fmt.Errorf("%w: a merge into a store that is not shared: call Share first", ErrInvalid)
	}
	if err := tx.r.dots.Load().Check(x.Vector); err != nil {
		return vclock.Outcome{}, err
	}
	if err := tx.r.clock.Observe(x.MaxHLC(), tx.wall); err != nil {
		return vclock.Outcome{}, err
	}
	out, err := e.obj.Merge(x, &e.bucket.settings.Load().policy)
	if err == nil && out.Changed {
		e.dirty = true
		tx.note(out)
	}
	return out, err
}

// put adds s, which has neither dot nor timestamp yet, to what e holds.
func (tx *Tx) put(e *entry, s vclock.Sibling, ctx *vclock.Context) error {
	r := tx.r
	dots := r.dots.Load()
	policy := &e.bucket.settings.Load().policy
	covers := e.obj.Context()
	seen := covers.HLC
	if ctx != nil {
		if err := dots.Check(ctx.Vector); err != nil {
			return err
		}
		if covers = *ctx; policy.LastWriterWins {
			seen = max(seen, ctx.HLC)
		} else {
			seen = ctx.HLC
		}
	}
	var err error
	if s.HLC, err = r.clock.After(seen, tx.wall); err != nil {
		return tx.hungry(err)
	}
	if s.Dot, err = dots.Mint(); err != nil {
		return tx.hungry(err)
	}
	out, err := e.obj.Put(covers, s, policy)
	if err != nil {
		return err
	}
	e.dirty = true
	tx.note(out)
	if all := e.obj.Siblings; len(all) == 1 && all[0].Dot == s.Dot { // nothing of what was read is left
		most := keptRecord
		if len(tx.entries) > keptEntries { // nothing is kept for the next transaction
			most = keptForgotten
		}
		tx.drop(e, most)
	}
	return nil
}

// drop leaves the record that was read to the garbage collector, unless its memory is no
// more than most.
func (tx *Tx) drop(e *entry, most int) {
	if cap(e.rec) > most {
		tx.bytes -= len(e.rec)
		e.rec = nil
	}
}

// Forget lets go of what was read of declared key i, if it was not written: with many
// keys that is much. It is read again when it is asked for.
func (tx *Tx) Forget(i int) {
	if e := &tx.entries[tx.slots[i]]; e.loaded && !e.dirty {
		e.obj.Reset()
		e.loaded = false
		tx.drop(e, keptForgotten)
		tx.bytes -= len(e.rec)
		e.rec = e.rec[:0]
	}
}

// letGo leaves the record that was read to the garbage collector, if it is large: a
// transaction over many keys would have all of them in memory until its end.
func (e *entry) letGo() {
	if cap(e.rec) > keptRecord {
		e.rec = nil
	}
}

// hungry notes that a lease ended.
func (tx *Tx) hungry(err error) error {
	if isLease(err) {
		tx.starved, tx.err = true, err
	}
	return err
}

// note counts what a write did to siblings.
func (tx *Tx) note(out vclock.Outcome) {
	if out.Dropped > 0 {
		tx.r.stats.dropped.Add(int64(out.Dropped))
	}
	if out.Warn {
		tx.r.stats.warned.Add(1)
	}
}

// load returns the entry of declared key i, read and decoded.
func (tx *Tx) load(i int) (*entry, error) {
	if !tx.running {
		return nil, fmt.Errorf("%w: the transaction is over", ErrInvalid)
	}
	if i < 0 || i >= len(tx.slots) {
		return nil, fmt.Errorf("%w: key %d of %d", ErrInvalid, i, len(tx.slots))
	}
	e := &tx.entries[tx.slots[i]]
	if !e.loaded {
		e.loaded = true
		e.err = tx.fetch(e)
	}
	return e, e.err
}

// fetch reads the record of e: from the engine, or from a commit under way.
func (tx *Tx) fetch(e *entry) error {
	r := tx.r
	key := tx.key(e)
	e.rec, e.chained = e.rec[:0], false
	if tx.chained {
		e.rec, e.chained = r.peek(e.rec, e.stripe, key)
		tx.peeked = tx.peeked || e.chained
	}
	var err error
	if !e.chained {
		e.rec, err = r.db.AppendGet(e.rec, key)
	}
	tx.bytes += len(e.rec)
	e.found = err == nil && len(e.rec) > 0
	switch {
	case errors.Is(err, lsm.ErrNotFound), err == nil && e.chained && !e.found:
		e.obj.Reset()
	case err != nil:
		return r.recordError(e.bucket.name, e.token, e.user, err)
	default:
		if err := e.obj.Decode(e.rec); err != nil {
			return r.recordError(e.bucket.name, e.token, e.user, malformed(err))
		}
	}
	e.counted = present(&e.obj, len(e.user))
	e.before = appendMarks(e.before[:0], &e.obj)
	return nil
}
