package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/ringwood-kv/ringwood/cluster"
	"github.com/ringwood-kv/ringwood/cluster/replica"
	"github.com/ringwood-kv/ringwood/cmd/internal/version"
	"github.com/ringwood-kv/ringwood/cmd/kvnode/internal/config"
	"github.com/ringwood-kv/ringwood/cmd/kvnode/internal/notify"
	"github.com/ringwood-kv/ringwood/lsm"
)

// Exit statuses, fixed for scripts.
const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 2
)

func main() {
	signal.Ignore(syscall.SIGPIPE) // whoever reads the log may go away
	os.Exit(run(os.Args[1:], os.Environ(), os.Stdout, os.Stderr, newSignals()))
}

// signals is what the process is asked for. What does not fit into a channel is lost, so
// that those to stop have one of their own: others may ask to reload without end.
type signals struct{ stop, reload chan os.Signal }

func newSignals() signals {
	s := signals{make(chan os.Signal, 2), make(chan os.Signal, 1)}
	signal.Notify(s.stop, os.Interrupt, syscall.SIGTERM)
	signal.Notify(s.reload, syscall.SIGHUP)
	return s
}

// run is the life of the process. It returns the exit status; a process that gets it
// ends, whatever goroutines there are.
func run(args, env []string, stdout, stderr io.Writer, asked signals) int {
	in := config.Input{Args: args, Env: env, Files: config.OS{}}
	loaded, err := config.Load(in)
	switch loaded.Action {
	case config.Help:
		return status(config.WriteHelp(stdout), stderr)
	case config.Version:
		fmt.Fprintln(stdout, version.Line("kvnode"))
		return exitOK
	}
	problems := problemsOf(loaded, err)
	switch {
	case loaded.Action == config.Check:
		return check(loaded, problems, stdout, stderr)
	case len(problems) > 0:
		fmt.Fprintf(stderr, "kvnode: %v\n", problems)
		return exitUsage
	case loaded.Action == config.Print:
		return status(loaded.Print(stdout), stderr)
	}
	log, level := newLog(loaded, stderr)
	for _, w := range loaded.Warnings {
		log.Warn(w)
	}
	p := &program{in: in, log: log, level: level, stdout: stdout, stderr: stderr, systemd: notify.FromEnv(env), files: openFiles(), bar: newBar(stderr)}
	p.loaded.Store(loaded)
	p.tellConnections()
	return p.run(asked)
}

// problemsOf is all that is wrong with the settings. Whether there are users is known
// when the store is open; until then they are taken for granted.
func problemsOf(l *config.Loaded, err error) (problems config.Problems) {
	errors.As(err, &problems)
	return append(problems, config.Unsafe(&l.Config, true)...)
}

func check(l *config.Loaded, problems config.Problems, stdout, stderr io.Writer) int {
	for _, w := range l.Warnings {
		fmt.Fprintln(stderr, "kvnode:", w)
	}
	if len(problems) > 0 {
		fmt.Fprintf(stderr, "kvnode: %v\n", problems)
		return exitFailed
	}
	fmt.Fprintln(stdout, "The settings are fine. Whether the store can be opened, and has users, shows at the start.")
	return exitOK
}

func status(err error, stderr io.Writer) int {
	if err != nil {
		fmt.Fprintln(stderr, "kvnode:", err)
		return exitFailed
	}
	return exitOK
}

// tellConnections says that there are fewer than are set. Of the default, which is meant
// for servers, that is no surprise.
func (p *program) tellConnections() {
	l := p.loaded.Load()
	n := connections(&l.Config, p.files)
	if n == l.MaxConnections {
		return
	}
	level := slog.LevelWarn
	if l.Source("max-connections").Origin == config.Default {
		level = slog.LevelInfo
	}
	p.log.Log(context.Background(), level, "max-connections is lowered, so that the store has files too: raise the limit of open files (ulimit -n, LimitNOFILE of systemd) for more",
		"connections", n, "max-connections", l.MaxConnections, "files", p.files)
}

// opened is what cluster.Open returned.
type opened struct {
	node *cluster.Node
	err  error
}

// run opens the store, serves, and stops.
func (p *program) run(asked signals) int {
	defer p.stopProfiles()
	if err := p.startProfiles(); err != nil {
		p.log.Error("profiles cannot be served", "err", err)
		return exitFailed
	}
	done := make(chan opened, 1)
	go func() {
		n, err := p.open()
		done <- opened{n, err}
	}()
	var node *cluster.Node
	for node == nil {
		select {
		case <-asked.reload:
			p.log.Warn("settings are not read again before the store is open")
		case s := <-asked.stop:
			// Nobody was served, and what Open does can be interrupted anywhere: it is
			// what happens when power fails.
			p.bar.clear()
			p.log.Info("stopped before the store was open; the next start opens it from the beginning", "signal", s.String())
			return exitOK
		case o := <-done:
			p.bar.clear()
			if o.err != nil {
				return p.openFailed(o.err)
			}
			node = o.node
		}
	}
	return p.serve(node, asked)
}

// openFailed says why there is no node.
func (p *program) openFailed(err error) int {
	if errors.Is(err, cluster.ErrUnsafe) {
		// The same in the names of the settings.
		if problems := config.Unsafe(&p.loaded.Load().Config, false); len(problems) > 0 {
			err = config.Problems(problems)
		}
		p.log.Error("the node does not listen where others could do what they like", "err", err)
		return exitUsage
	}
	args := []any{"err", err}
	if next := advice(err, p.options().Dir); next != "" {
		args = append(args, "next", next)
	}
	p.log.Error("the node cannot start", args...)
	if errors.Is(err, cluster.ErrOptions) {
		return exitUsage
	}
	return exitFailed
}

