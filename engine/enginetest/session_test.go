//go:build linux

package enginetest

// Sessions: terminals of their own, clients that come and go, and what is left.

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sbx/engine/enginetest/box"
	"sbx/engine/plan"
	"sbx/engine/session"
)

func init() {
	// flood prints until SIGHUP, even as a pid 1.
	probes["flood"] = func([]string) int {
		c := make(chan os.Signal, 1)
		signal.Notify(c, syscall.SIGHUP)
		for {
			select {
			case <-c:
				return 0
			default:
				fmt.Println("flood")
			}
		}
	}
	// session starts a session with the plan in a file: "attach", or "detach" and
	// print its name.
	probes["session"] = func(args []string) int {
		p, err := readPlan(args[1])
		if err != nil {
			return fail(err)
		}
		c, err := session.Start(session.Options{Plan: p, Project: args[2], Terminal: session.CallerTerminal(), Detached: args[0] == "detach"})
		var f *session.Failure
		var early *session.Interrupted
		switch {
		case errors.As(err, &early):
			return 160 + int(early.Signal)
		case errors.As(err, &f):
			fmt.Fprint(os.Stderr, f.Diags.Format(nil, nil))
			return f.Code
		case err != nil:
			return fail(err)
		case args[0] == "detach":
			fmt.Println(c.ID())
			return 0
		}
		key, _ := session.ParseKey("")
		o, err := c.Attach(key)
		switch {
		case err != nil:
			return fail(err)
		case o.HungUp:
			return 61
		case o.Detached:
			return 60
		case o.Status.Signaled():
			return 128 + int(o.Status.Signal())
		}
		return o.Status.ExitStatus()
	}
}

// desk is a user with a runtime directory of the test's own.
type desk struct {
	who
	t       *testing.T
	runtime string
	mark    string
}

func newDesk(t *testing.T, w who) *desk {
	d := &desk{who: w, t: t, runtime: w.Dir(t), mark: mark(t)}
	box.Must(t, os.Chmod(d.runtime, 0o700))
	t.Cleanup(func() {
		for _, pid := range marked(d.mark) {
			syscall.Kill(pid, syscall.SIGKILL)
		}
		gone(t, d.mark)
	})
	return d
}

// env prepares a command of the user's.
func (d *desk) env(cmd *exec.Cmd) *exec.Cmd {
	cmd.Dir = "/"
	name, value, _ := strings.Cut(d.mark, "=")
	cmd.Env = append(os.Environ(), "XDG_RUNTIME_DIR="+d.runtime, "TERM=dumb", "PS1=inside> ", "HISTFILE=", name+"="+value)
	d.Become(cmd)
	return cmd
}

// begin prepares the start of a session.
func (d *desk) begin(how, script string, argv ...string) *exec.Cmd {
	d.t.Helper()
	p := scriptPlan(d.t, d.who, script)
	for _, a := range argv {
		p.Command = append(p.Command, plan.Str(a))
	}
	return d.beginPlan(how, p)
}

func (d *desk) beginPlan(how string, p *plan.Plan) *exec.Cmd {
	d.t.Helper()
	return d.env(exec.Command(probeBin, "probe:session", how, d.planFile(d.t, p), "/home/ann/My Project"))
}

// detached starts a session without a terminal and returns its name.
func (d *desk) detached(script string, argv ...string) string {
	d.t.Helper()
	r := box.Finish(d.t, d.begin("detach", script, argv...))
	if r.Code != 0 {
		d.t.Fatal(r)
	}
	return strings.TrimSpace(r.Out)
}

func (d *desk) sbx(args ...string) *exec.Cmd { return d.env(exec.Command(sbxBin, args...)) }

// on runs a command of the user's on a new terminal.
func (d *desk) on(cmd *exec.Cmd) *terminal { return onTerminal(d.t, d.who, cmd) }

// listed is what "sbx ps --json" says.
type listed struct {
	ID, Project string
	Command     []string
	Memory      uint64 `json:"memory_bytes"`
	Kind        string `json:"memory_kind"`
	Processes   int
	Session     bool
	Attached    int
	Server      int `json:"server_pid"`
	Leader      int `json:"command_pid"`
}

