package engine

// Stats are counts since the engine was opened, in bytes and numbers; nil where an
// engine does not tell. They are what the process figures cannot show: how much of
// the writing is log, flush and compaction, and how much work a lookup takes.
type Stats struct {
	BytesIn          *int64 `json:"bytes_in,omitempty"` // keys and values written by the user
	LogBytes         *int64 `json:"log_bytes,omitempty"`
	FlushBytes       *int64 `json:"flush_bytes,omitempty"`
	CompactedBytes   *int64 `json:"compacted_bytes,omitempty"` // written by compactions
	CompactionReads  *int64 `json:"compaction_read_bytes,omitempty"`
	Syncs            *int64 `json:"syncs,omitempty"`
	BlockReads       *int64 `json:"block_reads,omitempty"` // from the file system, for lookups and scans
	BlockHits        *int64 `json:"block_hits,omitempty"`  // found in the cache
	FilterProbes     *int64 `json:"filter_probes,omitempty"`
	FilterNegatives  *int64 `json:"filter_negatives,omitempty"` // probes that saved a block
	Stalls           *int64 `json:"stalls,omitempty"`           // writes that were delayed or stopped
	StallNanoseconds *int64 `json:"stall_nanoseconds,omitempty"`

	// State when asked, not counts:
	MemoryUsed *int64 `json:"memory_used,omitempty"`
	Text       string `json:"-"` // the engine's own table, for people
}

// counts lists the counters, for arithmetic on all of them.
func (s *Stats) counts() []**int64 {
	return []**int64{
		&s.BytesIn, &s.LogBytes, &s.FlushBytes, &s.CompactedBytes, &s.CompactionReads, &s.Syncs,
		&s.BlockReads, &s.BlockHits, &s.FilterProbes, &s.FilterNegatives, &s.Stalls, &s.StallNanoseconds,
	}
}

// Since returns the counts from before to s. State is that of s.
func (s Stats) Since(before Stats) Stats {
	d := s
	from, to := before.counts(), d.counts()
	for i := range to {
		if *to[i] == nil {
			continue
		}
		v := **to[i]
		if *from[i] != nil {
			v -= **from[i]
		}
		*to[i] = &v
	}
	return d
}

// Written returns the bytes of log, flushes and compactions together, and whether
// the engine tells.
func (s Stats) Written() (int64, bool) {
	if s.LogBytes == nil || s.FlushBytes == nil || s.CompactedBytes == nil {
		return 0, false
	}
	return *s.LogBytes + *s.FlushBytes + *s.CompactedBytes, true
}
