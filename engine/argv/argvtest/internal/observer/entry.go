//go:build linux

package main

// What the kernel handed over at the exec. The Go runtime installs signal
// handlers, raises the limit of open files and may open some before main runs.
var (
	entered  uint64
	signals  [64][4]uint64 // rt_sigaction of signals 1 to 64: handler, flags, restorer, mask
	blocked  uint64        // rt_sigprocmask
	rlimits  [16][2]uint64 // prlimit: soft, hard
	fdFlags  [64]uint64    // fcntl F_GETFD, or an errno
	deathsig uint64        // prctl PR_GET_PDEATHSIG
)

// entry is where the process starts, instead of the runtime's own entry point.
func entry()

var _ = entry
