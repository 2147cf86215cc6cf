//go:build linux

package enginetest

// Signals, and the end of sandboxes: nothing stays when sbx goes.

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"sbx/engine/enginetest/box"
)

// marked returns the processes that have the mark in their arguments or
// environment, but for those that are dead already.
func marked(mark string) (pids []int) {
	dirs, _ := filepath.Glob("/proc/[0-9]*")
	for _, d := range dirs {
		for _, file := range []string{"/cmdline", "/environ"} {
			if b, err := os.ReadFile(d + file); err == nil && bytes.Contains(b, []byte(mark)) {
				if pid, err := strconv.Atoi(d[len("/proc/"):]); err == nil && pid != os.Getpid() {
					pids = append(pids, pid)
				}
				break
			}
		}
	}
	return pids
}

// mark returns a text that no other process has.
func mark(t testing.TB) string {
	return fmt.Sprintf("SBX_TEST_MARK=%d.%d.%s", os.Getpid(), rand.Uint64(), strings.ReplaceAll(t.Name(), "/", "."))
}

// gone waits until no process has the mark.
func gone(t testing.TB, mark string) {
	t.Helper()
	box.Eventually(t, "all processes to go", func() bool { return len(marked(mark)) == 0 })
}

func state(pid int) string {
	b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if i := bytes.LastIndexByte(b, ')'); i >= 0 && i+2 < len(b) {
		return string(b[i+2 : i+3])
	}
	return ""
}

// children returns the children of a process, of all its threads.
func children(pid int) (list []int) {
	files, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	for _, f := range files {
		b, _ := os.ReadFile(f)
		for _, s := range strings.Fields(string(b)) {
			if n, err := strconv.Atoi(s); err == nil {
				list = append(list, n)
			}
		}
	}
	return list
}

// Signals sent to sbx reach the command, each once, and not its guard's children.
func TestSignals(t *testing.T) {
	eachMode(t, func(t *testing.T, w who, mode, script string) {
		for _, session := range []string{"", "new_session()\n"} {
			cmd := w.command(t, script+session, "/probe", "probe:signals")
			cmd.SysProcAttr = procAttr(cmd, func(a *syscall.SysProcAttr) { a.Setpgid = true })
			r := start(t, cmd)
			for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP, syscall.SIGQUIT, syscall.SIGUSR1, syscall.SIGALRM, syscall.SIGWINCH, syscall.SIGTSTP, syscall.SIGTTIN, syscall.SIGTTOU, syscall.SIGCONT, syscall.SIGVTALRM, 36, 40, 63} {
				r.kill(t, sig)
				want := "signal " + itoa(int(sig))
				if got := r.line(t); got != want {
					t.Errorf("want %q, got %q", want, got)
				}
			}
			// Real-time signals queue, so that one too many would show.
			r.kill(t, 50)
			r.kill(t, 51)
			r.kill(t, syscall.SIGUSR2)
			var rest []string
			for {
				line := r.line(t)
				if line == "end" || line == "" {
					break
				}
				rest = append(rest, line)
			}
			if got := strings.Join(rest, ","); strings.Count(got, "signal 50") > 1 || strings.Count(got, "signal 51") > 1 {
				t.Errorf("got %s", got)
			}
			if res := r.wait(t); res.Code != 7 {
				t.Error(res)
			}
		}
	})
}

// procAttr changes the attributes that cmd starts with.
func procAttr(cmd *exec.Cmd, f func(*syscall.SysProcAttr)) *syscall.SysProcAttr {
	a := cmd.SysProcAttr
	if a == nil {
		a = &syscall.SysProcAttr{}
	}
	f(a)
	return a
}

// A signal that kills the command kills sbx, in the same way.
func TestKilledBySignal(t *testing.T) {
	eachMode(t, func(t *testing.T, w who, mode, script string) {
		if mode == "pid1" || mode == "direct" && w.Root() {
			return // not killed by anything but SIGKILL; or the command itself
		}
		for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP, syscall.SIGUSR1, syscall.SIGQUIT, syscall.SIGALRM,
			syscall.SIGSEGV, syscall.SIGBUS, syscall.SIGILL, syscall.SIGFPE, syscall.SIGTRAP, syscall.SIGSYS} {
			m := mark(t)
			d := w.Dir(t)
			cmd := w.command(t, script, "sh", "-c", "ulimit -c unlimited; echo ready; exec sleep 1000", m)
			cmd.Dir = d
			r := start(t, cmd)
			r.kill(t, sig)
			if res := r.wait(t); res.Signal != sig || res.Core {
				t.Errorf("want signal %d, got %s", sig, res)
			}
			gone(t, m)
			if list, err := os.ReadDir(d); err != nil || len(list) > 0 {
				t.Errorf("left: %v, %v", list, err)
			}
		}
	})
}

