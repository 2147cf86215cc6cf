package run

// watch: the parent while the command runs. It reads the child's reports, stops
// when the command stops, and passes signals on.

import (
	"math/bits"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"sbx/engine/program"
	"sbx/engine/rtinit"
)

type watch struct {
	prog  *program.Program
	child *child
	pid   int // of the guard or init, or of the command where there is neither
}

// What sigForward, the signal handler, works with: the process to send to, or 0;
// the signals (bit N: signal N) that wait for one, and bit 0 where the sandbox was still
// being made as one of sigAbort came; and whether to send what comes from the
// terminal, too.
var (
	sigTarget  int32
	sigPending uint64
	//lint:ignore U1000 it is read in assembly
	sigKeys int32
	// While it points to a 0 the sandbox is being made, and the signals in sigAbort
	// end that, and are sbx's own end.
	sigStarted *int32
	// The Go runtime's handler.
	//lint:ignore U1000 it is read in assembly
	sigRuntime uintptr
	// Where it is noted that somebody has sent sbx a SIGCONT.
	sigReport = &noReport
	noReport  report
	// The signal that would have stopped the command before it had started.
	sigTooEarly int32
)

// sigAbort are the signals that ask for an end.
const sigAbort = 1<<unix.SIGHUP | 1<<unix.SIGINT | 1<<unix.SIGQUIT | 1<<unix.SIGTERM

func handlers() (forward, fault, nothing, later uintptr)

// wait waits for the child, and returns how the command ended.
func (w *watch) wait() (unix.WaitStatus, error) {
	rep := w.child.rep
	between := w.prog.Guard || w.prog.Init
	if !between && (rep.Kind == reportFailed || rep.Kind == reportNoExec) {
		w.waitChild()
		return 0, failure(rep)
	}
	w.started()
	if w.prog.Loose {
		return w.waitLoose()
	}
	if w.prog.Init {
		go w.stops()
		defer w.endStops()
	}
	if w.prog.Guard && !w.prog.DieWithParent {
		w.waitWord()
	}
	var st unix.WaitStatus
	if !w.child.over {
		st = w.waitChild()
	}
	atomic.StoreInt32(&sigTarget, 0)
	if w.child.pid1 && st.Signaled() && st.Signal() == unix.SIGKILL {
		st = endUnsaid(st, atomic.LoadUint64(&sigPending))
	}
	if !between && !w.prog.Copy {
		return st, nil
	}
	switch rep.Kind {
	case reportExited:
		return unix.WaitStatus(rep.Value), nil
	case reportFailed, reportNoExec:
		return 0, failure(rep)
	}
	if !between {
		return st, nil
	}
	// The guard or init is gone without a word on how the command ended.
	w.endOrphans()
	cleanUp(w.child)
	return endUnsaid(st, atomic.LoadUint64(&sigPending)), nil
}

// endUnsaid is how a command ended whose guard or init ended so without a word, or
// that was pid 1 and killed. A signal of sigAbort that still waits is what sbx has killed
// them for; whether the command had just started then tells nothing.
func endUnsaid(st unix.WaitStatus, pending uint64) unix.WaitStatus {
	if abort := pending & sigAbort; abort != 0 {
		return unix.WaitStatus(bits.TrailingZeros64(abort))
	}
	if !st.Signaled() {
		return unix.WaitStatus(unix.SIGKILL)
	}
	return st
}

// waitWord waits until the guard or init has said how the command ended, or is
// gone. It may stay, with what the command leaves running.
func (w *watch) waitWord() {
	var b [1]byte
	for {
		n, err := unix.Read(w.child.pipeR, b[:])
		if err != unix.EINTR && n <= 0 {
			return
		}
	}
}

