// Package systemd turns a plan into a command line of systemd-run(1): a transient
// service whose properties, systemd.exec(5), make the sandbox.
package systemd

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"sbx/engine/compile"
	"sbx/engine/host"
	"sbx/engine/layout"
	"sbx/engine/plan"
)

// Property is one assignment of a unit.
type Property struct {
	Name, Value string
}

// Service is a transient service.
type Service struct {
	User       bool       // of the caller's own manager, not the system's
	Properties []Property // in order; most can be there more than once
	Env        []string   // NAME=value, or NAME for the value that systemd-run has
	Command    []string
}

// Convert returns the service of a plan that is sound on the host of f, and what
// is lost: errors for what the plan asks for and no service can have, warnings
// for what every sandbox of sbx has.
func Convert(p *plan.Plan, l *layout.Layout, f *host.Facts) (*Service, plan.Diagnostics) {
	c := &converter{plan: p, facts: f, missing: map[string]*layout.Step{}}
	c.out.User = f.UID != 0
	c.operations(l)
	c.identity()
	c.namespaces()
	c.limits()
	c.environment()
	c.command()
	c.unsaid()
	c.faults.Sort()
	return &c.out, c.faults
}

// Words returns the words of the command line, systemd-run the first.
func (s *Service) Words() []string {
	words := []string{"systemd-run"}
	if s.User {
		words = append(words, "--user")
	}
	words = append(words, "--quiet", "--collect", "--wait", "--pipe")
	for _, e := range s.Env {
		words = append(words, "--setenv="+e)
	}
	for _, p := range s.Properties {
		words = append(words, "--property="+p.Name+"="+p.Value)
	}
	words = append(words, "--")
	for _, a := range s.Command { // the manager expands variables in them
		words = append(words, strings.ReplaceAll(a, "$", "$$"))
	}
	return words
}

// Since has the version of systemd that a property is there from, where that is
// not in all that are still in use (before 249).
func Since(p Property) int {
	switch {
	case p.Name == "ProtectHostname" && strings.Contains(p.Value, ":"):
		return 258
	case p.Name == "PrivatePIDs", p.Name == "ProtectControlGroups" && p.Value == "private":
		return 257
	}
	return 249
}

type converter struct {
	plan   *plan.Plan
	facts  *host.Facts
	out    Service
	faults plan.Diagnostics

	missing map[string]*layout.Step // in whose tree what is to be at a path would have to be made
	mounts  []*layout.Step          // so far
}

func (c *converter) set(name, value string) {
	c.out.Properties = append(c.out.Properties, Property{name, value})
}

func (c *converter) yes(on bool, name string) {
	if on {
		c.set(name, "yes")
	}
}

// cannot says that a service has no way to say something.
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

// identity converts who the command is and what it may do.
func (c *converter) identity() {
	p, f := c.plan, c.facts
	id := p.Identity
	switch {
	case id.Root && f.UID != 0:
		c.setting("become_root", "", "the command is the caller: a service's user namespace maps ids to themselves")
	case id.UID != nil && *id.UID != f.UID || id.GID != nil && *id.GID != f.GID:
		c.setting("map_user", "", "the command is the caller: a service's user namespace maps ids to themselves")
	}
	privileged := f.Privileged(p)
	if c.out.User {
		c.set("PrivateUsers", "yes") // without which a user's manager may not mount
	}
	keep, all := compile.Keep(p, privileged, f)
	switch {
	case all:
	case c.out.User && (keep != 0 || p.Caps.Bounding != nil):
		key := "capabilities"
		if p.Caps.Set == "" && p.Identity.Root {
			key = "become_root"
		}
		c.setting(key, "", "a user's services have no capabilities")
	case !c.out.User:
		var names []string
		for n, name := range plan.CapNames {
			if keep&(1<<n) != 0 || slices.Contains(p.Caps.Bounding, name) {
				names = append(names, name)
			}
		}
		c.set("CapabilityBoundingSet", strings.Join(names, " "))
	}
	if p.NoNewPrivs {
		c.set("NoNewPrivileges", "yes")
	} else {
		c.set("NoNewPrivileges", "no")
	}
	if p.SuppressChown {
		c.set("SystemCallFilter", "~@chown:0")
	}
	if p.SuppressSync {
		c.set("SystemCallFilter", "~@sync:0")
	}
}

// namespaces converts the namespaces and what becomes of processes.
func (c *converter) namespaces() {
	p := c.plan
	c.yes(p.Unshare.Net, "PrivateNetwork")
	c.yes(p.Unshare.IPC, "PrivateIPC")
	c.yes(p.Unshare.PID, "PrivatePIDs")
	switch {
	case p.Hostname != "":
		if strings.ContainsAny(p.Hostname, ": \t\n\"'\\%") {
			c.setting("hostname", "", "the property cannot hold the name %q", p.Hostname)
			break
		}
		c.set("ProtectHostname", "yes:"+p.Hostname)
	case p.Unshare.UTS:
		c.set("ProtectHostname", "yes")
	}
	if p.Unshare.Cgroup || p.Unshare.CgroupTry {
		c.set("ProtectControlGroups", "private")
	}
	if p.Unshare.Time {
		c.setting("unshare.time", "", "services have no time namespace")
	}
	if p.Unshare.PID && p.Init {
		c.setting("init", "", "pid 1 is the command: there is no init that reaps")
	}
	if p.DieWithParent {
		c.setting("die_with_parent", "", "the service lives on when systemd-run is killed")
	}
	if p.TerminalInput {
		c.setting("terminal_input", "", "services have no terminal to type into")
	}
	if !p.NewSession {
		c.faults = append(c.faults, plan.Diagnostic{Severity: plan.Warning, Op: "new_session", Msg: "services have a session of their own, without job control"})
	}
}

