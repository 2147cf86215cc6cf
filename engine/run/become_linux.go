package run

// become: no child at all. This process makes the namespaces itself and turns
// into the command, which then has its pid, its parent and nothing beside it.

import (
	"os"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"

	"sbx/engine/program"
)

// mayBecome reports whether the program can be performed in this thread. A user
// namespace is for a process with one thread only, unshare(2), and the one that
// cannot be ended is the first. A caller that relies on it has locked main to it,
// runtime.LockOSThread in an init function.
func mayBecome(p *program.Program) bool {
	return !solitary(p) || unix.Gettid() == os.Getpid()
}

// solitary reports whether the program enters a user namespace.
func solitary(p *program.Program) bool {
	j := &p.Plan.Join
	return p.Unshare&unix.CLONE_NEWUSER != 0 || j.User != nil || j.User2 != nil
}

// EnterUserNS moves this process into a user namespace, given as a file
// descriptor. As with Program.Become it has to be in its first thread. All others
// end: from here on nothing may wait for another goroutine, and this process is
// good for becoming a command and no more.
func EnterUserNS(fd int) error {
	runtime.LockOSThread()
	c := &child{all: ^uint64(0), ppid: uintptr(os.Getpid())}
	endingThreads()
	copy(c.path[:], "/proc/self/task\x00")
	if errno := enterHere(c, fd); errno != 0 {
		return unix.Errno(errno)
	}
	return nil
}

//go:nosplit
//go:noinline
//go:norace
//go:nocheckptr
func enterHere(c *child, fd int) uintptr {
	sys(unix.SYS_RT_SIGPROCMASK, unix.SIG_SETMASK, uintptr(unsafe.Pointer(&c.all)), uintptr(unsafe.Pointer(&c.mask)), 8, 0, 0)
	errno := unshareAlone(c, unix.CLONE_THREAD)
	if errno == 0 {
		_, errno = sys(unix.SYS_SETNS, uintptr(fd), unix.CLONE_NEWUSER, 0, 0, 0, 0)
	}
	unlock()
	sys(unix.SYS_RT_SIGPROCMASK, unix.SIG_SETMASK, uintptr(unsafe.Pointer(&c.mask)), 0, 8, 0, 0)
	return errno
}

// become makes the sandbox in this thread, which then becomes the command. It
// returns only if that fails; this process is then good for nothing but to say so.
func become(c *child, solitary bool) error {
	runtime.LockOSThread()
	if solitary {
		endingThreads()
		copy(c.path[:], "/proc/self/task\x00")
	}
	errno := performHere(c, solitary)
	if solitary {
		// Should this one wait for what only another could do: rather no word on the
		// failure than no end.
		setAction(uintptr(unix.SIGALRM), &sigaction{})
		unix.Setitimer(unix.ITIMER_REAL, unix.Itimerval{Value: unix.Timeval{Sec: 20}})
	}
	if errno != 0 {
		return &Failure{Inst: -1, Errno: unix.Errno(errno)}
	}
	return failure(c.rep)
}

// performHere performs the program in this thread, in new namespaces. It returns
// the errno of unshare(2), or 0 with the report filled in.
//
//go:nosplit
//go:noinline
//go:norace
//go:nocheckptr
func performHere(c *child, solitary bool) uintptr {
	usualSlack()
	sys(unix.SYS_RT_SIGPROCMASK, unix.SIG_SETMASK, uintptr(unsafe.Pointer(&c.all)), uintptr(unsafe.Pointer(&c.mask)), 8, 0, 0)
	errno := uintptr(0)
	flags := c.flags &^ (unix.CLONE_VM | unix.CLONE_VFORK | uintptr(unix.SIGCHLD))
	if solitary && flags&unix.CLONE_NEWUSER == 0 { // it joins one
		errno = unshareAlone(c, unix.CLONE_THREAD)
	}
	if errno == 0 && flags != 0 {
		errno = unshareAlone(c, flags)
	}
	if errno == 0 {
		perform(c, 0)
	}
	if solitary {
		unlock()
	}
	sys(unix.SYS_RT_SIGPROCMASK, unix.SIG_SETMASK, uintptr(unsafe.Pointer(&c.mask)), 0, 8, 0, 0)
	return errno
}

// unshareAlone makes new namespaces. For a user namespace it ends all threads
// of this process but this one first; CLONE_THREAD does that alone, and makes none.
// They are the Go runtime's, waiting for work that will not come. While there are
// any left the kernel refuses with EINVAL, and that counts: for a moment one may be
// missing in the list, or begun by another.
//
//go:nosplit
//go:norace
//go:nocheckptr
func unshareAlone(c *child, flags uintptr) (errno uintptr) {
	_, errno = sys(unix.SYS_UNSHARE, flags, 0, 0, 0, 0, 0)
	if errno != uintptr(unix.EINVAL) || flags&(unix.CLONE_NEWUSER|unix.CLONE_THREAD) == 0 {
		return errno
	}
	dir, bad := sys(unix.SYS_OPENAT, atFDCWD, uintptr(unsafe.Pointer(&c.path)), unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0, 0, 0)
	if bad != 0 {
		return bad
	}
	for wait := 0; errno == uintptr(unix.EINVAL) && wait < 20000; wait++ {
		endOthers(dir, &c.buf)
		// Not sched_yield(2): with others waiting for a processor that is the longest
		// wait of all.
		c.time = [2]int64{0, 1e3}
		sys(unix.SYS_NANOSLEEP, uintptr(unsafe.Pointer(&c.time)), 0, 0, 0, 0, 0)
		_, errno = sys(unix.SYS_UNSHARE, flags, 0, 0, 0, 0, 0)
	}
	sys(unix.SYS_CLOSE, dir, 0, 0, 0, 0, 0)
	return errno
}
