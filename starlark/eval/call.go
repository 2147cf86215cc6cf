package eval

// The built-ins as Starlark values, and the one parser of their arguments: a
// table of parameters gives type checks that name the parameter, and "did you
// mean" for misspelt keywords, without reflection.

import (
	"strconv"
	"strings"

	"go.starlark.net/starlark"

	"sbx/engine/plan"
)

// kind is a set of the types that a parameter takes.
type kind uint8

const (
	kString kind = 1 << iota
	kBytes
	kInt
	kBool
	kList // list or tuple
	kNone
	kAny

	kPath  = kString | kBytes // a path or any other byte string
	kPaths = kList | kPath
)

// arg is one parameter of a built-in.
type arg struct {
	name string
	kind kind
	def  string // default as the reference shows it; empty: required
}

// spec is the parameter list of a built-in.
type spec struct {
	args []arg
	pos  int  // so many may be given by position
	rest arg  // with a name: takes further positional arguments, at least one
	doc  bool // no parser: the function takes what Starlark gives it
}

const maxArgs = 16

// call is one call of a built-in: its arguments in the order of the spec, nil
// where not given.
type call struct {
	ev     *evaluator
	b      *Builtin
	thread *starlark.Thread
	v      [maxArgs]starlark.Value
	rest   starlark.Tuple
	pos    starlark.Tuple // with spec.doc: what was given
	kw     []starlark.Tuple
}

// callFault is what is wrong with a call. The position is the call's.
type callFault struct {
	Op, Msg, Hint string

	hard bool // ends the script even where a bad call need not
}

func (f *callFault) Error() string { return f.Msg }

func wrong(msg, hint string) error { return &callFault{Msg: msg, Hint: hint} }

// builtin is a built-in bound to one evaluation.
type builtin struct {
	ev *evaluator
	b  *Builtin
}

func (f *builtin) String() string        { return "<built-in function " + f.b.Name + ">" }
func (f *builtin) Type() string          { return "builtin_function_or_method" }
func (f *builtin) Freeze()               {}
func (f *builtin) Truth() starlark.Bool  { return true }
func (f *builtin) Hash() (uint32, error) { return starlark.String(f.b.Name).Hash() }
func (f *builtin) Name() string          { return f.b.Name }

// CallInternal implements starlark.Callable.
func (f *builtin) CallInternal(thread *starlark.Thread, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
	ev, b := f.ev, f.b
	if b.planned && ev.loading > 0 {
		return nil, &callFault{Op: b.Name, Msg: "the top level of a module may only define", Hint: "put it in a function and call that from the entry script"}
	}
	// Built-ins do not call back into Starlark, so one record serves all.
	c := &ev.call
	c.ev, c.b, c.thread = ev, b, thread
	var err error
	var v starlark.Value
	if b.spec.doc {
		c.pos, c.kw = args, kwargs
	} else {
		err = c.parse(args, kwargs)
	}
	if err == nil {
		v, err = b.fn(c)
	}
	*c = call{}
	if err == nil {
		return v, nil
	}
	fault, ok := err.(*callFault)
	if !ok {
		return nil, err
	}
	if fault.Op == "" && b.Name != "fail" {
		fault.Op = b.Name
	}
	if b.soft && !fault.hard && ev.note(thread, fault) {
		return starlark.None, nil
	}
	return nil, fault
}

// parse distributes the arguments over c.v and checks number and types.
func (c *call) parse(args starlark.Tuple, kwargs []starlark.Tuple) error {
	s := &c.b.spec
	if s.rest.name != "" {
		for _, v := range args {
			if err := c.check(&s.rest, v); err != nil {
				return err
			}
		}
		if len(args) == 0 {
			return wrong("at least one argument is needed", "the form is "+c.b.Signature())
		}
		c.rest = args
	} else {
		if len(args) > s.pos {
			return c.tooMany(len(args))
		}
		copy(c.v[:], args)
	}
	for _, kv := range kwargs {
		name := string(kv[0].(starlark.String))
		i := 0
		for i < len(s.args) && s.args[i].name != name {
			i++
		}
		switch {
		case i == len(s.args):
			if !c.goesOn(c.unknown(name)) {
				return c.unknown(name)
			}
		case c.v[i] != nil:
			return wrong("argument "+quote(name)+" is given twice", "")
		default:
			c.v[i] = kv[1]
		}
	}
	for i := range s.args {
		a := &s.args[i]
		if c.v[i] == nil {
			if a.def == "" {
				return wrong("argument "+quote(a.name)+" is missing", "the form is "+c.b.Signature())
			}
		} else if err := c.check(a, c.v[i]); err != nil {
			if !c.goesOn(err) {
				return err
			}
			c.v[i] = nil
		}
	}
	return nil
}

