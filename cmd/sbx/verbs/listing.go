package verbs

// The list of a plan: one screen that tells all that a sandbox is made of, and
// which line of the script asked for it.

import (
	"encoding/hex"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"sbx/engine/compile"
	"sbx/engine/host"
	"sbx/engine/layout"
	"sbx/engine/plan"
	"sbx/engine/sha256"
	"sbx/starlark/eval"
	"sbx/starlark/project"
)

// digest returns the SHA-256 of what a plan does, in hexadecimal.
func digest(p *plan.Plan) string {
	sum := sha256.Sum256(p.Bare())
	return hex.EncodeToString(sum[:])
}

type list struct {
	*page
	plan  *plan.Plan
	facts *host.Facts
	marks map[*plan.Op]string // what a file adds: "opens" or "tightens"
}

// listing returns the list of a plan.
func listing(t *target, p *plan.Plan, l *layout.Layout, f *host.Facts) string {
	s := list{page: newPage(), plan: p, facts: f}
	s.operations(l)
	s.command()
	s.rights()
	s.environment(nil)
	s.script(p.Inputs)
	s.heading("Plan")
	s.table([]row{
		{cells: []cell{{"from", "dim"}, {text: pathText(plan.Str(t.name()))}}},
		{cells: []cell{{"digest", "dim"}, {text: digest(p)}}},
	})
	return s.String()
}

// where returns the position that the reader looks up: that of the call, and
// the line of the script it came about by.
func where(o plan.Origin) string {
	s := o.Pos.String()
	if n := len(o.Stack); n > 0 {
		s += " ← " + o.Stack[n-1].Pos.String()
	}
	return plan.Printable(s)
}

// operations lists those that are done, in their order, and those that are not.
func (s *list) operations(l *layout.Layout) {
	s.heading("Operations, in the order in which they are done")
	rows := make([]row, 0, len(s.plan.Ops)+1)
	done := make([]bool, len(s.plan.Ops))
	steps := l.Steps
	if l.Root != nil {
		steps = append([]*layout.Step{l.Root}, steps...)
	} else {
		rows = append(rows, row{cells: []cell{{"0", "dim"}, {"tmpfs", "op"}, {text: "/"}, {text: "[the root is empty memory]"}}})
	}
	for i, step := range steps {
		if done[step.Index] {
			continue // the root, named in Steps too
		}
		done[step.Index] = true
		more := opRows(strconv.Itoa(i+1), step.Op)
		if m := s.marks[&s.plan.Ops[step.Index]]; m != "" {
			more[0].cells = append(more[0].cells, cell{"← " + m, "warning"})
		}
		rows = append(rows, more...)
		for _, k := range step.Skeletons {
			rows = append(rows, skeletonRow(k))
		}
		if len(step.Extra) > 0 {
			rows = append(rows, madeRow(step.Extra))
		}
		if s.facts.KeepsDirs(step.Op) {
			rows = append(rows, row{cells: []cell{{}, {}, {"  ! directories of the layers cannot be removed or renamed: tmpfs has no user xattrs before Linux 6.6", "warning"}}})
		}
	}
	s.table(rows)

	s.leftOut(done)
}

// leftOut lists the operations that are not done, and why.
func (s *list) leftOut(done []bool) {
	var rows []row
	places := map[string]bool{}
	for i := range s.plan.Ops {
		if done[i] {
			places[filepath.Clean(string(s.plan.Ops[i].Dst))] = true
		}
	}
	for i := range s.plan.Ops {
		op := &s.plan.Ops[i]
		if done[i] {
			continue
		}
		why := "faulty"
		switch {
		case s.later(op):
			why = "its source does not exist"
		case places[filepath.Clean(string(op.Dst))]:
			why = "another is at the same place"
		}
		r := opRows("–", op)
		r[0].cells = append(r[0].cells, cell{why, "warning"})
		rows = append(rows, r...)
	}
	if len(rows) > 0 {
		s.heading("Left out")
		s.table(rows)
	}
}

// maxLayers bounds the layers of one overlay that are listed.
const maxLayers = 20

