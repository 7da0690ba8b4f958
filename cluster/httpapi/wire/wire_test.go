package wire

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"time"
)

func TestBytes(t *testing.T) {
	for _, b := range []string{"", "a", "\x00", "\xff", "ü", "\ud7ff", "\U0010ffff", "<&>\u2028", "\xed\xa0\x80"} {
		j, err := json.Marshal(struct {
			Key
			Value
		}{KeyOf([]byte(b)), ValueOf([]byte(b))})
		if err != nil {
			t.Fatal(err)
		}
		if err := CheckText(j); err != nil {
			t.Errorf("%q: %v", j, err)
		}
		var back struct {
			Key
			Value
		}
		if err := json.Unmarshal(j, &back); err != nil {
			t.Fatal(err)
		}
		k, err1 := back.Key.Bytes()
		v, err2 := back.Value.Bytes()
		if err1 != nil || err2 != nil || string(k) != b || !bytes.Equal(k, v) {
			t.Errorf("%q becomes %s and %q %q", b, j, k, v)
		}
	}
	for _, j := range []string{`{}`, `{"key":"a","key_base64":"YQ=="}`, `{"key_base64":"YQ"}`, `{"key_base64":"YR=="}`, `{"key_base64":"*"}`} {
		var k Key
		if err := json.Unmarshal([]byte(j), &k); err != nil {
			t.Fatal(err)
		}
		if b, err := k.Bytes(); err == nil {
			t.Errorf("%s is %q", j, b)
		}
	}
}

func TestCheckText(t *testing.T) {
	for text, ok := range map[string]bool{
		`"\ud83d\ude00"`: true, `"\\ud800"`: true, `"\\\ud800"`: false, `"\ud800"`: false, `"\udc00"`: false, `"\ud800\ud800"`: false, `"\ud800x"`: false,
		`"\ud800\n"`: false, `"\uD83D\uDE00"`: true, `"\u12"`: false, `"\u"`: false, `"\`: true, `"\u00e9"`: true, "\"\xff\"": false, `"\ud800\u0041"`: false,
		`"\ud83d\ude00\ud83d"`: false, `""`: true,
	} {
		if err := CheckText([]byte(text)); (err == nil) != ok {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestSeconds(t *testing.T) {
	for text, want := range map[string]Seconds{"1": 1000, "0.5": 500, "1.25": 1250, "0.001": 1, "3153600000": MaxSeconds, "007": 7000} {
		got, err := ParseSeconds(text)
		if err != nil || got != want {
			t.Errorf("%s is %d (%v)", text, got, err)
		}
		if again, err := ParseSeconds(got.String()); err != nil || again != got {
			t.Errorf("%s prints as %s", text, got)
		}
	}
	for _, text := range []string{"", "0", "0.000", "-1", "+1", "1.", ".1", "1.0000", "1e3", " 1", "3153600000.001", "99999999999999999999", "0x1", "1,5", "1.5s"} {
		if got, err := ParseSeconds(text); err == nil {
			t.Errorf("%q is %d", text, got)
		}
	}
	if got := SecondsOf(time.Nanosecond); got != 1 {
		t.Errorf("a nanosecond is %d ms", got)
	}
	var s struct{ S Seconds }
	for _, j := range []string{`{"S":-1}`, `{"S":"1"}`, `{"S":1.23456}`, `{"S":null}`} {
		if err := json.Unmarshal([]byte(j), &s); err == nil && j != `{"S":null}` {
			t.Errorf("%s is %d", j, s.S)
		}
	}
}

func TestErrors(t *testing.T) {
	err := fmt.Errorf("around: %w", Errorf(NotFound, "no %s", "value").WithHint("look"))
	if !errors.Is(err, NotFound) || errors.Is(err, NoBucket) {
		t.Error("codes do not compare")
	}
	if got := err.Error(); got != "around: not_found: no value (look)" {
		t.Error(got)
	}
	seen := map[string]bool{}
	for _, c := range Codes() {
		if s := c.Status(); s < 400 || s > 599 || seen[string(c)] {
			t.Errorf("%s has the status %d", c, s)
		}
		seen[string(c)] = true
	}
	if Code("of tomorrow").Status() != 500 {
		t.Error("a code of a later version")
	}
}
