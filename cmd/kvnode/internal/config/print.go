package config

import (
	"encoding/json"
	"fmt"
	"io"
	"regexp"
	"strings"
)

// Print writes all settings as a file for --config, each with its source. Secrets are
// comments.
func (l *Loaded) Print(w io.Writer) error {
	var b strings.Builder
	b.WriteString("# The settings of kvnode in effect, as a file for --config.\n")
	group := ""
	for _, s := range table() {
		if s.group != group {
			group = s.group
			b.WriteString("\n# " + group + "\n")
		}
		v, from := s.bind(&l.Config), l.sources[s.name]
		line := s.name + ": " + yamlText(v)
		switch {
		case s.secret && from.Origin == Default:
			line = "# " + s.name + ": not set"
		case s.secret:
			line = "# " + s.name + ": " + v.text()
		}
		// A path may hold anything that can be printed: it ends a comment nowhere.
		fmt.Fprintf(&b, "%-44s # %s\n", line, from)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// plainYAML is what every reader of YAML takes for a text, number, truth value or size as
// it stands.
var plainYAML = regexp.MustCompile(`^(/?[A-Za-z][A-Za-z0-9_./-]*|/[A-Za-z0-9_./-]*|[0-9]+[A-Za-z]*)$`)

func yamlText(v value) string {
	list, ok := v.(*listValue)
	if !ok {
		return yamlScalar(v)
	}
	var items []string
	for _, item := range *list.p {
		items = append(items, quoteYAML(item))
	}
	return "[" + strings.Join(items, ", ") + "]"
}

func yamlScalar(v value) string {
	text := v.text()
	switch v.(type) {
	case *pathValue, *addrValue, *secretValue:
		if w := strings.ToLower(text); !plainYAML.MatchString(text) || w[0] >= '0' && w[0] <= '9' || yamlWords[w] {
			return quoteYAML(text)
		}
	}
	return text
}

// yamlWords mean something else than themselves in one version of YAML or another.
var yamlWords = map[string]bool{"true": true, "false": true, "yes": true, "no": true, "on": true, "off": true, "y": true, "n": true, "null": true}

// quoteYAML writes a text in JSON, which is YAML. There are no control characters in it.
func quoteYAML(s string) string {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.Encode(s)
	return strings.TrimSuffix(b.String(), "\n")
}

const generalGroup = "General"

// WriteHelp writes the help: all flags by chapter.
func WriteHelp(w io.Writer) error {
	var b strings.Builder
	b.WriteString("Usage: kvnode [flags]\n\nRuns a node of a Ringwood store. Alone, it is a store by itself.\n\n" +
		"Every flag is also a line of the YAML file that --config names (max-value-size: 1MiB) and\n" +
		"an environment variable (KVNODE_MAX_VALUE_SIZE). A flag wins over a variable, that over the\n" +
		"file. Secrets are variables or files only: KVNODE_ADMIN_PASSWORD or --admin-password-file.\n\n" +
		"  kvnode                                       on 127.0.0.1 alone; prints how to use it\n" +
		"  kvnode --admin-password-file FILE            with a first user, admin: everybody logs in\n" +
		"  kvnode --config FILE --check-config          are the settings right?\n" +
		"  kvnode --config FILE                         kill -HUP reads the file and certificates again\n\n" +
		"Exit status: 0 it was stopped in order, 1 it failed, 2 the settings are wrong or unsafe.\n")
	settings := table()
	groups := []string{generalGroup}
	for _, s := range settings {
		if s.group != groups[len(groups)-1] {
			groups = append(groups, s.group)
		}
	}
	for _, g := range groups {
		b.WriteString("\n" + g + ":\n")
		b.WriteString(flagSet(settings, g, func(string, string) {}).FlagUsagesWrapped(100))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// Value is a setting with what it is. The text of a secret does not tell it.
type Value struct {
	Name, Text string
	Source     Source
	Secret     bool
}

// Values returns all settings in the order of the table.
func (l *Loaded) Values() (all []Value) {
	for _, s := range table() {
		all = append(all, Value{s.name, s.bind(&l.Config).text(), l.sources[s.name], s.secret})
	}
	return all
}
