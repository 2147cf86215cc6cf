package oci

// Convert: the settings of a plan, and how what cannot be said is told.

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"sbx/engine/compile"
	"sbx/engine/host"
	"sbx/engine/layout"
	"sbx/engine/plan"
)

// Convert returns the bundle of a plan that is sound on the host of f, and what
// is lost: errors for what the plan asks for and no bundle can have, warnings
// for what every sandbox of sbx has.
func Convert(p *plan.Plan, l *layout.Layout, f *host.Facts) (*Bundle, plan.Diagnostics) {
	c := &converter{plan: p, facts: f, missing: map[string]*layout.Step{}, entry: map[string]int{}}
	s := &c.bundle.Spec
	s.Version, s.Root.Path = Version, RootDir
	s.Mounts = []Mount{}
	c.entries(RootDir, Entry{Kind: EntryDir, Mode: 0o755})
	c.operations(l)
	c.devices(l)
	c.process(l)
	c.namespaces()
	c.processes()
	s.Linux.Seccomp = filter(p, f.Arch)
	c.unsaid()
	c.faults.Sort()
	return &c.bundle, c.faults
}

type converter struct {
	plan   *plan.Plan
	facts  *host.Facts
	bundle Bundle
	faults plan.Diagnostics

	missing map[string]*layout.Step // in whose tree what is to be at a path would have to be made
	entry   map[string]int          // index in bundle.Entries by path in the bundle
	files   int                     // in FilesDir
	dev     bool                    // there is a /dev
	host    map[string]bool         // the paths in the host's /, where that is the root
}

// cannot says that a bundle has no way to say something.
func (c *converter) cannot(at plan.Origin, op, hint, format string, args ...any) {
	c.faults = append(c.faults, plan.Diagnostic{At: at, Op: op, Msg: fmt.Sprintf(format, args...), Hint: hint})
}

// setting is cannot for a setting: an error where the plan names it, and else,
// where it is the default of every sandbox, a warning.
func (c *converter) setting(key, hint, format string, args ...any) {
	at, named := c.plan.Where[key]
	name, _, _ := strings.Cut(key, ".")
	c.cannot(at, name, hint, format, args...)
	if !named {
		c.faults[len(c.faults)-1].Severity = plan.Warning
	}
}

// process converts the command and its environment.
func (c *converter) process(l *layout.Layout) {
	p, f := c.plan, c.facts
	s := &c.bundle.Spec.Process
	s.Cwd = cmp.Or(string(p.Dir), "/")
	if p.SameDir {
		s.Cwd = f.Cwd
	} else if p.TryDir && p.Dir == "" {
		for _, dir := range []string{f.Getenv("HOME"), f.Cwd} {
			if dir != "" && l.Type(dir) == host.Dir {
				s.Cwd = dir
			}
		}
	}
	s.Env = compile.Environment(p, f.Env, s.Cwd)
	s.Args = c.argv(l, s.Env)
	for _, a := range s.Args {
		c.text(p.Where["command"], "command", "argument", a)
	}
	for i, kv := range s.Env {
		if !utf8.ValidString(kv) {
			name, _, _ := strings.Cut(kv, "=")
			var at plan.Origin
			for _, e := range p.Env {
				if string(e.Name) == name {
					at = e.At
				}
			}
			c.text(at, "setenv", "variable", s.Env[i])
		}
	}
	c.text(p.Where["chdir"], "chdir", "directory", s.Cwd)
	s.NoNewPrivileges = p.NoNewPrivs
	if p.Umask != nil {
		m := uint32(*p.Umask)
		s.User.Umask = &m
	}
	for _, r := range p.Rlimits {
		s.Rlimits = append(s.Rlimits, Rlimit{Type: r.Name, Soft: r.Soft, Hard: r.Hard})
	}
}

