package run

// The processes between sbx and the command, where there are any.
//
// The guard stands outside the sandbox: the subreaper of all that the command
// starts, it ends the sandbox when sbx dies. It is a process of its own that
// shares sbx's memory, which costs next to nothing; as it is outside, nothing in
// the sandbox can look into it, any more than into sbx.
//
// Where the sandbox has a pid namespace, the init is its pid 1: the kernel ends
// the sandbox with it. It is inside, so its memory is a copy, and locked.
//
// Both reap, pass signals on to the command, and tell sbx when that stops or
// ends. They obey the same rules as child_linux.go.

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// forkCommand forks the command off, which goes on with the instruction next,
// and returns its pid to the guard once the command has started or failed to.
// The two share memory and stack till then, so that, as in startChild, the
// command must never leave this frame.
//
//go:nosplit
//go:noinline
//go:norace
//go:nocheckptr
func forkCommand(c *child, next uintptr) uintptr {
	pid := rawClone(unix.CLONE_VM | unix.CLONE_VFORK | uintptr(unix.SIGCHLD))
	if pid != 0 {
		return pid
	}
	perform(c, next)
	exit(125)
	return 0
}

// forkOn forks. The child returns and goes on; this process closes all it has and
// waits for the child, as whose parent it stands where that is out of sbx's sight.
//
//go:nosplit
//go:noinline
//go:norace
//go:nocheckptr
func forkOn(c *child) {
	pid := rawClone(uintptr(unix.SIGCHLD))
	if pid == 0 {
		return
	}
	if pid > ^uintptr(4095) {
		c.rep.Kind, c.rep.Errno = reportFailed, -int32(pid)
		return
	}
	sys(unix.SYS_CLOSE_RANGE, 3, uintptr(^uint32(0)), 0, 0, 0, 0)
	for {
		_, errno := sys(unix.SYS_WAIT4, pid, uintptr(unsafe.Pointer(&c.status)), 0, 0, 0, 0)
		if errno != uintptr(unix.EINTR) {
			break
		}
	}
	if c.rep.Kind == reportNone {
		c.rep.Value = int64(c.status)
		c.rep.Kind = reportExited
	}
	exit(0)
}

// passGate tells sbx that this is the process that becomes the sandbox, by its pid
// in the caller's /proc, and waits till sbx lets it go on.
//
//go:nosplit
//go:noinline
//go:norace
//go:nocheckptr
func passGate(c *child) {
	n, errno := sys(unix.SYS_READLINKAT, atFDCWD, uintptr(unsafe.Pointer(&c.self)), uintptr(unsafe.Pointer(&c.rep.Head)), 32, 0, 0)
	c.rep.Len = 0
	if errno == 0 {
		c.rep.Len = int32(n)
	}
	sys(unix.SYS_WRITE, uintptr(c.pipe), uintptr(unsafe.Pointer(&c.status)), 1, 0, 0, 0)
	if n, _ = sys(unix.SYS_READ, uintptr(c.gate), uintptr(unsafe.Pointer(&c.buf)), 1, 0, 0, 0); n != 1 {
		exit(1) // sbx is gone
	}
}

// guardMain is the guard's life.
//
//go:nosplit
//go:noinline
//go:norace
//go:nocheckptr
//lint:ignore U1000 it is called from assembly
func guardMain(c *child) {
	if c.apart { // at once: a key for all the group must not hide what sbx passes on
		sys(unix.SYS_SETSID, 0, 0, 0, 0, 0, 0)
	}
	sys(unix.SYS_PRCTL, unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0, 0)
	closeOurs(c)
	// In a vfork this process sleeps till the command has started, and nothing wakes it
	// but what is its end. That is as well while the sandbox is made, with nothing to
	// look after but what cleanUp does. Before it starts the command sees to it that the
	// signal waits for attend (see steady): it may have children before this is awake.
	if c.nclean == 0 && c.flags&unix.CLONE_SIGHAND != 0 {
		sys(unix.SYS_RT_SIGACTION, deathSignal, uintptr(unsafe.Pointer(&c.deflt)), 0, 8, 0, 0)
		sys(unix.SYS_RT_SIGPROCMASK, unix.SIG_UNBLOCK, uintptr(unsafe.Pointer(&c.death)), 0, 8, 0, 0)
	}
	sys(unix.SYS_PRCTL, unix.PR_SET_PDEATHSIG, deathSignal, 0, 0, 0, 0)
	if orphaned(c) { // before the signal was asked for
		exit(1)
	}
	c.guardPid, _ = sys(unix.SYS_GETPID, 0, 0, 0, 0, 0, 0)
	takeEarly(c)
	c.command = cloneChild(c)
	attend(c)
}

