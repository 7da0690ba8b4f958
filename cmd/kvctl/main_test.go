package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ringwood-kv/ringwood/cmd/internal/nodetest"
	"github.com/ringwood-kv/ringwood/lsm"
	"github.com/ringwood-kv/ringwood/lsm/inspect"
)

// TestMain builds the programs: the tests run them as people do.
func TestMain(m *testing.M) { os.Exit(nodetest.Main(m, "kvctl", "kvnode")) }

// kvctl runs the program and sees that it ends with status.
func kvctl(t *testing.T, status int, args ...string) (stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	c := exec.Command(nodetest.Program("kvctl"), args...)
	c.Stdout, c.Stderr = &out, &errs
	err := c.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	if got := c.ProcessState.ExitCode(); got != status {
		t.Fatalf("kvctl %v: exit status %d, want %d\n%s%s", args, got, status, &out, &errs)
	}
	return out.String(), errs.String()
}

// store makes a store with two tables, a blob file and a live log, and names its directory.
func store(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "data")
	db, err := lsm.Open(dir, &lsm.Options{Memory: 8 << 20, Durability: lsm.None})
	if err != nil {
		t.Fatal(err)
	}
	for round := range 3 {
		for i := range 2000 {
			if err := db.Put(fmt.Appendf(nil, "key%05d", i), fmt.Appendf(nil, "value %d of round %d", i, round)); err != nil {
				t.Fatal(err)
			}
		}
		for i := range 5 {
			if err := db.Put(fmt.Appendf(nil, "large%d", i), large(i)); err != nil {
				t.Fatal(err)
			}
		}
		if round < 2 {
			if err := db.Flush(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := errors.Join(db.Delete([]byte("key00007")), db.Close()); err != nil {
		t.Fatal(err)
	}
	return dir
}

// large returns a value that goes into a blob file.
func large(i int) []byte { return bytes.Repeat(fmt.Appendf(nil, "%d, ", i), 3000) }

func tables(t *testing.T, dir string) []string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "*.sst"))
	if err != nil || len(names) == 0 {
		t.Fatal(names, err)
	}
	return names
}

