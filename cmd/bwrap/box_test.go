//go:build linux

package main

// The harness: the program, run as an ordinary user and as root.

import (
	"os"
	"os/exec"
	"testing"

	"sbx/engine/enginetest/box"
)

var ours string // the program

func TestMain(m *testing.M) {
	box.Main(m, func() (err error) {
		ours, err = box.Build("sbx/cmd/bwrap")
		box.Try(ours, "--ro-bind", "/", "/", "--unshare-all", "true")
		return err
	})
}

// who is a user.
type who struct{ box.User }

// each runs f as an ordinary user and, if it can, as root.
func each(t *testing.T, f func(t *testing.T, w who)) {
	t.Helper()
	box.Each(t, func(t *testing.T, u box.User) { f(t, who{u}) })
}

// command prepares a run.
func (w who) command(t testing.TB, args ...string) *exec.Cmd {
	t.Helper()
	cmd := w.Command(t, ours, args...)
	cmd.Env = []string{"PATH=/usr/local/bin:/usr/bin:/bin", "HOME=/nowhere", "LC_ALL=C"}
	return cmd
}

// root is a sandbox that shows the host, with a /tmp of its own.
func root(more ...string) []string {
	return append([]string{"--ro-bind", "/", "/", "--bind", box.Work, box.Work, "--dev", "/dev"}, more...)
}

// run runs to the end.
func (w who) run(t testing.TB, args ...string) box.Result {
	t.Helper()
	return box.Finish(t, w.command(t, args...))
}

// want has a shell script print something in a sandbox.
func (w who) want(t testing.TB, args []string, sh, want string) {
	t.Helper()
	args = append(args, "--", "sh", "-c", sh)
	w.run(t, args...).Want(t, args, want)
}

// data returns the reading end of a pipe that yields s.
func data(t testing.TB, s string) *os.File {
	t.Helper()
	r, w, err := os.Pipe()
	box.Must(t, err)
	t.Cleanup(func() { r.Close() })
	go func() {
		w.WriteString(s)
		w.Close()
	}()
	return r
}
