package replica

import (
	"bytes"
	"testing"
)

func TestKeys(t *testing.T) {
	for _, partitions := range []int{1, 2, 16, 1024, MaxPartitions} {
		l := newLayout(HashKey{1, 2, 3}, partitions)
		for i := range 200 {
			user := pattern(i)
			token := l.token(user)
			if p := l.partition(token); int(p) >= partitions || l.first(p) > token || partitions == 1024 && uint64(p) != token>>54 {
				t.Fatalf("token %x in partition %d of %d", token, p, partitions)
			}
			key := l.appendKey(nil, 6, token, user)
			p, ok := l.parseKey(key)
			if !ok || p.indexed() || p.id != 6 || p.token != token || !bytes.Equal(p.key, user) {
				t.Fatalf("%d: %+v %v", i, p, ok)
			}
			for kind := range uint8(markKinds) {
				m := mark{kind, int64(i) << 40}
				key = l.appendIndex(nil, 6, m, token, user)
				p, ok = l.parseKey(key)
				if !ok || !p.indexed() || p.id != 7 || p.mark != m || p.token != token || !bytes.Equal(p.key, user) {
					t.Fatalf("%d: %+v %v", i, p, ok)
				}
			}
		}
	}
	if k := newLayout(HashKey{}, 1024).longestKeys(); k > 65535 {
		t.Fatal("the longest key does not fit the engine", k)
	}
}

func (l layout) longestKeys() int {
	key := make([]byte, MaxKeyLen)
	return max(len(l.appendKey(nil, 2, l.token(key), key)), len(l.appendIndex(nil, 2, mark{}, l.token(key), key)))
}

func FuzzParseKey(f *testing.F) {
	l := newLayout(HashKey{1}, 16)
	f.Add(l.appendKey(nil, 2, l.token([]byte("k")), []byte("k")))
	f.Add(l.appendIndex(nil, 2, mark{1, 77}, l.token([]byte("k")), []byte("k")))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		p, ok := l.parseKey(b)
		if !ok {
			return
		}
		var again []byte
		if p.indexed() {
			again = l.appendIndex(nil, p.id&^1, p.mark, p.token, p.key)
		} else {
			again = l.appendKey(nil, p.id, p.token, p.key)
		}
		if !bytes.Equal(again, b) {
			t.Fatalf("%x is taken for %+v", b, p)
		}
	})
}
