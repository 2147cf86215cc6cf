//go:build linux

package enginetest

// What is exhausted or missing when the sandbox is made: a clear error with its
// position, exit code 125, and nothing left.

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"sbx/engine/enginetest/box"
	"sbx/engine/plan"
)

// limited runs sbx with a script after some shell commands.
func (w who) limited(t testing.TB, before, script string, argv ...string) box.Result {
	t.Helper()
	cmd := w.command(t, script, argv...)
	cmd.Args = append([]string{"sh", "-c", before + `; exec "$@"`, "sh", cmd.Path}, cmd.Args[1:]...)
	cmd.Path = "/bin/sh"
	return box.Finish(t, cmd)
}

func TestNoSpace(t *testing.T) {
	eachMode(t, func(t *testing.T, w who, mode, script string) {
		big := w.Write(t, w.Dir(t)+"/big", strings.Repeat("x", 2<<20))
		wantError(t, w.run(t, script+"tmpfs(\"/t\", size = \"1M\")\nwrite(\"/t/x\", \"x\" * (2 << 20))\n", "true"), 125, "test.sbx.star:", "write: ", `"/t/x"`, "no space left on device")
		wantError(t, w.run(t, script+fmt.Sprintf("tmpfs(\"/t\", size = \"1M\")\ncopy(%q, \"/t/x\")\n", big), "true"), 125, "test.sbx.star:", "copy: ", "no space left on device")
	})
}

func TestFewFiles(t *testing.T) {
	each(t, func(t *testing.T, w who) {
		good := 0
		for n := 4; n < 40; n++ {
			r := w.limited(t, fmt.Sprintf("ulimit -n %d", n), base(), "true")
			switch {
			case r.Code == 0:
				good++
			case r.Code != 125 || !strings.Contains(r.Err, "too many open files") && !strings.Contains(r.Err, "file descriptors") && !strings.Contains(r.Err, "ulimit -n"):
				t.Errorf("ulimit -n %d: %s", n, r)
			}
		}
		if good < 10 {
			t.Errorf("only %d of the limits below 40 are enough", good)
		}
	})
}

func TestTooLong(t *testing.T) {
	eachMode(t, func(t *testing.T, w who, mode, script string) {
		r := w.run(t, script+"[setenv(\"X%d\" % i, \"x\" * 100000) for i in range(100)]\n", "true")
		wantError(t, r, 126, "argument list too long", "hint: ")
		r = w.run(t, script+"setenv(\"X\", \"x\" * (1 << 21))\n", "true")
		wantError(t, r, 125, "test.sbx.star:", "setenv: the variable \"X\" has 2097154 bytes", "hint: ")
	})
}

// TestNoProc has sbx in a sandbox without /proc.
func TestNoProc(t *testing.T) {
	each(t, func(t *testing.T, w who) {
		d := w.Dir(t)
		inner := w.Write(t, d+"/inner.sbx.star", "bind(\"/usr\")\n")
		outer := strings.ReplaceAll(base(), "proc()", "") + fmt.Sprintf("bind(%q, \"/sbx\", ro = True)\nbind(%q, ro = True)\n", sbxBin, box.Work)
		wantError(t, w.run(t, outer+"map_user(5)", "/sbx", "exec", inner, "--", "true"), 125, "/proc/self/", "no such file or directory", "hint: ", "proc()")
	})
}

func TestWorkRefused(t *testing.T) {
	asUser(t, func(t *testing.T, w who) {
		r := w.run(t, base()+"overlay(\"/o\", \"/usr/share\", upper = \"/usr/lib\")\n", "true")
		wantError(t, r, 125, "overlay: work directory \"/usr/lib.work\": permission denied", "hint: ", "with work")
	})
}

func TestHardLimit(t *testing.T) {
	each(t, func(t *testing.T, w who) {
		r := w.limited(t, "ulimit -n 500", base()+"map_user(5)\nrlimit(\"nofile\", 1000)\n", "true")
		wantError(t, r, 125, "test.sbx.star:", "rlimit: hard limit 1000 of RLIMIT_NOFILE is above the caller's, 500", "hint: ")
	})
}

