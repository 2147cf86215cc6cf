// Package explain turns the failure of a program into a diagnostic: it names
// the line of the script that asked for what failed, and a way out.
package explain

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"sbx/engine/compile"
	"sbx/engine/host"
	"sbx/engine/layout"
	"sbx/engine/plan"
	"sbx/engine/program"
	"sbx/engine/run"
)

// Exit codes of a sandbox whose command did not run.
const (
	ExitSetup       = 125 // sbx itself failed
	ExitCannotRun   = 126 // the command was found, but cannot run
	ExitNotFound    = 127 // the command was not found in the sandbox
	doctorHint      = "sbx doctor tells what this host lacks, and how to mend it"
	restrictedHint  = "user namespaces seem to be restricted here; " + doctorHint
	openFilesHint   = "raise the limit of open files: ulimit -n"
	procHint        = "/proc is not mounted here; in a sandbox of sbx, proc() does that"
	overlayBusyHint = "wait for it to end, or give each sandbox an upper directory of its own"
)

// Failure explains an error of run.Run.
func Failure(p *program.Program, f *host.Facts, err error) (plan.Diagnostic, int) {
	var fail *run.Failure
	var ds plan.Diagnostics
	if errors.As(err, &ds) && len(ds) > 0 {
		return ds[0], ExitSetup
	}
	if !errors.As(err, &fail) {
		d := plan.Diagnostic{Msg: err.Error()}
		if errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE) {
			d.Hint = openFilesHint
		}
		return d, ExitSetup
	}
	switch {
	case fail.Lock != nil:
		return lock(p, fail), ExitSetup
	case fail.Inst < 0:
		return clone(p, fail), ExitSetup
	case fail.NoExec:
		return noExec(p, f, fail)
	}
	return instruction(p, f, fail), ExitSetup
}

// at starts a diagnostic for what an instruction is for.
func at(p *program.Program, ref int32) (plan.Diagnostic, program.Ref) {
	r := p.Refs[ref]
	d := plan.Diagnostic{}
	if r.Op >= 0 {
		d.At = p.Plan.Ops[r.Op].At
		d.Op = string(p.Plan.Ops[r.Op].Kind)
	} else if r.Key != "" {
		d.At = p.Plan.Where[r.Key]
		d.Op, _, _ = strings.Cut(r.Key, ".")
		for i := range p.Plan.Rlimits {
			if l := &p.Plan.Rlimits[i]; r.Key == "rlimit."+l.Name {
				d.At = l.At
			}
		}
		for i := range p.Plan.Hooks.Locks {
			if r.Key == "lock."+strconv.Itoa(i) {
				d.At, d.Op = p.Plan.Hooks.Locks[i].At, "lock_file"
			}
		}
	}
	return d, r
}

func lock(p *program.Program, fail *run.Failure) plan.Diagnostic {
	d, _ := at(p, fail.Lock.Ref)
	what := "upper"
	if fail.Lock.Work {
		what = "work"
	}
	if fail.Errno == syscall.EWOULDBLOCK {
		d.Msg = fmt.Sprintf("%s %q is in use by another sandbox", what, fail.Lock.Path)
		d.Hint = overlayBusyHint
		return d
	}
	d.Msg = fmt.Sprintf("locking %s %q: %v", what, fail.Lock.Path, fail.Errno)
	for i := range p.Cleanup {
		if fail.Lock == &p.Cleanup[i] {
			d.Msg = fmt.Sprintf("work directory %q: %v", fail.Lock.Path, fail.Errno)
		}
	}
	return d
}

func clone(p *program.Program, fail *run.Failure) plan.Diagnostic {
	d := plan.Diagnostic{Msg: fmt.Sprintf("making the namespaces of the sandbox: %v", fail.Errno), Hint: doctorHint}
	switch fail.Errno {
	case syscall.EAGAIN:
		d.Hint = "the limit of processes is reached: ulimit -u"
	case syscall.ENOMEM:
		d.Hint = ""
	case syscall.EPERM, syscall.EACCES:
		d.Hint = restrictedHint
	case syscall.ENOSPC:
		d.Hint = "the limit of namespaces is reached: sysctl user.max_user_namespaces; " + doctorHint
	}
	return d
}

