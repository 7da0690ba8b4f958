package httpapi

import (
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/ringwood-kv/ringwood/cluster/access"
	"github.com/ringwood-kv/ringwood/cluster/httpapi/wire"
)

// target returns the bucket and key of the path.
func (c *call) target() (bucket string, key []byte, err error) {
	if bucket, err = c.bucketName(); err != nil {
		return "", nil, err
	}
	key = []byte(c.r.PathValue("key"))
	if err := c.checkKey(key); err != nil {
		return "", nil, err
	}
	c.note(bucket, key)
	return bucket, key, nil
}

// bucketName returns the bucket of the path. Names that no client can give a bucket are
// for the server itself.
func (c *call) bucketName() (string, error) {
	name := c.r.PathValue("bucket")
	if !access.ValidName(name) {
		return "", wire.Errorf(wire.BadRequest, "%.80q cannot be the name of a bucket", name).
			WithHint("1 to 64 letters, digits and . _ -, the first a letter or digit")
	}
	return name, nil
}

func (c *call) checkKey(key []byte) error {
	if len(key) > c.set.Key {
		return wire.Errorf(wire.TooLarge, "a key of %d bytes; %d are possible", len(key), c.set.Key)
	}
	return nil
}

// getKey reads a key: its bytes, or a JSON document with all siblings.
func getKey(c *call) error {
	if err := c.checkQuery("sibling"); err != nil {
		return err
	}
	latest := false
	switch s := c.query("sibling"); s {
	case "":
	case "latest":
		latest = true
	default:
		return wire.Errorf(wire.BadRequest, "sibling=%.20q: latest is possible", s)
	}
	bucket, key, err := c.target()
	if err != nil {
		return err
	}
	if err := c.needKey(access.Read, bucket, key); err != nil {
		return err
	}
	cond, err := c.conditionHeaders()
	if err != nil {
		return err
	}
	c.reads = true
	rec, err := c.read(bucket, key)
	if err != nil {
		return err
	}
	h := c.out.Header()
	h.Set(wire.HeaderContext, rec.Context)
	h.Set(wire.HeaderSiblings, strconv.Itoa(len(rec.Values)))
	if !cond.Match.Set && len(rec.Values) == 0 {
		e := wire.Errorf(wire.NotFound, "the key has no value")
		if len(key) == 0 {
			e.Hint = "this is the empty key; GET /v1/buckets/" + bucket + "/keys lists keys"
		}
		return e
	}
	if cond.Match.Set && !cond.Match.has(rec.Tag) {
		return preconditionFailed()
	}
	return c.represent(key, &rec, latest)
}

// read returns a record, charged for. How large it is shows when it is there, so no more
// than maxReads are read at a time.
func (c *call) read(bucket string, key []byte) (rec Record, err error) {
	done, err := c.turn()
	if err != nil {
		return rec, err
	}
	defer done()
	if rec, err = c.api.o.Store.Read(c.r.Context(), bucket, key); err != nil {
		return rec, err
	}
	return rec, c.charge(rec.size())
}

// represent sends a record that has a value: its bytes or the document.
func (c *call) represent(key []byte, rec *Record, latest bool) error {
	h, asked := c.out.Header(), prefersJSON(c.r.Header.Values("Accept"))
	h.Add("Vary", "Accept")
	several, document, suffix := len(rec.Values) > 1, false, ""
	switch {
	case latest && several:
		suffix = suffixLatest
	case !latest && (several || asked):
		document, suffix = true, suffixJSON
	}
	h.Set("ETag", etag(rec.Tag, suffix))
	if c.notModified(etag(rec.Tag, suffix)) {
		c.head(http.StatusNotModified)
		return nil
	}
	if !document {
		if v := &rec.Values[0]; v.Expiry != 0 {
			h.Set(wire.HeaderTTL, wire.Seconds(v.TTL).String())
		}
		return c.send(http.StatusOK, wire.Raw, rec.Values[0].Data)
	}
	status := http.StatusOK
	if several && !asked {
		status = http.StatusMultipleChoices
	}
	out := c.stream(status, wire.JSON)
	if err := out.entry(key, rec); err != nil {
		return err
	}
	if err := out.text("\n"); err != nil {
		return err
	}
	return out.close()
}

// notModified says whether If-None-Match, which has been checked, has the tag of what would
// be sent. That of another form of the record does not count: a client that has the
// bytes has not the document.
func (c *call) notModified(current string) bool {
	for _, line := range c.r.Header.Values("If-None-Match") {
		for _, tag := range strings.Split(line, ",") {
			tag = strings.TrimPrefix(strings.Trim(tag, " \t"), "W/")
			if tag == "*" || tag == current {
				return true
			}
		}
	}
	return false
}

