//go:build linux

package argvtest

// What programs that run bwrap rely on, in the way they call it: an application
// runner that hands over descriptors, a sandbox for the commands of an agent, and
// an image builder with one sandbox inside another. It needs no peer.

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"io"
	"net"
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

// called is a run of our bwrap as w.
func called(t *testing.T, w who, dir string, args ...string) *exec.Cmd {
	t.Helper()
	bin, err := ourBwrap()
	box.Must(t, err)
	cmd := exec.Command(bin, args...)
	cmd.Dir = dir
	cmd.Env = []string{"PATH=/usr/bin:/bin", "HOME=/nowhere"}
	if os.Getuid() == 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(w.uid), Gid: uint32(w.gid)}}
	}
	return cmd
}

// callers runs f in a directory of each user's.
func callers(t *testing.T, f func(t *testing.T, w who, top string)) {
	t.Parallel()
	each(t, func(t *testing.T, w who) {
		if out, err := called(t, w, "/", "--ro-bind", "/", "/", "--unshare-all", "true").CombinedOutput(); err != nil {
			box.Skip(t, "no sandboxes for "+w.name+": "+string(out))
		}
		top := filepath.Dir(newSite(t, w).top)
		box.Must(t, os.Chown(top, w.uid, w.gid))
		f(t, w, top)
	})
}

// give writes a file of w's.
func give(t *testing.T, w who, name, data string) string {
	t.Helper()
	box.Must(t, os.MkdirAll(filepath.Dir(name), 0o755))
	box.Must(t, os.Chown(filepath.Dir(name), w.uid, w.gid))
	box.Must(t, os.WriteFile(name, []byte(data), 0o644))
	box.Must(t, os.Chown(name, w.uid, w.gid))
	return name
}

