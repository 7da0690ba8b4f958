package remote

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

func TestTargets(t *testing.T) {
	environment := func(name string) (string, bool) {
		v, ok := map[string]string{"KVBENCH_PASSWORD_C_1": "from outside"}[name]
		return v, ok
	}
	targets, passwords, err := Parse([]string{
		"a=resp://localhost", "b=resps://bench:pass%2Fword@Node.example:7000/3", "c-1=resp://bench@[::1]:6380/0", "d=resp://:only@10.0.0.1",
		"e=http://Localhost", "f=https://bench:pass%2Fword@node.example:443/orders/",
	}, environment)
	if err != nil {
		t.Fatal(err)
	}
	want := []Target{
		{"a", "resp://localhost:6379"}, {"b", "resps://bench@node.example:7000/3"}, {"c-1", "resp://bench@[::1]:6380"}, {"d", "resp://10.0.0.1:6379"},
		{"e", "http://localhost:8379/available"}, {"f", "https://bench@node.example:443/orders"},
	}
	if fmt.Sprint(targets) != fmt.Sprint(want) {
		t.Errorf("%v", targets)
	}
	for name, want := range map[string]string{"a": "", "b": "pass/word", "c-1": "from outside", "d": "only", "f": "pass/word"} {
		if passwords[name] != want {
			t.Errorf("%s has the password %q", name, passwords[name])
		}
	}
	shown := fmt.Sprintf("%v %+v %#v %s", passwords, targets, passwords, Options{Passwords: passwords}.Passwords)
	doc, err := json.Marshal(targets)
	if err != nil || strings.Contains(shown+string(doc), "only") || strings.Contains(shown+string(doc), "word") {
		t.Errorf("%v: a password is shown: %s %s", err, shown, doc)
	}
}

// What is written wrongly is refused, and no error repeats a password.
func TestTargetErrors(t *testing.T) {
	none := func(string) (string, bool) { return "", false }
	for text, want := range map[string]string{
		"resp://:secret@localhost":             "written as NAME=resp://",
		"a":                                    "written as NAME=resp://",
		"=resp://localhost":                    "a name has letters",
		"a!=resp://localhost":                  "a name has letters",
		"a=ftp://:secret@localhost":            "begins with resp://",
		"a=http://:secret@localhost/a/b":       "the name of a bucket",
		"a=http://:secret@localhost/_requests": "the name of a bucket",
		"a=http://localhost?bucket=b":          "nothing follows",
		"a=http://localhost b=http://LOCALHOST:8379/available":  "same database",
		"a=resp://:sec/ret@localhost":                           "$KVBENCH_PASSWORD_A|no URL|no host|port",
		"a=resp://:sec ret@localhost":                           "no URL",
		"a=resp://":                                             "no host",
		"a=resp://localhost:0":                                  "a port is",
		"a=resp://localhost:99999":                              "a port is",
		"a=resp://localhost/x":                                  "a database is a number",
		"a=resp://localhost/-1":                                 "a database is a number",
		"a=resp://localhost/1?db=2":                             "nothing follows",
		"a=resp://bench@localhost":                              "set KVBENCH_PASSWORD_A",
		"a=resp://localhost a=resp://other":                     "named twice",
		"a-b=resp://localhost a_b=resp://other":                 "share the variable KVBENCH_PASSWORD_A_B",
		"a=resp://localhost b=resp://LOCALHOST:6379/0":          "same database",
		"a=resp://:secret@localhost b=resp://:secret@localhost": "same database",
	} {
		list := []string{text}
		if strings.Contains(text, " b=") || strings.Contains(text, " a") {
			list = strings.Fields(text)
		}
		_, _, err := Parse(list, none)
		if err == nil || strings.Contains(err.Error(), "sec") {
			t.Errorf("%s: %v", text, err)
			continue
		}
		found := false
		for _, w := range strings.Split(want, "|") {
			found = found || strings.Contains(err.Error(), w)
		}
		if !found {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}

func TestRedact(t *testing.T) {
	for text, want := range map[string]string{
		"a=resp://u:secret@host:1/2": "a=resp://u:***@host:1/2",
		"resps://:se/c@ret@host":     "resps://:***@host",
		"a=https://u:secret@host/b":  "a=https://u:***@host/b",
		"http://host:8379/b":         "http://host:8379/b",
		"resp://host:6379/1":         "resp://host:6379/1",
		"resp://u@host:6379":         "resp://u@host:6379",
		"no URL: at all @ here":      "no URL: at all @ here",
	} {
		if got := Redact(text); got != want {
			t.Errorf("%s: %s", text, got)
		}
	}
}