func TestSourceGone(t *testing.T) {
	each(t, func(t *testing.T, w who) {
		for i, op := range []plan.Op{
			{Kind: plan.Bind, Src: "/dir", Dst: "/x"},
			{Kind: plan.Bind, Src: "/file", Dst: "/x", RO: true},
			{Kind: plan.Copy, Src: "/file", Dst: "/x"},
			{Kind: plan.Overlay, Lower: []plan.Str{"/dir", "/other"}, Dst: "/x"},
		} {
			d := w.source(t)
			w.Mkdir(t, d+"/other")
			p := scriptPlan(t, w, base())
			if op.Src != "" {
				op.Src = plan.Str(d) + op.Src
			}
			for i := range op.Lower {
				op.Lower[i] = plan.Str(d) + op.Lower[i]
			}
			op.At = plan.Origin{Pos: plan.Pos{File: "gone.star", Line: int32(i + 1), Col: 1}}
			p.Ops = append(p.Ops, op)
			p.Command = []plan.Str{"true"}
			wantError(t, w.library(t, "source-gone", p), 125, "gone.star:", "no such file or directory")
		}
	})
}

// A user namespace in which no more may be made stands for a host that forbids
// them.
func TestNoUserNamespaces(t *testing.T) {
	asUser(t, func(t *testing.T, w who) {
		sh := "echo 0 >/proc/sys/user/max_user_namespaces && exec setpriv --no-new-privs \"$@\""
		cmd := w.command(t, base()+"map_user(5)\n", "true")
		args := append([]string{"--user", "--map-root-user", "--mount", "sh", "-c", sh, "sh", cmd.Path}, cmd.Args[1:]...)
		for _, prog := range []string{"unshare", "setpriv"} {
			if _, err := exec.LookPath(prog); err != nil {
				t.Skip(prog + " is not installed")
			}
		}
		c := w.Command(t, "unshare", args...)
		wantError(t, box.Finish(t, c), 125, "making the namespaces of the sandbox", "no space left on device", "user.max_user_namespaces")
	})
}

func TestCommandFaults(t *testing.T) {
	eachMode(t, func(t *testing.T, w who, mode, script string) {
		d := w.Dir(t)
		w.Write(t, d+"/plain", "#!/bin/sh\n")
		w.Write(t, d+"/lost", "#!/no/such/interpreter -x\n")
		w.Write(t, d+"/junk", "\x00\x01\x02")
		w.Write(t, d+"/second", "#!/d/lost\n")
		w.Write(t, d+"/third", "#!/d/plain\n")
		w.Write(t, d+"/isdir", "#!/d\n")
		w.Write(t, d+"/nothing", "#!\n")
		w.Write(t, d+"/long", "#!/"+strings.Repeat("x", 300)+"\n")
		w.Write(t, d+"/shut/x", "#!/bin/sh\n")
		box.Must(t, os.Chmod(d+"/shut", 0))
		t.Cleanup(func() { os.Chmod(d+"/shut", 0o755) })
		for _, f := range []string{"lost", "junk", "second", "third", "isdir", "nothing", "long"} {
			box.Must(t, os.Chmod(d+"/"+f, 0o755))
		}
		script += fmt.Sprintf("bind(%q, \"/d\", ro = True)\nsetenv(\"PATH\", \"/none:/d:/usr/bin:/bin\")\n", d)
		for cmd, want := range map[string][]string{
			"no-such-command": {"127", "command \"no-such-command\" not found in the sandbox"},
			"/d/none":         {"127", "command \"/d/none\" not found in the sandbox"},
			"/d/plain":        {"126", "command \"/d/plain\" is not executable"},
			"/d/lost":         {"126", "needs the interpreter \"/no/such/interpreter\", which does not exist in the sandbox"},
			"lost":            {"126", "command \"/d/lost\" needs the interpreter \"/no/such/interpreter\""},
			"/d/second":       {"126", "has the interpreter \"/d/lost\", whose own interpreter does not exist in the sandbox"},
			"/d/third":        {"126", "command \"/d/third\" has the interpreter \"/d/plain\", which is not executable"},
			"/d/isdir":        {"126", "has the interpreter \"/d\", which is a directory"},
			"/d/nothing":      {"126", "its first line names no interpreter"},
			"/d/long":         {"126", "its first line is longer than the 256 bytes"},
			"/d/shut/x":       {"126", "or a directory on the way to it may not be searched"},
			"/d/junk":         {"126", "exec format error"},
			"/d":              {"126", "command \"/d\" is a directory"},
			"/d/plain/x":      {"127", "not found"},
		} {
			r := w.run(t, script, cmd)
			if itoa(r.Code) != want[0] || !strings.Contains(r.Err, want[1]) {
				t.Errorf("%s: %s", cmd, r)
			}
		}
		r := w.run(t, fmt.Sprintf("bind(%q, \"/probe\", ro = True)\nbind(\"/usr/bin/env\", \"/env\", ro = True)\n", probeBin), "/env")
		wantError(t, r, 126, "command \"/env\" needs the interpreter", "does not exist in the sandbox", "hint: ")
	})
}

