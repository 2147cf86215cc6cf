// Package script turns a plan into a script: the one that a person would write
// who had to make just this sandbox. Evaluated, it gives the plan again.
package script

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.starlark.net/syntax"

	"sbx/engine/plan"
)

// Print returns a script whose evaluation gives a plan of the same digest, with
// head as a comment before it. Equal plans give equal scripts.
//
// Parameters have the values that they had. The faults name what the plan says
// and no script can; the script is without it then.
func Print(p *plan.Plan, head string) (string, plan.Diagnostics) { return PrintLike(p, head, nil, "") }

// PrintLike is Print for a plan that begins as another one, base: the settings that
// they share stand together, under the comment title.
func PrintLike(p *plan.Plan, head string, base *plan.Plan, title string) (string, plan.Diagnostics) {
	pr := &printer{}
	pr.comment(head)
	own, faults := settings(p)
	shared := map[string]bool{}
	if base != nil {
		list, _ := settings(base)
		for _, s := range list {
			shared[s.text] = true
		}
	}
	pr.group()
	for _, s := range own {
		if shared[s.text] {
			if title != "" {
				pr.gapped()
				pr.comment(title)
				title = ""
			}
			pr.text(s.text)
		}
	}
	pr.group()
	for _, s := range own {
		if s.first && !shared[s.text] {
			pr.text(s.text)
		}
	}
	pr.defaults(p)
	pr.ops(p.Ops)
	pr.env(p.Env)
	for _, s := range own {
		if s.gap {
			pr.group()
		}
		if !s.first && !shared[s.text] {
			pr.text(s.text)
		}
	}
	return pr.b.String(), append(pr.faults, faults...)
}

// printer writes calls.
type printer struct {
	b      strings.Builder
	gap    bool // the next call begins a group
	def    common
	faults plan.Diagnostics

	collect bool // calls go to settings, and not to b
	list    []setting
}

// setting is a call that stands for itself, in any order.
type setting struct {
	text  string
	gap   bool // it begins a group
	first bool // it stands before the operations
}

// settings returns the calls for all that is not an operation or a change of the
// environment.
func settings(p *plan.Plan) ([]setting, plan.Diagnostics) {
	pr := &printer{collect: true}
	pr.order(p)
	for i := range pr.list {
		pr.list[i].first = true
	}
	pr.settings(p)
	return pr.list, pr.faults
}

func (pr *printer) comment(text string) {
	for line := range strings.Lines(text) {
		line = strings.TrimRight(plan.Printable(strings.TrimSuffix(line, "\n")), " \t")
		pr.b.WriteString(strings.TrimRight("# "+line, " ") + "\n")
	}
}

// gapped writes the blank line before a group.
func (pr *printer) gapped() {
	if pr.gap {
		pr.b.WriteByte('\n')
		pr.gap = false
	}
}

func (pr *printer) text(s string) {
	pr.gapped()
	pr.b.WriteString(s)
}

// group has a blank line before the next call.
func (pr *printer) group() { pr.gap = pr.b.Len() > 0 || pr.collect }

func (pr *printer) call(c *call) {
	if pr.collect {
		var b strings.Builder
		c.write(&b)
		pr.list = append(pr.list, setting{text: b.String(), gap: pr.gap})
		pr.gap = false
		return
	}
	pr.gapped()
	c.write(&pr.b)
}

func (pr *printer) fault(at plan.Origin, op, format string, args ...any) {
	pr.faults = append(pr.faults, plan.Diagnostic{At: at, Op: op, Msg: fmt.Sprintf(format, args...), Hint: "sbx plan --json keeps it"})
}

// unsaid names the fields of a value that are left after what a script says has
// been taken out.
func (pr *printer) unsaid(at plan.Origin, op string, rest any) {
	for _, name := range plan.Fields(rest) {
		pr.fault(at, op, "no script can say %q here", name)
	}
}

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

