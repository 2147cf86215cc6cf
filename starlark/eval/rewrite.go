package eval

// One pass over the syntax tree before it is compiled. It moves the position
// of each call from its parenthesis to its callee, so that every position the
// interpreter tells is where a person looks; it bounds the depth of the tree,
// since the compiler is recursive and a Go stack overflow cannot be caught; and
// it puts a check before the operations that can allocate any amount at once.

import (
	"go.starlark.net/syntax"
)

// maxDepth is how deeply statements and expressions may nest. The parser stops
// at 1000 itself, but not in chains: a.b.c…, x + y + z…, elif….
const maxDepth = 10_000

// Names of the functions that stand in for operations; no script can spell
// them.
const (
	guardMul     = "*"
	guardAdd     = "+"
	guardAddTo   = "+=" // takes both sides, returns the right one
	guardFormat  = "%"
	guardReplace = ".replace"
	guardJoin    = ".join"
	guardMode    = "mode" + decimalMark // takes the callee and the number, returns that or a decimal
)

// decimalMark makes no name of a script.
const decimalMark = " "

type rewriter struct {
	depth int
	deep  syntax.Position // where the tree is too deep
}

func (r *rewriter) enter(n syntax.Node) bool {
	if r.depth++; r.depth <= maxDepth {
		return true
	}
	if !r.deep.IsValid() {
		r.deep = where(n)
	}
	return false
}

// where is a position within n that is found without recursion.
func where(n syntax.Node) syntax.Position {
	switch n := n.(type) {
	case *syntax.BinaryExpr:
		return n.OpPos
	case *syntax.CallExpr:
		return n.Lparen
	case *syntax.DotExpr:
		return n.Dot
	case *syntax.IndexExpr:
		return n.Lbrack
	case *syntax.SliceExpr:
		return n.Lbrack
	case *syntax.IfStmt:
		return n.If
	case *syntax.CondExpr:
		return n.If
	case *syntax.UnaryExpr:
		return n.OpPos
	case *syntax.Ident:
		return n.NamePos
	case *syntax.Literal:
		return n.TokenPos
	case *syntax.ParenExpr:
		return n.Lparen
	}
	return syntax.Start(n)
}

func (r *rewriter) stmts(list []syntax.Stmt) {
	for _, s := range list {
		r.stmt(s)
	}
}

func (r *rewriter) stmt(s syntax.Stmt) {
	if !r.enter(s) {
		r.depth--
		return
	}
	switch s := s.(type) {
	case *syntax.ExprStmt:
		r.expr(&s.X)
	case *syntax.AssignStmt:
		r.expr(&s.LHS)
		r.expr(&s.RHS)
		if name, ok := s.LHS.(*syntax.Ident); ok {
			lhs := &syntax.Ident{NamePos: name.NamePos, Name: name.Name}
			switch {
			case s.Op == syntax.STAR_EQ:
				s.Op = syntax.EQ
				s.RHS = guarded(guardMul, s.OpPos, lhs, s.RHS)
			case s.Op == syntax.PLUS_EQ && !isLiteral(s.RHS):
				s.RHS = guarded(guardAddTo, s.OpPos, lhs, s.RHS)
			}
		}
	case *syntax.DefStmt:
		r.exprs(s.Params)
		r.stmts(s.Body)
	case *syntax.ForStmt:
		r.expr(&s.Vars)
		r.expr(&s.X)
		r.stmts(s.Body)
	case *syntax.WhileStmt:
		r.expr(&s.Cond)
		r.stmts(s.Body)
	case *syntax.IfStmt:
		r.expr(&s.Cond)
		r.stmts(s.True)
		r.stmts(s.False)
	case *syntax.ReturnStmt:
		if s.Result != nil {
			r.expr(&s.Result)
		}
	}
	r.depth--
}

func (r *rewriter) exprs(list []syntax.Expr) {
	for i := range list {
		r.expr(&list[i])
	}
}