// waitChild waits for the end of the child, following it when it stops.
func (w *watch) waitChild() unix.WaitStatus {
	asleep := false // as the child was
	for !w.prog.Pty {
		options := unix.WEXITED | unix.WSTOPPED | unix.WCONTINUED | unix.WNOWAIT
		if asleep {
			options |= unix.WNOHANG
		}
		news := w.news(options)
		if news == cldStopped {
			// Whoever stopped all of the job may be waking all of it. The news is taken
			// right before sbx stops: what is there when it wakes is another stop.
			time.Sleep(10 * time.Millisecond)
			if asleep = w.news(unix.WSTOPPED|unix.WNOHANG) == cldStopped; asleep {
				w.stop()
			}
			continue
		}
		switch {
		case news == cldContinued:
			w.news(unix.WCONTINUED | unix.WNOHANG) // and not its end, as wait4(2) would
		case news == 0 && asleep:
			// sbx was woken, and the child was not, by whoever did that.
			unix.Kill(w.pid, unix.SIGCONT)
		default:
			return waitFor(w.pid)
		}
		asleep = false
	}
	return waitFor(w.pid)
}

// waitFor waits for the end of a child and returns its status.
func waitFor(pid int) (st unix.WaitStatus) {
	for {
		if _, err := unix.Wait4(pid, &st, 0, nil); err != unix.EINTR {
			return st
		}
	}
}

// Of siginfo_t's si_code, waitid(2).
const (
	cldStopped   = 5
	cldContinued = 6
)

// news waits for the child as waitid(2) does, and returns the si_code or, where there
// is no news, 0.
func (w *watch) news(options int) int32 {
	var info unix.Siginfo
	for {
		if err := unix.Waitid(unix.P_PID, w.pid, &info, options, nil); err != unix.EINTR {
			return info.Code
		}
	}
}

// stops follows the command's stops, of which an init tells.
func (w *watch) stops() {
	count, seen := &w.child.rep.Stops, int32(0)
	for {
		switch n := atomic.LoadInt32(count); n {
		case noStops:
			return
		case seen:
			unix.Syscall6(unix.SYS_FUTEX, uintptr(unsafe.Pointer(count)), futexWait, uintptr(n), 0, 0, 0)
		default:
			seen = n
			if w.stillStopped() {
				w.stop()
			}
		}
	}
}

// endStops ends stops.
func (w *watch) endStops() {
	count := &w.child.rep.Stops
	atomic.StoreInt32(count, noStops)
	unix.Syscall6(unix.SYS_FUTEX, uintptr(unsafe.Pointer(count)), futexWake, 1, 0, 0, 0)
}

// noStops is the count where none will be any more.
const noStops = -1

// Of futex(2), between processes.
const (
	futexWait = 0
	futexWake = 1
)

// stillStopped reports whether the command is stopped, of which the init has told.
// If sbx was stopped as well, that has waited to be read, and what woke sbx has
// woken the command: the init will know presently.
func (w *watch) stillStopped() bool {
	rep, same := w.child.rep, 0
	for range 50 {
		time.Sleep(10 * time.Millisecond) // also for the handler of a SIGCONT to be done
		if atomic.LoadInt32(&rep.Halted) == 0 {
			return false
		}
		if atomic.LoadInt32(&rep.Woken) == atomic.LoadInt32(&rep.WokenThen) {
			if same++; same == 3 {
				return true
			}
		}
	}
	return true
}

// started is called once the child runs. What the command inherits it has, and
// the guard until then. A signal that came while the sandbox was being made ends a command
// that is pid 1 by SIGKILL: it has had no time to prepare, and the kernel drops what
// a pid 1 is not prepared for.
func (w *watch) started() {
	for _, fd := range w.prog.CloseFDs {
		unix.Close(fd)
	}
	if w.prog.Loose {
		w.closeInherited()
		return
	}
	atomic.StoreInt32(&sigTarget, int32(w.pid))
	early := atomic.SwapUint64(&sigPending, 0)
	for sig := unix.Signal(1); early>>sig != 0; sig++ {
		switch {
		case early&(1<<sig) == 0:
		case sigAbort&(1<<sig) != 0 && sigStarted != nil && (w.child.pid1 && early&1 != 0 || atomic.LoadInt32(sigStarted) == 0):
			atomic.OrUint64(&sigPending, 1<<sig)
			unix.Kill(w.pid, unix.SIGKILL)
		default:
			unix.Kill(w.pid, sig)
		}
	}
	if sig := sigTooEarly; sig != 0 && !w.prog.Guard { // which sends it itself
		unix.Kill(w.pid, unix.Signal(sig))
	}
}

