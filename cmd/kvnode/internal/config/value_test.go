package config

import (
	"math"
	"strings"
	"testing"
	"time"
)

func TestSizes(t *testing.T) {
	for text, want := range map[string]int64{
		"0": 0, "1": 1, "4096": 4096, "64KiB": 64 << 10, "64kib": 64 << 10, "64 KiB": 64 << 10, "1.5GiB": 3 << 29, "0.5KiB": 512, "10MB": 10_000_000, "1.25kb": 1250, "7B": 7,
		"8191PiB": 8191 << 50, "9223372036854775807": math.MaxInt64, "00001": 1,
	} {
		if got, err := parseSize(text); err != nil || got != want {
			t.Errorf("%s: %d, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "KiB", "-1", "+1", "1e3", "0x10", "1/2", "1_000", "1,5MiB", "1..5", ".5KiB", "5.", "0.3KiB", "1.5", "8192PiB", "9223372036854775808", "1K", "1M", "1MiBiB", "1 MiB MiB", "inf", "nan", "1\n", strings.Repeat("9", 21), strings.Repeat("0", 1<<20)} {
		if got, err := parseSize(text); err == nil {
			t.Errorf("%.30q: %d", text, got)
		}
	}
	for n, want := range map[int64]string{0: "0", 1: "1", 1023: "1023", 1024: "1KiB", 1536: "1536", 3 << 29: "1536MiB", 1 << 50: "1PiB", 1 << 62: "4096PiB", math.MaxInt64: "9223372036854775807"} {
		if got := sizeText(n); got != want {
			t.Errorf("%d: %s", n, got)
		}
	}
}

func TestDurations(t *testing.T) {
	for d, want := range map[time.Duration]string{0: "0s", time.Second: "1s", time.Minute: "1m", 90 * time.Second: "1m30s", time.Hour: "1h", 25 * time.Hour: "25h", time.Hour + time.Second: "1h0m1s", time.Hour + time.Minute: "1h1m", 10 * time.Millisecond: "10ms", 10 * time.Minute: "10m", 100 * time.Hour: "100h"} {
		if got := durationText(d); got != want {
			t.Errorf("%v: %s", d, got)
		} else if again, err := time.ParseDuration(got); err != nil || again != d {
			t.Errorf("%v: %v", d, again)
		}
	}
}

func TestAddresses(t *testing.T) {
	for text, ok := range map[string]bool{
		"127.0.0.1:6379": true, ":6379": true, "[::1]:6379": true, "[fe80::1%eth0]:1": true, "localhost:0": true, "kv-1.example.com:65535": true, "kv_1:1": true, "0.0.0.0:1": true, "[::ffff:127.0.0.1]:1": true,
		"6379": false, "localhost": false, "localhost:": false, "localhost:x": false, "localhost:-1": false, "localhost:+1": false, "localhost:65536": false, "::1:6379": false, "[::1]": false, "[::1:6379": false, "[127.0.0.1]:1": false, "[]:1": false,
		"a b:1": false, "http://a:1": false, "a/b:1": false, "-a:1": false, "a..b:1": false, "127.1:1": false, "300.0.0.1:1": false, "1:1": false, strings.Repeat("a", 64) + ":1": false, "a\n:1": false, "\xff:1": false, "k\u00e4:1": false, "unix:/run/x": false,
	} {
		if _, _, err := splitAddr(text); (err == nil) != ok {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestLists(t *testing.T) {
	for _, c := range []struct {
		check    func(string) error
		good, no string
	}{
		{checkPeer, "a:1 10.0.0.1:2 [::1]:3", ":1 a:0 a"},
		{checkHost, "a a.example 10.0.0.1 ::1", "a:1 http://a * a/b -a"},
		{checkOrigin, "http://a https://a.example:8443", "a http://a/ http://a/b https://a?x ftp://a http://u@a *"},
	} {
		for _, text := range strings.Fields(c.good) {
			if err := c.check(text); err != nil {
				t.Error(err)
			}
		}
		for _, text := range strings.Fields(c.no) {
			if c.check(text) == nil {
				t.Errorf("%q is accepted", text)
			}
		}
	}
}

// Each limit of each setting, at it and one past it.
func TestLimits(t *testing.T) {
	tried := 0
	for _, s := range table() {
		try := func(v value, text string, ok bool) {
			tried++
			if err := v.set(text); (err == nil) != ok {
				t.Errorf("%s: %s: %v", s.name, text, err)
			}
		}
		var c Config
		switch v := s.bind(&c).(type) {
		case *sizeValue:
			n := func(n int64) string { return strings.TrimSuffix(sizeText(n), "?") }
			try(v, n(v.least), true)
			try(v, n(v.most), true)
			try(v, n(v.most+1), false)
			if v.least > 0 {
				try(v, n(v.least-1), false)
			}
		case *intValue:
			w := intValue{new(int), math.MinInt, math.MaxInt}
			for n, ok := range map[int]bool{v.least: true, v.most: true, v.least - 1: false, v.most + 1: false} {
				*w.p = n
				try(v, w.text(), ok)
			}
		case *durationValue:
			try(v, "0s", true)
			try(v, "0", true)
			try(v, v.most.String(), true)
			try(v, (v.most + 1).String(), false)
			try(v, "-1ns", false)
		}
	}
	if tried < 100 {
		t.Error(tried)
	}
}

// What a value is read from and written as is the same value.
func FuzzValues(f *testing.F) {
	for _, s := range table() {
		for _, text := range samples(s) {
			f.Add(text)
		}
	}
	f.Add("1e3")
	f.Add("[::1%\x00]:1")
	f.Fuzz(func(t *testing.T, text string) {
		for _, s := range table() {
			var c Config
			v := s.bind(&c)
			if err := v.set(text); err != nil {
				if _, ok := err.(*fault); !ok || s.secret && len(text) > 3 && strings.Contains(err.Error(), text) {
					t.Fatalf("%s: %v", s.name, err)
				}
				continue
			}
			written := v.text()
			if s.secret {
				if strings.Contains(written, text) {
					t.Fatal("a secret is shown")
				}
				continue
			}
			if err := v.set(written); err != nil || v.text() != written {
				t.Fatalf("%s: %q is written as %q: %v", s.name, text, written, err)
			}
		}
	})
}