// env writes the changes of the environment in their order; those that take
// several names, together.
func (pr *printer) env(env []plan.EnvOp) {
	pr.group()
	for i := 0; i < len(env); i++ {
		e := env[i]
		c := newCall(string(e.Kind))
		at, kind := e.At, plan.Take(&e.Kind)
		e.At = plan.Origin{}
		name := plan.Take(&e.Name)
		switch kind {
		case plan.SetEnv:
			c.str(name)
			c.str(plan.Take(&e.Value))
		case plan.UnsetEnv, plan.PassEnv:
			c.str(name)
			for ; i+1 < len(env) && env[i+1].Kind == kind && env[i+1].Value == "" && env[i+1].Keep == nil; i++ {
				c.str(env[i+1].Name)
			}
		case plan.ClearEnv:
			if keep := plan.Take(&e.Keep); len(keep) > 0 {
				c.list("keep", keep)
			}
			e.Name = name
		default:
			pr.fault(at, "", "no script can say the change of the environment %q", kind)
			continue
		}
		pr.unsaid(at, string(kind), e)
		pr.call(c)
	}
}

// settings writes everything else.
func (pr *printer) settings(p *plan.Plan) {
	rest := *p
	rest.Order, rest.Propagation, rest.PointMode = "", "", nil // by order
	rest.Version, rest.Ops, rest.Env, rest.Params, rest.Inputs, rest.Where = 0, nil, nil, nil, nil, nil
	flag := func(on bool, name string) {
		if on {
			pr.call(newCall(name))
		}
	}
	setting := func(name, text string) {
		c := newCall(name)
		c.add("", text)
		pr.call(c)
	}
	off := func(off bool, name string) {
		if off {
			c := newCall(name)
			c.add("", "False")
			pr.call(c)
		}
	}

	pr.group()
	flag(plan.Take(&rest.Identity.Root), "become_root")
	pr.user(&rest.Identity)
	pr.maps(&rest.Identity)
	flag(plan.Take(&rest.Identity.Foreign), "map_foreign")
	if n := plan.Take(&rest.Identity.Delegate); n < 0 || n > 1<<16 {
		pr.fault(p.Where["map_delegate"], "map_delegate", "no script can say %d ranges", n)
	} else if n > 0 {
		c := newCall("map_delegate")
		c.add("", strconv.Itoa(n))
		pr.call(c)
	}
	pr.caps(&rest.Caps, p.Where["capabilities"])
	off(!plan.Take(&rest.NoNewPrivs), "no_new_privs")

	pr.group()
	ns := newCall("unshare")
	ns.flag("net", plan.Take(&rest.Unshare.Net))
	ns.flag("ipc", plan.Take(&rest.Unshare.IPC))
	ns.flag("pid", plan.Take(&rest.Unshare.PID))
	host := plan.Take(&rest.Hostname)
	uts := plan.Take(&rest.Unshare.UTS)
	ns.flag("uts", uts && host == "") // hostname has it as well
	try(ns, "cgroup", &rest.Unshare.Cgroup, &rest.Unshare.CgroupTry)
	ns.flag("time", plan.Take(&rest.Unshare.Time))
	try(ns, "user", &rest.Unshare.User, &rest.Unshare.UserTry)
	if len(ns.args) > 0 {
		pr.call(ns)
	}
	if host != "" && (!uts || !utf8.ValidString(host)) {
		pr.fault(p.Where["hostname"], "hostname", "no script can say the host name %q without a uts namespace, or if it is no text", host)
	} else if host != "" {
		c := newCall("hostname")
		c.str(plan.Str(host))
		pr.call(c)
	}
	off(!plan.Take(&rest.Init), "init")
	off(!plan.Take(&rest.DieWithParent), "die_with_parent")
	if rest.Lifetime == plan.LifetimeCommand {
		setting("lifetime", quote(plan.Str(plan.Take(&rest.Lifetime))))
	}
	flag(plan.Take(&rest.NewSession), "new_session")
	flag(plan.Take(&rest.TerminalInput), "terminal_input")
	flag(plan.Take(&rest.Suspend), "suspend")
	pr.descriptors(newCall("join_namespaces"), descriptor{"user", &rest.Join.User}, descriptor{"user2", &rest.Join.User2}, descriptor{"pid", &rest.Join.PID})
	flag(plan.Take(&rest.NoUserNS), "disable_userns")
	flag(plan.Take(&rest.AssertNoUserNS), "assert_userns_disabled")

	pr.group()
	flag(plan.Take(&rest.ScopeSockets), "scope_sockets")
	flag(plan.Take(&rest.SuppressChown), "suppress_chown")
	flag(plan.Take(&rest.SuppressSync), "suppress_sync")
	for _, f := range plan.Take(&rest.Filters) {
		if len(f.Code) == 0 || len(f.Code)%8 != 0 {
			pr.fault(f.At, "seccomp", "no script can say a filter of %d bytes", len(f.Code))
			continue
		}
		setting("seccomp", syntax.Quote(string(f.Code), true))
	}
	pr.rlimits(plan.Take(&rest.Rlimits))
	pr.fds("close_fd", plan.Take(&rest.CloseFDs), p.Where["close_fd"])
	pr.fds("pass_fd", plan.Take(&rest.PassFDs), p.Where["pass_fd"])
	flag(plan.Take(&rest.KeepFDs), "keep_fds")
	flag(plan.Take(&rest.PackFDs), "pack_fds")
	h := &rest.Hooks
	pr.descriptors(newCall("hooks"), descriptor{"info_fd", &h.Info}, descriptor{"status_fd", &h.Status}, descriptor{"block_fd", &h.Block},
		descriptor{"userns_block_fd", &h.UserNSBlock}, descriptor{"sync_fd", &h.Sync})
	if locks := plan.Take(&h.Locks); len(locks) > 0 {
		c := newCall("lock_file")
		for _, l := range locks {
			c.str(l.Path)
		}
		pr.call(c)
	}

	pr.group()
	if m := plan.Take(&rest.Umask); m != nil && *m > 0o777 {
		pr.fault(p.Where["umask"], "umask", "no script can say the mode %v", m)
	} else if m != nil {
		c := newCall("umask")
		c.add("", octal(*m))
		pr.call(c)
	}
	if plan.Take(&rest.TryDir) {
		c := newCall("same_dir")
		c.flag("optional", true)
		pr.call(c)
		if rest.SameDir {
			pr.fault(p.Where["same_dir"], "same_dir", "no script can say it with and without optional")
		}
	}
	if dir := plan.Take(&rest.Dir); dir != "" && rest.SameDir {
		pr.fault(p.Where["same_dir"], "same_dir", "no script can say chdir as well")
	} else if dir != "" {
		c := newCall("chdir")
		c.str(dir)
		pr.call(c)
	}
	flag(plan.Take(&rest.SameDir), "same_dir")
	switch rest.PWD {
	case plan.PWDSet, plan.PWDKeep:
		setting("pwd", quote(plan.Str(plan.Take(&rest.PWD))))
	}
	search := newCall("command_search")
	if path := plan.Take(&rest.DefaultPath); path != "" {
		search.keyword("default_path", quote(path))
	}
	search.flag("shell_scripts", plan.Take(&rest.ShellScripts))
	if len(search.args) > 0 {
		pr.call(search)
	}
	if argv := plan.Take(&rest.Command); len(argv) > 0 {
		c := newCall("command")
		c.list("", argv)
		if name := plan.Take(&rest.Argv0); name != nil {
			c.keyword("argv0", quote(*name))
		}
		pr.call(c)
	}
	pr.unsaid(plan.Origin{}, "", rest)
}

