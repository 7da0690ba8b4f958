package wire

import (
	"encoding/base64"
	"errors"
	"fmt"
	"unicode/utf8"
)

// Key is a key in JSON. It is embedded.
type Key struct {
	Text   *string `json:"key,omitempty"`
	Base64 *string `json:"key_base64,omitempty"`
}

// Value is a value in JSON. It is embedded.
type Value struct {
	ValueText   *string `json:"value,omitempty"`
	ValueBase64 *string `json:"value_base64,omitempty"`
}

// KeyOf returns b as JSON.
func KeyOf(b []byte) Key {
	text, coded := split(b)
	return Key{text, coded}
}

// Bytes returns the key, or what is wrong with it.
func (k Key) Bytes() ([]byte, error) { return join("key", k.Text, k.Base64) }

// ValueOf returns b as JSON.
func ValueOf(b []byte) Value {
	text, coded := split(b)
	return Value{text, coded}
}

// Bytes returns the value, or what is wrong with it.
func (v Value) Bytes() ([]byte, error) { return join("value", v.ValueText, v.ValueBase64) }

// IsZero reports whether there is no value, which is not the empty one.
func (v Value) IsZero() bool { return v.ValueText == nil && v.ValueBase64 == nil }

func split(b []byte) (text, coded *string) {
	if utf8.Valid(b) {
		s := string(b)
		return &s, nil
	}
	s := base64.StdEncoding.EncodeToString(b)
	return nil, &s
}

func join(what string, text, coded *string) ([]byte, error) {
	switch {
	case text != nil && coded != nil:
		return nil, fmt.Errorf("there are both %s and %s_base64", what, what)
	case text != nil:
		return []byte(*text), nil
	case coded == nil:
		return nil, fmt.Errorf("there is neither %s nor %s_base64", what, what)
	}
	b, err := base64.StdEncoding.Strict().DecodeString(*coded)
	if err != nil {
		return nil, fmt.Errorf("%s_base64 is not standard base64 with padding", what)
	}
	return b, nil
}

// CheckText returns an error if JSON contains text that a decoder would alter: bytes
// that are not UTF-8, or the escape of half a surrogate pair. It does not check that b is
// JSON in other ways.
func CheckText(b []byte) error {
	if !utf8.Valid(b) {
		return errors.New("the JSON is not UTF-8: send bytes that are no text as key_base64 or value_base64")
	}
	for i := 0; i < len(b); i++ {
		if b[i] != '\\' || i+1 == len(b) {
			continue
		}
		i++
		if b[i] != 'u' {
			continue
		}
		unit, ok := hex4(b[i+1:])
		if !ok {
			return errors.New(`after \u there are four hexadecimal digits`)
		}
		i += 4
		switch {
		case unit>>10 == 0xdc00>>10:
			return errors.New(`a \u escape is the second half of a surrogate pair without the first`)
		case unit>>10 == 0xd800>>10:
			rest := b[i+1:]
			if len(rest) < 2 || rest[0] != '\\' || rest[1] != 'u' {
				return errors.New(`a \u escape is half a surrogate pair`)
			}
			if low, ok := hex4(rest[2:]); !ok || low>>10 != 0xdc00>>10 {
				return errors.New(`a \u escape is half a surrogate pair`)
			}
			i += 6
		}
	}
	return nil
}

// hex4 reads the four digits at the front of b.
func hex4(b []byte) (v uint16, ok bool) {
	if len(b) < 4 {
		return 0, false
	}
	for _, c := range b[:4] {
		switch {
		case '0' <= c && c <= '9':
			c -= '0'
		case 'a' <= c && c <= 'f':
			c -= 'a' - 10
		case 'A' <= c && c <= 'F':
			c -= 'A' - 10
		default:
			return 0, false
		}
		v = v<<4 | uint16(c)
	}
	return v, true
}
