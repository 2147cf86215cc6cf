//go:build linux

package enginetest

// File descriptors: which of them the command has, and when sbx lets go of them.

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sbx/engine/enginetest/box"
)

// extra gives a run of sbx descriptors from 3 on, each open on a file with its
// number as content.
func (w who) extra(t *testing.T, n int) []*os.File {
	// Nothing else that this process was started with must come in between.
	box.Must(t, unix.CloseRange(3, ^uint(0), unix.CLOSE_RANGE_CLOEXEC))
	var files []*os.File
	for fd := 3; fd < 3+n; fd++ {
		f, err := os.Open(w.Write(t, w.Dir(t)+"/f", "file "+itoa(fd)+"\n"))
		box.Must(t, err)
		t.Cleanup(func() { f.Close() })
		files = append(files, f)
	}
	return files
}

func TestInheritedFDs(t *testing.T) {
	eachMode(t, func(t *testing.T, w who, mode, script string) {
		for _, tt := range []struct{ script, sh, want string }{
			// ls itself has one open
			{"", "ls /proc/self/fd | tr '\\n' ' '", "0 1 2 3 "},
			{"pass_fd(5)", "cat <&5; ls /proc/self/fd | tr '\\n' ' '", "file 5\n0 1 2 3 5 "},
			{"pass_fd(3)\npass_fd(6)", "cat <&3; cat <&6", "file 3\nfile 6\n"},
			{"pack_fds()", "echo $LISTEN_FDS; test $LISTEN_PID = $$ && cat <&3; cat <&4; cat <&5; cat <&6", "4\nfile 3\nfile 4\nfile 5\nfile 6\n"},
			{"pass_fd(6)\npass_fd(4)\npack_fds()", "echo $LISTEN_FDS; test $LISTEN_PID = $$ && cat <&3; cat <&4; ls /proc/self/fd | tr '\\n' ' '", "2\nfile 4\nfile 6\n0 1 2 3 4 5 "},
			{"close_fd(3)\nclose_fd(5)\npack_fds()", "echo $LISTEN_FDS; cat <&3; cat <&4", "2\nfile 4\nfile 6\n"},
		} {
			cmd := w.command(t, script+"\n"+tt.script+"\n", "sh", "-c", tt.sh)
			cmd.ExtraFiles = w.extra(t, 4)
			if r := box.Finish(t, cmd); r.Code != 0 || r.Out != tt.want {
				t.Errorf("%s: want %q, got %s", tt.script, tt.want, r)
			}
		}
	})
}

// startHeard starts cmd with a pipe as its descriptor 3, which r is the other end of,
// and one as its standard input, which ends with hold.
func startHeard(t *testing.T, cmd *exec.Cmd) (r, hold *os.File) {
	t.Helper()
	r, wr, err := os.Pipe()
	box.Must(t, err)
	t.Cleanup(func() { r.Close() })
	in, hold, err := os.Pipe()
	box.Must(t, err)
	cmd.Stdin, cmd.ExtraFiles = in, []*os.File{wr}
	box.Must(t, cmd.Start())
	box.Must(t, wr.Close())
	box.Must(t, in.Close())
	box.Must(t, r.SetDeadline(time.Now().Add(box.Patience)))
	return r, hold
}

// TestFDsClosed waits for the ends of pipes: of one given up at the start of the
// command, and of one passed on, at its end.
func TestFDsClosed(t *testing.T) {
	eachMode(t, func(t *testing.T, w who, mode, script string) {
		for _, call := range []string{"close_fd(3)", ""} {
			cmd := w.command(t, script+"\n"+call+"\n", "sh", "-c", "read x; exit 3")
			r, hold := startHeard(t, cmd)
			if call != "" {
				if b, err := io.ReadAll(r); err != nil || len(b) > 0 {
					t.Errorf("%s: %q, %v", call, b, err)
				}
			}
			hold.Close()
			cmd.Wait()
			if _, err := io.ReadAll(r); err != nil || cmd.ProcessState.ExitCode() != 3 {
				t.Errorf("%q: %v, %v", call, err, cmd.ProcessState)
			}
		}
	})
}

func TestFDsPassedEnd(t *testing.T) {
	eachMode(t, func(t *testing.T, w who, mode, script string) {
		// What outlives the descriptor in the command shows that sbx has let go of it.
		cmd := w.command(t, script+"\npass_fd(3)\n", "sh", "-c", "echo hello >&3; exec 3>&-; read x")
		r, hold := startHeard(t, cmd)
		if b, err := io.ReadAll(r); err != nil || string(b) != "hello\n" {
			t.Errorf("%q, %v", b, err)
		}
		hold.Close()
		cmd.Wait()
	})
}

