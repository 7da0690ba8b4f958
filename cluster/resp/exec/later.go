package exec

import "github.com/ringwood-kv/ringwood/cluster/resp/command"

// Prefetcher is a Store that reads several keys in less time when it is told of them
// together before. Prefetch is a hint: it returns at once, keeps nothing and fails silently.
type Prefetcher interface{ Prefetch(keys []Key) }

// laterReads are the reads of a pipeline that run alone, and wait until all that have
// arrived are known.
type laterReads struct {
	reads []laterRead
	args  [][]byte
	keys  []Key
}

// laterRead is a command, its arguments and keys as bounds.
type laterRead struct {
	command       *command.Command
	entry         *entry
	args, argsEnd int
	keys, keysEnd int
}

const (
	// maxLater is how many reads wait at most, and fewFor a hint.
	maxLater = 64
	fewReads = 4
)

// later puts off a command that reads one key.
func (s *Session) later(c *command.Command, e *entry, args [][]byte) {
	l := &s.reads
	r := laterRead{command: c, entry: e, args: len(l.args), keys: len(l.keys)}
	l.args = append(l.args, args...)
	l.keys = append(l.keys, s.keys...)
	r.argsEnd, r.keysEnd = len(l.args), len(l.keys)
	l.reads = append(l.reads, r)
	if len(l.reads) == maxLater {
		s.readLater()
	}
}

// readLater runs what was put off.
func (s *Session) readLater() {
	l := &s.reads
	if len(l.reads) == 0 {
		return
	}
	if s.x.prefetch != nil && len(l.reads) >= fewReads {
		s.x.prefetch.Prefetch(l.keys)
	}
	keys := s.keys // of the command that comes next
	for i := range l.reads {
		r := &l.reads[i]
		s.keys = l.keys[r.keys:r.keysEnd:r.keysEnd]
		s.alone(r.command, r.entry, l.args[r.args:r.argsEnd])
	}
	s.keys = keys
	l.clear()
}

func (l *laterReads) clear() {
	clear(l.reads)
	clear(l.args)
	clear(l.keys)
	l.reads, l.args, l.keys = l.reads[:0], l.args[:0], l.keys[:0]
}
