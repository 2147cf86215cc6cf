package bwrap

// Print: a plan as a command line.

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"sbx/engine/plan"
)

// Input is what bubblewrap reads from a file descriptor.
type Input struct {
	FD   int
	Data []byte
}

// Print returns the words of a command line that makes the plan's sandbox, as far
// as one can, and what the file descriptors in it must yield. The diagnostics name
// what no command line can say: errors what the plan asks for, warnings what
// bubblewrap does in its own way. Of a plan that Parse made nothing is lost.
func Print(p *plan.Plan) (argv []string, inputs []Input, inexpressible plan.Diagnostics) {
	w := &writer{plan: p, next: firstFD}
	w.namespaces()
	w.identity()
	w.settings()
	w.environment()
	ops := p.Ops
	if p.Order == plan.OrderTree {
		ops = sorted(ops)
	}
	for i := range ops {
		w.parents(&ops[i])
		w.operation(&ops[i])
		w.unsaidOf(&ops[i])
	}
	w.unsaid()
	if len(p.Command) > 0 {
		w.put("--")
		for _, a := range p.Command {
			w.put(string(a))
		}
	} else {
		w.cannot(p.Where["command"], "command", "there is no command, and none is the default")
	}
	return w.argv, w.inputs, w.diags
}

// firstFD is the first number that inputs get.
const firstFD = 10

type writer struct {
	plan   *plan.Plan
	argv   []string
	inputs []Input
	diags  plan.Diagnostics
	next   int
	made   []plan.Op // so far, with clean destinations
}

func (w *writer) put(words ...string) { w.argv = append(w.argv, words...) }

func (w *writer) flag(on bool, word string) {
	if on {
		w.put(word)
	}
}

func (w *writer) number(fd *int, word string) {
	if fd != nil {
		w.put(word, strconv.Itoa(*fd))
	}
}

func (w *writer) cannot(at plan.Origin, op, format string, args ...any) {
	w.diags = append(w.diags, plan.Diagnostic{At: at, Op: op, Msg: fmt.Sprintf(format, args...)})
}

func (w *writer) differs(key, msg string) {
	op, _, _ := strings.Cut(key, ".")
	w.diags = append(w.diags, plan.Diagnostic{Severity: plan.Warning, At: w.plan.Where[key], Op: op, Msg: msg})
}

// input has data come through a file descriptor, whose number it returns.
func (w *writer) input(data plan.Str) string {
	p := w.plan
	used := []*int{p.Join.User, p.Join.User2, p.Join.PID, p.Hooks.Info, p.Hooks.Status, p.Hooks.Block, p.Hooks.UserNSBlock, p.Hooks.Sync}
	for i := range p.Ops {
		used = append(used, p.Ops[i].SrcFD)
	}
	for slices.ContainsFunc(used, func(fd *int) bool { return fd != nil && *fd == w.next }) {
		w.next++
	}
	w.inputs = append(w.inputs, Input{w.next, []byte(data)})
	w.next++
	return strconv.Itoa(w.next - 1)
}

func (w *writer) namespaces() {
	n := &w.plan.Unshare
	w.flag(w.newUser(), "--unshare-user")
	w.flag(n.UserTry, "--unshare-user-try")
	w.flag(n.IPC, "--unshare-ipc")
	w.flag(n.PID, "--unshare-pid")
	w.flag(n.Net, "--unshare-net")
	w.flag(n.UTS, "--unshare-uts")
	w.flag(n.Cgroup, "--unshare-cgroup")
	w.flag(n.CgroupTry, "--unshare-cgroup-try")
	if n.Time {
		w.cannot(w.plan.Where["unshare.time"], "unshare", "there is no time namespace")
	}
	j := &w.plan.Join
	w.number(j.User, "--userns")
	w.number(j.User2, "--userns2")
	w.number(j.PID, "--pidns")
	w.flag(w.plan.NoUserNS, "--disable-userns")
	w.flag(w.plan.AssertNoUserNS, "--assert-userns-disabled")
}

