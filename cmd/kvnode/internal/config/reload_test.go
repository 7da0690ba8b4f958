package config

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

func TestReload(t *testing.T) {
	old := mustLoad(t, "memory: 1GiB\nlog-level: info\nmax-pipeline: 10\n", []string{"KVNODE_ADMIN_PASSWORD=first password"})
	next := mustLoad(t, "memory: 2GiB\nlog-level: debug\nhttp-allowed-hosts: [a, b]\nmax-pipeline: 10\n", []string{"KVNODE_ADMIN_PASSWORD=second password"})
	var before bytes.Buffer
	old.Print(&before)
	now, changes := Reload(old, next)
	want := "[{memory 1GiB 2GiB true} {http-allowed-hosts  a,b false} {admin-password [secret] [secret] true} {log-level info debug false}]"
	if got := fmt.Sprint(changes); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if now.Memory != 1<<30 || now.LogLevel != "debug" || fmt.Sprint(now.AllowedHosts) != "[a b]" || now.AdminPassword.Reveal() != "first password" || now.Source("http-allowed-hosts").Line != 3 {
		t.Errorf("%+v", now.Config)
	}
	var after bytes.Buffer
	old.Print(&after)
	if before.String() != after.String() {
		t.Error("the old configuration has changed")
	}
	if _, changes := Reload(next, next); changes != nil {
		t.Error(changes)
	}
}

// Every setting alone: it is seen, and takes effect if the table says so.
func TestReloadEach(t *testing.T) {
	for _, s := range table() {
		if s.secret {
			continue
		}
		old, _ := load("", nil)
		next, _ := load("", nil, "--"+s.name+"="+samples(s)[0])
		if s.name == "admin-password-file" {
			next.AdminPassword = old.AdminPassword
		}
		now, changes := Reload(old, next)
		if len(changes) != 1 || changes[0].Name != s.name || changes[0].Restart == s.reload || changes[0].To != samples(s)[0] {
			t.Errorf("%s: %v", s.name, changes)
		}
		want := s.bind(&old.Config).text()
		if s.reload {
			want = samples(s)[0]
		}
		if got := s.bind(&now.Config).text(); got != want {
			t.Errorf("%s: %s, want %s", s.name, got, want)
		}
	}
}

// Real files, with real modes.
func TestOSFiles(t *testing.T) {
	dir := t.TempDir()
	path := func(name string) string { return filepath.Join(dir, name) }
	write := func(name, text string, mode os.FileMode) {
		t.Helper()
		if err := os.WriteFile(path(name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path(name), mode); err != nil {
			t.Fatal(err)
		}
	}
	write("config", "memory: 1GiB\n", 0o644)
	write("private", "a good password\n", 0o600)
	write("group", "a good password\n", 0o640)
	write("open", "a good password\n", 0o644)
	write("shared", "a good password\n", 0o660)
	if err := os.Symlink(path("open"), path("link")); err != nil && runtime.GOOS != "windows" {
		t.Fatal(err)
	}
	for name, ok := range map[string]bool{"private": true, "group": true, "open": false, "shared": false, "link": false, "none": false, ".": false} {
		l, ps := loadFrom(OS{}, nil, "--config="+path("config"), "--admin-password-file="+path(name))
		if runtime.GOOS != "windows" && (ps == nil) != ok || l.Memory != 1<<30 {
			t.Errorf("%s: %v", name, ps)
		}
	}
	if _, ps := loadFrom(OS{}, nil, "--config="+dir); !has(ps, "no regular file") {
		t.Error(ps)
	}
	write("long", strings.Repeat("#", maxFile+10), 0o600)
	if _, ps := loadFrom(OS{}, nil, "--config="+path("long")); !has(ps, "too long") {
		t.Error(ps)
	}
}
