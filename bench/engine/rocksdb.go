//go:build rocksdb

package engine

/*
#cgo LDFLAGS: -lrocksdb
#cgo noescape rdb_get
#cgo nocallback rdb_get
#cgo noescape rdb_put
#cgo nocallback rdb_put
#cgo noescape rdb_delete
#cgo nocallback rdb_delete
#cgo noescape rdb_seek
#cgo nocallback rdb_seek
#cgo nocallback rdb_step
#cgo noescape rocksdb_writebatch_put
#cgo nocallback rocksdb_writebatch_put
#cgo noescape rocksdb_writebatch_delete
#cgo nocallback rocksdb_writebatch_delete

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <rocksdb/c.h>

// Each operation is one call from Go. Errors are returned, for the caller to free.

static char *rdb_put(rocksdb_t *db, rocksdb_writeoptions_t *o, const char *k, size_t kn, const char *v, size_t vn) {
	char *err = NULL;
	rocksdb_put(db, o, k, kn, v, vn, &err);
	return err;
}

static char *rdb_delete(rocksdb_t *db, rocksdb_writeoptions_t *o, const char *k, size_t kn) {
	char *err = NULL;
	rocksdb_delete(db, o, k, kn, &err);
	return err;
}

typedef struct { char *err; int64_t size; } rdb_got;

// rdb_get copies a value to dst if it has that much room. The size is -1 where there is none.
static rdb_got rdb_get(rocksdb_t *db, rocksdb_readoptions_t *o, const char *k, size_t kn, char *dst, size_t room) {
	rdb_got got = { NULL, -1 };
	rocksdb_pinnableslice_t *p = rocksdb_get_pinned(db, o, k, kn, &got.err);
	if (p == NULL) return got;
	size_t n;
	const char *v = rocksdb_pinnableslice_value(p, &n);
	if (n <= room && n > 0) memcpy(dst, v, n);
	got.size = n;
	rocksdb_pinnableslice_destroy(p);
	return got;
}

// An iterator, with its bounds, which have to live as long, and where it stands.
typedef struct {
	rocksdb_iterator_t *it;
	rocksdb_readoptions_t *o;
	char *lower, *upper;
	const char *key, *value;
	size_t kn, vn;
} rdb_iter;

static char *rdb_copy(const char *s, size_t n) {
	char *c = malloc(n + 1);
	if (n > 0) memcpy(c, s, n);
	return c;
}

static rdb_iter *rdb_open_iter(rocksdb_t *db, rocksdb_readoptions_t *shared, int has_lower, const char *l, size_t ln, int has_upper, const char *u, size_t un) {
	rdb_iter *i = calloc(1, sizeof *i);
	if (!has_lower && !has_upper) {
		i->it = rocksdb_create_iterator(db, shared);
		return i;
	}
	i->o = rocksdb_readoptions_create();
	if (has_lower) rocksdb_readoptions_set_iterate_lower_bound(i->o, i->lower = rdb_copy(l, ln), ln);
	if (has_upper) rocksdb_readoptions_set_iterate_upper_bound(i->o, i->upper = rdb_copy(u, un), un);
	i->it = rocksdb_create_iterator(db, i->o);
	return i;
}

static void rdb_close_iter(rdb_iter *i) {
	rocksdb_iter_destroy(i->it);
	if (i->o != NULL) rocksdb_readoptions_destroy(i->o);
	free(i->lower);
	free(i->upper);
	free(i);
}

static int rdb_at(rdb_iter *i) {
	if (!rocksdb_iter_valid(i->it)) return 0;
	i->key = rocksdb_iter_key(i->it, &i->kn);
	i->value = rocksdb_iter_value(i->it, &i->vn);
	return 1;
}

static int rdb_seek(rdb_iter *i, int less, const char *k, size_t kn) {
	if (!less) {
		rocksdb_iter_seek(i->it, k, kn);
		return rdb_at(i);
	}
	rocksdb_iter_seek_for_prev(i->it, k, kn);
	if (!rdb_at(i)) return 0;
	if (i->kn == kn && memcmp(i->key, k, kn) == 0) rocksdb_iter_prev(i->it);
	return rdb_at(i);
}

enum { rdb_first, rdb_last, rdb_next, rdb_prev };

static int rdb_step(rdb_iter *i, int step) {
	if (step == rdb_first) rocksdb_iter_seek_to_first(i->it);
	else if (step == rdb_last) rocksdb_iter_seek_to_last(i->it);
	else if (!rocksdb_iter_valid(i->it)) return 0;
	else if (step == rdb_next) rocksdb_iter_next(i->it);
	else rocksdb_iter_prev(i->it);
	return rdb_at(i);
}
*/
import "C"

