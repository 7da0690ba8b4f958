package compaction

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/ringwood-kv/ringwood/lsm/internal/base"
	"github.com/ringwood-kv/ringwood/lsm/internal/manifest"
	"github.com/ringwood-kv/ringwood/lsm/internal/rangedel"
)

var update = flag.Bool("update", false, "write what the picker says into testdata")

// stage interprets a transcript. Commands:
//
//	tree                                    begin a new tree
//	options trigger=4 max=8 …               (memtable target base min ratio trigger max limit)
//	L0 12 a-f size=10 seq=5-9 del=3 …       a table; f) for an exclusive bound, a-) for none
//	tombstone 12 a-f@9                      a range tombstone of table 12
//	blob 90 100                             a blob file with 100 bytes of values
//	uses 12 90=40 91=5                      table 12 needs so many bytes of blob files
//	pick [idle] [snapshot=5] [now=7] [bad=90] what to do
//	start                                   what was picked last is under way from here on
//	end                                     everything under way has ended, without effect
//	manual a z                              the next step of compacting [a, z)
//	scores, debt                            as they are
//
// Lines with "= " are answers.
type stage struct {
	t       *testing.T
	o       Options
	levels  [base.NumLevels][]*manifest.FileMeta
	dels    map[base.FileNum][]rangedel.Tombstone
	blobs   []*manifest.BlobMeta
	last    *Compaction
	running []*Compaction
}

