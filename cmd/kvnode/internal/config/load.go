package config

import (
	"errors"
	"slices"
	"strings"
)

// Input is what Load reads.
type Input struct {
	Args  []string // the command line without the name of the program
	Env   []string // NAME=VALUE
	Files Files
}

// Loaded is the settings with their sources. It is not changed after Load.
type Loaded struct {
	Config
	Action Action
	// File is the path of the configuration file, "" for none.
	File string
	// Warnings are sentences about what is odd and does not keep the server from
	// starting.
	Warnings []string

	sources map[string]Source
	files   Files
}

// Source says where a setting comes from.
func (l *Loaded) Source(name string) Source { return l.sources[name] }

// Load reads all settings. The error is Problems, with everything that is wrong but for
// Unsafe; Loaded is there all the same, with the values that were good. With Help and
// Version, only the command line is read.
func Load(in Input) (*Loaded, error) {
	settings := table()
	l := &Loaded{sources: map[string]Source{}, files: in.Files}
	flags, problems := parseFlags(settings, in.Args)
	l.Action = flags.action
	if l.Action >= Version && len(problems) == 0 {
		return l, nil
	}
	env, envFile, warnings := parseEnv(settings, in.Env)
	l.Warnings = warnings
	l.File = flags.config
	if l.File == "" {
		l.File = envFile
	}
	var entries []entry
	if l.File != "" {
		var bad []Problem
		entries, bad = readFile(in.Files, l.File)
		problems = append(problems, bad...)
		problems = append(problems, unknownEntries(settings, l.File, entries)...)
	}

	apply := func(s setting, text string, from Source) {
		err := s.bind(&l.Config).set(text)
		var f *fault
		if errors.As(err, &f) {
			problems = append(problems, Problem{s.name, from, f.what, f.do})
			return
		}
		l.sources[s.name] = from
	}
	for _, s := range settings {
		if s.def != "" {
			apply(s, s.def, Source{})
		}
		// All of them are read, also those that another one overrides: a mistake that
		// shows only when a flag goes is found too late.
		for _, e := range entries {
			if e.name == s.name && !s.secret {
				apply(s, e.text, Source{Origin: File, Path: l.File, Line: e.line})
			}
		}
		if text, ok := env[s.name]; ok {
			apply(s, text, Source{Origin: Env, Name: envName(s.name)})
		}
		if texts := flags.texts[s.name]; len(texts) > 0 {
			text := texts[len(texts)-1] // the last one counts
			if _, list := s.bind(&l.Config).(*listValue); list {
				text = strings.Join(texts, ",") // or all of them
			}
			apply(s, text, Source{Origin: Flag, Name: asFlag(s.name)})
		}
	}
	problems = append(problems, l.readSecrets(settings)...)
	problems = append(problems, l.check()...)
	if len(problems) > 0 {
		return l, Problems(problems)
	}
	return l, nil
}

func readFile(files Files, path string) ([]entry, []Problem) {
	b, err := files.Read(path, maxFile)
	if err != nil {
		return nil, []Problem{{Source: Source{Origin: File, Path: path}, What: "it cannot be read: " + quote(err.Error()), Do: "Check the path of --config."}}
	}
	return parseFile(path, b)
}

func unknownEntries(settings []setting, path string, entries []entry) (problems []Problem) {
	var names []string
	for _, s := range settings {
		if !s.secret {
			names = append(names, s.name)
		}
	}
	for _, e := range entries {
		from := Source{Origin: File, Path: path, Line: e.line}
		switch {
		case slices.Contains(names, e.name):
		case slices.ContainsFunc(settings, func(s setting) bool { return s.name == e.name }):
			problems = append(problems, Problem{e.name, from, "secrets are not taken from the configuration file", secretAdvice(e.name)})
		default:
			problems = append(problems, Problem{shortName(e.name), from, "there is no such setting", didYouMean(e.name, names, func(n string) string { return n })})
		}
	}
	return problems
}

// readSecrets reads the files that hold a secret each: for a secret NAME, the one that
// NAME-file says.
func (l *Loaded) readSecrets(settings []setting) (problems []Problem) {
	for _, s := range settings {
		i := slices.IndexFunc(settings, func(f setting) bool { return f.name == s.name+"-file" })
		if !s.secret || i < 0 {
			continue
		}
		path := settings[i].bind(&l.Config).text()
		if path == "" {
			continue
		}
		from := l.sources[settings[i].name]
		if l.sources[s.name].Origin != Default {
			problems = append(problems, Problem{settings[i].name, from, envName(s.name) + " is set too", "Keep one of them."})
			continue
		}
		if err := l.readSecret(s, path); err != nil {
			var f *fault
			errors.As(err, &f)
			problems = append(problems, Problem{settings[i].name, from, f.what, f.do})
			continue
		}
		l.sources[s.name] = Source{Origin: File, Path: path}
	}
	return problems
}

// maxSecret is the length of the longest file with a secret, in bytes.
const maxSecret = 4 * kib

// readSecret returns a *fault.
func (l *Loaded) readSecret(s setting, path string) error {
	if err := checkPrivate(l.files, path); err != nil {
		return err
	}
	b, err := l.files.Read(path, maxSecret)
	if err != nil || len(b) > maxSecret {
		return wrong(quote(path)+" cannot be read or is too long", "Write the secret and nothing else into it.")
	}
	text := strings.TrimSuffix(strings.TrimSuffix(string(b), "\n"), "\r")
	if err := s.bind(&l.Config).set(text); err != nil {
		var f *fault
		errors.As(err, &f)
		return wrong("what "+quote(path)+" holds is not possible: "+f.what, f.do)
	}
	return nil
}
