package plan

// shapeFaults: where the JSON of a plan has another shape than a Plan.

import (
	"encoding"
	"encoding/json"
	"iter"
	"reflect"
	"strconv"
	"strings"
)

// fault is one in the JSON of a plan, at b[at].
type fault struct {
	at  int
	msg string
}

// maxFaults bounds what is told of one plan.
const maxFaults = 100

// shapeFaults returns the places where b, which is valid JSON, cannot be read as a
// value of the type.
func shapeFaults(b []byte, typ reflect.Type) []fault {
	s := shape{b: b}
	s.value(0, typ, "")
	return s.faults
}

// shape compares JSON with types.
type shape struct {
	b      []byte
	faults []fault
}

func (s *shape) fault(at int, msg string) {
	if len(s.faults) < maxFaults {
		s.faults = append(s.faults, fault{at, msg})
	}
}

// value compares the value that begins at b[i], or after white space there, and returns
// where it ends; path is its name.
func (s *shape) value(i int, typ reflect.Type, path string) (end int) {
	i = s.space(i)
	end = s.end(i)
	for typ.Kind() == reflect.Pointer {
		typ = typ.Elem()
	}
	kind := typ.Kind()
	p := reflect.PointerTo(typ)
	if p.Implements(reflect.TypeFor[json.Unmarshaler]()) || p.Implements(reflect.TypeFor[encoding.TextUnmarshaler]()) {
		kind = reflect.Invalid // it reads itself
	}
	open := s.b[i]
	switch {
	case open == 'n': // null leaves anything as it is
	case (kind == reflect.Struct || kind == reflect.Map) && open == '{':
		s.object(i, typ, path)
	case kind == reflect.Slice && open == '[':
		for n := 0; ; n++ {
			if i = s.space(i + 1); s.b[i] == ']' {
				break
			}
			i = s.value(i, typ.Elem(), path+"["+strconv.Itoa(n)+"]")
			if i = s.space(i); s.b[i] == ']' {
				break
			}
		}
	case kind == reflect.Struct || kind == reflect.Map || kind == reflect.Slice ||
		json.Unmarshal(s.b[i:end], reflect.New(typ).Interface()) != nil:
		what := "it"
		if path != "" {
			what = strconv.Quote(path)
		}
		s.fault(i, what+" is "+s.show(i, end)+", want "+wanted(typ, kind))
	}
	return end
}

// object compares the object at b[i].
func (s *shape) object(i int, typ reflect.Type, path string) {
	for {
		if i = s.space(i + 1); s.b[i] == '}' {
			return
		}
		at, end := i, s.end(i)
		var name string
		json.Unmarshal(s.b[i:end], &name)
		i = s.space(end) + 1 // past the colon
		if elem, ok := member(typ, name); ok {
			full := name
			if path != "" {
				full = path + "." + name
			}
			i = s.value(i, elem, full)
		} else {
			in := ""
			if path != "" {
				in = " in " + strconv.Quote(path)
			}
			s.fault(at, "unknown field "+strconv.Quote(name)+in)
			i = s.end(s.space(i))
		}
		if i = s.space(i); s.b[i] == '}' {
			return
		}
	}
}

// member returns the type of a member of a struct or map.
func member(typ reflect.Type, name string) (reflect.Type, bool) {
	if typ.Kind() == reflect.Map {
		return typ.Elem(), true
	}
	for f := range typ.Fields() {
		if tag, _, _ := strings.Cut(f.Tag.Get("json"), ","); tag == name {
			return f.Type, true
		}
	}
	return nil, false
}

// show returns how a message names a value.
func (s *shape) show(i, end int) string {
	switch {
	case s.b[i] == '{':
		return "an object"
	case s.b[i] == '[':
		return "an array"
	case s.b[i] == '"' && end-i > 60:
		return "a string"
	case end-i > 60:
		return "a number"
	}
	return string(s.b[i:end])
}

// wanted names the values that a type takes.
func wanted(typ reflect.Type, kind reflect.Kind) string {
	switch typ {
	case reflect.TypeFor[Str]():
		return `a string or {"base64": "…"}`
	case reflect.TypeFor[Mode]():
		return `a mode in octal, as "0755"`
	case reflect.TypeFor[Pos]():
		return `a position, as "FILE:LINE:COL"`
	}
	switch kind {
	case reflect.Bool:
		return "true or false"
	case reflect.Int, reflect.Int64:
		return "an int"
	case reflect.Uint32:
		return "an int from 0 to 4294967295"
	case reflect.Uint64:
		return "an int from 0"
	case reflect.Slice:
		return "an array"
	case reflect.Struct, reflect.Map:
		return "an object"
	}
	return "a string"
}

func (s *shape) space(i int) int {
	for s.b[i] == ' ' || s.b[i] == '\t' || s.b[i] == '\n' || s.b[i] == '\r' {
		i++
	}
	return i
}

// members yields the names of the members of the object at b[i], or after white space
// there, and where their values begin; none where it is something else.
func (s *shape) members(i int) iter.Seq2[string, int] {
	return func(yield func(string, int) bool) {
		if i := s.space(i); s.b[i] == '{' {
			for i = s.space(i + 1); s.b[i] != '}'; {
				var name string
				json.Unmarshal(s.b[i:s.end(i)], &name)
				if i = s.space(s.space(s.end(i)) + 1); !yield(name, i) { // past the colon
					return
				}
				if i = s.space(s.end(i)); s.b[i] == ',' {
					i = s.space(i + 1)
				}
			}
		}
	}
}

// end returns where the value that begins at b[i] ends.
func (s *shape) end(i int) int {
	depth := 0
	for ; i < len(s.b); i++ {
		switch s.b[i] {
		case '"':
			i = stringEnd(s.b, i)
			if depth == 0 {
				return i + 1
			}
		case '{', '[':
			depth++
		case '}', ']':
			if depth == 0 {
				return i
			}
			if depth--; depth == 0 {
				return i + 1
			}
		case ',', ':', ' ', '\t', '\n', '\r':
			if depth == 0 {
				return i
			}
		}
	}
	return i
}
