package project

// Settling: what the layers asked for, by precedence, as operations of the plan.

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"sbx/engine/plan"
	"sbx/starlark/eval"
)

// settings are those of all layers together.
type settings struct {
	extra    []Value
	excluded []Value
	markers  []Value
	trusted  []Value
}

// merge merges the calls of project(), in their order, and the command line.
// Of extra paths and markers those of the last layer count; exclusions add up.
func merge(calls []eval.ProjectCall, o *Options) settings {
	s := settings{markers: []Value{{Text: defaultMarker}}}
	for _, c := range calls {
		list := func(strs []plan.Str) []Value {
			out := make([]Value, len(strs))
			for i, v := range strs {
				out[i] = Value{string(v), c.At, "project"}
			}
			return out
		}
		if c.ExtraDataPaths != nil {
			s.extra = list(c.ExtraDataPaths)
		}
		if c.RefuseIfExists != nil {
			s.markers = list(c.RefuseIfExists)
		}
		s.excluded = append(s.excluded, list(c.ExcludedPaths)...)
		s.trusted = append(s.trusted, list(c.TrustedDirs)...)
	}
	if o.ExtraDataPaths != nil {
		s.extra = o.ExtraDataPaths
	}
	if o.RefuseIfExists != nil {
		s.markers = o.RefuseIfExists
	}
	s.excluded = append(s.excluded, o.ExcludedPaths...)
	return s
}

// path returns the host path that a setting means, and as a pattern: relative to
// the project, with ~/ as the home directory.
func (r *run) path(v Value) (path, pattern string, err error) {
	p := v.Text
	bad := func(hint, format string, args ...any) (string, string, error) {
		return "", "", plan.Diagnostics{{At: v.At, Op: v.op, Msg: fmt.Sprintf(format, args...), Hint: hint}}
	}
	base := r.Dir
	switch {
	case p == "":
		return bad("", "a path is empty")
	case strings.IndexByte(p, 0) >= 0:
		return bad("", "path %q has a NUL byte in it", p)
	case p == "~" || strings.HasPrefix(p, "~/"):
		if r.Home == "" {
			return bad("set HOME", "path %q: the home directory is not known", p)
		}
		p, base = strings.TrimPrefix(p[1:], "/"), r.Home
	case p[0] == '~':
		return bad("write the path of that home directory", "path %q: only ~/ is expanded", p)
	}
	if filepath.IsAbs(p) {
		p = filepath.Clean(p)
		return p, p, nil
	}
	p = filepath.Clean(p)
	return filepath.Join(base, p), escape(base) + "/" + p, nil
}

// settle turns the settings into operations and returns the plan, what is wrong, with
// the scripts too, and the built-ins of the operations that the plan lacks for what is
// wrong with settings.
func (r *run) settle(l *eval.Layers) (p *plan.Plan, ds plan.Diagnostics, lacks []string) {
	for i, v := range r.o.AllowSettings {
		if !slices.ContainsFunc(r.o.AllowSettings[:i], func(w Value) bool { return w.Text == v.Text }) &&
			!slices.ContainsFunc(l.Calls(), func(c eval.ProjectCall) bool { return slices.Contains(c.AllowSettings, plan.Str(v.Text)) }) {
			l.Template(v.Text, v.At)
		}
	}
	ds, p = l.Faults(), l.Plan()
	s := merge(l.Calls(), r.o)
	keep := func(err error) {
		if d, ok := err.(plan.Diagnostics); ok {
			ds = append(ds, d...)
		}
	}
	for _, c := range l.Calls()[r.userCalls:] {
		if c.TrustedDirs != nil {
			ds = append(ds, plan.Diagnostic{At: c.At, Op: "project", Msg: `"trusted_dirs" is not for the file of a project`, Hint: "it belongs into ~/.config/sbx/project.star"})
		}
	}
	for _, v := range s.trusted {
		_, _, err := r.path(v)
		keep(err)
	}
	keep(r.mark(s.markers))
	for _, v := range s.extra {
		path, _, err := r.path(v)
		if err == nil && missing(path) {
			err = plan.Diagnostics{{At: v.At, Op: v.op, Msg: fmt.Sprintf("extra data path %q does not exist", path)}}
		}
		if err != nil {
			keep(err)
			lacks = append(lacks, string(plan.Bind))
			continue
		}
		p.Ops = append(p.Ops, plan.Op{Kind: plan.Bind, Src: plan.Str(path), Dst: plan.Str(path), At: v.At})
	}
	for _, v := range r.o.PassEnv {
		p.Env = append(p.Env, plan.EnvOp{Kind: plan.PassEnv, Name: plan.Str(v.Text), At: v.At})
	}
	if len(r.o.Command) > 0 {
		p.Command = p.Command[:0:0]
		for _, w := range r.o.Command {
			p.Command = append(p.Command, plan.Str(w))
		}
		delete(p.Where, "command")
	}
	if err := r.exclude(p, s.excluded); err != nil {
		keep(err)
		lacks = append(lacks, string(plan.Mask))
	}
	if !ds.HasErrors() {
		r.dropTemp(p)
	}
	return p, ds, lacks
}

