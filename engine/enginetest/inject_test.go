//go:build linux

package enginetest

// Every system call that makes a sandbox fails once, and sbx is killed at each once:
// either nothing comes of it, or the command does not run. A filter hands the calls to
// the test, which answers them (seccomp_unotify(2)); its processes need no rights for
// that, and none of what they do otherwise changes.

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"sbx/engine/enginetest/box"
)

// watched are the calls that the test answers. close(2) fails on no file of the
// set-up's, and what asks for ids cannot fail.
var watched = [...]uint32{
	unix.SYS_OPENAT, unix.SYS_OPENAT2, unix.SYS_WRITE, unix.SYS_SENDFILE, unix.SYS_MKDIRAT, unix.SYS_MKNODAT, unix.SYS_SYMLINKAT, unix.SYS_FCHMODAT,
	unix.SYS_FCHOWNAT, unix.SYS_OPEN_TREE, unix.SYS_MOVE_MOUNT, unix.SYS_MOUNT_SETATTR, unix.SYS_FSOPEN, unix.SYS_FSCONFIG, unix.SYS_FSMOUNT,
	unix.SYS_MOUNT, unix.SYS_UMOUNT2, unix.SYS_PIVOT_ROOT, unix.SYS_CHDIR, unix.SYS_FCHDIR, unix.SYS_CHROOT, unix.SYS_UMASK, unix.SYS_SETHOSTNAME,
	unix.SYS_SETSID, unix.SYS_PRCTL, unix.SYS_CAPSET, unix.SYS_PRLIMIT64, unix.SYS_SECCOMP, unix.SYS_SOCKET, unix.SYS_IOCTL, unix.SYS_FCNTL, unix.SYS_DUP3,
	unix.SYS_UNSHARE, unix.SYS_SETNS, unix.SYS_STATX, unix.SYS_FACCESSAT2, unix.SYS_LANDLOCK_CREATE_RULESET, unix.SYS_LANDLOCK_RESTRICT_SELF,
	unix.SYS_CLONE, unix.SYS_EXECVE, unix.SYS_GETDENTS64, unix.SYS_READLINKAT, sysStat,
}

// looks are those by which sbx itself looks at the host.
var looks = []uint32{unix.SYS_OPENAT, unix.SYS_GETDENTS64, unix.SYS_READLINKAT, unix.SYS_STATX, sysStat}

// notification and answer are struct seccomp_notif and seccomp_notif_resp.
type (
	notification struct {
		id    uint64
		tid   uint32
		flags uint32
		nr    uint32
		arch  uint32
		ip    uint64
		args  [6]uint64
	}
	answer struct {
		id    uint64
		val   int64
		errno int32
		flags uint32
	}
)

func init() {
	// notified loads the filter, passes its listener to file descriptor 3, and becomes
	// another program.
	probes["notified"] = func(args []string) int {
		runtime.LockOSThread()
		code := []unix.SockFilter{{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS}} // the call's number
		for i, nr := range watched {
			code = append(code, unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: nr, Jt: uint8(len(watched) - i)})
		}
		code = append(code, unix.SockFilter{Code: unix.BPF_RET, K: unix.SECCOMP_RET_ALLOW}, unix.SockFilter{Code: unix.BPF_RET, K: unix.SECCOMP_RET_USER_NOTIF})
		prog := unix.SockFprog{Len: uint16(len(code)), Filter: &code[0]}
		unix.CloseOnExec(3)
		path, err := unix.BytePtrFromString(args[0])
		if err != nil {
			return fail(err)
		}
		argv, _ := syscall.SlicePtrFromStrings(args)
		env, _ := syscall.SlicePtrFromStrings(os.Environ())
		if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
			return 77
		}
		fd, _, errno := unix.RawSyscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, unix.SECCOMP_FILTER_FLAG_NEW_LISTENER, uintptr(unsafe.Pointer(&prog)))
		if errno != 0 {
			return 77
		}
		if err := unix.Sendmsg(3, []byte{0}, unix.UnixRights(int(fd)), nil, 0); err != nil {
			return fail(err)
		}
		_, _, errno = unix.RawSyscall(unix.SYS_EXECVE, uintptr(unsafe.Pointer(path)), uintptr(unsafe.Pointer(&argv[0])), uintptr(unsafe.Pointer(&env[0])))
		return fail(errno)
	}
}

