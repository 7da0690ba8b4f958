package cluster

import (
	"testing"

	"github.com/ringwood-kv/ringwood/cluster/internal/planted"
)

// Known bugs of the node, its limits and its store for RESP are caught.
func TestPlanted(t *testing.T) { planted.Run(t, 20) }