func (d *desk) ps() []listed {
	d.t.Helper()
	r := box.Finish(d.t, d.sbx("ps", "--json"))
	var list []listed
	if err := json.Unmarshal([]byte(r.Out), &list); err != nil || r.Code != 0 || r.Err != "" {
		d.t.Fatal(err, r)
	}
	return list
}

// one returns the only session.
func (d *desk) one() listed {
	d.t.Helper()
	list := d.ps()
	if len(list) != 1 {
		d.t.Fatalf("want one session, got %+v", list)
	}
	return list[0]
}

func (d *desk) attached(n int) {
	d.t.Helper()
	box.Eventually(d.t, fmt.Sprintf("%d clients to be attached", n), func() bool { return d.one().Attached == n })
}

// empty waits until no session is left, nor any process or file of one.
func (d *desk) empty() {
	d.t.Helper()
	box.Eventually(d.t, "the record to be empty", func() bool {
		names, err := os.ReadDir(filepath.Join(d.runtime, "sbx"))
		return len(d.ps()) == 0 && err == nil && len(names) == 0
	})
	gone(d.t, d.mark)
}

func modesOf(t *testing.T, tt *terminal) unix.Termios {
	t.Helper()
	m, err := unix.IoctlGetTermios(int(tt.master.Fd()), unix.TCGETS)
	box.Must(t, err)
	return *m
}

// A session from its beginning to its end: the terminal, detach and attach, sizes,
// keys, exit code.
func TestSession(t *testing.T) {
	eachMode(t, func(t *testing.T, w who, mode, script string) {
		processes := 1
		if mode == "locked" {
			processes = 2 // with an init that is no pid 1
		}
		d := newDesk(t, w)
		tt := d.on(d.begin("attach", script, "sh", "-c", `tty; stty size; stty size </dev/console; ps -o tty= -p $$ 2>/dev/null || true; exec /probe probe:signals`))
		tt.expect("/dev/pts/0\r\n24 80\r\n24 80\r\n")
		tt.expect("ready\r\n")
		if modesOf(t, tt).Lflag&unix.ICANON != 0 {
			t.Error("the caller's terminal is not in raw mode")
		}
		tt.keys("\x03")
		tt.expect("signal 2\r\n")
		box.Must(t, unix.IoctlSetWinsize(int(tt.master.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 50, Col: 132}))
		tt.expect("size 50 132\r\n")
		s := d.one()
		if !strings.HasPrefix(s.ID, "my-project-") || s.Project != "/home/ann/My Project" || s.Command[0] != "sh" || s.Attached != 1 || !s.Session ||
			s.Memory < 100<<10 || s.Memory > 1<<30 || s.Kind == "" || s.Processes != processes {
			t.Errorf("%+v", s)
		}
		tt.keys("\x1c\x1c")
		if r := tt.wait(); r.Code != 60 {
			t.Fatal(r, tt.text())
		}
		if after := modesOf(t, tt); after != tt.modes {
			t.Errorf("modes of the terminal: %+v, before %+v", after, tt.modes)
		}
		d.attached(0)
		// Another terminal sees what there was, and has its own size.
		tt = d.on(d.sbx("attach", s.ID[:len(s.ID)-1]))
		tt.expect("size 50 132\r\n")
		tt.expect("size 24 80\r\n")
		d.attached(1)
		// The runtime directory goes and comes back, as with the last logout.
		box.Must(t, os.RemoveAll(filepath.Join(d.runtime, "sbx")))
		box.Eventually(t, "the session to come back", func() bool { return len(d.ps()) == 1 })
		// A third one mirrors it.
		third := d.on(d.sbx("attach", s.ID))
		third.expect("size 24 80\r\n")
		d.attached(2)
		tt.keys("\x03")
		tt.expect("signal 2\r\n")
		third.expect("signal 2\r\n")
		third.keys("\x1c")
		tt.expect("signal 3\r\n") // one press is for the command
		box.Must(t, syscall.Kill(s.Leader, syscall.SIGUSR2))
		for _, tt := range []*terminal{tt, third} {
			tt.expect("end\r\n")
			if r := tt.wait(); r.Code != 7 {
				t.Error(r, tt.text())
			}
		}
		d.empty()
	})
}

