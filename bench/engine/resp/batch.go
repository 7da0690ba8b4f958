package resp

import (
	"fmt"

	"github.com/ringwood-kv/ringwood/bench/engine"
)

// batch collects writes, encoded as the arguments of commands.
type batch struct {
	s       *store
	ops     []op
	bytes   []byte // of keys and values, one after another
	deletes bool
}

// op is a write by the ends of its key and value in batch.bytes.
type op struct {
	key, value int
	remove     bool
}

func (s *store) NewBatch() engine.Batch { return &batch{s: s} }

func (b *batch) Put(key, value []byte) error {
	b.bytes = append(b.bytes, key...)
	o := op{key: len(b.bytes)}
	b.bytes = append(b.bytes, value...)
	o.value = len(b.bytes)
	b.ops = append(b.ops, o)
	return nil
}

func (b *batch) Delete(key []byte) error {
	b.bytes = append(b.bytes, key...)
	b.ops = append(b.ops, op{len(b.bytes), len(b.bytes), true})
	b.deletes = true
	return nil
}

func (b *batch) Commit() error {
	if len(b.ops) == 0 {
		return nil
	}
	c := b.s.begin()
	defer b.s.calls.Put(c)
	name := "MSET"
	if b.deletes {
		name = "EXEC"
		b.transaction(c)
	} else {
		b.set(c)
	}
	n := len(b.ops)
	b.ops, b.bytes, b.deletes = b.ops[:0], b.bytes[:0], false
	if err := b.s.do(c, name); err != nil {
		return err
	}
	switch {
	case c.refused != "":
		return &ReplyError{name, c.refused}
	case name == "MSET" && !c.isOK():
		return c.unexpected(name, 0)
	case name == "MSET":
		return nil
	case c.reply.mark != '*' || c.reply.null || int(c.reply.n) != n:
		return c.unexpected(name, 0)
	case c.reply.refused != "":
		return fmt.Errorf("in a transaction: %w", &ReplyError{name, c.reply.refused})
	}
	return nil
}

// each calls a function with each write.
func (b *batch) each(do func(key, value []byte, remove bool)) {
	at := 0
	for _, o := range b.ops {
		do(b.bytes[at:o.key], b.bytes[o.key:o.value], o.remove)
		at = o.value
	}
}

// set is one MSET, of which the last write of a key wins.
func (b *batch) set(c *call) {
	c.cmd = appendHead(c.cmd, '*', 1+2*len(b.ops))
	c.cmd = appendArgument(c.cmd, []byte("MSET"))
	b.each(func(key, value []byte, _ bool) {
		c.cmd = appendArgument(appendArgument(c.cmd, key), value)
	})
}

// transaction is a command for each write, between MULTI and EXEC.
func (b *batch) transaction(c *call) {
	c.cmd = appendCommand(c.cmd, "MULTI")
	b.each(func(key, value []byte, remove bool) {
		if remove {
			c.cmd = appendCommand(c.cmd, "DEL", key)
		} else {
			c.cmd = appendCommand(c.cmd, "SET", key, value)
		}
	})
	c.cmd = appendCommand(c.cmd, "EXEC")
	c.replies = len(b.ops) + 2
}

func (b *batch) Close() error { return nil }
