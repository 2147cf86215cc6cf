//go:build linux

package enginetest

// The harness: who runs sbx, with which script, and what came of it.

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"sbx/engine/plan"
)

// patience bounds every wait; nothing is expected to take that long.
const patience = 60 * time.Second

// nobody is the user that a root test process drops to.
const nobody = 65534

// who is a user that runs sbx.
type who struct {
	name string
	uid  int
}

func (w who) root() bool { return w.uid == 0 }

// users are those that this process can be.
func users() []who {
	if os.Getuid() != 0 {
		return []who{{"user", os.Getuid()}}
	}
	return []who{{"user", nobody}, {"root", 0}}
}

// become has cmd run as w.
func (w who) become(cmd *exec.Cmd) {
	if os.Getuid() == w.uid {
		return
	}
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Credential = &syscall.Credential{Uid: uint32(w.uid), Gid: uint32(w.uid)}
}

// dir returns a new directory of w's, which everybody may enter.
func (w who) dir(t testing.TB) string {
	t.Helper()
	return w.dirIn(t, work)
}

func (w who) dirIn(t testing.TB, parent string) string {
	t.Helper()
	d, err := os.MkdirTemp(parent, "t")
	must(t, err)
	t.Cleanup(func() {
		if err := os.RemoveAll(d); err != nil {
			t.Error(err)
		}
	})
	must(t, os.Chmod(d, 0o755))
	w.own(t, d)
	return d
}

// own gives files to w.
func (w who) own(t testing.TB, paths ...string) {
	t.Helper()
	for _, p := range paths {
		if os.Getuid() == 0 {
			must(t, os.Lchown(p, w.uid, w.uid))
		}
	}
}

// mkdir makes a directory of w's, with parents.
func (w who) mkdir(t testing.TB, path string) string {
	t.Helper()
	if _, err := os.Lstat(path); err == nil {
		return path
	}
	w.mkdir(t, filepath.Dir(path))
	must(t, os.Mkdir(path, 0o755))
	w.own(t, path)
	return path
}

// write makes a file of w's, with its directory.
func (w who) write(t testing.TB, path, data string) string {
	t.Helper()
	w.mkdir(t, filepath.Dir(path))
	must(t, os.WriteFile(path, []byte(data), 0o644))
	w.own(t, path)
	return path
}

// each runs f once as an ordinary user and once as root, if it can.
func each(t *testing.T, f func(t *testing.T, w who)) {
	t.Helper()
	need(t)
	for _, w := range users() {
		t.Run(w.name, func(t *testing.T) {
			t.Parallel()
			f(t, w)
		})
	}
}

// asUser runs f as an ordinary user only.
func asUser(t *testing.T, f func(t *testing.T, w who)) {
	t.Helper()
	need(t)
	t.Parallel()
	w := users()[0]
	if w.root() {
		t.Fatal("no ordinary user to be")
	}
	f(t, w)
}

// asRoot runs f as root, where the tests run as root.
func asRoot(t *testing.T, f func(t *testing.T, w who)) {
	t.Helper()
	need(t)
	t.Parallel()
	if os.Getuid() != 0 {
		t.Skip("needs root")
	}
	f(t, who{"root", 0})
}

// need skips where no sandbox can be made, unless that is a must.
func need(t testing.TB) {
	t.Helper()
	if noSandbox != "" {
		skip(t, "no sandboxes here: "+noSandbox)
	}
}

// skip skips the test, or fails it where sandboxes must work.
func skip(t testing.TB, why string) {
	t.Helper()
	if os.Getenv("SBX_MUST_WORK") != "" {
		t.Fatal("must not be skipped: " + why)
	}
	t.Skip(why)
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
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

// result is how a run of sbx ended.
type result struct {
	code     int // exit code, or -1
	signal   syscall.Signal
	core     bool
	out, err string
}

func (r result) String() string {
	s := "exit code " + strconv.Itoa(r.code)
	if r.code < 0 {
		s = "signal " + r.signal.String()
	}
	return fmt.Sprintf("%s\nstdout:\n%s\nstderr:\n%s", s, r.out, r.err)
}

// command prepares a run of sbx with a script; argv is what follows "--".
func (w who) command(t testing.TB, script string, argv ...string) *exec.Cmd {
	t.Helper()
	file := filepath.Join(w.dir(t), "test.sbx.star")
	must(t, os.WriteFile(file, []byte(script), 0o644))
	return w.exec(t, append([]string{file, "--"}, argv...)...)
}

// exec prepares a run of sbx exec.
func (w who) exec(t testing.TB, args ...string) *exec.Cmd {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, sbxBin, append([]string{"exec"}, args...)...)
	cmd.Dir = "/"
	cmd.WaitDelay = patience
	w.become(cmd)
	return cmd
}

