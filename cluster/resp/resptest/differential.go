package resptest

import (
	"fmt"
	"strings"
	"testing"
)

// Config is a differential test.
type Config struct {
	Network, Addr           string // of the server that is tested
	RedisNetwork, RedisAddr string
	Seed                    int64
	Commands                int
	Pipeline                int // the most commands that are sent at once
	RESP3                   bool
	// Ignore, if not nil, says of which requests the replies may differ.
	Ignore func(args []string) bool
	// Crowd is a number of connections to the tested server that are busy all the while, in
	// a database that the random commands do not name.
	Crowd int
}

// Differential sends the same random commands to both servers, which must be empty,
// and compares the replies byte for byte but for what cannot be the same. It ends at
// the first difference.
func Differential(tb testing.TB, cfg Config) {
	tb.Helper()
	d := &differential{tb: tb, cfg: cfg, g: newGenerator(cfg.Seed),
		ours: Dial(tb, cfg.Network, cfg.Addr), redis: Dial(tb, cfg.RedisNetwork, cfg.RedisAddr)}
	d.send([][]string{{"FLUSHALL"}})
	if cfg.RESP3 {
		d.send([][]string{{"HELLO", "3"}})
	}
	leave := crowd(tb, cfg)
	for sent := 0; sent < cfg.Commands && !d.failed; {
		n := 1 + d.g.r.Intn(max(1, cfg.Pipeline))
		var batch [][]string
		for range n {
			batch = append(batch, d.g.next())
		}
		d.send(batch)
		sent += n
	}
	leave()
	d.final()
}

type differential struct {
	tb     testing.TB
	cfg    Config
	g      *generator
	ours   *Client
	redis  *Client
	failed bool

	queue   [][]string // of MULTI, as far as the replies tell
	recent  []string
	command int
}

// send sends a batch to both and compares the replies.
func (d *differential) send(batch [][]string) {
	if d.failed {
		return
	}
	var b []byte
	for _, args := range batch {
		b = d.encode(b, args)
	}
	// The batch arrives in pieces now and then.
	for _, c := range []*Client{d.ours, d.redis} {
		cut := 0
		if d.g.one(4) {
			cut = d.g.r.Intn(len(b))
		}
		c.Write(b[:cut])
		c.Write(b[cut:])
	}
	for _, args := range batch {
		want, err := d.redis.Read()
		if err != nil {
			d.fail("redis: %s: %v", quote(args), err)
			return
		}
		got, err := d.ours.Read()
		if err != nil {
			d.fail("%s: %v, want %s", quote(args), err, want)
			return
		}
		d.command++
		d.recent = append(d.recent, quote(args)+" -> "+short(want.String()))
		if len(d.recent) > 25 {
			d.recent = d.recent[1:]
		}
		if !d.same(args, got, want) {
			d.fail("%s:\n got %s\nwant %s\n raw %.300q\nwant %.300q", quote(args), short(got.String()), short(want.String()), got.Raw, want.Raw)
			return
		}
	}
}

// encode chooses a form for a request.
func (d *differential) encode(b []byte, args []string) []byte {
	inline := d.g.one(5)
	for _, a := range args {
		if a == "" || strings.Trim(strings.ToLower(a), "abcdefghijklmnopqrstuvwxyz0123456789:") != "" || len(a) > 1000 {
			inline = false
		}
	}
	if inline {
		return append(b, strings.Join(args, pick(d.g, " ", "  "))+pick(d.g, "\r\n", "\n")...)
	}
	return Encode(b, args...)
}

// same compares replies; those of EXEC one by one, each with its command.
func (d *differential) same(args []string, got, want Value) bool {
	name := strings.ToLower(args[0])
	switch {
	case want.Raw == "+QUEUED\r\n":
		d.queue = append(d.queue, args)
		return got.Raw == want.Raw
	case name == "exec" && want.Kind == '*' && !want.Null:
		queue := d.queue
		d.queue = nil
		if got.Kind != want.Kind || len(got.List) != len(want.List) || len(queue) != len(want.List) {
			return false
		}
		for i := range queue {
			if !d.one(queue[i], got.List[i], want.List[i]) {
				return false
			}
		}
		return true
	case name == "multi" || name == "exec" || name == "discard" || name == "reset":
		if want.Kind == '+' || name != "multi" {
			d.queue = nil
		}
	}
	return d.one(args, got, want)
}

// one compares two replies of one command.
func (d *differential) one(args []string, got, want Value) bool {
	return d.cfg.Ignore != nil && d.cfg.Ignore(args) || same(args, got, want)
}

// final compares what both have in the end. Redis counts a key that has expired until
// somebody asks for it.
func (d *differential) final() {
	d.send([][]string{{"RESET"}})
	for db := range 16 {
		d.send([][]string{{"SELECT", fmt.Sprint(db)}})
		for _, k := range []string{"a", "b", "c", "d", "e", "k:1", "k:2", "k:3", "", "with space", "\x00\xff\r\n", "Key[1]*"} {
			d.send([][]string{{"GET", k}, {"PTTL", k}, {"OBJECT", "ENCODING", k}, {"OBJECT", "REFCOUNT", k}})
		}
		d.send([][]string{{"KEYS", "*"}, {"DBSIZE"}})
	}
}

func (d *differential) fail(format string, args ...any) {
	d.failed = true
	d.tb.Errorf("seed %d, pipeline %d, RESP3 %v, command %d: %s\n\nbefore:\n%s", d.cfg.Seed, d.cfg.Pipeline, d.cfg.RESP3, d.command,
		fmt.Sprintf(format, args...), strings.Join(d.recent, "\n"))
}

func quote(args []string) string {
	var parts []string
	for _, a := range args {
		parts = append(parts, fmt.Sprintf("%.80q", a))
	}
	return strings.Join(parts, " ")
}

func short(s string) string {
	if len(s) > 300 {
		return s[:300] + "…"
	}
	return s
}
