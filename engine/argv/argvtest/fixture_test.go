//go:build linux

package argvtest

// The files that command lines are about, and what became of them.

import (
	"crypto/sha256"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"sbx/engine/enginetest/box"
)

// who is a user that runs the programs.
type who struct {
	name     string
	uid, gid int
	groups   []int
}

func (w who) root() bool { return w.uid == 0 }

// users are those that this process can be. The ordinary user that root drops to
// has an id unlike that of unmapped files, and a group unlike its id.
func users() []who {
	if os.Getuid() != 0 {
		return []who{{name: "user", uid: os.Getuid(), gid: os.Getgid()}}
	}
	return []who{{"user", 4242, 4243, []int{4243, 4244}}, {"root", 0, 0, []int{0}}}
}

// site is a directory where command lines are run by one user.
type site struct {
	w      who
	top    string            // the fixture
	before map[string]string // what is in it, if it is there and as it was made
}

func newSite(t testing.TB, w who) *site {
	t.Helper()
	d, err := os.MkdirTemp(box.Work, "d")
	box.Must(t, err)
	box.Must(t, os.Chmod(d, 0o755))
	t.Cleanup(func() { box.Must(t, remove(d)) })
	return &site{w: w, top: d + "/t"}
}

// prepare makes the fixture, if it has to, and returns what is in it.
func (s *site) prepare(t testing.TB) map[string]string {
	t.Helper()
	if s.before == nil {
		box.Must(t, remove(s.top))
		fixture(t, s.w, s.top)
		s.before = listing(s.top)
	}
	return s.before
}

// changes reports each file that is not as it was before.
func (s *site) changes(before map[string]string, report func(name, what string)) {
	after := listing(s.top)
	changed := func(name, what string) {
		s.before = nil
		report(name, what)
	}
	for name := range before {
		if _, ok := after[name]; !ok {
			changed(name, "gone")
		}
	}
	for name, what := range after {
		if before[name] != what {
			changed(name, what)
		}
	}
}