// Who looks on is told of the sandbox's process, and not of a guard.
func TestHookPid(t *testing.T) {
	eachMode(t, func(t *testing.T, w who, mode, script string) {
		cmd := w.command(t, script+"\nhooks(info_fd = 3)\n", "sh", "-c", "read x; exit 3")
		r, hold := startHeard(t, cmd)
		var told struct {
			Pid int    `json:"child-pid"`
			Mnt uint64 `json:"mnt-namespace"`
		}
		box.Must(t, json.NewDecoder(r).Decode(&told))
		var inside, outside unix.Stat_t
		err := unix.Stat(fmt.Sprintf("/proc/%d/ns/mnt", told.Pid), &inside)
		hidden := err == unix.EACCES && strings.Contains("init alone locked", mode) // an init shows nothing, but to root
		if !hidden {
			box.Must(t, err)
		}
		box.Must(t, unix.Stat("/proc/self/ns/mnt", &outside))
		if told.Mnt != inside.Ino && !hidden || told.Mnt == outside.Ino {
			t.Errorf("told is %+v, which is in %d, and this is %d", told, inside.Ino, outside.Ino)
		}
		hold.Close()
		cmd.Wait()
		if code := cmd.ProcessState.ExitCode(); code != 3 {
			t.Error("exit code", code)
		}
	})
}

func TestFDFaults(t *testing.T) {
	asUser(t, func(t *testing.T, w who) {
		w.refused(t, base()+"pass_fd(77)\n", "pass_fd", "77", "is not open")
		w.refused(t, base()+"pass_fd(1)\n", "pass_fd", "1")
		w.refused(t, base()+"close_fd(-1)\n", "close_fd", "-1")
	})
}

// TestStandardClosed starts sbx without some of the standard three.
func TestStandardClosed(t *testing.T) {
	eachMode(t, func(t *testing.T, w who, mode, script string) {
		out := w.Dir(t)
		for _, closed := range []string{"0<&-", "1>&-", "2>&-", "0<&- 1>&- 2>&-"} {
			cmd := w.command(t, script+"\nbind('"+out+"', '/out')\n", "sh", "-c", "echo done >/out/n; exit 4")
			cmd.Args = append([]string{"sh", "-c", `exec "$@" ` + closed, "sh", cmd.Path}, cmd.Args[1:]...)
			cmd.Path = "/bin/sh"
			cmd.Run()
			b, _ := os.ReadFile(out + "/n")
			os.Remove(out + "/n")
			if cmd.ProcessState.ExitCode() != 4 || !bytes.Equal(b, []byte("done\n")) {
				t.Errorf("%s: %v, %q", closed, cmd.ProcessState, b)
			}
		}
	})
}

// TestBindFD binds the file that a descriptor stands for, and no other that is put
// at its path, be it before the plan is checked or after that.
func TestBindFD(t *testing.T) {
	each(t, func(t *testing.T, w who) {
		for _, tt := range []struct{ script, key string }{
			{`bind_fd(3, "/x")`, "/x/key"},
			{`bind_fd(3, "/x", ro = True)`, "/x/key"},
			{`bind_fd(3, "/x", ro = True); tmpfs("/x/new")`, "/x/key"}, // by a skeleton
			{`bind_fd(3, "/", ro = True)`, "/key"},                     // by that alone
		} {
			for _, swapped := range []string{"never", "before", "meanwhile"} {
				d := w.Mkdir(t, w.Dir(t)+"/d")
				w.Write(t, d+"/dir/key", "good\n")
				w.Write(t, d+"/private/key", "private\n")
				f, err := os.Open(d + "/dir")
				box.Must(t, err)
				swap := func(when string) {
					switch {
					case when != swapped:
					case when == "before": // there is nothing at the descriptor's path but this
						box.Must(t, os.RemoveAll(d+"/dir"))
						box.Must(t, os.Symlink("private", d+"/dir (deleted)"))
					default:
						box.Must(t, os.Rename(d+"/dir", d+"/moved"))
						box.Must(t, os.Symlink("private", d+"/dir"))
					}
				}
				swap("before")
				cmd := w.command(t, base()+tt.script+"\nunshare(user = True, pid = True)\nhooks(info_fd = 4, userns_block_fd = 5)\n", "cat", tt.key)
				meanwhile := func() { swap("meanwhile") }
				if swapped == "before" {
					meanwhile = nil
				}
				r := w.Held(t, cmd, f, w.UID, meanwhile)
				f.Close()
				switch {
				case swapped == "never" && (r.Code != 0 || r.Out != "good\n"):
					t.Errorf("%s: %s", tt.script, r)
				case swapped != "never":
					wantError(t, r, 125, "bind_fd", "source file descriptor 3: there is another file at its path")
					if r.Out != "" {
						t.Errorf("%s, swapped %s: %s", tt.script, swapped, r)
					}
				}
			}
		}
	})
}
