package probe

// This file starts this program a second time, in new namespaces, and talks to it.
//
// A Go process has several threads and so cannot enter a user namespace itself,
// user_namespaces(7); and what a probe does to its process should end with it.

import (
	"errors"
	"os"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// childArg is the first and only argument of a child.
const childArg = "sbx:probe-child"

// Messages start with what they are and have their fields separated by NUL.
const (
	requestTag = "sbx-probe-request"
	replyTag   = "sbx-probe-reply"
)

// patience is how long a child may take before it is killed.
const patience = 10 * time.Second

// ChildMain is to be called first in main of every program that runs probes, and
// in TestMain. In a process that a probe has started it does the probe's work and
// exits; in any other it returns at once.
func ChildMain() {
	if len(os.Args) == 2 && os.Args[1] == childArg {
		childMain()
	}
}

// childMain works only for a parent that left a request in a socket pair of its own
// making: the argument alone, typed by a user, proves nothing.
func childMain() {
	domain, _ := unix.GetsockoptInt(0, unix.SOL_SOCKET, unix.SO_DOMAIN)
	kind, _ := unix.GetsockoptInt(0, unix.SOL_SOCKET, unix.SO_TYPE)
	peer, err := unix.GetsockoptUcred(0, unix.SOL_SOCKET, unix.SO_PEERCRED)
	if err != nil || domain != unix.AF_UNIX || kind != unix.SOCK_SEQPACKET || int(peer.Pid) != os.Getppid() {
		return // in a new pid namespace both numbers are 0
	}
	buf := make([]byte, 256)
	n, _, err := unix.Recvfrom(0, buf, unix.MSG_DONTWAIT)
	if err != nil {
		return
	}
	action, ok := strings.CutPrefix(string(buf[:n]), requestTag+"\x00")
	if !ok {
		return
	}
	runtime.LockOSThread() // some actions are about the calling thread
	detail, err := act(action)
	var f fault
	if err != nil && !errors.As(err, &f) {
		f = at("", err)
	}
	msg := strings.Join([]string{replyTag, f.stage, strconv.Itoa(int(f.errno)), f.log, detail}, "\x00")
	if err := unix.Send(0, []byte(msg), 0); err != nil {
		os.Exit(1)
	}
	if action == actWait {
		// Until the parent closes its end or kills.
		for {
			if n, _, err := unix.Recvfrom(0, buf, 0); n == 0 || err != nil && err != unix.EINTR {
				break
			}
		}
	}
	os.Exit(0)
}

// A fault is a step of an action that failed.
type fault struct {
	stage string
	errno syscall.Errno
	log   string // the kernel's own words, fsopen(2)
}

func (f fault) Error() string { return why(f.stage, f.log, f.errno) }

// at says in which step err happened. An error that is no errno becomes EPROTO.
func at(stage string, err error) fault {
	var errno syscall.Errno
	if !errors.As(err, &errno) {
		return fault{stage, syscall.EPROTO, err.Error()}
	}
	return fault{stage, errno, ""}
}

// wrong is a step that the kernel took without doing it.
func wrong(stage, seen string) fault { return fault{stage, syscall.EPROTO, seen} }

// ids says what user and group ids a child has.
type ids uint8

const (
	callers  ids = iota // the caller's, in its user namespace
	unmapped            // none, in a new user namespace
	root                // 0, in a new user namespace
	many                // 0 to 65535, in a new user namespace
)

type child struct {
	pid  int
	sock int
}

// start starts a child. The caller is locked to its thread until the child is
// stopped: the child dies with the thread that made it.
func start(flags uintptr, who ids, action string) (*child, error) {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	defer unix.Close(pair[1])
	if err := unix.Send(pair[0], []byte(requestTag+"\x00"+action), 0); err != nil {
		unix.Close(pair[0])
		return nil, err
	}
	sys := &syscall.SysProcAttr{Cloneflags: flags, Pdeathsig: syscall.SIGKILL}
	if who != callers {
		sys.Cloneflags |= syscall.CLONE_NEWUSER
	}
	switch who {
	case root:
		sys.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Geteuid(), Size: 1}}
		sys.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getegid(), Size: 1}}
	case many:
		sys.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: 0, Size: 65536}}
		sys.GidMappings = sys.UidMappings
		sys.GidMappingsEnableSetgroups = true
	}
	end := uintptr(pair[1])
	runtime.LockOSThread()
	pid, err := syscall.ForkExec("/proc/self/exe", []string{"sbx", childArg},
		// Standard error too, so that a crash is heard of.
		&syscall.ProcAttr{Files: []uintptr{end, end, end}, Sys: sys})
	if err != nil {
		runtime.UnlockOSThread()
		unix.Close(pair[0])
		return nil, err
	}
	return &child{pid, pair[0]}, nil
}

// recv returns a child's answer.
func (c *child) recv() (detail string, err error) {
	if err := waitReadable(c.sock, patience); err != nil {
		return "", err
	}
	buf := make([]byte, 8192)
	n, _, err := unix.Recvfrom(c.sock, buf, unix.MSG_DONTWAIT)
	if err != nil {
		return "", err
	}
	text := string(buf[:n])
	f := strings.Split(text, "\x00")
	if len(f) != 5 || f[0] != replyTag {
		line, _, _ := strings.Cut(text, "\n")
		return "", errors.New("the probe's child ended early: " + strconv.Quote(line))
	}
	errno, _ := strconv.Atoi(f[2])
	if errno != 0 {
		return "", fault{f[1], syscall.Errno(errno), f[3]}
	}
	return f[4], nil
}

// stop ends a child, and with it all that is in namespaces of its own.
func (c *child) stop() {
	unix.Close(c.sock)
	reap(c.pid)
	runtime.UnlockOSThread()
}

// reap kills a process and takes its status.
func reap(pid int) {
	_ = unix.Kill(pid, unix.SIGKILL)
	for {
		if _, err := unix.Wait4(pid, nil, 0, nil); err != unix.EINTR {
			return
		}
	}
}

// ask has a child do an action. A syscall.Errno says that there was no child, a
// fault that a step failed.
func ask(flags uintptr, who ids, action string) (detail string, err error) {
	c, err := start(flags, who, action)
	if err != nil {
		return "", err
	}
	defer c.stop()
	return c.recv()
}

// waitReadable waits for input, or the other side's end, on fd.
func waitReadable(fd int, limit time.Duration) error {
	for end := time.Now().Add(limit); ; {
		left := time.Until(end)
		if left <= 0 {
			return errors.New("no answer in " + limit.String())
		}
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, int(left/time.Millisecond)+1)
		if err != nil && err != unix.EINTR {
			return err
		}
		if n > 0 {
			return nil
		}
	}
}
