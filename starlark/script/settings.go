package script

// Settings as calls: the environment, namespaces, identity, capabilities, limits.

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.starlark.net/syntax"

	"sbx/engine/plan"
)

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
