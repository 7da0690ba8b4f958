package config

import (
	"fmt"
	"strings"
	"testing"
)

// Every setting from every set of sources: the highest wins, and is named.
func TestPrecedence(t *testing.T) {
	for _, s := range table() {
		for set := range 8 {
			file, env, args := "", []string{"HOME=/root"}, []string(nil)
			texts, want, origin := samples(s), s.def, Default
			if set&1 != 0 && !s.secret {
				file, want, origin = fmt.Sprintf("# settings\n%s: %q\n", s.name, texts[0]), texts[0], File
			}
			if set&2 != 0 {
				env, want, origin = append(env, envName(s.name)+"="+texts[1]), texts[1], Env
			}
			if set&4 != 0 && !s.secret {
				args, want, origin = append(args, "--"+s.name+"="+texts[2]), texts[2], Flag
			}
			l, _ := load(file, env, args...) // that others must be set too is not looked at here
			got := s.bind(&l.Config).text()
			if s.secret {
				got = l.AdminPassword.Reveal()
			}
			if from := l.Source(s.name); got != want || from.Origin != origin || origin == File && from.Line != 2 {
				t.Errorf("%s from %03b is %q by %v, want %q by %v", s.name, set, got, from, want, origin)
			}
		}
	}
}

func TestOddSources(t *testing.T) {
	// Empty variables count for nothing, the last flag wins, flags of lists add up.
	l := mustLoad(t, "", []string{"KVNODE_MEMORY=", "KVNODE_", "=x", "KVNODE_MAX_PIPELINE=7"}, "--log-level", "warn", "--log-level=error", "--http-allowed-hosts=a", "--http-allowed-hosts", "b,a", "--insecure")
	if l.Memory != 256<<20 || l.MaxPipeline != 7 || l.LogLevel != "error" || fmt.Sprint(l.AllowedHosts) != "[a b]" || !l.Insecure {
		t.Errorf("%+v", l.Config)
	}
	// The file may be named by a variable, and the flag wins.
	files := memFiles{content: map[string]string{"/a": "memory: 10MiB", "/b": "memory: 20MiB"}}
	if l, ps := loadFrom(files, []string{"KVNODE_CONFIG=/a"}); ps != nil || l.Memory != 10<<20 || l.File != "/a" {
		t.Error(ps)
	}
	if l, ps := loadFrom(files, []string{"KVNODE_CONFIG=/a"}, "--config=/b"); ps != nil || l.Memory != 20<<20 || l.Source("memory").String() != "line 1 of /b" {
		t.Error(ps)
	}
	if _, ps := loadFrom(files, nil, "--config=/c"); !has(ps, "file /c: it cannot be read", "--config") {
		t.Error(ps)
	}
	// Variables that are unknown are warnings: container platforms make some up.
	l = mustLoad(t, "", []string{"KVNODE_PORT_6379_TCP=tcp://10.0.0.1:6379", "KVNODE_DATADIR=/x", "KVNODEX=1"})
	if len(l.Warnings) != 2 || !strings.Contains(l.Warnings[1], "Did you mean KVNODE_DATA_DIR?") {
		t.Errorf("%q", l.Warnings)
	}
}

func TestActions(t *testing.T) {
	for args, want := range map[string]Action{
		"": Run, "--print-config": Print, "--check-config": Check, "--version": Version, "--help": Help, "-h": Help,
		"--print-config --check-config": Check, "--help --version --data-dir x": Help, "--help=false": Run,
	} {
		if l := mustLoad(t, "", nil, strings.Fields(args)...); l.Action != want {
			t.Errorf("%s: %d", args, l.Action)
		}
	}
	// Neither needs a file to be good.
	if _, ps := loadFrom(memFiles{}, nil, "--help", "--config=/none", "--memory=x"); ps != nil {
		t.Error(ps)
	}
}

