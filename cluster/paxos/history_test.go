package paxos

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
)

// The value of the simulated register is the list of all calls that were applied to it,
// so a state tells its whole history, and linearizability is easy to check: every state
// is a front of the last one, no call is in it twice, and what is seen after a call has
// ended is at least as long as what that call saw.

type callKind string

const (
	callAppend callKind = "append"
	callRead   callKind = "read"
	callMove   callKind = "move"
)

// call is an operation of a client, as it saw it.
type call struct {
	kind   callKind
	number uint32 // what is appended; a retry has the number of what it retries
	id     ID
	tried  bool
	begun  int // how many were in the longest list that a call had seen which ended before
	first  int // begun of the first attempt
}

// history is what all clients saw.
type history struct {
	wrong   []string
	final   *State
	numbers uint32
	longest int // list that any call that ended has seen
	lists   [][]uint32
	done    []uint32
	failed  []uint32
	count   map[string]int
}

func (h *history) fail(format string, args ...any) {
	h.wrong = append(h.wrong, fmt.Sprintf(format, args...))
}

func (h *history) begin(kind callKind, of *call) *call {
	c := &call{kind: kind, begun: h.longest, first: h.longest}
	if of != nil {
		c.number, c.id, c.first, c.tried = of.number, of.id, of.first, true
	} else if kind == callAppend {
		h.numbers++
		c.number = h.numbers
	}
	return c
}

var errList = errors.New("the list has a length that is not wanted")

// apply appends the call to the list, unless its length is a multiple of three and fussy.
func (c *call) apply(fussy bool) func([]byte) ([]byte, error) {
	return func(old []byte) ([]byte, error) {
		if fussy && len(old)/4%3 == 0 {
			return nil, errList
		}
		return binary.BigEndian.AppendUint32(slices.Clone(old), c.number), nil
	}
}

func list(value []byte) []uint32 {
	var l []uint32
	for ; len(value) >= 4; value = value[4:] {
		l = append(l, binary.BigEndian.Uint32(value))
	}
	return l
}

// end checks what a call saw against all calls that had ended when it began.
func (h *history) end(c *call, o Outcome) {
	if h.count == nil {
		h.count = map[string]int{}
	}
	what := o.Result.String()
	switch {
	case errors.Is(o.Err, ErrRejected):
		what = "rejected"
	case o.Again:
		what = "again"
	}
	h.count[string(c.kind)+" "+what]++
	if errors.Is(o.Err, ErrLost) {
		h.fail("%s: %v", c.kind, o.Err)
	}
	if o.Result == Failed && c.kind == callAppend {
		h.failed = append(h.failed, c.number)
	}
	if o.Result != Done && !errors.Is(o.Err, ErrRejected) {
		return
	}
	l := list(o.State.Value)
	h.lists = append(h.lists, l)
	if len(l) < c.begun {
		h.fail("a %s (%v) saw %d calls, but %d had been seen before it began", c.kind, what, len(l), c.begun)
	}
	if c.kind == callAppend && o.Result == Done {
		h.done = append(h.done, c.number)
		if at := slices.Index(l, c.number); at < c.first {
			h.fail("call %d is in place %d, but %d calls had been seen before it began", c.number, at, c.first)
		}
	}
	h.longest = max(h.longest, len(l))
}

// check holds everything against the final state.
func (h *history) check() {
	final := list(h.final.Value)
	at := map[uint32]bool{}
	for _, n := range final {
		if at[n] {
			h.fail("call %d was applied twice: %v", n, final)
		}
		at[n] = true
	}
	for _, l := range h.lists {
		if len(l) > len(final) || !slices.Equal(l, final[:len(l)]) {
			h.fail("%v was seen, but the history is %v", l, final)
		}
	}
	for _, n := range h.done {
		if !at[n] {
			h.fail("call %d was done, but is not in %v", n, final)
		}
	}
	for _, n := range h.failed {
		if at[n] {
			h.fail("call %d failed for certain, but is in %v", n, final)
		}
	}
}

func (h *history) add(x *history) {
	if h.count == nil {
		h.count = map[string]int{}
	}
	for k, n := range x.count {
		h.count[k] += n
	}
}
