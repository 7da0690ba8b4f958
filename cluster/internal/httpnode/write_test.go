package httpnode

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/ringwood-kv/ringwood/cluster/httpapi"
	"github.com/ringwood-kv/ringwood/cluster/httpapi/wire"
	"github.com/ringwood-kv/ringwood/cluster/replica"
	"github.com/ringwood-kv/ringwood/cluster/vclock"
	"github.com/ringwood-kv/ringwood/lsm"
	"github.com/ringwood-kv/ringwood/lsm/vfs"
)

// A batch has no more of old values in memory than maxHeld; one that replaces them has none.
func TestBatchOfLargeValues(t *testing.T) {
	old := maxHeld
	maxHeld = 250
	defer func() { maxHeld = old }()
	r, err := replica.Open("data", time.Now().UnixMilli(), &replica.Options{
		Engine: lsm.Options{FS: vfs.NewMem(), Memory: 8 << 20}, Create: replica.Creation{Partitions: 16, Bucket: replica.BucketConfig{Durability: lsm.OS}},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = r.Close() }()
	ring, err := vclock.NewKeyring(bytes.Repeat([]byte("k"), vclock.MinTokenKey))
	if err != nil {
		t.Fatal(err)
	}
	n, err := New(r, Options{Keyring: ring})
	if err != nil {
		t.Fatal(err)
	}
	var blind, seen, changed httpapi.Write
	for _, k := range []string{"a", "b", "c"} {
		read, err := n.Read(t.Context(), replica.FirstBucket, []byte(k))
		if err != nil {
			t.Fatal(err)
		}
		blind.Operations = append(blind.Operations, httpapi.Operation{Kind: httpapi.Put, Key: []byte(k), Value: []byte(strings.Repeat("v", 100))})
		seen.Operations = append(seen.Operations, httpapi.Operation{Kind: httpapi.Put, Key: []byte(k), Context: read.Context})
		changed.Operations = append(changed.Operations, httpapi.Operation{Kind: httpapi.Delete, Key: []byte(k)})
	}
	write := func(w httpapi.Write, fails int) {
		t.Helper()
		done, err := n.Write(t.Context(), replica.FirstBucket, w)
		if err != nil {
			t.Fatal(err)
		}
		for i, res := range done.Results {
			if (res.Err != nil) != (i == fails) || res.Err != nil && res.Err.Code != wire.TooLarge {
				t.Errorf("operation %d: %v", i, res.Err)
			}
		}
	}
	write(blind, -1)
	write(blind, -1)
	write(seen, 2)
	write(changed, -1)
}
