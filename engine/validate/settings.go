package validate

// The settings: identity, capabilities, limits, file descriptors, environment.

import (
	"math"
	"slices"
	"strings"
	"syscall"

	"sbx/engine/host"
	"sbx/engine/plan"
)

const capSysResource = 24 // CAP_SYS_RESOURCE, capabilities(7)

func (c *checker) setting(key, hint, format string, args ...any) {
	name, _, _ := strings.Cut(key, ".")
	if c.lacks(name) { // the last call counts, and that may be one that is missing
		return
	}
	c.fault(c.plan.Where[key], name, hint, format, args...)
}

func (c *checker) settings() {
	p := c.plan
	if p.Dir != "" && !c.lacks("same_dir") {
		switch d := string(p.Dir); {
		case d[0] != '/':
			c.setting("chdir", "paths of the sandbox start with /", "directory %q is not absolute", clip(d))
		case strings.IndexByte(d, 0) >= 0:
			c.setting("chdir", "", "directory %q has a NUL byte in it", clip(d))
		case len(d) > maxPath:
			c.setting("chdir", "", "directory %q has %d bytes, at most %d are allowed", clip(d), len(d), maxPath)
		case p.Order != plan.OrderGiven && !c.lacks("order") && slices.Contains(strings.Split(d, "/"), ".."):
			c.setting("chdir", "write the path without it", "directory %q has a \"..\" in it", clip(d))
		}
	}
	if p.SameDir && p.Dir != "" {
		c.setting("same_dir", "keep one of the two", "chdir is set as well, to %q", clip(string(p.Dir)))
	}
	if p.SameDir && c.facts.Cwd == "" && !c.lacks("chdir") {
		c.setting("same_dir", "", "the working directory has no path any more")
	}
	if n := len(p.Hostname); n > 64 || strings.IndexByte(p.Hostname, 0) >= 0 {
		c.setting("hostname", "", "host name %q: want at most 64 bytes, none of them NUL", clip(p.Hostname))
	}
	if p.Hostname != "" && !p.Unshare.UTS && !c.lacks("unshare") {
		c.setting("hostname", "call unshare(uts = True)", "the host's own name would change")
	}
	if p.Umask != nil && *p.Umask > 0o777 {
		c.setting("umask", "", "mode %s is more than 0777", p.Umask)
	}
	c.identity()
	c.peers()
	limits := map[string]bool{}
	for i := range p.Rlimits {
		r := &p.Rlimits[i]
		switch {
		case limits[r.Name]:
			c.fault(r.At, "rlimit", "", "%s is limited twice", r.Name)
		case plan.RlimitNumber(r.Name) < 0:
			c.fault(r.At, "rlimit", "", "unknown limit %q", r.Name)
		case r.Soft > r.Hard:
			c.fault(r.At, "rlimit", "", "soft limit %d of %s is above the hard one, %d", r.Soft, r.Name, r.Hard)
		case c.facts.AboveLimit(r) && (!c.facts.Privileged(p) || c.facts.Caps&(1<<capSysResource) == 0):
			c.fault(r.At, "rlimit", host.LimitHint, "hard limit %s of %s is above the caller's, %d", plan.LimitText(r.Hard), r.Name, c.facts.Limits[r.Name])
		}
		limits[r.Name] = true
	}
	for _, l := range []struct {
		key string
		fds []int
	}{{"close_fd", p.CloseFDs}, {"pass_fd", p.PassFDs}} {
		for _, fd := range l.fds {
			switch {
			case fd < 0 || l.key == "pass_fd" && fd < 3:
				c.setting(l.key, "", "%d is not the number of a file descriptor above 2", fd)
			case fd >= 3 && !slices.Contains(c.facts.FDs, fd):
				c.setting(l.key, "", "file descriptor %d is not open", fd)
			}
		}
	}
	for i, a := range p.Command {
		if strings.IndexByte(string(a), 0) >= 0 {
			c.setting("command", "", "argument %d, %q, has a NUL byte in it", i, clip(string(a)))
		}
		if longest := c.maxWord(); len(a) > longest {
			c.setting("command", "write() it to a file", "argument %d has %d bytes, at most %d are allowed", i, len(a), longest)
		}
		if i == 0 && a == "" {
			c.setting("command", "", "the name of the command is empty")
			c.about(plan.WhatCommand, syscall.ENOENT, "")
		}
	}
}

