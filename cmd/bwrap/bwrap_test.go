//go:build linux

package main

// What bubblewrap's users rely on, on a real kernel. That the sandboxes are the
// same is for package argvtest; the suite of the original runs in suite_test.go.

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"sbx/engine/enginetest/box"
)

func TestReadOnly(t *testing.T) {
	each(t, func(t *testing.T, w who) {
		d := w.Dir(t)
		w.Write(t, d+"/src/file", "old")
		w.Write(t, d+"/src/sub/file", "old")
		sh := "for f in /r/file /r/new /r/sub/file /r/sub/new; do (echo x >$f) 2>/dev/null && echo wrote $f; done; cat /r/file; chmod 777 /r/file 2>/dev/null && echo chmod; rm -rf /r/sub 2>/dev/null && echo removed; true"
		base := []string{"--ro-bind", "/usr", "/usr", "--ro-bind-try", "/bin", "/bin", "--ro-bind-try", "/lib", "/lib", "--ro-bind-try", "/lib64", "/lib64"}
		w.want(t, append(base, "--ro-bind", d+"/src", "/r"), sh, "old")
		w.want(t, append(base, "--bind", d+"/src", "/r", "--remount-ro", "/r"), sh, "old")
		// With what is mounted below, in a sandbox of its own for it to be there.
		outer := []string{"--unshare-user", "--uid", "0", "--cap-add", "ALL", "--bind", "/", "/", "--tmpfs", d + "/src/sub", "--file", "3", d + "/src/sub/file", "--", ours}
		cmd := w.command(t, append(append(outer, base...), "--ro-bind", d+"/src", "/r", "sh", "-c", sh)...)
		cmd.ExtraFiles = []*os.File{data(t, "new")}
		if r := box.Finish(t, cmd); r.Code != 0 || r.Out != "old" {
			t.Error("with a mount below:", r)
		}
		if b, _ := os.ReadFile(d + "/src/file"); string(b) != "old" {
			t.Errorf("the file is %q", b)
		}
	})
}

// TestNowhere has what is relative to a working directory that is gone not be there,
// least of all in the host's root directory.
func TestNowhere(t *testing.T) {
	each(t, func(t *testing.T, w who) {
		run := func(args string) box.Result {
			words := strings.Fields("--ro-bind / / --tmpfs /tmp " + args)
			cmd := w.Command(t, "/bin/sh", append([]string{"-c", `mkdir d && cd d && rmdir ../d && exec "$@"`, "sh", ours}, words...)...)
			cmd.Dir = w.Dir(t)
			return box.Finish(t, cmd)
		}
		for _, args := range []string{"--bind . /tmp", "--bind .. /tmp", "--ro-bind etc /tmp", "--dev-bind ./../etc /tmp", "--overlay-src etc --tmp-overlay /tmp"} {
			src := strings.Fields(args)[1]
			if r := run(args + " ls /tmp"); r.Code != 1 || r.Out != "" || r.Err != "bwrap: Can't find source path "+src+": No such file or directory\n" {
				t.Errorf("%s: %s", args, r)
			}
		}
		for _, args := range []string{"--bind-try . /tmp ls /tmp", "--ro-bind-try etc /tmp ls /tmp", "--tmpfs tmp/x test -d /tmp/x", "--bind /etc tmp/x test -e /tmp/x/passwd"} {
			if r := run(args); r.Code != 0 || r.Out != "" || r.Err != "" {
				t.Errorf("%s: %s", args, r)
			}
		}
	})
}

