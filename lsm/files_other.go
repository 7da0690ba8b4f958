//go:build !unix

package lsm

import "math"

// maxFiles returns how many files the process may have open: no limit is known.
func maxFiles() int { return math.MaxInt32 }
