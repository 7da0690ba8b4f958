package config

import (
	"fmt"
	"strings"
)

const envPrefix = "KVNODE_"

// envName is the variable of a setting.
func envName(name string) string {
	return envPrefix + strings.ToUpper(strings.ReplaceAll(name, "-", "_"))
}

// parseEnv picks the variables that are set and not empty out of NAME=VALUE, by the name of
// their setting. Those of unknown names are warnings.
func parseEnv(settings []setting, environ []string) (texts map[string]string, config string, warnings []string) {
	known := map[string]string{envName(configFlag): configFlag}
	var names []string
	for _, s := range settings {
		known[envName(s.name)] = s.name
		names = append(names, s.name)
	}
	texts = map[string]string{}
	for _, e := range environ {
		variable, text, _ := strings.Cut(e, "=")
		if !strings.HasPrefix(variable, envPrefix) || text == "" {
			continue
		}
		switch name, ok := known[variable]; {
		case !ok:
			w := fmt.Sprintf("the environment variable %s has no meaning here.", quote(variable))
			if n := nearest(strings.TrimPrefix(variable, envPrefix), names); n != "" {
				w += " Did you mean " + envName(n) + "?"
			}
			warnings = append(warnings, w)
		case name == configFlag:
			config = text
		default:
			texts[name] = text
		}
	}
	return texts, config, warnings
}
