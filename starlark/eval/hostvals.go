package eval

// The values `host` and `script`. Each look at the host is recorded in the plan
// as an input.

import (
	"encoding/hex"
	"errors"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"go.starlark.net/starlark"

	"sbx/engine/plan"
	"sbx/engine/sha256"
)

// record notes an input once.
func (ev *evaluator) record(kind, name, value string) {
	in := plan.Input{Kind: kind, Name: plan.Str(name), Value: plan.Str(value)}
	if _, ok := ev.inputs[in]; ok {
		return
	}
	if ev.inputs == nil {
		ev.inputs = map[plan.Input]struct{}{}
	}
	ev.inputs[in] = struct{}{}
	ev.plan.Inputs = append(ev.plan.Inputs, in)
}

func digest(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// hostValue is the value `host`.
type hostValue struct{ ev *evaluator }

func valHost(ev *evaluator, _ *module) starlark.Value { return &hostValue{ev} }

func (*hostValue) String() string        { return "<host>" }
func (*hostValue) Type() string          { return "host" }
func (*hostValue) Freeze()               {}
func (*hostValue) Truth() starlark.Bool  { return true }
func (*hostValue) Hash() (uint32, error) { return 0, errors.New("unhashable type: host") }

// AttrNames implements starlark.HasAttrs.
func (*hostValue) AttrNames() []string {
	return []string{"arch", "cwd", "env", "gid", "home", "kernel", "os_release", "project", "uid", "user"}
}

// Attr implements starlark.HasAttrs.
func (h *hostValue) Attr(name string) (starlark.Value, error) {
	ev, host := h.ev, h.ev.opt.Host
	text := func(s string, err error) (starlark.Value, error) {
		if err != nil {
			return nil, &callFault{Msg: "host." + name + " cannot be told: " + errText(err)}
		}
		ev.record("host", name, s)
		return starlark.String(s), nil
	}
	number := func(n int) (starlark.Value, error) {
		ev.record("host", name, strconv.Itoa(n))
		return starlark.MakeInt(n), nil
	}
	switch name {
	case "env":
		return &envValue{ev}, nil
	case "cwd":
		return text(host.Cwd())
	case "project":
		if ev.opt.Project == "" {
			return starlark.None, nil
		}
		return text(ev.opt.Project, nil)
	case "home":
		return text(ev.home())
	case "user":
		return text(ev.user())
	case "uid":
		uid, _ := host.IDs()
		return number(uid)
	case "gid":
		_, gid := host.IDs()
		return number(gid)
	case "arch":
		arch, _, err := host.Uname()
		return text(arch, err)
	case "kernel":
		_, kernel, err := host.Uname()
		return text(kernel, err)
	case "os_release":
		return ev.osRelease()
	}
	return nil, nil
}

// passwd returns a field of the caller's line in /etc/passwd, or "".
func (ev *evaluator) passwd(field int) string {
	uid, _ := ev.opt.Host.IDs()
	b, err := ev.opt.Host.ReadFile("/etc/passwd", maxRead)
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(b)) {
		f := strings.Split(strings.TrimRight(line, "\n"), ":")
		if len(f) >= 7 && f[2] == strconv.Itoa(uid) {
			return f[field]
		}
	}
	return ""
}

func (ev *evaluator) home() (string, error) {
	if s, _ := ev.opt.Host.LookupEnv("HOME"); s != "" {
		return s, nil
	}
	if s := ev.passwd(5); s != "" {
		return s, nil
	}
	return "", errors.New("HOME is not set and /etc/passwd does not tell")
}

func (ev *evaluator) user() (string, error) {
	if s := ev.passwd(0); s != "" {
		return s, nil
	}
	if s, _ := ev.opt.Host.LookupEnv("USER"); s != "" {
		return s, nil
	}
	uid, _ := ev.opt.Host.IDs()
	return strconv.Itoa(uid), nil
}

// osRelease reads os-release(5) into a dict; where there is none it is empty.
func (ev *evaluator) osRelease() (starlark.Value, error) {
	var b []byte
	for _, file := range [...]string{"/etc/os-release", "/usr/lib/os-release"} {
		var err error
		if b, err = ev.opt.Host.ReadFile(file, 1<<20); err == nil {
			ev.record("file", file, digest(b))
			break
		}
	}
	d := starlark.NewDict(16)
	for line := range strings.Lines(string(b)) {
		line = strings.TrimSpace(line)
		name, value, ok := strings.Cut(line, "=")
		if !ok || strings.HasPrefix(line, "#") {
			continue
		}
		if err := d.SetKey(starlark.String(name), starlark.String(unquoteShell(value))); err != nil {
			return nil, err
		}
	}
	d.Freeze()
	return d, nil
}

// unquoteShell removes the quotes of a value as os-release(5) has them.
func unquoteShell(s string) string {
	if len(s) >= 2 && s[0] == '\'' && s[len(s)-1] == '\'' {
		return s[1 : len(s)-1]
	}
	if len(s) >= 2 && s[0] == '"' && s[len(s)-1] == '"' {
		s = s[1 : len(s)-1]
	}
	if strings.IndexByte(s, '\\') < 0 {
		return s
	}
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) {
			i++
		}
		out = append(out, s[i])
	}
	return string(out)
}

