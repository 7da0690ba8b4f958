package main

import "github.com/ringwood-kv/ringwood/cmd/kvnode/internal/config"

// engineFiles is how many files with data the engine may have open where the process may
// have that many files; 0 is the engine's own default, where that is not known.
func engineFiles(files int) int {
	if files == 0 {
		return 0
	}
	return max(16, min(10_000, files/4))
}

// otherFiles is what else there is: logs, tables that are written, listeners.
const otherFiles = 40

// connections is how many connections each protocol may have: as many as are set, or as
// the process may have files for.
func connections(c *config.Config, files int) int {
	if most := mostConnections(c, files); most > 0 {
		return min(c.MaxConnections, most)
	}
	return c.MaxConnections
}

// mostConnections is how many connections each protocol has files for, 0 where that is not
// known. A store without a file to write into fails, so clients must leave it some.
func mostConnections(c *config.Config, files int) int {
	protocols := 0
	for _, addr := range []string{c.RESPAddr, c.HTTPAddr} {
		if addr != "" {
			protocols++
		}
	}
	if files == 0 || protocols == 0 {
		return 0
	}
	return max(1, (files-engineFiles(files)-otherFiles)/protocols)
}
