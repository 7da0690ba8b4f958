package batch

import (
	"bytes"
	"encoding/binary"
	"testing"

	"github.com/ringwood-kv/ringwood/lsm/internal/base"
)

func appendOp(b []byte, kind base.Kind, key, value string) []byte {
	b = append(b, byte(kind))
	b = append(binary.AppendUvarint(b, uint64(len(key))), key...)
	if kind != base.KindDelete {
		b = append(binary.AppendUvarint(b, uint64(len(value))), value...)
	}
	return b
}

func sample() []byte {
	b := AppendHeader(nil, 107, 100, 4)
	b = appendOp(b, base.KindSet, "key", "value")
	b = appendOp(b, base.KindDelete, "", "")
	b = appendOp(b, base.KindSetTTL, "ttl", "\x00\x00\x00\x00\x00\x00\x00\x01v")
	return appendOp(b, base.KindRangeDelete, "a", "")
}

func TestDecode(t *testing.T) {
	g, err := Decode(sample(), 100)
	if err != nil || g.Seq != 107 || g.Count != 4 || g.Bytes != 3+5+3+9+1 {
		t.Fatalf("%+v %v", g, err)
	}
	for n := range sample() {
		if _, err := Decode(sample()[:n], 100); err == nil {
			t.Errorf("cut to %d bytes is accepted", n)
		}
	}
	bad := map[string][]byte{
		"a kind that is not known":        append(AppendHeader(nil, 1, 0, 1), 9, 0),
		"an expiry cut short":             appendOp(AppendHeader(nil, 1, 0, 1), base.KindSetTTL, "k", "1234567"),
		"a key longer than the rest":      append(AppendHeader(nil, 1, 0, 1), 0, 200, 1, 'x'),
		"more operations than it says":    append(sample(), 0, 0),
		"a key that is too long":          appendOp(AppendHeader(nil, 1, 0, 1), base.KindDelete, string(make([]byte, base.MaxKeyLen+1)), ""),
		"a sequence number beyond 56 bit": AppendHeader(nil, base.SeqNumMax+1, 0, 0),
		"numbers that run over":           appendOp(AppendHeader(nil, base.SeqNumMax, 0, 1), base.KindDelete, "k", ""),
	}
	for what, b := range bad {
		if _, err := Decode(b, 0); err == nil {
			t.Errorf("%s is accepted", what)
		}
	}
	if _, err := Decode(AppendHeader(nil, 0, 0, 0), base.SeqNumMax+1); err == nil {
		t.Error("a log that begins beyond all sequence numbers is accepted")
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(sample(), uint64(100))
	f.Add(AppendHeader(nil, 9, 3, 0), uint64(3))
	f.Add(append(AppendHeader(nil, 1, 0, 1<<40), 0, 0), uint64(0))
	f.Fuzz(func(t *testing.T, b []byte, logBase uint64) {
		g, err := Decode(b, base.SeqNum(logBase))
		if err != nil {
			return
		}
		again := AppendHeader(nil, g.Seq, base.SeqNum(logBase), uint64(g.Count))
		n, size := 0, 0
		for ops := g.Ops; len(ops) > 0; n++ {
			op, rest, err := DecodeOp(ops)
			if err != nil {
				t.Fatalf("operation %d of a group that checked out: %v", n, err)
			}
			ops = rest
			size += len(op.Key) + len(op.Value)
			again = appendOp(again, op.Kind, string(op.Key), string(op.Value))
		}
		if n != g.Count || size != g.Bytes || g.Seq+base.SeqNum(g.Count) > base.SeqNumMax {
			t.Fatalf("%+v, but %d operations of %d bytes", g, n, size)
		}
		h, err := Decode(again, base.SeqNum(logBase))
		if err != nil || h.Seq != g.Seq || h.Count != g.Count || h.Bytes != g.Bytes {
			t.Fatalf("encoded again: %+v %v", h, err)
		}
		if len(again) == len(b) && !bytes.Equal(again, b) {
			// Lengths have more than one encoding, but not of one length.
			t.Fatal("another encoding of the same length")
		}
	})
}
