package run

// What runs in the child. Nothing in this file may allocate, grow the stack,
// take a lock or call into the Go runtime: the child is a bare copy of one
// thread (the guard), or even shares its memory with the parent that waits for
// it (vfork). It is plain loops over data that exists already, around raw
// system calls, in the manner of syscall.forkAndExecInChild.

import (
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"

	"sbx/engine/program"
	"sbx/engine/rtinit"
)

// Kinds of report.
const (
	reportNone   int32 = iota
	reportFailed       // instruction Inst failed with Errno
	reportNoExec       // no execve succeeded: Errno, and the number of the try in Value
	reportExited       // the command ended: Value is its wait status
)

// report is what the child tells the parent, in memory that they share.
type report struct {
	Kind, Inst, Errno, Len int32
	Value                  int64
	Started                int32      // the sandbox is made, and the command about to start
	Halted                 int32      // the command is stopped
	Stops                  int32      // how often it has stopped; the init counts, and wakes who waits for it, futex(2)
	Asleep                 int32      // sbx has stopped as the command did, or is about to, and nobody has woken it
	Woken, WokenThen       int32      // how often somebody has sent sbx a SIGCONT: by now, and when that stopped
	Head                   [1024]byte // the first bytes of a file that does not execute
}

const atFDCWD = ^uintptr(99) // AT_FDCWD, -100

// deathSignal tells a guard, or an init that has to clean up, that sbx has died.
const deathSignal = 64

// alive is 1 until the thread ends that has started the guard. At that the kernel
// clears it, set_tid_address(2), and then sends deathSignal.
var alive int32

// child is all that the child reads and writes.
type child struct {
	insts   *program.Inst
	n       uintptr
	slots   *int64
	arena   *byte
	numbers *uint16
	rep     *report

	flags        uintptr      // of clone(2)
	mask         uint64       // signal mask of the command
	ppid         uintptr      // of sbx itself
	before       map[int]bool // children that it had
	stack        []byte       // of the guard
	pipe         int          // write end of a pipe to sbx, or -1
	pipeR        int          // its read end, to be closed
	gate         int          // read end of a pipe from sbx, or -1; what comes through it lets the child go on
	gateW        int          // its write end, to be closed
	ours         [4]int       // what is closed before anything else, or -1
	keep         [128]int     // fds that the guard or init needs while the command runs
	nkeep        int
	clean        [program.MaxLocks]cleanDir
	nclean       int
	closed       [3]bool // of the standard fds, those to be closed as the command starts
	guard        bool
	init         bool
	join         bool // the init is none, and outside
	pty          bool // stops are not followed
	pidNS        bool
	pid1         bool // the command itself is pid 1, there is no init
	loose        bool // plan.LifetimeCommand
	over         bool // the command has ended, and the guard or init stays
	die          bool
	apart        bool    // the command has a session of its own, and gets no keys by itself
	command      uintptr // in the guard or init: pid of the command
	guardPid     uintptr // of the guard
	halted       bool    // the command is stopped
	stopping     bool    // it has just stopped, and sbx must follow
	awake        bool    // the command goes on, and perhaps sbx does not
	haltedBefore bool    // it has been stopped at least once
	wake         uint64  // SIGCONT alone
	death        uint64  // deathSignal alone
	keys         uint64  // what the terminal sends
	early        uint64  // of that, what came before there was a command to get it

	path       [32]byte  // "/proc/thread-self/children"
	self       [16]byte  // "/proc/self"
	name       [16]byte  // of the guard or init
	childrenFD int       // that file of the guard, or negative
	buf        [512]byte // part of the list of children
	info       [128]byte // siginfo_t
	all        uint64    // every signal
	status     uint32
	poll       unix.PollFd
	time       [2]int64
	action     [4]uint64 // kernel_sigaction
	deflt      [4]uint64 // kernel_sigaction of SIG_DFL
	nothing    sigaction // whose handler does nothing
	later      sigaction // of what would stop the command, till it has started
}

// cleanDir is a work directory of an overlay that goes with the sandbox.
type cleanDir struct {
	dir         int   // the directory it is in
	inner, name *byte // what the kernel made in it, and itself
}