// Stopped and continued by signals alone, without a terminal.
func TestStopAndContinue(t *testing.T) {
	eachMode(t, func(t *testing.T, w who, mode, script string) {
		if mode == "pid1" {
			return // does not stop
		}
		cmd := w.command(t, script, "sh", "-c", "echo ready; while read x; do echo $x; done; exit 6")
		cmd.SysProcAttr = procAttr(cmd, func(a *syscall.SysProcAttr) { a.Setpgid = true })
		r := start(t, cmd)
		for range 3 {
			// Again and again: a SIGCONT on its way through a thread of sbx undoes it.
			tries := 0
			box.Eventually(t, "sbx to stop", func() bool {
				if tries%1000 == 0 {
					r.kill(t, syscall.SIGTSTP)
				}
				tries++
				return state(r.cmd.Process.Pid) == "T"
			})
			fmt.Fprintln(r.stdin, "line")
			if state(r.cmd.Process.Pid) != "T" {
				t.Error("sbx runs again")
			}
			r.kill(t, syscall.SIGCONT)
			if got := r.line(t); got != "line" {
				t.Errorf("got %q", got)
			}
			// sbx alone is stopped and continued, too.
			r.kill(t, syscall.SIGSTOP)
			box.Eventually(t, "sbx to stop", func() bool { return state(r.cmd.Process.Pid) == "T" })
			r.kill(t, syscall.SIGCONT)
			fmt.Fprintln(r.stdin, "more")
			if got := r.line(t); got != "more" {
				t.Errorf("got %q", got)
			}
			// And all of the job at once, which is no reason to stop once more.
			box.Must(t, syscall.Kill(-r.cmd.Process.Pid, syscall.SIGSTOP))
			box.Eventually(t, "sbx to stop", func() bool { return state(r.cmd.Process.Pid) == "T" })
			time.Sleep(50 * time.Millisecond) // for the init to see that the command stopped
			box.Must(t, syscall.Kill(-r.cmd.Process.Pid, syscall.SIGCONT))
			fmt.Fprintln(r.stdin, "again")
			if got := r.line(t); got != "again" {
				t.Errorf("got %q", got)
			}
		}
		r.stdin.Close()
		box.Eventually(t, "sbx to end", func() bool { s := state(r.cmd.Process.Pid); return s == "Z" || s == "" })
		if res := r.wait(t); res.Code != 6 {
			t.Error(res)
		}
	})
}

// Stopped while the sandbox is made, as by a key on the terminal, the command must not
// be before it has started: nobody would see it, and the shell wait for sbx to stop.
func TestStopEarly(t *testing.T) {
	eachMode(t, func(t *testing.T, w who, mode, script string) {
		if mode == "pid1" || mode == "direct" && w.Root() {
			return // does not stop; or sbx is what becomes the command
		}
		script += "[bind(\"/usr/bin\", \"/many/%d\" % n) for n in range(5000)]\n"
		cmd := w.command(t, script, "sh", "-c", "read x; exit 6")
		cmd.SysProcAttr = procAttr(cmd, func(a *syscall.SysProcAttr) { a.Setpgid = true })
		r := begin(t, cmd)
		pid := cmd.Process.Pid
		box.Eventually(t, "a child of sbx", func() bool { return len(children(pid)) > 0 || state(pid) == "Z" })
		box.Must(t, syscall.Kill(-pid, syscall.SIGTSTP))
		box.Eventually(t, "sbx to stop", func() bool { return state(pid) == "T" })
		r.stdin.Close()
		tries := 0
		box.Eventually(t, "sbx to end", func() bool {
			if tries%100 == 0 { // that sbx had the signal, too, may come late
				syscall.Kill(-pid, syscall.SIGCONT)
			}
			tries++
			return state(pid) == "Z"
		})
		if res := r.wait(t); res.Code != 6 {
			t.Error(res)
		}
	})
}

