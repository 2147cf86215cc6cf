//go:build linux

package enginetest

// The old root: nothing of it is left under the sandbox, whatever the sandbox
// is made of.

import (
	"fmt"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"sbx/engine/enginetest/box"
)

// rooms are sandboxes whose making uses different helpers.
func rooms(t testing.TB, w who) map[string]string {
	d := w.disk(t)
	w.Mkdir(t, d+"/low")
	for _, sub := range []string{"usr", "bin", "lib", "lib64", "sbin", "dev", "proc", "tmp"} {
		w.Mkdir(t, d+"/rootfs/"+sub)
	}
	w.Mkdir(t, d+"/up")
	return map[string]string{
		"plain":     base(),
		"pid":       base() + "unshare(pid = True)\n",
		"overlay":   base() + "overlay(\"/ov\", \"/usr/share\", upper = \"tmpfs\")\n",
		"upper":     base() + fmt.Sprintf("overlay(\"/ov\", \"/usr/share\", upper = %q)\n", d+"/up"),
		"mask":      base() + "mask(\"/usr/bin/env\")\n",
		"skeleton":  base() + "mkdir(\"/usr/sbx-new\")\n",
		"over":      base() + "symlink(\"x\", \"/usr/bin/env\")\n",
		"host root": "bind(\"/\", ro = True)\nwrite(\"/sbx-new\", \"x\")\ntmpfs(\"/tmp\")\n",
		"tmpfs /":   base() + "tmpfs(\"/\")\n",
		"overlay /": strings.ReplaceAll(base(), "symlink", "#") + fmt.Sprintf("overlay(\"/\", %q, upper = \"tmpfs\")\nbind(\"/usr/bin\", \"/bin\")\nbind(\"/usr/lib\", \"/lib\")\nbind(\"/usr/lib64\", \"/lib64\", optional = True)\n", d+"/rootfs"),
		"root":      base() + "become_root()\nmask(\"/usr/bin/env\")\n",
		"not dying": base() + "die_with_parent(False)\nmask(\"/usr/bin/env\")\n",
	}
}

func TestOldRootIsGone(t *testing.T) {
	each(t, func(t *testing.T, w who) {
		for name, script := range rooms(t, w) {
			// The mark is on the host's root only, where "/.." would lead.
			const sh = `set -e
cd /; test "$(ls -di / /. /.. /../.. /../../.. | cut -d/ -f1 | sort -u | wc -l)" = 1
cd ..; cd ..; test "$(stat -c %d:%i .)" = "$(stat -c %d:%i /)"
cd /tmp; cd ../../..; test "$(stat -c %d:%i .)" = "$(stat -c %d:%i /)"
test "$(grep -c ' / / ' /proc/self/mountinfo)" -le 1
cut -d' ' -f5 /proc/self/mountinfo | grep -cx / || true`
			w.sh(t, script, sh).Want(t, name, "1")
		}
	})
}

// The same where the caller's own root has something mounted over it.
func TestOldRootStacked(t *testing.T) {
	asRoot(t, func(t *testing.T, w who) {
		scripts := rooms(t, w)
		for _, name := range []string{"plain", "overlay", "skeleton", "not dying"} {
			cmd := w.command(t, scripts[name], "sh", "-c", `cut -d' ' -f5 /proc/self/mountinfo | grep -cx /; test "$(stat -c %d:%i /..)" = "$(stat -c %d:%i /)" && echo same`)
			cmd.Args = append([]string{"sh", "-c", `mount -t tmpfs none / && exec "$@"`, "sh", cmd.Path}, cmd.Args[1:]...)
			cmd.Path = "/bin/sh"
			cmd.SysProcAttr = procAttr(cmd, func(a *syscall.SysProcAttr) { a.Unshareflags = unix.CLONE_NEWNS })
			// To fail is fine there, to lead out is not.
			if r := box.Finish(t, cmd); r.Code != 125 && (r.Code != 0 || r.Out != "1\nsame\n") {
				t.Errorf("%s: %s", name, r)
			}
		}
	})
}
