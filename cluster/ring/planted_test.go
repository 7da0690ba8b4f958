package ring

import (
	"testing"

	"github.com/ringwood-kv/ringwood/cluster/internal/planted"
)

// Known bugs of tables and plans are caught.
func TestPlanted(t *testing.T) { planted.Run(t, 18) }
