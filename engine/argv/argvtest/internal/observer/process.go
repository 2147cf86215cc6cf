//go:build linux

package main

// The process: who it is, what it may do, what it has inherited.

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// procFD is a descriptor of the host's /proc, which works in any sandbox: its
// "self" is this process as the host knows it. -1: none was inherited.
var procFD = findProc()

func findProc() int {
	for fd := 3; fd < len(fdFlags); fd++ {
		var fs unix.Statfs_t
		if unix.Fstatfs(fd, &fs) == nil && fs.Type == unix.PROC_SUPER_MAGIC {
			return fd
		}
	}
	return -1
}

// readProc reads a file of /proc.
func readProc(name string) string {
	dir, name := procFD, strings.TrimPrefix(name, "/proc/")
	if dir < 0 {
		dir, name = unix.AT_FDCWD, "/proc/"+name
	}
	fd, err := unix.Openat(dir, name, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return ""
	}
	f := os.NewFile(uintptr(fd), name)
	defer f.Close()
	b, _ := io.ReadAll(f)
	return string(b)
}

// linkProc reads a link of /proc.
func linkProc(name string) string {
	dir := procFD
	if dir < 0 {
		dir, name = unix.AT_FDCWD, "/proc/"+name
	}
	var b [unix.PathMax]byte
	n, err := unix.Readlinkat(dir, name, b[:])
	if err != nil {
		return errno(err)
	}
	return string(b[:n])
}

func prctl(op int, args ...uintptr) string {
	args = append(args, 0, 0, 0, 0)
	v, _, e := unix.Syscall6(unix.SYS_PRCTL, uintptr(op), args[0], args[1], args[2], args[3], 0)
	if e != 0 {
		return errno(e)
	}
	return fmt.Sprint(v)
}

func process() {
	var b [unix.PathMax]byte
	n, err := unix.Getcwd(b[:])
	see("cwd", "%s %s", b[:max(n-1, 0)], errno(err))
	env := os.Environ()
	if raw := readProc("self/environ"); raw != "" {
		env = strings.Split(strings.TrimSuffix(raw, "\x00"), "\x00")
	}
	slices.Sort(env)
	see("environment", "%q", env)
	mask := unix.Umask(0)
	unix.Umask(mask)
	see("umask", "%04o", mask)

	ruid, euid, suid := unix.Getresuid()
	rgid, egid, sgid := unix.Getresgid()
	see("uid", "%d %d %d", ruid, euid, suid)
	see("gid", "%d %d %d", rgid, egid, sgid)
	groups, err := unix.Getgroups()
	slices.Sort(groups)
	see("groups", "%v %s", groups, errno(err))

	hdr := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var caps [2]unix.CapUserData
	err = unix.Capget(&hdr, &caps[0])
	see("capabilities effective", "%08x%08x %s", caps[1].Effective, caps[0].Effective, errno(err))
	see("capabilities permitted", "%08x%08x", caps[1].Permitted, caps[0].Permitted)
	see("capabilities inheritable", "%08x%08x", caps[1].Inheritable, caps[0].Inheritable)
	var bounding, ambient uint64
	for c := range 64 {
		if prctl(unix.PR_CAPBSET_READ, uintptr(c)) == "1" {
			bounding |= 1 << c
		}
		if prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_IS_SET, uintptr(c)) == "1" {
			ambient |= 1 << c
		}
	}
	see("capabilities bounding", "%016x", bounding)
	see("capabilities ambient", "%016x", ambient)
	see("securebits", "%s", prctl(unix.PR_GET_SECUREBITS))
	see("keep capabilities", "%s", prctl(unix.PR_GET_KEEPCAPS))
	see("no_new_privs", "%s", prctl(unix.PR_GET_NO_NEW_PRIVS))
	see("dumpable", "%s", prctl(unix.PR_GET_DUMPABLE))
	see("timer slack", "%s", prctl(unix.PR_GET_TIMERSLACK))
	var sub int32
	prctl(unix.PR_GET_CHILD_SUBREAPER, uintptr(unsafe.Pointer(&sub)))
	see("subreaper", "%d", sub)
	var comm [16]byte
	prctl(unix.PR_GET_NAME, uintptr(unsafe.Pointer(&comm)))
	see("comm", "%q", string(bytes.TrimRight(comm[:], "\x00")))
	persona, _, _ := unix.Syscall(unix.SYS_PERSONALITY, 0xffffffff, 0, 0)
	see("personality", "%#x", persona)
	nice, _ := unix.Getpriority(unix.PRIO_PROCESS, 0)
	see("nice", "%d", 20-nice)
	var cpus unix.CPUSet
	unix.SchedGetaffinity(0, &cpus)
	see("cpus", "%d of %d", cpus.Count(), runtime.NumCPU())

	pid, sid, pgid := os.Getpid(), 0, unix.Getpgrp()
	sid, _ = unix.Getsid(0)
	see("pid", "%d", pid)
	see("ppid", "%d", os.Getppid())
	see("session", "%s", relation(sid, pid))
	see("process group", "%s", relation(pgid, pid))
	see("host pid", "%s", linkProc("self"))
	for line := range strings.Lines(readProc("self/status")) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		switch key {
		case "PPid":
			see("host ppid", "%s", strings.TrimSpace(value))
		case "NSpid":
			see("pid namespace depth", "%d", len(strings.Fields(value)))
		case "Seccomp", "Seccomp_filters", "TracerPid", "THP_enabled", "x86_Thread_features":
			see("status "+key, "%s", strings.TrimSpace(value))
		}
	}
	if f := strings.Fields(after(readProc("self/stat"), ") ")); len(f) > 5 {
		see("terminal", "%t", f[4] != "0")
	}
	see("oom score", "%s", strings.TrimSpace(readProc("self/oom_score_adj")))
	see("uid_map", "%s", table(readProc("self/uid_map")))
	see("gid_map", "%s", table(readProc("self/gid_map")))
	see("setgroups", "%s", strings.TrimSpace(readProc("self/setgroups")))
	see("cgroup", "%q", readProc("self/cgroup"))
	see("user namespaces", "%s", strings.TrimSpace(readProc("sys/user/max_user_namespaces")))

	if entered != 0 {
		var ignored, handled []int
		for i, s := range signals {
			switch {
			case s[0] == 1:
				ignored = append(ignored, i+1)
			case s[0] != 0:
				handled = append(handled, i+1)
			}
		}
		see("signals ignored", "%v", ignored)
		see("signals handled", "%v", handled)
		see("signals blocked", "%016x", blocked)
		see("parent-death signal", "%d", uint32(deathsig))
		for i, l := range rlimits {
			see(fmt.Sprintf("limit %02d", i), "%d %d", l[0], l[1])
		}
	}
	var uts unix.Utsname
	unix.Uname(&uts)
	see("hostname", "%q", unix.ByteSliceToString(uts.Nodename[:]))
	see("domainname", "%q", unix.ByteSliceToString(uts.Domainname[:]))
}

