package vclock

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"slices"
	"sync"

	"github.com/ringwood-kv/ringwood/cluster/hlc"
)

const (
	tokenVersion = 1
	tokenVector  = 1 // the mode of an available bucket; 2 is kept for ballots

	keyHashLen = 8
	macLen     = 16

	minTokenLen = 1 + 1 + 1 + keyHashLen + 8 + macLen
	maxTokenLen = 1 + 1 + binary.MaxVarintLen64 + keyHashLen + 8 + MaxActors*(ActorLen+binary.MaxVarintLen64) + macLen

	// MaxTokenLen is the length of the longest token, as text. That of a key with three
	// actors has about 125 characters.
	MaxTokenLen = (maxTokenLen*8 + 5) / 6

	// MinTokenKey is the least length of a key that authenticates tokens, in bytes.
	MinTokenKey = 32
	// MaxTokenKeys is how many keys a Keyring holds at most.
	MaxTokenKeys = 8
)

// The errors of Keyring.Open.
var (
	// ErrTokenMalformed says that a text is no token, or one of a later version.
	ErrTokenMalformed = errors.New("vclock: malformed context token")
	// ErrTokenForged says that no key of the cluster has made the token, or that it was
	// altered.
	ErrTokenForged = errors.New("vclock: the context token was not made by this cluster")
	// ErrTokenOtherKey says that the token is for another key or bucket.
	ErrTokenOtherKey = errors.New("vclock: the context token is for another key")
)

// tokenText is strict: the bits that pad the last character are zeros.
var tokenText = base64.RawURLEncoding.Strict()

// tokenDomain keeps the MAC of a token apart from whatever else the keys may sign.
const tokenDomain = "ringwood context token\x00"

// Keyring makes and opens context tokens with the keys of a cluster. It is immutable
// and safe for concurrent use; to rotate keys, make another: first with the new key at
// the end on all nodes, then with it in front, at last without the old one.
type Keyring struct {
	keys []*sync.Pool // of *sealer
}

// sealer computes MACs with one key, and has the buffers for one token.
type sealer struct {
	mac hash.Hash
	sum []byte
	buf []byte
}

// NewKeyring returns a keyring. The first key signs, all of them verify. Keys are
// copied, have at least MinTokenKey random bytes, and serve for nothing else. The error
// is ErrInvalid.
func NewKeyring(keys ...[]byte) (*Keyring, error) {
	if len(keys) == 0 || len(keys) > MaxTokenKeys {
		return nil, fmt.Errorf("%w: a keyring of %d keys; from 1 to %d are possible", ErrInvalid, len(keys), MaxTokenKeys)
	}
	k := &Keyring{}
	for i, key := range keys {
		if len(key) < MinTokenKey {
			return nil, fmt.Errorf("%w: key %d for tokens has %d bytes, at least %d are needed", ErrInvalid, i, len(key), MinTokenKey)
		}
		key = bytes.Clone(key)
		k.keys = append(k.keys, &sync.Pool{New: func() any {
			return &sealer{mac: hmac.New(sha256.New, key)}
		}})
	}
	return k, nil
}

// Append appends the token for c, read from key in bucket, to dst as text. The zero
// Context, of a key that does not exist, has a token like any other. The error is
// ErrInvalid, for a vector that is not valid; dst is then returned as it was.
func (k *Keyring) Append(dst []byte, bucket uint64, key []byte, c Context) ([]byte, error) {
	if err := c.Vector.Validate(); err != nil {
		return dst, err
	}
	s := k.keys[0].Get().(*sealer)
	defer k.keys[0].Put(s)
	keySum := sha256.Sum256(key)
	b := append(s.buf[:0], tokenVersion, tokenVector)
	b = binary.AppendUvarint(b, bucket)
	b = append(b, keySum[:keyHashLen]...)
	b = binary.BigEndian.AppendUint64(b, uint64(c.HLC))
	b = appendVector(b, c.Vector)
	b = append(b, s.authenticate(b, &keySum)...)
	s.buf = b
	dst = slices.Grow(dst, tokenText.EncodedLen(len(b)))
	return tokenText.AppendEncode(dst, b), nil
}

