package validate

// Parts of plans: what the sound calls of a faulty script come to.

import (
	"slices"
	"strings"

	"sbx/engine/host"
	"sbx/engine/plan"
)

// part says what a plan lacks: calls of these built-ins, or of any where there
// are no names.
type part struct{ names []string }

// CheckPart is Check for a plan that lacks calls: of the built-ins named, or of
// any where lacks is nil. It reports only what those cannot set right, which is
// true of a call by itself: what it is given, and whether that is there on the host.
func CheckPart(p *plan.Plan, f *host.Facts, lacks []string) plan.Diagnostics {
	c := &checker{plan: p, facts: f, part: &part{lacks}}
	l := c.operations()
	whole := !c.lacks(shaping[:]...)
	for _, d := range l.Diags {
		// Of a copy all that is said of sources is of the host.
		if whole || d.What == plan.WhatSource || d.Op == string(plan.Copy) && strings.HasPrefix(d.Msg, "source ") {
			c.diags = append(c.diags, d)
		}
	}
	c.settings()
	c.environment()
	c.diags.Sort()
	return c.diags
}

// shaping are the built-ins that have a part in what the sandbox's tree is.
var shaping = [...]string{"order", "defaults", "bind", "bind_fd", "tmpfs", "mkdir", "mqueue", "dev", "proc", "symlink",
	"write", "copy", "overlay", "mask", "remount_ro", "chmod"}

// lacks reports whether calls of one of the built-ins may be missing.
func (c *checker) lacks(names ...string) bool {
	return c.part != nil && (c.part.names == nil ||
		slices.ContainsFunc(names, func(n string) bool { return slices.Contains(c.part.names, n) }))
}

// lacksIdentity reports whether the command may be somebody else, or its
// namespaces made by somebody else, than it seems: host.Facts.Privileged.
func (c *checker) lacksIdentity() bool {
	return c.lacks("become_root", "map_user", "map_ids", "map_foreign", "map_delegate", "capabilities", "unshare", "join_namespaces")
}
