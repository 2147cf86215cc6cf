package explain

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"syscall"
	"testing"

	"sbx/engine/host"
	"sbx/engine/host/hosttest"
	"sbx/engine/plan"
	"sbx/engine/program"
	"sbx/engine/run"
)

func pos(n int32) plan.Origin { return plan.Origin{Pos: plan.Pos{File: "t.star", Line: n, Col: 1}} }

// setting says that an instruction is for a setting.
func setting(key, what, path string) program.Ref {
	return program.Ref{Op: -1, Key: key, What: what, Path: path}
}

// check compares a diagnostic with "op: message | hint", its line, and the code.
func check(t *testing.T, d plan.Diagnostic, code int, want string, line int32, wantCode int) {
	t.Helper()
	got := d.Msg
	if d.Op != "" {
		got = d.Op + ": " + got
	}
	if d.Hint != "" {
		got += " | " + d.Hint
	}
	if got != want || d.At.Pos.Line != line || code != wantCode || d.Severity != plan.Error {
		t.Errorf("line %d, code %d: %s\nwant line %d, code %d: %s", d.At.Pos.Line, code, got, line, wantCode, want)
	}
}

// TestInstruction has one system call of the set-up fail at a time.
func TestInstruction(t *testing.T) {
	const (
		old     = "this kernel is older than Linux 5.12, or a filter forbids the call; " + doctorHint
		root    = "the root directory must be a mount that can be left, which it is not in a chroot(8) or an initramfs; " + doctorHint
		changed = "it was there when the plan was checked: something changes it meanwhile"
		mounts  = "the limit of mounts is reached: sysctl fs.mount-max"
		full    = "tmpfs(…, size = …) says how much goes into one"
		denied  = "user namespaces seem to be restricted here; " + doctorHint
		work    = "name another directory, on the file system of upper, with work"
		made    = "create = True makes it on the host, where you may not"
	)
	bind := plan.Op{Kind: plan.Bind, Src: "/s", Dst: "/d"}
	inside := plan.Op{Kind: plan.Bind, Src: "/s", Dst: "/d", Inside: true}
	create := plan.Op{Kind: plan.Bind, Src: "/s", Dst: "/d", Create: true}
	cp := plan.Op{Kind: plan.Copy, Src: "/s", Dst: "/d"}
	write := plan.Op{Kind: plan.Write, Dst: "/d"}
	mem := plan.Op{Kind: plan.Overlay, Dst: "/d", Lower: []plan.Str{"/l"}, UpperTmpfs: true}
	upper := plan.Op{Kind: plan.Overlay, Dst: "/d", Lower: []plan.Str{"/l"}, Upper: "/u"}
	over := plan.Op{Kind: plan.Overlay, Dst: "/d", Lower: []plan.Str{"/l", "/usr"}, Upper: "/u"}
	proc := plan.Op{Kind: plan.Proc, Dst: "/proc"}
	mkdir := plan.Op{Kind: plan.Mkdir, Dst: "/d"}
	none := program.Ref{}
	for _, tt := range []struct {
		op    plan.Op
		ref   program.Ref // where there is no op
		call  program.Call
		errno syscall.Errno
		want  string
	}{
		{bind, none, program.OpenTree, syscall.ENOENT, `bind: source "/s": no such file or directory | ` + changed},
		{bind, none, program.OpenTree, syscall.EACCES, `bind: source "/s": permission denied`},
		{bind, none, program.OpenTree, syscall.ENOSPC, `bind: source "/s": no space left on device | ` + mounts},
		{bind, none, program.MoveMount, syscall.ENOSPC, `bind: move_mount at "/d": no space left on device | ` + mounts},
		{bind, none, program.MoveMount, syscall.ENOSYS, `bind: move_mount at "/d": function not implemented | ` + old},
		{bind, none, program.Openat2, syscall.EMFILE, `bind: openat2 at "/d": too many open files | ` + openFilesHint},
		{bind, none, program.Openat2, syscall.ELOOP, `bind: openat2 at "/d": too many levels of symbolic links | ` + changed},
		{bind, none, program.Openat2, syscall.ENOTDIR, `bind: openat2 at "/d": not a directory | ` + changed},
		{inside, none, program.OpenTree, syscall.ENOENT, `bind: open_tree at "/d": no such file or directory | ` + changed},
		{create, none, program.Mkdirat, syscall.EACCES, `bind: mkdirat at "/d": permission denied | ` + made},
		{create, none, program.Mknodat, syscall.EROFS, `bind: mknodat at "/d": read-only file system | ` + made},
		{cp, none, program.Openat, syscall.EACCES, `copy: copying "/s" to "/d": permission denied`},
		{cp, none, program.Sendfile, syscall.ENOSPC, `copy: copying "/s" to "/d": no space left on device | ` + full},
		{write, none, program.WriteCall, syscall.ENOSPC, `write: writing "/d": no space left on device | ` + full},
		{write, none, program.Openat, syscall.ENFILE, `write: openat at "/d": too many open files in system | ` + openFilesHint},
		{mkdir, none, program.Mkdirat, syscall.ENOSPC, `mkdir: mkdirat at "/d": no space left on device | ` + full},
		{mkdir, none, program.Mkdirat, syscall.EEXIST, `mkdir: mkdirat at "/d": file exists`},
		{mem, none, program.Fsconfig, syscall.EINVAL, `overlay: overlay at "/d": invalid argument | the kernel log tells more; layers must not be in /proc, or on file systems that do not tell upper from lower case`},
		{upper, none, program.Mount, syscall.EINVAL, `overlay: overlay at "/d": invalid argument | the kernel log tells more; the file system of upper must have user xattrs and whiteouts, as ext4, xfs, btrfs and tmpfs do`},
		{over, none, program.Fsconfig, syscall.EINVAL, `overlay: overlay at "/d": invalid argument | layer "/usr" has another file system mounted below it, at "/usr/mnt", which without the host's privileges no overlay may leave out`},
		{upper, none, program.Fsconfig, syscall.EBUSY, `overlay: overlay at "/d": device or resource busy | upper or work is in use by another overlay`},
		{upper, none, program.Fsconfig, syscall.ESTALE, `overlay: overlay at "/d": stale file handle | upper was used with other layers and index=on before`},
		{upper, none, program.Fsconfig, syscall.ELOOP, `overlay: overlay at "/d": too many levels of symbolic links | layers, upper and work must not lie within each other`},
		{upper, none, program.Fsconfig, syscall.EIO, `overlay: overlay at "/d": input/output error`},
		{upper, none, program.Fsopen, syscall.ENODEV, `overlay: fsopen at "/d": no such device`},
		{proc, none, program.Fsmount, syscall.EPERM, `proc: fsmount at "/proc": operation not permitted | a container hides parts of its /proc; leave unshare(pid = True) out to get the host's`},

		{plan.Op{}, setting("chdir", "chdir", "/w"), program.Chdir, syscall.ENOENT, `chdir: directory "/w" does not exist in the sandbox`},
		{plan.Op{}, setting("same_dir", "chdir", "/w"), program.Chdir, syscall.EACCES, `same_dir: directory "/w" in the sandbox: permission denied`},
		{upper, program.Ref{Op: 1, What: "overlay", Path: "/d", Host: "/u.work"}, program.Mkdirat, syscall.ENOSPC, `overlay: work directory "/u.work": no space left on device | ` + work},
		{upper, program.Ref{Op: 1, What: "overlay", Path: "/d", Host: "/u.work"}, program.Mkdirat, syscall.EACCES, `overlay: work directory "/u.work": permission denied | ` + work},
		{create, program.Ref{Op: 1, What: "bind", Path: "/d", Host: "/s"}, program.Mkdirat, syscall.EACCES, `bind: making the source "/s": permission denied`},
		{create, none, program.Mkdirat, syscall.ENOSPC, `bind: mkdirat at "/d": no space left on device`},
		{plan.Op{}, program.Ref{Op: -1, What: "user namespace", Host: "/proc/self/setgroups"}, program.Openat, syscall.ENOENT, `user namespace: openat "/proc/self/setgroups": no such file or directory | ` + procHint},
		{plan.Op{}, program.Ref{Op: -1, What: "user namespace", Host: "/proc/self/uid_map"}, program.WriteCall, syscall.EPERM, `user namespace: write "/proc/self/uid_map": operation not permitted | ` + denied},
		{plan.Op{}, setting("", "user namespace", ""), program.Openat, syscall.EACCES, `user namespace: openat: permission denied | ` + denied},
		{plan.Op{}, setting("become_root", "user namespace", ""), program.WriteCall, syscall.EPERM, `become_root: user namespace: write: operation not permitted | ` + denied},
		{plan.Op{}, setting("", "tmpfs", "/"), program.Fsopen, syscall.EPERM, `tmpfs "/": fsopen: operation not permitted | ` + denied},
		{plan.Op{}, setting("", "tmpfs", "/"), program.PivotRoot, syscall.EINVAL, `tmpfs "/": pivot_root: invalid argument | ` + root},
		{plan.Op{}, setting("", "mount", "/"), program.MountSetattr, syscall.EINVAL, `mount "/": mount_setattr: invalid argument | ` + root},
		{plan.Op{}, setting("", "tmpfs", "/"), program.Fsopen, syscall.ENOSYS, `tmpfs "/": fsopen: function not implemented | ` + old},
		{plan.Op{}, setting("unshare.net", "loopback interface", "lo"), program.Ioctl, syscall.EPERM, `unshare: loopback interface "lo": ioctl: operation not permitted`},
		{plan.Op{}, setting("hostname", "hostname", "box"), program.Sethostname, syscall.EPERM, `hostname: "box": sethostname: operation not permitted`},
		{plan.Op{}, setting("umask", "umask", ""), program.Umask, syscall.EPERM, `umask: umask: operation not permitted`},
		{plan.Op{}, setting("rlimit.RLIMIT_CPU", "rlimit", "RLIMIT_CPU"), program.Prlimit64, syscall.EPERM, `rlimit: "RLIMIT_CPU": prlimit64: operation not permitted`},
		{plan.Op{}, setting("rlimit.RLIMIT_NOFILE", "rlimit", "RLIMIT_NOFILE"), program.Prlimit64, syscall.EPERM, `rlimit: hard limit 5000 of RLIMIT_NOFILE is above the caller's, 4096 | ` + host.LimitHint + `; more than sysctl fs.nr_open nobody may have`},
		{plan.Op{}, setting("capabilities", "capabilities", ""), program.Capset, syscall.EPERM, `capabilities: capset: operation not permitted`},
		{plan.Op{}, setting("assert_userns_disabled", "user namespaces are not disabled", ""), program.Close, syscall.EBADF, `assert_userns_disabled: user namespaces are not disabled`},
	} {
		p := plan.New()
		tt.op.At = pos(7)
		p.Ops = []plan.Op{{}, tt.op}
		for _, key := range []string{"chdir", "same_dir", "become_root", "unshare.net", "hostname", "umask", "capabilities", "assert_userns_disabled"} {
			p.SetWhere(key, pos(7))
		}
		p.Rlimits = []plan.Rlimit{{Name: "RLIMIT_CORE"}, {Name: "RLIMIT_CPU", At: pos(7)}, {Name: "RLIMIT_NOFILE", Soft: 1, Hard: 5000, At: pos(7)}}
		line := int32(7)
		if tt.ref.Host != "" {
			if tt.ref.Op < 0 {
				line = 0
			}
		} else if tt.op.Kind != "" {
			tt.ref = program.Ref{Op: 1, What: string(tt.op.Kind), Path: "/d"}
		} else if tt.ref.Key == "" {
			line = 0
		}
		prog := &program.Program{Plan: p, Refs: []program.Ref{tt.ref}}
		prog.Add(0, tt.call)
		f := hosttest.Facts()
		f.MountPts = []string{"/", "/usr", "/usr/mnt"}
		f.Limits = map[string]uint64{"RLIMIT_CPU": plan.RlimInfinity, "RLIMIT_NOFILE": 4096}
		d, code := Failure(prog, f, &run.Failure{Inst: 0, Errno: tt.errno})
		check(t, d, code, tt.want, line, ExitSetup)
	}
}