// instruction explains a failed system call of the set-up.
func instruction(p *program.Program, f *host.Facts, fail *run.Failure) plan.Diagnostic {
	in := &p.Insts[fail.Inst]
	d, r := at(p, in.Ref)
	e := fail.Errno
	var op *plan.Op
	if r.Op >= 0 {
		op = &p.Plan.Ops[r.Op]
	}
	what := r.What
	if op == nil && d.Op == what {
		what = ""
	}
	switch {
	case r.Key == "assert_userns_disabled": // the call that failed was made to
		d.Msg = r.What
		return d
	case op != nil && r.Host != "" && op.Kind == plan.Overlay:
		d.Msg = fmt.Sprintf("work directory %q: %v", r.Host, e)
		d.Hint = "name another directory, on the file system of upper, with work"
	case op != nil && r.Host != "":
		d.Msg = fmt.Sprintf("making the source %q: %v", r.Host, e)
	case op != nil && in.Call == program.Same:
		d.Msg = fmt.Sprintf("source file descriptor %d: there is another file at its path by now", *op.SrcFD)
	case op != nil && op.SrcFD != nil && (in.Call == program.OpenTree || in.Call == program.Openat || in.Call == program.Statx):
		d.Msg = fmt.Sprintf("source file descriptor %d: %v", *op.SrcFD, e)
	case op != nil && in.Call == program.OpenTree && (op.Kind == plan.Bind || op.Kind == plan.Copy) && !op.Inside:
		d.Msg = fmt.Sprintf("source %q: %v", op.Src, e)
	case op != nil && (in.Call == program.Openat || in.Call == program.Sendfile) && op.Kind == plan.Copy:
		d.Msg = fmt.Sprintf("copying %q to %q: %v", op.Src, op.Dst, e)
	case op != nil && op.Kind == plan.Write && in.Call == program.WriteCall:
		d.Msg = fmt.Sprintf("writing %q: %v", op.Dst, e)
	case op != nil && op.Kind == plan.Overlay && (in.Call == program.Fsconfig || in.Call == program.Mount):
		d.Msg = fmt.Sprintf("overlay at %q: %v", op.Dst, e)
		d.Hint = overlayHint(p.Plan, op, f, e)
	case op != nil:
		d.Msg = fmt.Sprintf("%s at %q: %v", in.Call, op.Dst, e)
	case r.Key == "chdir" || r.Key == "same_dir":
		d.Msg = fmt.Sprintf("directory %q in the sandbox: %v", r.Path, e)
		if e == syscall.ENOENT {
			d.Msg = fmt.Sprintf("directory %q does not exist in the sandbox", r.Path)
		}
	case in.Call == program.Prlimit64 && rlimit(p, f, r, e, &d):
	case r.Host != "":
		d.Msg = strings.TrimPrefix(fmt.Sprintf("%s: %s %q: %v", what, in.Call, r.Host, e), ": ")
	case r.Path != "":
		d.Msg = strings.TrimPrefix(fmt.Sprintf("%s %q: %s: %v", what, r.Path, in.Call, e), " ")
	default:
		d.Msg = strings.TrimPrefix(fmt.Sprintf("%s: %s: %v", what, in.Call, e), ": ")
	}
	if d.Hint == "" {
		d.Hint = hint(p, in, r, op, e)
	}
	return d
}

// rlimit explains a limit that only the machine's root may set.
func rlimit(p *program.Program, f *host.Facts, r program.Ref, e syscall.Errno, d *plan.Diagnostic) bool {
	for i := range p.Plan.Rlimits {
		l := &p.Plan.Rlimits[i]
		switch {
		case l.Name != r.Path || e != syscall.EPERM:
		case f.AboveLimit(l):
			d.Msg = fmt.Sprintf("hard limit %s of %s is above the caller's, %d", plan.LimitText(l.Hard), l.Name, f.Limits[l.Name])
			d.Hint = host.LimitHint
			if l.Name == "RLIMIT_NOFILE" {
				d.Hint += "; more than sysctl fs.nr_open nobody may have"
			}
			return true
		}
	}
	return false
}

func hint(p *program.Program, in *program.Inst, r program.Ref, op *plan.Op, e syscall.Errno) string {
	fills := in.Call == program.WriteCall || in.Call == program.Sendfile || in.Call == program.Mkdirat || in.Call == program.Openat
	early := op == nil && r.Key == "" || r.What == "user namespace"
	switch {
	case early && e == syscall.EINVAL && r.Path == "/" && (in.Call == program.MountSetattr || in.Call == program.PivotRoot):
		return "the root directory must be a mount that can be left, which it is not in a chroot(8) or an initramfs; " + doctorHint
	case e == syscall.ENOSYS:
		return "this kernel is older than Linux 5.12, or a filter forbids the call; " + doctorHint
	case e == syscall.EMFILE || e == syscall.ENFILE:
		return openFilesHint
	case e == syscall.ENOSPC && in.Call == program.MoveMount, e == syscall.ENOSPC && in.Call == program.OpenTree:
		return "the limit of mounts is reached: sysctl fs.mount-max"
	case op == nil && e == syscall.ENOENT && strings.HasPrefix(r.Host, "/proc/"):
		return procHint
	case op != nil && r.Host != "":
		return "" // it is not in the sandbox
	case op != nil && e == syscall.ENOSPC && fills && !op.Create && op.Kind != plan.Overlay: // else the host's disk may be full
		return "tmpfs(…, size = …) says how much goes into one"
	case early && (e == syscall.EPERM || e == syscall.EACCES):
		return restrictedHint
	case op != nil && op.Kind == plan.Proc && e == syscall.EPERM:
		return "a container hides parts of its /proc; leave unshare(pid = True) out to get the host's"
	case op != nil && in.Call == program.Openat2 && (e == syscall.ENOENT || e == syscall.ENOTDIR || e == syscall.ELOOP),
		op != nil && op.Kind == plan.Bind && e == syscall.ENOENT:
		return "it was there when the plan was checked: something changes it meanwhile"
	case op != nil && op.Create && (e == syscall.EACCES || e == syscall.EROFS || e == syscall.EPERM):
		return "create = True makes it on the host, where you may not"
	}
	return ""
}

