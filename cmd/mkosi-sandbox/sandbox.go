//go:build linux

package main

// From the command line to the command.

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"

	"sbx/engine/argv/mkosi"
	"sbx/engine/compile"
	"sbx/engine/explain"
	"sbx/engine/host"
	"sbx/engine/plan"
	"sbx/engine/run"
	"sbx/engine/validate"
	"sbx/engine/varlink"
)

const (
	exitFailed   = 1   // whatever fails, but for
	exitNotFound = 127 // that the command is not in the sandbox
)

// start performs the command line. This process becomes the command, so that
// start returns only where something fails.
func start(args []string) int {
	cwd, _ := unix.Getwd() // and never $PWD
	line, ds := mkosi.Parse(args, cwd)
	switch {
	case line.Help:
		talk(help)
		return 0
	case line.Version:
		talk(version())
		return 0
	case ds.HasErrors():
		report(args, ds...)
		return exitFailed
	}
	p := line.Plan
	host.OwnPaths(p)
	f := host.Live(p)
	entered, d := acquire(p, f, varlink.Systemd)
	if d != nil {
		report(args, *d)
		return exitFailed
	}
	if entered {
		f = host.Live(p)
	}
	f.Cwd, f.TTY = cwd, terminal(f)
	settle(p, f, here(p, entered))
	l, ds := validate.Check(p, f)
	report(args, ds...)
	if ds.HasErrors() {
		return exitFailed
	}
	prog, err := compile.Compile(p, l, f, compile.Options{Debug: line.Debug, Describe: mkosi.Describe, Become: true})
	if err != nil {
		report(args, plan.Diagnostic{Msg: err.Error()})
		return exitFailed
	}
	run.RestoreFileLimit()
	status, err := run.Run(prog)
	if err != nil {
		d, code := explain.Failure(prog, f, err)
		report(args, d)
		var fail *run.Failure
		if code == explain.ExitNotFound || errors.As(err, &fail) && fail.NoExec && fail.Errno == unix.ENOENT {
			// The command, or the interpreter that it needs.
			return exitNotFound
		}
		return exitFailed
	}
	if status.Signaled() { // there was a child all the same
		run.DieBySignal(status.Signal())
		return 128 + int(status.Signal())
	}
	return status.ExitStatus()
}

// terminal returns the terminal that is to be the console: that of stderr, where
// its name is its own here.
func terminal(f *host.Facts) string {
	if f.TTY == "" || !host.IsTerminal(2) { // no --dev, or nothing that could be one
		return ""
	}
	name, err := os.Readlink("/proc/self/fd/2")
	var a, b unix.Stat_t
	if err != nil || unix.Fstat(2, &a) != nil || unix.Stat(name, &b) != nil || a.Dev != b.Dev || a.Ino != b.Ino {
		return ""
	}
	return name
}

// circumstances is what settle goes by beside the facts.
type circumstances struct {
	umask uint32
	stuck bool // nobody but the caller is there to give files to
}

// here returns the circumstances of this process, which may have entered a user
// namespace for the sandbox.
func here(p *plan.Plan, entered bool) circumstances {
	c := circumstances{umask: uint32(unix.Umask(0))}
	unix.Umask(int(c.umask))
	c.stuck = entered || p.SuppressChown && singleUser(host.ProcFile("/proc/self/uid_map"))
	return c
}
