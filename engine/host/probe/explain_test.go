//go:build linux

package probe

import (
	"syscall"
	"testing"
)

// The texts of errors are those of Linux.

// none is a host without any of the settings that get in the way.
var none = facts{
	maxUserNS: 15000, unprivClone: -1, apparmorRestrict: -1, selinuxEnforce: -1,
	dumpable: true, idsMapped: true, exe: "/usr/local/bin/sbx",
}

func with(change func(*facts)) facts {
	f := none
	change(&f)
	return f
}

func TestExplainUserNS(t *testing.T) {
	const (
		debian = "sudo sysctl -w kernel.unprivileged_userns_clone=1"
		ubuntu = "sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0"
		limit  = "sudo sysctl -w user.max_user_namespaces=15000"
	)
	profile := ubuntu + "\n# or, for this program only:\n" +
		`printf 'abi <abi/4.0>,\nprofile sbx /usr/local/bin/sbx flags=(unconfined) {\n  userns,\n}\n'` +
		" | sudo tee /etc/apparmor.d/sbx >/dev/null && sudo apparmor_parser -r /etc/apparmor.d/sbx"
	restricted := with(func(f *facts) { f.apparmorRestrict = 1; f.apparmorLabel = "unconfined" })
	for _, c := range []struct {
		name, stage string
		errno       syscall.Errno
		facts       facts
		detail      string
		mend        string
	}{
		{"limit 0", stageClone, syscall.ENOSPC, with(func(f *facts) { f.maxUserNS = 0 }),
			"user namespace: user.max_user_namespaces is 0: no space left on device", limit},
		{"limit reached", stageClone, syscall.ENOSPC, with(func(f *facts) { f.maxUserNS = 10 }),
			"user namespace: user.max_user_namespaces is 10 and used up, or they are nested 33 deep: no space left on device", limit},
		{"high limit reached", stageClone, syscall.ENOSPC, with(func(f *facts) { f.maxUserNS = 50000 }),
			"user namespace: user.max_user_namespaces is 50000 and used up, or they are nested 33 deep: no space left on device",
			"sudo sysctl -w user.max_user_namespaces=100000"},
		{"nearly the highest limit reached", stageClone, syscall.ENOSPC, with(func(f *facts) { f.maxUserNS = 1<<31 - 2 }),
			"user namespace: user.max_user_namespaces is 2147483646 and used up, or they are nested 33 deep: no space left on device",
			"sudo sysctl -w user.max_user_namespaces=2147483647"},
		{"limit further out", stageClone, syscall.ENOSPC, with(func(f *facts) { f.maxUserNS = 1<<31 - 1 }),
			"user namespace: an enclosing user namespace limits them, as disable_userns() does, or they are nested 33 deep: no space left on device", ""},
		{"nested", stageClone, syscall.EUSERS, with(func(f *facts) { f.maxUserNS = -1 }),
			"user namespace: they are nested 33 deep: too many users", limit},
		{"no mounts", stageUse, syscall.ENOSPC, with(func(f *facts) { f.maxUserNS = 0 }),
			"mount in a user namespace: user.max_mnt_namespaces or fs.mount-max is used up: no space left on device",
			"sudo sysctl -w user.max_mnt_namespaces=15000 fs.mount-max=100000"},
		{"kernel", stageClone, syscall.EINVAL, none, "user namespace: the kernel has none (CONFIG_USER_NS): invalid argument", ""},
		{"gvisor", stageClone, syscall.ENOSYS, none, "user namespace: a filter or the container's runtime blocks the call: function not implemented", ""},
		{"debian", stageClone, syscall.EPERM, with(func(f *facts) { f.unprivClone = 0 }),
			"user namespace: kernel.unprivileged_userns_clone is 0: operation not permitted", debian},
		{"debian, open", stageClone, syscall.EPERM, with(func(f *facts) { f.unprivClone = 1 }), "user namespace: operation not permitted", ""},
		{"debian, but with the capability", stageClone, syscall.EPERM, with(func(f *facts) { f.unprivClone = 0; f.sysAdmin = true; f.chroot = true }),
			"user namespace: not allowed in a chroot, user_namespaces(7): operation not permitted",
			"# enter the tree with pivot_root(8) or systemd-nspawn(1) instead of chroot(8)"},
		{"unmapped caller", stageClone, syscall.EPERM, with(func(f *facts) { f.idsMapped = false }),
			"user namespace: the caller's own ids are not mapped here: operation not permitted", ""},
		{"ubuntu, refused", stageClone, syscall.EACCES, restricted,
			"user namespace: kernel.apparmor_restrict_unprivileged_userns is 1: permission denied", profile},
		{"ubuntu, maps", stageMap, syscall.EPERM, restricted,
			"id maps: kernel.apparmor_restrict_unprivileged_userns is 1: operation not permitted", profile},
		{"ubuntu, no rights", stageUse, syscall.EACCES, restricted,
			"mount in a user namespace: kernel.apparmor_restrict_unprivileged_userns is 1: permission denied", profile},
		{"ubuntu, go run", stageUse, syscall.EPERM, with(func(f *facts) { f.apparmorRestrict = 1; f.exe = "/tmp/go-build1/b001/exe/sbx" }),
			"mount in a user namespace: kernel.apparmor_restrict_unprivileged_userns is 1: operation not permitted", ubuntu},
		{"ubuntu, odd path", stageUse, syscall.EPERM, with(func(f *facts) { f.apparmorRestrict = 1; f.exe = "/opt/my {tools}/sbx" }),
			"mount in a user namespace: kernel.apparmor_restrict_unprivileged_userns is 1: operation not permitted", ubuntu},
		{"both", stageClone, syscall.EPERM, with(func(f *facts) { f.apparmorRestrict = 1; f.unprivClone = 0 }),
			"user namespace: kernel.unprivileged_userns_clone is 0: operation not permitted", debian},
		{"unreadable", stageMap, syscall.EACCES, with(func(f *facts) { f.dumpable = false }),
			"id maps: this program may not be read, and so not inspected either: permission denied", "sudo chmod a+r /usr/local/bin/sbx"},
		{"docker", stageClone, syscall.EPERM, with(func(f *facts) { f.seccompFilter = true; f.container = "docker" }),
			"user namespace: a seccomp filter on this process: operation not permitted", "docker run --security-opt seccomp=unconfined …"},
		{"docker, apparmor", stageUse, syscall.EACCES, with(func(f *facts) {
			f.seccompFilter, f.container, f.apparmorLabel = true, "docker", "docker-default (enforce)"
		}), `mount in a user namespace: AppArmor profile "docker-default (enforce)" of the container: permission denied`, "docker run --security-opt apparmor=unconfined …"},
		{"lxc", stageClone, syscall.EPERM, with(func(f *facts) { f.seccompFilter = true; f.container = "lxc" }),
			"user namespace: a seccomp filter on this process: operation not permitted", ""},
		{"apparmor", stageClone, syscall.EACCES, with(func(f *facts) { f.apparmorLabel = "snap.app (enforce)" }),
			`user namespace: AppArmor profile "snap.app (enforce)": permission denied`, ""},
		{"selinux", stageClone, syscall.EACCES, with(func(f *facts) { f.selinuxEnforce = 1 }),
			"user namespace: SELinux is enforcing: permission denied", "sudo ausearch -m avc -ts recent # shows the rule that denied it"},
		{"selinux, permissive", stageClone, syscall.EACCES, with(func(f *facts) { f.selinuxEnforce = 0 }), "user namespace: permission denied", ""},
		{"another error", stageUse, syscall.ENOMEM, restricted, "mount in a user namespace: cannot allocate memory", ""},
	} {
		if got, want := explainUserNS(c.stage, c.errno, &c.facts), (finding{Missing, c.detail, c.mend}); got != want {
			t.Errorf("%s:\ngot  %+v\nwant %+v", c.name, got, want)
		}
	}
}

