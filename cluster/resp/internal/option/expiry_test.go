package option

import (
	"fmt"
	"math"
	"testing"

	"github.com/ringwood-kv/ringwood/cluster/resp/wire"
)

func TestExpire(t *testing.T) {
	const (
		nx = "ERR NX and XX, GT or LT options at the same time are not compatible"
		gt = "ERR GT and LT options at the same time are not compatible"
	)
	for line, want := range map[string]string{
		"EXPIRE k 10":                     "{At:1700000010000 NX:false XX:false GT:false LT:false}",
		"expire k -10 nx":                 "{At:1699999990000 NX:true XX:false GT:false LT:false}",
		"PEXPIRE k 10 XX GT":              "{At:1700000000010 NX:false XX:true GT:true LT:false}",
		"EXPIREAT k 10 lt":                "{At:10000 NX:false XX:false GT:false LT:true}",
		"PEXPIREAT k -10":                 "{At:-10 NX:false XX:false GT:false LT:false}",
		"PEXPIREAT k 9223372036854775807": "{At:9223372036854775807 NX:false XX:false GT:false LT:false}",
		"PEXPIRE k -9223372036854775808":  fmt.Sprintf("{At:%d NX:false XX:false GT:false LT:false}", int64(math.MinInt64)+now),
		"EXPIRE k 10 NX XX":               nx,
		"EXPIRE k 10 GT NX":               nx,
		"EXPIRE k 10 LT NX":               nx,
		"EXPIRE k 10 GT LT":               gt,
		"EXPIRE k x GT LT":                gt,
		"EXPIRE k x":                      string(wire.ErrNotInteger),
		"EXPIRE k 10 foo":                 "ERR Unsupported option foo",
		"EXPIRE k x foo":                  "ERR Unsupported option foo",
		`EXPIRE k 10 fo\0o`:               "ERR Unsupported option fo",
		"EXPIRE k 9223372036854775807":    "ERR invalid expire time in 'expire' command",
		"EXPIRE k -9223372036854775808":   "ERR invalid expire time in 'expire' command",
		"EXPIRE k 9223372036854775":       "ERR invalid expire time in 'expire' command",
		"PEXPIRE k 9223372036854775807":   "ERR invalid expire time in 'pexpire' command",
		"EXPIREAT k 9223372036854776":     "ERR invalid expire time in 'expireat' command",
		"PEXPIREAT k 9223372036854775808": string(wire.ErrNotInteger),
	} {
		if got := show(ParseExpire(words(line), now)); got != want {
			t.Errorf("%s: %s, want %s", line, got, want)
		}
	}
}

func TestExpireAllows(t *testing.T) {
	for _, c := range []struct {
		e       Expire
		current int64 // 0 for none
		want    bool
	}{
		{Expire{At: 5}, 0, true}, {Expire{At: 5}, 9, true},
		{Expire{At: 5, NX: true}, 0, true}, {Expire{At: 5, NX: true}, 9, false},
		{Expire{At: 5, XX: true}, 0, false}, {Expire{At: 5, XX: true}, 9, true},
		{Expire{At: 5, GT: true}, 0, false}, {Expire{At: 5, GT: true}, 5, false}, {Expire{At: 5, GT: true}, 4, true},
		{Expire{At: 5, LT: true}, 0, true}, {Expire{At: 5, LT: true}, 5, false}, {Expire{At: 5, LT: true}, 6, true},
		{Expire{At: 5, XX: true, LT: true}, 0, false}, {Expire{At: 5, XX: true, LT: true}, 6, true},
	} {
		if got := c.e.Allows(c.current, c.current != 0); got != c.want {
			t.Errorf("%+v with %d: %v", c.e, c.current, got)
		}
	}
}

func TestTTLReply(t *testing.T) {
	for _, c := range []struct {
		at             int64
		absolute, msec bool
		want           int64
	}{
		{now + 1499, false, false, 1}, {now + 1500, false, false, 2}, {now + 1, false, true, 1}, {now - 1, false, true, 0},
		{now + 499, true, false, now / 1000}, {now + 500, true, false, now/1000 + 1}, {now + 1, true, true, now + 1},
		{math.MaxInt64, true, false, math.MaxInt64/1000 + 1},
	} {
		if got := TTLReply(c.at, now, c.absolute, c.msec); got != c.want {
			t.Errorf("%+v: %d", c, got)
		}
	}
}