func overlayHint(p *plan.Plan, op *plan.Op, f *host.Facts, e syscall.Errno) string {
	switch e {
	case syscall.EINVAL:
		points, _ := f.Mounts()
		if f.InitialUserNS && f.Privileged(p) { // it leaves them out
			points = nil
		}
		for _, l := range op.Lower {
			for _, m := range points {
				if m != string(l) && plan.Within(m, string(l)) {
					return fmt.Sprintf("layer %q has another file system mounted below it, at %q, which without the host's privileges no overlay may leave out", l, m)
				}
			}
		}
		if op.Upper != "" {
			return "the kernel log tells more; the file system of upper must have user xattrs and whiteouts, as ext4, xfs, btrfs and tmpfs do"
		}
		return "the kernel log tells more; layers must not be in /proc, or on file systems that do not tell upper from lower case"
	case syscall.EBUSY:
		return "upper or work is in use by another overlay"
	case syscall.ESTALE:
		return "upper was used with other layers and index=on before"
	case syscall.ELOOP:
		return "layers, upper and work must not lie within each other"
	}
	return ""
}

// noExec explains why the command did not start.
func noExec(p *program.Program, f *host.Facts, fail *run.Failure) (plan.Diagnostic, int) {
	d := plan.Diagnostic{At: p.Plan.Where["command"]}
	if len(p.Plan.Command) == 0 {
		d.At = plan.Origin{}
	}
	env := compile.Environment(p.Plan, f.Env, "/")
	tries := compile.Tries(p.Plan, env, f.Getenv("SHELL"))
	path, n := "", 0
	for _, t := range tries {
		for _, q := range t.Paths {
			if n == fail.Try {
				path = q
			}
			n++
		}
	}
	e := fail.Errno
	if e == 0 || (e == syscall.ENOENT || e == syscall.ENOTDIR) && fail.HeadErr != 0 && fail.HeadErr != syscall.EACCES {
		name := tries[len(tries)-1].Argv[0]
		d.Msg = fmt.Sprintf("command %q not found in the sandbox", name)
		switch {
		case strings.Contains(name, "/"):
			d.Hint = "bind() the directory that holds it"
		case !p.Become && noneThere(p, f, tries[len(tries)-1].Paths):
			d.Hint = fmt.Sprintf("none of PATH=%s is there; bind(\"/usr\", ro = True) shows the host's programs", searched(env))
		case len(tries[len(tries)-1].Paths) > 0:
			d.Hint = fmt.Sprintf("searched: PATH=%s", searched(env))
		}
		return d, ExitNotFound
	}
	d.Msg = fmt.Sprintf("command %q: %v", path, e)
	switch {
	case fail.HeadErr == syscall.EISDIR:
		d.Msg = fmt.Sprintf("command %q is a directory", path)
	case e == syscall.ENOENT || e == syscall.ENOTDIR || e == syscall.EACCES:
		refused(&d, p, f, path, fail)
	case e == syscall.ENOEXEC:
		d.Hint = `it is no program of this machine's, and does not begin with "#!"`
		if line, ok := bytes.CutPrefix(fail.Head, []byte("#!")); ok {
			d.Hint = `its first line names no interpreter after "#!"`
			if !bytes.Contains(line[:min(len(line), maxLine-len("#!"))], []byte("\n")) && interpreter(fail.Head) != "" {
				d.Hint = fmt.Sprintf("its first line is longer than the %d bytes that the kernel reads", maxLine)
			}
		}
	case e == syscall.E2BIG:
		d.Hint = "arguments and environment together are too long for the kernel: execve(2)"
	}
	return d, ExitCannotRun
}

// maxLine is how much the kernel reads of a file for its "#!" line, BINPRM_BUF_SIZE.
const maxLine = 256

