package main

import (
	"bufio"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	"github.com/ringwood-kv/ringwood/cmd/internal/nodetest"
)

// documented is what METRICS.md says of each name: type, labels, meaning.
func documented(t *testing.T) map[string]string {
	t.Helper()
	f, err := os.Open("METRICS.md")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	all := map[string]string{}
	for s := bufio.NewScanner(f); s.Scan(); {
		cells := strings.Split(strings.Trim(s.Text(), "| "), " | ")
		name, ok := strings.CutPrefix(cells[0], "`ringwood_")
		if !ok || len(cells) < 3 { // a name in an expression is in the table of alarms
			continue
		}
		if name, ok = strings.CutSuffix(name, "`"); !ok {
			continue
		}
		// Without labels, the empty cell leaves a bar behind.
		kind, rest := cells[1], strings.Join(cells[2:], " | ")
		labels, help, found := strings.Cut(rest, " | ")
		if !found {
			labels, help = "", strings.TrimPrefix(rest, "| ")
		}
		if all["ringwood_"+name] != "" {
			t.Errorf("%s is there twice", name)
		}
		all["ringwood_"+name] = describe(kind, strings.Split(strings.NewReplacer("`", "", " ", "").Replace(labels), ","), help)
	}
	return all
}

func describe(kind string, labels []string, help string) string {
	labels = slices.DeleteFunc(labels, func(l string) bool { return l == "" || l == "le" })
	slices.Sort(labels)
	return fmt.Sprintf("%s %q %s", kind, slices.Compact(labels), help)
}

// shown is the same of what a node shows, read as Prometheus reads it.
func shown(body string) map[string]string {
	type family struct {
		kind, help string
		labels     []string
	}
	all := map[string]*family{}
	var now *family
	for line := range strings.SplitSeq(body, "\n") {
		if rest, ok := strings.CutPrefix(line, "# HELP "); ok {
			name, help, _ := strings.Cut(rest, " ")
			now = &family{help: strings.ReplaceAll(help, `\\`, `\`)}
			all[name] = now
		} else if rest, ok := strings.CutPrefix(line, "# TYPE "); ok {
			_, now.kind, _ = strings.Cut(rest, " ")
		} else if _, rest, ok := strings.Cut(line, "{"); ok && now != nil {
			labels, _, _ := strings.Cut(rest, "} ")
			for l := range strings.SplitSeq(labels, `",`) {
				name, _, _ := strings.Cut(l, "=")
				now.labels = append(now.labels, name)
			}
		}
	}
	texts := map[string]string{}
	for name, f := range all {
		texts[name] = describe(f.kind, f.labels, f.help)
	}
	return texts
}

// Every name that a node shows is documented as it is, and every documented name shown.
func TestMetricsAreDocumented(t *testing.T) {
	t.Parallel()
	p := nodetest.Start(t, nodetest.Options{})
	c := p.Dial(t)
	c.Want(t, "+OK", "SET a 1")
	c.Want(t, "-ERR", "INCR a b")
	if status, _ := p.Do(t, "GET", "/v1/buckets/available/keys/a", ""); status != 200 {
		t.Error(status)
	}
	if status, _ := p.Do(t, "MADEUP", "/made/up", ""); status != 404 {
		t.Error(status)
	}
	status, body := p.Get(t, "/metrics")
	if status != 200 {
		t.Fatal(status, body)
	}
	docs, node := documented(t), shown(body)
	for name, is := range node {
		if strings.HasPrefix(name, "go_") || strings.HasPrefix(name, "process_") {
			continue
		}
		if says := docs[name]; says != is {
			t.Errorf("%s is     %s\nMETRICS.md says %s", name, is, says)
		}
	}
	for name, says := range docs {
		if node[name] == "" {
			t.Errorf("%s is documented as %s, and not shown", name, says)
		}
	}
	if len(node) < 80 {
		t.Errorf("%d names: that is not a node", len(node))
	}
	if strings.Contains(body, "MADEUP") || strings.Contains(body, "made/up") {
		t.Error("a client made up a label")
	}
	problems, err := promlint.New(strings.NewReader(body)).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range problems {
		if strings.HasPrefix(x.Metric, "ringwood_") { // the others are the library's
			t.Errorf("%s: %s", x.Metric, x.Text)
		}
	}
}
