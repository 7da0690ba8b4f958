package config

import (
	"math"
	"math/big"
	"strconv"
	"strings"
)

// sizeUnits are those that may follow a number, the longer ones first.
var sizeUnits = [...]struct {
	name  string
	bytes int64
}{
	{"kib", 1 << 10}, {"mib", 1 << 20}, {"gib", 1 << 30}, {"tib", 1 << 40}, {"pib", 1 << 50},
	{"kb", 1e3}, {"mb", 1e6}, {"gb", 1e9}, {"tb", 1e12}, {"pb", 1e15},
	{"b", 1},
}

// parseSize reads 4096, 64KiB, 1.5GiB or 10MB, exactly. The error is a *fault.
func parseSize(text string) (int64, error) {
	bad := wrong(quote(text)+" is no size", "Write a whole number of bytes with or without unit, like 4096, 64KiB or 1.5GiB.")
	number, unit := strings.ToLower(text), int64(1)
	for _, u := range sizeUnits {
		if rest, ok := strings.CutSuffix(number, u.name); ok {
			number, unit = strings.TrimSuffix(rest, " "), u.bytes
			break
		}
	}
	if number == "" || len(number) > 20 || strings.Trim(number, "0123456789.") != "" {
		return 0, bad
	}
	r, ok := new(big.Rat).SetString(number)
	if !ok || strings.HasPrefix(number, ".") || strings.HasSuffix(number, ".") {
		return 0, bad
	}
	r.Mul(r, new(big.Rat).SetInt64(unit))
	if !r.IsInt() || r.Cmp(new(big.Rat).SetInt64(math.MaxInt64)) > 0 {
		return 0, bad
	}
	return r.Num().Int64(), nil
}

// sizeText writes n with the largest unit of which it is a multiple.
func sizeText(n int64) string {
	units := [...]string{"", "KiB", "MiB", "GiB", "TiB", "PiB"}
	i := 0
	for n != 0 && n%1024 == 0 && i < len(units)-1 {
		n /= 1024
		i++
	}
	return strconv.FormatInt(n, 10) + units[i]
}