func (c *checker) identity() {
	p := c.plan
	if p.Identity.Root && !c.lacks("map_user") && (p.Identity.UID != nil && *p.Identity.UID != 0 || p.Identity.GID != nil && *p.Identity.GID != 0) {
		c.setting("map_user", "keep one of the two", "become_root() is called as well")
	}
	if v := p.Identity.UID; v != nil && *v == ^uint32(0) {
		c.setting("map_user", "", "uid %d stands for no user", *v)
	}
	if v := p.Identity.GID; v != nil && *v == ^uint32(0) {
		c.setting("map_user", "", "gid %d stands for no group", *v)
	}
	if id := p.Identity; id.Delegate < 0 {
		c.setting("map_delegate", "", "%d is no number of ranges", id.Delegate)
	} else if c.lacksIdentity() {
	} else if id.Delegate > 0 || id.Foreign && !(c.facts.Privileged(p) && c.facts.Caps&1 != 0) { // CAP_CHOWN
		key := "map_foreign"
		if id.Delegate > 0 {
			key = "map_delegate"
		}
		c.setting(key, foreignHint, "the ids are for systemd-nsresourced to give, which nobody asked")
	}
	if p.Identity.Maps() {
		c.maps()
	}
	for _, name := range p.Caps.Bounding {
		if plan.CapNumber(name) < 0 {
			c.setting("capabilities", "", "unknown capability %q", name)
		}
	}
	switch p.Caps.Set {
	case "", "none", "all", "build", "caller":
		if len(p.Caps.Keep) > 0 {
			c.setting("capabilities", "", "a list goes with keep only")
		}
		for _, name := range append(append([]string{}, p.Caps.Add...), p.Caps.Drop...) {
			if plan.CapNumber(name) < 0 {
				c.setting("capabilities", "", "unknown capability %q", name)
			}
		}
	case "keep":
		for _, name := range p.Caps.Keep {
			switch n := plan.CapNumber(name); {
			case n < 0:
				c.setting("capabilities", "", "unknown capability %q", name)
			case c.facts.Privileged(p) && p.Lifetime == plan.LifetimeAll && !c.lacksIdentity() && !c.lacks("lifetime") && c.facts.Caps&(1<<n) == 0:
				c.setting("capabilities", "", "%s is none of the caller's", name)
			}
		}
	default:
		c.setting("capabilities", `want "none", "all" or keep = […]`, "unknown set %q", p.Caps.Set)
	}
}

// maxRanges is how many lines the map of a user namespace takes.
const maxRanges = 340

// maps checks the maps of ids.
func (c *checker) maps() {
	id := &c.plan.Identity
	if id.Root || id.UID != nil || id.GID != nil {
		c.setting("map_ids", "the maps say who the command is", "become_root() or map_user() is called as well")
	}
	for _, m := range []struct {
		what   string
		ranges []plan.IDRange
		own    uint32
	}{{"uid", id.UIDs, c.facts.UID}, {"gid", id.GIDs, c.facts.GID}} {
		if len(m.ranges) > maxRanges {
			c.setting("map_ids", "", "%d ranges of %ss are given, at most %d are allowed", len(m.ranges), m.what, maxRanges)
			continue
		}
		for i, r := range m.ranges {
			const end = 1<<32 - 1
			if r.Count == 0 || uint64(r.Inside)+uint64(r.Count) > end || uint64(r.Outside)+uint64(r.Count) > end {
				c.setting("map_ids", "", "the range of %d %ss from %d to %d is none", r.Count, m.what, r.Outside, r.Inside)
			}
			for _, o := range m.ranges[:i] {
				if overlap(r.Inside, r.Count, o.Inside, o.Count) || overlap(r.Outside, r.Count, o.Outside, o.Count) {
					c.setting("map_ids", "", "a %s is mapped twice: the ranges from %d and from %d overlap", m.what, o.Outside, r.Outside)
				}
			}
		}
		if _, ok := plan.Inside(m.ranges, m.own); !ok {
			c.setting("map_ids", "the command runs under the id that it is mapped to", "the caller's own %s, %d, is not mapped", m.what, m.own)
		}
	}
}

func overlap(a, n, b, m uint32) bool {
	return uint64(a) < uint64(b)+uint64(m) && uint64(b) < uint64(a)+uint64(n)
}

