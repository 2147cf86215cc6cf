package eval

// Layers: several entry scripts that make one plan together, as the files of
// `sbx run` do, and project(), which those call.

import (
	"fmt"
	"path/filepath"
	"slices"

	"go.starlark.net/starlark"
	"go.starlark.net/syntax"

	"sbx/engine/plan"
)

// Layers evaluates entry scripts one after the other into one plan: of
// operations at one destination those of the last script win. They share limits
// and modules.
type Layers struct {
	ev    *evaluator
	diags plan.Diagnostics
	calls []ProjectCall
	uses  []TemplateUse
	using bool // a template runs

	// template is the evaluator's, by which project() gets at it: the table of
	// built-ins would depend on itself otherwise.
	template func(*starlark.Thread, string) error
}

// ProjectCall is one call of project(). What it was not given is nil.
type ProjectCall struct {
	AllowSettings  []plan.Str // templates; they have been called already
	ExtraDataPaths []plan.Str
	ExcludedPaths  []plan.Str
	RefuseIfExists []plan.Str
	Command        []plan.Str
	TrustedDirs    []plan.Str

	At plan.Origin
}

// NewLayers begins an evaluation. File, Source and Set of the options are of no use.
func NewLayers(opt Options) *Layers {
	l := &Layers{ev: newEvaluator(&opt)}
	l.ev.layers, l.template = l, l.ev.template
	l.ev.entry = &module{}
	l.ev.watch = watch{opt: &opt, thread: l.ev.thread}
	return l
}

// Plan returns the plan as it is so far.
func (l *Layers) Plan() *plan.Plan { return l.ev.plan }

// Calls returns the calls of project() so far, in order.
func (l *Layers) Calls() []ProjectCall { return l.calls }

// Faults returns what is wrong with the scripts so far, sorted by position.
func (l *Layers) Faults() plan.Diagnostics {
	ds := slices.Concat(l.diags, l.ev.diags)
	ds.Sort()
	return ds
}

// Lacks returns the built-ins whose faulty calls the plan lacks, as Options.Check
// takes them. It is not ok where a script did not come to its end, or went on with
// an invented value.
func (l *Layers) Lacks() (names []string, ok bool) {
	switch {
	case len(l.diags) > 0 || l.ev.guess:
		return nil, false
	case slices.Contains(l.ev.lacks, "project"): // or a template by it, which may call any
		return nil, true
	}
	return append([]string{}, l.ev.lacks...), true
}

// SetHost has the scripts to come see another host.
func (l *Layers) SetHost(h Host) { l.ev.opt.Host = h }

// Close ends the evaluation.
func (l *Layers) Close() { l.ev.watch.end() }

// File evaluates an entry script: the file at path, called name in positions,
// with that text.
func (l *Layers) File(path, name string, text []byte) {
	l.guarded(func() plan.Diagnostics {
		ev := l.ev
		ev.entry = &module{name: name, key: filepath.Clean(path), text: text}
		if len(text) > watchSource {
			ev.watch.begin()
		}
		if ds := ev.compile(ev.entry); ds != nil {
			return ds
		}
		ev.cur = ev.entry
		if _, err := ev.entry.prog.Init(ev.thread, ev.entry.predef); err != nil {
			return ev.diagnose(err)
		}
		return nil
	})
}

// Template calls a settings template, for the place at.
func (l *Layers) Template(name string, at plan.Origin) {
	l.guarded(func() plan.Diagnostics {
		err := l.ev.template(l.ev.thread, name)
		if f, ok := err.(*callFault); ok {
			l.ev.diags = append(l.ev.diags, plan.Diagnostic{At: at, Op: f.Op, Msg: f.Msg, Hint: f.Hint})
			l.ev.lacks = append(l.ev.lacks, "project")
			return nil
		}
		if err != nil {
			return l.ev.diagnose(err)
		}
		return nil
	})
}

// Call calls a function of a module with arguments by keyword: strings or lists
// of strings.
func (l *Layers) Call(module, function string, args map[string]any) {
	l.guarded(func() plan.Diagnostics {
		globals, err := l.ev.module(module)
		if err == nil && globals[function] == nil {
			err = fmt.Errorf("sbx bug: %s has no %s", module, function)
		}
		if err != nil {
			return l.ev.diagnose(err)
		}
		var kwargs []starlark.Tuple
		for k, v := range args {
			var x starlark.Value
			switch v := v.(type) {
			case string:
				x = starlark.String(v)
			case []string:
				x = stringList(v)
			}
			kwargs = append(kwargs, starlark.Tuple{starlark.String(k), x})
		}
		if _, err := starlark.Call(l.ev.thread, globals[function], nil, kwargs); err != nil {
			return l.ev.diagnose(err)
		}
		return nil
	})
}

