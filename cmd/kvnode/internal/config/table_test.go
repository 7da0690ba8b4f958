package config

import (
	"fmt"
	"reflect"
	"regexp"
	"strings"
	"testing"
)

// samples are three texts for each setting, in their written form, all different.
func samples(s setting) [3]string {
	switch s.bind(new(Config)).(type) {
	case *sizeValue:
		switch s.name {
		case "max-key-size":
			return [3]string{"4KiB", "5KiB", "6KiB"}
		case "max-request-size", "max-inflight-size":
			return [3]string{"100MiB", "101MiB", "102MiB"}
		}
		return [3]string{"9MiB", "10MiB", "11MiB"}
	case *intValue:
		return [3]string{"5", "6", "7"}
	case *durationValue:
		return [3]string{"1s", "2m", "500ms"}
	case *boolValue:
		return [3]string{"true", "false", "true"}
	case *pathValue:
		return [3]string{"/cert", "/key", "/ca"}
	case *addrValue:
		return [3]string{"127.0.0.1:1001", "[::1]:1002", "localhost:1003"}
	case *listValue:
		switch s.name {
		case "join":
			return [3]string{"a.example:1", "b.example:2,c.example:3", "[::1]:4"}
		case "http-allowed-origins":
			return [3]string{"https://a.example", "https://b.example:8443,http://c.example", "http://[::1]:8080"}
		}
		return [3]string{"a.example", "b.example,10.0.0.1", "c.example"}
	case *secretValue:
		return [3]string{"first secret", "second secret", "third secret"}
	}
	switch s.name {
	case "durability":
		return [3]string{"none", "os", "sync"}
	case "log-format":
		return [3]string{"json", "text", "auto"}
	}
	return [3]string{"debug", "warn", "error"}
}

func TestTable(t *testing.T) {
	names := map[string]bool{configFlag: true}
	for _, c := range commands {
		names[c.name] = true
	}
	bound := map[uintptr]string{}
	var c Config
	for _, s := range table() {
		bad := func(format string, args ...any) { t.Errorf("%s: %s", s.name, fmt.Sprintf(format, args...)) }
		if names[s.name] || !regexp.MustCompile(`^[a-z]+(-[a-z]+)*$`).MatchString(s.name) {
			bad("the name")
		}
		names[s.name] = true
		if s.help == "" || strings.HasSuffix(s.help, ".") || s.help[0] < 'a' || s.help[0] > 'z' || strings.Contains(s.help, "`") {
			bad("the help")
		}
		if s.secret != strings.HasPrefix(fmt.Sprintf("%T", s.bind(&c)), "*config.secret") || s.secret && s.def != "" {
			bad("a secret, or not")
		}
		v := s.bind(&c)
		if s.def != "" {
			if err := v.set(s.def); err != nil || v.text() != s.def {
				bad("the default is %q: %v", v.text(), err)
			}
		}
		p := reflect.ValueOf(v).Elem().FieldByName("p").Pointer()
		if bound[p] != "" {
			bad("the same place as %s", bound[p])
		}
		bound[p] = s.name
		for _, text := range samples(s) {
			if err := v.set(text); err != nil || v.text() != text && !s.secret {
				bad("%s is %s: %v", text, v.text(), err)
			}
		}
	}
	// Every field has its setting.
	var walk func(v reflect.Value, path string)
	walk = func(v reflect.Value, path string) {
		for i := range v.NumField() {
			f, name := v.Field(i), path+v.Type().Field(i).Name
			if f.Type() == reflect.TypeFor[TLS]() {
				walk(f, name+".")
			} else if bound[f.Addr().Pointer()] == "" {
				t.Errorf("no setting for %s", name)
			}
		}
	}
	walk(reflect.ValueOf(&c).Elem(), "")
	if len(Settings()) != len(table()) {
		t.Error("Settings")
	}
}

// Scripts rely on these.
func TestFixedNames(t *testing.T) {
	l, ps := load("", nil, "--data-dir", "d", "--resp-addr", "127.0.0.1:1", "--http-addr=127.0.0.1:2", "--cluster-addr", "127.0.0.1:3", "--join", "a:1,b:2", "--bootstrap-expect", "3")
	if len(ps) != 2 || !has(ps, "join", "ring of one") || !has(ps, "bootstrap-expect", "ring of one") || len(l.Warnings) != 1 {
		t.Error(ps, l.Warnings)
	}
	if l.DataDir != "d" || l.RESPAddr != "127.0.0.1:1" || l.HTTPAddr != "127.0.0.1:2" || l.ClusterAddr != "127.0.0.1:3" || fmt.Sprint(l.Join) != "[a:1 b:2]" || l.BootstrapExpect != 3 {
		t.Errorf("%+v", l.Config)
	}
}

// A node without any settings works, on loopback, and needs no --insecure.
func TestDefaults(t *testing.T) {
	l := mustLoad(t, "", nil)
	if ps := Unsafe(&l.Config, false); ps != nil || len(l.Warnings) > 0 || !Loopback(l.RESPAddr) || !Loopback(l.HTTPAddr) || l.PprofAddr != "" || l.Action != Run {
		t.Error(ps, l.Warnings)
	}
}
