package probe

// This file is the probes: what each has done, and what its outcome means.

import (
	"errors"
	"os"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// A host remembers what several probes need to know.
type host struct {
	known  *facts
	userNS *finding
}

func newHost() *host { return &host{} }

func (h *host) facts() *facts {
	if h.known == nil {
		h.known = gather()
	}
	return h.known
}

// privileged reports whether the caller can do without a user namespace.
func (h *host) privileged() bool { return os.Geteuid() == 0 && h.facts().sysAdmin }

func (h *host) run(name string) finding {
	switch name {
	case "user-namespaces":
		return h.userNamespaces()
	case "id-maps":
		return h.idMaps()
	case "max-user-namespaces":
		return h.maxUserNamespaces()
	case "capabilities":
		return h.capabilities()
	case "subordinate-ids":
		return h.subordinateIDs()
	case "mount-api":
		return h.mount(0, actMountAPI, "open_tree, fsopen, fsmount, move_mount, mount_setattr and pivot_root work")
	case "mount-max":
		return mountMax()
	case "openat2":
		return openat2()
	case "overlay":
		return h.mount(0, actOverlay, "mounted on a tmpfs and written to")
	case "lowerdir+":
		return h.mount(0, actLowerdir, "two layers, one with a colon and a comma in its name")
	case "tmpfs-xattr":
		return h.mount(0, actXattr, "user attributes on tmpfs")
	case "proc-mount":
		return h.mount(syscall.CLONE_NEWPID, actProc, "mounted in a new pid namespace")
	case "pid-namespace":
		return h.namespace(nsKind{"pid", "user.max_pid_namespaces", "CONFIG_PID_NS"}, syscall.CLONE_NEWPID, actPID)
	case "net-namespace":
		return h.namespace(nsKind{"net", "user.max_net_namespaces", "CONFIG_NET_NS"}, syscall.CLONE_NEWNET, actNet)
	case "ipc-namespace":
		return h.namespace(nsKind{"ipc", "user.max_ipc_namespaces", "CONFIG_IPC_NS"}, syscall.CLONE_NEWIPC|syscall.CLONE_NEWNS, actIPC)
	case "uts-namespace":
		return h.namespace(nsKind{"uts", "user.max_uts_namespaces", "CONFIG_UTS_NS"}, syscall.CLONE_NEWUTS, actUTS)
	case "cgroup-namespace":
		return h.namespace(nsKind{"cgroup", "user.max_cgroup_namespaces", "CONFIG_CGROUPS"}, syscall.CLONE_NEWCGROUP, actCgroup)
	case "time-namespace":
		return h.namespace(nsKind{"time", "user.max_time_namespaces", "CONFIG_TIME_NS"}, 0, actTime)
	case "seccomp":
		return h.call(actSeccomp, "a filter was loaded and obeyed")
	case "close_range":
		return h.call(actCloseRange, "closes, and marks for closing at an exec")
	case "landlock":
		return landlockABI()
	case "pidfd":
		return pidfd()
	case "proc-children":
		return procChildren()
	case "terminal-injection":
		return h.terminalInjection()
	}
	return finding{Unknown, "no such probe", ""}
}

// unknown is for what could not be tried.
func unknown(why string, err error) finding {
	if err != nil {
		why += ": " + err.Error()
	}
	return finding{Unknown, why, ""}
}

const selfStart = "this program cannot start itself again"

// userNamespaces goes as far as a mount: Ubuntu lets everyone make a user namespace,
// but without the rights that it is made for.
func (h *host) userNamespaces() finding {
	if h.userNS == nil {
		f := h.tryUserNamespaces()
		h.userNS = &f
	}
	return *h.userNS
}

func (h *host) tryUserNamespaces() finding {
	if _, err := ask(0, callers, actHello); err != nil {
		return unknown(selfStart, err)
	}
	if f, ok := h.userNSStage(stageClone, 0, unmapped, actHello); !ok {
		return f
	}
	if f, ok := h.userNSStage(stageMap, 0, root, actHello); !ok {
		return f
	}
	if f, ok := h.userNSStage(stageUse, syscall.CLONE_NEWNS, root, actTmpfs); !ok {
		return f
	}
	return finding{OK, "made one and mounted a tmpfs in it", ""}
}

// userNSStage takes one step in making a user namespace.
func (h *host) userNSStage(stage string, flags uintptr, who ids, action string) (finding, bool) {
	_, err := ask(flags, who, action)
	var errno syscall.Errno
	var f fault
	switch {
	case err == nil:
		return finding{}, true
	case errors.As(err, &f):
		errno = f.errno
	case !errors.As(err, &errno):
		return unknown(stage, err), false
	}
	return explainUserNS(stage, errno, h.facts()), false
}

// idMaps has its own probe because a program that may not be read, or a parent that
// lacks an id, makes user namespaces and still cannot map ids.
func (h *host) idMaps() finding {
	detail, err := ask(0, root, actMaps)
	var f fault
	switch {
	case err == nil:
		return finding{OK, detail, ""}
	case errors.As(err, &f):
		return finding{Missing, f.Error(), ""}
	}
	if u := h.userNamespaces(); u.status != OK {
		return unknown("needs a user namespace", nil)
	}
	return unknown(stageMap, err)
}

func (h *host) maxUserNamespaces() finding {
	switch n := h.facts().maxUserNS; {
	case n < 0:
		return unknown("user.max_user_namespaces cannot be read", nil)
	case n == 0:
		return finding{Missing, "user.max_user_namespaces is 0", "sudo sysctl -w user.max_user_namespaces=15000"}
	default:
		return finding{OK, "user.max_user_namespaces is " + strconv.Itoa(n), ""}
	}
}

func (h *host) capabilities() finding {
	text := readText("/proc/self/status")
	if text == "" {
		return unknown("/proc/self/status cannot be read", nil)
	}
	var words []string
	for _, set := range [][2]string{{"CapEff", "effective"}, {"CapPrm", "permitted"}, {"CapBnd", "bounding"}, {"CapAmb", "ambient"}} {
		mask := strings.TrimLeft(statusField(text, set[0]), "0")
		if mask == "" {
			mask = "none"
		}
		words = append(words, set[1]+" "+mask)
	}
	if h.facts().noNewPrivs {
		words = append(words, "no_new_privs")
	}
	switch {
	case h.privileged():
		words = append(words, "no user namespace needed")
	case os.Geteuid() == 0:
		words = append(words, "root without CAP_SYS_ADMIN")
	}
	return finding{OK, strings.Join(words, ", "), ""}
}

// defaultMountMax is the kernel's default of fs.mount-max.
const defaultMountMax = 100000

func mountMax() finding {
	n := sysctl("fs/mount-max")
	switch detail := "fs.mount-max is " + strconv.Itoa(n); {
	case n < 0:
		return unknown("fs.mount-max cannot be read", nil)
	case n < defaultMountMax:
		return finding{Missing, detail + ", less than the kernel's default", "sudo sysctl -w fs.mount-max=" + strconv.Itoa(defaultMountMax)}
	default:
		return finding{OK, detail, ""}
	}
}

// ask has an action done by a child with the rights of a sandbox. Without a child,
// there is a finding.
func (h *host) ask(flags uintptr, action string) (detail string, none *finding, err error) {
	who := root
	if u := h.userNamespaces(); u.status != OK {
		if !h.privileged() {
			f := unknown("needs a user namespace", nil)
			return "", &f, nil
		}
		who = callers
	}
	detail, err = ask(flags, who, action)
	return detail, nil, err
}

var mountNS = nsKind{"mnt", "user.max_mnt_namespaces", "CONFIG_NAMESPACES"}

// mount runs an action that mounts.
func (h *host) mount(flags uintptr, action, good string) finding {
	_, none, err := h.ask(flags|syscall.CLONE_NEWNS, action)
	var errno syscall.Errno
	var f fault
	switch {
	case none != nil:
		return *none
	case err == nil:
		return finding{OK, good, ""}
	case errors.As(err, &errno):
		return explainNS(mountNS, "mount namespace", errno, h.facts())
	case errors.As(err, &f):
		return explainMount(f.stage, f.log, f.errno, h.facts())
	}
	return unknown(selfStart, err)
}

// namespace runs an action in a namespace and checks that it was a new one.
func (h *host) namespace(k nsKind, flags uintptr, action string) finding {
	detail, none, err := h.ask(flags, action)
	var errno syscall.Errno
	var f fault
	switch {
	case none != nil:
		return *none
	case errors.As(err, &errno):
		return explainNS(k, k.name+" namespace", errno, h.facts())
	case errors.As(err, &f):
		return explainNS(k, f.stage, f.errno, h.facts())
	case err != nil:
		return unknown(selfStart, err)
	}
	if ours, err := os.Readlink("/proc/self/ns/" + k.name); detail != "" && err == nil && ours == detail {
		return finding{Missing, "the child is still in " + strconv.Quote(ours), ""}
	}
	switch action {
	case actNet:
		return finding{OK, "made one and connected through its loopback interface", ""}
	case actIPC:
		return finding{OK, "made one and its mqueue file system", ""}
	}
	return finding{OK, "made one", ""}
}

// call runs an action that needs no namespace.
func (h *host) call(action, good string) finding {
	_, err := ask(0, callers, action)
	var f fault
	switch {
	case err == nil:
		return finding{OK, good, ""}
	case errors.As(err, &f):
		return finding{Missing, f.Error(), ""}
	}
	return unknown(selfStart, err)
}

func atoi(s string) int {
	n, _ := strconv.Atoi(s)
	return n
}

func landlockABI() finding {
	version, err := ask(0, callers, actLandlock)
	var f fault
	switch {
	case err == nil && atoi(version) < scopes:
		return finding{Missing, "version " + version + ", which has no scopes", ""}
	case err == nil:
		return finding{OK, "version " + version + ", and a scope was obeyed", ""}
	case errors.As(err, &f) && f.stage == actLandlock && f.log == "":
		return explainLandlock(f.errno)
	case errors.As(err, &f):
		return finding{Missing, f.Error(), ""}
	}
	return unknown(selfStart, err)
}

// openat2 has "/proc/.." resolved inside /proc, where it is /proc itself.
func openat2() finding {
	dir, err := unix.Open("/proc", unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return unknown("/proc", err)
	}
	defer unix.Close(dir)
	how := unix.OpenHow{Flags: unix.O_PATH | unix.O_CLOEXEC, Resolve: unix.RESOLVE_IN_ROOT | unix.RESOLVE_NO_MAGICLINKS}
	fd, err := unix.Openat2(dir, "..", &how)
	if err != nil {
		return finding{Missing, "openat2: " + err.Error(), ""}
	}
	defer unix.Close(fd)
	var a, b unix.Stat_t
	err1, err2 := unix.Fstat(dir, &a), unix.Fstat(fd, &b)
	if err1 != nil || err2 != nil || a.Dev != b.Dev || a.Ino != b.Ino {
		return finding{Missing, "openat2: RESOLVE_IN_ROOT is not obeyed", ""}
	}
	return finding{OK, "RESOLVE_IN_ROOT and RESOLVE_NO_MAGICLINKS are obeyed", ""}
}

// pidfd signals a child through one and waits for its end on it.
func pidfd() finding {
	c, err := start(0, callers, actWait)
	if err != nil {
		return unknown(selfStart, err)
	}
	defer c.stop()
	fd, err := unix.PidfdOpen(c.pid, 0)
	if err != nil {
		return finding{Missing, "pidfd_open: " + err.Error(), ""}
	}
	defer unix.Close(fd)
	if err := unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0); err != nil {
		return finding{Missing, "pidfd_send_signal: " + err.Error(), ""}
	}
	if err := waitReadable(fd, patience); err != nil {
		return finding{Missing, "poll of a pidfd: " + err.Error(), ""}
	}
	if err := unix.Waitid(unix.P_PIDFD, fd, nil, unix.WEXITED|unix.WNOWAIT, nil); err != nil {
		return finding{Missing, "waitid P_PIDFD: " + err.Error(), ""}
	}
	return finding{OK, "signalled, polled and waited for a process", ""}
}