// opRows returns the line of an operation, and those of an overlay's layers.
func opRows(number string, op *plan.Op) []row {
	cells := []cell{{number, "dim"}, {string(op.Kind), "op"}, {text: pathText(op.Dst)}, {}}
	var opts []string
	option := func(on bool, text string) {
		if on {
			opts = append(opts, text)
		}
	}
	var more []row
	switch op.Kind {
	case plan.Bind, plan.Copy:
		switch {
		case op.SrcFD != nil:
			cells[3].text = "← file descriptor " + strconv.Itoa(*op.SrcFD)
		case op.Src != op.Dst:
			cells[3].text = "← " + pathText(op.Src)
		}
	case plan.Symlink:
		cells[3].text = "→ " + pathText(op.Target)
	case plan.Write:
		cells[3].text = "← " + clip(strconv.Quote(clip(string(op.Data), 60)), 40)
		opts = append(opts, count(len(op.Data), "byte"))
	case plan.Overlay:
		if len(op.Lower) == 1 {
			cells[3].text = "← " + pathText(op.Lower[0])
		} else {
			cells[3].text = "← " + count(len(op.Lower), "layer") + ", bottom first"
			for i, l := range op.Lower {
				if i == maxLayers && len(op.Lower) > maxLayers+1 {
					more = append(more, row{cells: []cell{{}, {}, {}, {"  … and " + strconv.Itoa(len(op.Lower)-i) + " more", "dim"}}})
					break
				}
				more = append(more, row{cells: []cell{{}, {}, {}, {text: "  " + pathText(l)}}})
			}
		}
		switch {
		case op.UpperTmpfs:
			opts = append(opts, "changes go to memory")
		case op.Upper != "":
			opts = append(opts, "changes go to "+pathText(op.Upper))
			option(op.Work != "", "work "+pathText(op.Work))
		default:
			opts = append(opts, "ro")
		}
	}
	option(op.RO, "ro")
	option(op.Inside, "src is inside")
	option(op.NoFollow, "the link itself")
	option(op.Optional, "optional")
	option(op.Devices != nil && *op.Devices, "dev")
	option(op.Devices != nil && !*op.Devices, "nodev")
	option(op.Recursive, "recursive")
	option(op.Suid, "suid")
	option(op.Create, "create")
	option(op.CreateSrc, "create_src")
	option(op.Follow, "follows the link at its place")
	option(op.Bare, "bare")
	switch op.Content {
	case plan.ContentThrough:
		opts = append(opts, "written through")
	case plan.ContentMount:
		opts = append(opts, "mounted")
	}
	option(op.Size > 0, "size "+plan.FormatSize(op.Size))
	if op.Mode != nil {
		opts = append(opts, "mode "+op.Mode.String())
	}
	if op.ParentMode != nil {
		opts = append(opts, "parents "+op.ParentMode.String())
	}
	if len(opts) > 0 {
		cells[3].text = strings.TrimLeft(cells[3].text+"  ["+strings.Join(opts, ", ")+"]", " ")
	}
	return append([]row{{cells, where(op.At)}}, more...)
}

// skeletonRow tells what a read-only overlay adds to a bound directory.
func skeletonRow(k *layout.Skeleton) row {
	return row{cells: []cell{{}, {}, {"  + " + names(k.Entries) + " over " + pathText(plan.Str(k.Path)) + ", not on the host", "dim"}}}
}

func madeRow(entries []*layout.Entry) row {
	return row{cells: []cell{{}, {}, {"  + " + names(entries) + ", not in the layers", "dim"}}}
}

func names(entries []*layout.Entry) string {
	var list []string
	for i, e := range entries {
		if i == 5 {
			list = append(list, "…")
			break
		}
		list = append(list, pathText(plan.Str(e.Rel)))
	}
	return strings.Join(list, " ")
}

// settings is a table of names and values with positions.
type settings struct {
	rows []row
	plan *plan.Plan
}

// add adds a line. The key is that of its position in the plan.
func (t *settings) add(name, value, key string) {
	r := row{cells: []cell{{name, "dim"}, {text: value}}}
	if key != "" {
		r.note = where(t.plan.Where[key])
	}
	t.rows = append(t.rows, r)
}

// command lists what runs, where and with which streams.
func (s *list) command() {
	p := s.plan
	t := settings{plan: p}
	if len(p.Command) > 0 {
		words := make([]string, len(p.Command))
		for i, a := range p.Command {
			words[i] = pathText(a)
		}
		t.add("command", clip(strings.Join(words, " "), 1000), "command")
	} else {
		t.add("command", "$SHELL, or else bash", "")
	}
	switch {
	case p.SameDir:
		t.add("directory", pathText(plan.Str(s.facts.Cwd))+" [the caller's]", "same_dir")
	case p.Dir != "":
		t.add("directory", pathText(p.Dir), "chdir")
	default:
		t.add("directory", "/", "")
	}
	if p.Umask != nil {
		t.add("umask", p.Umask.String(), "umask")
	}
	if p.NewSession {
		t.add("session", "its own, without the caller's terminal", "new_session")
	}
	for _, fd := range p.PassFDs {
		t.add("passed", "file descriptor "+strconv.Itoa(fd), "pass_fd")
	}
	for _, fd := range p.CloseFDs {
		t.add("closed", "file descriptor "+strconv.Itoa(fd)+", as the command starts", "close_fd")
	}
	if p.PackFDs {
		t.add("packed", "all passed file descriptors from 3 on, with LISTEN_FDS", "pack_fds")
	}
	s.heading("Command")
	s.table(t.rows)
}

