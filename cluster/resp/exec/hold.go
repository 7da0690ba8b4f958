package exec

const (
	// groupHeld is how much a group holds before it is committed in parts.
	groupHeld = 1 << 20

	// keyHeld is about what a Store needs for a key of a transaction beside its record.
	keyHeld = 512

	// heldKeys is how many keys of holding.values are kept for the next transaction.
	heldKeys = 64
)

// holding is the memory of a transaction until its end that no buffer of the session
// shows: its keys, and values that were computed, beside the records that Txn.Held counts.
type holding struct {
	keys   int
	own    int            // bytes of values
	values map[string]int // those of each key, where they are not copied: the last one counts
	taken  int            // bytes charged to Options.Memory
}

// update runs a transaction. Its function begins with restart.
func (s *Session) update(keys []Key, f func(Txn) error) error {
	s.failure = nil
	s.holds.keys = len(keys) * keyHeld
	err := s.hold()
	if err == nil {
		err = s.x.store.Update(keys, s.Now, f)
	} else {
		s.failure = err // fewer keys may do
	}
	s.tx = nil
	s.restart(nil)
	h := s.holds
	if h.taken > 0 {
		s.x.opts.Memory.Give(h.taken)
	}
	h.keys, h.taken = 0, 0
	return err
}

// restart begins a transaction, perhaps once more.
func (s *Session) restart(tx Txn) {
	s.tx = tx
	s.holds.restart()
}

func (h *holding) restart() {
	h.own = 0
	if len(h.values) > heldKeys {
		h.values = nil
	}
	clear(h.values)
}

// held is how many bytes of records and values the transaction holds.
func (s *Session) held() int {
	if s.tx == nil {
		return 0
	}
	return s.holds.own + s.tx.Held()
}

// hold asks for the memory of what the transaction holds by now.
func (s *Session) hold() error {
	m, h := s.x.opts.Memory, s.holds
	if m == nil {
		return nil
	}
	more := h.keys + s.held() - KeepBuffer - h.taken
	if more <= 0 {
		return nil
	}
	more = max(more, KeepBuffer) // seldom, and not for each command
	if !m.Take(more) {
		return ErrMemory
	}
	h.taken += more
	return nil
}

// holdValue asks for the memory of a value that the i-th key of the request is going to be
// set to. Small ones are copied, and each copy stays.
func (s *Session) holdValue(i int, value []byte) error {
	h := s.holds
	h.own += len(value)
	if len(value) > smallValue {
		k := s.keys[i]
		name := string(append(append(make([]byte, 0, 64), byte(k.DB)), k.Name...))
		h.own -= h.values[name]
		if h.values == nil {
			h.values = make(map[string]int)
		}
		h.values[name] = len(value)
	}
	return s.hold()
}
