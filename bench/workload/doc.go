// Package workload has the workloads by name: YCSB's core workloads A to F as Yahoo
// defines them, and those of db_bench. A workload says which records it needs, and
// makes the workers that the driver runs on an engine.
//
// # YCSB
//
// After CoreWorkload.java and the files workloads/workloada to workloadf:
//
//	a  50% read, 50% update               zipfian
//	b  95% read,  5% update               zipfian
//	c 100% read                           zipfian
//	d  95% read,  5% insert               latest
//	e  95% scan of 1..100,  5% insert     zipfian start, uniform length
//	f  50% read, 50% read-modify-write    zipfian
//
// Keys are "user" and the decimal FNV hash of the record's number. A record is a row
// of ten fields of 100 bytes, stored as one value of 1,000 bytes. "zipfian" is YCSB's
// scrambled one, over the records that exist and twice those the run will insert;
// what does not exist yet is drawn again. "latest" and the rest see inserts only once
// they and all before them are acknowledged.
//
// An update changes one field of the row. A key-value store has no fields, so YCSB's
// bindings read the row, change the field and write the row: this is Row, the default.
// A read-modify-write is, as in YCSB, a read followed by such an update, which reads
// again. With Blind an update writes a whole new row without reading, and a
// read-modify-write reads once: what most papers on engines measure. The two are
// different workloads and do not belong in one table.
//
// # db_bench
//
// Keys are 16 decimal digits, values are 100 bytes. Differing from db_bench on
// purpose: fillrandom and deleterandom visit each record once, in random order, where
// db_bench draws with replacement and so leaves 37% of the records out, which its
// reads then miss; and readhot is zipfian over all records where db_bench's is
// uniform over the first hundredth (give Distribution "hotspot" with HotSet 0.01 and
// HotOps 1 for that). Reads of what must be there and is not are counted as lost.
package workload
