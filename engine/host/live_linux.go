package host

// Live: the facts of the host that runs this process.

import (
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"sbx/engine/plan"
)

// Live returns the facts of this host that a plan needs to know; paths are
// looked up as they are asked for.
func Live(p *plan.Plan) *Facts {
	f := &Facts{
		UID: uint32(os.Geteuid()), GID: uint32(os.Getegid()),
		Caps: effectiveCaps(), Env: os.Environ(), Arch: runtime.GOARCH, PageSize: os.Getpagesize(), Prober: live{},
	}
	if p.Unshare.UserTry {
		f.NoUserNS = ProcFile("/proc/sys/user/max_user_namespaces") == "0\n"
	}
	if p.SameDir || p.TryDir && p.Dir == "" {
		f.Cwd, _ = os.Getwd()
	}
	for i := range p.Ops {
		switch op := &p.Ops[i]; {
		case op.Kind == plan.Dev && op.Bare:
			f.TTY = terminal(1, 1)
		case op.Kind == plan.Dev:
			f.TTY = terminal(0, 2)
		case op.SrcFD != nil:
			if f.FDPaths == nil {
				f.FDPaths = map[int]string{}
			}
			// What this process has opened itself, as the Go runtime does with files
			// of cgroups, is nobody's to bind.
			if flags, err := unix.FcntlInt(uintptr(*op.SrcFD), unix.F_GETFD, 0); err != nil || flags&unix.FD_CLOEXEC != 0 {
				continue
			}
			if name, err := os.Readlink("/proc/self/fd/" + strconv.Itoa(*op.SrcFD)); err == nil && strings.HasPrefix(name, "/") {
				f.FDPaths[*op.SrcFD] = name
				if same, there := sameFile(*op.SrcFD, name); there && !same {
					if f.FDMoved == nil {
						f.FDMoved = map[int]bool{}
					}
					f.FDMoved[*op.SrcFD] = true
				}
			}
		}
	}
	if (f.Caps != 0 || f.UID == 0) && slices.ContainsFunc(p.Ops, func(o plan.Op) bool { return o.Kind == plan.Proc }) {
		ids := ProcFile("/proc/self/uid_map")
		f.InitialUserNS = ids == "" || slices.Equal(strings.Fields(ids), []string{"0", "0", "4294967295"})
	}
	if p.ScopeSockets {
		f.Landlock = landlock()
	}
	if !p.TerminalInput {
		f.Terminal = controllingTTY() || IsTerminal(0) || IsTerminal(1) || IsTerminal(2)
	}
	for i := range p.Rlimits {
		name, l := p.Rlimits[i].Name, unix.Rlimit{}
		if n := plan.RlimitNumber(name); n >= 0 && unix.Getrlimit(n, &l) == nil {
			if f.Limits == nil {
				f.Limits = map[string]uint64{}
			}
			f.Limits[name] = l.Max
		}
	}
	if p.PackFDs || p.KeepFDs && p.Lifetime == plan.LifetimeAll || len(p.PassFDs)+len(p.CloseFDs) > 0 {
		f.FDs = inherited()
	}
	return f
}

// ProcFile returns the beginning of a small file of proc(5), or "". To os.ReadFile
// it would be worth the runtime's poller, which takes longer than the reading.
func ProcFile(name string) string {
	fd, err := unix.Open(name, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return ""
	}
	defer unix.Close(fd)
	var b [128]byte
	n, _ := unix.Read(fd, b[:])
	return string(b[:max(n, 0)])
}

// sameFile reports whether a file descriptor is that of what its path leads to, and
// whether there is anything. It is not where that has been moved or removed since, for
// a symlink's own, and where both are from other mount namespaces.
func sameFile(fd int, path string) (same, there bool) {
	var is, at unix.Stat_t
	if unix.Stat(path, &at) != nil {
		return false, false
	}
	return unix.Fstat(fd, &is) == nil && is.Ino == at.Ino && is.Dev == at.Dev, true
}

// terminal returns the path of the terminal on one of the file descriptors from
// first to last, or "". A terminal from elsewhere, as a container is entered with,
// has none here, or its name is that of another.
func terminal(first, last int) string {
	for fd := first; fd <= last; fd++ {
		if !IsTerminal(fd) {
			continue
		}
		name, err := os.Readlink("/proc/self/fd/" + strconv.Itoa(fd))
		if err != nil || !strings.HasPrefix(name, "/dev/") {
			continue
		}
		if same, _ := sameFile(fd, name); same {
			return name
		}
	}
	return ""
}

