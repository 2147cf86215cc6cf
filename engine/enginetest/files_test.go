//go:build linux

package enginetest

// The operations on files and mounts.

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"sbx/engine/enginetest/box"
)

// source makes a small tree to bind and returns its path.
func (w who) source(t testing.TB) string {
	t.Helper()
	d := w.Dir(t) + "/src"
	w.Write(t, d+"/file", "file\n")
	w.Write(t, d+"/dir/deep/leaf", "leaf\n")
	box.Must(t, os.Symlink("dir/deep", d+"/link"))
	box.Must(t, os.Symlink("/etc/passwd", d+"/passwd"))
	box.Must(t, os.Symlink("nowhere", d+"/dangling"))
	box.Must(t, unix.Mkfifo(d+"/fifo", 0o644))
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	box.Must(t, err)
	defer unix.Close(fd)
	box.Must(t, unix.Bind(fd, &unix.SockaddrUnix{Name: d + "/socket"}))
	w.Own(t, d+"/fifo", d+"/socket")
	return d
}

func TestBind(t *testing.T) {
	each(t, func(t *testing.T, w who) {
		d := w.source(t)
		script := func(format string, args ...any) string { return base() + fmt.Sprintf(format, args...) }
		t.Run("read-only", func(t *testing.T) {
			unchanged(t, d)
			w.want(t, script("bind(%q, \"/s\", ro = True)", d), "cat /s/file /s/link/leaf; for f in file new dir/deep/leaf dir/new; do echo x 2>/dev/null >/s/$f || echo no; done; chmod 777 /s/file 2>/dev/null || echo no; rm /s/file 2>/dev/null || echo no",
				"file\nleaf\nno\nno\nno\nno\nno\nno")
		})
		t.Run("optional", func(t *testing.T) {
			unchanged(t, d)
			w.want(t, script("bind(%q, \"/s\", optional = True)\nbind(%q, \"/t\", optional = True)", d+"/none", d+"/dir"), "ls -d /s /t 2>/dev/null; true", "/t")
			w.refused(t, script("bind(%q, \"/s\")", d+"/none"), "test.sbx.star:", "bind: source \""+d+"/none\" does not exist on the host", "hint: pass optional = True")
			w.refused(t, script("bind(%q, \"/s\")", d+"/dangling"), "symlink to \"nowhere\"")
			w.want(t, script("bind(%q, \"/s\", optional = True)", d+"/dangling"), "ls -d /s 2>/dev/null || echo none", "none")
		})
		t.Run("create_src", func(t *testing.T) {
			n := w.Dir(t)
			s := script("bind(%q, \"/s\", create_src = True)\nbind(%q, \"/t\", create_src = True)", n+"/a/b", n+"/a")
			w.want(t, s, "stat -c %a /s; echo x >/s/f; ls /t /t/b", "700\n/t:\nb\n\n/t/b:\nf")
			w.want(t, s, "cat /s/f", "x") // it is there
			w.refused(t, script("bind(%q, \"/s\", create_src = True)", d+"/dangling"), "symlink to \"nowhere\"")
			w.refused(t, script("bind(%q, \"/s\", create_src = True)", d+"/file/x"), "test.sbx.star:", "not a directory")
			if !w.Root() {
				w.refused(t, script("bind(\"/usr/sbx-none/x\", \"/s\", create_src = True)"), "test.sbx.star:", "permission denied")
			}
		})
		t.Run("nofollow", func(t *testing.T) {
			unchanged(t, d)
			w.want(t, script("bind(%q, \"/s\")\nbind(%q, \"/t\", follow = False)\nbind(%q, \"/u\", follow = False)\n", d+"/link", d+"/link", d+"/dangling"),
				"ls /s; readlink /t /u", "leaf\ndir/deep\nnowhere")
		})
		t.Run("kinds", func(t *testing.T) {
			unchanged(t, d)
			w.want(t, script("bind(%q, \"/f\", ro = True)\nbind(%q, \"/s\")\nbind(%q, \"/p\")\nbind(\"/dev/zero\", \"/z\")\nbind(%q, \"/a/b/c/leaf\")\n", d+"/file", d+"/socket", d+"/fifo", d+"/link/leaf"),
				"cat /f; test -S /s && echo socket; test -p /p && echo fifo; test -c /z && head -c 3 /z | wc -c; cat /a/b/c/leaf; echo x 2>/dev/null >/f || echo no", "file\nsocket\nfifo\n3\nleaf\nno")
			// A directory needs a directory, and the other way round.
			w.refused(t, script("bind(%q, \"/usr/bin/env\")", d), "destination \"/usr/bin/env\" is not a directory")
			w.refused(t, script("bind(%q, \"/usr/bin\")", d+"/file"), "destination \"/usr/bin\" is a directory")
		})
		t.Run("devices", func(t *testing.T) {
			for flags, want := range map[string]string{"": "no", ", dev = True": "yes", ", dev = False": "no"} {
				w.want(t, script("bind(\"/\", \"/s\", ro = True%s)", flags), "head -c 1 /s/dev/zero >/dev/null 2>&1 && echo yes || echo no", map[string]string{"": "yes", ", dev = True": "yes", ", dev = False": "no"}[flags])
				w.want(t, script("bind(\"/dev\", \"/d\"%s)", flags), "head -c 1 /d/zero >/dev/null 2>&1 && echo yes || echo no", map[string]string{"": "yes", ", dev = True": "yes", ", dev = False": "no"}[flags])
				_ = want
			}
			w.want(t, script("bind(%q, \"/s\")\ntmpfs(\"/t\")", d), "grep -E ' /(s|t|tmp|usr) ' /proc/self/mountinfo | grep -v nosuid,nodev | wc -l", "0")
		})
		t.Run("writable", func(t *testing.T) {
			d := w.source(t)
			w.want(t, script("bind(%q, \"/s\")", d), "echo new >/s/new; echo more >>/s/dir/deep/leaf; mkdir /s/made; cat /s/new /s/link/leaf", "new\nleaf\nmore")
			if b, err := os.ReadFile(d + "/dir/deep/leaf"); err != nil || string(b) != "leaf\nmore\n" {
				t.Errorf("%q, %v", b, err)
			}
		})
		t.Run("inside", func(t *testing.T) {
			unchanged(t, d)
			w.want(t, script("bind(\"/s/dir\", \"/early\", inside = True)\nbind(%q, \"/s\", ro = True)\nwrite(\"/own/f\", \"own\")\nbind(\"/own\", \"/again\", inside = True, ro = True)\nbind(\"/nothing\", \"/x\", inside = True, optional = True)\nbind(\"/own\", \"/more\", inside = True)\nbind(\"/usr/bin\", \"/more/bin\", ro = True)\n", d),
				"cat /early/deep/leaf /again/f; echo x 2>/dev/null >/again/f || echo no; echo x >/own/f && cat /again/f /more/f; test -x /more/bin/sh; echo $?; test -e /x; echo $?", "leaf\nownno\nx\nx\n0\n1")
			w.refused(t, script("mkdir(\"/own\")\nbind(\"/own\", \"/again\", inside = True, ro = True)\nmkdir(\"/again/x\")"), "nothing can be made in \"/again\"")
			w.refused(t, script("bind(\"/none\", \"/x\", inside = True)"), "source \"/none\" does not exist in the sandbox")
		})
	})
}

