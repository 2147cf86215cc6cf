//go:build linux

package enginetest

// Where no child is needed, sbx becomes the command.

import (
	"bytes"
	"strings"
	"testing"

	"sbx/engine/enginetest/box"
)

func TestBecome(t *testing.T) {
	box.Need(t)
	asRoot(t, func(t *testing.T, w who) {
		cmd := w.command(t, base()+"die_with_parent(False)\n", "sh", "-c", "echo $$; ls /probe; exit 3")
		var out bytes.Buffer
		cmd.Stdout = &out
		box.Must(t, cmd.Start())
		cmd.Wait()
		want := itoa(cmd.Process.Pid) + "\n/probe\n"
		if out.String() != want || cmd.ProcessState.ExitCode() != 3 {
			t.Errorf("got %q and %v, want %q", out.String(), cmd.ProcessState, want)
		}
		// A failure on the way is told like any other.
		r := w.run(t, base()+"die_with_parent(False)\nchdir('/nowhere')\n", "true")
		wantError(t, r, 125, `chdir: directory "/nowhere" does not exist in the sandbox`)
		if r := w.run(t, base()+"die_with_parent(False)\n", "/nowhere/x"); r.Code != 127 || !strings.Contains(r.Err, "not found in the sandbox") {
			t.Error(r)
		}
	})
}
