package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/ringwood-kv/ringwood/cluster/client"
	"github.com/ringwood-kv/ringwood/cluster/httpapi/wire"
)

const nodeHelp = `Usage: kvctl status | health | whoami | top | config
       kvctl flush | compact | checkpoint NAME

status says what a node is, how it is, and how much is in it; with --json all its metrics.
health needs no login: exit status 0 if the node takes requests, otherwise 1, and why.
top shows the keys that are used most, as far as a sample tells, and slow requests;
with --every again and again. flush writes what is in memory into tables. compact
rewrites the whole store into its best shape. checkpoint makes a copy on the node,
beside the store, which can be opened as a store: DIR.checkpoints/NAME.

Examples:
  kvctl status
  kvctl health --addr https://db1.example.com:8379 --ca-file ca.pem
  kvctl top --every 2s --limit 10
  kvctl status --json | jq '.metrics["ringwood_lsm_compaction_debt_bytes"]'
`

func nodeCommands() []command {
	all := []command{
		{name: "status", short: "what a node is, and how it is", run: status},
		{name: "health", short: "does a node take requests", run: health},
		{name: "whoami", short: "as whom kvctl is logged in", run: whoami},
		{name: "top", short: "hot keys and slow requests", run: top,
			flags: func(c *call, set *pflag.FlagSet) {
				set.IntVar(&c.node.limit, "limit", 20, "how many of each")
				set.DurationVar(&c.node.every, "every", 0, "show them again so often, until interrupted")
			}},
		{name: "config", short: "the settings of a node", run: config},
		{name: "flush", short: "write what is in memory into tables", run: flush},
		{name: "compact", short: "rewrite the whole store into its best shape", run: compact},
		{name: "checkpoint", args: "NAME", short: "make a copy of the store on the node", run: checkpoint},
	}
	for i := range all {
		all[i].help, all[i].online = nodeHelp, true
	}
	return all
}

func status(c *call) error {
	ctx, node, err := c.connect(nil)
	if err != nil {
		return err
	}
	s, err := node.Status(ctx)
	if err != nil {
		return err
	}
	if c.json {
		return c.encode(s)
	}
	return write(c.out, []byte(statusText(&s, time.Now())))
}

// numbers are metrics by name, of which a name without labels is the sum of all series.
type numbers map[string]float64

func (n numbers) sum(name string) (total float64) {
	for series, v := range n {
		if bare, _, _ := strings.Cut(series, "{"); bare == "ringwood_"+name {
			total += v
		}
	}
	return total
}

