package eval

// What is compiled into scripts in place of some operations: checks before
// those that could allocate any amount at once, where the watch would come too
// late, and a faster way to format strings.

import (
	"strconv"
	"strings"

	"go.starlark.net/starlark"
	"go.starlark.net/syntax"
)

const (
	maxRange   = 10_000_000 // elements of a range: what can be walked within the steps
	maxMade    = 64 << 20   // bytes that one operation may make
	maxIntBits = 1 << 16
)

// guard is the function that stands in for an operation.
type guard struct {
	name string
	fn   func(x, y starlark.Value) (starlark.Value, error) // nil: a method
}

func (g *guard) String() string        { return "<check " + g.name + ">" }
func (g *guard) Type() string          { return "builtin_function_or_method" }
func (g *guard) Freeze()               {}
func (g *guard) Truth() starlark.Bool  { return true }
func (g *guard) Hash() (uint32, error) { return 0, nil }
func (g *guard) Name() string          { return g.name }

// CallInternal implements starlark.Callable.
func (g *guard) CallInternal(thread *starlark.Thread, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
	if g.fn == nil {
		return g.method(thread, args, kwargs)
	}
	return g.fn(args[0], args[1])
}

// findGuard returns the function of that name, or nil.
func findGuard(name string) starlark.Value {
	switch name {
	case guardMul:
		return &guard{name, checkedMul}
	case guardAdd:
		return &guard{name, checkedAdd}
	case guardAddTo:
		return &guard{name, checkedAddTo}
	case guardFormat:
		return &guard{name, checkedFormat}
	case guardReplace, guardJoin:
		return &guard{name, nil}
	case guardMode:
		return &guard{name, markDecimal}
	}
	return nil
}

// decimal is a mode of a built-in's that is written as a decimal number.
type decimal struct{ starlark.Int }

func markDecimal(fn, n starlark.Value) (starlark.Value, error) {
	if f, ok := fn.(*builtin); ok && !f.b.spec.doc {
		return decimal{n.(starlark.Int)}, nil
	}
	return n, nil
}

func tooLarge(what string) error {
	return wrong("the "+what+" would take more than "+strconv.Itoa(maxMade>>20)+" MiB", "")
}

// size is the memory that a sequence takes, without what its elements refer to.
func size(v starlark.Value) int {
	switch v := v.(type) {
	case starlark.String:
		return len(v)
	case starlark.Bytes:
		return len(v)
	case *starlark.List:
		return 16 * v.Len()
	case starlark.Tuple:
		return 16 * v.Len()
	}
	return 0
}

func checkedMul(x, y starlark.Value) (starlark.Value, error) {
	n, ok := y.(starlark.Int)
	of := x
	if !ok {
		n, ok = x.(starlark.Int)
		of = y
	}
	if ok {
		if err := mayRepeat(of, n); err != nil {
			return nil, err
		}
	}
	return starlark.Binary(syntax.STAR, x, y)
}

func mayRepeat(x starlark.Value, n starlark.Int) error {
	if x, ok := x.(starlark.Int); ok {
		_, small1 := x.Int64()
		_, small2 := n.Int64()
		if !(small1 && small2) && bits(x)+bits(n) > maxIntBits {
			return wrong("the product has more than "+strconv.Itoa(maxIntBits)+" bits", "")
		}
		return nil
	}
	size := size(x)
	if size == 0 || n.Sign() <= 0 {
		return nil
	}
	if times, ok := n.Int64(); !ok || times > int64(maxMade/size) {
		return tooLarge("repeated " + x.Type())
	}
	return nil
}

func bits(x starlark.Int) int {
	return x.BigInt().BitLen()
}

func checkedAdd(x, y starlark.Value) (starlark.Value, error) {
	if size(x)+size(y) > maxMade {
		return nil, tooLarge("grown " + x.Type())
	}
	return starlark.Binary(syntax.PLUS, x, y)
}