// A shell in a session has job control of its own.
func TestSessionShell(t *testing.T) {
	eachMode(t, func(t *testing.T, w who, mode, script string) {
		if _, err := exec.LookPath("bash"); err != nil {
			box.Skip(t, "bash is not installed")
		}
		d := newDesk(t, w)
		tt := d.on(d.begin("attach", script, "bash", "--norc", "--noprofile", "-i"))
		tt.expect("inside> ")
		tt.keys("sh -c 'trap \"echo wo''ken\" CONT; echo u''p; while :; do :; done'\n")
		tt.expect("up\r\n")
		tt.keys("\x1a")
		tt.expect("Stopped")
		tt.expect("inside> ")
		tt.keys("fg\n")
		tt.expect("woken\r\n") // and the terminal is handed over before
		tt.keys("\x03")
		tt.expect("inside> ")
		// What is stopped stays so, and the session is none the worse.
		tt.keys("sh -c 'kill -STOP $$; echo go''es on' &\n")
		tt.expect("inside> ")
		tt.keys("while ! jobs | grep -q Stopped; do :; done\n")
		tt.expect("inside> ")
		tt.keys("fg\n")
		tt.expect("goes on\r\n")
		tt.keys("kill -KILL $$\n")
		code := 128 + 9
		if mode == "pid1" {
			tt.keys("exit 137\n") // it cannot
		}
		if r := tt.wait(); r.Code != code {
			t.Error(r, tt.text())
		}
		d.empty()
	})
}

// The client dies, and its terminal goes away: the session lives on. The server
// dies: the sandbox ends.
func TestSessionDeaths(t *testing.T) {
	eachMode(t, func(t *testing.T, w who, mode, script string) {
		d := newDesk(t, w)
		tt := d.on(d.begin("attach", script, "/probe", "probe:signals"))
		tt.expect("ready\r\n")
		box.Must(t, tt.cmd.Process.Kill())
		tt.wait()
		d.attached(0)
		id := d.one().ID

		tt = d.on(d.sbx("attach", id))
		tt.expect("ready\r\n")
		d.attached(1)
		tt.hangUp(func() { box.Must(t, syscall.Kill(d.one().Leader, syscall.SIGUSR1)) })
		if r := tt.wait(); r.Signal != syscall.SIGHUP {
			t.Error(r)
		}
		d.attached(0)

		tt = d.on(d.sbx("attach", id))
		tt.expect("ready\r\n")
		// A stop from outside leaves the terminal as it was found.
		before := modesOf(t, tt)
		box.Must(t, tt.cmd.Process.Signal(syscall.SIGTSTP))
		box.Eventually(t, "the client to stop", func() bool { return state(tt.cmd.Process.Pid) == "T" })
		if m := modesOf(t, tt); m.Lflag&unix.ICANON == 0 {
			t.Error("raw mode stays while it is stopped")
		}
		box.Must(t, tt.cmd.Process.Signal(syscall.SIGCONT))
		tt.expect("ready\r\n") // what there is, once more
		if m := modesOf(t, tt); m != before {
			t.Errorf("modes %+v, before %+v", m, before)
		}
		// After one that cannot be caught it is taken back all the same.
		box.Must(t, tt.cmd.Process.Signal(syscall.SIGSTOP))
		box.Eventually(t, "the client to stop", func() bool { return state(tt.cmd.Process.Pid) == "T" })
		box.Must(t, unix.IoctlSetTermios(int(tt.master.Fd()), unix.TCSETS, &tt.modes))
		box.Must(t, unix.IoctlSetWinsize(int(tt.master.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 31, Col: 91}))
		box.Must(t, tt.cmd.Process.Signal(syscall.SIGCONT))
		tt.expect("size 31 91\r\n")
		if m := modesOf(t, tt); m != before {
			t.Errorf("modes %+v, before %+v", m, before)
		}
		// So it is where two stops come so close that one SIGCONT stands for both.
		for range 5 {
			box.Must(t, tt.cmd.Process.Signal(syscall.SIGTSTP))
			box.Eventually(t, "the client to stop", func() bool { return state(tt.cmd.Process.Pid) == "T" })
			box.Must(t, tt.cmd.Process.Signal(syscall.SIGCONT))
			box.Must(t, tt.cmd.Process.Signal(syscall.SIGSTOP))
			box.Eventually(t, "the client to stop", func() bool { return state(tt.cmd.Process.Pid) == "T" })
			box.Must(t, unix.IoctlSetTermios(int(tt.master.Fd()), unix.TCSETS, &tt.modes))
			box.Must(t, tt.cmd.Process.Signal(syscall.SIGCONT))
			box.Eventually(t, "raw mode", func() bool { return modesOf(t, tt) == before })
		}
		box.Must(t, tt.cmd.Process.Signal(syscall.SIGTERM))
		tt.expect("signal 15\r\n")

		box.Must(t, syscall.Kill(d.one().Server, syscall.SIGKILL))
		tt.expect("has died")
		if r := tt.wait(); r.Code != 125 {
			t.Error(r)
		}
		if mode == "direct" || mode == "alone" {
			for _, pid := range marked(d.mark) {
				syscall.Kill(pid, syscall.SIGKILL) // it was asked for
			}
		}
		d.empty()
	})
}

