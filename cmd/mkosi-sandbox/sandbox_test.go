//go:build linux

package main

// What the command sees. Every case holds for the original, too, unless it says
// otherwise.

import (
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"sbx/engine/enginetest/box"
	"sbx/engine/plan"
)

// TestFiles has each operation done over what is there, and through it.
func TestFiles(t *testing.T) {
	each(t, func(t *testing.T, w who, p program) {
		d := w.Dir(t)
		for _, f := range []string{"tree/sub/file", "tree/bound", "other/file"} {
			w.Write(t, d+"/"+f, f+"\n")
		}
		box.Must(t, os.Symlink("sub", d+"/tree/link"))
		box.Must(t, os.Symlink("/nowhere/at/all", d+"/tree/dangling"))
		box.Must(t, os.Symlink("../escape", d+"/tree/up"))
		tree, other := d+"/tree", d+"/other"
		w.Own(t, tree+"/link", tree+"/dangling", tree+"/up")

		// A bind is over all else at its destination, a later one over an earlier.
		w.want(t, p, "other/file", "--bind", other, "/x", "--tmpfs", "/x", "cat /x/*")
		w.want(t, p, "bound dangling link new sub up file", "--tmpfs", "/x/new", "--bind", tree, "/x", "--bind", other+"/file", "/x/new/file", "echo $(ls /x /x/new | grep -v -e : -e '^$')")
		// Nothing is left out but what the outer bind shows.
		w.want(t, p, "tree/bound\nother/file", "--bind", tree, "/x", "--bind", tree+"/bound", "/x/bound", "--bind", other, "/x/sub", "cat /x/bound /x/sub/file")
		// What is made in a writable bind is made on the host.
		w.want(t, p, "755 755 644 644 hello", "--bind", tree, "/x", "--dir", "/x/made/dir", "--write", "hello", "/x/made/text", "--bind", other+"/file", "/x/made/point",
			"--symlink", "text", "/x/made/sym", "cd /x/made; echo $(stat -c %a . dir text point; cat sym)")
		if got, _ := os.Readlink(tree + "/made/sym"); got != "text" {
			t.Errorf("the symlink on the host is to %q", got)
		}
		if st, err := os.Stat(tree + "/made/point"); err != nil || st.Size() != 0 {
			t.Errorf("the mount point on the host: %v, %v", st, err)
		}
		// Written through, symlinks included, with mode and the rest of the file as it was.
		box.Must(t, os.Chmod(tree+"/sub/file", 0o600))
		w.want(t, p, "600 new", "--bind", tree, "/x", "--write", "new", "/x/link/file", "cd /x/sub; echo $(stat -c %a file; cat file)")
		if b, _ := os.ReadFile(tree + "/sub/file"); string(b) != "new" {
			t.Errorf("the file on the host is %q", b)
		}
		// Directories follow symlinks at their destination, files go over them.
		w.want(t, p, "file\ntree/bound\n/x/link", "--bind", tree, "/x", "--bind", other, "/x/link", "--bind", tree+"/bound", "/x/up",
			"ls /x/sub; cat /x/up; readlink -f /x/link | sed s/sub/link/")
		// A symlink that leads nowhere leads into the sandbox.
		w.want(t, p, "text", "--bind", tree, "/x", "--write", "text", "/x/dangling", "cat /nowhere/at/all")
		if _, err := os.Lstat("/nowhere"); err == nil {
			t.Error("the host has /nowhere")
		}
		// --dir takes what there is.
		w.want(t, p, "tree/bound", "--bind", tree, "/x", "--dir", "/x/bound", "--dir", "/x/sub", "cat /x/bound")
		// A symlink goes over files and other symlinks, and is content with the same.
		w.want(t, p, "a\nsub", "--bind", tree, "/x", "--symlink", "a", "/x/bound", "--symlink", "sub", "/x/link", "cd /x; readlink bound link")
		// Modes of new directories.
		w.want(t, p, "1777 1777 755 1777", "--tmpfs", "/q/tmp", "--dir", "/y/tmp", "--dir", "/y/z", "stat -c %a /q/tmp /y/tmp /y/z /tmp | xargs")
		// A part of the sandbox, at the very end; missing ones are skipped where that is asked for.
		w.want(t, p, "hello", "--bind", "+/z", "/b", "--write", "hello", "/z/text", "--bind-try", "+/none", "/c", "ls /c 2>/dev/null; cat /b/text")
		// Binds without following.
		w.want(t, p, "sub", "--ro-bind-nofollow", tree+"/link", "/l", "readlink /l")
		w.want(t, p, "", "--ro-bind-try", "/none/such", "/l", "--bind-try", "/none/such", "/m", "ls -d /l /m 2>/dev/null; true")

		box.Must(t, os.Symlink("loop", tree+"/loop"))
		w.want(t, p, "", "--ro-bind-try", tree+"/loop", "/l", "ls -d /l 2>/dev/null; true")

		// Failures, with nothing on stdout.
		for _, args := range [][]string{
			{"--bind", "/none/such", "/l"}, {"--ro-bind", tree, "/x", "--write", "a", "/x/new"}, {"--ro-bind", tree, "/x", "--write", "a", "/x/bound"},
			{"--ro-bind", tree, "/x", "--dir", "/x/newdir"}, {"--dir", "/q/z", "--symlink", "a", "/q/z"}, {"--bind", tree, "/x", "--tmpfs", "/x/bound"},
			{"--bind", tree, "/x", "--bind", other, "/x/bound"}, {"--chdir", "/none"}, {"--frob"}, {"--dir"},
		} {
			if r := w.run(t, p, append(args, "echo no")...); r.Code != 1 || r.Out != "" || r.Err == "" {
				t.Errorf("%q: %s", args, r)
			}
		}
	})
}

