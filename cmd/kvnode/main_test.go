package main

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/ringwood-kv/ringwood/cmd/internal/nodetest"
)

// The tests run the program as people do.
func TestMain(m *testing.M) { os.Exit(nodetest.Main(m, "kvnode")) }

// A newcomer's first minute: Redis, HTTP, health, a stop, and everything is there again.
func TestFirstSteps(t *testing.T) {
	t.Parallel()
	p := nodetest.Start(t, nodetest.Options{})
	c := p.Dial(t)
	c.Want(t, "+PONG", "PING")
	c.Want(t, "+OK", "SET greeting hello")
	for _, x := range []struct {
		method, path, body string
		status             int
		want               string
		headers            []string
	}{
		{"GET", "/v1/buckets/available/keys/greeting", "", 200, "hello", nil},
		{"PUT", "/v1/buckets/available/keys/a//b", "slashes", 400, "empty segment", nil},
		{"PUT", "/v1/buckets/available/keys/a%2F%2Fb", "slashes", 204, "", nil},
		{"GET", "/v1/buckets/available/keys/nothing", "", 404, "not_found", nil},
		{"GET", "/healthz", "", 200, "live\n", nil},
		{"GET", "/readyz", "", 200, "ready\n", nil},
		{"GET", "/readyz", "", 200, `{"ready":true,"reasons":[]}`, []string{"Accept: application/json"}},
		{"GET", "/healthz", "", 200, `{"live":true,"reasons":[]}`, []string{"Accept: application/json"}},
		{"GET", "/readyz", "", 403, "host_denied", []string{"Host: evil.example"}},
		{"GET", "/metrics", "", 403, "origin_denied", []string{"Origin: https://evil.example"}},
		{"GET", "/", "", 200, "/v1/openapi.json", nil},
		{"GET", "/debug/pprof/", "", 404, "kvnode", nil},
		{"POST", "/metrics", "", 404, "kvnode", nil},
		{"GET", "/v1/status", "", 200, `"ready":true`, nil},
		{"GET", "/v1/config", "", 200, `{"name":"memory","value":"8MiB","source":"--memory"}`, nil},
		{"GET", "/metrics", "", 200, `ringwood_bucket_keys{bucket="available"} 2`, nil},
	} {
		status, body := p.Do(t, x.method, x.path, x.body, x.headers...)
		if status != x.status || !strings.Contains(body, x.want) {
			t.Errorf("%s %s: %d %.300q, want %d %q", x.method, x.path, status, body, x.status, x.want)
		}
	}
	c.Want(t, "$slashes", "GET a//b")
	p.Stop(t)
	for _, line := range strings.Split(p.Log(), "\n") {
		if !json.Valid([]byte(line)) {
			t.Errorf("the log is JSON where nobody looks: %s", line)
		}
	}
	p = nodetest.Start(t, nodetest.Options{Dir: p.Dir})
	p.Dial(t).Want(t, "$hello", "GET greeting")
	p.Kill(t)
	p = nodetest.Start(t, nodetest.Options{Dir: p.Dir})
	p.Dial(t).Want(t, "$hello", "GET greeting")
	p.WaitFor(t, "store opened", `"clean":false`)
	p.Signal(t, syscall.SIGINT)
	if status := p.Wait(t); status != 0 {
		t.Errorf("interrupted: %d", status)
	}
}

// What is acknowledged at the weakest durability is there after a stop under load.
func TestStopUnderLoad(t *testing.T) {
	t.Parallel()
	p := nodetest.Start(t, nodetest.Options{Args: []string{"--durability", "none"}})
	const clients = 8
	var acknowledged [clients]int
	var wg sync.WaitGroup
	for i := range clients {
		c := p.Dial(t)
		wg.Go(func() {
			for n := 0; ; n++ {
				v, err := c.Do("SET", fmt.Sprintf("key %d %d", i, n), fmt.Sprint(n))
				if err != nil || v.Kind != '+' {
					return
				}
				acknowledged[i] = n + 1
			}
		})
	}
	time.Sleep(300 * time.Millisecond)
	p.Stop(t)
	wg.Wait()
	p = nodetest.Start(t, nodetest.Options{Dir: p.Dir})
	c := p.Dial(t)
	total := 0
	for i, n := range acknowledged {
		for k := range n {
			if v, err := c.Do("GET", fmt.Sprintf("key %d %d", i, k)); err != nil || v.Text != fmt.Sprint(k) {
				t.Fatalf("key %d of client %d was acknowledged, and is %v, %v", k, i, v, err)
			}
		}
		total += n
	}
	if total < clients {
		t.Errorf("%d writes: that was no load", total)
	}
	t.Logf("%d acknowledged writes", total)
}

