package compile

// Join: a new process in a sandbox that runs already.

import (
	"strings"

	"sbx/engine/host"
	"sbx/engine/plan"
	"sbx/engine/program"
)

// Namespace is a namespace to join.
type Namespace struct {
	FD   int    // that stands for it
	Type uint64 // its CLONE_NEW flag
}

// Rest is what is left of a plan for those who join its sandbox later: how the
// command was confined, with its environment and working directory. umask is that
// of the process that makes the sandbox.
func Rest(p *plan.Plan, f *host.Facts, umask uint32) *plan.Plan {
	q := plan.New()
	c := &compiler{plan: p, facts: f}
	dir, _ := c.workDir()
	q.Dir = plan.Str(dir)
	q.Env = append(q.Env, plan.EnvOp{Kind: plan.ClearEnv})
	for _, kv := range c.environment() {
		if name, value, ok := strings.Cut(kv, "="); ok && name != "" {
			q.Env = append(q.Env, plan.EnvOp{Kind: plan.SetEnv, Name: plan.Str(name), Value: plan.Str(value)})
		}
	}
	q.Umask = p.Umask
	if q.Umask == nil {
		q.Umask = plan.ModePtr(plan.Mode(umask))
	}
	q.Identity, q.Caps, q.NoNewPrivs, q.Unshare = p.Identity, p.Caps, p.NoNewPrivs, p.Unshare
	q.NewSession, q.SuppressChown, q.SuppressSync, q.ScopeSockets = p.NewSession, p.SuppressChown, p.SuppressSync, p.ScopeSockets
	q.Rlimits, q.Filters, q.TerminalInput = p.Rlimits, p.Filters, p.TerminalInput
	q.DefaultPath, q.ShellScripts = p.DefaultPath, p.ShellScripts
	if p.NoUserNS {
		// The command is in a namespace below that which is joined, and all of those
		// that there may be. What capabilities it has are worth nothing outside of it.
		q.Caps = plan.Caps{Set: "none"}
	}
	return q
}

// Join compiles the program that joins the namespaces of a sandbox and becomes
// the command there. p is what Rest has returned, with a command.
func Join(p *plan.Plan, f *host.Facts, namespaces []Namespace, opts Options) (*program.Program, error) {
	c := newCompiler(p, f, opts, 0)
	c.prog.Init, c.prog.Join, c.prog.DieWithParent = true, true, true
	c.key("", "namespaces", "")
	// What has capabilities in the sandbox must not look into a copy of sbx.
	c.add(program.Prctl, program.Imm(prSetDumpable), program.Imm(0))
	user := false
	for _, ns := range namespaces {
		user = user || ns.Type == newUser
	}
	c.joined = &user
	// The user namespace comes first, as it gives the right to the others; what
	// the mount namespace hides comes last.
	for _, kind := range []uint64{newUser, newTime, newNet, newIPC, newUTS, newCgroup, newPID, newNS} {
		for _, ns := range namespaces {
			if ns.Type == kind {
				c.add(program.Setns, program.Imm(ns.FD), program.Imm(kind))
			}
		}
	}
	c.pty.host = -1
	if opts.Pty != nil {
		c.root = c.slot()
		c.add(program.Openat, program.Imm(atFDCWD), c.str("/"), program.Imm(oPath|oDirectory(f.Arch)|oCloexec)).Out = int16(c.root)
		c.openPty(false)
	}
	dir, key := c.workDir()
	c.key(key, "chdir", dir)
	// Whatever has become of it meanwhile, one can enter.
	c.add(program.Chdir, c.str(dir)).Flags = program.FlagAnyErr
	if err := c.command(); err != nil {
		return nil, err
	}
	c.prog.Slots = c.nslots
	return c.prog, nil
}