// expr goes through *e and replaces it where it needs a check.
func (r *rewriter) expr(e *syntax.Expr) {
	switch x := (*e).(type) {
	case nil, *syntax.Ident, *syntax.Literal:
		return
	case *syntax.CallExpr:
		if r.enter(x) {
			markDecimals(x)
			r.expr(&x.Fn)
			r.exprs(x.Args)
			x.Lparen = calleePos(x)
			if dot, ok := x.Fn.(*syntax.DotExpr); ok && (dot.Name.Name == "replace" || dot.Name.Name == "join") {
				x.Fn = &syntax.Ident{NamePos: x.Lparen, Name: "." + dot.Name.Name}
				x.Args = append([]syntax.Expr{dot.X}, x.Args...)
			}
		}
	case *syntax.BinaryExpr:
		if r.enter(x) {
			if x.Op != syntax.EQ { // the name of a keyword argument
				r.expr(&x.X)
			}
			r.expr(&x.Y)
			switch {
			case x.Op == syntax.STAR && !(isNumber(x.X) && isNumber(x.Y)):
				*e = guarded(guardMul, x.OpPos, x.X, x.Y)
			case x.Op == syntax.PLUS && !isLiteral(x.X) && !isLiteral(x.Y):
				*e = guarded(guardAdd, x.OpPos, x.X, x.Y)
			case x.Op == syntax.PERCENT && !isNumber(x.Y):
				*e = guarded(guardFormat, x.OpPos, x.X, x.Y)
			}
		}
	case *syntax.DotExpr:
		if r.enter(x) {
			r.expr(&x.X)
		}
	case *syntax.IndexExpr:
		if r.enter(x) {
			r.expr(&x.X)
			r.expr(&x.Y)
		}
	case *syntax.SliceExpr:
		if r.enter(x) {
			r.expr(&x.X)
			r.expr(&x.Lo)
			r.expr(&x.Hi)
			r.expr(&x.Step)
		}
	case *syntax.Comprehension:
		if r.enter(x) {
			r.expr(&x.Body)
			for _, c := range x.Clauses {
				switch c := c.(type) {
				case *syntax.ForClause:
					r.expr(&c.Vars)
					r.expr(&c.X)
				case *syntax.IfClause:
					r.expr(&c.Cond)
				}
			}
		}
	case *syntax.CondExpr:
		if r.enter(x) {
			r.expr(&x.Cond)
			r.expr(&x.True)
			r.expr(&x.False)
		}
	case *syntax.DictEntry:
		if r.enter(x) {
			r.expr(&x.Key)
			r.expr(&x.Value)
		}
	case *syntax.DictExpr:
		if r.enter(x) {
			r.exprs(x.List)
		}
	case *syntax.LambdaExpr:
		if r.enter(x) {
			r.exprs(x.Params)
			r.expr(&x.Body)
		}
	case *syntax.ListExpr:
		if r.enter(x) {
			r.exprs(x.List)
		}
	case *syntax.ParenExpr:
		if r.enter(x) {
			r.expr(&x.X)
		}
	case *syntax.TupleExpr:
		if r.enter(x) {
			r.exprs(x.List)
		}
	case *syntax.UnaryExpr:
		if r.enter(x) {
			r.expr(&x.X)
		}
	}
	r.depth--
}

// markDecimals has the built-ins know of modes that are written as decimal numbers:
// 755 for 0o755 would pass for 0o1363.
func markDecimals(call *syntax.CallExpr) {
	fn, ok := call.Fn.(*syntax.Ident)
	if !ok {
		return
	}
	for i := range call.Args {
		at, name := &call.Args[i], ""
		if kv, ok := (*at).(*syntax.BinaryExpr); ok && kv.Op == syntax.EQ {
			if key, ok := kv.X.(*syntax.Ident); ok && isMode(key.Name) {
				at, name = &kv.Y, key.Name
			}
		}
		if n, ok := (*at).(*syntax.Literal); ok && n.Token == syntax.INT && octalDigits(n.Raw) && takesMode(fn.Name, i, name) {
			*at = guarded(guardMode, n.TokenPos, &syntax.Ident{NamePos: fn.NamePos, Name: fn.Name}, n)
		}
	}
}

// takesMode reports whether a built-in of that name takes a mode as its argument i, or
// by a keyword.
func takesMode(builtin string, i int, keyword string) bool {
	for k := range Builtins {
		if b := &Builtins[k]; b.Name == builtin && !b.spec.doc {
			for j := range b.spec.args {
				if a := &b.spec.args[j]; a.name == keyword || keyword == "" && j == i && i < b.spec.pos && isMode(a.name) {
					return true
				}
			}
		}
	}
	return false
}

// isMode reports whether the arguments of that name are file modes.
func isMode(name string) bool { return name == "mode" || name == "parent_mode" }

// octalDigits reports whether a number is a decimal one of which 0o would make another.
func octalDigits(raw string) bool {
	for i := range len(raw) {
		if raw[i] < '0' || raw[i] > '7' {
			return false
		}
	}
	return len(raw) > 1 && len(raw) < 5
}

// calleePos is where a call is shown: the start of a plain callee (bind,
// lib.setup), else its last name.
func calleePos(call *syntax.CallExpr) syntax.Position {
	switch fn := call.Fn.(type) {
	case *syntax.Ident:
		return fn.NamePos
	case *syntax.DotExpr:
		if x, ok := fn.X.(*syntax.Ident); ok {
			return x.NamePos
		}
		return fn.Name.NamePos // DotExpr.NamePos is not filled in
	}
	return call.Lparen
}

// isLiteral reports expressions that add no more than the script spells out.
func isLiteral(e syntax.Expr) bool {
	switch e.(type) {
	case *syntax.Literal, *syntax.ListExpr, *syntax.TupleExpr:
		return true
	}
	return false
}

func isNumber(e syntax.Expr) bool {
	switch e := e.(type) {
	case *syntax.Literal:
		return e.Token == syntax.INT || e.Token == syntax.FLOAT
	case *syntax.BinaryExpr:
		return e.Op == syntax.STAR // left as it was: a product of numbers
	case *syntax.ParenExpr:
		return isNumber(e.X)
	}
	return false
}

func guarded(name string, pos syntax.Position, args ...syntax.Expr) syntax.Expr {
	return &syntax.CallExpr{Fn: &syntax.Ident{NamePos: pos, Name: name}, Lparen: pos, Args: args, Rparen: pos}
}
