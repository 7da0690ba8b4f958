package cluster

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/ringwood-kv/ringwood/cluster/access"
	"github.com/ringwood-kv/ringwood/lsm/vfs"
)

// Flush writes what is in memory into tables.
func (n *Node) Flush() error { return n.replica.Engine().Flush() }

// Sync makes all that was acknowledged durable, whatever its bucket asked for.
func (n *Node) Sync() error { return n.replica.Sync() }

// Compact rewrites the whole store into its best shape. It stops when ctx ends.
func (n *Node) Compact(ctx context.Context) error {
	return n.replica.Engine().Compact(ctx, nil, nil)
}

// Verify reads every file of the store and checks every checksum. It stops when ctx ends.
// The error has all damage joined.
func (n *Node) Verify(ctx context.Context) error { return n.replica.Engine().Verify(ctx) }

// CheckpointDir is where checkpoints are made: beside the store, so that they can share
// its files.
func (n *Node) CheckpointDir() string { return filepath.Clean(n.opts.Dir) + ".checkpoints" }

// Checkpoint makes a copy of the store that can be opened, with all that was acknowledged
// before the call, its users included. It costs hardly any room until the store has
// changed. Name is made like that of a user; the copy is in CheckpointDir, under it. The
// error is access.ErrInvalid for another name, fs.ErrExist if there is one of that name,
// or of the disk.
func (n *Node) Checkpoint(name string) (path string, err error) {
	if !access.ValidName(name) {
		return "", fmt.Errorf("%w: %.80q cannot be the name of a checkpoint: letters, digits and . _ - @, the first a letter or digit", access.ErrInvalid, name)
	}
	path = filepath.Join(n.CheckpointDir(), name)
	fsys := n.opts.FS
	if fsys == nil {
		fsys = vfs.OS
	}
	// The directory may be a link that somebody else has made.
	if info, err := os.Lstat(n.CheckpointDir()); n.opts.FS == nil && err == nil && !info.IsDir() {
		return "", fmt.Errorf("cluster: %s is no directory", n.CheckpointDir())
	}
	switch _, err := fsys.Stat(path); {
	case err == nil:
		return "", fmt.Errorf("cluster: checkpoint %s: %w", name, fs.ErrExist)
	case !errors.Is(err, fs.ErrNotExist):
		return "", err
	}
	if err := fsys.MkdirAll(n.CheckpointDir()); err != nil {
		return "", err
	}
	if err := n.replica.Checkpoint(path); err != nil {
		return "", fmt.Errorf("cluster: checkpoint %s: %w", name, err)
	}
	n.log.Info("checkpoint made", "path", path)
	return path, nil
}
