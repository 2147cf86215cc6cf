//go:build linux

package enginetest

// The probes: what this test binary does when it is run inside a sandbox.

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

var probes = map[string]func(args []string) int{}

func probe(name string, args []string) int {
	f := probes[name]
	if f == nil {
		fmt.Fprintf(os.Stderr, "no probe %q\n", name)
		return 99
	}
	return f(args)
}

// fail prints an error of a probe.
func fail(err error) int {
	fmt.Fprintln(os.Stderr, "probe:", err)
	return 98
}

func init() {
	probes["loopback"] = func([]string) int {
		if err := loopback(); err != nil {
			return fail(err)
		}
		fmt.Println("connected")
		return 0
	}
}

// loopback makes a TCP connection to itself over 127.0.0.1.
func loopback() error {
	listener, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	if err := unix.Bind(listener, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		return err
	}
	if err := unix.Listen(listener, 1); err != nil {
		return err
	}
	addr, err := unix.Getsockname(listener)
	if err != nil {
		return err
	}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	return unix.Connect(fd, addr)
}
