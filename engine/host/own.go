package host

// OwnPaths: what a command line shows of the process that it is given to.

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"sbx/engine/plan"
)

// OwnPaths has the sources of p that lead over a link of proc(5) about this process,
// as /proc/self/cwd and /dev/stdin do, named by where that leads: the process that
// mounts them is another one. One that leads to no path, a pipe's, is named as the
// link has it, and so is missing.
func OwnPaths(p *plan.Plan) {
	for i := range p.Ops {
		switch op := &p.Ops[i]; {
		case op.Inside || op.SrcFD != nil:
		case op.Kind == plan.Bind:
			ownPath(&op.Src, !op.NoFollow)
		case op.Kind == plan.Overlay:
			for j := range op.Lower {
				ownPath(&op.Lower[j], true)
			}
			ownPath(&op.Upper, true)
			ownPath(&op.Work, true)
		}
	}
}

func ownPath(s *plan.Str, follow bool) {
	path := string(*s)
	if !strings.HasPrefix(path, "/proc/") && !strings.HasPrefix(path, "/dev/") {
		return
	}
	dir, base := path, ""
	if !follow {
		dir, base = filepath.Split(strings.TrimRight(path, "/"))
	}
	real, err := filepath.EvalSymlinks(dir)
	if e := (*fs.PathError)(nil); errors.As(err, &e) && errors.Is(err, fs.ErrNotExist) {
		if _, err := os.Stat(dir); err == nil {
			*s = plan.Str(e.Path)
		}
		return
	}
	if err == nil && !plan.Within(real, "/proc") && sameAs(dir, real) { // /proc itself is the other's own
		*s = plan.Str(filepath.Join(real, base))
	}
}

// sameAs reports whether two paths lead to the same thing.
func sameAs(a, b string) bool {
	x, err1 := os.Stat(a)
	y, err2 := os.Stat(b)
	return err1 == nil && err2 == nil && os.SameFile(x, y)
}