import (
	"context"
	"errors"
	"os"
	"strconv"
	"strings"
	"time"
	"unsafe"
)

// RocksDB is the C++ library, by cgo, within the same memory as lsm: write buffers of an
// eighth, of which there are at most three, the rest for the block cache. Indexes and
// filters are held by open tables on top, as is RocksDB's default and to its advantage.
// Snappy, full bloom filters of 10 bits on every level, two background jobs, of which a
// compaction may take both, dynamic level sizes (its default since 8.2). Logs are not used again: its default recovery, to a point
// in time, does not allow that.
//
// None keeps up to 1 MiB of log in the memory of the process (manual_wal_flush).
var RocksDB = Kind{
	Name:   "rocksdb",
	Help:   "RocksDB by cgo, memory as lsm, indexes and filters on top",
	Limits: Limits{Key: 8 << 20, Value: 1 << 30},
	Marker: "CURRENT",
	Open:   func(c Config) (Engine, error) { return openRocksDB(c, rocksOptions(c)) },
}

// RocksDBStats is RocksDB with its statistics on, the only place where the C interface
// has exact counts of bytes. Timing each call for them makes reads up to a quarter
// slower, and that of a key that is missing most.
var RocksDBStats = Kind{
	Name:   "rocksdb-stats",
	Help:   "RocksDB with its statistics on: reads are slower, bytes and blocks are counted",
	Limits: RocksDB.Limits,
	Marker: RocksDB.Marker, Variant: true,
	Open: func(c Config) (Engine, error) {
		o := rocksOptions(c)
		C.rocksdb_options_enable_statistics(o)
		return openRocksDB(c, o)
	},
}

// RocksDBBlob is RocksDB with values from 4 KiB in blob files that are collected, and in the
// same cache, as lsm has them. That writes less, and reads are slower.
var RocksDBBlob = Kind{
	Name:   "rocksdb-blob",
	Help:   "RocksDB with values from 4 KiB in blob files",
	Limits: RocksDB.Limits,
	Marker: RocksDB.Marker, Variant: true,
	Open: func(c Config) (Engine, error) {
		o := rocksOptions(c)
		C.rocksdb_options_set_enable_blob_files(o, 1)
		C.rocksdb_options_set_min_blob_size(o, blobThreshold)
		C.rocksdb_options_set_blob_compression_type(o, C.rocksdb_snappy_compression)
		C.rocksdb_options_set_enable_blob_gc(o, 1)
		return openRocksDB(c, o)
	},
}

// rocks are the engines that the tag rocksdb adds.
var rocks = []Kind{RocksDB, RocksDBBlob, RocksDBStats}

func rocksOptions(c Config) *C.rocksdb_options_t {
	memory := c.memory()
	cache := C.rocksdb_cache_create_lru(C.size_t(memory - memory/8*3))
	defer C.rocksdb_cache_destroy(cache) // options hold it, for blocks and for values in blob files
	t := C.rocksdb_block_based_options_create()
	defer C.rocksdb_block_based_options_destroy(t)
	C.rocksdb_block_based_options_set_block_cache(t, cache)
	C.rocksdb_block_based_options_set_filter_policy(t, C.rocksdb_filterpolicy_create_bloom_full(10))
	C.rocksdb_block_based_options_set_whole_key_filtering(t, 1)

	o := C.rocksdb_options_create()
	C.rocksdb_options_set_create_if_missing(o, 1)
	C.rocksdb_options_set_block_based_table_factory(o, t)
	C.rocksdb_options_set_optimize_filters_for_hits(o, 0)
	C.rocksdb_options_set_compression(o, C.rocksdb_snappy_compression)
	C.rocksdb_options_set_write_buffer_size(o, C.size_t(memory/8))
	C.rocksdb_options_set_max_write_buffer_number(o, 3)
	C.rocksdb_options_set_max_background_jobs(o, 2)
	C.rocksdb_options_set_max_subcompactions(o, 2)
	C.rocksdb_options_set_blob_cache(o, cache)
	C.rocksdb_options_set_level_compaction_dynamic_level_bytes(o, 1)
	C.rocksdb_options_set_info_log_level(o, 3) // errors
	if c.Durability == None {
		C.rocksdb_options_set_manual_wal_flush(o, 1)
	}
	return o
}

