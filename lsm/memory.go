package lsm

import (
	"fmt"
	"runtime"
	"time"

	"github.com/ringwood-kv/ringwood/lsm/internal/rows"
)

// memoryPlan divides Options.Memory. Memtables, filters and indexes take what they
// need up to their limit; the block cache has what is left at any time.
type memoryPlan struct {
	total    int64
	memtable int64 // capacity of one memtable
	sealed   int   // sealed memtables that may wait before writers do
	metadata int64 // limit for filters and indexes of open tables
	reserve  int64 // buffers of flush and compaction, log buffer, the Go heap
}

const (
	minMemory     = 8 << 20
	defaultMemory = 256 << 20
)

func planMemory(total, rowCache int64, compactions int) memoryPlan {
	p := memoryPlan{total: total, sealed: 2}
	p.memtable = min(max(total/8, 512<<10), 128<<20)
	// Each job holds a read-ahead buffer for every source and the buffers of its output,
	// more of it when values are large; the Go runtime takes some megabytes of its own.
	p.reserve = min(total/8, 16<<20+int64(1+compactions)*8<<20)
	// Most of what is left, if need be: a lookup that has to open a reader again pays for
	// fifty blocks.
	p.metadata = max(total/4, (total-rowCache-p.reserve-2*p.memtable)/8*7)
	return p
}

// resizeCache gives the block cache what the rest leaves. Two memtables count
// always, so that the cache does not swing with every rotation; more of them, and the
// metadata of tables, count as they come, also those that only iterators keep.
func (db *DB) resizeCache(coming int64) {
	db.cacheMu.Lock()
	defer db.cacheMu.Unlock()
	mem := coming + db.memtables.total.Load()
	meta := db.readers.open.Load()
	if !db.opts.ReadOnly {
		mem = max(mem, 2*db.plan.memtable)
	}
	left := db.plan.total - db.plan.reserve - db.rows.Capacity() - mem - meta
	// The remainder is rounded, so that opening one small table moves nothing.
	left = max(left, db.plan.total/32) &^ (1<<20 - 1)
	if db.cacheSize.Swap(left) != left {
		db.cache.SetCapacity(left)
	}
}

// withDefaults returns o completed, or what is wrong with it.
func (o *Options) withDefaults() (Options, error) {
	var out Options
	if o != nil {
		out = *o
	}
	bad := func(format string, args ...any) (Options, error) {
		return Options{}, fmt.Errorf("lsm: options: "+format, args...)
	}
	if out.Memory == 0 {
		out.Memory = defaultMemory
	}
	if out.Memory < minMemory {
		return bad("Memory is %d bytes, at least %d are needed", out.Memory, minMemory)
	}
	if r := out.RowCache; r != 0 && (r < rows.MinCapacity || r > out.Memory/2) {
		return bad("RowCache is %d bytes, want %d to half of Memory, which is %d, or 0 for none", r, rows.MinCapacity, out.Memory/2)
	}
	if out.Durability > None {
		return bad("Durability is %d, want Sync, OS or None", out.Durability)
	}
	for level, c := range out.Compression {
		if c > NoCompression {
			return bad("Compression of level %d is %d, want Snappy or NoCompression", level, c)
		}
	}
	if out.FilterBitsPerKey == 0 {
		out.FilterBitsPerKey = 10
	}
	if out.FilterBitsPerKey > 32 {
		return bad("FilterBitsPerKey is %d, at most 32 make sense", out.FilterBitsPerKey)
	}
	out.FilterBitsPerKey = max(out.FilterBitsPerKey, 0)
	if out.BlockSize == 0 {
		out.BlockSize = 4 << 10
	}
	if out.BlockSize < 1<<10 || out.BlockSize > 1<<20 {
		return bad("BlockSize is %d, want 1 KiB to 1 MiB", out.BlockSize)
	}
	if out.BlobThreshold == 0 {
		out.BlobThreshold = defaultBlobThreshold
	}
	if out.BlobThreshold > 0 && out.BlobThreshold < minBlobThreshold {
		return bad("BlobThreshold is %d, at least %d make sense", out.BlobThreshold, minBlobThreshold)
	}
	if out.CompactionConcurrency == 0 {
		out.CompactionConcurrency = max(1, runtime.GOMAXPROCS(0)/2)
	}
	if out.CompactionConcurrency < 0 || out.CompactionConcurrency > 64 {
		return bad("CompactionConcurrency is %d, want 1 to 64", out.CompactionConcurrency)
	}
	if out.MaxOpenFiles == 0 {
		// Half of what the process may open is left to logs, outputs of compactions, and
		// everything that is not this store.
		out.MaxOpenFiles = max(16, min(10_000, maxFiles()/2-8))
	}
	if out.MaxOpenFiles < 16 {
		return bad("MaxOpenFiles is %d, at least 16 are needed", out.MaxOpenFiles)
	}
	if out.Clock == nil {
		out.Clock = time.Now
	}
	return out, nil
}

// compression returns the codec of a level.
func (o *Options) compression(level int) Compression {
	if len(o.Compression) == 0 {
		return Snappy
	}
	return o.Compression[min(level, len(o.Compression)-1)]
}