// descriptor is an argument that is a file descriptor.
type descriptor struct {
	name string
	fd   **int
}

// descriptors writes a call with file descriptors, those that there are.
func (pr *printer) descriptors(c *call, list ...descriptor) {
	for _, d := range list {
		switch fd := plan.Take(d.fd); {
		case fd == nil:
		case *fd < 0 || *fd > 1<<20:
			pr.fault(plan.Origin{}, c.name, "no script can say the file descriptor %d", *fd)
		default:
			c.keyword(d.name, strconv.Itoa(*fd))
		}
	}
	if len(c.args) > 0 {
		pr.call(c)
	}
}

// try adds an argument for a namespace that may be wanted where there is one.
func try(c *call, name string, on, try *bool) {
	switch {
	case *on: // and no use in trying
		c.keyword(name, "True")
	case *try:
		c.keyword(name, `"try"`)
	}
	*on, *try = false, false
}

func (pr *printer) user(id *plan.Identity) {
	uid, gid := plan.Take(&id.UID), plan.Take(&id.GID)
	if uid == nil && gid == nil {
		return
	}
	text := func(id *uint32) string {
		if id == nil {
			return `"caller"`
		}
		return strconv.FormatUint(uint64(*id), 10)
	}
	c := newCall("map_user")
	c.add("", text(uid))
	if text(uid) != text(gid) {
		c.add("", text(gid))
	}
	pr.call(c)
}