func openRocksDB(c Config, o *C.rocksdb_options_t) (Engine, error) {
	e := &rocksDB{options: o, read: C.rocksdb_readoptions_create(), write: C.rocksdb_writeoptions_create()}
	if err := os.MkdirAll(c.Dir, 0o777); err != nil { // RocksDB makes the last directory only
		e.free()
		return nil, err
	}
	if c.Durability == Sync {
		C.rocksdb_writeoptions_set_sync(e.write, 1)
	}
	dir := C.CString(c.Dir)
	defer C.free(unsafe.Pointer(dir))
	var err *C.char
	e.db = C.rocksdb_open(e.options, dir, &err)
	if err != nil {
		e.free()
		return nil, rocksError(err)
	}
	return e, nil
}

// rocksError makes an error of a message, and frees that.
func rocksError(message *C.char) error {
	if message == nil {
		return nil
	}
	defer C.rocksdb_free(unsafe.Pointer(message))
	return errors.New("rocksdb: " + C.GoString(message))
}

// chars is where the bytes of b are, for the time of a call.
func chars(b []byte) (*C.char, C.size_t) {
	return (*C.char)(unsafe.Pointer(unsafe.SliceData(b))), C.size_t(len(b))
}

type rocksDB struct {
	db      *C.rocksdb_t
	options *C.rocksdb_options_t
	read    *C.rocksdb_readoptions_t
	write   *C.rocksdb_writeoptions_t
}

func (e *rocksDB) Put(key, value []byte) error {
	k, kn := chars(key)
	v, vn := chars(value)
	return rocksError(C.rdb_put(e.db, e.write, k, kn, v, vn))
}

func (e *rocksDB) Delete(key []byte) error {
	k, kn := chars(key)
	return rocksError(C.rdb_delete(e.db, e.write, k, kn))
}

func (e *rocksDB) AppendGet(dst, key []byte) ([]byte, error) {
	k, kn := chars(key)
	for {
		room := dst[len(dst):cap(dst)]
		to, n := chars(room[:cap(room)])
		got := C.rdb_get(e.db, e.read, k, kn, to, n)
		switch size := int(got.size); {
		case got.err != nil:
			return dst, rocksError(got.err)
		case size < 0:
			return dst, ErrNotFound
		case size <= cap(room):
			return dst[:len(dst)+size], nil
		default:
			dst = append(dst, make([]byte, size)...)[:len(dst)]
		}
	}
}

func (e *rocksDB) NewBatch() Batch { return &rocksBatch{e, C.rocksdb_writebatch_create()} }

func (e *rocksDB) NewIter(lower, upper []byte) (Iter, error) {
	l, ln := chars(lower)
	u, un := chars(upper)
	return rocksIter{C.rdb_open_iter(e.db, e.read, set(lower), l, ln, set(upper), u, un)}, nil
}

func set(bound []byte) C.int {
	if bound == nil {
		return 0
	}
	return 1
}

func (e *rocksDB) Sync() error {
	var err *C.char
	C.rocksdb_flush_wal(e.db, 1, &err)
	return rocksError(err)
}

// Settle flushes, and asks until nothing runs or is due: the C interface of the releases
// that distributions ship has no call to wait.
func (e *rocksDB) Settle(ctx context.Context) (time.Duration, error) {
	o := C.rocksdb_flushoptions_create()
	defer C.rocksdb_flushoptions_destroy(o)
	C.rocksdb_flushoptions_set_wait(o, 1)
	var err *C.char
	C.rocksdb_flush(e.db, o, &err)
	if err != nil {
		return 0, rocksError(err)
	}
	return rest(ctx, 3, func() (bool, error) {
		var work int64
		for _, p := range []string{
			"rocksdb.num-running-flushes", "rocksdb.mem-table-flush-pending",
			"rocksdb.num-running-compactions", "rocksdb.compaction-pending",
		} {
			work += e.property(p)
		}
		return work == 0, nil
	})
}

// property reads a property that is a number; 0 if RocksDB does not have it.
func (e *rocksDB) property(name string) int64 {
	s := C.CString(name)
	defer C.free(unsafe.Pointer(s))
	var n C.uint64_t
	C.rocksdb_property_int(e.db, s, &n)
	return int64(n)
}

func (e *rocksDB) text(name string) string {
	s := C.CString(name)
	defer C.free(unsafe.Pointer(s))
	v := C.rocksdb_property_value(e.db, s)
	if v == nil {
		return ""
	}
	defer C.rocksdb_free(unsafe.Pointer(v))
	return C.GoString(v)
}

