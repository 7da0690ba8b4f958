package sstable

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/ringwood-kv/ringwood/lsm/internal/base"
	"github.com/ringwood-kv/ringwood/lsm/internal/block"
	"github.com/ringwood-kv/ringwood/lsm/internal/filter"
	"github.com/ringwood-kv/ringwood/lsm/internal/rangedel"
)

var errOrder = errors.New("records out of order")

// VerifyBlocks reads the whole table from the file, past the cache, and checks
// what opening it did not: every data block's checksum, the order of records in
// and across blocks, the separators, that the filter knows every key, and that
// the properties say what is there. progress is called after each block with its
// bytes; it may wait, and an error from it ends the work. nil is fine.
func (r *Reader) VerifyBlocks(progress func(bytes int64) error) error {
	return r.Audit(Audit{Progress: progress, Report: func(err error) error { return err }})
}

// Audit says what an audit tells as it goes. An error from any of the functions ends it.
type Audit struct {
	Progress func(bytes int64) error // after each block; may wait; may be nil
	Report   func(error) error       // of each thing that is wrong
	// Blob is asked about every value that stands in a blob file: an error that it
	// returns goes to Report. May be nil.
	Blob func(key []byte, ref base.BlobRef) error
}

// Audit is VerifyBlocks that can go on after damage. After a damaged block the properties
// are not held against the rest.
func (r *Reader) Audit(a Audit) error {
	progress, report := a.Progress, a.Report
	v := verifier{r: r, a: a}
	defer v.ra.release()
	v.got.Kind, v.got.Compression = r.props.Kind, r.props.Compression
	for i := range r.idx.n {
		if err := v.block(i); err != nil {
			v.damaged = true
			if err := report(err); err != nil {
				return err
			}
		}
		if v.stop != nil {
			return v.stop
		}
		if progress != nil {
			if err := progress(int64(r.idx.offsets[i+1] - r.idx.offsets[i])); err != nil {
				return err
			}
		}
	}
	if v.damaged {
		return nil
	}
	if err := v.finish(); err != nil {
		return report(err)
	}
	return nil
}

type verifier struct {
	r     *Reader
	ra    readAhead
	it    block.Iter
	last  []byte
	lastT base.Trailer
	got   Properties
	begun bool

	damaged bool // some block was
	a       Audit
	stop    error // from Report, about a value
}

func (v *verifier) block(i int) error {
	data, err := v.ra.block(v.r, i, false, true, nil)
	if err != nil {
		return err
	}
	if err := v.it.Init(data); err != nil {
		return v.r.corruptBlock(i, err)
	}
	sep := v.r.idx.key(i)
	var before []byte // separator of the block before
	if i > 0 {
		before = v.r.idx.key(i - 1)
	}
	first := true
	for kv := v.it.First(); kv != nil; kv = v.it.Next() {
		if err := v.record(kv, sep, before, i > 0 && first); err != nil {
			return v.r.corruptBlock(i, err)
		}
		first = false
	}
	if err := v.it.Err(); err != nil {
		return v.r.corruptBlock(i, err)
	}
	v.got.Blocks++
	return nil
}

// record checks one record. first says that it begins a block which is not the
// table's first, and before is then the separator in front of it.
func (v *verifier) record(kv *base.KV, sep, before []byte, first bool) error {
	fresh := v.got.Entries == 0 || !bytes.Equal(kv.Key, v.last)
	switch {
	case v.got.Entries > 0 && base.Compare(v.last, v.lastT, kv.Key, kv.Trailer) >= 0:
		return errOrder
	case bytes.Compare(kv.Key, sep) > 0:
		return errors.New("a key beyond the block's separator")
	case first && fresh && bytes.Compare(before, kv.Key) >= 0:
		return errors.New("a key before the block's range")
	}
	if fresh && v.r.filter.Valid() {
		if h := filter.HashKey(kv.Key); !v.r.filter.MayContain(&h) {
			return errors.New("a key that the filter denies")
		}
	}
	if v.got.Entries == 0 {
		v.got.Smallest = append([]byte{}, kv.Key...)
	}
	v.last = append(v.last[:0], kv.Key...)
	v.lastT = kv.Trailer
	v.got.Entries++
	v.got.RawKeyBytes += uint64(len(kv.Key))
	v.got.RawValueBytes += uint64(len(kv.Value))
	v.seq(kv.Trailer.Seq())
	kind := kv.Trailer.Kind()
	if kind.Blob() {
		if err := v.blobRef(kv); err != nil {
			return err
		}
	}
	switch {
	case kind == base.KindDelete:
		v.got.Deletes++
	case kind.TTL():
		x := int64(binary.BigEndian.Uint64(kv.Value)) // the block iterator saw 8 bytes
		if v.got.TTLs == 0 {
			v.got.MinExpiry, v.got.MaxExpiry = x, x
		}
		v.got.MinExpiry, v.got.MaxExpiry = min(v.got.MinExpiry, x), max(v.got.MaxExpiry, x)
		v.got.TTLs++
	}
	return nil
}

