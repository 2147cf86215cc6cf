// Package validate checks a plan against the facts of the host and reports all
// that is wrong with it at once. It makes no system call of its own.
package validate

import (
	"fmt"
	"path"
	"strings"
	"syscall"

	"sbx/engine/host"
	"sbx/engine/layout"
	"sbx/engine/plan"
)

type checker struct {
	plan  *plan.Plan
	facts *host.Facts
	diags plan.Diagnostics
	part  *part // nil: the plan is whole
}

// Check reports what is wrong with the plan, sorted by position, and returns the
// layout of its operations, which is fit for package compile only if there are
// no errors.
func Check(p *plan.Plan, f *host.Facts) (*layout.Layout, plan.Diagnostics) {
	c := &checker{plan: p, facts: f}
	l := c.operations()
	c.diags = append(c.diags, l.Diags...)
	c.extraLayers(l)
	c.settings()
	c.workDir(l)
	c.environment()
	c.diags.Sort()
	return l, c.diags
}

// operations checks the operations, each by itself, and lays out the sound ones.
func (c *checker) operations() *layout.Layout {
	p := c.plan
	var bad map[int]bool
	for i := range p.Ops {
		n := len(c.diags)
		c.op(&p.Ops[i])
		if len(c.diags) > n {
			if bad == nil {
				bad = map[int]bool{}
			}
			bad[i] = true
		}
	}
	c.overlays()
	return layout.Build(p, c.facts, func(i int) bool { return bad[i] })
}

// workDir checks that the working directory is there, as far as the layout tells.
func (c *checker) workDir(l *layout.Layout) {
	if c.diags.HasErrors() {
		return
	}
	dir, key := string(c.plan.Dir), "chdir"
	if c.plan.SameDir {
		dir, key = c.facts.Cwd, "same_dir"
	}
	if dir == "" {
		return
	}
	switch l.Type(dir) {
	case host.Missing:
		c.setting(key, "mkdir() makes a directory, bind() shows one of the host's", "directory %q does not exist in the sandbox", dir)
		c.about(plan.WhatDirectory, syscall.ENOENT, dir)
	case host.Dir, host.Unknown:
	default:
		c.setting(key, "", "directory %q in the sandbox: not a directory", dir)
		c.about(plan.WhatDirectory, syscall.ENOTDIR, dir)
	}
}

func (c *checker) fault(at plan.Origin, op, hint, format string, args ...any) {
	c.diags = append(c.diags, plan.Diagnostic{At: at, Op: op, Msg: fmt.Sprintf(format, args...), Hint: hint})
}

// about says what the last fault is about.
func (c *checker) about(what plan.What, errno syscall.Errno, path string) {
	d := &c.diags[len(c.diags)-1]
	d.What, d.Errno, d.Path = what, errno, path
}

// maxPath is the longest path a system call takes, PATH_MAX without its NUL.
const maxPath = 4095

// path checks the form of one path and reports whether it is sound.
func (c *checker) path(op *plan.Op, what string, s plan.Str) bool {
	p := string(s)
	fail := func(hint, format string, args ...any) bool {
		c.fault(op.At, string(op.Kind), hint, format, args...)
		return false
	}
	long := func(format string, args ...any) bool {
		about := plan.WhatSource
		if what == "destination" {
			about = plan.WhatPoint
		}
		c.fault(op.At, string(op.Kind), "", format, args...)
		c.about(about, syscall.ENAMETOOLONG, p)
		return false
	}
	switch {
	case p == "":
		return fail("", "%s is empty", what)
	case strings.IndexByte(p, 0) >= 0:
		return fail("", "%s %q has a NUL byte in it", what, clip(p))
	case p[0] == '~':
		return fail("a ~ is not expanded; use host.home", "%s %q is not absolute", what, clip(p))
	case p[0] == '$':
		return fail("a $ is not expanded; use host.home, or host.env for other variables", "%s %q is not absolute", what, clip(p))
	case p[0] != '/':
		return fail(relativeHint(what), "%s %q is not absolute", what, clip(p))
	case len(p) > maxPath:
		return long("%s %q has %d bytes, at most %d are allowed", what, clip(p), len(p), maxPath)
	}
	for rest := p; rest != ""; {
		var comp string
		comp, rest, _ = strings.Cut(rest, "/")
		switch {
		case comp == ".." && c.plan.Order != plan.OrderGiven && !c.lacks("order"):
			return fail("write the path without it, or use realpath()", "%s %q has a \"..\" in it", what, clip(p))
		case len(comp) > 255:
			return long("%s %q has a name of %d bytes in it, at most 255 are allowed", what, clip(p), len(comp))
		}
	}
	if hint, own := ownLink(p); own && what != "destination" && !op.Inside && !(op.Kind == plan.Copy && hint == fdHint) && c.facts.Stat(p).Type != host.Missing {
		return fail(hint, "%s %q is another one for the process that mounts it", what, clip(p))
	}
	return true
}

