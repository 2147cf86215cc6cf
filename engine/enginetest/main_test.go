//go:build linux

// Package enginetest proves on real kernels what the engine promises: it runs
// the sbx binary, as an ordinary user and, where that differs, as root, and
// looks at what the command in the sandbox sees and at what is left behind.
package enginetest

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sbx/engine/enginetest/box"
	"sbx/engine/session"
)

var (
	sbxBin   string
	probeBin string // this test binary, where an ordinary user can run it
)

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && strings.HasPrefix(os.Args[1], "probe:") {
		os.Exit(probe(strings.TrimPrefix(os.Args[1], "probe:"), os.Args[2:]))
	}
	if len(os.Args) > 1 && os.Args[1] == session.Verb {
		os.Exit(session.Serve())
	}
	box.Main(m, func() (err error) {
		if sbxBin, err = box.Build("sbx/cmd/sbx"); err != nil {
			return err
		}
		probeBin = filepath.Join(box.Work, "probe")
		if err := copyFile("/proc/self/exe", probeBin); err != nil {
			return err
		}
		script := filepath.Join(box.Work, "try.sbx.star")
		if err := os.WriteFile(script, []byte(base()), 0o644); err != nil {
			return err
		}
		box.Try(sbxBin, "exec", script, "--", "true")
		return nil
	})
}

// copyFile copies a program.
func copyFile(from, to string) error {
	b, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, b, 0o755)
}
