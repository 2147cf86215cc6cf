//go:build linux

package main

// What filters and limits do, by calls that change nothing.

import (
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

func probes() {
	for _, p := range []struct {
		name string
		nr   uintptr
		args [6]uintptr
	}{
		{"fchown", unix.SYS_FCHOWN, [6]uintptr{^uintptr(0)}},
		{"fchownat", unix.SYS_FCHOWNAT, [6]uintptr{^uintptr(0)}},
		{"fsync", unix.SYS_FSYNC, [6]uintptr{^uintptr(0)}},
		{"fdatasync", unix.SYS_FDATASYNC, [6]uintptr{^uintptr(0)}},
		{"syncfs", unix.SYS_SYNCFS, [6]uintptr{^uintptr(0)}},
		{"msync", unix.SYS_MSYNC, [6]uintptr{1, 1, 0}},
		{"sync_file_range", unix.SYS_SYNC_FILE_RANGE, [6]uintptr{^uintptr(0), 0, 0, 0}},
		{"fchmod", unix.SYS_FCHMOD, [6]uintptr{^uintptr(0)}},
		{"TIOCSTI", unix.SYS_IOCTL, [6]uintptr{^uintptr(0), unix.TIOCSTI}},
		{"personality", unix.SYS_PERSONALITY, [6]uintptr{0xffffffff}},
		{"mount", unix.SYS_MOUNT, [6]uintptr{0, 1, 0, 0, 0}},
		{"keyctl", unix.SYS_KEYCTL, [6]uintptr{^uintptr(0)}},
		{"sethostname", unix.SYS_SETHOSTNAME, [6]uintptr{1, 1}},
	} {
		_, _, e := unix.Syscall6(p.nr, p.args[0], p.args[1], p.args[2], p.args[3], p.args[4], p.args[5])
		see("call "+p.name, "%s", errno2(e))
	}
	// The program is not there: ENOENT tells that the clone was allowed.
	_, err := syscall.ForkExec("/no such program", nil, &syscall.ProcAttr{
		Files: []uintptr{0, 1, 2}, Sys: &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWUSER}})
	see("call clone new user namespace", "%s", errno(err))
	_, err = syscall.ForkExec("/no such program", nil, &syscall.ProcAttr{
		Files: []uintptr{0, 1, 2}, Sys: &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNS}})
	see("call clone new mount namespace", "%s", errno(err))
	_, err = os.Lstat("/..")
	see("root is its own parent", "%t", err == nil && same("/", "/..") && same("/", "/../.."))
}

func errno2(e syscall.Errno) string {
	if e == 0 {
		return "ok"
	}
	return errno(e)
}

func same(a, b string) bool {
	var x, y unix.Stat_t
	return unix.Lstat(a, &x) == nil && unix.Lstat(b, &y) == nil && x.Dev == y.Dev && x.Ino == y.Ino
}
