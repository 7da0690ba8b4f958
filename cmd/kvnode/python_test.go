package main

import (
	"net"
	"os/exec"
	"testing"

	"github.com/ringwood-kv/ringwood/cmd/internal/nodetest"
)

// Programs in Python get along with it, those that log in.
func TestRedisPy(t *testing.T) {
	t.Parallel()
	python := "/usr/bin/python3" // that of the system has its packages: Debian's is python3-redis
	if err := exec.Command(python, "-c", "import redis.asyncio").Run(); err != nil {
		t.Skip("no redis-py: ", err)
	}
	p := nodetest.Start(t, nodetest.Options{Env: []string{"KVNODE_ADMIN_PASSWORD=a-good-password"}})
	_, port, err := net.SplitHostPort(p.RESP)
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(python, "testdata/basic.py", port, "admin", "a-good-password").CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	t.Logf("%s", out)
}