// The order of the calls does not matter, but at one destination the last wins.
func TestOrder(t *testing.T) {
	each(t, func(t *testing.T, w who) {
		d := w.source(t)
		unchanged(t, d)
		lines := []string{
			fmt.Sprintf("bind(%q, \"/m\", ro = True)", d), "tmpfs(\"/m/dir\")", fmt.Sprintf("bind(%q, \"/m/dir/deep\", ro = True)", d+"/dir"),
			"tmpfs(\"/m/dir/deep/deep\")", "write(\"/m/dir/deep/deep/w\", \"w\")",
		}
		const sh = "cat /m/file /m/dir/deep/deep/w; ls /m/dir /m/dir/deep"
		const want = "file\nw/m/dir:\ndeep\n\n/m/dir/deep:\ndeep"
		for range 5 {
			w.want(t, base()+strings.Join(lines, "\n"), sh, want)
			lines = append(lines[1:], lines[0])
		}
		for i, j := 0, len(lines)-1; i < j; i, j = i+1, j-1 {
			lines[i], lines[j] = lines[j], lines[i]
		}
		w.want(t, base()+strings.Join(lines, "\n"), sh, want)

		w.want(t, base()+fmt.Sprintf("bind(%q, \"/x\")\ntmpfs(\"/x\")", d), "ls -A /x | wc -l", "0")
		w.want(t, base()+fmt.Sprintf("tmpfs(\"/x\")\nbind(%q, \"/x/\", ro = True)", d), "cat /x/file", "file")
		w.want(t, base()+fmt.Sprintf("bind(%q, \"/x\", ro = True)\nmkdir(\"/x\", mode = 0o700)", d), "cat /x/file", "file")
		w.want(t, base()+"write(\"/x\", \"1\")\nwrite(\"/x\", \"2\")\nsymlink(\"a\", \"/y\")\nwrite(\"/y\", \"3\")", "cat /x /y", "23")
		w.want(t, base()+fmt.Sprintf("bind(%q, \"/x\")\nmask(\"/x\")", d+"/file"), "stat -c %a /x", "0")
		w.want(t, base()+fmt.Sprintf("mask(\"/x\")\nbind(%q, \"/x\")", d+"/file"), "cat /x", "file")

		// What is reached over a symlink counts where it lands.
		w.want(t, base()+fmt.Sprintf("symlink(\"m/dir\", \"/a\")\nbind(%q, \"/a/deep/x\", ro = True)\nbind(%q, \"/m\", ro = True)\n", d+"/dir", d), "cat /m/file /a/deep/leaf /m/dir/deep/x/deep/leaf", "file\nleaf\nleaf")
		w.want(t, base()+fmt.Sprintf("symlink(\"/m/dir\", \"/z\")\ntmpfs(\"/z/deep\")\nbind(%q, \"/m\", ro = True)\nwrite(\"/m/dir/deep/w\", \"w\")", d), "cat /m/file /z/deep/w; ls /z/deep", "file\nww")
		// … in a tree that is the host's, too.
		w.want(t, base()+fmt.Sprintf("bind(%q, \"/h\", ro = True)\ntmpfs(\"/h/link\")\nwrite(\"/h/link/w\", \"w\")\ntmpfs(\"/h/dir\")\n", d), "cat /h/link/w /h/dir/deep/w; ls -A /h/dir", "wwdeep")
	})
}