// procChildren looks for a child in the list of the thread that made it.
func procChildren() finding {
	c, err := start(0, callers, actWait)
	if err != nil {
		return unknown(selfStart, err)
	}
	defer c.stop()
	name := "/proc/self/task/" + strconv.Itoa(unix.Gettid()) + "/children"
	b, err := os.ReadFile(name)
	if errors.Is(err, os.ErrNotExist) {
		return finding{Missing, "/proc/PID/task/TID/children: " + unix.ENOENT.Error(), ""}
	}
	if err != nil {
		return unknown("", err)
	}
	for pid := range strings.FieldsSeq(string(b)) {
		if pid == strconv.Itoa(c.pid) {
			return finding{OK, "/proc/PID/task/TID/children lists a child", ""}
		}
	}
	return finding{Missing, "/proc/PID/task/TID/children does not list a child", ""}
}

// terminalInjection tries as an ordinary process: with CAP_SYS_ADMIN outside of any
// user namespace TIOCSTI always works.
func (h *host) terminalInjection() finding {
	who := callers
	if h.userNamespaces().status == OK {
		who = root
	} else if h.facts().sysAdmin {
		return unknown("CAP_SYS_ADMIN may type into terminals in any case", nil)
	}
	_, err := ask(0, who, actTIOCSTI)
	var f fault
	switch limit := sysctl("dev/tty/legacy_tiocsti"); {
	case err == nil:
		return explainTIOCSTI(0, limit)
	case errors.As(err, &f) && f.stage == actTIOCSTI:
		return explainTIOCSTI(f.errno, limit)
	}
	return unknown("no terminal to try it on", err)
}