func TestExplainMount(t *testing.T) {
	docker := with(func(f *facts) {
		f.container, f.seccompFilter = "docker", true
		f.maskedProc = []string{"/proc/kcore", "/proc/keys", "/proc/timer_list", "/proc/sys", "/proc/bus"}
	})
	podman := docker
	podman.container = "podman"
	for _, c := range []struct {
		name, stage, log string
		errno            syscall.Errno
		facts            facts
		detail, mend     string
	}{
		{"old kernel", "fsopen tmpfs", "", syscall.ENOSYS, none, "fsopen tmpfs: this kernel lacks the call: function not implemented", "# a newer kernel"},
		{"docker's filter", "fsopen tmpfs", "", syscall.ENOSYS, docker, "fsopen tmpfs: the kernel or a seccomp filter on this process lacks the call: function not implemented",
			"docker run --security-opt seccomp=unconfined …"},
		{"no overlay", "fsopen overlay", "", syscall.ENODEV, none,
			"fsopen overlay: the kernel has no overlay file system, or its module is not loaded: no such device", "sudo modprobe overlay"},
		{"no mqueue", "fsopen mqueue", "", syscall.ENODEV, none, "fsopen mqueue: the kernel has no such file system: no such device", ""},
		{"chroot", stagePrivate, "", syscall.EINVAL, none,
			"make mounts private: the root directory is no mount, as in a chroot: invalid argument", chrootMend},
		{"initramfs", stagePivot, "", syscall.EINVAL, none,
			"pivot_root: the root directory is the initramfs, which cannot be left: invalid argument", "# enter another file system with switch_root(8)"},
		{"before 6.7", "fsconfig overlay lowerdir+", "overlay: Unknown parameter 'lowerdir+'", syscall.EINVAL, none,
			"fsconfig overlay lowerdir+: this kernel's overlay file system does not know it: invalid argument", ""},
		{"6.1", "fsconfig overlay lowerdir+", "VFS: Legacy: Option 'lowerdir+' contained comma", syscall.EINVAL, none,
			"fsconfig overlay lowerdir+: this kernel's overlay file system does not know it: invalid argument", ""},
		{"5.10", "fsconfig overlay create", "", syscall.EPERM, none,
			"fsconfig overlay create: this kernel lets no user namespace mount it: operation not permitted", ""},
		{"proc in docker", "fsmount proc", "", syscall.EPERM, docker,
			"fsmount proc: parts of /proc are mounted over here: /proc/kcore, /proc/keys, /proc/timer_list and 2 more: operation not permitted",
			"docker run --security-opt systempaths=unconfined …"},
		{"proc in podman", "fsmount proc", "", syscall.EPERM, podman,
			"fsmount proc: parts of /proc are mounted over here: /proc/kcore, /proc/keys, /proc/timer_list and 2 more: operation not permitted",
			"podman run --security-opt unmask=ALL …"},
		{"tmpfs in docker", "move_mount", "", syscall.EPERM, docker, "move_mount: a seccomp filter on this process: operation not permitted",
			"docker run --security-opt seccomp=unconfined …"},
		{"apparmor", "move_mount", "", syscall.EACCES, with(func(f *facts) { f.container, f.apparmorLabel = "docker", "docker-default (enforce)" }),
			`move_mount: AppArmor profile "docker-default (enforce)" of the container: permission denied`, "docker run --security-opt apparmor=unconfined …"},
		{"selinux", "move_mount", "", syscall.EACCES, with(func(f *facts) { f.selinuxEnforce = 1 }), "move_mount: SELinux is enforcing: permission denied",
			"sudo ausearch -m avc -ts recent # shows the rule that denied it"},
		{"limit", "move_mount", "", syscall.ENOSPC, none, "move_mount: too many mounts: no space left on device", "sudo sysctl -w fs.mount-max=100000"},
		{"plain", "user attribute on tmpfs", "", syscall.EOPNOTSUPP, none, "user attribute on tmpfs: operation not supported", ""},
	} {
		if got, want := explainMount(c.stage, c.log, c.errno, &c.facts), (finding{Missing, c.detail, c.mend}); got != want {
			t.Errorf("%s:\ngot  %+v\nwant %+v", c.name, got, want)
		}
	}
}