// TestOrder has the operations merged and sorted, with the words that --debug has.
func TestOrder(t *testing.T) {
	each(t, func(t *testing.T, w who, p program) {
		args := append([]string{"--debug", "--bind", "+/usr", "/u", "--write", "abc", "/b", "--ro-bind", "/usr", "/usr2", "--ro-bind", "/usr/bin", "/usr2/bin",
			"--bind-nofollow", "/etc/passwd", "/a.b", "--symlink", "x", "/a/b", "--bind-try", "/none", "/none", "--dir", "/d", "--dir", "/a",
			"--overlay-lowerdir", "/usr/lib", "--overlay-lowerdir", "/usr/bin", "--overlay", "/o"}, base()...)
		r := box.Finish(t, w.command(t, p, append(args, "true")...))
		want := `+ mkdir /a
+ symlink /a/b -> x
+ bind /etc/passwd -> /a.b [nofollow]
+ write 3 bytes to /b
+ mkdir /d
+ dev at /dev
+ overlay at /o (lowers=[/usr/bin, /usr/lib], upper=-)
+ bind /proc -> /proc
+ tmpfs at /tmp
+ bind /usr -> /usr [readonly]
+ bind /usr -> /usr2 [readonly]
+ bind /usr -> /u [relative]
`
		var got strings.Builder
		for line := range strings.Lines(r.Err) {
			if !strings.HasPrefix(line, "+ symlink /bin ") && !strings.HasPrefix(line, "+ symlink /sbin ") && !strings.HasPrefix(line, "+ symlink /lib") && // the base's
				!strings.HasPrefix(line, "+ bind /bin ") && !strings.HasPrefix(line, "+ bind /sbin ") && !strings.HasPrefix(line, "+ bind /lib") &&
				!strings.Contains(line, "/none") { // ours does not name what it skips
				got.WriteString(line)
			}
		}
		if r.Code != 0 || got.String() != want {
			t.Errorf("%s\ngot:\n%s\nwant:\n%s", r, got.String(), want)
		}
	})
}

