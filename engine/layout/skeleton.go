package layout

// What is missing in a read-only tree: a layer over it, made before.

import (
	"fmt"
	"slices"

	"sbx/engine/host"
	"sbx/engine/plan"
)

// skeleton has what is missing on the way to s made by a read-only layer over
// the read-only tree.
func (b *builder) skeleton(s *Step, r *region, f found) bool {
	op, t := s.Op, &s.Target
	if len(r.layers) == 0 || r.step != nil && r.step.Op.Kind == plan.Proc {
		hint := ""
		if r.alias != "" {
			hint = fmt.Sprintf("make %q first, which is the same", rebase(t.Path, r.path, r.alias))
		}
		b.fault(op, hint, "destination %q does not exist, and nothing can be made in %q", op.Dst, r.path)
		return false
	}
	kind := host.File
	var whole *Step
	switch {
	case op.Kind == plan.Symlink:
		kind, whole = host.Symlink, s
	case op.Kind == plan.Mkdir:
		kind, whole = host.Dir, s
	case op.Kind == plan.Write || op.Kind == plan.Copy:
		whole = s
	case s.Dir:
		kind = host.Dir
	}
	t.Ready = whole != nil
	add := func(list *[]*Entry, root string) {
		for _, m := range t.Make {
			*list = append(*list, &Entry{Rel: below(m, root), Kind: host.Dir})
		}
		*list = append(*list, &Entry{Rel: below(t.Path, root), Kind: kind, Step: whole})
	}
	if r.step.Op.Kind == plan.Overlay {
		if r.step.ExtraBy == nil {
			r.step.ExtraBy = op
		}
		b.keepDirs(r, f.path)
		add(&r.step.Extra, r.path)
		b.setDirs(t.Make, nil)
		t.Make = nil
		return true
	}
	// In a directory that a skeleton made already, or in one of the host's.
	var sk *Skeleton
	if n := b.nodes[f.path]; n != nil && n.skel != nil {
		sk = n.skel
	} else if sk = r.skels[f.path]; sk == nil {
		sk = &Skeleton{Path: f.path, Base: r.layers[0], Source: join(r.layers[0], below(f.path, r.path))}
		if f.path == r.path {
			sk.Source = r.layers[0]
		}
		sk.Mode = b.facts.Stat(sk.Source).Mode
		if !b.needsMirror(op, sk) {
			return false
		}
		if r.skels == nil {
			r.skels = map[string]*Skeleton{}
		}
		r.skels[f.path] = sk
		list := &r.step.Skeletons
		at, _ := slices.BinarySearchFunc(*list, sk.Path, func(x *Skeleton, path string) int { return plan.ComparePaths(x.Path, path) })
		*list = slices.Insert(*list, at, sk)
	}
	add(&sk.Entries, sk.Path)
	s.skel = sk
	b.setDirs(t.Make, sk)
	t.Make = nil
	return true
}

// keepDirs gives an overlay's additional layer the directories on the way to
// dir, as they are: of a merged directory the topmost counts.
func (b *builder) keepDirs(r *region, dir string) {
	for i := len(r.path) + 1; dir != r.path && i <= len(dir); i++ {
		if i < len(dir) && dir[i] != '/' {
			continue
		}
		if b.nodes[dir[:i]] != nil { // a part of the layer itself
			continue
		}
		if p, _ := b.lookup(r, dir[:i]); p.Type == host.Dir {
			r.step.Extra = append(r.step.Extra, &Entry{Rel: below(dir[:i], r.path), Kind: host.Dir, Mode: p.Mode})
		}
	}
}

// setDirs enters new directories into the tree, those of a skeleton where sk is
// not nil.
func (b *builder) setDirs(dirs []string, sk *Skeleton) {
	for _, d := range dirs {
		b.set(d, &node{kind: host.Dir, skel: sk})
	}
}

// needsMirror decides how a skeleton is made. The kernel does not let an
// ordinary user take a layer from a directory with other file systems mounted
// below it, and would not show them.
func (b *builder) needsMirror(op *plan.Op, sk *Skeleton) bool {
	mounts, err := b.facts.Mounts()
	if err != nil {
		b.fault(op, "", "reading the mounts of the host: %v", err)
		return false
	}
	src := sk.Source
	for _, m := range mounts {
		if m != src && plan.Within(m, src) {
			sk.mirror = true
		}
	}
	if !sk.mirror {
		return true
	}
	list, err := b.facts.ReadDir(src)
	if err != nil {
		b.fault(op, "", "reading directory %q: %v", src, err)
		return false
	}
	sk.Mirror = list
	return true
}
