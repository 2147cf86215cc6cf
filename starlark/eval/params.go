package eval

// Params: what a script can be given, for its help.

import (
	"bytes"
	"slices"
	"strings"

	"go.starlark.net/syntax"

	"sbx/engine/plan"
)

// Params returns the parameters that a script declares and the text at its
// head: a string or a comment. The script runs as far as it gets, with
// invented values where there are none; calls of param that it does not reach
// are read off its text. Only a script that does not compile, or whose param
// calls are wrong, is an error.
func Params(opt Options) (params []plan.Param, doc string, err error) {
	ev := newEvaluator(&opt)
	ev.collect = true
	var faults plan.Diagnostics
	for _, d := range ev.run() {
		if ev.entry.prog == nil || d.Op == "param" {
			faults = append(faults, d)
		}
	}
	if faults != nil {
		faults.Sort()
		return nil, "", faults
	}
	params = ev.plan.Params
	for _, s := range ev.entry.tree.Stmts {
		syntax.Walk(s, func(n syntax.Node) bool {
			if c, ok := n.(*syntax.CallExpr); ok {
				if p, ok := literalParam(c); ok && !slices.ContainsFunc(params, func(q plan.Param) bool { return q.Name == p.Name }) {
					params = append(params, p)
				}
			}
			return true
		})
	}
	slices.SortStableFunc(params, func(a, b plan.Param) int {
		if a.At.Pos.File != b.At.Pos.File {
			return 0
		}
		return int(a.At.Pos.Line - b.At.Pos.Line)
	})
	return params, scriptDoc(ev.entry), nil
}

// literalParam reads a call of param whose arguments are literals.
func literalParam(c *syntax.CallExpr) (plan.Param, bool) {
	fn, ok := c.Fn.(*syntax.Ident)
	if !ok || fn.Name != "param" || len(c.Args) == 0 {
		return plan.Param{}, false
	}
	p := plan.Param{Type: typeString, Required: true, At: plan.Origin{Pos: toPos(fn.NamePos)}}
	if p.Name, ok = literal(c.Args[0]).(string); !ok || !isParamName(p.Name) {
		return plan.Param{}, false
	}
	var typ string
	for _, a := range c.Args[1:] {
		kv, ok := a.(*syntax.BinaryExpr)
		if !ok || kv.Op != syntax.EQ {
			return plan.Param{}, false
		}
		v := literal(kv.Y)
		switch kv.X.(*syntax.Ident).Name {
		case "help":
			p.Help, _ = v.(string)
		case "type":
			typ, _ = v.(string)
		case "default":
			p.Required = false
			p.Default = v
			switch v.(type) {
			case int64:
				p.Type = typeInt
			case bool:
				p.Type = typeBool
			case []any:
				p.Type = typeList
			}
		case "choices":
			p.Choices, _ = v.([]any)
		}
	}
	if typ != "" {
		p.Type = typ
	}
	return p, true
}

// literal returns the value of a literal expression, or nil.
func literal(e syntax.Expr) any {
	switch e := e.(type) {
	case *syntax.Literal:
		return e.Value
	case *syntax.UnaryExpr:
		if n, ok := literal(e.X).(int64); ok && e.Op == syntax.MINUS {
			return -n
		}
	case *syntax.Ident:
		switch e.Name {
		case "True":
			return true
		case "False":
			return false
		}
	case *syntax.ListExpr:
		list := []any{}
		for _, x := range e.List {
			v := literal(x)
			if v == nil {
				return nil
			}
			list = append(list, v)
		}
		return list
	}
	return nil
}

// scriptDoc returns the string a script begins with, or else the comment.
func scriptDoc(m *module) string {
	if len(m.tree.Stmts) > 0 {
		if s, ok := m.tree.Stmts[0].(*syntax.ExprStmt); ok {
			if lit, ok := s.X.(*syntax.Literal); ok && lit.Token == syntax.STRING {
				return dedent(lit.Value.(string))
			}
		}
	}
	var lines []string
	for line := range bytes.Lines(m.text) {
		s := strings.TrimRight(string(line), " \t\r\n")
		if lines == nil && (s == "" || strings.HasPrefix(s, "#!")) {
			continue
		}
		text, ok := strings.CutPrefix(s, "#")
		if !ok {
			break
		}
		lines = append(lines, strings.TrimPrefix(text, " "))
	}
	return strings.TrimSpace(strings.Join(lines, "\n"))
}

// dedent removes the white space that all lines after the first begin with.
func dedent(s string) string {
	lines := strings.Split(s, "\n")
	indent := -1
	for _, l := range lines[1:] {
		if t := strings.TrimLeft(l, " \t"); t != "" && (indent < 0 || len(l)-len(t) < indent) {
			indent = len(l) - len(t)
		}
	}
	for i, l := range lines[1:] {
		lines[i+1] = strings.TrimRight(l[min(max(indent, 0), len(l)):], " \t")
	}
	return strings.TrimSpace(strings.Join(lines, "\n"))
}
