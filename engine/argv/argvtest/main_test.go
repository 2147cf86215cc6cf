//go:build linux

// Package argvtest runs the peers, bubblewrap and mkosi-sandbox, and the front
// ends that take their place on the same command lines, and compares what the
// command sees and what becomes of the host's files.
//
// The peers are found by name, or named by BWRAP_PEER (a program) and
// MKOSI_SANDBOX (sandbox.py of a checkout of mkosi). Random command lines are
// printed with their seed where they differ; SBX_TEST_SEED sets it, ARGV_COUNT how
// many are tried.
//
// As root the host's files are read-only to them, beside the test's own: there are
// command lines by which a peer writes to the host.
package argvtest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

var (
	work     string // a directory that everybody may enter
	observer string // the program of that name
)

func TestMain(m *testing.M) {
	code, err := setUp(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func setUp(m *testing.M) (int, error) {
	var err error
	if work, err = os.MkdirTemp("", "sbx-argvtest-"); err != nil {
		return 0, err
	}
	defer os.RemoveAll(work)
	if work, err = filepath.EvalSymlinks(work); err != nil {
		return 0, err
	}
	if err := os.Chmod(work, 0o755); err != nil {
		return 0, err
	}
	observer = filepath.Join(work, "observer")
	if err := build(observer, "./internal/observer", "-ldflags=-E main.entry"); err != nil {
		return 0, err
	}
	return m.Run(), nil
}

func build(out, pkg string, flags ...string) error {
	cmd := exec.Command("go", append(append([]string{"build", "-o", out}, flags...), pkg)...)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if b, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("building %s: %v\n%s", pkg, err, b)
	}
	return nil
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
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
