package skiplist

import (
	"testing"

	"github.com/ringwood-kv/ringwood/lsm/internal/arena"
	"github.com/ringwood-kv/ringwood/lsm/internal/base"
)

// TestLargestValueWithExpiry: a value at the limit with its 8 bytes of expiry did not
// fit any list, which the commit found out after it had written the log.
func TestLargestValueWithExpiry(t *testing.T) {
	if testing.Short() {
		t.Skip("takes half a gigabyte")
	}
	v := make([]byte, base.MaxValueLen+8)
	a, err := arena.New(2*MaxEntrySize(1, len(v)) - len(v))
	if err != nil {
		t.Fatal(err)
	}
	defer a.Free()
	l := New(a, nil)
	if !l.Add([]byte("k"), base.MakeTrailer(1, base.KindSetTTL), v) {
		t.Fatal("refused")
	}
}
