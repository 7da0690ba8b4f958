package hlc

import (
	"fmt"
	"math"
	"time"
)

const (
	logicalBits = 16

	// MaxMillis is the largest millisecond that a Timestamp can hold.
	MaxMillis = 1<<48 - 1

	// Max is the largest Timestamp.
	Max Timestamp = math.MaxUint64
)

// Timestamp is a moment of a hybrid logical clock: 48 bits of milliseconds since the
// Unix epoch, 16 bits of logical time. Timestamps compare as integers. Zero is before
// all others, and no clock issues it.
type Timestamp uint64

// At returns the timestamp of a wall time in milliseconds since the Unix epoch, with
// a logical part. A time out of range becomes the nearest that is in range.
func At(wall int64, logical uint16) Timestamp {
	return Timestamp(clamp(wall))<<logicalBits | Timestamp(logical)
}

func clamp(wall int64) int64 { return min(max(wall, 0), MaxMillis) }

// Millis returns the milliseconds since the Unix epoch.
func (t Timestamp) Millis() int64 { return int64(t >> logicalBits) }

// Logical returns the logical part.
func (t Timestamp) Logical() uint16 { return uint16(t) }

// Time returns the wall time, without the logical part, in UTC.
func (t Timestamp) Time() time.Time { return time.UnixMilli(t.Millis()).UTC() }

// String returns t for people, such as 2026-05-04T03:02:01.000Z+7.
func (t Timestamp) String() string {
	return fmt.Sprintf("%s+%d", t.Time().Format("2006-01-02T15:04:05.000Z07:00"), t.Logical())
}
