//go:build linux

package main

// The harness: the program as an ordinary user and as root, and beside it the
// original, if MKOSI_SANDBOX names its sandbox.py.

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

func TestMain(m *testing.M) {
	switch os.Args[0] {
	case holderName:
		hold()
		os.Exit(0)
	case mapperName:
		os.Exit(mapIDs(os.Args[1], os.Args[2]))
	}
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
	if work, err = os.MkdirTemp("", "mkosi-sandbox-"); err != nil {
		return 0, err
	}
	defer os.RemoveAll(work)
	if err := os.Chmod(work, 0o755); err != nil {
		return 0, err
	}
	ours = filepath.Join(work, "mkosi-sandbox")
	build := exec.Command("go", "build", "-o", ours, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return 0, fmt.Errorf("building: %v\n%s", err, out)
	}
	cmd := exec.Command(ours, append(base(), "true")...)
	users()[0].become(cmd)
	if out, err := cmd.CombinedOutput(); err != nil {
		broken = fmt.Sprintf("%v: %s", err, out)
	}
	return m.Run(), nil
}

// base are the options that bring the host's programs in, however it spreads them.
func base() []string {
	list := []string{"--ro-bind", "/usr", "/usr", "--dev", "/dev", "--bind", "/proc", "/proc", "--tmpfs", "/tmp"}
	for _, d := range []string{"bin", "sbin", "lib", "lib32", "lib64", "libx32"} {
		if target, err := os.Readlink("/" + d); err == nil {
			list = append(list, "--symlink", target, "/"+d)
		} else if _, err := os.Stat("/" + d); err == nil {
			list = append(list, "--ro-bind", "/"+d, "/"+d)
		}
	}
	return list
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

// program is one of the implementations.
type program struct {
	name string
	argv []string
}

// programs are ours and, where it is at hand, the original.
func programs() []program {
	list := []program{{"ours", []string{ours}}}
	if file := os.Getenv("MKOSI_SANDBOX"); file != "" {
		python := "/usr/bin/python3"
		if _, err := os.Stat(python); err != nil {
			python = "python3"
		}
		list = append(list, program{"original", []string{python, "-SI", file}})
	}
	return list
}

// each runs f for every user and every implementation.
func each(t *testing.T, f func(t *testing.T, w who, p program)) {
	t.Helper()
	need(t)
	for _, w := range users() {
		for _, p := range programs() {
			t.Run(w.name+"/"+p.name, func(t *testing.T) { f(t, w, p) })
		}
	}
}

func need(t testing.TB) {
	t.Helper()
	switch {
	case broken == "":
	case os.Getenv("SBX_MUST_WORK") != "":
		t.Fatal("must not be skipped: " + broken)
	default:
		t.Skip(broken)
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
	pid      int
}

func (r result) String() string {
	return fmt.Sprintf("exit code %d, %v\nstdout:\n%s\nstderr:\n%s", r.code, r.signal, r.out, r.err)
}

// command prepares a run of p by w.
func (w who) command(t testing.TB, p program, args ...string) *exec.Cmd {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(cancel)
	argv := append(append([]string{}, p.argv...), args...)
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Dir = "/"
	cmd.Env = []string{"PATH=/usr/bin:/bin:/usr/sbin:/sbin", "LC_ALL=C", "PYTHONDONTWRITEBYTECODE=1"}
	cmd.WaitDelay = time.Minute
	w.become(cmd)
	return cmd
}

func finish(t testing.TB, cmd *exec.Cmd) result {
	t.Helper()
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	var exit *exec.ExitError
	if err := cmd.Run(); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	ws := cmd.ProcessState.Sys().(syscall.WaitStatus)
	r := result{code: ws.ExitStatus(), out: out.String(), err: errs.String(), pid: cmd.Process.Pid}
	if ws.Signaled() {
		r.signal = ws.Signal()
	}
	return r
}

// run runs p with the base and more options; the last of args is a shell script.
func (w who) run(t testing.TB, p program, args ...string) result {
	t.Helper()
	n := len(args) - 1
	args = append(append(base(), args[:n]...), "sh", "-c", args[n])
	return finish(t, w.command(t, p, args...))
}

// want runs a shell script in the sandbox and compares what it prints.
func (w who) want(t testing.TB, p program, want string, args ...string) {
	t.Helper()
	r := w.run(t, p, args...)
	if r.code != 0 || strings.TrimSpace(r.out) != strings.TrimSpace(want) {
		t.Errorf("%q: %s\nwant:\n%s", args, r, want)
	}
}