// Everything that is wrong is said at once, each with its place and a remedy.
func TestAllProblemsAtOnce(t *testing.T) {
	file := `
memroy: 1GiB
memory: lots
log-level: loud
join: [a, "b:1"]
admin-password: hunter2 hunter2
idle-timeout: 10
max-siblings:
max-pipeline: 0
`
	_, ps := load(file, []string{"KVNODE_DURABILITY=maybe", "KVNODE_MAX_KEY_SIZE=61KiB"},
		"--memry", "1GiB", "--resp-addr=foo", "-data-dir", "stray", "--admin-password=hunter2 hunter2", "--x", "--http-tls-cert-file=/cert", "--resp-tls-client-ca-file=/none", "--pprof-addr=127.0.0.1:8379")
	want := [][]string{
		{"memroy (line 2 of /etc/kvnode.yaml): there is no such setting", "Did you mean memory?"},
		{"memory (line 3 of /etc/kvnode.yaml)", `"lots" is no size`, "64KiB"},
		{"log-level (line 4 of", `"loud" is not possible`, "Write debug, info, warn or error."},
		{"join (line 5 of", `"a" has no port`},
		{"admin-password (line 6 of", "secrets are not taken from the configuration file", "--admin-password-file", "KVNODE_ADMIN_PASSWORD"},
		{"idle-timeout (line 7 of", `"10" is no time`, "10s"},
		{"max-siblings (line 8 of", "it has no value"},
		{"max-pipeline (line 9 of", "1 to 1000000"},
		{"durability (KVNODE_DURABILITY)", "Write sync, os or none."},
		{"max-key-size (KVNODE_MAX_KEY_SIZE)", "1 to 60KiB"},
		{`there is no flag "--memry"`, "Did you mean --memory?"},
		{"resp-addr (--resp-addr)", `"foo" has no port`, "HOST:PORT"},
		{`"-data-dir" is no flag`, "two dashes", "--data-dir"},
		{`"stray" is no flag`},
		{"--admin-password is not taken from the command line", "--admin-password-file"},
		{`there is no flag "--x"`, "--help"},
		{"http-tls-cert-file (--http-tls-cert-file): there is no key for it", "--http-tls-key-file"},
		{"resp-tls-client-ca-file (--resp-tls-client-ca-file): the file cannot be opened", "file does not exist"},
		{"resp-tls-client-ca-file (--resp-tls-client-ca-file): there is no TLS without a certificate"},
		{"pprof-addr (--pprof-addr)", "taken by http-addr"},
	}
	for _, w := range want {
		if !has(ps, w...) {
			t.Errorf("nothing about %q", w)
		}
	}
	if len(ps) != len(want) {
		t.Errorf("%d problems, %d expected", len(ps), len(want))
	}
	text := ps.Error()
	if strings.Contains(text, "hunter") || !strings.HasPrefix(text, "configuration: 20 problems\n  ") || strings.Count(text, "\n") != len(ps) {
		t.Error(text)
	}
	for _, p := range ps {
		if p.Do == "" || !strings.ContainsAny(p.Do[len(p.Do)-1:], ".?") {
			t.Errorf("no remedy: %v", p)
		}
	}
	t.Log(text)
}

func TestRelations(t *testing.T) {
	for args, want := range map[string]string{
		"--resp-tls-key-file=/key":                        "there is no certificate",
		"--http-addr=127.0.0.1:6379":                      "taken by resp-addr",
		"--resp-addr=:8379":                               "taken by resp-addr", // on all addresses
		"--http-addr=:6379":                               "taken by resp-addr",
		"--http-addr=[::]:6379":                           "taken by resp-addr",
		"--http-addr=127.0.0.2:6379":                      "",
		"--http-addr=127.0.0.1:0 --resp-addr=127.0.0.1:0": "",
		"--http-addr= --resp-addr=":                       "nobody could reach",
		"--join=a:1":                                      `join (--join): this version is a ring of one and cannot join "a:1"`,
		"--bootstrap-expect=3":                            "bootstrap-expect (--bootstrap-expect): this version is a ring of one",
		"--bootstrap-expect=1":                            "",
		"--join=a:1 --cluster-addr=127.0.0.1:1":           "this version is a ring of one",
		"--join=127.0.0.1:1 --cluster-addr=127.0.0.1:1":   "",
		"--max-value-size=64MiB":                          "less than the longest key and value",
		"--max-request-size=16416KiB":                     "",
		"--max-request-size=16415KiB":                     "less than the longest key and value",
		"--max-inflight-size=63MiB":                       "less than --max-request-size",
		"--max-inflight-size=64MiB":                       "",
		"--data-dir=":                                     "it is empty",
		"--data-dir":                                      "flag needs an argument",
		"--insecure=maybe":                                "neither true nor false",
	} {
		_, ps := load("", nil, strings.Fields(args)...)
		if want == "" && ps != nil || want != "" && !has(ps, want) {
			t.Errorf("%s: %v", args, ps)
		}
	}
}

func TestNearest(t *testing.T) {
	var names []string
	for _, s := range table() {
		names = append(names, s.name)
	}
	for wrong, want := range map[string]string{
		"datadir": "data-dir", "data_dir": "data-dir", "DATA-DIR": "data-dir", "memroy": "memory", "loglevel": "log-level", "resp-adr": "resp-addr",
		"pipeline": "max-pipeline", "tls-cert-file": "resp-tls-cert-file", "max-conections": "max-connections", "grace": "shutdown-grace",
		"x": "", "zzzzzzzzz": "", "": "", strings.Repeat("data-dir", 100): "",
	} {
		if got := nearest(wrong, names); got != want {
			t.Errorf("%s: %s, want %s", wrong, got, want)
		}
	}
	for _, c := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"a", "", 1}, {"ab", "ba", 1}, {"abc", "abd", 1}, {"kitten", "sitting", 3}} {
		if got := distance(c.a, c.b); got != c.want || distance(c.b, c.a) != c.want {
			t.Errorf("%s %s: %d", c.a, c.b, got)
		}
	}
}
