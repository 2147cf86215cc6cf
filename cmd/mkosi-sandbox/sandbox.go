//go:build linux

package main

// From the command line to the command.

import (
	"golang.org/x/sys/unix"

	"sbx/engine/argv/mkosi"
	"sbx/engine/compile"
	"sbx/engine/explain"
	"sbx/engine/host"
	"sbx/engine/plan"
	"sbx/engine/run"
	"sbx/engine/validate"
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
	f := host.Live(p)
	f.Cwd, f.TTY = cwd, terminal(p, f)
	settle(p, f, here())
	if done, err := foreign(p, f); err != nil {
		report(args, err...)
		return exitFailed
	} else {
		defer done()
	}
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
		if code == explain.ExitNotFound {
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
func terminal(p *plan.Plan, f *host.Facts) string {
	if f.TTY == "" || !isTerminal(2) { // no --dev, or nothing that could be one
		return ""
	}
	name, err := unixReadlink("/proc/self/fd/2")
	var a, b unix.Stat_t
	if err != nil || unix.Fstat(2, &a) != nil || unix.Stat(name, &b) != nil || a.Dev != b.Dev || a.Ino != b.Ino {
		return ""
	}
	return name
}

func unixReadlink(path string) (string, error) {
	var buf [4096]byte
	n, err := unix.Readlink(path, buf[:])
	return string(buf[:max(n, 0)]), err
}

// circumstances is what settle goes by beside the facts.
type circumstances struct {
	umask      uint32
	singleUser bool // the user namespace has one uid
}

// here returns the circumstances of this process.
func here() circumstances {
	c := circumstances{umask: uint32(unix.Umask(0))}
	unix.Umask(int(c.umask))
	if b := readFile("/proc/self/uid_map"); len(b) > 0 {
		c.singleUser = singleUser(b)
	}
	return c
}

// readFile returns the beginning of a small file of the kernel's.
func readFile(path string) string {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return ""
	}
	defer unix.Close(fd)
	var buf [4096]byte
	n, _ := unix.Read(fd, buf[:])
	return string(buf[:max(n, 0)])
}
