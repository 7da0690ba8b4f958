package access

import (
	"encoding/base64"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Params are the costs of argon2id (RFC 9106), version 19.
type Params struct {
	Memory uint32 // KiB, at least 8 for each lane
	Passes uint32
	Lanes  uint8
}

// DefaultParams returns what OWASP's Password Storage Cheat Sheet recommends as the
// minimum, and what suits small servers: 19 MiB, 2 passes, 1 lane. One run takes some
// tens of milliseconds of one core.
func DefaultParams() Params { return Params{Memory: 19 << 10, Passes: 2, Lanes: 1} }

// What a hash may have. Hashes are written by administrators, but a mistaken one must
// not stop a server.
const (
	maxMemory = 64 << 10 // KiB
	maxPasses = 16
	maxLanes  = 4

	saltLen    = 16
	minSaltLen = 8
	maxSaltLen = 64
	sumLen     = 32
	minSumLen  = 16
	maxSumLen  = 64

	maxHashText = 256
)

// Validate returns ErrInvalid if a run would be too expensive or is not defined.
func (p Params) Validate() error {
	if p.Lanes < 1 || p.Lanes > maxLanes || p.Passes < 1 || p.Passes > maxPasses || p.Memory < 8*uint32(p.Lanes) || p.Memory > maxMemory {
		return invalid("argon2id with %d KiB, %d passes and %d lanes; possible are 8 KiB a lane to %d, 1 to %d and 1 to %d", p.Memory, p.Passes, p.Lanes, maxMemory, maxPasses, maxLanes)
	}
	return nil
}

// bytes is the memory of one run.
func (p Params) bytes() int64 { return int64(p.Memory) << 10 }

// Hash is the salted hash of a password. It is immutable and does not print.
type Hash struct {
	d *hashData
}

// hashData is one more pointer: fmt, which calls no method of a field that is not
// exported, follows the first one when a verb does not fit, and never a second one.
type hashData struct {
	*hashParts
}

type hashParts struct {
	params    Params
	salt, sum []byte
}

// IsZero reports whether there is no hash.
func (h Hash) IsZero() bool { return h.d == nil }

// Params returns the costs that it was made with.
func (h Hash) Params() Params {
	if h.d == nil {
		return Params{}
	}
	return h.d.params
}

// sameBase reports whether one run of argon2id can check a password against both.
func (h Hash) sameBase(o Hash) bool {
	return h.d != nil && o.d != nil && h.d.params == o.d.params && string(h.d.salt) == string(o.d.salt) && len(h.d.sum) == len(o.d.sum)
}

// phcText is strict: the bits that pad the last character are zeros.
var phcText = base64.RawStdEncoding.Strict()

// Encode returns the hash in the PHC string format, as in
//
//	$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHRzYWx0c2FsdA$…
//
// It is a secret: whoever has it can try passwords at leisure. The zero Hash is "".
func (h Hash) Encode() string {
	if h.d == nil {
		return ""
	}
	p := h.d.params
	return fmt.Sprintf("$argon2id$v=19$m=%d,t=%d,p=%d$%s$%s", p.Memory, p.Passes, p.Lanes, phcText.EncodeToString(h.d.salt), phcText.EncodeToString(h.d.sum))
}

// ParseHash reads what Encode writes, or another program that hashes with argon2id. It
// takes the one form with all parameters, in this order and without leading zeros. The
// error is ErrFormat and does not contain the text.
func ParseHash(text string) (Hash, error) {
	fields := strings.Split(text[:min(len(text), maxHashText+1)], "$")
	if len(text) > maxHashText || len(fields) != 6 || fields[0] != "" || fields[1] != "argon2id" || fields[2] != "v=19" {
		return Hash{}, malformed("a hash is $argon2id$v=19$m=…,t=…,p=…$salt$hash")
	}
	var d hashParts
	costs := strings.Split(fields[3], ",")
	if len(costs) != 3 {
		return Hash{}, malformed("a hash has the parameters m, t and p")
	}
	for i, name := range []string{"m=", "t=", "p="} {
		digits, ok := strings.CutPrefix(costs[i], name)
		bits := 32
		if i == 2 {
			bits = 8
		}
		n, err := strconv.ParseUint(digits, 10, bits)
		if !ok || err != nil {
			return Hash{}, malformed("a hash has the parameters m, t and p")
		}
		switch i {
		case 0:
			d.params.Memory = uint32(n)
		case 1:
			d.params.Passes = uint32(n)
		case 2:
			d.params.Lanes = uint8(n)
		}
	}
	if err := d.params.Validate(); err != nil {
		return Hash{}, malformed("%v", err)
	}
	var err1, err2 error
	d.salt, err1 = phcText.DecodeString(fields[4])
	d.sum, err2 = phcText.DecodeString(fields[5])
	if err1 != nil || err2 != nil || len(d.salt) < minSaltLen || len(d.salt) > maxSaltLen || len(d.sum) < minSumLen || len(d.sum) > maxSumLen {
		return Hash{}, malformed("salt or sum of a hash are not in base64, or have impossible lengths")
	}
	h := Hash{&hashData{&d}}
	if h.Encode() != text { // signs, leading zeros, line breaks in base64
		return Hash{}, malformed("a hash is not in its shortest form")
	}
	return h, nil
}

func newHash(p Params, salt, sum []byte) Hash {
	return Hash{&hashData{&hashParts{p, slices.Clone(salt), slices.Clone(sum)}}}
}