// rights lists who the command is, what it may do and what it shares with the host.
func (s *list) rights() {
	p := s.plan
	t := settings{plan: p}
	privileged := s.facts.Privileged(p)
	uid, gid, key, note := s.facts.UID, s.facts.GID, "", " [the caller's]"
	if p.Identity.Root {
		uid, gid, key, note = 0, 0, "become_root", ""
	}
	if p.Identity.UID != nil {
		uid, key, note = *p.Identity.UID, "map_user", ""
	}
	if p.Identity.GID != nil {
		gid, key, note = *p.Identity.GID, "map_user", ""
	}
	if id := &p.Identity; id.Maps() {
		key, note = "map_ids", ""
		uid, _ = plan.Inside(id.UIDs, s.facts.UID)
		gid, _ = plan.Inside(id.GIDs, s.facts.GID)
	}
	t.add("user", fmt.Sprintf("uid %d, gid %d%s", uid, gid, note), key)
	for _, m := range []struct {
		what   string
		ranges []plan.IDRange
	}{{"uids", p.Identity.UIDs}, {"gids", p.Identity.GIDs}} {
		for _, r := range m.ranges {
			t.add(m.what, fmt.Sprintf("%d from %d are %d outside", r.Count, r.Inside, r.Outside), key)
		}
	}

	own := []string{"mount"}
	if !privileged {
		own = append(own, "user")
	}
	var keys string
	n := p.Unshare
	for _, ns := range []struct {
		on   bool
		name string
	}{{n.Net, "net"}, {n.IPC, "ipc"}, {n.PID, "pid"}, {n.UTS, "uts"}, {n.Cgroup, "cgroup"}, {n.Time, "time"}} {
		if ns.on {
			own = append(own, ns.name)
			if keys == "" {
				keys = "unshare." + ns.name
			}
		}
	}
	t.add("namespaces", strings.Join(own, ", "), keys)
	if p.Hostname != "" {
		t.add("host name", word(p.Hostname), "hostname")
	}
	if n.PID && p.Init {
		t.add("pid 1", "an init that reaps", "")
	} else if n.PID {
		t.add("pid 1", "the command itself", "init")
	}
	s.capabilities(&t, privileged)
	if compile.ScopesSockets(p, s.facts) {
		t.add("sockets", "abstract ones of the host are out of reach", "scope_sockets")
	} else if p.ScopeSockets && !p.Unshare.Net {
		t.add("sockets", "abstract ones of the host can be reached: this kernel cannot keep them out", "scope_sockets")
	}
	if p.NoNewPrivs {
		t.add("set-id", "programs gain no rights (no_new_privs)", "")
	} else {
		gain := "programs may gain rights"
		for i, name := range p.Caps.Bounding {
			gain += map[bool]string{true: ", among them ", false: ", "}[i == 0] + strings.ToLower(strings.TrimPrefix(name, "CAP_"))
		}
		t.add("set-id", gain, "no_new_privs")
	}
	if p.DieWithParent {
		t.add("lifetime", "all processes end when sbx does", "")
	} else {
		t.add("lifetime", "processes may outlive sbx", "die_with_parent")
	}
	var made []string
	if p.SuppressChown {
		made = append(made, "chown")
	}
	if p.SuppressSync {
		made = append(made, "sync")
	}
	if made != nil {
		t.add("suppressed", strings.Join(made, ", ")+": these calls succeed and do nothing", "suppress_"+made[0])
	}
	for _, r := range p.Rlimits {
		value := limit(r.Soft)
		if r.Hard != r.Soft {
			value += ", at most " + limit(r.Hard)
		}
		name := strings.ToLower(strings.TrimPrefix(r.Name, "RLIMIT_"))
		t.rows = append(t.rows, row{[]cell{{"limit", "dim"}, {text: plan.Printable(name) + " " + value}}, where(r.At)})
	}
	s.heading("Rights and limits")
	s.table(t.rows)
}

func (s *list) capabilities(t *settings, privileged bool) {
	p := s.plan
	key := ""
	if p.Caps.Set != "" {
		key = "capabilities"
	} else if p.Identity.Root {
		key = "become_root"
	}
	keep, all := compile.Keep(p, privileged, s.facts)
	switch {
	case all:
		t.add("capabilities", "the caller's", key)
	case keep == 0:
		t.add("capabilities", "none", key)
	case keep == plan.AllCaps:
		t.add("capabilities", "all", key)
	default:
		var names []string
		for i, name := range plan.CapNames {
			if keep&(1<<i) != 0 {
				names = append(names, strings.ToLower(strings.TrimPrefix(name, "CAP_")))
			}
		}
		for i := 0; i < len(names); i += 6 {
			label, k := "", ""
			if i == 0 {
				label, k = "capabilities", key
			}
			t.add(label, strings.Join(names[i:min(i+6, len(names))], ", "), k)
		}
	}
}

