//go:build linux

package enginetest

// A pseudo-terminal, pty(7), and a program on it.

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sbx/engine/enginetest/box"
)

// terminal is the keyboard and the screen of a program.
type terminal struct {
	t      testing.TB
	master *os.File
	cmd    *exec.Cmd
	modes  unix.Termios // at the program's start

	mu     sync.Mutex
	screen strings.Builder
	seen   int // of the screen
	closed bool
}

// onTerminal starts cmd as the leader of a session on a terminal of its own.
func onTerminal(t testing.TB, w who, cmd *exec.Cmd) *terminal {
	t.Helper()
	master, slave := box.Pty(t)
	box.Must(t, unix.IoctlSetWinsize(int(master.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 24, Col: 80}))
	if os.Getuid() == 0 {
		box.Must(t, slave.Chown(w.UID, w.UID))
	}
	// Without NOFLSH a key that makes a signal throws away what is typed after it.
	modes, err := unix.IoctlGetTermios(int(slave.Fd()), unix.TCGETS)
	box.Must(t, err)
	modes.Lflag |= unix.NOFLSH
	box.Must(t, unix.IoctlSetTermios(int(slave.Fd()), unix.TCSETS, modes))
	cmd.Stdin, cmd.Stdout, cmd.Stderr = slave, slave, slave
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Setsid, cmd.SysProcAttr.Setctty = true, true
	box.Must(t, cmd.Start())
	box.Must(t, slave.Close())
	tt := &terminal{t: t, master: master, cmd: cmd, modes: *modes}
	go tt.read()
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Process.Wait()
		master.Close()
	})
	return tt
}

// hangUp has the terminal go away. The read that waits on it keeps it for one more
// line of output, which output has to bring.
func (tt *terminal) hangUp(output func()) {
	tt.t.Helper()
	null, err := unix.Open("/dev/null", unix.O_RDWR|unix.O_CLOEXEC, 0)
	box.Must(tt.t, err)
	box.Must(tt.t, unix.Dup3(null, int(tt.master.Fd()), unix.O_CLOEXEC))
	box.Must(tt.t, unix.Close(null))
	output()
}

func (tt *terminal) read() {
	var b [4096]byte
	for {
		n, err := tt.master.Read(b[:])
		tt.mu.Lock()
		tt.screen.Write(b[:n])
		tt.closed = err != nil
		tt.mu.Unlock()
		if err != nil {
			return
		}
	}
}

// keys types.
func (tt *terminal) keys(s string) {
	tt.t.Helper()
	if _, err := tt.master.WriteString(s); err != nil {
		tt.t.Fatal(err)
	}
}

// handsOver types what makes the shell pass its terminal on to a job, which text
// on the screen tells of first, and waits until it has: a key that is to make a
// signal would come to the shell before that.
func (tt *terminal) handsOver(keys, text string) {
	tt.t.Helper()
	group := func() int {
		group, err := unix.IoctlGetInt(int(tt.master.Fd()), unix.TIOCGPGRP)
		box.Must(tt.t, err)
		return group
	}
	shell := group()
	tt.keys(keys)
	tt.expect(text)
	box.Eventually(tt.t, "the shell to hand its terminal over", func() bool { return group() != shell })
}

// expect waits until the text is on the screen, after all that was expected
// before, and returns what came before it.
func (tt *terminal) expect(text string) string {
	tt.t.Helper()
	for end := time.Now().Add(box.Patience); time.Now().Before(end); time.Sleep(2 * time.Millisecond) {
		tt.mu.Lock()
		rest, closed := tt.screen.String()[tt.seen:], tt.closed
		if i := strings.Index(rest, text); i >= 0 {
			tt.seen += i + len(text)
			tt.mu.Unlock()
			return rest[:i]
		}
		tt.mu.Unlock()
		if closed {
			break
		}
	}
	tt.t.Fatalf("want %q on the screen, which has:\n%s", text, tt.text())
	return ""
}

func (tt *terminal) text() string {
	tt.mu.Lock()
	defer tt.mu.Unlock()
	return fmt.Sprintf("%q\nand after what was expected:\n%q", tt.screen.String()[:tt.seen], tt.screen.String()[tt.seen:])
}

// wait returns how the program ended.
func (tt *terminal) wait() box.Result {
	tt.t.Helper()
	return box.Ended(tt.t, tt.cmd, tt.cmd.Wait())
}
