package option

import (
	"fmt"
	"strings"
	"testing"

	"github.com/ringwood-kv/ringwood/cluster/resp/wire"
)

// words splits a request at its spaces; \0 is a NUL byte.
func words(line string) [][]byte {
	var args [][]byte
	for _, w := range strings.Fields(line) {
		args = append(args, []byte(strings.ReplaceAll(w, `\0`, "\x00")))
	}
	return args
}

const now = 1_700_000_000_000

// show writes the result of a parser as text: the struct, with bytes as strings, or the
// error.
func show(v any, err error) string {
	if err != nil {
		return string(err.(wire.Error))
	}
	s := fmt.Sprintf("%+v", v)
	return strings.ReplaceAll(s, "\x00", `\0`)
}

// TestNoPanic runs every parser over short requests of all kinds of words.
func TestNoPanic(t *testing.T) {
	vocabulary := words(`0 1 -1 x 9223372036854775807 NX XX GT LT EX PX EXAT PXAT GET KEEPTTL PERSIST COUNT MATCH TYPE DB REPLACE LEN IDX MINMATCHLEN AUTH SETNAME ID ADDR \0`)
	vocabulary = append(vocabulary, []byte{})
	yes := func([]byte) bool { return true }
	for i := range vocabulary {
		for j := range vocabulary {
			for _, n := range []int{4, 5, 6} {
				args := [][]byte{[]byte("X"), vocabulary[j], vocabulary[i], vocabulary[j], vocabulary[(i+j)%len(vocabulary)], vocabulary[i]}[:n]
				ParseSet(args, now)
				ParseSetEx(args, now)
				ParseGetEx(args)
				ParseExpire(args, now)
				ParseScan(args)
				ParseLCS(args)
				ParseCopy(args, 0, 16)
				ParseHello(args)
				ParseClientKill(args, yes)
				ParseClientList(args)
				ParseSetInfo(args)
				ParseRange(args)
				ParseSetRange(args)
				ParseWait(args, now)
				ParseMemoryUsage(args)
				IncrBy(args)
			}
		}
	}
}