// goesOn notes what is wrong with one argument of a call whose others can be looked
// at all the same; false where it must end.
func (c *call) goesOn(err error) bool {
	f, ok := err.(*callFault)
	if !ok || f.hard || !c.b.each {
		return false
	}
	f.Op = c.b.Name
	return c.ev.note(c.thread, f)
}

func (c *call) tooMany(n int) error {
	s := &c.b.spec
	msg := "takes no positional arguments"
	switch {
	case s.pos == 0 && len(s.args) == 0:
		msg = "takes no arguments"
	case s.pos == 1:
		msg = "takes at most 1 positional argument"
	case s.pos > 1:
		msg = "takes at most " + strconv.Itoa(s.pos) + " positional arguments"
	}
	return wrong(msg+", got "+strconv.Itoa(n), "the form is "+c.b.Signature())
}

func (c *call) unknown(name string) error {
	s := &c.b.spec
	names := make([]string, len(s.args))
	for i, a := range s.args {
		names[i] = a.name
	}
	hint := "the form is " + c.b.Signature()
	if alias := keywordAlias(c.b.Name, name); alias != "" {
		hint = alias
	} else if near := plan.Nearest(name, names); near != "" {
		hint = "did you mean " + quote(near) + "?"
	}
	return wrong("there is no argument "+quote(name), hint)
}

// keywordAlias returns the hint for a keyword that other tools use.
func keywordAlias(fn, name string) string {
	switch fn + "." + name {
	case "bind.readonly", "bind.read_only":
		return "did you mean \"ro\"?"
	case "bind.rw", "bind.readwrite", "bind.writable":
		return "binds are writable unless ro = True is given"
	case "bind.source":
		return "did you mean \"src\"?"
	case "bind.target", "bind.dest", "bind.destination":
		return "did you mean \"dst\"?"
	case "unshare.network":
		return "did you mean \"net\"?"
	case "unshare.mount", "unshare.mnt":
		return "the mount namespace is always new"
	case "mkdir.parents", "mkdir.exist_ok":
		return "parents are made as needed, and an existing directory is no fault"
	}
	return ""
}

// check reports whether v is of a type that a takes.
func (c *call) check(a *arg, v starlark.Value) error {
	var k kind
	switch v := v.(type) {
	case starlark.String:
		k = kString
		if err := c.weigh(a, len(v)); err != nil {
			return err
		}
	case starlark.Bytes:
		k = kBytes
		if err := c.weigh(a, len(v)); err != nil {
			return err
		}
	case starlark.Bool:
		k = kBool
	case starlark.Int:
		k = kInt
	case decimal:
		n, _ := v.Int64()
		octal := "0o" + strconv.FormatInt(n, 8)
		return wrong("argument "+quote(a.name)+" is decimal "+v.String()+", which is "+octal, "write 0o"+v.String()+", or "+octal+" if that is meant")
	case starlark.NoneType:
		k = kNone
	case *starlark.List, starlark.Tuple:
		k = kList
	}
	if (k|kAny)&a.kind != 0 {
		return nil
	}
	hint := ""
	switch {
	case a == &c.b.spec.rest && k == kList:
		hint = "a * before a list gives its elements: " + c.b.Name + "(*…)"
	case a.kind&kString != 0 && k == kList && isPath(a.name):
		hint = "give one path a call; a for loop makes many"
	case a.kind&kString != 0 && k == kList:
		hint = `"…".join() makes a string of a list`
	case a.kind&kString != 0 && k == kInt:
		hint = "str() makes a string of it"
	case a.kind == kBool && (k == kString || k == kInt):
		hint = "write True or False"
	case isMode(a.name) && k == kString:
		hint = "modes are numbers, and octal: 0o755"
	case a.kind&kInt != 0 && k == kString:
		hint = "int() makes an int of it"
	case a.kind&kList != 0 && k == kString:
		hint = "put it in brackets: [" + show(v) + "]"
	}
	return wrong("argument "+quote(a.name)+" is "+article(v.Type())+", want "+a.kind.String(), hint)
}

// isPath reports whether the arguments of that name are paths.
func isPath(name string) bool {
	switch name {
	case "src", "dst", "path", "target", "dir", "pattern", "upper", "work":
		return true
	}
	return false
}

// What the strings of a plan may come to: one, and all together.
const (
	maxString  = 64 << 20
	maxStrings = 256 << 20
)

