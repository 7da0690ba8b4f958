package replica

import (
	"testing"

	"github.com/ringwood-kv/ringwood/cluster/internal/planted"
)

// Known bugs of the package are caught.
func TestPlanted(t *testing.T) { planted.Run(t, 18) }
