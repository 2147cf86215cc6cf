//go:build linux

package main

// What the options come to on this host.

import (
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"sbx/engine/host"
	"sbx/engine/plan"
)

// settle turns "if possible" and its like into what is.
func settle(p *plan.Plan, f *host.Facts, c circumstances) {
	net := p.Unshare.Net
	p.Unshare.Net = false
	privileged := f.Privileged(p)
	// In a user namespace of its own the sandbox has all capabilities; else the
	// caller's are what there is, and --unshare-net is without effect in silence.
	p.Unshare.Net = net && (!privileged || f.Caps&(1<<unix.CAP_NET_ADMIN) != 0)

	// Who can give files away does.
	p.SuppressChown = p.SuppressChown && (!privileged || c.stuck)
	p.NoNewPrivs = p.SuppressChown || p.SuppressSync

	// What cannot be looked at is as good as missing.
	p.Ops = slices.DeleteFunc(p.Ops, func(op plan.Op) bool {
		return op.Kind == plan.Bind && op.Optional && !op.Inside && f.Stat(string(op.Src)).Type == host.Unknown
	})
	for i := range p.Ops {
		if op := &p.Ops[i]; op.Kind == plan.Write {
			op.Mode = plan.ModePtr(plan.Mode(0o666 &^ c.umask))
		}
	}
}

// singleUser reports whether a uid_map, user_namespaces(7), maps one uid only.
func singleUser(uidMap string) bool {
	f := strings.Fields(uidMap)
	return len(f) == 3 && f[2] == "1"
}
