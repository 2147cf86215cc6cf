package script

// Operations as calls, in an order that says the same, and what they have in common as defaults().

import (
	"slices"
	"strconv"

	"sbx/engine/plan"
)

// ops writes the operations in their order, with blank lines around long runs of
// one kind.
func (pr *printer) ops(ops []plan.Op) {
	pr.group()
	const long = 3
	before := 0 // length of the run before
	for i := 0; i < len(ops); {
		n := 1
		for i+n < len(ops) && ops[i+n].Kind == ops[i].Kind {
			n++
		}
		if i > 0 && max(n, before) >= long {
			pr.group()
		}
		before = n
		for end := i + n; i < end; {
			i += pr.op(ops[i:end])
		}
	}
}

// common are the arguments that many operations share; what most say becomes the
// default.
type common struct {
	create, followDst, chase, suid bool

	dev        string // as Starlark; "None"
	parentMode string
	content    string
}

// Which operations take which of common.
func takesCreate(k plan.Kind) bool {
	switch k {
	case plan.Mask, plan.RemountRO, plan.Chmod:
		return false
	}
	return true
}

func takesSuid(k plan.Kind) bool { return k == plan.Bind || k == plan.Tmpfs || k == plan.Overlay }

func takesContent(k plan.Kind) bool {
	return k == plan.Symlink || k == plan.Write || k == plan.Copy
}

// commonOf returns the arguments of an operation.
func commonOf(o *plan.Op) common {
	c := common{create: o.Create, followDst: o.Follow, chase: o.Chase, suid: o.Suid, dev: "None", parentMode: "None", content: "None"}
	if o.Devices != nil {
		c.dev = boolean(*o.Devices)
	}
	if o.ParentMode != nil {
		c.parentMode = octal(*o.ParentMode)
	}
	if o.Content != "" {
		c.content = quote(plan.Str(o.Content))
	}
	return c
}

// order writes what holds for all operations.
func (pr *printer) order(p *plan.Plan) {
	setting := func(name, text string) {
		c := newCall(name)
		c.add("", text)
		pr.call(c)
	}
	switch p.Order {
	case plan.OrderTree:
	case plan.OrderGiven:
		setting("order", quote(plan.Str(p.Order)))
	default:
		pr.fault(p.Where["order"], "order", "no script can say the order %q", p.Order)
	}
	switch p.Propagation {
	case plan.PropagationPrivate:
	case plan.PropagationSlave, plan.PropagationShared:
		setting("propagation", quote(plan.Str(p.Propagation)))
	default:
		pr.fault(p.Where["propagation"], "propagation", "no script can say the propagation %q", p.Propagation)
	}
	switch m := p.PointMode; {
	case m == nil:
	case *m > 0o7777:
		pr.fault(p.Where["mount_point_mode"], "mount_point_mode", "no script can say the mode %v", m)
	default:
		setting("mount_point_mode", octal(*m))
	}
}

// defaults writes the defaults of arguments that are another than usual in most of
// the operations concerned.
func (pr *printer) defaults(p *plan.Plan) {
	votes := map[common]int{} // each with one field that counts
	makes, mounts, contents := 0, 0, 0
	for i := range p.Ops {
		o := &p.Ops[i]
		c := commonOf(o)
		if takesCreate(o.Kind) {
			makes++
			votes[common{create: c.create}]++
			votes[common{followDst: c.followDst}]++
			votes[common{chase: c.chase}]++
			votes[common{parentMode: c.parentMode}]++
		}
		if takesSuid(o.Kind) {
			mounts++
			votes[common{suid: c.suid}]++
			votes[common{dev: c.dev}]++
		}
		if takesContent(o.Kind) {
			contents++
			votes[common{content: c.content}]++
		}
	}
	most := func(v common, of int) bool { return of > 2 && votes[v]*2 > of }
	pr.def = common{dev: "None", parentMode: "None", content: "None"}
	pr.def.create = most(common{create: true}, makes)
	pr.def.followDst = most(common{followDst: true}, makes)
	pr.def.chase = most(common{chase: true}, makes)
	pr.def.suid = most(common{suid: true}, mounts)
	for v := range votes {
		switch {
		case v.parentMode != "" && v.parentMode != "None" && most(v, makes):
			pr.def.parentMode = v.parentMode
		case v.dev != "" && v.dev != "None" && most(v, mounts):
			pr.def.dev = v.dev
		case v.content != "" && v.content != "None" && most(v, contents):
			pr.def.content = v.content
		}
	}
	c := newCall("defaults")
	pr.add(c, pr.def, common{dev: "None", parentMode: "None", content: "None"}, plan.Bind, plan.Write)
	if len(c.args) > 0 {
		pr.call(c)
	}
}

// add adds the arguments of v that are not as in def, those that the kinds take.
func (pr *printer) add(c *call, v, def common, kinds ...plan.Kind) {
	b := func(name string, v, def bool, takes func(plan.Kind) bool) {
		if v != def && slices.ContainsFunc(kinds, takes) {
			c.keyword(name, boolean(v))
		}
	}
	s := func(name string, v, def string, takes func(plan.Kind) bool) {
		if v != def && slices.ContainsFunc(kinds, takes) {
			c.keyword(name, v)
		}
	}
	b("create", v.create, def.create, takesCreate)
	b("follow_dst", v.followDst, def.followDst, takesCreate)
	b("chase", v.chase, def.chase, takesCreate)
	s("parent_mode", v.parentMode, def.parentMode, takesCreate)
	b("suid", v.suid, def.suid, takesSuid)
	s("dev", v.dev, def.dev, takesSuid)
	s("content", v.content, def.content, takesContent)
}

