package resp

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/ringwood-kv/ringwood/bench/engine"
)

// info is what INFO says: fields by their names.
type info map[string]string

func parseInfo(text string) info {
	fields := make(info)
	for line := range strings.Lines(text) {
		if name, value, ok := strings.Cut(strings.TrimRight(line, "\r\n"), ":"); ok && !strings.HasPrefix(line, "#") {
			fields[name] = value
		}
	}
	return fields
}

// whole returns a field that is a number, nil if it is not there.
func (f info) whole(name string) *int64 {
	n, err := strconv.ParseInt(f[name], 10, 64)
	if err != nil || n < 0 {
		return nil
	}
	return &n
}

// longest is more seconds of processor time than a server has ever used.
const longest = 1e9

// seconds returns the sum of fields in seconds, nil if one is not there.
func (f info) seconds(names ...string) *time.Duration {
	var sum time.Duration
	for _, name := range names {
		s, err := strconv.ParseFloat(f[name], 64)
		if err != nil || !(s >= 0 && s < longest) {
			return nil
		}
		sum += time.Duration(s * float64(time.Second))
	}
	return &sum
}

// info asks for INFO. Where a server refuses it, nothing is known, which is no error.
func (d *direct) info() (fields info, text string, err error) {
	rep, err := d.ask("INFO")
	var refused *ReplyError
	switch {
	case errors.As(err, &refused):
		return nil, "", nil
	case err != nil:
		return nil, "", err
	case rep.mark != '$' || rep.null:
		return nil, "", broken("the reply to INFO is no text")
	}
	return parseInfo(string(rep.data)), string(rep.data), nil
}

// programs are the fields that name one beside Redis, which all of them claim to be.
var programs = []string{"ringwood", "valkey", "keydb", "dragonfly", "kvrocks", "garnet"}

// told are the settings of Redis that its figures depend on most.
var told = []string{"appendonly", "appendfsync", "save", "io-threads", "maxmemory"}

// identify finds out which program the server is.
func (s *store) identify(d *direct) error {
	f, _, err := d.info()
	if err != nil {
		return err
	}
	if f["loading"] == "1" {
		return errors.New("the server is loading its data: try again when it is done")
	}
	s.identity = engine.Identity{Address: s.remote.URL, Name: "unknown server", Run: f["run_id"], Database: strings.TrimPrefix(s.url.Path, "/")}
	if v := f["redis_version"]; v != "" {
		s.identity.Name, s.identity.Version = "redis", v
	}
	for _, name := range programs {
		if v, ok := f[name+"_version"]; ok {
			s.identity.Name, s.identity.Version = name, v
		}
	}
	if s.identity.Name == "ringwood" {
		s.ringwood(f)
	}
	if s.identity.Name == "redis" || s.identity.Name == "valkey" || s.identity.Name == "keydb" {
		s.identity.Settings, err = d.settings()
	}
	return err
}

// ringwood reads what a node of Ringwood says beyond Redis: its databases are buckets, which
// are reached by other protocols too.
func (s *store) ringwood(f info) {
	db, _ := strconv.Atoi(s.identity.Database)
	at := func(list string) string {
		if all := strings.Split(list, ","); db < len(all) {
			return all[db]
		}
		return ""
	}
	if id, bucket := f["ringwood_node_id"], at(f["databases"]); id != "" && bucket != "" {
		s.identity.Run, s.identity.Database = id, bucket
	}
	if d := at(f["durabilities"]); d != "" {
		s.identity.Settings = "durability " + d
	}
	if memory := f.whole("engine_memory_budget"); memory != nil {
		s.identity.Settings = strings.TrimPrefix(fmt.Sprintf("%s, memory %d MiB", s.identity.Settings, *memory>>20), ", ")
	}
}

// settings asks for those that are told, as far as it may.
func (d *direct) settings() (string, error) {
	var parts []string
	for _, name := range told {
		rep, err := d.ask("CONFIG", []byte("GET"), []byte(name))
		var refused *ReplyError
		switch {
		case errors.As(err, &refused):
			return "", nil
		case err != nil:
			return "", err
		}
		if len(rep.list) == 2 && rep.list[0] == name {
			parts = append(parts, fmt.Sprintf("%s %s", name, strconv.Quote(rep.list[1])))
		}
	}
	return strings.ReplaceAll(strings.Join(parts, ", "), `"`, "'"), nil
}

// Stats has nothing but the text of INFO.
func (s *store) Stats() engine.Stats {
	var text string
	if s.with(s.remote.Timeout, func(d *direct) (err error) {
		_, text, err = d.info()
		return err
	}) != nil {
		return engine.Stats{}
	}
	return engine.Stats{Text: strings.ReplaceAll(text, "\r\n", "\n")}
}

func (s *store) Usage() (u engine.Usage, err error) {
	err = s.with(s.remote.Timeout, func(d *direct) error {
		f, _, err := d.info()
		u = f.usage()
		return err
	})
	return u, err
}

func (f info) usage() engine.Usage {
	return engine.Usage{
		User: f.seconds("used_cpu_user"), System: f.seconds("used_cpu_sys"), Resident: f.whole("used_memory_rss"),
	}
}

const (
	restTick  = 100 * time.Millisecond
	restShare = 0.05 // of a processor, below which a server rests
	restTimes = 3    // ticks in a row
	// restLimit is how long a server may go on working after the last write.
	restLimit = 30 * time.Minute
)

// Settle waits until the server uses hardly any processor time and writes no snapshot and
// no log anew, by its INFO.
func (s *store) Settle(ctx context.Context) (rested time.Duration, err error) {
	err = s.with(s.remote.Timeout, func(d *direct) error {
		rested, err = settle(ctx, d)
		return err
	})
	return rested, err
}

func settle(ctx context.Context, d *direct) (rested time.Duration, err error) {
	start := time.Now()
	last, at := time.Duration(0), start
	var since time.Time
	for quiet := -1; ; { // the first look only says where the server stands
		f, _, err := d.info()
		if err != nil {
			return 0, err
		}
		cpu := f.usage().CPU()
		if cpu == nil {
			return 0, engine.ErrUntold
		}
		now := time.Now()
		busy := float64(*cpu-last) > restShare*float64(now.Sub(at)) || f["rdb_bgsave_in_progress"] == "1" || f["aof_rewrite_in_progress"] == "1"
		switch {
		case quiet < 0:
			quiet = 0
		case busy:
			quiet = 0
		default:
			if quiet == 0 {
				since = at
			}
			quiet++
		}
		last, at = *cpu, now
		switch {
		case quiet == restTimes:
			return time.Since(since), nil
		case now.Sub(start) > restLimit:
			return 0, fmt.Errorf("the server did not come to rest in %v: it used more than %.0f%% of a processor, or wrote a snapshot or its log anew", restLimit, restShare*100)
		}
		select {
		case <-ctx.Done():
			return 0, ctx.Err()
		case <-time.After(restTick):
		}
	}
}