// TestOverlayOfRoot: who is root of the machine may have an overlay of a directory
// with mounts below, so these are not why there is none.
func TestOverlayOfRoot(t *testing.T) {
	p := plan.New()
	p.Caps.Set = "all"
	p.Ops = []plan.Op{{Kind: plan.Overlay, Dst: "/d", Lower: []plan.Str{"/l", "/usr"}, UpperTmpfs: true, At: pos(3)}}
	prog := &program.Program{Plan: p, Refs: []program.Ref{{Op: 0, What: "overlay", Path: "/d"}}}
	prog.Add(0, program.Fsconfig)
	f := hosttest.Facts()
	f.MountPts = []string{"/", "/usr", "/usr/mnt"}
	f.UID, f.GID, f.Caps, f.InitialUserNS = 0, 0, ^uint64(0), true
	const want = `overlay: overlay at "/d": invalid argument | the kernel log tells more; layers must not be in /proc, or on file systems that do not tell upper from lower case`
	d, code := Failure(prog, f, &run.Failure{Inst: 0, Errno: syscall.EINVAL})
	check(t, d, code, want, 3, ExitSetup)
}

// TestBefore has failures before the program starts.
func TestBefore(t *testing.T) {
	p := plan.New()
	p.Ops = []plan.Op{{Kind: plan.Overlay, Upper: "/u", At: pos(3)}}
	prog := &program.Program{Plan: p, Refs: []program.Ref{{Op: 0}}, Cleanup: []program.Lock{{Path: "/u.work", Work: true}}}
	l := &program.Lock{Path: "/u"}
	const making = "making the namespaces of the sandbox: "
	for _, tt := range []struct {
		err  error
		want string
		line int32
	}{
		{errors.New("pipe: too many"), "pipe: too many", 0},
		{&run.Failure{Inst: -1, Lock: l, Errno: syscall.EWOULDBLOCK}, `overlay: upper "/u" is in use by another sandbox | ` + overlayBusyHint, 3},
		{&run.Failure{Inst: -1, Lock: l, Errno: syscall.EACCES}, `overlay: locking upper "/u": permission denied`, 3},
		{&run.Failure{Inst: -1, Lock: &prog.Cleanup[0], Errno: syscall.EACCES}, `overlay: work directory "/u.work": permission denied`, 3},
		{fmt.Errorf("pipe: %w", syscall.EMFILE), "pipe: too many open files | " + openFilesHint, 0},
		{&run.Failure{Inst: -1, Errno: syscall.EPERM}, making + "operation not permitted | " + restrictedHint, 0},
		{&run.Failure{Inst: -1, Errno: syscall.EAGAIN}, making + "resource temporarily unavailable | the limit of processes is reached: ulimit -u", 0},
		{&run.Failure{Inst: -1, Errno: syscall.ENOMEM}, making + "cannot allocate memory", 0},
		{&run.Failure{Inst: -1, Errno: syscall.ENOSPC}, making + "no space left on device | the limit of namespaces is reached: sysctl user.max_user_namespaces; " + doctorHint, 0},
	} {
		d, code := Failure(prog, hosttest.Facts(), tt.err)
		check(t, d, code, tt.want, tt.line, ExitSetup)
	}
}