func limit(n uint64) string {
	if n == plan.RlimInfinity {
		return "unlimited"
	}
	return strconv.FormatUint(n, 10)
}

// environment lists the changes to it, beside the variables that are listed
// elsewhere.
func (s *list) environment(elsewhere []string) {
	var rows []row
	for i := range s.plan.Env {
		e := &s.plan.Env[i]
		if e.Kind == plan.UnsetEnv && slices.Contains(elsewhere, string(e.Name)) {
			continue
		}
		switch e.Kind {
		case plan.SetEnv:
			value := cell{text: "= " + pathText(e.Value)}
			if project.IsSecretSet(e) {
				value = cell{"a secret", "dim"}
			}
			rows = append(rows, row{[]cell{{"set", "dim"}, {text: pathText(e.Name)}, value}, where(e.At)})
		case plan.UnsetEnv:
			rows = append(rows, row{[]cell{{"unset", "dim"}, {text: pathText(e.Name)}}, where(e.At)})
		case plan.PassEnv:
			rows = append(rows, row{[]cell{{"pass", "dim"}, {text: pathText(e.Name)}, {"the caller's", "dim"}}, where(e.At)})
		case plan.ClearEnv:
			kept := "everything"
			if len(e.Keep) > 0 {
				kept += " but"
				for _, k := range e.Keep {
					kept += " " + pathText(k)
				}
			}
			rows = append(rows, row{[]cell{{"clear", "dim"}, {text: kept}}, where(e.At)})
		}
	}
	s.heading("Environment")
	if rows == nil {
		s.add("  ", s.in("dim", "the caller's"), "\n")
		return
	}
	s.table(rows)
}

// script lists what the script was given, and what it read of the host.
func (s *list) script(inputs []plan.Input) {
	var rows []row
	for _, p := range s.plan.Params {
		value := p.Value
		from := "[given]"
		if fmt.Sprint(value) == fmt.Sprint(p.Default) && !p.Required {
			from = "[the default]"
		}
		rows = append(rows, row{[]cell{{text: p.Name}, {text: "= " + clip(literal(value), 100)}, {from, "dim"}}, where(p.At)})
	}
	if rows != nil {
		s.heading("Parameters")
		s.table(rows)
	}
	rows = nil
	for _, in := range inputs {
		value := string(in.Value)
		switch {
		case in.Kind == "env" && eval.IsSecretEnv(string(in.Name), value):
			value = "a secret"
		case in.Kind == "file" || in.Kind == "glob" || in.Kind == "symlinks":
			value = "sha256 " + clip(value, 16)
		case value != "":
			value = "= " + pathText(in.Value)
		}
		rows = append(rows, row{cells: []cell{{plan.Printable(in.Kind), "dim"}, {text: pathText(in.Name)}, {text: value}}})
	}
	if rows != nil {
		s.heading("Read of the host by the script")
		s.table(rows)
	}
}

// project lists the plan of a project's sandbox.
func (s *list) project(r *project.Result, l *layout.Layout) {
	s.operations(l)
	s.command()
	s.rights()
	s.environment(r.Dropped)
	if len(r.Dropped) > 0 {
		names := make([]string, len(r.Dropped))
		for i, n := range r.Dropped {
			names[i] = pathText(plan.Str(n))
		}
		s.heading("Kept out of the environment, as secrets, ways to the host, or temporary directories that are not there")
		s.wrap("  ", strings.Join(names, " "))
	}
	s.script(r.Inputs())
	s.heading("Configuration")
	rows := []row{{cells: []cell{{"project", "dim"}, {text: pathText(plan.Str(r.Dir))}}}}
	for _, f := range []struct {
		name, path string
		state      project.State
	}{{"user's file", r.UserFile, r.User}, {"project's file", r.ProjectFile, r.Project}} {
		if f.path != "" {
			rows = append(rows, row{cells: []cell{{f.name, "dim"}, {text: pathText(plan.Str(f.path))}, {text: stateText(f.state)}}})
		}
	}
	s.table(append(rows, row{cells: []cell{{"digest", "dim"}, {text: digest(s.plan)}}}))
}

func stateText(s project.State) string {
	switch s {
	case project.Absent:
		return "[there is none]"
	case project.Trusted:
		return "[trusted]"
	case project.InTrusted:
		return "[in a trusted directory]"
	case project.Tightens:
		return "[not trusted; it opens nothing]"
	case project.Ignored:
		return "[ignored]"
	case project.Untrusted:
		return "[not trusted]"
	}
	return ""
}
