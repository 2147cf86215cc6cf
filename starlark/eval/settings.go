package eval

// The built-ins that set the environment, the identity and the limits.

import (
	"slices"
	"strconv"
	"strings"

	"go.starlark.net/starlark"

	"sbx/engine/plan"
)

// set records the position of a setting, by default under the built-in's name.
func (c *call) set() (starlark.Value, error) {
	c.ev.plan.SetWhere(c.b.Name, c.ev.origin(c.thread))
	return starlark.None, nil
}

// env appends a change of the environment.
func (c *call) env(op plan.EnvOp) error {
	if len(c.ev.plan.Env) >= plan.MaxOps {
		return &callFault{Op: c.b.Name, Msg: "the plan has " + strconv.Itoa(plan.MaxOps) + " changes of the environment already, the most there may be", hard: true}
	}
	op.At = c.ev.origin(c.thread)
	c.ev.plan.Env = append(c.ev.plan.Env, op)
	return nil
}

func fnSetenv(c *call) (starlark.Value, error) {
	return starlark.None, c.env(plan.EnvOp{Kind: plan.SetEnv, Name: c.str(0), Value: c.str(1)})
}

func fnUnsetenv(c *call) (starlark.Value, error) {
	for _, v := range c.rest {
		if err := c.env(plan.EnvOp{Kind: plan.UnsetEnv, Name: toStr(v)}); err != nil {
			return nil, err
		}
	}
	return starlark.None, nil
}

func fnPassEnv(c *call) (starlark.Value, error) {
	for _, v := range c.rest {
		if err := c.env(plan.EnvOp{Kind: plan.PassEnv, Name: toStr(v)}); err != nil {
			return nil, err
		}
	}
	return starlark.None, nil
}

func fnClearenv(c *call) (starlark.Value, error) {
	keep, err := c.strs(0)
	if err != nil {
		return nil, err
	}
	return starlark.None, c.env(plan.EnvOp{Kind: plan.ClearEnv, Keep: keep})
}

func fnChdir(c *call) (starlark.Value, error) {
	c.ev.plan.Dir, c.ev.plan.SameDir = c.str(0), false
	return c.set()
}

func fnSameDir(c *call) (starlark.Value, error) {
	c.ev.plan.Dir, c.ev.plan.SameDir = "", true
	return c.set()
}

func fnCommand(c *call) (starlark.Value, error) {
	argv, err := c.strs(0)
	if err != nil {
		return nil, err
	}
	if len(argv) == 0 {
		return nil, wrong(`argument "argv" is empty`, `name the program first: command(["make", "-j2"])`)
	}
	c.ev.plan.Command = argv
	return c.set()
}

func fnHostname(c *call) (starlark.Value, error) {
	c.ev.plan.Hostname, c.ev.plan.Unshare.UTS = string(c.str(0)), true
	return c.set()
}

func fnUmask(c *call) (starlark.Value, error) {
	n, ok := c.v[0].(starlark.Int).Int64()
	if !ok || n < 0 || n > 0o777 {
		return nil, wrong(`argument "mode" is `+show(c.v[0])+", want 0 to 0o777", "modes are octal: 0o022, not 22")
	}
	c.ev.plan.Umask = plan.ModePtr(plan.Mode(n))
	return c.set()
}

func fnBecomeRoot(c *call) (starlark.Value, error) {
	c.ev.plan.Identity.Root = true
	return c.set()
}

func fnMapUser(c *call) (starlark.Value, error) {
	const maxID = 1<<32 - 2 // the highest id means "none"
	uid, err := c.int(0, 0, maxID)
	if err != nil {
		return nil, err
	}
	gid := uid
	if c.given(1) {
		if gid, err = c.int(1, 0, maxID); err != nil {
			return nil, err
		}
	}
	u, g := uint32(uid), uint32(gid)
	c.ev.plan.Identity.UID, c.ev.plan.Identity.GID = &u, &g
	return c.set()
}

func fnCapabilities(c *call) (starlark.Value, error) {
	caps := &c.ev.plan.Caps
	switch {
	case c.given(0) == c.given(1):
		return nil, wrong(`want either "none", "all" or keep`, `write capabilities("none") or capabilities(keep = ["CAP_NET_RAW"])`)
	case c.given(0):
		set := string(c.str(0))
		if set != "none" && set != "all" {
			hint := `name single ones by keep = ["CAP_NET_RAW"]`
			return nil, wrong("argument \"set\" is "+quote(set)+`, want "none" or "all"`, hint)
		}
		caps.Set, caps.Keep = set, nil
		return c.set()
	}
	names, err := c.strs(1)
	if err != nil {
		return nil, err
	}
	keep := make([]string, 0, len(names))
	for _, n := range names {
		name, err := capability(string(n))
		if err != nil {
			return nil, err
		}
		keep = append(keep, name)
	}
	slices.Sort(keep)
	caps.Set, caps.Keep = "keep", slices.Compact(keep)
	if len(keep) == 0 {
		caps.Set, caps.Keep = "none", nil
	}
	return c.set()
}

// capability returns the name as in capabilities(7).
func capability(s string) (string, error) {
	name := "CAP_" + strings.TrimPrefix(strings.ToUpper(s), "CAP_")
	if slices.Contains(capNames[:], name) {
		return name, nil
	}
	hint := "capabilities(7) lists them"
	if near := nearest(name, capNames[:]); near != "" {
		hint = "did you mean " + quote(near) + "?"
	}
	return "", wrong("there is no capability "+quote(s), hint)
}

