package config

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestParseFile(t *testing.T) {
	for _, c := range []struct{ what, file, want string }{
		{"nothing", "", ""},
		{"white space", "\n \n", ""},
		{"comments", "# a\n\n# b\n", ""},
		{"a document of nothing", "---\n", ""},
		{"one line", "a: b", "1 a=b"},
		{"without line break, with comment", "a: b # c", "1 a=b"},
		{"Windows", "a: b\r\nc: d\r\n", "1 a=b|2 c=d"},
		{"scalars", "a: 10\nb: 1.50\nc: true\nd: 64MiB\ne: 10s\nf: 0x10\ng: 007\nh: yes\n", "1 a=10|2 b=1.50|3 c=true|4 d=64MiB|5 e=10s|6 f=0x10|7 g=007|8 h=yes"},
		{"quotes", "a: \"x\\u0041 # y\"\nb: '10 ''s'\n\"c\": d\n", "1 a=xA # y|2 b=10 's|3 c=d"},
		{"an address", "a: 127.0.0.1:6379\nb: \":6379\"\nc: '[::1]:1'\nd: :6379\n", "1 a=127.0.0.1:6379|2 b=:6379|3 c=[::1]:1|4 d=:6379"},
		{"lists", "a: [x, \"y\", 3]\nb:\n  - x\n  - y\nc: []\n", "1 a=x,y,3|2 b=x,y|5 c="},
		{"an empty text", "a: ''\n", "1 a="},
		{"in braces", "{a: b, c: 1}", "1 a=b|1 c=1"},
		{"begin and end", "---\na: b\n...\n", "2 a=b"},
		{"spaces before", "  a: b\n  c: d\n", "1 a=b|2 c=d"},

		{"no value", "a:\nb: ~\nc: null\n", "!line 1!it has no value|!line 2!it has no value|!line 3!it has no value"},
		{"twice", "a: 1\nb: 2\na: 3\n", "1 a=1|2 b=2|!line 3!it stands in line 1 already"},
		{"a list", "- a\n- b\n", "!line 1!it is no mapping"},
		{"a text", "hello", "!line 1!it is no mapping"},
		{"a mapping within", "a:\n  b: c\n", "!line 1!its value is no simple text"},
		{"a list within a list", "a: [[b]]\n", "!line 1!its value is no simple text"},
		{"a comma in a list", "a: ['b,c']\n", "!line 1!has a comma"},
		{"an anchor", "a: &x b\n", "!line 1!its value is no simple text"},
		{"an alias", "a: &x b\nc: *x\n", "!line 1!its value is no simple text|!line 2!its value is no simple text"},
		{"a tag", "a: !!str b\n", "!line 1!its value is no simple text"},
		{"a merge", "<<: {a: b}\n", "!line 1!it is no name"},
		{"a number as name", "1: b\n", "!line 1!it is no name"},
		{"several lines", "a: |\n  b\n  c\n", "!line 1!its value is no simple text"},
		{"infinity", "a: .inf\n", "!line 1!its value is no simple text"},
		{"two documents", "a: b\n---\nc: d\n", "!line 3!a second document"},
		{"no YAML", "a: b\n c\n: d: e\n", "!line !not valid"},
		{"an open quote", "a: \"b\n", "!line 1!not valid"},
		{"an open bracket", "a: [b\n", "!line 1!not valid"},
		{"a tab", "a: b\n\tc: d\n", "!line 2!not valid"},
		{"control characters", "a: \x01b\n", "!file!control characters"},
		{"no UTF-8", "a: \xff\n", "!file!control characters"},
		{"too long", "a: b\n" + strings.Repeat("#\n", maxFile/2), "!file!too long"},
		{"a long line", "a: b\nb: " + strings.Repeat("c", maxLine-3), "1 a=b|2 b=" + strings.Repeat("c", maxLine-3)},
		{"too long a line", "a: b\nb: " + strings.Repeat("c", maxLine-2), "!line 2!too long"},
		{"as deep as can be", "a: " + strings.Repeat("[", maxBrackets) + strings.Repeat("]", maxBrackets), "!line 1!its value is no simple text"},
		{"too deep", strings.Repeat("[\n", maxBrackets+1), "!file!too many brackets"},
		{"deep mappings", strings.Repeat("{a: ", maxBrackets), "!!"},
		{"deep items", strings.Repeat("- ", maxLine/2-1), "!!"},
		{"deep keys", strings.Repeat("? ", maxLine/2-1), "!!"},
		{"deep blocks", deepBlocks(), "!!"},
	} {
		began := time.Now()
		entries, problems := parseFile("f", []byte(c.file))
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("%s takes %v", c.what, took)
		} else if took > 50*time.Millisecond {
			t.Logf("%s takes %v", c.what, took)
		}
		var got []string
		for _, e := range entries {
			got = append(got, fmt.Sprintf("%d %s=%s", e.line, e.name, e.text))
		}
		for _, p := range problems {
			got = append(got, p.String())
		}
		var want []string
		if c.want != "" {
			want = strings.Split(c.want, "|")
		}
		ok := len(got) == len(want)
		for i := 0; ok && i < len(want); i++ {
			if parts := strings.Split(want[i], "!"); len(parts) == 3 {
				ok = strings.Contains(got[i], parts[1]) && strings.Contains(got[i], parts[2])
			} else {
				ok = got[i] == want[i]
			}
		}
		if !ok {
			t.Errorf("%s:\n got %q\nwant %q", c.what, got, want)
		}
	}
}