const fdHint = "name the file itself, or copy() it"

// ownLink tells whether a path leads over a link of proc(5) that leads elsewhere for
// each process, and what to name instead.
func ownLink(p string) (hint string, own bool) {
	if !strings.Contains(p, "self") && !strings.Contains(p, "dev") {
		return "", false
	}
	p = path.Clean(p)
	switch p {
	case "/dev/stdin", "/dev/stdout", "/dev/stderr":
		return fdHint, true
	}
	if strings.HasPrefix(p, "/dev/fd/") {
		return fdHint, true
	}
	rest, own := strings.CutPrefix(p, "/proc/self/")
	if !own {
		rest, own = strings.CutPrefix(p, "/proc/thread-self/")
	}
	if task, ok := strings.CutPrefix(rest, "task/"); own && ok {
		_, rest, _ = strings.Cut(task, "/")
	}
	switch name, _, below := strings.Cut(rest, "/"); {
	case !own:
	case name == "cwd":
		return "host.cwd is the working directory", true
	case name == "root":
		return "leave out what leads to /", true
	case name == "exe":
		return "name the program itself", true
	case below && (name == "fd" || name == "map_files"):
		return fdHint, true
	}
	return "", false
}

func relativeHint(what string) string {
	if what == "destination" {
		return "paths of the sandbox start with /"
	}
	return `script.dir + "/…" is relative to the script, host.cwd + "/…" to the working directory`
}

// clip keeps messages short.
func clip(s string) string {
	if len(s) > 200 {
		return s[:200] + "…"
	}
	return s
}

// op checks one operation by itself.
func (c *checker) op(op *plan.Op) {
	fault := func(hint, format string, args ...any) {
		c.fault(op.At, string(op.Kind), hint, format, args...)
	}
	if !(op.Kind == plan.Bind && op.Src == op.Dst) { // that would be said twice
		c.path(op, "destination", op.Dst)
	}
	for _, m := range []*plan.Mode{op.Mode, op.ParentMode} {
		if m != nil && *m > 0o7777 {
			fault("", "mode %s is more than 07777", m)
		}
	}
	switch op.Content {
	case plan.ContentAuto:
	case plan.ContentThrough, plan.ContentMount:
		if op.Kind != plan.Symlink && op.Kind != plan.Write && op.Kind != plan.Copy {
			fault("", "content is for symlink, write and copy")
		} else if op.Content == plan.ContentThrough && c.plan.Order != plan.OrderGiven && !c.lacks("order") {
			fault("", "content goes through destinations in plans of the order given only")
		}
	default:
		fault("", "unknown way of content %q", op.Content)
	}
	switch op.Kind {
	case plan.Bind, plan.Copy:
		if op.Foreign && op.MountFD == nil {
			fault(foreignHint, "the mount is for systemd-mountfsd to make, which nobody asked")
		} else if op.MountFD != nil && !op.Foreign {
			fault("", "file descriptor %d: only a bind with foreign has a mount", *op.MountFD)
		}
		switch {
		case op.SrcFD == nil:
			c.path(op, "source", op.Src)
		case *op.SrcFD < 0 || op.Src != "" || op.Kind != plan.Bind || op.Inside || op.NoFollow:
			fault("", "file descriptor %d: only a bind has one as its source, and no other source", *op.SrcFD)
		}
	case plan.Symlink:
		switch t := string(op.Target); {
		case t == "":
			fault("", "target is empty")
			c.about(plan.WhatTarget, syscall.ENOENT, "")
		case strings.IndexByte(t, 0) >= 0:
			fault("", "target %q has a NUL byte in it", clip(t))
		case len(t) > maxPath:
			fault("", "target %q has %d bytes, at most %d are allowed", clip(t), len(t), maxPath)
		}
	case plan.Write:
		if len(op.Data) > maxWrite {
			fault("bind() or copy() a file instead", "data has %d bytes, at most %d are allowed", len(op.Data), maxWrite)
		}
	case plan.Overlay:
		c.overlay(op)
	case plan.Mqueue:
		if !c.plan.Unshare.IPC && !c.facts.Privileged(c.plan) && !c.lacks("unshare") && !c.lacksIdentity() {
			fault("call unshare(ipc = True)", "a message queue file system needs an ipc namespace of the sandbox's own")
		}
	case plan.Chmod:
		if op.Mode == nil {
			fault("", "no mode is given")
		}
	case plan.Tmpfs, plan.Mkdir, plan.Dev, plan.Proc, plan.Mask, plan.RemountRO:
	default:
		fault("", "unknown operation %q", op.Kind)
	}
}

const foreignHint = "mkosi-sandbox asks it; sbx does not"

// maxWrite bounds what one write() holds in memory.
const maxWrite = 64 << 20
