package probe

// This file is what children do: they have namespaces of their own, and leave
// everything to the kernel to clean up.

import (
	"os"
	"strconv"
	"strings"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The actions.
const (
	actHello      = "hello"
	actWait       = "wait"
	actMaps       = "maps"
	actTmpfs      = "tmpfs"
	actMountAPI   = "mount-api"
	actOverlay    = "overlay"
	actLowerdir   = "lowerdir+"
	actXattr      = "tmpfs-xattr"
	actPID        = "pid"
	actProc       = "proc"
	actNet        = "net"
	actIPC        = "ipc"
	actUTS        = "uts"
	actCgroup     = "cgroup"
	actTime       = "time"
	actSeccomp    = "seccomp"
	actLandlock   = "landlock"
	actCloseRange = "close_range"
	actTIOCSTI    = "tiocsti"
)

func act(action string) (detail string, err error) {
	switch action {
	case actHello, actWait:
		return "", nil
	case actMaps:
		return idMaps()
	case actTmpfs:
		return "", scratch()
	case actMountAPI:
		return "", mountAPI()
	case actOverlay:
		return "", overlay()
	case actLowerdir:
		return "", lowerdirPlus()
	case actXattr:
		return "", tmpfsXattr()
	case actPID:
		return inNamespace("pid", firstProcess)
	case actProc:
		return "", freshProc()
	case actNet:
		return inNamespace("net", loopback)
	case actIPC:
		return inNamespace("ipc", mqueue)
	case actUTS:
		return inNamespace("uts", hostname)
	case actCgroup:
		return inNamespace("cgroup", cgroupRoot)
	case actTime:
		return "", timeNamespace()
	case actSeccomp:
		return "", seccompFilter()
	case actLandlock:
		return landlock()
	case actCloseRange:
		return "", closeRange()
	case actTIOCSTI:
		return "", injectTTY()
	}
	return "", fault{"unknown action " + strconv.Quote(action), syscall.EINVAL, ""}
}

// inNamespace runs f and returns which namespace it was in.
func inNamespace(name string, f func() error) (string, error) {
	if err := f(); err != nil {
		return "", err
	}
	link, err := os.Readlink("/proc/self/ns/" + name)
	if err != nil {
		return "", at("/proc/self/ns/"+name, err)
	}
	return link, nil
}

func idMaps() (string, error) {
	if uid, gid := os.Getuid(), os.Getgid(); uid != 0 || gid != 0 {
		return "", wrong("id maps", "ids are "+strconv.Itoa(uid)+":"+strconv.Itoa(gid))
	}
	var fields []string
	for _, name := range []string{"uid_map", "gid_map", "setgroups"} {
		b, err := os.ReadFile("/proc/self/" + name)
		if err != nil {
			return "", at("/proc/self/"+name, err)
		}
		fields = append(fields, name+" "+strings.Join(strings.Fields(string(b)), " "))
	}
	return strings.Join(fields, ", "), nil
}

func firstProcess() error {
	if pid := os.Getpid(); pid != 1 {
		return wrong("pid namespace", "this process is number "+strconv.Itoa(pid)+" there")
	}
	return nil
}

// loopback brings lo up and sends a byte through it.
func loopback() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return at("socket", err)
	}
	ifr, err := unix.NewIfreq("lo")
	if err != nil {
		return at("lo", err)
	}
	if err := unix.IoctlIfreq(fd, unix.SIOCGIFFLAGS, ifr); err != nil {
		return at("flags of lo", err)
	}
	ifr.SetUint16(ifr.Uint16() | unix.IFF_UP)
	if err := unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, ifr); err != nil {
		return at("bring lo up", err)
	}
	if err := unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		return at("bind to 127.0.0.1", err)
	}
	if err := unix.Listen(fd, 1); err != nil {
		return at("listen on 127.0.0.1", err)
	}
	addr, err := unix.Getsockname(fd)
	if err != nil {
		return at("getsockname", err)
	}
	client, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return at("socket", err)
	}
	if err := unix.Connect(client, addr); err != nil {
		return at("connect to 127.0.0.1", err)
	}
	return nil
}

func mqueue() error {
	_, err := makeFS("mqueue")
	return err
}

func hostname() error {
	const name = "sbx-probe"
	if err := unix.Sethostname([]byte(name)); err != nil {
		return at("sethostname", err)
	}
	if got, err := os.Hostname(); err != nil || got != name {
		return wrong("sethostname", "the name is "+strconv.Quote(got))
	}
	return nil
}

// cgroupRoot checks that the process's own cgroup is shown as the root.
func cgroupRoot() error {
	b, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return at("/proc/self/cgroup", err)
	}
	for line := range strings.Lines(string(b)) {
		if line = strings.TrimSpace(line); !strings.HasSuffix(line, ":/") {
			return wrong("/proc/self/cgroup", strconv.Quote(line))
		}
	}
	return nil
}

// timeNamespace makes a namespace for the thread's children and sets its clock.
func timeNamespace() error {
	if err := unix.Unshare(unix.CLONE_NEWTIME); err != nil {
		return at("time namespace", err)
	}
	task := "/proc/" + strconv.Itoa(unix.Gettid())
	const offset = "monotonic 1000 0"
	if err := os.WriteFile(task+"/timens_offsets", []byte(offset), 0); err != nil {
		return at("timens_offsets", err)
	}
	now, err1 := os.Readlink(task + "/ns/time")
	next, err2 := os.Readlink(task + "/ns/time_for_children")
	if err1 != nil || err2 != nil || now == next {
		return wrong("time namespace", "children stay in "+strconv.Quote(now))
	}
	return nil
}

