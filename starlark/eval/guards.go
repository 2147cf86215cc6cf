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
	maxRepeat  = 64 << 20   // bytes or elements that one operation may make
	maxIntBits = 1 << 16
)

// guard is the function that stands in for an operation.
type guard struct {
	name string
	fn   func(*starlark.Thread, starlark.Tuple, []starlark.Tuple) (starlark.Value, error)
}

func (g *guard) String() string        { return "<check " + g.name + ">" }
func (g *guard) Type() string          { return "builtin_function_or_method" }
func (g *guard) Freeze()               {}
func (g *guard) Truth() starlark.Bool  { return true }
func (g *guard) Hash() (uint32, error) { return 0, nil }
func (g *guard) Name() string          { return g.name }

// CallInternal implements starlark.Callable.
func (g *guard) CallInternal(thread *starlark.Thread, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
	return g.fn(thread, args, kwargs)
}

// findGuard returns the check of that name, or nil.
func findGuard(name string) starlark.Value {
	switch name {
	case guardMul:
		return &guard{name, checkedMul}
	case guardReplace:
		return &guard{name, checkedReplace}
	case guardFormat:
		return &guard{name, fastFormat}
	}
	return nil
}

func checkedMul(_ *starlark.Thread, args starlark.Tuple, _ []starlark.Tuple) (starlark.Value, error) {
	x, y := args[0], args[1]
	switch n := y.(type) {
	case starlark.Int:
		if err := mayRepeat(x, n); err != nil {
			return nil, err
		}
	default:
		if n, ok := x.(starlark.Int); ok {
			if err := mayRepeat(y, n); err != nil {
				return nil, err
			}
		}
	}
	return starlark.Binary(syntax.STAR, x, y)
}

func mayRepeat(x starlark.Value, n starlark.Int) error {
	size := 0
	switch x := x.(type) {
	case starlark.Int:
		if _, ok := x.Int64(); ok {
			if _, ok := n.Int64(); ok {
				return nil
			}
		}
		if bits(x)+bits(n) > maxIntBits {
			return faultf("the product has more than "+strconv.Itoa(maxIntBits)+" bits", "")
		}
		return nil
	case starlark.String:
		size = len(x)
	case starlark.Bytes:
		size = len(x)
	case *starlark.List:
		size = 16 * x.Len() // bytes of an element
	case starlark.Tuple:
		size = 16 * x.Len()
	default:
		return nil
	}
	if size == 0 || n.Sign() <= 0 {
		return nil
	}
	if times, ok := n.Int64(); !ok || times > int64(maxRepeat/size) {
		return faultf("the repeated "+x.Type()+" would take more than "+strconv.Itoa(maxRepeat>>20)+" MiB", "")
	}
	return nil
}

func bits(x starlark.Int) int {
	return x.BigInt().BitLen()
}

// checkedReplace is recv.replace(…) for any recv.
func checkedReplace(thread *starlark.Thread, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
	recv, args := args[0], args[1:]
	if s, ok := recv.(starlark.String); ok && len(args) >= 2 {
		old, ok1 := args[0].(starlark.String)
		new, ok2 := args[1].(starlark.String)
		if ok1 && ok2 && len(new) > len(old) {
			n := strings.Count(string(s), string(old))
			if n > 0 && len(s)+n*(len(new)-len(old)) > maxRepeat {
				return nil, &Fault{Op: "replace", Msg: "the result would take more than " + strconv.Itoa(maxRepeat>>20) + " MiB"}
			}
		}
	}
	x, ok := recv.(starlark.HasAttrs)
	var fn starlark.Value
	if ok {
		var err error
		if fn, err = x.Attr("replace"); err != nil {
			return nil, err
		}
	}
	if fn == nil {
		return nil, &Fault{Msg: recv.Type() + " has no .replace field or method"}
	}
	return starlark.Call(thread, fn, args, kwargs)
}

// fastFormat is "…%s…%d…" % y for strings and small ints. The interpreter makes
// a big.Int of each int. Anything else, errors too, is left to it.
func fastFormat(_ *starlark.Thread, args starlark.Tuple, _ []starlark.Tuple) (starlark.Value, error) {
	format, y := string(args[0].(starlark.String)), args[1]
	one := [1]starlark.Value{y}
	operands := one[:]
	if t, ok := y.(starlark.Tuple); ok {
		operands = t
	}
	out := make([]byte, 0, 64)
	for {
		i := strings.IndexByte(format, '%')
		if i < 0 {
			break
		}
		out = append(out, format[:i]...)
		if i+1 == len(format) || len(operands) == 0 {
			return starlark.Binary(syntax.PERCENT, args[0], y)
		}
		verb := format[i+1]
		format = format[i+2:]
		switch x := operands[0].(type) {
		case starlark.String:
			if verb == 's' {
				out = append(out, x...)
				operands = operands[1:]
				continue
			}
		case starlark.Int:
			if n, ok := x.Int64(); ok && (verb == 'd' || verb == 's') {
				out = strconv.AppendInt(out, n, 10)
				operands = operands[1:]
				continue
			}
		}
		return starlark.Binary(syntax.PERCENT, args[0], y)
	}
	if len(operands) > 0 {
		return starlark.Binary(syntax.PERCENT, args[0], y)
	}
	return starlark.String(append(out, format...)), nil
}

func fnRange(c *call) (starlark.Value, error) {
	v, err := starlark.Universe["range"].(*starlark.Builtin).CallInternal(c.thread, c.pos, c.kw)
	if err != nil {
		return nil, err
	}
	if n := starlark.Len(v); n > maxRange {
		return nil, faultf("the range has "+strconv.Itoa(n)+" elements, at most "+strconv.Itoa(maxRange)+" are allowed", "")
	}
	return v, nil
}
