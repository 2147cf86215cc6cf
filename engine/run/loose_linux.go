package run

// Sandboxes in the manner of bubblewrap, plan.LifetimeCommand: this process only
// waits for the command, and tells others what they asked to know.

import (
	"encoding/binary"
	"fmt"
	"strconv"

	"golang.org/x/sys/unix"
)

// plainSignals has all signals do what they do to a program without handlers,
// instead of what the Go runtime does, such as a dump at SIGQUIT.
func plainSignals() {
	for _, sig := range [...]unix.Signal{
		unix.SIGHUP, unix.SIGINT, unix.SIGQUIT, unix.SIGABRT, unix.SIGUSR1, unix.SIGUSR2, unix.SIGPIPE, unix.SIGALRM,
		unix.SIGTERM, unix.SIGCHLD, unix.SIGSTKFLT, unix.SIGXCPU, unix.SIGXFSZ, unix.SIGVTALRM, unix.SIGIO, unix.SIGPWR, unix.SIGSYS,
	} {
		if sig > unix.SIGINT || !ignored(uintptr(sig)) { // of the others the runtime does not tell
			setAction(uintptr(sig), &sigaction{})
		}
	}
}

// waitLoose waits for the command's end, or the init's word on it. The init may
// stay, with what the command leaves running.
func (w *watch) waitLoose() (unix.WaitStatus, error) {
	rep := w.child.rep
	if w.prog.Init {
		w.waitWord()
	}
	var st unix.WaitStatus
	if rep.Kind == reportNone {
		st = waitFor(w.pid)
	}
	switch rep.Kind {
	case reportExited:
		return unix.WaitStatus(rep.Value), nil
	case reportFailed, reportNoExec:
		return 0, failure(rep)
	}
	return st, nil
}

// letThrough tells who asked what the sandbox is, has them map its ids, and lets
// it go on.
func (w *watch) letThrough() error {
	var b [1]byte
	if n, _ := readFD(w.child.pipeR, b[:]); n != 1 {
		return nil // it has died, and why is found out by whoever waits
	}
	pid := w.pid
	if w.prog.Guard || w.prog.Plan.Join.PID != nil || w.prog.Plan.Join.User != nil { // another process
		if n, err := strconv.Atoi(string(w.child.rep.Head[:w.child.rep.Len])); err == nil {
			pid = n
		}
	}
	h := &w.prog.Plan.Hooks
	spaces := w.namespaces(pid)
	if h.Info != nil {
		s := fmt.Sprintf("{\n    \"child-pid\": %d", pid)
		for _, ns := range spaces {
			s += fmt.Sprintf(",\n    \"%s-namespace\": %d", ns.name, ns.id)
		}
		if err := writeFD(*h.Info, s+"\n}\n"); err != nil {
			return fmt.Errorf("write to info_fd: %w", err)
		}
		unix.Close(*h.Info)
	}
	if h.Status != nil {
		s := fmt.Sprintf("{ \"child-pid\": %d", pid)
		for _, ns := range spaces {
			s += fmt.Sprintf(", \"%s-namespace\": %d", ns.name, ns.id)
		}
		if err := writeFD(*h.Status, s+" }\n"); err != nil {
			return fmt.Errorf("write to info_fd: %w", err)
		}
	}
	if w.prog.Plan.Identity.Maps() && w.prog.Plan.Join.User == nil {
		n, err := strconv.Atoi(string(w.child.rep.Head[:w.child.rep.Len])) // not that of a guard
		if err != nil {
			return fmt.Errorf("map_ids: the process to map the ids of cannot be told: /proc is not that of this pid namespace")
		}
		if err := mapIDs(w.prog.Plan, n); err != nil {
			return err
		}
	}
	if h.UserNSBlock != nil {
		readFD(*h.UserNSBlock, b[:])
		unix.Close(*h.UserNSBlock)
	}
	if err := writeFD(w.child.gateW, "\x00"); err != unix.EPIPE { // else that has died, as above
		return err
	}
	return nil
}

type namespace struct {
	name string
	id   uint64 // its inode
}

// namespaces returns those that the sandbox has of its own, as far as they can be
// told of its process pid.
func (w *watch) namespaces(pid int) []namespace {
	n := &w.prog.Plan.Unshare
	var list []namespace
	for _, ns := range []struct {
		name string
		on   bool
	}{{"cgroup", n.Cgroup || n.CgroupTry}, {"ipc", n.IPC}, {"mnt", true}, {"net", n.Net}, {"pid", n.PID}, {"uts", n.UTS}} {
		var st unix.Stat_t
		if ns.on && unix.Stat("/proc/"+strconv.Itoa(pid)+"/ns/"+ns.name, &st) == nil {
			list = append(list, namespace{ns.name, st.Ino})
		}
	}
	return list
}

// reportEnd tells who asked the exit code of a command that has been executed.
func (w *watch) reportEnd(st unix.WaitStatus) {
	fd := w.prog.Plan.Hooks.Status
	if fd == nil {
		return
	}
	code := st.ExitStatus()
	if st.Signaled() {
		code = 128 + int(st.Signal())
	}
	writeFD(*fd, fmt.Sprintf("{ \"exit-code\": %d }\n", code))
	unix.Close(*fd)
}

// closeInherited closes what this process has inherited and the command has by
// now, so that nobody waits for it here; status stays.
func (w *watch) closeInherited() {
	if !w.prog.Plan.KeepFDs {
		return
	}
	if few() {
		return
	}
	dir, err := unix.Open("/proc/self/fd", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return
	}
	var fds []int
	var buf [2048]byte
	for {
		n, err := unix.Getdents(dir, buf[:])
		if err != nil || n <= 0 {
			break
		}
		for b := buf[:n]; len(b) > 19; b = b[binary.NativeEndian.Uint16(b[16:]):] {
			fd := 0
			for _, c := range b[19:] {
				if c < '0' || c > '9' {
					break
				}
				fd = fd*10 + int(c-'0')
			}
			fds = append(fds, fd)
		}
	}
	unix.Close(dir)
	status := w.prog.Plan.Hooks.Status
	for _, fd := range fds {
		if fd < 3 || status != nil && fd == *status {
			continue
		}
		if flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err == nil && flags&unix.FD_CLOEXEC == 0 {
			unix.Close(fd)
		}
	}
}

// few reports whether no file descriptor above 2 is open but what closes at an
// exec, where that is quick to tell: since 6.2 the size of /proc/self/fd is their
// number.
func few() bool {
	var st unix.Stat_t
	if unix.Stat("/proc/self/fd", &st) != nil || st.Size == 0 {
		return false
	}
	n := int64(0)
	for fd := range 12 {
		flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
		if err != nil {
			continue
		}
		if n++; fd > 2 && flags&unix.FD_CLOEXEC == 0 {
			return false
		}
	}
	return n == st.Size
}

// readFD and writeFD are read and write that signals do not interrupt; the latter
// writes it all.
func readFD(fd int, b []byte) (int, error) {
	for {
		n, err := unix.Read(fd, b)
		if err != unix.EINTR {
			return n, err
		}
	}
}

func writeFD(fd int, s string) error {
	for s != "" {
		n, err := unix.Write(fd, []byte(s))
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return err
		}
		s = s[n:]
	}
	return nil
}
