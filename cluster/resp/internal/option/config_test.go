package option

import (
	"fmt"
	"strings"
	"testing"
)

func TestMatchConfig(t *testing.T) {
	names := []string{"appendonly", "databases", "maxmemory", "maxmemory-policy", "save"}
	for line, want := range map[string]string{
		"CONFIG GET save":             "[{save 4}]",
		"CONFIG GET SAVE":             "[{SAVE 4}]",
		"CONFIG GET save SAVE s*":     "[{save 4}]",
		"CONFIG GET maxmem* foo save": "[{maxmemory 2} {maxmemory-policy 3} {save 4}]",
		"CONFIG GET *":                "[{appendonly 0} {databases 1} {maxmemory 2} {maxmemory-policy 3} {save 4}]",
		"CONFIG GET S?V[d-f]":         "[{save 4}]",
		"CONFIG GET foo":              "[]",
		`CONFIG GET \save`:            "[]",
	} {
		params, err := MatchConfig(words(line), names)
		if got := show(fmt.Sprint(params), err); got != want {
			t.Errorf("%s: %s, want %s", line, got, want)
		}
	}
	if _, err := MatchConfig([][]byte{nil, nil, make([]byte, 5000)}, names); err != nil {
		t.Error("a long text of NUL bytes is no pattern:", err)
	}
	if _, err := MatchConfig([][]byte{nil, nil, []byte(strings.Repeat("*", 5000))}, names); err == nil || err.Error() != "ERR pattern is too long" {
		t.Error(err)
	}
}
