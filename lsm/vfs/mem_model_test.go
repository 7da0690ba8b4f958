package vfs

import (
	"bytes"
	"io"
	"math/rand/v2"
	"testing"
)

// model is a file as two byte slices: the law Mem's pages must obey.
type model struct{ seen, synced []byte }

func (m *model) write(b []byte, off int) {
	if n := off + len(b); n > len(m.seen) {
		m.seen = append(m.seen, make([]byte, n-len(m.seen))...)
	}
	copy(m.seen[off:], b)
}

func (m *model) truncate(n int) {
	if n <= len(m.seen) {
		m.seen = m.seen[:n:n]
	} else {
		m.seen = append(m.seen, make([]byte, n-len(m.seen))...)
	}
}

func (m *model) sync() { m.synced = bytes.Clone(m.seen) }

// checkContent checks the rules of content.
func checkContent(t *testing.T, c *content) {
	t.Helper()
	check := func(what string, pages []*page, size int64, alloc int) {
		if len(pages) > pagesFor(size) {
			t.Fatalf("%s: %d pages for %d bytes", what, len(pages), size)
		}
		if count(pages) != alloc {
			t.Fatalf("%s: %d pages counted as %d", what, count(pages), alloc)
		}
		if i := int(size / pageSize); i < len(pages) && pages[i] != nil {
			if !bytes.Equal(pages[i][size%pageSize:], make([]byte, pageSize-size%pageSize)) {
				t.Fatalf("%s: bytes beyond the size", what)
			}
		}
	}
	check("seen", c.pages, c.size, c.alloc)
	check("synced", c.syncedPages, c.syncedSize, c.syncedAlloc)
	at := func(t []*page, i int) *page {
		if i < len(t) {
			return t[i]
		}
		return nil
	}
	for i := range max(len(c.pages), len(c.syncedPages)) {
		p, q := at(c.pages, i), at(c.syncedPages, i)
		if p != q && (i < c.dirtyLo || i >= c.dirtyHi) && int64(i) < c.lowSize/pageSize {
			t.Fatalf("page %d differs outside [%d,%d)", i, c.dirtyLo, c.dirtyHi)
		}
		if c.owned.get(i) && p == q {
			t.Fatalf("page %d is owned and durable", i)
		}
	}
}

// runModel plays a program, two bytes an operation, on a Mem and the model.
// Clones are kept and checked at the end: nothing may reach them.
func runModel(t *testing.T, program []byte) {
	type kept struct {
		fs   *Mem
		want []byte
	}
	var clones []kept
	m := NewMem()
	f, err := m.Create("/f")
	must(t, err)
	must(t, m.SyncDir("/"))
	var law model
	rng := rand.New(rand.NewPCG(uint64(len(program)), 7))
	for i := 0; i+1 < len(program); i += 2 {
		arg := int(program[i+1]) * 97
		switch program[i] % 8 {
		case 0, 1, 2:
			b := bytes.Repeat([]byte{byte(i) | 1}, 1+int(program[i])*40)
			_, err = f.WriteAt(b, int64(arg))
			law.write(b, arg)
		case 3:
			err = f.Truncate(int64(arg))
			law.truncate(arg)
		case 4:
			err = f.Sync()
			law.sync()
		case 5:
			clones = append(clones, kept{m.CrashClone(nothing), bytes.Clone(law.synced)})
		case 6:
			clones = append(clones, kept{m.CrashClone(everything), bytes.Clone(law.seen)})
		case 7:
			c := m.CrashClone(CrashOptions{Survive: 0.5, Torn: arg%2 == 0, Rand: rng})
			clones = append(clones, kept{c, []byte(text(t, c, "/f"))})
			if arg%3 == 0 { // crash indeed, and go on in what is left
				m = c
				law.seen = bytes.Clone(clones[len(clones)-1].want)
				law.sync()
				// There is no way to open a file for writing but Create.
				f = &memFile{m: m, ino: m.root.entries.get("f"), name: "/f", writable: true}
				f.(*memFile).ino.open++
				clones = clones[:len(clones)-1]
			}
		}
		must(t, err)
		ino := m.root.entries.get("f")
		checkContent(t, &ino.content)
		if m.used != int64(ino.alloc)*pageSize {
			t.Fatalf("used %d, want %d", m.used, ino.alloc*pageSize)
		}
		got := make([]byte, len(law.seen)+10)
		n, err := f.ReadAt(got, 0)
		if err != io.EOF || !bytes.Equal(got[:n], law.seen) {
			t.Fatalf("step %d: content differs from the model", i/2)
		}
	}
	for i, c := range clones {
		if text(t, c.fs, "/f") != string(c.want) {
			t.Fatalf("clone %d changed", i)
		}
		checkContent(t, &c.fs.root.entries.get("f").content)
	}
}

func TestMemAgainstModel(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 400 {
		program := make([]byte, 2*60)
		for i := range program {
			program[i] = byte(rng.Uint32())
		}
		runModel(t, program)
	}
}

func FuzzMemModel(f *testing.F) {
	f.Add([]byte("\x00\x10\x04\x00\x03\x05\x00\x30\x07\x03\x04\x00\x05\x00\x06\x00"))
	f.Add([]byte("\x50\x00\x04\x00\x03\x01\x07\x01\x03\x80\x07\x00\x00\x00\x06\x00\x00\x00"))
	f.Fuzz(func(t *testing.T, program []byte) {
		runModel(t, program[:min(len(program), 400)])
	})
}