func TestOverlay(t *testing.T) {
	each(t, func(t *testing.T, w who, p program) {
		d := w.Dir(t)
		for _, n := range []string{"one", "two", "up", "work"} {
			w.Mkdir(t, d+"/"+n)
			box.Must(t, os.WriteFile(d+"/"+n+"/"+n, []byte(n), 0o644))
			box.Must(t, os.WriteFile(d+"/"+n+"/which", []byte(n+"\n"), 0o644))
		}
		os.Remove(d + "/work/work")
		os.Remove(d + "/work/which")
		lower := []string{"--overlay-lowerdir", d + "/one", "--overlay-lowerdir", d + "/two"}
		w.want(t, p, "two\none two which ro", append(lower, "--overlay", "/o", "cd /o; cat which; echo $(ls) $(touch x 2>/dev/null || echo ro)")...)
		w.want(t, p, "two x 755", append(lower, "--overlay-upperdir", "tmpfs", "--overlay", "/o", "cd /o; touch x; echo $(cat which) $(ls x) $(stat -c %a .)")...)
		w.want(t, p, "up", append(lower, "--overlay-upperdir", d+"/up", "--overlay-workdir", d+"/work", "--overlay", "/o", "cd /o; touch made; cat which")...)
		if _, err := os.Stat(d + "/up/made"); err != nil {
			t.Error(err)
		}
		// Reset by each overlay.
		w.want(t, p, "one two", append(lower, "--overlay", "/o", "--overlay-lowerdir", d+"/one", "--overlay-lowerdir", "/usr/lib", "--overlay", "/p", "echo $(cat /p/which) $(cat /o/which)")...)
	})
}

// statusLine returns the value of a line of /proc/self/status.
const statusLine = `line() { sed -n "s/^$1:[[:space:]]*//p" /proc/self/status; }; `

func TestIdentity(t *testing.T) {
	each(t, func(t *testing.T, w who, p program) {
		build := plan.CapSet(plan.BuildCaps)
		sets := statusLine + "echo $(id -u) $(id -g) $(line CapEff) $(line CapPrm) $(line CapInh) $(line CapAmb) $(line CapBnd) $(line NoNewPrivs) $(line Seccomp)"
		if w.UID != 0 {
			each := func(uid int, set uint64, nnp, seccomp int, args ...string) {
				c := fmt.Sprintf(" %016x", set)
				w.want(t, p, fmt.Sprintf("%d %d%s %d %d", uid, uid, strings.Repeat(c, 5), nnp, seccomp), append(args, sets)...)
			}
			each(w.UID, build, 0, 0)
			each(0, build, 0, 0, "--become-root")
			each(0, build|plan.CapSet(plan.BuildNetCaps), 0, 0, "--become-root", "--unshare-net")
			each(w.UID, build, 1, 2, "--suppress-chown")
			each(w.UID, build, 1, 2, "--suppress-sync")
		} else {
			// Root is what it was, and can give files away in earnest.
			here := box.Finish(t, w.command(t, program{"", []string{"sh"}}, "-c", sets)).Out
			for _, args := range [][]string{{}, {"--become-root"}, {"--unshare-net", "--unshare-ipc"}, {"--suppress-chown"}} {
				w.want(t, p, here, append(args, sets)...)
			}
			w.want(t, p, "5 0", "--suppress-chown", "touch /tmp/x; chown 5 /tmp/x; stat -c '%u %g' /tmp/x")
		}
		w.want(t, p, "0", "--suppress-sync", "sync; echo $?")
		if w.UID != 0 {
			w.want(t, p, "0", "--suppress-chown", "--become-root", "touch /tmp/x; chown 5 /tmp/x && stat -c %u /tmp/x")
		}
	})
}

func TestNamespaces(t *testing.T) {
	each(t, func(t *testing.T, w who, p program) {
		list := "for n in cgroup ipc mnt net pid user uts; do readlink /proc/self/ns/$n; done | xargs"
		here := strings.Fields(box.Finish(t, w.command(t, program{"", []string{"sh"}}, "-c", list)).Out)
		differ := func(want string, args ...string) {
			t.Helper()
			r := w.run(t, p, append(args, list)...)
			var got []string
			for i, ns := range strings.Fields(r.Out) {
				if i < len(here) && ns != here[i] {
					name, _, _ := strings.Cut(ns, ":")
					got = append(got, name)
				}
			}
			if w.UID != 0 {
				want += " user"
			}
			if strings.Join(got, " ") != want || r.Code != 0 {
				t.Errorf("%q: new namespaces %q, want %q; %s", args, got, want, r)
			}
		}
		differ("mnt")
		differ("mnt", "--become-root")
		differ("mnt net", "--unshare-net")
		differ("ipc mnt", "--unshare-ipc")
		// The mounts: as they are on the host, and shared with what comes of this.
		w.want(t, p, "rw,relatime shared", "--tmpfs", "/new", "grep '^[^ ]* [^ ]* [^ ]* [^ ]* /new ' /proc/self/mountinfo | cut -d' ' -f 6,7 | cut -d: -f1")
		w.want(t, p, "shared", "cut -d' ' -f7 /proc/self/mountinfo | cut -d: -f1 | sort -u")
		w.want(t, p, "bin dev lib proc tmp usr", "ls / | grep -v -e sbin -e lib[0-9x] | xargs")
		w.want(t, p, "core fd full null ptmx pts random shm stderr stdin stdout tty urandom zero", "ls /dev | grep -v fuse | xargs")
	})
}