// A signal while the session is made ends it: nobody would know of it.
func TestSessionInterrupted(t *testing.T) {
	eachMode(t, func(t *testing.T, w who, mode, script string) {
		if mode == "direct" {
			return // its command is what dies of the signal, once it is there
		}
		d := newDesk(t, w)
		// once sends a signal as soon as there is a sandbox, and reports whether it came
		// before that was made.
		once := func(how, script string, sig syscall.Signal) bool {
			t.Helper()
			cmd := d.begin(how, script, "true")
			cmd.Stderr = os.Stderr
			box.Must(t, cmd.Start())
			box.Eventually(t, "the sandbox in the making", func() bool {
				server := children(cmd.Process.Pid)
				return len(server) > 0 && len(children(server[0])) > 0 || state(cmd.Process.Pid) == "Z"
			})
			box.Must(t, cmd.Process.Signal(sig))
			r := box.Ended(t, cmd, cmd.Wait())
			late := r.Code == 0 || how == "attach" && r.Code == 128+int(sig)
			if late && how == "detach" {
				box.Finish(t, d.sbx("kill", d.one().ID))
			}
			if !late && r.Code != 160+int(sig) {
				t.Errorf("%s, signal %d: %s", how, sig, r)
			}
			d.empty()
			return !late
		}
		for range 10 {
			once("attach", script, syscall.SIGTERM)
		}
		script += "[bind(\"/usr/bin\", \"/many/%d\" % n) for n in range(10000)]\n"
		interrupt := func(how string, sig syscall.Signal) {
			t.Helper()
			for range 20 {
				if once(how, script, sig) {
					return
				}
			}
			t.Errorf("%s, signal %d: it always came late", how, sig)
		}
		interrupt("attach", syscall.SIGTERM)
		interrupt("detach", syscall.SIGTERM)
		if mode == "guard" {
			for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGQUIT} {
				interrupt("attach", sig)
			}
		}
	})
}

// SIGQUIT to "sbx run", which it ends before there is a session, is the command's.
func TestSessionQuit(t *testing.T) {
	each(t, func(t *testing.T, w who) {
		d := newDesk(t, w)
		cmd := d.sbx("run", "--pty", "--no-reconnect", "--project-path", w.Dir(t), "--", "sh", "-c", `trap 'exit 8' QUIT; echo ready; while :; do sleep 0.01; done`)
		cmd.Env = append(cmd.Env, "HOME="+w.Dir(t))
		r := begin(t, cmd)
		if line := r.line(t); line != "ready\r" {
			t.Fatalf("want ready, got %q", line)
		}
		r.kill(t, syscall.SIGQUIT)
		if res := r.wait(t); res.Code != 8 {
			t.Error(res)
		}
		d.empty()
	})
}