// newUser reports whether there is to be --unshare-user: where the plan says so,
// or bubblewrap takes other options only with it, which sbx makes a user
// namespace for without being told.
func (w *writer) newUser() bool {
	p := w.plan
	n, h := &p.Unshare, &p.Hooks
	ids := p.Identity.Root || p.Identity.UID != nil || p.Identity.GID != nil
	switch {
	case p.Join.User != nil && (n.User || n.UserTry):
		w.cannot(p.Where["unshare.user"], "unshare", "there is no user namespace besides the one that is joined")
	case p.Join.User != nil && p.NoUserNS:
		w.cannot(p.Where["disable_userns"], "disable_userns", "that needs a user namespace of the sandbox's own")
	case p.Join.User != nil && h.UserNSBlock != nil:
		w.cannot(p.Where["hooks"], "hooks", "userns_block_fd needs a user namespace of the sandbox's own")
	case p.NoUserNS && h.UserNSBlock != nil:
		w.cannot(p.Where["disable_userns"], "disable_userns", "not beside the userns_block_fd of hooks()")
	case h.UserNSBlock != nil && h.Info == nil:
		w.cannot(p.Where["hooks"], "hooks", "userns_block_fd needs info_fd")
	}
	return n.User || p.Join.User == nil && (p.NoUserNS || h.UserNSBlock != nil || ids && p.Lifetime != plan.LifetimeCommand && !n.UserTry)
}

func (w *writer) identity() {
	p := w.plan
	id := p.Identity
	uid, gid := id.UID, id.GID
	if id.Root {
		var zero uint32
		uid, gid = &zero, &zero
	}
	for _, v := range []struct {
		id   *uint32
		word string
	}{{uid, "--uid"}, {gid, "--gid"}} {
		if v.id != nil {
			w.put(v.word, strconv.FormatUint(uint64(*v.id), 10))
		}
	}
	if id.Foreign {
		w.cannot(p.Where["map_foreign"], "map_foreign", "there are no more ids than one")
	}
	if id.Delegate > 0 {
		w.cannot(p.Where["map_delegate"], "map_delegate", "there are no more ids than one")
	}
	if id.Maps() {
		w.cannot(p.Where["map_ids"], "map_ids", "there are no more ids than one")
	}
	if len(p.Caps.Bounding) > 0 {
		w.cannot(p.Where["capabilities"], "capabilities", "set-id programs gain nothing")
	}
	caps := func(word string, names []string) {
		for _, name := range names {
			w.put(word, name)
		}
	}
	switch set := p.Caps.Set; {
	case set == "caller":
		caps("--cap-add", p.Caps.Add)
		caps("--cap-drop", p.Caps.Drop)
	case set == "all" || set == "keep" && plan.CapSet(p.Caps.Keep) == plan.AllCaps:
		w.put("--cap-add", "ALL")
	default:
		keep := uint64(0)
		switch {
		case set == "keep":
			keep = plan.CapSet(p.Caps.Keep)
		case set == "build" || set == "" && id.Root:
			keep = plan.CapSet(plan.BuildCaps)
			if p.Unshare.Net {
				keep |= plan.CapSet(plan.BuildNetCaps)
			}
		}
		w.put("--cap-drop", "ALL")
		for i, name := range plan.CapNames { // by number, as what is read from this line has them
			if keep&(1<<i) != 0 {
				w.put("--cap-add", name)
			}
		}
	}
}

// settings writes what else is not an operation.
func (w *writer) settings() {
	p := w.plan
	if p.Hostname != "" {
		w.put("--hostname", p.Hostname)
	}
	if p.Argv0 != nil {
		w.put("--argv0", string(*p.Argv0))
	}
	switch {
	case p.SameDir:
		w.differs("same_dir", "where the sandbox has no such directory the command starts in $HOME or /")
	case p.Dir != "":
		w.put("--chdir", string(p.Dir))
	case !p.TryDir:
		w.put("--chdir", "/")
	}
	w.flag(p.Unshare.PID && !p.Init, "--as-pid-1")
	w.flag(p.DieWithParent, "--die-with-parent")
	w.flag(p.NewSession, "--new-session")
	h := &p.Hooks
	w.number(h.Info, "--info-fd")
	w.number(h.Status, "--json-status-fd")
	w.number(h.Block, "--block-fd")
	w.number(h.UserNSBlock, "--userns-block-fd")
	w.number(h.Sync, "--sync-fd")
	for _, l := range h.Locks {
		if p.Unshare.PID && !p.Init {
			w.cannot(l.At, "lock_file", "nothing holds %q locked without an init", l.Path)
		}
		w.put("--lock-file", string(l.Path))
	}
	for _, f := range p.Filters {
		w.put("--add-seccomp-fd", w.input(f.Code))
	}
	for _, s := range []struct {
		is  bool
		key string
		msg string
	}{
		{!p.NoNewPrivs, "no_new_privs", "set-id programs never gain rights"},
		{p.Umask != nil, "umask", "the umask is the caller's"},
		{p.SuppressChown, "suppress_chown", "there is no such filter"},
		{p.SuppressSync, "suppress_sync", "there is no such filter"},
		{p.PackFDs, "pack_fds", "inherited file descriptors keep their numbers"},
		{p.Suspend, "suspend", "the command does not stop itself"},
		{len(p.CloseFDs) > 0, "close_fd", "all inherited file descriptors are passed on"},
	} {
		if s.is {
			op, _, _ := strings.Cut(s.key, ".")
			w.cannot(p.Where[s.key], op, "%s", s.msg)
		}
	}
	for i := range p.Rlimits {
		w.cannot(p.Rlimits[i].At, "rlimit", "%s stays as it is", p.Rlimits[i].Name)
	}
	if !p.KeepFDs {
		w.differs("pass_fd", "all inherited file descriptors are passed on")
	}
	if !p.TerminalInput && !p.NewSession {
		w.differs("", "the command may type into the caller's terminal, unless there is --new-session")
	}
	if p.Lifetime != plan.LifetimeCommand {
		w.differs("die_with_parent", "what the command leaves running lives on, and signals are not passed on")
	}
	if p.Propagation != plan.PropagationSlave {
		w.differs("", "what is mounted on the host later shows in the sandbox")
	}
	create := func(o plan.Op) bool { return !o.Create && o.Kind != plan.Chmod && o.Kind != plan.RemountRO }
	if slices.ContainsFunc(p.Ops, create) {
		w.differs("", "what is missing in a writable bind is made on the host, and in a read-only one it is a fault")
	}
}