func TestNoExec(t *testing.T) {
	const noX = "its mode lacks the x bit, or a directory on the way to it may not be searched, or its file system is mounted noexec"
	script := func(line string) []byte { return []byte("#!" + line + "\necho") }
	for _, tt := range []struct {
		command []plan.Str
		fail    run.Failure
		want    string
		code    int
	}{
		{[]plan.Str{"x"}, run.Failure{Errno: syscall.ENOENT, HeadErr: syscall.ENOENT}, `command "x" not found in the sandbox | searched: PATH=/p:/q`, 127},
		{[]plan.Str{"x"}, run.Failure{}, `command "x" not found in the sandbox | searched: PATH=/p:/q`, 127},
		{[]plan.Str{"/d/x"}, run.Failure{Errno: syscall.ENOENT, HeadErr: syscall.ENOENT}, `command "/d/x" not found in the sandbox | bind() the directory that holds it`, 127},
		{[]plan.Str{"/d/x/y"}, run.Failure{Errno: syscall.ENOTDIR, HeadErr: syscall.ENOTDIR}, `command "/d/x/y" not found in the sandbox | bind() the directory that holds it`, 127},
		{nil, run.Failure{Errno: syscall.ENOENT, HeadErr: syscall.ENOENT}, `command "bash" not found in the sandbox | searched: PATH=/p:/q`, 127},
		{[]plan.Str{"x"}, run.Failure{Errno: syscall.EACCES, Try: 1}, `command "/q/x" is not executable: permission denied | ` + noX, 126},
		{[]plan.Str{"x"}, run.Failure{Errno: syscall.EACCES, HeadErr: syscall.EISDIR}, `command "/p/x" is a directory`, 126},
		{[]plan.Str{"x"}, run.Failure{Errno: syscall.ENOEXEC}, `command "/p/x": exec format error | it is no program of this machine's, and does not begin with "#!"`, 126},
		{[]plan.Str{"x"}, run.Failure{Errno: syscall.ENOEXEC, Head: script("")}, `command "/p/x": exec format error | its first line names no interpreter after "#!"`, 126},
		{[]plan.Str{"x"}, run.Failure{Errno: syscall.ENOEXEC, Head: script("/" + strings.Repeat("x", 300))}, `command "/p/x": exec format error | its first line is longer than the 256 bytes that the kernel reads`, 126},
		{[]plan.Str{"x"}, run.Failure{Errno: syscall.EACCES, HeadErr: syscall.EACCES}, `command "/p/x" is not executable: permission denied | ` + noX, 126},
		{[]plan.Str{"x"}, run.Failure{Errno: syscall.EACCES, Head: script("/y")}, `command "/p/x", or its interpreter "/y", is not executable: permission denied | the mode of one of them lacks the x bit, or its file system is mounted noexec`, 126},
		{[]plan.Str{"x"}, run.Failure{Errno: syscall.EACCES, Head: elf(64, binary.LittleEndian, "/lib/ld.so")}, `command "/p/x" is not executable: permission denied | its mode lacks the x bit, or its file system is mounted noexec`, 126},
		{[]plan.Str{"x"}, run.Failure{Errno: syscall.EACCES, Head: script("/i")}, `command "/p/x" has the interpreter "/i", which is a directory`, 126},
		{[]plan.Str{"x"}, run.Failure{Errno: syscall.ENOENT, Head: script("/i/y")}, `command "/p/x" has the interpreter "/i/y", whose own interpreter does not exist in the sandbox | file /i/y, where it runs, tells which that is`, 126},
		{[]plan.Str{"x"}, run.Failure{Errno: syscall.E2BIG}, `command "/p/x": argument list too long | arguments and environment together are too long for the kernel: execve(2)`, 126},
		{[]plan.Str{"x"}, run.Failure{Errno: syscall.EIO}, `command "/p/x": input/output error`, 126},
		{[]plan.Str{"x"}, run.Failure{Errno: syscall.ENOENT, HeadErr: syscall.EACCES}, `command "/p/x": no such file or directory`, 126},
		{[]plan.Str{"x"}, run.Failure{Errno: syscall.ENOENT, Head: script("/bin/sh -e")}, `command "/p/x" needs the interpreter "/bin/sh", which does not exist in the sandbox | symlink("usr/bin", "/bin") if /usr is bound, or bind("/bin", ro = True)`, 126},
		{[]plan.Str{"x"}, run.Failure{Errno: syscall.ENOENT, Head: script("/lib/ld.so")}, `command "/p/x" needs the interpreter "/lib/ld.so", which does not exist in the sandbox | symlink("usr/lib", "/lib") if /usr is bound, or bind("/lib", ro = True)`, 126},
		{[]plan.Str{"x"}, run.Failure{Errno: syscall.ENOENT, Head: script("/opt/python")}, `command "/p/x" needs the interpreter "/opt/python", which does not exist in the sandbox | bind() the directory that holds it`, 126},
		{[]plan.Str{"x"}, run.Failure{Errno: syscall.ENOENT, Head: script("/bin/sh\r")}, `command "/p/x" needs the interpreter "/bin/sh\r", which does not exist in the sandbox | its lines end in CR LF, and the kernel takes the CR for a part of the name`, 126},
		{[]plan.Str{"x"}, run.Failure{Errno: syscall.ENOENT, Head: script("python")}, `command "/p/x" needs the interpreter "python", which does not exist in the sandbox | the kernel does not search PATH for it: write its whole path`, 126},
		{[]plan.Str{"x"}, run.Failure{Errno: syscall.ENOENT, Head: elf(64, binary.LittleEndian, "/lib64/ld-linux-x86-64.so.2")}, `command "/p/x" needs the interpreter "/lib64/ld-linux-x86-64.so.2", which does not exist in the sandbox | symlink("usr/lib64", "/lib64") if /usr is bound, or bind("/lib64", ro = True)`, 126},
	} {
		p, f := plan.New(), hosttest.Facts()
		f.Env = []string{"PATH=/p:/q", "SHELL=/bin/none"}
		p.Command = tt.command
		p.Ops = []plan.Op{{Kind: plan.Write, Dst: "/i/y", Data: "#!/none"}, {Kind: plan.Mkdir, Dst: "/q"}}
		p.SetWhere("command", pos(4))
		line := int32(4)
		if tt.command == nil {
			line = 0
		}
		tt.fail.NoExec = true
		d, code := Failure(&program.Program{Plan: p}, f, &tt.fail)
		check(t, d, code, tt.want, line, tt.code)
	}
	p, f := plan.New(), hosttest.Facts()
	p.Env = []plan.EnvOp{{Kind: plan.UnsetEnv, Name: "PATH"}}
	p.Command = []plan.Str{"x"}
	d, code := Failure(&program.Program{Plan: p}, f, &run.Failure{NoExec: true})
	check(t, d, code, `command "x" not found in the sandbox | none of PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin is there; bind("/usr", ro = True) shows the host's programs`, 0, 127)
}

