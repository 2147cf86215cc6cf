package run

// become: no child at all. This process makes the namespaces itself and turns
// into the command, which then has its pid, its parent and nothing beside it.

import (
	"bytes"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"unsafe"

	"golang.org/x/sys/unix"

	"sbx/engine/program"
)

// endSignal ends a thread of this process.
const endSignal = 63

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
	endingThreads(c)
	settle()
	if errno := enterHere(c, fd); errno != 0 {
		return unix.Errno(errno)
	}
	return nil
}

// settle waits, for a few milliseconds at most, until all other threads are at rest.
// One that ended while it held a lock of the Go runtime's would leave it locked.
func settle() {
	self := strconv.Itoa(unix.Gettid())
	for range 200 {
		quiet := true
		tasks, err := os.ReadDir("/proc/self/task")
		if err != nil {
			return
		}
		for _, t := range tasks {
			if t.Name() == self {
				continue
			}
			b, _ := os.ReadFile("/proc/self/task/" + t.Name() + "/stat") // "tid (name) state …"
			if i := bytes.LastIndexByte(b, ')'); i >= 0 && i+2 < len(b) && b[i+2] != 'S' {
				quiet = false
			}
		}
		if quiet {
			return
		}
		pause := [2]int64{0, 1e5}
		unix.RawSyscall(unix.SYS_NANOSLEEP, uintptr(unsafe.Pointer(&pause)), 0, 0)
	}
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
	sys(unix.SYS_RT_SIGPROCMASK, unix.SIG_SETMASK, uintptr(unsafe.Pointer(&c.mask)), 0, 8, 0, 0)
	return errno
}

// endingThreads makes ready for the end of all threads but this one.
func endingThreads(c *child) {
	debug.SetGCPercent(-1) // nobody will be left to collect
	act := sigaction{handler: threadEnd(), flags: saOnStack, mask: ^uint64(0)}
	if _, restorer := handlers(); restorer != 0 {
		act.flags |= saRestorer
		act.restorer = restorer
	}
	setAction(endSignal, &act)
	copy(c.path[:], "/proc/self/task\x00")
}

// become makes the sandbox in this thread, which then becomes the command. It
// returns only if that fails; this process is then good for nothing but to say so.
func become(c *child, solitary bool) error {
	runtime.LockOSThread()
	if solitary {
		endingThreads(c)
	}
	errno := performHere(c, solitary)
	if solitary {
		// A thread may have ended with a lock of the runtime's, for which this one
		// would wait for ever: rather no word on the failure than no end.
		setAction(uintptr(unix.SIGALRM), &sigaction{})
		unix.Setitimer(unix.ITIMER_REAL, unix.Itimerval{Value: unix.Timeval{Sec: 20}})
	}
	if errno != 0 {
		return &Failure{Inst: -1, Errno: unix.Errno(errno)}
	}
	return failure(c.rep)
}

// threadEnd returns the address of a signal handler that ends the thread.
func threadEnd() uintptr

// performHere performs the program in this thread, in new namespaces. It returns
// the errno of unshare(2), or 0 with the report filled in.
//
//go:nosplit
//go:noinline
//go:norace
//go:nocheckptr
func performHere(c *child, solitary bool) uintptr {
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
	self, _ := sys(unix.SYS_GETTID, 0, 0, 0, 0, 0, 0)
	for wait := 0; errno == uintptr(unix.EINVAL) && wait < 20000; wait++ {
		sys(unix.SYS_LSEEK, dir, 0, 0, 0, 0, 0)
		for {
			n, bad := sys(unix.SYS_GETDENTS64, dir, uintptr(unsafe.Pointer(&c.buf)), uintptr(len(c.buf)), 0, 0, 0)
			if bad != 0 || n == 0 {
				break
			}
			for off := uintptr(0); off < n; {
				entry := unsafe.Add(unsafe.Pointer(&c.buf), off)
				tid := uintptr(0)
				for name := unsafe.Add(entry, 19); *(*byte)(name) >= '0' && *(*byte)(name) <= '9'; name = unsafe.Add(name, 1) {
					tid = tid*10 + uintptr(*(*byte)(name)-'0')
				}
				if tid != 0 && tid != self {
					sys(unix.SYS_TGKILL, c.ppid, tid, endSignal, 0, 0, 0)
				}
				off += uintptr(*(*uint16)(unsafe.Add(entry, 16)))
			}
		}
		// Not sched_yield(2): with others waiting for a processor that is the longest
		// wait of all.
		c.time = [2]int64{0, 1e3}
		sys(unix.SYS_NANOSLEEP, uintptr(unsafe.Pointer(&c.time)), 0, 0, 0, 0, 0)
		_, errno = sys(unix.SYS_UNSHARE, flags, 0, 0, 0, 0, 0)
	}
	sys(unix.SYS_CLOSE, dir, 0, 0, 0, 0, 0)
	return errno
}
