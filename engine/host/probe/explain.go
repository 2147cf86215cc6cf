package probe

// This file turns refusals into causes and the commands that mend them.

import (
	"math"
	"strconv"
	"strings"
	"syscall"
)

// facts is what decides how the kernel answers. A number is -1 where the host has
// no such setting or does not let it be read.
type facts struct {
	sysAdmin         bool // CAP_SYS_ADMIN is effective
	maxUserNS        int  // user.max_user_namespaces
	unprivClone      int  // kernel.unprivileged_userns_clone: Debian, Arch
	apparmorRestrict int  // kernel.apparmor_restrict_unprivileged_userns: Ubuntu 23.10
	apparmorLabel    string
	selinuxEnforce   int
	seccompFilter    bool
	noNewPrivs       bool
	dumpable         bool
	chroot           bool
	idsMapped        bool   // the caller's ids have a meaning in its own user namespace
	container        string // "docker", "podman", another name, or empty
	exe              string // path of this program
	maskedProc       []string
}

// maxSysctl is the most that the kernel takes for a limit on namespaces.
const maxSysctl = math.MaxInt32

// Where making a user namespace can fail.
const (
	stageClone = "user namespace"
	stageMap   = "id maps"
	stageUse   = "mount in a user namespace"
)

// why joins what was tried, the cause and the kernel's answer.
func why(stage, cause string, errno syscall.Errno) string {
	if cause != "" {
		stage += ": " + cause
	}
	return stage + ": " + errno.Error()
}

// explainUserNS says why a user namespace could not be made, got no id maps, or
// gave no rights. The checks are in the kernel's order, those that many processes
// pass through without harm (seccomp, security modules) last.
func explainUserNS(stage string, errno syscall.Errno, f *facts) finding {
	cause, mend := userNSCause(stage, errno, f)
	return finding{Missing, why(stage, cause, errno), mend}
}

func userNSCause(stage string, errno syscall.Errno, f *facts) (cause, mend string) {
	denied := errno == syscall.EPERM || errno == syscall.EACCES
	switch {
	case errno == syscall.ENOSPC && stage == stageClone && f.maxUserNS == 0:
		return "user.max_user_namespaces is 0", "sudo sysctl -w user.max_user_namespaces=15000"
	case errno == syscall.ENOSPC && stage == stageUse:
		return "user.max_mnt_namespaces or fs.mount-max is used up", "sudo sysctl -w user.max_mnt_namespaces=15000 fs.mount-max=100000"
	case errno == syscall.ENOSPC || errno == syscall.EUSERS:
		// The limit may also be that of a namespace further out, which cannot be read from
		// here. In a new one it is the highest there is, so that must be it then.
		if f.maxUserNS == maxSysctl {
			return "an enclosing user namespace limits them, as disable_userns() does, or they are nested 33 deep", ""
		}
		if f.maxUserNS > 0 {
			cause = "user.max_user_namespaces is " + strconv.Itoa(f.maxUserNS) + " and used up, or "
		}
		return cause + "they are nested 33 deep", "sudo sysctl -w user.max_user_namespaces=" + strconv.Itoa(min(max(15000, 2*f.maxUserNS), maxSysctl))
	case errno == syscall.EINVAL && stage == stageClone:
		return "the kernel has none (CONFIG_USER_NS)", ""
	case errno == syscall.ENOSYS:
		return "a filter or the container's runtime blocks the call", containerMend(f, "seccomp=unconfined")
	case !denied:
		return "", ""
	case stage == stageClone && f.unprivClone == 0 && !f.sysAdmin:
		return "kernel.unprivileged_userns_clone is 0", "sudo sysctl -w kernel.unprivileged_userns_clone=1"
	case stage == stageClone && f.chroot:
		return "not allowed in a chroot, user_namespaces(7)", chrootMend
	case stage == stageClone && !f.idsMapped:
		return "the caller's own ids are not mapped here", ""
	case stage == stageMap && !f.dumpable:
		return "this program may not be read, and so not inspected either", "sudo chmod a+r " + quoteSh(f.exe)
	case f.apparmorRestrict == 1 && !f.sysAdmin:
		return "kernel.apparmor_restrict_unprivileged_userns is 1", apparmorMend(f.exe)
	case stage == stageUse && f.container != "" && f.confined():
		return "AppArmor profile " + strconv.Quote(f.apparmorLabel) + " of the container", containerMend(f, "apparmor=unconfined")
	case f.seccompFilter:
		return "a seccomp filter on this process", containerMend(f, "seccomp=unconfined")
	case f.confined():
		return "AppArmor profile " + strconv.Quote(f.apparmorLabel), ""
	case f.selinuxEnforce == 1:
		return "SELinux is enforcing", "sudo ausearch -m avc -ts recent # shows the rule that denied it"
	}
	return "", ""
}

const chrootMend = "# enter the tree with pivot_root(8) or systemd-nspawn(1) instead of chroot(8)"

// confined reports whether an AppArmor profile is enforced on the caller.
func (f *facts) confined() bool {
	return f.apparmorLabel != "" && !strings.HasPrefix(f.apparmorLabel, "unconfined") && !strings.Contains(f.apparmorLabel, "(unconfined)")
}

// containerMend is the option to start the container with.
func containerMend(f *facts, option string) string {
	switch f.container {
	case "docker", "podman":
		return f.container + " run --security-opt " + option + " …"
	}
	return ""
}

// apparmorMend lifts Ubuntu's restriction, or exempts this program from it. The
// program must be at a lasting path, and one that AppArmor takes for no pattern.
func apparmorMend(exe string) string {
	const sysctl = "sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0"
	if !plainPath(exe) || strings.Contains(exe, "/go-build") {
		return sysctl
	}
	return sysctl + "\n# or, for this program only:\n" +
		`printf 'abi <abi/4.0>,\nprofile sbx ` + exe + ` flags=(unconfined) {\n  userns,\n}\n' | sudo tee /etc/apparmor.d/sbx >/dev/null` +
		" && sudo apparmor_parser -r /etc/apparmor.d/sbx"
}

