package option

import (
	"fmt"
	"reflect"
	"testing"

	"github.com/ringwood-kv/ringwood/cluster/resp/wire"
)

func TestHello(t *testing.T) {
	for line, want := range map[string]string{
		"HELLO":                         "0",
		"HELLO 2":                       "2",
		"HELLO 3 AUTH u p":              "3 u:p",
		"HELLO 3 setname me auth u p":   "3 u:p name=me",
		"HELLO 4":                       "NOPROTO unsupported protocol version 0",
		"HELLO 1":                       "NOPROTO unsupported protocol version 0",
		"HELLO -1":                      "NOPROTO unsupported protocol version 0",
		"HELLO x":                       "ERR Protocol version is not an integer or out of range 0",
		"HELLO 4 AUTH u p":              "NOPROTO unsupported protocol version 0",
		"HELLO 3 AUTH u":                "ERR Syntax error in HELLO option 'AUTH' 3",
		"HELLO 3 SETNAME":               "ERR Syntax error in HELLO option 'SETNAME' 3",
		"HELLO 3 foo":                   "ERR Syntax error in HELLO option 'foo' 3",
		"HELLO 3 AUTH u p foo":          "ERR Syntax error in HELLO option 'foo' 3 u:p",
		"HELLO 3 SETNAME \x7f":          "ERR Client names cannot contain spaces, newlines or special characters. 3",
		"HELLO 3 AUTH u p SETNAME \x01": "ERR Client names cannot contain spaces, newlines or special characters. 3 u:p",
	} {
		h, err := ParseHello(words(line))
		got := fmt.Sprint(h.Proto)
		if h.Auth {
			got += fmt.Sprintf(" %s:%s", h.User, h.Password)
		}
		if h.SetName {
			got += " name=" + string(h.Name)
		}
		if err != nil {
			got = err.Error() + " " + got
		}
		if got != want {
			t.Errorf("%s: %s, want %s", line, got, want)
		}
	}
	for line, want := range map[string]string{"AUTH p": "-:p", "AUTH u p": "u:p", "AUTH u p x": string(wire.ErrSyntax)} {
		user, password, err := ParseAuth(words(line))
		got := fmt.Sprintf("%s:%s", user, password)
		if user == nil {
			got = "-" + got
		}
		if got = show(got, err); got != want {
			t.Errorf("%s: %s", line, got)
		}
	}
}

func TestClient(t *testing.T) {
	const name = "ERR Client names cannot contain spaces, newlines or special characters."
	for arg, want := range map[string]string{"": "ok", "me": "ok", "!~": "ok", "a b": name, "a\n": name, "\x7f": name, "\xc3\xa9": name, "a\x00": name} {
		if got := show("ok", CheckName([]byte(arg))); got != want {
			t.Errorf("%q: %s", arg, got)
		}
	}
	for line, want := range map[string]string{
		"CLIENT SETINFO lib-name redis-py(x)": "name redis-py(x)",
		"CLIENT SETINFO LIB-VER 1.0":          "version 1.0",
		"CLIENT SETINFO foo 1":                "ERR Unrecognized option 'foo'",
		"CLIENT SETINFO lib-ver a\x01":        "ERR lib-ver cannot contain spaces, newlines or special characters.",
	} {
		s, err := ParseSetInfo(words(line))
		got := "name " + string(s.Value)
		if s.Version {
			got = "version " + string(s.Value)
		}
		if got = show(got, err); got != want {
			t.Errorf("%s: %s", line, got)
		}
	}
	for line, want := range map[string]string{"CLIENT NO-EVICT on": "true", "CLIENT NO-TOUCH OFF": "false", "CLIENT NO-EVICT x": string(wire.ErrSyntax)} {
		if got := show(ParseOnOff(words(line))); got != want {
			t.Errorf("%s: %s", line, got)
		}
	}
	for line, want := range map[string]string{"CLIENT REPLY on": "0", "CLIENT REPLY OFF": "1", "CLIENT REPLY skip": "2", "CLIENT REPLY x": string(wire.ErrSyntax)} {
		if got := show(ParseReply(words(line))); got != want {
			t.Errorf("%s: %s", line, got)
		}
	}
	for line, want := range map[string]string{
		"CLIENT UNBLOCK 5": "5", "CLIENT UNBLOCK 5 error": "5", "CLIENT UNBLOCK x": string(wire.ErrNotInteger),
		"CLIENT UNBLOCK x y":       "ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR",
		"CLIENT unblock 1 ERROR 2": "ERR unknown subcommand or wrong number of arguments for 'unblock'. Try CLIENT HELP.",
	} {
		if got := show(ParseUnblock(words(line))); got != want {
			t.Errorf("%s: %s", line, got)
		}
	}
}

func TestClientList(t *testing.T) {
	for line, want := range map[string]string{
		"CLIENT LIST":               "{Type:0 IDs:[]}",
		"CLIENT LIST TYPE normal":   "{Type:1 IDs:[]}",
		"CLIENT LIST type slave":    "{Type:2 IDs:[]}",
		"CLIENT LIST TYPE PUBSUB":   "{Type:3 IDs:[]}",
		"CLIENT LIST TYPE master":   "{Type:4 IDs:[]}",
		"CLIENT LIST ID 1 2 -3":     "{Type:0 IDs:[1 2 -3]}",
		"CLIENT LIST ID":            string(wire.ErrSyntax),
		"CLIENT LIST TYPE":          string(wire.ErrSyntax),
		"CLIENT LIST TYPE normal x": string(wire.ErrSyntax),
		"CLIENT LIST foo":           string(wire.ErrSyntax),
		"CLIENT LIST ID 1 x":        "ERR Invalid client ID",
		"CLIENT LIST TYPE x":        "ERR Unknown client type 'x'",
	} {
		if got := show(ParseClientList(words(line))); got != want {
			t.Errorf("%s: %s, want %s", line, got, want)
		}
	}
}

func TestClientKill(t *testing.T) {
	isUser := func(name []byte) bool { return string(name) == "alice" }
	for line, want := range map[string]ClientKill{
		"CLIENT KILL 1.2.3.4:5":                     {Old: true, Addr: []byte("1.2.3.4:5")},
		"CLIENT KILL ID 7":                          {ID: 7, SkipMe: true},
		"CLIENT KILL id 7 skipme no type normal":    {ID: 7, Type: NormalClient},
		"CLIENT KILL ADDR a:1 LADDR b:2 SKIPME yes": {Addr: []byte("a:1"), LAddr: []byte("b:2"), SkipMe: true},
		"CLIENT KILL USER alice":                    {User: []byte("alice"), SkipMe: true},
	} {
		if got, err := ParseClientKill(words(line), isUser); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v %v", line, got, err)
		}
	}
	for line, want := range map[string]string{
		"CLIENT KILL ID 0":           "ERR client-id should be greater than 0",
		"CLIENT KILL ID x":           "ERR client-id should be greater than 0",
		"CLIENT KILL TYPE x":         "ERR Unknown client type 'x'",
		"CLIENT KILL USER bob":       "ERR No such user 'bob'",
		"CLIENT KILL USER bob foo 1": "ERR No such user 'bob'",
		"CLIENT KILL SKIPME x":       string(wire.ErrSyntax),
		"CLIENT KILL ID 1 ADDR":      string(wire.ErrSyntax),
		"CLIENT KILL MAXAGE 5":       string(wire.ErrSyntax),
	} {
		if got := show(ParseClientKill(words(line), isUser)); got != want {
			t.Errorf("%s: %s, want %s", line, got, want)
		}
	}
}
