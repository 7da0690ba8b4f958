package resp

import (
	"fmt"
	"net"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"

	"github.com/ringwood-kv/ringwood/cluster/resp/internal/ascii"
	"github.com/ringwood-kv/ringwood/cluster/resp/internal/process"
)

// statBase is what CONFIG RESETSTAT takes for zero. The counters of Metrics go on.
type statBase struct {
	mu sync.Mutex
	m  Metrics
}

func (b *statBase) reset(m Metrics) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.m = m
}

func (b *statBase) get() Metrics {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.m
}

// info answers INFO [section ...].
func info(c *conn, args [][]byte) error {
	sections := c.srv.sections()
	var b strings.Builder
	for _, s := range sections {
		if !wanted(s.Name, args[1:]) {
			continue
		}
		if b.Len() > 0 {
			b.WriteString("\r\n")
		}
		fmt.Fprintf(&b, "# %s\r\n", s.Name)
		for _, f := range s.Fields {
			fmt.Fprintf(&b, "%s:%s\r\n", f.Name, f.Value)
		}
	}
	c.w.Verbatim("txt", []byte(b.String()))
	return nil
}

// wanted reports whether a section is asked for.
func wanted(name string, asked [][]byte) bool {
	if len(asked) == 0 {
		return true
	}
	for _, a := range asked {
		if ascii.EqualFold(a, name) || ascii.EqualFold(a, "default") || ascii.EqualFold(a, "all") || ascii.EqualFold(a, "everything") {
			return true
		}
	}
	return false
}

func (s *Server) sections() []Section {
	m, base := s.Metrics(), s.base.get()
	var mem runtime.MemStats
	runtime.ReadMemStats(&mem)
	up := int64(s.now().Sub(s.started).Seconds())
	resident, ok := process.Resident()
	if !ok {
		resident = mem.Sys // without what is kept off the Go heap
	}
	all := []Section{
		{"Server", []Field{
			{"redis_version", redisVersion},
			{"ringwood_version", s.opts.Version},
			{"redis_mode", "standalone"},
			{"os", runtime.GOOS + " " + runtime.GOARCH},
			{"arch_bits", strconv.Itoa(strconv.IntSize)},
			{"process_id", strconv.Itoa(os.Getpid())},
			{"run_id", s.opts.RunID},
			{"tcp_port", s.port()},
			{"uptime_in_seconds", fmt.Sprint(up)},
			{"uptime_in_days", fmt.Sprint(up / 86400)},
		}},
		{"Clients", []Field{
			{"connected_clients", fmt.Sprint(m.Clients)},
			{"cluster_connections", "0"},
			{"maxclients", fmt.Sprint(s.config.maxClients.Load())},
			{"blocked_clients", "0"},
			{"tracking_clients", "0"},
		}},
		{"Memory", []Field{
			{"used_memory", fmt.Sprint(mem.HeapAlloc)},
			{"used_memory_human", human(mem.HeapAlloc)},
			{"used_memory_rss", fmt.Sprint(resident)},
			{"maxmemory", "0"},
			{"maxmemory_policy", "noeviction"},
			{"mem_clients_normal", fmt.Sprint(m.Memory)},
		}},
		{"Persistence", []Field{
			{"loading", "0"},
			{"rdb_bgsave_in_progress", "0"},
			{"aof_enabled", "0"},
		}},
		{"Stats", []Field{
			{"total_connections_received", fmt.Sprint(m.Accepted - base.Accepted)},
			{"total_commands_processed", fmt.Sprint(m.Commands - base.Commands)},
			{"total_net_input_bytes", fmt.Sprint(m.BytesIn - base.BytesIn)},
			{"total_net_output_bytes", fmt.Sprint(m.BytesOut - base.BytesOut)},
			{"rejected_connections", fmt.Sprint(m.RejectedClients + m.RejectedAddr + m.RejectedUnauth - base.RejectedClients - base.RejectedAddr - base.RejectedUnauth)},
			{"total_error_replies", fmt.Sprint(m.Errors - base.Errors)},
			{"acl_access_denied_auth", fmt.Sprint(m.LoginFailures - base.LoginFailures)},
			{"acl_access_denied_cmd", fmt.Sprint(m.Denied - base.Denied)},
		}},
		{"Replication", []Field{
			{"role", "master"},
			{"connected_slaves", "0"},
		}},
		{"CPU", cpu()},
		{"Cluster", []Field{{"cluster_enabled", "0"}}},
		{"Keyspace", s.keyspace()},
	}
	if s.opts.Info == nil {
		return all
	}
	for _, more := range s.opts.Info() {
		all = merge(all, more)
	}
	return all
}

// cpu is the processor time of the process, where the system tells it.
func cpu() []Field {
	user, system, ok := process.CPU()
	if !ok {
		return nil
	}
	return []Field{{"used_cpu_sys", fmt.Sprintf("%.6f", system.Seconds())}, {"used_cpu_user", fmt.Sprintf("%.6f", user.Seconds())}}
}

// merge adds the fields of a section to the one of its name, or the section.
func merge(all []Section, more Section) []Section {
	for i := range all {
		if all[i].Name == more.Name {
			all[i].Fields = append(all[i].Fields, more.Fields...)
			return all
		}
	}
	return append(all, more)
}

// keyspace is a field for each database with keys. One that cannot be counted is left
// out.
func (s *Server) keyspace() (fields []Field) {
	for db := range s.opts.Databases {
		keys, expiring, err := s.store.Len(db, s.tick.Load())
		if err == nil && keys > 0 {
			fields = append(fields, Field{fmt.Sprintf("db%d", db), fmt.Sprintf("keys=%d,expires=%d,avg_ttl=0", keys, expiring)})
		}
	}
	return fields
}

// port is that of some TCP listener, 0 if there is none.
func (s *Server) port() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	for l := range s.listeners {
		if a, ok := l.Addr().(*net.TCPAddr); ok {
			return strconv.Itoa(a.Port)
		}
	}
	return "0"
}

// human writes a number of bytes as INFO does.
func human(n uint64) string {
	units, f := "BKMGTP", float64(n)
	for f >= 1024 && len(units) > 1 {
		f /= 1024
		units = units[1:]
	}
	return fmt.Sprintf("%.2f%c", f, units[0])
}
