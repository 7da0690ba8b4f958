package session

import (
	"github.com/ringwood-kv/ringwood/bench/engine"
	"github.com/ringwood-kv/ringwood/bench/report"
	"github.com/ringwood-kv/ringwood/bench/workload"
)

// connect connects to a server and looks whether its database is empty. A session that
// fails is closed.
func (s *Session) connect() (err error) {
	defer func() {
		if err != nil {
			_ = s.shut()
		}
	}()
	if err := s.open(s.cfg.Durability); err != nil {
		return err
	}
	if s.cfg.Holds != nil {
		s.has = *s.cfg.Holds
		return nil
	}
	keys, err := s.server.Keys()
	if err != nil || keys == 0 {
		return err
	}
	if s.cfg.Fresh {
		return s.clear()
	}
	s.ours, s.has.State = false, workload.Unknown
	return nil
}

// clear deletes all keys of the server's database. Only if they are ours.
func (s *Session) clear() error {
	s.has = Contents{State: workload.Part}
	if err := s.server.Clear(); err != nil {
		return err
	}
	s.has = Contents{State: workload.Empty}
	return nil
}

// Server returns which server is measured; not ok if none is.
func (s *Session) Server() (id engine.Identity, ok bool) {
	if s.server == nil {
		return id, false
	}
	return s.server.Identity(), true
}

// Name is that of the engine, or of the target.
func (s *Session) Name() string { return s.cfg.Kind.Name }

// place is where the store is, for messages.
func (s *Session) place() string {
	if s.cfg.Kind.Server {
		return s.cfg.Kind.Name
	}
	return s.dir
}

// elsewhere says what to do about a store that is not empty.
func (s *Session) elsewhere() string {
	if s.cfg.Kind.Server {
		return "give --target another database, or --fresh to delete all keys of this one"
	}
	return "give another --dir, or --fresh to delete what is there"
}

// flags name the store on a command line.
func (s *Session) flags() string {
	if s.cfg.Kind.Server {
		return "--target " + s.cfg.Kind.Name + "=…"
	}
	return "--dir " + s.dir
}

// workers is how many calls are under way at the same time.
func (s *Session) workers(p workload.Params) int {
	if s.cfg.Kind.Server {
		return max(p.Threads, 1) * max(s.cfg.Pipeline, 1)
	}
	return p.Threads
}

// account is what a server has used until the beginning, the end and the settling of a
// run.
type account struct {
	begin, end engine.Usage
	err        error // the first one
}

func (a *account) note(s engine.Server, u *engine.Usage) {
	found, err := s.Usage()
	if *u = found; a.err == nil {
		a.err = err
	}
}

// server adds what the server tells of itself, in place of what the operating system tells
// of a store within this process.
func (m *measurement) server(r *report.Result) error {
	var last engine.Usage
	m.account.note(m.s.server, &last)
	if m.account.err != nil {
		return m.account.err
	}
	r.Server = &report.Server{Identity: m.s.server.Identity(), Resident: last.Resident}
	begin, end := m.account.begin, m.account.end
	if begin.CPU() == nil || end.CPU() == nil || last.CPU() == nil {
		return nil
	}
	per := (*end.CPU() - *begin.CPU()).Seconds() / float64(max(r.Ops, 1)) * 1e6
	settled := (*last.CPU() - *begin.CPU()).Seconds() / float64(max(r.Ops, 1)) * 1e6
	r.Server.CPUPerOp, r.Server.SettledCPU = &per, &settled
	if begin.Both == nil && end.Both == nil {
		user, system := (*end.User - *begin.User).Seconds(), (*end.System - *begin.System).Seconds()
		r.Server.UserSeconds, r.Server.SystemSeconds = &user, &system
	}
	return nil
}
