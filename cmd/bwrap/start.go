//go:build linux

package main

// From the command line to the command's end.

import (
	"golang.org/x/sys/unix"

	"sbx/engine/argv/bwrap"
	"sbx/engine/compile"
	"sbx/engine/host"
	"sbx/engine/plan"
	"sbx/engine/run"
	"sbx/engine/validate"
)

// exitFailed is the exit code of whatever fails.
const exitFailed = 1

// start performs the command line and returns the exit code.
func start(args []string) int {
	name := "bwrap"
	if len(args) > 0 {
		name, args = args[0], args[1:]
	}
	dir, _ := unix.Getwd() // there may be none: it can have been removed
	line, err := bwrap.Parse(args, bwrap.Options{Dir: dir, Read: readAll})
	level = line.LevelPrefix
	for _, w := range line.Warnings {
		warn(w)
	}
	switch e, _ := err.(*bwrap.Error); {
	case e != nil && e.Usage:
		complainUsage(name)
		return exitFailed
	case err != nil:
		die(err.Error())
		return exitFailed
	case line.Help:
		print(usage(name) + options)
		return 0
	case line.Version:
		print(version)
		return 0
	}
	p := line.Plan
	host.OwnPaths(p)
	f := host.Live(p)
	if plan.Within(dir, "/tmp") || plan.Within(f.Cwd, "/tmp") {
		f.Cwd = dir // the original asks once it has covered /tmp, where $PWD counts no more
	}
	if err := line.Check(f.UID, f.GID); err != nil {
		die(err.Error())
		return exitFailed
	}
	if line.ExecLabel != "" || line.FileLabel != "" {
		die("labeling not supported on this system")
		return exitFailed
	}
	for _, fd := range []*int{p.Hooks.Info, p.Hooks.Status} {
		if fd != nil && !inherited(*fd) {
			die("Write to info_fd: Bad file descriptor")
			return exitFailed
		}
	}
	m := messages{line}
	l, ds := validate.Check(p, f)
	last := ""
	for _, d := range ds {
		if d.Severity != plan.Error {
			continue
		}
		if text := m.fault(d); text != last { // of which one of ours may be several
			die(text)
			last = text
		}
	}
	if ds.HasErrors() {
		return exitFailed
	}
	prog, err := compile.Compile(p, l, f, compile.Options{Wait: true})
	if err != nil {
		die(err.Error())
		return exitFailed
	}
	run.RestoreFileLimit()
	status, err := run.Run(prog)
	if err != nil {
		die(m.failure(prog, err))
		return exitFailed
	}
	if status.Signaled() {
		return 128 + int(status.Signal())
	}
	return status.ExitStatus()
}

// inherited reports whether a file descriptor is open and was given to this process.
// What is closed on exec is one of its own.
func inherited(fd int) bool {
	flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
	return err == nil && (fd <= 2 || flags&unix.FD_CLOEXEC == 0)
}

// readAll reads a file descriptor to its end, and closes it. The standard ones stay
// open, lest their numbers are taken by others, but not for the command.
func readAll(fd int) ([]byte, error) {
	if !inherited(fd) {
		return nil, errnoText(unix.EBADF)
	}
	b := make([]byte, 0, 4096)
	for {
		if len(b) == cap(b) {
			b = append(b, 0)[:len(b)]
		}
		n, err := unix.Read(fd, b[len(b):cap(b)])
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return nil, errnoText(err)
		}
		if n == 0 {
			break
		}
		b = b[:len(b)+n]
	}
	if fd < 3 {
		unix.CloseOnExec(fd)
	} else {
		unix.Close(fd)
	}
	return b, nil
}
