package compaction

import (
	"cmp"
	"math"
	"slices"

	"github.com/ringwood-kv/ringwood/lsm/internal/base"
	"github.com/ringwood-kv/ringwood/lsm/internal/manifest"
	"github.com/ringwood-kv/ringwood/lsm/internal/sstable"
)

// blobWriter puts the large values of a job into blob files, which go on from one output
// to the next, and counts what each output refers to.
type blobWriter struct {
	p BlobPolicy
	o sstable.WriterOptions

	least int // values shorter than this stay where they are: see place

	w       *sstable.Writer
	num     base.FileNum // of w
	outputs []BlobOutput
	written int64 // files that are finished

	uses    []manifest.BlobUse // of the current table, unsorted
	at      map[base.FileNum]int
	lastUse int    // index of the use counted last
	ref     []byte // scratch: expiry and reference
}

func (b *blobWriter) init(j *Job) {
	b.p = j.Blobs
	b.o = sstable.WriterOptions{BlockSize: j.Writer.BlockSize, Compression: j.Writer.Compression, Kind: sstable.Blob}
	if b.least = b.p.Least; b.least <= 0 {
		b.least = math.MaxInt
	}
	b.at = make(map[base.FileNum]int)
}

// place decides where the value of a record stands that is written as (key, t), and
// returns the record as its table has it. It need not be asked about a value that is in
// its table and shorter than least.
func (b *blobWriter) place(key []byte, t base.Trailer, value []byte, stats *Stats) (base.Trailer, []byte, error) {
	kind, all := t.Kind(), value
	var expiry []byte
	if kind.Blob() {
		kv := base.KV{Key: key, Trailer: t, Value: value}
		x, ref, err := sstable.SplitBlob(&kv)
		if err != nil {
			return t, nil, err
		}
		if !b.p.Condemned[ref.File] {
			b.count(ref)
			return t, value, nil
		}
		stats.Moved++
		stats.MovedBytes += uint64(ref.Len)
		if int(ref.ValueLen) < b.least {
			value, err := b.p.Fetch(key, ref)
			if err != nil {
				return t, nil, err
			}
			b.ref = append(append(b.ref[:0], x...), value...)
			kind -= base.KindBlob - base.KindSet
			return base.MakeTrailer(t.Seq(), kind), b.ref, nil
		}
		raw, err := b.p.Move(key, ref)
		if err != nil {
			return t, nil, err
		}
		if ref, err = b.write(func(w *sstable.Writer) error { return w.AddRaw(key, raw) }); err != nil {
			return t, nil, err
		}
		b.count(ref)
		b.ref = ref.Append(append(b.ref[:0], x...))
		return t, b.ref, nil
	}
	if kind == base.KindSetTTL {
		expiry, value = value[:min(8, len(value))], value[min(8, len(value)):]
	}
	if len(value) < b.least {
		return t, all, nil
	}
	ref, err := b.write(func(w *sstable.Writer) error {
		return w.Add(key, base.MakeTrailer(t.Seq(), base.KindSet), value)
	})
	if err != nil {
		return t, nil, err
	}
	b.count(ref)
	b.ref = ref.Append(append(b.ref[:0], expiry...))
	kind += base.KindBlob - base.KindSet
	return base.MakeTrailer(t.Seq(), kind), b.ref, nil
}

// write adds a value to the current blob file, or to a new one, by add.
func (b *blobWriter) write(add func(*sstable.Writer) error) (base.BlobRef, error) {
	if b.w != nil && b.p.FileSize > 0 && b.w.EstimatedSize() >= b.p.FileSize {
		if err := b.finish(); err != nil {
			return base.BlobRef{}, err
		}
	}
	if b.w == nil {
		f, name, num, uid, err := b.p.NewFile()
		if err != nil {
			return base.BlobRef{}, err
		}
		o := b.o
		o.UID = uid
		b.w, b.num = sstable.NewWriter(f, name, o), num
		b.outputs = append(b.outputs, BlobOutput{Num: num, Name: name})
	}
	if err := add(b.w); err != nil {
		return base.BlobRef{}, err
	}
	ref := b.w.LastBlob()
	ref.File = b.num
	b.outputs[len(b.outputs)-1].Bytes += int64(ref.Len)
	return ref, nil
}

// count notes that the current table refers to ref.
func (b *blobWriter) count(ref base.BlobRef) {
	if len(b.uses) == 0 || b.uses[b.lastUse].File != ref.File {
		i, ok := b.at[ref.File]
		if !ok {
			i = len(b.uses)
			b.at[ref.File] = i
			b.uses = append(b.uses, manifest.BlobUse{File: ref.File})
		}
		b.lastUse = i
	}
	u := &b.uses[b.lastUse]
	u.Values++
	u.Bytes += int64(ref.Len)
}

// takeUses returns the uses of the table that ends here.
func (b *blobWriter) takeUses() []manifest.BlobUse {
	uses := b.uses
	slices.SortFunc(uses, func(x, y manifest.BlobUse) int { return cmp.Compare(x.File, y.File) })
	b.uses, b.lastUse = nil, 0
	clear(b.at)
	return uses
}

// finish ends the current blob file.
func (b *blobWriter) finish() error {
	if b.w == nil {
		return nil
	}
	m, err := b.w.Finish()
	b.w = nil
	if err != nil {
		return err
	}
	b.outputs[len(b.outputs)-1].Meta = m
	b.written += m.Size
	return nil
}

func (b *blobWriter) abort() {
	if b.w != nil {
		b.w.Abort()
	}
}
