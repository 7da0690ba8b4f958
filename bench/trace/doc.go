// Package trace reads traces of requests to a store and replays them on an engine,
// checking every read.
//
// # Formats
//
// A CSV file (also separated by tabs, semicolons or bars; also compressed by gzip)
// has a line for each request. Columns are found by their names in the first line,
// whatever their case, or by their numbers, from 1:
//
//	key   the key, as it stands there: key, lbn, lba, obj_id, object, id, block
//	op    what is done with it: op, operation, opcode, cmd, command, type
//	size  bytes of the value: size, length, len, bytes, value_size, obj_size
//
// and other columns are ignored. The operations known by default, in any case, with
// or without 0x in front:
//
//	read    r, read, get, gets, and the SCSI commands 08, 28, a8, 88 (READ)
//	write   w, write, put, set, add, update, and 0a, 2a, aa, 8a (WRITE), 2e, ae, 8e (WRITE AND VERIFY)
//	delete  d, del, delete, remove, and 42 (UNMAP)
//
// Mapping replaces each of these. Without a column for the size, values have a size
// of choice. Without a column for the operation a request is a reference: a read, or
// a write if the trace has not written the key before, as a cache would have it.
//
// A file whose name ends in .oracleGeneral, or .oracleGeneral.bin, has libCacheSim's
// binary records of 24 bytes: time (4), object (8), size (4) and the next access (8),
// little-endian. They are references.
//
// # Replay
//
// Requests on one key keep their order; with several threads those on different keys
// may overtake each other. The value of a write follows from the key and from how
// many writes of it the trace had before, and has the size that the trace says; so
// each read is compared with what must be there, byte for byte. A read of a key that
// the trace has not written, or has deleted, is an expected miss, whose size does not
// matter. A read of a key that was written with another size is a hit with the size
// that was written.
package trace
