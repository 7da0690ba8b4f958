package control

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestMain(m *testing.M) {
	RunIfChild()
	os.Exit(m.Run())
}

// A real second process writes and syncs, answers at the end, and cleans up.
func TestProcess(t *testing.T) {
	dir := t.TempDir()
	m, err := Start(dir)
	if err != nil {
		t.Fatal(err)
	}
	time.Sleep(300 * time.Millisecond)
	r, err := m.Stop()
	if err != nil {
		t.Fatal(err)
	}
	if r.Writes < 2 || r.Mean <= 0 || r.Longest < r.Mean {
		t.Errorf("%+v", r)
	}
	for _, p := range r.Pauses {
		if p.Duration() < tellFrom || p.Duration() > r.Longest || time.Since(p.Start) > time.Minute {
			t.Errorf("pause %v from %v", p.Duration(), p.Start)
		}
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestBadDirectoryIsAnError(t *testing.T) {
	m, err := Start(filepath.Join(t.TempDir(), "none"))
	if err == nil {
		_, err = m.Stop()
	}
	if err == nil || !strings.Contains(err.Error(), "none") {
		t.Errorf("%v", err)
	}
}

func TestAProcessThatDiesIsAnError(t *testing.T) {
	m, err := Start(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	m.cmd.Process.Kill()
	if _, err := m.Stop(); err == nil || !strings.Contains(err.Error(), "ended early") {
		t.Errorf("%v", err)
	}
}

// What the child says is what the parent understands.
func TestMessages(t *testing.T) {
	var lines strings.Builder
	out := json.NewEncoder(&lines)
	out.Encode(message{Start: 5e9, Duration: 2e6})
	out.Encode(message{Start: 6e9, Duration: 11e6, Stolen: 20e6})
	out.Encode(message{Writes: 4, Total: 8e6, Longest: 3e6})
	m := &Monitor{}
	if err := m.listen(strings.NewReader(lines.String())); err != nil {
		t.Fatal(err)
	}
	if r := m.report; r.Writes != 4 || r.Mean != 2*time.Millisecond || r.Longest != 3*time.Millisecond ||
		len(r.Pauses) != 1 || r.Pauses[0].Duration() != 2*time.Millisecond || r.Pauses[0].Start.Unix() != 5 {
		t.Errorf("%+v", r)
	}
	if list := m.report.Thefts; len(list) != 1 || list[0].Stolen != 20*time.Millisecond ||
		list[0].Start.Unix() != 6 || list[0].End.Sub(list[0].Start) != 11*time.Millisecond {
		t.Errorf("%+v", list)
	}
	for _, bad := range []string{"nonsense\n", `{"error":"disk gone"}`, ""} {
		if err := new(Monitor).listen(strings.NewReader(bad)); err == nil {
			t.Errorf("%q was understood", bad)
		}
	}
}

func TestShared(t *testing.T) {
	at := func(ms int) time.Time { return time.Unix(100, 0).Add(time.Duration(ms) * time.Millisecond) }
	defer func(n int) { processors = n }(processors)
	processors = 2
	r := Report{
		Pauses: []Pause{{at(100), at(140)}, {at(500), at(505)}},
		Thefts: []Theft{{at(800), at(810), 10 * time.Millisecond}, {at(810), at(821), 20 * time.Millisecond}},
	}
	for _, c := range []struct {
		from, to int
		longest  time.Duration
		want     bool
	}{
		{110, 190, 80 * time.Millisecond, true},
		{110, 200, 90 * time.Millisecond, false}, // twice as long as the control's and more
		{140, 200, 60 * time.Millisecond, false}, // afterwards
		{0, 100, 20 * time.Millisecond, false},   // before
		{499, 560, 60 * time.Millisecond, false}, // 5 ms explain nothing
		{805, 835, 30 * time.Millisecond, true},  // 30 ms were stolen of two processors
		{805, 841, 36 * time.Millisecond, false}, // not half of that time
		{821, 840, 10 * time.Millisecond, false}, // none any more
	} {
		if got := r.Shared(at(c.from), at(c.to), c.longest); got != c.want {
			t.Errorf("%+v: %v", c, got)
		}
	}
}

func TestQuiet(t *testing.T) {
	at := func(ms int) time.Time { return time.Unix(100, 0).Add(time.Duration(ms) * time.Millisecond) }
	defer func(n int) { processors = n }(processors)
	processors = 2
	r := Report{Pauses: []Pause{{at(100), at(140)}, {at(500), at(503)}}, Thefts: []Theft{{at(800), at(810), 10 * time.Millisecond}}}
	for _, c := range []struct {
		from, to int
		want     bool
	}{
		{0, 100, true}, {0, 101, false}, {139, 200, false}, {140, 800, true}, {700, 801, false}, {810, 900, true}, {540, 1060, true}, // 10 ms in half a second
	} {
		if got := r.Quiet(at(c.from), at(c.to), 5*time.Millisecond); got != c.want {
			t.Errorf("%+v: %v", c, got)
		}
	}
}
