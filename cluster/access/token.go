package access

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"strings"
)

// Tokens and generated passwords consist of the digits and lower-case letters of
// Crockford's base 32, without i, l, o and u: they need no quotes in a shell, a URL or a
// header, and nobody mistakes one character for another.
const alphabet = "0123456789abcdefghjkmnpqrstvwxyz"

const (
	// TokenPrefix begins every token, for people and secret scanners to know it by.
	TokenPrefix = "rwt_"

	tokenBody  = 32 // characters: 160 bits
	tokenCheck = 4
	// TokenLen is the length of a token in characters.
	TokenLen = len(TokenPrefix) + tokenBody + tokenCheck

	tokenDomain    = "ringwood access token\x00"
	checkDomain    = "ringwood access token check\x00"
	tokenSumPrefix = "$rwt1$"
)

// TokenSum is the hash of a token, as a State keeps it: SHA-256 after the domain
// "ringwood access token" and a zero byte. A token has 160 random bits, so that nothing
// slower is needed, and it can come with each request. It does not print.
type TokenSum struct {
	d *tokenSum // two pointers, as with hashData
}

type tokenSum struct {
	*sumBytes
}

type sumBytes [sha256.Size]byte

// NewToken makes a token from 20 bytes of random, which must be good for keys, and the sum
// that a State keeps of it. The token is shown once and cannot be found again. The error
// is that of random.
//
// A token is rwt_, 32 random characters, and 4 that check them, so that a mistyped one is
// told from a revoked one without a look at the users.
func NewToken(random io.Reader) (Secret, TokenSum, error) {
	body, err := randomText(random, tokenBody)
	if err != nil {
		return Secret{}, TokenSum{}, err
	}
	text := TokenPrefix + body + checkText(body)
	sum, _ := sumToken(text)
	return NewSecret(text), sum, nil
}

// NewPassword makes a password for a person from 15 bytes of random: 24 characters, 120
// bits, in groups, as in 7k3mq4-… The error is that of random.
func NewPassword(random io.Reader) (Secret, error) {
	text, err := randomText(random, 24)
	if err != nil {
		return Secret{}, err
	}
	return NewSecret(text[:6] + "-" + text[6:12] + "-" + text[12:18] + "-" + text[18:]), nil
}

// NewSalt reads a salt for Hasher.Hash from random.
func NewSalt(random io.Reader) ([]byte, error) {
	salt := make([]byte, saltLen)
	if _, err := io.ReadFull(random, salt); err != nil {
		return nil, fmt.Errorf("access: no random bytes: %w", err)
	}
	return salt, nil
}

// randomText returns n characters, a multiple of 8.
func randomText(random io.Reader, n int) (string, error) {
	b := make([]byte, n/8*5)
	if _, err := io.ReadFull(random, b); err != nil {
		return "", fmt.Errorf("access: no random bytes: %w", err)
	}
	return base32Text(b), nil
}

func base32Text(b []byte) string {
	var text strings.Builder
	for ; len(b) >= 5; b = b[5:] {
		v := uint64(b[0])<<32 | uint64(b[1])<<24 | uint64(b[2])<<16 | uint64(b[3])<<8 | uint64(b[4])
		for shift := 35; shift >= 0; shift -= 5 {
			text.WriteByte(alphabet[v>>shift&31])
		}
	}
	return text.String()
}

func checkText(body string) string {
	sum := sha256.Sum256([]byte(checkDomain + body))
	return base32Text(sum[:5])[:tokenCheck]
}

// sumToken returns the sum of a token, false if text is none. That does not depend on
// which tokens there are.
func sumToken(text string) (TokenSum, bool) {
	body, ok := strings.CutPrefix(text, TokenPrefix)
	if !ok || len(body) != tokenBody+tokenCheck {
		return TokenSum{}, false
	}
	for i := range len(body) {
		if strings.IndexByte(alphabet, body[i]) < 0 {
			return TokenSum{}, false
		}
	}
	if checkText(body[:tokenBody]) != body[tokenBody:] {
		return TokenSum{}, false
	}
	sum := sumBytes(sha256.Sum256([]byte(tokenDomain + text)))
	return TokenSum{&tokenSum{&sum}}, true
}

// IsToken reports whether text has the form of a token, its check included.
func IsToken(text string) bool {
	_, ok := sumToken(text)
	return ok
}

func (s TokenSum) encode() string {
	return tokenSumPrefix + base64.RawURLEncoding.EncodeToString(s.d.sumBytes[:])
}

func parseTokenSum(text string) (TokenSum, error) {
	digits, ok := strings.CutPrefix(text, tokenSumPrefix)
	b, err := base64.RawURLEncoding.Strict().DecodeString(digits)
	if !ok || err != nil || len(b) != sha256.Size || strings.ContainsAny(digits, "\r\n") {
		return TokenSum{}, malformed("the sum of a token is %s and 43 characters", tokenSumPrefix)
	}
	sum := sumBytes(b)
	return TokenSum{&tokenSum{&sum}}, nil
}

// Fingerprint is the front of the sum, in hexadecimal, for an audit log to tell tokens
// apart: from it, nobody can find or check a token.
func (s TokenSum) Fingerprint() string {
	if s.d == nil {
		return ""
	}
	return hex.EncodeToString(s.d.sumBytes[:4])
}