// passSignals has all signals passed on from here on. It comes before there is a
// command: till then they wait in sigPending.
func passSignals(c *child) {
	if c.apart {
		sigKeys = 1
	}
	sigStarted = nil
	if c.guard || c.init || c.pid1 {
		sigStarted = &c.rep.Started
	}
	sigReport = c.rep
	setAction(uintptr(unix.SIGCHLD), &sigaction{}) // the Go runtime has it wake sbx for nothing
	forward, fault, _, _ := handlers()
	act := handledBy(forward, saRestart)
	for sig := uintptr(1); sig < deathSignal; sig++ {
		act.handler = forward
		switch unix.Signal(sig) {
		case unix.SIGSEGV, unix.SIGBUS, unix.SIGILL, unix.SIGFPE, unix.SIGTRAP, unix.SIGSYS:
			act.handler = fault
		case unix.SIGKILL, unix.SIGSTOP, unix.SIGCHLD, // not to be had, or ours
			unix.SIGURG, unix.SIGPROF, unix.SIGPIPE, // the Go runtime's
			32, 33: // the C library's
			continue
		case unix.SIGHUP, unix.SIGWINCH, unix.SIGCONT, unix.SIGTSTP, unix.SIGTTIN, unix.SIGTTOU:
			if c.pty { // of the caller's terminal
				continue
			}
		}
		if sig <= uintptr(unix.SIGINT) && ignored(sig) { // not for a moment
			continue
		}
		var before sigaction
		swapAction(sig, &act, &before)
		switch {
		case before.handler == sigIgn: // by the caller, nohup(1) for one; so it is for the command
			setAction(sig, &before)
		case act.handler == fault && before.handler != fault: // by an earlier call
			sigRuntime = before.handler
		}
	}
}

// stop follows the command into the stopped state, as the shell that waits for
// sbx must see. It returns when sbx is continued.
func (w *watch) stop() {
	switch {
	case w.prog.Init:
		w.wokenByPipe(unix.O_ASYNC)
		defer w.wokenByPipe(0)
		if w.goesOn() {
			return
		}
	case !w.prog.Guard:
		// This thread looks after the command, the handler would be a second one.
		setAction(uintptr(unix.SIGCONT), &sigaction{})
	}
	runtime.LockOSThread()
	unix.Tgkill(os.Getpid(), unix.Gettid(), unix.SIGSTOP) // this thread stops before it returns
	runtime.UnlockOSThread()
}

// wokenByPipe has what comes through the init's pipe, and its end, send sbx a SIGCONT,
// or not any more: an init sees no sbx that it could send one to.
func (w *watch) wokenByPipe(async int) {
	fd := uintptr(w.child.pipeR)
	atomic.StoreInt32(&w.child.rep.Asleep, int32(async))
	unix.FcntlInt(fd, unix.F_SETOWN, os.Getpid())
	unix.FcntlInt(fd, unix.F_SETSIG, int(unix.SIGCONT))
	unix.FcntlInt(fd, unix.F_SETFL, async)
}

// goesOn reports whether the command is stopped no more, or the init is gone.
func (w *watch) goesOn() bool {
	fds := []unix.PollFd{{Fd: int32(w.child.pipeR), Events: unix.POLLIN}}
	unix.Poll(fds, 0)
	if fds[0].Revents&unix.POLLIN != 0 { // by which sbx was woken earlier
		var b [64]byte
		unix.Read(w.child.pipeR, b[:])
	}
	rep := w.child.rep
	return fds[0].Revents&unix.POLLHUP != 0 || atomic.LoadInt32(&rep.Halted) == 0 || atomic.LoadInt32(&rep.Stops) == noStops
}

// regainTerminal makes sbx's process group the foreground one of its terminal
// again, where the one that is has died with the sandbox. A shell with job control
// gives the terminal back at its end, but not out of a pid namespace, where the
// group of its caller has no number.
func regainTerminal() {
	for fd := range 3 {
		group, err := unix.IoctlGetInt(fd, unix.TIOCGPGRP)
		if err != nil || unix.Kill(-group, 0) != unix.ESRCH {
			continue
		}
		setAction(uintptr(unix.SIGTTOU), &sigaction{handler: sigIgn}) // else it would stop sbx
		unix.IoctlSetPointerInt(fd, unix.TIOCSPGRP, unix.Getpgrp())
		return
	}
}