// seccompFilter makes syncfs(2) of no file fail with EPERM instead of EBADF.
func seccompFilter() error {
	const (
		load = unix.BPF_LD | unix.BPF_W | unix.BPF_ABS
		jump = unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K
		ret  = unix.BPF_RET | unix.BPF_K
	)
	insns := []unix.SockFilter{
		{Code: load, K: 0},
		{Code: jump, Jf: 1, K: unix.SYS_SYNCFS},
		{Code: ret, K: unix.SECCOMP_RET_ERRNO | uint32(unix.EPERM)},
		{Code: ret, K: unix.SECCOMP_RET_ALLOW},
	}
	prog := unix.SockFprog{Len: uint16(len(insns)), Filter: &insns[0]}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return at("no_new_privs", err)
	}
	if _, _, errno := unix.RawSyscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, 0, uintptr(unsafe.Pointer(&prog))); errno != 0 {
		return at("seccomp", errno)
	}
	if _, _, errno := unix.RawSyscall(unix.SYS_SYNCFS, ^uintptr(0), 0, 0); errno != unix.EPERM {
		return wrong("seccomp", "a filtered call gave "+strconv.Quote(errno.Error()))
	}
	return nil
}

// scopes is the version of landlock(7) that can scope abstract sockets.
const scopes = 6

// landlock returns the version and, where that can do it, keeps itself from a socket
// of its own that is older than the rule.
func landlock() (string, error) {
	version, _, errno := unix.RawSyscall(unix.SYS_LANDLOCK_CREATE_RULESET, 0, 0, unix.LANDLOCK_CREATE_RULESET_VERSION)
	if errno != 0 {
		return "", at("landlock", errno)
	}
	if version < scopes {
		return strconv.Itoa(int(version)), nil
	}
	var fds [2]int
	for i := range fds {
		fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return "", at("socket", err)
		}
		fds[i] = fd
	}
	if err := unix.Bind(fds[0], &unix.SockaddrUnix{}); err != nil { // a name of the kernel's choice
		return "", at("bind a socket", err)
	}
	if err := unix.Listen(fds[0], 1); err != nil {
		return "", at("listen on a socket", err)
	}
	addr, err := unix.Getsockname(fds[0])
	if err != nil {
		return "", at("getsockname", err)
	}
	attr := unix.LandlockRulesetAttr{Scoped: unix.LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET}
	set, _, errno := unix.RawSyscall(unix.SYS_LANDLOCK_CREATE_RULESET, uintptr(unsafe.Pointer(&attr)), unsafe.Sizeof(attr), 0)
	if errno != 0 {
		return "", at("landlock_create_ruleset", errno)
	}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return "", at("no_new_privs", err)
	}
	if _, _, errno := unix.RawSyscall(unix.SYS_LANDLOCK_RESTRICT_SELF, set, 0, 0); errno != 0 {
		return "", at("landlock_restrict_self", errno)
	}
	if err := unix.Connect(fds[1], addr); err != unix.EPERM {
		return "", wrong("landlock", "a socket out of scope could be reached")
	}
	return strconv.Itoa(int(version)), nil
}

// closeRange closes some descriptors and marks another to be closed at an exec.
func closeRange() error {
	for fd := 100; fd < 103; fd++ {
		if err := unix.Dup3(0, fd, 0); err != nil {
			return at("dup3", err)
		}
	}
	if err := unix.CloseRange(100, 101, 0); err != nil {
		return at("close_range", err)
	}
	if err := unix.CloseRange(102, 102, unix.CLOSE_RANGE_CLOEXEC); err != nil {
		return at("close_range CLOSE_RANGE_CLOEXEC", err)
	}
	_, err100 := unix.FcntlInt(100, unix.F_GETFD, 0)
	_, err101 := unix.FcntlInt(101, unix.F_GETFD, 0)
	flags, err102 := unix.FcntlInt(102, unix.F_GETFD, 0)
	if err100 != unix.EBADF || err101 != unix.EBADF || err102 != nil || flags&unix.FD_CLOEXEC == 0 {
		return wrong("close_range", "descriptors are still open")
	}
	return nil
}

// injectTTY types a character into a terminal of its own.
func injectTTY() error {
	ptmx, err := unix.Open("/dev/ptmx", unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		return at("/dev/ptmx", err)
	}
	if err := unix.IoctlSetPointerInt(ptmx, unix.TIOCSPTLCK, 0); err != nil {
		return at("unlockpt", err)
	}
	tty, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(ptmx), unix.TIOCGPTPEER, unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC)
	if errno != 0 {
		return at("open a terminal", errno)
	}
	if _, err := unix.Setsid(); err != nil {
		return at("setsid", err)
	}
	if err := unix.IoctlSetInt(int(tty), unix.TIOCSCTTY, 0); err != nil {
		return at("TIOCSCTTY", err)
	}
	c := byte('x')
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, tty, unix.TIOCSTI, uintptr(unsafe.Pointer(&c))); errno != 0 {
		return at(actTIOCSTI, errno)
	}
	return nil
}