// guarded runs f and keeps its faults; a panic is one.
func (l *Layers) guarded(f func() plan.Diagnostics) {
	defer func() {
		if e := recover(); e != nil {
			l.diags = append(l.diags, plan.Diagnostic{Msg: fmt.Sprintf("sbx bug: %v", e)})
		}
	}()
	l.ev.defaults = defaults{} // of the layer before
	l.diags = append(l.diags, f()...)
}

// template calls a template: the function of a module of the standard library
// that has the module's name.
func (ev *evaluator) template(thread *starlark.Thread, name string) error {
	m := libPrefix + name + ".star"
	globals, err := ev.module(m)
	if _, missing := err.(*callFault); err != nil && !missing {
		return err
	}
	fn, ok := globals[funcName(name)].(*starlark.Function)
	if !ok {
		hint := "sbx templates lists them"
		if ev.opt.LibNear != nil {
			if near := ev.opt.LibNear(name); near != "" {
				hint = "did you mean " + quote(near) + "?"
			}
		}
		return wrong("there is no settings template "+quote(name), hint)
	}
	_, err = ev.layers.use(thread, name, fn, nil, nil)
	return err
}

func fnProject(c *call) (starlark.Value, error) {
	ev, thread := c.ev, c.thread
	l := ev.layers
	if l == nil {
		return nil, &callFault{Msg: "this is a setting of sbx run", Hint: "it belongs into .sbx.star or ~/.config/sbx/project.star; scripts of sbx exec use the other built-ins"}
	}
	p := ProjectCall{At: ev.origin(thread)}
	for i, list := range [...]*[]plan.Str{&p.AllowSettings, &p.ExtraDataPaths, &p.ExcludedPaths, &p.RefuseIfExists, &p.Command, &p.TrustedDirs} {
		if !c.given(i) {
			continue
		}
		v, err := c.strs(i)
		if err != nil {
			if !c.goesOn(err) {
				return nil, err
			}
			continue
		}
		if v == nil {
			v = []plan.Str{}
		}
		*list = v
	}
	if p.Command != nil {
		if len(p.Command) > 0 && p.Command[0] != "" {
			ev.plan.Command = p.Command
			ev.plan.SetWhere("command", p.At)
		} else if err := wrong(`argument "command" is empty`, `name the program first: command = ["make", "-j2"]`); !c.goesOn(err) {
			return nil, err
		}
	}
	noted := *c
	l.calls = append(l.calls, p)
	*c = call{} // from here on it is another's: templates call built-ins
	for _, name := range p.AllowSettings {
		if l.allowed(string(name)) {
			continue
		}
		if err := l.template(thread, string(name)); err != nil && !noted.goesOn(err) {
			return nil, err
		}
	}
	return starlark.None, nil
}

// allowed reports whether a template was called by an earlier call of project().
func (l *Layers) allowed(name string) bool {
	for _, c := range l.calls[:len(l.calls)-1] {
		if slices.Contains(c.AllowSettings, plan.Str(name)) {
			return true
		}
	}
	return false
}

// Modules returns the paths of the files that scripts have loaded so far.
func (l *Layers) Modules() []string {
	var paths []string
	for _, m := range l.ev.modules {
		if !m.lib {
			paths = append(paths, m.key)
		}
	}
	slices.Sort(paths)
	return paths
}

// Loads returns the paths of the files that the text of a script, the file at
// path, loads. A text that cannot be parsed loads nothing.
func Loads(path string, text []byte) []string {
	m := &module{name: path, key: filepath.Clean(path), text: text}
	if checkText(m) != nil {
		return nil
	}
	tree, err := fileOptions.Parse(m.name, m.text, 0)
	if err != nil {
		return nil
	}
	var paths []string
	ev := &evaluator{cur: m}
	for _, s := range tree.Stmts { // nowhere else may a load stand
		if s, ok := s.(*syntax.LoadStmt); ok {
			if to, err := ev.locate(s.ModuleName()); err == nil && !to.lib {
				paths = append(paths, to.key)
			}
		}
	}
	return paths
}