// TestNested calls the program in a sandbox of its own.
func TestNested(t *testing.T) {
	each(t, func(t *testing.T, w who, p program) {
		inner := append([]string{}, p.argv...)
		var bind []string
		if p.name == "ours" {
			bind, inner = []string{"--ro-bind", ours, "/mkosi-sandbox"}, []string{"/mkosi-sandbox"}
		} else {
			bind = []string{"--ro-bind", p.argv[2], p.argv[2]}
		}
		nested := strings.Join(inner, " ") + " --bind / / "
		user := "readlink /proc/self/ns/user /proc/self/ns/net; "
		same := func(outer []string, options, want string) {
			t.Helper()
			r := w.run(t, p, append(append(bind, outer...), user+nested+options+" sh -c '"+user+"id -u'")...)
			l := strings.Fields(r.Out)
			if len(l) != 5 {
				t.Errorf("%q %s: %s", outer, options, r)
				return
			}
			got := fmt.Sprintf("user %t net %t uid %s", l[0] == l[2], l[1] == l[3], l[4])
			if got != want {
				t.Errorf("%q %s: %s, want %s", outer, options, got, want)
			}
		}
		uid := fmt.Sprint(w.UID)
		same(nil, "", "user true net true uid "+uid)
		same([]string{"--become-root"}, "--become-root", "user true net true uid 0")
		if w.UID != 0 {
			// Without the right the network is not unshared, and nobody complains.
			same(nil, "--unshare-net", "user true net true uid "+uid)
			same([]string{"--unshare-net"}, "--unshare-net", "user true net false uid "+uid)
			// Who has to become root gets a user namespace, and in that a network.
			same(nil, "--become-root", "user false net true uid 0")
			same(nil, "--become-root --unshare-net", "user false net false uid 0")
			// With one uid in the namespace nobody can give files away.
			w.want(t, p, "0", append(bind, "--become-root", nested+"--suppress-chown sh -c 'touch /tmp/x && chown 5 /tmp/x && stat -c %u /tmp/x'")...)
		}
	})
}

func TestEnvironment(t *testing.T) {
	each(t, func(t *testing.T, w who, p program) {
		d := w.Dir(t)
		run := func(want string, args ...string) {
			t.Helper()
			cmd := w.command(t, p, append(append(base(), args[:len(args)-1]...), "sh", "-c", args[len(args)-1])...)
			cmd.Env = append(cmd.Env, "A=1", "B=2", "PWD=/elsewhere", "OLDPWD=/before", "SHELL=/bin/false")
			cmd.Dir = d
			box.Finish(t, cmd).Want(t, args, want)
		}
		// All are set before any is unset.
		run("B=2\nC=x=y", "--unsetenv", "A", "--setenv", "A", "3", "--setenv", "C", "x=y", "env | grep ^[ABC]= | sort")
		run("PWD=/elsewhere OLDPWD=/before", "tr '\\0' '\\n' </proc/$$/environ | grep PWD | sort -r | xargs")
		run("/ /", "echo $(pwd -P) $(readlink /proc/self/cwd)")
		run(d, "--bind", d, d, "--same-dir", "pwd -P")
		run("/usr", "--bind", d, d, "--same-dir", "--chdir", "/usr", "pwd -P")
		run(d+"/new", "--bind", d, d, "--dir", "new", "--chdir", "new", "pwd -P") // relative to the caller's

		// Without a command it is bash, whatever $SHELL is.
		cmd := w.command(t, p, append(base(), "--")...)
		cmd.Stdin = strings.NewReader("echo $0 $BASH_VERSION\n")
		cmd.Env = append(cmd.Env, "SHELL=/bin/false")
		if r := box.Finish(t, cmd); r.Code != 0 || !strings.HasPrefix(r.Out, "bash ") {
			t.Error(r)
		}
		// The mode of a file goes by the umask, and directories do not.
		cmd = w.command(t, program{"", []string{"sh"}}, append([]string{"-c", `umask 027; exec "$@"`, "sh"}, append(append(p.argv, base()...), "--write", "x", "/d/f", "sh", "-c", "umask; stat -c %a /d /d/f")...)...)
		if r := box.Finish(t, cmd); r.Out != "0027\n755\n640\n" {
			t.Error(r)
		}
	})
}

