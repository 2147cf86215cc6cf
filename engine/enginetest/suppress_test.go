//go:build linux

package enginetest

// The system call filters, as real programs meet them.

import "testing"

func TestSuppressChown(t *testing.T) {
	each(t, func(t *testing.T, w who) {
		const sh = "umask 022; touch /tmp/f; chown 3:3 /tmp/f 2>/dev/null; echo $?; chown -h 0:0 /tmp/f 2>/dev/null; stat -c %u /tmp/f"
		id := itoa(w.UID)
		w.want(t, base(), sh, "1\n"+id)
		w.want(t, base()+"suppress_chown()", sh, "0\n"+id)
		if !w.Root() {
			w.want(t, base()+"become_root()\nsuppress_chown()", sh, "0\n0")
		}
	})
}

func TestSuppressSync(t *testing.T) {
	each(t, func(t *testing.T, w who) {
		// The kernel has no way to sync these.
		const sh = "sync /dev/null 2>/dev/null; echo $?; sync -d /dev/null 2>/dev/null; echo $?"
		w.want(t, base(), sh, "1\n1")
		w.want(t, base()+"suppress_sync()", sh, "0\n0")
		w.want(t, base()+"suppress_sync()\nsuppress_chown()", sh+"; chown 3:3 /tmp && sync && echo done", "0\n0\ndone")
	})
}