// injector is what is to happen to one of the calls that make the sandbox, or of those
// by which sbx itself looks at the host.
type injector struct {
	main bool // the latter
	at   int  // the number of the call, from 1; 0: nothing happens
	kill bool // sbx is killed then, else the call fails with EIO

	pid   int // of sbx
	calls []call
	began bool // the command
}

type call struct {
	nr   uint32
	args [6]uint64
}

// handle answers a call.
func (in *injector) handle(n *notification, a *answer) {
	a.id, a.flags = n.id, unix.SECCOMP_USER_NOTIF_FLAG_CONTINUE
	if in.pid == 0 { // it becomes sbx
		in.pid = tgid(n.tid)
		return
	}
	_, err := os.Stat(fmt.Sprintf("/proc/%d/task/%d", in.pid, n.tid))
	main := err == nil
	if in.began || main && !(in.main && slices.Contains(looks, n.nr)) {
		return
	}
	in.began = n.nr == unix.SYS_EXECVE
	if main != in.main {
		return
	}
	in.calls = append(in.calls, call{n.nr, n.args})
	switch {
	case len(in.calls) != in.at:
	case in.kill:
		unix.Kill(in.pid, unix.SIGKILL)
	default:
		a.flags, a.errno = 0, -int32(unix.EIO)
	}
}

func tgid(tid uint32) (pid int) {
	b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", tid))
	_, after, _ := strings.Cut(string(b), "\nTgid:")
	fmt.Sscan(after, &pid)
	return pid
}

// run runs a command under the filter, to its end and that of all that have the mark m.
func (in *injector) run(t *testing.T, m string, cmd *exec.Cmd) box.Result {
	t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	box.Must(t, err)
	theirs := os.NewFile(uintptr(fds[1]), "socket")
	defer theirs.Close()
	cmd.Args = append([]string{probeBin, "probe:notified", cmd.Path}, cmd.Args[1:]...)
	cmd.Path = probeBin
	cmd.ExtraFiles = []*os.File{theirs}
	if cmd.Env == nil {
		cmd.Env = []string{"PATH=/usr/bin:/bin", "HOME=/", m}
	}
	var wg sync.WaitGroup
	over := make(chan struct{})
	wg.Go(func() {
		defer unix.Close(fds[0])
		var b [1]byte
		oob := make([]byte, unix.CmsgSpace(4))
		_, n, _, _, err := unix.Recvmsg(fds[0], b[:], oob, unix.MSG_CMSG_CLOEXEC)
		if err != nil || n == 0 {
			return
		}
		msgs, _ := unix.ParseSocketControlMessage(oob[:n])
		if len(msgs) != 1 {
			return
		}
		if got, _ := unix.ParseUnixRights(&msgs[0]); len(got) == 1 {
			in.serve(got[0], over)
			unix.Close(got[0])
		}
	})
	r := box.Finish(t, cmd)
	theirs.Close()
	gone(t, m)
	close(over)
	wg.Wait()
	if r.Code == 77 {
		t.Skip("no seccomp_unotify(2) here, in a container perhaps")
	}
	return r
}

