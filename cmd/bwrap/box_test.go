//go:build linux

package main

// The harness: the program, run as an ordinary user and as root.

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

var (
	work   string // a directory that everybody may enter
	ours   string // the program
	broken string // why this host cannot make sandboxes, or ""
)

// patience bounds every wait; nothing is expected to take that long.
const patience = 60 * time.Second

func TestMain(m *testing.M) {
	code, err := setUp(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func setUp(m *testing.M) (int, error) {
	syscall.Umask(0o022)
	var err error
	if work, err = os.MkdirTemp("", "bwrap-"); err != nil {
		return 0, err
	}
	defer os.RemoveAll(work)
	if err := os.Chmod(work, 0o755); err != nil {
		return 0, err
	}
	ours = filepath.Join(work, "bwrap")
	build := exec.Command("go", "build", "-o", ours, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return 0, fmt.Errorf("building: %v\n%s", err, out)
	}
	for _, w := range users() {
		cmd := exec.Command(ours, "--ro-bind", "/", "/", "--unshare-all", "true")
		w.become(cmd)
		if out, err := cmd.CombinedOutput(); err != nil {
			broken = fmt.Sprintf("%v: %s", err, out)
		}
	}
	return m.Run(), nil
}

// who is a user.
type who struct {
	name string
	uid  int
}

func users() []who {
	if os.Getuid() != 0 {
		return []who{{"user", os.Getuid()}}
	}
	return []who{{"user", 65534}, {"root", 0}}
}

func (w who) become(cmd *exec.Cmd) {
	if os.Getuid() != w.uid {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(w.uid), Gid: uint32(w.uid)}}
	}
}

// dir returns a new directory of w's.
func (w who) dir(t testing.TB) string {
	t.Helper()
	d, err := os.MkdirTemp(work, "t")
	must(t, err)
	t.Cleanup(func() { exec.Command("rm", "-rf", d).Run() })
	must(t, os.Chmod(d, 0o755))
	must(t, os.Chown(d, w.uid, w.uid))
	return d
}

// write makes a file of w's, with its directory.
func (w who) write(t testing.TB, path, data string) string {
	t.Helper()
	must(t, os.MkdirAll(filepath.Dir(path), 0o755))
	must(t, os.WriteFile(path, []byte(data), 0o644))
	must(t, exec.Command("chown", "-R", fmt.Sprint(w.uid, ":", w.uid), filepath.Dir(path)).Run())
	return path
}

// each runs f as an ordinary user and, if it can, as root.
func each(t *testing.T, f func(t *testing.T, w who)) {
	t.Helper()
	if broken != "" {
		if os.Getenv("SBX_MUST_WORK") != "" {
			t.Fatal("must not be skipped: no sandboxes here: " + broken)
		}
		t.Skip("no sandboxes here: " + broken)
	}
	for _, w := range users() {
		t.Run(w.name, func(t *testing.T) { f(t, w) })
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// result is how a run ended.
type result struct {
	code     int // or -1
	signal   syscall.Signal
	out, err string
}

func (r result) String() string {
	return fmt.Sprintf("exit code %d, signal %d\nstdout:\n%s\nstderr:\n%s", r.code, r.signal, r.out, r.err)
}

// command prepares a run.
func (w who) command(t testing.TB, args ...string) *exec.Cmd {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, ours, args...)
	cmd.Dir = "/"
	cmd.Env = []string{"PATH=/usr/local/bin:/usr/bin:/bin", "HOME=/nowhere", "LC_ALL=C"}
	cmd.WaitDelay = patience
	w.become(cmd)
	return cmd
}

// root is a sandbox that shows the host, with a /tmp of its own.
func root(more ...string) []string {
	return append([]string{"--ro-bind", "/", "/", "--bind", work, work, "--dev", "/dev"}, more...)
}

// run runs to the end.
func (w who) run(t testing.TB, args ...string) result {
	t.Helper()
	return finish(t, w.command(t, args...))
}

// want has a shell script print something in a sandbox.
func (w who) want(t testing.TB, args []string, sh, want string) {
	t.Helper()
	r := w.run(t, append(args, "--", "sh", "-c", sh)...)
	if r.code != 0 || strings.TrimSpace(r.out) != strings.TrimSpace(want) {
		t.Errorf("%q: %s: %s\nwant stdout:\n%s", args, sh, r, want)
	}
}

func finish(t testing.TB, cmd *exec.Cmd) result {
	t.Helper()
	var out, errs bytes.Buffer
	if cmd.Stdout == nil {
		cmd.Stdout = &out
	}
	cmd.Stderr = &errs
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return ended(cmd.ProcessState, out.String(), errs.String())
}

func ended(state *os.ProcessState, out, errs string) result {
	ws := state.Sys().(syscall.WaitStatus)
	r := result{code: ws.ExitStatus(), out: out, err: errs}
	if ws.Signaled() {
		r.code, r.signal = -1, ws.Signal()
	}
	return r
}

// data returns the reading end of a pipe that yields s.
func data(t testing.TB, s string) *os.File {
	t.Helper()
	r, w, err := os.Pipe()
	must(t, err)
	t.Cleanup(func() { r.Close() })
	go func() {
		w.WriteString(s)
		w.Close()
	}()
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
