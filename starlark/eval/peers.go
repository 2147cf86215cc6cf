package eval

// The built-ins for what only other programs do, so that their command lines can
// be scripts.

import (
	"strconv"

	"go.starlark.net/starlark"

	"sbx/engine/plan"
)

func fnOrder(c *call) (starlark.Value, error) {
	switch s := c.str(0); s {
	case "tree":
		c.ev.plan.Order = plan.OrderTree
	case "given":
		c.ev.plan.Order = plan.OrderGiven
	default:
		return nil, wrong(`argument "order" is `+show(c.v[0])+`, want "tree" or "given"`, "")
	}
	return c.set()
}

func fnPropagation(c *call) (starlark.Value, error) {
	switch s := c.str(0); s {
	case "private":
		c.ev.plan.Propagation = plan.PropagationPrivate
	case "slave", "shared":
		c.ev.plan.Propagation = plan.Propagation(s)
	default:
		return nil, wrong(`argument "kind" is `+show(c.v[0])+`, want "private", "slave" or "shared"`, "")
	}
	return c.set()
}

func fnPointMode(c *call) (starlark.Value, error) {
	mode, err := c.mode(0)
	if err != nil {
		return nil, err
	}
	c.ev.plan.PointMode = mode
	return c.set()
}

func fnMapForeign(c *call) (starlark.Value, error) {
	c.ev.plan.Identity.Foreign = true
	return c.set()
}

func fnMapDelegate(c *call) (starlark.Value, error) {
	n, err := c.int(0, 0, 1<<16)
	if err != nil {
		return nil, err
	}
	c.ev.plan.Identity.Delegate = int(n)
	return c.set()
}

func fnTerminalInput(c *call) (starlark.Value, error) {
	c.ev.plan.TerminalInput = c.bool(0, true)
	return c.set()
}

func fnSuspend(c *call) (starlark.Value, error) {
	c.ev.plan.Suspend = true
	return c.set()
}

func fnKeepFDs(c *call) (starlark.Value, error) {
	c.ev.plan.KeepFDs = true
	return c.set()
}

func fnCommandSearch(c *call) (starlark.Value, error) {
	c.ev.plan.DefaultPath, c.ev.plan.ShellScripts = c.str(0), c.bool(1, false)
	return c.set()
}

func fnPWD(c *call) (starlark.Value, error) {
	switch s := c.str(0); s {
	case "agree":
		c.ev.plan.PWD = plan.PWDAgree
	case "set", "keep":
		c.ev.plan.PWD = plan.PWD(s)
	default:
		return nil, wrong(`argument "how" is `+show(c.v[0])+`, want "agree", "set" or "keep"`, "")
	}
	return c.set()
}

func fnLifetime(c *call) (starlark.Value, error) {
	switch s := c.str(0); s {
	case "all":
		c.ev.plan.Lifetime = plan.LifetimeAll
	case "command":
		c.ev.plan.Lifetime = plan.LifetimeCommand
	default:
		return nil, wrong(`argument "of" is `+show(c.v[0])+`, want "all" or "command"`, "")
	}
	return c.set()
}

// descriptors sets file descriptors by the arguments of a call, in their order.
func (c *call) descriptors(to ...**int) (starlark.Value, error) {
	for i, p := range to {
		if !c.given(i) {
			continue
		}
		n, err := c.int(i, 0, 1<<20)
		if err != nil {
			return nil, err
		}
		*p = plan.IntPtr(int(n))
	}
	return c.set()
}

func fnJoin(c *call) (starlark.Value, error) {
	j := &c.ev.plan.Join
	return c.descriptors(&j.User, &j.User2, &j.PID)
}

func fnHooks(c *call) (starlark.Value, error) {
	h := &c.ev.plan.Hooks
	return c.descriptors(&h.Info, &h.Status, &h.Block, &h.UserNSBlock, &h.Sync)
}

func fnDisableUserNS(c *call) (starlark.Value, error) {
	c.ev.plan.NoUserNS = true
	return c.set()
}

func fnAssertNoUserNS(c *call) (starlark.Value, error) {
	c.ev.plan.AssertNoUserNS = true
	return c.set()
}

func fnSeccomp(c *call) (starlark.Value, error) {
	code := c.str(0)
	if len(code) == 0 || len(code)%8 != 0 {
		return nil, wrong(`argument "code" is `+strconv.Itoa(len(code))+" bytes long, want a multiple of 8", "")
	}
	p := c.ev.plan
	if len(p.Filters) >= maxFilters {
		return nil, wrong("there are "+strconv.Itoa(maxFilters)+" filters already, the most there may be", "")
	}
	p.Filters = append(p.Filters, plan.Filter{Code: code, At: c.ev.origin(c.thread)})
	return c.set()
}

// maxFilters bounds the filters of a plan; the kernel's bound is on their length,
// 32768 instructions in all.
const maxFilters = 1000

func fnLockFile(c *call) (starlark.Value, error) {
	p := c.ev.plan
	for _, v := range c.rest {
		if len(p.Hooks.Locks) >= plan.MaxOps {
			return nil, &callFault{Op: c.b.Name, Msg: "the plan has " + strconv.Itoa(plan.MaxOps) + " lock files already, the most there may be", hard: true}
		}
		p.Hooks.Locks = append(p.Hooks.Locks, plan.LockFile{Path: toStr(v), At: c.ev.origin(c.thread)})
	}
	return c.set()
}