// serve answers calls until it is over.
func (in *injector) serve(listener int, over chan struct{}) {
	for {
		p := []unix.PollFd{{Fd: int32(listener), Events: unix.POLLIN}}
		if n, _ := unix.Poll(p, 20); n <= 0 || p[0].Revents&unix.POLLIN == 0 {
			select {
			case <-over:
				return
			default:
			}
			if p[0].Revents != 0 {
				<-over
				return
			}
			continue
		}
		var n notification
		if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(listener), unix.SECCOMP_IOCTL_NOTIF_RECV, uintptr(unsafe.Pointer(&n))); errno != 0 {
			continue // it has died meanwhile
		}
		var a answer
		in.handle(&n, &a)
		unix.Syscall(unix.SYS_IOCTL, uintptr(listener), unix.SECCOMP_IOCTL_NOTIF_SEND, uintptr(unsafe.Pointer(&a)))
	}
}

// same reports whether a call is one of a series of which one will do.
func (c call) same(d call) bool {
	return c.nr == d.nr && c.nr == unix.SYS_PRCTL && c.args[0] == d.args[0]
}

const witness = `
grep -E '^(Uid|Gid|Groups|Cap|NoNewPrivs|Seccomp)' /proc/self/status
sed -E 's/^[0-9]+ [0-9]+ [0-9]+:[0-9]+ //; s/fd\/[0-9]+/fd/; s/lowerdir\+=[0-9]+/own/' /proc/self/mountinfo
for d in / /dev /tmp /d /ov /home /run; do stat -c '%n %F %a %u %g' $d/* $d/.[a-z]*; done
cat /d/secret /etc/own /etc/copy; touch /ro/x; pwd; umask; uname -n; ulimit -n; env | sort
cut -d' ' -f 5,6 /proc/self/stat | sed "s/$$/me/g"; ls /proc/self/fd; wc -l </proc/net/dev
`

func TestInjection(t *testing.T) {
	for name, extra := range map[string]string{
		"guard": "map_user(5)\n",
		"init":  "unshare(pid = True, net = True, ipc = True, uts = True)\nhostname(\"box\")\nbecome_root()\nsuppress_chown()\n",
	} {
		for _, kill := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/kill=%v", name, kill), func(t *testing.T) {
				asUser(t, func(t *testing.T, w who) {
					d := w.disk(t)
					low, up, dir := w.Mkdir(t, d+"/low"), w.Mkdir(t, d+"/up"), w.Mkdir(t, d+"/dir")
					w.Write(t, dir+"/secret", "secret\n")
					script := base() + fmt.Sprintf("overlay(\"/ov\", %q, upper = %q)\nbind(%q, \"/d\")\nbind(%[3]q, \"/ro\", ro = True)\n", low, up, dir) + fmt.Sprintf("copy(%q, \"/etc/copy\")\n", w.Write(t, dir+"/copied", "copy\n")) + `mask("/d/secret")
write("/etc/own", "own\n", mode = 0o600)
remount_ro("/tmp")
rlimit("nofile", 100)
umask(0o27)
new_session()
chdir("/tmp")
` + extra
					file := w.Write(t, w.Dir(t)+"/test.sbx.star", script)
					command := func() *exec.Cmd { return w.exec(t, file, "--", "/bin/sh", "-c", witness) }
					m := mark(t)
					(&injector{}).run(t, m, command()) // the kernel leaves its mark on a new upper directory
					in := injector{}
					want := in.run(t, m, command())
					if want.Out == "" || len(in.calls) < 50 {
						t.Fatalf("%d calls, %s", len(in.calls), want)
					}
					step := 1
					if kill {
						step = 16
					} else if name == "guard" { // most is as with an init
						step = 4
					}
					told, harmless := map[string]bool{}, 0
					for at := 1; at <= len(in.calls); at++ {
						c := in.calls[at-1]
						if at > 1 && c.same(in.calls[at-2]) || at > 12 && at < len(in.calls)-6 && at%step != 0 {
							continue
						}
						one := injector{at: at, kill: kill}
						r := one.run(t, m, command())
						what := fmt.Sprintf("call %d, number %d", at, c.nr)
						switch {
						case kill && r.Signal == syscall.SIGKILL && strings.HasPrefix(want.Out, r.Out): // it may have begun
						case kill:
							t.Errorf("%s: %s", what, r)
						case r.Code == want.Code:
							harmless++
							if a, b := firstOther(want.Out+want.Err, r.Out+r.Err); a != b {
								t.Errorf("%s: %q instead of %q", what, b, a)
							}
						default:
							wantFault(t, what, r, "input/output error")
							told[strings.Split(r.Err, ": error: ")[0]] = true
						}
						if list, err := os.ReadDir(d); err != nil || len(list) != 3 {
							t.Fatalf("%s: left: %v, %v", what, list, err)
						}
					}
					if step > 1 {
						return
					}
					if harmless > 12 {
						t.Errorf("%d of %d failures had no consequences", harmless, len(in.calls))
					}
					for i, line := range strings.Split(script, "\n") {
						if line != "" && !told[fmt.Sprintf("%s:%d:1", file, i+1)] {
							t.Errorf("no failure named line %d: %s", i+1, line)
						}
					}
				})
			})
		}
	}
}