// take adds the arguments of common that an operation has, and takes them out.
func (pr *printer) take(c *call, kind plan.Kind, o *plan.Op) {
	v := commonOf(o)
	pr.add(c, v, pr.def, kind)
	if takesCreate(kind) {
		o.Create, o.Follow, o.Chase = false, false, false
		if m := plan.Take(&o.ParentMode); m != nil && *m > 0o7777 {
			pr.fault(o.At, string(kind), "no script can say the mode %v", m)
		}
	}
	if takesSuid(kind) {
		o.Suid, o.Devices = false, nil
	}
	if takesContent(kind) {
		switch o.Content {
		case plan.ContentAuto, plan.ContentThrough, plan.ContentMount:
			o.Content = ""
		}
	}
}

// op writes the first of some operations of one kind, and returns how many more
// it has taken along, and itself.
func (pr *printer) op(ops []plan.Op) int {
	o := ops[0]
	c, n := newCall(string(o.Kind)), 1
	at := o.At
	kind := o.Kind
	dst := plan.Take(&o.Dst)
	o.Kind, o.At = "", plan.Origin{}
	mount := func(def plan.Str) {
		if dst != def {
			c.str(dst)
		}
	}
	switch kind {
	case plan.Bind:
		src := plan.Take(&o.Src)
		if fd := plan.Take(&o.SrcFD); fd != nil {
			c.name = "bind_fd"
			if *fd < 0 || *fd > 1<<20 {
				pr.fault(at, "bind", "no script can say the file descriptor %d", *fd)
				return 1
			}
			c.add("", strconv.Itoa(*fd))
			c.str(dst)
			c.flag("ro", plan.Take(&o.RO))
			o.Src = src
			break
		}
		c.str(src)
		if src != dst {
			c.str(dst)
		}
		c.flag("ro", plan.Take(&o.RO))
		c.flag("optional", plan.Take(&o.Optional))
		if plan.Take(&o.NoFollow) {
			c.keyword("follow", "False")
		}
		c.flag("inside", plan.Take(&o.Inside))
		c.flag("create_src", plan.Take(&o.CreateSrc))
		c.flag("foreign", plan.Take(&o.Foreign))
	case plan.Tmpfs:
		c.str(dst)
		if n := plan.Take(&o.Size); n > 1<<63-1 {
			pr.fault(at, "tmpfs", "no script can say a size of %d bytes", n)
		} else if n > 0 {
			size := plan.FormatSize(n)
			if n%1024 == 0 {
				size = `"` + size + `"` // with a unit
			}
			c.keyword("size", size)
		}
	case plan.Mkdir:
		c.str(dst)
		c.flag("optional", plan.Take(&o.Optional))
	case plan.Mqueue:
		mount("/dev/mqueue")
	case plan.Dev:
		mount("/dev")
		c.flag("bare", plan.Take(&o.Bare))
	case plan.Proc:
		mount("/proc")
	case plan.Symlink:
		c.str(plan.Take(&o.Target))
		c.str(dst)
	case plan.Write:
		c.str(dst)
		c.data(plan.Take(&o.Data))
		c.flag("ro", plan.Take(&o.RO))
	case plan.Copy:
		c.str(plan.Take(&o.Src))
		c.str(dst)
	case plan.Overlay:
		c.str(dst)
		c.list("", plan.Take(&o.Lower))
		switch {
		case o.Upper != "":
			if o.Upper == "tmpfs" {
				pr.fault(at, "overlay", `no script can say an upper directory that is called "tmpfs"`)
			} else {
				c.keyword("upper", quote(o.Upper))
			}
			o.Upper = ""
			if work := plan.Take(&o.Work); work != "" {
				c.keyword("work", quote(work))
			}
		case plan.Take(&o.UpperTmpfs):
			c.keyword("upper", `"tmpfs"`)
		}
	case plan.Mask:
		c.str(dst)
		for n < len(ops) && ops[n].Optional == o.Optional {
			next := ops[n]
			next.Kind, next.Optional, next.At = "", false, plan.Origin{}
			dst := plan.Take(&next.Dst)
			if len(plan.Fields(next)) > 0 {
				break
			}
			c.str(dst)
			n++
		}
		c.flag("optional", plan.Take(&o.Optional))
	case plan.RemountRO:
		c.str(dst)
		if dev := plan.Take(&o.Devices); dev != nil {
			c.keyword("dev", boolean(*dev))
		}
		c.flag("recursive", plan.Take(&o.Recursive))
	case plan.Chmod:
		c.str(dst)
		if m := plan.Take(&o.Mode); m != nil {
			pr.mode(c, at, m, true)
			for _, id := range []struct {
				name string
				id   *uint32
			}{{"uid", plan.Take(&o.UID)}, {"gid", plan.Take(&o.GID)}} {
				if id.id != nil {
					c.keyword(id.name, strconv.FormatUint(uint64(*id.id), 10))
				}
			}
		} else {
			pr.fault(at, "chmod", "no mode is given")
			return n
		}
	default:
		pr.fault(at, "", "no script can say the operation %q", kind)
		return n
	}
	switch kind {
	case plan.Tmpfs, plan.Mkdir, plan.Write, plan.Copy:
		if m := plan.Take(&o.Mode); m != nil {
			pr.mode(c, at, m, false)
		}
	}
	pr.take(c, kind, &o)
	pr.unsaid(at, string(kind), o)
	pr.call(c)
	return n
}

func (pr *printer) mode(c *call, at plan.Origin, m *plan.Mode, positional bool) {
	if *m > 0o7777 {
		pr.fault(at, c.name, "no script can say the mode %v", m)
		if !positional {
			return
		}
		m = plan.ModePtr(*m & 0o7777)
	}
	if positional {
		c.add("", octal(*m))
	} else {
		c.keyword("mode", octal(*m))
	}
}
