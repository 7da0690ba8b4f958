package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/pflag"
)

// completeName is the command that the scripts of shells run: what follows are the words
// of the command line after kvctl, the last of them unfinished, perhaps empty. It prints
// what that one can become, each with a tab and a description. Where it prints nothing, a
// file may be meant.
const completeName = "__complete"

// completionCommand is a function because it asks for all commands, itself included.
func completionCommand() command {
	return command{
		name: "completion", args: "bash|zsh|fish", short: "completion for a shell", run: completion,
		help: `Usage: kvctl completion bash|zsh|fish

Prints a script that makes a shell complete commands and flags of kvctl. The script asks
kvctl itself, so that it stays right when kvctl changes.

Examples:
  source <(kvctl completion bash)                           in ~/.bashrc
  source <(kvctl completion zsh)                            in ~/.zshrc, behind compinit
  kvctl completion zsh > "${fpath[1]}/_kvctl"               or once, for all users
  kvctl completion fish > ~/.config/fish/completions/kvctl.fish
`,
	}
}

var scripts = map[string]string{
	"bash": `_kvctl() {
	local IFS=$'\n'
	COMPREPLY=($(kvctl __complete "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null | cut -f 1))
}
complete -o default -F _kvctl kvctl
`,
	"zsh": `#compdef kvctl
_kvctl() {
	local -a found
	local line
	for line in "${(@f)$(kvctl __complete "${(@)words[2,CURRENT]}" 2>/dev/null)}"; do
		[[ -n $line ]] && found+=("${${line%%$'\t'*}//:/\\:}:${line#*$'\t'}")
	done
	if (( $#found )); then _describe kvctl found; else _files; fi
}
if [[ $funcstack[1] = _kvctl ]]; then _kvctl "$@"; else compdef _kvctl kvctl; fi
`,
	"fish": `function __kvctl_complete
	set -l words (commandline -opc)
	set -l last (commandline -ct)
	set -l found (kvctl __complete $words[2..-1] "$last" 2>/dev/null)
	if set -q found[1]
		printf '%s\n' $found
	else
		set -l flag (string match -r '^--[^=]*=' -- "$last")
		__fish_complete_path (string replace -r '^--[^=]*=' '' -- "$last") | string replace -r -- '^' "$flag"
	end
end
complete -c kvctl -f -a '(__kvctl_complete)'
`,
}

func completion(c *call) error {
	script, ok := scripts[c.arg(0)]
	if !ok {
		return usage("there is no completion for %q: bash, zsh or fish", c.arg(0))
	}
	_, err := io.WriteString(c.out, script)
	return err
}

// candidate is what a word can become.
type candidate struct{ text, what string }

// complete prints the candidates for the last of words.
func complete(words []string, w io.Writer) {
	if len(words) == 0 {
		words = []string{""}
	}
	last := words[len(words)-1]
	for _, x := range candidates(words[:len(words)-1], last) {
		if strings.HasPrefix(x.text, last) {
			fmt.Fprintf(w, "%s\t%s\n", x.text, x.what)
		}
	}
}

// candidates returns what can follow whole words, where last has been begun.
func candidates(before []string, last string) (all []candidate) {
	list := commands()
	if len(before) == 0 {
		for _, c := range list {
			name, _, group := strings.Cut(c.name, " ")
			x := candidate{name, c.short}
			if group {
				x.what = name + " of a node"
			}
			if !slices.ContainsFunc(all, func(y candidate) bool { return y.text == name }) {
				all = append(all, x)
			}
		}
		return all
	}
	for _, c := range list {
		if group, word, ok := strings.Cut(c.name, " "); ok && group == before[0] && len(before) == 1 {
			all = append(all, candidate{word, c.short})
		}
	}
	if all != nil {
		return all
	}
	c, rest, err := find(before)
	if err != nil {
		return nil
	}
	return c.candidates(rest, last)
}

// candidates returns what can follow the words after a command: values of an argument
// where there is a choice, and flags, where no argument is missing or one has been begun.
// After a flag with a value nothing is known.
func (c *command) candidates(rest []string, last string) (all []candidate) {
	set := c.flagSet(new(call))
	n := 0 // arguments
	for i := 0; i < len(rest); i++ {
		name, isFlag := strings.CutPrefix(rest[i], "--")
		if !isFlag {
			n++
			continue
		}
		name, _, valued := strings.Cut(name, "=")
		if f := set.Lookup(name); f != nil && f.NoOptDefVal == "" && !valued {
			if i++; i == len(rest) {
				return nil
			}
		}
	}
	words := strings.Fields(c.args)
	if n < len(words) && strings.Contains(words[n], "|") {
		for choice := range strings.SplitSeq(words[n], "|") {
			all = append(all, candidate{choice, c.name + " " + choice})
		}
	}
	if n < len(words) && !strings.HasPrefix(last, "-") {
		return all
	}
	set.VisitAll(func(f *pflag.Flag) { all = append(all, candidate{"--" + f.Name, f.Usage}) })
	return all
}
