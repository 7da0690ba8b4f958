package httpapi

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"unicode/utf8"

	"github.com/ringwood-kv/ringwood/cluster/httpapi/wire"
)

// sendStep is how many bytes of a long answer are collected before they are sent.
const sendStep = 64 << 10

// large is from where on a value becomes JSON piece by piece: as a whole it takes up to
// some twenty times its size, where it is full of characters that JSON has to escape.
// pieceLen is such a piece, of which base64 makes no padding.
const (
	large    = 4 << 10
	pieceLen = 15 << 10
)

// stream is an answer whose length nobody knows yet. A few times sendStep are in memory.
type stream struct {
	c           *call
	status      int
	contentType string
	buf         []byte
	charged     int64
	sent        int // bytes that are out of buf
	started     bool
}

func (c *call) stream(status int, contentType string) *stream {
	return &stream{c: c, status: status, contentType: contentType}
}

// size is how much of the answer there is.
func (s *stream) size() int { return s.sent + len(s.buf) }

func (s *stream) text(t string) error {
	s.buf = append(s.buf, t...)
	return s.spill()
}

func (s *stream) value(v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	s.buf = append(s.buf, b...)
	return s.spill()
}

// entry sends a record as value(entry(key, rec)) does.
func (s *stream) entry(key []byte, rec *Record) error {
	if rec.size() <= large {
		return s.value(entry(key, rec))
	}
	b, err := json.Marshal(entry(key, &Record{Context: rec.Context, Tag: rec.Tag}))
	if err != nil {
		return err
	}
	// In a text there would be a backslash before the quotes.
	before, after, _ := bytes.Cut(b, []byte(`"siblings":[]`))
	s.buf = append(append(s.buf, before...), `"siblings":[`...)
	for i := range rec.Values {
		v := rec.Values[i]
		data := v.Data
		v.Data = nil
		if i > 0 {
			s.buf = append(s.buf, ',')
		}
		if err := s.object(sibling(&v), data); err != nil {
			return err
		}
	}
	s.buf = append(append(s.buf, ']'), after...)
	return s.spill()
}

// object sends v, whose JSON is an object with the empty value first, with another value
// in its place.
func (s *stream) object(v any, value []byte) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	before, after, _ := bytes.Cut(b, []byte(`"value":""`))
	s.buf = append(s.buf, before...)
	isText := utf8.Valid(value)
	if isText {
		s.buf = append(s.buf, `"value":"`...)
	} else {
		s.buf = append(s.buf, `"value_base64":"`...)
	}
	for len(value) > 0 {
		n := min(len(value), pieceLen)
		if isText {
			for n < len(value) && !utf8.RuneStart(value[n]) {
				n--
			}
			quoted, err := json.Marshal(string(value[:n]))
			if err != nil {
				return err
			}
			s.buf = append(s.buf, quoted[1:len(quoted)-1]...)
		} else {
			s.buf = base64.StdEncoding.AppendEncode(s.buf, value[:n])
		}
		if value = value[n:]; len(value) > 0 {
			if err := s.spill(); err != nil {
				return err
			}
		}
	}
	s.buf = append(append(s.buf, '"'), after...)
	return s.spill()
}

// line appends a line of ndjson without sending it.
func (s *stream) line(l wire.ScanLine) error {
	b, err := json.Marshal(l)
	if err != nil {
		return err
	}
	s.buf = append(append(s.buf, b...), '\n')
	return nil
}

// spill charges the buffer, and sends it when it is large.
func (s *stream) spill() error {
	if more := int64(cap(s.buf)) - s.charged; more > 0 {
		if err := s.c.charge(more); err != nil {
			return err
		}
		s.charged += more
	}
	if len(s.buf) < sendStep {
		return nil
	}
	return s.send()
}

// errGone says that the client takes nothing more. Nobody hears it.
var errGone = errors.New("httpapi: the client has gone")

func (s *stream) send() error {
	if !s.started {
		s.started = true
		s.c.out.Header().Set("Content-Type", s.contentType)
		s.c.head(s.status)
	}
	if err := s.c.push(s.buf); err != nil {
		return errGone
	}
	s.sent += len(s.buf)
	s.buf = s.buf[:0]
	return nil
}

// close sends the rest. What fits into the buffer has a length.
func (s *stream) close() error {
	if !s.started {
		return s.c.send(s.status, s.contentType, s.buf)
	}
	return s.send()
}
