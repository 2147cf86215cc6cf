package mkosi

// Print: a plan as a command line.

import (
	"encoding/json"
	"fmt"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"

	"sbx/engine/plan"
)

// Print returns the words of a command line that makes the plan's sandbox, as far
// as one can. The diagnostics name what none can say: errors what the plan asks
// for, warnings where mkosi-sandbox has other defaults. Of a plan that Parse made
// nothing is lost: reading what Print returns gives it back.
func Print(p *plan.Plan) (argv []string, inexpressible plan.Diagnostics) { return PrintOn(p, nil) }

// PrintOn is Print for a host on which special, where it is not nil, reports the
// binds of what is neither a directory nor a regular file to where nothing is:
// mkosi-sandbox would make a directory there, so the command line makes a file.
func PrintOn(p *plan.Plan, special func(*plan.Op) bool) (argv []string, inexpressible plan.Diagnostics) {
	w := &writer{plan: p, special: special}
	w.settings()
	w.operations()
	w.environment()
	if len(p.Command) > 0 {
		w.put("--")
		for _, a := range p.Command {
			w.put(string(a))
		}
	} else {
		w.differs("command", "without a command it is bash, and never $SHELL")
	}
	return w.argv, w.diags
}

type writer struct {
	plan    *plan.Plan
	special func(*plan.Op) bool
	argv    []string
	diags   plan.Diagnostics
}

func (w *writer) put(words ...string) { w.argv = append(w.argv, words...) }

func (w *writer) cannot(at plan.Origin, op, format string, args ...any) {
	w.diags = append(w.diags, plan.Diagnostic{At: at, Op: op, Msg: fmt.Sprintf(format, args...)})
}

// differs says what is otherwise than by default with sbx.
func (w *writer) differs(op, msg string) {
	w.diags = append(w.diags, plan.Diagnostic{Severity: plan.Warning, Op: op, Msg: msg})
}

// settings writes what is not an operation.
func (w *writer) settings() {
	p := w.plan
	flag := func(on bool, word string) {
		if on {
			w.put(word)
		}
	}
	flag(p.Identity.Root, "--become-root")
	flag(p.Identity.Foreign, "--map-foreign")
	if p.Identity.Delegate > 0 {
		w.put("--map-delegate", strconv.Itoa(p.Identity.Delegate))
	}
	flag(p.SuppressChown, "--suppress-chown")
	flag(p.SuppressSync, "--suppress-sync")
	flag(p.Unshare.Net, "--unshare-net")
	flag(p.Unshare.IPC, "--unshare-ipc")
	flag(p.PackFDs, "--pack-fds")
	if p.PackFDs && p.Order == plan.OrderTree && !slices.ContainsFunc(p.Ops, func(o plan.Op) bool { return o.Kind == plan.Proc || plan.Within("/proc", string(o.Dst)) }) {
		w.cannot(p.Where["pack_fds"], "pack_fds", "mkosi-sandbox finds them by /proc, which the sandbox does not have")
	}
	flag(p.Suspend, "--suspend")
	for _, fd := range p.CloseFDs {
		w.put("--close-fd", strconv.Itoa(fd))
	}
	switch {
	case p.SameDir:
		w.put("--same-dir")
	case p.Dir != "":
		w.put("--chdir", string(p.Dir))
	}

	// What holds for all operations alike is said once.
	plain, made := false, p.Order != plan.OrderGiven
	for i := range p.Ops {
		o := &p.Ops[i]
		switch o.Kind {
		case plan.Bind, plan.Tmpfs, plan.Overlay:
			plain = plain || !o.Suid || o.Devices == nil || !*o.Devices
		}
		made = made || !o.Create
	}
	for _, v := range []struct {
		is  bool
		msg string
	}{
		{plain, "set-id programs and devices work in what is mounted, as far as the kernel lets them"},
		{made, "what is missing in a writable bind is made on the host, and in a read-only one it is a fault"},
	} {
		if v.is {
			w.differs("", v.msg)
		}
	}
	w.unsaid()
}

