//go:build linux

package enginetest

// One upper directory, one sandbox.

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"sbx/engine/enginetest/box"
)

// running is a sandbox whose command runs till its stdin ends.
type running struct {
	cmd   *exec.Cmd
	stdin io.WriteCloser
	out   *bufio.Reader
}

// start runs a command and waits for the line "ready" from it.
func start(t testing.TB, cmd *exec.Cmd) *running {
	t.Helper()
	r := begin(t, cmd)
	if line := r.line(t); line != "ready" {
		t.Fatalf("want ready, got %q", line)
	}
	return r
}

// begin runs a command.
func begin(t testing.TB, cmd *exec.Cmd) *running {
	t.Helper()
	stdin, err := cmd.StdinPipe()
	box.Must(t, err)
	stdout, err := cmd.StdoutPipe()
	box.Must(t, err)
	if cmd.Stderr == nil {
		cmd.Stderr = os.Stderr
	}
	box.Must(t, cmd.Start())
	return &running{cmd, stdin, bufio.NewReader(stdout)}
}

func (r *running) line(t testing.TB) string {
	t.Helper()
	line, err := r.out.ReadString('\n')
	if err != nil && err != io.EOF {
		t.Error(err)
	}
	return strings.TrimSuffix(line, "\n")
}

func (r *running) kill(t testing.TB, sig syscall.Signal) {
	t.Helper()
	box.Must(t, r.cmd.Process.Signal(sig))
}

// making returns the pids of the guard and of its child, the command to be, once
// both are there.
func (r *running) making(t testing.TB) (guard, command int) {
	t.Helper()
	pid := r.cmd.Process.Pid
	box.Eventually(t, "a child of the guard", func() bool {
		guards := children(pid)
		if len(guards) == 0 {
			return state(pid) == "Z"
		}
		guard = guards[0]
		if list := children(guard); len(list) > 0 {
			command = list[0]
		}
		return command != 0
	})
	if command == 0 {
		t.Fatal("sbx has ended: ", r.wait(t))
	}
	return guard, command
}

// wait returns how it ended.
func (r *running) wait(t testing.TB) box.Result {
	t.Helper()
	rest, err := io.ReadAll(r.out)
	box.Must(t, err)
	res := box.Ended(t, r.cmd, r.cmd.Wait())
	res.Out = string(rest)
	return res
}

// A work directory is locked as the upper is.
func TestWorkLock(t *testing.T) {
	each(t, func(t *testing.T, w who) {
		d := w.disk(t)
		low, a, b, work := w.Mkdir(t, d+"/low"), w.Mkdir(t, d+"/a"), w.Mkdir(t, d+"/b"), w.Mkdir(t, d+"/work")
		script := func(up string) string {
			return base() + fmt.Sprintf("overlay(\"/ov\", %q, upper = %q, work = %q)\n", low, up, work)
		}
		r := start(t, w.command(t, script(a), "sh", "-c", "echo ready; read x"))
		w.refused(t, script(b), "overlay: work \""+work+"\" is in use by another sandbox", "hint: ", ":1: error")
		r.stdin.Close()
		if res := r.wait(t); res.Code != 1 {
			t.Error(res)
		}
		if res := w.run(t, script(b), "true"); res.Code != 0 {
			t.Error(res)
		}
	})
}

func TestOverlayLock(t *testing.T) {
	eachMode(t, func(t *testing.T, w who, mode, script string) {
		d := w.disk(t)
		low, up := w.Mkdir(t, d+"/low"), w.Mkdir(t, d+"/up")
		script += fmt.Sprintf("overlay(\"/ov\", %q, upper = %q)\n", low, up)
		const stay = "echo ready; read x; echo done >/ov/f"
		busy := []string{"overlay: upper \"" + up + "\" is in use by another sandbox", "hint: ", ":1: error"}
		free := func(what string) {
			t.Helper()
			box.Eventually(t, "the lock to be free after "+what, func() bool { return w.sh(t, script, "echo x >/ov/x").Code == 0 })
		}

		r := start(t, w.command(t, script, "sh", "-c", stay))
		w.refused(t, script, busy...)
		r.stdin.Close()
		if res := r.wait(t); res.Code != 0 {
			t.Error(res)
		}
		if res := w.sh(t, script, "echo x >/ov/x"); res.Code != 0 {
			t.Error("after the end of the first:", res)
		}
		if _, err := os.Stat(up + ".work"); err == nil {
			t.Error("the work directory is still there")
		}

		// The lock outlives sbx where the sandbox does.
		r = start(t, w.command(t, script, "sh", "-c", stay))
		r.kill(t, syscall.SIGKILL)
		if mode == "direct" || mode == "alone" {
			r.cmd.Process.Wait()
			w.refused(t, script, busy...)
			r.stdin.Close()
			free("the end of the command")
			if mode == "alone" || w.Root() {
				return
			}
			// It outlives the command, too, where something of the sandbox does.
			late := "(until test -e /tmp/go; do sleep 0.01; done; mkdir /ov/late) >/dev/null 2>&1 & exit 5"
			d := w.Dir(t)
			if res := w.sh(t, script+fmt.Sprintf("bind(%q, \"/tmp\")\n", d), late); res.Code != 5 || res.Err != "" {
				t.Error(res)
			}
			w.refused(t, script, busy...)
			box.Must(t, os.WriteFile(d+"/go", nil, 0o644))
			free("the end of all")
			if _, err := os.Stat(up + "/late"); err != nil {
				t.Error(err)
			}
			box.Eventually(t, "the work directory to go", func() bool { _, err := os.Stat(up + ".work"); return err != nil })
			return
		}
		r.wait(t)
		free("kill -9 of sbx")
		box.Eventually(t, "the work directory to go", func() bool { _, err := os.Stat(up + ".work"); return err != nil })
	})
}
