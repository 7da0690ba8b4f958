package lsm

import "sync"

// Executor runs the background work of a DB that has no goroutines of its own:
// flushes, compactions, and commits begun by CommitAsync. Submit must not run job
// before it returns; each job is to be run once, in order, on any goroutine. A job
// is one flush or one compaction and runs to its end.
//
// Calls that need background work to have happened (Flush, Compact, Close, a write
// that finds every memtable full) do not wait for the Executor to begin a job: they run
// what is pending themselves, and wait only for what is under way on another
// goroutine. A job that is run when its work was done that way does nothing.
//
// What tables leave behind that nobody reads any more, their files and their blocks in
// the cache, is no job: whoever lets go of them last sees to it at once, which may be a
// reader that closes its iterator.
type Executor interface {
	Submit(job func())
}

// Stepper is an Executor whose owner runs the jobs one at a time, for tests and
// simulators that must replay exactly.
type Stepper struct {
	mu   sync.Mutex
	jobs []func()
}

// NewStepper returns an empty Stepper.
func NewStepper() *Stepper { return new(Stepper) }

// Submit queues job.
func (s *Stepper) Submit(job func()) {
	s.mu.Lock()
	s.jobs = append(s.jobs, job)
	s.mu.Unlock()
}

// Step runs the oldest job and reports whether there was one.
func (s *Stepper) Step() bool {
	s.mu.Lock()
	if len(s.jobs) == 0 {
		s.mu.Unlock()
		return false
	}
	job := s.jobs[0]
	s.jobs = append(s.jobs[:0], s.jobs[1:]...)
	s.mu.Unlock()
	job()
	return true
}

// Run steps until no job is left, and returns how many it ran.
func (s *Stepper) Run() int {
	n := 0
	for s.Step() {
		n++
	}
	return n
}

// Len returns the number of jobs that wait.
func (s *Stepper) Len() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.jobs)
}