var capNames = [...]string{
	"CAP_AUDIT_CONTROL", "CAP_AUDIT_READ", "CAP_AUDIT_WRITE", "CAP_BLOCK_SUSPEND", "CAP_BPF", "CAP_CHECKPOINT_RESTORE",
	"CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_DAC_READ_SEARCH", "CAP_FOWNER", "CAP_FSETID", "CAP_IPC_LOCK", "CAP_IPC_OWNER",
	"CAP_KILL", "CAP_LEASE", "CAP_LINUX_IMMUTABLE", "CAP_MAC_ADMIN", "CAP_MAC_OVERRIDE", "CAP_MKNOD", "CAP_NET_ADMIN",
	"CAP_NET_BIND_SERVICE", "CAP_NET_BROADCAST", "CAP_NET_RAW", "CAP_PERFMON", "CAP_SETFCAP", "CAP_SETGID", "CAP_SETPCAP",
	"CAP_SETUID", "CAP_SYSLOG", "CAP_SYS_ADMIN", "CAP_SYS_BOOT", "CAP_SYS_CHROOT", "CAP_SYS_MODULE", "CAP_SYS_NICE",
	"CAP_SYS_PACCT", "CAP_SYS_PTRACE", "CAP_SYS_RAWIO", "CAP_SYS_RESOURCE", "CAP_SYS_TIME", "CAP_SYS_TTY_CONFIG", "CAP_WAKE_ALARM",
}

func fnNoNewPrivs(c *call) (starlark.Value, error) {
	c.ev.plan.NoNewPrivs = c.bool(0, true)
	return c.set()
}

func fnUnshare(c *call) (starlark.Value, error) {
	ns := &c.ev.plan.Unshare
	at := c.ev.origin(c.thread)
	any := false
	for i, p := range [...]*bool{&ns.Net, &ns.IPC, &ns.PID, &ns.UTS, &ns.Cgroup, &ns.Time} {
		if c.v[i] != nil {
			any = true
			*p = c.bool(i, false)
			c.ev.plan.SetWhere("unshare."+c.b.spec.args[i].name, at)
		}
	}
	if !any {
		return nil, wrong("no namespace is named", "write unshare(net = True, pid = True)")
	}
	return starlark.None, nil
}

func fnInit(c *call) (starlark.Value, error) {
	c.ev.plan.Init = c.bool(0, true)
	return c.set()
}

func fnDieWithParent(c *call) (starlark.Value, error) {
	c.ev.plan.DieWithParent = c.bool(0, true)
	return c.set()
}

func fnNewSession(c *call) (starlark.Value, error) {
	c.ev.plan.NewSession = true
	return c.set()
}

func fnSuppressChown(c *call) (starlark.Value, error) {
	c.ev.plan.SuppressChown = true
	return c.set()
}

func fnSuppressSync(c *call) (starlark.Value, error) {
	c.ev.plan.SuppressSync = true
	return c.set()
}

var rlimitNames = [...]string{
	"RLIMIT_AS", "RLIMIT_CORE", "RLIMIT_CPU", "RLIMIT_DATA", "RLIMIT_FSIZE", "RLIMIT_LOCKS", "RLIMIT_MEMLOCK", "RLIMIT_MSGQUEUE",
	"RLIMIT_NICE", "RLIMIT_NOFILE", "RLIMIT_NPROC", "RLIMIT_RSS", "RLIMIT_RTPRIO", "RLIMIT_RTTIME", "RLIMIT_SIGPENDING", "RLIMIT_STACK",
}

func fnRlimit(c *call) (starlark.Value, error) {
	given := string(c.str(0))
	name := "RLIMIT_" + strings.TrimPrefix(strings.ToUpper(given), "RLIMIT_")
	if !slices.Contains(rlimitNames[:], name) {
		hint := "setrlimit(2) lists them"
		if near := nearest(name, rlimitNames[:]); near != "" {
			hint = "did you mean " + quote(near) + "?"
		}
		return nil, wrong("there is no limit "+quote(given), hint)
	}
	soft, err := c.limit(1)
	if err != nil {
		return nil, err
	}
	hard := soft
	if c.given(2) {
		if hard, err = c.limit(2); err != nil {
			return nil, err
		}
	}
	if soft > hard {
		return nil, wrong("the soft limit is above the hard one", "")
	}
	l := plan.Rlimit{Name: name, Soft: soft, Hard: hard, At: c.ev.origin(c.thread)}
	p := c.ev.plan
	if i := slices.IndexFunc(p.Rlimits, func(r plan.Rlimit) bool { return r.Name == name }); i >= 0 {
		p.Rlimits[i] = l
	} else {
		p.Rlimits = append(p.Rlimits, l)
	}
	return c.set()
}

func (c *call) limit(i int) (uint64, error) {
	switch v := c.v[i].(type) {
	case starlark.Int:
		if n, ok := v.Uint64(); ok {
			return n, nil
		}
	case starlark.String:
		if v == "unlimited" {
			return plan.RlimInfinity, nil
		}
	}
	return 0, wrong("argument "+quote(c.b.spec.args[i].name)+" is "+show(c.v[i])+`, want an int from 0 or "unlimited"`, "")
}

// fd appends argument 0 to a list of file descriptors.
func (c *call) fd(list *[]int) (starlark.Value, error) {
	n, err := c.int(0, 0, 1<<20)
	if err != nil {
		return nil, err
	}
	if !slices.Contains(*list, int(n)) {
		*list = append(*list, int(n))
	}
	return c.set()
}

func fnCloseFD(c *call) (starlark.Value, error) { return c.fd(&c.ev.plan.CloseFDs) }
func fnPassFD(c *call) (starlark.Value, error)  { return c.fd(&c.ev.plan.PassFDs) }

func fnPackFDs(c *call) (starlark.Value, error) {
	c.ev.plan.PackFDs = true
	return c.set()
}
