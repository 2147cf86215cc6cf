//go:build linux

package enginetest

// The process tree of a sandbox: the guard or init, orphans, exit codes.

import (
	"strings"
	"syscall"
	"testing"
)

// modes are the ways in which the command can be started: below a guard, below
// an init, as pid 1, and in place of the child; and below a guard with memory of
// its own, or with an init between.
var modes = map[string]string{
	"apart":  "map_ids([(0, host.uid, 1)], [(0, host.gid, 1)])\n",
	"locked": "lock_file(\"/usr/bin/env\")\n",
	"guard":  "",
	"init":   "unshare(pid = True)\n",
	"pid1":   "unshare(pid = True)\ninit(False)\n",
	"direct": "die_with_parent(False)\n",
	"alone":  "unshare(pid = True)\ndie_with_parent(False)\n",
}

// eachMode runs f in every mode as every user.
func eachMode(t *testing.T, f func(t *testing.T, w who, mode, script string)) {
	t.Helper()
	each(t, func(t *testing.T, w who) {
		for mode, line := range modes {
			t.Run(mode, func(t *testing.T) {
				t.Parallel()
				f(t, w, mode, base()+line)
			})
		}
	})
}

func TestExitStatus(t *testing.T) {
	eachMode(t, func(t *testing.T, w who, mode, script string) {
		for _, code := range []int{0, 1, 125, 255} {
			if r := w.sh(t, script, "exit "+itoa(code)); r.Code != code || r.Err != "" {
				t.Errorf("exit %d: %s", code, r)
			}
		}
		if mode == "pid1" {
			return // the kernel keeps a pid 1 from its own signals
		}
		for _, sig := range []syscall.Signal{syscall.SIGKILL, syscall.SIGTERM, syscall.SIGSEGV, syscall.SIGQUIT, syscall.Signal(40)} {
			r := w.sh(t, script, "ulimit -c unlimited; kill -"+itoa(int(sig))+" $$")
			// Where sbx has become the command, the core is the command's.
			core := r.Core && !(mode == "direct" && w.Root())
			if r.Signal != sig || core || r.Err != "" {
				t.Errorf("want signal %d, got %s core %v", sig, r, r.Core)
			}
		}
	})
}

func TestOrphans(t *testing.T) {
	eachMode(t, func(t *testing.T, w who, mode, script string) {
		if mode == "direct" {
			return // nobody is there to look after them
		}
		if mode != "pid1" {
			// An orphan that ends is reaped while the command runs.
			w.want(t, script, `p=$(sh -c 'true >/dev/null & echo $!'); while test -d /proc/$p; do :; done; echo gone`, "gone")
		}
		// Those that remain don't keep the sandbox, and don't change its status.
		// They would hold stdout open, too.
		for _, daemon := range []string{
			"sleep 1000 &", "(setsid sleep 1000 &) &", "(setsid sh -c 'trap \"\" TERM HUP INT; sleep 1000 & sleep 1000' &)", "/probe probe:daemon sleep 1000",
		} {
			if r := w.sh(t, script, daemon+"\necho over; exit 3"); r.Code != 3 || r.Out != "over\n" {
				t.Errorf("%s: %s", daemon, r)
			}
		}
	})
}

func TestPids(t *testing.T) {
	each(t, func(t *testing.T, w who) {
		r := w.sh(t, base()+"unshare(pid = True)\n", "echo $$; cat /proc/1/comm; ls -d /proc/[0-9]* | wc -l")
		if r.Code != 0 || strings.HasPrefix(r.Out, "1\n") || !strings.HasPrefix(r.Out, "2\nsandbox-init\n") {
			t.Error(r)
		}
		w.want(t, base()+"unshare(pid = True)\ninit(False)", "echo $$; cat /proc/1/comm", "1\nsh")
		// Nothing of the init is in reach of the sandbox, not even for its root.
		for _, file := range []string{"fd/0", "root", "mem", "environ", "cwd"} {
			if w.Root() {
				continue // with all of root's own capabilities
			}
			r := w.sh(t, base()+"unshare(pid = True)\nbecome_root()\n", "{ head -c 1 /proc/1/"+file+" || ls /proc/1/"+file+"/; } 2>&1")
			if r.Code == 0 {
				t.Errorf("/proc/1/%s: %s", file, r)
			}
		}
	})
}

// A failure is told by every kind of child, also by one with memory of its own.
func TestFailuresTold(t *testing.T) {
	eachMode(t, func(t *testing.T, w who, mode, script string) {
		wantError(t, w.run(t, script, "no-such-command"), 127, `"no-such-command" not found`)
		w.refused(t, script+"tmpfs(\"/q\", size = 4096)\nwrite(\"/q/a\", \"x\" * 100000)\n", "write: ", "no space left on device", ": error")
		if mode != "pid1" {
			w.refused(t, script+"lock_file(\"/tmp/nope\")\n", `lock_file: lock file "/tmp/nope"`, "no such file or directory", ": error")
		}
	})
}
