package bwrap

// Print: a plan as a command line.

import (
	"fmt"
	"path"
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
	case set == "keep":
		w.put("--cap-drop", "ALL")
		caps("--cap-add", p.Caps.Keep)
	case set == "build" || set == "" && id.Root:
		w.put("--cap-drop", "ALL")
		caps("--cap-add", plan.BuildCaps)
		if p.Unshare.Net {
			caps("--cap-add", plan.BuildNetCaps)
		}
	default:
		w.put("--cap-drop", "ALL")
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

// unsaidOf names what an operation says and no option does, beside what operation
// has named.
func (w *writer) unsaidOf(o *plan.Op) {
	switch {
	case o.Content == plan.ContentMount && o.Kind == plan.Symlink:
		w.cannot(o.At, string(o.Kind), "%q is not mounted over what is there", o.Dst)
	case o.Devices != nil && *o.Devices && o.Kind == plan.Tmpfs:
		w.cannot(o.At, string(o.Kind), "devices do not work in it, %q", o.Dst)
	case o.Devices != nil && !*o.Devices && o.Kind == plan.Overlay:
		w.cannot(o.At, string(o.Kind), "devices work in it, %q", o.Dst)
	}
	switch {
	case o.Exact && o.Kind == plan.Overlay:
		w.cannot(o.At, string(o.Kind), "symlinks on the way to the layers of %q are followed", o.Dst)
	case o.Exact:
		w.cannot(o.At, string(o.Kind), "symlinks on the way to %q are followed", o.Src)
	}
}

// parents has the directories on the way to an operation's destination made before
// it, where bubblewrap would make them with another mode than they are to have.
func (w *writer) parents(o *plan.Op) {
	perms := plan.Mode(0)
	switch o.Kind {
	case plan.Chmod, plan.RemountRO, plan.Mask, plan.Copy: // need it, or are not written
		return
	case plan.Tmpfs, plan.Mkdir, plan.Write:
		perms = modeOf(o)
	}
	dst := path.Clean(string(o.Dst))
	want := plan.Mode(0o755)
	if o.ParentMode != nil {
		want = *o.ParentMode
	}
	differs := func(dst string, perms plan.Mode) bool {
		m := parentMode(plan.Str(dst), int(perms))
		return m != nil && *m != want
	}
	if !differs(string(o.Dst), perms) {
		if !o.Optional || o.Kind != plan.Bind {
			w.made = append(w.made, plan.Op{Kind: o.Kind, Dst: plan.Str(dst), UpperTmpfs: o.UpperTmpfs})
		}
		return
	}
	dirs := w.missing(dst, o.Create)
	if len(dirs) > 0 && want&0o6000 != 0 {
		w.cannot(o.At, string(o.Kind), "directories on the way to %q do not get the mode %v", o.Dst, want)
	}
	for i, dir := range dirs {
		if i+1 < len(dirs) && !differs(dirs[i+1], want) {
			continue // made on the way to the next one
		}
		if want != 0o755 {
			w.put("--perms", fmt.Sprintf("%04o", uint32(want)))
		}
		w.put("--dir", dir)
		w.made = append(w.made, plan.Op{Kind: plan.Mkdir, Dst: plan.Str(dir)})
	}
	if o.Optional && o.Kind == plan.Bind {
		if len(dirs) > 0 {
			w.diags = append(w.diags, plan.Diagnostic{Severity: plan.Warning, At: o.At, Op: "bind",
				Msg: fmt.Sprintf("directory %q is there even where %q is missing", dirs[len(dirs)-1], o.Src)})
		}
		return
	}
	w.made = append(w.made, plan.Op{Kind: o.Kind, Dst: plan.Str(dst), UpperTmpfs: o.UpperTmpfs})
}

// missing returns the directories on the way to dst that nothing has made so far,
// outermost first. In a tree of the host's there are none missing, or they are made
// there if create is set.
func (w *writer) missing(dst string, create bool) []string {
	var dirs []string
	for dir := path.Dir(dst); dir != "/"; dir = path.Dir(dir) {
	search:
		for i := len(w.made) - 1; i >= 0; i-- {
			o := &w.made[i]
			switch below := plan.Within(dir, string(o.Dst)); {
			case plan.Within(string(o.Dst), dir):
				return dirs // it is there, and so is what is above
			case below && (o.Kind == plan.Tmpfs || o.UpperTmpfs), below && create && hostTree(o):
				break search
			case below && hostTree(o):
				return dirs
			}
		}
		dirs = slices.Insert(dirs, 0, dir)
	}
	return dirs
}

// hostTree reports whether an operation shows what is elsewhere at its destination.
func hostTree(o *plan.Op) bool {
	return o.Kind != plan.Mkdir && o.Kind != plan.Symlink && o.Kind != plan.Write && o.Kind != plan.Tmpfs
}

// modeOf returns the mode of what a Tmpfs, Mkdir or Write makes.
func modeOf(o *plan.Op) plan.Mode {
	switch {
	case o.Mode != nil:
		return *o.Mode
	case o.Kind == plan.Write:
		return 0o644
	case strings.HasSuffix(strings.TrimRight(string(o.Dst), "/"), "/tmp"):
		return 0o1777
	}
	return 0o755
}

// operation writes one operation.
func (w *writer) operation(o *plan.Op) {
	cannot := func(format string, args ...any) { w.cannot(o.At, string(o.Kind), format, args...) }
	dst := string(o.Dst)
	perms := func(usual plan.Mode) {
		if m := modeOf(o); m != usual {
			w.put("--perms", fmt.Sprintf("%04o", uint32(m)))
		}
	}
	switch o.Kind {
	case plan.Bind:
		if o.CreateSrc {
			cannot("a missing source, %q, is not made", o.Src)
		}
		w.bind(o)
	case plan.Tmpfs:
		if o.Size > 0 {
			w.put("--size", strconv.FormatUint(o.Size, 10))
		}
		perms(0o755)
		w.put("--tmpfs", dst)
	case plan.Mkdir:
		perms(0o755)
		w.put("--dir", dst)
		if m := modeOf(o); m&0o6000 != 0 { // which mkdir(2) does not make
			w.put("--chmod", fmt.Sprintf("%04o", uint32(m)), dst)
		}
	case plan.Mqueue:
		w.put("--mqueue", dst)
	case plan.Dev:
		if !o.Bare {
			w.diags = append(w.diags, plan.Diagnostic{Severity: plan.Warning, At: o.At, Op: "dev", Msg: "there is no fuse in it, and shm is writable for its owner alone"})
		}
		w.put("--dev", dst)
	case plan.Proc:
		w.put("--proc", dst)
	case plan.Symlink:
		w.put("--symlink", string(o.Target), dst)
	case plan.Write:
		word := "--bind-data"
		switch {
		case o.Content == plan.ContentThrough:
			word = "--file"
			perms(0o666)
		case o.RO || w.remounted(dst):
			word = "--ro-bind-data"
			fallthrough
		default:
			perms(0o600)
		}
		w.put(word, w.input(o.Data), dst)
	case plan.Overlay:
		w.overlay(o)
	case plan.RemountRO:
		if o.Recursive {
			cannot("what is mounted below %q stays as it is", o.Dst)
		}
		w.put("--remount-ro", dst)
	case plan.Chmod:
		if o.UID != nil || o.GID != nil {
			cannot("owners cannot be set")
		}
		w.put("--chmod", fmt.Sprintf("%04o", uint32(*o.Mode)), dst)
	case plan.Copy:
		cannot("there are no copies; bind() %q, or write() what is in it", o.Src)
	case plan.Mask:
		cannot("%q cannot be masked; an empty tmpfs() or a bind() of /dev/null hides it", o.Dst)
	default:
		cannot("unknown operation")
	}
	if o.Foreign || o.Suid && o.Kind != plan.Overlay {
		cannot("at %q the owner or the effect of set-id programs is lost", o.Dst)
	}
}

// remounted reports whether a file of the sandbox's own is to be read-only since what
// it lies in becomes so: here it is a mount by itself.
func (w *writer) remounted(file string) bool {
	p := w.plan
	if p.Order != plan.OrderTree {
		return false
	}
	file = path.Clean(file)
	in, own := "/", true
	for i := range p.Ops {
		o := &p.Ops[i]
		dst := path.Clean(string(o.Dst))
		if dst == file || !plan.Within(file, dst) || len(dst) < len(in) {
			continue
		}
		switch o.Kind {
		case plan.Tmpfs, plan.Dev, plan.Bind, plan.Overlay, plan.Proc, plan.Mqueue:
			in, own = dst, o.Kind == plan.Tmpfs || o.Kind == plan.Dev || o.UpperTmpfs // else sbx mounts it, too
		}
	}
	return own && slices.ContainsFunc(p.Ops, func(o plan.Op) bool { return o.Kind == plan.RemountRO && path.Clean(string(o.Dst)) == in })
}

func (w *writer) bind(o *plan.Op) {
	src := string(o.Src)
	dev := src == "/" || src == "/dev" || strings.HasPrefix(src, "/dev/")
	if o.Devices != nil {
		dev = *o.Devices
	}
	if o.SrcFD != nil {
		word := "--bind-fd"
		if o.RO {
			word = "--ro-bind-fd"
		}
		w.put(word, strconv.Itoa(*o.SrcFD), string(o.Dst))
		return
	}
	if o.NoFollow || o.Inside {
		w.cannot(o.At, "bind", "%q is neither a path of the host, nor followed where it is a symlink", o.Src)
		return
	}
	word := "--bind"
	switch {
	case o.RO:
		word = "--ro-bind"
		if dev && o.Devices != nil {
			w.cannot(o.At, "bind", "devices do not work in what is bound read-only, %q", o.Src)
		}
	case dev:
		word = "--dev-bind"
	}
	if o.Optional {
		word += "-try"
	}
	w.put(word, src, string(o.Dst))
}

func (w *writer) overlay(o *plan.Op) {
	if o.Upper == "" && !o.UpperTmpfs && len(o.Lower) == 1 { // which takes two
		w.put("--ro-bind", string(o.Lower[0]), string(o.Dst))
		return
	}
	for _, l := range o.Lower {
		w.put("--overlay-src", string(l))
	}
	switch {
	case o.UpperTmpfs:
		w.put("--tmp-overlay", string(o.Dst))
	case o.Upper == "":
		w.put("--ro-overlay", string(o.Dst))
	default:
		work := string(o.Work)
		if work == "" {
			work = o.DefaultWork()
			w.diags = append(w.diags, plan.Diagnostic{Severity: plan.Warning, At: o.At, Op: "overlay", Msg: fmt.Sprintf("the work directory %q must be there", work)})
		}
		w.put("--overlay", string(o.Upper), work, string(o.Dst))
	}
}

// sorted returns operations by destination, parents first, and of several at one
// place the last, as plan.OrderTree has them done.
func sorted(ops []plan.Op) []plan.Op {
	list := slices.Clone(ops)
	key := func(o *plan.Op) []string {
		c := strings.FieldsFunc(string(o.Dst), func(r rune) bool { return r == '/' })
		return slices.DeleteFunc(c, func(s string) bool { return s == "." })
	}
	phase := func(o *plan.Op) int {
		switch o.Kind {
		case plan.Chmod:
			return 1
		case plan.RemountRO:
			return 2
		}
		return 0
	}
	compare := func(a, b plan.Op) int {
		if d := phase(&a) - phase(&b); d != 0 {
			return d
		}
		return slices.Compare(key(&a), key(&b))
	}
	slices.SortStableFunc(list, compare)
	var out []plan.Op
	for i := range list {
		if i+1 < len(list) && list[i+1].Kind != plan.Mask && (list[i+1].Recursive || !list[i].Recursive) && compare(list[i], list[i+1]) == 0 {
			if k := list[i].Kind; list[i+1].Kind == plan.Mkdir && k != plan.Mkdir && k != plan.Symlink && k != plan.Write && k != plan.Copy {
				list[i+1] = list[i] // a directory asked for where one is
			}
			continue
		}
		out = append(out, list[i])
	}
	return out
}