func TestSymlink(t *testing.T) {
	each(t, func(t *testing.T, w who) {
		d := w.source(t)
		unchanged(t, d)
		s := base() + fmt.Sprintf("bind(%q, \"/s\", ro = True)\n", d)
		w.want(t, s+"symlink(\"dir/deep\", \"/s/link\")\nsymlink(\"a\", \"/s/file\")\nsymlink(\"/b\", \"/s/new\")\nsymlink(\"c\", \"/s/dir/new/new\")\nsymlink(\"d\", \"/s/link/leaf\")\nsymlink(\"e\", \"/s/passwd\")\nsymlink(\"none\", \"/top\")\nsymlink(\"/proc/self/exe\", \"/me\")\n",
			"readlink /s/link /s/file /s/new /s/dir/new/new /s/dir/deep/leaf /s/passwd /top; basename $(readlink -f /me)", "dir/deep\na\n/b\nc\nd\ne\nnone\nreadlink")
		w.refused(t, s+"symlink(\"a\", \"/s/dir\")", "destination \"/s/dir\" is a directory")
		w.refused(t, s+"symlink(\"a\", \"/s/file/x\")", "not a directory")
		w.want(t, base()+"symlink(\""+strings.Repeat("x/", 2000)+"\", \"/long\")", "readlink /long | wc -c", "4001")
	})
}

func TestWriteAndCopy(t *testing.T) {
	each(t, func(t *testing.T, w who) {
		d := w.Dir(t)
		big := bytes.Repeat([]byte("0123456789abcde\n"), 1<<18) // 4 MiB
		w.Write(t, d+"/big", string(big))
		w.Write(t, d+"/empty", "")
		w.Write(t, d+"/exec", "#!/bin/sh\necho ran\n")
		box.Must(t, os.Chmod(d+"/exec", 0o750))
		unchanged(t, d)
		script := base() + fmt.Sprintf(`
write("/w/empty", "")
write("/w/text", "téxt\n\x00end")
write("/w/secret", "s", mode = 0o600)
write("/w/suid", "s", mode = 0o6755)
write("/w/script", "#!/bin/sh\necho script\n", mode = 0o755)
write("/w/big", "0123456789abcde\n" * (1 << 18))
copy(%q, "/c/big")
copy(%q, "/c/empty")
copy(%q, "/c/exec")
copy(%q, "/c/mode", mode = 0o4711)
copy(%q, "/usr/share/sbx-test/deep/file")
mkdir("/m/group", mode = 0o2755)
mkdir("/m/all", mode = 0o7777)
mkdir("/m/none", mode = 0)
mkdir("/m/var/tmp")
mkdir("/m/plain")
mkdir("/usr/share/sbx-dir", mode = 0o2711)
tmpfs("/m/tmpfs", mode = 0o2750)
write("/umask", "")
umask(0o077)
`, d+"/big", d+"/empty", d+"/exec", d+"/exec", d+"/exec")
		w.want(t, script, `
stat -c '%a %s %n' /w/empty /w/text /w/secret /w/suid /c/* /m/* /m/var/tmp /usr/share/sbx-test/deep/file /usr/share/sbx-dir /umask
/w/script; /c/exec; sum /w/big /c/big | cut -c -10 | uniq | wc -l; tail -c 3 /w/text; umask`, `
644 0 /w/empty
644 10 /w/text
600 1 /w/secret
6755 1 /w/suid
644 4194304 /c/big
644 0 /c/empty
750 19 /c/exec
4711 19 /c/mode
7777 40 /m/all
2755 40 /m/group
0 40 /m/none
755 40 /m/plain
2750 40 /m/tmpfs
755 60 /m/var
1777 40 /m/var/tmp
750 19 /usr/share/sbx-test/deep/file
2711 40 /usr/share/sbx-dir
644 0 /umask
script
ran
1
end0077`)
		w.refused(t, base()+fmt.Sprintf("copy(%q, \"/x\")", d), "is a directory")
		w.refused(t, base()+"copy(\"/dev/null\", \"/x\")", "is not a regular file")
		w.refused(t, base()+fmt.Sprintf("copy(%q, \"/x\")", d+"/none"), "does not exist on the host")
	})
}