// always says, for a setting by its built-in, what holds whatever a plan says.
func always(builtin string) string {
	switch builtin {
	case "map_user", "map_ids":
		return "the command is the caller or root"
	case "capabilities":
		return "the command keeps those that builds need"
	case "no_new_privs":
		return "set-id programs keep their effect, but under a filter"
	case "unshare":
		return "the only new namespaces are mount, and if so net and ipc, and user where it takes one"
	case "hostname":
		return "the name of the host is the caller's"
	case "umask":
		return "the umask is the caller's"
	case "new_session":
		return "the session is the caller's"
	case "die_with_parent":
		return "what the command leaves running lives on"
	case "keep_fds":
		return "the command has all inherited file descriptors"
	case "terminal_input":
		return "the command may type into the caller's terminal"
	case "propagation":
		return "mounts on the host show in the sandbox, and those in it in namespaces made from it"
	case "pwd":
		return "the variable PWD stays as it is"
	case "command":
		return "the command's name for itself is its name"
	}
	return "there is no option for it"
}

// unsaid names the settings that there are no options for: as errors those that
// a call is for, or that are not the defaults of sbx.
func (w *writer) unsaid() {
	p := *w.plan
	q := New() // with what there are options for
	q.Identity = plan.Identity{Root: p.Identity.Root, Foreign: p.Identity.Foreign, Delegate: p.Identity.Delegate}
	q.SuppressChown, q.SuppressSync = p.SuppressChown, p.SuppressSync
	q.Unshare = plan.Namespaces{Net: p.Unshare.Net, IPC: p.Unshare.IPC}
	q.PackFDs, q.CloseFDs, q.Suspend, q.Dir, q.SameDir = p.PackFDs, p.CloseFDs, p.Suspend, p.Dir, p.SameDir
	if p.Caps.Set == "" && p.Identity.Root {
		p.Caps.Set = "build" // the same
	}
	// What says where things come from, is written elsewhere, or comes to nothing.
	p.Ops, p.Env, p.Command, p.Order, p.Where, p.Params, p.Inputs = q.Ops, q.Env, q.Command, q.Order, nil, nil, nil
	p.Init, p.PassFDs = q.Init, nil
	asked := plan.Differ(p, *plan.New())
	for _, field := range plan.Differ(p, *q) {
		for _, c := range w.plan.Calls(field) {
			d := plan.Diagnostic{At: c.At, Op: c.Name, Msg: always(c.Name)}
			if c.At.IsZero() && !slices.Contains(asked, field) {
				d.Severity = plan.Warning
			}
			same := func(x plan.Diagnostic) bool { return x.Op == d.Op && x.At.Pos == d.At.Pos }
			if i := slices.IndexFunc(w.diags, same); i < 0 {
				w.diags = append(w.diags, d)
			} else if d.Severity == plan.Error {
				w.diags[i] = d
			}
		}
	}
}

// members returns the members of v's JSON object.
func members(v any) map[string]string {
	b, err := json.Marshal(v)
	var m map[string]json.RawMessage
	if err == nil {
		err = json.Unmarshal(b, &m)
	}
	if err != nil {
		panic("sbx bug: a plan does not marshal: " + err.Error())
	}
	out := make(map[string]string, len(m))
	for k, v := range m {
		out[k] = string(v)
	}
	return out
}

// environment writes the variables. All are set before any is unset.
func (w *writer) environment() {
	var set, unset []plan.EnvOp
	last := map[plan.Str]int{}
	for i := range w.plan.Env {
		last[w.plan.Env[i].Name] = i
	}
	for i, e := range w.plan.Env {
		switch e.Kind {
		case plan.ClearEnv:
			w.cannot(e.At, "clearenv", "the environment is the caller's")
		case plan.SetEnv:
			if w.plan.Env[last[e.Name]].Kind != plan.PassEnv { // which brings the caller's back
				set = append(set, e)
			}
		case plan.UnsetEnv:
			if w.plan.Env[last[e.Name]].Kind == plan.UnsetEnv { // else it is set again
				unset = append(unset, w.plan.Env[i])
			}
		}
	}
	for _, e := range set {
		w.put("--setenv", string(e.Name), string(e.Value))
	}
	for _, e := range unset {
		w.put("--unsetenv", string(e.Name))
	}
}