// TestInterpreterLinks: the loader's name leads over links, of which all that are
// missing are named at once.
func TestInterpreterLinks(t *testing.T) {
	const ld = "/lib64/ld-linux-x86-64.so.2"
	loader := []plan.Op{
		{Kind: plan.Symlink, Dst: "/usr" + ld, Target: "/lib/x/ld.so"},
		{Kind: plan.Write, Dst: "/usr/lib/x/ld.so"},
	}
	lib64 := plan.Op{Kind: plan.Symlink, Dst: "/lib64", Target: "usr/lib64"}
	other := plan.Op{Kind: plan.Symlink, Dst: "/lib64", Target: "opt/lib"}
	for _, tt := range []struct {
		ops  []plan.Op
		want string
	}{
		{loader, `"` + ld + `", which does not exist in the sandbox | symlink("usr/lib64", "/lib64") and symlink("usr/lib", "/lib") if /usr is bound, or bind("/lib64", ro = True) and bind("/lib", ro = True)`},
		{append(loader, lib64), `"` + ld + `", which leads to "/lib/x/ld.so", and that does not exist in the sandbox | symlink("usr/lib", "/lib") if /usr is bound, or bind("/lib", ro = True)`},
		{append(loader, other), `"` + ld + `", which leads to "/opt/lib/ld-linux-x86-64.so.2", and that does not exist in the sandbox | bind() the directory that holds it`},
	} {
		p := plan.New()
		p.Command, p.Ops = []plan.Str{"/x"}, tt.ops
		d, code := Failure(&program.Program{Plan: p}, hosttest.Facts(), &run.Failure{NoExec: true, Errno: syscall.ENOENT, Head: elf(64, binary.LittleEndian, ld)})
		check(t, d, code, `command "/x" needs the interpreter `+tt.want, 0, 126)
	}
}

