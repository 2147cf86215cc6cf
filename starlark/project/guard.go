package project

// The guard: what runs in the sandbox must not be able to change what the next
// sandbox is made from.

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"sbx/engine/plan"
	"sbx/starlark/eval"
)

// finish settles the plan, checks it and fills in the result.
func (r *run) finish(l *eval.Layers) error {
	if ds := r.faults(l, false); ds.HasErrors() {
		return ds
	}
	p, err := l.Plan(), error(nil)
	if r.Seen, err = r.note(); err != nil {
		return fault("", "cannot read what is noted of %q: %v", r.Dir, errno(err))
	}
	r.Plan = p
	host := r.host()
	r.Dropped = dropped(p, host.Environ())
	return nil
}

// faults settles the plan and returns all that is wrong with it, sorted by position;
// where anything is, that is also what the engine says of the rest. With unknown the
// project's file is not in it.
func (r *run) faults(l *eval.Layers, unknown bool) plan.Diagnostics {
	p, ds, lacks := r.settle(l)
	r.protect(p)
	ds = append(ds, r.guard(p, l.Modules(), !unknown && !ds.HasErrors())...)
	if names, ok := l.Lacks(); ok && r.o.Eval.Check != nil && (unknown || ds.HasErrors()) {
		if unknown {
			names = nil
		} else if names != nil {
			names = append(names, lacks...)
		}
		ds = append(ds, r.o.Eval.Check(p, names)...)
	}
	ds.Sort()
	return ds
}

// protect makes the files of the project's configuration read-only in the
// sandbox. A changed file would not count without new trust anyway; this spares
// people from giving it without looking.
func (r *run) protect(p *plan.Plan) {
	paths := []string{filepath.Join(r.Dir, FileName)}
	if r.Files != nil {
		for _, f := range r.Files.Files {
			paths = append(paths, f.Path)
		}
	}
	done := map[string]bool{}
	for _, path := range paths {
		real, err := filepath.EvalSymlinks(path)
		if err == nil && plan.Within(real, r.Dir) && !done[real] && !masked(p, real) {
			done[real] = true
			p.Ops = append(p.Ops, plan.Op{Kind: plan.Bind, Src: plan.Str(real), Dst: plan.Str(real), RO: true})
		}
	}
}

// masked reports whether a path cannot be seen in the sandbox, where that is so
// because an operation masks it or a directory that holds it.
func masked(p *plan.Plan, path string) bool {
	last, kind := "", plan.Kind("")
	for i := range p.Ops {
		if dst := filepath.Clean(string(p.Ops[i].Dst)); plan.Within(path, dst) && len(dst) >= len(last) {
			last, kind = dst, p.Ops[i].Kind
		}
	}
	return kind == plan.Mask
}

// tree is a directory or file that the sandbox can write to, by the operation op.
type tree struct {
	given, real string
	op          *plan.Op
}

