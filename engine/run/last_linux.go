package run

// RunLast: the last thing that a process does. While the command runs it gets rid of
// what would cost time at its own end, a tenth of that of a small sandbox, and then
// waits without the Go runtime.

import (
	"runtime"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"

	"sbx/engine/program"
)

// RunLast is Run for a process that does nothing after it but end as the command
// did. It mostly does that itself: with the command's exit code, or by the signal
// that ended the command. It returns where the command did not run, or somebody else
// is to be told of its end.
func RunLast(p *program.Program) (unix.WaitStatus, error) {
	// What the sandbox dies with is the thread that made it: it must be this one.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	return run(p, new(ending))
}

// ending is what finish works with. The guard, which shares this process's memory,
// does not touch it.
type ending struct {
	tasks   [16]byte // "/proc/self/task"
	entries [512]byte
	time    [2]int64
	mask    uint64
	limit   [2]uint64
	status  uint32
}

// runningTime is how long RunLast waits for the sandbox to be made, in seconds and
// nanoseconds: after that the time of its own end does not matter.
var runningTime = [2]int64{0, 2e7}

// alone reports whether nothing but the command is to be waited for, and nobody to
// be told.
func (w *watch) alone() bool {
	p := w.prog
	return !p.Loose && !p.Join && !p.Copy && !p.Pty && w.child.gate < 0 && p.Plan.Hooks.Status == nil
}

// running waits until the command runs, and reports whether it does.
func (w *watch) running() bool {
	if !w.child.guard && !w.child.init {
		return true // it shared this process's memory till then
	}
	state := &w.child.rep.Running
	unix.RawSyscall6(unix.SYS_FUTEX, uintptr(unsafe.Pointer(state)), futexWait, 0, uintptr(unsafe.Pointer(&runningTime)), 0, 0)
	return atomic.LoadInt32(state) == commandRuns
}

// The operations of futex(2), on memory that another process may share.
const (
	futexWait = 0
	futexWake = 1
)

// finish ends this process as the command ends. It returns only where the guard or
// init ends without a word on that.
func (w *watch) finish(e *ending) {
	endingThreads()
	copy(e.tasks[:], "/proc/self/task")
	// What the Go runtime has handlers for, and is not passed on.
	e.mask = 1<<(unix.SIGCHLD-1) | 1<<(unix.SIGURG-1) | 1<<(unix.SIGPROF-1) | 1<<(unix.SIGPIPE-1)
	waitAndEnd(w.child, uintptr(w.pid), e)
}

// waitAndEnd is the part of finish in which no runtime can be counted on, as its
// threads are gone: it obeys the rules of child_linux.go.
//
//go:nosplit
//go:noinline
//go:norace
//go:nocheckptr
func waitAndEnd(c *child, pid uintptr, e *ending) {
	sys(unix.SYS_RT_SIGPROCMASK, unix.SIG_BLOCK, uintptr(unsafe.Pointer(&e.mask)), 0, 8, 0, 0)
	dir, errno := sys(unix.SYS_OPENAT, atFDCWD, uintptr(unsafe.Pointer(&e.tasks)), unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0, 0, 0)
	if errno == 0 {
		for i := 0; i < 8 && endOthers(dir, &e.entries) > 0; i++ {
			e.time = [2]int64{0, 5e4}
			sys(unix.SYS_NANOSLEEP, uintptr(unsafe.Pointer(&e.time)), 0, 0, 0, 0, 0)
		}
		sys(unix.SYS_CLOSE, dir, 0, 0, 0, 0, 0)
	}
	for c.init {
		n, errno := sys(unix.SYS_READ, uintptr(c.pipeR), uintptr(unsafe.Pointer(&e.entries)), 1, 0, 0, 0)
		if errno == 0 && n == 1 {
			stopThread()
		} else if errno != uintptr(unix.EINTR) {
			break
		}
	}
	options := uintptr(unix.WUNTRACED | unix.WCONTINUED)
	for over := false; !over; {
		got, errno := sys(unix.SYS_WAIT4, pid, uintptr(unsafe.Pointer(&e.status)), options, 0, 0, 0)
		options &^= unix.WNOHANG
		switch {
		case errno == uintptr(unix.EINTR):
		case errno == 0 && got == 0: // as in waitChild
			sys(unix.SYS_KILL, pid, uintptr(unix.SIGCONT), 0, 0, 0, 0)
		case errno == 0 && e.status&0xff == 0x7f:
			if !c.guard && !c.init {
				setAction(uintptr(unix.SIGCONT), &sigaction{}) // as in stop
			}
			stopThread()
			options |= unix.WNOHANG
		case errno == 0 && e.status == 0xffff: // WIFCONTINUED
		default:
			over = true
		}
	}
	sigTarget = 0
	if c.guard || c.init {
		if c.rep.Kind != reportExited {
			unlock()
			sys(unix.SYS_RT_SIGPROCMASK, unix.SIG_UNBLOCK, uintptr(unsafe.Pointer(&e.mask)), 0, 8, 0, 0)
			return
		}
		e.status = uint32(c.rep.Value)
	}
	if c.init || c.die {
		cleanUp(c)
	}
	regainTerminal()
	sig := uintptr(e.status & 0x7f)
	if sig == 0 {
		exit(uintptr(e.status >> 8 & 0xff))
	}
	// As in DieBySignal.
	sys(unix.SYS_PRLIMIT64, 0, unix.RLIMIT_CORE, uintptr(unsafe.Pointer(&e.limit)), 0, 0, 0)
	setAction(sig, &sigaction{})
	e.mask = 0
	sys(unix.SYS_RT_SIGPROCMASK, unix.SIG_SETMASK, uintptr(unsafe.Pointer(&e.mask)), 0, 8, 0, 0)
	self, _ := sys(unix.SYS_GETPID, 0, 0, 0, 0, 0, 0)
	sys(unix.SYS_KILL, self, sig, 0, 0, 0, 0)
	e.time = [2]int64{1, 0} // another thread may be the one to take it
	sys(unix.SYS_NANOSLEEP, uintptr(unsafe.Pointer(&e.time)), 0, 0, 0, 0, 0)
	exit(128 + sig)
}

// stopThread stops this process. Sent to this thread, the signal has done so before
// this returns.
//
//go:nosplit
//go:norace
func stopThread() {
	pid, _ := sys(unix.SYS_GETPID, 0, 0, 0, 0, 0, 0)
	tid, _ := sys(unix.SYS_GETTID, 0, 0, 0, 0, 0, 0)
	sys(unix.SYS_TGKILL, pid, tid, uintptr(unix.SIGSTOP), 0, 0, 0)
}
