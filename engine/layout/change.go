package layout

// Changes to what is there already: masks, modes, read-only mounts.

import (
	"syscall"

	"sbx/engine/host"
	"sbx/engine/plan"
)

// placeMask hides what is at dst.
func (b *builder) placeMask(s *Step, dst string) {
	op := s.Op
	f, links := b.walkHeld(dst)
	switch {
	case f.errno != 0:
		b.walkFault(op, dst, f)
		return
	case !f.exists():
		if !op.Optional {
			b.fault(op, "pass optional = True to mask it only where it is there", "%q does not exist in the sandbox", op.Dst)
		}
		return
	case f.path == "/":
		b.fault(op, "", "the root of the sandbox cannot be masked")
		return
	}
	s.Dir = f.kind == host.Dir
	s.Target = Target{Path: f.path, Exists: f.kind, Place: b.regionOf(f.path).place}
	b.hold(s, f.path, links)
	n := &node{kind: host.File, step: s}
	if s.Dir {
		n.kind, n.mount = host.Dir, &region{path: f.path, place: ReadOnly, step: s, masked: true}
		b.forget(s, n)
	}
	b.set(f.path, n)
	b.done(s)
}

// placeChmod checks that the file is the sandbox's own: another's would change
// on the host.
func (b *builder) placeChmod(s *Step, dst string) {
	op := s.Op
	f := b.walk(dst, true)
	switch {
	case f.errno != 0:
		b.walkFault(op, dst, f)
		return
	case !f.exists():
		b.faultOf(plan.WhatPoint, syscall.ENOENT, op, "", "%q does not exist in the sandbox", op.Dst)
		return
	}
	own := b.given || b.regionOf(f.path).place == Own
	if n := b.node(f.path); own && !b.given && n != nil && n.step != nil && n.kind == host.File {
		// A file that is bound in is the host's, wherever its mount point is.
		own = n.step.Op.Kind == plan.Write || n.step.Op.Kind == plan.Copy
	}
	if own {
		s.Target = Target{Path: f.path, Exists: f.kind}
		s.Dir = f.kind == host.Dir
		b.out.Steps = append(b.out.Steps, s)
		return
	}
	b.fault(op, "chmod() is for what the sandbox makes itself: mkdir(), write(), copy(), tmpfs()",
		"%q is the host's, and mode %s would be its mode there", op.Dst, op.Mode)
}

// placeRemount makes the mount at dst read-only, or dst into such a mount.
func (b *builder) placeRemount(s *Step, dst string) {
	op := s.Op
	f, links := b.walkHeld(dst)
	switch {
	case f.errno != 0:
		b.walkFault(op, dst, f)
		return
	case !f.exists():
		b.faultOf(plan.WhatPoint, syscall.ENOENT, op, "", "%q does not exist in the sandbox", op.Dst)
		return
	}
	s.Dir = f.kind == host.Dir
	s.Target = Target{Path: f.path, Exists: f.kind}
	if b.given { // what is no mount is a fault, as for remounting
		s.Done = true
		b.out.Steps = append(b.out.Steps, s)
		return
	}
	b.hold(s, f.path, links)
	n := b.nodes[f.path]
	// Done: there is a mount already whose attributes change.
	s.Done = n != nil && (n.mount != nil || n.step != nil && n.step.Op.Kind == plan.Bind)
	b.out.Steps = append(b.out.Steps, s)
}