// The key that is used most leads, whichever protocol it is used over.
func TestTop(t *testing.T) {
	t.Parallel()
	p := nodetest.Start(t, nodetest.Options{Args: []string{"--durability", "os"}})
	c := p.Dial(t)
	for i := range 3000 {
		name := "hot"
		if i%3 == 0 {
			name = fmt.Sprint("key ", i)
		}
		if v, err := c.Do("SET", name, "1"); err != nil || v.Kind != '+' {
			t.Fatal(v, err)
		}
	}
	_, body := p.Get(t, "/v1/top")
	if !strings.Contains(body, `"keys":[{"bucket":"available","key":"hot",`) {
		t.Errorf("%.500s", body)
	}
}

// Buckets that are made without saying more are as the settings say, whoever makes them.
func TestBucketDefaults(t *testing.T) {
	t.Parallel()
	p := nodetest.Start(t, nodetest.Options{Args: []string{"--durability", "os", "--max-siblings", "7"}})
	c := p.Dial(t)
	c.Want(t, "+OK", "SELECT 3")
	c.Want(t, "+OK", "SET a 1")
	for name, body := range map[string]string{"available": "", "db3": "", "orders": "{}", "strict": `{"durability": "sync", "max_siblings": 9}`} {
		if body != "" {
			if status, answer := p.Do(t, "PUT", "/v1/buckets/"+name, body, "Content-Type: application/json"); status != 201 {
				t.Errorf("%s: %d %s", name, status, answer)
			}
		}
		durability, siblings := "os", 7
		if name == "strict" {
			durability, siblings = "sync", 9
		}
		if _, answer := p.Get(t, "/v1/buckets/"+name); !strings.Contains(answer, fmt.Sprintf(`"durability":%q`, durability)) || !strings.Contains(answer, fmt.Sprintf(`"max_siblings":%d,`, siblings)) {
			t.Errorf("%s: %s", name, answer)
		}
	}
}

// slowUpload begins a PUT that does not end.
func slowUpload(t *testing.T, p *nodetest.Process) {
	t.Helper()
	c, err := net.Dial("tcp", p.HTTP)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	if _, err := fmt.Fprintf(c, "PUT /v1/buckets/available/keys/slow HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\nhalf"); err != nil {
		t.Fatal(err)
	}
	time.Sleep(100 * time.Millisecond) // until it counts as a request under way
}

// A second signal does not wait for anybody.
func TestSecondSignal(t *testing.T) {
	t.Parallel()
	p := nodetest.Start(t, nodetest.Options{Args: []string{"--shutdown-grace", "1h"}})
	p.Dial(t).Want(t, "+OK", "SET a 1")
	slowUpload(t, p)
	p.Signal(t, syscall.SIGTERM)
	p.WaitFor(t, `"msg":"stopping"`)
	time.Sleep(100 * time.Millisecond)
	if p.Ended() {
		t.Fatal("the request under way was not waited for")
	}
	p.Signal(t, syscall.SIGHUP) // asks for nothing any more
	p.Signal(t, syscall.SIGTERM)
	if status := p.Wait(t); status != 1 {
		t.Errorf("ended with %d", status)
	}
	p.WaitFor(t, "stopped at once")
	p = nodetest.Start(t, nodetest.Options{Dir: p.Dir})
	p.Dial(t).Want(t, "$1", "GET a")
}

