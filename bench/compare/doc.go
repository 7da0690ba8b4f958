// Package compare measures several engines side by side, so that what differs between
// two figures is the engine and not the hour.
//
//	d, err := compare.Run(ctx, compare.Config{Engines: …, Workloads: …, Rounds: 5}, compare.Options{Dir: dir})
//	compare.WriteTable(os.Stdout, compare.Analyse(d))
//
// # Rounds
//
// A row is a workload with a number of threads. In each round each row is measured on
// each engine, one right after the other, and the order of the engines is rotated from
// round to round. A measurement (a cell) is a process of its own, this program started
// again, so that memory, collections and page faults of one engine touch no other; no
// two run at the same time.
//
// A cell starts on a store that is settled and closed, with the page cache as it is.
// Each engine has up to five stores: one for workloads that fill an empty one, made
// new for each cell; for each data set one for workloads that only read, loaded once;
// and for each data set one for workloads that write, loaded again when a workload has
// spoiled it (see session). Loading is not measured.
//
// # Servers
//
// In place of engines a comparison may have Targets, servers. Each has one
// database, which must be empty in the beginning, or is emptied with Options.Fresh, and is
// emptied at the end. It is the one store of its target for all rows: loaded again when
// what a row needs is not there. So a server never holds more than one row needs, and rows
// that fill come best before those that read.
//
// # Statistics
//
// Figures are medians over the rounds. The subject is compared with another engine by
// the ratios of their speeds in the same round (see Ratio).
package compare