// The command waits for its terminal's keeper without holding the line itself, and
// without keeping that from its work: it has one processor, and much to collect.
func TestSessionHandover(t *testing.T) {
	eachMode(t, func(t *testing.T, w who, mode, script string) {
		d := newDesk(t, w)
		cmd := d.begin("attach", script, "sh", "-c", "exit 7")
		cmd.Env = append(cmd.Env, "GOMAXPROCS=1", "GOGC=1")
		if r := box.Finish(t, cmd); r.Code != 7 {
			t.Error(r)
		}
		// The server dies before it has answered.
		script += "[bind(\"/usr/bin\", \"/many/%d\" % n) for n in range(10000)]\n"
		cmd = d.begin("attach", script, "true")
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		box.Must(t, cmd.Start())
		var server []int
		box.Eventually(t, "the sandbox in the making", func() bool {
			server = children(cmd.Process.Pid)
			return len(server) > 0 && len(children(server[0])) > 0 || state(cmd.Process.Pid) == "Z"
		})
		box.Must(t, syscall.Kill(server[0], syscall.SIGKILL))
		box.Eventually(t, "the client to end", func() bool { return state(cmd.Process.Pid) == "Z" })
		if r := box.Ended(t, cmd, cmd.Wait()); !strings.Contains(stderr.String(), "has died") {
			t.Error(r, &stderr)
		}
		d.empty()
	})
}

func TestSessionFailures(t *testing.T) {
	eachMode(t, func(t *testing.T, w who, mode, script string) {
		d := newDesk(t, w)
		wantError(t, box.Finish(t, d.begin("attach", script, "nowhere")), 127, `command "nowhere" not found in the sandbox`)
		wantError(t, box.Finish(t, d.begin("attach", script, "/tmp")), 126, `"/tmp"`)
		p := scriptPlan(t, w, script)
		p.Ops = append(p.Ops, plan.Op{Kind: plan.Bind, Src: "/nowhere", Dst: "/x"})
		p.Dir = "/gone"
		wantError(t, box.Finish(t, d.beginPlan("attach", p)), 125, `source "/nowhere" does not exist`)
		p.Ops = p.Ops[:len(p.Ops)-1]
		wantError(t, box.Finish(t, d.beginPlan("attach", p)), 125, `directory "/gone" does not exist in the sandbox`)
		p.PassFDs, p.CloseFDs = []int{4}, []int{5}
		wantError(t, box.Finish(t, d.beginPlan("detach", p)), 125, "pass_fd: a session inherits no file descriptors", "close_fd: ")
		d.empty()
		for _, args := range [][]string{{"attach", "nobody"}, {"enter", "nobody", "--", "true"}, {"kill", "nobody"}} {
			wantError(t, box.Finish(t, d.sbx(args...)), 125, `no such sandbox: "nobody"`, "sbx ps lists those that run")
		}
	})
}

// A session that fails for want of file descriptors takes none to go off the record.
func TestSessionFewFiles(t *testing.T) {
	each(t, func(t *testing.T, w who) {
		d := newDesk(t, w)
		failed := 0
		for n := 5; n < 18; n++ {
			cmd := d.sbx("run", "--pty", "--project-path", w.Dir(t), "--", "true")
			cmd.Args = append([]string{"sh", "-c", fmt.Sprintf(`ulimit -S -n %d && exec "$@"`, n), "sh", cmd.Path}, cmd.Args[1:]...)
			cmd.Path = "/bin/sh"
			cmd.Env = append(cmd.Env, "HOME="+w.Dir(t))
			if r := box.Finish(t, cmd); r.Code == 125 && strings.Contains(r.Err, "too many open files") {
				failed++
			} else if r.Code != 0 {
				t.Errorf("ulimit -S -n %d: %s", n, r)
			}
			gone(t, d.mark)
			if names, err := os.ReadDir(d.runtime + "/sbx"); err != nil || len(names) != 0 { // sbx ps would clear it
				t.Fatalf("ulimit -S -n %d: left: %v, %v", n, names, err)
			}
		}
		if failed == 0 {
			t.Error("none of the limits was too low")
		}
	})
}