func TestExplainOthers(t *testing.T) {
	k := nsKind{"net", "user.max_net_namespaces", "CONFIG_NET_NS"}
	filtered := with(func(f *facts) { f.seccompFilter = true })
	for _, c := range []struct {
		name      string
		got, want finding
	}{
		{"no net", explainNS(k, "net namespace", syscall.EINVAL, &none), finding{Missing, "net namespace: the kernel has none (CONFIG_NET_NS): invalid argument", ""}},
		{"net limit", explainNS(k, "net namespace", syscall.ENOSPC, &none), finding{Missing, "net namespace: user.max_net_namespaces is used up: no space left on device",
			"sudo sysctl -w user.max_net_namespaces=15000"}},
		{"net filter", explainNS(k, "net namespace", syscall.EPERM, &filtered), finding{Missing, "net namespace: a seccomp filter on this process: operation not permitted", ""}},
		{"lo", explainNS(k, "bring lo up", syscall.EPERM, &none), finding{Missing, "bring lo up: operation not permitted", ""}},
		{"no landlock", explainLandlock(syscall.ENOSYS), finding{Missing,
			"landlock: the kernel has none (CONFIG_SECURITY_LANDLOCK), or a seccomp filter hides it: function not implemented", ""}},
		{"landlock off", explainLandlock(syscall.EOPNOTSUPP), finding{Missing, "landlock: off since boot: operation not supported",
			"# put landlock first in the kernel's command line parameter lsm=; what is there now: cat /sys/kernel/security/lsm"}},
		{"landlock", explainLandlock(syscall.EPERM), finding{Missing, "landlock: operation not permitted", ""}},
		{"TIOCSTI on", explainTIOCSTI(0, 1), finding{Missing, "TIOCSTI works: dev.tty.legacy_tiocsti is 1", "sudo sysctl -w dev.tty.legacy_tiocsti=0"}},
		{"TIOCSTI before 6.2", explainTIOCSTI(0, -1), finding{Missing, "TIOCSTI works: the kernel has no dev.tty.legacy_tiocsti", ""}},
		{"TIOCSTI off", explainTIOCSTI(syscall.EIO, 0), finding{OK, "TIOCSTI is refused: input/output error", ""}},
		{"TIOCSTI filtered", explainTIOCSTI(syscall.EPERM, 1), finding{OK, "TIOCSTI is refused: operation not permitted", ""}},
		{"TIOCSTI odd", explainTIOCSTI(syscall.EFAULT, 1), finding{Unknown, "TIOCSTI: bad address", ""}},
	} {
		if c.got != c.want {
			t.Errorf("%s:\ngot  %+v\nwant %+v", c.name, c.got, c.want)
		}
	}
}
