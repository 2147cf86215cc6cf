package eval

// Values and functions that come with the language.

import (
	"strings"

	"go.starlark.net/lib/json"
	"go.starlark.net/lib/math"
	"go.starlark.net/starlark"
	"go.starlark.net/starlarkstruct"
)

func valArgs(ev *evaluator, _ *module) starlark.Value {
	l := stringList(ev.opt.Args)
	l.Freeze() // modules share it
	return l
}

func valStruct(*evaluator, *module) starlark.Value {
	return starlark.NewBuiltin("struct", starlarkstruct.Make)
}

func valJSON(*evaluator, *module) starlark.Value { return libModule{json.Module} }
func valMath(*evaluator, *module) starlark.Value { return libModule{math.Module} }

// libModule is a module of the interpreter's library that says its name where it
// lacks an attribute.
type libModule struct{ *starlarkstruct.Module }

// Attr implements starlark.HasAttrs.
func (m libModule) Attr(name string) (starlark.Value, error) {
	if v := m.Members[name]; v != nil {
		return v, nil
	}
	return nil, starlark.NoSuchAttrError("module " + quote(m.Name) + " has no ." + name + " attribute")
}

func fnFail(c *call) (starlark.Value, error) {
	sep := " "
	for _, kv := range c.kw {
		s, ok := kv[1].(starlark.String)
		if kv[0] != starlark.String("sep") || !ok {
			return nil, wrong("takes values, and sep, a string", "")
		}
		sep = string(s)
	}
	var b strings.Builder
	for i, v := range c.pos {
		if i > 0 {
			b.WriteString(sep)
		}
		if s, ok := starlark.AsString(v); ok {
			b.WriteString(s)
		} else {
			b.WriteString(v.String())
		}
	}
	if b.Len() == 0 {
		b.WriteString("the script failed without saying why")
	}
	return nil, wrong(b.String(), "")
}

func fnDir(c *call) (starlark.Value, error) {
	if len(c.pos) > 0 {
		if s, ok := c.pos[0].(starlark.String); ok && (len(c.pos)+len(c.kw) > 1 || strings.HasPrefix(string(s), "/")) {
			return nil, wrong("it lists the attributes of a value", "mkdir() makes directories")
		}
	}
	return starlark.Universe["dir"].(*starlark.Builtin).CallInternal(c.thread, c.pos, c.kw)
}
