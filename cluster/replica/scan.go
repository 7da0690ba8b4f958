package replica

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/ringwood-kv/ringwood/lsm"
)

// ScanOptions says which keys Scan shows. The zero value is all of them.
type ScanOptions struct {
	Prefix []byte                // only keys that begin with it
	Match  func(key []byte) bool // and only those for which it returns true; nil is all
	Limit  int                   // how many records to look at, shown or not; 0 means 10
}

// scanSeeks is how many ranges without a key of the bucket a step of Scan passes, beside
// its limit.
const scanSeeks = 64

// Scan calls visit for keys of b that have a value at wall, from cursor on, and returns
// the cursor at which to go on: it begins with 0, and 0 is also the end. It goes in order
// of the keys' tokens, which is no order that a client knows. Keys that are there during
// the whole walk are shown exactly once, as long as the bucket is not flushed. Key and item
// live until visit returns; an error of visit ends the step and is returned, with the
// cursor from which it began.
//
// A step looks at a limited number of records, so it may show none and yet not be the
// end. It sees one moment. It takes no latch.
func (r *Replica) Scan(wall int64, b *Bucket, cursor uint64, o ScanOptions, visit func(key []byte, it Item) error) (next uint64, err error) {
	g := b.gen.Load()
	if g == nil {
		return cursor, b.gone()
	}
	it, err := r.db.NewIter(&lsm.IterOptions{Upper: binary.BigEndian.AppendUint16(nil, metaPartition)})
	if err != nil {
		return cursor, err
	}
	w := walk{r: r, id: g.id, it: it, limit: o.Limit}
	if w.limit <= 0 {
		w.limit = 10
	}
	next, err = w.run(cursor, func(p *place, record []byte) error {
		if !bytes.HasPrefix(p.key, o.Prefix) || o.Match != nil && !o.Match(p.key) {
			return nil
		}
		item, err := r.item(record, wall)
		if err != nil {
			return r.recordError(b.name, p.token, p.key, malformed(err))
		}
		if !item.Found() {
			return nil
		}
		return visit(p.key, item)
	})
	if err = errors.Join(err, it.Close()); err != nil {
		return cursor, unjoin(err)
	}
	return next, nil
}

// walk goes through the records of one bucket id.
type walk struct {
	r     *Replica
	id    uint32
	it    *lsm.Iterator
	limit int
	key   []byte
	at    place
}

// run calls visit for records from the token cursor on, up to w.limit of them and the
// others of the last one's token, and returns the next token, 0 at the end.
func (w *walk) run(cursor uint64, visit func(p *place, record []byte) error) (next uint64, err error) {
	l := &w.r.layout
	ok := w.seek(l.partition(cursor), cursor)
	looked, seeks, last := 0, 0, cursor
	for ok {
		key := w.it.Key()
		if len(key) < 6 {
			return 0, w.r.strayKey(key)
		}
		partition, id := binary.BigEndian.Uint16(key), binary.BigEndian.Uint32(key[2:])
		if id != w.id {
			// The bucket's records of this partition are ahead, or there are none.
			if id > w.id {
				partition++
			}
			if int(partition) >= l.count {
				break
			}
			first := l.first(partition)
			if seeks++; seeks-scanSeeks > w.limit {
				return first, nil
			}
			ok = w.seek(partition, first)
			continue
		}
		p := &w.at
		var valid bool
		if *p, valid = l.parseKey(key); !valid {
			return 0, w.r.strayKey(key)
		}
		if looked >= w.limit && p.token != last {
			return p.token, nil
		}
		if err := visit(p, w.it.Value()); err != nil {
			return 0, err
		}
		looked, last = looked+1, p.token
		ok = w.it.Next()
	}
	return 0, w.it.Err()
}

func (w *walk) seek(partition uint16, token uint64) bool {
	w.key = binary.BigEndian.AppendUint64(appendBound(w.key[:0], partition, w.id), token)
	return w.it.SeekGE(w.key)
}

// strayKey is the error for a key of the engine that no store of this package has.
func (r *Replica) strayKey(key []byte) error {
	if len(key) > 64 {
		key = key[:64]
	}
	return fmt.Errorf("%w: a key of the engine that begins with %x is not in its place", ErrCorruption, key)
}

// unjoin returns the only error that is joined in err, if there is but one.
func unjoin(err error) error {
	if j, ok := err.(interface{ Unwrap() []error }); ok {
		if all := j.Unwrap(); len(all) == 1 {
			return all[0]
		}
	}
	return err
}

var errFound = errors.New("found")

// randomLooks is how many records RandomKey looks at before it gives up.
const randomLooks = 4096

// RandomKey appends to buf a key of b that has a value at wall: the first from a token
// on that the caller draws. Keys after a gap among the tokens are somewhat more likely
// than others. It returns false if there is none, or none among a few thousand records
// that have expired.
func (r *Replica) RandomKey(wall int64, b *Bucket, random uint64, buf []byte) (key []byte, found bool, err error) {
	show := func(k []byte, _ Item) error {
		key = append(buf, k...)
		return errFound
	}
	cursor, wrapped := random, false
	for looked, limit := 0, 4; looked < randomLooks; looked, limit = looked+limit, limit*4 {
		next, err := r.Scan(wall, b, cursor, ScanOptions{Limit: limit}, show)
		if errors.Is(err, errFound) {
			return key, true, nil
		}
		if err != nil {
			return buf, false, err
		}
		if next == 0 {
			if wrapped {
				break
			}
			wrapped = true
		}
		cursor = next
	}
	return buf, false, nil
}