// An application runner hands over its words, what to bind, and a filter by
// descriptors, learns the sandbox's pid, and sees by a lock whether it runs.
func TestCallerWithDescriptors(t *testing.T) {
	callers(t, func(t *testing.T, w who, top string) {
		give(t, w, top+"/app/file", "of the app\n")
		ref := give(t, w, top+"/ref", "")
		dir, err := unix.Open(top+"/app", unix.O_PATH|unix.O_CLOEXEC, 0)
		box.Must(t, err)
		memory := func(name, data string) *os.File {
			fd, err := unix.MemfdCreate(name, unix.MFD_CLOEXEC)
			box.Must(t, err)
			f := os.NewFile(uintptr(fd), name)
			_, err = f.WriteString(data)
			box.Must(t, err)
			_, err = f.Seek(0, io.SeekStart)
			box.Must(t, err)
			return f
		}
		pipe := func() (r, w *os.File) {
			r, w, err := os.Pipe()
			box.Must(t, err)
			return r, w
		}
		infoR, infoW := pipe()
		statusR, statusW := pipe()
		syncR, syncW := pipe()
		filter, err := binary.Append(nil, binary.NativeEndian, unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW})
		box.Must(t, err)
		words := strings.Join([]string{"--ro-bind", "/", "/", "--tmpfs", "/mnt", "--ro-bind-fd", "4", "/mnt/app", "--ro-bind-data", "5", "/mnt/info",
			"--unshare-pid", "--proc", "/proc", "--dev", "/dev", "--lock-file", ref, "--die-with-parent", "--chdir", "/mnt/app",
			"--info-fd", "6", "--json-status-fd", "7", "--sync-fd", "8", "--seccomp", "9", "--setenv", "container", "x"}, "\x00") + "\x00"
		cmd := called(t, w, top, "--args", "3", "--", "sh", "-c",
			"cat file /mnt/info; grep -E '^(NoNewPrivs|Seccomp):' /proc/self/status | tr -d '\\t\\n'; echo; ls /proc/self/fd | tr '\\n' ' '; echo; echo x 2>/dev/null >new || echo read-only; read end; exit 5")
		cmd.ExtraFiles = []*os.File{memory("words", words), os.NewFile(uintptr(dir), "app"), memory("data", "data\n"), infoW, statusW, syncW, memory("filter", string(filter))}
		in, err := cmd.StdinPipe()
		box.Must(t, err)
		outR, outW := pipe()
		var errs bytes.Buffer
		cmd.Stdout, cmd.Stderr = outW, &errs
		box.Must(t, cmd.Start())
		defer cmd.Process.Kill()
		for _, f := range append(cmd.ExtraFiles, outW) {
			f.Close()
		}
		b, err := io.ReadAll(infoR) // until bwrap has written it
		box.Must(t, err)
		var info struct {
			Pid int    `json:"child-pid"`
			PID uint64 `json:"pid-namespace"`
			Mnt uint64 `json:"mnt-namespace"`
		}
		if err := json.Unmarshal(b, &info); err != nil || info.Pid == 0 || info.PID == 0 || info.Mnt == 0 {
			t.Fatalf("%v: %q\n%s", err, b, &errs)
		}
		var out strings.Builder
		for buf := make([]byte, 512); !strings.Contains(out.String(), "read-only"); {
			n, err := outR.Read(buf)
			if err != nil {
				t.Fatalf("%v: %q\n%s", err, &out, &errs)
			}
			out.Write(buf[:n])
		}
		got := strings.Split(out.String(), "\n")
		if want := "of the app\ndata\nNoNewPrivs:1Seccomp:2"; !strings.HasPrefix(out.String(), want+"\n") || len(got) < 5 {
			t.Errorf("%q, want it to begin with %q", &out, want)
		} else if fds := " " + got[3]; strings.Contains(fds, " 3 4 5 ") || strings.Contains(fds, " 6 ") || strings.Contains(fds, " 7 ") || strings.Contains(fds, " 9 ") {
			t.Errorf("the command has the descriptors %q", fds)
		}
		// Who enters by the pid, with setns, goes where the command started.
		proc := "/proc/" + strconv.Itoa(info.Pid)
		if dir, err := os.Readlink(proc + "/cwd"); dir != "/mnt/app" {
			t.Errorf("the working directory of the sandbox's process is %q, %v", dir, err)
		}
		if ns, err := os.Readlink(proc + "/ns/pid"); ns != "pid:["+strconv.FormatUint(info.PID, 10)+"]" {
			t.Errorf("the pid namespace is %s, %v, and %d was told", ns, err, info.PID)
		}
		f, err := os.OpenFile(ref, os.O_RDWR, 0)
		box.Must(t, err)
		defer f.Close()
		locked := func() bool {
			lock := unix.Flock_t{Type: unix.F_WRLCK}
			box.Must(t, unix.FcntlFlock(f.Fd(), unix.F_GETLK, &lock))
			return lock.Type != unix.F_UNLCK
		}
		if !locked() {
			t.Error("it is not locked while the sandbox runs")
		}
		in.Close()
		if err := cmd.Wait(); cmd.ProcessState.ExitCode() != 5 {
			t.Errorf("%v, want exit code 5\n%s", err, &errs)
		}
		if b, _ := io.ReadAll(statusR); !bytes.Contains(b, []byte(`"exit-code": 5`)) {
			t.Errorf("the status is %q", b)
		}
		if b, err := io.ReadAll(syncR); len(b) > 0 || err != nil { // it ends with the sandbox
			t.Errorf("%q, %v", b, err)
		}
		if locked() {
			t.Error("it is locked still")
		}
	})
}

