package compare

import (
	"bufio"
	"cmp"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"runtime/debug"
	"slices"
	"time"

	"github.com/ringwood-kv/ringwood/bench/engine"
	"github.com/ringwood-kv/ringwood/bench/limits"
	"github.com/ringwood-kv/ringwood/bench/report"
)

// Document is a comparison with all that was measured: a report.Document, with more.
// Results has each round of each row and engine, in the order of time.
type Document struct {
	report.Document
	Comparison Comparison `json:"comparison"`
}

// Comparison is what a Document has beyond a report.
type Comparison struct {
	Config   Config            `json:"config"`
	Engines  []Engine          `json:"engines"`
	Modules  map[string]string `json:"modules,omitempty"` // versions of what the program is built from
	Limits   []limits.Figure   `json:"limits,omitempty"`
	Failures []Failure         `json:"failures,omitempty"`
	// Interrupted says that rounds are missing.
	Interrupted bool `json:"interrupted,omitempty"`
}

// Engine is what is to be known of an engine.
type Engine struct {
	Name string `json:"name"`
	Help string `json:"help"` // how it is configured
	// Peer says that the engine counts where the best peer is looked for: not the
	// subject, not a roof, and not what keeps nothing.
	Peer bool `json:"peer"`
	// BelowOS says that it is no peer at durability os, where it promises less.
	BelowOS bool `json:"below_os,omitempty"`
	// Forgetful says that the engine keeps nothing: nobody is compared with it.
	Forgetful bool `json:"forgetful,omitempty"`
	// Server is what a server says about itself.
	Server engine.Identity `json:"server,omitzero"`
}

// Failure is a cell that was not measured. Later rounds leave out its engine and row.
type Failure struct {
	Round    int    `json:"round"` // 0 if it was not about a round
	Group    string `json:"group,omitempty"`
	Workload string `json:"workload,omitempty"`
	Threads  int    `json:"threads,omitempty"`
	Engine   string `json:"engine,omitempty"`
	Error    string `json:"error"`
	Stderr   string `json:"stderr,omitempty"` // the beginning of what its process said
}

func (f Failure) String() string {
	what := f.Error
	if f.Engine != "" {
		what = fmt.Sprintf("round %d, %s on %s: %s", f.Round, grouped(f.Group, label(f.Workload, f.Threads)), f.Engine, f.Error)
	}
	if f.Stderr != "" {
		what += "\n" + f.Stderr
	}
	return what
}

// describe lists the engines of a configuration.
func describe(c *Config, kinds []engine.Kind) (list []Engine) {
	no := map[string]bool{c.Subject: true}
	for _, name := range c.Roofs {
		no[name] = true
	}
	for _, k := range kinds {
		list = append(list, Engine{Name: k.Name, Help: k.Help, Peer: !no[k.Name] && !k.Forgetful, BelowOS: k.BelowOS, Forgetful: k.Forgetful})
	}
	return list
}

// modules returns the versions of all modules of this program.
func modules() map[string]string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return nil
	}
	list := make(map[string]string)
	for _, m := range info.Deps {
		if m.Replace == nil {
			list[m.Path] = m.Version
		}
	}
	return list
}

// WriteJSON writes the document, and what the rounds say.
func WriteJSON(w io.Writer, a *Analysis) error {
	a.Schema = report.Schema
	if a.Results == nil {
		a.Results = []report.Result{}
	}
	return json.NewEncoder(w).Encode(a)
}

// ErrOther is what Read returns for a document of something else.
var ErrOther = errors.New("this is no document of `kvbench compare`")

// Read reads what WriteJSON wrote, also if it was compressed by gzip. What the rounds say
// is found anew by Analyse.
func Read(r io.Reader) (*Document, error) {
	d, in := new(Document), bufio.NewReader(r)
	r = in
	if magic, _ := in.Peek(2); string(magic) == "\x1f\x8b" {
		z, err := gzip.NewReader(in)
		if err != nil {
			return nil, err
		}
		r = z
	}
	if err := json.NewDecoder(r).Decode(d); err != nil {
		return nil, fmt.Errorf("this is no JSON document of a comparison: %w", err)
	}
	switch {
	case len(d.Comparison.Config.Engines) == 0:
		return nil, ErrOther
	case d.Schema != report.Schema:
		return nil, fmt.Errorf("the document has version %d, and this program reads version %d", d.Schema, report.Schema)
	}
	return d, nil
}

// grouped is the name of a row that has a group before it.
func grouped(group, label string) string {
	if group == "" {
		return label
	}
	return group + " " + label
}

