package probe

// This file makes the kernel refuse, one reason at a time, and looks whether the
// probe finds the reason. Each scenario is a process that is root of a user
// namespace, so that it can spoil things for itself alone.

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"sbx/engine/enginetest/box"
)

type scenario struct {
	probe   string
	prepare func(dir string) error
	status  Status
	detail  string // what must be in Detail
	mend    string // and in Mend
}

// inContainer is the mend of what a container's runtime may be to blame for: there
// is one only if this is a container whose runtime is known.
const inContainer = "run --security-opt"

var scenarios map[string]scenario

func init() {
	scenarios = map[string]scenario{
		"nothing": {"user-namespaces", func(string) error { return nil }, OK, "", ""},
		"limit is 0": {"user-namespaces", func(string) error {
			return os.WriteFile("/proc/sys/user/max_user_namespaces", []byte("0"), 0)
		}, Missing, "user.max_user_namespaces is 0: no space left", "sudo sysctl -w user.max_user_namespaces=15000"},
		"limit is 0, max": {"max-user-namespaces", func(string) error {
			return os.WriteFile("/proc/sys/user/max_user_namespaces", []byte("0"), 0)
		}, Missing, "is 0", "sudo sysctl -w user.max_user_namespaces=15000"},
		"no net namespaces": {"net-namespace", func(string) error {
			return os.WriteFile("/proc/sys/user/max_net_namespaces", []byte("0"), 0)
		}, Missing, "user.max_net_namespaces is used up", "sudo sysctl -w user.max_net_namespaces="},
		"no mount namespaces":          {"user-namespaces", noMountNS, Missing, "user.max_mnt_namespaces or", "user.max_mnt_namespaces=15000"},
		"no mount namespaces, overlay": {"overlay", noMountNS, Missing, "mount namespace: user.max_mnt_namespaces is used up", "user.max_mnt_namespaces=15000"},
		"chroot":                       {"user-namespaces", chrooted, Missing, "not allowed in a chroot", "pivot_root"},
		"no proc":                      {"user-namespaces", emptyRoot, Unknown, "cannot start itself again: no such file", ""},
		"clone":                        {"user-namespaces", denyClone, Missing, "a seccomp filter on this process: operation not permitted", inContainer},
		"masked":                       {"proc-mount", maskProc, Missing, "parts of /proc are mounted over here: /proc/sys", inContainer},
		"no openat2":                   {"openat2", func(string) error { return deny(unix.SYS_OPENAT2, unix.ENOSYS, 0) }, Missing, "not implemented", ""},
		"no fsopen": {"mount-api", func(string) error { return deny(unix.SYS_FSOPEN, unix.ENOSYS, 0) }, Missing,
			"fsopen tmpfs: the kernel or a seccomp filter", inContainer},
		"no mount": {"user-namespaces", func(string) error { return deny(unix.SYS_MOUNT, unix.EACCES, 0) }, Missing,
			"mount in a user namespace: a seccomp filter", inContainer},
		"no landlock": {"landlock", func(string) error { return deny(unix.SYS_LANDLOCK_CREATE_RULESET, unix.EOPNOTSUPP, 0) }, Missing,
			"off since boot", "lsm="},
		"no pivot_root": {"mount-api", func(string) error { return deny(unix.SYS_PIVOT_ROOT, unix.EINVAL, 0) }, Missing, "initramfs", "switch_root"},
		"no time namespaces": {"time-namespace", func(string) error { return deny(unix.SYS_UNSHARE, unix.EINVAL, 0) }, Missing,
			"CONFIG_TIME_NS", ""},
		"no pidfd": {"pidfd", func(string) error { return deny(unix.SYS_PIDFD_OPEN, unix.ENOSYS, 0) }, Missing, "pidfd_open", ""},
	}
}

func noMountNS(string) error {
	return os.WriteFile("/proc/sys/user/max_mnt_namespaces", []byte("0"), 0)
}

// chrooted enters a plain directory that has a /proc and, for a test binary that is
// not static, the system's libraries.
func chrooted(dir string) error {
	for _, name := range []string{"/proc", "/usr", "/lib", "/lib64"} {
		if target, err := os.Readlink(name); err == nil {
			if err := os.Symlink(target, dir+name); err != nil {
				return err
			}
			continue
		}
		if _, err := os.Stat(name); err != nil {
			continue
		}
		if err := os.Mkdir(dir+name, 0o755); err != nil {
			return err
		}
		if err := unix.Mount(name, dir+name, "", unix.MS_BIND|unix.MS_REC, ""); err != nil {
			return err
		}
	}
	return emptyRoot(dir)
}