// A SIGCONT that sbx passed on for an earlier stop, and that comes late, does not undo
// the next one.
func TestContinueLate(t *testing.T) {
	eachMode(t, func(t *testing.T, w who, mode, script string) {
		if mode == "pid1" || mode == "direct" {
			return // nobody between
		}
		r := start(t, w.command(t, script, "sh", "-c", "echo ready; while read x; do echo $x; done; exit 6"))
		chain := []int{r.cmd.Process.Pid}
		for next := children(chain[0]); len(next) == 1; next = children(next[0]) {
			chain = append(chain, next[0])
		}
		between, command := chain[1:len(chain)-1], chain[len(chain)-1]
		for range 3 {
			box.Must(t, syscall.Kill(command, syscall.SIGSTOP))
			box.Eventually(t, "sbx to stop", func() bool { return state(chain[0]) == "T" })
			for _, pid := range between {
				box.Must(t, syscall.Kill(pid, syscall.SIGCONT))
			}
			fmt.Fprintln(r.stdin, "line")
			time.Sleep(50 * time.Millisecond)
			if state(chain[0]) != "T" || state(command) != "T" {
				t.Error("sbx is", state(chain[0]), "and the command", state(command))
			}
			r.kill(t, syscall.SIGCONT)
			if got := r.line(t); got != "line" {
				t.Errorf("got %q", got)
			}
		}
		r.stdin.Close()
		if res := r.wait(t); res.Code != 6 {
			t.Error(res)
		}
	})
}

// A command that is stopped, woken by somebody else and ends at once does not leave
// sbx stopped.
func TestWokenToEnd(t *testing.T) {
	each(t, func(t *testing.T, w who) {
		for _, mode := range []string{"guard", "apart", "init", "alone"} {
			for range 10 {
				cmd := w.command(t, base()+modes[mode], "sh", "-c", "(sleep 0.03; kill -CONT $$) & kill -STOP $$; exit 5")
				r := begin(t, cmd)
				box.Eventually(t, mode+": the end of sbx", func() bool { return state(cmd.Process.Pid) == "Z" })
				if res := r.wait(t); res.Code != 5 {
					t.Error(mode, res)
				}
			}
		}
	})
}

// sbx goes on with a command that somebody else has woken, each time, and does not
// stay behind where what told of the command's stop has been killed.
func TestWokenInside(t *testing.T) {
	each(t, func(t *testing.T, w who) {
		for _, mode := range []string{"guard", "init", "alone"} {
			cmd := w.command(t, base()+modes[mode], "sh", "-c", "echo ready; while :; do sleep 0.01; done")
			r := start(t, cmd)
			pids := []int{cmd.Process.Pid}
			for len(pids) < 3 {
				if list := children(pids[len(pids)-1]); len(list) > 0 {
					pids = append(pids, list[0])
				}
			}
			sbx, between, command := pids[0], pids[1], pids[2]
			for range 5 {
				box.Must(t, syscall.Kill(command, syscall.SIGSTOP))
				box.Eventually(t, mode+": sbx to stop", func() bool { return state(sbx) == "T" })
				box.Must(t, syscall.Kill(command, syscall.SIGCONT))
				box.Eventually(t, mode+": sbx to go on", func() bool { return state(sbx) != "T" })
			}
			if s := state(command); s == "T" {
				t.Error(mode, "the command has stopped")
			}
			box.Must(t, syscall.Kill(command, syscall.SIGSTOP))
			box.Eventually(t, mode+": sbx to stop", func() bool { return state(sbx) == "T" })
			if mode == "guard" {
				between = command
			}
			box.Must(t, syscall.Kill(between, syscall.SIGKILL))
			if res := r.wait(t); res.Signal != syscall.SIGKILL {
				t.Error(mode, res)
			}
		}
	})
}

