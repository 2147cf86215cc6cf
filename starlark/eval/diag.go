package eval

// Positions of calls, and errors of all kinds as diagnostics.

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"unicode/utf8"

	"go.starlark.net/resolve"
	"go.starlark.net/starlark"
	"go.starlark.net/syntax"

	"sbx/engine/plan"
)

// maxFaults is how many faults of one script are told.
const maxFaults = 100

func toPos(p syntax.Position) plan.Pos {
	if !p.IsValid() || p.Line == 0 {
		return plan.Pos{}
	}
	return plan.Pos{File: p.Filename(), Line: p.Line, Col: p.Col}
}

// frame returns frame i of the thread, 0 being the built-in; ok is false for
// frames of built-ins, which have no place in a script.
func frame(t *starlark.Thread, i int) (plan.Frame, bool) {
	f := t.CallFrame(i)
	if f.Pos.Line == 0 {
		return plan.Frame{}, false
	}
	return toFrame(f), true
}

func toFrame(f starlark.CallFrame) plan.Frame {
	if f.Name == "<toplevel>" {
		f.Name = ""
	}
	return plan.Frame{Pos: plan.Pos{File: f.Pos.Filename(), Line: f.Pos.Line, Col: f.Pos.Col}, Func: f.Name}
}

// caller returns where the running built-in was called.
func (ev *evaluator) caller(t *starlark.Thread) plan.Pos {
	for i := 1; i < t.CallStackDepth(); i++ {
		if f, ok := frame(t, i); ok {
			return f.Pos
		}
	}
	return plan.Pos{}
}

// origin returns where the running built-in was called and by whom. Equal
// stacks in a row share their memory.
func (ev *evaluator) origin(t *starlark.Thread) plan.Origin {
	var at plan.Origin
	depth := t.CallStackDepth()
	i := 1
	for ; i < depth; i++ {
		if f, ok := frame(t, i); ok {
			at.Pos = f.Pos
			i++
			break
		}
	}
	first, n := i, 0
	same := true
	for ; i < depth; i++ {
		if f, ok := frame(t, i); ok {
			same = same && n < len(ev.stack) && ev.stack[n] == f
			n++
		}
	}
	if n == 0 {
		return at
	}
	if !same || n != len(ev.stack) {
		stack := make([]plan.Frame, 0, n)
		for i = first; i < depth; i++ {
			if f, ok := frame(t, i); ok {
				stack = append(stack, f)
			}
		}
		ev.stack = stack
	}
	at.Stack = ev.stack
	return at
}

// note records a fault after which the script can go on; false where it must
// end instead.
func (ev *evaluator) note(t *starlark.Thread, f *callFault) bool {
	if ev.guess && f.Op != "param" || ev.collect {
		return true
	}
	at := ev.origin(t)
	for i := range ev.diags {
		if d := &ev.diags[i]; d.At.Pos == at.Pos && d.Msg == f.Msg {
			return true // told already: a loop
		}
	}
	if len(ev.diags) >= maxFaults {
		return false
	}
	ev.diags = append(ev.diags, plan.Diagnostic{At: at, Op: f.Op, Msg: f.Msg, Hint: f.Hint})
	if !slices.Contains(ev.lacks, f.Op) {
		ev.lacks = append(ev.lacks, f.Op)
	}
	return true
}

// checkText reports what cannot be part of a script, and drops a byte order
// mark.
func checkText(m *module) *plan.Diagnostic {
	m.text = bytes.TrimPrefix(m.text, []byte("\ufeff"))
	if i := bytes.IndexByte(m.text, 0); i >= 0 {
		return &plan.Diagnostic{At: m.at(i), Msg: "the script holds a NUL byte", Hint: "is it a text file?"}
	}
	if utf8.Valid(m.text) {
		return nil
	}
	i := 0
	for i < len(m.text) {
		r, n := utf8.DecodeRune(m.text[i:])
		if r == utf8.RuneError && n == 1 {
			break
		}
		i += n
	}
	return &plan.Diagnostic{At: m.at(i), Msg: "the script is not valid UTF-8", Hint: `other bytes are written as escapes: b"\xff"`}
}

// at returns the position of byte i of the text.
func (m *module) at(i int) plan.Origin {
	before := m.text[:i]
	line := before[bytes.LastIndexByte(before, '\n')+1:]
	return plan.Origin{Pos: plan.Pos{File: m.name, Line: int32(1 + bytes.Count(before, []byte("\n"))), Col: int32(1 + utf8.RuneCount(line))}}
}

// diagnose turns what parsing, resolving or evaluating returned into
// diagnostics.
func (ev *evaluator) diagnose(err error) plan.Diagnostics {
	switch e := err.(type) {
	case plan.Diagnostics:
		return e
	case syntax.Error:
		return plan.Diagnostics{syntaxError(e)}
	case resolve.ErrorList:
		var ds plan.Diagnostics
		for _, r := range e {
			if len(ds) == maxFaults {
				break
			}
			ds = append(ds, ev.resolveError(r))
		}
		return ds
	case *starlark.EvalError:
		return ev.evalError(e)
	}
	return plan.Diagnostics{{Msg: err.Error()}}
}

