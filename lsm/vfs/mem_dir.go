package vfs

import (
	"io/fs"
	"iter"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// dir is a directory's entries, sorted by name. A dir is never changed in place,
// so what is seen, what is durable and every clone may share one.
type dir []dirent

type dirent struct {
	name string
	ino  *inode
}

func (d dir) find(name string) (int, bool) {
	return slices.BinarySearchFunc(d, name, func(e dirent, n string) int {
		return strings.Compare(e.name, n)
	})
}

func (d dir) get(name string) *inode {
	if i, ok := d.find(name); ok {
		return d[i].ino
	}
	return nil
}

// with returns a copy of d in which name is ino, or is absent for a nil ino.
func (d dir) with(name string, ino *inode) dir {
	i, ok := d.find(name)
	out := make(dir, 0, len(d)+1)
	out = append(out, d[:i]...)
	if ino != nil {
		out = append(out, dirent{name, ino})
	}
	if ok {
		i++
	}
	return append(out, d[i:]...)
}

// change sets one entry, or with a nil ino takes it away.
type change struct {
	dir  *inode
	name string
	ino  *inode
}

// entryOp is what is lost or kept as a whole in a crash: one change, or the two
// of a rename.
type entryOp struct {
	changes [2]change
	n       int
}

func (o *entryOp) all() []change { return o.changes[:o.n] }

// apply makes op visible, and remembers it until it is durable.
func (m *Mem) apply(op entryOp) {
	for _, c := range op.all() {
		if c.ino != nil {
			c.ino.nlink++ // before any goes down: a rename must not free its file
		}
	}
	for _, c := range op.all() {
		old := c.dir.entries.get(c.name)
		c.dir.entries = c.dir.entries.with(c.name, c.ino)
		if old != nil {
			old.nlink--
			m.freeIfUnused(old)
		}
	}
	m.ops = append(m.ops, op)
}

// moves says whether the op takes a file from one directory to another.
func (o *entryOp) moves() bool { return o.n == 2 && o.changes[0].dir != o.changes[1].dir }

// makes says whether the op gives one of the directories in dirs its name.
func (o *entryOp) makes(dirs map[*inode]bool) bool {
	for _, c := range o.all() {
		if c.ino != nil && dirs[c.ino] {
			return true
		}
	}
	return false
}

// commit makes the pending changes of d durable. A move from or to another
// directory is durable as a whole, so it takes along what went before it there,
// and the making of its directories: it must not end where nobody finds it.
func (m *Mem) commit(d *inode) {
	in := map[*inode]bool{d: true} // whose changes are durable from here backwards
	made := map[*inode]bool{}      // whose own names must be durable
	keep := len(m.ops)
	synced := make([]bool, len(m.ops))
	for i := len(m.ops) - 1; i >= 0; i-- {
		op := &m.ops[i]
		carried := op.moves() || op.makes(made)
		for _, c := range op.all() {
			synced[i] = synced[i] || in[c.dir]
		}
		if synced[i] = synced[i] || op.makes(made); !synced[i] {
			continue
		}
		keep--
		for _, c := range op.all() {
			in[c.dir] = true
			if carried {
				made[c.dir] = true
			}
		}
	}
	rest := make([]entryOp, 0, keep)
	for i, op := range m.ops {
		if !synced[i] {
			rest = append(rest, op)
			continue
		}
		for _, c := range op.all() {
			if c.dir != d {
				c.dir.durable = c.dir.durable.with(c.name, c.ino)
			}
		}
	}
	m.ops = rest
	d.durable = d.entries // all of its changes are among those synced
}

// clean returns an absolute name without a volume.
func clean(name string) string {
	name = name[len(filepath.VolumeName(name)):]
	return filepath.Clean(string(filepath.Separator) + name)
}

// parts yields the elements of a name, outermost first.
func parts(name string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for rest := clean(name)[1:]; rest != ""; {
			part, after, _ := strings.Cut(rest, string(filepath.Separator))
			if !yield(part) {
				return
			}
			rest = after
		}
	}
}

func (m *Mem) lookup(op, name string) (*inode, error) {
	n := m.root
	for part := range parts(name) {
		if !n.isDir {
			return nil, pathError(op, name, syscall.ENOTDIR)
		}
		if n = n.entries.get(part); n == nil {
			return nil, pathError(op, name, fs.ErrNotExist)
		}
	}
	return n, nil
}

// parent returns the directory in which name is or would be, and its base name.
func (m *Mem) parent(op, name string) (*inode, string, error) {
	dirName, base := filepath.Split(clean(name))
	if base == "" {
		return nil, "", pathError(op, name, syscall.EINVAL) // the root itself
	}
	d, err := m.lookup(op, dirName)
	if err != nil {
		return nil, "", pathError(op, name, bare(err))
	}
	if !d.isDir {
		return nil, "", pathError(op, name, syscall.ENOTDIR)
	}
	return d, base, nil
}

// bare takes the path off an error, for one that is about to get another.
func bare(err error) error {
	if e, ok := err.(*fs.PathError); ok {
		return e.Err
	}
	return err
}