func (e *rocksDB) Stats() Stats {
	t := e.tickers()
	count := func(name string) *int64 {
		if n, ok := t["rocksdb."+name]; ok {
			return &n
		}
		return nil
	}
	s := Stats{
		LogBytes: count("wal.bytes"), FlushBytes: count("flush.write.bytes"), CompactedBytes: count("compact.write.bytes"),
		CompactionReads: count("compact.read.bytes"), Syncs: count("wal.synced"),
		BlockReads: count("block.cache.data.miss"), BlockHits: count("block.cache.data.hit"),
		FilterNegatives: count("bloom.filter.useful"), StallNanoseconds: count("stall.micros"), Stalls: count("db.write.stall"),
		Text: e.text("rocksdb.stats"),
	}
	if s.StallNanoseconds != nil {
		*s.StallNanoseconds *= 1000
	}
	if passed := count("bloom.filter.full.positive"); passed != nil && s.FilterNegatives != nil {
		*passed += *s.FilterNegatives
		s.FilterProbes = passed
	}
	used := e.property("rocksdb.block-cache-usage") + e.property("rocksdb.cur-size-all-mem-tables") +
		e.property("rocksdb.estimate-table-readers-mem")
	s.MemoryUsed = &used
	return s
}

// tickers reads the counts out of RocksDB's table of statistics, if they are on:
// "name COUNT : 12" for a ticker, "name P50 : 0.0 … COUNT : 12 SUM : 99" for a histogram.
func (e *rocksDB) tickers() map[string]int64 {
	s := C.rocksdb_options_statistics_get_string(e.options)
	if s == nil {
		return nil
	}
	defer C.rocksdb_free(unsafe.Pointer(s))
	counts := make(map[string]int64)
	for line := range strings.Lines(C.GoString(s)) {
		name, rest, _ := strings.Cut(line, " ")
		_, rest, _ = strings.Cut(rest, "COUNT : ")
		n, _, _ := strings.Cut(strings.TrimSpace(rest), " ")
		if v, err := strconv.ParseInt(n, 10, 64); err == nil {
			counts[name] = v
		}
	}
	return counts
}

func (e *rocksDB) Close() error {
	err := e.Sync()
	C.rocksdb_close(e.db)
	e.free()
	return err
}

func (e *rocksDB) free() {
	C.rocksdb_options_destroy(e.options)
	C.rocksdb_readoptions_destroy(e.read)
	C.rocksdb_writeoptions_destroy(e.write)
}

type rocksBatch struct {
	db *rocksDB
	b  *C.rocksdb_writebatch_t
}

func (b *rocksBatch) Put(key, value []byte) error {
	k, kn := chars(key)
	v, vn := chars(value)
	C.rocksdb_writebatch_put(b.b, k, kn, v, vn)
	return nil
}

func (b *rocksBatch) Delete(key []byte) error {
	k, kn := chars(key)
	C.rocksdb_writebatch_delete(b.b, k, kn)
	return nil
}

func (b *rocksBatch) Commit() error {
	var err *C.char
	C.rocksdb_write(b.db.db, b.db.write, b.b, &err)
	C.rocksdb_writebatch_clear(b.b)
	return rocksError(err)
}

func (b *rocksBatch) Close() error {
	C.rocksdb_writebatch_destroy(b.b)
	return nil
}

type rocksIter struct{ i *C.rdb_iter }

func (i rocksIter) First() bool { return C.rdb_step(i.i, C.rdb_first) != 0 }
func (i rocksIter) Last() bool  { return C.rdb_step(i.i, C.rdb_last) != 0 }
func (i rocksIter) Next() bool  { return C.rdb_step(i.i, C.rdb_next) != 0 }
func (i rocksIter) Prev() bool  { return C.rdb_step(i.i, C.rdb_prev) != 0 }

func (i rocksIter) SeekGE(key []byte) bool { return i.seek(0, key) }
func (i rocksIter) SeekLT(key []byte) bool { return i.seek(1, key) }

func (i rocksIter) seek(less C.int, key []byte) bool {
	k, kn := chars(key)
	return C.rdb_seek(i.i, less, k, kn) != 0
}

// Key and Value are RocksDB's memory, which the iterator holds until it moves.
func (i rocksIter) Key() []byte   { return unsafe.Slice((*byte)(unsafe.Pointer(i.i.key)), i.i.kn) }
func (i rocksIter) Value() []byte { return unsafe.Slice((*byte)(unsafe.Pointer(i.i.value)), i.i.vn) }

func (i rocksIter) Err() error {
	var err *C.char
	C.rocksdb_iter_get_error(i.i.it, &err)
	return rocksError(err)
}

func (i rocksIter) Close() error {
	err := i.Err()
	C.rdb_close_iter(i.i)
	return err
}