// steady is called by the command right before it starts: the guard, whose signal
// actions it shares till then, does not end by deathSignal any more. It reports false
// where that may have been sent before: then the guard is about to end, and nobody
// would look after what the command starts.
//
//go:nosplit
//go:norace
//go:nocheckptr
func steady(c *child) bool {
	sys(unix.SYS_RT_SIGACTION, deathSignal, uintptr(unsafe.Pointer(&c.nothing)), 0, 8, 0, 0)
	return alive != 0
}

// knowChildren opens the list of this process's children, for killChildren.
//
//go:nosplit
//go:norace
//go:nocheckptr
func knowChildren(c *child) {
	fd, errno := sys(unix.SYS_OPENAT, atFDCWD, uintptr(unsafe.Pointer(&c.path)), unix.O_RDONLY|unix.O_CLOEXEC, 0, 0, 0)
	if errno == 0 {
		c.childrenFD = int(fd)
		keepFD(c, c.childrenFD)
	}
}

// takeEarly takes the signals that the terminal has sent already.
//
//go:nosplit
//go:norace
//go:nocheckptr
func takeEarly(c *child) {
	for {
		c.time = [2]int64{}
		sig, errno := sys(unix.SYS_RT_SIGTIMEDWAIT, uintptr(unsafe.Pointer(&c.keys)), 0, uintptr(unsafe.Pointer(&c.time)), 8, 0, 0)
		if errno != 0 {
			return
		}
		c.early |= 1 << (sig - 1)
	}
}

// attend looks after the command from its start to its end.
//
//go:nosplit
//go:noinline
//go:norace
//go:nocheckptr
func attend(c *child) {
	if c.guard {
		sys(unix.SYS_RT_SIGPROCMASK, unix.SIG_SETMASK, uintptr(unsafe.Pointer(&c.all)), 0, 8, 0, 0)
	}
	if c.command > ^uintptr(4095) {
		c.rep.Kind = reportFailed
		c.rep.Errno = -int32(c.command)
		c.rep.Inst = -1
	}
	if c.rep.Kind != reportNone { // written by the command, which shared this memory
		// Its end is not done yet as it lets go of this memory: it holds locks still.
		if c.command <= ^uintptr(4095) {
			sys(unix.SYS_WAIT4, c.command, 0, unix.WALL, 0, 0, 0)
		}
		cleanUp(c)
		exit(125)
	}
	// Where this got no processor till now, a short command has ended already, and
	// sbx waits for this.
	status, ended := reap(c)
	if !ended || !childless() {
		if c.guard {
			if orphaned(c) {
				sys(unix.SYS_KILL, c.guardPid, deathSignal, 0, 0, 0, 0)
			}
			knowChildren(c) // now, as the command need not wait for it any more
			if !c.loose {
				sys(unix.SYS_PRCTL, unix.PR_SET_NAME, uintptr(unsafe.Pointer(&c.name)), 0, 0, 0, 0)
			}
		}
		// A session of its own, so that keys on the terminal do not come here too; then
		// whatever arrives was sent to sbx and is for the command. A group would do for
		// that, but the command's would then have a parent in another group of its
		// session: it would not count as orphaned, and stop where nobody can wake it.
		sys(unix.SYS_SETSID, 0, 0, 0, 0, 0, 0)
		closeInherited(c)
		if sigTooEarly != 0 {
			c.early |= 1 << (sigTooEarly - 1)
		}
		for sig := uintptr(1); c.early>>(sig-1) != 0; sig++ {
			if c.early&(1<<(sig-1)) != 0 {
				sys(unix.SYS_KILL, c.command, sig, 0, 0, 0, 0)
			}
		}
	}
	for {
		sig, code := uintptr(unix.SIGCHLD), int32(0)
		if !ended && !c.stopping {
			timeout := uintptr(0)
			if c.awake {
				c.time = [2]int64{0, 5e7}
				timeout = uintptr(unsafe.Pointer(&c.time))
			}
			var errno uintptr
			sig, errno = sys(unix.SYS_RT_SIGTIMEDWAIT, uintptr(unsafe.Pointer(&c.all)), uintptr(unsafe.Pointer(&c.info)), timeout, 8, 0, 0)
			if errno != 0 {
				if c.awake && errno == uintptr(unix.EAGAIN) {
					c.awake = false
					wake(c)
				}
				continue
			}
			code = *(*int32)(unsafe.Pointer(&c.info[8]))
		}
		// With a SIGCONT the command may be on its way, and its SIGCHLD may not.
		if sig == uintptr(unix.SIGCHLD) || sig == uintptr(unix.SIGCONT) {
			if !ended && !c.stopping {
				status, ended = reap(c)
			}
			for c.stopping {
				c.stopping = false
				stopped(c)
				status, ended = reap(c)
			}
			if ended {
				ended = false
				if c.halted || c.awake {
					wake(c)
				}
				// Its end would wake sbx, too, but not after that.
				for n := 0; c.init && c.rep.Asleep != 0 && n < 100 && !orphaned(c); n++ {
					c.time = [2]int64{0, 1e7}
					sys(unix.SYS_NANOSLEEP, uintptr(unsafe.Pointer(&c.time)), 0, 0, 0, 0, 0)
					wake(c)
				}
				last := c.die || childless()
				// An init, too, cleans up by itself: sbx may be killed before it comes to that.
				if last && (c.guard || c.join) || c.init && !c.loose && c.nclean > 0 {
					endAll(c)
					cleanUp(c)
				}
				if c.rep.Kind == reportNone { // else a child with memory of its own has said it already
					c.rep.Value = int64(status)
					c.rep.Kind = reportExited
				}
				if !c.loose && (last || !c.guard) {
					exit(0)
				}
				// What goes on needs the locks, but neither sbx nor what that was given.
				c.over = true
				if c.guard {
					sys(unix.SYS_CLOSE_RANGE, 0, 2, 0, 0, 0, 0)
					c.path[1] = 0 // "/"
					sys(unix.SYS_CHDIR, uintptr(unsafe.Pointer(&c.path)), 0, 0, 0, 0, 0)
				}
				sys(unix.SYS_CLOSE, uintptr(c.pipe), 0, 0, 0, 0, 0) // which tells sbx
			}
			if c.over && childless() {
				if c.guard {
					cleanUp(c)
				}
				exit(0)
			}
		}
		switch {
		case sig == uintptr(unix.SIGCHLD) || c.over && sig != deathSignal:
		case c.loose && sig != deathSignal: // it is nobody's command's, as with a pid 1 without handlers
		case sig == deathSignal:
			// In the init the pipe may still be open, by threads of sbx that are on
			// their way out; but what comes from outside comes from no pid.
			if c.die && (orphaned(c) || c.init && *(*int32)(unsafe.Pointer(&c.info[16])) == 0) {
				endAll(c)
				cleanUp(c)
				exit(125)
			}
		case sig == uintptr(unix.SIGCONT) && c.haltedBefore && (!c.halted || c.rep.Woken == c.rep.WokenThen):
			// What woke sbx has woken the command, too, as all of the job. By now
			// somebody may be stopping it again, or has, and this would undo that: it
			// was counted before the stop, and has been long on its way.
		case code <= 0 || c.apart:
			sys(unix.SYS_KILL, c.command, sig, 0, 0, 0, 0)
		}
	}
}