// evalError reports an error of the running script at its innermost place.
func (ev *evaluator) evalError(e *starlark.EvalError) plan.Diagnostics {
	for {
		var inner *starlark.EvalError
		if !errors.As(e.Unwrap(), &inner) {
			break
		}
		e = inner
	}
	stack := e.CallStack
	// A fault in the arguments of a function is its caller's.
	if n := len(stack); n > 1 && strings.HasPrefix(e.Msg, "function "+stack[n-1].Name+" ") {
		stack = stack[:n-1]
	}
	var at plan.Origin
	for i := len(stack) - 1; i >= 0; i-- {
		if stack[i].Pos.Line == 0 {
			continue
		}
		f := toFrame(stack[i])
		if at.Pos == (plan.Pos{}) {
			at.Pos = f.Pos
		} else {
			at.Stack = append(at.Stack, f)
		}
	}
	var l located
	if errors.As(e.Unwrap(), &l) {
		return plan.Diagnostics(l)
	}
	d := plan.Diagnostic{At: at}
	var f *callFault
	if errors.As(e.Unwrap(), &f) {
		d.Op, d.Msg, d.Hint = f.Op, f.Msg, f.Hint
	} else if reason, ok := strings.CutPrefix(e.Msg, "Starlark computation cancelled: "); ok {
		d.Msg, d.Hint = ev.opt.stopped(reason)
		ev.stopped = true
	} else {
		d.Msg, d.Hint = runtimeText(e.Msg)
	}
	return plan.Diagnostics{d}
}

// splitHint moves a suggestion out of a message of the interpreter.
func splitHint(msg string) (text, hint string) {
	i := strings.LastIndex(msg, " (did you mean ")
	if i < 0 || !strings.HasSuffix(msg, "?)") {
		return msg, ""
	}
	name := strings.TrimPrefix(msg[i+len(" (did you mean "):len(msg)-2], ".")
	return msg[:i], "did you mean " + quote(name) + "?"
}

// runtimeText words an error of the interpreter.
func runtimeText(msg string) (text, hint string) {
	text, hint = splitHint(msg)
	text = quoteNames(strings.TrimPrefix(text, "cannot load "))
	switch {
	case hint != "":
	case strings.HasPrefix(text, "host.env has no attribute "):
		hint = `host.env is a dict: host.env["NAME"]`
	case strings.Contains(text, " has no attribute "):
		hint = "dir() lists the attributes of a value"
	case strings.HasSuffix(text, " is called recursively"):
		hint = "scripts have no recursion, so that they come to an end; use a loop"
	case strings.HasPrefix(text, "unknown binary op: ") && strings.Contains(text, "string"):
		hint = "str() makes a string of another value"
	case strings.HasPrefix(text, "key ") && strings.HasSuffix(text, " not in host.env"):
		hint = "host.env.get(name, default) returns a default for variables that are not set"
	case strings.HasPrefix(text, "key ") && strings.Contains(text, " not in "):
		hint = "x.get(key, default) returns a default for missing keys"
	case strings.HasPrefix(text, "host.env value does not support item assignment"):
		hint = "setenv() sets variables of the command"
	case strings.HasPrefix(text, "invalid call of non-function"):
		hint = "has the name been assigned to?"
	case strings.HasSuffix(text, "referenced before assignment"):
		hint = "is it assigned in all branches, and above?"
	case strings.Contains(text, "cannot ") && strings.Contains(text, " frozen "):
		hint = "args and the values of modules cannot be changed; make a copy"
	}
	return text, hint
}

// quoteNames puts the names in an error of the interpreter into quotes, as they are
// in all others.
func quoteNames(text string) string {
	if what, rest, ok := strings.Cut(text, " has no ."); ok {
		name, method := strings.CutSuffix(rest, " field or method")
		name, field := strings.CutSuffix(name, " attribute")
		if method || field {
			return what + " has no attribute " + quote(name)
		}
	}
	if rest, ok := strings.CutPrefix(text, "load: name "); ok {
		if name, module, ok := strings.Cut(rest, " not found in module "); ok {
			return "load: module " + quote(module) + " defines no " + quote(name)
		}
	}
	for _, kind := range [...]string{"function ", "local variable ", "global variable "} {
		rest, ok := strings.CutPrefix(text, kind)
		if !ok {
			continue
		}
		name, what, ok := strings.Cut(rest, " ")
		if !ok {
			continue
		}
		if what == "called recursively" {
			what = "is " + what
		}
		for _, before := range [...]string{"got an unexpected keyword argument ", "got multiple values for parameter "} {
			if arg, ok := strings.CutPrefix(what, before); ok {
				what = before + quote(strings.Trim(arg, `"`))
			}
		}
		return kind + quote(name) + " " + what
	}
	return text
}

// resolveError words an error of the resolver.
func (ev *evaluator) resolveError(e resolve.Error) plan.Diagnostic {
	d := plan.Diagnostic{At: plan.Origin{Pos: toPos(e.Pos)}}
	text, hint := splitHint(e.Msg)
	name, undefined := strings.CutPrefix(text, "undefined: ")
	if !undefined {
		d.Msg, d.Hint = text, hint
		if strings.Contains(text, "while loops") {
			d.Msg = "there is no while loop"
			d.Hint = "for i in range(n) with break does it, and comes to an end"
		}
		return d
	}
	d.Msg = "name " + quote(name) + " is not defined"
	if d.Hint = foreignName(name); d.Hint != "" {
		return d
	}
	names := make([]string, 0, len(Builtins)+len(starlark.Universe)+1)
	if hint != "" {
		names = append(names, strings.Trim(hint[len("did you mean "):len(hint)-1], `"`))
	}
	for i := range Builtins {
		names = append(names, Builtins[i].Name)
	}
	names = append(names, starlark.Universe.Keys()...)
	if near := plan.Nearest(name, names); near != "" {
		d.Hint = "did you mean " + quote(near) + "?"
	}
	return d
}
