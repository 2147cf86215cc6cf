package compiletest

// Plans that differ in one thing, for those who turn plans into something else
// and must not drop any of it.

import (
	"fmt"
	"path"
	"reflect"
	"slices"
	"strings"
	"testing"

	"sbx/engine/plan"
)

// Everything returns a plan with an operation of each kind on the host of Host,
// and a command.
func Everything() *plan.Plan {
	p := plan.New()
	p.Command = []plan.Str{"sh"}
	p.Unshare = plan.Namespaces{PID: true, UTS: true, IPC: true}
	p.Env = []plan.EnvOp{{Kind: plan.SetEnv, Name: "A", Value: "b"}, {Kind: plan.UnsetEnv, Name: "OLDPWD"}}
	p.Ops = []plan.Op{
		{Kind: plan.Bind, Src: "/usr", Dst: "/usr", RO: true}, {Kind: plan.Bind, Src: "/low/1", Dst: "/b"},
		{Kind: plan.Tmpfs, Dst: "/t"}, {Kind: plan.Mkdir, Dst: "/m"}, {Kind: plan.Write, Dst: "/w"}, {Kind: plan.Copy, Dst: "/c", Src: "/etc/x"},
		{Kind: plan.Symlink, Dst: "/s", Target: "x"}, {Kind: plan.Overlay, Dst: "/o", Lower: []plan.Str{"/low/1", "/low/2"}, Upper: "/up/a", Work: "/up/b"},
		{Kind: plan.Dev, Dst: "/dev"}, {Kind: plan.Mqueue, Dst: "/dev/mqueue"}, {Kind: plan.Proc, Dst: "/proc"},
		{Kind: plan.Bind, Src: "/low/1", Dst: "/deep/a/b"}, {Kind: plan.Tmpfs, Dst: "/deep/c/t"}, {Kind: plan.Write, Dst: "/deep/d/w"},
		{Kind: plan.Mask, Dst: "/usr/lib"}, {Kind: plan.RemountRO, Dst: "/deep"}, {Kind: plan.Chmod, Dst: "/m", Mode: plan.ModePtr(0o700)},
	}
	return p
}

// counts says which fields of an operation count for a kind, where not all do.
var counts = map[string][]plan.Kind{
	"Src": {plan.Bind, plan.Copy}, "SrcFD": {plan.Bind}, "Inside": {plan.Bind}, "Recursive": {plan.RemountRO}, "NoFollow": {plan.Bind}, "Foreign": {plan.Bind}, "MountFD": {},
	"CreateSrc": {plan.Bind}, "Exact": {plan.Bind, plan.Copy, plan.Overlay}, "Optional": {plan.Bind, plan.Mask, plan.Mkdir}, "RO": {plan.Bind}, "Devices": {plan.Bind, plan.Tmpfs, plan.Overlay},
	"Suid": {plan.Bind, plan.Tmpfs, plan.Overlay}, "Bare": {plan.Dev}, "Target": {plan.Symlink}, "Data": {plan.Write}, "Size": {plan.Tmpfs},
	"Content": {plan.Symlink, plan.Write, plan.Copy}, "Mode": {plan.Tmpfs, plan.Write, plan.Copy, plan.Chmod}, "UID": {plan.Chmod}, "GID": {plan.Chmod},
	"Lower": {plan.Overlay}, "Upper": {plan.Overlay}, "UpperTmpfs": {plan.Overlay}, "Work": {plan.Overlay}, "Dst": {},
	"Create": {}, "Follow": {}, "Chase": {}, "Kind": {}, "At": {}, // it depends on what is there
	"ParentMode": {plan.Bind, plan.Tmpfs, plan.Write},
}

// Changes calls f with Everything changed in one field, for each of those that
// count; name tells which.
func Changes(f func(name string, p *plan.Plan)) {
	op := reflect.TypeFor[plan.Op]()
	for k, o := range Everything().Ops {
		for i := range op.NumField() {
			field := op.Field(i).Name
			kinds, some := counts[field]
			if some && !slices.Contains(kinds, o.Kind) || field == "ParentMode" && path.Dir(string(o.Dst)) == "/" {
				continue
			}
			p := Everything()
			p.Ops[k].At = Asked
			set(reflect.ValueOf(&p.Ops[k]).Elem().Field(i))
			f(fmt.Sprintf("%s %s: %s", o.Kind, o.Dst, field), p)
		}
	}
	for _, e := range []plan.EnvOp{{Kind: plan.SetEnv, Name: "N", Value: "v"}, {Kind: plan.UnsetEnv, Name: "A"}, {Kind: plan.ClearEnv}, {Kind: plan.ClearEnv, Keep: []plan.Str{"PATH"}}, {Kind: plan.PassEnv, Name: "OLDPWD"}} {
		p := Everything()
		e.At = Asked
		p.Env = append(p.Env, e)
		f(string(e.Kind), p)
	}
	var each func(v func(*plan.Plan) reflect.Value, prefix string)
	each = func(v func(*plan.Plan) reflect.Value, prefix string) {
		typ := v(Everything()).Type()
		for i := range typ.NumField() {
			switch field := typ.Field(i); {
			case prefix == "" && slices.Contains([]string{"Version", "Ops", "Env", "Where", "Params", "Inputs"}, field.Name):
			case field.Type.Kind() == reflect.Struct:
				each(func(p *plan.Plan) reflect.Value { return v(p).Field(i) }, prefix+field.Name+".")
			default:
				p := Everything()
				set(v(p).Field(i))
				ask(p)
				f(prefix+field.Name, p)
			}
		}
	}
	each(func(p *plan.Plan) reflect.Value { return reflect.ValueOf(p).Elem() }, "")
}

