package box

import (
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

// Pty opens a new pseudo-terminal, pty(7).
func Pty(t testing.TB) (master, slave *os.File) {
	t.Helper()
	fd, err := unix.Open("/dev/ptmx", unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		Skip(t, "no pseudo-terminals: "+err.Error())
	}
	Must(t, unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0))
	// By TIOCGPTPEER the other side needs no name in /dev.
	peer, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.TIOCGPTPEER, unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC)
	if errno != 0 {
		t.Fatal("TIOCGPTPEER: ", errno)
	}
	return os.NewFile(uintptr(fd), "ptmx"), os.NewFile(peer, "pts")
}
