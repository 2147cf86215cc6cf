//go:build linux

package enginetest

// Sandboxes on a terminal: keys, job control, window size.

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"sbx/engine/enginetest/box"
)

func TestTerminalInjection(t *testing.T) {
	each(t, func(t *testing.T, w who) {
		for _, script := range []string{"", "become_root()\n", "capabilities(\"all\")\n", "unshare(pid = True)\n", "suppress_chown()\nsuppress_sync()\n", "new_session()\n"} {
			tt := onTerminal(t, w, w.command(t, base()+script, "/probe", "probe:tiocsti"))
			for _, name := range []string{"TIOCSTI", "TIOCSTI with high bits", "TIOCLINUX", "TIOCLINUX with high bits"} {
				tt.expect(name + ": operation not permitted\r\n")
			}
			tt.expect("TCGETS: errno 0")
			tt.wait()
		}
	})
}

// signals counts what the screen tells of signals that arrive at the probe.
func TestKeys(t *testing.T) {
	eachMode(t, func(t *testing.T, w who, mode, script string) {
		for _, session := range []string{"", "new_session()\n"} {
			tt := onTerminal(t, w, w.command(t, script+session, "/probe", "probe:signals"))
			tt.expect("ready\r\n")
			for _, key := range []struct {
				text   string
				signal syscall.Signal
			}{{"\x03", syscall.SIGINT}, {"\x1c", syscall.SIGQUIT}} {
				tt.keys(key.text)
				tt.expect(fmt.Sprintf("signal %d\r\n", key.signal))
				// Whatever else the key has brought is there before this.
				box.Must(t, tt.cmd.Process.Signal(syscall.SIGUSR1))
				if extra := tt.expect("signal 10\r\n"); strings.Contains(extra, "signal") {
					t.Errorf("%s: key %q: more than one signal: %q", session, key.text, extra)
				}
			}
			box.Must(t, unix.IoctlSetWinsize(int(tt.master.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 50, Col: 132}))
			tt.expect("signal 28\r\n")
			tt.expect("size 50 132\r\n")
			box.Must(t, tt.cmd.Process.Signal(syscall.SIGUSR2))
			tt.expect("end\r\n")
			if r := tt.wait(); r.Code != 7 {
				t.Error(r)
			}
			if mode == "pid1" {
				continue // without a handler a pid 1 does not get it
			}
			// Without a handler the command dies, and sbx with it.
			tt = onTerminal(t, w, w.command(t, script+session, "sh", "-c", "echo ready; exec sleep 1000"))
			tt.expect("ready\r\n")
			if session != "" {
				tt.keys("\x1a") // does nothing: what is stopped would not end
			}
			tt.keys("\x03")
			if r := tt.wait(); r.Signal != syscall.SIGINT || r.Core {
				t.Error(session, r)
			}
		}
	})
}

func TestTerminalDevices(t *testing.T) {
	each(t, func(t *testing.T, w who) {
		const sh = `test -t 0 && stty size && test -c /dev/console && stty size </dev/console && stty size </dev/tty; tty; echo over`
		tt := onTerminal(t, w, w.command(t, base(), "sh", "-c", sh))
		tt.expect("24 80\r\n24 80\r\n24 80\r\n")
		tt.expect("over")
		tt.wait()
		tt = onTerminal(t, w, w.command(t, base()+"new_session()", "sh", "-c", `stty size; { stty size </dev/tty; } 2>/dev/null || echo none`))
		tt.expect("24 80\r\nnone\r\n")
		tt.wait()
		// A terminal can be opened inside.
		tt = onTerminal(t, w, w.command(t, base(), "/probe", "probe:pty"))
		tt.expect("pty ok\r\n")
		tt.wait()
	})
}

