//go:build !amd64 && !386

package rows

import "sync/atomic"

// fence keeps the reads before it before those after it: an atomic addition is ordered
// with both.
func fence() {
	var x atomic.Uint32
	x.Add(1)
}
