//go:build linux

package enginetest

// Trees that somebody hostile has prepared: whatever symlinks are in them, the
// making of a sandbox touches nothing outside of it.

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sbx/engine/enginetest/box"
)

// trap makes a tree with a symlink at each place where a sandbox looks, all of
// them leading to the directory victim of the host, by several ways.
func (w who) trap(t testing.TB) (src, victim string) {
	t.Helper()
	d := w.Dir(t)
	victim = w.Mkdir(t, d+"/victim")
	w.Write(t, victim+"/file", "victim\n")
	w.Mkdir(t, victim+"/dir")
	src = w.Mkdir(t, d+"/src")
	up := strings.Repeat("../", 30)
	for name, target := range map[string]string{
		"abs": victim, "rel": "../victim", "up": up + victim[1:], "magic": "/proc/self/root" + victim, "cwd": "/proc/self/cwd" + victim,
		"absfile": victim + "/file", "relfile": "../victim/file", "magicfile": "/proc/self/root" + victim + "/file", "new": victim + "/new", "relnew": "../victim/new",
		"loop": "loop", "fd": "/proc/self/fd/0", "init": "/proc/1/root" + victim,
	} {
		box.Must(t, os.Symlink(target, src+"/"+name))
	}
	w.Mkdir(t, src+"/dir")
	box.Must(t, os.Symlink("../abs", src+"/dir/again"))
	return src, victim
}

func TestHostileTree(t *testing.T) {
	each(t, func(t *testing.T, w who) {
		src, victim := w.trap(t)
		unchanged(t, victim)
		unchanged(t, filepath.Dir(src))
		ops := []string{
			"mkdir(%q)", "tmpfs(%q)", "write(%q, \"evil\")", "symlink(\"evil\", %q)", "copy(\"/usr/bin/env\", %q)", "bind(\"/usr/bin\", %q)",
			"bind(\"/usr/bin/env\", %q)", "dev(%q)", "proc(%q)", "overlay(%q, [\"/usr/bin\", \"/usr/lib\"], upper = \"tmpfs\")", "mask(%q)", "remount_ro(%q)", "chmod(%q, 0o777)",
		}
		paths := []string{"abs", "rel", "up", "magic", "cwd", "absfile", "relfile", "magicfile", "new", "relnew", "loop", "fd", "init", "dir/again"}
		for _, mode := range []string{", ro = True", ""} {
			for _, path := range paths {
				if (w.Root() || mode == "") && path != "abs" && path != "magic" && path != "absfile" && path != "new" {
					continue
				}
				for _, op := range ops {
					for _, last := range []string{"", "/a/b", "/file"} {
						line := fmt.Sprintf(op, "/s/"+path+last)
						r := w.run(t, fmt.Sprintf("proc()\nbind(\"/usr\", ro = True)\nbind(%q, \"/s\"%s)\n%s\n", src, mode, line), "/usr/bin/true")
						switch {
						case r.Code == 125 && strings.Contains(r.Err, "test.sbx.star:"):
						case r.Code == 0 || r.Code == 126 && strings.Contains(r.Err, "interpreter"):
						default:
							t.Errorf("%s: %s", line, r)
						}
					}
				}
			}
		}
	})
}

// What goes through an absolute symlink goes to that path of the sandbox.
func TestSymlinksInside(t *testing.T) {
	each(t, func(t *testing.T, w who) {
		src, victim := w.trap(t)
		unchanged(t, filepath.Dir(src))
		s := base() + fmt.Sprintf("bind(%q, \"/s\", ro = True)\n", src)
		for _, link := range []string{"abs", "up", "dir/again"} {
			w.want(t, s+fmt.Sprintf("write(\"/s/%s/x\", \"inside\\n\")", link), "cat "+victim+"/x; ls "+victim, "inside\nx")
		}
		w.want(t, s+"tmpfs(\"/s/rel\")\nwrite(\"/s/rel/x\", \"inside\\n\")", "cat /victim/x", "inside")
	})
}

// swap exchanges two paths until the test ends.
func swap(t testing.TB, a, b string) {
	t.Helper()
	stop, done := make(chan bool), make(chan bool)
	go func() {
		defer close(done)
		for {
			select {
			case <-stop:
				return
			default:
			}
			if err := unix.Renameat2(unix.AT_FDCWD, a, unix.AT_FDCWD, b, unix.RENAME_EXCHANGE); err != nil {
				t.Error(err)
				return
			}
			time.Sleep(50 * time.Microsecond) // leave something of the processor to the sandboxes
		}
	}()
	t.Cleanup(func() { close(stop); <-done })
}

// A tree that changes while sandboxes are made of it.
func TestRacingTree(t *testing.T) {
	each(t, func(t *testing.T, w who) {
		d := w.Dir(t)
		victim := w.Mkdir(t, d+"/victim")
		w.Write(t, victim+"/secret", "secret\n")
		w.Mkdir(t, victim+"/sub")
		src := w.Mkdir(t, d+"/src")
		w.Mkdir(t, src+"/a/sub")
		w.Write(t, src+"/file", "file\n")
		box.Must(t, os.Symlink(victim, src+"/b"))
		box.Must(t, os.Symlink(victim+"/secret", src+"/file2"))
		unchanged(t, victim)
		swap(t, src+"/a", src+"/b")
		swap(t, src+"/file", src+"/file2")
		scripts := []string{
			"mkdir(\"/s/a/new/er\", create = True)", "write(\"/s/a/w\", \"evil\", create = True)", "tmpfs(\"/s/a/sub\")", "tmpfs(\"/s/a/t/u\", create = True)",
			"write(\"/s/file\", \"evil\")", "symlink(\"evil\", \"/s/a/l\", create = True)", "bind(\"/usr\", \"/s/a/sub/x\", create = True)", "mask(\"/s/file\")", "dev(\"/s/a/d\", create = True)",
		}
		for i := range 120 {
			line := scripts[i%len(scripts)]
			ro := ""
			if i%2 == 1 {
				ro = ", ro = True"
				line = strings.Replace(line, ", create = True", "", 1)
			}
			script := base() + fmt.Sprintf("bind(%q, \"/s\"%s)\n%s\n", src, ro, line)
			r := w.sh(t, script, "cat /s/a/secret /s/b/secret /s/file /s/file2 2>/dev/null; true")
			if r.Code != 0 && r.Code != 125 || strings.Contains(r.Out, "secret") {
				t.Errorf("%s: %s", line, r)
			}
			if strings.Contains(line, "create") {
				continue
			}
			// With the other end of the link in the sandbox, too, and writable.
			if r := w.sh(t, script+fmt.Sprintf("bind(%q)\n", victim), "true"); r.Code != 0 && r.Code != 125 {
				t.Errorf("%s: %s", line, r)
			}
		}
	})
}
