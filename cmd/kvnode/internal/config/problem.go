package config

import (
	"fmt"
	"strings"
)

// Origin says where a value comes from, the lowest in rank first.
type Origin uint8

// The origins.
const (
	Default Origin = iota
	File
	Env
	Flag
)

// Source is the place of a value: its line in the file, variable or flag.
type Source struct {
	Origin Origin
	Path   string // of File
	Line   int    // in File; 0 for a file that has nothing but the value
	Name   string // of the variable or flag
}

func (s Source) String() string {
	switch s.Origin {
	case File:
		if s.Line == 0 {
			return "file " + shortPath(s.Path)
		}
		return fmt.Sprintf("line %d of %s", s.Line, shortPath(s.Path))
	case Env, Flag:
		return s.Name
	}
	return "default"
}

// shortPath is a path within a line.
func shortPath(path string) string {
	if checkText(path) != nil {
		return quote(path)
	}
	return path
}

// Problem is something that keeps the server from starting.
type Problem struct {
	Setting string // "" if it is about something else, then What names it
	Source  Source
	What    string // what is wrong: no sentence, no secret
	Do      string // what to do about it, a sentence
}

func (p Problem) String() string {
	switch {
	case p.Setting != "":
		return fmt.Sprintf("%s (%v): %s. %s", p.Setting, p.Source, p.What, p.Do)
	case p.Source.Origin != Default:
		return fmt.Sprintf("%v: %s. %s", p.Source, p.What, p.Do)
	}
	return p.What + ". " + p.Do
}

// Problems is the error of Load: all that is wrong, not only the first.
type Problems []Problem

func (ps Problems) Error() string {
	var b strings.Builder
	if len(ps) == 1 {
		b.WriteString("configuration: 1 problem")
	} else {
		fmt.Fprintf(&b, "configuration: %d problems", len(ps))
	}
	for _, p := range ps {
		b.WriteString("\n  " + p.String())
	}
	return b.String()
}
