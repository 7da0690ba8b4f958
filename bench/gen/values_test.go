package gen

import (
	"bytes"
	"compress/flate"
	"math"
	"testing"
)

func compressed(p []byte) int {
	var out bytes.Buffer
	w, _ := flate.NewWriter(&out, flate.BestSpeed)
	w.Write(p)
	w.Close()
	return out.Len()
}

// Blocks of 4 KiB made of such values shrink to the ratio asked for, whatever the
// size of the values.
func TestValuesCompress(t *testing.T) {
	for _, ratio := range []float64{0.25, 0.5, 1} {
		for _, size := range []int{40, 100, 150, 1000, 16 << 10} {
			v := NewValues(1, size, ratio)
			var in, out int
			r := At(2, 0)
			for range 50 {
				var block []byte
				for len(block) < 4096 {
					block = append(block, v.At(r.Uint64(), size)...)
				}
				in += len(block)
				out += compressed(block)
			}
			if got := float64(out) / float64(in); math.Abs(got-ratio) > 0.08 {
				t.Errorf("ratio %.2f, values of %d: compressed to %.2f", ratio, size, got)
			}
		}
	}
}

func TestValuesFollowTheSeed(t *testing.T) {
	a, b, c := NewValues(1, 100, 0.5), NewValues(1, 100, 0.5), NewValues(2, 100, 0.5)
	if !bytes.Equal(a.At(5, 100), b.At(5, 100)) || bytes.Equal(a.At(5, 100), c.At(5, 100)) {
		t.Fatal("values must follow from the seed")
	}
	for h := range uint64(1000) {
		if len(a.At(Mix(h), 100)) != 100 || len(a.At(Mix(h), 0)) != 0 {
			t.Fatal("wrong size")
		}
	}
}
