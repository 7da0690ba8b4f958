package metrics

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/ringwood-kv/ringwood/cluster"
	"github.com/ringwood-kv/ringwood/cluster/httpapi"
	"github.com/ringwood-kv/ringwood/cmd/internal/version"
)

const (
	prefix  = "ringwood_"
	counter = prometheus.CounterValue
	gauge   = prometheus.GaugeValue

	requestSeconds     = "http_request_seconds"
	requestSecondsHelp = "How long requests over HTTP took, by method and route"
	commandSeconds     = "resp_command_seconds"
	commandSecondsHelp = "How long commands took, by kind: read, write, other; without the wait for a commit, which a pipeline shares"
)

// source is one picture of a node.
type source struct {
	*cluster.Metrics
	api *httpapi.Metrics // nil: there is no API
}

// http emits a number of the API, if there is one.
func (s *source) http(emit emitter, number func(*httpapi.Metrics) float64) {
	if s.api != nil {
		emit(number(s.api))
	}
}

// emitter takes a value with the values of its labels.
type emitter func(v float64, labels ...string)

// family is a name with its series.
type family struct {
	name   string // without the prefix
	kind   prometheus.ValueType
	labels []string
	help   string
	read   func(s *source, emit emitter)
}

// reasonCodes are all that there can be for a node that answers.
var reasonCodes = []string{
	cluster.ReasonStarting, cluster.ReasonStopping, cluster.ReasonReadOnly, cluster.ReasonNoSpace,
}

func hasReason(all []cluster.Reason, code string) bool {
	return slices.ContainsFunc(all, func(r cluster.Reason) bool { return r.Code == code })
}

func each(list []string, do func(string)) {
	for _, x := range list {
		do(x)
	}
}