// argv returns the command. Runtimes look for it as the environment's PATH says,
// and have no other place to look.
func (c *converter) argv(l *layout.Layout, env []string) []string {
	tries := compile.Tries(c.plan, env, c.facts.Getenv("SHELL"))
	path := slices.ContainsFunc(env, func(kv string) bool { return strings.HasPrefix(kv, "PATH=") })
	if len(tries) == 1 && (path || len(tries[0].Paths) < 2) {
		return tries[0].Argv
	}
	for _, t := range tries {
		for _, p := range t.Paths {
			if strings.HasPrefix(p, "/") && l.Type(p) == host.File {
				return append([]string{p}, t.Argv[1:]...)
			}
		}
	}
	return tries[0].Argv
}

// text reports what JSON cannot hold.
func (c *converter) text(at plan.Origin, op, what, s string) bool {
	if utf8.ValidString(s) {
		return true
	}
	c.cannot(at, op, "", "%s %q is not UTF-8, which JSON cannot hold", what, s)
	return false
}

// namespaces converts the identity, the capabilities and the namespaces.
func (c *converter) namespaces() {
	p, f := c.plan, c.facts
	s := &c.bundle.Spec
	add := func(on bool, kind string) {
		if on {
			s.Linux.Namespaces = append(s.Linux.Namespaces, Namespace{kind})
		}
	}
	privileged := f.Privileged(p)
	uid, gid := f.UID, f.GID
	if p.Identity.Root {
		uid, gid = 0, 0
	}
	if v := p.Identity.UID; v != nil {
		uid = *v
	}
	if v := p.Identity.GID; v != nil {
		gid = *v
	}
	add(!privileged, "user")
	if !privileged {
		s.Linux.UIDMappings, uid = mappings(p.Identity.UIDs, f.UID, uid)
		s.Linux.GIDMappings, gid = mappings(p.Identity.GIDs, f.GID, gid)
	}
	s.Process.User.UID, s.Process.User.GID = uid, gid
	add(true, "mount")
	add(p.Unshare.Net, "network")
	add(p.Unshare.PID, "pid")
	add(p.Unshare.IPC, "ipc")
	add(p.Unshare.UTS, "uts")
	add(p.Unshare.Cgroup || p.Unshare.CgroupTry, "cgroup")
	add(p.Unshare.Time, "time")
	s.Hostname = p.Hostname

	keep, all := compile.Keep(p, privileged, f)
	if all {
		keep = f.Caps
	}
	names := []string{}
	for n, name := range plan.CapNames {
		if keep&(1<<n) != 0 {
			names = append(names, name)
		}
	}
	bounding := slices.Clone(names)
	for _, name := range p.Caps.Bounding {
		if !slices.Contains(bounding, name) {
			bounding = append(bounding, name)
		}
	}
	s.Process.Capabilities = &Capabilities{Bounding: bounding, Effective: names, Inheritable: names, Permitted: names, Ambient: names}
}

// mappings returns a map of ids, and who the caller is by it: by default the one
// id, which is to be that.
func mappings(ranges []plan.IDRange, caller, id uint32) ([]IDMapping, uint32) {
	if len(ranges) == 0 {
		return []IDMapping{{ContainerID: id, HostID: caller, Size: 1}}, id
	}
	var list []IDMapping
	for _, r := range ranges {
		list = append(list, IDMapping{ContainerID: r.Inside, HostID: r.Outside, Size: r.Count})
	}
	if in, ok := plan.Inside(ranges, caller); ok {
		id = in
	}
	return list, id
}

