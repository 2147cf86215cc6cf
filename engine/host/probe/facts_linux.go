package probe

// This file reads the settings that explain a refusal.

import (
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// capSysAdmin is CAP_SYS_ADMIN as a bit, capabilities(7).
const capSysAdmin = 1 << unix.CAP_SYS_ADMIN

func gather() *facts {
	status := readText("/proc/self/status")
	f := &facts{
		sysAdmin:         effectiveCaps()&capSysAdmin != 0,
		maxUserNS:        sysctl("user/max_user_namespaces"),
		unprivClone:      sysctl("kernel/unprivileged_userns_clone"),
		apparmorRestrict: sysctl("kernel/apparmor_restrict_unprivileged_userns"),
		apparmorLabel:    apparmorLabel(),
		selinuxEnforce:   number(readText("/sys/fs/selinux/enforce")),
		seccompFilter:    statusField(status, "Seccomp") == "2",
		noNewPrivs:       statusField(status, "NoNewPrivs") == "1",
		chroot:           inChroot(),
		idsMapped: idMapped(readText("/proc/self/uid_map"), os.Geteuid()) &&
			idMapped(readText("/proc/self/gid_map"), os.Getegid()),
		container:  container(),
		maskedProc: mountsBelowProc(readText("/proc/self/mountinfo")),
	}
	dumpable, err := unix.PrctlRetInt(unix.PR_GET_DUMPABLE, 0, 0, 0, 0)
	f.dumpable = err != nil || dumpable == 1
	f.exe, _ = os.Readlink("/proc/self/exe")
	return f
}

func effectiveCaps() uint64 {
	hdr := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if unix.Capget(&hdr, &data[0]) != nil {
		return 0
	}
	return uint64(data[0].Effective) | uint64(data[1].Effective)<<32
}

// readText returns what is in a file, or nothing.
func readText(name string) string {
	b, _ := os.ReadFile(name)
	return string(b)
}

// sysctl returns a number below /proc/sys, or -1.
func sysctl(name string) int { return number(readText("/proc/sys/" + name)) }

func number(text string) int {
	n, err := strconv.Atoi(strings.TrimSpace(text))
	if err != nil {
		return -1
	}
	return n
}

// apparmorLabel returns the profile of this process, where AppArmor is in force:
// other security modules show their own label in attr/current.
func apparmorLabel() string {
	if label := readText("/proc/self/attr/apparmor/current"); label != "" {
		return strings.TrimRight(label, "\n\x00")
	}
	if strings.TrimSpace(readText("/sys/module/apparmor/parameters/enabled")) != "Y" {
		return ""
	}
	return strings.TrimRight(readText("/proc/self/attr/current"), "\n\x00")
}

// inChroot reports whether the root directory is known to be below the root of the
// mount namespace. A chroot to a mount point shows only where /proc/1/root may be read.
func inChroot() bool {
	var st unix.Statx_t
	if err := unix.Statx(unix.AT_FDCWD, "/", 0, unix.STATX_BASIC_STATS, &st); err == nil &&
		st.Attributes_mask&unix.STATX_ATTR_MOUNT_ROOT != 0 && st.Attributes&unix.STATX_ATTR_MOUNT_ROOT == 0 {
		return true
	}
	ours, err1 := os.Readlink("/proc/self/ns/mnt")
	init, err2 := os.Readlink("/proc/1/ns/mnt")
	if err1 != nil || err2 != nil || ours != init {
		return false
	}
	a, err1 := os.Stat("/")
	b, err2 := os.Stat("/proc/1/root/")
	return err1 == nil && err2 == nil && !os.SameFile(a, b)
}

// container names what this runs in.
func container() string {
	if _, err := os.Lstat("/.dockerenv"); err == nil {
		return "docker"
	}
	if _, err := os.Lstat("/run/.containerenv"); err == nil {
		return "podman"
	}
	return strings.TrimSpace(readText("/run/systemd/container"))
}
