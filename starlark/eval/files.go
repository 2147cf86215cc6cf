package eval

// The built-ins that add file system operations to the plan.

import (
	"strconv"
	"strings"

	"go.starlark.net/starlark"

	"sbx/engine/plan"
)

// op appends an operation and returns it to be filled in, or nil at the limit.
func (c *call) op(kind plan.Kind, dst plan.Str) (*plan.Op, error) {
	p := c.ev.plan
	n := len(p.Ops)
	if n >= plan.MaxOps {
		return nil, &callFault{Op: c.b.Name, Msg: "the plan has " + strconv.Itoa(n) + " operations already, the most there may be", hard: true}
	}
	if n == cap(p.Ops) {
		// Much room at once: pages of it that are not reached cost nothing,
		// while each copy touches all the memory twice.
		ops := make([]plan.Op, n, min(max(16, 8*n), n+8192))
		copy(ops, p.Ops)
		p.Ops = ops
	}
	p.Ops = p.Ops[:n+1]
	op := &p.Ops[n]
	op.Kind, op.Dst = kind, dst
	op.At = c.ev.origin(c.thread)
	return op, nil
}

func fnBind(c *call) (starlark.Value, error) {
	src := c.str(0)
	dst := src
	if c.given(1) {
		dst = c.str(1)
	}
	op, err := c.op(plan.Bind, dst)
	if err != nil {
		return nil, err
	}
	op.Src = src
	op.RO = c.bool(2, false)
	op.Optional = c.bool(3, false)
	op.NoFollow = !c.bool(4, true)
	op.Inside = c.bool(5, false)
	if c.given(6) {
		dev := c.bool(6, false)
		op.Devices = &dev
	}
	op.Create = c.bool(7, false)
	return starlark.None, nil
}

// node adds an operation with a mode (argument m) and create (argument cr).
func (c *call) node(kind plan.Kind, dst plan.Str, m, cr int) (*plan.Op, error) {
	mode, err := c.mode(m)
	if err != nil {
		return nil, err
	}
	op, err := c.op(kind, dst)
	if err != nil {
		return nil, err
	}
	op.Mode, op.Create = mode, c.bool(cr, false)
	return op, nil
}

func fnTmpfs(c *call) (starlark.Value, error) {
	size, err := c.size(1)
	if err != nil {
		return nil, err
	}
	op, err := c.node(plan.Tmpfs, c.str(0), 2, 3)
	if err != nil {
		return nil, err
	}
	op.Size = size
	return starlark.None, nil
}

// size returns argument i, bytes as an int or a string with K, M, G or T.
func (c *call) size(i int) (uint64, error) {
	const hint = `write bytes as an int, or a string such as "64M" or "1G"`
	bad := func() error {
		return wrong("argument "+quote(c.b.spec.args[i].name)+" is "+show(c.v[i])+", which is no size", hint)
	}
	switch v := c.v[i].(type) {
	case starlark.Int:
		n, ok := v.Int64()
		if !ok || n < 0 {
			return 0, bad()
		}
		return uint64(n), nil
	case starlark.String:
		digits, shift := string(v), 0
		if digits != "" {
			if j := strings.IndexByte("KMGT", digits[len(digits)-1]&^0x20); j >= 0 {
				digits, shift = digits[:len(digits)-1], 10*(j+1)
			}
		}
		n, err := strconv.ParseUint(digits, 10, 63)
		if err != nil || n > (1<<63-1)>>shift {
			return 0, bad()
		}
		return n << shift, nil
	}
	return 0, nil
}

func fnMkdir(c *call) (starlark.Value, error) {
	if _, err := c.node(plan.Mkdir, c.str(0), 1, 2); err != nil {
		return nil, err
	}
	return starlark.None, nil
}

// mount adds an operation whose only arguments are dst, with that default, and
// create.
func (c *call) mount(kind plan.Kind, dst plan.Str) (starlark.Value, error) {
	if c.v[0] != nil {
		dst = c.str(0)
	}
	op, err := c.op(kind, dst)
	if err != nil {
		return nil, err
	}
	op.Create = c.bool(1, false)
	return starlark.None, nil
}

func fnMqueue(c *call) (starlark.Value, error) { return c.mount(plan.Mqueue, "/dev/mqueue") }
func fnDev(c *call) (starlark.Value, error)    { return c.mount(plan.Dev, "/dev") }
func fnProc(c *call) (starlark.Value, error)   { return c.mount(plan.Proc, "/proc") }

func fnSymlink(c *call) (starlark.Value, error) {
	op, err := c.op(plan.Symlink, c.str(1))
	if err != nil {
		return nil, err
	}
	op.Target, op.Create = c.str(0), c.bool(2, false)
	return starlark.None, nil
}

func fnWrite(c *call) (starlark.Value, error) {
	op, err := c.node(plan.Write, c.str(0), 2, 3)
	if err != nil {
		return nil, err
	}
	op.Data = c.str(1)
	return starlark.None, nil
}

func fnCopy(c *call) (starlark.Value, error) {
	op, err := c.node(plan.Copy, c.str(1), 2, 3)
	if err != nil {
		return nil, err
	}
	op.Src = c.str(0)
	return starlark.None, nil
}

func fnOverlay(c *call) (starlark.Value, error) {
	lower, err := c.strs(1)
	if err != nil {
		return nil, err
	}
	upper, work := c.str(2), c.str(3)
	if c.given(3) && (!c.given(2) || upper == "tmpfs") {
		return nil, wrong(`argument "work" needs an "upper" that is a path`, "")
	}
	op, err := c.op(plan.Overlay, c.str(0))
	if err != nil {
		return nil, err
	}
	op.Lower = lower
	if upper == "tmpfs" {
		op.UpperTmpfs = true
	} else {
		op.Upper = upper
	}
	op.Work, op.Create = work, c.bool(4, false)
	return starlark.None, nil
}

func fnMask(c *call) (starlark.Value, error) {
	for _, v := range c.rest {
		op, err := c.op(plan.Mask, toStr(v))
		if err != nil {
			return nil, err
		}
		op.Optional = c.bool(0, false)
	}
	return starlark.None, nil
}

func fnRemountRO(c *call) (starlark.Value, error) {
	if _, err := c.op(plan.RemountRO, c.str(0)); err != nil {
		return nil, err
	}
	return starlark.None, nil
}

func fnChmod(c *call) (starlark.Value, error) {
	mode, err := c.mode(1)
	if err != nil {
		return nil, err
	}
	op, err := c.op(plan.Chmod, c.str(0))
	if err != nil {
		return nil, err
	}
	op.Mode = mode
	return starlark.None, nil
}