// TestMaskHolds: what leads to a mask, or to what is read-only, stays in its place,
// so that the next sandbox finds it there.
func TestMaskHolds(t *testing.T) {
	each(t, func(t *testing.T, w who) {
		d := w.disk(t)
		w.Write(t, d+"/a/b/secret", "secret")
		w.Write(t, d+"/a/b/other", "")
		w.Write(t, d+"/c/fixed", "")
		w.Write(t, d+"/e/self", "")
		w.Mkdir(t, d+"/free/deep")
		box.Must(t, os.Symlink("a/b", d+"/dir"))
		box.Must(t, os.Symlink("dir/secret", d+"/link"))
		s := base() + fmt.Sprintf("bind(%q, \"/s\")\nmask(\"/s/link\")\nremount_ro(\"/s/c/fixed\")\n", d)
		moves := "cd /s; for f in a a/b dir link c; do mv $f x && echo moved $f; done; rm dir link; ln -sfn free dir; rmdir a; " +
			"cat link dir/secret a/b/secret; mv free/deep f && mv f free/g && mv a/b/other a/b/o2 && ln a/b/o2 a/b/other && echo fine"
		w.want(t, s, "exec 2>/dev/null; "+moves, "fine")
		// A file that is bound onto itself, to be read-only.
		w.want(t, base()+fmt.Sprintf("bind(%q)\nbind(%q, ro = True)\n", d, d+"/e/self"), fmt.Sprintf("cd %q; mv e x 2>/dev/null || echo stays", d), "stays")
		// Nothing is left, and nothing moved.
		for _, name := range []string{"a/b/secret", "a/b/other", "a/b/o2", "link", "dir", "c/fixed", "free/g"} {
			if _, err := os.Lstat(d + "/" + name); err != nil {
				t.Error(err)
			}
		}
		if l, err := os.Readlink(d + "/dir"); l != "a/b" {
			t.Error(l, err)
		}
		// What is mounted below before and after keeps its place.
		w.want(t, base()+fmt.Sprintf("bind(%q, \"/s\")\nwrite(\"/s/a/aa\", \"1\", create = True)\ntmpfs(\"/s/a/b\")\nwrite(\"/s/a/b/z\", \"2\")\nmask(\"/s/a/c\", optional = True)\nmask(\"/s/a/b/z\")\nmask(\"/s/free/g\")\n", d),
			"cat /s/a/aa; ls /s/a/b; cat /s/a/b/z 2>/dev/null; mv /s/free /s/x 2>/dev/null || echo stays", "1z\nstays")
	})
}