// run runs sbx with a script to its end.
func (w who) run(t testing.TB, script string, argv ...string) result {
	t.Helper()
	return finish(t, w.command(t, script, argv...))
}

// sh runs a shell script in the sandbox that the other script makes.
func (w who) sh(t testing.TB, script, sh string) result {
	t.Helper()
	return w.run(t, script, "sh", "-c", sh)
}

// want runs a shell script in the sandbox and compares what it prints.
func (w who) want(t testing.TB, script, sh, want string) {
	t.Helper()
	r := w.sh(t, script, sh)
	if r.code != 0 || strings.TrimSpace(r.out) != strings.TrimSpace(want) {
		t.Errorf("%s: %s\nwant stdout:\n%s", sh, r, want)
	}
}

// refused expects sbx to fail with exit code 125 and all of the words on stderr.
func (w who) refused(t testing.TB, script string, words ...string) {
	t.Helper()
	wantError(t, w.run(t, script, "true"), 125, words...)
}

func wantError(t testing.TB, r result, code int, words ...string) {
	t.Helper()
	if r.code != code {
		t.Errorf("want exit code %d, got %s", code, r)
		return
	}
	for _, word := range words {
		if !strings.Contains(r.err, word) {
			t.Errorf("want %q on stderr, got %s", word, r)
		}
	}
}

// finish runs cmd to its end.
func finish(t testing.TB, cmd *exec.Cmd) result {
	t.Helper()
	var out, errs bytes.Buffer
	if cmd.Stdout == nil {
		cmd.Stdout = &out
	}
	if cmd.Stderr == nil {
		cmd.Stderr = &errs
	}
	err := cmd.Run()
	r := ended(t, cmd, err)
	r.out, r.err = out.String(), errs.String()
	return r
}

// ended tells how cmd ended, of which err is the result of Run or Wait.
func ended(t testing.TB, cmd *exec.Cmd, err error) result {
	t.Helper()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	ws := cmd.ProcessState.Sys().(syscall.WaitStatus)
	r := result{code: ws.ExitStatus()}
	if ws.Signaled() {
		r.code, r.signal, r.core = -1, ws.Signal(), ws.CoreDump()
	}
	return r
}

// eventually polls until ok.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(2 * time.Millisecond) {
		if ok() {
			return
		}
	}
	t.Fatal("waited in vain: " + what)
}

func itoa(n int) string { return strconv.Itoa(n) }

// scriptPlan is the plan that a script makes, to add what scripts cannot write.
func scriptPlan(t testing.TB, w who, script string) *plan.Plan {
	t.Helper()
	file := filepath.Join(w.dir(t), "plan.sbx.star")
	must(t, os.WriteFile(file, []byte(script), 0o644))
	cmd := exec.Command(sbxBin, "plan", "--json", file)
	cmd.Dir = "/"
	w.become(cmd)
	r := finish(t, cmd)
	if r.code != 0 {
		t.Fatal(r)
	}
	p, err := plan.Read([]byte(r.out))
	must(t, err)
	return p
}

// plan runs a plan.
func (w who) plan(t testing.TB, p *plan.Plan, argv ...string) result {
	t.Helper()
	b, err := p.JSON()
	must(t, err)
	file := filepath.Join(w.dir(t), "plan.json")
	must(t, os.WriteFile(file, b, 0o644))
	return finish(t, w.exec(t, append([]string{"--plan", file, "--"}, argv...)...))
}
