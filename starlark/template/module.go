package template

// What a module that is no template offers: its functions.

import (
	"strings"

	"go.starlark.net/syntax"
)

// Module is the documentation of any module.
type Module struct {
	Doc   string `json:"doc,omitempty"` // the string it begins with
	Funcs []Func `json:"functions"`     // those whose names do not begin with _
}

// Func is one function of a module.
type Func struct {
	Name   string  `json:"name"`
	Params []Param `json:"params"`
	Doc    string  `json:"doc,omitempty"`
}

// Signature returns the function's form, as its definition has it.
func Signature(name string, params []Param) string {
	var list []string
	for _, p := range params {
		s := p.Name
		if p.Default != "" {
			s += " = " + p.Default
		}
		list = append(list, s)
	}
	return name + "(" + strings.Join(list, ", ") + ")"
}

// ParseModule reads a module's text.
func ParseModule(file string, text []byte) (*Module, error) {
	f, err := options.Parse(file, text, 0)
	if err != nil {
		return nil, err
	}
	m := &Module{Doc: outdent(stringOf(f.Stmts)), Funcs: []Func{}}
	for _, s := range f.Stmts {
		def, ok := s.(*syntax.DefStmt)
		if !ok || strings.HasPrefix(def.Name.Name, "_") {
			continue
		}
		fn := Func{Name: def.Name.Name, Params: []Param{}, Doc: outdent(docstring(def))}
		for _, p := range def.Params {
			if q, ok := param(p, text); ok {
				fn.Params = append(fn.Params, q)
			}
		}
		m.Funcs = append(m.Funcs, fn)
	}
	return m, nil
}

// outdent removes the white space that the lines after the first begin with.
func outdent(doc string) string {
	lines := strings.Split(strings.TrimSpace(doc), "\n")
	base := -1
	for _, l := range lines[1:] {
		if n := len(l) - len(strings.TrimLeft(l, " ")); n < len(l) && (base < 0 || n < base) {
			base = n
		}
	}
	for i, l := range lines[1:] {
		lines[i+1] = strings.TrimRight(l[min(max(base, 0), len(l)):], " ")
	}
	return strings.Join(lines, "\n")
}
