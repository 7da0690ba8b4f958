// Package gen makes the random choices of a benchmark: which operation, which
// record, which key and which value. It follows YCSB (Cooper et al., SoCC 2010) for
// the distributions, whose constants it reproduces, and LevelDB's db_bench for the
// half-compressible values.
//
// Everything is a function of a seed and of the number of the operation: operation n
// of a run draws the same numbers whichever goroutine performs it, so a run with the
// same seed performs the same operations with any number of threads. Nothing here
// allocates once it is constructed, and nothing takes a lock except Ack.
//
//	chooser, keys := gen.NewScrambled(records), gen.HashedKeys{}
//	var r gen.Rand // once: calls through the interface would move it to the heap each time
//	for n := range operations {
//		r = gen.At(seed, n)
//		key = keys.Append(key[:0], chooser.Next(&r))
//	}
//
// The package does not know what an engine or a workload is.
package gen