func TestMask(t *testing.T) {
	each(t, func(t *testing.T, w who) {
		d := w.source(t)
		unchanged(t, d)
		s := base() + fmt.Sprintf("bind(%q, \"/s\")\n", d) + "mask(\"/s/file\", \"/s/link\")\nmask(\"/s/none\", optional = True)\n"
		sh := "cat /s/file 2>/dev/null | wc -c; ls -A /s/dir/deep 2>/dev/null | wc -l; stat -c '%F %a' /s/file /s/dir/deep; for f in /s/file /s/dir/deep/x; do echo x 2>/dev/null >$f || echo no; done; rm -rf /s/file 2>/dev/null || echo no"
		for _, id := range []string{"", "become_root()", "capabilities(\"all\")"} {
			w.want(t, s+id, sh, "0\n0\nregular empty file 0\ndirectory 0\nno\nno\nno")
		}
		w.want(t, base()+fmt.Sprintf("copy(%q, \"/h\")\nchmod(\"/h\", 0o644)\nmask(\"/h\")\n", d+"/file"), "stat -c %a /h", "0")
		// Over symlinks to what comes later, and over one that is bound.
		w.want(t, base()+fmt.Sprintf("symlink(\"s\", \"/a\")\nmask(\"/a/file\", optional = True)\nbind(%q, \"/s\")\nbind(\"/s\", \"/z\", inside = True)\n", d),
			"cat /a/file /s/file /z/file 2>/dev/null | wc -c", "0")
		w.want(t, base()+fmt.Sprintf("bind(%q, \"/dir\", ro = True)\nbind(%q, \"/k\", follow = False)\nwrite(\"/k/x\", \"\", mode = 0o640)\nchdir(\"/k\")\n", d+"/dir", d+"/link"),
			"pwd -P; readlink /k; stat -c %a x", "/dir/deep\ndir/deep\n640")
		w.refused(t, base()+"mask(\"/none\")", "\"/none\" does not exist in the sandbox", "optional = True")
		w.refused(t, base()+"mask(\"/\")", "the root of the sandbox cannot be masked")
		w.refused(t, base()+fmt.Sprintf("bind(%q, \"/s\")\n", d)+"write(\"/s/dir/deep/x\", \"\")\nmask(\"/s/dir\")", "is masked")
	})
}

func TestRemount(t *testing.T) {
	each(t, func(t *testing.T, w who) {
		d := w.source(t)
		unchanged(t, d)
		s := base() + fmt.Sprintf("bind(%q, \"/s\")\nmkdir(\"/m\")\nwrite(\"/m/f\", \"f\\n\")\n", d)
		const try = "for f in /x /m/x /m/f /s/x /s/dir/x /tmp/x; do touch $f 2>/dev/null && echo $f; done; cat /m/f"
		w.want(t, s+"remount_ro(\"/\")\nremount_ro(\"/s\")", try, "/tmp/x\nf")
		w.want(t, s+"remount_ro(\"/m\")\nremount_ro(\"/s\")", try, "/x\n/tmp/x\nf")
		w.want(t, s+"remount_ro(\"/s\")\nremount_ro(\"/tmp\")\nremount_ro(\"/m/f\")", "touch /m/x && echo x 2>/dev/null >/m/f || cat /m/f; touch /tmp/x 2>/dev/null || echo no", "f\nno")
		w.refused(t, s+"remount_ro(\"/none\")", "does not exist in the sandbox")
		// All mounts below, whatever is at the path itself, and where another call says less.
		w.want(t, s+"remount_ro(\"/\", recursive = True)", try, "f")
		s += fmt.Sprintf("mkdir(\"/m/d\")\ntmpfs(\"/m/d/t\")\nbind(%q, \"/b\")\nbind(%q, \"/b/dir\")\n", d, d+"/dir")
		const below = "for f in /m/x /m/d/x /m/d/t/x /tmp/x; do touch $f 2>/dev/null && echo $f; done; touch /b/x /b/dir/x 2>&1 | wc -l"
		w.want(t, s+"remount_ro(\"/m/d\")\nremount_ro(\"/b\", recursive = True)\nremount_ro(\"/b\")", below, "/m/x\n/m/d/t/x\n/tmp/x\n2")
		w.want(t, s+"remount_ro(\"/m/d\", recursive = True)\nremount_ro(\"/b\", recursive = True)", below, "/m/x\n/tmp/x\n2")
	})
}

// TestMkdirMode has the modes of directories that are there already.
func TestMkdirMode(t *testing.T) {
	each(t, func(t *testing.T, w who) {
		d := w.source(t)
		unchanged(t, d)
		s := base() + fmt.Sprintf("tmpfs(\"/y\")\nmkdir(\"/y\", mode = 0o700)\nmkdir(\"/dev/shm\", mode = 0o700)\nbind(%q, \"/s\")\nmkdir(\"/s/dir\", mode = 0o701)\nmkdir(\"/tmp\")\n", d)
		w.want(t, s, "stat -c %a /y /dev/shm /s/dir /tmp", "700\n700\n755\n1777")
		w.want(t, s+"mkdir(\"/\", mode = 0o711)", "stat -c %a /", "711")
		w.want(t, s+"mkdir(\"/y\", mode = 0o710)\nmkdir(\"/y\")\nmkdir(\"/y/z\")", "stat -c %a /y /y/z", "710\n755")
	})
}