// statusText is the state of a node for a person, the worst first.
func statusText(s *wire.Status, now time.Time) string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	state := "READY"
	if !s.Ready {
		state = "NOT READY"
	}
	line("%s  kvnode %s, up %s", state, s.Version, age(now.Sub(s.Started)))
	for _, r := range s.Reasons {
		line("  why: %s", r)
	}
	for _, w := range s.Warnings {
		line("  warning: %s", w)
	}
	line("node        %s of cluster %s: a ring of one", s.Node, s.Cluster)
	n := numbers(s.Metrics)
	if len(n) == 0 {
		return b.String()
	}
	clock := func(name string) string {
		return time.Duration(n.sum(name) * float64(time.Second)).Round(time.Millisecond).String()
	}
	buckets := 0
	for series := range n {
		if strings.HasPrefix(series, "ringwood_bucket_keys{") {
			buckets++
		}
	}
	about := ""
	if n.sum("recounting") > 0 {
		about = "about "
	}
	line("keys        %s%.0f in %d buckets, %s", about, n.sum("bucket_keys"), buckets, size(n.sum("bucket_bytes")))
	line("clients     %.0f over RESP, %.0f over HTTP; %.0f users", n.sum("resp_connections"), n.sum("http_connections"), n.sum("users"))
	line("requests    %.0f commands over RESP, %.0f errors; %.0f over HTTP; %.0f slow", n.sum("resp_commands_total"), n.sum("resp_errors_total"), n.sum("http_requests_total"), n.sum("slow_requests_total"))
	line("refused     %.0f connections, %.0f logins, %.0f for want of a right", n.sum("resp_rejected_connections_total")+n.sum("http_rejected_connections_total"),
		n.sum("resp_login_failures_total")+n.sum("http_login_failures_total"), n.sum("resp_denied_total")+n.sum("http_denied_total"))
	line("disk        %s in tables, %s in blob files; %s to be compacted", size(n.sum("lsm_level_bytes")), size(n.sum("lsm_blob_bytes")), size(n.sum("lsm_compaction_debt_bytes")))
	line("memory      %s of %s for the engine, %s for requests; the process has %s", size(n.sum("lsm_memory_bytes")), size(n.sum("lsm_memory_budget_bytes")),
		size(n.sum("resp_memory_bytes")+n.sum("http_memory_bytes")), size(n["process_resident_memory_bytes"]))
	line("reads       %s", share("of blocks from the cache", n.sum("lsm_cache_hits_total"), n.sum("lsm_cache_misses_total")))
	written := n.sum("lsm_log_bytes_total") + n.sum("lsm_flush_bytes_total") + n.sum("lsm_compaction_written_bytes_total")
	line("writes      %s written for %s; stood still for %s, were slowed down for %s", size(written), size(n.sum("lsm_user_bytes_total")), clock("lsm_stall_seconds_total"), clock("lsm_delay_seconds_total"))
	if bad := n.sum("lsm_corruptions_total") + n.sum("damaged_records") + n.sum("lsm_background_errors_total"); bad > 0 {
		line("TROUBLE     damage was met %.0f times, %.0f records make no sense, %.0f failures in the background: see the log of the node",
			n.sum("lsm_corruptions_total"), n.sum("damaged_records"), n.sum("lsm_background_errors_total"))
	}
	return b.String()
}

func share(what string, yes, no float64) string {
	if yes+no == 0 {
		return "none of the disk yet"
	}
	return fmt.Sprintf("%.1f%% %s", 100*yes/(yes+no), what)
}

// health asks /readyz, which takes no login, and a node answers while it is opening its
// store.
func health(c *call) error {
	if _, _, err := c.login.settle(); err != nil {
		return err
	}
	config, err := c.login.tls()
	if err != nil {
		return err
	}
	ctx := context.Background()
	if c.login.timeout > 0 {
		var cancel func()
		ctx, cancel = context.WithTimeout(ctx, c.login.timeout)
		defer cancel()
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimRight(c.login.addr, "/")+"/readyz", nil)
	if err != nil {
		return usage("--addr is HOST:PORT or a URL: %w", err)
	}
	r.Header.Set("Accept", wire.JSON)
	h := &http.Client{Transport: &http.Transport{TLSClientConfig: config, ForceAttemptHTTP2: true}}
	answer, err := h.Do(r)
	if err != nil {
		return err
	}
	defer func() { _ = answer.Body.Close() }()
	b, err := io.ReadAll(io.LimitReader(answer.Body, 64<<10))
	if err != nil {
		return err
	}
	var report struct {
		Ready   *bool `json:"ready"`
		Reasons []struct {
			Code string `json:"code"`
			Text string `json:"text"`
		} `json:"reasons"`
	}
	if err := json.Unmarshal(b, &report); err != nil || report.Ready == nil {
		return fmt.Errorf("%w: what is at %s is no node", client.ErrAnswer, c.login.addr)
	}
	if c.json {
		if err := c.encode(report); err != nil {
			return err
		}
	} else if *report.Ready {
		fmt.Fprintln(c.out, "ready")
	} else {
		fmt.Fprintln(c.out, "not ready")
		for _, x := range report.Reasons {
			fmt.Fprintf(c.out, "%s: %s\n", x.Code, x.Text)
		}
	}
	if !*report.Ready {
		return errTold
	}
	return nil
}

