package httpapi_test

import (
	"testing"

	"github.com/ringwood-kv/ringwood/cluster/internal/planted"
)

// Known bugs of the API, its store and its client are caught.
func TestPlanted(t *testing.T) { planted.Run(t, 28) }