func TestChmod(t *testing.T) {
	each(t, func(t *testing.T, w who) {
		d := w.source(t)
		unchanged(t, d)
		s := base() + fmt.Sprintf("bind(%q, \"/s\")\nmkdir(\"/m\")\nwrite(\"/m/f\", \"f\")\n", d)
		w.want(t, s+"chmod(\"/m\", 0o3711)\nchmod(\"/m/f\", 0o4500)\nchmod(\"/tmp\", 0o700)\nchmod(\"/\", 0o711)\n", "stat -c %a /m /m/f /tmp /", "3711\n4500\n700\n711")
		for _, path := range []string{"/s", "/s/file", "/s/link", "/usr", "/dev/null", "/proc/version"} {
			w.refused(t, s+fmt.Sprintf("chmod(%q, 0o777)", path), "chmod: ", "is the host's")
		}
	})
}

// Nothing is made on the host to make a sandbox.
func TestMountPoints(t *testing.T) {
	each(t, func(t *testing.T, w who) {
		d := w.source(t)
		for _, root := range []string{"/s", "/"} {
			t.Run(root, func(t *testing.T) {
				unchanged(t, d)
				at := strings.TrimSuffix(root, "/")
				bind := fmt.Sprintf("bind(%q, %q, ro = True)\n", d, root)
				// The base scripts' own mount points come on top of a root that has none of them.
				w.want(t, base()+bind+fmt.Sprintf("bind(\"/usr/bin\", %q, ro = True)\nbind(\"/usr/bin/env\", %q, ro = True)\ntmpfs(%q)\nmkdir(%q)\nwrite(%q, \"w\")\nproc(%q)\n", at+"/new/bin", at+"/dir/env", at+"/dir/deep/tmp", at+"/link/made", at+"/dir/deep/tmp/x/w", at+"/proc2"),
					fmt.Sprintf("cd %q && cat file dir/deep/leaf dir/deep/tmp/x/w && test -x new/bin/env && dir/env true && ls -d dir/deep/made proc2/self && touch dir/deep/tmp/y && readlink passwd && test -p fifo && test -S socket; for f in x dir/x dir/deep/made/x file; do echo x 2>/dev/null >$f || echo no; done", root),
					"file\nleaf\nwdir/deep/made\nproc2/self\n/etc/passwd\nno\nno\nno\nno")
			})
		}
		t.Run("writable", func(t *testing.T) {
			unchanged(t, d)
			s := base() + fmt.Sprintf("bind(%q, \"/s\")\n", d)
			for _, line := range []string{"tmpfs(\"/s/new\")", "mkdir(\"/s/new\")", "write(\"/s/new\", \"\")", "symlink(\"x\", \"/s/new\")", "bind(\"/usr\", \"/s/dir/new/usr\")", "proc(\"/s/proc\")", "dev(\"/s/dev\")", "copy(\"/usr/bin/env\", \"/s/env\")"} {
				w.refused(t, s+line, "does not exist in the writable bind at \"/s\"", "pass create = True to have it made on the host")
			}
			w.want(t, s+"tmpfs(\"/s/dir\")\nwrite(\"/s/file\", \"over\")\nsymlink(\"x\", \"/s/link/leaf\")\n", "cat /s/file; ls -A /s/dir; readlink /s/dir/deep/leaf", "overdeep\nx")
		})
	})
	t.Run("create", func(t *testing.T) {
		each(t, func(t *testing.T, w who) {
			d := w.source(t)
			s := base() + fmt.Sprintf("bind(%q, \"/s\")\n", d)
			w.want(t, s+"tmpfs(\"/s/a/tmp\", create = True)\nwrite(\"/s/a/w\", \"w\", create = True)\nsymlink(\"t\", \"/s/l\", create = True)\nbind(\"/usr/bin/env\", \"/s/dir/deep/e/env\", create = True)\nmkdir(\"/s/m\", create = True, mode = 0o700)\ncopy(\"/usr/bin/env\", \"/s/copy\", create = True)",
				"touch /s/a/tmp/x; cat /s/a/w; readlink /s/l; /s/dir/deep/e/env echo ran; /s/copy echo copied", "wt\nran\ncopied")
			// Mount points only: what is on them stays in the sandbox.
			for path, want := range map[string]string{"a/w": "", "dir/deep/e/env": "", "l": "", "copy": ""} {
				if b, err := os.ReadFile(d + "/" + path); err != nil || string(b) != want {
					t.Errorf("%s: %q, %v", path, b, err)
				}
			}
			for path, mode := range map[string]os.FileMode{"a": 0o755, "a/tmp": 0o755, "m": 0o700} {
				if info, err := os.Stat(d + "/" + path); err != nil || !info.IsDir() || info.Mode().Perm() != mode {
					t.Errorf("%s: %v, %v", path, info, err)
				}
			}
			w.want(t, s+"tmpfs(\"/s/a/tmp\", create = True)\nmkdir(\"/s/m\", create = True)", "ls /s/a", "tmp\nw")
		})
	})
}

