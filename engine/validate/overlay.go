package validate

// Overlays: what the kernel would refuse without saying why, or take without
// saying that it goes wrong.

import (
	"path"
	"strings"
	"syscall"

	"sbx/engine/host"
	"sbx/engine/layout"
	"sbx/engine/plan"
)

// maxLayers is the kernel's limit, OVL_MAX_STACK.
const maxLayers = 500

// overlayMagic is OVERLAYFS_SUPER_MAGIC, statfs(2).
const overlayMagic = 0x794c7630

func (c *checker) overlay(op *plan.Op) {
	fault := func(hint, format string, args ...any) {
		c.fault(op.At, "overlay", hint, format, args...)
	}
	switch n := len(op.Lower); {
	case n == 0:
		fault("give at least one directory in lower", "no layers are given")
	case n > maxLayers:
		fault("merge some of them", "%d layers are given, at most %d are allowed", n, maxLayers)
	}
	seen := map[plan.Str]bool{}
	for _, l := range op.Lower {
		if !c.path(op, "layer", l) {
			continue
		}
		if seen[l] {
			fault("", "layer %q is given twice", l)
			c.about(plan.WhatOverlap, syscall.ELOOP, string(l))
		}
		seen[l] = true
		c.directory(op, "layer", string(l))
	}
	c.layers(op)
	if op.UpperTmpfs && op.Upper != "" {
		fault("", "upper is both %q and \"tmpfs\"", op.Upper)
	}
	if op.Work != "" && op.Upper == "" {
		fault("", "work %q is given without an upper directory", op.Work)
	}
	if op.Upper == "" || !c.path(op, "upper", op.Upper) {
		return
	}
	if !c.directory(op, "upper", string(op.Upper)) {
		return
	}
	up := c.facts.FS(string(op.Upper))
	switch {
	case up.Err != 0:
		fault("", "upper %q: %v", op.Upper, up.Err)
		return
	case up.Magic == overlayMagic:
		fault("put it on another file system, or pass upper = \"tmpfs\"", "upper %q is itself on an overlay", op.Upper)
	case up.ReadOnly:
		fault("", "upper %q is on a read-only file system", op.Upper)
	}
	if op.Work == "" {
		c.defaultWork(op, up)
		return
	}
	if !c.path(op, "work", op.Work) || !c.directory(op, "work", string(op.Work)) {
		return
	}
	work := c.facts.FS(string(op.Work))
	switch {
	case work.Err != 0:
		fault("", "work %q: %v", op.Work, work.Err)
	case work.Dev != up.Dev || work.MountID != up.MountID:
		fault("a directory beside upper does; leave work out to have one made", "work %q and upper %q are not on the same mount", op.Work, op.Upper)
	case work.Dev == up.Dev && work.Ino == up.Ino && work.Ino != 0:
		fault("", "work and upper are the same directory %q", op.Upper)
	case c.nested(string(op.Work), string(op.Upper)):
		fault("", "work %q and upper %q lie within each other", op.Work, op.Upper)
	default:
		inner := strings.TrimSuffix(string(op.Work), "/") + "/work"
		if p := c.facts.Lstat(inner); p.Type != host.Missing && !c.kernels(inner, p) {
			fault("name an empty directory, or leave work out: it is made beside upper", "the kernel would delete %q, which is in work %q", inner, op.Work)
		}
	}
}

// extraLayers checks that there is room for what is put into read-only overlays.
func (c *checker) extraLayers(l *layout.Layout) {
	check := func(s *layout.Step) {
		if by := s.ExtraBy; by != nil && len(s.Op.Lower) == maxLayers {
			c.fault(by.At, string(by.Kind), "merge some of them",
				"destination %q would need one more layer in the overlay at %q, which has %d, and more are not allowed", by.Dst, s.Op.Dst, maxLayers)
		}
	}
	if l.Root != nil {
		check(l.Root)
	}
	for _, s := range l.Steps {
		check(s)
	}
}