// plainPath reports whether an absolute path means itself to a shell and to AppArmor.
func plainPath(s string) bool {
	if !strings.HasPrefix(s, "/") {
		return false
	}
	for _, c := range []byte(s) {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', strings.IndexByte("/._+@-", c) >= 0:
		default:
			return false
		}
	}
	return true
}

// quoteSh quotes a word for the shell.
func quoteSh(s string) string {
	if plainPath(s) {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// Steps of making a mount that the root directory decides.
const (
	stagePrivate = "make mounts private"
	stagePivot   = "pivot_root"
)

// explainMount says why a step of making a mount failed, where user namespaces work.
func explainMount(stage, log string, errno syscall.Errno, f *facts) finding {
	var cause, mend string
	switch errno {
	case syscall.ENOSYS:
		cause, mend = "this kernel lacks the call", "# a newer kernel"
		if f.seccompFilter {
			cause, mend = "the kernel or a seccomp filter on this process lacks the call", containerMend(f, "seccomp=unconfined")
		}
	case syscall.EINVAL:
		switch stage {
		case stagePrivate:
			cause, mend = "the root directory is no mount, as in a chroot", chrootMend
		case stagePivot:
			cause, mend = "the root directory is the initramfs, which cannot be left", "# enter another file system with switch_root(8)"
		case "fsconfig overlay lowerdir+": // said in one way or another
			cause = "this kernel's overlay file system does not know it"
		}
	case syscall.ENODEV:
		cause = "the kernel has no such file system"
		if strings.Contains(stage, "overlay") {
			cause, mend = "the kernel has no overlay file system, or its module is not loaded", "sudo modprobe overlay"
		}
	case syscall.EPERM, syscall.EACCES:
		switch {
		case strings.Contains(stage, "proc") && len(f.maskedProc) > 0:
			cause = "parts of /proc are mounted over here: " + list(f.maskedProc, 3)
			switch f.container {
			case "docker":
				mend = containerMend(f, "systempaths=unconfined")
			case "podman":
				mend = containerMend(f, "unmask=ALL")
			}
		case f.container != "" && f.confined():
			cause, mend = "AppArmor profile "+strconv.Quote(f.apparmorLabel)+" of the container", containerMend(f, "apparmor=unconfined")
		case f.seccompFilter:
			cause, mend = "a seccomp filter on this process", containerMend(f, "seccomp=unconfined")
		case f.selinuxEnforce == 1:
			cause, mend = "SELinux is enforcing", "sudo ausearch -m avc -ts recent # shows the rule that denied it"
		case stage == "fsconfig overlay create":
			cause = "this kernel lets no user namespace mount it"
		}
	case syscall.ENOSPC:
		cause, mend = "too many mounts", "sudo sysctl -w fs.mount-max=100000"
	}
	if log != "" && cause == "" {
		cause = log
	}
	return finding{Missing, why(stage, cause, errno), mend}
}

// list joins up to n words.
func list(words []string, n int) string {
	if len(words) > n {
		return strings.Join(words[:n], ", ") + " and " + strconv.Itoa(len(words)-n) + " more"
	}
	return strings.Join(words, ", ")
}

// nsKind is a kind of namespace beside user and mount.
type nsKind struct {
	name   string // in /proc/PID/ns
	limit  string // sysctl
	config string // kernel option
}

// explainNS says why a namespace of that kind could not be made, where user
// namespaces work.
func explainNS(k nsKind, stage string, errno syscall.Errno, f *facts) finding {
	var cause, mend string
	switch {
	case errno == syscall.EINVAL:
		cause = "the kernel has none (" + k.config + ")"
	case errno == syscall.ENOSPC:
		cause, mend = k.limit+" is used up", "sudo sysctl -w "+k.limit+"=15000"
	case errno == syscall.EPERM && f.seccompFilter:
		cause, mend = "a seccomp filter on this process", containerMend(f, "seccomp=unconfined")
	}
	return finding{Missing, why(stage, cause, errno), mend}
}

// explainLandlock says what landlock_create_ruleset(2) meant.
func explainLandlock(errno syscall.Errno) finding {
	switch errno {
	case syscall.ENOSYS:
		return finding{Missing, why("landlock", "the kernel has none (CONFIG_SECURITY_LANDLOCK), or a seccomp filter hides it", errno), ""}
	case syscall.EOPNOTSUPP:
		return finding{Missing, why("landlock", "off since boot", errno),
			"# put landlock first in the kernel's command line parameter lsm=; what is there now: cat /sys/kernel/security/lsm"}
	}
	return finding{Missing, why("landlock", "", errno), ""}
}

// explainTIOCSTI says what a try to push a character into a terminal of its own
// means. sysctl is dev.tty.legacy_tiocsti or -1.
func explainTIOCSTI(errno syscall.Errno, sysctl int) finding {
	switch {
	case errno == 0 && sysctl >= 0:
		return finding{Missing, "TIOCSTI works: dev.tty.legacy_tiocsti is " + strconv.Itoa(sysctl), "sudo sysctl -w dev.tty.legacy_tiocsti=0"}
	case errno == 0:
		return finding{Missing, "TIOCSTI works: the kernel has no dev.tty.legacy_tiocsti", ""}
	case errno == syscall.EIO || errno == syscall.EPERM:
		return finding{OK, why("TIOCSTI is refused", "", errno), ""}
	}
	return finding{Unknown, why("TIOCSTI", "", errno), ""}
}