func TestMessages(t *testing.T) {
	each(t, func(t *testing.T, w who) {
		d := w.Dir(t)
		w.Write(t, d+"/file", "x")
		box.Must(t, unix.Mkfifo(d+"/fifo", 0o600))
		w.Own(t, d+"/fifo")
		long := strings.Repeat("a", 300)
		for _, tt := range []struct{ args, want string }{
			{"--bind /nonexistent /x true", "bwrap: Can't find source path /nonexistent: No such file or directory\n"},
			{"--bind nonexistent /x --ro-bind /no /y true", "bwrap: Can't find source path nonexistent: No such file or directory\nbwrap: Can't find source path /no: No such file or directory\n"},
			{"--ro-bind / / nonexistent-command", "bwrap: execvp nonexistent-command: No such file or directory\n"},
			{"--ro-bind / / /nonexistent/command", "bwrap: execvp /nonexistent/command: No such file or directory\n"},
			{"--ro-bind / / " + d + "/file", "bwrap: execvp " + d + "/file: Permission denied\n"},
			{"--unknown true", "bwrap: Unknown option --unknown\n"},
			{"--level-prefix --unknown true", "<3>bwrap: Unknown option --unknown\n"},
			{"--ro-bind / / --dir /new/dir true", "bwrap: Can't mkdir parents for /new/dir: Read-only file system\n"},
			{"--ro-bind / / --tmpfs /newdir true", "bwrap: Can't mkdir /newdir: Read-only file system\n"},
			{"--ro-bind / / --ro-bind /dev/null /newfile true", "bwrap: Can't create file at /newfile: Read-only file system\n"},
			{"--ro-bind / / --tmpfs /tmp --symlink nowhere /tmp/d --dir /tmp/d/../e true", "bwrap: Can't mkdir parents for /tmp/d/../e: No such file or directory\n"},
			{"--ro-bind / / --chdir /nowhere true", "bwrap: Can't chdir to /nowhere: No such file or directory\n"},
			{"--ro-bind / / --symlink a " + d + "/file true", "bwrap: Can't make symlink at " + d + "/file: destination exists and is not a symlink\n"},
			{"--symlink a /l --symlink b /l true", "bwrap: Can't make symlink at /l: existing destination is a\n"},
			{"--ro-bind / / --remount-ro /usr/bin true", "bwrap: Can't remount readonly on /newroot/usr/bin: Unable to find \"/newroot/usr/bin\" in mount table\n"},
			{"--ro-bind / / --file 77 /tmp/x true", "bwrap: Can't write data to file /tmp/x: Bad file descriptor\n"},
			{"--bind / / --file 0 " + d + "/fifo true", "bwrap: Can't create file " + d + "/fifo: No such device or address\n"}, // not waited for
			{"--ro-bind / / --args 77 true", "bwrap: Can't read --args data: Bad file descriptor\n"},
			{"--ro-bind / / --bind-fd 77 /tmp true", "bwrap: Can't find source path /proc/self/fd/77: No such file or directory\n"},
			{"--ro-bind / / --assert-userns-disabled true", "bwrap: creation of new user namespaces was not disabled as requested\n"},
			{"--ro-bind / / --lock-file /nonexistent true", "bwrap: Unable to open lock file /nonexistent: No such file or directory\n"},
			{"--ro-bind / / --userns 0 true", "bwrap: Joining the specified user namespace failed, it might not be a descendant of the current user namespace.\n"},
			{"--ro-bind / / --info-fd 77 true", "bwrap: Write to info_fd: Bad file descriptor\n"},
			{"--ro-bind / / --info-fd 8 true", "bwrap: Write to info_fd: Bad file descriptor\n"}, // one of the runtime's own, maybe
			{"--ro-bind / / --json-status-fd 0 true", "bwrap: Write to info_fd: Bad file descriptor\n"},
			{"--overlay-src /usr --overlay nope up /o true", "bwrap: Can't find source path nope: No such file or directory\n"},
			{"--overlay-src /usr --overlay /tmp up /o true", "bwrap: Can't find source path up: No such file or directory\n"},
			{"--overlay-src /usr --overlay-src nope --ro-overlay /o true", "bwrap: Can't find source path " + d + "/nope: No such file or directory\n"},
			{"--dir /o --overlay-src /usr/bin --overlay-src /usr/lib --overlay-src /usr --ro-overlay /o true", "bwrap: Can't make overlay mount on /newroot/o: Overlay directories may not overlap\n"},
			{"--unshare-uts --hostname " + long + " true", "bwrap: Can't set hostname to " + long + ": Invalid argument\n"},
			{"--seccomp 0 true", "bwrap: Unable to set up system call filtering as requested: a seccomp filter has 0 bytes, want a multiple of 8, at most 32768\n"},
			{"--dir /" + long + " true", "bwrap: Can't mkdir /" + long + ": File name too long\n"},
			{"--symlink a /" + long + " true", "bwrap: Can't make symlink at /" + long + ": File name too long\n"},
			{"--bind /" + long + " /x true", "bwrap: Can't find source path /" + long + ": File name too long\n"},
			{"--unshare-user --mqueue /q true", "bwrap: Can't mount mqueue on /newroot/q: Operation not permitted\n"},
			{"--unshare-user --cap-add 21x --ro-bind / / true", "bwrap: unknown cap: 21x\n"},
			{"--ro-bind / / --exec-label x true", "bwrap: labeling not supported on this system\n"},
		} {
			cmd := w.command(t, strings.Fields(tt.args)...)
			cmd.Dir = d
			if r := box.Finish(t, cmd); r.Code != 1 || r.Err != tt.want || r.Out != "" {
				t.Errorf("%s: %s\nwant stderr:\n%s", tt.args, r, tt.want)
			}
		}
		r := w.run(t, "--help")
		if !strings.HasPrefix(r.Out, "usage: "+ours+" [OPTIONS...] [--] COMMAND [ARGS...]\n") || r.Code != 0 {
			t.Error("--help:", r)
		}
		if r := w.run(t); r.Code != 1 || !strings.HasPrefix(r.Err, "usage: ") {
			t.Error("nothing:", r)
		}
		if r := w.run(t, "--version"); r.Out != "bubblewrap 0.11.1\n" || r.Code != 0 {
			t.Error("--version:", r)
		}
		if r := w.run(t, "--chdir", "/", "--chdir", "/", "--ro-bind", "/", "/", "true"); r.Err != "bwrap: Only the last --chdir option will take effect\n" || r.Code != 0 {
			t.Error("a warning:", r)
		}
	})
}