// Without a terminal: what goes in and comes out is whole, and the end of the
// input is one.
func TestSessionPipes(t *testing.T) {
	eachMode(t, func(t *testing.T, w who, mode, script string) {
		d := newDesk(t, w)
		cmd := d.begin("attach", script, "sh", "-c", "stty -echo; echo ready; cat; exit 3")
		cmd.Stdin = strings.NewReader("one\ntwo")
		r := box.Finish(t, cmd)
		if r.Code != 3 || !strings.HasSuffix(r.Out, "two") || !strings.Contains(r.Out, "one\r\n") {
			t.Error(r)
		}
		// More than any buffer on the way takes, read slowly.
		cmd = d.begin("attach", script, "sh", "-c", "stty -onlcr; seq 1 200000")
		cmd.Stdin = strings.NewReader("")
		out, err := cmd.StdoutPipe()
		box.Must(t, err)
		box.Must(t, cmd.Start())
		var all strings.Builder
		b := make([]byte, 100<<10)
		for {
			n, err := out.Read(b)
			all.Write(b[:n])
			if err != nil {
				break
			}
			time.Sleep(time.Millisecond)
		}
		if r := box.Ended(t, cmd, cmd.Wait()); r.Code != 0 {
			t.Error(r)
		}
		if s := all.String(); len(s) < 1_000_000 || !strings.HasSuffix(s, "\n199999\n200000\n") || strings.Count(s, "\n") != 200000 {
			t.Errorf("%d bytes, ending in %q", len(s), s[max(0, len(s)-20):])
		}
		d.empty()
		// What a guest reads has an end, the session's input has none by that.
		id := d.detached(script, "sh", "-c", "stty -echo; echo ready; cat; exit 4")
		shown := func(words string) *exec.Cmd {
			cmd := d.sbx("attach", id)
			cmd.Stdin = strings.NewReader(words + "\n")
			out, err := cmd.StdoutPipe()
			box.Must(t, err)
			box.Must(t, cmd.Start())
			for seen := ""; !strings.Contains(seen, words+"\r\n"); {
				n, err := out.Read(b)
				seen += string(b[:n])
				if err != nil {
					t.Errorf("%q: %v", seen, err)
					break
				}
			}
			return cmd
		}
		guests := []*exec.Cmd{shown("three"), shown("four")}
		if r := box.Finish(t, d.sbx("kill", "--grace", "0.05", id)); r.Code != 0 {
			t.Error(r)
		}
		for _, g := range guests {
			if r := box.Ended(t, g, g.Wait()); r.Code == 4 {
				t.Error(r)
			}
		}
		d.empty()
		// When nobody reads any more, it is as if the terminal were gone.
		cmd = d.begin("attach", script, "/probe", "probe:flood")
		out, err = cmd.StdoutPipe()
		box.Must(t, err)
		box.Must(t, cmd.Start())
		if _, err := io.ReadFull(out, b[:1000]); err != nil {
			t.Error(err)
		}
		out.Close()
		if r := box.Ended(t, cmd, cmd.Wait()); r.Code != 98 {
			t.Error(r)
		}
		d.empty()
	})
}

func TestSessionKill(t *testing.T) {
	eachMode(t, func(t *testing.T, w who, mode, script string) {
		d := newDesk(t, w)
		id := d.detached(script, "/probe", "probe:signals")
		tt := d.on(d.sbx("attach", id))
		tt.expect("ready\r\n")
		if r := box.Finish(t, d.sbx("kill", "--signal", "usr1", id)); r.Code != 0 || r.Err != "" {
			t.Error(r)
		}
		tt.expect("signal 10\r\n")
		// It obeys nothing but SIGKILL.
		if r := box.Finish(t, d.sbx("kill", "--grace", "0.05", id)); r.Code != 0 || r.Err != "" {
			t.Error(r)
		}
		if mode != "direct" && mode != "alone" {
			gone(t, d.mark)
		}
		tt.expect("signal 15\r\n")
		if r := tt.wait(); r.Signal != syscall.SIGKILL {
			t.Error(r)
		}
		d.empty()
		// Even where the server does not answer.
		id = d.detached(script, "sleep", "1000")
		server := d.one().Server
		box.Must(t, syscall.Kill(server, syscall.SIGSTOP))
		if mode == "guard" || mode == "init" {
			if r := box.Finish(t, d.sbx("kill", "--grace", "0.05", id)); r.Code != 0 || r.Err != "" {
				t.Error(r)
			}
		} else {
			box.Must(t, syscall.Kill(server, syscall.SIGKILL))
			for _, pid := range marked(d.mark) {
				syscall.Kill(pid, syscall.SIGKILL)
			}
		}
		d.empty()
	})
}