// limits converts resource limits and file descriptors.
func (c *converter) limits() {
	p := c.plan
	if p.Umask != nil {
		c.set("UMask", p.Umask.String())
	}
	number := func(n uint64) string {
		if n == plan.RlimInfinity {
			return "infinity"
		}
		return strconv.FormatUint(n, 10)
	}
	for _, r := range p.Rlimits {
		if r.Name == "RLIMIT_NICE" { // the highest there is, and systemd takes no more
			r.Soft, r.Hard = min(r.Soft, 40), min(r.Hard, 40)
		}
		c.set("Limit"+strings.TrimPrefix(r.Name, "RLIMIT_"), number(r.Soft)+":"+number(r.Hard))
	}
	for _, v := range []struct {
		on  bool
		key string
	}{{len(p.CloseFDs) > 0, "close_fd"}, {len(p.PassFDs) > 0, "pass_fd"}, {p.PackFDs, "pack_fds"}, {p.KeepFDs, "keep_fds"}} {
		if v.on {
			c.setting(v.key, "", "services have the standard file descriptors only")
		}
	}
}

// managed are the variables that the manager sets whatever is asked for,
// systemd.exec(5).
var managed = [...]string{"PATH", "LANG", "USER", "LOGNAME", "HOME", "SHELL", "INVOCATION_ID", "JOURNAL_STREAM", "MEMORY_PRESSURE_WATCH",
	"MEMORY_PRESSURE_WRITE", "SYSTEMD_EXEC_PID", "XDG_RUNTIME_DIR", "DBUS_SESSION_BUS_ADDRESS", "MANAGERPID"}

// environment has the command find the variables that it has in the sandbox, and
// no others. Values of the caller's are not spelt out.
func (c *converter) environment() {
	env := compile.Environment(c.plan, c.facts.Env, c.dir())
	have := map[string]bool{}
	for _, kv := range env {
		name, _, _ := strings.Cut(kv, "=")
		have[name] = true
		if !isVariable(name) {
			at := plan.Origin{}
			for _, e := range c.plan.Env {
				if e.Kind == plan.SetEnv && string(e.Name) == name {
					at = e.At
				}
			}
			c.cannot(at, "setenv", "", "services have no variable with the name %q", name)
			if at.IsZero() {
				c.faults[len(c.faults)-1].Severity = plan.Warning
			}
			continue
		}
		if slices.Contains(c.facts.Env, kv) {
			kv = name
		}
		c.out.Env = append(c.out.Env, kv)
	}
	var drop []string
	for _, name := range managed {
		if !have[name] {
			drop = append(drop, name)
		}
	}
	for _, kv := range c.facts.Env { // a manager may have them, too
		if name, _, _ := strings.Cut(kv, "="); !have[name] && !slices.Contains(drop, name) && isVariable(name) {
			drop = append(drop, name)
		}
	}
	if len(drop) > 0 {
		c.set("UnsetEnvironment", strings.Join(drop, " "))
	}
}

// isVariable reports names that systemd takes.
func isVariable(name string) bool {
	for i := range len(name) {
		if c := name[i]; !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_' || i > 0 && c >= '0' && c <= '9') {
			return false
		}
	}
	return name != ""
}

// dir returns the working directory.
func (c *converter) dir() string {
	if c.plan.SameDir {
		return c.facts.Cwd
	}
	return cmp.Or(string(c.plan.Dir), "/")
}

func (c *converter) command() {
	p := c.plan
	key := "chdir"
	if p.SameDir {
		key = "same_dir"
	}
	if dir, ok := path(c.dir()); ok {
		c.set("WorkingDirectory", dir)
	} else {
		c.setting(key, "", "a property cannot hold the path %q", c.dir())
	}
	for _, a := range p.Command {
		c.out.Command = append(c.out.Command, string(a))
	}
	if c.out.Command == nil {
		c.out.Command = []string{cmp.Or(c.facts.Getenv("SHELL"), "bash")}
	}
}

// unsaid names the settings that this package does not know.
func (c *converter) unsaid() {
	rest := *c.plan
	rest.Version, rest.Ops, rest.Env, rest.Params, rest.Inputs, rest.Where = 0, nil, nil, nil, nil, nil
	rest.Command, rest.Dir, rest.SameDir, rest.Hostname, rest.Umask = nil, "", false, "", nil
	rest.Identity.Root, rest.Identity.UID, rest.Identity.GID = false, nil, nil
	rest.Caps, rest.NoNewPrivs, rest.Rlimits = plan.Caps{}, false, nil
	rest.Unshare = plan.Namespaces{}
	rest.Init, rest.DieWithParent, rest.NewSession = false, false, false
	rest.SuppressChown, rest.SuppressSync = false, false
	rest.CloseFDs, rest.PassFDs, rest.PackFDs, rest.KeepFDs = nil, nil, false, false
	rest.Order = "" // by the layout
	rest.PWD, rest.TerminalInput, rest.DefaultPath = "", false, ""
	for _, name := range plan.Fields(rest) {
		for _, x := range c.plan.Calls(name) {
			c.cannot(x.At, x.Name, "", "a service cannot say it")
		}
	}
}