func TestEnd(t *testing.T) {
	each(t, func(t *testing.T, w who) {
		for _, ns := range [][]string{nil, {"--unshare-pid"}, {"--unshare-pid", "--as-pid-1"}, {"--die-with-parent"}, {"--die-with-parent", "--unshare-pid"}, {"--lock-file", "/etc/passwd"}} {
			for sh, want := range map[string]int{"exit 0": 0, "exit 7": 7, "kill -9 $$; sleep 9": 137, "kill -11 $$; sleep 9": 139} {
				if want > 127 && len(ns) == 2 && ns[1] == "--as-pid-1" {
					continue // a pid 1 cannot be killed from within
				}
				if r := w.run(t, root(append(ns, "sh", "-c", sh)...)...); r.Code != want || r.Err != "" {
					t.Errorf("%q, %s: %s", ns, sh, r)
				}
			}
			// What is left running is not waited for, and goes on, but for a pid 1's.
			d := w.Dir(t)
			cmd := w.command(t, root(append(ns, "sh", "-c", "(while ! test -e "+d+"/end; do sleep 0.01; done; touch "+d+"/ended) & touch "+d+"/left")...)...)
			cmd.Stdout, _ = os.OpenFile("/dev/null", os.O_WRONLY, 0)
			cmd.Stderr = cmd.Stdout
			if err := cmd.Run(); err != nil {
				t.Errorf("%q, with a process left behind: %v", ns, err)
			}
			box.Must(t, os.WriteFile(d+"/end", nil, 0o644))
			if (len(ns) < 2 || ns[1] != "--as-pid-1") && !(len(ns) == 2 && ns[0] == "--die-with-parent") {
				box.Eventually(t, fmt.Sprintf("%q: for what the command left", ns), func() bool {
					_, err := os.Stat(d + "/ended")
					return err == nil
				})
			}
		}
	})
}

// running starts a sandbox with a command that says its pid as seen from outside.
func (w who) running(t *testing.T, args ...string) (cmd *exec.Cmd, inside int) {
	t.Helper()
	cmd = w.command(t, root(append(args, "sh", "-c", "echo $$ >&3; exec 3>&-; exec sleep 999")...)...)
	r, pw, err := os.Pipe()
	box.Must(t, err)
	ir, iw, err := os.Pipe()
	box.Must(t, err)
	cmd.ExtraFiles = []*os.File{pw, iw}
	cmd.Args = append([]string{ours, "--info-fd", "4"}, cmd.Args[1:]...)
	box.Must(t, cmd.Start())
	pw.Close()
	iw.Close()
	b, err := io.ReadAll(r)
	box.Must(t, err)
	info, err := io.ReadAll(ir)
	box.Must(t, err)
	var v struct {
		Pid int `json:"child-pid"`
	}
	if err := json.Unmarshal(info, &v); err != nil || len(b) == 0 {
		t.Fatalf("%v: %q, %q", err, info, b)
	}
	t.Cleanup(func() {
		syscall.Kill(v.Pid, syscall.SIGKILL)
		cmd.Process.Kill()
		cmd.Wait()
	})
	return cmd, v.Pid
}