// elf returns the start of a program with an interpreter.
func elf(bits int, order binary.AppendByteOrder, interp string) []byte {
	class, data := byte(2), byte(1)
	if bits == 32 {
		class = 1
	}
	if order.String() == "BigEndian" {
		data = 2
	}
	b := append([]byte("\x7fELF"), class, data, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0)
	b = order.AppendUint16(b, 3)
	b = order.AppendUint16(b, 62)
	b = order.AppendUint32(b, 1)
	path := interp + "\x00"
	if bits == 64 {
		for _, v := range []uint64{0, 64, 0} { // entry, program headers, section headers
			b = order.AppendUint64(b, v)
		}
		b = order.AppendUint32(b, 0)
		for _, v := range []uint16{64, 56, 2, 0, 0, 0} {
			b = order.AppendUint16(b, v)
		}
		for _, h := range []struct {
			kind    uint32
			off, sz uint64
		}{{6, 0, 0}, {3, 64 + 2*56, uint64(len(path))}} {
			b = order.AppendUint32(b, h.kind)
			b = order.AppendUint32(b, 4)
			for _, v := range []uint64{h.off, 0, 0, h.sz, h.sz, 1} {
				b = order.AppendUint64(b, v)
			}
		}
		return append(b, path...)
	}
	for _, v := range []uint32{0, 52, 0, 0} {
		b = order.AppendUint32(b, v)
	}
	for _, v := range []uint16{52, 32, 2, 0, 0, 0} {
		b = order.AppendUint16(b, v)
	}
	for _, h := range []struct{ kind, off, sz uint32 }{{6, 0, 0}, {3, 52 + 2*32, uint32(len(path))}} {
		for _, v := range []uint32{h.kind, h.off, 0, 0, h.sz, h.sz, 4, 1} {
			b = order.AppendUint32(b, v)
		}
	}
	return append(b, path...)
}

