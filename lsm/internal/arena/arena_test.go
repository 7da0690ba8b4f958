package arena

import (
	"errors"
	"math/rand"
	"sync"
	"testing"
)

func TestAllocIsZeroedAndCounted(t *testing.T) {
	before := InUse()
	for _, n := range []int{1, 7, 4096, 4097, 256 << 10, 2 << 20, 5<<20 + 3} {
		b, err := Alloc(n)
		if err != nil {
			t.Fatal(err)
		}
		if len(b) != n || InUse() != before+int64(n) {
			t.Fatalf("n=%d: len %d, in use %d", n, len(b), InUse()-before)
		}
		for i := range b {
			if b[i] != 0 {
				t.Fatalf("n=%d: byte %d is not zero", n, i)
			}
			b[i] = 0xff
		}
		Free(b)
		if InUse() != before {
			t.Fatalf("n=%d: in use %d after Free", n, InUse()-before)
		}
	}
}

func TestAllocRefusesNonsense(t *testing.T) {
	if b, err := Alloc(0); b != nil || err != nil {
		t.Fatal(b, err)
	}
	Free(nil)
	if _, err := Alloc(-1); !errors.Is(err, ErrSize) {
		t.Fatal(err)
	}
	for _, n := range []int{-5, 0, 63} {
		if _, err := New(n); !errors.Is(err, ErrSize) {
			t.Fatal(n, err)
		}
	}
}

func TestAllocConcurrently(t *testing.T) {
	before := InUse()
	var wg sync.WaitGroup
	for g := 0; g < 4; g++ {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for i := 0; i < 50; i++ {
				b, err := Alloc(10000)
				if err != nil {
					t.Error(err)
					return
				}
				b[9999] = 1
				Free(b)
			}
		}()
	}
	wg.Wait()
	if InUse() != before {
		t.Fatalf("leak of %d bytes", InUse()-before)
	}
}

func TestArenaPiecesDoNotOverlap(t *testing.T) {
	a, err := New(1 << 16)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Free()
	rng := rand.New(rand.NewSource(1))
	end := uint32(1)
	for {
		size, align := uint32(rng.Intn(300)), uint32(1)<<rng.Intn(7)
		before := a.Size()
		off, ok := a.Alloc(size, align)
		if !ok {
			if a.Size() != before || uint64(before)+uint64(size)+uint64(align) < uint64(a.Cap()) {
				t.Fatalf("refused %d bytes at %d of %d", size, before, a.Cap())
			}
			break
		}
		if off == 0 || off < end || off%align != 0 || int(off+size) != a.Size() {
			t.Fatalf("off %d size %d align %d after %d", off, size, align, end)
		}
		end = off + size
	}
	if off, ok := a.Alloc(uint32(a.Cap()-a.Size()), 1); !ok || int(off)+a.Cap()-int(off) != a.Cap() {
		t.Fatal("the last bytes are not usable")
	}
	if _, ok := a.Alloc(1, 1); ok {
		t.Fatal("more than the capacity")
	}
	if _, ok := a.Alloc(1<<32-1, 8); ok {
		t.Fatal("more than the capacity")
	}
}

func TestArenaFree(t *testing.T) {
	before := InUse()
	a, err := New(1 << 20)
	if err != nil {
		t.Fatal(err)
	}
	a.Free()
	a.Free()
	if InUse() != before {
		t.Fatal("leak")
	}
	if _, ok := a.Alloc(1, 1); ok {
		t.Fatal("allocation from a freed arena")
	}
}

func BenchmarkArenaAlloc(b *testing.B) {
	a, err := New(64 << 20)
	if err != nil {
		b.Fatal(err)
	}
	defer a.Free()
	for i := 0; i < b.N; i++ {
		if _, ok := a.Alloc(32, 8); !ok {
			a.used.Store(firstOffset)
		}
	}
}
