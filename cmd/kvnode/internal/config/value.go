package config

import (
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/ringwood-kv/ringwood/cluster/access"
)

// value is a place in a Config with its type: how it is read, written and bounded.
type value interface {
	// set reads what a person has written. The error is a *fault, and the place is then
	// as it was.
	set(text string) error
	// text is what set would read the same from.
	text() string
	kind() string
	limits() string // "" if there are none
}

// fault says what is wrong with a text, and what to write in its place.
type fault struct{ what, do string }

func (f *fault) Error() string { return f.what + ". " + f.do }

func wrong(what, do string) error { return &fault{what, do} }

// quote shows a text of unknown origin within a line.
func quote(s string) string {
	if len(s) > 80 {
		return strconv.QuoteToASCII(s[:80]) + "..."
	}
	return strconv.Quote(s)
}

// checkText refuses what cannot be printed and read again.
func checkText(s string) error {
	if !utf8.ValidString(s) || strings.ContainsFunc(s, unicode.IsControl) {
		return wrong(quote(s)+" has control characters or is no UTF-8", "Leave them out.")
	}
	return nil
}

type sizeValue struct {
	p           *int64
	least, most int64
}

func (v *sizeValue) set(text string) error {
	n, err := parseSize(text)
	if err != nil {
		return err
	}
	if n < v.least || n > v.most {
		return wrong(quote(text)+" is too small or too large", "Write a size from "+v.limits()+".")
	}
	*v.p = n
	return nil
}

func (v *sizeValue) text() string   { return sizeText(*v.p) }
func (v *sizeValue) kind() string   { return "SIZE" }
func (v *sizeValue) limits() string { return sizeText(v.least) + " to " + sizeText(v.most) }

type intValue struct {
	p           *int
	least, most int
}

func (v *intValue) set(text string) error {
	n, err := strconv.Atoi(strings.ReplaceAll(text, "_", ""))
	if err != nil || n < v.least || n > v.most || text[0] == '+' {
		return wrong(quote(text)+" is no number, or too small or too large", "Write a whole number from "+v.limits()+".")
	}
	*v.p = n
	return nil
}

func (v *intValue) text() string   { return strconv.Itoa(*v.p) }
func (v *intValue) kind() string   { return "N" }
func (v *intValue) limits() string { return fmt.Sprintf("%d to %d", v.least, v.most) }

type durationValue struct {
	p    *time.Duration
	most time.Duration
}

func (v *durationValue) set(text string) error {
	d, err := time.ParseDuration(text)
	if err != nil || strings.HasPrefix(text, "+") {
		return wrong(quote(text)+" is no time", "Write a number with a unit, like 500ms, 10s, 5m or 1h.")
	}
	if d < 0 || d > v.most {
		return wrong(quote(text)+" is too long or negative", "Write a time from "+v.limits()+".")
	}
	*v.p = d
	return nil
}

func (v *durationValue) text() string   { return durationText(*v.p) }
func (v *durationValue) kind() string   { return "TIME" }
func (v *durationValue) limits() string { return "0s to " + durationText(v.most) }