// Where there is nobody between, who was woken and stopped again before sbx could
// see it, as by fg and a key right after it, stays stopped.
func TestStoppedAgain(t *testing.T) {
	each(t, func(t *testing.T, w who) {
		r := start(t, w.command(t, base()+modes["direct"], "sh", "-c", "echo ready; while read x; do echo $x; done; exit 6"))
		sbx := r.cmd.Process.Pid
		if list := children(sbx); len(list) == 1 { // else sbx has become the command
			command := list[0]
			send := func(pid int, sigs ...syscall.Signal) {
				for _, sig := range sigs {
					box.Must(t, syscall.Kill(pid, sig))
				}
				box.Eventually(t, "both to stop", func() bool { return state(sbx) == "T" && state(command) == "T" })
			}
			send(command, syscall.SIGSTOP)
			send(command, syscall.SIGCONT, syscall.SIGSTOP)
			time.Sleep(10 * time.Millisecond)
			r.kill(t, syscall.SIGCONT)
			time.Sleep(50 * time.Millisecond)
			if state(command) != "T" {
				t.Error("it runs")
			}
			send(command)
			r.kill(t, syscall.SIGCONT)
		}
		fmt.Fprintln(r.stdin, "line")
		if got := r.line(t); got != "line" {
			t.Errorf("got %q", got)
		}
		r.stdin.Close()
		if res := r.wait(t); res.Code != 6 {
			t.Error(res)
		}
	})
}

const family = `/probe probe:daemon sleep 1000 & (setsid sh -c 'trap "" HUP TERM; sleep 1000; sleep 1000' &) & sleep 1000 & `

// kill -9 at any moment.
func TestKill9(t *testing.T) {
	eachMode(t, func(t *testing.T, w who, mode, script string) {
		if mode == "direct" || mode == "alone" {
			return
		}
		m := mark(t)
		d := w.Dir(t)
		tmp := w.Dir(t)
		up := w.disk(t)
		low := w.Mkdir(t, up+"/low")
		file := filepath.Join(d, "x.sbx.star")
		box.Must(t, os.WriteFile(file, []byte(script+fmt.Sprintf("overlay(\"/ov\", %q, upper = %q)\n", low, w.Mkdir(t, up+"/up"))), 0o644))
		w.Write(t, low+"/f", "")
		for i := range 40 {
			cmd := w.exec(t, file, "--", "sh", "-c", "rm -f /ov/f; touch /ov/f; rm /ov/f; "+family+"wait", m)
			cmd.Env = append(os.Environ(), m, "TMPDIR="+tmp)
			var errs bytes.Buffer
			cmd.Stderr = &errs
			box.Must(t, cmd.Start())
			time.Sleep(time.Duration(rand.IntN(10_000)) * time.Microsecond) // up to 10 ms: from before the clone to after the exec
			if i%8 == 7 {
				box.Eventually(t, "the family", func() bool { return len(marked(m)) > 5 })
			}
			cmd.Process.Kill()
			cmd.Wait()
			gone(t, m)
			if i%8 != 7 && errs.Len() > 0 && !strings.Contains(errs.String(), "in use by another sandbox") {
				t.Error(errs.String())
			}
		}
		if left := mounts(t, up); left != "" {
			t.Errorf("mounts are left:\n%s", left)
		}
		for dir, n := range map[string]int{d: 1, tmp: 0} {
			if list, err := os.ReadDir(dir); err != nil || len(list) != n {
				t.Errorf("%s: %v, %v", dir, list, err)
			}
		}
		box.Eventually(t, "the work directory to go", func() bool { _, err := os.Stat(up + "/up.work"); return err != nil })
	})
}

// kill -9 once the command has started, before the guard is awake again.
func TestKill9AtStart(t *testing.T) {
	each(t, func(t *testing.T, w who) {
		script := base() + "[bind(\"/usr/bin\", \"/many/%d\" % n) for n in range(5000)]\n"
		m := mark(t)
		cmd := w.command(t, script, "sh", "-c", family+"echo ready; wait", m)
		cmd.Env = append(os.Environ(), m)
		r := begin(t, cmd)
		guard, _ := r.making(t)
		box.Must(t, syscall.Kill(guard, syscall.SIGSTOP))
		if got := r.line(t); got != "ready" {
			t.Fatal(got)
		}
		r.kill(t, syscall.SIGKILL)
		box.Eventually(t, "the end of sbx", func() bool { return state(cmd.Process.Pid) == "Z" })
		syscall.Kill(guard, syscall.SIGCONT)
		gone(t, m)
		r.wait(t)
	})
}

