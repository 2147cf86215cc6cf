//go:build linux

package enginetest

// The harness: who runs sbx, with which script, and what came of it.

import (
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"sbx/engine/enginetest/box"
	"sbx/engine/plan"
)

// who is a user that runs sbx.
type who struct{ box.User }

// each runs f once as an ordinary user and once as root, if it can.
func each(t *testing.T, f func(t *testing.T, w who)) {
	t.Helper()
	box.Each(t, func(t *testing.T, u box.User) {
		t.Parallel()
		f(t, who{u})
	})
}

// asUser runs f as an ordinary user only.
func asUser(t *testing.T, f func(t *testing.T, w who)) {
	t.Helper()
	box.Need(t)
	t.Parallel()
	w := who{box.Users()[0]}
	if w.Root() {
		t.Fatal("no ordinary user to be")
	}
	f(t, w)
}

// asRoot runs f as root, where the tests run as root.
func asRoot(t *testing.T, f func(t *testing.T, w who)) {
	t.Helper()
	box.Need(t)
	t.Parallel()
	if os.Getuid() != 0 {
		t.Skip("needs root")
	}
	f(t, who{box.Users()[1]})
}

// base is the part of a script that brings the host's programs in, however the
// host spreads them, with /dev, /proc, /tmp and this test binary as /probe.
func base() string {
	return programs() + "dev()\nproc()\ntmpfs(\"/tmp\")\n"
}

func programs() string {
	var b strings.Builder
	b.WriteString("bind(\"/usr\", ro = True)\n")
	for _, d := range []string{"bin", "sbin", "lib", "lib32", "lib64", "libx32"} {
		if target, err := os.Readlink("/" + d); err == nil {
			fmt.Fprintf(&b, "symlink(%q, %q)\n", target, "/"+d)
		} else if _, err := os.Stat("/" + d); err == nil {
			fmt.Fprintf(&b, "bind(%q, ro = True)\n", "/"+d)
		}
	}
	fmt.Fprintf(&b, "bind(%q, \"/probe\", ro = True)\n", probeBin)
	return b.String()
}

// command prepares a run of sbx with a script; argv is what follows "--".
func (w who) command(t testing.TB, script string, argv ...string) *exec.Cmd {
	t.Helper()
	file := w.Write(t, w.Dir(t)+"/test.sbx.star", script)
	return w.exec(t, append([]string{file, "--"}, argv...)...)
}

// exec prepares a run of sbx exec.
func (w who) exec(t testing.TB, args ...string) *exec.Cmd {
	t.Helper()
	return w.Command(t, sbxBin, append([]string{"exec"}, args...)...)
}

// run runs sbx with a script to its end.
func (w who) run(t testing.TB, script string, argv ...string) box.Result {
	t.Helper()
	return box.Finish(t, w.command(t, script, argv...))
}

// sh runs a shell script in the sandbox that the other script makes.
func (w who) sh(t testing.TB, script, sh string) box.Result {
	t.Helper()
	return w.run(t, script, "sh", "-c", sh)
}

// want runs a shell script in the sandbox and compares what it prints.
func (w who) want(t testing.TB, script, sh, want string) {
	t.Helper()
	w.sh(t, script, sh).Want(t, sh, want)
}

// refused expects sbx to fail with exit code 125 and all of the words on stderr.
func (w who) refused(t testing.TB, script string, words ...string) {
	t.Helper()
	wantError(t, w.run(t, script, "true"), 125, words...)
}

func wantError(t testing.TB, r box.Result, code int, words ...string) {
	t.Helper()
	if r.Code != code {
		t.Errorf("want exit code %d, got %s", code, r)
		return
	}
	for _, word := range words {
		if !strings.Contains(r.Err, word) {
			t.Errorf("want %q on stderr, got %s", word, r)
		}
	}
}

func itoa(n int) string { return strconv.Itoa(n) }

// scriptPlan is the plan that a script makes, to add what scripts cannot write.
func scriptPlan(t testing.TB, w who, script string) *plan.Plan {
	t.Helper()
	file := w.Write(t, w.Dir(t)+"/plan.sbx.star", script)
	r := box.Finish(t, w.Command(t, sbxBin, "plan", "--json", file))
	if r.Code != 0 {
		t.Fatal(r)
	}
	p, err := plan.Read([]byte(r.Out), "p.json")
	box.Must(t, err)
	return p
}

// planFile writes a plan to a file.
func (w who) planFile(t testing.TB, p *plan.Plan) string {
	t.Helper()
	b, err := p.JSON()
	box.Must(t, err)
	return w.Write(t, w.Dir(t)+"/plan.json", string(b))
}

// readPlan reads what planFile has written.
func readPlan(file string) (*plan.Plan, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	return plan.Read(b, "p.json")
}

// plan runs a plan.
func (w who) plan(t testing.TB, p *plan.Plan, argv ...string) box.Result {
	t.Helper()
	return box.Finish(t, w.exec(t, append([]string{"--plan", w.planFile(t, p), "--"}, argv...)...))
}
