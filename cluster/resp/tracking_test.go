package resp

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/ringwood-kv/ringwood/cluster/resp/resptest"
)

// A client that tracks keys is told behind each reply that they have changed: it caches
// nothing, and nothing that is wrong.
func TestTracking(t *testing.T) {
	_, c, store := serve(t, Options{})
	send := func(lines string, replies ...string) {
		t.Helper()
		c.Write([]byte(lines))
		for _, want := range replies {
			if got := c.Reply().String(); got != want {
				t.Fatalf("%q: got %s, want %s", lines, got, want)
			}
		}
	}
	told := func(keys string) string { return fmt.Sprintf(`["invalidate" [%s]]`, keys) }
	c.Want("+OK", "MSET a 1 b 2")
	// RESP2 has no such messages.
	send("CLIENT TRACKING ON\r\nGET a\r\nPING\r\n", "+OK", `"1"`, "+PONG")
	send("RESET\r\nGET a\r\n", "+RESET", `"1"`)
	c.Line("HELLO 3")
	send("GET a\r\nPING\r\n", `"1"`, "+PONG")

	send("CLIENT TRACKING ON\r\nGET a\r\nSET a 3\r\nMGET a b\r\nGET none\r\nPING\r\n",
		"+OK", `"1"`, told(`"a"`), "+OK", `["3" "2"]`, told(`"a" "b"`), "nil", told(`"none"`), "+PONG")
	send("MULTI\r\nGET a\r\nINCR b\r\nTTL b\r\nEXEC\r\nPING\r\n",
		"+OK", "+QUEUED", "+QUEUED", "+QUEUED", `["3" 3 -1]`, told(`"a" "b"`), "+PONG")
	send("CLIENT REPLY SKIP\r\nGET a\r\nPING\r\n", "+PONG")
	send("CLIENT TRACKING OFF\r\nGET a\r\nPING\r\n", "+OK", `"3"`, "+PONG")

	send("CLIENT TRACKING ON OPTIN\r\nGET a\r\nCLIENT CACHING YES\r\nGET a\r\nGET b\r\nPING\r\n",
		"+OK", `"3"`, "+OK", `"3"`, told(`"a"`), `"3"`, "+PONG")
	// What clients send for a key to cache, and then without.
	send("CLIENT CACHING YES\r\nMULTI\r\nPTTL a\r\nGET a\r\nEXEC\r\nMULTI\r\nGET a\r\nEXEC\r\nPING\r\n",
		"+OK", "+OK", "+QUEUED", "+QUEUED", `[-1 "3"]`, told(`"a" "a"`), "+OK", "+QUEUED", `["3"]`, "+PONG")
	send("CLIENT TRACKING OFF\r\nCLIENT TRACKING ON OPTOUT\r\nGET a\r\nCLIENT CACHING NO\r\nGET a\r\nPING\r\n",
		"+OK", "+OK", `"3"`, told(`"a"`), "+OK", `"3"`, "+PONG")
	// Where nothing is tracked, a pipeline is one commit.
	send("CLIENT TRACKING OFF\r\nCLIENT TRACKING ON OPTIN\r\n", "+OK", "+OK")
	before := store.Commits()
	send(strings.Repeat("SET a 4\r\n", 20), slices.Repeat([]string{"+OK"}, 20)...)
	if n := store.Commits() - before; n > 5 {
		t.Errorf("%d commits", n)
	}
	// What cannot be had.
	send("CLIENT TRACKING ON BCAST\r\nCLIENT TRACKING ON REDIRECT 1\r\n",
		"-ERR BCAST is not supported", "-ERR REDIRECT is not supported")
	resptest.Dial(t, "tcp", c.Conn.RemoteAddr().String()).Want("-1", "CLIENT GETREDIR")
}
