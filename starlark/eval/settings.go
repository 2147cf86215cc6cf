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
	delete(c.ev.plan.Where, "same_dir")
	return c.set()
}

func fnSameDir(c *call) (starlark.Value, error) {
	optional := c.bool(0, false)
	c.ev.plan.Dir, c.ev.plan.SameDir, c.ev.plan.TryDir = "", !optional, optional
	delete(c.ev.plan.Where, "chdir")
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
	c.ev.plan.Command, c.ev.plan.Argv0 = argv, nil
	if c.given(1) {
		name := c.str(1)
		c.ev.plan.Argv0 = &name
	}
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
	uid, err := c.id(0)
	if err != nil {
		return nil, err
	}
	gid := uid
	if c.given(1) {
		if gid, err = c.id(1); err != nil {
			return nil, err
		}
	}
	c.ev.plan.Identity.UID, c.ev.plan.Identity.GID = uid, gid
	return c.set()
}

// id returns argument i, a uid or gid; nil for the caller's own.
func (c *call) id(i int) (*uint32, error) {
	if s, ok := c.v[i].(starlark.String); ok {
		if s != "caller" {
			return nil, wrong("argument "+quote(c.b.spec.args[i].name)+" is "+show(s)+`, want an int or "caller"`, "ids are numbers here; names are for the files of the sandbox to give")
		}
		return nil, nil
	}
	n, err := c.int(i, 0, 1<<32-2) // the highest id means "none"
	if err != nil {
		return nil, err
	}
	id := uint32(n)
	return &id, nil
}

func fnMapIDs(c *call) (starlark.Value, error) {
	uids, err := c.ranges(0)
	if err != nil {
		return nil, err
	}
	gids, err := c.ranges(1)
	if err != nil {
		return nil, err
	}
	c.ev.plan.Identity.UIDs, c.ev.plan.Identity.GIDs = uids, gids
	return c.set()
}

// ranges returns argument i, a list of (inside, outside, count).
func (c *call) ranges(i int) ([]plan.IDRange, error) {
	list := c.v[i].(starlark.Indexable)
	var out []plan.IDRange
	for k := range list.Len() {
		t, ok := list.Index(k).(starlark.Indexable)
		var v [3]uint32
		ok = ok && t.Len() == len(v)
		for j := 0; ok && j < len(v); j++ {
			var n starlark.Int
			if n, ok = t.Index(j).(starlark.Int); ok {
				var id uint64
				id, ok = n.Uint64()
				ok = ok && id < 1<<32-1
				v[j] = uint32(id)
			}
		}
		if !ok {
			return nil, wrong("argument "+quote(c.b.spec.args[i].name)+" holds "+show(list.Index(k))+", which is no range of ids", "write (inside, outside, count): (1000, 1000, 1)")
		}
		out = append(out, plan.IDRange{Inside: v[0], Outside: v[1], Count: v[2]})
	}
	return out, nil
}

func fnCapabilities(c *call) (starlark.Value, error) {
	var lists [4][]string // keep, add, drop, bounding
	for i := range lists {
		names, err := c.strs(i + 1)
		if err != nil {
			return nil, err
		}
		for _, n := range names {
			name, err := kernelName(string(n), "CAP_", "capability", "capabilities(7)", plan.CapNames[:])
			if err != nil {
				return nil, err
			}
			lists[i] = append(lists[i], name)
		}
		slices.SortFunc(lists[i], func(a, b string) int { return plan.CapNumber(a) - plan.CapNumber(b) })
		lists[i] = slices.Compact(lists[i])
	}
	set := string(c.str(0))
	switch {
	case c.given(0) == c.given(1):
		return nil, wrong(`want either "none", "all", "build", "caller" or keep`, `write capabilities("none") or capabilities(keep = ["CAP_NET_RAW"])`)
	case (c.given(2) || c.given(3)) && set != "caller":
		return nil, wrong(`"add" and "drop" go with "caller" only`, `keep = […] names them all`)
	case c.given(0):
		switch set {
		case "none", "all", "build", "caller":
		default:
			return nil, wrong("argument \"set\" is "+quote(set)+`, want "none", "all", "build" or "caller"`, `name single ones by keep = ["CAP_NET_RAW"]`)
		}
		c.ev.plan.Caps = plan.Caps{Set: set, Add: lists[1], Drop: lists[2]}
	case len(lists[0]) == 0:
		c.ev.plan.Caps = plan.Caps{Set: "none"}
	default:
		c.ev.plan.Caps = plan.Caps{Set: "keep", Keep: lists[0]}
	}
	c.ev.plan.Caps.Bounding = lists[3]
	return c.set()
}

// kernelName returns the one of names, which all begin with prefix, that given
// stands for: in any case, with or without the prefix.
func kernelName(given, prefix, what, manual string, names []string) (string, error) {
	short := strings.TrimPrefix(strings.ToUpper(given), prefix)
	if slices.Contains(names, prefix+short) {
		return prefix + short, nil
	}
	bare := make([]string, len(names)) // the prefix would make all look alike
	for i, n := range names {
		bare[i] = strings.TrimPrefix(n, prefix)
	}
	hint := manual + " lists them"
	if near := plan.Nearest(short, bare); near != "" {
		hint = "did you mean " + quote(prefix+near) + "?"
	}
	return "", wrong("there is no "+what+" "+quote(given), hint)
}

func fnNoNewPrivs(c *call) (starlark.Value, error) {
	c.ev.plan.NoNewPrivs = c.bool(0, true)
	return c.set()
}

func fnUnshare(c *call) (starlark.Value, error) {
	ns := &c.ev.plan.Unshare
	at := c.ev.origin(c.thread)
	any := false
	for i, p := range [...]struct{ on, try *bool }{{&ns.Net, nil}, {&ns.IPC, nil}, {&ns.PID, nil}, {&ns.UTS, nil},
		{&ns.Cgroup, &ns.CgroupTry}, {&ns.Time, nil}, {&ns.User, &ns.UserTry}} {
		if c.v[i] == nil {
			continue
		}
		name := c.b.spec.args[i].name
		try := c.str(i)
		if try != "" && try != "try" {
			return nil, wrong("argument "+quote(name)+" is "+show(c.v[i])+`, want a bool or "try"`, "")
		}
		any = true
		*p.on = c.bool(i, false)
		if p.try != nil {
			*p.try = try != ""
		}
		c.ev.plan.SetWhere("unshare."+name, at)
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

func fnScopeSockets(c *call) (starlark.Value, error) {
	c.ev.plan.ScopeSockets = c.bool(0, true)
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

func fnRlimit(c *call) (starlark.Value, error) {
	name, err := kernelName(string(c.str(0)), "RLIMIT_", "limit", "setrlimit(2)", plan.RlimitNames[:])
	if err != nil {
		return nil, err
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
