package httpapi_test

import (
	"net/url"
	"os"
	"strings"
	"testing"
)

// TestDocument does what docs/http.md says, line by line, and sees the statuses that it
// names.
func TestDocument(t *testing.T) {
	text, err := os.ReadFile("../docs/http.md")
	must(t, err)
	s := newServer(t, withUsers)
	vars := map[string]string{}
	tag, done := "", 0
	s.do("PUT", keys+"stock", "42", "user: admin").is(204)
	_, rest, _ := strings.Cut(string(text), "```sh\n")
	for rest != "" {
		var block string
		block, rest, _ = strings.Cut(rest, "```")
		for line := range strings.Lines(block) {
			command, comment, _ := strings.Cut(strings.TrimSpace(line), " # ")
			name, value, assigned := strings.Cut(command, "=")
			switch {
			case strings.HasPrefix(command, "curl "):
				r := s.curl(command, vars, tag)
				if e := r.Header.Get("ETag"); e != "" {
					tag = e
				}
				want := strings.TrimSpace(comment)
				ok := r.StatusCode < 400
				if len(want) >= 3 && strings.Trim(want[:3], "0123456789") == "" {
					ok = strings.HasPrefix(want, r.Status[:3])
				} else if want != "" && ok && !strings.Contains(want, " ") {
					ok = r.text == want
				}
				if !ok {
					t.Errorf("%s\nanswers %d %s", line, r.StatusCode, r.text)
				}
				done++
			case assigned && strings.HasPrefix(value, "$(curl"):
				vars[name] = s.curl(words(strings.TrimPrefix(value, "$("))[0]+" "+"$K/cart", vars, tag).Header.Get("Ringwood-Context")
			case assigned:
				vars[name] = strings.Trim(value, "'")
			}
		}
		_, rest, _ = strings.Cut(rest, "```sh\n")
	}
	if done < 20 {
		t.Errorf("only %d commands", done)
	}
}

// curl does what a line of the document says, as the administrator.
func (s *server) curl(command string, vars map[string]string, tag string) *response {
	s.t.Helper()
	for name, value := range vars {
		command = strings.ReplaceAll(command, "$"+name, value)
	}
	command = strings.NewReplacer(`"5c91…"`, tag, "…", "long enough").Replace(command)
	method, body, path := "GET", "", ""
	headers := []string{"user: admin"}
	args := words(command)[1:]
	posted := false
	for i := 0; i < len(args); i++ {
		value := ""
		if i+1 < len(args) {
			value = args[i+1]
		}
		switch a := args[i]; a {
		case "-X":
			method = value
			i++
		case "-H":
			headers = append(headers, value)
			i++
		case "-d", "--data-binary":
			body, posted = value, true
			i++
		case "-u":
			i++
		case "-i", "-si":
		default:
			u, err := url.Parse(a)
			must(s.t, err)
			path = u.RequestURI()
		}
	}
	if posted && method == "GET" {
		method = "POST"
	}
	r := request(method, path, body, headers...)
	if posted && len(r.Header.Values("Content-Type")) > 1 {
		r.Header.Set("Content-Type", "application/json") // request has added it too
	}
	return s.send(r)
}

// words splits a line as a shell does, as far as the document needs it.
func words(line string) []string {
	var all []string
	word, quote, in := "", byte(0), false
	for i := range len(line) {
		switch c := line[i]; {
		case quote != 0 && c == quote:
			quote = 0
		case quote != 0:
			word += line[i : i+1]
		case c == '\'' || c == '"':
			quote, in = c, true
		case c == ' ':
			if in {
				all = append(all, word)
			}
			word, in = "", false
		default:
			word, in = word+line[i:i+1], true
		}
	}
	if in {
		all = append(all, word)
	}
	return all
}
