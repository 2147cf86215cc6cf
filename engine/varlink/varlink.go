//go:build linux

// Package varlink calls methods of varlink services (varlink.org) over a Unix
// socket, passing file descriptors both ways, and knows the two of systemd that
// give an unprivileged caller ranges of ids: systemd-nsresourced(8) and
// systemd-mountfsd(8).
package varlink

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

const (
	timeout  = 90 // of a call, in seconds: systemd-nsresourced gives up after less
	maxReply = 16 << 20
	maxFDs   = 16
)

// Error is an error that a service replied. Where it told an errno, that is what
// errors.Is finds.
type Error struct {
	Name  string // "io.systemd.NamespaceResource.TooManyNamespaces"
	Errno syscall.Errno
}

// Error returns the name, and what the errno means.
func (e *Error) Error() string {
	if e.Errno != 0 {
		return fmt.Sprintf("%s: %v", e.Name, e.Errno)
	}
	return e.Name
}

// Unwrap returns the errno.
func (e *Error) Unwrap() error {
	if e.Errno == 0 {
		return nil
	}
	return e.Errno
}

// Call calls a method of the service at a socket and stores the parameters of its
// reply in out, if that is not nil. The numbers of file descriptors in parameters
// are indices in fds, those in the reply indices in what Call returns, which is
// the caller's to close.
func Call(socket, method string, in, out any, fds ...int) (replied []int, err error) {
	request, err := json.Marshal(struct {
		Method     string `json:"method"`
		Parameters any    `json:"parameters,omitempty"`
	}{method, in})
	if err != nil {
		return nil, err
	}
	conn, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	defer unix.Close(conn)
	for _, option := range []int{unix.SO_RCVTIMEO, unix.SO_SNDTIMEO} {
		if err := unix.SetsockoptTimeval(conn, unix.SOL_SOCKET, option, &unix.Timeval{Sec: timeout}); err != nil {
			return nil, os.NewSyscallError("setsockopt", err)
		}
	}
	if err := again(func() error { return unix.Connect(conn, &unix.SockaddrUnix{Name: socket}) }); err != nil {
		return nil, &os.PathError{Op: "connecting to", Path: socket, Err: err}
	}
	if err := send(conn, append(request, 0), fds); err != nil {
		return nil, os.NewSyscallError("sendmsg", err)
	}
	body, replied, err := receive(conn)
	if err == nil {
		err = decode(body, out)
	}
	if err != nil {
		closeAll(replied)
		return nil, err
	}
	return replied, nil
}

// again repeats f as long as a signal interrupts it, as Go's own do to this
// process all the time.
func again(f func() error) error {
	for {
		if err := f(); err != unix.EINTR {
			return err
		}
	}
}

// send sends the message; the descriptors go with its first byte.
func send(conn int, msg []byte, fds []int) error {
	var oob []byte
	if len(fds) > 0 {
		oob = unix.UnixRights(fds...)
	}
	for len(msg) > 0 {
		n := 0
		err := again(func() (err error) {
			n, err = unix.SendmsgN(conn, msg, oob, nil, unix.MSG_NOSIGNAL)
			return err
		})
		if err != nil {
			return err
		}
		msg, oob = msg[n:], nil
	}
	return nil
}

// receive receives one message, without its final NUL, and the descriptors that
// came with it.
func receive(conn int) (msg []byte, fds []int, err error) {
	buf := make([]byte, 64<<10)
	oob := make([]byte, unix.CmsgSpace(4*maxFDs))
	for {
		var n, oobn, flags int
		err := again(func() (err error) {
			n, oobn, flags, _, err = unix.Recvmsg(conn, buf, oob, unix.MSG_CMSG_CLOEXEC)
			return err
		})
		if err == unix.EAGAIN {
			err = unix.ETIMEDOUT
		}
		if err != nil {
			return nil, fds, os.NewSyscallError("recvmsg", err)
		}
		fds = append(fds, rights(oob[:oobn])...)
		msg = append(msg, buf[:n]...)
		switch i := bytes.IndexByte(msg, 0); {
		case flags&unix.MSG_CTRUNC != 0:
			return nil, fds, errors.New("the reply has too many file descriptors")
		case i >= 0:
			return msg[:i], fds, nil
		case n == 0:
			return nil, fds, errors.New("the service hung up")
		case len(msg) > maxReply:
			return nil, fds, errors.New("the reply is too long")
		}
	}
}

func rights(oob []byte) []int {
	var fds []int
	list, _ := unix.ParseSocketControlMessage(oob)
	for i := range list {
		got, _ := unix.ParseUnixRights(&list[i])
		fds = append(fds, got...)
	}
	return fds
}

func closeAll(fds []int) {
	for _, fd := range fds {
		unix.Close(fd)
	}
}

// decode reads a reply.
func decode(body []byte, out any) error {
	var reply struct {
		Error      string          `json:"error"`
		Parameters json.RawMessage `json:"parameters"`
	}
	if err := json.Unmarshal(body, &reply); err != nil {
		return fmt.Errorf("the reply is not JSON: %w", err)
	}
	if reply.Error != "" {
		var p struct {
			Errno     int    `json:"errno"`
			ErrnoName string `json:"errnoName"`
		}
		json.Unmarshal(reply.Parameters, &p) // what is not there stays zero
		e := &Error{Name: reply.Error, Errno: syscall.Errno(max(p.Errno, 0))}
		for n := syscall.Errno(1); p.ErrnoName != "" && n < 134; n++ { // numbers differ by architecture, names do not
			if unix.ErrnoName(n) == p.ErrnoName {
				e.Errno = n
			}
		}
		return e
	}
	if out == nil || len(reply.Parameters) == 0 {
		return nil
	}
	if err := json.Unmarshal(reply.Parameters, out); err != nil {
		return fmt.Errorf("the reply makes no sense: %w", err)
	}
	return nil
}