//go:nosplit
//go:norace
func sys(nr, a, b, c, d, e, f uintptr) (uintptr, uintptr) {
	r, _, errno := syscall.RawSyscall6(nr, a, b, c, d, e, f)
	return r, uintptr(errno)
}

func rawClone(flags uintptr) (pid uintptr)

func rawGuard(stack uintptr, c *child) (pid uintptr)

// startChild clones the command, or what will be its parent, with all signals
// blocked: the handlers of the Go runtime must not run there. Nothing in it can
// be preempted, so that it stays on one thread.
//
//go:nosplit
//go:noinline
//go:norace
//go:nocheckptr
func startChild(c *child) (pid uintptr) {
	usualSlack()
	sys(unix.SYS_RT_SIGPROCMASK, unix.SIG_SETMASK, uintptr(unsafe.Pointer(&c.all)), uintptr(unsafe.Pointer(&c.mask)), 8, 0, 0)
	if c.flags&unix.CLONE_SIGHAND != 0 {
		alive = 1
		sys(unix.SYS_SET_TID_ADDRESS, uintptr(unsafe.Pointer(&alive)), 0, 0, 0, 0, 0)
	}
	if c.guard {
		pid = rawGuard(uintptr(unsafe.Pointer(unsafe.SliceData(c.stack)))+uintptr(len(c.stack)), c)
	} else {
		pid = cloneChild(c)
	}
	sys(unix.SYS_RT_SIGPROCMASK, unix.SIG_SETMASK, uintptr(unsafe.Pointer(&c.mask)), 0, 8, 0, 0)
	return pid
}

// usualSlack gives this thread the timer slack that sbx has from its caller: the command
// has that of the thread it comes from.
//
//go:nosplit
//go:norace
func usualSlack() {
	sys(unix.SYS_PRCTL, unix.PR_SET_TIMERSLACK, rtinit.Slack, 0, 0, 0, 0)
}

// cloneChild clones and, in the child, performs the program. As in any vfork,
// the parent returns at once from the frame that the child goes on using.
//
//go:nosplit
//go:noinline
//go:norace
//go:nocheckptr
func cloneChild(c *child) uintptr {
	pid := rawClone(c.flags)
	if pid != 0 {
		return pid
	}
	childMain(c)
	return 0
}

// closeOurs closes what only sbx itself is to hold: who reads there to the end does
// not wait for the sandbox, which may be waiting for the same.
//
//go:nosplit
//go:norace
//go:nocheckptr
func closeOurs(c *child) {
	for i := range c.ours {
		if c.ours[i] >= 0 {
			sys(unix.SYS_CLOSE, uintptr(c.ours[i]), 0, 0, 0, 0, 0)
		}
	}
}

//go:nosplit
//go:noinline
//go:norace
//go:nocheckptr
func childMain(c *child) {
	if c.pipeR >= 0 {
		sys(unix.SYS_CLOSE, uintptr(c.pipeR), 0, 0, 0, 0, 0)
	}
	if c.gateW >= 0 {
		sys(unix.SYS_CLOSE, uintptr(c.gateW), 0, 0, 0, 0, 0)
	}
	if !c.guard { // which has done so
		closeOurs(c)
	}
	if c.init && c.apart && !c.loose { // which becomes a session's leader, and cannot be a group's
		sys(unix.SYS_SETSID, 0, 0, 0, 0, 0, 0)
	}
	if c.guard {
		sys(unix.SYS_PRCTL, unix.PR_SET_PDEATHSIG, uintptr(unix.SIGKILL), 0, 0, 0, 0)
		if ppid, _ := sys(unix.SYS_GETPPID, 0, 0, 0, 0, 0, 0); !c.pidNS && ppid != c.guardPid {
			exit(1)
		}
	} else if c.die {
		sig := uintptr(unix.SIGKILL)
		if c.init && (c.nclean > 0 || c.join) {
			sig = deathSignal // there is something to be done before the end
		}
		sys(unix.SYS_PRCTL, unix.PR_SET_PDEATHSIG, sig, 0, 0, 0, 0)
		if orphaned(c) { // before the signal was asked for
			exit(1)
		}
	}
	if c.join {
		sys(unix.SYS_PRCTL, unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0, 0)
		knowChildren(c)
	}
	next := perform(c, 0)
	for next != 0 {
		call := (*program.Inst)(unsafe.Add(unsafe.Pointer(c.insts), (next-1)*unsafe.Sizeof(program.Inst{}))).Call
		if call == program.ForkCommand {
			break
		}
		if call == program.Gate {
			passGate(c)
		} else if forkOn(c); c.rep.Kind != reportNone {
			c.rep.Inst = int32(next) - 1
			exit(125)
		}
		next = perform(c, next)
	}
	if next == 0 {
		cleanUp(c)
		exit(125)
	}
	takeEarly(c)
	if !c.loose { // by its own name for all that the command sees of it
		sys(unix.SYS_PRCTL, unix.PR_SET_NAME, uintptr(unsafe.Pointer(&c.name)), 0, 0, 0, 0)
	}
	c.command = forkCommand(c, next)
	attend(c)
}