func checkedAddTo(x, y starlark.Value) (starlark.Value, error) {
	if size(x)+size(y) > maxMade {
		return nil, tooLarge("grown " + x.Type())
	}
	return y, nil
}

// checkedFormat is x % y. For strings and small ints it is also four times as
// fast as the interpreter, which makes a big.Int of each int.
func checkedFormat(x, y starlark.Value) (starlark.Value, error) {
	if format, ok := x.(starlark.String); ok {
		one := [1]starlark.Value{y}
		operands := one[:]
		if t, ok := y.(starlark.Tuple); ok {
			operands = t
		}
		if s, ok := fastFormat(string(format), operands); ok {
			return starlark.String(s), nil
		}
		n := len(format)
		for _, v := range operands {
			n += size(v)
		}
		if d, ok := y.(*starlark.Dict); ok && n < maxMade { // an operand may come again and again
			for _, item := range d.Items() {
				n += size(item[1]) * strings.Count(string(format), "%(")
			}
		}
		if n > maxMade {
			return nil, tooLarge("formatted string")
		}
	}
	return starlark.Binary(syntax.PERCENT, x, y)
}

// fastFormat formats strings and small ints; ok is false where there is
// anything else, or something is wrong.
func fastFormat(format string, operands []starlark.Value) (string, bool) {
	out := make([]byte, 0, 64)
	for {
		i := strings.IndexByte(format, '%')
		if i < 0 {
			return string(append(out, format...)), len(operands) == 0
		}
		if i+1 == len(format) || len(operands) == 0 {
			return "", false
		}
		out = append(out, format[:i]...)
		verb := format[i+1]
		format = format[i+2:]
		switch x := operands[0].(type) {
		case starlark.String:
			if verb != 's' || len(out)+len(x) > maxMade {
				return "", false
			}
			out = append(out, x...)
		case starlark.Int:
			n, ok := x.Int64()
			if !ok || verb != 'd' && verb != 's' {
				return "", false
			}
			out = strconv.AppendInt(out, n, 10)
		default:
			return "", false
		}
		operands = operands[1:]
	}
}

// method is recv.replace(…) or recv.join(…), for any recv.
func (g *guard) method(thread *starlark.Thread, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
	recv, args, name := args[0], args[1:], g.name[1:]
	if s, ok := recv.(starlark.String); ok {
		if n := madeBy(name, s, args); n > maxMade {
			return nil, tooLarge("result of " + name)
		}
	}
	var fn starlark.Value
	if x, ok := recv.(starlark.HasAttrs); ok {
		var err error
		if fn, err = x.Attr(name); err != nil {
			return nil, err
		}
	}
	if fn == nil {
		return nil, wrong(recv.Type()+" has no attribute "+quote(name), "")
	}
	return starlark.Call(thread, fn, args, kwargs)
}

// madeBy returns the length of what a method of s will make, as far as it can
// be told.
func madeBy(name string, s starlark.String, args starlark.Tuple) int {
	switch {
	case name == "replace" && len(args) >= 2:
		old, ok1 := args[0].(starlark.String)
		new, ok2 := args[1].(starlark.String)
		if ok1 && ok2 && len(new) > len(old) {
			return len(s) + strings.Count(string(s), string(old))*(len(new)-len(old))
		}
	case name == "join" && len(args) == 1:
		if list, ok := args[0].(starlark.Indexable); ok {
			n := 0
			for i := range list.Len() {
				if e, ok := list.Index(i).(starlark.String); ok {
					n += len(s) + len(e)
				}
			}
			return n
		}
	}
	return 0
}

func fnRange(c *call) (starlark.Value, error) {
	v, err := starlark.Universe["range"].(*starlark.Builtin).CallInternal(c.thread, c.pos, c.kw)
	if err != nil {
		return nil, err
	}
	switch n := starlark.Len(v); {
	case n > maxRange:
		return nil, wrong("the range has "+strconv.Itoa(n)+" elements, at most "+strconv.Itoa(maxRange)+" are allowed", "")
	case n > watchSteps:
		c.ev.watch.begin()
	}
	return v, nil
}
