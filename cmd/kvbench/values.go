package main

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/ringwood-kv/ringwood/bench/engine"
)

// Flag values that pflag does not have. Each is read as a person writes it.

// byteSize is a number of bytes: 4096, 64KiB, 256MiB, 1.5GB.
type byteSize int64

var sizeUnits = []struct {
	name  string
	bytes float64
}{
	{"kib", 1 << 10}, {"mib", 1 << 20}, {"gib", 1 << 30}, {"tib", 1 << 40},
	{"kb", 1e3}, {"mb", 1e6}, {"gb", 1e9}, {"tb", 1e12},
	{"k", 1 << 10}, {"m", 1 << 20}, {"g", 1 << 30}, {"b", 1},
}

func (b *byteSize) Set(s string) error {
	text, unit := strings.ToLower(strings.TrimSpace(s)), 1.0
	for _, u := range sizeUnits {
		if rest, ok := strings.CutSuffix(text, u.name); ok {
			text, unit = strings.TrimSpace(rest), u.bytes
			break
		}
	}
	v, err := strconv.ParseFloat(text, 64)
	if err != nil || v < 0 || v*unit > math.MaxInt64/2 || v != v {
		return fmt.Errorf("write a size like 4096, 64KiB or 256MiB")
	}
	*b = byteSize(v * unit)
	return nil
}

func (b *byteSize) Type() string { return "SIZE" }

func (b *byteSize) String() string {
	n := int64(*b)
	if n == 0 {
		return ""
	}
	for _, u := range []struct {
		name string
		n    int64
	}{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}} {
		if n%u.n == 0 {
			return strconv.FormatInt(n/u.n, 10) + u.name
		}
	}
	return strconv.FormatInt(n, 10)
}

// count is a number of things: 5000000, 5_000_000, 5M, 100k.
type count int64

func (c *count) Set(s string) error {
	text, unit := strings.ToLower(strings.ReplaceAll(strings.ReplaceAll(s, "_", ""), ",", "")), 1.0
	for suffix, n := range map[string]float64{"k": 1e3, "m": 1e6, "g": 1e9} {
		if rest, ok := strings.CutSuffix(text, suffix); ok {
			text, unit = rest, n
		}
	}
	v, err := strconv.ParseFloat(text, 64)
	if err != nil || v < 0 || v*unit > math.MaxInt64/2 || v*unit != math.Trunc(v*unit) {
		return fmt.Errorf("write a number like 5000000, 5M or 100k")
	}
	*c = count(v * unit)
	return nil
}

func (c *count) Type() string { return "N" }

func (c *count) String() string {
	if *c == 0 {
		return ""
	}
	return strconv.FormatInt(int64(*c), 10)
}

// rate is a number of operations a second, or a share of the capacity.
type rate struct{ perSecond, share float64 }

func (r *rate) Set(s string) error {
	if text, ok := strings.CutSuffix(s, "%"); ok {
		v, err := strconv.ParseFloat(text, 64)
		if err != nil || !(v > 0 && v <= 1000) {
			return fmt.Errorf("write a share of the capacity like 70%%")
		}
		*r = rate{share: v / 100}
		return nil
	}
	var c count
	if err := c.Set(s); err != nil || c == 0 {
		return fmt.Errorf("write operations a second, like 50000 or 50k, or a share of the capacity, like 70%%")
	}
	*r = rate{perSecond: float64(c)}
	return nil
}

func (r *rate) Type() string { return "N|P%" }

func (r *rate) String() string {
	switch {
	case r.share > 0:
		return fmt.Sprintf("%g%%", r.share*100)
	case r.perSecond > 0:
		return fmt.Sprintf("%g", r.perSecond)
	}
	return ""
}

// durability is an engine.Durability by its name.
type durability struct{ engine.Durability }

func (d *durability) Set(s string) (err error) {
	d.Durability, err = engine.ParseDurability(s)
	return err
}

func (d *durability) Type() string { return "sync|os|none" }