func TestTranscripts(t *testing.T) {
	names, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(names) == 0 {
		t.Fatal("no transcripts", err)
	}
	for _, name := range names {
		t.Run(filepath.Base(name), func(t *testing.T) {
			b, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			text := strings.ReplaceAll(string(b), "\r\n", "\n")
			got := play(t, text)
			if *update {
				if err := os.WriteFile(name, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			g, w := strings.Split(got, "\n"), strings.Split(text, "\n")
			for i := range max(len(g), len(w)) {
				if i >= len(g) || i >= len(w) || g[i] != w[i] {
					t.Fatalf("line %d differs; the picker's transcript:\n%s", i+1, got)
				}
			}
		})
	}
}

func play(t *testing.T, text string) string {
	var out strings.Builder
	s := &stage{t: t}
	s.reset()
	for line := range strings.SplitSeq(strings.TrimRight(text, "\n"), "\n") {
		if strings.HasPrefix(line, "= ") {
			continue
		}
		out.WriteString(line + "\n")
		f := strings.Fields(line)
		if len(f) == 0 || strings.HasPrefix(f[0], "#") {
			continue
		}
		if answer := s.do(f); answer != "" {
			out.WriteString("= " + answer + "\n")
		}
	}
	return out.String()
}

func (s *stage) reset() {
	*s = stage{t: s.t, dels: map[base.FileNum][]rangedel.Tombstone{}}
	s.o = Options{MemtableSize: 100, TargetFileSize: 50, BaseLevelBytes: 1000, MinBaseBytes: 100, MaxBytes: 1000}
}

func (s *stage) do(f []string) string {
	switch f[0] {
	case "tree":
		s.reset()
	case "options":
		for _, a := range f[1:] {
			k, n := s.number(a)
			switch k {
			case "memtable":
				s.o.MemtableSize = n
			case "target":
				s.o.TargetFileSize = n
			case "base":
				s.o.BaseLevelBytes = n
			case "min":
				s.o.MinBaseBytes = n
			case "limit":
				s.o.MaxBytes = n
			case "ratio":
				s.o.Multiplier = int(n)
			case "trigger":
				s.o.L0Trigger = int(n)
			case "max":
				s.o.L0Max = int(n)
			}
		}
	case "tombstone":
		bounds, seq, _ := strings.Cut(f[2], "@")
		lo, hi, _ := strings.Cut(bounds, "-")
		d := rangedel.Tombstone{Start: []byte(lo), Seq: base.SeqNum(s.atoi(seq))}
		if hi != "" {
			d.End = []byte(hi)
		}
		num := base.FileNum(s.atoi(f[1]))
		s.dels[num] = append(s.dels[num], d)
	case "blob":
		n := int64(s.atoi(f[2]))
		s.blobs = append(s.blobs, &manifest.BlobMeta{Num: base.FileNum(s.atoi(f[1])), Size: n, Values: 1, Bytes: n})
	case "uses":
		m := s.find(base.FileNum(s.atoi(f[1])))
		for _, a := range f[2:] {
			num, n := s.number(a)
			m.Blobs = append(m.Blobs, manifest.BlobUse{File: base.FileNum(s.atoi(num)), Values: 1, Bytes: n})
		}
	case "start":
		s.running = append(s.running, s.last)
	case "end":
		s.running = nil
	case "pick":
		s.last = Pick(s.version(), s.o, s.env(f[1:]))
		return s.answer()
	case "manual":
		m := Manual{Lo: []byte(f[1]), Hi: []byte(f[2]), UpTo: base.SeqNumMax}
		c, done := m.Next(s.version(), s.o, s.env(f[3:]))
		if s.last = c; done {
			return "done"
		}
		return s.answer()
	case "scores":
		return fmt.Sprintf("%.2f", Scores(s.version(), s.o))
	case "debt":
		return fmt.Sprint(Debt(s.version(), s.o))
	default:
		s.table(f)
	}
	return ""
}

// answer is what was picked last.
func (s *stage) answer() string {
	a := s.last.String()
	if s.last != nil && s.last.Condemned != nil {
		a += fmt.Sprint(", out of ", slices.Sorted(maps.Keys(s.last.Condemned)))
	}
	return a
}

func (s *stage) find(num base.FileNum) *manifest.FileMeta {
	for _, files := range s.levels {
		for _, m := range files {
			if m.Num == num {
				return m
			}
		}
	}
	s.t.Fatalf("there is no table %d", num)
	return nil
}

func (s *stage) env(args []string) Env {
	e := Env{Running: s.running, OldestSnapshot: base.SeqNumMax}
	e.Tombstones = func(f *manifest.FileMeta) []rangedel.Tombstone { return rangedel.Envelope(s.dels[f.Num]) }
	for _, a := range args {
		if a == "idle" {
			e.Idle = true
			continue
		}
		switch k, n := s.number(a); k {
		case "snapshot":
			e.OldestSnapshot = base.SeqNum(n)
		case "now":
			e.Now = n
		case "bad":
			e.Busy = func(num base.FileNum) bool { return num == base.FileNum(n) }
		}
	}
	return e
}

func (s *stage) table(f []string) {
	level := s.atoi(strings.TrimPrefix(f[0], "L"))
	num := base.FileNum(s.atoi(f[1]))
	lo, hi, _ := strings.Cut(f[2], "-")
	m := &manifest.FileMeta{Num: num, File: num, Smallest: []byte(lo), Size: 50, Entries: 100}
	m.Largest = []byte(strings.TrimSuffix(hi, ")"))
	m.LargestExclusive = strings.HasSuffix(hi, ")")
	if level == 0 {
		m.SmallestSeq, m.LargestSeq = base.SeqNum(num*10), base.SeqNum(num*10+9)
	}
	for _, a := range f[3:] {
		k, n := s.number(a)
		switch k {
		case "size":
			m.Size = n
		case "seq":
			m.SmallestSeq, m.LargestSeq = base.SeqNum(n), base.SeqNum(n)
			if _, to, ok := strings.Cut(a, "-"); ok {
				m.LargestSeq = base.SeqNum(s.atoi(to))
			}
		case "del":
			m.Deletes = uint64(n)
		case "rangedel":
			m.RangeDels = uint64(n)
		case "ttl":
			m.TTLs = uint64(n)
		case "expire":
			m.MinExpiry = n
			_, to, _ := strings.Cut(a, "-")
			m.MaxExpiry = int64(s.atoi(to))
		}
	}
	s.levels[level] = append(s.levels[level], m)
}

func (s *stage) version() *manifest.Version {
	var levels [base.NumLevels][]*manifest.FileMeta
	for l := range levels {
		levels[l] = append(levels[l], s.levels[l]...)
	}
	v, err := manifest.NewVersion(levels, s.blobs...)
	if err != nil {
		s.t.Fatal(err)
	}
	return v
}

// number splits key=5 and key=5-9, of which it takes the first number.
func (s *stage) number(a string) (string, int64) {
	k, v, ok := strings.Cut(a, "=")
	if !ok {
		s.t.Fatalf("what is %q?", a)
	}
	v, _, _ = strings.Cut(v, "-")
	return k, int64(s.atoi(v))
}

func (s *stage) atoi(v string) int {
	n, err := strconv.Atoi(v)
	if err != nil {
		s.t.Fatal(err)
	}
	return n
}
