// Package template reads the documentation of settings templates: modules with a
// function of the file's name, whose docstring says in a fixed form what it opens.
//
//	def ssh(keys = False):
//	    """The ssh client and its agent.
//
//	    Exposes: the agent's socket; ~/.ssh/config, read-only
//	    Hides: private keys
//	    Opens: medium: what runs inside can log in with the agent's keys
//
//	    More about it.
//
//	    Args:
//	      keys: show private key files as well, read-only
//	    """
//
// The first line, Exposes and Opens are needed. A line that is indented more goes
// on with the one above. Nothing is evaluated: a module is only parsed.
package template

import (
	"errors"
	"path"
	"strings"

	"go.starlark.net/syntax"
)

// Template is the documentation of a template.
type Template struct {
	Name    string  `json:"name"`    // of the module, without ".star"
	Func    string  `json:"func"`    // what to load: the name with _ for -
	Summary string  `json:"summary"` // first line of the docstring
	Exposes string  `json:"exposes"`
	Hides   string  `json:"hides,omitempty"`
	Opens   string  `json:"opens"`         // one of Levels
	Why     string  `json:"why,omitempty"` // what follows the level
	Text    string  `json:"text,omitempty"`
	Params  []Param `json:"params"`
}

// Param is one parameter of a template.
type Param struct {
	Name    string `json:"name"`
	Default string `json:"default,omitempty"` // as written; "": needed
	Doc     string `json:"doc,omitempty"`
}

// Levels say how far a template opens a sandbox.
var Levels = [...]struct{ Name, Means string }{
	{"low", "settings and caches are shown; no secret, and no way to act outside"},
	{"medium", "one service can be asked to act for you, or files written that are used outside"},
	{"high", "secrets can be read, or much of your session reached"},
	{"root-equivalent", "there is no sandbox any more: what runs inside can become root, or you"},
}

// Level returns the index of a level in Levels, or -1.
func Level(name string) int {
	for i, l := range Levels {
		if l.Name == name {
			return i
		}
	}
	return -1
}

// Level returns how far a call opens the sandbox that gives those parameters
// something true: whose documentation says so, as in `then it opens "high"`, raises it.
func (t *Template) Level(params []string) string {
	level := Level(t.Opens)
	for _, name := range params {
		if p := t.param(name); p != nil {
			_, rest, _ := strings.Cut(p.Doc, `opens "`)
			raised, _, _ := strings.Cut(rest, `"`)
			level = max(level, Level(raised))
		}
	}
	return Levels[level].Name
}

// FuncName returns the name of the function that makes a module of that file a
// template.
func FuncName(file string) string {
	return strings.ReplaceAll(strings.TrimSuffix(path.Base(file), ".star"), "-", "_")
}

var options = syntax.FileOptions{Set: true, TopLevelControl: true, GlobalReassign: true}

// Parse reads a module's text. It returns nil where the module is no template,
// and an error where it does not parse or its documentation is amiss.
func Parse(file string, text []byte) (*Template, error) {
	f, err := options.Parse(file, text, 0)
	if err != nil {
		return nil, err
	}
	for _, s := range f.Stmts {
		if def, ok := s.(*syntax.DefStmt); ok && def.Name.Name == FuncName(file) {
			t := &Template{Name: strings.TrimSuffix(path.Base(file), ".star"), Func: def.Name.Name, Params: []Param{}}
			for _, p := range def.Params {
				if q, ok := param(p, text); ok {
					t.Params = append(t.Params, q)
				}
			}
			if err := t.read(docstring(def)); err != nil {
				return nil, errors.New(file + ": the docstring of " + t.Func + " " + err.Error())
			}
			return t, nil
		}
	}
	return nil, nil
}

// param reads one parameter; a bare * is none.
func param(e syntax.Expr, text []byte) (Param, bool) {
	switch e := e.(type) {
	case *syntax.Ident:
		return Param{Name: e.Name}, true
	case *syntax.BinaryExpr:
		return Param{Name: e.X.(*syntax.Ident).Name, Default: source(e.Y, text)}, true
	case *syntax.UnaryExpr:
		if id, ok := e.X.(*syntax.Ident); ok {
			return Param{Name: e.Op.String() + id.Name}, true
		}
	}
	return Param{}, false
}

// source returns the text of an expression.
func source(e syntax.Expr, text []byte) string {
	start, end := e.Span()
	return string(text[offset(text, start):offset(text, end)])
}

func offset(text []byte, p syntax.Position) int {
	line, i := int32(1), 0
	for ; i < len(text) && line < p.Line; i++ {
		if text[i] == '\n' {
			line++
		}
	}
	// Columns count code points.
	rest := []rune(string(text[i:min(len(text), i+4*int(p.Col))]))
	return i + len(string(rest[:min(len(rest), int(p.Col)-1)]))
}

func docstring(def *syntax.DefStmt) string { return stringOf(def.Body) }

// stringOf returns the string that statements begin with, or "".
func stringOf(body []syntax.Stmt) string {
	if len(body) > 0 {
		if s, ok := body[0].(*syntax.ExprStmt); ok {
			if lit, ok := s.X.(*syntax.Literal); ok && lit.Token == syntax.STRING {
				return lit.Value.(string)
			}
		}
	}
	return ""
}

// read fills in what the docstring says.
func (t *Template) read(doc string) error {
	lines := strings.Split(doc, "\n")
	t.Summary = strings.TrimSpace(lines[0])
	if t.Summary == "" {
		return errors.New("lacks its first line, which says what it is for")
	}
	base := -1
	args := false
	var field *string // that an indented line goes on with
	var text []string
	for _, line := range lines[1:] {
		s := strings.TrimSpace(line)
		indent := len(line) - len(strings.TrimLeft(line, " "))
		if s == "" {
			field = nil
			if !args {
				text = append(text, "")
			}
			continue
		}
		if base < 0 {
			base = indent
		}
		label, rest, labelled := strings.Cut(s, ":")
		rest = strings.TrimSpace(rest)
		switch {
		case indent <= base && labelled && label == "Exposes":
			t.Exposes, field, args = rest, &t.Exposes, false
		case indent <= base && labelled && label == "Hides":
			t.Hides, field, args = rest, &t.Hides, false
		case indent <= base && labelled && label == "Opens":
			level, why, _ := strings.Cut(rest, ":")
			t.Opens, t.Why, args = level, strings.TrimSpace(why), false
			field = &t.Why
		case indent <= base && s == "Args:":
			field, args = nil, true
		case args && indent <= base+2 && labelled:
			p := t.param(label)
			if p == nil {
				return errors.New("tells of " + label + ", which is no parameter")
			}
			p.Doc = rest
			field = &p.Doc
		case field != nil && indent > base:
			*field = strings.TrimSpace(*field + " " + s)
		default:
			field, args = nil, false
			text = append(text, strings.TrimPrefix(strings.TrimRight(line, " "), strings.Repeat(" ", base)))
		}
	}
	t.Text = strings.TrimSpace(strings.Join(text, "\n"))
	for strings.Contains(t.Text, "\n\n\n") {
		t.Text = strings.ReplaceAll(t.Text, "\n\n\n", "\n\n")
	}
	if t.Exposes == "" {
		return errors.New(`lacks a line "Exposes: …"`)
	}
	if Level(t.Opens) < 0 {
		return errors.New(`lacks a line "Opens: LEVEL: …", with low, medium, high or root-equivalent`)
	}
	return nil
}

func (t *Template) param(name string) *Param {
	for i := range t.Params {
		if t.Params[i].Name == name {
			return &t.Params[i]
		}
	}
	return nil
}
