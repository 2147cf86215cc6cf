package eval

// Uses: which settings templates the layers call, and what of the plan is theirs.

import (
	"strings"

	"go.starlark.net/starlark"

	"sbx/engine/plan"
)

// TemplateUse is one call of a settings template by a script, or by project().
// What templates call of each other is the first one's.
type TemplateUse struct {
	Name string   // of the module: "ssh"
	Args string   // as in a call, by keyword: "keys = True"; empty: none
	Set  []string // the parameters that were given something true

	// Ops and Env are where in the plan that is which the call added.
	Ops, Env [2]int

	At plan.Origin
}

// Uses returns the calls of templates so far, in order.
func (l *Layers) Uses() []TemplateUse { return l.uses }

// watched returns the globals of a module of the standard library for a script
// that is not of it: a template's function tells of its calls.
func (l *Layers) watched(module string, globals starlark.StringDict) starlark.StringDict {
	name, lib := strings.CutPrefix(module, libPrefix)
	name = strings.TrimSuffix(name, ".star")
	fn, ok := globals[funcName(name)].(*starlark.Function)
	if !lib || !ok {
		return globals
	}
	out := make(starlark.StringDict, len(globals))
	for k, v := range globals {
		out[k] = v
	}
	out[fn.Name()] = starlark.NewBuiltin(fn.Name(), func(t *starlark.Thread, _ *starlark.Builtin, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
		return l.use(t, name, fn, args, kwargs)
	})
	return out
}

// use calls a template.
func (l *Layers) use(t *starlark.Thread, name string, fn *starlark.Function, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
	if l.using {
		return starlark.Call(t, fn, args, kwargs)
	}
	u := TemplateUse{Name: name, At: l.ev.origin(t)}
	var text []string
	add := func(param string, v starlark.Value) {
		text = append(text, param+" = "+v.String())
		if v.Truth() {
			u.Set = append(u.Set, param)
		}
	}
	for i, v := range args {
		param := "*"
		if i < fn.NumParams() {
			param, _ = fn.Param(i)
		}
		add(param, v)
	}
	for _, kv := range kwargs {
		add(string(kv[0].(starlark.String)), kv[1])
	}
	u.Args = strings.Join(text, ", ")
	p := l.ev.plan
	u.Ops[0], u.Env[0] = len(p.Ops), len(p.Env)
	l.using = true
	defer func() {
		l.using = false
		u.Ops[1], u.Env[1] = len(p.Ops), len(p.Env)
		l.uses = append(l.uses, u)
	}()
	return starlark.Call(t, fn, args, kwargs)
}

// funcName is the name of the function that makes a module a template.
func funcName(module string) string { return strings.ReplaceAll(module, "-", "_") }
