package main

import "github.com/ringwood-kv/ringwood/cmd/kvnode/internal/config"

// connections is how many connections each protocol may have: as many as are set, or as
// the process may have files for, which is its limit, 0 if it is not known. A store without
// a file to write into fails, so clients must leave it some: the engine opens at most
// engineFiles, or half of the limit, and otherFiles is the rest.
func connections(c *config.Config, files int) int {
	protocols := 0
	for _, addr := range []string{c.RESPAddr, c.HTTPAddr} {
		if addr != "" {
			protocols++
		}
	}
	if files == 0 || protocols == 0 {
		return c.MaxConnections
	}
	return min(c.MaxConnections, max(1, (files-min(engineFiles, files/2)-otherFiles)/protocols))
}

const (
	engineFiles = 10_000 // see lsm.Options.MaxOpenFiles
	otherFiles  = 40     // logs, tables that are written, listeners, what Go has open
)