// Merge adds o, which was measured on the same kind of machine: more rounds of the same
// things with the same program, or other groups of the same table, which then tell by which
// revision they were measured, and may be without some of the engines. The limits stay those
// of d, if it has any.
func (d *Document) Merge(o *Document) error {
	shift := d.Comparison.Config.Rounds
	if d.otherGroups(o) {
		a, b := d.alone(), o.alone()
		if err := a.same(b); err != nil {
			return err
		}
		if err := d.samePeers(o); err != nil {
			return err
		}
		d.join(o)
		shift = 0
	} else if err := d.same(o); err != nil {
		return err
	}
	for _, r := range o.Results {
		r.Round += shift
		d.Results = append(d.Results, r)
	}
	for _, f := range o.Comparison.Failures {
		if f.Round > 0 {
			f.Round += shift
		}
		d.Comparison.Failures = append(d.Comparison.Failures, f)
	}
	if shift > 0 {
		d.Comparison.Config.Rounds += o.Comparison.Config.Rounds
	}
	d.Comparison.Interrupted = d.Comparison.Interrupted || o.Comparison.Interrupted
	if len(d.Comparison.Limits) == 0 {
		d.Comparison.Limits = o.Comparison.Limits
	}
	return nil
}

// otherGroups tells whether d and o are of one table, and have no group in common.
func (d *Document) otherGroups(o *Document) bool {
	a, b := d.Comparison.Config, o.Comparison.Config
	return a.Table != "" && a.Table == b.Table && !slices.ContainsFunc(a.Groups, func(x Group) bool {
		return slices.ContainsFunc(b.Groups, func(y Group) bool { return x.Name == y.Name })
	})
}

// alone returns what must be the same of a document that other groups are added to.
func (d *Document) alone() *Document {
	c := *d
	c.Environment.Revision, c.Environment.Committed = "", time.Time{}
	c.Comparison.Config.Engines, c.Comparison.Config.Groups, c.Comparison.Config.Roofs = nil, nil, nil
	return &c
}

// samePeers is an error if engines that both have were not the same, or not compared alike.
func (d *Document) samePeers(o *Document) error {
	for _, x := range d.Comparison.Engines {
		for _, y := range o.Comparison.Engines {
			if x.Name == y.Name && x != y {
				return fmt.Errorf("the configurations differ: the engine %s is %+v in one and %+v in the other", x.Name, x, y)
			}
		}
	}
	for name, v := range d.Comparison.Modules {
		if w, ok := o.Comparison.Modules[name]; ok && v != w {
			return fmt.Errorf("the machines or programs differ: %s is of version %s and %s", name, v, w)
		}
	}
	return nil
}

// join adds the groups of o, and the engines that d has not.
func (d *Document) join(o *Document) {
	a, b := &d.Comparison.Config, o.Comparison.Config
	engines := with(a.Engines, b.Engines)
	groups := without(a.Groups, a.Engines, engines)
	others := without(b.Groups, b.Engines, engines)
	x, y := d.Environment.Revision, o.Environment.Revision
	if x != y || slices.ContainsFunc(a.Groups, func(g Group) bool { return g.Revision != "" }) {
		for i := range groups {
			groups[i].Revision = cmp.Or(groups[i].Revision, x)
		}
		for i := range others {
			others[i].Revision = cmp.Or(others[i].Revision, y)
		}
	}
	a.Engines, a.Roofs = engines, with(a.Roofs, b.Roofs)
	a.Groups = append(groups, others...)
	a.Rounds = max(a.Rounds, b.Rounds)
	for _, e := range o.Comparison.Engines {
		if !slices.ContainsFunc(d.Comparison.Engines, func(x Engine) bool { return x.Name == e.Name }) {
			d.Comparison.Engines = append(slices.Clip(d.Comparison.Engines), e)
		}
	}
}

// with returns a with what only b has behind.
func with(a, b []string) []string {
	a = slices.Clip(a)
	for _, name := range b {
		if !slices.Contains(a, name) {
			a = append(a, name)
		}
	}
	return a
}

// without returns groups that leave out those of the engines all that they were not
// measured with.
func without(groups []Group, engines, all []string) []Group {
	groups = slices.Clone(groups)
	missing := slices.DeleteFunc(slices.Clone(all), func(e string) bool { return slices.Contains(engines, e) })
	for i := range groups {
		groups[i].Without = with(groups[i].Without, missing)
	}
	return groups
}

// same is an error unless both measured the same, on the same kind of machine, with the
// same program. Rounds may differ, and whether limits were measured.
func (d *Document) same(o *Document) error {
	a, b := d.Comparison.Config, o.Comparison.Config
	a.Rounds, b.Rounds, a.Limits, b.Limits = 0, 0, false, false
	x, y := d.Environment, o.Environment
	x.Time, x.Kernel = y.Time, y.Kernel
	switch {
	case text(a) != text(b):
		return fmt.Errorf("the configurations differ: %s and %s", text(a), text(b))
	case text(x) != text(y):
		return fmt.Errorf("the machines or programs differ: %s and %s", text(x), text(y))
	case text(d.servers()) != text(o.servers()):
		return fmt.Errorf("the servers differ: %v and %v", d.servers(), o.servers())
	}
	return nil
}

func text(v any) string {
	b, _ := json.Marshal(v)
	return string(b)
}