func flag(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// unix is 0 for the zero time.
func unix(t time.Time) float64 {
	if t.IsZero() {
		return 0
	}
	return float64(t.UnixMilli()) / 1000
}

// one is a family of a single series.
func one(value func(s *source) float64) func(*source, emitter) {
	return func(s *source, emit emitter) { emit(value(s)) }
}

// table is all families but for the times of requests. METRICS.md explains them.
var table = []family{
	{"build_info", gauge, []string{"version", "revision"}, "1; which version runs", func(s *source, emit emitter) {
		emit(1, s.Version, version.Revision())
	}},
	{"start_time_seconds", gauge, nil, "When the node was started, in seconds since 1970", one(func(s *source) float64 { return unix(s.Started) })},
	{"ready", gauge, nil, "1 if the node takes all requests, otherwise 0", one(func(s *source) float64 { return flag(len(s.Ready) == 0) })},
	{"not_ready", gauge, []string{"reason"}, "1 for each reason why the node is not ready, otherwise 0", func(s *source, emit emitter) {
		each(reasonCodes, func(c string) { emit(flag(hasReason(s.Ready, c)), c) })
	}},
	{"live", gauge, nil, "1 while the process works, 0 if it should be started again", one(func(s *source) float64 { return flag(len(s.Live) == 0) })},
	{"insecure", gauge, []string{"protocol"}, "1 for each protocol that others reach without TLS or without users", func(s *source, emit emitter) {
		each([]string{"RESP", "HTTP"}, func(l string) { emit(flag(slices.Contains(s.Insecure, l)), strings.ToLower(l)) })
	}},
	{"certificate_expiry_time_seconds", gauge, []string{"protocol"}, "When the certificate of a protocol ends, in seconds since 1970; 0 without TLS", func(s *source, emit emitter) {
		emit(unix(s.RESPCertificate), "resp")
		emit(unix(s.HTTPCertificate), "http")
	}},
	{"users", gauge, nil, "Users", one(func(s *source) float64 { return float64(s.Users) })},
	{"roles", gauge, nil, "Roles that were made, without those that are always there", one(func(s *source) float64 { return float64(s.Roles) })},
	{"slow_requests_total", counter, nil, "Requests that took longer than slow-log-threshold", one(func(s *source) float64 { return float64(s.SlowRequests) })},
	{"store_failures_total", counter, nil, "Requests over RESP that the store has failed: no space, a failed sync", one(func(s *source) float64 { return float64(s.StoreFailures) })},
	{"damaged_requests_total", counter, nil, "Requests over RESP that met damage, of files or records", one(func(s *source) float64 { return float64(s.Damaged) })},
	{"clock_ahead_seconds", gauge, nil, "How far timestamps of writes are ahead of the wall clock", one(func(s *source) float64 { return s.ClockAhead.Seconds() })},
	{"open_seconds", gauge, nil, "How long opening the store took", one(func(s *source) float64 { return s.Opened.Took.Seconds() })},
	{"open_clean", gauge, nil, "1 if the store had been closed in order before", one(func(s *source) float64 { return flag(s.Opened.Clean) })},
	{"open_replayed_bytes", gauge, nil, "Log that was replayed when the store was opened", one(func(s *source) float64 { return float64(s.Opened.Replayed) })},
	{"open_dropped_bytes", gauge, nil, "Log behind a torn end that was dropped then; none of it was acknowledged as synced", one(func(s *source) float64 { return float64(s.Opened.Dropped) })},
	{"upkeep_errors_total", counter, nil, "Steps of upkeep that failed and were tried again", one(func(s *source) float64 { return float64(s.Upkeep.Errors) })},
	{"verified_records_total", counter, nil, "Records that the walk over everything has looked at", one(func(s *source) float64 { return float64(s.Upkeep.Verified) })},
	{"verify_walks_total", counter, nil, "Walks over everything that were completed", one(func(s *source) float64 { return float64(s.Upkeep.Walks) })},
	{"verify_last_walk_time_seconds", gauge, nil, "When one was completed last, in seconds since 1970; 0 for never", one(func(s *source) float64 { return unix(s.Upkeep.LastWalk) })},
	{"damaged_records", gauge, nil, "Records that made no sense in the last walk, or the one under way", one(func(s *source) float64 { return float64(s.Upkeep.Bad) })},
	{"sibling_reads_total", counter, nil, "Reads of one value that found several siblings", one(func(s *source) float64 { return float64(s.Replica.Conflicts) })},
	{"siblings_dropped_total", counter, nil, "Writes that last-writer-wins or a limit has dropped, and nobody had read", one(func(s *source) float64 { return float64(s.Replica.DroppedSiblings) })},
	{"sibling_warnings_total", counter, nil, "Writes that left more siblings than the bucket likes", one(func(s *source) float64 { return float64(s.Replica.SiblingWarnings) })},
	{"latch_waits_total", counter, nil, "Transactions that found a key of theirs taken", one(func(s *source) float64 { return float64(s.Replica.LatchWaits) })},
	{"chained_transactions_total", counter, nil, "Transactions that gave their keys to others before they were committed", one(func(s *source) float64 { return float64(s.Replica.Chained) })},
	{"lease_renewals_total", counter, nil, "Times that the leases of dots and timestamps were made durable", one(func(s *source) float64 { return float64(s.Replica.LeaseRenewals) })},
	{"expired_records_total", counter, nil, "Records whose expired values were dropped", one(func(s *source) float64 { return float64(s.Replica.Swept) })},
	{"reaped_records_total", counter, nil, "Records of deleted keys that were removed", one(func(s *source) float64 { return float64(s.Replica.Reaped) })},
	{"dangling_entries_total", counter, nil, "Index entries without a record that were deleted", one(func(s *source) float64 { return float64(s.Replica.Dangling) })},
	{"dropped_buckets_pending", gauge, nil, "Dropped and emptied buckets whose data still has to be removed", one(func(s *source) float64 { return float64(s.Replica.Drops) })},
	{"recounting", gauge, nil, "1 while keys are counted again after an unclean end", one(func(s *source) float64 { return flag(s.Replica.Recounting) })},
	{"bucket_keys", gauge, []string{"bucket"}, "Keys with a value, expired ones included until they are swept", func(s *source, emit emitter) {
		for i := range s.Buckets {
			b := &s.Buckets[i]
			emit(float64(b.Keys), b.Name)
		}
	}},
	{"bucket_bytes", gauge, []string{"bucket"}, "Length of these keys and of all their values", func(s *source, emit emitter) {
		for i := range s.Buckets {
			b := &s.Buckets[i]
			emit(float64(b.Bytes), b.Name)
		}
	}},
	{"bucket_expiring_keys", gauge, []string{"bucket"}, "Keys that have a value with an expiry", func(s *source, emit emitter) {
		for i := range s.Buckets {
			b := &s.Buckets[i]
			emit(float64(b.Expiring), b.Name)
		}
	}},
	{"bucket_exact", gauge, []string{"bucket"}, "0 while the keys are counted again after an unclean end, otherwise 1", func(s *source, emit emitter) {
		for i := range s.Buckets {
			b := &s.Buckets[i]
			emit(flag(b.Exact), b.Name)
		}
	}},
	{"lsm_level_tables", gauge, []string{"level"}, "Tables of a level", func(s *source, emit emitter) {
		for i := range s.Engine.Levels {
			l := &s.Engine.Levels[i]
			emit(float64(l.Tables), strconv.Itoa(i))
		}
	}},
	{"lsm_level_bytes", gauge, []string{"level"}, "Bytes of the tables of a level", func(s *source, emit emitter) {
		for i := range s.Engine.Levels {
			l := &s.Engine.Levels[i]
			emit(float64(l.Bytes), strconv.Itoa(i))
		}
	}},
	{"lsm_level_entries", gauge, []string{"level"}, "Entries in the tables of a level", func(s *source, emit emitter) {
		for i := range s.Engine.Levels {
			l := &s.Engine.Levels[i]
			emit(float64(l.Entries), strconv.Itoa(i))
		}
	}},
	{"lsm_level_tombstones", gauge, []string{"level"}, "Tombstones among these entries", func(s *source, emit emitter) {
		for i := range s.Engine.Levels {
			l := &s.Engine.Levels[i]
			emit(float64(l.Deletes), strconv.Itoa(i))
		}
	}},
	{"lsm_level_score", gauge, []string{"level"}, "Need of a level for compaction, which is due from 1 on", func(s *source, emit emitter) {
		for i := range s.Engine.Levels {
			l := &s.Engine.Levels[i]
			emit(l.Score, strconv.Itoa(i))
		}
	}},
	{"lsm_commits_total", counter, nil, "Commits", one(func(s *source) float64 { return float64(s.Engine.Commits) })},
	{"lsm_operations_total", counter, nil, "Operations in commits", one(func(s *source) float64 { return float64(s.Engine.Operations) })},
	{"lsm_user_bytes_total", counter, nil, "Keys and values as committed", one(func(s *source) float64 { return float64(s.Engine.UserBytes) })},
	{"lsm_log_bytes_total", counter, nil, "Bytes appended to logs", one(func(s *source) float64 { return float64(s.Engine.LogBytes) })},
	{"lsm_log_records_total", counter, nil, "Records appended to logs, each for a group of commits", one(func(s *source) float64 { return float64(s.Engine.LogRecords) })},
	{"lsm_log_syncs_total", counter, nil, "Syncs of logs", one(func(s *source) float64 { return float64(s.Engine.LogSyncs) })},
	{"lsm_flushes_total", counter, nil, "Memtables that were written into tables", one(func(s *source) float64 { return float64(s.Engine.Flushes) })},
	{"lsm_flush_bytes_total", counter, nil, "Bytes written by flushes", one(func(s *source) float64 { return float64(s.Engine.FlushBytes) })},
	{"lsm_compactions_total", counter, nil, "Compactions that have rewritten tables", one(func(s *source) float64 { return float64(s.Engine.Compactions) })},
	{"lsm_moves_total", counter, nil, "Compactions that have moved tables without rewriting them", one(func(s *source) float64 { return float64(s.Engine.Moves) })},
	{"lsm_compaction_read_bytes_total", counter, nil, "Bytes read by compactions", one(func(s *source) float64 { return float64(s.Engine.CompactionReadBytes) })},
	{"lsm_compaction_written_bytes_total", counter, nil, "Bytes written by compactions", one(func(s *source) float64 { return float64(s.Engine.CompactionWrittenBytes) })},
	{"lsm_compactions_running", gauge, nil, "Compactions under way", one(func(s *source) float64 { return float64(s.Engine.CompactionsRunning) })},
	{"lsm_compaction_debt_bytes", gauge, nil, "Bytes to be rewritten until the tree is in shape", one(func(s *source) float64 { return float64(s.Engine.CompactionDebt) })},
	{"lsm_stalls_total", counter, nil, "Times that writers stood still until a memtable was flushed", one(func(s *source) float64 { return float64(s.Engine.Stalls) })},
	{"lsm_stall_seconds_total", counter, nil, "How long they did", one(func(s *source) float64 { return s.Engine.StallTime.Seconds() })},
	{"lsm_delay_seconds_total", counter, nil, "How long writers were slowed down because compactions or flushes are behind", one(func(s *source) float64 { return s.Engine.DelayTime.Seconds() })},
	{"lsm_deleted_tables_total", counter, nil, "Tables that were deleted", one(func(s *source) float64 { return float64(s.Engine.TablesDeleted) })},
	{"lsm_conflicts_total", counter, nil, "Transactions of the engine that met a conflict", one(func(s *source) float64 { return float64(s.Engine.TxnConflicts) })},
	{"lsm_background_errors_total", counter, nil, "Failures of background work, which is tried again", one(func(s *source) float64 { return float64(s.Engine.BackgroundErrors) })},
	{"lsm_corruptions_total", counter, nil, "Times that damage was met", one(func(s *source) float64 { return float64(s.Engine.Corruptions) })},
	{"lsm_block_reads_total", counter, nil, "Blocks read from files", one(func(s *source) float64 { return float64(s.Engine.BlockReads) })},
	{"lsm_table_read_bytes_total", counter, nil, "Bytes read from tables", one(func(s *source) float64 { return float64(s.Engine.TableBytesRead) })},
	{"lsm_filter_probes_total", counter, nil, "Questions to filters", one(func(s *source) float64 { return float64(s.Engine.FilterProbes) })},
	{"lsm_filter_negatives_total", counter, nil, "Answers of filters that a key is not there", one(func(s *source) float64 { return float64(s.Engine.FilterNegatives) })},
	{"lsm_cache_hits_total", counter, nil, "Blocks found in the cache", one(func(s *source) float64 { return float64(s.Engine.CacheHits) })},
	{"lsm_cache_misses_total", counter, nil, "Blocks not found in the cache", one(func(s *source) float64 { return float64(s.Engine.CacheMisses) })},
	{"lsm_row_hits_total", counter, nil, "Single reads that the row cache served", one(func(s *source) float64 { return float64(s.Engine.RowHits) })},
	{"lsm_row_misses_total", counter, nil, "Single reads of what was not in the row cache", one(func(s *source) float64 { return float64(s.Engine.RowMisses) })},
	{"lsm_open_tables", gauge, nil, "Tables that are open", one(func(s *source) float64 { return float64(s.Engine.OpenTables) })},
	{"lsm_open_iterators", gauge, nil, "Iterators that are open", one(func(s *source) float64 { return float64(s.Engine.OpenIterators) })},
	{"lsm_open_snapshots", gauge, nil, "Snapshots that are open", one(func(s *source) float64 { return float64(s.Engine.OpenSnapshots) })},
	{"lsm_sealed_memtables", gauge, nil, "Memtables that wait to be flushed", one(func(s *source) float64 { return float64(s.Engine.SealedMemtables) })},
	{"lsm_blob_files", gauge, nil, "Files with values outside of the tree", one(func(s *source) float64 { return float64(s.Engine.Blobs.Files) })},
	{"lsm_blob_bytes", gauge, nil, "Bytes of these files", one(func(s *source) float64 { return float64(s.Engine.Blobs.Bytes) })},
	{"lsm_blob_live_bytes", gauge, nil, "Bytes in them that tables refer to; the rest is garbage", one(func(s *source) float64 { return float64(s.Engine.Blobs.LiveBytes) })},
	{"lsm_memory_bytes", gauge, []string{"part"}, "Memory in use, by part", func(s *source, emit emitter) {
		m := &s.Engine.Memory
		emit(float64(m.Memtables), "memtables")
		emit(float64(m.Cache), "cache")
		emit(float64(m.Rows), "rows")
		emit(float64(m.Tables), "tables")
		emit(float64(m.Buffers), "buffers")
	}},
	{"lsm_memory_budget_bytes", gauge, nil, "What these parts have together: the setting memory", one(func(s *source) float64 { return float64(s.Engine.Memory.Budget) })},
	{"lsm_read_only", gauge, nil, "1 after a failed sync, until the node is started again", one(func(s *source) float64 { return flag(s.Engine.ReadOnlyReason != "") })},
	{"resp_connections", gauge, nil, "Connections of Redis clients", one(func(s *source) float64 { return float64(s.RESP.Clients) })},
	{"resp_unauthenticated_connections", gauge, nil, "Those of them that have still to log in", one(func(s *source) float64 { return float64(s.RESP.Unauthenticated) })},
	{"resp_accepted_connections_total", counter, nil, "Connections that were accepted", one(func(s *source) float64 { return float64(s.RESP.Accepted) })},
	{"resp_rejected_connections_total", counter, []string{"limit"}, "Connections that were one too many, by the limit", func(s *source, emit emitter) {
		r := &s.RESP
		emit(float64(r.RejectedClients), "all")
		emit(float64(r.RejectedAddr), "address")
		emit(float64(r.RejectedUnauth), "unauthenticated")
	}},
	{"resp_closed_connections_total", counter, []string{"reason"}, "Connections that the server has ended, by the reason", func(s *source, emit emitter) {
		r := &s.RESP
		emit(float64(r.ClosedIdle), "idle")
		emit(float64(r.ClosedAuth), "login")
		emit(float64(r.ClosedRequest), "read")
		emit(float64(r.ClosedWrite), "write")
		emit(float64(r.ClosedOutput), "output")
		emit(float64(r.ClosedMemory), "memory")
		emit(float64(r.ClosedProtocol), "protocol")
		emit(float64(r.ClosedKill), "killed")
	}},
	{"resp_commands_total", counter, []string{"command"}, "Commands that were run, by name", func(s *source, emit emitter) {
		for _, c := range s.RESP.PerCommand {
			emit(float64(c.Calls), strings.ToLower(c.Name))
		}
	}},
	{"resp_failed_commands_total", counter, []string{"command"}, "Commands that were answered with an error, by name", func(s *source, emit emitter) {
		for _, c := range s.RESP.PerCommand {
			emit(float64(c.Failed), strings.ToLower(c.Name))
		}
	}},
	{"resp_errors_total", counter, nil, "Replies that are errors, those to unknown commands included", one(func(s *source) float64 { return float64(s.RESP.Errors) })},
	{"resp_login_failures_total", counter, nil, "Logins that failed", one(func(s *source) float64 { return float64(s.RESP.LoginFailures) })},
	{"resp_denied_total", counter, nil, "Commands refused for want of a right or a login", one(func(s *source) float64 { return float64(s.RESP.Denied) })},
	{"resp_received_bytes_total", counter, nil, "Bytes of requests", one(func(s *source) float64 { return float64(s.RESP.BytesIn) })},
	{"resp_sent_bytes_total", counter, nil, "Bytes of replies", one(func(s *source) float64 { return float64(s.RESP.BytesOut) })},
	{"resp_memory_bytes", gauge, nil, "Memory for requests and replies, of which max-inflight-size is the limit", one(func(s *source) float64 { return float64(s.RESP.Memory) })},
	{"http_connections", gauge, nil, "Connections of HTTP clients", one(func(s *source) float64 { return float64(s.HTTP.Open) })},
	{"http_unauthenticated_connections", gauge, nil, "Those of them that have still to log in", one(func(s *source) float64 { return float64(s.HTTP.Unauthenticated) })},
	{"http_accepted_connections_total", counter, nil, "Connections that were accepted", one(func(s *source) float64 { return float64(s.HTTP.Accepted) })},
	{"http_rejected_connections_total", counter, nil, "Connections that were one too many", one(func(s *source) float64 { return float64(s.HTTP.Rejected) })},
	{"http_requests_total", counter, []string{"outcome"}, "Requests, by the class of their answer", func(s *source, emit emitter) {
		if a := s.api; a != nil {
			emit(float64(a.Requests-a.ClientErrors-a.ServerErrors), "ok")
			emit(float64(a.ClientErrors), "client error")
			emit(float64(a.ServerErrors), "server error")
		}
	}},
	{"http_login_failures_total", counter, nil, "Logins that failed", func(s *source, emit emitter) {
		s.http(emit, func(a *httpapi.Metrics) float64 { return float64(a.LoginFailures) })
	}},
	{"http_denied_total", counter, nil, "Requests refused for want of a right", func(s *source, emit emitter) {
		s.http(emit, func(a *httpapi.Metrics) float64 { return float64(a.Denied) })
	}},
	{"http_overloaded_total", counter, nil, "Requests refused for want of memory", func(s *source, emit emitter) {
		s.http(emit, func(a *httpapi.Metrics) float64 { return float64(a.Overloaded) })
	}},
	{"http_panics_total", counter, nil, "Requests that met a mistake of the server, which is in its log", func(s *source, emit emitter) {
		s.http(emit, func(a *httpapi.Metrics) float64 { return float64(a.Panics) })
	}},
	{"http_received_bytes_total", counter, nil, "Bytes of bodies of requests", func(s *source, emit emitter) {
		s.http(emit, func(a *httpapi.Metrics) float64 { return float64(a.BytesIn) })
	}},
	{"http_sent_bytes_total", counter, nil, "Bytes of answers", func(s *source, emit emitter) {
		s.http(emit, func(a *httpapi.Metrics) float64 { return float64(a.BytesOut) })
	}},
	{"http_memory_bytes", gauge, nil, "Memory for requests and answers, of which max-inflight-size is the limit", func(s *source, emit emitter) {
		s.http(emit, func(a *httpapi.Metrics) float64 { return float64(a.InFlight) })
	}},
}