func alive(pid int) bool {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err == nil && !strings.Contains(string(b), ") Z ")
}

func TestSignals(t *testing.T) {
	each(t, func(t *testing.T, w who) {
		for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT, syscall.SIGQUIT, syscall.SIGUSR1, syscall.SIGKILL} {
			for _, ns := range [][]string{nil, {"--unshare-pid"}} {
				cmd, pid := w.running(t, ns...)
				box.Must(t, cmd.Process.Signal(sig))
				if r := box.Ended(t, cmd, cmd.Wait()); r.Signal != sig {
					t.Errorf("%v, %q: %s", sig, ns, r)
				}
				if !alive(pid) {
					t.Errorf("%v, %q: the sandbox is gone", sig, ns)
				}
				cmd, pid = w.running(t, append(ns, "--die-with-parent")...)
				box.Must(t, cmd.Process.Signal(sig))
				cmd.Wait()
				box.Eventually(t, fmt.Sprintf("for the sandbox to end after %v, %q", sig, ns), func() bool { return !alive(pid) })
			}
		}
	})
}

// TestSignalsWithin sends signals to pid 1, which heeds none of its own sandbox.
func TestSignalsWithin(t *testing.T) {
	each(t, func(t *testing.T, w who) {
		for _, sig := range []string{"HUP", "TERM", "SEGV", "USR1", "ALRM", "TSTP", "TTIN", "CONT"} {
			r := w.run(t, "--ro-bind", "/", "/", "--unshare-pid", "--proc", "/proc", "bash", "-c", "kill -"+sig+" 1; sleep 0.05; exit 5")
			if r.Code != 5 || r.Err != "" {
				t.Errorf("%s: %s", sig, r)
			}
		}
	})
}

func TestStatus(t *testing.T) {
	each(t, func(t *testing.T, w who) {
		run := func(args ...string) (box.Result, []map[string]any) {
			r, pw, err := os.Pipe()
			box.Must(t, err)
			cmd := w.command(t, append([]string{"--json-status-fd", "3"}, root(args...)...)...)
			cmd.ExtraFiles = []*os.File{pw}
			res := box.Finish(t, cmd)
			pw.Close()
			b, err := io.ReadAll(r)
			box.Must(t, err)
			var list []map[string]any
			for line := range strings.Lines(string(b)) {
				m := map[string]any{}
				if err := json.Unmarshal([]byte(line), &m); err != nil {
					t.Errorf("%q: %v", line, err)
				}
				list = append(list, m)
			}
			return res, list
		}
		for _, ns := range []string{"--new-session", "--unshare-pid", "--unshare-all"} {
			res, list := run(ns, "sh", "-c", "readlink /proc/self/ns/mnt; exit 42")
			mnt := ""
			if len(list) > 0 {
				mnt = fmt.Sprintf("mnt:[%.0f]\n", list[0]["mnt-namespace"])
			}
			if res.Code != 42 || len(list) != 2 || list[1]["exit-code"] != 42.0 || ns != "--unshare-all" && mnt != res.Out && ns != "--unshare-pid" {
				t.Errorf("%s: %s\n%v", ns, res, list)
			}
			if res, list := run(ns, "sh", "-c", "kill -9 $$; sleep 9"); res.Code != 137 || len(list) != 2 || list[1]["exit-code"] != 137.0 {
				t.Errorf("%s, killed: %s\n%v", ns, res, list)
			}
			if res, list := run(ns, "/nonexistent"); res.Code != 1 || len(list) != 1 || list[0]["child-pid"] == nil {
				t.Errorf("%s, no command: %s\n%v", ns, res, list)
			}
		}
	})
}

