package eval

// param(): the parameters of a script, and what --set gives them.

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"go.starlark.net/starlark"

	"sbx/engine/plan"
)

// The types of parameters, and the Go types of their values: string, int64,
// bool and []string.
const (
	typeString = "string"
	typeInt    = "int"
	typeBool   = "bool"
	typeList   = "list"
)

var paramTypes = [...]string{typeString, typeInt, typeBool, typeList}

func fnParam(c *call) (starlark.Value, error) {
	ev := c.ev
	p := plan.Param{Name: string(c.str(0)), Help: string(c.str(2)), At: ev.origin(c.thread)}
	if err := c.declare(&p); err != nil {
		return nil, err
	}
	value := p.Default
	set := ev.take(p.Name)
	var fault *callFault
	switch {
	case len(set) > 0:
		value, fault = convert(&p, set)
	case p.Required && !ev.collect:
		fault = &callFault{Msg: "parameter " + quote(p.Name) + " has no value", Hint: "pass --set " + p.Name + "=…"}
		if near := plan.Nearest(p.Name, ev.unused()); near != "" {
			fault.Hint += "; there is no parameter " + quote(near)
		}
		if ev.layers != nil {
			fault.Hint = "give it a default: sbx run has no --set"
		}
	}
	if fault != nil && !ev.collect {
		fault.Op = c.b.Name
		if !ev.note(c.thread, fault) {
			return nil, fault
		}
		// Go on with an invented value, to find the other faulty parameters;
		// whatever goes wrong from here on is no news, nor is what is made.
		if !ev.guess {
			p := *ev.plan // lists only grow, but for that of the limits
			p.Rlimits, p.Where = slices.Clone(p.Rlimits), maps.Clone(p.Where)
			ev.guess, ev.part = true, &p
		}
	}
	if value == nil {
		value = placeholder(&p)
	} else if !p.Required || len(set) > 0 {
		p.Value = value
	}
	ev.plan.Params = append(ev.plan.Params, p)
	return toValue(value), nil
}

// declare fills p from the call's arguments and checks that they make sense.
func (c *call) declare(p *plan.Param) error {
	if !isParamName(p.Name) {
		return wrong("argument \"name\" is "+quote(p.Name)+", want letters, digits, \"_\" and \"-\"", "")
	}
	for i := range c.ev.plan.Params {
		if q := &c.ev.plan.Params[i]; q.Name == p.Name {
			return wrong("parameter "+quote(p.Name)+" is declared already, at "+q.At.Pos.String(), "keep the value of the first in a variable")
		}
	}
	if err := c.paramType(p); err != nil {
		return err
	}
	if c.given(3) {
		list := c.v[3].(starlark.Indexable)
		elem := p.Type
		if elem == typeList {
			elem = typeString
		}
		for i := range list.Len() {
			v, ok := fromValue(list.Index(i), elem)
			if !ok {
				return wrong("argument \"choices\" of parameter "+quote(p.Name)+" holds "+show(list.Index(i))+", want "+article(elem), "")
			}
			p.Choices = append(p.Choices, v)
		}
		if len(p.Choices) == 0 {
			return wrong("argument \"choices\" of parameter "+quote(p.Name)+" is empty", "")
		}
	}
	if !c.given(1) {
		p.Required = true
		return nil
	}
	v, ok := fromValue(c.v[1], p.Type)
	if !ok {
		return wrong("argument \"default\" of parameter "+quote(p.Name)+" is "+show(c.v[1])+", want "+article(p.Type), "")
	}
	if bad, ok := allowed(p, v); !ok {
		return wrong("default "+bad+" of parameter "+quote(p.Name)+" is none of its choices", "choices are "+choiceList(p))
	}
	p.Default = v
	return nil
}

// paramType sets the type from "type", or from the default or the choices.
func (c *call) paramType(p *plan.Param) error {
	if c.given(4) {
		p.Type = string(c.str(4))
		if slices.Contains(paramTypes[:], p.Type) {
			return nil
		}
		hint := ""
		switch p.Type {
		case "str":
			hint = "did you mean \"string\"?"
		case "integer":
			hint = "did you mean \"int\"?"
		case "boolean":
			hint = "did you mean \"bool\"?"
		}
		return wrong("argument \"type\" is "+quote(p.Type)+`, want "string", "int", "bool" or "list"`, hint)
	}
	var like starlark.Value
	if c.given(1) {
		like = c.v[1]
	} else if c.given(3) {
		if list := c.v[3].(starlark.Indexable); list.Len() > 0 {
			like = list.Index(0)
		}
	}
	switch like.(type) {
	case nil, starlark.String:
		p.Type = typeString
	case starlark.Int:
		p.Type = typeInt
	case starlark.Bool:
		p.Type = typeBool
	case *starlark.List, starlark.Tuple:
		p.Type = typeList
	default:
		return wrong("argument \"default\" of parameter "+quote(p.Name)+" is "+article(like.Type())+", want a string, an int, a bool or a list", "")
	}
	return nil
}

func isParamName(s string) bool {
	for _, r := range s {
		if !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '_' || r == '-') {
			return false
		}
	}
	return s != ""
}

