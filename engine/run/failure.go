// Package run performs a program: it clones a child, has it make the sandbox
// and become the command, passes signals on, and tells how it ended. It is the
// only package that holds process ids and file descriptors.
package run

import (
	"fmt"
	"syscall"

	"sbx/engine/program"
)

// Failure tells which part of the program failed.
type Failure struct {
	Inst  int           // index in Program.Insts, or -1: Lock, or else the clone itself
	Lock  *program.Lock // that could not be had: Errno EWOULDBLOCK where another sandbox has it
	Errno syscall.Errno
	// NoExec: no execve succeeded. Try is the number of the attempt whose
	// Errno this is, Head what the file that was found begins with, and HeadErr
	// why that could not be read.
	NoExec  bool
	Try     int
	Head    []byte
	HeadErr syscall.Errno
}

// Error implements error, for the cases where nobody knows better.
func (f *Failure) Error() string {
	return fmt.Sprintf("instruction %d: %v", f.Inst, f.Errno)
}
