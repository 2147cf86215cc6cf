package layout

// Placing: each operation at its destination, and what must be made there.

import (
	"fmt"
	"slices"
	"syscall"

	"sbx/engine/host"
	"sbx/engine/plan"
)

func (b *builder) fault(op *plan.Op, hint, format string, args ...any) {
	b.out.Diags = append(b.out.Diags, plan.Diagnostic{
		At: op.At, Op: string(op.Kind), Msg: fmt.Sprintf(format, args...), Hint: hint,
	})
}

// faultOf is fault with what the diagnostic is about.
func (b *builder) faultOf(what plan.What, errno syscall.Errno, op *plan.Op, hint, format string, args ...any) {
	b.fault(op, hint, format, args...)
	d := &b.out.Diags[len(b.out.Diags)-1]
	d.What, d.Errno = what, errno
	if what == plan.WhatSource {
		d.Path = b.facts.Source(op)
	}
}

// place works out one step and adds what it makes to the tree.
func (b *builder) place(s *Step) {
	op := s.Op
	dst := clean(string(op.Dst))
	switch op.Kind {
	case plan.Chmod:
		b.placeChmod(s, dst)
		return
	case plan.RemountRO:
		b.placeRemount(s, dst)
		return
	case plan.Mask:
		b.placeMask(s, dst)
		return
	}
	in := b.room()
	r := &in.region
	r.step = s
	switch op.Kind {
	case plan.Bind:
		if !b.bindSource(s, in) {
			return
		}
	case plan.Tmpfs, plan.Mkdir, plan.Dev:
		s.Dir = true
	case plan.Mqueue:
		s.Dir = true
		r.place = ReadOnly // it takes nothing but message queues
	case plan.Proc:
		s.Dir = true
		r.place, r.layers = ReadOnly, []string{"/proc"}
	case plan.Overlay:
		s.Dir = true
		for i := len(op.Lower) - 1; i >= 0; i-- {
			r.layers = append(r.layers, string(op.Lower[i]))
		}
		switch {
		case op.Upper != "":
			r.place = Writable
			r.layers = append([]string{string(op.Upper)}, r.layers...)
		case !op.UpperTmpfs:
			r.place = ReadOnly
		}
	case plan.Copy:
		if !b.copySource(s) {
			return
		}
	}
	if dst == "/" {
		b.placeRoot(s, r)
		return
	}
	if !b.target(s, dst) {
		return
	}
	if s.Target.Path == "/" && op.Kind != plan.Mkdir { // symlinks led there
		if b.given {
			b.placeRoot(s, r)
		} else {
			b.fault(op, "give it \"/\" as its destination", "destination %q leads to the root of the sandbox", op.Dst)
		}
		return
	}
	if protects(op) && s.Target.Exists != host.Missing {
		b.hold(s, s.Target.Path, nil)
	}
	n := &in.node
	n.kind, n.step = host.File, s
	switch op.Kind {
	case plan.Symlink:
		n.kind, n.target = host.Symlink, string(op.Target)
	case plan.Mkdir:
		n.kind, n.skel = host.Dir, s.skel
	case plan.Write, plan.Copy:
		if op.Content == plan.ContentThrough && s.Target.Exists != host.Missing {
			n = b.nodes[s.Target.Path] // it stays what it is
		}
	default:
		if s.Dir {
			n.kind = host.Dir
			r.path = s.Target.Path
			n.mount = r
		} else if target, ok := b.boundLink(s); ok {
			n.kind, n.target = host.Symlink, target
		}
	}
	if old := b.nodes[s.Target.Path]; old != nil && op.Kind == plan.Mkdir {
		n = old // a mount point stays one
	} else if s.Done || s.Op != op {
		n = nil // it is the host's, and the walk finds it there
	}
	if n != nil {
		b.forget(s, n)
		b.set(s.Target.Path, n)
	}
	b.done(s)
	if op.Kind == plan.Dev {
		b.devNodes(s.Target.Path, s)
	}
}

// fewNodes is how many are looked through without an index.
const fewNodes = 100

// forget drops what the plan put below a path that a mount now covers.
func (b *builder) forget(s *Step, n *node) {
	path := s.Target.Path
	if n.mount == nil || n.step != s || s.Target.Exists == host.Missing || plan.ComparePaths(path, b.last) > 0 {
		return // nothing was placed below it
	}
	if b.index == nil {
		if b.given && len(b.nodes) < fewNodes {
			for p := range b.nodes {
				if p != path && plan.Within(p, path) {
					delete(b.nodes, p)
				}
			}
			return
		}
		b.index = newIndex(b)
	}
	gone := b.index.drop(b, path)
	if b.given {
		return
	}
	for _, i := range gone {
		b.hidden = append(b.hidden, b.out.Steps[i])
	}
}

