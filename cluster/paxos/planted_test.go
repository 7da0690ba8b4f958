package paxos

import (
	"testing"

	"github.com/ringwood-kv/ringwood/cluster/internal/planted"
)

// TestPlanted sees that the known bugs fit the sources, and with -planted.all that a test
// catches each.
func TestPlanted(t *testing.T) { planted.Run(t, 19) }