func TestDescriptors(t *testing.T) {
	each(t, func(t *testing.T, w who) {
		d := w.Dir(t)
		w.Write(t, d+"/src/file", "bound")
		// 3: data, 4: options, 5: a directory, 6: passed on
		cmd := w.command(t, root("--tmpfs", "/tmp", "--file", "3", "/tmp/f", "--args", "4", "--ro-bind-fd", "5", "/tmp/d", "sh", "-c", "cat /tmp/f /tmp/g/file /tmp/d/file; echo; ls /proc/self/fd | tr '\\n' ' '; cat <&6")...)
		src, err := os.Open(d + "/src")
		box.Must(t, err)
		defer src.Close()
		cmd.ExtraFiles = []*os.File{data(t, "data "), data(t, "--bind\x00"+d+"/src\x00/tmp/g\x00"), src, data(t, "passed")}
		cmd.Args = append(cmd.Args[:1:1], append([]string{"--proc", "/proc"}, cmd.Args[1:]...)...)
		r := box.Finish(t, cmd)
		open := " " + strings.TrimPrefix(r.Out, "data boundbound\n")
		if open == " "+r.Out || !strings.HasSuffix(open, " passed") || !strings.Contains(open, " 6 ") || strings.Contains(open, " 4 ") || strings.Contains(open, " 5 ") {
			t.Error(r) // 3 is ls's own
		}

		// Who waits for the end of a pipe that the command alone has does not wait for us.
		pr, pw, err := os.Pipe()
		box.Must(t, err)
		cmd = w.command(t, root("sh", "-c", "exec 3>&-; read x")...)
		cmd.ExtraFiles = []*os.File{pw}
		in, err := cmd.StdinPipe()
		box.Must(t, err)
		box.Must(t, cmd.Start())
		pw.Close()
		io.ReadAll(pr)
		in.Close()
		cmd.Wait()
	})
}

func TestHooks(t *testing.T) {
	each(t, func(t *testing.T, w who) {
		d := w.Dir(t)
		// block-fd holds the command back.
		r, pw, err := os.Pipe()
		box.Must(t, err)
		cmd := w.command(t, root("--block-fd", "3", "touch", d+"/begun")...)
		cmd.ExtraFiles = []*os.File{r}
		box.Must(t, cmd.Start())
		if _, err := os.Stat(d + "/begun"); err == nil {
			t.Error("it did not wait")
		}
		pw.WriteString("x")
		box.Must(t, cmd.Wait())
		if _, err := os.Stat(d + "/begun"); err != nil {
			t.Error(err)
		}

		// What ^C is for ends what waits, too.
		for i, more := range [][]string{nil, {"--sync-fd", "5"}} {
			ready := d + "/ready" + strconv.Itoa(i)
			info, iw, err := os.Pipe()
			box.Must(t, err)
			cmd = w.command(t, root(append(more, "--dir", ready, "--block-fd", "3", "--json-status-fd", "4", "touch", d+"/never")...)...)
			if cmd.SysProcAttr == nil {
				cmd.SysProcAttr = &syscall.SysProcAttr{}
			}
			cmd.SysProcAttr.Setpgid = true
			br, bw, err := os.Pipe()
			box.Must(t, err)
			cmd.ExtraFiles = []*os.File{br, iw, os.Stderr}
			box.Must(t, cmd.Start())
			iw.Close()
			br.Close()
			var v struct {
				Pid int `json:"child-pid"`
			}
			box.Must(t, json.NewDecoder(info).Decode(&v))
			box.Eventually(t, "for the sandbox to be made", func() bool { _, err := os.Stat(ready); return err == nil })
			box.Must(t, syscall.Kill(-cmd.Process.Pid, syscall.SIGINT))
			if r := box.Ended(t, cmd, cmd.Wait()); r.Signal != syscall.SIGINT {
				t.Errorf("%q: %s", more, r)
			}
			box.Eventually(t, fmt.Sprintf("for what waits to end, %q", more), func() bool { return !alive(v.Pid) })
			bw.Close()
			info.Close()
		}
		if _, err := os.Stat(d + "/never"); err == nil {
			t.Error("it went on")
		}

		// A lock file is locked as long as the sandbox lasts, and so is sync-fd open.
		lock := w.Write(t, d+"/l/lock", "")
		sr, sw, err := os.Pipe()
		box.Must(t, err)
		cmd = w.command(t, root("--lock-file", lock, "--sync-fd", "3", "sh", "-c", "echo go; read x")...)
		cmd.ExtraFiles = []*os.File{sw}
		in, err := cmd.StdinPipe()
		box.Must(t, err)
		out, err := cmd.StdoutPipe()
		box.Must(t, err)
		box.Must(t, cmd.Start())
		sw.Close()
		io.ReadFull(out, make([]byte, 3))
		f, err := os.OpenFile(lock, os.O_RDWR, 0)
		box.Must(t, err)
		defer f.Close()
		try := func() error {
			return unix.FcntlFlock(f.Fd(), unix.F_SETLK, &unix.Flock_t{Type: unix.F_WRLCK})
		}
		if err := try(); err == nil {
			t.Error("the file is not locked")
		}
		in.Close()
		cmd.Wait()
		io.ReadAll(sr) // ends
		box.Eventually(t, "for the lock to go", func() bool { return try() == nil })

		// The caller maps the ids.
		cmd = w.command(t, root("--unshare-user", "--info-fd", "4", "--userns-block-fd", "5", "id", "-u")...)
		w.Held(t, cmd, nil, 4321, func() {}).Want(t, "id", "4321")
	})
}