// mark refuses a project that holds a marker.
func (r *run) mark(markers []Value) error {
	var ds plan.Diagnostics
	for _, v := range markers {
		if v.Text == "" {
			continue
		}
		path, _, err := r.path(v)
		if err != nil {
			ds = append(ds, err.(plan.Diagnostics)...)
		} else if _, err := os.Lstat(path); err != nil && !eval.Unseen(err) {
			ds = append(ds, plan.Diagnostic{At: v.At, Msg: fmt.Sprintf("whether project %q holds %q cannot be told: %v", r.Dir, v.Text, err)})
		} else if err == nil {
			ds = append(ds, plan.Diagnostic{At: v.At, Msg: fmt.Sprintf("project %q holds %q, which marks a directory that is not to be sandboxed as a project", r.Dir, v.Text),
				Hint: `--refuse-if-exists "" does without the check`})
		}
	}
	return ds.Err()
}

// exclude masks the excluded paths, wherever the plan shows them.
func (r *run) exclude(p *plan.Plan, excluded []Value) error {
	var ds plan.Diagnostics
	var shows []show
	if len(excluded) > 0 {
		shows, ds = showing(p)
	}
	seen := map[string]bool{}
	for _, v := range excluded {
		path, pattern, err := r.path(v)
		if err != nil {
			ds = append(ds, err.(plan.Diagnostics)...)
			continue
		}
		paths, err := expand(path, pattern)
		if err != nil {
			d := plan.Diagnostic{At: v.At, Op: v.op, Msg: fmt.Sprintf("excluded path %q: %v", v.Text, err)}
			if err == errWhole {
				d.Hint = fmt.Sprintf("in the project it is %q, elsewhere name a directory before the **", strings.TrimLeft(v.Text, "/"))
			}
			ds = append(ds, d)
			continue
		}
		if paths == nil && r.listed(v) {
			ds = append(ds, plan.Diagnostic{At: v.At, Op: v.op, Msg: fmt.Sprintf("excluded path %q does not exist, but what is named in it does", v.Text),
				Hint: "give each path by itself"})
		}
		for _, path := range paths {
			for _, at := range places(path, shows) {
				if plan.Within(r.Dir, at) {
					d := plan.Diagnostic{At: v.At, Op: v.op, Msg: fmt.Sprintf("excluded path %q holds the whole project", v.Text)}
					if strings.ContainsAny(v.Text, `*?[`) && at == r.Dir {
						d.Hint = "the project cannot be looked into: chmod u+rwx mends that"
					}
					ds = append(ds, d)
					break
				}
				if !seen[at] {
					seen[at] = true
					p.Ops = append(p.Ops, plan.Op{Kind: plan.Mask, Dst: plan.Str(at), Optional: true, At: v.At})
				}
			}
		}
	}
	return ds.Err()
}

// listed reports whether an excluded path that does not exist is a list of some
// that do, taken for one.
func (r *run) listed(v Value) bool {
	parts := strings.FieldsFunc(v.Text, func(c rune) bool { return c == ',' || c == ':' || c == ' ' })
	for _, part := range parts {
		path, pattern, err := r.path(Value{Text: part})
		if err != nil || len(parts) == 1 {
			continue
		}
		if paths, err := expand(path, pattern); err == nil && paths != nil {
			return true
		}
	}
	return false
}

// show is a bind: the canonical path of what it shows, and where.
type show struct{ src, dst string }

func showing(p *plan.Plan) (list []show, ds plan.Diagnostics) {
	for i := range p.Ops {
		op := &p.Ops[i]
		if op.Kind != plan.Bind || op.Inside {
			continue
		}
		if real, err := filepath.EvalSymlinks(string(op.Src)); err == nil {
			list = append(list, show{real, filepath.Clean(string(op.Dst))})
		} else if !eval.Unseen(err) {
			ds = append(ds, plan.Diagnostic{At: op.At, Op: string(op.Kind), Msg: fmt.Sprintf("source %q: %v", op.Src, err)})
		}
	}
	return list, ds
}

// places returns where in the sandbox a file of the host is shown: at its own
// path, and by what binds show a directory above it elsewhere.
func places(path string, shows []show) []string {
	list := []string{path}
	real, err := filepath.EvalSymlinks(path)
	if err != nil {
		return list
	}
	for _, s := range shows {
		if plan.Within(real, s.src) {
			list = append(list, filepath.Join(s.dst, strings.TrimPrefix(real, s.src)))
		}
	}
	return list
}

// dropped returns which of the caller's variables the plan removes.
func dropped(p *plan.Plan, env []string) []string {
	var names []string
	for _, kv := range env {
		name, _, ok := strings.Cut(kv, "=")
		if !ok || name == "" {
			continue
		}
		gone := false
		for i := range p.Env {
			switch e := &p.Env[i]; e.Kind {
			case plan.UnsetEnv:
				gone = gone || string(e.Name) == name
			case plan.SetEnv, plan.PassEnv:
				gone = gone && string(e.Name) != name
			case plan.ClearEnv:
				gone = gone || !slices.Contains(e.Keep, plan.Str(name))
			}
		}
		if gone && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}
