//go:build linux

package verbs

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// cmdOCI is "oci N BUNDLE WANT": a container runtime runs the bundle, whose
// command prints what the file WANT holds, and ends with code N. Where no runtime
// is installed there is nothing to see.
func cmdOCI(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: oci N bundle want")
	}
	want := ts.ReadFile(args[2])
	work := ts.MkAbs(".oci")
	ts.Check(os.MkdirAll(work, 0o700))
	installed := false
	// Some hosts have cgroups that crun refuses to look at.
	noCgroups := []string{"bwrap", "--dev-bind", "/", "/", "--tmpfs", "/sys/fs/cgroup", "--"}
	for i, runtime := range [][]string{
		{"crun", "--cgroup-manager=disabled"},
		{"runc"},
		append(noCgroups, "crun", "--cgroup-manager=disabled"),
	} {
		if _, err := exec.LookPath(runtime[0]); err != nil {
			continue
		}
		installed = installed || i < 2
		name := fmt.Sprintf("sbx-test-%d-%d", os.Getpid(), i)
		argv := append(runtime, "--root", filepath.Join(work, name), "run", "--bundle", ts.MkAbs(args[1]), name)
		cmd := exec.Command(argv[0], argv[1:]...)
		cmd.Env = []string{"PATH=" + ts.Getenv("PATH"), "HOME=" + work, "XDG_RUNTIME_DIR=" + work, "SBX_TEST_WORK=" + ts.Getenv("SBX_TEST_WORK")}
		var stdout, stderr bytes.Buffer
		cmd.Stdout, cmd.Stderr = &stdout, &stderr
		code := ending(cmd.Run())
		text := stderr.String()
		if code == "1" && stdout.Len() == 0 && (strings.Contains(text, "cgroup") || strings.Contains(text, "no user mapping found") || strings.Contains(text, "closing exec fds")) {
			ts.Logf("%q: %s", argv, text) // it cannot, whatever the bundle
			continue
		}
		if code != args[0] || stdout.String() != want {
			ts.Fatalf("%q: ended with %s, want %s\ngot:\n%s\nwant:\n%s\n%s", argv, code, args[0], stdout.String(), want, text)
		}
		return
	}
	if installed && os.Getenv("SBX_MUST_WORK") == "1" {
		ts.Fatalf("no container runtime works here")
	}
	ts.Logf("no container runtime is installed, or works here")
}

func TestPrintf(t *testing.T) {
	for _, data := range []string{"", "a", "a\nb\n", "it's\x00%d\\ \xff\n", "\x00"} {
		out, err := exec.Command("bash", "-c", "printf "+printfArg([]byte(data))).Output()
		if err != nil {
			t.Skip(err)
		}
		if string(out) != data {
			t.Errorf("%q: %q by %s", data, out, printfArg([]byte(data)))
		}
	}
}