// durationText is like 90s, 5m or 24h, without the zeros of Duration.String.
func durationText(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

type boolValue struct{ p *bool }

func (v *boolValue) set(text string) error {
	switch strings.ToLower(text) {
	case "true", "yes", "on", "1":
		*v.p = true
	case "false", "no", "off", "0":
		*v.p = false
	default:
		return wrong(quote(text)+" is neither true nor false", "Write true or false.")
	}
	return nil
}

func (v *boolValue) text() string   { return strconv.FormatBool(*v.p) }
func (v *boolValue) kind() string   { return "bool" }
func (v *boolValue) limits() string { return "" }

// enumValue is one of some words, each for a value.
type enumValue[T comparable] struct {
	p      *T
	words  []string
	values []T
}

func words(p *string, list ...string) value { return &enumValue[string]{p, list, list} }

func (v *enumValue[T]) set(text string) error {
	i := slices.Index(v.words, strings.ToLower(text))
	if i < 0 {
		return wrong(quote(text)+" is not possible", "Write "+v.limits()+".")
	}
	*v.p = v.values[i]
	return nil
}

func (v *enumValue[T]) text() string { return v.words[slices.Index(v.values, *v.p)] }
func (v *enumValue[T]) kind() string { return strings.Join(v.words, "|") }
func (v *enumValue[T]) limits() string {
	last := len(v.words) - 1
	return strings.Join(v.words[:last], ", ") + " or " + v.words[last]
}

type pathValue struct {
	p        *string
	optional bool
}

func (v *pathValue) set(text string) error {
	if text == "" && !v.optional {
		return wrong("it is empty", "Write a path.")
	}
	if err := checkText(text); err != nil {
		return err
	}
	*v.p = text
	return nil
}

func (v *pathValue) text() string   { return *v.p }
func (v *pathValue) kind() string   { return "PATH" }
func (v *pathValue) limits() string { return "" }

// addrValue is HOST:PORT, or empty.
type addrValue struct{ p *string }

func (v *addrValue) set(text string) error {
	if text != "" {
		if _, _, err := splitAddr(text); err != nil {
			return err
		}
	}
	*v.p = text
	return nil
}

func (v *addrValue) text() string   { return *v.p }
func (v *addrValue) kind() string   { return "HOST:PORT" }
func (v *addrValue) limits() string { return "" }

// splitAddr takes HOST:PORT apart. HOST may be empty: all addresses of the machine.
func splitAddr(text string) (host string, port uint16, err error) {
	do := "Write HOST:PORT, like 127.0.0.1:6379 or [::1]:6379."
	if err := checkText(text); err != nil {
		return "", 0, err
	}
	i := strings.LastIndexByte(text, ':')
	if i < 0 {
		return "", 0, wrong(quote(text)+" has no port", do)
	}
	host = text[:i]
	n, err := strconv.ParseUint(text[i+1:], 10, 16)
	if err != nil || text[i+1] == '+' {
		return "", 0, wrong(quote(text)+" has no port from 0 to 65535", do)
	}
	if inner, ok := strings.CutPrefix(host, "["); ok {
		inner, closed := strings.CutSuffix(inner, "]")
		if a, err := netip.ParseAddr(inner); !closed || err != nil || !a.Is6() {
			return "", 0, wrong(quote(text)+" has no IPv6 address between the brackets", do)
		}
		return inner, uint16(n), nil
	}
	if _, err := netip.ParseAddr(host); host != "" && err != nil && !validHost(host) || strings.Contains(host, ":") {
		return "", 0, wrong(quote(text)+" has no possible host", do)
	}
	return host, uint16(n), nil
}

// validHost reports whether s can be a name in the DNS.
func validHost(s string) bool {
	if s == "" || len(s) > 253 {
		return false
	}
	numbers := true
	for label := range strings.SplitSeq(s, ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
		for _, c := range label {
			if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_') {
				return false
			}
			numbers = numbers && c >= '0' && c <= '9'
		}
	}
	return !numbers // 127.1 and 300.1.1.1 are mistakes
}

// listValue is texts with commas between them. Each of them passes check.
type listValue struct {
	p     *[]string
	check func(text string) error
}

func (v *listValue) set(text string) error {
	var list []string
	for item := range strings.SplitSeq(text, ",") {
		if item = strings.TrimSpace(item); item == "" {
			continue
		}
		if err := v.check(item); err != nil {
			return err
		}
		if !slices.Contains(list, item) {
			list = append(list, item)
		}
	}
	*v.p = list
	return nil
}

func (v *listValue) text() string   { return strings.Join(*v.p, ",") }
func (v *listValue) kind() string   { return "A,B,..." }
func (v *listValue) limits() string { return "" }

func checkPeer(text string) error {
	host, port, err := splitAddr(text)
	if err == nil && (host == "" || port == 0) {
		return wrong(quote(text)+" is no address to connect to", "Write HOST:PORT, like 10.0.0.2:7379.")
	}
	return err
}

func checkHost(text string) error {
	if _, err := netip.ParseAddr(text); err != nil && !validHost(text) {
		return wrong(quote(text)+" is no name of a host", "Write a name without scheme and port, like kv.example.com.")
	}
	return nil
}

func checkOrigin(text string) error {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.Scheme+"://"+u.Host != text {
		return wrong(quote(text)+" is no origin", "Write scheme and host, like https://admin.example.com.")
	}
	return nil
}

// secretValue does not tell what it holds, also not when that is wrong.
type secretValue struct{ p *access.Secret }

func (v *secretValue) set(text string) error {
	if len(text) < access.MinPassword || len(text) > access.MaxPassword {
		return wrong(fmt.Sprintf("it has %d bytes", len(text)), "Use "+v.limits()+".")
	}
	if checkText(text) != nil {
		return wrong("it has control characters or is no UTF-8", "Leave them out; a file may end with one line break.")
	}
	*v.p = access.NewSecret(text)
	return nil
}

func (v *secretValue) text() string { return v.p.String() }
func (v *secretValue) kind() string { return "SECRET" }
func (v *secretValue) limits() string {
	return fmt.Sprintf("%d to %d bytes", access.MinPassword, access.MaxPassword)
}
