package layout

// Holding: what takes something away from the command stays effective.
//
// A mount goes where its mount point goes. In a tree of the host's that can be
// written, a command could rename a directory above a mask and make another one in
// its place, or point a symlink elsewhere; the next sandbox then masks what the
// path has come to mean, and not what was hidden. A mount point itself cannot be
// renamed or removed, so each directory and symlink on the way is made one.

import (
	"slices"

	"sbx/engine/plan"
)

// walkHeld is walk, and returns the symlinks that were followed.
func (b *builder) walkHeld(path string) (f found, links []string) {
	if !b.given {
		b.follows = &links
		defer func() { b.follows = nil }()
	}
	return b.walk(path, true), links
}

// hold has the way to a path, over symlinks, stay what it is.
func (b *builder) hold(s *Step, path string, links []string) {
	if b.given {
		return
	}
	for _, link := range links {
		b.holdAbove(s, link)
		b.holdOne(s, link)
	}
	b.holdAbove(s, path)
}

// holdAbove holds the directories above a path.
func (b *builder) holdAbove(s *Step, path string) {
	at := len(s.Hold)
	for dir, _ := split(path); dir != "/" && !b.held[dir]; dir, _ = split(dir) {
		b.holdOne(s, dir)
	}
	slices.Reverse(s.Hold[at:])
}

// holdOne holds one directory or symlink, if it could be renamed at all.
func (b *builder) holdOne(s *Step, path string) {
	dir, _ := split(path)
	if b.held[path] || b.nodes[path] != nil || b.regionOf(dir).place != Writable {
		return
	}
	if b.held == nil {
		b.held = map[string]bool{}
	}
	b.held[path] = true
	s.Hold = append(s.Hold, path)
}

// protects reports whether a bind shows a file in its own place, to protect it.
func protects(op *plan.Op) bool {
	return op.Kind == plan.Bind && op.RO && op.Src == op.Dst && !op.Inside
}