// peers checks what only the peers' front ends ask for.
func (c *checker) peers() {
	p := c.plan
	if p.Caps.Set != "caller" && len(p.Caps.Add)+len(p.Caps.Drop) > 0 {
		c.setting("capabilities", "", "add and drop go with the caller's only")
	}
	known := func(key, what, value string, values ...string) {
		if !slices.Contains(values, value) {
			c.fault(p.Where[key], "", "", "unknown %s %q", what, value)
		}
	}
	known("order", "order of operations", string(p.Order), string(plan.OrderTree), string(plan.OrderGiven))
	known("propagation", "propagation", string(p.Propagation), string(plan.PropagationPrivate), string(plan.PropagationSlave), string(plan.PropagationShared))
	known("lifetime", "lifetime", string(p.Lifetime), string(plan.LifetimeAll), string(plan.LifetimeCommand))
	known("pwd", "way of PWD", string(p.PWD), string(plan.PWDAgree), string(plan.PWDSet), string(plan.PWDKeep))
	if p.PointMode != nil && *p.PointMode > 0o7777 {
		c.fault(p.Where["point_mode"], "", "", "mode %s is more than 07777", p.PointMode)
	}
	for i := range p.Filters {
		if n := len(p.Filters[i].Code); n == 0 || n%8 != 0 || n > 8*maxFilter {
			c.fault(p.Filters[i].At, "", "", "a seccomp filter has %d bytes, want a multiple of 8, at most %d", n, 8*maxFilter)
		}
	}
	if p.NoUserNS && !c.lacksIdentity() && c.facts.Privileged(p) {
		c.setting("disable_userns", "", "without a user namespace of the sandbox's own the whole host would be without")
	}
	h := &p.Hooks
	if h.UserNSBlock != nil && !c.lacksIdentity() && (c.facts.Privileged(p) || p.Join.User != nil || p.NoUserNS) {
		c.setting("hooks", "", "nobody can map the ids of a user namespace that is not the sandbox's own and last")
	}
	if h.Locks != nil && p.Unshare.PID && !p.Init && !c.lacks("init") && !c.lacks("unshare") {
		c.fault(h.Locks[0].At, "", "", "without an init nobody holds the lock on %q", h.Locks[0].Path)
	}
	if len(h.Locks) > maxLockFiles {
		c.fault(h.Locks[maxLockFiles].At, "", "", "more than %d lock files", maxLockFiles)
	}
	for _, l := range h.Locks {
		if l.Path == "" || len(l.Path) > maxPath || strings.IndexByte(string(l.Path), 0) >= 0 {
			c.fault(l.At, "", "", "%q is no path of a lock file", clip(string(l.Path)))
		}
	}
	for _, of := range []struct {
		key string
		fds []*int
	}{{"hooks", []*int{h.Info, h.Status, h.Block, h.UserNSBlock, h.Sync}}, {"join", []*int{p.Join.User, p.Join.User2, p.Join.PID}}} {
		for _, fd := range of.fds {
			if fd != nil && *fd < 0 {
				c.setting(of.key, "", "%d is not the number of a file descriptor", *fd)
			}
		}
	}
	if p.Argv0 != nil && strings.IndexByte(string(*p.Argv0), 0) >= 0 {
		c.setting("command", "", "argv0 %q has a NUL byte in it", clip(string(*p.Argv0)))
	}
	if strings.IndexByte(string(p.DefaultPath), 0) >= 0 {
		c.setting("default_path", "", "%q has a NUL byte in it", clip(string(p.DefaultPath)))
	}
}

const (
	maxFilter    = 4096 // instructions, BPF_MAXINSNS
	maxLockFiles = 100
)

func (c *checker) environment() {
	longest := c.maxWord()
	for i := range c.plan.Env {
		e := &c.plan.Env[i]
		switch e.Kind {
		case plan.SetEnv, plan.UnsetEnv, plan.PassEnv:
			if n := string(e.Name); n == "" || strings.ContainsAny(n, "=\x00") {
				c.fault(e.At, string(e.Kind), "", "%q is no name of a variable", clip(n))
			}
			if strings.IndexByte(string(e.Value), 0) >= 0 {
				c.fault(e.At, string(e.Kind), "", "the value of %q has a NUL byte in it", clip(string(e.Name)))
			}
			if n := len(e.Name) + 1 + len(e.Value); e.Kind == plan.SetEnv && n > longest && !c.replaced(i) && !c.lacks("setenv", "unsetenv", "clearenv", "unset_secrets", "pass_env") {
				c.fault(e.At, string(e.Kind), "write() it to a file", "the variable %q has %d bytes, with its name, at most %d are allowed", clip(string(e.Name)), n, longest)
			}
		case plan.ClearEnv:
		default:
			c.fault(e.At, string(e.Kind), "", "unknown change of the environment %q", e.Kind)
		}
	}
}

// replaced reports whether what the change i of the environment sets is gone
// after later ones.
func (c *checker) replaced(i int) bool {
	name := c.plan.Env[i].Name
	return slices.ContainsFunc(c.plan.Env[i+1:], func(e plan.EnvOp) bool {
		return e.Name == name || e.Kind == plan.ClearEnv && !slices.Contains(e.Keep, name)
	})
}

// maxWord is the longest argument or variable that execve(2) takes, MAX_ARG_STRLEN
// without its NUL. The peers leave it to that.
func (c *checker) maxWord() int {
	if c.plan.Order == plan.OrderGiven || c.lacks("order") {
		return math.MaxInt
	}
	return 32*max(c.facts.PageSize, 4096) - 1
}
