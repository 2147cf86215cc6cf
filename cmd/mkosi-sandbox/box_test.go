//go:build linux

package main

// The harness: the program as an ordinary user and as root, and beside it the
// original, if MKOSI_SANDBOX names its sandbox.py.

import (
	"os"
	"os/exec"
	"testing"

	"sbx/engine/enginetest/box"
)

var ours string // the program

func TestMain(m *testing.M) {
	switch os.Args[0] {
	case holderName:
		hold()
		os.Exit(0)
	case mapperName:
		os.Exit(mapIDs(os.Args[1], os.Args[2]))
	}
	box.Main(m, func() (err error) {
		ours, err = box.Build("sbx/cmd/mkosi-sandbox")
		box.Try(ours, append(base(), "true")...)
		return err
	})
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
type who struct{ box.User }

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
	box.Each(t, func(t *testing.T, u box.User) {
		for _, p := range programs() {
			t.Run(p.name, func(t *testing.T) { f(t, who{u}, p) })
		}
	})
}

// command prepares a run of p by w.
func (w who) command(t testing.TB, p program, args ...string) *exec.Cmd {
	t.Helper()
	argv := append(append([]string{}, p.argv...), args...)
	cmd := w.Command(t, argv[0], argv[1:]...)
	cmd.Env = []string{"PATH=/usr/bin:/bin:/usr/sbin:/sbin", "LC_ALL=C", "PYTHONDONTWRITEBYTECODE=1"}
	return cmd
}

// run runs p with the base and more options; the last of args is a shell script.
func (w who) run(t testing.TB, p program, args ...string) box.Result {
	t.Helper()
	n := len(args) - 1
	args = append(append(base(), args[:n]...), "sh", "-c", args[n])
	return box.Finish(t, w.command(t, p, args...))
}

// want runs a shell script in the sandbox and compares what it prints.
func (w who) want(t testing.TB, p program, want string, args ...string) {
	t.Helper()
	w.run(t, p, args...).Want(t, args, want)
}