// A sandbox for commands binds a socket and covers it by the host's root, makes a
// project writable, and puts /dev/null and an empty directory where there is
// nothing, to keep it from being made.
func TestCallerInOrder(t *testing.T) {
	callers(t, func(t *testing.T, w who, top string) {
		project := top + "/project"
		give(t, w, project+"/file", "a\n")
		give(t, w, project+"/sub/config", "c\n")
		give(t, w, project+"/secret/s", "s\n")
		give(t, w, top+"/outside", "o\n")
		box.Must(t, os.Mkdir(top+"/empty", 0o755))
		sock := top + "/socket"
		l, err := net.Listen("unix", sock)
		box.Must(t, err)
		defer l.Close()
		box.Must(t, os.Chmod(sock, 0o666))
		args := []string{"--new-session", "--die-with-parent", "--setenv", "A", "1", "--unshare-net", "--bind", sock, sock, "--ro-bind", "/", "/", "--bind", project, project,
			"--ro-bind", project + "/sub/config", project + "/sub/config", "--tmpfs", project + "/secret",
			"--ro-bind", "/dev/null", project + "/.none", "--ro-bind", top + "/empty", project + "/nodir",
			"--dev", "/dev", "--unshare-pid", "--unshare-user", "--cap-drop", "ALL", "--proc", "/proc", "--", "sh", "-c"}
		cmd := called(t, w, project, append(args, `
w() { if (echo x >>$1) 2>/dev/null; then echo "$1 written"; else echo "$1 no"; fi; }
w file; w new; w sub/config; w .none; w nodir/x; w ../outside; w secret/t; ls -A secret; w /etc/passwd
test -S ../socket && echo socket; test -c .none && echo device; cat .none 2>/dev/null; pwd`)...)
		out, err := cmd.CombinedOutput()
		want := "file written\nnew written\nsub/config no\n.none no\nnodir/x no\n../outside no\nsecret/t written\nt\n/etc/passwd no\nsocket\ndevice\n" + project + "\n"
		if err != nil || string(out) != want {
			t.Errorf("%v: %s\nwant:\n%s", err, out, want)
		}
		// What was mounted on stays, empty, as the caller knows what to remove.
		for name, want := range map[string]string{"file": "a\nx\n", "new": "x\n", "sub/config": "c\n", ".none": "", "secret/s": "s\n", "../outside": "o\n"} {
			if b, err := os.ReadFile(filepath.Join(project, name)); err != nil || string(b) != want {
				t.Errorf("%s: %q, %v, want %q", name, b, err, want)
			}
		}
		entries, err := os.ReadDir(project)
		box.Must(t, err)
		names := ""
		for _, e := range entries {
			names += e.Name() + " "
		}
		if names != ".none file new nodir secret sub " {
			t.Errorf("in the project is %s", names)
		}
		box.Must(t, os.Remove(project+"/.none"))
		box.Must(t, os.Remove(project+"/nodir"))
	})
}