func (r *Record) size() int64 {
	n := int64(len(r.Context))
	for i := range r.Values {
		n += int64(len(r.Values[i].Data)) + 256
	}
	return n
}

// entry returns a record as JSON.
func entry(key []byte, rec *Record) wire.Entry {
	e := wire.Entry{Key: wire.KeyOf(key), Siblings: make([]wire.Sibling, len(rec.Values)), Context: rec.Context, ETag: etag(rec.Tag, suffixJSON)}
	for i := range rec.Values {
		e.Siblings[i] = sibling(&rec.Values[i])
	}
	return e
}

func sibling(v *Value) wire.Sibling {
	return wire.Sibling{Value: wire.ValueOf(v.Data), Written: moment(v.Written), Expires: moment(v.Expiry), TTL: wire.Seconds(v.TTL)}
}

// moment returns milliseconds since the Unix epoch as a time, 0 as none.
func moment(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}

// prefersJSON says whether an Accept header asks for JSON: by its name, and with no lower
// weight than bytes by theirs or by a wildcard (RFC 9110, 12.5.1).
func prefersJSON(accept []string) bool {
	json, raw := -1.0, -1.0
	for _, line := range accept {
		for _, part := range strings.Split(line, ",") {
			name, params, _ := strings.Cut(part, ";")
			q := 1.0
			for _, p := range strings.Split(params, ";") {
				if k, v, ok := strings.Cut(strings.TrimSpace(p), "="); ok && strings.EqualFold(strings.TrimSpace(k), "q") {
					n, err := strconv.ParseFloat(strings.TrimSpace(v), 64)
					if err != nil || math.IsNaN(n) {
						n = 0
					}
					q = n
				}
			}
			switch strings.ToLower(strings.TrimSpace(name)) {
			case wire.JSON:
				json = max(json, q)
			case wire.Raw:
				raw = max(raw, q)
			}
		}
	}
	return json > 0 && json >= raw
}

func preconditionFailed() *wire.Error {
	return wire.Errorf(wire.Precondition, "If-Match or If-None-Match does not hold").
		WithHint("read the key again: somebody has changed it")
}

// ttl reads the time to live from the header or the query, 0 for none.
func (c *call) ttl() (int64, error) {
	text, err := c.header(wire.HeaderTTL)
	if err != nil {
		return 0, err
	}
	if q, ok := c.r.URL.Query()["ttl"]; ok {
		if text != "" {
			return 0, wire.Errorf(wire.BadRequest, "the time to live is in the header and in the query")
		}
		text = q[0]
	} else if text == "" {
		return 0, nil
	}
	s, err := wire.ParseSeconds(text)
	if err != nil {
		return 0, wire.Errorf(wire.BadRequest, "%v", err)
	}
	return int64(s), nil
}

// writeHeaders fills in what the headers say of a write.
func (c *call) writeHeaders(op *Operation, w *Write) (err error) {
	if op.Kind != Put && c.r.Header.Get(wire.HeaderTTL) != "" {
		return wire.Errorf(wire.BadRequest, "only a value that is put has a time to live").WithHint("an increment leaves the expiry that there is")
	}
	if op.Context, err = c.header(wire.HeaderContext); err != nil {
		return err
	}
	if op.If, err = c.conditionHeaders(); err != nil {
		return err
	}
	return c.wholeWrite(w)
}

// wholeWrite reads what is said of all operations of a write: its durability and its id.
func (c *call) wholeWrite(w *Write) (err error) {
	if w.Durability, err = c.header(wire.HeaderDurability); err != nil {
		return err
	}
	switch w.Durability {
	case "", "sync", "os", "none":
	default:
		return wire.Errorf(wire.BadRequest, "%s is %.20q: sync, os or none is possible", wire.HeaderDurability, w.Durability)
	}
	id, err := c.header(wire.HeaderRequestID)
	if err != nil || id == "" {
		return err
	}
	if len(id) > wire.MaxRequestID || strings.ContainsFunc(id, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return wire.Errorf(wire.BadRequest, "a request id is 1 to %d visible ASCII characters", wire.MaxRequestID)
	}
	w.ID, w.User = id, c.who.Name()
	c.out.Header().Set(wire.HeaderRequestID, id)
	return nil
}

// verbs are what an operation takes. A precondition tells of what is there; an increment
// returns it.
func (op *Operation) verbs() access.Verb {
	v := access.Write
	if op.Kind == Delete {
		v = access.Delete
	}
	if op.If.Match.Set || op.If.NoneMatch.Set || op.Kind == Increment {
		v |= access.Read
	}
	return v
}