// weigh bounds the strings that go into the plan.
func (c *call) weigh(a *arg, n int) error {
	if n > maxString {
		return wrong("argument "+quote(a.name)+" is "+strconv.Itoa(n)+" bytes long, at most "+strconv.Itoa(maxString)+" are allowed", "")
	}
	if c.ev.strings += n; c.ev.strings > maxStrings && c.b.planned {
		return &callFault{Msg: "the strings of the plan come to more than " + strconv.Itoa(maxStrings) + " bytes", hard: true}
	}
	return nil
}

func (k kind) String() string {
	var names []string
	for i, s := range [...]string{"a string", "bytes", "an int", "a bool", "a list", "None"} {
		if k&(1<<i) != 0 {
			names = append(names, s)
		}
	}
	if len(names) > 1 {
		return strings.Join(names[:len(names)-1], ", ") + " or " + names[len(names)-1]
	}
	return strings.Join(names, "")
}

func article(typ string) string {
	switch typ {
	case "NoneType":
		return "None"
	case "bytes":
		return "bytes"
	case "int":
		return "an int"
	}
	if strings.IndexByte("aeiou", typ[0]) >= 0 {
		return "an " + typ
	}
	return "a " + typ
}

// given reports whether argument i was given and is not None.
func (c *call) given(i int) bool { return c.v[i] != nil && c.v[i] != starlark.None }

// str returns argument i, a string or bytes; "" where not given.
func (c *call) str(i int) plan.Str { return toStr(c.v[i]) }

func toStr(v starlark.Value) plan.Str {
	switch v := v.(type) {
	case starlark.String:
		return plan.Str(v)
	case starlark.Bytes:
		return plan.Str(v)
	}
	return ""
}

func (c *call) bool(i int, def bool) bool {
	if v, ok := c.v[i].(starlark.Bool); ok {
		return bool(v)
	}
	return def
}

// int returns argument i, which must lie between lo and hi.
func (c *call) int(i int, lo, hi int64) (int64, error) {
	n, ok := c.v[i].(starlark.Int).Int64()
	if !ok || n < lo || n > hi {
		return 0, wrong("argument "+quote(c.b.spec.args[i].name)+" is "+c.v[i].String()+", want "+
			strconv.FormatInt(lo, 10)+" to "+strconv.FormatInt(hi, 10), "")
	}
	return n, nil
}

// mode returns argument i as a file mode; nil where not given.
func (c *call) mode(i int) (*plan.Mode, error) {
	if !c.given(i) {
		return nil, nil
	}
	n, ok := c.v[i].(starlark.Int).Int64()
	if !ok || n < 0 || n > 0o7777 {
		return nil, wrong("argument "+quote(c.b.spec.args[i].name)+" is "+c.v[i].String()+", want 0 to 0o7777",
			"modes are octal: 0o755, not 755")
	}
	return plan.ModePtr(plan.Mode(n)), nil
}

// strs returns argument i, a list of strings or one string.
func (c *call) strs(i int) ([]plan.Str, error) {
	var out []plan.Str
	switch v := c.v[i].(type) {
	case starlark.String, starlark.Bytes:
		return []plan.Str{toStr(v)}, nil
	case starlark.Indexable: // list or tuple
		n := v.Len()
		if n > plan.MaxOps {
			return nil, wrong("argument "+quote(c.b.spec.args[i].name)+" has "+strconv.Itoa(n)+" elements, at most "+strconv.Itoa(plan.MaxOps)+" are allowed", "")
		}
		out = make([]plan.Str, n)
		for j := range n {
			e := v.Index(j)
			out[j] = toStr(e)
			if out[j] != "" { // of the right type, and not empty
				if err := c.weigh(&c.b.spec.args[i], len(out[j])); err != nil {
					return nil, err
				}
			} else if err := c.check(&arg{name: c.b.spec.args[i].name + "[" + strconv.Itoa(j) + "]", kind: kPath}, e); err != nil {
				return nil, err
			}
		}
	}
	return out, nil
}

// quote returns s in double quotes, with what could drive a terminal escaped.
func quote(s string) string {
	if len(s) > 200 {
		s = strings.ToValidUTF8(s[:200], "") + "…"
	}
	return strconv.Quote(s)
}

// Quote returns a short form of a value for a message.
func show(v starlark.Value) string {
	switch v := v.(type) {
	case starlark.String:
		return quote(string(v))
	case starlark.Bytes:
		return "b" + quote(string(v))
	case starlark.Bool, starlark.NoneType:
		return v.String()
	case starlark.Int:
		if n, ok := v.Int64(); ok {
			return strconv.FormatInt(n, 10)
		}
		return "a large int"
	}
	return article(v.Type())
}