// processes names what is up to the runtime.
func (c *converter) processes() {
	p := c.plan
	if p.Unshare.PID && p.Init {
		c.setting("init", "", "pid 1 is the command: there is no init that reaps")
	}
	if p.DieWithParent {
		c.setting("die_with_parent", "", "what the runtime does when it is killed is up to it")
	}
	if len(p.CloseFDs) > 0 {
		c.setting("close_fd", "", "file descriptors are up to the runtime's command line")
	}
	if len(p.PassFDs) > 0 {
		c.setting("pass_fd", "pass --preserve-fds to the runtime", "file descriptors are up to the runtime's command line")
	}
	if p.PackFDs {
		c.setting("pack_fds", "", "file descriptors are up to the runtime's command line")
	}
	if p.KeepFDs {
		c.setting("keep_fds", "", "file descriptors are up to the runtime's command line")
	}
	if !slices.ContainsFunc(c.bundle.Spec.Process.Env, func(kv string) bool { return strings.HasPrefix(kv, "HOME=") }) {
		c.faults = append(c.faults, plan.Diagnostic{Severity: plan.Warning, Op: "clearenv", Msg: "runtimes set HOME where the environment has none"})
	}
}

// devices sees to a /dev, and names what it has that sbx does not make: runtimes
// make some devices in it whatever a bundle says, and do not start without one.
func (c *converter) devices(l *layout.Layout) {
	mounts := c.bundle.Spec.Mounts
	if !slices.ContainsFunc(mounts, func(m Mount) bool { return plan.Within(m.Destination, "/proc") }) {
		c.faults = append(c.faults, plan.Diagnostic{Severity: plan.Warning, Op: "proc", Msg: "runc, and not crun, wants a /proc, and the plan has none"})
	}
	if c.dev {
		return
	}
	c.faults = append(c.faults, plan.Diagnostic{Severity: plan.Warning, Op: "dev", Msg: "runtimes make a few devices in /dev, and the plan has none there"})
	switch {
	case l.Type("/dev") != host.Missing:
	case c.bundle.Spec.Root.Path != RootDir:
		c.cannot(l.Root.Op.At, string(l.Root.Op.Kind), "make it there first", "the root %q has no /dev, and runtimes would make one in it", c.bundle.Spec.Root.Path)
	default:
		ro := ""
		if c.bundle.Spec.Root.Readonly {
			ro = "ro"
		}
		dev := Mount{Destination: "/dev", Type: "tmpfs", Source: "tmpfs", Options: options(ro, "nosuid", "strictatime", "mode=0755", "size=65536k")}
		c.bundle.Spec.Mounts = slices.Insert(mounts, 0, dev)
	}
}

// unsaid names the settings that this package does not know.
func (c *converter) unsaid() {
	rest := *c.plan
	rest.Version, rest.Ops, rest.Env, rest.Params, rest.Inputs, rest.Where = 0, nil, nil, nil, nil, nil
	rest.Command, rest.DefaultPath, rest.Dir, rest.SameDir, rest.Hostname, rest.Umask = nil, "", "", false, "", nil
	rest.Order = "" // by the layout
	rest.Identity.Root, rest.Identity.UID, rest.Identity.GID, rest.Identity.UIDs, rest.Identity.GIDs = false, nil, nil, nil, nil
	rest.Caps, rest.NoNewPrivs, rest.Rlimits = plan.Caps{}, false, nil
	rest.Unshare = plan.Namespaces{}
	rest.Init, rest.DieWithParent, rest.NewSession = false, false, false
	rest.SuppressChown, rest.SuppressSync = false, false
	rest.CloseFDs, rest.PassFDs, rest.PackFDs, rest.KeepFDs = nil, nil, false, false
	rest.PWD, rest.TryDir, rest.TerminalInput = "", false, false
	for _, name := range plan.Fields(rest) {
		for _, x := range c.plan.Calls(name) {
			c.cannot(x.At, x.Name, "", "a bundle cannot say it")
		}
	}
}

// entries adds an entry, or changes the one that is there.
func (c *converter) entries(path string, e Entry) {
	e.Path = path
	if i, ok := c.entry[path]; ok {
		c.bundle.Entries[i] = e
		return
	}
	c.entry[path] = len(c.bundle.Entries)
	c.bundle.Entries = append(c.bundle.Entries, e)
}

// options drops the empty ones.
func options(list ...string) []string {
	return slices.DeleteFunc(list, func(s string) bool { return s == "" })
}
