package resp

import (
	"testing"

	"github.com/ringwood-kv/ringwood/cluster/internal/planted"
)

// Known bugs of the server are caught.
func TestPlanted(t *testing.T) { planted.Run(t, 20) }
