package config

import (
	"slices"
	"strings"

	"github.com/spf13/pflag"
)

// Action is what the command line asks for.
type Action uint8

// The actions.
const (
	Run     Action = iota
	Print          // --print-config: Loaded.Print, then exit with 0
	Check          // --check-config: exit with 0 if there are no problems, else 1
	Version        // --version
	Help           // --help: WriteHelp, then exit with 0
)

// commands are the flags that are no settings.
var commands = []struct {
	name, help string
	action     Action
}{
	{"print-config", "print all settings, with where each comes from, and exit", Print},
	{"check-config", "say what is wrong with the settings, and exit", Check},
	{"version", "print the version, and exit", Version},
	{"help", "print this, and exit", Help},
}

const configFlag = "config"

// flagSet makes the flags of a chapter, or all of them for "". What they are given goes to
// record.
func flagSet(settings []setting, group string, record func(name, text string)) *pflag.FlagSet {
	fs := pflag.NewFlagSet("kvnode", pflag.ContinueOnError)
	fs.SortFlags = false
	add := func(name, kind, def, help string, noValue bool) {
		f := fs.VarPF(&recorder{name, kind, def, record}, name, "", help)
		if noValue {
			f.NoOptDefVal = "true"
		}
	}
	if group == "" || group == generalGroup {
		add(configFlag, "PATH", "", "YAML file with settings", false)
		for _, c := range commands {
			add(c.name, "bool", "", c.help, true)
		}
		fs.Lookup("help").Shorthand = "h"
	}
	for _, s := range settings {
		if s.secret || group != "" && group != s.group {
			continue
		}
		v := s.bind(new(Config))
		_, isBool := v.(*boolValue)
		add(s.name, v.kind(), s.def, s.help, isBool)
	}
	return fs
}

// recorder is a pflag.Value that keeps the text: values are read when all sources are
// known.
type recorder struct {
	name, kind, def string
	record          func(name, text string)
}

func (r *recorder) Set(text string) error { r.record(r.name, text); return nil }
func (r *recorder) String() string        { return r.def }
func (r *recorder) Type() string          { return r.kind }

// flags are what the command line says: texts by name, in order.
type flags struct {
	action Action
	config string
	texts  map[string][]string
}

// parseFlags reads the command line, without the name of the program.
func parseFlags(settings []setting, args []string) (flags, []Problem) {
	f := flags{texts: map[string][]string{}}
	fs := flagSet(settings, "", func(name, text string) {
		if name == configFlag {
			f.config = text
			return
		}
		for _, c := range commands {
			if c.name == name {
				if text == "true" {
					f.action = max(f.action, c.action)
				}
				return
			}
		}
		f.texts[name] = append(f.texts[name], text)
	})
	known, problems := knownFlags(settings, fs, args)
	if err := fs.Parse(known); err != nil {
		problems = append(problems, Problem{What: "the command line: " + err.Error(), Do: "kvnode --help shows all flags."})
	}
	return f, problems
}

// knownFlags returns the arguments that pflag is to parse, and a problem for each other
// one: pflag would stop at the first.
func knownFlags(settings []setting, fs *pflag.FlagSet, args []string) (known []string, problems []Problem) {
	var names []string
	fs.VisitAll(func(f *pflag.Flag) { names = append(names, f.Name) })
	for i := 0; i < len(args); i++ {
		arg := args[i]
		body, long := strings.CutPrefix(arg, "--")
		name, _, hasValue := strings.Cut(body, "=")
		switch f := fs.Lookup(name); {
		case arg == "-h":
			known = append(known, "--help")
		case !long || arg == "--":
			do := "kvnode takes flags only, like --data-dir DIR."
			if strings.HasPrefix(arg, "-") && len(arg) > 1 {
				do = "Flags have two dashes. " + didYouMean(strings.TrimLeft(name, "-"), names, asFlag)
			}
			problems = append(problems, Problem{What: quote(strings.SplitN(arg, "=", 2)[0]) + " is no flag", Do: do})
		case f != nil:
			known = append(known, arg)
			if !hasValue && f.NoOptDefVal == "" && i+1 < len(args) {
				i++
				known = append(known, args[i])
			}
		default:
			problems = append(problems, unknownFlag(settings, name, names))
			if !hasValue && i+1 < len(args) && !strings.HasPrefix(args[i+1], "-") {
				i++
			}
		}
	}
	return known, problems
}

func unknownFlag(settings []setting, name string, names []string) Problem {
	if slices.ContainsFunc(settings, func(s setting) bool { return s.secret && s.name == name }) {
		return Problem{What: asFlag(name) + " is not taken from the command line, where everybody on the machine can read it", Do: secretAdvice(name)}
	}
	return Problem{What: "there is no flag " + quote(asFlag(name)), Do: didYouMean(name, names, asFlag)}
}

func asFlag(name string) string { return "--" + name }

// secretAdvice says where a secret belongs.
func secretAdvice(name string) string {
	return "Put it into a file that only kvnode can read and name that by " + asFlag(name+"-file") + ", or into " + envName(name) + "."
}