// authenticate returns the MAC over body and the key that it is for, good until the
// next call.
func (s *sealer) authenticate(body []byte, keySum *[sha256.Size]byte) []byte {
	s.mac.Reset()
	s.sum = append(append(s.sum[:0], tokenDomain...), keySum[:]...)
	s.mac.Write(s.sum)
	s.mac.Write(body)
	s.sum = s.mac.Sum(s.sum[:0])
	return s.sum[:macLen]
}

// Open makes c the context in token, which a client sent for key in bucket. It reuses
// the vector of c. The errors are ErrTokenMalformed, ErrTokenForged and
// ErrTokenOtherKey; c is then zero but for its memory.
func (k *Keyring) Open(c *Context, bucket uint64, key, token []byte) error {
	c.Vector, c.HLC = c.Vector[:0], 0
	if len(token) > MaxTokenLen {
		return fmt.Errorf("%w: %d characters, at most %d are possible", ErrTokenMalformed, len(token), MaxTokenLen)
	}
	// The decoder of the standard library skips line breaks.
	if bytes.IndexByte(token, '\n') >= 0 || bytes.IndexByte(token, '\r') >= 0 {
		return fmt.Errorf("%w: a line break", ErrTokenMalformed)
	}
	s := k.keys[0].Get().(*sealer)
	defer k.keys[0].Put(s)
	var err error
	if s.buf, err = tokenText.AppendDecode(s.buf[:0], token); err != nil {
		return fmt.Errorf("%w: %w", ErrTokenMalformed, err)
	}
	keySum := sha256.Sum256(key)
	body, err := k.verify(s, bucket, &keySum)
	if err != nil {
		return err
	}
	c.HLC = hlc.Timestamp(binary.BigEndian.Uint64(body))
	if c.Vector, err = decodeVector(c.Vector, body[8:]); err != nil {
		c.Vector, c.HLC = c.Vector[:0], 0
		return fmt.Errorf("%w: %w", ErrTokenMalformed, err)
	}
	return nil
}

// verify checks the token in s.buf and returns its part from the timestamp to the MAC,
// which has 8 bytes at least.
func (k *Keyring) verify(s *sealer, bucket uint64, keySum *[sha256.Size]byte) ([]byte, error) {
	b := s.buf
	if len(b) < minTokenLen {
		return nil, fmt.Errorf("%w: %d bytes", ErrTokenMalformed, len(b))
	}
	if b[0] != tokenVersion || b[1] != tokenVector {
		return nil, fmt.Errorf("%w: version %d, mode %d", ErrTokenMalformed, b[0], b[1])
	}
	end := len(b) - macLen
	named, rest, ok := takeUvarint(b[2:end])
	if !ok || len(rest) < keyHashLen+8 {
		return nil, fmt.Errorf("%w: cut short", ErrTokenMalformed)
	}
	// Said before the MAC is known to be right: the difference between the two errors
	// only helps an honest client.
	if named != bucket || !bytes.Equal(rest[:keyHashLen], keySum[:keyHashLen]) {
		return nil, ErrTokenOtherKey
	}
	if !k.genuine(s, b[:end], b[end:], keySum) {
		return nil, ErrTokenForged
	}
	return rest[keyHashLen:], nil
}

// genuine says whether one of the keys made mac. s belongs to the first.
func (k *Keyring) genuine(s *sealer, body, mac []byte, keySum *[sha256.Size]byte) bool {
	if hmac.Equal(mac, s.authenticate(body, keySum)) {
		return true
	}
	for _, pool := range k.keys[1:] {
		t := pool.Get().(*sealer)
		ok := hmac.Equal(mac, t.authenticate(body, keySum))
		pool.Put(t)
		if ok {
			return true
		}
	}
	return false
}