// The command ends before the guard is awake again, and leaves a child or does not.
func TestEndAtStart(t *testing.T) {
	each(t, func(t *testing.T, w who) {
		for _, leave := range []string{"", "setsid sleep 1000 & "} {
			script := base() + "[bind(\"/usr/bin\", \"/many/%d\" % n) for n in range(5000)]\n"
			m := mark(t)
			cmd := w.command(t, script, "sh", "-c", leave+"echo ready; exit 7", m)
			cmd.Env = append(os.Environ(), m)
			r := begin(t, cmd)
			guard, command := r.making(t)
			box.Must(t, syscall.Kill(guard, syscall.SIGSTOP))
			if got := r.line(t); got != "ready" {
				t.Fatal(got)
			}
			box.Eventually(t, "the end of the command", func() bool { return state(command) == "Z" })
			box.Eventually(t, "sbx to stop as the guard did", func() bool { return state(cmd.Process.Pid) == "T" })
			box.Must(t, syscall.Kill(guard, syscall.SIGCONT))
			r.kill(t, syscall.SIGCONT)
			if res := r.wait(t); res.Code != 7 {
				t.Errorf("%q: %v", leave, res)
			}
			gone(t, m)
		}
	})
}

// kill -9 right before the command starts: then it does not. A guard that was to end
// with sbx may be on its way still, and would leave behind what the command starts.
func TestKill9BeforeStart(t *testing.T) {
	each(t, func(t *testing.T, w who) {
		up := w.disk(t) // with that to clean up the guard does not end at once
		script := base() + "[bind(\"/usr/bin\", \"/many/%d\" % n) for n in range(5000)]\n"
		script += fmt.Sprintf("overlay(\"/ov\", %q, upper = %q)\n", w.Mkdir(t, up+"/low"), w.Mkdir(t, up+"/up"))
		m := mark(t)
		cmd := w.command(t, script, "sh", "-c", "echo started; "+family+"wait", m)
		cmd.Env = append(os.Environ(), m)
		r := begin(t, cmd)
		guard, command := r.making(t)
		box.Must(t, syscall.Kill(command, syscall.SIGSTOP))
		box.Eventually(t, "the stop", func() bool { return state(command) == "T" })
		box.Must(t, syscall.Kill(guard, syscall.SIGSTOP)) // once the command has let go of it
		r.kill(t, syscall.SIGKILL)
		box.Eventually(t, "the end of sbx", func() bool { return state(cmd.Process.Pid) == "Z" })
		box.Must(t, syscall.Kill(command, syscall.SIGCONT))
		box.Eventually(t, "the command or its end", func() bool {
			st := state(command)
			return st == "" || st == "Z" || len(children(command)) > 0
		})
		syscall.Kill(guard, syscall.SIGCONT)
		if got := r.line(t); got != "" {
			t.Error("the command has started")
		}
		gone(t, m)
		r.wait(t)
		if _, err := os.Stat(up + "/up.work"); err == nil {
			t.Error("up.work is left")
		}
	})
}

// kill -9 once the command has ended, before sbx does anything about it.
func TestKill9AtEnd(t *testing.T) {
	eachMode(t, func(t *testing.T, w who, mode, script string) {
		d := w.disk(t)
		script += fmt.Sprintf("overlay(\"/ov\", %q, upper = %q)\n", w.Mkdir(t, d+"/low"), w.Mkdir(t, d+"/up"))
		m := mark(t)
		cmd := w.command(t, script, "sh", "-c", "echo ready; read x", m)
		cmd.Env = append(os.Environ(), m)
		r := start(t, cmd)
		between := children(cmd.Process.Pid)
		if len(between) != 1 {
			r.stdin.Close()
			r.wait(t)
			return // nobody who could clean up
		}
		r.kill(t, syscall.SIGSTOP)
		r.stdin.Close()
		box.Eventually(t, "the guard or init to end", func() bool { return state(between[0]) == "Z" })
		r.kill(t, syscall.SIGKILL)
		r.wait(t)
		gone(t, m)
		if list, err := os.ReadDir(d); err != nil || len(list) != 2 {
			t.Errorf("left beside upper: %v, %v", list, err)
		}
	})
}