func TestInterpreter(t *testing.T) {
	const ld = "/lib/ld.so"
	whole := elf(64, binary.LittleEndian, ld)
	static := elf(64, binary.LittleEndian, ld)
	static[64+56] = 1 // PT_LOAD
	small := elf(64, binary.LittleEndian, ld)
	small[54] = 32 // of a program header
	for _, tt := range []struct {
		name string
		head []byte
		want string
	}{
		{"64 little", whole, ld}, {"64 big", elf(64, binary.BigEndian, ld), ld},
		{"32 little", elf(32, binary.LittleEndian, ld), ld}, {"32 big", elf(32, binary.BigEndian, ld), ld},
		{"cut in the path", whole[:len(whole)-3], ""}, {"cut in the headers", whole[:100], ""}, {"cut in the first", whole[:63], ""},
		{"static", static, ""}, {"headers too small", small, ""}, {"nothing", nil, ""}, {"magic only", []byte("\x7fELF"), ""},
		{"script", []byte("#!/bin/sh\n"), "/bin/sh"}, {"argument", []byte("#! \t/bin/sh -e x\n"), "/bin/sh"}, {"tab", []byte("#!/bin/sh\t-e"), "/bin/sh"},
		{"white space of others", []byte("#!/a\u00a0b\n"), "/a\u00a0b"}, {"CR", []byte("#!/bin/sh\r\n"), "/bin/sh\r"},
		{"empty", []byte("#!\n/bin/sh"), ""}, {"blank", []byte("#!  "), ""}, {"NUL", []byte("#!/a\x00b"), "/a"}, {"text", []byte("echo"), ""},
	} {
		if got := interpreter(tt.head); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}

func FuzzInterpreter(f *testing.F) {
	for _, bits := range []int{32, 64} {
		f.Add(elf(bits, binary.LittleEndian, "/lib/ld.so"))
		f.Add(elf(bits, binary.BigEndian, "/lib/ld.so"))
	}
	f.Add([]byte("#!/bin/sh -e\n"))
	f.Fuzz(func(t *testing.T, head []byte) {
		if s := interpreter(head); !strings.Contains(string(head), s) {
			t.Errorf("%q is not in the file", s)
		}
	})
}
