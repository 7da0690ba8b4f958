package inspect

import (
	"bytes"
	"errors"
	"fmt"
	"slices"

	"github.com/ringwood-kv/ringwood/lsm/internal/base"
	"github.com/ringwood-kv/ringwood/lsm/internal/manifest"
	"github.com/ringwood-kv/ringwood/lsm/internal/sstable"
)

// adviceDead is for a part of a blob file to which no reference leads.
const adviceDead = "nothing that the tables refer to is concerned, as far as they could be read: the file goes once enough of it is garbage, or with a new store by: kvctl salvage DIR NEWDIR"

// maxOpenBlobs bounds the blob files that a check or a salvage has open.
const maxOpenBlobs = 64

// openBlobs opens every blob file as readers of single values do, to know in which of
// them references can be followed.
func (c *checker) openBlobs() {
	if c.t == nil {
		return
	}
	for _, m := range c.t.blobs() {
		r, err := c.openBlob(m.Num, m, true)
		c.sound[m.Num] = err == nil
		if err != nil {
			c.badBlob(m, err)
			continue
		}
		_ = r.Close()
	}
}

// openBlob opens the blob file num; m is what the manifest says of it, nil if nothing.
// valuesOnly is for readers of single values.
func (c *checker) openBlob(num base.FileNum, m *manifest.BlobMeta, valuesOnly bool) (*sstable.Reader, error) {
	name := c.path(manifest.FileBlob, num)
	f, err := c.fs.Open(name)
	if err != nil {
		return nil, err
	}
	o := sstable.ReaderOptions{Name: name, BlobsOnly: valuesOnly}
	if m != nil {
		o.UID, o.Size = m.UID, m.Size
	}
	r, err := sstable.NewReader(f, o)
	if err != nil {
		_ = f.Close()
	}
	return r, err
}

// badBlob reports a blob file that cannot be opened, and what else is wrong with it.
func (c *checker) badBlob(m *manifest.BlobMeta, err error) {
	name := c.path(manifest.FileBlob, m.Num)
	f := finding(err, name)
	if isNotExist(err) {
		f.Problem = "missing, but tables refer to it"
	}
	f.Advice = adviceTable
	var values uint64
	var users []*manifest.FileMeta
	for _, p := range c.t.tables() {
		for _, u := range p.meta.Blobs {
			if u.File == m.Num {
				values += u.Values
				users = append(users, p.meta)
			}
		}
	}
	f.Lower, f.Upper = keysOf(users)
	f.Problem += fmt.Sprintf("; tables need %d values in it", values)
	c.r.add(f)
	c.blobRemains(name, m, err, func(d Finding) {
		d.Advice = adviceTable
		c.r.add(d)
	})
}

// blobRemains lists what else is wrong with a blob file that could not be opened, for err.
func (c *checker) blobRemains(name string, m *manifest.BlobMeta, err error, bad func(Finding)) {
	var damage *base.CorruptionError
	if !errors.As(err, &damage) {
		return
	}
	file, err := c.fs.Open(name)
	if err != nil {
		return
	}
	defer file.Close()
	var uid uint64
	if m != nil {
		uid = m.UID
	}
	c.r.Values += c.remains(name, file, uid, damage.Offset, bad)
}

// value follows a reference.
func (c *checker) value(key []byte, ref base.BlobRef) error {
	sound, known := c.sound[ref.File]
	if !known {
		c.sound[ref.File] = false
		k := bytes.Clone(key)
		return &base.CorruptionError{File: c.path(manifest.FileBlob, ref.File), Offset: int64(ref.Offset), Lower: k, Upper: k,
			Err: errors.New("a table refers to this file, which is not part of the store")}
	}
	if !sound {
		return nil // reported
	}
	r := c.readers[ref.File]
	if r == nil {
		if len(c.readers) >= maxOpenBlobs {
			c.closeBlobs()
		}
		var err error
		if r, err = c.openBlob(ref.File, c.t.added[ref.File], true); err != nil {
			c.sound[ref.File] = false // since the last look at it
			return err
		}
		c.readers[ref.File] = r
	}
	v, err := r.Blob(key, ref, false)
	v.Release()
	return err
}

func (c *checker) closeBlobs() {
	for _, r := range c.readers {
		_ = r.Close()
	}
	clear(c.readers)
}

// blobFiles reads every blob file of the tree, once the references were followed; without
// a manifest, every one that there is.
func (c *checker) blobFiles() {
	if c.t == nil {
		for _, num := range c.l.blobs {
			c.blobFile(num, nil)
		}
		return
	}
	for _, m := range c.t.blobs() {
		c.blobFile(m.Num, m)
	}
}