// operations writes the operations, and names those that a command line would
// put into another order.
func (w *writer) operations() {
	ops := w.plan.Ops
	if w.plan.Order != plan.OrderGiven {
		ops = w.sorted()
	}
	var written, rest, binds []*plan.Op
	for i := range ops {
		o := ops[i]
		if o.Kind == plan.Proc && !w.plan.Unshare.PID {
			o = plan.Op{Kind: plan.Bind, Src: "/proc", Dst: o.Dst, At: o.At}
		}
		if w.plan.Order == plan.OrderTree {
			if o.Kind == plan.Overlay && len(o.Lower) == 1 && o.Upper == "" && !o.UpperTmpfs { // which takes two
				o = plan.Op{Kind: plan.Bind, Src: o.Lower[0], Dst: o.Dst, RO: true, Devices: o.Devices, Suid: o.Suid, Exact: o.Exact, Create: o.Create, At: o.At}
			}
			if !w.placed(written, &o) {
				continue
			}
		}
		if !w.operation(&o) {
			continue
		}
		o.Dst = plan.Str(path.Clean(string(o.Dst)))
		o.Src = plan.Str(path.Clean("/" + string(o.Src)))
		written = append(written, &o)
		if o.Kind == plan.Bind {
			binds = append(binds, &o)
		} else {
			rest = append(rest, &o)
		}
	}
	place := make(map[*plan.Op]int, len(written))
	for i, o := range order(rest, binds) {
		place[o] = i + 1
	}
	for i := range written {
		w.ordered(written, place, i)
	}
}

// placed reports whether an operation can be where it is to be, after those that
// are written: a --write does not cover what is there, but goes through to the
// host's. It has the directory made that a --symlink is to lie in, where that is the
// sandbox's own: a --symlink makes none.
func (w *writer) placed(written []*plan.Op, o *plan.Op) bool {
	dst := path.Clean(string(o.Dst))
	var at *plan.Op // what dst lies in, or nil for the root
	made := path.Dir(dst) == "/"
	for _, x := range written {
		mount := x.Kind != plan.Mkdir && x.Kind != plan.Symlink && x.Kind != plan.Write
		if mount && plan.Within(dst, string(x.Dst)) && dst != string(x.Dst) {
			at, made = x, path.Dir(dst) == string(x.Dst)
		}
		made = made || plan.Within(string(x.Dst), path.Dir(dst))
	}
	own := at == nil || at.Kind == plan.Tmpfs || at.Kind == plan.Dev || at.UpperTmpfs
	switch {
	case o.Kind == plan.Write && o.Content == plan.ContentAuto && !own:
		w.cannot(o.At, string(o.Kind), "%q would be written in the %s at %q, and not over it", dst, at.Kind, at.Dst)
		return false
	case o.Kind == plan.Symlink && own && !made:
		w.put("--dir", path.Dir(dst))
	}
	return true
}

// ordered says where operation i would be left out, or come before one that it
// must come after: place has, for each, its place in the order of a command line.
func (w *writer) ordered(ops []*plan.Op, place map[*plan.Op]int, i int) {
	o := ops[i]
	for k := range i {
		x := ops[k]
		if !plan.Within(string(o.Dst), string(x.Dst)) && !plan.Within(string(x.Dst), string(o.Dst)) {
			continue
		}
		switch {
		case place[o] == 0 && !covers(x, o):
			w.cannot(o.At, string(o.Kind), "%q is a part of another bind, and is not mounted once more", o.Dst)
			return
		case place[o] != 0 && place[x] > place[o]:
			w.cannot(o.At, string(o.Kind), "%q comes before the %s at %q, whatever the order of the options", o.Dst, x.Kind, x.Dst)
			return
		}
	}
}

// sorted returns the operations of a plan that are done in the order of their
// destinations, without those that a later one replaces.
func (w *writer) sorted() []plan.Op {
	ops := slices.Clone(w.plan.Ops)
	clean := func(o *plan.Op) string { return path.Clean(string(o.Dst)) }
	slices.SortStableFunc(ops, func(x, y plan.Op) int {
		if x.Inside != y.Inside {
			return compare(&x, &y)
		}
		return plan.ComparePaths(clean(&x), clean(&y))
	})
	kept := ops[:0]
	for i, o := range ops {
		if i+1 < len(ops) && o.Inside == ops[i+1].Inside && clean(&o) == clean(&ops[i+1]) {
			switch ops[i+1].Kind {
			case plan.Mkdir:
				if o.Kind != plan.Symlink && o.Kind != plan.Write && o.Kind != plan.Copy {
					ops[i+1] = o
				}
				continue
			case plan.Mask, plan.Chmod, plan.RemountRO: // they need it
			default:
				continue
			}
		}
		kept = append(kept, o)
	}
	return kept
}