// The grace has an end, and the store is closed in order all the same.
func TestGrace(t *testing.T) {
	t.Parallel()
	for _, grace := range []string{"200ms", "0s"} {
		p := nodetest.Start(t, nodetest.Options{Args: []string{"--shutdown-grace", grace}})
		slowUpload(t, p)
		p.Stop(t)
		if grace == "200ms" {
			p.WaitFor(t, "did not get their answers")
		}
		p = nodetest.Start(t, nodetest.Options{Dir: p.Dir})
		p.WaitFor(t, "store opened", `"clean":true`)
	}
}

func TestRefused(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := filepath.Join(dir, "kvnode.yaml")
	if err := os.WriteFile(file, []byte("memory: lots\nmemroy: 1GiB\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	open := filepath.Join(dir, "password")
	if err := os.WriteFile(open, []byte("a good password\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	cert := nodetest.NewCert(t, dir, 1)
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	for _, x := range []struct {
		args   string
		status int
		want   []string
	}{
		{"--resp-addr 0.0.0.0:6379", 2, []string{"resp-addr 0.0.0.0:6379 can be reached from other machines, and there is no TLS.", "--resp-tls-cert-file", "--insecure"}},
		{"--pprof-addr 10.0.0.1:6060", 2, []string{"pprof-addr", "profiles show what is in memory"}},
		{"--cluster-addr 127.0.0.1:7379 --join 10.0.0.2:7379", 2, []string{"join (--join): this version is a ring of one"}},
		{"--cluster-addr 127.0.0.1:7379 --bootstrap-expect 3", 2, []string{"bootstrap-expect (--bootstrap-expect): this version is a ring of one"}},
		{"--memry 1GiB", 2, []string{`there is no flag "--memry". Did you mean --memory?`}},
		{"--admin-password secret-words", 2, []string{"--admin-password is not taken from the command line", "--admin-password-file"}},
		{"--admin-reset", 2, []string{"admin-reset (--admin-reset): there is no password for admin. Give --admin-password-file too."}},
		{"--admin-password-file " + open, 2, []string{"mode 0644", "chmod 600"}},
		{"--config " + file, 2, []string{"2 problems", `memory (line 1 of `, `memroy (line 2 of `, "Did you mean memory?"}},
		{"--check-config --config " + file, 1, []string{"2 problems"}},
		{"--check-config --resp-addr :6379", 1, []string{"can be reached from other machines"}},
		{"--resp-addr " + taken.Addr().String() + " --http-addr 127.0.0.1:0", 1, []string{"the address for RESP cannot be listened on", taken.Addr().String(), `"next":"choose another address by --resp-addr`}},
		{"--resp-addr 127.0.0.1:0 --http-addr= --pprof-addr " + taken.Addr().String(), 1, []string{"profiles cannot be served"}},
		{"--http-addr= --resp-addr 127.0.0.1:0 --resp-tls-cert-file " + cert.KeyFile + " --resp-tls-key-file " + cert.KeyFile, 1, []string{"TLS of RESP"}},
		{"--http-addr= --resp-addr 127.0.0.1:0 --data-dir " + file, 1, []string{"the node cannot start", "is not a directory", "choose a directory by --data-dir"}},
		{"--http-addr= --resp-addr 127.0.0.1:0 --data-dir " + dir, 1, []string{"the node cannot start", "there is no store in " + dir, "cert.pem", "choose another directory by --data-dir"}},
	} {
		args := strings.Fields(x.args)
		if !strings.Contains(x.args, "--data-dir") {
			args = append([]string{"--data-dir", filepath.Join(dir, "store")}, args...)
		}
		status, out, errs := nodetest.Run(t, "kvnode", nil, args)
		if status != x.status || out != "" {
			t.Errorf("%s: status %d, want %d: %s%s", x.args, status, x.status, out, errs)
		}
		for _, w := range x.want {
			if !strings.Contains(errs, w) {
				t.Errorf("%s: no %q in %s", x.args, w, errs)
			}
		}
		if strings.Contains(errs, "secret-words") || strings.Contains(errs, "a good password") {
			t.Errorf("%s: a secret is shown: %s", x.args, errs)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "store", "CURRENT")); err == nil {
		t.Error("a store was made all the same")
	}
	// Two nodes on one store.
	p := nodetest.Start(t, nodetest.Options{})
	status, _, errs := nodetest.Run(t, "kvnode", nil, []string{"--data-dir", p.Dir, "--resp-addr", "127.0.0.1:0", "--http-addr="})
	if status != 1 || !strings.Contains(errs, "another process has the store open") {
		t.Errorf("%d: %s", status, errs)
	}
}

func TestActions(t *testing.T) {
	t.Parallel()
	config := filepath.Join(t.TempDir(), "printed.yaml")
	env := []string{"KVNODE_MEMORY=1GiB", "KVNODE_PORT_6379_TCP=tcp://10.0.0.1:6379", "KVNODE_ADMIN_PASSWORD=canary password"}
	for _, x := range []struct{ args, want string }{
		{"--version", "kvnode 0."}, {"--help", "--max-value-size"}, {"-h", "Usage: kvnode"},
		{"--check-config", "The settings are fine."}, {"--print-config", "memory: 1GiB"},
		{"--cluster-addr 127.0.0.1:7379 --join 127.0.0.1:7379 --bootstrap-expect 1 --check-config", "The settings are fine."},
	} {
		status, out, errs := nodetest.Run(t, "kvnode", env, strings.Fields(x.args))
		if status != 0 || !strings.Contains(out, x.want) || strings.Contains(out+errs, "canary") {
			t.Errorf("%s: %d %s%s", x.args, status, out, errs)
		}
		if x.args == "--check-config" && !strings.Contains(errs, "KVNODE_PORT_6379_TCP") {
			t.Errorf("no warning: %s", errs)
		}
		if x.args == "--print-config" {
			if err := os.WriteFile(config, []byte(out), 0o600); err != nil {
				t.Fatal(err)
			}
			_, again, _ := nodetest.Run(t, "kvnode", nil, []string{"--config", config, "--print-config"})
			if !strings.Contains(again, "memory: 1GiB") || !strings.Contains(again, "line ") {
				t.Errorf("what is printed cannot be read: %s", again)
			}
		}
	}
}

// What a person sees can be typed as it stands.
func TestHello(t *testing.T) {
	t.Parallel()
	p := nodetest.Start(t, nodetest.Options{Args: []string{"--log-format", "text"}})
	_, port, err := net.SplitHostPort(p.RESP)
	if err != nil {
		t.Fatal(err)
	}
	p.WaitFor(t, "redis-cli -h 127.0.0.1 -p "+port+" SET greeting hello")
	p.WaitFor(t, "Control-C")
	for _, want := range []string{"(new)", "store in " + p.Dir, fmt.Sprintf("kill %d", p.Cmd.Process.Pid), "curl http://" + p.HTTP + "/metrics", "kvctl status --addr http://" + p.HTTP, "--admin-password-file", "msg=serving"} {
		if !strings.Contains(p.Log(), want) {
			t.Errorf("no %q in\n%s", want, p.Log())
		}
	}
	for line := range strings.Lines(p.Log()) {
		_, command, ok := strings.Cut(strings.TrimSpace(line), "  ")
		command = strings.TrimSpace(command)
		if strings.HasPrefix(line, "           ") {
			command, ok = strings.TrimSpace(line), true
		}
		tool, _, _ := strings.Cut(command, " ")
		if !ok || tool != "redis-cli" && tool != "curl" {
			continue
		}
		if _, err := exec.LookPath(tool); err != nil {
			t.Logf("there is no %s here: it was not tried", tool)
			continue
		}
		if out, err := exec.Command("sh", "-c", command).CombinedOutput(); err != nil || strings.Contains(string(out), "ERR") || strings.Contains(string(out), `"error"`) {
			t.Errorf("%s: %v %s", command, err, out)
		} else {
			t.Logf("%s: %.40q", command, out)
		}
	}
}
