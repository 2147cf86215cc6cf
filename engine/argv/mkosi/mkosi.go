// Package mkosi reads and prints the command lines of mkosi-sandbox(1).
//
// Parse takes every option of that program, those of older versions among them,
// and gives the plan of the sandbox that it stands for; Print is the way back.
// Both are pure. What depends on the host, such as whether there are the rights
// for a network namespace, is for the caller to settle.
package mkosi

import (
	"fmt"
	"path"
	"strconv"
	"strings"

	"sbx/engine/plan"
)

// File is the name of the command line in positions: the line of a position is
// the number of a word of it, counted from 1, as is that of Source.
const File = "mkosi-sandbox"

// Line is a command line, read.
type Line struct {
	Plan *plan.Plan

	// What to do instead of or beside running the plan.
	Help, Version, Debug bool
}

// Parse reads the words that follow the program's name. Relative paths, those of
// the sandbox too, are relative to cwd. Options end at the first word that does
// not begin with "-", or at "--"; the rest is the command, or else that is bash.
// Parse stops at --help and --version, and at an option that it does not know.
func Parse(args []string, cwd string) (*Line, plan.Diagnostics) {
	r := &reader{args: args, cwd: cwd, line: &Line{Plan: New()}}
	r.options()
	p := r.line.Plan
	ops := order(r.rest, r.binds)
	p.Ops = make([]plan.Op, 0, len(ops))
	for _, op := range ops {
		p.Ops = append(p.Ops, *op)
	}
	p.Env = append(p.Env, r.unset...) // whatever the order of the words
	for _, a := range args[r.next:] {
		p.Command = append(p.Command, plan.Str(a))
	}
	if r.next < len(args) {
		p.SetWhere("command", word(r.next))
	} else {
		p.Command = []plan.Str{defaultCommand}
	}
	r.diags.Sort()
	return r.line, r.diags
}

const defaultCommand = "bash"

// New returns the plan of the empty command line, but for the command.
func New() *plan.Plan {
	p := plan.New()
	p.Order = plan.OrderGiven
	p.Propagation = plan.PropagationShared
	p.Caps.Set = "build"
	p.PWD = plan.PWDKeep
	p.NoNewPrivs = false
	p.DieWithParent = false
	p.KeepFDs = true
	p.TerminalInput = true
	return p
}

// complete fills in how the operations of this program differ from others'.
func complete(op plan.Op, at plan.Origin) *plan.Op {
	op.At = at
	op.Create, op.Chase = true, true
	switch op.Kind {
	case plan.Bind, plan.Tmpfs, plan.Overlay:
		yes := true
		op.Suid, op.Devices = true, &yes
	case plan.Mkdir:
		op.Optional = true
	case plan.Write:
		op.Content, op.Follow = plan.ContentThrough, true
	}
	return &op
}

// Source returns a text for Diagnostics.Format: its line N is the option whose
// first word is number N, with its operands.
func Source(args []string) []byte {
	var b strings.Builder
	r := &reader{args: args, cwd: "/", line: &Line{Plan: New()}}
	r.mark = func(from, to int) {
		for i := from; i < to; i++ {
			if i > from {
				b.WriteByte(' ')
			}
			b.WriteString(quote(args[i]))
		}
		b.WriteString(strings.Repeat("\n", to-from))
	}
	r.options()
	r.mark(r.next, len(args))
	return []byte(b.String())
}

// quote quotes a word for a reader, and for a shell where that is simple.
func quote(s string) string {
	if s != "" && !strings.ContainsAny(s, " \t\n\"'\\$`*?[](){}<>|&;#~!") {
		return s
	}
	return "'" + strings.NewReplacer("\n", "\\n", "'", `'\''`).Replace(s) + "'"
}

func word(i int) plan.Origin {
	return plan.Origin{Pos: plan.Pos{File: File, Line: int32(i) + 1, Col: 1}}
}

// reader goes through the words.
type reader struct {
	args  []string
	cwd   string
	line  *Line
	diags plan.Diagnostics

	at    int // the option being read
	next  int // the word after what is read
	mark  func(from, to int)
	binds []*plan.Op
	rest  []*plan.Op
	unset []plan.EnvOp

	lower       []plan.Str // of the next overlay
	upper, work string
}

func (r *reader) fault(format string, args ...any) {
	r.diags = append(r.diags, plan.Diagnostic{At: word(r.at), Msg: fmt.Sprintf(format, args...)})
}

// operand returns the next word.
func (r *reader) operand() string {
	if r.next == len(r.args) {
		r.next++ // counted, for enough
		return ""
	}
	if r.next > len(r.args) {
		r.next++
		return ""
	}
	r.next++
	return r.args[r.next-1]
}

// abs returns a path as an absolute one without ".", ".." and empty parts. The
// text alone counts, whatever there may be of symlinks.
func (r *reader) abs(p string) string {
	if strings.HasPrefix(p, "/") {
		return path.Clean(p)
	}
	if r.cwd == "" {
		r.fault("%q is relative to the working directory, which is not known", p)
		return "/"
	}
	return path.Join(r.cwd, p)
}

func (r *reader) path() plan.Str { return plan.Str(r.abs(r.operand())) }

func (r *reader) number() int {
	s := r.operand()
	n, err := strconv.Atoi(s)
	if (err != nil || n < 0) && r.next <= len(r.args) {
		r.fault("%s: %q is not a number", r.args[r.at], s)
	}
	return n
}

