package compiletest

// Plans made at random, out of few names, so that they get in each other's way.

import (
	"math/rand/v2"

	"sbx/engine/host"
	"sbx/engine/host/hosttest"
	"sbx/engine/plan"
)

// Host returns the facts of the host that random plans are for.
func Host() *host.Facts {
	f := hosttest.Facts("/usr/bin/sh file 0755", "/usr/lib/x file", "/usr/link -> lib", "/usr/abs -> /b", "/usr/up -> ../a",
		"/usr/mnt dir mount", "/usr/mnt/sub dir", "/a/b file", "/a/c dir 0750", "/b/a dir", "/etc/x file", "/low/1/a dir 02755", "/low/2/a dir", "/low/2/b file",
		`/low/b\s:,x dir`, "/up/a dir", "/up/b dir", "/run/sock other", "/dev/null device", "/home/me dir")
	f.Cwd, f.FDs, f.Terminal = "/home/me", []int{3, 5, 9}, true
	f.MountPts = []string{"/", "/usr/mnt"}
	return f
}

var (
	names   = []string{"a", "b", "c", "d", "a", "b", "link", "abs", "up", "lib", "bin", "sh", "x", "usr", "mnt"}
	kinds   = []plan.Kind{plan.Bind, plan.Bind, plan.Bind, plan.Tmpfs, plan.Mkdir, plan.Mqueue, plan.Dev, plan.Proc, plan.Symlink, plan.Write, plan.Copy, plan.Overlay, plan.Mask, plan.RemountRO, plan.Chmod}
	sources = []plan.Str{"/usr", "/usr/", "/a", "/b", "/etc/x", "/usr/link", "/usr/mnt", "/run/sock", "/", "/low/2"}
	targets = []plan.Str{"a", "/b", "../c", "usr/lib", "a/b/c", "/usr"}
	layers  = []plan.Str{"/low/1", "/low/2", `/low/b\s:,x`, "/a", "/b", "/usr"}
)

func pick[T any](r *rand.Rand, list []T) T { return list[r.IntN(len(list))] }

func dst(r *rand.Rand) plan.Str {
	if r.IntN(60) == 0 {
		return "/"
	}
	s := plan.Str("")
	for range 1 + r.IntN(3) {
		s += plan.Str("/" + pick(r, names))
	}
	return s
}

// Op returns an operation, more likely sound than not.
func Op(r *rand.Rand) plan.Op {
	one := func(n int) bool { return r.IntN(n) == 0 }
	o := plan.Op{Kind: pick(r, kinds), Dst: dst(r)}
	switch o.Kind {
	case plan.Bind:
		o.Src, o.RO, o.NoFollow, o.Create = pick(r, sources), !one(3), one(4), one(4)
		if one(4) {
			o.Src, o.Inside = dst(r), true
		}
	case plan.Copy:
		o.Src = "/etc/x"
	case plan.Symlink:
		o.Target = pick(r, targets)
	case plan.Write:
		o.Data = pick(r, []plan.Str{"", "data"})
	case plan.Mask:
		o.Optional = one(2)
	case plan.Overlay:
		for _, i := range r.Perm(len(layers))[:1+r.IntN(3)] {
			o.Lower = append(o.Lower, layers[i])
		}
		if o.UpperTmpfs = one(2); !o.UpperTmpfs && one(2) {
			o.Upper = pick(r, []plan.Str{"/up/a", "/up/b"})
		}
	}
	if o.Kind == plan.Chmod || one(4) {
		o.Mode = plan.ModePtr(pick(r, []plan.Mode{0, 0o700, 0o4755, 0o1777}))
	}
	return o
}

// GivenOp returns an operation for a plan of the order given. If host is set, it
// may write to the host.
func GivenOp(r *rand.Rand, host bool) plan.Op {
	one := func(n int) bool { return r.IntN(n) == 0 }
	for {
		o := Op(r)
		o.Create, o.Follow, o.Suid, o.Bare = host && !one(3), one(2), one(4), one(2)
		switch o.Kind {
		case plan.Symlink, plan.Write, plan.Copy:
			o.Content = pick(r, []plan.Content{plan.ContentAuto, plan.ContentMount, plan.ContentThrough})
			if !host && o.Content == plan.ContentThrough {
				continue
			}
		case plan.Chmod, plan.RemountRO: // after this one nothing can be made
			if !host {
				continue
			}
		}
		if one(8) {
			o.Dst = "/"
		}
		if one(4) {
			o.ParentMode = plan.ModePtr(0o750)
		}
		return o
	}
}

// GivenSettings makes a plan one as the front ends for the peers make them.
func GivenSettings(r *rand.Rand, p *plan.Plan) {
	p.Order, p.Propagation, p.PointMode = plan.OrderGiven, plan.PropagationSlave, plan.ModePtr(0o444)
}

// Settings gives a plan settings.
func Settings(r *rand.Rand, p *plan.Plan, f *host.Facts) {
	one := func(n int) bool { return r.IntN(n) == 0 }
	p.Unshare = plan.Namespaces{Net: one(3), IPC: one(2), PID: one(2), UTS: one(3), Cgroup: one(3), Time: one(3)}
	p.Init, p.DieWithParent, p.NewSession, p.NoNewPrivs = !one(3), !one(3), one(3), !one(3)
	p.SuppressChown, p.SuppressSync, p.ScopeSockets = one(3), one(3), one(3)
	if p.Unshare.UTS {
		p.Hostname = "box"
	}
	p.Identity.Root = one(3)
	p.Caps.Set = pick(r, []string{"", "none", "all", "keep"})
	if p.Caps.Set == "keep" {
		p.Caps.Keep = []string{"CAP_CHOWN", "CAP_SYS_ADMIN"}
	}
	if one(3) {
		p.Umask = plan.ModePtr(0o27)
	}
	if one(2) {
		p.CloseFDs, p.PassFDs, p.PackFDs = []int{1, 3, 3}, []int{5, 3}, one(2)
	}
	if one(2) {
		p.Rlimits = []plan.Rlimit{{Name: "RLIMIT_CORE"}, {Name: "RLIMIT_NOFILE", Soft: 10, Hard: plan.RlimInfinity}}
	}
	if one(2) {
		p.Command = []plan.Str{pick(r, []plan.Str{"sh", "/usr/bin/sh", "./x"}), "-c", "x"}
	}
	if one(3) {
		f.UID, f.GID, f.Caps = 0, 0, plan.AllCaps
	}
	if one(3) {
		f.TTY = "/dev/pts/3"
	}
}