func TestHostRoot(t *testing.T) {
	each(t, func(t *testing.T, w who) {
		d := w.source(t)
		unchanged(t, d)
		w.want(t, fmt.Sprintf("bind(\"/\", ro = True)\ntmpfs(\"/tmp\")\nbind(%q, \"/sbx-new-top/level\", ro = True)\nwrite(\"/sbx-new-file\", \"f\")\n", d),
			"cat /sbx-new-top/level/file /sbx-new-file; test -x /usr/bin/env && touch /tmp/x && ls /proc/self/comm; touch /x /usr/x /sbx-new-top/x 2>/dev/null || echo no", "file\nf/proc/self/comm\nno")
		if _, err := os.Lstat("/sbx-new-top"); err == nil {
			t.Error("made on the host")
		}
		// Not read-only, and nothing to be made: the host as it is.
		w.want(t, "bind(\"/\")\n", "test -e /proc/self/comm && head -c 1 /dev/zero | wc -c", "1")
	})
}

func TestRootfs(t *testing.T) {
	each(t, func(t *testing.T, w who) {
		d := w.Dir(t) + "/rootfs"
		for _, sub := range []string{"usr", "dev", "proc", "tmp", "etc"} {
			w.Mkdir(t, d+"/"+sub)
		}
		w.Write(t, d+"/etc/name", "rootfs\n")
		box.Must(t, os.Symlink("usr/bin", d+"/bin"))
		box.Must(t, os.Symlink("usr/lib", d+"/lib"))
		box.Must(t, os.Symlink("usr/lib64", d+"/lib64"))
		unchanged(t, d)
		w.want(t, base()+fmt.Sprintf("bind(%q, \"/\", ro = True)\n", d), "cat /etc/name; touch /x 2>/dev/null || echo no; touch /tmp/x && echo yes", "rootfs\nno\nyes")
		w.want(t, base()+fmt.Sprintf("overlay(\"/\", %q, upper = \"tmpfs\")\n", d), "cat /etc/name; touch /x && rm /etc/name && echo yes", "rootfs\nyes")
		w.want(t, base()+fmt.Sprintf("overlay(\"/\", %q)\n", d), "cat /etc/name; touch /x 2>/dev/null || echo no", "rootfs\nno")
	})
}

func TestTmpfs(t *testing.T) {
	each(t, func(t *testing.T, w who) {
		w.want(t, base()+"tmpfs(\"/\", size = \"4M\", mode = 0o711)\ntmpfs(\"/t\", size = 1 << 20)\ntmpfs(\"/var/tmp\")\n",
			"stat -f -c '%T %b %S' / /t | while read t n s; do echo $t $((n * s)); done; stat -c %a / /t /tmp /var/tmp; head -c 2000000 /dev/zero 2>/dev/null >/t/x || stat -c %s /t/x",
			"tmpfs 4194304\ntmpfs 1048576\n711\n755\n1777\n1777\n1048576")
		w.want(t, base()+"mkdir(\"/\", mode = 0o700)\nmkdir(\"/x\")\n", "stat -c %a / /x", "700\n755")
	})
}

func TestDev(t *testing.T) {
	each(t, func(t *testing.T, w who) {
		w.want(t, base(), `cd /dev && for n in null zero full random urandom tty; do test -c $n || echo no $n; done
head -c 2 zero | wc -c; head -c 2 urandom | wc -c; echo x >full; echo $?; readlink fd stdin stdout stderr core ptmx
stat -c '%a %F' shm pts; touch shm/x && echo x | cat fd/0; test -e console || echo no console; touch x && mknod y c 1 3 2>/dev/null || echo no mknod`,
			"2\n2\n1\n/proc/self/fd\n/proc/self/fd/0\n/proc/self/fd/1\n/proc/self/fd/2\n/proc/kcore\npts/ptmx\n1777 directory\n755 directory\nx\nno console\nno mknod")
	})
}

// The files of /proc that root may write by owning them are read-only.
func TestProcOfRoot(t *testing.T) {
	each(t, func(t *testing.T, w who) {
		for _, script := range []string{"", "unshare(pid = True)\n", "become_root()\n",
			"map_user(7, 7)\n", "map_user(7, 7)\nunshare(pid = True)\n"} {
			w.want(t, base()+script, "for f in irq bus irq/default_smp_affinity sys/kernel/hostname sys/vm/drop_caches sysrq-trigger; do test -w /proc/$f && echo $f; done; test -w /proc/self/comm && echo own", "own")
		}
	})
}