// cleanUp removes the work directories, with what the kernel leaves in its part
// of them, such as the whiteout that all others are links to. It is one function
// for the sake of the stack, of which arm64 needs the more.
//
//go:nosplit
//go:norace
//go:nocheckptr
func cleanUp(c *child) {
	buf := unsafe.Pointer(&c.buf)
	for i := range c.clean {
		if i >= c.nclean {
			break
		}
		d := &c.clean[i]
		inner := uintptr(unsafe.Pointer(d.inner))
		sys(unix.SYS_FCHMODAT, uintptr(d.dir), inner, 0o700, 0, 0, 0)
		fd, errno := sys(unix.SYS_OPENAT, uintptr(d.dir), inner, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0, 0, 0)
		for removed := errno == 0; removed; {
			removed = false
			sys(unix.SYS_LSEEK, fd, 0, 0, 0, 0, 0)
			n, errno := sys(unix.SYS_GETDENTS64, fd, uintptr(buf), uintptr(len(c.buf)), 0, 0, 0)
			for off := uintptr(0); errno == 0 && off < n; off += uintptr(*(*uint16)(unsafe.Add(buf, off+16))) {
				for flags := uintptr(0); flags <= unix.AT_REMOVEDIR; flags += unix.AT_REMOVEDIR {
					if _, errno := sys(unix.SYS_UNLINKAT, fd, uintptr(buf)+off+19, flags, 0, 0, 0); errno == 0 {
						removed = true
					}
				}
			}
		}
		if errno == 0 {
			sys(unix.SYS_CLOSE, fd, 0, 0, 0, 0, 0)
		}
		sys(unix.SYS_UNLINKAT, uintptr(d.dir), inner, unix.AT_REMOVEDIR, 0, 0, 0)
		sys(unix.SYS_UNLINKAT, uintptr(d.dir), uintptr(unsafe.Pointer(d.name)), unix.AT_REMOVEDIR, 0, 0, 0)
	}
}

// orphaned reports whether sbx is gone. In a pid namespace of its own the child
// cannot see its parent; there the pipe, which has no reader any more, tells.
//
//go:nosplit
//go:norace
//go:nocheckptr
func orphaned(c *child) bool {
	if !c.pidNS || c.guard {
		ppid, _ := sys(unix.SYS_GETPPID, 0, 0, 0, 0, 0, 0)
		return ppid != c.ppid
	}
	c.poll = unix.PollFd{Fd: int32(c.pipe)} // no events: only errors count
	c.time = [2]int64{}
	sys(unix.SYS_PPOLL, uintptr(unsafe.Pointer(&c.poll)), 1, uintptr(unsafe.Pointer(&c.time)), 0, 8, 0)
	return c.poll.Revents != 0
}

//go:nosplit
//go:norace
func exit(code uintptr) {
	for {
		sys(unix.SYS_EXIT_GROUP, code, 0, 0, 0, 0, 0)
	}
}

