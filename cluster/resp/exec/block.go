package exec

import "github.com/ringwood-kv/ringwood/cluster/resp/command"

// Block is the keys of a transaction of MULTI, collected while its commands arrive.
// The zero value is an empty one.
type Block struct {
	keys     []Key
	commands []blockCommand
}

type blockCommand struct {
	keys  int  // the first of its keys
	split bool // it runs between transactions
}

// Add adds a command with the keys of the request that Admit was asked about last.
// Their bytes are kept. A command that splits runs by itself: the block is no longer
// atomic.
func (b *Block) Add(s *Session, c *command.Command, splits bool) {
	e := &s.x.entries[c.ID]
	b.commands = append(b.commands, blockCommand{len(b.keys), splits || e.scope != scopeKeys})
	if e.run != nil {
		b.keys = append(b.keys, s.keys...)
	}
}

// RunBlock answers EXEC: with the array of the replies that run causes, which is called
// for each command by its index, and may be called several times for one. Where the
// block is one transaction and fails, it returns the error and has written nothing.
func (s *Session) RunBlock(b *Block, run func(i int)) error {
	s.Commit()
	all := s.w.Hold()
	defer s.w.Release()
	defer s.group.clear()
	s.w.Array(len(b.commands))
	for from := 0; from < len(b.commands); {
		if s.ended() {
			s.w.Cut(all)
			return errEnded
		}
		if b.commands[from].split {
			run(from)
			from++
			continue
		}
		to := from
		for to < len(b.commands) && !b.commands[to].split {
			to++
		}
		if err := s.runPart(b, from, to, run); err != nil {
			told := s.told(nil, err)
			if from == 0 && to == len(b.commands) {
				s.w.Cut(all)
				return told
			}
			for range to - from {
				s.w.Error(told)
			}
		}
		from = to
	}
	return nil
}

// runPart runs some commands of a block in one transaction. After an error it has
// written nothing.
func (s *Session) runPart(b *Block, from, to int, run func(i int)) error {
	mark := s.w.Hold()
	defer s.w.Release()
	first, last := b.commands[from].keys, len(b.keys)
	if to < len(b.commands) {
		last = b.commands[to].keys
	}
	db := s.DB
	s.inBlock = true
	err := s.update(b.keys[first:last], func(tx Txn) error {
		s.w.Cut(mark)
		s.Pause()
		s.restart(tx)
		s.failure, s.DB = nil, db
		for i := from; i < to; i++ {
			if s.ended() {
				return errEnded
			}
			s.base = b.commands[i].keys - first
			if run(i); s.failure != nil {
				return s.failure
			}
		}
		return nil
	})
	s.inBlock = false
	s.Pause()
	if err != nil {
		s.w.Cut(mark)
	}
	return err
}

// InBlock reports whether the commands of a block run.
func (s *Session) InBlock() bool { return s.inBlock }
