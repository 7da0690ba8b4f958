// Package report is what a benchmark says: the results as plain data, and the forms in
// which they are printed. While it runs, a live line; for people, tables; for
// programs, JSON with everything, CSV with a line for each workload and kind of
// operation, CSV with a line for each second, .hgrm files for HdrHistogram's plotters,
// and benchmark lines for benchstat.
//
// Numbers that nobody knows (a system that does not tell memory, an engine that does
// not count) are null in JSON, empty in CSV and "-" in tables: never zero.
package report