// deepBlocks is as many mappings within each other as a file can have.
func deepBlocks() string {
	var b strings.Builder
	for i := 0; b.Len()+i+4 < maxFile; i++ {
		b.WriteString(strings.Repeat(" ", i) + "a:\n")
	}
	return b.String()
}

// Every line of every kind, over the whole way: what Print writes means the same.
func TestPrintIsAFile(t *testing.T) {
	awkward := []string{"/a b", "/a: b", "/a #b", "-", "~", "null", "True", "1e3", "0x1", "/k\u00e4se", `/q"\`, "'", "[x]", "{", "&a", "*a", "!t", "%d", "@", "`", "2026-01-01", " lead", "trail ", "a:", "<<", "=", ".inf", "/<&>", "- a", "? b", "|", "\u00a0", "\u2028", "\ufeff"}
	for i := range 3 + len(awkward) {
		var file strings.Builder
		for _, s := range table() {
			if s.secret {
				continue
			}
			text := samples(s)[i%3]
			if _, path := s.bind(new(Config)).(*pathValue); path && i >= 3 {
				text = awkward[i-3]
			}
			fmt.Fprintf(&file, "%s: %s\n", s.name, quoteYAML(text))
		}
		first, _ := load(file.String(), []string{"KVNODE_ADMIN_PASSWORD=canary password"})
		var a, b bytes.Buffer
		if err := first.Print(&a); err != nil {
			t.Fatal(err)
		}
		second, ps := load(a.String(), []string{"KVNODE_ADMIN_PASSWORD=canary password"})
		for _, p := range ps {
			if p.Source.Line > 0 && strings.Contains(p.What, "not valid") {
				t.Fatal(p, a.String())
			}
		}
		second.Print(&b)
		for _, s := range table() {
			if x, y := s.bind(&first.Config).text(), s.bind(&second.Config).text(); x != y {
				t.Errorf("%s: %q is printed and read as %q", s.name, x, y)
			}
			if !s.secret && first.Source(s.name).Origin != File {
				t.Errorf("%s: %v", s.name, first.Source(s.name))
			}
		}
		if strings.Contains(a.String(), "canary") || !strings.Contains(a.String(), "# admin-password: [secret]") {
			t.Error(a.String())
		}
	}
}

func TestPrint(t *testing.T) {
	l := mustLoad(t, "memory: 1GiB\n", []string{"KVNODE_LOG_LEVEL=debug"}, "--data-dir=/var/lib/kv")
	var b bytes.Buffer
	l.Print(&b)
	for line, source := range map[string]string{
		"data-dir: /var/lib/kv": "--data-dir", "memory: 1GiB": "line 1 of /etc/kvnode.yaml", "log-level: debug": "KVNODE_LOG_LEVEL",
		`resp-addr: "127.0.0.1:6379"`: "default", "join: []": "default", "# admin-password: not set": "default", "max-value-size: 16MiB": "default",
	} {
		if want := fmt.Sprintf("\n%-44s # %s\n", line, source); !strings.Contains(b.String(), want) {
			t.Errorf("no %q in\n%s", want, b.String())
		}
	}
	var help bytes.Buffer
	WriteHelp(&help)
	for _, s := range table() {
		if strings.Contains(help.String(), "--"+s.name+" ") == s.secret && s.name != "insecure" {
			t.Errorf("--%s in the help", s.name)
		}
	}
	for _, want := range []string{"-h, --help", "--config PATH", "--memory SIZE", "(default 256MiB)", "sync|os|none", "\nSecurity:\n"} {
		if !strings.Contains(help.String(), want) {
			t.Errorf("no %q in\n%s", want, help.String())
		}
	}
	t.Log(b.String() + help.String())
}

func FuzzParseFile(f *testing.F) {
	for _, s := range []string{"", "a: b", "a: [b, c]\n", "a: &x b\nc: *x\n", "? a\n: b\n", "--- !x\na: |-\n b\n", "{a: {b: c}}", "a: \"\\x41\"", "%YAML 1.2\n---\na: b", "a: 'b\n c'", "- - a"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		entries, problems := parseFile("f", b)
		seen := map[string]bool{}
		for _, e := range entries {
			if seen[e.name] || e.line < 0 {
				t.Fatalf("%+v", e)
			}
			seen[e.name] = true
		}
		for _, p := range problems {
			if p.What == "" || p.Do == "" || strings.ContainsAny(p.String(), "\n\x00\x1b") {
				t.Fatalf("%q", p.String())
			}
		}
		load(string(b), nil)
	})
}
