package config

import (
	"errors"
	"fmt"
	"strings"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// The longest configuration file and line in bytes, and the most opening brackets. The
// parser takes seconds for what is nested a thousand times.
const (
	maxFile     = 64 * kib
	maxLine     = 4 * kib
	maxBrackets = 250
)

// entry is a line of the file: a name and its text.
type entry struct {
	name, text string
	line       int
}

// parseFile reads the YAML file. Names are not looked at; each is there once.
func parseFile(path string, b []byte) ([]entry, []Problem) {
	at := func(line int) Source { return Source{Origin: File, Path: path, Line: line} }
	if len(b) > maxFile {
		return nil, []Problem{{Source: at(0), What: "it is too long", Do: fmt.Sprintf("Write at most %s.", sizeText(maxFile))}}
	}
	if err := checkText(strings.NewReplacer("\n", "", "\r", "", "\t", "").Replace(string(b))); err != nil {
		return nil, []Problem{{Source: at(0), What: "it has control characters or is no UTF-8", Do: "Save it as plain text."}}
	}
	for i, line := range strings.Split(string(b), "\n") {
		if len(line) > maxLine {
			return nil, []Problem{{Source: at(i + 1), What: "the line is too long", Do: fmt.Sprintf("Write at most %s in a line.", sizeText(maxLine))}}
		}
	}
	if strings.Count(string(b), "[")+strings.Count(string(b), "{") > maxBrackets {
		return nil, []Problem{{Source: at(0), What: "it has too many brackets", Do: "Write each item of a list in a line of its own, like - a.example:7379."}}
	}
	root, problem := parseYAML(b)
	if problem != nil {
		problem.Source = at(problem.Source.Line)
		return nil, []Problem{*problem}
	}
	var pairs []*ast.MappingValueNode
	switch n := root.(type) {
	case nil, *ast.CommentGroupNode, *ast.NullNode:
		return nil, nil
	case *ast.MappingNode:
		pairs = n.Values
	case *ast.MappingValueNode:
		pairs = []*ast.MappingValueNode{n}
	default:
		return nil, []Problem{{Source: at(lineOf(root)), What: "it is no mapping", Do: "Write lines like data-dir: /var/lib/kvnode."}}
	}
	var entries []entry
	var problems []Problem
	seen := map[string]int{}
	for _, p := range pairs {
		line := lineOf(p.Key)
		name, err := keyText(p.Key)
		text := ""
		if err == nil {
			text, err = valueText(p.Value)
		}
		if err == nil && seen[name] > 0 {
			err = wrong(fmt.Sprintf("it stands in line %d already", seen[name]), "Keep one of them.")
		}
		var f *fault
		if errors.As(err, &f) {
			problems = append(problems, Problem{Setting: shortName(name), Source: at(line), What: f.what, Do: f.do})
			continue
		}
		seen[name] = line
		entries = append(entries, entry{name, text, line})
	}
	return entries, problems
}

// shortName is a name of unknown origin, for a Problem.
func shortName(name string) string {
	if len(name) > 64 || checkText(name) != nil {
		return quote(name)
	}
	return name
}

// parseYAML returns the one document, nil if there is nothing in it. The Source of the
// Problem has the line alone.
func parseYAML(b []byte) (root ast.Node, problem *Problem) {
	defer func() { // a mistake of the library must not be worse than one in the file
		if r := recover(); r != nil {
			root, problem = nil, &Problem{What: "the YAML cannot be read", Do: "Write lines like data-dir: /var/lib/kvnode."}
		}
	}()
	file, err := parser.ParseBytes(b, 0, parser.AllowDuplicateMapKey())
	if err != nil {
		p := &Problem{What: "the YAML is not valid", Do: "Write lines like data-dir: /var/lib/kvnode, and quote texts with special characters."}
		var placed interface {
			error
			GetToken() *token.Token
			GetMessage() string
		}
		if errors.As(err, &placed) {
			p.What += ": " + quote(placed.GetMessage())
			if t := placed.GetToken(); t != nil && t.Position != nil {
				p.Source.Line = t.Position.Line
			}
		}
		return nil, p
	}
	for _, d := range file.Docs {
		if d.Body == nil {
			continue
		}
		if root != nil {
			return nil, &Problem{Source: Source{Line: lineOf(d.Body)}, What: "a second document begins", Do: "Remove the line --- before it."}
		}
		root = d.Body
	}
	return root, nil
}

func lineOf(n ast.Node) int {
	if t := n.GetToken(); t != nil && t.Position != nil {
		return t.Position.Line
	}
	return 0
}

func keyText(n ast.Node) (string, error) {
	if s, ok := n.(*ast.StringNode); ok {
		return s.Value, nil
	}
	return n.GetToken().Value, wrong("it is no name of a setting", "Write lines like data-dir: /var/lib/kvnode.")
}

// valueText returns the text of a scalar, as it is written, or the items of a sequence
// with commas between them.
func valueText(n ast.Node) (string, error) {
	list, ok := n.(*ast.SequenceNode)
	if !ok {
		return scalarText(n)
	}
	var items []string
	for _, item := range list.Values {
		text, err := scalarText(item)
		if err != nil {
			return "", err
		}
		if strings.Contains(text, ",") {
			return "", wrong(quote(text)+" has a comma", "Write each item by itself.")
		}
		items = append(items, text)
	}
	return strings.Join(items, ","), nil
}

func scalarText(n ast.Node) (string, error) {
	switch n := n.(type) {
	case *ast.StringNode:
		return n.Value, nil
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode:
		return n.GetToken().Value, nil
	case nil, *ast.NullNode:
		return "", wrong("it has no value", `Write one, "" for an empty one, or remove the line.`)
	}
	return "", wrong("its value is no simple text, number or list of these", "Write it in one line, without anchors, tags and braces.")
}
