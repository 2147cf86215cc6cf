//go:build linux

package main

// What --bind-fd stands for: the file that is open, and no other that somebody has
// put at its path.

import (
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"sbx/engine/enginetest/box"
)

const refused = "bwrap: Race condition binding dirfd: Invalid argument\n"

// open opens a path as a descriptor to bind.
func open(t *testing.T, path string, flags int) *os.File {
	t.Helper()
	fd, err := unix.Open(path, flags|unix.O_CLOEXEC, 0)
	box.Must(t, err)
	f := os.NewFile(uintptr(fd), path)
	t.Cleanup(func() { f.Close() })
	return f
}

func TestBindFD(t *testing.T) {
	each(t, func(t *testing.T, w who) {
		for _, tt := range []struct {
			name, open string
			flags      int
			then       func(d string) error // what happens to it once it is open
			out, err   string
		}{
			{"as it was", "dir", unix.O_RDONLY, nil, "good", ""},
			{"path only", "dir", unix.O_PATH, nil, "good", ""},
			{"a file", "dir/key", unix.O_PATH, nil, "good", ""},
			{"by a symlink", "link", unix.O_PATH, nil, "private", ""},
			{"moved", "dir", unix.O_RDONLY, func(d string) error { return os.Rename(d+"/dir", d+"/moved") }, "good", ""},
			{"moved, and a symlink in its place", "dir", unix.O_RDONLY, func(d string) error {
				box.Must(t, os.Rename(d+"/dir", d+"/moved"))
				return os.Symlink("private", d+"/dir")
			}, "good", ""},
			{"a directory on the way is now a symlink", "sub/dir", unix.O_PATH, func(d string) error {
				box.Must(t, os.Rename(d+"/sub", d+"/moved"))
				return os.Symlink("moved", d+"/sub")
			}, "good", ""},
			{"removed", "empty", unix.O_RDONLY, func(d string) error { return os.Remove(d + "/empty") }, "", "bwrap: Can't find source path /proc/self/fd/3: No such file or directory\n"},
			{"removed, and a directory that is called so", "empty", unix.O_RDONLY, func(d string) error {
				box.Must(t, os.Remove(d+"/empty"))
				return os.Rename(d+"/private", d+"/empty (deleted)")
			}, "", refused},
			{"removed, and a symlink that is called so", "empty", unix.O_PATH, func(d string) error {
				box.Must(t, os.Remove(d+"/empty"))
				return os.Symlink("private", d+"/empty (deleted)")
			}, "", refused},
			{"a file removed, and a symlink that is called so", "dir/key", unix.O_RDONLY, func(d string) error {
				box.Must(t, os.Remove(d+"/dir/key"))
				return os.Symlink("../private/key", d+"/dir/key (deleted)")
			}, "", refused},
			{"of a symlink", "link", unix.O_PATH | unix.O_NOFOLLOW, nil, "", refused},
			{"of a symlink to a file", "filelink", unix.O_PATH | unix.O_NOFOLLOW, nil, "", refused},
		} {
			d := w.files(t)
			f := open(t, d+"/"+tt.open, tt.flags)
			if tt.then != nil {
				box.Must(t, tt.then(d))
			}
			for _, opt := range []string{"--bind-fd", "--ro-bind-fd"} {
				cmd := w.command(t, root("--tmpfs", "/tmp", opt, "3", "/tmp/x", "sh", "-c", "cat /tmp/x/key 2>/dev/null || cat /tmp/x")...)
				cmd.ExtraFiles = []*os.File{f}
				if r := box.Finish(t, cmd); r.Out != tt.out || r.Err != tt.err || (r.Code == 0) != (tt.err == "") {
					t.Errorf("%s, %s: %s", tt.name, opt, r)
				}
			}
		}
	})
}

// files makes a directory of w's with things to open.
func (w who) files(t *testing.T) string {
	t.Helper()
	d := w.Dir(t)
	w.Write(t, d+"/dir/key", "good")
	w.Write(t, d+"/sub/dir/key", "good")
	w.Write(t, d+"/private/key", "private")
	box.Must(t, os.Mkdir(d+"/empty", 0o755))
	box.Must(t, os.Symlink("private", d+"/link"))
	box.Must(t, os.Symlink("private/key", d+"/filelink"))
	return d
}

// TestBindFDRace has another file at the path after the command line has been
// checked, and before anything is mounted.
func TestBindFDRace(t *testing.T) {
	each(t, func(t *testing.T, w who) {
		for name, swap := range map[string]func(d string) error{
			"a directory": func(d string) error {
				return unix.Renameat2(unix.AT_FDCWD, d+"/dir", unix.AT_FDCWD, d+"/private", unix.RENAME_EXCHANGE)
			},
			"a symlink": func(d string) error {
				return unix.Renameat2(unix.AT_FDCWD, d+"/dir", unix.AT_FDCWD, d+"/link", unix.RENAME_EXCHANGE)
			},
			"nothing":      func(d string) error { return os.Rename(d+"/dir", d+"/moved") },
			"the same one": func(d string) error { return nil },
		} {
			d := w.files(t)
			cmd := w.command(t, root("--unshare-user", "--info-fd", "4", "--userns-block-fd", "5", "--tmpfs", "/tmp", "--ro-bind-fd", "3", "/tmp/x", "cat", "/tmp/x/key")...)
			r := w.Held(t, cmd, open(t, d+"/dir", unix.O_PATH), w.UID, func() { box.Must(t, swap(d)) })
			switch {
			case name == "the same one":
				if r.Code != 0 || r.Out != "good" {
					t.Errorf("%s: %s", name, r)
				}
			case name == "nothing":
				if r.Code != 1 || r.Out != "" || !strings.HasSuffix(r.Err, "No such file or directory\n") {
					t.Errorf("%s: %s", name, r)
				}
			case r.Code != 1 || r.Out != "" || r.Err != refused:
				t.Errorf("%s: %s", name, r)
			}
		}
	})
}
