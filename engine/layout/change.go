package layout

// Changes to what is there already: masks, modes, read-only mounts.

import (
	"slices"
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
		if len(links) > 0 {
			b.missed = append(b.missed, s)
		}
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
	n := &node{kind: host.File, step: s, under: b.node(f.path)}
	if s.Dir {
		n.kind, n.mount = host.Dir, &region{path: f.path, place: ReadOnly, step: s, masked: true}
		b.forget(s, n)
	}
	b.set(f.path, n)
	b.done(s)
}

// found returns the masks that found nothing, and would now that all is placed: by the
// last step that what they hide is of, or the way to it, which they are to follow.
// In the last round that is a fault.
func (b *builder) found(steps []*Step, last bool) map[*Step][]*Step {
	if len(b.missed) == 0 {
		return nil
	}
	after := map[*Step][]*Step{}
	for _, m := range b.missed {
		f, links := b.walkHeld(clean(string(m.Op.Dst)))
		if !f.exists() {
			continue
		}
		var of *Step
		for _, s := range steps[slices.Index(steps, m)+1:] {
			on := func(path string) bool { return s.Target.Path != "" && plan.Within(path, s.Target.Path) }
			if s.Op.Kind != plan.Chmod && s.Op.Kind != plan.RemountRO && (on(f.path) || slices.ContainsFunc(links, on)) {
				of = s
			}
		}
		if of == nil {
			continue // it is made for what lies below it
		}
		if last {
			b.fault(m.Op, "name it without symlinks on the way", "%q comes to be there only after it is looked for", m.Op.Dst)
			continue
		}
		after[of] = append(after[of], m)
	}
	return after
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
	n := b.node(f.path)
	for !b.given && n != nil && n.step != nil && n.step.Op.Kind == plan.Mask {
		s.Done = true // what is below it stays unreadable, whatever its mode
		own = n.step.Target.Place == Own
		n = n.under
	}
	if own && !b.given && n != nil && n.step != nil && n.kind == host.File {
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

// setsMode reports whether a mkdir gives the directory its mode where that is
// there already. What is optional leaves it.
func setsMode(op *plan.Op) bool {
	return op.Kind == plan.Mkdir && op.Mode != nil && !op.Optional
}

// placeMode has a mkdir, whose directory is there already, change its mode, as
// chmod does; but another's would change on the host, and stays.
func (b *builder) placeMode(s *Step, path string) {
	op := s.Op
	s.Done = true
	if b.given || !setsMode(op) {
		return
	}
	is, made := b.dirMode(path)
	switch {
	case is != nil && *is == *op.Mode:
	case b.regionOf(path).place == Own:
		s.Op = &plan.Op{Kind: plan.Chmod, Dst: op.Dst, Mode: op.Mode, At: op.At}
		s.Done = false
	default:
		hint := "optional = True takes what is there as it is"
		if made {
			b.fault(op, hint, "%q is made with another mode than %s already, in what is the host's", op.Dst, op.Mode)
		} else {
			b.fault(op, hint, "%q is the host's and stays as it is: mode %s would be its mode there", op.Dst, op.Mode)
		}
		b.out.Diags[len(b.out.Diags)-1].Severity = plan.Warning
	}
}

// dirMode returns the mode of the directory at a canonical path, nil where it is
// not known, and whether it is the plan that makes it.
func (b *builder) dirMode(path string) (mode *plan.Mode, made bool) {
	n := b.node(path)
	var p host.Path
	switch {
	case n == nil:
		p, _ = b.entry(path)
	case n.mount != nil && len(n.mount.layers) > 0:
		p = b.facts.Stat(n.mount.layers[0])
	case n.step != nil && (n.step.Op.Kind == plan.Tmpfs || n.step.Op.Kind == plan.Mkdir):
		changed := func(s *Step) bool { return s.Op.Kind == plan.Chmod && s.Target.Path == path }
		if m := n.step.Op.Mode; m != nil && !slices.ContainsFunc(b.out.Steps, changed) {
			return m, true
		}
		return nil, true
	default:
		return nil, true
	}
	if p.Type != host.Dir {
		return nil, false
	}
	return plan.ModePtr(plan.Mode(p.Mode & 0o7777)), false
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