func emptyRoot(dir string) error {
	if err := unix.Chroot(dir); err != nil {
		return err
	}
	return unix.Chdir("/")
}

func maskProc(string) error {
	return unix.Mount("none", "/proc/sys", "tmpfs", 0, "")
}

// deny makes a system call fail; with flags, only if its first argument has one of
// them.
func deny(nr uint32, errno syscall.Errno, flags uint32) error {
	const load, ret = unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, unix.BPF_RET | unix.BPF_K
	insns := []unix.SockFilter{
		{Code: load, K: 0},
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, Jf: 3, K: nr},
		{Code: load, K: 16},
		{Code: unix.BPF_JMP | unix.BPF_JSET | unix.BPF_K, Jf: 1, K: flags},
		{Code: ret, K: unix.SECCOMP_RET_ERRNO | uint32(errno)},
		{Code: ret, K: unix.SECCOMP_RET_ALLOW},
	}
	if flags == 0 {
		insns[3] = unix.SockFilter{Code: load, K: 0} // nothing to look at
	}
	prog := unix.SockFprog{Len: uint16(len(insns)), Filter: &insns[0]}
	// Root of a user namespace needs no no_new_privs. All threads, for any may fork.
	_, _, e := unix.RawSyscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, unix.SECCOMP_FILTER_FLAG_TSYNC, uintptr(unsafe.Pointer(&prog)))
	if e != 0 {
		return e
	}
	return nil
}

// denyClone is what container runtimes do.
func denyClone(string) error {
	if err := deny(unix.SYS_CLONE3, unix.ENOSYS, 0); err != nil {
		return err
	}
	return deny(unix.SYS_CLONE, unix.EPERM, unix.CLONE_NEWUSER)
}

func TestScenarios(t *testing.T) {
	for name, s := range scenarios {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			cmd := exec.Command("/proc/self/exe", dir)
			cmd.Env = environ(scenarioEnv + "=" + name)
			cmd.SysProcAttr = &syscall.SysProcAttr{
				Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS,
				UidMappings: []syscall.SysProcIDMap{{HostID: os.Geteuid(), Size: 1}},
				GidMappings: []syscall.SysProcIDMap{{HostID: os.Getegid(), Size: 1}},
			}
			out, err := cmd.CombinedOutput()
			if err != nil {
				if cmd.ProcessState == nil || cmd.ProcessState.ExitCode() == 77 {
					box.Skip(t, "cannot be set up here: "+err.Error()+" "+string(out))
				}
				t.Fatalf("%v\n%s", err, out)
			}
			f := append(strings.SplitN(string(out), "\n", 3), "", "")
			if s.mend == inContainer && f[2] == "" {
				s.mend = ""
			}
			if f[0] != s.status.String() || !strings.Contains(f[1], s.detail) || !strings.Contains(f[2], s.mend) || s.mend == "" && f[2] != "" {
				t.Errorf("got\n%s\nwant %v, %q, %q", out, s.status, s.detail, s.mend)
			}
		})
	}
}

// TestUnreadableProgram runs a copy of this program that its user may not read. The
// kernel then does not let a parent of the same user write the id maps.
func TestUnreadableProgram(t *testing.T) {
	if os.Getenv(droppedEnv) != "" {
		if r, _ := Run("user-namespaces"); r.Status != Missing || !strings.Contains(r.Mend, "sudo chmod a+r /") {
			t.Errorf("%+v", r)
		}
		if r, _ := Run("id-maps"); r.Status == OK {
			t.Errorf("%+v", r)
		}
		return
	}
	if os.Geteuid() != 0 {
		t.Skip("needs root, to take a right from another user")
	}
	prog := filepath.Join(box.Users()[0].DirIn(t, os.TempDir()), "test") // t.TempDir may be below a private directory
	b, err := os.ReadFile("/proc/self/exe")
	box.Must(t, err)
	box.Must(t, os.WriteFile(prog, b, 0o711))
	dropped(t, prog, "TestUnreadableProgram")
}
