package run

// watch: the parent while the command runs. It reads the child's reports, stops
// when the command stops, and passes signals on.

import (
	"os"
	"strconv"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"

	"sbx/engine/program"
)

type watch struct {
	prog  *program.Program
	child *child
	pid   int // of the guard or init, or of the command where there is neither
}

// sigTarget is the process that sigForward, the signal handler, sends to;
// sigKeys has it send what comes from the terminal, too.
var sigTarget, sigKeys int32

func handlers() (forward, restorer uintptr)

// wait waits for the child, and returns how the command ended.
func (w *watch) wait() (unix.WaitStatus, error) {
	rep := w.child.rep
	between := w.prog.Guard || w.prog.Init
	if !between && (rep.Kind == reportFailed || rep.Kind == reportNoExec) {
		w.waitChild()
		return 0, failure(rep)
	}
	w.started()
	if w.prog.Init {
		go w.stops()
	}
	st := w.waitChild()
	if !between {
		return st, nil
	}
	switch rep.Kind {
	case reportExited:
		return unix.WaitStatus(rep.Value), nil
	case reportFailed, reportNoExec:
		return 0, failure(rep)
	}
	// The guard or init is gone without a word on how the command ended.
	w.endOrphans()
	cleanUp(w.child)
	if !st.Signaled() {
		st = unix.WaitStatus(unix.SIGKILL)
	}
	return st, nil
}

// waitChild waits for the end of the child, following it when it stops.
func (w *watch) waitChild() unix.WaitStatus {
	for {
		var st unix.WaitStatus
		_, err := unix.Wait4(w.pid, &st, unix.WUNTRACED, nil)
		switch {
		case err == unix.EINTR:
		case err == nil && st.Stopped():
			w.stop()
		default:
			return st
		}
	}
}

// stops follows the command's stops, of which a guard that is a pid 1 tells
// through the pipe.
func (w *watch) stops() {
	var b [1]byte
	for {
		n, err := unix.Read(w.child.pipeR, b[:])
		switch {
		case err == unix.EINTR:
		case n == 1:
			w.stop()
		default:
			return
		}
	}
}

// started is called once the child runs: from here on signals are for the
// command. What the command inherits it has, and the guard until then.
func (w *watch) started() {
	for _, fd := range w.prog.CloseFDs {
		unix.Close(fd)
	}
	if w.prog.Plan.NewSession {
		sigKeys = 1 // the terminal is not the command's any more
	}
	sigTarget = int32(w.pid)
	forward, restorer := handlers()
	act := sigaction{handler: forward, flags: saSiginfo | saOnStack | saRestart, mask: ^uint64(0)}
	if restorer != 0 {
		act.flags |= saRestorer
		act.restorer = restorer
	}
	for sig := uintptr(1); sig < deathSignal; sig++ {
		switch unix.Signal(sig) {
		case unix.SIGKILL, unix.SIGSTOP, unix.SIGCHLD, // not to be had, or ours
			unix.SIGSEGV, unix.SIGBUS, unix.SIGILL, unix.SIGFPE, unix.SIGTRAP, unix.SIGSYS, // faults of sbx itself
			unix.SIGURG, unix.SIGPROF, unix.SIGPIPE, // the Go runtime's
			32, 33: // the C library's
			continue
		}
		setAction(sig, &act)
	}
}

// stop follows the command into the stopped state, as the shell that waits for
// sbx must see, and wakes the command when sbx is continued.
func (w *watch) stop() {
	unix.Kill(os.Getpid(), unix.SIGSTOP)
	unix.Kill(w.pid, unix.SIGCONT)
}

// endOrphans kills what a guard that was itself killed has left behind; as
// subreaper sbx has inherited it.
func (w *watch) endOrphans() {
	if !w.prog.Guard {
		return
	}
	for {
		// They are children of any one of the threads.
		tasks, err := os.ReadDir("/proc/self/task")
		if err != nil {
			return
		}
		for _, t := range tasks {
			b, _ := os.ReadFile("/proc/self/task/" + t.Name() + "/children")
			for _, f := range strings.Fields(string(b)) {
				if pid, err := strconv.Atoi(f); err == nil {
					unix.Kill(pid, unix.SIGKILL)
				}
			}
		}
		if _, err := unix.Wait4(-1, nil, 0, nil); err == unix.ECHILD {
			return
		}
	}
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