func (pr *printer) maps(id *plan.Identity) {
	uids, gids := plan.Take(&id.UIDs), plan.Take(&id.GIDs)
	if uids == nil && gids == nil {
		return
	}
	c := newCall("map_ids")
	for _, list := range [][]plan.IDRange{uids, gids} {
		var text []string
		for _, r := range list {
			text = append(text, fmt.Sprintf("(%d, %d, %d)", r.Inside, r.Outside, r.Count))
		}
		c.add("", "["+strings.Join(text, ", ")+"]")
	}
	pr.call(c)
}

func (pr *printer) caps(caps *plan.Caps, at plan.Origin) {
	c := newCall("capabilities")
	set := plan.Take(&caps.Set)
	switch set {
	case "":
		return
	case "none", "all", "build":
		c.str(plan.Str(set))
	case "caller":
		c.str(plan.Str(set))
		for _, l := range []struct {
			name string
			caps []string
		}{{"add", plan.Take(&caps.Add)}, {"drop", plan.Take(&caps.Drop)}} {
			if names := pr.capNames(l.caps, at); len(names) > 0 {
				c.list(l.name, names)
			}
		}
	case "keep":
		if names := pr.capNames(plan.Take(&caps.Keep), at); len(names) == 0 {
			c.str("none")
		} else {
			c.list("keep", names)
		}
	default:
		pr.fault(at, "capabilities", "no script can say the set %q", set)
		return
	}
	if list := pr.capNames(plan.Take(&caps.Bounding), at); len(list) > 0 {
		c.list("bounding", list)
	}
	pr.call(c)
}

// capNames returns a set of capabilities as the built-in keeps it.
func (pr *printer) capNames(list []string, at plan.Origin) []plan.Str {
	var names []plan.Str
	for _, n := range list {
		if plan.CapNumber(n) < 0 {
			pr.fault(at, "capabilities", "no script can say the capability %q", n)
			continue
		}
		names = append(names, plan.Str(n))
	}
	slices.SortFunc(names, func(a, b plan.Str) int { return plan.CapNumber(string(a)) - plan.CapNumber(string(b)) })
	return slices.Compact(names)
}

func (pr *printer) rlimits(list []plan.Rlimit) {
	said := map[string]bool{}
	for _, r := range list {
		at, name, soft, hard := r.At, plan.Take(&r.Name), plan.Take(&r.Soft), plan.Take(&r.Hard)
		r.At = plan.Origin{}
		if said[name] || plan.RlimitNumber(name) < 0 || soft > hard {
			pr.fault(at, "rlimit", "no script can say this limit: %q, soft %d, hard %d", name, soft, hard)
			continue
		}
		said[name] = true
		c := newCall("rlimit")
		c.str(plan.Str(strings.ToLower(strings.TrimPrefix(name, "RLIMIT_"))))
		c.add("", limit(soft))
		if hard != soft {
			c.add("", limit(hard))
		}
		pr.unsaid(at, "rlimit", r)
		pr.call(c)
	}
}

// fds writes file descriptors; more than once is as once.
func (pr *printer) fds(name string, list []int, at plan.Origin) {
	for i, fd := range list {
		if slices.Contains(list[:i], fd) {
			continue
		}
		if fd < 0 || fd > 1<<20 {
			pr.fault(at, name, "no script can say the file descriptor %d", fd)
			continue
		}
		c := newCall(name)
		c.add("", strconv.Itoa(fd))
		pr.call(c)
	}
}

func boolean(on bool) string {
	if on {
		return "True"
	}
	return "False"
}

func octal(m plan.Mode) string { return fmt.Sprintf("0o%03o", uint32(m)) }

func limit(n uint64) string {
	if n == plan.RlimInfinity {
		return `"unlimited"`
	}
	return strconv.FormatUint(n, 10)
}

// quote returns a literal: of a string, or of bytes where s is no text.
func quote(s plan.Str) string { return syntax.Quote(string(s), !utf8.ValidString(string(s))) }