// guard refuses plans that let the sandbox write to what sbx itself goes by, and
// those that bind what a symlink in a writable directory leads to: whoever made
// the link may have been inside. A plan that is not whole lacks operations, which
// might hide what others show. The modules are what the scripts have loaded.
func (r *run) guard(p *plan.Plan, modules []string, whole bool) plan.Diagnostics {
	own := r.ownFiles()
	var writable []tree
	add := func(op *plan.Op, path plan.Str) {
		given := filepath.Clean(string(path))
		writable = append(writable, tree{given, landing(given, !op.NoFollow), op})
	}
	for i := range p.Ops {
		switch op := &p.Ops[i]; {
		case op.Kind == plan.Bind && !op.RO && !op.Inside:
			add(op, op.Src)
		case op.Kind == plan.Overlay && op.Upper != "":
			add(op, op.Upper)
		}
	}
	var ds plan.Diagnostics
	for _, w := range writable {
		for _, f := range own {
			if plan.Within(f, w.real) || plan.Within(w.real, f) {
				holds, hint := "holds", "show a directory that does not hold it, or show it read-only"
				if !plan.Within(f, w.real) {
					holds, hint = "lies in", "show another directory, or show it read-only"
				}
				ds = append(ds, plan.Diagnostic{At: w.op.At, Op: string(w.op.Kind), Hint: hint,
					Msg: fmt.Sprintf("%q %s %q, which sbx run itself goes by, and what runs in the sandbox could change it", w.given, holds, f)})
				break
			}
		}
	}
	for _, w := range writable {
		for _, top := range r.trustedDirs {
			if w.real != r.Dir && plan.Within(w.real, top) || w.real != top && plan.Within(top, w.real) {
				ds = append(ds, plan.Diagnostic{At: w.op.At, Op: string(w.op.Kind),
					Msg:  fmt.Sprintf("%q can be written in the sandbox, and configuration files in %q are trusted", w.given, top),
					Hint: "show it read-only, or name fewer directories as trusted_dirs"})
			}
		}
		if r.o.ConfigFile == nil {
			continue
		}
		for _, f := range r.Files.Files {
			// One that lies in the project itself is read-only there, and stays in its place.
			real := canonical(f.Path)
			if plan.Within(real, w.real) && !(w.real == r.Dir && filepath.Dir(real) == r.Dir) {
				ds = append(ds, plan.Diagnostic{At: r.o.ConfigFile.At,
					Msg:  fmt.Sprintf("configuration file %q could be changed from inside the sandbox", f.Path),
					Hint: "keep it out of the project, or at its top"})
			}
		}
	}
	if whole {
		ds = append(ds, r.guardSessions(p)...)
	}
	told, read := r.told(p, writable, modules)
	ds = append(ds, read...)
	follow := func(op *plan.Op, path *plan.Str, leaf bool) {
		given := filepath.Clean(string(*path))
		at := landing(given, leaf)
		for i := range told {
			if t := &told[i]; plan.Within(at, t.real) && !plan.Within(at, t.top) && !seenAnyway(p, op) {
				ds = append(ds, t.fault(op.At, op.Kind))
				return
			}
		}
		for _, w := range writable {
			if given == w.given || given == w.real || !plan.Within(given, w.given) && !plan.Within(given, w.real) {
				continue
			}
			real, err := filepath.EvalSymlinks(given)
			if !leaf {
				if real, err = filepath.EvalSymlinks(filepath.Dir(given)); err == nil {
					real = filepath.Join(real, filepath.Base(given))
				}
			}
			if err != nil { // missing: the engine's to tell, or to make
				real = canonical(given)
			}
			if !plan.Within(real, w.real) {
				ds = append(ds, (&stray{string(*path), real, w.given}).fault(op.At, op.Kind))
				return
			}
			*path = plan.Str(real) // as it was found to be, and no other way
			op.Exact = true
		}
		// What is writable in other projects is so for other sandboxes.
		real, top := r.strays(given, leaf)
		if top != "" {
			ds = append(ds, (&stray{string(*path), real, top}).fault(op.At, op.Kind))
		} else if dir := filepath.Dir(real); real != "/" && !op.Exact && r.writtenTop(dir) != "" {
			*path = plan.Str(real)
			op.Exact = true
		}
	}
	for i := range p.Ops {
		op := &p.Ops[i]
		if op.Inside {
			continue
		}
		switch op.Kind {
		case plan.Bind:
			follow(op, &op.Src, !op.NoFollow)
		case plan.Copy:
			follow(op, &op.Src, true)
		case plan.Overlay:
			for j := range op.Lower {
				follow(op, &op.Lower[j], true)
			}
			if op.Upper != "" {
				follow(op, &op.Upper, true)
			}
			if op.Work != "" {
				follow(op, &op.Work, true)
			}
			if op.Exact { // which goes for all of them
				for j := range op.Lower {
					op.Lower[j] = plan.Str(canonical(string(op.Lower[j])))
				}
				for _, path := range []*plan.Str{&op.Upper, &op.Work} {
					if *path != "" {
						*path = plan.Str(canonical(string(*path)))
					}
				}
			}
		}
	}
	return ds
}