// TestBecome has the program be the command: no process between, its end by a
// signal seen as such, and the descriptors those that were inherited.
func TestBecome(t *testing.T) {
	each(t, func(t *testing.T, w who, p program) {
		for _, args := range [][]string{{"--become-root"}, {"--unshare-net", "--suppress-chown"}} {
			r := w.run(t, p, append(args, "echo $$; ls /proc/self/task | wc -l; kill -TERM $$")...)
			if r.Signal != syscall.SIGTERM || r.Out != fmt.Sprintf("%d\n1\n", r.Pid) || r.Err != "" {
				t.Errorf("pid %d: %s", r.Pid, r)
			}
		}
		read, write, err := os.Pipe()
		box.Must(t, err)
		defer read.Close()
		files := []*os.File{nil, nil, write, nil, write}
		seen := w.inherited(t, files, program{"", []string{"sh", "-c"}}, listFDs)
		if got := w.inherited(t, files, p, append(base(), "sh", "-c", listFDs+"; echo hello >&5")...); got != seen {
			t.Errorf("file descriptors %s, want %s", got, seen)
		}
		var b [10]byte
		if n, _ := read.Read(b[:]); string(b[:n]) != "hello\n" {
			t.Errorf("got %q through the pipe", b[:n])
		}
		n := len(strings.Fields(seen)) - 3
		want := fmt.Sprint(n, " 0\n0 1 2")
		for i := range n {
			want += " " + fmt.Sprint(3+i)
		}
		if got := w.inherited(t, files, p, append(base(), "--pack-fds", "sh", "-c", "echo $LISTEN_FDS $((LISTEN_PID - $$)); "+listFDs)...); got != want {
			t.Errorf("file descriptors %s, want %s", got, want)
		}
		write.Close()

		if r := box.Finish(t, w.command(t, p, append(base(), "/none/such")...)); r.Code != 127 || r.Out != "" {
			t.Error(r)
		}
		if r := box.Finish(t, w.command(t, p, append(base(), "none-such")...)); r.Code != 127 || r.Out != "" {
			t.Error(r)
		}
		if r := box.Finish(t, w.command(t, p, append(base(), "/usr")...)); r.Code != 1 || r.Out != "" {
			t.Error(r)
		}
		if r := w.run(t, p, "exit 77"); r.Code != 77 {
			t.Error(r)
		}
		for _, args := range [][]string{{"--help"}, {"-h"}, {"--version"}, {"--dir", "/x", "--help", "--frob"}} {
			if r := box.Finish(t, w.command(t, p, args...)); r.Code != 0 || r.Out != "" || r.Err == "" {
				t.Errorf("%q: %s", args, r)
			}
		}
	})
}

// listFDs lists the file descriptors of the shell.
const listFDs = "i=0 l=; while [ $i -lt 256 ]; do if [ -e /proc/$$/fd/$i ]; then l=\"$l $i\"; fi; i=$((i+1)); done; echo $l"

// inherited returns what a run with files from number 3 on prints.
func (w who) inherited(t *testing.T, files []*os.File, p program, args ...string) string {
	t.Helper()
	cmd := w.command(t, p, args...)
	cmd.ExtraFiles = files
	r := box.Finish(t, cmd)
	if r.Code != 0 {
		t.Error(r)
	}
	return strings.TrimSpace(r.Out)
}