// blobRef checks the reference of a record, and what it leads to.
func (v *verifier) blobRef(kv *base.KV) error {
	_, ref, err := SplitBlob(kv)
	if err != nil {
		return err
	}
	v.got.BlobRefs++
	if v.a.Blob != nil && v.stop == nil {
		if err := v.a.Blob(kv.Key, ref); err != nil {
			v.stop = v.a.Report(err)
		}
	}
	return nil
}

func (v *verifier) seq(s base.SeqNum) {
	if !v.begun {
		v.got.SmallestSeq, v.got.LargestSeq, v.begun = s, s, true
	}
	v.got.SmallestSeq, v.got.LargestSeq = min(v.got.SmallestSeq, s), max(v.got.LargestSeq, s)
}

// finish holds what was counted against the properties.
func (v *verifier) finish() error {
	g := &v.got
	g.HasPoints = g.Entries > 0
	g.Largest = bytes.Clone(v.last)
	end, hasEnd := []byte(nil), false
	for i, d := range v.r.dels {
		g.RangeDels++
		v.seq(d.Seq)
		if i == 0 && (!g.HasPoints || bytes.Compare(d.Start, g.Smallest) < 0) {
			g.Smallest = d.Start
		}
		if !hasEnd || rangedel.CompareEnds(end, d.End) < 0 {
			end, hasEnd = d.End, true
		}
	}
	if hasEnd && (!g.HasPoints || rangedel.CompareEnd(v.last, end) < 0) {
		g.Largest, g.LargestExclusive = end, true
	}
	if err := differ(g, &v.r.props); err != nil {
		return v.r.corrupt(v.r.ft.props.off, "properties", err)
	}
	return nil
}

// differ names the first property in which the table is not as it says.
func differ(is, says *Properties) error {
	if !bytes.Equal(is.Smallest, says.Smallest) || !bytes.Equal(is.Largest, says.Largest) || is.LargestExclusive != says.LargestExclusive {
		return fmt.Errorf("keys from %.64q to %.64q, said to be from %.64q to %.64q", is.Smallest, is.Largest, says.Smallest, says.Largest)
	}
	for _, c := range []struct {
		what     string
		is, says uint64
	}{
		{"data blocks", is.Blocks, says.Blocks},
		{"records", is.Entries, says.Entries},
		{"tombstones", is.Deletes, says.Deletes},
		{"range tombstones", is.RangeDels, says.RangeDels},
		{"records with an expiry", is.TTLs, says.TTLs},
		{"values in blob files", is.BlobRefs, says.BlobRefs},
		{"as smallest sequence number", uint64(is.SmallestSeq), uint64(says.SmallestSeq)},
		{"as largest sequence number", uint64(is.LargestSeq), uint64(says.LargestSeq)},
		{"as smallest expiry", uint64(is.MinExpiry), uint64(says.MinExpiry)},
		{"as largest expiry", uint64(is.MaxExpiry), uint64(says.MaxExpiry)},
		{"bytes of keys", is.RawKeyBytes, says.RawKeyBytes},
		{"bytes of values", is.RawValueBytes, says.RawValueBytes},
	} {
		if c.is != c.says {
			return fmt.Errorf("%d %s, said to be %d", c.is, c.what, c.says)
		}
	}
	return nil
}