// refused explains an execve that did not get at the command or, as the kernel
// says that in the same words, at its interpreter.
func refused(d *plan.Diagnostic, p *program.Program, f *host.Facts, path string, fail *run.Failure) {
	interp := interpreter(fail.Head)
	script := interp != "" && bytes.HasPrefix(fail.Head, []byte("#!"))
	is, lacksX := host.Unknown, func(string) bool { return false }
	if script {
		l := layout.Build(p.Plan, f, nil)
		look := func(path string) (host.FileType, uint32, bool) {
			mode, known := l.Mode(path)
			if !known && p.Become && f.Prober != nil { // what was the host is the sandbox by now
				q := f.Prober.Stat(path)
				return q.Type, q.Mode, q.Type == host.File
			}
			return l.Type(path), mode, known
		}
		lacksX = func(path string) bool {
			_, mode, known := look(path)
			return known && mode&0o111 == 0
		}
		if strings.HasPrefix(interp, "/") {
			is, _, _ = look(interp)
		}
	}
	switch e := fail.Errno; {
	case e == syscall.EACCES && len(fail.Head) == 0:
		d.Msg = fmt.Sprintf("command %q is not executable: %v", path, e)
		d.Hint = "its mode lacks the x bit, or a directory on the way to it may not be searched, or its file system is mounted noexec"
	case e == syscall.EACCES && (!script || lacksX(path)):
		d.Msg = fmt.Sprintf("command %q is not executable: %v", path, e)
		d.Hint = "its mode lacks the x bit, or its file system is mounted noexec"
	case e == syscall.EACCES && is == host.Dir:
		d.Msg = fmt.Sprintf("command %q has the interpreter %q, which is a directory", path, interp)
	case e == syscall.EACCES && lacksX(interp):
		d.Msg = fmt.Sprintf("command %q has the interpreter %q, which is not executable: %v", path, interp, e)
		d.Hint = "its mode lacks the x bit"
	case e == syscall.EACCES:
		d.Msg = fmt.Sprintf("command %q, or its interpreter %q, is not executable: %v", path, interp, e)
		d.Hint = "the mode of one of them lacks the x bit, or its file system is mounted noexec"
	case script && is == host.File:
		d.Msg = fmt.Sprintf("command %q has the interpreter %q, whose own interpreter does not exist in the sandbox", path, interp)
		d.Hint = fmt.Sprintf("file %s, where it runs, tells which that is", interp)
	case interp != "":
		d.Msg = fmt.Sprintf("command %q needs the interpreter %q, which does not exist in the sandbox", path, interp)
		l := layout.Build(p.Plan, f, nil)
		if m := l.Missing(interp); m != "" && filepath.IsAbs(interp) && m != filepath.Clean(interp) {
			d.Msg = fmt.Sprintf("command %q needs the interpreter %q, which leads to %q, and that does not exist in the sandbox", path, interp, m)
		}
		d.Hint = interpreterHint(l, interp)
	}
}

// noneThere reports whether the directories of all these paths are missing.
func noneThere(p *program.Program, f *host.Facts, paths []string) bool {
	l := layout.Build(p.Plan, f, nil)
	return !slices.ContainsFunc(paths, func(path string) bool {
		return !strings.HasPrefix(path, "/") || l.Type(filepath.Dir(path)) != host.Missing
	})
}

func searched(env []string) string {
	for _, kv := range env {
		if v, ok := strings.CutPrefix(kv, "PATH="); ok {
			return v
		}
	}
	return compile.DefaultPath
}

// merged are the directories that are links into /usr on most hosts, file-hierarchy(7).
var merged = [...]string{"bin", "lib", "lib32", "lib64", "sbin"}

func interpreterHint(l *layout.Layout, interp string) string {
	switch {
	case strings.HasSuffix(interp, "\r"):
		return "its lines end in CR LF, and the kernel takes the CR for a part of the name"
	case !strings.HasPrefix(interp, "/"):
		return "the kernel does not search PATH for it: write its whole path"
	}
	// Where one is such a link, what it leads to may lead to the next.
	var links, binds []string
	for path := cmp.Or(l.Missing(interp), interp); path != ""; {
		top, rest, _ := strings.Cut(path[1:], "/")
		link := fmt.Sprintf("symlink(%q, %q)", "usr/"+top, "/"+top)
		if !slices.Contains(merged[:], top) || slices.Contains(links, link) {
			break
		}
		links = append(links, link)
		binds = append(binds, fmt.Sprintf("bind(%q, ro = True)", "/"+top))
		path = l.Missing("/usr/" + top + "/" + rest)
	}
	if links == nil {
		return "bind() the directory that holds it"
	}
	return strings.Join(links, " and ") + " if /usr is bound, or " + strings.Join(binds, " and ")
}
