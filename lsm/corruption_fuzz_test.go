package lsm_test

import (
	"path/filepath"
	"testing"

	"github.com/ringwood-kv/ringwood/lsm/vfs"
)

// FuzzOpenDamaged writes the fuzzer's bytes over a part of one file of a store and
// asks it everything; see TestCorruption.
func FuzzOpenDamaged(f *testing.F) {
	stores := []*rotten{
		rottenOf(f, makeDamageStoreOf(f, false, 12), false),
		rottenOf(f, makeDamageStoreOf(f, true, 12), true),
	}
	f.Add(false, uint8(0), uint32(0), []byte{0xff})
	f.Add(true, uint8(3), uint32(100), []byte("\x00\x00\x00\x00"))
	f.Add(true, uint8(200), uint32(1<<20), []byte{})
	f.Fuzz(func(t *testing.T, crashed bool, file uint8, at uint32, with []byte) {
		r := stores[0]
		if crashed {
			r = stores[1]
		}
		name := r.names[int(file)%len(r.names)]
		b := r.files[name]
		lo := int64(at) % int64(len(b)+1)
		d := damage{what: "overwritten", file: name, lo: lo, hi: lo + int64(len(with))}
		if len(with) == 0 {
			d.hi = -1
		}
		same := d.hi >= 0 && d.hi <= int64(len(b)) && string(b[lo:d.hi]) == string(with)
		d.do = func(t testing.TB, fs *vfs.Mem) {
			path := filepath.Join(r.dir, name)
			if len(with) == 0 {
				putFile(t, fs, path, b[:lo])
				return
			}
			n := append([]byte{}, b...)
			putFile(t, fs, path, append(append(n[:lo:lo], with...), n[min(len(n), int(d.hi)):]...))
		}
		if same || d.hi < 0 && lo == int64(len(b)) {
			d.file = "LOCK" // nothing has changed
		}
		r.check(t, d, int(at))
	})
}
