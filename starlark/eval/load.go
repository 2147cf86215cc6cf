package eval

// Modules: the load statement.

import (
	"errors"
	"io/fs"
	"path/filepath"
	"strings"

	"go.starlark.net/starlark"
	"go.starlark.net/syntax"

	"sbx/engine/plan"
)

// load implements the load statement.
func (ev *evaluator) load(t *starlark.Thread, name string) (starlark.StringDict, error) {
	globals, err := ev.module(name)
	if err == nil {
		if s := ev.loadAt(t.CallFrame(0).Pos); s != nil {
			err = lacking(s, globals)
		}
	}
	if err != nil {
		return nil, ev.loadRest(t, err)
	}
	if ev.layers != nil && !ev.cur.lib {
		globals = ev.layers.watched(name, globals)
	}
	return globals, nil
}

// loadAt returns the load statement of the current module at a position.
func (ev *evaluator) loadAt(at syntax.Position) *syntax.LoadStmt {
	for _, s := range ev.cur.tree.Stmts { // nowhere else may a load stand
		if s, ok := s.(*syntax.LoadStmt); ok && s.Load == at {
			return s
		}
	}
	return nil
}

// lacks are the names of a load statement that the module does not define.
type lacks plan.Diagnostics

func (lacks) Error() string { return "the module lacks names" }

func lacking(s *syntax.LoadStmt, globals starlark.StringDict) error {
	var ds lacks
	for _, name := range s.From {
		if globals[name.Name] != nil {
			continue
		}
		d := plan.Diagnostic{At: plan.Origin{Pos: toPos(name.NamePos)}, Op: "load",
			Msg: "module " + quote(s.ModuleName()) + " defines no " + quote(name.Name)}
		if near := plan.Nearest(name.Name, globals.Keys()); near != "" {
			d.Hint = "did you mean " + quote(near) + "?"
		}
		ds = append(ds, d)
	}
	if ds == nil {
		return nil
	}
	return ds
}

// located are faults with who led there.
type located plan.Diagnostics

func (l located) Error() string { return plan.Diagnostics(l).Error() }

// loadRest carries out the load statements after the one that has failed, as modules
// only define, and returns what is wrong with all of them.
func (ev *evaluator) loadRest(t *starlark.Thread, err error) error {
	var outer []plan.Frame
	for i := 1; i < t.CallStackDepth(); i++ {
		if f, ok := frame(t, i); ok {
			outer = append(outer, f)
		}
	}
	first := t.CallFrame(0).Pos
	all := ev.loadFaults(err, toPos(first), outer)
	for _, s := range ev.cur.tree.Stmts {
		s, ok := s.(*syntax.LoadStmt)
		if !ok || s.Load.Line < first.Line || s.Load.Line == first.Line && s.Load.Col <= first.Col {
			continue
		}
		if ev.stopped || len(all) >= maxFaults {
			break
		}
		globals, err := ev.module(s.ModuleName())
		if err == nil {
			err = lacking(s, globals)
		}
		if err == nil {
			continue
		}
		ds := ev.loadFaults(err, toPos(s.Load), outer)
		for i := range ds { // the thread is at the first one still
			for k := range ds[i].At.Stack {
				if f := &ds[i].At.Stack[k]; f.Pos == toPos(first) {
					f.Pos = toPos(s.Load)
				}
			}
		}
		all = append(all, ds...)
	}
	return located(all)
}

// loadFaults are the faults of one load statement.
func (ev *evaluator) loadFaults(err error, at plan.Pos, outer []plan.Frame) plan.Diagnostics {
	switch e := err.(type) {
	case located:
		return plan.Diagnostics(e)
	case *starlark.EvalError:
		return ev.evalError(e)
	case *callFault:
		return plan.Diagnostics{{At: plan.Origin{Pos: at, Stack: outer}, Op: e.Op, Msg: e.Msg, Hint: e.Hint}}
	case lacks:
		for i := range e {
			e[i].At.Stack = outer
		}
		return plan.Diagnostics(e)
	}
	ds := ev.diagnose(err)
	for i := range ds { // in the module's text
		ds[i].At.Stack = append([]plan.Frame{{Pos: at}}, outer...)
	}
	return ds
}