func (w *writer) environment() {
	p := w.plan
	if p.PWD != plan.PWDSet {
		w.differs("pwd", "the variable PWD is always that of the directory, and OLDPWD stays as it is")
	}
	for i, e := range p.Env {
		if e.Name == "PWD" && p.PWD != plan.PWDSet && e.Kind != plan.PassEnv {
			w.cannot(e.At, string(e.Kind), "PWD is the directory that the command starts in")
			continue
		}
		switch e.Kind {
		case plan.PassEnv:
			changed := func(x plan.EnvOp) bool {
				return x.Kind == plan.ClearEnv && !slices.Contains(x.Keep, e.Name) || x.Kind != plan.PassEnv && x.Name == e.Name
			}
			if slices.ContainsFunc(p.Env[:i], changed) {
				w.cannot(e.At, "pass_env", "the caller's %q does not come back; setenv() the value instead", e.Name)
			}
		case plan.SetEnv:
			w.put("--setenv", string(e.Name), string(e.Value))
		case plan.UnsetEnv:
			w.put("--unsetenv", string(e.Name))
		case plan.ClearEnv:
			w.put("--clearenv")
			if len(e.Keep) > 0 {
				w.cannot(e.At, "clearenv", "no variables are kept; setenv() the values instead")
			}
		}
	}
}

// unsaid names the settings that there are no options for.
func (w *writer) unsaid() {
	rest, usual := *w.plan, New()
	rest.Version, rest.Ops, rest.Env, rest.Order, rest.Params, rest.Inputs, rest.Where = 0, nil, nil, "", nil, nil, nil
	rest.Command, rest.Argv0, rest.Dir, rest.SameDir, rest.TryDir, rest.Hostname, rest.Umask = nil, nil, "", false, false, "", nil
	rest.Identity, rest.Caps, rest.NoNewPrivs, rest.Unshare, rest.Join = plan.Identity{}, plan.Caps{}, false, plan.Namespaces{}, plan.Join{}
	rest.Init, rest.DieWithParent, rest.Lifetime, rest.NewSession = false, false, "", false
	rest.NoUserNS, rest.AssertNoUserNS, rest.Hooks, rest.Filters = false, false, plan.Hooks{}, nil
	rest.SuppressChown, rest.SuppressSync, rest.Rlimits = false, false, nil
	rest.CloseFDs, rest.PassFDs, rest.PackFDs, rest.KeepFDs = nil, nil, false, false
	rest.TerminalInput, rest.Suspend, rest.Propagation, rest.ShellScripts = false, false, "", false
	if m := rest.PointMode; m != nil && *m == *usual.PointMode {
		rest.PointMode = nil
	}
	if rest.DefaultPath == usual.DefaultPath {
		rest.DefaultPath = ""
	}
	if rest.PWD == usual.PWD {
		rest.PWD = ""
	}
	for _, name := range plan.Fields(rest) {
		for _, c := range w.plan.Calls(name) {
			w.cannot(c.At, c.Name, "there is no option for it")
		}
	}
}