// TestOlder has the options of older versions.
func TestOlder(t *testing.T) {
	box.Need(t)
	w, p := who{box.Users()[0]}, programs()[0]
	w.want(t, p, "self", "--proc", "/p", "ls -d /p/self | cut -d/ -f3")
	files := []*os.File{os.Stdin, os.Stdin, os.Stdin}
	seen := w.inherited(t, files, program{"", []string{"sh", "-c"}}, listFDs)
	want := strings.Replace(strings.Replace(seen+" ", " 3 ", " ", 1), " 5 ", " ", 1)
	if got := w.inherited(t, files, p, append(base(), "--exec-fd", "3", "--close-fd", "5", "sh", "-c", listFDs)...); got+" " != want {
		t.Errorf("file descriptors %s, want %s", got, want)
	}
	// It stops before the command starts.
	cmd := w.command(t, p, append(base(), "--suspend", "sh", "-c", "exit 5")...)
	box.Must(t, cmd.Start())
	var ws unix.WaitStatus
	if _, err := unix.Wait4(cmd.Process.Pid, &ws, unix.WUNTRACED, nil); err != nil || !ws.Stopped() || ws.StopSignal() != unix.SIGSTOP {
		t.Errorf("%v, %x", err, ws)
	}
	box.Must(t, cmd.Process.Signal(syscall.SIGCONT))
	if cmd.Wait(); cmd.ProcessState.ExitCode() != 5 {
		t.Error(cmd.ProcessState)
	}
}

// TestFaults has the words named.
func TestFaults(t *testing.T) {
	box.Need(t)
	w, p := who{box.Users()[0]}, programs()[0]
	r := box.Finish(t, w.command(t, p, "--dir", "/x", "--bind", "/none/1", "/a b", "--ro-bind", "/none/2", "/c", "true"))
	want := `mkosi-sandbox:3:1: error: bind: source "/none/1" does not exist on the host
  3 | --bind /none/1 '/a b'
    | ^
  hint: --bind-try and --ro-bind-try skip what is missing
mkosi-sandbox:6:1: error: bind: source "/none/2" does not exist on the host
  6 | --ro-bind /none/2 /c
    | ^
  hint: --bind-try and --ro-bind-try skip what is missing
`
	if r.Code != 1 || r.Err != want {
		t.Errorf("%s\nwant:\n%s", r, want)
	}
	// A FIFO in a bound directory is not waited for.
	d := w.Dir(t)
	box.Must(t, unix.Mkfifo(d+"/fifo", 0o600))
	w.Own(t, d+"/fifo")
	r = box.Finish(t, w.command(t, p, "--bind", d, "/d", "--write", "x", "/d/fifo", "true"))
	if want := "mkosi-sandbox:4:1: error: write: openat at \"/d/fifo\": no such device or address\n"; r.Code != 1 || !strings.HasPrefix(r.Err, want) {
		t.Errorf("%s\nwant:\n%s", r, want)
	}
	r = box.Finish(t, w.command(t, p, append(base(), "none-such")...))
	if !strings.HasPrefix(r.Err, fmt.Sprintf("mkosi-sandbox:%d:1: error: command \"none-such\" not found in the sandbox\n", len(base())+1)) {
		t.Error(r)
	}
}

// TestHints has the hints worded for a command line.
func TestHints(t *testing.T) {
	for _, tt := range []struct{ d, want plan.Diagnostic }{
		{plan.Diagnostic{Op: "bind", What: plan.WhatSource, Errno: unix.ENOENT, Hint: "pass optional = True to skip it when it is missing"}, plan.Diagnostic{Hint: "--bind-try and --ro-bind-try skip what is missing"}},
		{plan.Diagnostic{Op: "overlay", What: plan.WhatSource, Errno: unix.ENOENT}, plan.Diagnostic{}},
		{plan.Diagnostic{Hint: `symlink("usr/bin", "/bin") if /usr is bound, or bind("/bin", ro = True)`}, plan.Diagnostic{Hint: "--symlink usr/bin /bin if /usr is there, or --ro-bind /bin /bin"}},
		{plan.Diagnostic{Hint: "bind() the directory that holds it"}, plan.Diagnostic{Hint: "--ro-bind shows the directory that holds it"}},
		{plan.Diagnostic{Hint: "mkdir() makes a directory"}, plan.Diagnostic{}},
		{plan.Diagnostic{Hint: "searched: PATH=/bin"}, plan.Diagnostic{Hint: "searched: PATH=/bin"}},
	} {
		if got := hint(tt.d); got != tt.want.Hint {
			t.Errorf("%q: got %q, want %q", tt.d.Hint, got, tt.want.Hint)
		}
	}
}
