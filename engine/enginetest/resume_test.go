//go:build linux

package enginetest

// sbx run and the sessions of a project: which it comes back to, and what is left of
// those that have ended.

import (
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"sbx/engine/enginetest/box"
)

// office is a desk with a project on it.
type office struct {
	*desk
	p *project
}

func newOffice(t *testing.T, w who) *office {
	return &office{newDesk(t, w), newProject(t, w)}
}

// run prepares sbx run in the project, with variables of its own.
func (o *office) run(env []string, args ...string) *exec.Cmd {
	cmd := o.sbx(append([]string{"run"}, args...)...)
	cmd.Dir = o.p.dir
	cmd.Env = append(append(cmd.Env, "HOME="+o.p.home, "SHELL=/bin/sh"), env...)
	return cmd
}

// ended returns how many of the sessions on record have.
func (o *office) ended() int {
	return strings.Count(box.Finish(o.t, o.sbx("ps", "--json")).Out, `"ended": `)
}

// leaves has the terminal detach.
func (tt *terminal) leaves() {
	tt.t.Helper()
	tt.keys("\x1c\x1c")
	if r := tt.wait(); r.Code != 0 {
		tt.t.Fatal(r, tt.text())
	}
}

// back is how a session begins that sbx run has come back to.
const back = "starts afresh]\r\n"

func TestResume(t *testing.T) {
	each(t, func(t *testing.T, w who) {
		o := newOffice(t, w)
		up := []string{"./probe", "probe:signals"}
		tt := o.on(o.run(nil, up...))
		tt.expect("ready\r\n")
		tt.leaves()
		// It does not count as attached any more when the client has ended.
		id := o.one().ID
		if n := o.one().Attached; n != 0 {
			t.Errorf("%d are attached", n)
		}

		// The same words, from another terminal with another environment: the session.
		tt = o.on(o.run([]string{"TERM=vt100", "COLUMNS=33", "SSH_TTY=/dev/pts/9", "X_TOKEN=x", "WINDOWID=7"}, up...))
		tt.expect("[back in " + id + ", ")
		tt.expect(" old: ./probe probe:signals; --no-reconnect " + back)
		tt.expect("ready\r\n")
		// While it is attached another terminal gets one of its own.
		second := o.on(o.run(nil, up...))
		second.expect("ready\r\n")
		if list := o.ps(); len(list) != 2 || list[0].Attached != 1 || list[1].Attached != 1 {
			t.Errorf("%+v", list)
		}
		box.Must(t, syscall.Kill(o.ps()[1].Leader, syscall.SIGUSR2))
		if r := second.wait(); r.Code != 7 {
			t.Error(r)
		}
		tt.leaves()
		// No words at all.
		tt = o.on(o.run(nil))
		tt.expect(back)
		tt.expect("ready\r\n")
		tt.leaves()
		// Another command is another sandbox, and so what is asked for is made.
		tt = o.on(o.run(nil, "--excluded-path", ".env", "cat", ".env"))
		if r := tt.wait(); r.Code != 1 {
			t.Error(r, tt.text())
		}

		// Another sandbox, for what goes on in the old one or for anything, is none that
		// is come back to without a word.
		refused := func(want string, args ...string) {
			t.Helper()
			tt := o.on(o.run(nil, args...))
			if r := tt.wait(); r.Code != 125 {
				t.Error(r, tt.text())
			}
			tt.expect("error: session \"" + id + "\" of this project has another sandbox: " + want)
			tt.expect("\"sbx attach " + id + "\" comes back to it as it is, --no-reconnect starts another one\r\n")
		}
		refused(`--excluded-path "README" is new`, "--excluded-path", "README")
		refused(`--excluded-path "README" is new`, append([]string{"--excluded-path", "README"}, up...)...)
		w.Write(t, o.p.dir+"/.sbx.star", "project(excluded_paths = ['README'])")
		refused(`"` + o.p.dir + `/.sbx.star" counts now`)
		tt = o.on(o.run(nil, "--ignore-project-config"))
		tt.expect(back)
		tt.expect("ready\r\n") // only now the keys are the session's
		tt.leaves()
		box.Must(t, os.Remove(o.p.dir+"/.sbx.star"))
		w.Write(t, o.p.home+"/.config/sbx/project.star", "setenv('A', '1')")
		refused(`"` + o.p.home + `/.config/sbx/project.star" counts now`)
		box.Must(t, os.Remove(o.p.home+"/.config/sbx/project.star"))
		// One that fits is found among others.
		tt = o.on(o.run(nil, append([]string{"--no-reconnect", "--excluded-path", "README"}, up...)...))
		tt.expect("ready\r\n")
		tt.leaves()
		tt = o.on(o.run(nil, up...))
		tt.expect("[back in " + id + ", ")
		tt.expect("ready\r\n")
		tt.leaves()
		for _, s := range o.ps() {
			if r := box.Finish(t, o.sbx("kill", "--grace", "0", s.ID)); r.Code != 0 {
				t.Error(r)
			}
		}
		o.empty()
	})
}