// kill -9 of the process between sbx and the command.
func TestKill9Guard(t *testing.T) {
	eachMode(t, func(t *testing.T, w who, mode, script string) {
		if mode == "pid1" || mode == "direct" || mode == "alone" {
			return // nobody between
		}
		m := mark(t)
		for i := range 20 {
			cmd := w.command(t, script, "sh", "-c", family+"echo ready; wait", m)
			cmd.Env = append(os.Environ(), m)
			var guards []int
			if i%2 == 0 {
				r := start(t, cmd)
				guards = children(cmd.Process.Pid)
				if len(guards) != 1 {
					t.Fatal("children of sbx:", guards)
				}
				box.Must(t, syscall.Kill(guards[0], syscall.SIGKILL))
				if res := r.wait(t); res.Signal != syscall.SIGKILL {
					t.Error(res)
				}
			} else {
				box.Must(t, cmd.Start())
				box.Eventually(t, "the guard", func() bool { guards = children(cmd.Process.Pid); return len(guards) > 0 })
				time.Sleep(time.Duration(rand.IntN(3_000)) * time.Microsecond)
				syscall.Kill(guards[0], syscall.SIGKILL)
				if res := box.Ended(t, cmd, cmd.Wait()); res.Signal != syscall.SIGKILL {
					t.Error(res)
				}
			}
			gone(t, m)
		}
	})
}

// SIGQUIT ends sbx as it does other programs, also while it reads the script.
func TestQuitEarly(t *testing.T) {
	each(t, func(t *testing.T, w who) {
		cmd := w.exec(t, "-", "--", "true")
		var errs bytes.Buffer
		cmd.Stderr = &errs
		r := begin(t, cmd)
		box.Eventually(t, "SIGQUIT to be as it was", func() bool {
			b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", cmd.Process.Pid))
			_, caught, _ := strings.Cut(string(b), "SigCgt:\t")
			caught, _, _ = strings.Cut(caught, "\n")
			set, err := strconv.ParseUint(caught, 16, 64)
			return err == nil && set&(1<<(syscall.SIGTERM-1)) != 0 && set&(1<<(syscall.SIGQUIT-1)) == 0
		})
		r.kill(t, syscall.SIGQUIT)
		if res := r.wait(t); res.Signal != syscall.SIGQUIT || errs.Len() > 0 {
			t.Error(res, errs.String())
		}
	})
}

// A signal to all processes of the name sbx, as killall(1) sends it, is for sbx alone.
func TestKillall(t *testing.T) {
	eachMode(t, func(t *testing.T, w who, mode, script string) {
		if mode == "direct" || mode == "alone" {
			return // sbx is gone, or nobody looks after the command's children
		}
		m := mark(t)
		cmd := w.command(t, script, "sh", "-c", family+"echo ready; wait", m)
		cmd.Env = append(os.Environ(), m)
		r := start(t, cmd)
		var named []int
		box.Eventually(t, "the guard's name", func() bool {
			named = slices.DeleteFunc(marked(m), func(pid int) bool {
				b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
				return string(b) != "sbx\n"
			})
			return len(named) == 1
		})
		box.Must(t, syscall.Kill(named[0], syscall.SIGKILL))
		if res := r.wait(t); res.Signal != syscall.SIGKILL {
			t.Error(res)
		}
		gone(t, m)
	})
}

// What whoever became sbx had started is not the sandbox's, and not ended with it.
func TestChildrenBefore(t *testing.T) {
	eachMode(t, func(t *testing.T, w who, mode, script string) {
		if mode == "pid1" || mode == "direct" || mode == "alone" {
			return
		}
		inner, outer := mark(t), mark(t)
		sbx := w.command(t, script, "sh", "-c", family+"echo ready; wait", inner)
		cmd := w.Command(t, "sh", append([]string{"-c", `sleep 1000 & exec "$@"`, outer}, sbx.Args...)...)
		cmd.Env = append(os.Environ(), outer)
		r := start(t, cmd)
		var helper, guard int
		box.Eventually(t, "both children of sbx", func() bool {
			for _, pid := range children(cmd.Process.Pid) {
				if b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid)); strings.HasPrefix(string(b), "sleep\x00") {
					helper = pid
				} else if pid != helper {
					guard = pid
				}
			}
			return helper != 0 && guard != 0 && helper != guard
		})
		box.Must(t, syscall.Kill(guard, syscall.SIGKILL))
		cmd.Stdout = nil
		if res := box.Ended(t, cmd, cmd.Wait()); res.Signal != syscall.SIGKILL {
			t.Error(res)
		}
		gone(t, inner)
		if err := syscall.Kill(helper, syscall.SIGKILL); err != nil || r == nil {
			t.Errorf("what was there before: %v", err)
		}
		gone(t, outer)
	})
}