// stopped has sbx stop as the command did; its own handler of SIGCONT will wake
// the command. A pid 1 cannot see sbx, which does it then itself.
//
//go:nosplit
//go:norace
//go:nocheckptr
func stopped(c *child) {
	if c.loose {
		return
	}
	// A SIGCONT that is waiting was for an earlier stop. Of one
	// that comes from here on nobody can tell.
	c.time = [2]int64{}
	sys(unix.SYS_RT_SIGTIMEDWAIT, uintptr(unsafe.Pointer(&c.wake)), 0, uintptr(unsafe.Pointer(&c.time)), 8, 0, 0)
	if c.init {
		c.rep.Stops++
		sys(unix.SYS_FUTEX, uintptr(unsafe.Pointer(&c.rep.Stops)), futexWake, 1, 0, 0, 0)
	} else if !orphaned(c) {
		c.rep.Asleep = 1
		sys(unix.SYS_KILL, c.ppid, uintptr(unix.SIGSTOP), 0, 0, 0, 0)
	}
}

// wake has sbx go on where somebody has woken, or ended, the command by itself.
// Mostly it was the whole job, or sbx; then sbx is awake, and another SIGCONT could
// only undo the next stop. So some time goes by before this.
//
//go:nosplit
//go:norace
func wake(c *child) {
	if c.init {
		// Through the pipe; once more later, as this may come before sbx is asleep.
		if c.rep.Asleep != 0 && !c.over {
			sys(unix.SYS_WRITE, uintptr(c.pipe), uintptr(unsafe.Pointer(&c.status)), 1, 0, 0, 0)
			c.awake = true
		}
	} else if c.rep.Asleep != 0 && !orphaned(c) {
		c.rep.Asleep = 0 // now: the handler may come only after the next stop
		sys(unix.SYS_TGKILL, c.ppid, c.ppid, uintptr(unix.SIGCONT), 0, 0, 0)
	}
}

// childless reports whether no child is left.
//
//go:nosplit
//go:norace
func childless() bool {
	_, errno := sys(unix.SYS_WAITID, unix.P_ALL, 0, 0, unix.WEXITED|unix.WNOHANG|unix.WNOWAIT, 0, 0)
	return errno == uintptr(unix.ECHILD)
}