// flip damages one bit.
func flip(t *testing.T, name string, off int) {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	b[off] ^= 4
	if err := os.WriteFile(name, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestUsage(t *testing.T) {
	for _, args := range [][]string{{}, {"chekc"}, {"check"}, {"check", "a", "b"}, {"check", "--jsno", "a"},
		{"dump", "sst", "a"}, {"dump", "wal"}, {"salvage", "a"}, {"--json"},
		{"buckets"}, {"buckets", "lsit"}, {"users", "add"}, {"get", "a"}, {"status", "now"}, {"status", "--adr", "x"}, {"completion", "tcsh"},
		{"incr", "a", "b", "c"}, {"put", "a", "b", "c", "--context", "x", "--context-file", "y"}, {"put", "a", "b", "c", "--file", "x"},
		{"get", "--base64", "a", "%"}, {"buckets", "drop", "a"}, {"buckets", "empty", "a"}, {"roles", "set", "a"}, {"tokens", "drop", "a", "b"},
		{"users", "password", "a"}, {"users", "alter", "a", "--disable", "--enable"}, {"users", "add", "a", "--expires", "soon"},
		{"status", "--user", "a"}, {"status", "--addr", "http://192.0.2.1:1", "--user", "a", "--password-file", secretFile(t, "a good password")},
		{"status", "--user", "a", "--token-file", "b"}, {"status", "--cert-file", "a"}, {"status", "--addr", "http://a/b"}} {
		if out, errs := kvctl(t, 2, args...); out != "" || !strings.Contains(errs, "kvctl") {
			t.Errorf("%v: %q, %q", args, out, errs)
		}
	}
	for _, args := range [][]string{{"--help"}, {"help"}, {"check", "--help"}, {"dump", "-h"}, {"stats", "--help"}, {"salvage", "--help"},
		{"status", "--help"}, {"get", "--help"}, {"buckets", "--help"}, {"buckets", "create", "--help"}, {"users", "--help"}, {"tokens", "-h"}, {"roles", "list", "--help"}, {"completion", "--help"}, {"version", "--help"}} {
		if out, _ := kvctl(t, 0, args...); !strings.Contains(out, "Usage:") || !strings.Contains(out, "Examples:") || !strings.Contains(out, "--json") {
			t.Errorf("%v: %s", args, out)
		}
	}
	for _, args := range [][]string{{"check", "nowhere"}, {"stats", t.TempDir()}, {"dump", "wal", "nowhere"}, {"salvage", "nowhere", "x"}} {
		if _, errs := kvctl(t, 1, args...); !strings.Contains(errs, "next: ") {
			t.Errorf("%v: no next step: %s", args, errs)
		}
	}
}

func TestCheck(t *testing.T) {
	dir := store(t)
	if out, _ := kvctl(t, 0, "check", dir); !strings.Contains(out, "no damage") {
		t.Fatal(out)
	}
	name := tables(t, dir)[0]
	flip(t, name, 100)
	flip(t, name, 9000)
	out, _ := kvctl(t, 1, "check", dir)
	if strings.Count(out, name+" at offset ") != 2 || !strings.Contains(out, "next: ") || !strings.Contains(out, "2 places are damaged") {
		t.Fatal(out)
	}
	out, _ = kvctl(t, 1, "check", "--json", dir)
	var r inspect.Report
	if err := json.Unmarshal([]byte(out), &r); err != nil || r.Damages() != 2 || r.Findings[0].File != name || r.Findings[0].Lower == nil {
		t.Fatal(err, out)
	}
	flip(t, filepath.Join(dir, "CURRENT"), 0)
	if _, errs := kvctl(t, 1, "stats", dir); !strings.Contains(errs, "next: kvctl check DIR") {
		t.Fatal(errs)
	}
}

func TestDump(t *testing.T) {
	dir := store(t)
	for _, x := range []struct{ kind, want, damaged string }{
		{"wal", `DEL "key00007"`, "*.log"},
		{"table", `SET "key00007" = "value 7 of round 0"`, "*.sst"},
		{"table", `BLOB "large3" in 000`, "*.sst"},
		{"blob", `SET "large4" = "4, 4, `, "*.blob"},
		{"manifest", "+ table", "MANIFEST-*"},
		{"manifest", "+ blob file", "MANIFEST-*"},
	} {
		out, _ := kvctl(t, 0, "dump", x.kind, dir)
		if !strings.Contains(out, x.want) {
			t.Fatalf("%s: no %q in %.2000s", x.kind, x.want, out)
		}
		out, _ = kvctl(t, 0, "dump", x.kind, "--json", dir)
		lines := strings.Split(strings.TrimSpace(out), "\n")
		for _, line := range lines {
			if !json.Valid([]byte(line)) {
				t.Fatalf("%s: %s", x.kind, line)
			}
		}
		out, _ = kvctl(t, 0, "dump", x.kind, "--json", "--limit", "1", dir)
		if strings.Count(out, "\n") != 1 {
			t.Fatalf("%s: more than one line: %s", x.kind, out)
		}
		names, _ := filepath.Glob(filepath.Join(dir, x.damaged))
		flip(t, names[0], 60)
		if out, _ = kvctl(t, 1, "dump", x.kind, names[0]); !strings.Contains(out, "DAMAGED") {
			t.Fatalf("%s: %.2000s", x.kind, out)
		}
		flip(t, names[0], 60)
	}
}

func TestStats(t *testing.T) {
	dir := store(t)
	out, _ := kvctl(t, 0, "stats", dir)
	if !strings.Contains(out, "% is garbage") || !strings.Contains(out, "bits/key") || !strings.Contains(out, "amplification") {
		t.Fatal(out)
	}
	out, _ = kvctl(t, 0, "stats", "--json", dir)
	var s inspect.StoreStats
	if err := json.Unmarshal([]byte(out), &s); err != nil || s.Total.Entries < 2000 || s.Total.BitsPerKey < 8 || s.Total.FalsePositives > 0.05 ||
		s.ReadAmplification == 0 || s.SpaceAmplification < 1 || s.LogBytes == 0 ||
		s.Blobs.Files != 2 || s.Blobs.LiveValues != 10 || s.Blobs.Values != 10 || s.Blobs.Bytes <= s.Blobs.LiveBytes || s.Blobs.Garbage != 0 {
		t.Fatal(err, out)
	}
}

func TestSalvage(t *testing.T) {
	dir := store(t)
	saved := filepath.Join(t.TempDir(), "saved")
	if out, _ := kvctl(t, 0, "salvage", dir, saved); !strings.Contains(out, "nothing was lost") {
		t.Fatal(out)
	}
	kvctl(t, 0, "check", saved)
	if _, errs := kvctl(t, 1, "salvage", dir, saved); !strings.Contains(errs, "not empty") {
		t.Fatal(errs)
	}
	flip(t, tables(t, dir)[0], 100)
	if err := os.Remove(filepath.Join(dir, "CURRENT")); err != nil {
		t.Fatal(err)
	}
	again := filepath.Join(t.TempDir(), "again")
	out, _ := kvctl(t, 1, "salvage", "--json", dir, again)
	var r inspect.SalvageReport
	if err := json.Unmarshal([]byte(out), &r); err != nil || len(r.Lost) == 0 || r.Saved < 1999 {
		t.Fatal(err, out)
	}
	db, err := lsm.Open(again, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for i := range 2000 {
		v, err := db.Get(fmt.Appendf(nil, "key%05d", i))
		if i == 7 && !errors.Is(err, lsm.ErrNotFound) || i != 7 && string(v) != fmt.Sprintf("value %d of round 2", i) {
			t.Fatalf("key %d: %q, %v", i, v, err)
		}
	}
	for i := range 5 {
		if v, err := db.Get(fmt.Appendf(nil, "large%d", i)); err != nil || !bytes.Equal(v, large(i)) {
			t.Fatalf("large %d: %d bytes, %v", i, len(v), err)
		}
	}
}

// TestBlobFileLost takes a blob file away: check and salvage say which values were in it.
func TestBlobFileLost(t *testing.T) {
	dir := store(t)
	names, err := filepath.Glob(filepath.Join(dir, "*.blob"))
	if err != nil || len(names) != 2 {
		t.Fatal(names, err)
	}
	if err := os.Remove(names[1]); err != nil {
		t.Fatal(err)
	}
	out, _ := kvctl(t, 1, "check", dir)
	if !strings.Contains(out, names[1]+": missing") || !strings.Contains(out, "tables need 5 values in it") || !strings.Contains(out, "1 place is damaged") {
		t.Error(out)
	}
	if out, _ := kvctl(t, 1, "stats", dir); !strings.Contains(out, names[1]) {
		t.Error(out)
	}
	// The log has newer versions; without it the older ones come back.
	saved := filepath.Join(t.TempDir(), "saved")
	if out, _ := kvctl(t, 0, "salvage", dir, saved); !strings.Contains(out, "nothing was lost") {
		t.Error(out)
	}
	logs, _ := filepath.Glob(filepath.Join(dir, "*.log"))
	for _, name := range logs {
		if err := os.Remove(name); err != nil {
			t.Fatal(err)
		}
	}
	saved = filepath.Join(t.TempDir(), "again")
	out, _ = kvctl(t, 1, "salvage", dir, saved)
	if !strings.Contains(out, names[1]+": 5 values: the file is missing") || !strings.Contains(out, `(keys "large0" to "large4")`) {
		t.Error(out)
	}
	if out, _ := kvctl(t, 0, "check", saved); !strings.Contains(out, "1 blob files, 5 values") {
		t.Error(out)
	}
}
