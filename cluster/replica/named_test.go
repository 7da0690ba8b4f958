package replica

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/ringwood-kv/ringwood/lsm"
	"github.com/ringwood-kv/ringwood/lsm/vfs"
)

func wantMeta(t *testing.T, r *Replica, name, value string) {
	t.Helper()
	b, found, err := r.ReadMeta(name)
	must(t, err)
	if !found && value != "-" || found && string(b) != value {
		t.Fatalf("%s is %q, %v, want %q", name, b, found, value)
	}
}

// Named values survive everything that their store does, and are no bucket's.
func TestNamedValues(t *testing.T) {
	fs := vfs.NewMem()
	r := open(t, small(fs))
	wantMeta(t, r, "users", "-")
	must(t, r.WriteMeta("users", []byte("1")))
	must(t, r.WriteMeta("empty", nil))
	// Ours has names of its own.
	must(t, r.WriteMeta("identity", []byte("not ours")))
	must(t, r.WriteMeta("users", []byte("2")))
	must(t, r.FlushBuckets(r.Buckets()...))
	reclaimAll(t, r)
	must(t, r.Checkpoint("copy"))
	must(t, r.Close())
	for _, dir := range []string{"data", "copy"} {
		r, err := Open(dir, start, small(fs))
		must(t, err)
		wantMeta(t, r, "users", "2")
		wantMeta(t, r, "empty", "")
		wantMeta(t, r, "identity", "not ours")
		verify(t, r)
		must(t, r.Close())
		if _, _, err := r.ReadMeta("users"); !errors.Is(err, ErrClosed) {
			t.Fatal(err)
		}
		if err := r.WriteMeta("users", nil); !errors.Is(err, ErrClosed) {
			t.Fatal(err)
		}
	}
}

func TestNamedLimits(t *testing.T) {
	r, _ := fresh(t)
	for _, name := range []string{"", "a/b", "\x00", strings.Repeat("n", MaxMetaName+1)} {
		if err := r.WriteMeta(name, nil); !errors.Is(err, ErrInvalid) {
			t.Errorf("%q: %v", name, err)
		}
		if _, _, err := r.ReadMeta(name); !errors.Is(err, ErrInvalid) {
			t.Errorf("%q: %v", name, err)
		}
	}
	longest := strings.Repeat("n", MaxMetaName)
	most := bytes.Repeat([]byte("v"), MaxMetaValue)
	must(t, r.WriteMeta(longest, most))
	wantMeta(t, r, longest, string(most))
	if err := r.WriteMeta(longest, append(most, 'v')); !errors.Is(err, ErrTooLarge) {
		t.Fatal(err)
	}
	wantMeta(t, r, longest, string(most))
}

// A value is on disk when WriteMeta returns, and damage is no absent value.
func TestNamedPowerLoss(t *testing.T) {
	fs := vfs.NewMem()
	o := small(fs)
	o.Create.Bucket.Durability = lsm.None
	r := open(t, o)
	must(t, r.WriteMeta("users", []byte("1")))
	r, err := Open("data", start, small(fs.CrashClone(vfs.CrashOptions{})))
	must(t, err)
	defer r.Close()
	wantMeta(t, r, "users", "1")
	for _, b := range [][]byte{{}, {0, 'x'}, {formatVersion + 1, 'x'}} {
		want := ErrCorruption
		if len(b) > 0 && b[0] > formatVersion {
			want = ErrFormat
		}
		must(t, r.db.Put(metaKey(metaNamed+"users"), b))
		if _, _, err := r.ReadMeta("users"); !errors.Is(err, want) {
			t.Fatal(err)
		}
	}
}
