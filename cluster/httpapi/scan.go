package httpapi

import (
	"bytes"
	"encoding/base64"
	"net/http"
	"time"

	"github.com/ringwood-kv/ringwood/cluster/access"
	"github.com/ringwood-kv/ringwood/cluster/httpapi/wire"
)

// What one page of a scan may cost, whatever it shows: a prefix that few keys have makes a
// long walk.
const (
	scanSteps = 256
	scanTime  = 5 * time.Second
)

// scanKeys lists keys of a bucket, a line for each, and at last a line with the cursor.
// What the client may not see is left out as if it were not there.
func scanKeys(c *call) error {
	if err := c.checkQuery("prefix", "prefix_base64", "cursor", "limit", "values"); err != nil {
		return err
	}
	bucket, err := c.bucketName()
	if err != nil {
		return err
	}
	s := Scan{Cursor: c.query("cursor")}
	if s.Prefix, err = c.prefix(); err != nil {
		return err
	}
	limit, err := c.number("limit", 1000, c.set.ScanKeys)
	if err != nil {
		return err
	}
	values, err := c.flag("values")
	if err != nil {
		return err
	}
	verbs := access.Scan
	if values {
		verbs |= access.Read
	}
	switch c.covers(verbs, bucket, s.Prefix) {
	case access.None:
		return denied(verbs, bucket)
	case access.Some:
		s.Match = func(key []byte) bool { return c.may(verbs, bucket, key) }
	}
	c.note(bucket, s.Prefix)
	c.reads = true
	out, began := c.stream(http.StatusOK, wire.NDJSON), time.Now()
	for step := 0; ; step++ {
		var failed error
		var big *Item // is sent after the step, and ends it
		full := false
		next, err := c.scanStep(bucket, s, func(it Item) bool {
			full = full || limit == 0 || out.size() >= c.set.ScanBytes
			// While this goes on the store keeps its files: nothing is sent here.
			if full || big != nil || len(out.buf) >= sendStep {
				return false
			}
			if values && len(it.Value) > large {
				if failed = c.charge(int64(len(it.Value))); failed != nil {
					return false
				}
				it.Key, it.Value = bytes.Clone(it.Key), bytes.Clone(it.Value)
				big = &it
			} else if failed = out.line(scanLine(&it, values)); failed != nil {
				return false
			}
			limit--
			return true
		})
		if err == nil {
			err = failed
		}
		if err == nil {
			err = out.spill()
		}
		if err == nil && big != nil {
			size := int64(len(big.Value))
			err = out.bigLine(big)
			c.release(size)
		}
		if err == errGone {
			return nil
		}
		if err != nil {
			if !out.started {
				return err
			}
			e := c.explain(err)
			c.code = e.Code
			out.buf = out.buf[:0]
			if out.line(wire.ScanLine{Error: e}) == nil {
				_ = out.send()
			}
			return nil
		}
		s.Cursor = next
		if next == "" || full || limit == 0 || out.size() >= c.set.ScanBytes || step >= scanSteps || time.Since(began) > scanTime {
			break
		}
	}
	if err := out.line(wire.ScanLine{Next: &s.Cursor}); err != nil {
		return nil
	}
	_ = out.close()
	return nil
}

// scanStep is a step of the scan, when it is its turn.
func (c *call) scanStep(bucket string, s Scan, visit func(Item) bool) (next string, err error) {
	done, err := c.turn()
	if err != nil {
		return "", err
	}
	defer done()
	return c.api.o.Store.Scan(c.r.Context(), bucket, s, visit)
}

// bigLine sends the line of a key with a large value.
func (s *stream) bigLine(it *Item) error {
	value := it.Value
	it.Value = nil
	if err := s.object(scanLine(it, true), value); err != nil {
		return err
	}
	return s.text("\n")
}

func scanLine(it *Item, values bool) wire.ScanLine {
	l := wire.ScanLine{Key: wire.KeyOf(it.Key)}
	if values {
		l.Value = wire.ValueOf(it.Value)
		l.Expires, l.TTL = moment(it.Expiry), wire.Seconds(it.TTL)
		if it.Siblings > 1 {
			l.Siblings = it.Siblings
		}
	}
	return l
}

func (c *call) prefix() ([]byte, error) {
	text, coded := c.query("prefix"), c.query("prefix_base64")
	if coded == "" {
		if err := c.checkKey([]byte(text)); err != nil {
			return nil, err
		}
		return []byte(text), nil
	}
	if text != "" {
		return nil, wire.Errorf(wire.BadRequest, "there are both prefix and prefix_base64")
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(coded)
	if err != nil {
		return nil, wire.Errorf(wire.BadRequest, "prefix_base64 is not base64 for URLs, without padding")
	}
	return b, c.checkKey(b)
}