// TestEnded: what ends while nobody is attached tells how, until it has been seen.
func TestEnded(t *testing.T) {
	each(t, func(t *testing.T, w who) {
		o := newOffice(t, w)
		start := func(script string) string {
			t.Helper()
			r := box.Finish(t, o.run(nil, "--detach", "sh", "-c", script))
			if r.Code != 0 {
				t.Fatal(r)
			}
			id := strings.TrimSpace(r.Out)
			box.Eventually(t, "it to end", func() bool {
				return strings.Contains(box.Finish(t, o.sbx("ps")).Out, "  "+id+" ") && len(o.ps()) == o.ended()
			})
			return id
		}
		id := start("echo said; exit 7")
		if r := box.Finish(t, o.sbx("ps")); !strings.Contains(r.Out, " ended: 7 ") || !strings.Contains(r.Out, id) {
			t.Error(r)
		}
		wantError(t, box.Finish(t, o.sbx("enter", id, "true")), 125, "session \""+id+"\" has ended", "sbx attach "+id)
		wantError(t, box.Finish(t, o.sbx("kill", "-s", "TERM", id)), 125, "has ended")
		// It is nothing to come back to.
		tt := o.on(o.run(nil, "echo", "afresh"))
		tt.expect("afresh\r\n")
		tt.wait()
		if r := box.Finish(t, o.sbx("attach", id)); r.Code != 7 || r.Out != "said\r\n" || !strings.HasPrefix(r.Err, "["+id+" ended ") || !strings.HasSuffix(r.Err, "s ago with exit code 7]\n") {
			t.Error(r)
		}
		wantError(t, box.Finish(t, o.sbx("attach", id)), 125, "no such sandbox")
		o.empty()

		id = start("kill -KILL $$")
		if r := box.Finish(t, o.sbx("ps")); !strings.Contains(r.Out, " ended: SIGKILL ") {
			t.Error(r)
		}
		if r := box.Finish(t, o.sbx("attach", id)); r.Signal != syscall.SIGKILL || !strings.Contains(r.Err, "ago by SIGKILL]") {
			t.Error(r)
		}
		id = start("true")
		if r := box.Finish(t, o.sbx("kill", id)); r.Code != 0 || r.Err != "" {
			t.Error(r)
		}
		o.empty()
		// Few are kept.
		for range 18 {
			start("exit 1")
		}
		box.Eventually(t, "16 to be kept", func() bool { return len(o.ps()) == 16 }) // the last one still cleans up
		for _, s := range o.ps() {
			box.Finish(t, o.sbx("kill", s.ID))
		}
		o.empty()
	})
}

// TestEnterFilters: who enters is under the filters, too, and can make as few user
// namespaces.
func TestEnterFilters(t *testing.T) {
	const look = `grep -E '^(Cap|NoNewPrivs|Seccomp)' /proc/self/status; unshare -U true 2>/dev/null && echo another`
	const allow = `seccomp(b"\x06\x00\x00\x00\x00\x00\xff\x7f")` + "\n"
	each(t, func(t *testing.T, w who) {
		for _, more := range []string{allow + allow, allow + "disable_userns()\nunshare(user = True)\n"} {
			d := newDesk(t, w)
			id := d.detached(base()+"unshare(pid = True)\n"+more, "sh", "-c", `{ `+look+`; } >/tmp/new; mv /tmp/new /tmp/look; exec sleep 1000`)
			r := box.Finish(t, d.sbx("enter", id, "--", "sh", "-c", `until test -e /tmp/look; do sleep 0.01; done; { `+look+`; } | diff /tmp/look -`))
			if r.Code != 0 || r.Out != "" {
				t.Errorf("%s: %s", more, r)
			}
			if r := box.Finish(t, d.sbx("kill", "--grace", "0", id)); r.Code != 0 {
				t.Error(r)
			}
			d.empty()
		}
	})
}