// maxWord is the longest word of a command line, execve(2).
const maxWord = 128<<10 - 1

// operation writes one operation, if there is an option for it.
func (w *writer) operation(o *plan.Op) bool {
	if !w.option(o) {
		return false
	}
	rest := plan.Op{Bare: o.Bare, CreateSrc: o.CreateSrc, ParentMode: o.ParentMode, Content: o.Content, Follow: o.Follow}
	if o.Kind == plan.Write && o.Content != plan.ContentMount {
		rest.Content, rest.Follow = "", false
	}
	for _, k := range slices.Sorted(maps.Keys(members(&rest))) {
		if k != "op" && k != "dst" {
			w.cannot(o.At, string(o.Kind), "%q: there is no option for %s", o.Dst, k)
		}
	}
	return true
}

// option writes the option for an operation.
func (w *writer) option(o *plan.Op) bool {
	cannot := func(format string, args ...any) bool {
		w.cannot(o.At, string(o.Kind), format, args...)
		return false
	}
	dst := string(o.Dst)
	mode := plan.Mode(0o755)
	if strings.HasSuffix(path.Clean(dst), "/tmp") {
		mode = 0o1777
	}
	if o.Mode != nil && (o.Kind == plan.Tmpfs || o.Kind == plan.Mkdir) && *o.Mode != mode {
		cannot("the mode of %q is %s", dst, mode)
	}
	if o.Devices != nil && !*o.Devices {
		cannot("devices work in it, %q", dst)
	}
	switch o.Kind {
	case plan.Bind:
		return w.bind(o)
	case plan.Tmpfs:
		if o.Size > 0 {
			cannot("the size of %q has no limit of its own", dst)
		}
		w.put("--tmpfs", dst)
	case plan.Dev:
		w.put("--dev", dst)
	case plan.Mkdir:
		w.put("--dir", dst)
	case plan.Symlink:
		w.put("--symlink", string(o.Target), dst)
	case plan.Write:
		if strings.IndexByte(string(o.Data), 0) >= 0 || len(o.Data) > maxWord {
			return cannot("the data of %q is no word of a command line", dst)
		}
		if o.Mode != nil {
			cannot("the mode of %q is up to the umask", dst)
		}
		w.put("--write", string(o.Data), dst)
	case plan.Overlay:
		if o.Exact {
			cannot("symlinks on the way to the layers of %q are followed", dst)
		}
		for _, l := range o.Lower {
			w.put("--overlay-lowerdir", string(l))
		}
		if o.UpperTmpfs {
			w.put("--overlay-upperdir", "tmpfs")
		} else if o.Upper != "" {
			w.put("--overlay-upperdir", string(o.Upper))
			if o.Work == "" {
				cannot("the work directory of %q must be named", dst)
			}
		}
		if o.Work != "" {
			w.put("--overlay-workdir", string(o.Work))
		}
		w.put("--overlay", dst)
	default:
		return cannot("%q: there is no option for it", dst)
	}
	return true
}

func (w *writer) bind(o *plan.Op) bool {
	if o.Exact {
		w.cannot(o.At, "bind", "symlinks on the way to %q are followed", o.Src)
	}
	option := "bind"
	if o.RO {
		option = "ro-bind"
	}
	n := 0
	for _, v := range []struct {
		on   bool
		name string
	}{{o.Optional, "-try"}, {o.NoFollow, "-nofollow"}, {o.Foreign, "-foreign"}} {
		if v.on {
			option += v.name
			n++
		}
	}
	if n > 1 {
		w.cannot(o.At, "bind", "%q: there is no option --%s", o.Dst, option)
		return false
	}
	if o.SrcFD != nil {
		w.cannot(o.At, "bind", "%q: the source has to have a path", o.Dst)
		return false
	}
	if w.special != nil && !o.Inside && w.special(o) {
		w.put("--write", "", string(o.Dst))
	}
	src := string(o.Src)
	if o.Inside {
		src = "+" + src
	}
	w.put("--"+option, src, string(o.Dst))
	return true
}
