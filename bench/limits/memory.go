package limits

import (
	"math/bits"
	"runtime"
	"runtime/debug"
	"strconv"
)

func memoryLimits() []measurement {
	access := func(name, what string, size int64) measurement {
		return measurement{name, "dependent random access to memory, " + what, Seconds, func(c *Config) (float64, bool, error) {
			if size > c.Memory || strconv.IntSize < 64 && size > 64<<20 {
				return 0, false, nil
			}
			return accessTime(c, int(size)), true, nil
		}}
	}
	return []measurement{
		{CopyMemory, "memory copy, 64 MiB", BytesPerSecond, func(c *Config) (float64, bool, error) {
			if c.Memory < 128<<20 {
				return 0, false, nil
			}
			return copySpeed(c, 64<<20, 1), true, nil
		}},
		{CopyL2, "memory copy, 128 KiB within the L2 cache", BytesPerSecond, func(c *Config) (float64, bool, error) {
			return copySpeed(c, 128<<10, 100), true, nil
		}},
		access(Access1M, "1 MiB", 1<<20),
		access(Access64M, "64 MiB", 64<<20),
		access(Access1G, "1 GiB", 1<<30),
	}
}

// copySpeed copies an area of size bytes a number of times.
func copySpeed(c *Config, size, times int) float64 {
	from, to := make([]byte, size), make([]byte, size)
	for i := range from {
		from[i] = byte(i)
	}
	seconds := best(c.Each, times, func() {
		for range times {
			copy(to, from)
		}
	})
	runtime.KeepAlive(to)
	defer debug.FreeOSMemory()
	return float64(size) / seconds
}

// accessTime is the time of a load whose address depends on the load before it, at
// random places of an area. The places come from the upper bits of a congruential
// generator to which the loaded word, always zero, is added: the processor can't know
// the next address earlier, and no table of places takes cache away.
func accessTime(c *Config, size int) float64 {
	area := make([]uint64, size/8)
	for i := 0; i < len(area); i += 4096 / 8 {
		area[i] = 0 // a page that was never written is not there
	}
	defer debug.FreeOSMemory()
	const loads = 20_000
	shift := 64 - bits.Len(uint(len(area)-1))
	x := uint64(1)
	seconds := best(c.Each, loads, func() {
		for range loads {
			x = x*6364136223846793005 + 1442695040888963407
			x += area[x>>shift]
		}
	})
	runtime.KeepAlive(x)
	return seconds
}
