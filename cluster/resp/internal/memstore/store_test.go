package memstore

import (
	"testing"

	"github.com/ringwood-kv/ringwood/cluster/resp/exec"
	"github.com/ringwood-kv/ringwood/cluster/resp/resptest"
)

func TestStore(t *testing.T) {
	resptest.Store(t, func(*testing.T) exec.Store { return New(2) })
}