// set enters a node into the tree.
func (b *builder) set(path string, n *node) {
	b.nodes[path] = n
	if b.index != nil {
		b.index.add(path)
	}
}

// done enters a step that has been placed.
func (b *builder) done(s *Step) {
	b.out.Steps = append(b.out.Steps, s)
	if b.index != nil {
		b.index.addStep(s.Target.Path, len(b.out.Steps)-1)
	}
	if plan.ComparePaths(b.last, s.Target.Path) < 0 {
		b.last = s.Target.Path
	}
}

// placeRoot has s make the root of the sandbox.
func (b *builder) placeRoot(s *Step, r *region) {
	switch {
	case s.Op.Kind == plan.Mkdir && (s.Op.Mode == nil || b.given):
		s.Done = true
		return
	case s.Op.Kind == plan.Mkdir && b.out.Root != nil:
		s.Target = Target{Path: "/", Exists: host.Dir}
		if b.placeMode(s, "/"); !s.Done {
			b.out.Steps = append(b.out.Steps, s)
		}
		return
	case !s.Dir:
		b.faultOf(plan.WhatPoint, syscall.EISDIR, s.Op, "", "destination \"/\" is a directory")
		return
	case s.Op.Inside, !b.given && s.Op.Kind != plan.Bind && s.Op.Kind != plan.Tmpfs && s.Op.Kind != plan.Mkdir && s.Op.Kind != plan.Overlay:
		b.fault(s.Op, "", "cannot be the root of the sandbox")
		return
	}
	s.Target = Target{Path: "/", Exists: host.Dir}
	r.path = "/"
	if b.given {
		b.nodes = map[string]*node{"/": {kind: host.Dir, mount: r, step: s}}
		b.root, b.index, b.last = r, nil, "/"
		if kind := s.Op.Kind; len(b.out.Steps) == 0 && b.out.Root == nil && (kind == plan.Bind || kind == plan.Tmpfs || kind == plan.Overlay) {
			b.out.Root = s
			return
		}
		b.done(s) // over the root so far, and all that is in it
		if s.Op.Kind == plan.Dev {
			b.devNodes("/", s)
		}
		return
	}
	b.nodes["/"] = &node{kind: host.Dir, mount: r, step: s}
	b.root = r
	b.out.Root = s
}

// bindSource finds out what a bind binds.
func (b *builder) bindSource(s *Step, in *room) bool {
	op, r := s.Op, &in.region
	r.place = Writable
	if op.RO {
		r.place = ReadOnly
	}
	if op.Inside {
		return b.insideSource(s, r)
	}
	if op.SrcFD != nil && b.facts.FDMoved[*op.SrcFD] {
		b.faultOf(plan.WhatSource, syscall.ESTALE, op, "it was replaced or removed, or the descriptor is that of a symlink",
			"source file descriptor %d: there is another file at its path %q", *op.SrcFD, b.facts.Source(op))
		return false
	}
	p := b.source(op)
	switch p.Type {
	case host.Missing:
		hint := "pass optional = True to skip it when it is missing"
		if op.SrcFD != nil {
			b.faultOf(plan.WhatSource, syscall.ENOENT, op, "", "source file descriptor %d has no path on the host", *op.SrcFD)
			return false
		}
		if !op.RO && !op.NoFollow {
			hint += ", or create_src = True to have a directory made there"
		}
		if l := b.facts.Lstat(string(op.Src)); l.Type == host.Symlink {
			hint = fmt.Sprintf("it is a symlink to %q, which does not exist; follow = False binds the symlink itself", l.Target)
		}
		b.faultOf(plan.WhatSource, syscall.ENOENT, op, hint, "source %q does not exist on the host", op.Src)
		return false
	case host.Unknown:
		b.faultOf(plan.WhatSource, p.Err, op, "", "source %q: %v", b.facts.Source(op), p.Err)
		return false
	}
	s.Dir = p.Type == host.Dir
	in.layer[0] = clean(b.facts.Source(op))
	r.layers = in.layer[:]
	return true
}

// boundLink returns the target of the symlink that s binds, where it does: mounts of
// symlinks are followed as symlinks are.
func (b *builder) boundLink(s *Step) (target string, ok bool) {
	op := s.Op
	switch {
	case op.Kind != plan.Bind || !op.NoFollow || s.Dir:
		return "", false
	case !op.Inside:
		p := b.source(op)
		return p.Target, p.Type == host.Symlink
	}
	p, target := b.entry(s.Source)
	return target, p.Type == host.Symlink
}

