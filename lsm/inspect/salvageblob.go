package inspect

import (
	"bytes"
	"cmp"
	"fmt"

	"github.com/ringwood-kv/ringwood/lsm/internal/base"
	"github.com/ringwood-kv/ringwood/lsm/internal/manifest"
	"github.com/ringwood-kv/ringwood/lsm/internal/merge"
	"github.com/ringwood-kv/ringwood/lsm/internal/rangedel"
	"github.com/ringwood-kv/ringwood/lsm/internal/sstable"
	"github.com/ringwood-kv/ringwood/lsm/vfs"
)

// withValues is the merge of all sources with the values that stand in blob files put in
// their places. A version whose value is lost is left out, so that an older one takes its
// place. Only what will be written is fetched: the versions behind the newest that can be
// read, and what range tombstones hide, are handed on as they are, for the job to drop.
type withValues struct {
	s    *salvager
	it   merge.Iter
	dels *rangedel.List

	key  []byte // current
	some bool   // key is set
	done bool   // a version of key was handed on
	kv   base.KV
	buf  []byte

	lost   Finding // of keys one after the other, whose values were in one file
	values int     // that lost is about
	err    error   // ends the salvage
}

func (v *withValues) First() *base.KV { return v.show(v.it.First()) }
func (v *withValues) Next() *base.KV  { return v.show(v.it.Next()) }

func (v *withValues) show(kv *base.KV) *base.KV {
	for ; kv != nil; kv = v.it.Next() {
		if !v.some || !bytes.Equal(kv.Key, v.key) {
			v.key, v.some, v.done = append(v.key[:0], kv.Key...), true, false
		}
		if v.done || !kv.Trailer.Kind().Blob() || v.dels.Covering(kv.Key, base.SeqNumMax) > kv.Trailer.Seq() {
			break
		}
		err := v.fetch(kv)
		if err == nil {
			kv = &v.kv
			break
		}
		if tooManyOpen(err) {
			v.err = err
			return nil
		}
		v.lose(err)
	}
	if v.done = true; kv == nil || !bytes.Equal(kv.Key, v.lost.Upper) {
		v.tell()
	}
	return kv
}

// fetch makes v.kv the record kv with its value.
func (v *withValues) fetch(kv *base.KV) error {
	expiry, ref, err := sstable.SplitBlob(kv)
	if err != nil {
		return err
	}
	b := v.s.blob(ref.File)
	if err := v.s.openBlob(b); err != nil {
		return err
	}
	value, t, err := sstable.ReadBlob(b.f, b.name, b.size, b.uid, kv.Key, ref)
	if err != nil {
		return err
	}
	// What moved to the bottom of the tree has lost its number.
	if seq := kv.Trailer.Seq(); seq != 0 && t.Seq() != seq {
		return base.Corruptf(b.name, int64(ref.Offset), "the value of another version: #%d, not #%d", t.Seq(), seq)
	}
	v.s.bar.add(int64(ref.Len))
	v.kv = base.KV{Key: kv.Key, Trailer: base.MakeTrailer(kv.Trailer.Seq(), base.KindSet), Value: value}
	if len(expiry) > 0 {
		v.buf = append(append(v.buf[:0], expiry...), value...)
		v.kv.Trailer, v.kv.Value = base.MakeTrailer(kv.Trailer.Seq(), base.KindSetTTL), v.buf
	}
	return nil
}

// lose takes note that the value of the current key cannot be read.
func (v *withValues) lose(err error) {
	f := finding(err, v.s.dir)
	if v.values > 0 && f.File == v.lost.File && f.Severity == v.lost.Severity {
		v.lost.Offset, v.lost.Upper = -1, bytes.Clone(v.key)
		v.values++
		return
	}
	v.tell()
	f.Lower, f.Upper = bytes.Clone(v.key), bytes.Clone(v.key)
	v.lost, v.values = f, 1
}

// tell reports what was lost.
func (v *withValues) tell() {
	switch v.values {
	case 0:
		return
	case 1:
		v.lost.Problem = "the value: " + v.lost.Problem
	default:
		v.lost.Problem = fmt.Sprintf("%d values: %s", v.values, v.lost.Problem)
	}
	v.s.lost(v.lost)
	v.lost, v.values = Finding{}, 0
}

func (v *withValues) Last() *base.KV         { return nil }
func (v *withValues) SeekGE([]byte) *base.KV { return nil }
func (v *withValues) SeekLT([]byte) *base.KV { return nil }
func (v *withValues) Prev() *base.KV         { return nil }
func (v *withValues) Err() error             { return cmp.Or(v.err, v.it.Err()) }
func (v *withValues) Close() error           { return v.it.Close() }

// salvagedBlob is what is left of a blob file.
type salvagedBlob struct {
	f    vfs.File // nil while it is not open
	name string
	size int64
	uid  uint64
	err  error // why nothing of it can be read
}

// blob returns the blob file num, wherever it is, open or not.
func (s *salvager) blob(num base.FileNum) *salvagedBlob {
	b := s.blobs[num]
	if b != nil {
		return b
	}
	if s.blobs == nil {
		s.blobs = make(map[base.FileNum]*salvagedBlob)
		s.blobIDs = s.fileIDs(manifest.FileBlob, s.l.blobs)
	}
	b = &salvagedBlob{name: manifest.Path(s.dir, manifest.FileBlob, num)}
	s.blobs[num] = b
	id, there := s.blobIDs[num]
	if b.uid = id; s.t != nil && s.t.added[num] != nil {
		b.uid = s.t.added[num].UID
	}
	if b.uid != 0 && id != b.uid && (id != 0 || !there) {
		for n, x := range s.blobIDs {
			if x == b.uid {
				b.name, there, id = manifest.Path(s.dir, manifest.FileBlob, n), true, x
				s.note(b.name, fmt.Sprintf("holds, by its id, the values that belong into %s", manifest.FileName(manifest.FileBlob, num)))
				break
			}
		}
	}
	bad := func(format string, args ...any) *salvagedBlob {
		b.err = base.Corruptf(b.name, -1, format, args...)
		return b
	}
	switch {
	case !there && s.t != nil && s.t.whole:
		return bad("the file is missing")
	case !there:
		return bad("the file is missing, perhaps because an edit that is lost removed it")
	case b.uid == 0:
		return bad("%w", sstable.ErrNoIdentity)
	case id != 0 && id != b.uid:
		return bad("the file holds other values, %016x", id)
	}
	return b
}

// openBlob sees that b is open, one of maxOpenBlobs at most.
func (s *salvager) openBlob(b *salvagedBlob) error {
	if b.err != nil || b.f != nil {
		return b.err
	}
	if len(s.open) >= maxOpenBlobs {
		s.closeBlobs()
	}
	f, err := s.fs.Open(b.name)
	if err == nil {
		b.f, s.open = f, append(s.open, b)
		b.size, err = f.Size()
	}
	b.err = err
	return err
}

func (s *salvager) closeBlobs() {
	for _, b := range s.open {
		_ = b.f.Close()
		b.f = nil
	}
	s.open = s.open[:0]
}