// fixture makes the tree at top. It is the same each time.
func fixture(t testing.TB, w who, top string) {
	t.Helper()
	for _, f := range []struct {
		name, what string
		mode       os.FileMode
	}{
		{"", "dir", 0o755},
		{"src", "dir", 0o755},
		{"src/file", "file content\n", 0o644},
		{"src/exec", "#!/bin/sh\n", 0o755},
		{"src/secret", "secret\n", 0o600},
		{"src/closed-file", "closed\n", 0},
		{"src/read-only", "read only\n", 0o444},
		{"src/set-uid", "suid\n", 0o755 | fs.ModeSetuid},
		{"src/dir", "dir", 0o755},
		{"src/dir/a", "a\n", 0o644},
		{"src/dir/b", "b\n", 0o640},
		{"src/dir/sub", "dir", 0o750},
		{"src/dir/sub/deep", "dir", 0o700},
		{"src/dir/sub/deep/f", "deep\n", 0o600},
		{"src/dir/link", "-> sub/deep", 0},
		{"src/empty", "dir", 0o711},
		{"src/closed", "dir", 0},
		{"src/sticky", "dir", 0o777 | fs.ModeSticky},
		{"src/abs", "-> @T/src/dir", 0},
		{"src/abs-file", "-> @T/src/file", 0},
		{"src/rel", "-> dir", 0},
		{"src/rel-file", "-> ./dir/../file", 0},
		{"src/chain", "-> abs", 0},
		{"src/dangling", "-> nowhere", 0},
		{"src/dangling-abs", "-> /nowhere/x", 0},
		{"src/loop", "-> loop", 0},
		{"src/loop2", "-> loop3", 0},
		{"src/loop3", "-> loop2", 0},
		{"src/up", "-> ../../../../../../../..", 0},
		{"src/fifo", "fifo", 0o644},
		{"src/sock", "socket", 0o755},
		{"src/sp ace", "dir", 0o755},
		{"src/sp ace/x\ty", "tab\n", 0o644},
		{"src/comma,colon:back\\slash", "dir", 0o755},
		{"src/comma,colon:back\\slash/f", "odd\n", 0o644},
		{"src/mnt", "dir", 0o755},

		// A root with mount points, and links that mean other files inside.
		{"root", "dir", 0o755},
		{"root/observe", "", 0o755},
		{"root/proc", "dir", 0o755},
		{"root/dev", "dir", 0o755},
		{"root/sys", "dir", 0o755},
		{"root/tmp", "dir", 0o777 | fs.ModeSticky},
		{"root/run", "dir", 0o755},
		{"root/var", "dir", 0o755},
		{"root/var/tmp", "dir", 0o777 | fs.ModeSticky},
		{"root/var/run", "-> ../run", 0},
		{"root/var/lock", "-> /run/lock", 0},
		{"root/etc", "dir", 0o755},
		{"root/etc/hosts", "hosts\n", 0o644},
		{"root/etc/resolv.conf", "-> ../run/resolv.conf", 0},
		{"root/etc/localtime", "-> /usr/share/zone", 0},
		{"root/usr", "dir", 0o755},
		{"root/usr/bin", "dir", 0o755},
		{"root/usr/bin/tool", "tool\n", 0o755},
		{"root/usr/share", "dir", 0o755},
		{"root/usr/share/zone", "zone\n", 0o644},
		{"root/bin", "-> usr/bin", 0},
		{"root/a", "dir", 0o755},
		{"root/a/b", "dir", 0o755},
		{"root/a/f", "a/f\n", 0o644},
		{"root/work", "-> /a", 0},
		{"root/loop", "-> loop", 0},

		// For overlays.
		{"low1", "dir", 0o755},
		{"low1/f", "low1 f\n", 0o644},
		{"low1/one", "one\n", 0o644},
		{"low1/d", "dir", 0o755},
		{"low1/d/x", "x\n", 0o644},
		{"low2", "dir", 0o750},
		{"low2/f", "low2 f\n", 0o600},
		{"low2/d", "dir", 0o700},
		{"low2/d/y", "y\n", 0o644},
		{"upper", "dir", 0o755},
		{"upper/up", "upper\n", 0o644},
		{"work", "dir", 0o755},
		{"upper2", "dir", 0o755},
		{"work2", "dir", 0o755},

		{"home", "dir", 0o755},
		{"home/user", "dir", 0o700},
		{"cwd", "dir", 0o755},
		{"cwd/rel", "dir", 0o755},
		{"cwd/rel/r", "r\n", 0o644},
		{"lock", "", 0o644},
		{"mnt", "dir", 0o755},
	} {
		name := filepath.Join(top, f.name)
		switch {
		case f.what == "dir":
			box.Must(t, os.Mkdir(name, 0o700))
		case f.what == "fifo":
			box.Must(t, unix.Mkfifo(name, 0o600))
		case f.what == "socket":
			socket(t, name)
		case strings.HasPrefix(f.what, "-> "):
			box.Must(t, os.Symlink(strings.ReplaceAll(f.what[3:], "@T", top), name))
			if os.Getuid() == 0 {
				box.Must(t, os.Lchown(name, w.uid, w.gid))
			}
			continue
		default:
			box.Must(t, os.WriteFile(name, []byte(f.what), 0o600))
		}
		if os.Getuid() == 0 {
			box.Must(t, os.Lchown(name, w.uid, w.gid))
		}
		// Modes last: some directories cannot be entered then.
		defer func() { box.Must(t, os.Chmod(name, f.mode)) }()
	}
}

// socket makes a socket without a listener.
func socket(t testing.TB, name string) {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	box.Must(t, err)
	defer unix.Close(fd)
	// The name may be longer than an address is: by way of the directory.
	dir, err := os.Open(filepath.Dir(name))
	box.Must(t, err)
	defer dir.Close()
	box.Must(t, unix.Bind(fd, &unix.SockaddrUnix{Name: fmt.Sprintf("/proc/self/fd/%d/%s", dir.Fd(), filepath.Base(name))}))
}

// remove removes a tree, whatever its modes.
func remove(top string) error {
	if os.Getuid() != 0 {
		filepath.WalkDir(top, func(name string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				os.Chmod(name, 0o700)
			}
			return nil
		})
		filepath.WalkDir(top, func(name string, d fs.DirEntry, err error) error {
			if err == nil && d.IsDir() {
				os.Chmod(name, 0o700)
			}
			return nil
		})
	}
	return os.RemoveAll(top)
}

// listing is what lies below top, by name.
func listing(top string) map[string]string {
	list := map[string]string{}
	filepath.WalkDir(top, func(name string, d fs.DirEntry, err error) error {
		rel := strings.TrimPrefix(name, top)
		if err != nil {
			list[rel] += " " + err.Error()
			return nil
		}
		info, err := d.Info()
		if err != nil {
			list[rel] = err.Error()
			return nil
		}
		st := info.Sys().(*syscall.Stat_t)
		what := fmt.Sprintf("%v %d:%d", info.Mode(), st.Uid, st.Gid)
		switch {
		case info.Mode()&fs.ModeSymlink != 0:
			target, _ := os.Readlink(name)
			what += " -> " + target
		case info.Mode().IsRegular():
			b, err := os.ReadFile(name)
			if err != nil {
				what += " unreadable"
			}
			what += fmt.Sprintf(" %d %x", info.Size(), sha256.Sum256(b))
		}
		list[rel] = what
		return nil
	})
	return list
}