// Whoever is about to enter, on a terminal, ends by a signal, and with the process that
// stands between, and leaves nothing behind but what the sandbox looks after.
func TestEnterInterrupted(t *testing.T) {
	eachMode(t, func(t *testing.T, w who, mode, script string) {
		if mode == "apart" {
			return // has its ids
		}
		d := newDesk(t, w)
		id := d.detached(script, "sleep", "1000")
		entering := func() (list []int) {
			for _, pid := range marked(d.mark) {
				if b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid)); bytes.Contains(b, []byte("\x00enter\x00")) {
					list = append(list, pid)
				}
			}
			return list
		}
		for _, sig := range []syscall.Signal{syscall.SIGKILL, syscall.SIGTERM, 0} {
			for i := range 12 {
				et := d.on(d.sbx("enter", id, "--", "sleep", "305"))
				pid := et.cmd.Process.Pid
				var between []int
				box.Eventually(t, "who joins", func() bool { between = children(pid); return len(between) > 0 })
				time.Sleep(time.Duration(i) * 300 * time.Microsecond)
				if sig == 0 {
					syscall.Kill(between[0], syscall.SIGKILL)
				} else {
					box.Must(t, et.cmd.Process.Signal(sig))
				}
				box.Eventually(t, "the end of enter", func() bool { return state(pid) == "Z" })
				if r := et.wait(); r.Code != 125 && r.Signal != sig && r.Signal != syscall.SIGKILL {
					t.Error(sig, r)
				}
				box.Eventually(t, "all who were to enter to go", func() bool { return len(entering()) == 0 })
			}
		}
		if r := box.Finish(t, d.sbx("kill", "--grace", "0", id)); r.Code != 0 {
			t.Error(r)
		}
	})
}

// Whoever enters while the sandbox ends is told so, whatever it was that failed for it.
func TestEnterEnding(t *testing.T) {
	eachMode(t, func(t *testing.T, w who, mode, script string) {
		if mode == "apart" {
			return // has its ids
		}
		d := newDesk(t, w)
		for i := range 16 {
			id := d.detached(script, "sleep", "1000")
			leader := d.one().Leader
			time.AfterFunc(time.Duration(i)*500*time.Microsecond, func() { syscall.Kill(leader, syscall.SIGKILL) })
			if r := box.Finish(t, d.sbx("enter", id, "--", "true")); r.Code != 0 && r.Signal != syscall.SIGKILL {
				wantError(t, r, 125, "has ended")
			}
			box.Finish(t, d.sbx("attach", id))
			d.empty()
		}
	})
}

