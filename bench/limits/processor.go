package limits

import (
	"hash/crc32"
	"runtime"
	"time"

	"github.com/golang/snappy"
	"github.com/ringwood-kv/ringwood/bench/gen"
)

func processorLimits() []measurement {
	return []measurement{
		{Checksum, "crc32c of 4 KiB", Seconds, func(c *Config) (float64, bool, error) {
			table, b := crc32.MakeTable(crc32.Castagnoli), block()
			var sum uint32
			return best(c.Each, 1000, func() {
				for range 1000 {
					sum += crc32.Checksum(b, table)
				}
				runtime.KeepAlive(sum)
			}), true, nil
		}},
		{Encode, "snappy, encode 4 KiB that compress to half", Seconds, func(c *Config) (float64, bool, error) {
			b := block()
			dst := make([]byte, snappy.MaxEncodedLen(len(b)))
			return best(c.Each, 100, func() {
				for range 100 {
					snappy.Encode(dst, b)
				}
			}), true, nil
		}},
		{Decode, "snappy, decode 4 KiB that compress to half", Seconds, decode},
		{Clock, "time.Now", Seconds, func(c *Config) (float64, bool, error) {
			var last time.Time
			return best(c.Each, 1000, func() {
				for range 1000 {
					last = time.Now()
				}
				runtime.KeepAlive(last)
			}), true, nil
		}},
		{HandOver, "hand-over to a goroutine and back", Seconds, handOver},
	}
}

// block is 4 KiB of records with values that compress to half their size.
func block() (b []byte) {
	keys, values := gen.DecimalKeys{Size: 16}, gen.NewValues(1, 100, 0.5)
	for k := int64(0); len(b) < pageSize; k++ {
		b = append(keys.Append(b, k), values.At(gen.Mix(uint64(k)), 100)...)
	}
	return b[:pageSize]
}

func decode(c *Config) (float64, bool, error) {
	encoded := snappy.Encode(nil, block())
	dst := make([]byte, pageSize)
	var failed error
	seconds := best(c.Each, 100, func() {
		for range 100 {
			if _, err := snappy.Decode(dst, encoded); err != nil {
				failed = err
			}
		}
	})
	return seconds, failed == nil, failed
}

func handOver(c *Config) (float64, bool, error) {
	there, back := make(chan struct{}), make(chan struct{})
	go func() {
		for range there {
			back <- struct{}{}
		}
		close(back)
	}()
	seconds := best(c.Each, 1000, func() {
		for range 1000 {
			there <- struct{}{}
			<-back
		}
	})
	close(there)
	<-back
	return seconds, true, nil
}