// IsTerminal reports whether a file descriptor is that of a terminal.
func IsTerminal(fd int) bool {
	_, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	return err == nil
}

// landlock returns the version of landlock(7) that works here, or 0.
func landlock() int {
	const version = 1 // LANDLOCK_CREATE_RULESET_VERSION
	n, _, errno := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, 0, 0, version)
	if errno != 0 {
		return 0
	}
	return int(n)
}

// TmpfsXattr reports whether tmpfs has user attributes, by a file of the kernel's own.
func (live) TmpfsXattr() bool {
	fd, err := unix.MemfdCreate("sbx", unix.MFD_CLOEXEC)
	if err != nil {
		return true
	}
	defer unix.Close(fd)
	_, err = unix.Fgetxattr(fd, "user.sbx", nil)
	return err != unix.EOPNOTSUPP
}

// controllingTTY reports whether this process has a controlling terminal, tty(4).
func controllingTTY() bool {
	fd, err := unix.Open("/dev/tty", unix.O_RDONLY|unix.O_NOCTTY|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		return err != unix.ENXIO // for all else there may be one, out of reach here
	}
	unix.Close(fd)
	return true
}

// inherited returns the file descriptors above 2 that this process was started
// with: those that are open and do not close at an exec, as all of Go's own do.
func inherited() []int {
	names, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return nil
	}
	var fds []int
	for _, e := range names {
		fd, err := strconv.Atoi(e.Name())
		if err != nil || fd < 3 {
			continue
		}
		if flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err == nil && flags&unix.FD_CLOEXEC == 0 {
			fds = append(fds, fd)
		}
	}
	slices.Sort(fds)
	return fds
}

func effectiveCaps() uint64 {
	hdr := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if unix.Capget(&hdr, &data[0]) != nil {
		return 0
	}
	return uint64(data[0].Effective) | uint64(data[1].Effective)<<32
}

type live struct{}

func (live) Lstat(path string) Path { return stat(path, unix.AT_SYMLINK_NOFOLLOW) }
func (live) Stat(path string) Path  { return stat(path, 0) }

func stat(path string, flags int) Path {
	var st unix.Stat_t
	if err := unix.Fstatat(unix.AT_FDCWD, path, &st, flags); err != nil {
		errno, _ := err.(syscall.Errno)
		if errno == unix.ENOENT || errno == unix.ENOTDIR {
			return Path{}
		}
		return Path{Type: Unknown, Err: errno}
	}
	p := Path{Mode: st.Mode & 0o7777, Size: st.Size}
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFDIR:
		p.Type = Dir
	case unix.S_IFREG:
		p.Type = File
	case unix.S_IFLNK:
		p.Type = Symlink
		p.Target, _ = os.Readlink(path)
	case unix.S_IFCHR, unix.S_IFBLK:
		p.Type = Device
		if st.Rdev == 0 && st.Mode&unix.S_IFMT == unix.S_IFCHR {
			p.Type = Whiteout
		}
	default:
		p.Type = Other
	}
	return p
}

func (live) FS(path string) FS {
	var st unix.Statx_t
	err := unix.Statx(unix.AT_FDCWD, path, 0, unix.STATX_INO|unix.STATX_MNT_ID, &st)
	if err == unix.ENOSYS {
		err = nil
	}
	if err != nil {
		errno, _ := err.(syscall.Errno)
		return FS{Err: errno}
	}
	v := FS{Dev: unix.Mkdev(st.Dev_major, st.Dev_minor), Ino: st.Ino}
	if st.Mask&unix.STATX_MNT_ID != 0 {
		v.MountID = st.Mnt_id
	}
	var sfs unix.Statfs_t
	if err := unix.Statfs(path, &sfs); err != nil {
		errno, _ := err.(syscall.Errno)
		return FS{Err: errno}
	}
	v.Magic = int64(sfs.Type)
	v.ReadOnly = sfs.Flags&unix.ST_RDONLY != 0
	return v
}

func (l live) ReadDir(path string) ([]Entry, error) {
	names, err := os.ReadDir(path)
	if err != nil {
		return nil, err
	}
	list := make([]Entry, len(names))
	for i, n := range names {
		list[i] = Entry{n.Name(), l.Lstat(strings.TrimSuffix(path, "/") + "/" + n.Name())}
	}
	return list, nil
}

func (live) Mounts() ([]string, error) {
	b, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil, err
	}
	return parseMountinfo(string(b)), nil
}
