package lsm_test

import (
	"testing"

	"github.com/ringwood-kv/ringwood/lsm"
	"github.com/ringwood-kv/ringwood/lsm/inspect"
	"github.com/ringwood-kv/ringwood/lsm/vfs"
)

// checkSalvage saves what can be read of a damaged store: every key that no loss
// names must be there as it was, and the new store must be whole.
func (r *rotten) checkSalvage(t *testing.T, d damage, fs *vfs.Mem) {
	t.Helper()
	before := filesOf(t, fs, r.dir)
	const dst = "/saved"
	report, err := inspect.Salvage(fs, r.dir, dst, nil)
	if err != nil {
		t.Fatalf("%v: Salvage: %v", d, err)
	}
	after := filesOf(t, fs, r.dir)
	if len(after) != len(before) {
		t.Fatalf("%v: Salvage changed the source", d)
	}
	for name, b := range before {
		if string(after[name]) != string(b) {
			t.Fatalf("%v: Salvage changed %s", d, name)
		}
	}
	if c, err := inspect.Check(fs, dst, nil); err != nil || !c.OK() {
		t.Fatalf("%v: the salvaged store is damaged: %v %v", d, err, c)
	}
	db, err := lsm.OpenShaped(dst, damageOptions(fs), damageShape)
	if err != nil {
		t.Fatalf("%v: open the salvaged store: %v", d, err)
	}
	defer db.Close()
	anyKey := false // a loss that names no keys
	for i := range report.Lost {
		anyKey = anyKey || report.Lost[i].Lower == nil && report.Lost[i].Upper == nil
	}
	if anyKey {
		return
	}
	less := r.allowed(d)
	for _, k := range r.keys {
		named := false
		for i := range report.Lost {
			l := &report.Lost[i]
			named = named || k >= string(l.Lower) && (l.Upper == nil || k <= string(l.Upper))
		}
		if named {
			continue
		}
		v, err := db.Get([]byte(k))
		ok := func(want map[string]string) bool {
			w, there := want[k]
			return there == (err == nil) && w == string(v)
		}
		if !ok(r.want) && (less == nil || !ok(less)) {
			t.Fatalf("%v: salvaged %q: %.20q, %v; want %.20q; the report: %v", d, k, v, err, r.want[k], report)
		}
	}
}
