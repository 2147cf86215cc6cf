//go:build linux

package enginetest

// The probes: what this test binary does when it is run inside a sandbox.

import (
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"unsafe"

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

func init() {
	probes["tiocsti"] = func([]string) int {
		for _, c := range []struct {
			name string
			nr   uint64
		}{
			{"TIOCSTI", unix.TIOCSTI}, {"TIOCSTI with high bits", 0xdead_0000_0000 | unix.TIOCSTI},
			{"TIOCLINUX", 0x541c}, {"TIOCLINUX with high bits", 1<<63 | 0x541c}, {"TCGETS", unix.TCGETS},
		} {
			var b [64]byte
			_, _, errno := unix.Syscall(unix.SYS_IOCTL, 0, uintptr(c.nr), uintptr(unsafe.Pointer(&b)))
			fmt.Printf("%s: %v\n", c.name, errno)
		}
		return 0
	}
	// daemon runs a command as daemons run: in a session of its own, with no
	// parent that would wait for it.
	probes["daemon"] = func(args []string) int {
		cmd := exec.Command("/proc/self/exe", append([]string{"probe:daemon2"}, args...)...)
		cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
		if err := cmd.Run(); err != nil {
			return fail(err)
		}
		return 0
	}
	probes["daemon2"] = func(args []string) int {
		cmd := exec.Command(args[0], args[1:]...)
		cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
		cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
		if err := cmd.Start(); err != nil {
			return fail(err)
		}
		return 0
	}
}

func init() {
	// signals tells of every signal, until SIGUSR2.
	probes["signals"] = func([]string) int {
		c := make(chan os.Signal, 100)
		signal.Notify(c)
		fmt.Println("ready")
		for s := range c {
			switch s {
			case syscall.SIGURG: // the Go runtime's own
				continue
			case syscall.SIGUSR2:
				fmt.Println("end")
				return 7
			}
			fmt.Printf("signal %d\n", s)
			if ws, err := unix.IoctlGetWinsize(0, unix.TIOCGWINSZ); err == nil && s == syscall.SIGWINCH {
				fmt.Printf("size %d %d\n", ws.Row, ws.Col)
			}
		}
		return 1
	}
	// elsewhere runs a program where its terminal has no name, or a taken one.
	probes["elsewhere"] = func(args []string) int {
		name, err := os.Readlink("/proc/self/fd/0")
		if err != nil {
			return fail(err)
		}
		if err := unix.Mount("devpts", "/dev/pts", "devpts", 0, "newinstance,ptmxmode=666"); err != nil {
			return fail(err)
		}
		for args[0] == "taken" {
			if _, err := os.Stat(name); err == nil {
				break
			}
			if _, err := unix.Open("/dev/pts/ptmx", unix.O_RDWR|unix.O_NOCTTY, 0); err != nil {
				return fail(err)
			}
		}
		return fail(syscall.Exec(args[1], args[2:], os.Environ()))
	}
	// pty opens a new terminal by its name in /dev/pts.
	probes["pty"] = func([]string) int {
		master, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
		if err != nil {
			return fail(err)
		}
		if err := unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0); err != nil {
			return fail(err)
		}
		n, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
		if err != nil {
			return fail(err)
		}
		if _, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0); err != nil {
			return fail(err)
		}
		fmt.Println("pty ok")
		return 0
	}
}
