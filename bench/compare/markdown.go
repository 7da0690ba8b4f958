package compare

import (
	"fmt"
	"io"
	"strings"
)

// WriteMarkdown writes the table of the subject and the best peers in Markdown, for
// documents: what WriteTable has under BEST PEER.
func WriteMarkdown(w io.Writer, a *Analysis) error {
	subject := a.Comparison.Config.Subject
	t := &table{a: a}
	cells := func(list ...string) { t.line("| %s |", strings.Join(list, " | ")) }
	cells("workload (threads)", subject+" ops/s", "best peer", "ratio to it", "", "goal", "settled", "CPU", "written", "disk", "RSS MiB")
	t.line("|---|---:|---|---:|---|---:|---:|---:|---:|---:|---:|")
	group := ""
	for _, row := range a.Rows {
		d, ok := a.Duel(row)
		if !ok {
			continue
		}
		if row.Group != group {
			group = row.Group
			cells("**"+group+"**", strings.Repeat("| ", 8))
		}
		cells(row.String(), d.OpsPerSecond, row.Best, d.Ratio, string(d.Verdict), d.Wanted, d.Settled, d.CPU, d.Written, d.Disk, d.Memory)
	}
	t.line("\nratio: the median of the paired ratios of ops/s, and their interval. settled: the ratio with the time of flushes and compactions that were left to do.")
	t.line("CPU: the peer's CPU time for an operation by that of %s. written, disk: bytes for each user byte, by the operating system, %s/peer. RSS: peak.", subject, subject)
	t.servers()
	_, err := fmt.Fprint(w, t.String())
	return err
}