// guardSessions refuses plans that show the sockets of sessions: who reaches them,
// and a read-only bind is enough for that, can type into other sandboxes and enter
// them.
func (r *run) guardSessions(p *plan.Plan) plan.Diagnostics {
	var ds plan.Diagnostics
	for i := range p.Ops {
		op := &p.Ops[i]
		var sources []plan.Str
		switch {
		case op.Kind == plan.Bind && !op.Inside:
			sources = []plan.Str{op.Src}
		case op.Kind == plan.Overlay:
			sources = append(append(sources, op.Lower...), op.Upper)
		}
		for _, src := range sources {
			if at := r.shown(p, op, string(src)); at != "" {
				ds = append(ds, plan.Diagnostic{At: op.At, Op: string(op.Kind),
					Msg:  fmt.Sprintf("%q holds %q, by which what runs in the sandbox would reach other sandboxes", src, at),
					Hint: "bind the sockets that are needed one by one"})
			}
		}
	}
	return ds
}

// shown returns a directory of sessions that an operation shows by its source,
// or "". It does not show what lies below the destination of another one.
func (r *run) shown(p *plan.Plan, op *plan.Op, src string) string {
	if src == "" {
		return ""
	}
	real := landing(filepath.Clean(src), !op.NoFollow)
	for _, dir := range r.Sessions {
		// A symlink in its place is none of the user's, and not followed.
		sockets := filepath.Join(canonical(filepath.Dir(dir)), filepath.Base(dir))
		if plan.Within(real, sockets) {
			return dir
		}
		if plan.Within(sockets, real) && !hidden(p, op, filepath.Join(string(op.Dst), strings.TrimPrefix(sockets, real))) {
			return dir
		}
	}
	return ""
}

// hidden reports whether another operation than that which would show a path of the
// sandbox has its destination between that and the path.
func hidden(p *plan.Plan, by *plan.Op, path string) bool {
	top := filepath.Clean(string(by.Dst))
	for i := range p.Ops {
		op := &p.Ops[i]
		switch op.Kind {
		case plan.Bind, plan.Tmpfs, plan.Overlay, plan.Mask:
		default:
			continue // they show what is there, or may
		}
		if op.Optional {
			continue // it may not be there
		}
		if dst := filepath.Clean(string(op.Dst)); op != by && dst != top && plan.Within(dst, top) && plan.Within(path, dst) {
			return true
		}
	}
	return false
}

// ownFiles returns the canonical paths of what sbx run goes by.
func (r *run) ownFiles() []string {
	var list []string
	for _, dir := range []string{r.Config, r.State} {
		if dir != "" {
			list = append(list, canonical(dir))
		}
	}
	if r.User == Own {
		list = append(list, canonical(r.UserFile))
	}
	for _, path := range r.userModules {
		list = append(list, canonical(path))
	}
	return list
}

// landing is canonical, but for the last name of a clean path where leaf is false.
func landing(path string, leaf bool) string {
	if leaf {
		return canonical(path)
	}
	return filepath.Join(canonical(filepath.Dir(path)), filepath.Base(path))
}

// canonical returns a path with all symlinks resolved, as far as it exists.
func canonical(path string) string { return canonicalIn(path, 40) }

func canonicalIn(path string, links int) string {
	rest := ""
	for p := filepath.Clean(path); ; p = filepath.Dir(p) {
		if real, err := filepath.EvalSymlinks(p); err == nil {
			return filepath.Join(real, rest)
		} else if st, e := os.Lstat(p); e == nil && st.Mode()&os.ModeSymlink != 0 && links > 0 {
			// A dangling link: what it leads to could still be made.
			if target, e := os.Readlink(p); e == nil {
				if !filepath.IsAbs(target) {
					target = filepath.Join(filepath.Dir(p), target)
				}
				return filepath.Join(canonicalIn(target, links-1), rest)
			}
		}
		if p == "/" || p == "." {
			return filepath.Join(p, rest)
		}
		rest = filepath.Join(filepath.Base(p), rest)
	}
}