// What is mounted on the host later does not appear in a sandbox, and the other
// way round.
func TestPropagation(t *testing.T) {
	asRoot(t, func(t *testing.T, w who) {
		d := w.source(t)
		box.Must(t, unix.Mount(d, d, "", unix.MS_BIND, ""))
		defer unix.Unmount(d, unix.MNT_DETACH)
		box.Must(t, unix.Mount("", d, "", unix.MS_SHARED, ""))
		for _, script := range []string{"", "capabilities(\"all\")\n", "map_user(3)\n"} {
			r := start(t, w.command(t, base()+script+fmt.Sprintf("bind(%q, \"/s\")", d), "sh", "-c", "echo ready; read x; ls /s/dir"))
			box.Must(t, unix.Mount("none", d+"/dir", "tmpfs", 0, ""))
			r.stdin.Close()
			if res := r.wait(t); res.Code != 0 || res.Out != "deep\n" {
				t.Error(script, res)
			}
			box.Must(t, unix.Unmount(d+"/dir", 0))
		}
		before := mounts(t, d)
		w.want(t, base()+"capabilities(\"all\")\n"+fmt.Sprintf("bind(%q, \"/s\")", d), "mount -t tmpfs none /s/dir && ls -A /s/dir | wc -l", "0")
		if after := mounts(t, d); after != before {
			t.Errorf("mounts on the host were:\n%s\nand are:\n%s", before, after)
		}
	})
}

// mounts are those of the host at or below dir.
func mounts(t testing.TB, dir string) string {
	f, err := os.ReadFile("/proc/self/mountinfo")
	box.Must(t, err)
	var b strings.Builder
	for line := range strings.Lines(string(f)) {
		if strings.Contains(line, " "+dir) {
			b.WriteString(line)
		}
	}
	return b.String()
}

// A bind of a tree with other file systems in it shows them, and mount points
// can be made beside them.
func TestSubmounts(t *testing.T) {
	asRoot(t, func(t *testing.T, w who) {
		d := w.source(t)
		box.Must(t, unix.Mount("none", d+"/dir/deep", "tmpfs", 0, ""))
		defer unix.Unmount(d+"/dir/deep", unix.MNT_DETACH)
		box.Must(t, os.WriteFile(d+"/dir/deep/on-tmpfs", []byte("t\n"), 0o644))
		for _, u := range []who{w, {box.Users()[0]}} {
			s := base() + fmt.Sprintf("bind(%q, \"/s\", ro = True)\n", d)
			u.want(t, s, "cat /s/dir/deep/on-tmpfs; touch /s/dir/deep/x 2>/dev/null || echo no", "t\nno")
			for _, at := range []string{"/s", "/s/dir", "/s/dir/deep"} {
				u.want(t, s+fmt.Sprintf("write(%q, \"new\\n\")\nmkdir(%q)\n", at+"/new/file", at+"/new2"),
					fmt.Sprintf("cat %s/new/file; ls -d %s/new2; cat /s/dir/deep/on-tmpfs /s/file; touch /s/dir/deep/x /s/x %s/new/x 2>/dev/null || echo no", at, at, at), fmt.Sprintf("new\n%s/new2\nt\nfile\nno", at))
			}
			u.want(t, s+"write(\"/s/a\", \"a\")\nwrite(\"/s/dir/b\", \"b\")\nwrite(\"/s/dir/deep/c\", \"c\")", "cat /s/a /s/dir/b /s/dir/deep/c /s/dir/deep/on-tmpfs /s/file", "abct\nfile")
		}
	})
}

func TestBindLikeBwrap(t *testing.T) {
	bwrap, err := exec.LookPath("bwrap")
	if err != nil {
		t.Skip("bwrap is not installed")
	}
	asUser(t, func(t *testing.T, w who) {
		d := w.source(t)
		const sh = "cd /; find s t -printf '%p %y %m %s %l\\n' | sort; touch s/x 2>/dev/null; echo $?"
		cmd := w.Command(t, bwrap, "--ro-bind", "/usr", "/usr", "--symlink", "usr/bin", "/bin", "--symlink", "usr/lib", "/lib", "--symlink", "usr/lib64", "/lib64",
			"--dev", "/dev", "--proc", "/proc", "--ro-bind", d, "/s", "--bind", d+"/link", "/t/t", "--chmod", "0755", "/t", "--", "sh", "-c", sh)
		peer := box.Finish(t, cmd)
		if peer.Code != 0 {
			t.Skip("bwrap does not work here: " + peer.Err)
		}
		w.want(t, base()+fmt.Sprintf("bind(%q, \"/s\", ro = True)\nbind(%q, \"/t/t\")", d, d+"/link"), sh, peer.Out)
	})
}
