package httpapi

import (
	"strings"

	"github.com/ringwood-kv/ringwood/cluster/httpapi/wire"
)

// The representations of a record have an entity tag each: bytes, the JSON document, and
// the bytes of the latest of several siblings.
const (
	suffixJSON   = "-json"
	suffixLatest = "-latest"
)

// maxTags is how many entity tags a precondition has at most.
const maxTags = 64

// etag returns the entity tag of a representation, "" for a record without a value.
func etag(tag, suffix string) string {
	if tag == "" {
		return ""
	}
	return `"` + tag + suffix + `"`
}

// parseTags reads If-Match or If-None-Match (RFC 9110, 13.1): * or a list of entity tags.
// Tags of all representations name the record.
func parseTags(name, text string) (Tags, error) {
	bad := func() (Tags, error) {
		return Tags{}, wire.Errorf(wire.BadRequest, "%s is * or a list of entity tags in double quotes, as ETag gives them", name)
	}
	t := Tags{Set: true}
	rest := strings.Trim(text, " \t")
	if rest == "*" {
		t.Any = true
		return t, nil
	}
	for rest != "" {
		weak := strings.HasPrefix(rest, "W/")
		rest = strings.TrimPrefix(rest, "W/")
		if !strings.HasPrefix(rest, `"`) {
			return bad()
		}
		tag, after, ok := strings.Cut(rest[1:], `"`)
		if !ok || strings.ContainsFunc(tag, func(c rune) bool { return c < 0x21 || c == 0x7f }) {
			return bad()
		}
		if len(t.Tags) == maxTags {
			return Tags{}, wire.Errorf(wire.TooLarge, "%s has more than %d entity tags", name, maxTags)
		}
		// This server gives out no weak tags. One never matches where If-Match compares,
		// which is strongly; If-None-Match compares weakly.
		if !weak || name == "If-None-Match" {
			t.Tags = append(t.Tags, strings.TrimSuffix(strings.TrimSuffix(tag, suffixJSON), suffixLatest))
		}
		rest = strings.TrimLeft(after, " \t")
		if rest == "" {
			return t, nil
		}
		if rest[0] != ',' {
			return bad()
		}
		rest = strings.TrimLeft(rest, ", \t") // empty elements are allowed
	}
	if len(t.Tags) == 0 {
		return bad()
	}
	return t, nil
}

// condition reads both preconditions, "" for one that is not there.
func condition(match, noneMatch string) (c Condition, err error) {
	if match != "" {
		if c.Match, err = parseTags("If-Match", match); err != nil {
			return Condition{}, err
		}
	}
	if noneMatch != "" {
		if c.NoneMatch, err = parseTags("If-None-Match", noneMatch); err != nil {
			return Condition{}, err
		}
	}
	return c, nil
}

// conditionHeaders reads the preconditions of a request, whose headers may come in
// several lines.
func (c *call) conditionHeaders() (Condition, error) {
	line := func(name string) (string, error) {
		values := c.r.Header.Values(name)
		if len(values) == 0 {
			return "", nil
		}
		text := strings.Join(values, ", ")
		if strings.Trim(text, " \t,") == "" {
			return "", wire.Errorf(wire.BadRequest, "the header %s is empty", name)
		}
		return text, nil
	}
	match, err := line("If-Match")
	if err != nil {
		return Condition{}, err
	}
	noneMatch, err := line("If-None-Match")
	if err != nil {
		return Condition{}, err
	}
	return condition(match, noneMatch)
}