// options reads all options, up to the command.
func (r *reader) options() {
	for r.next < len(r.args) {
		a := r.args[r.next]
		if !strings.HasPrefix(a, "-") {
			return
		}
		r.at = r.next
		r.next++
		if a == "--" {
			r.done()
			return
		}
		if !r.option(a) {
			r.done()
			return
		}
		if r.next > len(r.args) {
			n := r.next - len(r.args)
			r.next = len(r.args)
			r.diags = append(r.diags, plan.Diagnostic{At: word(r.at), Msg: fmt.Sprintf("%s wants %s more", a, operands(n))})
		}
		r.done()
	}
}

func operands(n int) string {
	if n == 1 {
		return "one operand"
	}
	return strconv.Itoa(n) + " operands"
}

func (r *reader) done() {
	if r.mark != nil {
		r.mark(r.at, r.next)
	}
}

// option reads one option. It returns false if nothing after it can be read.
func (r *reader) option(a string) bool {
	p := r.line.Plan
	set := func(on *bool, key string) {
		*on = true
		p.SetWhere(key, word(r.at))
	}
	switch a {
	case "--bind", "--ro-bind", "--bind-try", "--ro-bind-try", "--bind-nofollow", "--ro-bind-nofollow", "--bind-foreign", "--ro-bind-foreign":
		src, inside := strings.CutPrefix(r.operand(), "+")
		op := plan.Op{Kind: plan.Bind, Src: plan.Str(r.abs(src)), Dst: r.path(), Inside: inside}
		op.RO = strings.HasPrefix(a, "--ro-")
		op.Optional = strings.HasSuffix(a, "-try")
		op.NoFollow = strings.HasSuffix(a, "-nofollow")
		op.Foreign = strings.HasSuffix(a, "-foreign")
		r.binds = append(r.binds, complete(op, word(r.at)))
	case "--proc": // to version 26
		r.binds = append(r.binds, complete(plan.Op{Kind: plan.Bind, Src: "/proc", Dst: r.path()}, word(r.at)))
	case "--tmpfs":
		r.op(plan.Op{Kind: plan.Tmpfs, Dst: r.path()})
	case "--dev":
		r.op(plan.Op{Kind: plan.Dev, Dst: r.path()})
	case "--dir":
		r.op(plan.Op{Kind: plan.Mkdir, Dst: r.path()})
	case "--symlink":
		target := r.operand()
		r.op(plan.Op{Kind: plan.Symlink, Target: plan.Str(target), Dst: r.path()})
	case "--write":
		data := r.operand()
		r.op(plan.Op{Kind: plan.Write, Data: plan.Str(data), Dst: r.path()})
	case "--overlay-lowerdir":
		r.lower = append(r.lower, r.path())
	case "--overlay-upperdir":
		if r.upper = r.operand(); r.upper != "tmpfs" {
			r.upper = r.abs(r.upper)
		}
	case "--overlay-workdir":
		r.work = string(r.path())
	case "--overlay":
		r.overlay()
	case "--setenv":
		name := r.operand()
		value := r.operand()
		if name == "" || strings.Contains(name, "=") {
			r.fault("--setenv: %q cannot be the name of a variable", name)
		}
		p.Env = append(p.Env, plan.EnvOp{Kind: plan.SetEnv, Name: plan.Str(name), Value: plan.Str(value), At: word(r.at)})
	case "--unsetenv":
		if name := r.operand(); name != "" && !strings.Contains(name, "=") { // no variable has another
			r.unset = append(r.unset, plan.EnvOp{Kind: plan.UnsetEnv, Name: plan.Str(name), At: word(r.at)})
		}
	case "--chdir":
		p.Dir, p.SameDir = r.path(), false
		p.SetWhere("chdir", word(r.at))
	case "--same-dir":
		p.Dir = ""
		set(&p.SameDir, "same_dir")
	case "--become-root":
		set(&p.Identity.Root, "become_root")
	case "--map-foreign":
		set(&p.Identity.Foreign, "map_foreign")
	case "--map-delegate":
		p.Identity.Delegate = r.number()
		p.SetWhere("map_delegate", word(r.at))
	case "--suppress-chown":
		set(&p.SuppressChown, "suppress_chown")
	case "--suppress-sync":
		set(&p.SuppressSync, "suppress_sync")
	case "--unshare-net":
		set(&p.Unshare.Net, "unshare.net")
	case "--unshare-ipc":
		set(&p.Unshare.IPC, "unshare.ipc")
	case "--pack-fds":
		set(&p.PackFDs, "pack_fds")
	case "--close-fd", "--exec-fd": // to version 25
		p.CloseFDs = append(p.CloseFDs, r.number())
		p.SetWhere("close_fd", word(r.at))
	case "--suspend": // to version 26
		set(&p.Suspend, "suspend")
	case "--debug":
		r.line.Debug = true
	case "--help", "-h":
		r.line.Help = true
		return false
	case "--version":
		r.line.Version = true
		return false
	default:
		r.fault("unrecognized option %q", a)
		return false
	}
	return true
}

func (r *reader) op(op plan.Op) {
	r.rest = append(r.rest, complete(op, word(r.at)))
}

func (r *reader) overlay() {
	op := plan.Op{Kind: plan.Overlay, Lower: r.lower, Work: plan.Str(r.work)}
	switch {
	case r.upper == "tmpfs":
		op.UpperTmpfs, op.Work = true, "" // it has its own
	case r.upper == "":
		op.Work = "" // without effect
	case r.work == "":
		r.fault("--overlay: there is an upper directory, but no --overlay-workdir")
	}
	if !op.UpperTmpfs {
		op.Upper = plan.Str(r.upper)
	}
	if len(r.lower) == 0 {
		r.fault("--overlay: there is no --overlay-lowerdir")
	}
	r.lower, r.upper, r.work = nil, "", ""
	op.Dst = r.path()
	r.op(op)
}