// putKey stores the body.
func putKey(c *call) error {
	if err := c.checkQuery("ttl"); err != nil {
		return err
	}
	bucket, key, err := c.target()
	if err != nil {
		return err
	}
	if c.r.Header.Get("Content-Range") != "" {
		return wire.Errorf(wire.BadRequest, "a part of a value cannot be written")
	}
	op, w := Operation{Kind: Put, Key: key}, Write{}
	if err := c.writeHeaders(&op, &w); err != nil {
		return err
	}
	if op.TTL, err = c.ttl(); err != nil {
		return err
	}
	if err := c.needKey(op.verbs(), bucket, key); err != nil {
		return err
	}
	if op.Value, err = c.body(min(c.set.Value, c.set.Body)); err != nil {
		return err
	}
	_, err = c.writeOne(bucket, op, w)
	if err != nil {
		return err
	}
	return c.empty()
}

// deleteKey deletes a key. Whether it had a value is not told: that takes a read.
func deleteKey(c *call) error {
	if err := c.checkQuery(); err != nil {
		return err
	}
	bucket, key, err := c.target()
	if err != nil {
		return err
	}
	op, w := Operation{Kind: Delete, Key: key}, Write{}
	if err := c.writeHeaders(&op, &w); err != nil {
		return err
	}
	if err := c.needKey(op.verbs(), bucket, key); err != nil {
		return err
	}
	if err := c.noBody(); err != nil {
		return err
	}
	if _, err := c.writeOne(bucket, op, w); err != nil {
		return err
	}
	return c.empty()
}

// postKey adds to the number that a key has.
func postKey(c *call) error {
	if err := c.checkQuery(); err != nil {
		return err
	}
	bucket, key, err := c.target()
	if err != nil {
		return err
	}
	if c.r.Header.Get(wire.HeaderContext) != "" {
		return wire.Errorf(wire.BadRequest, "an increment replaces what it has read itself: it takes no context")
	}
	op, w := Operation{Kind: Increment, Key: key}, Write{}
	if err := c.writeHeaders(&op, &w); err != nil {
		return err
	}
	if err := c.needKey(op.verbs(), bucket, key); err != nil {
		return err
	}
	var in struct {
		By *int64 `json:"increment"`
	}
	if err := c.json(&in); err != nil {
		return err
	}
	if in.By == nil {
		return wire.Errorf(wire.BadRequest, `there is no "increment"`)
	}
	op.By = *in.By
	res, err := c.writeOne(bucket, op, w)
	if err != nil {
		return err
	}
	return c.reply(http.StatusOK, c.result(bucket, &op, res))
}

// writeOne does one operation and sets the headers that tell of it.
func (c *call) writeOne(bucket string, op Operation, w Write) (*Result, error) {
	c.writes = true
	w.Operations = []Operation{op}
	done, err := c.write(bucket, w)
	if err != nil {
		return nil, err
	}
	res := &done.Results[0]
	if res.Err != nil {
		return nil, res.Err
	}
	h := c.out.Header()
	if done.Replayed {
		h.Set(wire.HeaderReplayed, "true")
	}
	if !c.may(access.Read, bucket, op.Key) {
		return res, nil
	}
	if res.Tag != "" {
		h.Set("ETag", etag(res.Tag, ""))
	}
	if res.Context != "" {
		h.Set(wire.HeaderContext, res.Context)
	}
	h.Set(wire.HeaderSiblings, strconv.Itoa(res.Siblings))
	return res, nil
}

// write asks the store and sees that it answers as it must.
func (c *call) write(bucket string, w Write) (Written, error) {
	held := int64(0)
	defer func() { c.release(held) }()
	w.Turn = c.turn
	w.Hold = func(bytes int64) error {
		if bytes <= held {
			return nil
		}
		if err := c.charge(bytes - held); err != nil {
			return err
		}
		held = bytes
		return nil
	}
	done, err := c.api.o.Store.Write(c.r.Context(), bucket, w)
	if err == nil && len(done.Results) != len(w.Operations) {
		c.api.o.Logger.Error("http: the store has another number of results than there were operations")
		err = &wire.Error{Code: wire.Internal, Message: "the server lost the results of the write"}
	}
	return done, err
}

// result returns what an operation did as JSON, without what the client may not read.
func (c *call) result(bucket string, op *Operation, res *Result) wire.OperationResult {
	if res.Err != nil {
		return wire.OperationResult{Error: res.Err}
	}
	if !c.may(access.Read, bucket, op.Key) {
		return wire.OperationResult{}
	}
	out := wire.OperationResult{ETag: etag(res.Tag, ""), Context: res.Context, Siblings: res.Siblings}
	if op.Kind == Increment {
		out.Number = &res.Number
	}
	return out
}