// A terminal from elsewhere has no name in /dev, or that of another terminal, as where
// nsenter(1) or chroot(1) leads into a container.
func TestTerminalFromElsewhere(t *testing.T) {
	asRoot(t, func(t *testing.T, w who) {
		for _, taken := range []string{"", "taken"} {
			cmd := w.command(t, base(), "sh", "-c", "stty size; test -e /dev/console || echo no console; echo over")
			cmd.Args = append([]string{probeBin, "probe:elsewhere", taken, cmd.Path}, cmd.Args...)
			cmd.Path = probeBin
			cmd.SysProcAttr = procAttr(cmd, func(a *syscall.SysProcAttr) { a.Unshareflags = unix.CLONE_NEWNS })
			onTerminal(t, w, cmd).expect("24 80\r\nno console\r\nover")
		}
	})
}

// shell starts an interactive shell outside the sandbox, with the script as $1.
func (w who) shell(t testing.TB, script string) *terminal {
	t.Helper()
	bash, err := exec.LookPath("bash")
	if err != nil {
		box.Skip(t, "bash is not installed")
	}
	file := w.Write(t, w.Dir(t)+"/test.sbx.star", script)
	cmd := w.Command(t, bash, "--norc", "--noprofile", "-i")
	cmd.Env = append(os.Environ(), "PS1=ready> ", "TERM=dumb", "HISTFILE=", "SBX="+sbxBin, "SCRIPT="+file)
	tt := onTerminal(t, w, cmd)
	tt.expect("ready> ")
	tt.keys("bind 'set enable-bracketed-paste off' 2>/dev/null; stty -echo\n")
	tt.expect("ready> ")
	return tt
}

func TestJobControl(t *testing.T) {
	eachMode(t, func(t *testing.T, w who, mode, script string) {
		if mode == "pid1" {
			script = strings.Replace(script, "init(False)", "init(True)", 1) // a pid 1 does not stop
		}
		tt := w.shell(t, script)
		// What reads is the command itself: another process might not have stopped
		// yet when the shell has the terminal back, and take what is typed then.
		tt.keys("$SBX exec $SCRIPT -- sh -c 'echo started; while read x; do echo \"<$x>\"; done; exit 5'\n")
		tt.expect("started\r\n")
		tt.keys("one\n")
		tt.expect("<one>\r\n")
		for range 3 {
			tt.keys("\x1a")
			tt.expect("Stopped")
			tt.expect("ready> ")
			tt.keys("jobs; echo $?\n")
			tt.expect("Stopped")
			tt.expect("0\r\nready> ")
			tt.handsOver("fg\n", "exec $SCRIPT")
			tt.keys("two\n")
			tt.expect("<two>\r\n")
		}
		tt.keys("\x04")
		tt.expect("ready> ")
		tt.keys("echo code=$?\n")
		tt.expect("code=5\r\nready> ")

		// In the background it is stopped as it reads; and ends by a signal.
		tt.keys("$SBX exec $SCRIPT -- cat &\n")
		tt.expect("ready> ")
		tt.keys("while ! jobs | grep -q Stopped; do :; done; jobs\n")
		tt.expect("Stopped")
		tt.expect("ready> ")
		tt.handsOver("fg\n", "exec $SCRIPT")
		tt.keys("three\n")
		tt.expect("three\r\n")
		tt.keys("\x03")
		tt.expect("ready> ")
		tt.keys("echo code=$?\n")
		tt.expect("code=130\r\nready> ")

		// bg lets it run on; kill takes the whole job.
		tt.keys("$SBX exec $SCRIPT -- sh -c 'echo started; exec sleep 1000'\n")
		tt.expect("started\r\n")
		tt.keys("\x1a")
		tt.expect("Stopped")
		tt.expect("ready> ")
		tt.keys("bg; jobs\n")
		tt.expect("Running")
		tt.expect("ready> ")
		tt.keys("kill %1; wait %1; echo code=$?\n")
		tt.expect("code=143\r\n")
	})
}

