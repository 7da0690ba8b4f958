package resp

import (
	"bufio"
	"errors"
	"strings"
	"testing"
)

func parseReply(text string) (reply, *bufio.Reader, error) {
	r := bufio.NewReaderSize(strings.NewReader(text), maxLine)
	var rep reply
	err := rep.read(r)
	return rep, r, err
}

func TestReplies(t *testing.T) {
	for text, want := range map[string]reply{
		"+OK\r\n":                           {mark: '+', data: []byte("OK")},
		"-ERR no\r\n":                       {mark: '-', data: []byte("ERR no")},
		":-12\r\n":                          {mark: ':', n: -12},
		"$0\r\n\r\n":                        {mark: '$'},
		"$4\r\na\r\nb\r\n":                  {mark: '$', n: 4, data: []byte("a\r\nb")},
		"$-1\r\n":                           {mark: '$', n: -1, null: true},
		"*-1\r\n":                           {mark: '*', n: -1, null: true},
		"*0\r\n":                            {mark: '*'},
		"*3\r\n+OK\r\n-ERR b\r\n:1\r\n":     {mark: '*', n: 3, refused: "ERR b", list: []string{"OK", "ERR b", ""}},
		"*1\r\n*2\r\n-ERR c\r\n$1\r\nx\r\n": {mark: '*', n: 1, refused: "ERR c", list: []string{""}},
	} {
		rep, r, err := parseReply(text)
		if err != nil || rep.mark != want.mark || rep.n != want.n || rep.null != want.null || string(rep.data) != string(want.data) ||
			rep.refused != want.refused || strings.Join(rep.list, "|") != strings.Join(want.list, "|") {
			t.Errorf("%q: %+v, %v", text, rep, err)
		}
		if r.Buffered() > 0 {
			t.Errorf("%q: %d bytes are left", text, r.Buffered())
		}
	}
}

// What is no reply is an error, and takes no memory for what did not come.
func TestBrokenReplies(t *testing.T) {
	for text, want := range map[string]string{
		"":                                 "closed",
		"\r\n":                             "empty line",
		"+OK":                              "closed",
		"+OK\n":                            "without a carriage return",
		"\n":                               "without a carriage return",
		"OK\r\n":                           "begins with",
		"%1\r\n":                           "begins with",
		":\r\n":                            "no number",
		":1x\r\n":                          "no number",
		":-\r\n":                           "no number",
		":1234567890123456789\r\n":         "no number",
		"$-2\r\n":                          "a length of -2",
		"$999999999\r\n":                   "at most",
		"$536870912\r\nabc":                "closed",
		"$3\r\nabcd\r\n":                   "does not end there",
		"*999999999\r\n":                   "an array of",
		"*2\r\n:1\r\n":                     "closed",
		strings.Repeat("*1\r\n", 10):       "at depth",
		"+" + strings.Repeat("x", maxLine): "a line of more",
	} {
		rep, _, err := parseReply(text)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.40q: %v, want %q", text, err, want)
		}
		if cap(rep.data) > 4*chunk {
			t.Errorf("%.40q: %d bytes are taken", text, cap(rep.data))
		}
		if want != "closed" && !errors.Is(err, errProtocol) {
			t.Errorf("%.40q: %v is no error of the protocol", text, err)
		}
	}
}

func FuzzReply(f *testing.F) {
	for _, s := range []string{"+OK\r\n", "*2\r\n$1\r\na\r\n:5\r\n", "$-1\r\n", "*1000000\r\n", "$536870912\r\n"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		rep, _, err := parseReply(string(b))
		if err == nil && len(rep.data) > len(b) {
			t.Errorf("%d bytes out of %d", len(rep.data), len(b))
		}
		if cap(rep.data) > 4*chunk+2*len(b) {
			t.Errorf("%d bytes are taken for %d", cap(rep.data), len(b))
		}
	})
}

func TestCommands(t *testing.T) {
	if got := string(appendCommand(nil, "SET", []byte("k"), nil)); got != "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$0\r\n\r\n" {
		t.Errorf("%q", got)
	}
}
