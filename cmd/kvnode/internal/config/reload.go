package config

import "maps"

// Change is a setting that differs between two configurations. Secrets are masked.
type Change struct {
	Name    string
	From    string
	To      string
	Restart bool // takes effect only then
}

// Reload returns old with those settings of next that may change while the server runs,
// and all that differ, in the order of the table. Files that both name may have changed
// as well: certificates are read again in any case. Neither argument is changed.
func Reload(old, next *Loaded) (*Loaded, []Change) {
	now := *old
	now.sources = maps.Clone(old.sources)
	now.Warnings = next.Warnings
	var changes []Change
	for _, s := range table() {
		from, to := s.bind(&old.Config), s.bind(&next.Config)
		same := from.text() == to.text()
		if s.secret {
			same = from.(*secretValue).p.Reveal() == to.(*secretValue).p.Reveal()
		}
		if same {
			continue
		}
		changes = append(changes, Change{s.name, from.text(), to.text(), !s.reload})
		if s.reload {
			if err := s.bind(&now.Config).set(to.text()); err != nil {
				panic("config: " + s.name + ": " + err.Error()) // it was accepted once
			}
			now.sources[s.name] = next.sources[s.name]
		}
	}
	return &now, changes
}