// Asked is where a script asks for what Changes changed.
var Asked = plan.Origin{Pos: plan.Pos{File: "x.star", Line: 7, Col: 3}}

// ask gives the setting in which p differs from Everything its position.
func ask(p *plan.Plan) {
	for i := range p.Rlimits {
		p.Rlimits[i].At = Asked
	}
	for i := range p.Filters {
		p.Filters[i].At = Asked
	}
	for i := range p.Hooks.Locks {
		p.Hooks.Locks[i].At = Asked
	}
	for _, field := range plan.Differ(*p, *Everything()) {
		key := strings.TrimSuffix(field, "_try")
		if !strings.HasPrefix(key, "unshare.") {
			key = p.Calls(field)[0].Name
		}
		p.SetWhere(key, Asked)
	}
}

// NothingIsDropped changes each field of a plan by itself: what the plan is
// converted to is another then, or something is named, or the plan makes no sense.
// What is named is an error, where the script asks for it and in the script's
// words. without has the changes that are neither, as they say nothing there, and
// almost the messages of those that are warnings, since the target does nearly that.
func NothingIsDropped(t *testing.T, convert func(*plan.Plan) (said string, lost plan.Diagnostics, ok bool), without map[string]bool, almost ...string) {
	t.Helper()
	said, lost, ok := convert(Everything())
	if !ok {
		t.Fatal("the plan makes no sense")
	}
	sound := 0
	Changes(func(name string, p *plan.Plan) {
		now, faults, ok := convert(p)
		if !ok {
			return
		}
		changed := now != said || len(faults) != len(lost)
		for _, d := range faults {
			same := func(x plan.Diagnostic) bool { return x.Severity == d.Severity && x.Op == d.Op && x.Msg == d.Msg }
			if slices.ContainsFunc(lost, same) {
				continue
			}
			changed = true
			if (d.Severity != plan.Error || d.At.Pos != Asked.Pos || d.Op == "") && !slices.ContainsFunc(almost, func(s string) bool { return strings.Contains(d.Msg, s) }) {
				t.Errorf("%s: %q is no error that says where the script asks for it, by what call", name, d.Error())
			}
		}
		switch {
		case changed:
			sound++
			if without[name] {
				t.Errorf("%s does something", name)
			}
		case !without[name]:
			t.Errorf("%s is dropped", name)
		}
	})
	t.Logf("%d changes make sense", sound)
	if sound < 60 {
		t.Error("too few")
	}
}

// set gives a field another value than it has.
func set(v reflect.Value) {
	switch v.Kind() {
	case reflect.Bool:
		v.SetBool(!v.Bool())
	case reflect.String:
		v.SetString(map[reflect.Type]string{
			reflect.TypeFor[plan.Order](): string(plan.OrderGiven), reflect.TypeFor[plan.Propagation](): string(plan.PropagationSlave),
			reflect.TypeFor[plan.Content](): string(plan.ContentMount), reflect.TypeFor[plan.PWD](): string(plan.PWDKeep),
			reflect.TypeFor[plan.Lifetime](): string(plan.LifetimeCommand), reflect.TypeFor[string](): "all",
		}[v.Type()])
		if v.Type() == reflect.TypeFor[plan.Str]() {
			v.SetString("/usr/bin")
		}
	case reflect.Int:
		v.SetInt(3)
	case reflect.Uint64:
		v.SetUint(4096)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		switch p := v.Interface().(type) {
		case *bool:
			*p = true
		case *int:
			*p = 3
		case *uint32:
			*p = 77
		case *plan.Mode:
			*p = 0o640
		case *plan.Str:
			*p = "zero"
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		switch e := v.Interface().(type) {
		case []plan.Str:
			e[0] = "/low/2"
		case []string:
			e[0] = "CAP_KILL"
		case []int:
			e[0] = 3
		case []plan.Rlimit:
			e[0].Name = "RLIMIT_CORE"
		case []plan.Filter:
			e[0].Code = "12345678"
		case []plan.LockFile:
			e[0].Path = "/w"
		case []plan.IDRange:
			e[0] = plan.IDRange{Inside: 5, Outside: 1000, Count: 1}
		}
	default:
		panic("what is a " + v.Type().String() + "?")
	}
}
