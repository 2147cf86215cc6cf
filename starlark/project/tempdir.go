package project

// Directories for temporary files: variables that name one which the sandbox does
// not have.

import (
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/sys/unix"

	"sbx/engine/plan"
)

// tempVariables name the directory for temporary files, for one program or another.
var tempVariables = [...]string{"TMPDIR", "TMP", "TEMP"}

// dropTemp removes those of them whose place cannot be written in the sandbox:
// programs take /tmp then. What a script or the command line says of one stays.
func (r *run) dropTemp(p *plan.Plan) {
	for _, name := range tempVariables {
		path, ok := r.host().LookupEnv(name)
		if !ok || path == "" || slices.ContainsFunc(p.Env, func(e plan.EnvOp) bool { return string(e.Name) == name }) {
			continue
		}
		if !filepath.IsAbs(path) {
			path = filepath.Join(r.Dir, path)
		}
		if !writableDir(p, filepath.Clean(path), 40) {
			p.Env = append(p.Env, plan.EnvOp{Kind: plan.UnsetEnv, Name: plan.Str(name)})
		}
	}
}

// writableDir reports whether a path of the sandbox is a directory that can be
// written, over at most so many symlinks. A wrong answer does no harm but to the variable.
func writableDir(p *plan.Plan, path string, links int) bool {
	var by *plan.Op
	top, below := "", false
	for i := range p.Ops {
		op := &p.Ops[i]
		dst := filepath.Clean(string(op.Dst))
		switch {
		case op.Kind == plan.RemountRO && plan.Within(path, dst):
			return false
		case op.Kind == plan.Chmod || op.Kind == plan.RemountRO || op.Optional && op.Kind == plan.Bind && !op.Inside && missing(string(op.Src)):
		case plan.Within(path, dst) && len(dst) >= len(top):
			by, top = op, dst
		case plan.Within(dst, path):
			below = true // it is made on the way to that
		}
	}
	if by == nil || links == 0 {
		return false
	}
	rest := path[len(top):]
	if top == "/" {
		rest = path
	}
	switch by.Kind {
	case plan.Tmpfs, plan.Mkdir:
		return rest == "" || below
	case plan.Dev:
		return rest == "/shm"
	case plan.Symlink:
		target := string(by.Target)
		if !filepath.IsAbs(target) {
			target = filepath.Join(filepath.Dir(top), target)
		}
		return writableDir(p, filepath.Join(target, rest), links-1)
	case plan.Bind:
		if by.Inside {
			return !by.RO && writableDir(p, filepath.Join(string(by.Src), rest), links-1)
		}
		src := canonical(string(by.Src))
		real, err := filepath.EvalSymlinks(filepath.Join(src, rest))
		switch {
		case err != nil:
			return false
		case real != filepath.Join(src, rest):
			return writableDir(p, real, links-1)
		}
		return !by.RO && canWrite(real)
	case plan.Overlay:
		return by.Upper != "" && slices.ContainsFunc(append(by.Lower[:len(by.Lower):len(by.Lower)], by.Upper), func(dir plan.Str) bool {
			return canWrite(filepath.Join(string(dir), rest))
		})
	}
	return false
}

// canWrite reports whether the caller can write a directory of the host.
func canWrite(dir string) bool {
	st, err := os.Stat(dir)
	return err == nil && st.IsDir() && unix.Access(dir, unix.W_OK|unix.X_OK) == nil
}
