package session

// Unix sockets, unix(7), without package net, which takes longer to initialise
// than a sandbox to make.

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// newFile takes a descriptor over for use by the runtime's poller.
func newFile(fd int, name string) *os.File {
	unix.SetNonblock(fd, true)
	return os.NewFile(uintptr(fd), name)
}

// address names a socket in a directory by the descriptor of that, since a whole
// path may be too long.
func address(dir int) *unix.SockaddrUnix {
	return &unix.SockaddrUnix{Name: "/proc/self/fd/" + strconv.Itoa(dir) + "/" + socketFile}
}

// listen makes the session's socket.
func (e *entry) listen() (*os.File, error) {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("socket: %w", err)
	}
	op := "bind"
	if err = unix.Bind(fd, address(e.lock)); err == nil {
		op, err = "listen", unix.Listen(fd, 16)
	}
	if err != nil {
		unix.Close(fd)
		return nil, &os.PathError{Op: op, Path: e.dir + "/" + socketFile, Err: err}
	}
	return newFile(fd, socketFile), nil
}

// accept waits for the next client.
func accept(l *os.File) (*os.File, error) {
	var fd int
	var failure error
	err := control(l, false, func(s int) bool {
		fd, _, failure = unix.Accept4(s, unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK)
		return failure != unix.EAGAIN
	})
	if err = errors.Join(err, failure); err != nil {
		return nil, err
	}
	return newFile(fd, "client"), nil
}

// control calls f with the descriptor, again and again as it becomes ready, until
// it returns true.
func control(file *os.File, write bool, f func(fd int) bool) error {
	c, err := file.SyscallConn()
	if err != nil {
		return err
	}
	wait := c.Read
	if write {
		wait = c.Write
	}
	return wait(func(fd uintptr) bool { return f(int(fd)) })
}

// withFD calls f with the descriptor, whatever else is being done with it.
func withFD(file *os.File, f func(fd int)) error {
	c, err := file.SyscallConn()
	if err != nil {
		return err
	}
	return c.Control(func(fd uintptr) { f(int(fd)) })
}

// rawFD returns the descriptor's number.
func rawFD(file *os.File) (n int) {
	n = -1
	withFD(file, func(fd int) { n = fd })
	return n
}

// connect connects to the session in a directory.
func connect(dir string) (*os.File, error) {
	at, err := unix.Open(dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC|unix.O_NOFOLLOW, 0)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: dir, Err: err}
	}
	defer unix.Close(at)
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("socket: %w", err)
	}
	if err := unix.Connect(fd, address(at)); err != nil {
		unix.Close(fd)
		return nil, &os.PathError{Op: "connect", Path: dir + "/" + socketFile, Err: err}
	}
	return newFile(fd, "session"), nil
}

// refusal says why a client is not served, or returns "". Served is this user
// alone, and that only outside of sandboxes: a user namespace that is not the
// server's is that of a sandbox, or of something like it.
func refusal(conn *os.File) string {
	var peer *unix.Ucred
	var failure error
	err := withFD(conn, func(fd int) { peer, failure = unix.GetsockoptUcred(fd, unix.SOL_SOCKET, unix.SO_PEERCRED) })
	if errors.Join(err, failure) != nil {
		return "who the client is cannot be told"
	}
	if int(peer.Uid) != os.Geteuid() {
		return fmt.Sprintf("the session belongs to user %d", os.Geteuid())
	}
	own, err1 := os.Readlink("/proc/self/ns/user")
	its, err2 := os.Readlink("/proc/" + strconv.Itoa(int(peer.Pid)) + "/ns/user")
	if err1 != nil || err2 != nil || own != its {
		return "the client is in another user namespace, as in a sandbox"
	}
	return ""
}

// message is what comes with file descriptors.
type message struct {
	data byte
	fds  []int
	pid  int // of the sender, where the socket was asked to tell
}

// receive reads a message of one byte, with descriptors. At the end it returns io.EOF.
func receive(file *os.File) (m message, err error) {
	var data [1]byte
	var n, oobn int
	var failure error
	oob := make([]byte, 1024)
	err = control(file, false, func(fd int) bool {
		n, oobn, _, _, failure = unix.Recvmsg(fd, data[:], oob, unix.MSG_CMSG_CLOEXEC)
		return failure != unix.EAGAIN
	})
	if err = errors.Join(err, failure); err != nil {
		return m, err
	}
	if n == 0 {
		return m, io.EOF
	}
	m.data = data[0]
	list, err := unix.ParseSocketControlMessage(oob[:oobn])
	if err != nil {
		return m, err
	}
	for i := range list {
		switch list[i].Header.Type {
		case unix.SCM_RIGHTS:
			fds, err := unix.ParseUnixRights(&list[i])
			if err != nil {
				return m, err
			}
			m.fds = append(m.fds, fds...)
		case unix.SCM_CREDENTIALS:
			if cred, err := unix.ParseUnixCredentials(&list[i]); err == nil {
				m.pid = int(cred.Pid)
			}
		}
	}
	return m, nil
}

// send writes one byte with descriptors.
func send(file *os.File, data byte, fds []int) error {
	var failure error
	err := control(file, true, func(fd int) bool {
		failure = unix.Sendmsg(fd, []byte{data}, unix.UnixRights(fds...), nil, unix.MSG_NOSIGNAL)
		return failure != unix.EAGAIN
	})
	return errors.Join(err, failure)
}

// pair makes a pair of sockets. The first is for this process.
func pair(kind int) (*os.File, int, error) {
	fds, err := syscall.Socketpair(unix.AF_UNIX, kind|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, -1, fmt.Errorf("socketpair: %w", err)
	}
	return newFile(fds[0], "socketpair"), fds[1], nil
}
