//go:build amd64 || 386

package rows

// fence keeps the reads before it before those after it, which this processor does by
// itself. It is not inlined, for the compiler to do so as well.
//
//go:noinline
func fence() {}
