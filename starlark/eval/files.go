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

// defaults are what operations take for arguments that they are not given.
type defaults struct {
	create, followDst, chase, suid bool

	dev        *bool
	parentMode *plan.Mode
	content    plan.Content
}

func fnDefaults(c *call) (starlark.Value, error) {
	d := c.ev.defaults
	var err error
	d.create, d.followDst, d.chase = c.bool(0, d.create), c.bool(1, d.followDst), c.bool(2, d.chase)
	if d.parentMode, err = c.parentMode(3); err != nil {
		return nil, err
	}
	d.suid, d.dev = c.bool(4, d.suid), c.devices(5)
	if d.content, err = c.content(6); err != nil {
		return nil, err
	}
	c.ev.defaults = d
	return starlark.None, nil
}

// added is op, with create as argument i, and follow_dst, chase and parent_mode
// after it.
func (c *call) added(kind plan.Kind, dst plan.Str, i int) (*plan.Op, error) {
	parent, err := c.parentMode(i + 3)
	if err != nil {
		return nil, err
	}
	op, err := c.op(kind, dst)
	if err != nil {
		return nil, err
	}
	d := &c.ev.defaults
	op.Create, op.Follow, op.Chase, op.ParentMode = c.bool(i, d.create), c.bool(i+1, d.followDst), c.bool(i+2, d.chase), parent
	return op, nil
}

// devices returns argument i, a bool or None; the default where not given.
func (c *call) devices(i int) *bool {
	if c.v[i] == nil {
		return c.ev.defaults.dev
	}
	if !c.given(i) {
		return nil
	}
	dev := c.bool(i, false)
	return &dev
}

// parentMode returns argument i, a mode or None; the default where not given.
func (c *call) parentMode(i int) (*plan.Mode, error) {
	if c.v[i] == nil {
		return c.ev.defaults.parentMode, nil
	}
	return c.mode(i)
}

// content returns argument i, which says where content goes.
func (c *call) content(i int) (plan.Content, error) {
	if c.v[i] == nil {
		return c.ev.defaults.content, nil
	}
	switch s := plan.Content(c.str(i)); s {
	case plan.ContentAuto, plan.ContentThrough, plan.ContentMount:
		return s, nil
	}
	return "", wrong("argument "+quote(c.b.spec.args[i].name)+" is "+show(c.v[i])+`, want "through", "mount" or None`, "")
}

func fnBind(c *call) (starlark.Value, error) {
	src := c.str(0)
	dst := src
	if c.given(1) {
		dst = c.str(1)
	}
	op, err := c.added(plan.Bind, dst, 7)
	if err != nil {
		return nil, err
	}
	op.Src = src
	op.RO = c.bool(2, false)
	op.Optional = c.bool(3, false)
	op.NoFollow = !c.bool(4, true)
	op.Inside = c.bool(5, false)
	op.Devices = c.devices(6)
	op.Suid, op.Foreign = c.bool(11, c.ev.defaults.suid), c.bool(12, false)
	op.CreateSrc = c.bool(13, false)
	return starlark.None, nil
}

func fnBindFD(c *call) (starlark.Value, error) {
	n, err := c.int(0, 0, 1<<20)
	if err != nil {
		return nil, err
	}
	op, err := c.added(plan.Bind, c.str(1), 4)
	if err != nil {
		return nil, err
	}
	fd := int(n)
	op.SrcFD, op.RO, op.Devices, op.Suid = &fd, c.bool(2, false), c.devices(3), c.bool(8, c.ev.defaults.suid)
	return starlark.None, nil
}

// node is added with a mode before create.
func (c *call) node(kind plan.Kind, dst plan.Str, m int) (*plan.Op, error) {
	mode, err := c.mode(m)
	if err != nil {
		return nil, err
	}
	op, err := c.added(kind, dst, m+1)
	if err != nil {
		return nil, err
	}
	op.Mode = mode
	return op, nil
}

func fnTmpfs(c *call) (starlark.Value, error) {
	size, err := c.size(1)
	if err != nil {
		return nil, err
	}
	op, err := c.node(plan.Tmpfs, c.str(0), 2)
	if err != nil {
		return nil, err
	}
	op.Size, op.Suid, op.Devices = size, c.bool(7, c.ev.defaults.suid), c.devices(8)
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
	op, err := c.node(plan.Mkdir, c.str(0), 1)
	if err != nil {
		return nil, err
	}
	op.Optional = c.bool(6, false)
	return starlark.None, nil
}

// mount adds an operation whose first arguments are dst, with that default, and
// create.
func (c *call) mount(kind plan.Kind, dst plan.Str) (starlark.Value, error) {
	if c.v[0] != nil {
		dst = c.str(0)
	}
	op, err := c.added(kind, dst, 1)
	if err != nil {
		return nil, err
	}
	op.Bare = c.bool(5, false)
	return starlark.None, nil
}

func fnMqueue(c *call) (starlark.Value, error) { return c.mount(plan.Mqueue, "/dev/mqueue") }
func fnDev(c *call) (starlark.Value, error)    { return c.mount(plan.Dev, "/dev") }
func fnProc(c *call) (starlark.Value, error)   { return c.mount(plan.Proc, "/proc") }

// file adds an operation whose content goes where argument i, the last but for ro,
// says; m is that of the mode, or negative.
func (c *call) file(kind plan.Kind, dst plan.Str, m, i int) (*plan.Op, error) {
	content, err := c.content(i)
	if err != nil {
		return nil, err
	}
	var op *plan.Op
	if m < 0 {
		op, err = c.added(kind, dst, i-4)
	} else {
		op, err = c.node(kind, dst, m)
	}
	if err != nil {
		return nil, err
	}
	op.Content = content
	return op, nil
}

func fnSymlink(c *call) (starlark.Value, error) {
	op, err := c.file(plan.Symlink, c.str(1), -1, 6)
	if err != nil {
		return nil, err
	}
	op.Target = c.str(0)
	return starlark.None, nil
}

func fnWrite(c *call) (starlark.Value, error) {
	op, err := c.file(plan.Write, c.str(0), 2, 7)
	if err != nil {
		return nil, err
	}
	op.Data, op.RO = c.str(1), c.bool(8, false)
	return starlark.None, nil
}

func fnCopy(c *call) (starlark.Value, error) {
	op, err := c.file(plan.Copy, c.str(1), 2, 7)
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
	op, err := c.added(plan.Overlay, c.str(0), 4)
	if err != nil {
		return nil, err
	}
	op.Lower = lower
	if upper == "tmpfs" {
		op.UpperTmpfs = true
	} else {
		op.Upper = upper
	}
	op.Work, op.Suid, op.Devices = work, c.bool(8, c.ev.defaults.suid), c.devices(9)
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
	op, err := c.op(plan.RemountRO, c.str(0))
	if err != nil {
		return nil, err
	}
	if c.given(1) {
		dev := c.bool(1, false)
		op.Devices = &dev
	}
	op.Recursive = c.bool(2, false)
	return starlark.None, nil
}

func fnChmod(c *call) (starlark.Value, error) {
	mode, err := c.mode(1)
	if err != nil {
		return nil, err
	}
	var ids [2]*uint32
	for i := range ids {
		if c.given(2 + i) {
			if ids[i], err = c.id(2 + i); err != nil {
				return nil, err
			}
		}
	}
	op, err := c.op(plan.Chmod, c.str(0))
	if err != nil {
		return nil, err
	}
	op.UID, op.GID = ids[0], ids[1]
	op.Mode = mode
	return starlark.None, nil
}