// blobFile checks one blob file, and holds it against what the manifest says of it.
func (c *checker) blobFile(num base.FileNum, m *manifest.BlobMeta) {
	c.r.Blobs++
	short := manifest.FileName(manifest.FileBlob, num)
	name := c.path(manifest.FileBlob, num)
	c.bar.file("blob file", short)
	at := c.bar.p.Done
	defer func() { c.bar.p.Done = at; c.bar.add(c.l.sizes[short]) }()
	if m != nil && !c.sound[num] {
		return // reported
	}
	before := len(c.r.Findings)
	bad := func(f Finding) {
		met := func(g Finding) bool { return g.File == f.File && g.Offset == f.Offset }
		if slices.ContainsFunc(c.r.Findings, met) {
			return // a reference led there, and told of which key
		}
		if f.Advice = adviceDead; m == nil {
			f.Advice = adviceTable
		}
		c.r.add(f)
	}
	hold := func(p *sstable.Properties, data int64) {
		if m != nil && (m.Values != p.Entries || m.Bytes != data) {
			bad(Finding{Severity: Damage, File: name, Offset: -1,
				Problem: fmt.Sprintf("the manifest says %d values of %d bytes, the file has %d of %d", m.Values, m.Bytes, p.Entries, data)})
		}
	}
	if w, ok := c.whole[num]; ok && m != nil && w.uid == m.UID && w.size == m.Size && w.size == c.l.sizes[short] {
		hold(&w.props, w.data)
		c.r.Values += w.props.Entries
		return
	}
	r, err := c.openBlob(num, m, false)
	if err != nil {
		bad(finding(err, name))
		c.blobRemains(name, m, err, bad)
		return
	}
	defer r.Close()
	if r.Properties().Kind != sstable.Blob {
		bad(Finding{Severity: Damage, File: name, Offset: -1, Problem: "a table, not a blob file"})
		return
	}
	hold(r.Properties(), r.Parts().Data)
	err = r.Audit(sstable.Audit{
		Progress: func(n int64) error {
			c.bar.add(n)
			return nil
		},
		Report: func(err error) error {
			bad(finding(err, name))
			return nil
		},
	})
	if err != nil {
		bad(finding(err, name))
	}
	c.r.Values += r.Properties().Entries
	if len(c.r.Findings) == before {
		x := r.Meta()
		c.whole[num] = wholeTable{uid: x.UID, size: x.Size, props: x.Properties, data: r.Parts().Data}
	}
}

// blobUses counts what the tables that stand for one file refer to, each within its
// bounds.
type blobUses struct {
	metas []*manifest.FileMeta
	count []map[base.FileNum]manifest.BlobUse // by table
}

func newBlobUses(metas []*manifest.FileMeta) *blobUses {
	u := &blobUses{metas: metas}
	for range metas {
		u.count = append(u.count, make(map[base.FileNum]manifest.BlobUse))
	}
	return u
}

// add counts the reference of key. It is false where no table has key: what it refers to
// may be gone.
func (u *blobUses) add(key []byte, ref base.BlobRef) (within bool) {
	for i, m := range u.metas {
		if m.Clipped && !m.Contains(key) {
			continue
		}
		within = true
		x := u.count[i][ref.File]
		x.File = ref.File
		x.Values++
		x.Bytes += int64(ref.Len)
		u.count[i][ref.File] = x
	}
	return within
}

// differ says in what the manifest and the references of a table contradict each other.
// Of a clipped table the manifest estimates, but knows each file.
func (u *blobUses) differ() (problems []string) {
	for i, m := range u.metas {
		for _, said := range m.Blobs {
			is := u.count[i][said.File]
			delete(u.count[i], said.File)
			if !m.Clipped && (is.Values != said.Values || is.Bytes != said.Bytes) {
				problems = append(problems, fmt.Sprintf("the manifest says that table %d needs %d values of %d bytes in %s, and it needs %d of %d",
					m.Num, said.Values, said.Bytes, manifest.FileName(manifest.FileBlob, said.File), is.Values, is.Bytes))
			}
		}
		for num, is := range u.count[i] {
			problems = append(problems, fmt.Sprintf("the manifest does not say that table %d needs %d values in %s",
				m.Num, is.Values, manifest.FileName(manifest.FileBlob, num)))
		}
	}
	slices.Sort(problems)
	return problems
}
