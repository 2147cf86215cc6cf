//go:build amd64 || arm64

package rtinit

// beLate: the timer slack of the monitor. Of another thread only the privileged may
// set it (timerslack_ns of proc_pid(5)), so that is done in a signal handler there.

import (
	"runtime"
	"unsafe"
)

// Lateness is the timer slack of the monitor, in nanoseconds, as of no other thread.
const Lateness = 10_000_001

// Signal is for one thread of this process to send to another. It is of no use to
// anybody else: the C library has it for its own purposes, and the Go runtime never
// blocks it, and does nothing when it comes. It may still be on its way.
const Signal = 33

// usualSlack is the kernel's default in nanoseconds.
const usualSlack = 50_000

// Slack is the timer slack that this process has from its caller, in nanoseconds,
// PR_SET_TIMERSLACK(2const). A thread has that of the thread that has made it; so one
// may have the monitor's, and what it executes as well.
var Slack uintptr = usualSlack

// The timer slack that the monitor is to have, and that it has been given.
var (
	//lint:ignore U1000 it is read in assembly
	wanted uintptr
	//lint:ignore U1000 it is written in assembly
	given uintptr
)

// call makes a system call and returns its result or a negative errno.
func call(nr, a, b, c, d uintptr) uintptr

// handler returns the address of the signal handler.
func handler() uintptr

// Restorer returns the address of what a handler returns to, the sa_restorer of
// rt_sigaction(2); 0 where the kernel has its own.
func Restorer() uintptr

// action is the kernel's struct sigaction, rt_sigaction(2).
type action struct {
	handler, flags, restorer, mask uintptr
}

// Not on the stack, which may move.
var act action

const (
	prSetTimerSlack = 29
	prGetTimerSlack = 30

	saRestorer = 0x04000000
	saOnStack  = 0x08000000
	saRestart  = 0x10000000
)

// number is the number of a system call on this architecture.
func number(amd64, arm64 uintptr) uintptr {
	if runtime.GOARCH == "arm64" {
		return arm64
	}
	return amd64
}

func beLate() {
	if s := call(number(157, 167), prGetTimerSlack, 0, 0, 0); s < 1<<32 && s != Lateness {
		Slack = s
	}
	act.flags, act.mask = saOnStack|saRestart, ^uintptr(0)
	act.handler, act.restorer = handler(), Restorer()
	if act.restorer != 0 {
		act.flags |= saRestorer
	}
	wanted = Lateness
	call(number(13, 134), Signal, uintptr(unsafe.Pointer(&act)), 0, unsafe.Sizeof(act.mask))
	tellMonitor()
}

// Punctual has the monitor be as punctual as it is by itself. That is for a program
// with goroutines that wait for one another while some are in system calls: it is the
// monitor that has the others run meanwhile.
func Punctual() {
	wanted = Slack
	tellMonitor()
}

func tellMonitor() {
	// The monitor is the first thread that the runtime makes: the first after this
	// process's number that is a thread of it. Few others begin in between, or so many
	// that nothing is fast. Where the numbers have begun anew this goes nowhere.
	pid := call(number(39, 172), 0, 0, 0, 0)
	for tid := pid + 1; tid <= pid+reach; tid++ {
		if call(number(234, 131), pid, tid, Signal, 0) == 0 {
			return
		}
	}
}

// reach is how far from the first thread the monitor's is looked for.
const reach = 40