// TestEscape has symlinks in a bound directory that point out of the sandbox.
func TestEscape(t *testing.T) {
	each(t, func(t *testing.T, w who) {
		d := w.Dir(t)
		w.Write(t, d+"/host/file", "host")
		w.Write(t, d+"/src/file", "x")
		for name, target := range map[string]string{"abs": d + "/host", "up": "../../../../../../../../" + d + "/host", "old": "/oldroot" + d + "/host", "proc": "/proc/self/root" + d + "/host"} {
			box.Must(t, os.Symlink(target, d+"/src/"+name))
			for _, op := range [][]string{{"--dir", "new"}, {"--bind", "/etc", "file"}, {"--symlink", "a", "link"}, {"--file", "0", "file"}, {"--tmpfs", "deep/er"}, {"--bind-data", "0", "data"}, {"--chmod", "0777", "file"}} {
				args := append([]string{"--bind", d + "/src", "/s"}, op...)
				args[len(args)-1] = "/s/" + name + "/" + args[len(args)-1]
				cmd := w.command(t, append(args, "--ro-bind", "/usr", "/usr", "/usr/bin/true")...)
				cmd.Stdin = strings.NewReader("changed")
				box.Finish(t, cmd) // whatever comes of it
			}
		}
		list, err := os.ReadDir(d + "/host")
		box.Must(t, err)
		b, _ := os.ReadFile(d + "/host/file")
		if st, _ := os.Stat(d + "/host/file"); len(list) != 1 || string(b) != "host" || st.Mode() != 0o644 {
			t.Errorf("the host has changed: %v, %q, %v", list, b, st.Mode())
		}
	})
}

// TestOrder has the line of a program that binds a socket before the root, and
// hides files that do not exist.
func TestOrder(t *testing.T) {
	each(t, func(t *testing.T, w who) {
		d := w.Dir(t)
		w.Write(t, d+"/proj/.bashrc", "rc\n")
		w.Write(t, d+"/secrets/key", "key\n")
		w.Write(t, d+"/secrets/open/file", "open\n")
		fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		box.Must(t, err)
		defer unix.Close(fd)
		box.Must(t, unix.Bind(fd, &unix.SockaddrUnix{Name: d + "/sock"}))
		box.Must(t, os.Chown(d+"/sock", w.UID, w.UID))
		args := []string{
			"--new-session", "--die-with-parent", "--unshare-net", "--bind", d + "/sock", d + "/sock",
			"--ro-bind", "/", "/", "--bind", d + "/proj", d + "/proj",
			"--tmpfs", d + "/secrets", "--ro-bind", d + "/secrets/open", d + "/secrets/open",
			"--ro-bind", d + "/proj/.bashrc", d + "/proj/.bashrc", "--ro-bind", "/dev/null", d + "/proj/.profile",
			"--dev", "/dev", "--unshare-pid", "--unshare-user", "--cap-drop", "ALL", "--proc", "/proc",
		}
		w.want(t, args, "cd "+d+"; test -S sock && echo sock; ls -A secrets proj; cat secrets/open/file; (echo x >proj/.bashrc) 2>/dev/null || echo no; stat -c %F proj/.profile; touch proj/new; (touch new) 2>/dev/null || echo no; ls /sys/class/net 2>/dev/null | wc -l >/dev/null; echo $$",
			"sock\nproj:\n.bashrc\n.profile\n\nsecrets:\nopen\nopen\nno\ncharacter special file\nno\n2")
		if st, err := os.Stat(d + "/proj/.profile"); err != nil || st.Size() != 0 || st.Mode() != 0o444 {
			t.Errorf(".profile on the host: %v, %v", st, err)
		}
	})
}

