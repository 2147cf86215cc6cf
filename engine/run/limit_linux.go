package run

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// RestoreFileLimit takes back that Go raises the soft limit of open files to one
// less than the hard one: the command shall have the caller's. Only syscall knows
// what that was, and restores it before an exec; this one fails for sure.
func RestoreFileLimit() {
	var lim unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &lim) == nil && lim.Cur == lim.Max-1 {
		syscall.Exec("", nil, nil)
	}
}

// QuitPlainly has SIGQUIT end this process as it ends others: the Go runtime prints
// the stacks of all goroutines and exits with 2.
func QuitPlainly() { swapAction(uintptr(unix.SIGQUIT), &sigaction{}, &runtimeQuit) }

// CatchQuit takes QuitPlainly back: os/signal leaves alone what it has once set up.
func CatchQuit() {
	if runtimeQuit.handler != 0 {
		setAction(uintptr(unix.SIGQUIT), &runtimeQuit)
	}
}

// runtimeQuit is what the Go runtime does at SIGQUIT, where it does not.
var runtimeQuit sigaction