// Who enters is confined as the command is.
func TestEnter(t *testing.T) {
	const look = `{ cat /proc/self/status | grep -E '^(Uid|Gid|Groups|Cap|NoNewPrivs|Seccomp)'; for n in cgroup ipc mnt net pid time user uts; do readlink /proc/self/ns/$n; done; ` +
		`pwd; umask; ulimit -n; ulimit -c; env | grep -vE '^(_|SHLVL)=' | sort; ls -l /proc/self/fd | grep -c -v total; hostname; }`
	eachMode(t, func(t *testing.T, w who, mode, script string) {
		if mode == "apart" {
			return // has its ids
		}
		all := "become_root()\nunshare(net = True, ipc = True, cgroup = True, time = True)\nhostname(\"inside\")\n"
		scripts := []string{all}
		if mode == "guard" || mode == "init" {
			scripts = append(scripts, "", "no_new_privs(False)\ncapabilities(\"all\")\n", "capabilities(keep = [\"CAP_CHOWN\"])\nsuppress_sync()\n"+
				"rlimit(\"nofile\", 77)\nrlimit(\"core\", 0)\nclearenv(keep = [\"PATH\", \"SBX_TEST_MARK\"])\nchdir(\"/tmp\")\numask(0o27)\n")
		}
		for _, more := range scripts {
			d := newDesk(t, w)
			id := d.detached(script+more, "sh", "-c", look+` >/tmp/look 2>&1; echo over; exec sleep 1000`)
			tt := d.on(d.sbx("attach", id))
			tt.expect("over")
			cmd := d.sbx("enter", id, "--", "sh", "-c", look+` >/tmp/look2 2>&1; diff /tmp/look /tmp/look2; cat; exit 9`)
			cmd.Stdin = strings.NewReader("through\n")
			if r := box.Finish(t, cmd); r.Code != 9 || r.Out != "through\n" || r.Err != "" {
				t.Errorf("%s: %s", more, r)
			}
			if r := box.Finish(t, d.sbx("enter", id, "--", "sh", "-c", "kill -TERM $$")); r.Signal != syscall.SIGTERM {
				t.Error(r)
			}
			wantError(t, box.Finish(t, d.sbx("enter", id, "--", "nowhere")), 127, `command "nowhere" not found in the sandbox`)
			wantError(t, box.Finish(t, d.sbx("enter", id, "--", "/tmp")), 126)
			// On a terminal it has one of the sandbox's.
			et := d.on(d.sbx("enter", id, "--", "sh", "-c", `tty; stty size; kill -0 $$; cat; exit 4`))
			et.expect("/dev/pts/1\r\n24 80\r\n")
			et.keys("typed\n")
			et.expect("typed\r\ntyped\r\n")
			et.keys("\x04")
			if r := et.wait(); r.Code != 4 {
				t.Error(r, et.text())
			}
			if after := modesOf(t, et); after != et.modes {
				t.Errorf("modes of the terminal: %+v, before %+v", after, et.modes)
			}
			et = d.on(d.sbx("enter", id, "--", "/probe", "probe:signals"))
			et.expect("ready\r\n")
			et.keys("\x03")
			et.expect("signal 2\r\n")
			box.Must(t, unix.IoctlSetWinsize(int(et.master.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 50, Col: 132}))
			et.expect("size 50 132\r\n")
			box.Must(t, et.cmd.Process.Signal(syscall.SIGUSR1))
			et.expect("signal 10\r\n")
			// Its terminal goes away, and it does too, but for those who handle that.
			et.hangUp(func() { et.cmd.Process.Signal(syscall.SIGUSR1) })
			if r := et.wait(); r.Signal != syscall.SIGHUP {
				t.Error(r)
			}
			// The sandbox ends, and whoever is in it.
			et = d.on(d.sbx("enter", id, "--", "/probe", "probe:signals"))
			et.expect("ready\r\n")
			if r := box.Finish(t, d.sbx("kill", "--grace", "0.05", id)); r.Code != 0 {
				t.Error(r)
			}
			if r := et.wait(); r.Signal != syscall.SIGKILL {
				t.Error(r, et.text())
			}
			tt.wait()
			d.empty()
		}
	})
}

// Only the owner is served, and only outside of sandboxes.
func TestSessionPeers(t *testing.T) {
	each(t, func(t *testing.T, w who) {
		d := newDesk(t, w)
		// A sandbox that has the socket in it gets nowhere.
		id := d.detached(base()+fmt.Sprintf("bind(%q, \"/run/user\")\n", d.runtime)+fmt.Sprintf("bind(%q, \"/sbx\", ro = True)\n", sbxBin)+"setenv(\"XDG_RUNTIME_DIR\", \"/run/user\")\n",
			"sh", "-c", "/sbx attach $(cat /tmp/id 2>/dev/null || ls /run/user/sbx); echo code $?; exec sleep 1000")
		tt := d.on(d.sbx("attach", id))
		if !w.Root() { // as real root there is no user namespace
			tt.expect("user namespace")
			tt.expect("code 125")
		}
		tt.cmd.Process.Kill()
		tt.wait()
		if os.Getuid() == 0 && !w.Root() {
			// Even if the directories let others in.
			for _, path := range []string{"", "sbx", "sbx/" + id} {
				box.Must(t, os.Chmod(filepath.Join(d.runtime, path), 0o755))
			}
			box.Must(t, os.Chmod(filepath.Join(d.runtime, "sbx", id, "socket"), 0o666))
			fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
			box.Must(t, err)
			box.Must(t, unix.Connect(fd, &unix.SockaddrUnix{Name: filepath.Join(d.runtime, "sbx", id, "socket")}))
			b := make([]byte, 1000)
			n, err := unix.Read(fd, b)
			if err != nil || !strings.Contains(string(b[:n]), "belongs to user 65534") {
				t.Errorf("%q %v", b[:n], err)
			}
			unix.Close(fd)
			for _, path := range []string{"", "sbx", "sbx/" + id} {
				box.Must(t, os.Chmod(filepath.Join(d.runtime, path), 0o700))
			}
		}
		box.Must(t, syscall.Kill(d.one().Server, syscall.SIGKILL))
		d.empty()
	})
}