// perform runs the instructions from number i on. It returns the number of the
// instruction after a ForkCommand, ForkOn or Gate, or 0 if one failed, with the
// report filled in.
//
//go:nosplit
//go:noinline
//go:norace
//go:nocheckptr
func perform(c *child, i uintptr) (next uintptr) {
	for ; i < c.n; i++ {
		in := (*program.Inst)(unsafe.Add(unsafe.Pointer(c.insts), i*unsafe.Sizeof(program.Inst{})))
		var a [6]uintptr
		for k := range 6 {
			a[k] = uintptr(in.Args[k])
			if in.Slots&(1<<k) != 0 {
				a[k] = uintptr(*slot(c, a[k]))
			}
		}
		if in.Call >= program.ForkCommand {
			switch in.Call {
			case program.ForkCommand, program.ForkOn, program.Gate:
				return i + 1
			case program.Signals:
				if a[0] != 0 {
					unblock(c)
				} else {
					sys(unix.SYS_RT_SIGPROCMASK, unix.SIG_SETMASK, uintptr(unsafe.Pointer(&c.all)), 0, 8, 0, 0)
				}
			case program.Poke:
				*(*uint64)(unsafe.Add(unsafe.Pointer(c.arena), a[0])) = uint64(a[1])
			case program.Decimal:
				decimal(c, a[0], a[1])
			case program.Store:
				*(*uint32)(unsafe.Add(unsafe.Pointer(c.arena), a[1])) = uint32(a[0])
			case program.Same:
				if *(*uint64)(unsafe.Add(unsafe.Pointer(c.arena), a[0])) != *(*uint64)(unsafe.Add(unsafe.Pointer(c.arena), a[1])) {
					c.rep.Kind = reportFailed
					c.rep.Inst = int32(i)
					c.rep.Errno = int32(unix.ESTALE)
					return 0
				}
			case program.ExecFailed:
				c.rep.Kind = reportNoExec
				c.rep.Errno = int32(*slot(c, uintptr(in.Args[0])))
				c.rep.Value = *slot(c, uintptr(in.Args[0])+1)
				c.rep.Inst = int32(i)
				fetchHead(c, a[1], a[2])
				return 0
			}
			continue
		}
		nr := uintptr(*(*uint16)(unsafe.Add(unsafe.Pointer(c.numbers), uintptr(in.Call)*2)))
		if in.Call == program.Execve && *slot(c, uintptr(in.Out)) == 0 { // the first try
			c.rep.Started = 1
			unblock(c)
			if c.flags&unix.CLONE_SIGHAND != 0 && !steady(c) {
				return 0
			}
		}
		r, errno := sys(nr, a[0], a[1], a[2], a[3], a[4], a[5])
		if in.Flags&program.FlagLoop != 0 {
			for errno == 0 && r != 0 || errno == uintptr(unix.EINTR) {
				r, errno = sys(nr, a[0], a[1], a[2], a[3], a[4], a[5])
			}
		}
		if in.Flags&program.FlagAll != 0 {
			for errno == 0 && r > 0 && r < a[2] { // the rest may tell why
				a[1] += r
				a[2] -= r
				r, errno = sys(nr, a[0], a[1], a[2], a[3], a[4], a[5])
			}
			if errno == 0 && r != a[2] {
				errno = uintptr(unix.EIO)
			}
		}
		if in.Flags&program.FlagExec != 0 {
			kept := slot(c, uintptr(in.Out))
			if *kept == 0 || *kept == int64(unix.ENOENT) && errno != uintptr(unix.ENOTDIR) {
				*kept = int64(errno)
				*slot(c, uintptr(in.Out)+1) = int64(in.Args[5])
			}
			if errno != uintptr(unix.ENOEXEC) {
				i += uintptr(in.Skip)
			}
			continue
		}
		expected := in.Flags&program.FlagAnyErr != 0 || errno != 0 && (errno == uintptr(in.Errs[0]) || errno == uintptr(in.Errs[1]))
		if errno != 0 && !expected {
			c.rep.Kind = reportFailed
			c.rep.Inst = int32(i)
			c.rep.Errno = int32(errno)
			return 0
		}
		if in.Flags&program.FlagKeep != 0 {
			keepFD(c, int(r))
		}
		if in.Out != program.None {
			v := int64(r)
			if errno != 0 {
				v = -int64(errno)
			}
			*slot(c, uintptr(in.Out)) = v
		}
		if (errno == 0) == (in.Flags&program.FlagSkipOK != 0) {
			i += uintptr(in.Skip)
		}
	}
	return 0
}