//go:nosplit
//go:norace
func keepFD(c *child, fd int) {
	if fd >= 0 && c.nkeep < len(c.keep) {
		c.keep[c.nkeep] = fd
		c.nkeep++
	}
}

// closeInherited closes what the guard has from sbx but does not need, so that
// whoever waits for the end of a pipe given to the command does not wait for
// the guard. Kept are the standard three, as far as sbx itself holds them.
//
//go:nosplit
//go:norace
//go:nocheckptr
func closeInherited(c *child) {
	for fd := range len(c.closed) {
		if c.closed[fd] {
			sys(unix.SYS_CLOSE, uintptr(fd), 0, 0, 0, 0, 0)
		}
	}
	for first := 3; ; {
		next := -1
		for i := range c.nkeep {
			if fd := c.keep[i]; fd >= first && (next < 0 || fd < next) {
				next = fd
			}
		}
		last := uintptr(next) - 1
		if next < 0 {
			last = uintptr(^uint32(0))
		}
		if next != first {
			sys(unix.SYS_CLOSE_RANGE, uintptr(first), last, 0, 0, 0, 0)
		}
		if next < 0 {
			return
		}
		first = next + 1
	}
}

// reap takes all the dead, and returns the command's wait status once that has
// ended. It stops at a stop of the command.
//
//go:nosplit
//go:norace
//go:nocheckptr
func reap(c *child) (status uint32, ended bool) {
	for {
		woken := c.rep.Woken // before a stop that is told of now
		pid, errno := sys(unix.SYS_WAIT4, ^uintptr(0), uintptr(unsafe.Pointer(&c.status)), unix.WNOHANG|unix.WUNTRACED|unix.WCONTINUED, 0, 0, 0)
		if errno == uintptr(unix.EINTR) {
			continue
		}
		if errno != 0 || pid == 0 {
			return
		}
		if pid != c.command {
			continue
		}
		switch st := c.status; {
		case st&0xff == 0x7f:
			if c.pty {
				continue
			}
			c.halted = true
			c.rep.Halted, c.rep.WokenThen = 1, woken
			c.awake = false
			c.haltedBefore = true
			c.stopping = true
			return
		case st == 0xffff: // WIFCONTINUED
			c.halted = false
			c.rep.Halted = 0
			c.awake = true
		default:
			c.rep.Halted = 0
			status, ended = st, true
		}
	}
}

// endAll kills the command and all that came of it, until none is left. What
// loses its parent on the way becomes a child of this process, the subreaper, so
// it is enough to kill children as long as there are any.
//
//go:nosplit
//go:noinline
//go:norace
//go:nocheckptr
func endAll(c *child) {
	for {
		for {
			pid, errno := sys(unix.SYS_WAIT4, ^uintptr(0), 0, unix.WNOHANG, 0, 0, 0)
			if errno == uintptr(unix.ECHILD) {
				return
			}
			if errno != uintptr(unix.EINTR) && pid == 0 {
				break
			}
		}
		killChildren(c)
		c.time = [2]int64{0, 1e6} // not for ever: a child may have been forked after the list was read
		sys(unix.SYS_RT_SIGTIMEDWAIT, uintptr(unsafe.Pointer(&c.all)), 0, uintptr(unsafe.Pointer(&c.time)), 8, 0, 0)
	}
}

// killChildren kills the children that the kernel lists in
// /proc/thread-self/children (proc_pid_children(5)). The init opened it before
// the sandbox lost sight of that /proc.
//
//go:nosplit
//go:norace
//go:nocheckptr
func killChildren(c *child) {
	if c.init && !c.join && c.pidNS {
		sys(unix.SYS_KILL, ^uintptr(0), uintptr(unix.SIGKILL), 0, 0, 0, 0) // all but the pid 1 itself
		return
	}
	if c.childrenFD < 0 {
		sys(unix.SYS_KILL, c.command, uintptr(unix.SIGKILL), 0, 0, 0, 0)
		return
	}
	var off, pid uintptr
	for {
		n, errno := sys(unix.SYS_PREAD64, uintptr(c.childrenFD), uintptr(unsafe.Pointer(&c.buf)), uintptr(len(c.buf)), off, 0, 0)
		if errno != 0 || n == 0 {
			break
		}
		off += n
		for i := range n {
			b := *(*byte)(unsafe.Pointer(uintptr(unsafe.Pointer(&c.buf)) + i))
			if b >= '0' && b <= '9' {
				pid = pid*10 + uintptr(b-'0')
				continue
			}
			if pid > 1 {
				sys(unix.SYS_KILL, pid, uintptr(unix.SIGKILL), 0, 0, 0, 0)
			}
			pid = 0
		}
	}
}