// What sbx run looks at and cannot see is not what it shows.
func TestInjectionRun(t *testing.T) {
	asUser(t, func(t *testing.T, w who) {
		home := w.Dir(t)
		project := w.Mkdir(t, home+"/project")
		w.Write(t, project+"/.env", "secret\n")
		w.Write(t, project+"/keys/x.pem", "secret\n")
		w.Write(t, home+"/private", "secret\n")
		m := mark(t)
		command := func() *exec.Cmd {
			return w.Command(t, sbxBin, "run", "--project-path", project, "--excluded-path", ".env", "--excluded-path", "**/*.pem", "--",
				"/bin/sh", "-c", "ls -A / /home /root /run /tmp /var/tmp "+home+"; cat .env keys/x.pem; grep -c -e ' /home ' -e ' /run ' /proc/self/mountinfo")
		}
		run := func(in *injector) box.Result {
			cmd := command()
			cmd.Env = []string{"PATH=/usr/bin:/bin", "HOME=" + home, m}
			return in.run(t, m, cmd)
		}
		run(&injector{}) // makes what it notes its sandboxes in
		in := injector{main: true}
		want := run(&in)
		if want.Out == "" || strings.Contains(want.Out, "secret") || len(in.calls) < 50 {
			t.Fatalf("%d calls, %s", len(in.calls), want)
		}
		faults := 0
		for at := 1; at <= len(in.calls); at++ {
			what := fmt.Sprintf("call %d, number %d", at, in.calls[at-1].nr)
			r := run(&injector{main: true, at: at})
			if r.Code != want.Code {
				faults++
				if r.Code != 125 || r.Out != "" || !strings.Contains(r.Err, "error: ") || strings.Contains(r.Err, "goroutine") {
					t.Errorf("%s: %s", what, r)
				}
			} else if a, b := firstOther(want.Out, r.Out); a != b {
				t.Errorf("%s: %q instead of %q", what, b, a)
			}
		}
		if faults < 20 {
			t.Errorf("only %d of %d failures ended it", faults, len(in.calls))
		}
	})
}

// firstOther returns the first lines that are not the same.
func firstOther(a, b string) (string, string) {
	for a != "" || b != "" {
		var x, y string
		x, a, _ = strings.Cut(a, "\n")
		y, b, _ = strings.Cut(b, "\n")
		if x != y {
			return x, y
		}
	}
	return "", ""
}

// wantFault expects one error, and that the command did not run.
func wantFault(t *testing.T, what string, r box.Result, text string) {
	t.Helper()
	if r.Code < 125 || r.Code > 127 || r.Out != "" || !strings.Contains(r.Err, text) || strings.Count(r.Err, "error: ") != 1 || strings.Contains(r.Err, "goroutine") {
		t.Errorf("%s: %s", what, r)
	}
}