// advice says what to do about an error of opening the store in dir, in the names of the
// settings, where its text does not.
func advice(err error, dir string) string {
	var listen *net.OpError
	var file *fs.PathError
	info, _ := os.Stat(dir)
	switch {
	case errors.As(err, &listen) && listen.Op == "listen":
		return "choose another address by --resp-addr or --http-addr, or end who has this one"
	case errors.Is(err, lsm.ErrLocked):
		return "choose another directory by --data-dir, or stop the other process"
	case errors.Is(err, lsm.ErrCorruption), errors.Is(err, lsm.ErrNoSpace):
		return "" // they say it themselves
	case errors.Is(err, replica.ErrFormat):
		return "choose another directory by --data-dir: this one has other files, or is of another program or version"
	case info != nil && !info.IsDir(), errors.As(err, &file) && (file.Path == dir || strings.HasPrefix(file.Path, dir+string(filepath.Separator))):
		return "choose a directory by --data-dir in which the user of kvnode can write"
	case errors.Is(err, fs.ErrPermission):
		return "let the user of kvnode read the file"
	}
	return ""
}

// serve answers clients until a signal or a failed listener ends that.
func (p *program) serve(n *cluster.Node, asked signals) int {
	served := make(chan error, 1)
	go func() { served <- n.Serve() }()
	p.systemd.Ready("serving")
	stopWatchdog := p.systemd.Watch(func() bool { return len(n.Live()) == 0 })
	defer stopWatchdog()
	defer p.limitHeap(n)()
	p.hello(n)

	code := exitOK
	for stopping := false; !stopping; {
		select {
		case <-asked.reload:
			p.reload(n)
		case s := <-asked.stop:
			p.log.Info("a signal asks to stop; a second one stops at once", "signal", s.String())
			stopping = true
		case err := <-served:
			p.log.Error("serving has failed", "err", err)
			code, stopping = exitFailed, true
		}
	}
	p.systemd.Stopping(p.loaded.Load().ShutdownGrace + closing)
	stopped := make(chan error, 1)
	go func() { stopped <- p.shutdown(n) }()
	select {
	case s := <-asked.stop:
		p.log.Warn("stopped at once: what was acknowledged is as durable as its bucket promises", "signal", s.String())
		return exitFailed
	case err := <-stopped:
		switch {
		case onlyLate(err):
			p.log.Warn("some clients did not get their answers within shutdown-grace; the store is closed in order", "err", err)
		case err != nil:
			p.log.Error("the store was not closed in order: what was acknowledged is as durable as its bucket promises", "err", err)
			code = exitFailed
		}
	}
	return code
}

// onlyLate reports whether nothing went wrong but that clients had to be cut off.
func onlyLate(err error) bool {
	if all, ok := err.(interface{ Unwrap() []error }); ok { // of errors.Join
		for _, e := range all.Unwrap() {
			if !errors.Is(e, context.DeadlineExceeded) {
				return false
			}
		}
		return true
	}
	return errors.Is(err, context.DeadlineExceeded)
}

// shutdown gives requests that are under way their time.
func (p *program) shutdown(n *cluster.Node) error {
	grace := p.loaded.Load().ShutdownGrace
	if grace == 0 {
		return n.Close()
	}
	ctx, cancel := context.WithTimeout(context.Background(), grace)
	defer cancel()
	return n.Shutdown(ctx)
}

// reload reads the settings again and changes what can be changed while the node runs.
func (p *program) reload(n *cluster.Node) {
	old := p.loaded.Load()
	next, err := config.Load(p.in)
	if problems := problemsOf(next, err); len(problems) > 0 {
		p.log.Error("the settings were read again and are wrong; those of before are used", "err", problems)
		return
	}
	now, changes := config.Reload(old, next)
	if err := p.apply(n, now); err != nil {
		p.log.Error("the settings were read again and are not possible; those of before are used", "err", err)
		return
	}
	p.loaded.Store(now)
	for _, w := range now.Warnings {
		p.log.Warn(w)
	}
	for _, c := range changes {
		if c.Restart {
			p.log.Warn("a setting has changed that takes effect at the next start", "setting", c.Name, "from", c.From, "to", c.To)
		} else {
			p.log.Info("a setting has changed", "setting", c.Name, "from", c.From, "to", c.To)
		}
	}
	if err := n.ReloadTLS(); err != nil {
		p.log.Error("certificates cannot be read again; those of before are used", "err", err)
	}
	p.log.Info("the settings were read again", "changes", len(changes), "file", now.File)
}

// apply changes a running node.
func (p *program) apply(n *cluster.Node, l *config.Loaded) error {
	if err := n.Tune(p.tuning(&l.Config)); err != nil {
		return err
	}
	if p.api != nil {
		if err := p.api.Apply(apiSettings(&l.Config)); err != nil {
			return errors.Join(err, n.Tune(p.tuning(&p.loaded.Load().Config)))
		}
	}
	p.level.Set(logLevel(l.LogLevel))
	return nil
}

// progressOf shows how far opening is: a line on a terminal, otherwise in the log now and
// then.
func (p *program) progressOf(x cluster.Progress) {
	p.bar.show(x)
	now := time.Now()
	if now.Sub(p.said) < sayEvery {
		return
	}
	p.said = now
	text := progressText(x)
	// More time, as long as there is progress: systemd would take a large log for a
	// process that hangs.
	p.systemd.Starting(text, 2*sayEvery+time.Minute)
	if !p.bar.shown() && x.Elapsed > sayEvery {
		p.log.Info("opening the store: "+text, slog.Int64("done", x.Done), slog.Int64("total", x.Total))
	}
}

// closing is how long closing the store may take before systemd ends the process.
const closing = 2 * time.Minute

// sayEvery is how often progress is told where it is not a line of its own.
const sayEvery = 5 * time.Second