//go:nosplit
//go:norace
//go:nocheckptr
func slot(c *child, i uintptr) *int64 {
	return (*int64)(unsafe.Add(unsafe.Pointer(c.slots), i*8))
}

// unblock gives the command the caller's signal mask. The handlers go first:
// they are the Go runtime's and must not run here. Ignored signals stay ignored. What
// stops the command has to wait till that has started: its parent in a vfork could not
// see it stopped, nor be stopped itself, and the terminal would be nobody's.
//
//go:nosplit
//go:norace
//go:nocheckptr
func unblock(c *child) {
	for sig := uintptr(1); sig <= 64; sig++ {
		if sig == rtinit.Signal { // it may be on its way to another thread of what becomes the command
			continue
		}
		act := uintptr(unsafe.Pointer(&c.deflt))
		if sig == uintptr(unix.SIGTSTP) || sig == uintptr(unix.SIGTTIN) || sig == uintptr(unix.SIGTTOU) {
			act = uintptr(unsafe.Pointer(&c.later))
		}
		_, errno := sys(unix.SYS_RT_SIGACTION, sig, act, uintptr(unsafe.Pointer(&c.action)), 8, 0, 0)
		if errno == 0 && c.action[0] == sigIgn {
			sys(unix.SYS_RT_SIGACTION, sig, uintptr(unsafe.Pointer(&c.action)), 0, 8, 0, 0)
		}
	}
	sys(unix.SYS_RT_SIGPROCMASK, unix.SIG_SETMASK, uintptr(unsafe.Pointer(&c.mask)), 0, 8, 0, 0)
}

// decimal writes v at the offset off of the arena, which has room for 20 digits
// and a NUL.
//
//go:nosplit
//go:norace
//go:nocheckptr
func decimal(c *child, v, off uintptr) {
	n := uintptr(1)
	for x := v; x >= 10; x /= 10 {
		n++
	}
	*(*byte)(unsafe.Add(unsafe.Pointer(c.arena), off+n)) = 0
	for ; n > 0; n-- {
		*(*byte)(unsafe.Add(unsafe.Pointer(c.arena), off+n-1)) = byte('0' + v%10)
		v /= 10
	}
}

// fetchHead reads the start of the file whose execve failed, so that the parent
// can say which interpreter is missing. At the offset paths of the arena are the
// pointers to the n paths that were tried. ENOENT is kept of the last, and may mean the
// interpreter of one before, which is there.
//
//go:nosplit
//go:norace
//go:nocheckptr
func fetchHead(c *child, paths, n uintptr) {
	c.rep.Len = -1
	first, last := uintptr(c.rep.Value), uintptr(c.rep.Value)
	if c.rep.Errno == int32(unix.ENOENT) {
		first, last = 0, n-1
	}
	fd, errno := uintptr(0), uintptr(unix.ENOENT)
	for try := first; try <= last && errno != 0; try++ {
		path := *(*uintptr)(unsafe.Add(unsafe.Pointer(c.arena), paths+try*8))
		fd, errno = sys(unix.SYS_OPENAT, atFDCWD, path, unix.O_RDONLY|unix.O_CLOEXEC|unix.O_NONBLOCK, 0, 0, 0)
		if errno == 0 {
			c.rep.Value = int64(try)
		}
	}
	if errno != 0 {
		return
	}
	n, errno = sys(unix.SYS_READ, fd, uintptr(unsafe.Pointer(&c.rep.Head)), uintptr(len(c.rep.Head)), 0, 0, 0)
	if errno == 0 {
		c.rep.Len = int32(n)
	} else {
		c.rep.Len = -int32(errno)
	}
	sys(unix.SYS_CLOSE, fd, 0, 0, 0, 0, 0)
}