// A shell with job control of its own runs in the sandbox.
func TestShellInside(t *testing.T) {
	eachMode(t, func(t *testing.T, w who, mode, script string) {
		tt := w.shell(t, script)
		tt.keys("PS1='inside> ' $SBX exec $SCRIPT -- bash --norc --noprofile -i; echo code=$?\n")
		tt.expect("inside> ")
		tt.keys("sh -c 'echo u''p; exec sleep 1000'\n")
		tt.expect("up\r\n")
		tt.keys("\x1a")
		tt.expect("Stopped")
		tt.expect("inside> ")
		tt.handsOver("fg\n", "sleep 1000")
		tt.keys("\x03")
		tt.expect("inside> ")
		tt.keys("exit 9\n")
		tt.expect("code=9\r\n")
		tt.expect("ready> ")
		tt.keys("cat\n")
		tt.keys("mine\n")
		tt.expect("mine\r\n")
		tt.keys("\x04")
		tt.expect("ready> ")
	})
}

// After a shell with job control the terminal is its caller's again, even if
// that is no shell with job control.
func TestTerminalGivenBack(t *testing.T) {
	eachMode(t, func(t *testing.T, w who, mode, script string) {
		file := w.Write(t, w.Dir(t)+"/test.sbx.star", script)
		cmd := w.Command(t, "sh", "-c", `"$0" exec "$1" -- bash --norc --noprofile -i; read x; echo "got $x"`, sbxBin, file)
		cmd.Env = append(os.Environ(), "PS1=inside> ", "TERM=dumb", "HISTFILE=")
		tt := onTerminal(t, w, cmd)
		tt.expect("inside> ")
		tt.keys("exit\n")
		tt.expect("exit\r\n")
		tt.keys("line\n")
		tt.expect("got line\r\n")
		if r := tt.wait(); r.Code != 0 {
			t.Error(r)
		}
	})
}

// What nobody could wake does not stop: sbx leads its session, and there is no
// shell. So it is with the command alone.
func TestNobodyToWake(t *testing.T) {
	eachMode(t, func(t *testing.T, w who, mode, script string) {
		tt := onTerminal(t, w, w.command(t, script, "sh", "-c", "echo ready; cat; exit 6"))
		tt.expect("ready\r\n")
		tt.keys("\x1a")
		tt.keys("line\n")
		tt.expect("line\r\nline\r\n")
		tt.keys("\x04")
		if r := tt.wait(); r.Code != 6 {
			t.Error(r)
		}
	})
}

// A job that is stopped ends with the shell that could have woken it.
func TestStoppedJobOfDeadShell(t *testing.T) {
	eachMode(t, func(t *testing.T, w who, mode, script string) {
		if mode == "pid1" {
			return // it does not stop
		}
		tt := w.shell(t, script)
		tt.keys("$SBX exec $SCRIPT -- sh -c 'trap \"echo hung up; exit\" HUP; echo started; read x; sleep 1'\n")
		tt.expect("started\r\n")
		tt.keys("\x1a")
		tt.expect("Stopped")
		tt.expect("ready> ")
		tt.keys("kill -9 $$\n")
		tt.expect("hung up\r\n")
	})
}

// Who wakes or ends a stopped command by its own pid wakes sbx, too.
func TestWokenAlone(t *testing.T) {
	each(t, func(t *testing.T, w who) {
		tt := w.shell(t, base())
		tt.keys("$SBX exec $SCRIPT -- sh -c 'echo \"<$$>\"; exec sleep 1000'\n")
		tt.expect("<")
		pid := tt.expect(">")
		for range 3 {
			tt.keys("\x1a")
			tt.expect("Stopped")
			tt.expect("ready> ")
			tt.keys("kill -CONT " + pid + "; while ! jobs | grep -q Running; do :; done; echo run''s\n")
			tt.expect("runs\r\n")
			tt.expect("ready> ")
			tt.handsOver("fg\n", "exec $SCRIPT")
		}
		tt.keys("\x1a")
		tt.expect("Stopped")
		tt.expect("ready> ")
		tt.keys("kill -KILL " + pid + "; while ! jobs | grep Killed; do :; done\n")
		tt.expect("Killed")
	})
}