// An image builder is root in a user namespace of its own, with many ids if it has
// them, and runs one sandbox inside another, the inner one in the image.
func TestCallerNested(t *testing.T) {
	callers(t, func(t *testing.T, w who, top string) {
		image := top + "/image"
		many := os.Getuid() == 0 && w.uid == 0
		base := w.uid
		if many {
			base = 100000
		}
		for _, d := range []string{"run", "tmp", "var/tmp", "proc", "dev", "etc", "usr", "work"} {
			box.Must(t, os.MkdirAll(image+"/"+d, 0o755))
		}
		give(t, w, image+"/etc/passwd", "root:x:0:0::/:/bin/sh\n")
		for _, l := range []string{"bin", "sbin", "lib", "lib64"} {
			if to, err := os.Readlink("/" + l); err == nil {
				box.Must(t, os.Symlink(to, image+"/"+l))
			} else {
				box.Must(t, os.Mkdir(image+"/"+l, 0o755))
			}
		}
		box.Must(t, filepath.Walk(top, func(p string, _ os.FileInfo, err error) error {
			if err != nil {
				return err
			}
			return os.Lchown(p, base, base)
		}))
		bin, err := ourBwrap()
		box.Must(t, err)
		inner := "id -u; cat /etc/passwd; test -c /dev/null && echo n >/dev/null && echo device; echo built >/etc/new; chown 0:0 /etc/new && echo owned; pwd; echo $container; test -d /run/user/0 && echo run; grep -c . /proc/self/mounts >/dev/null && echo proc; exit 3"
		args := []string{"--unshare-net", "--die-with-parent", "--proc", "/proc", "--dir", "/tmp", "--dir", "/var/tmp", "--dir", "/work", "--unshare-ipc", "--dev", "/dev", "--ro-bind", "/usr", "/usr"}
		for _, l := range []string{"bin", "sbin", "lib", "lib64"} {
			if to, err := os.Readlink("/" + l); err == nil {
				args = append(args, "--symlink", to, "/"+l)
			} else {
				args = append(args, "--ro-bind-try", "/"+l, "/"+l)
			}
		}
		args = append(args, "--ro-bind", bin, "/bwrap", "--bind", image, "/buildroot", "--bind", "/usr", "/buildroot/usr", "sh", "-c", "chmod 1777 /tmp /var/tmp /dev/shm && exec $0 \"$@\"",
			"/bwrap", "--dev-bind", "/", "/", "--tmpfs", "/buildroot/run", "--tmpfs", "/buildroot/tmp", "--bind", "/var/tmp", "/buildroot/var/tmp", "--proc", "/buildroot/proc", "--dev", "/buildroot/dev",
			"--ro-bind-try", "/buildroot/etc/machine-id", "/buildroot/etc/machine-id", "--dir", "/buildroot/run/user/0", "sh", "-c", "chmod 1777 /buildroot/tmp /buildroot/var/tmp /buildroot/dev/shm && exec $0 \"$@\"",
			"/bwrap", "--dev-bind", "/buildroot", "/", "--setenv", "container", "x", "--setenv", "PATH", "/usr/bin:/bin", "--bind", "/work", "/work", "--chdir", "/work", "sh", "-c", inner)
		cmd := exec.Command(bin, args...)
		cmd.Dir = "/"
		cmd.Env = []string{"PATH=/usr/bin:/bin"}
		n := 1
		if many {
			n = 65536
		}
		cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS, GidMappingsEnableSetgroups: many,
			UidMappings: []syscall.SysProcIDMap{{HostID: base, Size: n}}, GidMappings: []syscall.SysProcIDMap{{HostID: base, Size: n}},
			Credential: &syscall.Credential{NoSetGroups: true}}
		out, _ := cmd.CombinedOutput()
		want := "0\nroot:x:0:0::/:/bin/sh\ndevice\nowned\n/work\nx\nrun\nproc\n"
		if string(out) != want || cmd.ProcessState == nil || cmd.ProcessState.ExitCode() != 3 {
			t.Errorf("%v\n%s\nwant exit code 3 and:\n%s", cmd.ProcessState, out, want)
		}
		var st syscall.Stat_t
		box.Must(t, syscall.Stat(image+"/etc/new", &st))
		if int(st.Uid) != base {
			t.Errorf("what root has made in the image is %d's", st.Uid)
		}
		if entries, _ := os.ReadDir(image + "/dev"); len(entries) > 0 {
			t.Errorf("in the image's /dev is %v", entries)
		}
	})
}

// Who reads the messages finds the original's.
func TestCallerReads(t *testing.T) {
	callers(t, func(t *testing.T, w who, top string) {
		file := give(t, w, top+"/file", "")
		for _, tt := range []struct {
			want string
			args []string
		}{
			{"execvp : No such file or directory", []string{"--ro-bind", "/", "/", ""}},
			{"Can't make symlink at /x: No such file or directory", []string{"--symlink", "", "/x", "true"}},
			{"Can't chmod 0700 " + file + "/x: Not a directory", []string{"--ro-bind", "/", "/", "--chmod", "0700", file + "/x", "true"}},
			{"Can't create file /: Is a directory", []string{"--file", "0", "/", "true"}},
			{"Can't create file at /: Is a directory", []string{"--ro-bind-data", "0", "/", "true"}},
			{"Can't mkdir parents for " + file + "/x: Not a directory", []string{"--ro-bind", "/", "/", "--tmpfs", file + "/x", "true"}},
			{"Can't chdir to " + file + ": Not a directory", []string{"--ro-bind", "/", "/", "--chdir", file, "true"}},
			{"setenv failed", []string{"--setenv", "A=B", "c", "true"}},
			{"unsetenv failed", []string{"--unsetenv", "", "true"}},
		} {
			cmd := called(t, w, top, tt.args...)
			if out, _ := cmd.CombinedOutput(); string(out) != "bwrap: "+tt.want+"\n" || cmd.ProcessState.ExitCode() != 1 {
				t.Errorf("%q: %v\n%s\nwant:\n%s", tt.args, cmd.ProcessState, out, tt.want)
			}
		}
	})
}
