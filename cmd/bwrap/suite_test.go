//go:build linux

package main

// bubblewrap's own test suite.

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"sbx/engine/enginetest/box"
)

// TestSuite runs the suite of a checkout of bubblewrap, 0.11 or newer, that
// BWRAP_TESTS names. test-seccomp.py needs the Python module seccomp, and says
// where there is none.
func TestSuite(t *testing.T) {
	dir := os.Getenv("BWRAP_TESTS")
	if dir == "" {
		t.Skip("BWRAP_TESTS does not name a checkout of bubblewrap")
	}
	passed := regexp.MustCompile(`(?m)^(not )?ok\b.*`)
	ran := regexp.MustCompile(`(?m)^Ran (\d+) tests?`)
	each(t, func(t *testing.T, w who) {
		// A copy, which this user can read, with the helper that is compiled.
		d := w.Dir(t)
		if out, err := exec.Command("cp", "-r", filepath.Join(dir, "tests"), d).CombinedOutput(); err != nil {
			t.Fatalf("%s", out)
		}
		if out, err := exec.Command("cc", "-o", d+"/tests/try-syscall", d+"/tests/try-syscall.c").CombinedOutput(); err != nil {
			t.Logf("try-syscall: %v: %s", err, out)
		}
		box.Must(t, exec.Command("chmod", "-R", "a+rX", d).Run())
		scripts, err := filepath.Glob(d + "/tests/test-*")
		box.Must(t, err)
		for _, script := range scripts {
			var argv []string
			switch name := filepath.Base(script); {
			case strings.HasSuffix(name, ".sh"):
				argv = []string{"bash", script}
			case strings.HasSuffix(name, ".py"):
				python := "/usr/bin/python3"
				if _, err := os.Stat(python); err != nil {
					python = "python3"
				}
				argv = []string{python, script}
			default:
				continue
			}
			t.Run(filepath.Base(script), func(t *testing.T) {
				cmd := exec.Command(argv[0], argv[1:]...)
				cmd.Dir = d
				cmd.Env = append(os.Environ(), "BWRAP="+ours, "G_TEST_SRCDIR="+d, "G_TEST_BUILDDIR="+d, "BWRAP_MUST_WORK=1", "HOME="+d)
				w.Become(cmd)
				var out, errs strings.Builder
				cmd.Stdout, cmd.Stderr = &out, &errs
				err := cmd.Run()
				cases, skipped, failed := 0, 0, false
				for _, line := range passed.FindAllString(out.String(), -1) {
					cases++
					failed = failed || strings.HasPrefix(line, "not")
					if strings.Contains(line, "# SKIP") {
						skipped++
						t.Log(line)
					}
				}
				if m := ran.FindStringSubmatch(errs.String()); m != nil {
					t.Log(m[0])
				}
				t.Logf("%d cases, %d of them skipped", cases, skipped)
				if err != nil || failed {
					tail := errs.String()
					t.Errorf("%v\n%s\n%s", err, out.String(), tail[max(0, len(tail)-3000):])
				}
				if strings.HasPrefix(out.String(), "1..0") {
					t.Skip(out.String())
				}
			})
		}
	})
}
