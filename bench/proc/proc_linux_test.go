package proc

import (
	"testing"
	"time"
)

func TestStolen(t *testing.T) {
	const stat = "cpu  5262404 10 500123 400 30 0 7 4321 0 0\ncpu0 1 2 3 4 5 6 7 8 9 10\n"
	if got := stolen([]byte(stat)); got != 43210*time.Millisecond {
		t.Errorf("%v", got)
	}
	for _, bad := range []string{"", "cpu 1 2 3", "intr 1 2 3 4 5 6 7 8 9", "cpu  1 2 3 4 5 6 7 x 9 10\n"} {
		if got := stolen([]byte(bad)); got != Unknown {
			t.Errorf("%q: %v", bad, got)
		}
	}
	if Stolen() < 0 {
		t.Error("this kernel does not tell")
	}
}
