package wire

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Seconds is how long something lives, in milliseconds. As text and in JSON it is in
// seconds, with up to three decimals: 60, 0.5, 1.25.
type Seconds int64

// MaxSeconds is a hundred years.
const MaxSeconds Seconds = 100 * 365 * 24 * 3600 * 1000

// ParseSeconds reads digits, and perhaps a dot and one to three more. There is no sign, no
// exponent and no unit, and it is more than 0 and at most MaxSeconds.
func ParseSeconds(text string) (Seconds, error) {
	s, err := parseSeconds(text)
	if err == nil && s == 0 {
		err = errors.New("a time of 0 seconds: leave it out for none")
	}
	return s, err
}

// parseSeconds takes 0 too.
func parseSeconds(text string) (Seconds, error) {
	whole, part, dot := strings.Cut(text, ".")
	if !digits(whole, 10) || dot && !digits(part, 3) {
		return 0, fmt.Errorf("%.40q is no time in seconds, such as 60 or 0.5", text)
	}
	n, err := strconv.ParseInt(whole+(part + "000")[:3], 10, 64)
	if err != nil || Seconds(n) > MaxSeconds {
		return 0, fmt.Errorf("%.40q seconds: up to %v are possible", text, MaxSeconds)
	}
	return Seconds(n), nil
}

// digits reports whether s is one digit at least and most at most.
func digits(s string, most int) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return 1 <= len(s) && len(s) <= most
}

// SecondsOf returns d, rounded up to milliseconds.
func SecondsOf(d time.Duration) Seconds {
	return Seconds((d + time.Millisecond - 1) / time.Millisecond)
}

// Duration returns s, which is at most MaxSeconds.
func (s Seconds) Duration() time.Duration { return time.Duration(s) * time.Millisecond }

func (s Seconds) String() string {
	if s < 0 {
		return "-" + (-s).String()
	}
	whole, part := int64(s/1000), int64(s%1000)
	if part == 0 {
		return strconv.FormatInt(whole, 10)
	}
	return strings.TrimRight(fmt.Sprintf("%d.%03d", whole, part), "0")
}

// MarshalJSON writes a number.
func (s Seconds) MarshalJSON() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalJSON reads a number as ParseSeconds does, and 0.
func (s *Seconds) UnmarshalJSON(b []byte) error {
	v, err := parseSeconds(string(b))
	if err == nil {
		*s = v
	}
	return err
}