// insideSource finds out what a bind of a part of the sandbox itself binds.
func (b *builder) insideSource(s *Step, r *region) bool {
	op := s.Op
	f := b.walk(clean(string(op.Src)), !op.NoFollow)
	switch {
	case op.Optional && (f.errno == syscall.ENOTDIR || f.errno == syscall.ELOOP): // as on the host, nothing is there
		return false
	case f.errno != 0:
		b.fault(op, "", "source %q: %q: %v", op.Src, f.bad, f.errno)
		return false
	case !f.exists():
		if !op.Optional {
			b.fault(op, "inside = True takes a path of the sandbox, as it is after all other operations",
				"source %q does not exist in the sandbox", op.Src)
		}
		return false
	}
	s.Source = f.path
	s.Dir = f.kind == host.Dir
	r.alias, r.ro = f.path, op.RO
	if p := b.regionOf(f.path).place; !op.RO || p == ReadOnly {
		r.place = p
	}
	return true
}

func (b *builder) copySource(s *Step) bool {
	switch p := b.facts.Stat(string(s.Op.Src)); p.Type {
	case host.File:
		return true
	case host.Missing:
		b.fault(s.Op, "", "source %q does not exist on the host", s.Op.Src)
	case host.Unknown:
		b.fault(s.Op, "", "source %q: %v", s.Op.Src, p.Err)
	case host.Dir:
		b.fault(s.Op, "bind() or overlay() take directories", "source %q is a directory", s.Op.Src)
	default:
		b.fault(s.Op, "", "source %q is not a regular file", s.Op.Src)
	}
	return false
}

// target finds the place for s at dst, and has it made where it is missing.
func (b *builder) target(s *Step, dst string) bool {
	op := s.Op
	// What is no directory goes where the symlink is, not where it points.
	f := b.walk(dst, s.Dir || op.Follow && op.Kind != plan.Symlink)
	if op.Kind == plan.Mkdir && b.given && !op.Chase && (f.errno == syscall.ELOOP || f.dangling && b.walk(dst, false).exists()) {
		s.Target, s.Done = Target{Path: f.path, Exists: f.kind}, true // for mkdir(2) there is something
		return true
	}
	if f.errno != 0 {
		b.walkFault(op, dst, f)
		return false
	}
	t := &s.Target
	r := b.regionOf(f.path)
	if f.exists() {
		t.Path, t.Exists = f.path, f.kind
		if f.path != "/" {
			dir, _ := split(f.path)
			r = b.regionOf(dir)
		}
		t.Place = r.place
		if r.masked {
			return b.maskedFault(op, r)
		}
		return b.fits(s, dst, f)
	}
	if r.masked {
		return b.maskedFault(op, r)
	}
	if b.given && f.dangling && !op.Chase && (s.Dir || len(f.rest) > 1) { // mkdir(2) says so, too
		b.faultOf(plan.WhatParents, syscall.ENOENT, op, "", "destination %q: a symlink on the way leads nowhere: %v", dst, syscall.ENOENT)
		return false
	}
	if b.given && op.Create && slices.Contains(f.rest, "..") {
		// As mkdir -p has it: what is missing before a ".." is made.
		t.Path = f.path
		for _, c := range f.rest[:slices.Index(f.rest, "..")] {
			t.Path = join(t.Path, c)
			t.Make = append(t.Make, t.Path)
		}
		b.setDirs(t.Make, nil)
		t.Direct, t.Place = true, r.place
		if t.Place == ReadOnly {
			t.Place = Writable
		}
		return b.target(s, dst)
	}
	for _, c := range f.rest {
		if c == ".." || len(c) > 255 {
			why := "file name too long"
			if c == ".." {
				why = "no such file or directory"
			}
			b.fault(op, "", "destination %q: %s", dst, why)
			return false
		}
	}
	t.Place = r.place
	t.Path = f.next
	for _, c := range f.rest[1:] {
		t.Make = append(t.Make, t.Path)
		t.Path = join(t.Path, c)
	}
	switch {
	case b.given && op.Create:
		// Whether it can be made is for the kernel to say.
		t.Direct = true
		if t.Place == ReadOnly {
			t.Place = Writable
		}
		b.setDirs(t.Make, nil)
	case b.given && r.place == ReadOnly:
		b.faultOf(plan.WhatPoint, syscall.EROFS, op, "", "destination %q does not exist in the read-only %s at %q", dst, kindOf(r), r.path)
		return false
	case r.place == Own:
		b.setDirs(t.Make, nil)
	case r.place == Writable && !op.Create:
		hint := "create it there first, or pass create = True to have it made on the host"
		b.fault(op, hint, "destination %q does not exist in the writable %s at %q, and a sandbox does not write to the host to make itself",
			dst, kindOf(r), r.path)
		return false
	case r.place == Writable:
		b.setDirs(t.Make, nil)
	case r.place == ReadOnly:
		return b.skeleton(s, r, f)
	}
	return true
}

