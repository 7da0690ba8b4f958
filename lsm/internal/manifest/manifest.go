// Package manifest keeps the record of which tables make the tree.
//
// A Version is the tree at one moment, immutable. An Edit leads from one version
// to the next. A Store keeps the sequence of edits in a file, MANIFEST-NNNNNN, a
// frame file of package wal, and the file CURRENT says which manifest counts.
// ParseName knows every file name of a store.
//
// # Invariants
//
//   - CURRENT always names a manifest that is whole and on disk, up to the length
//     that CURRENT states at least.
//   - An edit is in the manifest, synced, before Append returns, and before the
//     caller removes anything that the edit makes obsolete.
//   - After opening, the first Append writes a new manifest: what was read, perhaps
//     only from the page cache of a run that failed, is rewritten and synced before
//     anything builds on it.
//   - A manifest is removed only after CURRENT, naming another one, is durable.
//   - A file number is given out once.
//
// # Format
//
// docs/manifest.md has it byte by byte.
//
// # Failures
//
// A missing or damaged CURRENT or manifest is a *base.CorruptionError, never an
// older or an empty store. A failed sync is final: ErrSyncFailed. A full disk
// leaves the store as it was, and the next Append may succeed.
//
// The package does not open tables or logs, and does not decide what an edit
// should contain.
package manifest

import "github.com/ringwood-kv/ringwood/lsm/internal/wal"

// FormatVersion is the version of the store's format that this build writes, and
// the newest that it reads. It stands in CURRENT and covers every file. Version 2 came
// with blob files.
const FormatVersion = 2

var (
	// ErrSyncFailed marks a failed sync, after which nothing more can be appended.
	ErrSyncFailed = wal.ErrSyncFailed
	// ErrNewerFormat marks a store that a later version of the engine wrote.
	ErrNewerFormat = wal.ErrNewerFormat
)