// sbx in sbx in sbx.
func TestNested(t *testing.T) {
	each(t, func(t *testing.T, w who) {
		d := w.Dir(t)
		text := base() + fmt.Sprintf("bind(\"/sbx\", ro = True)\nbind(%q, ro = True)\n", box.Work)
		inner := w.Write(t, d+"/inner.sbx.star", text)
		script := base() + fmt.Sprintf("bind(%q, \"/sbx\", ro = True)\nbind(%q, ro = True)\n", sbxBin, box.Work)
		pid := w.Write(t, d+"/pid.sbx.star", text+"unshare(pid = True, net = True, ipc = True, uts = True)\nsuppress_chown()\nsuppress_sync()\n")
		root := w.Write(t, d+"/root.sbx.star", text+"become_root()\noverlay(\"/ov\", \"/usr/share\", upper = \"tmpfs\")\n")
		for _, outer := range []string{"", "unshare(pid = True)\n", "become_root()\n", "become_root()\nunshare(pid = True, net = True)\n", "map_user(5)\n", "capabilities(\"all\")\n", "die_with_parent(False)\nbecome_root()\n", "new_session()\nsuppress_chown()\nsuppress_sync()\n"} {
			if w.Root() && !strings.Contains(outer, "become_root") && !strings.Contains(outer, "all") && !strings.Contains(outer, "map_user") {
				// Root without CAP_SETFCAP can map itself into no user namespace.
				wantError(t, w.run(t, script+outer, "/sbx", "exec", inner, "--", "true"), 125, "user namespace", "hint: ")
				continue
			}
			for _, in := range []string{inner, pid, root} {
				if w.Root() && in == pid && strings.Contains(outer, "map_user") {
					// What is read-only in /proc would not be in another one.
					wantError(t, w.run(t, script+outer, "/sbx", "exec", in, "--", "true"), 125, "proc", "hint: ")
					continue
				}
				const sh = `test -x /usr/bin/env && touch /tmp/x && sh -c 'exit 42'; exit $?`
				if r := w.run(t, script+outer, "/sbx", "exec", in, "--", "sh", "-c", sh); r.Code != 42 || r.Err != "" {
					t.Errorf("%s%s: %s", outer, filepath.Base(in), r)
				}
				if in != root && (w.Root() || strings.Contains(outer, "become_root")) {
					continue // the second is root without capabilities, as above
				}
				if r := w.run(t, script+outer, "/sbx", "exec", in, "--", "/sbx", "exec", in, "--", "sh", "-c", sh); r.Code != 42 || r.Err != "" {
					t.Errorf("%s%s, three: %s", outer, filepath.Base(in), r)
				}
			}
		}
		// The end of the outermost is the end of all.
		m := mark(t)
		r := start(t, w.command(t, script+"become_root()\n", "/sbx", "exec", root, "--", "/sbx", "exec", pid, "--", "sh", "-c", family+"echo ready; wait", m))
		r.cmd.Process.Kill()
		r.wait(t)
		gone(t, m)
	})
}

// Each operation is logged before it is done.
func TestDebug(t *testing.T) {
	each(t, func(t *testing.T, w who) {
		cmd := w.command(t, base()+"mkdir(\"/new dir\")\n", "/none")
		cmd.Args = append([]string{cmd.Args[0], "exec", "--debug"}, cmd.Args[2:]...)
		r := box.Finish(t, cmd)
		wantError(t, r, 127, "+ tmpfs /tmp", "+ bind /usr", "new dir", "command \"/none\" not found")
		if bytes.Contains([]byte(r.Err), []byte("\x00")) {
			t.Error(r)
		}
	})
}