// defaultWork checks that the directory beside upper can be the work directory.
// The kernel empties it, and sbx removes it: what is there must be nothing but
// what a sandbox that was killed has left.
func (c *checker) defaultWork(op *plan.Op, up host.FS) {
	work := op.DefaultWork()
	switch c.facts.Lstat(work).Type {
	case host.Missing:
	case host.Dir:
		if !c.leftover(work) {
			c.fault(op.At, "overlay", "name another directory with work", "%q, where the work directory would be, is not empty", work)
			return
		}
	default:
		c.fault(op.At, "overlay", "name another with work", "%q, where the work directory would be, is not a directory", work)
		return
	}
	dir := work[:strings.LastIndexByte(work, '/')+1]
	if fs := c.facts.FS(dir); dir == "" || fs.Err == 0 && (fs.Dev != up.Dev || fs.MountID != up.MountID) {
		c.fault(op.At, "overlay", "name a directory of the same file system with work", "upper %q is the root of its mount, so there is no place beside it for the work directory", op.Upper)
	}
}

// layers checks the layers against each other: the kernel takes none that is, or lies
// within, another.
func (c *checker) layers(op *plan.Op) {
	if len(op.Lower) < 2 || len(op.Lower) > maxLayers {
		return
	}
	type id struct{ dev, ino uint64 }
	given := make(map[id]plan.Str, len(op.Lower))
	for _, l := range op.Lower {
		fs := c.facts.FS(string(l))
		switch other, ok := given[id{fs.Dev, fs.Ino}]; {
		case fs.Ino == 0:
		case !ok:
			given[id{fs.Dev, fs.Ino}] = l
		case other != l:
			c.fault(op.At, "overlay", "", "layer %q and layer %q are the same directory", other, l)
			c.about(plan.WhatOverlap, syscall.ELOOP, string(l))
		}
	}
	for _, l := range op.Lower {
		own := c.facts.FS(string(l))
		c.ascend(string(l), func(fs host.FS) bool {
			outer, ok := given[id{fs.Dev, fs.Ino}]
			if ok = ok && fs.Ino != own.Ino; ok {
				c.fault(op.At, "overlay", "", "layer %q lies within layer %q", l, outer)
				c.about(plan.WhatOverlap, syscall.ELOOP, string(l))
			}
			return ok
		})
	}
}

// leftover reports whether a directory holds nothing but the kernel's own
// directory of an overlay.
func (c *checker) leftover(work string) bool {
	list, err := c.facts.ReadDir(work)
	if err != nil {
		return false
	}
	for _, e := range list {
		if e.Name != "work" || !c.kernels(work+"/work", e.Path) {
			return false
		}
	}
	return true
}

// kernels reports whether what the name work in a work directory stands for is the
// kernel's own directory, which is empty or, to an ordinary user, unreadable. The
// kernel removes what has this name, and what is in it.
func (c *checker) kernels(name string, p host.Path) bool {
	if p.Type != host.Dir {
		return false
	}
	if p.Mode == 0 && c.facts.UID != 0 {
		return true
	}
	list, err := c.facts.ReadDir(name)
	if err != nil {
		return false
	}
	for _, e := range list {
		if !strings.HasPrefix(e.Name, "#") { // a whiteout, or what was being copied
			return false
		}
	}
	return true
}

// directory reports whether p is a directory on the host, or tells.
func (c *checker) directory(op *plan.Op, what, p string) bool {
	switch f := c.facts.Stat(p); f.Type {
	case host.Dir:
		return true
	case host.Missing:
		hint := ""
		switch what {
		case "upper":
			hint = `make the directory first, or have the changes forgotten: upper = "tmpfs"`
		case "work":
			hint = "make the directory first, or leave work out: it is made beside upper"
		}
		c.fault(op.At, "overlay", hint, "%s %q does not exist on the host", what, p)
		c.about(plan.WhatSource, syscall.ENOENT, p)
	case host.Unknown:
		c.fault(op.At, "overlay", "", "%s %q: %v", what, p, f.Err)
		c.about(plan.WhatSource, f.Err, p)
	default:
		c.fault(op.At, "overlay", "", "%s %q is not a directory", what, p)
	}
	return false
}