// endOrphans kills what a guard that was itself killed has left behind; as
// subreaper sbx has inherited it. Who has become sbx by exec(3) may have had
// children before: those are not the sandbox's.
func (w *watch) endOrphans() {
	if !w.prog.Guard && !w.prog.Join {
		return
	}
	for {
		left := children()
		for pid := range w.child.before {
			delete(left, pid)
		}
		if len(left) == 0 {
			return
		}
		for pid := range left {
			unix.Kill(pid, unix.SIGKILL)
		}
		for pid := range left {
			waitFor(pid)
		}
	}
}

// children returns the pids of this process's children, which are children of any
// one of its threads.
func children() map[int]bool {
	list := map[int]bool{}
	tasks, _ := os.ReadDir("/proc/self/task")
	for _, t := range tasks {
		b, _ := os.ReadFile("/proc/self/task/" + t.Name() + "/children")
		for f := range strings.FieldsSeq(string(b)) {
			if pid, err := strconv.Atoi(f); err == nil {
				list[pid] = true
			}
		}
	}
	return list
}

func failure(rep *report) *Failure {
	f := &Failure{Inst: int(rep.Inst), Errno: unix.Errno(rep.Errno)}
	if rep.Kind == reportNoExec {
		f.NoExec, f.Try = true, int(rep.Value)
		switch {
		case rep.Len >= 0:
			f.Head = append([]byte{}, rep.Head[:min(int(rep.Len), len(rep.Head))]...)
		case rep.Len < -1:
			f.HeadErr = unix.Errno(-rep.Len)
		default:
			f.HeadErr = unix.ENOENT
		}
	}
	return f
}

// sigaction is the kernel's struct (not the C library's), rt_sigaction(2).
type sigaction struct {
	handler  uintptr
	flags    uint64
	restorer uintptr
	mask     uint64
}

const (
	saSiginfo  = 0x4 // else the handler gets none
	saRestorer = 0x04000000
	saOnStack  = 0x08000000
	saRestart  = 0x10000000
)

// handledBy is the action of a handler, which runs with all signals blocked.
func handledBy(handler uintptr, flags uint64) sigaction {
	act := sigaction{handler: handler, flags: flags | saSiginfo | saOnStack, mask: ^uint64(0)}
	if restorer := rtinit.Restorer(); restorer != 0 {
		act.flags |= saRestorer
		act.restorer = restorer
	}
	return act
}

// ignored reports whether a signal is ignored. Of those that the caller ignores,
// the Go runtime leaves SIGHUP and SIGINT so, and those it has no use for.
func ignored(sig uintptr) bool {
	var act sigaction
	_, _, errno := unix.RawSyscall6(unix.SYS_RT_SIGACTION, sig, 0, uintptr(unsafe.Pointer(&act)), 8, 0, 0)
	return errno == 0 && act.handler == sigIgn
}

// sigIgn is SIG_IGN.
const sigIgn = 1

func swapAction(sig uintptr, act, before *sigaction) {
	unix.RawSyscall6(unix.SYS_RT_SIGACTION, sig, uintptr(unsafe.Pointer(act)), uintptr(unsafe.Pointer(before)), 8, 0, 0)
}

func setAction(sig uintptr, act *sigaction) {
	unix.RawSyscall6(unix.SYS_RT_SIGACTION, sig, uintptr(unsafe.Pointer(act)), 0, 8, 0, 0)
}

// DieBySignal ends this process by the signal that ended the command, without a
// second core file. It returns where the signal does not kill.
func DieBySignal(sig unix.Signal) {
	unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{})
	setAction(uintptr(sig), &sigaction{})
	var none uint64
	unix.RawSyscall6(unix.SYS_RT_SIGPROCMASK, unix.SIG_SETMASK, uintptr(unsafe.Pointer(&none)), 0, 8, 0, 0)
	unix.Kill(os.Getpid(), sig)
}