func TestNested(t *testing.T) {
	each(t, func(t *testing.T, w who) {
		outer := []string{"--unshare-user", "--uid", "0", "--gid", "0", "--cap-add", "ALL", "--bind", "/", "/", "--bind", "/proc", "/proc", "--", "/proc/self/exe"}
		r := w.run(t, append(outer, "--unshare-all", "--bind", "/", "/", "--proc", "/proc", "--dev", "/dev", "/proc/self/exe", "--help")...)
		if r.Code != 0 || !strings.HasPrefix(r.Out, "usage: /proc/self/exe ") {
			t.Error("three deep:", r)
		}
		r = w.run(t, append(outer, "--unshare-all", "--ro-bind", "/", "/", "--proc", "/proc", "--dev", "/dev", "sh", "-c", "id -u; set -- /proc/[0-9]*; echo $#")...)
		if r.Code != 0 || r.Out != "0\n2\n" { // the init and sh
			t.Error(r)
		}
		r = w.run(t, "--unshare-user", "--disable-userns", "--bind", "/", "/", ours, "--unshare-user", "--bind", "/", "/", "true")
		if r.Code != 1 || !strings.Contains(r.Err, "Creating new namespace failed") {
			t.Error("--disable-userns:", r)
		}
	})
}

func TestCommand(t *testing.T) {
	each(t, func(t *testing.T, w who) {
		d := w.Dir(t)
		script := w.Write(t, d+"/s/script", "echo no interpreter: $0 $1\n")
		box.Must(t, os.Chmod(script, 0o755))
		if r := w.run(t, root(script, "a")...); r.Out != "no interpreter: "+script+" a\n" {
			t.Error(r)
		}
		cmd := w.command(t, root("--argv0", "other", "sh", "-c", "echo $0; pwd; echo $PWD")...)
		cmd.Dir = d
		if r := box.Finish(t, cmd); r.Out != "other\n"+d+"\n"+d+"\n" {
			t.Error(r)
		}
		// Not there: the home directory, or else the root.
		cmd = w.command(t, "--ro-bind", "/usr", "/usr", "--symlink", "usr/lib", "/lib", "--symlink", "usr/lib64", "/lib64", "--dir", "/home/x", "--setenv", "HOME", "/home/x", "/usr/bin/env", "-i", "/usr/bin/pwd")
		cmd.Dir = d
		if r := box.Finish(t, cmd); r.Out != "/home/x\n" {
			t.Error(r)
		}
		w.want(t, root("--clearenv", "--setenv", "A", "b", "--chdir", "/"), "/usr/bin/env | grep -v -e ^_= -e ^SHLVL= -e ^OLDPWD= | sort", "A=b\nPWD=/")
		want := "CapEff:\t0000000000000000\nCapBnd:\t0000000000000000\nNoNewPrivs:\t1"
		w.want(t, root("--cap-drop", "ALL", "--proc", "/proc"), "grep -e CapEff -e CapBnd -e NoNewPrivs /proc/self/status", want)
		w.want(t, root("--unshare-user", "--cap-drop", "ALL", "--cap-add", "CAP_CHOWN", "--proc", "/proc"), "grep -e CapEff -e CapAmb /proc/self/status", "CapEff:\t0000000000000001\nCapAmb:\t0000000000000001")
		w.want(t, root("--unshare-user", "--unshare-uts", "--uid", "7", "--gid", "8", "--hostname", "box"), "id -u; id -g; uname -n", "7\n8\nbox")
	})
}

func TestInitialisers(t *testing.T) {
	cmd := exec.Command(ours, "--version")
	cmd.Env = append(os.Environ(), "GODEBUG=inittrace=1")
	out, err := cmd.CombinedOutput()
	box.Must(t, err)
	total := 0
	for line := range strings.Lines(string(out)) {
		f := strings.Fields(line)
		if len(f) < 10 || f[0] != "init" {
			continue
		}
		n, _ := strconv.Atoi(f[7])
		total += n
		t.Log(strings.TrimSpace(line))
		if f[1] == "sbx/engine/rtinit" {
			continue // it saves more than it costs
		}
		if strings.HasPrefix(f[1], "sbx/") || strings.Contains(f[1], "starlark") || strings.Contains(f[1], "regexp") || strings.Contains(f[1], "kong") {
			t.Errorf("package %s has an initialiser, which every start pays for", f[1])
		}
	}
	if total == 0 || total > 16<<10 {
		t.Errorf("the initialisers allocate %d bytes", total)
	}
	if st, err := os.Stat(ours); err == nil {
		t.Log(filepath.Base(ours), st.Size(), "bytes")
	}
}
