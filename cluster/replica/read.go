package replica

import (
	"errors"
	"fmt"

	"github.com/ringwood-kv/ringwood/cluster/hlc"
	"github.com/ringwood-kv/ringwood/cluster/vclock"
	"github.com/ringwood-kv/ringwood/lsm"
)

// Item is what a reader gets who wants one value: the latest of a key's siblings that
// are live, by the order of last-writer-wins. The zero Item is a key without a value.
type Item struct {
	Value    []byte
	Type     uint8 // as in Write
	Expiry   int64 // as in Write; in the future
	HLC      hlc.Timestamp
	Siblings int // live values side by side: 0 there is none, more than 1 is a conflict
}

// Found says whether there is a value.
func (it *Item) Found() bool { return it.Siblings > 0 }

// Get returns the value of key at wall, in milliseconds since the Unix epoch. It takes no
// latch and sees what was acknowledged before the call. It appends to buf what it needs,
// and returns the extended buffer, in which the item's value lies; with enough room it
// allocates nothing. It needs up to 64 bytes and the key's length more than the record.
//
// A record that cannot be read, or makes no sense, is a *RecordError, never an absent
// key. The other errors are ErrNoBucket, ErrTooLarge and ErrClosed.
func (r *Replica) Get(wall int64, b *Bucket, key, buf []byte) (Item, []byte, error) {
	record, buf, err := r.fetch(b, key, buf)
	if err != nil || record == nil {
		return Item{}, buf, err
	}
	it, err := r.item(record, wall)
	if err != nil {
		return Item{}, buf, r.recordError(b.name, r.layout.token(key), key, malformed(err))
	}
	return it, buf, nil
}

// Prefetch says that keys are about to be read by Get, one after the other: several take
// less time then. It is a hint and fails silently.
func (r *Replica) Prefetch(refs []Ref) {
	tx := r.getTx(0) // for its buffers
	tx.keys, tx.hints = tx.keys[:0], tx.hints[:0]
	for _, ref := range refs {
		if ref.Bucket == nil || ref.Bucket.r != r {
			continue
		}
		if g := ref.Bucket.gen.Load(); g != nil && len(ref.Key) <= MaxKeyLen {
			at := len(tx.keys)
			tx.keys = r.layout.appendKey(tx.keys, g.id, r.layout.token(ref.Key), ref.Key)
			tx.hints = append(tx.hints, tx.keys[at:len(tx.keys):len(tx.keys)])
		}
	}
	r.db.Prefetch(tx.hints)
	r.putTx(tx)
}

// Read makes o all that this replica knows of key: siblings, dead ones too, and the
// context, for a token. An absent key is an absent object. The values lie in the buffer
// that it returns, as with Get, and the errors are the same.
func (r *Replica) Read(b *Bucket, key []byte, o *vclock.Object, buf []byte) ([]byte, error) {
	o.Reset()
	record, buf, err := r.fetch(b, key, buf)
	if err != nil || record == nil {
		return buf, err
	}
	if err := o.Decode(record); err != nil {
		return buf, r.recordError(b.name, r.layout.token(key), key, malformed(err))
	}
	return buf, nil
}

// GetMany is Get for several keys at one moment: of a transaction that wrote some of
// them, all is seen or nothing. visit is called for each, in order; the item's value
// lives until it returns, and an error of it ends the call and is returned. The buffer
// is for use again.
func (r *Replica) GetMany(wall int64, refs []Ref, buf []byte, visit func(i int, it Item) error) ([]byte, error) {
	var few [16]*generation
	s, gens, err := r.moment(refs, few[:0])
	if err != nil {
		return buf, err
	}
	defer s.Close()
	for i, g := range gens {
		b, key := refs[i].Bucket, refs[i].Key
		token := r.layout.token(key)
		buf = r.layout.appendKey(buf[:0], g.id, token, key)
		from := len(buf)
		buf, err = s.AppendGet(buf, buf)
		var it Item
		switch {
		case errors.Is(err, lsm.ErrNotFound):
		case errors.Is(err, ErrClosed):
			return buf, err
		case err != nil:
			return buf, r.recordError(b.name, token, key, err)
		default:
			if it, err = r.item(buf[from:], wall); err != nil {
				return buf, r.recordError(b.name, token, key, malformed(err))
			}
		}
		if err := visit(i, it); err != nil {
			return buf, err
		}
	}
	return buf, nil
}

// moment returns a snapshot, and the generations that were those of the buckets when it
// was taken.
func (r *Replica) moment(refs []Ref, gens []*generation) (*lsm.Snapshot, []*generation, error) {
	for {
		gens = gens[:0]
		for i := range refs {
			b := refs[i].Bucket
			if b == nil || b.r != r {
				return nil, nil, fmt.Errorf("%w: key %d is of no bucket of this replica", ErrInvalid, i)
			}
			if len(refs[i].Key) > MaxKeyLen {
				return nil, nil, fmt.Errorf("%w: key of %d bytes, the limit is %d", ErrTooLarge, len(refs[i].Key), MaxKeyLen)
			}
			g := b.gen.Load()
			if g == nil {
				return nil, nil, b.gone()
			}
			gens = append(gens, g)
		}
		s := r.db.NewSnapshot()
		same := true
		for i := range refs {
			same = same && refs[i].Bucket.gen.Load() == gens[i]
		}
		if same {
			return s, gens, nil
		}
		s.Close()
	}
}

// fetch appends the engine's key and the record to buf. record is nil if there is none.
func (r *Replica) fetch(b *Bucket, key, buf []byte) (record, _ []byte, err error) {
	if len(key) > MaxKeyLen {
		return nil, buf, fmt.Errorf("%w: key of %d bytes, the limit is %d", ErrTooLarge, len(key), MaxKeyLen)
	}
	g := b.gen.Load()
	if g == nil {
		return nil, buf, b.gone()
	}
	token := r.layout.token(key)
	at := len(buf)
	buf = r.layout.appendKey(buf, g.id, token, key)
	from := len(buf)
	// The engine's key may be in old memory when the record does not fit.
	buf, err = r.db.AppendGet(buf, buf[at:from])
	switch {
	case err == nil:
		return buf[from:len(buf):len(buf)], buf, nil
	case errors.Is(err, lsm.ErrNotFound):
		return nil, buf, nil
	case errors.Is(err, ErrClosed):
		return nil, buf, err
	}
	return nil, buf, r.recordError(b.name, token, key, err)
}

// item reads a record where it lies. The error is vclock.ErrFormat.
func (r *Replica) item(record []byte, wall int64) (Item, error) {
	v, err := vclock.ParseView(record)
	if err != nil {
		return Item{}, err
	}
	if v.Live(wall) {
		return Item{Value: v.Value(), Type: uint8(v.Flags() >> 4), Expiry: v.Expiry(), HLC: v.HLC(), Siblings: 1}, nil
	}
	if v.Siblings() == 1 {
		return Item{}, nil
	}
	o := r.objects.Get().(*vclock.Object)
	defer func() {
		o.Reset()
		r.objects.Put(o)
	}()
	if err := o.Decode(record); err != nil {
		return Item{}, err
	}
	it := itemOf(o, wall)
	if it.Siblings > 1 {
		r.stats.conflicts.Add(1)
	}
	return it, nil
}

// itemOf returns the latest live value of o.
func itemOf(o *vclock.Object, wall int64) Item {
	i, live := o.Latest(wall)
	if i < 0 {
		return Item{}
	}
	s := &o.Siblings[i]
	return Item{Value: s.Value, Type: uint8(s.Flags >> 4), Expiry: s.Expiry, HLC: s.HLC, Siblings: live}
}
