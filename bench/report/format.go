package report

import (
	"fmt"
	"math"
	"strconv"
	"time"
)

// Count writes a whole number with its digits in groups of three.
func Count(n int64) string {
	if n < 0 {
		return "-" + Count(-n)
	}
	s := strconv.FormatInt(n, 10)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// Rate writes a number of operations a second.
func Rate(v float64) string {
	if v < 100 {
		return Three(v)
	}
	return Count(int64(math.Round(v)))
}

// Three writes a number with three significant digits.
func Three(v float64) string {
	switch a := math.Abs(v); {
	case a == 0:
		return "0"
	case a < 0.001:
		return fmt.Sprintf("%.2g", v)
	case a < 0.9995:
		return fmt.Sprintf("%.3f", v)
	case a < 9.995:
		return fmt.Sprintf("%.2f", v)
	case a < 99.95:
		return fmt.Sprintf("%.1f", v)
	}
	return Count(int64(math.Round(v)))
}

// Duration writes a duration with three significant digits.
func Duration(d time.Duration) string {
	switch v := float64(d); {
	case d < 0:
		return "-" + Duration(-d)
	case d < 1000:
		return fmt.Sprintf("%dns", d)
	case v < 999.5e3:
		return Three(v/1e3) + "µs"
	case v < 999.5e6:
		return Three(v/1e6) + "ms"
	case d < 10*time.Minute:
		return Three(v/1e9) + "s"
	}
	return d.Round(time.Second).String()
}

// Bytes writes a size in binary units.
func Bytes(n int64) string {
	units := []string{"B", "KiB", "MiB", "GiB", "TiB", "PiB"}
	v, i := float64(n), 0
	for ; v >= 1024 && i < len(units)-1; i++ {
		v /= 1024
	}
	if i == 0 {
		return fmt.Sprintf("%d B", n)
	}
	return Three(v) + " " + units[i]
}

// Known writes *v, or "-" where nobody knows.
func Known[T any](v *T, write func(T) string) string {
	if v == nil {
		return "-"
	}
	return write(*v)
}
