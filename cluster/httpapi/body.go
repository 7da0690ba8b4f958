package httpapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"os"
	"time"

	"github.com/ringwood-kv/ringwood/cluster/httpapi/wire"
)

// readStep is what gives a body, and an answer, a second more. firstStep is what is
// charged for a body before anything of it is there.
const (
	readStep  = 64 << 10
	firstStep = 4 << 10
)

// body reads the body, at most limit bytes, and charges what it occupies as it grows.
func (c *call) body(limit int) ([]byte, error) {
	r := c.r
	if e := r.Header.Get("Content-Encoding"); e != "" && e != "identity" {
		return nil, wire.Errorf(wire.MediaType, "a body in content encoding %.40q is not taken", e).WithHint("send it as it is")
	}
	if r.ContentLength > int64(limit) {
		return nil, c.bodyTooLarge(limit)
	}
	c.asked, c.reading = time.Now(), c.set.ReadTime
	c.extendRead()
	src := http.MaxBytesReader(c.out.ResponseWriter, r.Body, int64(limit))
	var buf []byte
	for {
		if len(buf) == cap(buf) {
			// What the header says decides at most the first step.
			grow := max(cap(buf), 512)
			if cap(buf) == 0 && r.ContentLength > 0 {
				grow = int(min(r.ContentLength+1, firstStep))
			}
			grow = min(grow, limit+1-cap(buf))
			if grow <= 0 {
				grow = 1
			}
			if err := c.charge(int64(grow)); err != nil {
				return nil, err
			}
			bigger := make([]byte, len(buf), cap(buf)+grow)
			copy(bigger, buf)
			buf = bigger
		}
		n, err := src.Read(buf[len(buf):cap(buf)])
		before := len(buf) / readStep
		buf = buf[:len(buf)+n]
		c.in += int64(n)
		if steps := len(buf)/readStep - before; steps > 0 && c.reading > 0 {
			c.reading += time.Duration(steps) * time.Second
			c.extendRead()
		}
		switch tooLarge := (*http.MaxBytesError)(nil); {
		case err == nil:
		case errors.Is(err, io.EOF):
			return buf, nil
		case errors.As(err, &tooLarge):
			return nil, c.bodyTooLarge(limit)
		case errors.Is(err, os.ErrDeadlineExceeded):
			return nil, wire.Errorf(wire.Timeout, "the body did not arrive within %v", c.reading)
		default:
			return nil, wire.Errorf(wire.BadRequest, "the body ended before its time")
		}
	}
}

// extendRead moves the deadline for the body, which counts from when it was asked for, and
// that for the answer, which comes after it. Connections of tests may have none.
func (c *call) extendRead() {
	end := time.Time{}
	if c.reading > 0 {
		end = c.asked.Add(c.reading)
		_ = c.rc.SetReadDeadline(end)
		end = end.Add(c.set.WriteTime)
	}
	if c.set.WriteTime > 0 {
		_ = c.rc.SetWriteDeadline(end)
	}
}

// head begins the answer. The time that it took until now is not the client's.
func (c *call) head(status int) {
	if c.set.WriteTime > 0 {
		_ = c.rc.SetWriteDeadline(time.Now().Add(c.patience))
	}
	c.out.WriteHeader(status)
}

// push sends b. The client may make it wait for WriteTime, and a second more for each
// readStep that it takes: one that takes a little now and then would otherwise keep what
// the answer occupies for hours.
func (c *call) push(b []byte) error {
	for {
		part := b[:min(len(b), readStep)]
		began := time.Now()
		if c.set.WriteTime > 0 {
			_ = c.rc.SetWriteDeadline(began.Add(c.patience))
		}
		if _, err := c.out.Write(part); err != nil {
			return err
		}
		c.patience += time.Second*time.Duration(len(part))/readStep - time.Since(began)
		c.patience = min(c.patience, c.set.WriteTime)
		if b = b[len(part):]; len(b) == 0 {
			return nil
		}
	}
}

func (c *call) bodyTooLarge(limit int) error {
	c.out.Header().Set("Connection", "close") // the rest is not worth reading
	return wire.Errorf(wire.TooLarge, "the body is longer than %d bytes", limit)
}

// json reads a body into v. Fields that v does not have, and more than one value, are
// errors.
func (c *call) json(v any) error {
	t, _, err := mime.ParseMediaType(c.r.Header.Get("Content-Type"))
	if err != nil || t != wire.JSON {
		return wire.Errorf(wire.MediaType, "the body has to be JSON").WithHint("send the header Content-Type: application/json")
	}
	b, err := c.body(c.set.Body)
	if err != nil {
		return err
	}
	if err := wire.CheckText(b); err != nil {
		return wire.Errorf(wire.BadRequest, "%v", err)
	}
	// Beside the body there are the buffer of the decoder, what it has decoded, and later what
	// the store makes of that. "[{},{}," is three bytes for what takes hundreds then.
	parts := jsonParts(b)
	if parts > maxParts*c.set.Keys+64 {
		return wire.Errorf(wire.TooLarge, "the JSON has %d parts, too many for %d keys", parts, c.set.Keys)
	}
	if err := c.charge(int64(len(b))*5/2 + partSize*int64(parts)); err != nil {
		return err
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return wire.Errorf(wire.BadRequest, "the body is not the JSON that is expected: %.200s", err.Error()).
			WithHint("GET /v1/openapi.json describes it")
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return wire.Errorf(wire.BadRequest, "there is something behind the JSON")
	}
	return nil
}

// noBody returns an error if there is a body, which would not be what the client thinks.
func (c *call) noBody() error {
	if c.r.ContentLength == 0 {
		return nil
	}
	b, err := c.body(0)
	if err == nil && len(b) > 0 {
		err = c.bodyTooLarge(0)
	}
	return err
}

// An operation of a batch has at most so many fields and braces, and takes about so many
// bytes for each when it is decoded and done.
const (
	maxParts = 16
	partSize = 384
)

// jsonParts counts the commas and braces outside of strings: a bound for how many things
// there are in the JSON.
func jsonParts(b []byte) int {
	n, text := 0, false
	for i := 0; i < len(b); i++ {
		switch c := b[i]; {
		case text && c == '\\':
			i++
		case c == '"':
			text = !text
		case !text && (c == ',' || c == '{' || c == '['):
			n++
		}
	}
	return n
}