// A sandbox that is stopped dies with sbx all the same.
func TestKill9Stopped(t *testing.T) {
	eachMode(t, func(t *testing.T, w who, mode, script string) {
		if mode == "pid1" || mode == "direct" || mode == "alone" {
			return // nobody between
		}
		m := mark(t)
		cmd := w.command(t, script, "sh", "-c", family+"echo ready; while read x; do echo $x; done", m)
		cmd.Env = append(os.Environ(), m)
		cmd.SysProcAttr = procAttr(cmd, func(a *syscall.SysProcAttr) { a.Setpgid = true })
		r := start(t, cmd)
		r.kill(t, syscall.SIGTSTP)
		box.Eventually(t, "sbx to stop", func() bool { return state(r.cmd.Process.Pid) == "T" })
		r.kill(t, syscall.SIGKILL)
		r.wait(t)
		gone(t, m)
	})
}

func TestDieWithParentOff(t *testing.T) {
	eachMode(t, func(t *testing.T, w who, mode, script string) {
		if mode != "direct" && mode != "alone" || mode == "direct" && w.Root() {
			return // there sbx is the command itself
		}
		d := w.Dir(t)
		m := mark(t)
		cmd := w.command(t, script+fmt.Sprintf("bind(%q, \"/d\")\n", d), "sh", "-c", "echo ready; read x; echo $x >/d/late", m)
		r := start(t, cmd)
		r.kill(t, syscall.SIGKILL)
		cmd.Process.Wait()
		fmt.Fprintln(r.stdin, "alive")
		box.Eventually(t, "the command to go on", func() bool { b, _ := os.ReadFile(d + "/late"); return string(b) == "alive\n" })
		gone(t, m)
	})
}

func TestNewSession(t *testing.T) {
	eachMode(t, func(t *testing.T, w who, mode, script string) {
		const sh = "cut -d' ' -f 6 /proc/self/stat; echo $$"
		lines := func(r box.Result) (string, string) {
			a, b, _ := strings.Cut(strings.TrimSpace(r.Out), "\n")
			return a, b
		}
		if session, pid := lines(w.sh(t, script+"new_session()\n", sh)); session != pid {
			t.Errorf("session %s of process %s", session, pid)
		}
		// Also where sbx leads its process group, as what is typed in a shell does.
		cmd := w.command(t, script+"new_session()\n", "sh", "-c", sh)
		cmd.SysProcAttr = procAttr(cmd, func(a *syscall.SysProcAttr) { a.Setpgid = true })
		if session, pid := lines(box.Finish(t, cmd)); session != pid {
			t.Errorf("started by a shell: session %s of process %s", session, pid)
		}
		if session, pid := lines(w.sh(t, script, sh)); session == pid {
			t.Errorf("session %s of process %s", session, pid)
		}
	})
}

// A sandbox that takes long to make can be given up: the last operation, which
// fails, is never tried.
func TestSetUpInterrupted(t *testing.T) {
	each(t, func(t *testing.T, w who) {
		for _, script := range []string{"", "unshare(pid = True)\n"} {
			script := base() + script + `
[bind("/usr/bin", "/many/%d" % n) for n in range(20000)]
tmpfs("/small", size = 4096)
write("/small/file", "x" * 100000)
`
			for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP, syscall.SIGKILL} {
				m := mark(t)
				cmd := w.command(t, script, "true")
				cmd.Env = append(os.Environ(), m)
				box.Must(t, cmd.Start())
				pid := cmd.Process.Pid
				box.Eventually(t, "a child of sbx", func() bool { return len(children(pid)) > 0 || state(pid) == "Z" })
				box.Must(t, cmd.Process.Signal(sig))
				if r := box.Ended(t, cmd, cmd.Wait()); r.Signal != sig {
					t.Errorf("signal %d: %s", sig, r)
				}
				gone(t, m)
			}
		}
	})
}
