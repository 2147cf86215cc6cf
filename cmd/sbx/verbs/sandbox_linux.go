package verbs

// What a verb needs of Linux: the facts of this host, and a sandbox on it.

import (
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"sbx/engine/explain"
	"sbx/engine/host"
	"sbx/engine/plan"
	"sbx/engine/program"
	"sbx/engine/run"
	"sbx/engine/session"
)

// hostFacts returns the facts of this host that a plan needs.
func hostFacts(p *plan.Plan) (*host.Facts, error) { return host.Live(p), nil }

// perform runs the program and returns the exit code, or ends sbx by the signal
// that ended the command.
func perform(prog *program.Program, f *host.Facts, sources map[string][]byte) int {
	return performAnd(prog, f, sources, func() {})
}

// performNoted is perform for a sandbox that sbx ps lists.
func performNoted(prog *program.Program, f *host.Facts, sources map[string][]byte, project string) int {
	if prog.Become {
		return perform(prog, f, sources) // sbx will not be there to take it off the list
	}
	off := session.Note(prog.Plan, f, project)
	return performAnd(prog, f, sources, func() {
		off()
		noteEnd(project, ownSandbox(), "")
	})
}

// performAnd is perform, and calls then once the sandbox is gone.
func performAnd(prog *program.Program, f *host.Facts, sources map[string][]byte, then func()) int {
	run.RestoreFileLimit()
	status, err := run.Run(prog)
	then()
	if err != nil {
		d, code := explain.Failure(prog, f, err)
		report(sources, d)
		return code
	}
	return exitCode(status)
}

func quitPlainly() { run.QuitPlainly() }

// exitCode returns the exit code for how a command ended, or ends sbx by the
// signal that ended it.
func exitCode(status unix.WaitStatus) int {
	if status.Signaled() {
		sig := status.Signal()
		run.DieBySignal(sig)
		time.Sleep(time.Second) // another thread may be the one to take it
		return 128 + int(sig)
	}
	return status.ExitStatus()
}

// fewFiles is the number of file descriptors that sbx may need for a small
// sandbox, its own runtime included.
const fewFiles = 16

// enoughFiles returns an error where too few file descriptors are left. The
// runtime would crash where it gets none for its timers.
func enoughFiles() error {
	var lim unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &lim) != nil || lim.Cur > 1<<20 {
		return nil
	}
	fd, err := unix.FcntlInt(0, unix.F_DUPFD_CLOEXEC, 0)
	if err == nil {
		unix.Close(fd)
	}
	if err != unix.EMFILE && uint64(fd)+fewFiles <= lim.Cur {
		return nil
	}
	return misuse(fmt.Sprintf("too few file descriptors are left, the limit is %d", lim.Cur), "raise the limit of open files: ulimit -n")
}