// fromValue returns v as a parameter value of that type.
func fromValue(v starlark.Value, typ string) (any, bool) {
	switch v := v.(type) {
	case starlark.String:
		return string(v), typ == typeString
	case starlark.Bool:
		return bool(v), typ == typeBool
	case starlark.Int:
		n, ok := v.Int64()
		return n, ok && typ == typeInt
	case starlark.Indexable: // list or tuple, by the built-in's table
		if typ != typeList {
			return nil, false
		}
		out := make([]string, v.Len())
		for i := range out {
			s, ok := v.Index(i).(starlark.String)
			if !ok {
				return nil, false
			}
			out[i] = string(s)
		}
		return out, true
	}
	return nil, false
}

func toValue(v any) starlark.Value {
	switch v := v.(type) {
	case string:
		return starlark.String(v)
	case int64:
		return starlark.MakeInt64(v)
	case bool:
		return starlark.Bool(v)
	case []string:
		return stringList(v)
	}
	return starlark.None
}

func stringList(list []string) *starlark.List {
	elems := make([]starlark.Value, len(list))
	for i, s := range list {
		elems[i] = starlark.String(s)
	}
	return starlark.NewList(elems)
}

// placeholder is a value of the right type for a parameter that has none.
func placeholder(p *plan.Param) any {
	if len(p.Choices) > 0 && p.Type != typeList {
		return p.Choices[0]
	}
	switch p.Type {
	case typeInt:
		return int64(0)
	case typeBool:
		return false
	case typeList:
		return []string{}
	}
	return ""
}

// convert reads what --set gave. Only lists take several.
func convert(p *plan.Param, set []string) (any, *callFault) {
	last := set[len(set)-1]
	bad := func(want, hint string) (any, *callFault) {
		return nil, &callFault{Msg: "parameter " + quote(p.Name) + " is set to " + quote(last) + ", want " + want, Hint: hint}
	}
	if len(set) > 1 && p.Type != typeList {
		return nil, &callFault{Msg: "parameter " + quote(p.Name) + " is set " + strconv.Itoa(len(set)) + " times, the first time to " + quote(set[0]) + " and the last to " + quote(last),
			Hint: "keep one of them; only a list takes several, and this is " + article(p.Type)}
	}
	var v any = last
	switch p.Type {
	case typeInt:
		n, err := strconv.ParseInt(last, 0, 64)
		if err != nil {
			return bad("an int", "pass --set "+p.Name+"=1")
		}
		v = n
	case typeBool:
		switch strings.ToLower(last) {
		case "true", "yes", "on", "1":
			v = true
		case "false", "no", "off", "0":
			v = false
		default:
			return bad("a bool", "pass --set "+p.Name+"=true or --set "+p.Name+"=false")
		}
	case typeList:
		list := []string{}
		for _, s := range set {
			if s != "" {
				list = append(list, strings.Split(s, ",")...)
			}
		}
		v = list
	}
	if got, ok := allowed(p, v); !ok {
		hint := "choices are " + choiceList(p)
		if s, ok := v.(string); ok {
			names := make([]string, len(p.Choices))
			for i := range names {
				names[i] = p.Choices[i].(string)
			}
			if near := plan.Nearest(s, names); near != "" {
				hint += "; did you mean " + quote(near) + "?"
			}
		}
		return nil, &callFault{Msg: "parameter " + quote(p.Name) + " is set to " + got + ", which is none of its choices", Hint: hint}
	}
	return v, nil
}

// allowed reports whether v is among the choices, and if not, what is not.
func allowed(p *plan.Param, v any) (bad string, ok bool) {
	if p.Choices == nil {
		return "", true
	}
	if list, ok := v.([]string); ok {
		for _, s := range list {
			if !slices.Contains(p.Choices, any(s)) {
				return quote(s), false
			}
		}
		return "", true
	}
	return show(toValue(v)), slices.Contains(p.Choices, v)
}

func choiceList(p *plan.Param) string {
	var b strings.Builder
	for i, c := range p.Choices {
		if i == 20 {
			b.WriteString(" …")
			break
		}
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(show(toValue(c)))
	}
	return b.String()
}

// take returns what --set gave for a parameter, in order, and marks it used.
func (ev *evaluator) take(name string) []string {
	var out []string
	for i, kv := range ev.opt.Set {
		if kv[0] == name {
			out = append(out, kv[1])
			if ev.used == nil {
				ev.used = make([]bool, len(ev.opt.Set))
			}
			ev.used[i] = true
		}
	}
	return out
}

// unused returns the names of --set that no parameter has taken so far.
func (ev *evaluator) unused() []string {
	var out []string
	for i, kv := range ev.opt.Set {
		if (ev.used == nil || !ev.used[i]) && !slices.Contains(out, kv[0]) {
			out = append(out, kv[0])
		}
	}
	return out
}

// unknownParams reports the names of --set that the script does not declare.
func (ev *evaluator) unknownParams() plan.Diagnostics {
	var ds plan.Diagnostics
	for _, name := range ev.unused() {
		var names []string
		for i := range ev.plan.Params {
			names = append(names, ev.plan.Params[i].Name)
		}
		hint := "the script declares no parameters"
		if near := plan.Nearest(name, names); near != "" {
			hint = "did you mean --set " + near + "=…?"
		} else if len(names) > 0 {
			hint = "parameters are " + strings.Join(names[:min(len(names), 20)], ", ")
		}
		ds = append(ds, plan.Diagnostic{Msg: "script " + quote(ev.entry.name) + " has no parameter " + quote(name), Hint: hint})
	}
	return ds
}