func whoami(c *call) error {
	ctx, node, err := c.connect(nil)
	if err != nil {
		return err
	}
	who, err := node.WhoAmI(ctx)
	if err != nil {
		return err
	}
	if c.json {
		return c.encode(who)
	}
	if !who.Login {
		who.User += " (nobody has to log in)"
	}
	_, err = fmt.Fprintln(c.out, who.User)
	return err
}

// topReport is what top shows.
type topReport struct {
	Keys     []wire.HotKey      `json:"keys"`
	Requests []wire.SlowRequest `json:"requests"`
}

func top(c *call) error {
	c.login.timeout = max(c.login.timeout, 0)
	for first := true; ; first = false {
		ctx, node, err := c.connect(nil)
		if err != nil {
			return err
		}
		r, err := topOf(ctx, node, c.node.limit)
		_ = node.Close()
		if err != nil {
			return err
		}
		if !first && isTerminal(c.out) {
			fmt.Fprint(c.out, "\x1b[H\x1b[2J") // from the top left corner of an empty screen
		}
		if err := c.showTop(r); err != nil || c.node.every <= 0 {
			return err
		}
		time.Sleep(c.node.every)
	}
}

func topOf(ctx context.Context, node *client.Client, limit int) (r topReport, err error) {
	keys, err := node.Top(ctx)
	if err != nil {
		return r, err
	}
	slow, err := node.SlowLog(ctx)
	if err != nil {
		return r, err
	}
	limit = max(limit, 0)
	return topReport{keys.Keys[:min(limit, len(keys.Keys))], slow.Requests[:min(limit, len(slow.Requests))]}, nil
}

func (c *call) showTop(r topReport) error {
	if c.json {
		return c.encode(r)
	}
	t := c.table("READS", "WRITES", "BUCKET", "KEY")
	for _, k := range r.Keys {
		t.row(fmt.Sprint(k.Reads), fmt.Sprint(k.Writes), k.Bucket, keyOf(&k.Key))
	}
	if err := t.flush(); err != nil {
		return err
	}
	fmt.Fprintln(c.out)
	t = c.table("WHEN", "SECONDS", "REQUEST", "BUCKET", "KEY", "USER", "FROM")
	for _, s := range r.Requests {
		t.row(ago(s.Time), s.Took.String(), show([]byte(s.Request)), s.Bucket, keyOf(s.Key), s.User, s.Addr)
	}
	return t.flush()
}

// keyOf shows a key, nothing if the node does not tell it.
func keyOf(k *wire.Key) string {
	if k == nil {
		return "-"
	}
	b, err := k.Bytes()
	if err != nil {
		return "-"
	}
	return short(b, 60)
}

func config(c *call) error {
	ctx, node, err := c.connect(nil)
	if err != nil {
		return err
	}
	all, err := node.Config(ctx)
	if err != nil {
		return err
	}
	if c.json {
		return c.encode(all)
	}
	t := c.table("SETTING", "VALUE", "FROM")
	for _, s := range all.Settings {
		v := show([]byte(s.Value))
		if s.Secret {
			v = "[secret]"
		}
		t.row(s.Name, v, s.Source)
	}
	return t.flush()
}

func flush(c *call) error {
	ctx, node, err := c.connect(nil)
	if err != nil {
		return err
	}
	if err := node.Flush(ctx); err != nil {
		return err
	}
	return c.done("flushed")
}

func compact(c *call) error {
	ctx, node, err := c.connect(nil)
	if err != nil {
		return err
	}
	if err := node.Compact(ctx); err != nil {
		return err
	}
	return c.done("compacted")
}

func checkpoint(c *call) error {
	ctx, node, err := c.connect(nil)
	if err != nil {
		return err
	}
	p, err := node.Checkpoint(ctx, c.arg(0))
	if err != nil {
		return err
	}
	if c.json {
		return c.encode(p)
	}
	return c.done("%s, on the machine of the node", p.Path)
}
