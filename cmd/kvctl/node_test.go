package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ringwood-kv/ringwood/cmd/internal/nodetest"
)

// secretFile makes a file with a secret.
func secretFile(t testing.TB, secret string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(name, []byte(secret+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// ctl runs kvctl for a node, as somebody.
type ctl struct {
	t     *testing.T
	env   []string
	stdin string
}

func newCtl(t *testing.T, p *nodetest.Process, env ...string) *ctl {
	return &ctl{t: t, env: append([]string{"KVCTL_ADDR=" + p.URL("")}, env...)}
}

// run sees that the command ends with status, and that what it says has the words.
func (c *ctl) run(status int, want string, args ...string) string {
	c.t.Helper()
	cmd := exec.Command(nodetest.Program("kvctl"), args...)
	var out, errs strings.Builder
	cmd.Env, cmd.Stdin, cmd.Stdout, cmd.Stderr = append([]string{"PATH=" + os.Getenv("PATH")}, c.env...), strings.NewReader(c.stdin), &out, &errs
	if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
		c.t.Fatal(err)
	}
	if got := cmd.ProcessState.ExitCode(); got != status || !strings.Contains(out.String()+errs.String(), want) {
		c.t.Errorf("kvctl %q: status %d, want %d and %q\n%s%s", args, got, status, want, &out, &errs)
	}
	return out.String()
}

// decode runs a command with --json.
func decode[T any](c *ctl, args ...string) (v T) {
	c.t.Helper()
	out := c.run(0, "", append(args, "--json")...)
	if err := json.Unmarshal([]byte(out), &v); err != nil {
		c.t.Errorf("kvctl %q: %v in %s", args, err, out)
	}
	return v
}

func TestData(t *testing.T) {
	t.Parallel()
	c := newCtl(t, nodetest.Start(t, nodetest.Options{}))
	dir := t.TempDir()
	ctx := filepath.Join(dir, "ctx")
	c.run(0, "written", "put", "available", "greeting", "hello")
	if out := c.run(0, "", "get", "available", "greeting"); out != "hello" {
		t.Errorf("%q", out)
	}
	c.stdin = "from\nstdin\x00"
	c.run(0, "written", "put", "available", "a/../b//c", "--ttl", "1h")
	c.stdin = ""
	if out := c.run(0, "", "get", "available", "a/../b//c"); out != "from\nstdin\x00" {
		t.Errorf("%q", out)
	}
	c.run(0, "written", "put", "--base64", "available", "/wA=", "AP8=")
	if e := decode[entry](c, "get", "--base64", "available", "/wA="); e.Base64 == nil || *e.Base64 != "/wA=" || len(e.Siblings) != 1 || *e.Siblings[0].ValueBase64 != "AP8=" || e.Context == "" {
		t.Errorf("%+v", e)
	}
	c.run(0, "7\n", "incr", "available", "n", "7")
	c.run(0, "8\n", "incr", "available", "n")
	c.run(0, "6\n", "incr", "available", "n", "--", "-2")
	c.run(1, "the value is", "incr", "available", "greeting")

	// Two who write after the same read.
	c.run(0, "", "get", "available", "greeting", "--save-context", ctx)
	c.run(0, "written", "put", "available", "greeting", "hallo")
	c.run(0, "has siblings", "put", "available", "greeting", "salut", "--context-file", ctx)
	c.run(1, "2 siblings", "get", "available", "greeting", "--save-context", ctx)
	if out := c.run(0, "", "get", "available", "greeting", "--latest"); out != "salut" {
		t.Errorf("%q", out)
	}
	e := decode[entry](c, "get", "available", "greeting")
	if len(e.Siblings) != 2 || *e.Siblings[0].ValueText != "salut" || *e.Siblings[1].ValueText != "hallo" {
		t.Errorf("%+v", e)
	}
	c.run(1, "siblings", "incr", "available", "greeting")
	c.run(0, "written\n", "put", "available", "greeting", "all of them", "--context", e.Context)
	c.run(0, "all of them", "get", "available", "greeting")

	e = decode[entry](c, "get", "available", "greeting")
	c.run(0, "written", "put", "available", "greeting", "again", "--if-match", strings.Trim(e.ETag, `"`)) // a shell takes the quotes away
	c.run(2, "a time to live of -1s", "put", "available", "greeting", "again", "--ttl", "-1s")
	c.run(1, "next: read the key again", "put", "available", "greeting", "too late", "--if-match", e.ETag)
	c.run(1, "does not hold", "put", "available", "greeting", "x", "--if-absent")
	c.run(0, "written", "put", "available", "other", "x", "--if-absent")

	if out := c.run(0, "", "scan", "available", "--prefix", "gr"); out != "greeting\n" {
		t.Errorf("%q", out)
	}
	out := c.run(0, "greeting  again", "scan", "available", "--values")
	if strings.Count(out, "\n") != 5 || !strings.Contains(out, `"\xff\x00"  "\x00\xff"`) || !strings.Contains(out, "(until 20") {
		t.Errorf("%s", out)
	}
	if out := c.run(0, "", "scan", "available", "--limit", "2", "--json"); strings.Count(out, "\n") != 2 {
		t.Errorf("%s", out)
	}
	c.run(0, "deleted", "del", "available", "greeting")
	c.run(1, "the key has no value", "get", "available", "greeting")
	c.run(0, "deleted", "del", "available", "greeting")
	c.run(1, "kvctl buckets list", "get", "nowhere", "greeting")
}

func TestBuckets(t *testing.T) {
	t.Parallel()
	c := newCtl(t, nodetest.Start(t, nodetest.Options{}))
	c.run(0, "sync", "buckets", "list")
	c.run(0, "last writer wins", "buckets", "create", "sessions", "--durability", "os", "--last-writer-wins")
	c.run(1, "there is a bucket", "buckets", "create", "sessions")
	c.run(1, "next: ", "buckets", "create", "-", "--json")
	c.run(1, "durability", "buckets", "alter", "sessions", "--durability", "maybe")
	c.run(0, "none", "buckets", "alter", "sessions", "--durability", "none", "--max-value", "65536")
	b := decode[struct {
		Durability     string
		MaxValue       int  `json:"max_value"`
		LastWriterWins bool `json:"last_writer_wins"`
		Keys           int
	}](c, "buckets", "show", "sessions")
	if b.Durability != "none" || b.MaxValue != 65536 || !b.LastWriterWins {
		t.Errorf("%+v", b)
	}
	c.run(0, "written", "put", "sessions", "a", "1")
	c.run(0, "is empty", "buckets", "empty", "sessions", "--force")
	c.run(1, "no value", "get", "sessions", "a")
	c.run(0, "is gone", "buckets", "drop", "sessions", "--force")
	c.run(1, "there is no bucket", "buckets", "show", "sessions")
	if all := decode[struct{ Buckets []struct{ Name string } }](c, "buckets", "list"); len(all.Buckets) != 1 || all.Buckets[0].Name != "available" {
		t.Errorf("%+v", all)
	}
}

// From nobody to several users, with what each may do.
func TestUsers(t *testing.T) {
	t.Parallel()
	p := nodetest.Start(t, nodetest.Options{})
	c := newCtl(t, p)
	secret := secretFile(t, "a good password")
	c.run(0, "there are no users", "users", "list")
	c.run(0, "nobody has to log in", "whoami")
	c.run(1, "next: ", "users", "add", "app", "--grant", "writer=available:*")
	c.run(1, "8", "users", "add", "admin", "--grant", "admin", "--new-password-file", secretFile(t, "short"))
	c.run(0, "administrator", "users", "add", "admin", "--grant", "admin", "--new-password-file", secret)
	c.run(1, "next: log in by --user", "status")
	c.run(1, "next: log in by --user", "status", "--user", "admin", "--password-file", secretFile(t, "another password"))
	c.run(0, "READY", "status", "--user", "admin", "--password-file", secret)
	c.run(0, "ready", "health")

	admin := newCtl(t, p, "KVCTL_USER=admin", "KVCTL_PASSWORD=a good password")
	admin.run(0, "admin\n", "whoami")
	admin.run(0, "read,scan", "roles", "set", "auditor", "--verb", "read,scan", "--scope", "available:2026/*")
	admin.run(1, "verb", "roles", "set", "auditor", "--verb", "raed")
	admin.run(0, "auditor reader=available:public/*", "users", "add", "app", "--grant", "auditor", "--grant", "reader=available:public/*", "--expires", "2160h")
	admin.run(0, "always there", "roles", "list")
	token := strings.TrimSpace(admin.run(0, "rwt_", "tokens", "add", "app", "--label", "web"))
	admin.run(0, "rwt_", "tokens", "add", "app") // for what need not be said
	admin.run(0, "written", "put", "available", "2026/a", "1")
	admin.run(0, "written", "put", "available", "secret", "2")

	app := newCtl(t, p, "KVCTL_TOKEN_FILE="+secretFile(t, token))
	app.run(0, "app\n", "whoami")
	app.run(0, "1", "get", "available", "2026/a")
	app.run(1, "next: kvctl whoami", "get", "available", "secret")
	app.run(1, "next: kvctl whoami", "put", "available", "2026/a", "2")
	if out := app.run(0, "", "scan", "available"); out != "2026/a\n" {
		t.Errorf("%q", out)
	}
	app.run(1, "next: kvctl whoami", "users", "list")
	app.run(1, "next: kvctl whoami", "flush")
	// Flags are a login of their own: the variables of another are not mixed in.
	app.run(0, "admin\n", "whoami", "--user", "admin", "--password-file", secret)

	u := decode[struct {
		Tokens []struct {
			ID    uint64
			Label string
		}
	}](admin, "users", "show", "app")
	if len(u.Tokens) != 2 || u.Tokens[0].Label != "web" {
		t.Fatalf("%+v", u)
	}
	admin.run(0, "is gone", "tokens", "drop", "app", fmt.Sprint(u.Tokens[0].ID))
	app.run(1, "next: log in", "whoami")
	admin.run(0, "writer", "users", "alter", "app", "--grant", "writer", "--disable", "--expires", "never")
	admin.run(0, "disabled", "users", "show", "app")
	admin.run(1, "role", "roles", "drop", "reader")
	admin.run(0, "is gone", "roles", "drop", "auditor")
	admin.stdin = "the next password\n"
	admin.run(0, "is set", "users", "password", "admin", "--new-password-file", "-", "--keep-old")
	admin.run(0, "admin", "whoami") // with the old one
	admin.run(0, "is gone", "users", "password", "admin", "--drop-old")
	admin.run(1, "next: log in", "whoami")
	admin.env[2] = "KVCTL_PASSWORD=the next password"
	admin.run(0, "is gone", "users", "drop", "app")
	admin.run(1, "--force", "users", "drop", "admin")
	admin.run(0, "is gone", "users", "drop", "admin", "--force")
	c.run(0, "there are no users", "users", "list")
	if log := p.Log(); strings.Contains(log, "a good password") || strings.Contains(log, "the next password") || strings.Contains(log, token) {
		t.Error("a secret is in the log of the node")
	}
}

func TestNode(t *testing.T) {
	t.Parallel()
	p := nodetest.Start(t, nodetest.Options{Args: []string{"--slow-log-threshold", "1ns"}})
	c := newCtl(t, p)
	c.run(0, "written", "put", "available", "hot", "1")
	for range 3 {
		c.run(0, "1", "get", "available", "hot")
	}
	for _, want := range []string{"READY  kvnode 0.", "a ring of one", "keys        1 in 1 buckets", "requests    0 commands over RESP"} {
		c.run(0, want, "status")
	}
	s := decode[struct {
		Ready   bool
		Metrics map[string]float64
	}](c, "status")
	if !s.Ready || s.Metrics[`ringwood_bucket_keys{bucket="available"}`] != 1 || s.Metrics["process_resident_memory_bytes"] == 0 {
		t.Errorf("%+v", s)
	}
	c.run(0, "ready\n", "health")
	if h := decode[struct{ Ready bool }](c, "health"); !h.Ready {
		t.Error("not ready")
	}
	c.run(0, "GET /v1/buckets/{bucket}/keys/{key...}", "top")
	if r := decode[topReport](c, "top", "--limit", "2"); len(r.Requests) != 2 {
		t.Errorf("%+v", r)
	}
	c.run(0, "--slow-log-threshold", "config")
	c.run(0, "flushed", "flush")
	c.run(0, "compacted", "compact")
	c.run(0, `{"done":true}`, "compact", "--json")
	c.run(0, p.Dir+".checkpoints", "checkpoint", "first")
	c.run(1, "there is a checkpoint first already", "checkpoint", "first")
	c.run(1, "cannot be the name", "checkpoint", "../first")
	c.run(0, "no damage", "check", filepath.Join(p.Dir+".checkpoints", "first"))
	c.run(0, "kvctl 0.", "version")
	c.run(0, "kvctl 0.", "--version")

	p.Stop(t)
	c.run(1, "next: see whether kvnode runs there", "status")
	c.run(1, "next: see whether kvnode runs there", "health")
}

// What goes wrong on the way to a node has a next step.
func TestConnect(t *testing.T) {
	t.Parallel()
	cert := nodetest.NewCert(t, t.TempDir(), 1)
	p := nodetest.Start(t, nodetest.Options{TLS: cert.Client, Args: []string{"--http-tls-cert-file", cert.CertFile, "--http-tls-key-file", cert.KeyFile}})
	c := newCtl(t, p)
	for _, cmd := range []string{"status", "health"} {
		c.run(1, "next: name the certificate that has signed", cmd)
		c.run(0, "", cmd, "--ca-file", cert.CertFile)
		c.run(1, "next: use a name in --addr", cmd, "--ca-file", cert.CertFile, "--addr", "https://localhost:"+p.HTTP[strings.LastIndex(p.HTTP, ":")+1:])
		c.run(1, "next: see whether", cmd, "--addr", "http://"+p.HTTP) // no TLS where there is some
		c.run(1, "next: ", cmd, "--addr", "http://"+p.RESP)            // RESP
		c.run(1, "no such file", cmd, "--ca-file", "nowhere")
	}
	plain := nodetest.Start(t, nodetest.Options{})
	c = newCtl(t, plain)
	c.run(1, "next: the node speaks no TLS there", "status", "--addr", "https://"+plain.HTTP)
	open := secretFile(t, "a good password")
	if err := os.Chmod(open, 0o644); err != nil {
		t.Fatal(err)
	}
	c.run(1, "run chmod 600", "status", "--user", "a", "--password-file", open)
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	c.run(1, "next: the node did not answer in time", "status", "--addr", silent.Addr().String(), "--timeout", "200ms")
}

func TestCompletion(t *testing.T) {
	t.Parallel()
	c := &ctl{t: t}
	for words, want := range map[string]string{
		"us":                      "users",
		"users ":                  "add alter drop list password show",
		"users a":                 "add alter",
		"dump ":                   "blob manifest table wal",
		"completion f":            "fish",
		"check --j":               "--json",
		"buckets create --dura":   "--durability",
		"get --base64 a k --late": "--latest",
		"check ":                  "", // a file
		"put --file ":             "",
		"nothing ":                "",
		"top --every 2s --li":     "--limit",
	} {
		var got []string
		for line := range strings.Lines(c.run(0, "", append([]string{completeName}, strings.Split(words, " ")...)...)) {
			word, what, ok := strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
			if !ok || what == "" {
				t.Errorf("%q: %q is not described", words, line)
			}
			got = append(got, word)
		}
		have := map[string]bool{}
		for _, w := range got {
			have[w] = true
		}
		for w := range strings.FieldsSeq(want) {
			if !have[w] {
				t.Errorf("%q: no %s in %q", words, w, got)
			}
		}
		if len(got) != len(strings.Fields(want)) {
			t.Errorf("%q: %q, want %q", words, got, want)
		}
	}
	for shell, test := range map[string]string{
		"bash": `COMP_WORDS=(kvctl buckets cr); COMP_CWORD=2; _kvctl; printf '%s\n' "${COMPREPLY[@]}"`,
		"fish": `complete -C 'kvctl buckets cr'; complete -C 'kvctl s'; echo files; complete -C 'kvctl check scr'; complete -C 'kvctl put --file=scr'`,
		"zsh":  `whence -w _kvctl >/dev/null && echo create`, // what it completes needs a terminal
	} {
		script := c.run(0, "kvctl __complete", "completion", shell)
		path, err := exec.LookPath(shell)
		if err != nil {
			t.Logf("there is no %s here: its script was not run", shell)
			continue
		}
		dir := t.TempDir()
		if err := errors.Join(os.WriteFile(filepath.Join(dir, "script"), []byte(script), 0o600),
			os.Symlink(nodetest.Program("kvctl"), filepath.Join(dir, "kvctl"))); err != nil {
			t.Fatal(err)
		}
		before := ""
		if shell == "zsh" {
			before = "autoload -Uz compinit; compinit -u -D; "
		}
		cmd := exec.Command(path, "-c", before+"source "+filepath.Join(dir, "script")+"; "+test)
		cmd.Dir = dir
		cmd.Env = []string{"PATH=" + dir + ":" + os.Getenv("PATH"), "HOME=" + dir}
		out, err := cmd.CombinedOutput()
		if err != nil || !strings.HasPrefix(string(out), "create") {
			t.Errorf("%s: %v, %s", shell, err, out)
		}
		// Files are offered where one may be meant, and not among commands.
		words, files, _ := strings.Cut(string(out), "files\n")
		if shell == "fish" && (strings.Contains(words, "script") || files != "script\n--file=script\n") {
			t.Errorf("fish: %s", out)
		}
	}
}