// envValue is `host.env`: a mapping that is read and not copied, so that the
// plan depends only on the names looked up.
type envValue struct{ ev *evaluator }

var (
	_ starlark.IterableMapping = (*envValue)(nil)
	_ starlark.HasAttrs        = (*envValue)(nil)
)

func (*envValue) String() string        { return "<host.env>" }
func (*envValue) Type() string          { return "host.env" }
func (*envValue) Freeze()               {}
func (*envValue) Truth() starlark.Bool  { return true }
func (*envValue) Hash() (uint32, error) { return 0, errors.New("unhashable type: host.env") }

// Get implements starlark.Mapping.
func (e *envValue) Get(k starlark.Value) (starlark.Value, bool, error) {
	name, ok := k.(starlark.String)
	if !ok {
		return nil, false, &callFault{Msg: "a name in host.env is a string, not " + article(k.Type())}
	}
	v, ok := e.ev.opt.Host.LookupEnv(string(name))
	e.ev.record("env", string(name), v)
	if !ok {
		return nil, false, nil
	}
	return starlark.String(v), true, nil
}

func (e *envValue) names() []string {
	var out []string
	for _, kv := range e.ev.opt.Host.Environ() {
		if name, _, ok := strings.Cut(kv, "="); ok && name != "" {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// Items implements starlark.IterableMapping.
func (e *envValue) Items() []starlark.Tuple {
	var out []starlark.Tuple
	for _, name := range e.names() {
		if v, ok, _ := e.Get(starlark.String(name)); ok {
			out = append(out, starlark.Tuple{starlark.String(name), v})
		}
	}
	return out
}

// Iterate implements starlark.Iterable: the names, sorted.
func (e *envValue) Iterate() starlark.Iterator {
	names := e.names()
	e.ev.record("env", "*", strings.Join(names, " "))
	return stringList(names).Iterate()
}

// AttrNames implements starlark.HasAttrs.
func (*envValue) AttrNames() []string { return []string{"get", "items", "keys"} }

// Attr implements starlark.HasAttrs.
func (e *envValue) Attr(name string) (starlark.Value, error) {
	switch name {
	case "get":
		return starlark.NewBuiltin("get", func(_ *starlark.Thread, _ *starlark.Builtin, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
			if len(args) < 1 || len(args) > 2 || len(kwargs) > 0 {
				return nil, &callFault{Op: "host.env.get", Msg: "takes a name and a default"}
			}
			v, ok, err := e.Get(args[0])
			if err != nil {
				return nil, err
			}
			if ok {
				return v, nil
			}
			if len(args) == 2 {
				return args[1], nil
			}
			return starlark.None, nil
		}), nil
	case "keys":
		return starlark.NewBuiltin("keys", func(_ *starlark.Thread, _ *starlark.Builtin, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
			if len(args)+len(kwargs) > 0 {
				return nil, &callFault{Op: "host.env.keys", Msg: "takes no arguments"}
			}
			names := e.names()
			e.ev.record("env", "*", strings.Join(names, " "))
			return stringList(names), nil
		}), nil
	case "items":
		return starlark.NewBuiltin("items", func(_ *starlark.Thread, _ *starlark.Builtin, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
			if len(args)+len(kwargs) > 0 {
				return nil, &callFault{Op: "host.env.items", Msg: "takes no arguments"}
			}
			items := e.Items()
			out := make([]starlark.Value, len(items))
			for i, t := range items {
				out[i] = t
			}
			return starlark.NewList(out), nil
		}), nil
	}
	return nil, nil
}

// scriptValue is `script`: where the code is.
type scriptValue struct {
	ev *evaluator
	m  *module
}

func valScript(ev *evaluator, m *module) starlark.Value {
	if m.lib {
		m = ev.entry
	}
	return &scriptValue{ev, m}
}

func (*scriptValue) String() string        { return "<script>" }
func (*scriptValue) Type() string          { return "script" }
func (*scriptValue) Freeze()               {}
func (*scriptValue) Truth() starlark.Bool  { return true }
func (*scriptValue) Hash() (uint32, error) { return 0, errors.New("unhashable type: script") }

// AttrNames implements starlark.HasAttrs.
func (*scriptValue) AttrNames() []string { return []string{"dir", "file"} }

// Attr implements starlark.HasAttrs.
func (s *scriptValue) Attr(name string) (starlark.Value, error) {
	if name != "dir" && name != "file" {
		return nil, nil
	}
	path, err := s.ev.absolute(s.m)
	if err != nil {
		return nil, &callFault{Msg: "script." + name + " cannot be told: " + errText(err)}
	}
	if name == "dir" {
		path = filepath.Dir(path)
	}
	return starlark.String(path), nil
}

// errText returns the bare reason of an error: the errno where there is one.
func errText(err error) string {
	var errno syscall.Errno
	if errors.As(err, &errno) {
		return errno.Error()
	}
	return err.Error()
}