func kindOf(r *region) string {
	if r.step == nil {
		return "tree"
	}
	return string(r.step.Op.Kind)
}

func (b *builder) maskedFault(op *plan.Op, r *region) bool {
	b.fault(op, "hide the directory with tmpfs() instead, and put things into that", "destination %q is below %q, which is masked", op.Dst, r.path)
	return false
}

func (b *builder) walkFault(op *plan.Op, dst string, f found) {
	what := plan.WhatParents
	if len(f.bad) >= len(dst) {
		what = plan.WhatPoint
	}
	b.faultOf(what, f.errno, op, "", "destination %q: %q: %v", dst, f.bad, f.errno)
}

// fits checks what is at the destination against what is to come there.
func (b *builder) fits(s *Step, dst string, f found) bool {
	op := s.Op
	isDir := f.kind == host.Dir
	switch op.Kind {
	case plan.Mkdir:
		if !isDir && !op.Optional {
			b.faultOf(plan.WhatPoint, syscall.ENOTDIR, op, "", "destination %q exists and is not a directory", dst)
			return false
		}
		b.placeMode(s, f.path)
	case plan.Symlink:
		switch {
		case f.kind == host.Symlink && b.linkTarget(f.path) == string(op.Target):
			s.Done = true
		case op.Content == plan.ContentThrough && f.kind == host.Symlink:
			b.faultOf(plan.WhatConflict, syscall.EEXIST, op, "", "destination %q is a symlink to %q", dst, b.linkTarget(f.path))
			b.out.Diags[len(b.out.Diags)-1].Path = b.linkTarget(f.path)
			return false
		case op.Content == plan.ContentThrough:
			b.faultOf(plan.WhatConflict, syscall.EINVAL, op, "", "destination %q exists and is not a symlink", dst)
			return false
		case isDir:
			if !b.displaces(f.path) {
				b.fault(op, "", "destination %q is a directory", dst)
			}
			return false
		}
	default:
		if s.Dir && !isDir {
			b.faultOf(plan.WhatPoint, syscall.ENOTDIR, op, "", "destination %q is not a directory, as what goes there is", dst)
			return false
		}
		if !s.Dir && isDir {
			if _, link := b.boundLink(s); link && b.displaces(f.path) {
				return false
			}
			b.faultOf(plan.WhatPoint, syscall.EISDIR, op, "", "destination %q is a directory, what goes there is not", dst)
			return false
		}
	}
	return true
}

// displaces reports whether the directory at a path is there only since another symlink
// led to it what goes below. That is to come after a symlink in the directory's place.
func (b *builder) displaces(path string) bool {
	if n := b.nodes[path]; b.given || n == nil || n.step != nil || n.mount != nil {
		return false
	}
	for _, s := range b.out.Steps {
		if s.Target.Path != path && plan.Within(s.Target.Path, path) {
			b.hidden = append(b.hidden, s)
		}
	}
	return len(b.hidden) > 0
}

func (b *builder) linkTarget(path string) string {
	_, target := b.entry(path)
	return target
}

// devNodes enters what dev() makes into the tree.
func (b *builder) devNodes(dir string, s *Step) {
	for _, name := range DevNodes {
		b.set(join(dir, name), &node{kind: host.File, step: s})
	}
	for _, l := range DevLinks {
		b.set(join(dir, l.Name), &node{kind: host.Symlink, target: l.Target, step: s})
	}
	for _, name := range []string{"pts", "shm"} {
		n := &node{kind: host.Dir, step: s}
		if name == "pts" {
			n.mount = &region{path: join(dir, name), place: ReadOnly, step: s}
		}
		b.set(join(dir, name), n)
	}
	if p := b.facts.Lstat("/dev/fuse"); p.Type == host.Device {
		b.set(join(dir, "fuse"), &node{kind: host.File, step: s})
	}
	if s.Op.Bare {
		delete(b.nodes, join(dir, "fuse"))
	}
	if b.facts.TTY != "" {
		b.set(join(dir, "console"), &node{kind: host.File, step: s})
	}
}

// DevNodes are the devices of a private /dev, those without which programs break.
var DevNodes = [...]string{"null", "zero", "full", "random", "urandom", "tty"}

// DevLinks are its symlinks.
var DevLinks = [...]struct{ Name, Target string }{
	{"fd", "/proc/self/fd"}, {"stdin", "/proc/self/fd/0"}, {"stdout", "/proc/self/fd/1"}, {"stderr", "/proc/self/fd/2"},
	{"core", "/proc/kcore"}, {"ptmx", "pts/ptmx"},
}