// relation says which process leads what id is the id of.
func relation(id, pid int) string {
	switch id {
	case pid:
		return "leader"
	case 0:
		return "outside"
	}
	return "member"
}

func after(s, sep string) string {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[i+len(sep):]
	}
	return ""
}

// table is a table with its blanks made equal.
func table(s string) string {
	var rows []string
	for line := range strings.Lines(s) {
		rows = append(rows, strings.Join(strings.Fields(line), " "))
	}
	return strings.Join(rows, "; ")
}

var kinds = []string{"cgroup", "ipc", "mnt", "net", "pid", "pid_for_children", "time", "user", "uts"}

// namespaces names the namespaces of the process; the test knows those of the host.
func namespaces() {
	own := linkProc("self/ns/user")
	for _, kind := range kinds {
		see("namespace "+kind, "%s", linkProc("self/ns/"+kind))
		dir, name := procFD, "self/ns/"+kind
		if dir < 0 {
			dir, name = unix.AT_FDCWD, "/proc/"+name
		}
		fd, err := unix.Openat(dir, name, unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if err != nil {
			continue
		}
		owner, err := unix.IoctlRetInt(fd, unix.NS_GET_USERNS)
		if kind == "user" {
			owner, err = unix.IoctlRetInt(fd, unix.NS_GET_PARENT)
		}
		var st unix.Stat_t
		switch {
		case err != nil:
			see("namespace owner "+kind, "%s", errno(err))
		case unix.Fstat(owner, &st) == nil:
			if own == fmt.Sprintf("user:[%d]", st.Ino) {
				see("namespace owner "+kind, "own")
			} else {
				see("namespace owner "+kind, "other")
			}
			unix.Close(owner)
		}
		unix.Close(fd)
	}
	for line := range strings.Lines(readProc("self/net/dev")) {
		if name, _, ok := strings.Cut(line, ":"); ok {
			name = strings.TrimSpace(name)
			see("interface "+name, "%s", interfaceFlags(name))
		}
	}
}

func interfaceFlags(name string) string {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return errno(err)
	}
	defer unix.Close(fd)
	req, err := unix.NewIfreq(name)
	if err != nil {
		return errno(err)
	}
	if err := unix.IoctlIfreq(fd, unix.SIOCGIFFLAGS, req); err != nil {
		return errno(err)
	}
	flags := req.Uint16()
	addr := "none"
	if err := unix.IoctlIfreq(fd, unix.SIOCGIFADDR, req); err == nil {
		a, _ := req.Inet4Addr()
		addr = fmt.Sprint(a)
	}
	return fmt.Sprintf("flags %#x address %s", flags, addr)
}

// descriptors tells of every open file that was inherited.
func descriptors() {
	for fd, flags := range fdFlags {
		if int64(flags) < 0 || entered == 0 {
			continue
		}
		key := fmt.Sprintf("fd %d", fd)
		var st unix.Stat_t
		if err := unix.Fstat(fd, &st); err != nil {
			see(key, "%s", errno(err))
			continue
		}
		mode, _ := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0)
		mode &= unix.O_ACCMODE | unix.O_APPEND | unix.O_NONBLOCK | unix.O_PATH
		what := fmt.Sprintf("%s flags %#x", kind(&st), mode)
		switch st.Mode & unix.S_IFMT {
		case unix.S_IFREG:
			at, err := unix.Seek(fd, 0, io.SeekCurrent)
			what += fmt.Sprintf(" at %d %s size %d", at, errno(err), st.Size)
		case unix.S_IFCHR, unix.S_IFBLK:
			what += fmt.Sprintf(" device %d:%d", unix.Major(st.Rdev), unix.Minor(st.Rdev))
		case unix.S_IFIFO, unix.S_IFSOCK:
		case 0:
			what += " " + linkProc(fmt.Sprintf("self/fd/%d", fd))
		}
		if fd == procFD {
			what = "the test's"
		}
		see(key, "%s", what)
	}
}

func kind(st *unix.Stat_t) string {
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFREG:
		return "file"
	case unix.S_IFDIR:
		return "dir"
	case unix.S_IFLNK:
		return "link"
	case unix.S_IFCHR:
		return "char"
	case unix.S_IFBLK:
		return "block"
	case unix.S_IFIFO:
		return "fifo"
	case unix.S_IFSOCK:
		return "socket"
	}
	return "other"
}