// module returns what the module of that name defines.
func (ev *evaluator) module(name string) (starlark.StringDict, error) {
	m, err := ev.locate(name)
	if err != nil {
		return nil, err
	}
	if old := ev.modules[m.key]; old != nil {
		switch {
		case old.globals != nil:
			return old.globals, nil
		case old.faulty:
			return nil, located{}
		}
		return nil, ev.cycle(old)
	}
	if m.key == ev.entry.key && !m.lib {
		return nil, ev.cycle(ev.entry)
	}
	if ev.loading >= 100 {
		return nil, &callFault{Op: "load", Msg: "modules are loaded from one another too deeply"}
	}
	if m.lib {
		err := fs.ErrNotExist
		if ev.opt.Lib != nil {
			m.text, err = ev.opt.Lib(strings.TrimPrefix(name, libPrefix))
		}
		if err != nil {
			return nil, &callFault{Op: "load", Msg: "there is no standard module " + quote(name), Hint: ev.nearModule(name)}
		}
	} else {
		if m.text, err = ev.opt.Host.ReadFile(m.key, MaxSource); err != nil {
			f := &callFault{Op: "load", Msg: "cannot read module " + quote(name) + ": " + errText(err)}
			if errors.Is(err, fs.ErrNotExist) {
				if _, err := ev.opt.Host.ReadFile(m.key+".star", MaxSource); err == nil {
					f.Hint = "did you mean " + quote(name+".star") + "?"
				} else if !filepath.IsAbs(name) {
					f.Hint = "modules are looked for beside the file that loads them"
				}
			}
			return nil, f
		}
		ev.record("file", m.key, digest(m.text))
	}
	if ev.modules == nil {
		ev.modules = map[string]*module{}
	}
	ev.modules[m.key] = m
	if ds := ev.compile(m); ds != nil {
		m.faulty = true
		return nil, ds
	}
	m.parent, ev.cur = ev.cur, m
	ev.loading++
	globals, err := m.prog.Init(ev.thread, m.predef)
	ev.loading--
	ev.cur = m.parent
	if err != nil {
		m.faulty = true
		return nil, err
	}
	globals.Freeze()
	m.globals = globals
	return globals, nil
}

const libPrefix = "@sbx//"

// nearModule is a hint at what a wrong name of a standard module may stand for.
func (ev *evaluator) nearModule(name string) string {
	if ev.opt.LibNear != nil {
		if near := ev.opt.LibNear(strings.TrimSuffix(name[len(libPrefix):], ".star")); near != "" {
			return "did you mean " + quote(libPrefix+near+".star") + "?"
		}
	}
	return ""
}

// locate finds out which file a load statement of the current module means.
func (ev *evaluator) locate(name string) (*module, error) {
	bad := func(why, hint string) (*module, error) {
		return nil, &callFault{Op: "load", Msg: "module name " + quote(name) + " " + why, Hint: hint}
	}
	switch {
	case name == "":
		return bad("is empty", "")
	case strings.IndexByte(name, 0) >= 0:
		return bad("holds a NUL byte", "")
	case strings.HasPrefix(name, libPrefix):
		if rest := name[len(libPrefix):]; rest == "" || rest != filepath.Clean(rest) || strings.HasPrefix(rest, "..") {
			return bad("is not clean", "")
		}
		return &module{name: name, key: name, lib: true}, nil
	case name[0] == '@':
		return bad("has an unknown root", `the standard library is "@sbx//NAME.star"`)
	case strings.HasPrefix(name, "//"), name[0] == ':':
		return bad("is not a path", "modules are named relative to the file that loads them")
	case strings.HasPrefix(name, "~"):
		return bad("is not a path", "a ~ is not expanded")
	case ev.cur.lib:
		return bad("is relative", `standard modules load each other as "@sbx//NAME.star"`)
	}
	key := filepath.Clean(name)
	if !filepath.IsAbs(key) {
		key = filepath.Join(filepath.Dir(ev.cur.key), key)
	}
	return &module{name: key, key: key}, nil
}

// cycle returns the fault of loading again what is being loaded.
func (ev *evaluator) cycle(m *module) error {
	names := []string{quote(m.name)}
	for c := ev.cur; c != nil && c != m; c = c.parent {
		names = append(names, quote(c.name))
	}
	names = append(names, quote(m.name))
	for i, j := 0, len(names)-1; i < j; i, j = i+1, j-1 {
		names[i], names[j] = names[j], names[i]
	}
	return &callFault{Op: "load", Msg: "modules load each other in a circle: " + strings.Join(names, " loads "), Hint: "move what both need into a third file"}
}
