//go:build linux

// Package enginetest proves on real kernels what the engine promises: it runs
// the sbx binary, as an ordinary user and, where that differs, as root, and
// looks at what the command in the sandbox sees and at what is left behind.
package enginetest

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"sbx/engine/session"
)

var (
	work      string // a directory that everybody may enter
	sbxBin    string
	probeBin  string // this test binary, where an ordinary user can run it
	noSandbox string // why this host cannot make sandboxes, or ""
)

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && strings.HasPrefix(os.Args[1], "probe:") {
		os.Exit(probe(strings.TrimPrefix(os.Args[1], "probe:"), os.Args[2:]))
	}
	if len(os.Args) > 1 && os.Args[1] == session.Verb {
		os.Exit(session.Serve())
	}
	code, err := setUp(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func setUp(m *testing.M) (int, error) {
	var err error
	if work, err = os.MkdirTemp("", "sbx-enginetest-"); err != nil {
		return 0, err
	}
	defer os.RemoveAll(work)
	if err := os.Chmod(work, 0o755); err != nil {
		return 0, err
	}
	sbxBin = filepath.Join(work, "sbx")
	build := exec.Command("go", "build", "-o", sbxBin, "sbx/cmd/sbx")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return 0, fmt.Errorf("building sbx: %v\n%s", err, out)
	}
	self, err := os.Executable()
	if err != nil {
		return 0, err
	}
	probeBin = filepath.Join(work, "probe")
	if err := copyFile(self, probeBin, 0o755); err != nil {
		return 0, err
	}
	noSandbox = tryOne()
	return m.Run(), nil
}

// tryOne makes the simplest sandbox and returns why that failed, or "".
func tryOne() string {
	script := filepath.Join(work, "try.sbx.star")
	if err := os.WriteFile(script, []byte(base()), 0o644); err != nil {
		return err.Error()
	}
	cmd := exec.Command(sbxBin, "exec", script, "--", "true")
	users()[0].become(cmd)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Sprintf("%v: %s", err, out)
	}
	return ""
}

func copyFile(from, to string, mode os.FileMode) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	if _, err := io.Copy(out, in); err != nil {
		out.Close()
		return err
	}
	return out.Close()
}