// overlays checks what the overlays write to against what they read and against
// each other: the kernel only warns, in its log, where two write to one directory.
func (c *checker) overlays() {
	var writers []writer
	n := 0
	for i := range c.plan.Ops {
		op := &c.plan.Ops[i]
		if op.Kind != plan.Overlay || op.Upper == "" || c.facts.Stat(string(op.Upper)).Type != host.Dir {
			continue
		}
		if n++; n == maxUppers+1 {
			c.fault(op.At, "overlay", "", "more than %d overlays have an upper directory on the host", maxUppers)
		}
		if n > maxUppers {
			continue
		}
		own := []writer{{op, "upper", string(op.Upper)}}
		if op.Work != "" && c.facts.Stat(string(op.Work)).Type == host.Dir {
			own = append(own, writer{op, "work", string(op.Work)})
		}
		for _, w := range own {
			for _, l := range op.Lower {
				if c.facts.Stat(string(l)).Type == host.Dir && c.nested(string(l), w.path) {
					c.fault(op.At, "overlay", "", "layer %q and %s %q are the same directory or lie within each other", l, w.what, w.path)
				}
			}
			for _, o := range writers {
				switch {
				case !c.nested(o.path, w.path):
				case o.what == "upper" && w.what == "upper" && c.same(o.path, w.path):
					c.fault(op.At, "overlay", "", "upper %q is the upper of another overlay of this sandbox, at %q", w.path, o.op.Dst)
				default:
					c.fault(op.At, "overlay", "", "%s %q and %s %q of the overlay at %q are the same directory or lie within each other", w.what, w.path, o.what, o.path, o.op.Dst)
				}
			}
		}
		writers = append(writers, own...)
	}
}

// writer is a directory that an overlay writes to.
type writer struct {
	op   *plan.Op
	what string // "upper", "work"
	path string
}

// maxUppers is program.MaxLocks: each upper is locked.
const maxUppers = 8

// same reports whether two paths of the host are one directory.
func (c *checker) same(a, b string) bool {
	x, y := c.facts.FS(a), c.facts.FS(b)
	return x.Dev == y.Dev && x.Ino == y.Ino && x.Ino != 0
}

// nested reports whether one of two directories of the host lies within the
// other, or is it, whatever symlinks lead there. What is on another file system
// is not within, even if that is mounted there: an overlay does not see it.
func (c *checker) nested(a, b string) bool {
	x, y := c.facts.FS(a), c.facts.FS(b)
	if x.Ino == 0 || y.Ino == 0 { // nothing is known
		a, b = strings.TrimRight(a, "/")+"/", strings.TrimRight(b, "/")+"/"
		return strings.HasPrefix(a, b) || strings.HasPrefix(b, a)
	}
	return c.within(a, y) || c.within(b, x)
}

// within reports whether dir is one of the directories on the way from p up to
// the root of its file system.
func (c *checker) within(p string, dir host.FS) bool {
	return c.facts.FS(path.Clean(p)).Dev == dir.Dev && c.ascend(p, func(fs host.FS) bool { return fs.Ino == dir.Ino })
}

// ascend calls f for the directories on the way from p up to the root of its file
// system, p first, until f returns true, and reports whether that was so. Of a path
// that is not absolute, which is a fault anyway, it calls f for none.
func (c *checker) ascend(p string, f func(host.FS) bool) bool {
	if !path.IsAbs(p) {
		return false
	}
	p = path.Clean(p)
	dev := c.facts.FS(p).Dev
	real := true // p is the name of a directory, not what ".." leads to
	var last host.FS
	for {
		fs := c.facts.FS(p)
		switch {
		case fs.Ino == 0 || fs.Dev != dev:
			return false
		case f(fs):
			return true
		case p == "/" || !real && fs == last:
			return false
		}
		last = fs
		// The parent of a directory is that of its name; of what a symlink leads
		// to, it is for the kernel to find. The former are often known already.
		if real = real && c.facts.Lstat(p).Type == host.Dir; real {
			p = path.Dir(p)
		} else {
			p += "/.."
		}
	}
}
