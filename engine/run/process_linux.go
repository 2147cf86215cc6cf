package run

// What sbx's own process has to be before it makes a sandbox.

import (
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// ResetSignals has the signals of a terminal do again what they do by default. A
// shell without job control starts background processes with some of them
// ignored; a command with a terminal of its own must not inherit that.
func ResetSignals() {
	for _, sig := range []unix.Signal{unix.SIGHUP, unix.SIGINT, unix.SIGQUIT, unix.SIGTSTP, unix.SIGTTIN, unix.SIGTTOU} {
		if ignored(uintptr(sig)) {
			setAction(uintptr(sig), &sigaction{})
		}
	}
}

// Signal sends a signal to what Run runs, as if sbx had got it.
func Signal(sig unix.Signal) {
	if pid := atomic.LoadInt32(&sigTarget); pid > 0 {
		unix.Kill(int(pid), sig)
	}
}
