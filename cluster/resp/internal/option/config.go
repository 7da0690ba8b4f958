package option

import (
	"bytes"

	"github.com/ringwood-kv/ringwood/cluster/resp/internal/ascii"
	"github.com/ringwood-kv/ringwood/cluster/resp/internal/glob"
	"github.com/ringwood-kv/ringwood/cluster/resp/wire"
)

// Param is a parameter that CONFIG GET answers.
type Param struct {
	Name  string // as it is answered: a name without wildcards as the client wrote it
	Index int    // in the names
}

// MatchConfig returns the parameters that CONFIG GET pattern... asks for, each once,
// ordered by the first pattern that has it and then as in names. The names are in
// small letters; patterns match in any case.
func MatchConfig(args [][]byte, names []string) ([]Param, error) {
	var found []Param
	taken := make([]bool, len(names))
	take := func(i int, name string) {
		if !taken[i] {
			taken[i] = true
			found = append(found, Param{name, i})
		}
	}
	for _, a := range args[2:] {
		a = []byte(text(a))
		if !bytes.ContainsAny(a, "[*?") {
			for i, name := range names {
				if ascii.EqualFold(a, name) {
					take(i, string(a))
				}
			}
			continue
		}
		p, err := glob.Compile(a, true)
		if err != nil {
			return nil, wire.Error("ERR " + err.Error())
		}
		for i, name := range names {
			if ok, _ := p.Match([]byte(name), nil); ok {
				take(i, name)
			}
		}
	}
	return found, nil
}
