//go:build linux

package enginetest

// Overlays: what the command sees, where its changes go, and what is left.

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"sbx/engine/enginetest/box"
	"sbx/engine/plan"
)

const overlayMagic = 0x794c7630 // OVERLAYFS_SUPER_MAGIC, statfs(2)

// disk returns a new directory of w's that can be an upper directory, for all that
// a command may do: tmpfs has no user attributes before Linux 6.6.
func (w who) disk(t testing.TB) string {
	t.Helper()
	for _, dir := range []string{box.Work, "/var/tmp", "/dev/shm"} {
		var st unix.Statfs_t
		_, err := unix.Getxattr(dir, "user.sbx", nil)
		if unix.Statfs(dir, &st) == nil && int64(st.Type) != overlayMagic && err != unix.EOPNOTSUPP {
			return w.DirIn(t, dir)
		}
	}
	box.Skip(t, "no directory that is not on an overlay and has user attributes")
	return ""
}

// tree lists what is below dir: paths, types, modes, sizes, times and contents.
func tree(t testing.TB, dir string) string {
	t.Helper()
	var b strings.Builder
	box.Must(t, filepath.Walk(dir, func(p string, info os.FileInfo, err error) error {
		if err != nil {
			return err
		}
		fmt.Fprintf(&b, "%s %v %d %v", strings.TrimPrefix(p, dir), info.Mode(), info.Size(), info.ModTime().UnixNano())
		switch {
		case info.Mode().IsRegular():
			data, err := os.ReadFile(p)
			if err != nil {
				return err
			}
			fmt.Fprintf(&b, " %q", data)
		case info.Mode()&os.ModeSymlink != 0:
			target, _ := os.Readlink(p)
			b.WriteString(" -> " + target)
		}
		b.WriteByte('\n')
		return nil
	}))
	return b.String()
}

// unchanged checks at the end of the test that nothing below dir has changed.
func unchanged(t testing.TB, dir string) {
	t.Helper()
	before := tree(t, dir)
	t.Cleanup(func() {
		if after := tree(t, dir); after != before {
			t.Errorf("%s was:\n%sand is now:\n%s", dir, before, after)
		}
	})
}

func TestOverlayReadOnly(t *testing.T) {
	each(t, func(t *testing.T, w who) {
		d := w.Dir(t)
		w.Write(t, d+"/a/one", "a")
		w.Write(t, d+"/a/sub/x", "x")
		w.Write(t, d+"/b/one", "b")
		w.Write(t, d+"/b/sub/y", "y")
		box.Must(t, os.Chmod(d+"/a", 0o750))
		unchanged(t, d)
		two := base() + fmt.Sprintf("overlay(\"/ov\", [%q, %q])\n", d+"/a", d+"/b")
		w.want(t, two, "cat /ov/one; ls /ov /ov/sub; touch /ov/x 2>/dev/null || echo no", "b/ov:\none\nsub\n\n/ov/sub:\nx\ny\nno")
		one := base() + fmt.Sprintf("overlay(\"/ov\", %q)\n", d+"/a")
		w.want(t, one, "cat /ov/one; stat -c %a /ov; touch /ov/x 2>/dev/null || echo no", "a750\nno")
		// Mount points that are missing appear on top.
		w.want(t, two+`bind("/usr/bin", "/ov/deep/bin", ro = True)`+"\nwrite(\"/ov/sub/z\", \"z\")\nsymlink(\"z\", \"/ov/link\")\n",
			"test -x /ov/deep/bin/sh && ls /ov /ov/sub; cat /ov/sub/z; readlink /ov/link", "/ov:\ndeep\nlink\none\nsub\n\n/ov/sub:\nx\ny\nz\nzz")
		w.want(t, one+"mkdir(\"/ov/new\")", "stat -c %a /ov", "750")
	})
}

func TestOverlayUpper(t *testing.T) {
	each(t, func(t *testing.T, w who) {
		d := w.disk(t)
		w.Write(t, d+"/low/keep", "low")
		w.Write(t, d+"/low/gone", "low")
		w.Write(t, d+"/low/dir/old", "low")
		up := w.Mkdir(t, d+"/up")
		unchanged(t, d+"/low")
		script := base() + fmt.Sprintf("overlay(\"/ov\", %q, upper = %q)\n", d+"/low", up)
		w.want(t, script, "cd /ov && rm gone && rm -r dir && mkdir dir && echo new >dir/new && echo more >>keep && echo own >own && ls -R", ".:\ndir\nkeep\nown\n\n./dir:\nnew")
		w.want(t, script, "cd /ov && ls -R && cat keep", ".:\ndir\nkeep\nown\n\n./dir:\nnew\nlowmore")
		for file, want := range map[string]string{"keep": "lowmore\n", "own": "own\n", "dir/new": "new\n"} {
			if b, err := os.ReadFile(filepath.Join(up, file)); err != nil || string(b) != want {
				t.Errorf("upper: %s: %q, %v", file, b, err)
			}
		}
		if entries, err := os.ReadDir(d); err != nil || len(entries) != 2 {
			t.Errorf("left beside upper: %v, %v", entries, err)
		}

		// The upper directory as a layer, alone, among others and under others.
		other := w.Write(t, d+"/other/gone", "other")
		w.Write(t, d+"/other/dir/other", "other")
		w.want(t, base()+fmt.Sprintf("overlay(\"/ov\", [%q, %q])", d+"/low", up), "cd /ov && ls -R && cat keep", ".:\ndir\nkeep\nown\n\n./dir:\nnew\nlowmore")
		w.want(t, base()+fmt.Sprintf("overlay(\"/ov\", [%q, %q], upper = \"tmpfs\")", filepath.Dir(other), up), "cd /ov && ls -R", ".:\ndir\nkeep\nown\n\n./dir:\nnew")
		w.want(t, base()+fmt.Sprintf("overlay(\"/ov\", [%q, %q, %q])", d+"/low", up, filepath.Dir(other)), "cd /ov && ls dir && cat gone", "new\nother\nother")
		// And as the upper directory over another stack.
		w.want(t, base()+fmt.Sprintf("overlay(\"/ov\", %q, upper = %q)", filepath.Dir(other), up), "cd /ov && ls -R && mv dir dir2 && ls dir2", ".:\ndir\nkeep\nown\n\n./dir:\nnew\nnew")
	})
}

func TestOverlayWork(t *testing.T) {
	each(t, func(t *testing.T, w who) {
		d := w.disk(t)
		low, up, wrk := w.Mkdir(t, d+"/low"), w.Mkdir(t, d+"/up"), w.Mkdir(t, d+"/work")
		w.want(t, base()+fmt.Sprintf("overlay(\"/ov\", %q, upper = %q, work = %q)", low, up, wrk), "echo x >/ov/x; cat /ov/x", "x")
		if _, err := os.Stat(wrk); err != nil {
			t.Error("a work directory that was named is gone:", err)
		}
		// After deletions the kernel has something of its own in there.
		w.Write(t, low+"/a", "")
		w.Write(t, low+"/b/c", "")
		w.want(t, base()+fmt.Sprintf("overlay(\"/ov\", %q, upper = %q)", low, up), "cd /ov; rm -r a b; ls", "x")
		if _, err := os.Stat(up + ".work"); err == nil {
			t.Error("the work directory is still there after deletions")
		}
		// Left there by a sandbox that was killed with all its guards.
		w.Mkdir(t, up+".work/work")
		w.want(t, base()+fmt.Sprintf("overlay(\"/ov\", %q, upper = %q)", low, up), "cat /ov/x", "x")
		if _, err := os.Stat(up + ".work"); err == nil {
			t.Error("the work directory is still there")
		}
		// No less after a failure.
		w.refused(t, base()+fmt.Sprintf("overlay(\"/ov\", %q, upper = %q)\nchdir(\"/none\")", low, up), "chdir: directory \"/none\" does not exist")
		wantError(t, w.run(t, base()+fmt.Sprintf("overlay(\"/ov\", %q, upper = %q)", low, up), "/none"), 127)
		if _, err := os.Stat(up + ".work"); err == nil {
			t.Error("the work directory is still there after a failure")
		}
		// By another name.
		box.Must(t, os.Symlink(low, d+"/alias"))
		for script, words := range map[string]string{
			fmt.Sprintf("overlay(\"/ov\", %q, upper = %q)", low, w.Mkdir(t, low+"/in")):                       "lie within each other",
			fmt.Sprintf("overlay(\"/ov\", %q, upper = %q)", low, d+"/alias/in"):                               "lie within each other",
			fmt.Sprintf("overlay(\"/ov\", %q, upper = %q)", d+"/alias", low+"/in"):                            "lie within each other",
			fmt.Sprintf("overlay(\"/ov\", %q, upper = %q, work = %q)", low, up, d+"/alias/in"):                "lie within each other",
			fmt.Sprintf("overlay(\"/ov\", %q, upper = %q, work = %q)", low, up, d+"/none"):                    "does not exist",
			fmt.Sprintf("overlay(\"/ov\", %q, upper = %q, work = \"/proc\")", low, up):                        "not on the same mount",
			fmt.Sprintf("overlay(\"/ov\", %q, upper = %q, work = %q)", low, up, up):                           "work and upper are the same directory",
			fmt.Sprintf("overlay(\"/ov\", %q, upper = %q, work = %q)", low, up, w.Mkdir(t, up+"/w")):          "within each other",
			fmt.Sprintf("overlay(\"/ov\", %q, upper = %q)", low, low):                                         "the same directory",
			fmt.Sprintf("overlay(\"/a\", %q, upper = %q)\noverlay(\"/b\", %q, upper = %q)", low, up, low, up): "is the upper of another overlay",
		} {
			w.refused(t, base()+script, words)
		}
	})
}

func TestOverlayTmpfs(t *testing.T) {
	each(t, func(t *testing.T, w who) {
		d := w.Dir(t)
		w.Write(t, d+"/low/f", "low")
		box.Must(t, os.Chmod(d+"/low", 0o750))
		unchanged(t, d)
		w.want(t, base()+fmt.Sprintf("overlay(\"/ov\", %q, upper = \"tmpfs\")", d+"/low"), "cd /ov; echo x >x; rm f; ls", "x")
		for dst, mode := range map[string]string{"/tmp": "1777", "/var/tmp": "1777", "/ov": "750", "/xtmp": "750"} {
			script := strings.Replace(base(), "tmpfs(\"/tmp\")", "", 1) + fmt.Sprintf("overlay(%q, %q, upper = \"tmpfs\")", dst, d+"/low")
			w.want(t, script, "stat -c %a "+dst+"; touch "+dst+"/new", mode)
		}
	})
}

func TestOverlayManyLayers(t *testing.T) {
	each(t, func(t *testing.T, w who) {
		d := w.disk(t)
		var list []string
		for i := range 501 {
			l := fmt.Sprintf("%s/layer%d", d, i)
			w.Write(t, fmt.Sprintf("%s/%d", l, i), "")
			list = append(list, fmt.Sprintf("%q", l))
		}
		up := w.Mkdir(t, d+"/up")
		all := strings.Join(list[:500], ", ")
		w.want(t, base()+fmt.Sprintf("overlay(\"/ov\", [%s])", all), "ls /ov | wc -l", "500")
		w.want(t, base()+fmt.Sprintf("overlay(\"/ov\", [%s], upper = %q)", all, up), "rm /ov/7; ls /ov | wc -l", "499")
		w.refused(t, base()+fmt.Sprintf("overlay(\"/ov\", [%s])", strings.Join(list, ", ")), "501 layers are given, at most 500")
		// A mount point that has to be made takes one more.
		r := w.sh(t, base()+fmt.Sprintf("overlay(\"/ov\", [%s])\nmkdir(\"/ov/new\")", all), "ls /ov | wc -l")
		if strings.TrimSpace(r.Out) != "501" && r.Code != 125 {
			t.Error(r)
		}
	})
}

// strange are names that option strings, octal escapes or shells trip over.
var strange = []string{
	"colon:colon::", "comma,comma", `back\slash\`, "spa ce ", "new\nline", "tab\ttab", "\xff\xfe not UTF-8", `quo"te'`, "lowerdir=/x,upperdir=y", "-", "%s", "#", "ünï",
	strings.Repeat("long ", 40) + "/" + strings.Repeat("longer ", 30) + "/" + strings.Repeat(`\:,`, 60),
}

func TestOverlayStrangePaths(t *testing.T) {
	each(t, func(t *testing.T, w who) {
		for i, name := range strange {
			d := w.disk(t) + "/" + name
			w.Write(t, d+"/low/low", "low")
			w.Write(t, d+"/mid/mid", "mid")
			up := w.Mkdir(t, d+"/up")
			p := scriptPlan(t, w, base())
			dst := plan.Str("/ov/" + name)
			p.Ops = append(p.Ops, plan.Op{Kind: plan.Overlay, Dst: dst, Lower: []plan.Str{plan.Str(d + "/low"), plan.Str(d + "/mid")}, Upper: plan.Str(up)})
			r := w.plan(t, p, "sh", "-c", `cd "$0" && cat low mid && echo up >up && ls`, string(dst))
			if r.Code != 0 || r.Out != "lowmidlow\nmid\nup\n" {
				t.Errorf("%d: %q: %s", i, name, r)
			}
			if b, err := os.ReadFile(up + "/up"); err != nil || string(b) != "up\n" {
				t.Errorf("%q: %q, %v", name, b, err)
			}
			if _, err := os.Stat(up + ".work"); err == nil {
				t.Errorf("%q: the work directory is still there", name)
			}
			// Bound and copied, too.
			p = scriptPlan(t, w, base())
			p.Ops = append(p.Ops,
				plan.Op{Kind: plan.Bind, Src: plan.Str(d + "/low"), Dst: dst, RO: true},
				plan.Op{Kind: plan.Copy, Src: plan.Str(d + "/mid/mid"), Dst: dst + " 2"},
				plan.Op{Kind: plan.Mkdir, Dst: dst + "/sub"})
			r = w.plan(t, p, "sh", "-c", `cat "$0/low" "$0 2" && test -d "$0/sub"`, string(dst))
			if r.Code != 0 || r.Out != "lowmid" {
				t.Errorf("%d: %q: %s", i, name, r)
			}
		}
	})
}

func TestOverlayAsRoot(t *testing.T) {
	each(t, func(t *testing.T, w who) {
		d := w.disk(t)
		w.Write(t, d+"/top/hello", "hello")
		w.Mkdir(t, d+"/rootfs")
		up := w.Mkdir(t, d+"/up")
		lower := fmt.Sprintf("[%q, %q]", d+"/rootfs", d+"/top")
		for _, upper := range []string{"", ", upper = \"tmpfs\"", fmt.Sprintf(", upper = %q, create = True", up)} {
			script := base() + fmt.Sprintf("overlay(\"/\", %s%s)\n", lower, upper)
			if strings.Contains(upper, "create") {
				// Changes of the upper directory are the host's: mount points must
				// be asked for.
				w.refused(t, script, "pass create = True")
				continue
			}
			want := "hello1"
			if upper != "" {
				want = "hello0"
			}
			w.want(t, script, "cat /hello && test -x /usr/bin/env && touch /x 2>/dev/null; echo $?", want)
		}
	})
}

func TestOverlayOnOverlay(t *testing.T) {
	each(t, func(t *testing.T, w who) {
		d := w.disk(t)
		w.Mkdir(t, d+"/low/up")
		inner := w.Write(t, d+"/inner.sbx.star", base()+"overlay(\"/x\", \"/ov\", upper = \"/ov/up\")")
		script := base() + fmt.Sprintf("become_root()\ncapabilities(\"all\")\noverlay(\"/ov\", %q, upper = \"tmpfs\")\nbind(%q, \"/sbx\", ro = True)\nbind(%q, \"/inner\", ro = True)\n", d+"/low", sbxBin, inner)
		script = strings.ReplaceAll(script, probeBin, probeBin)
		r := w.sh(t, script+fmt.Sprintf("bind(%q)", box.Work), "/sbx exec /inner -- true")
		wantError(t, r, 125, "is itself on an overlay", "pass upper = \"tmpfs\"")
	})
}

// TestOverlayWorkNotOurs has something of the user's where the default work
// directory would be: the kernel would empty it, and sbx remove it.
func TestOverlayWorkNotOurs(t *testing.T) {
	each(t, func(t *testing.T, w who) {
		d := w.disk(t)
		w.Write(t, d+"/low/f", "f")
		w.Write(t, d+"/precious/work/file", "precious")
		for _, name := range []string{"link", "full", "deep"} {
			w.Mkdir(t, d+"/"+name)
		}
		box.Must(t, os.Symlink("precious", d+"/link.work"))
		w.Write(t, d+"/full.work/file", "precious")
		w.Write(t, d+"/deep.work/work/file", "precious")
		for _, name := range []string{"link", "full", "deep"} {
			w.refused(t, base()+fmt.Sprintf("overlay('/o', ['%s/low'], upper = '%s/%s')\n", d, d, name), "where the work directory would be")
		}
		for _, file := range []string{"precious/work/file", "full.work/file", "deep.work/work/file"} {
			if b, err := os.ReadFile(d + "/" + file); err != nil || string(b) != "precious" {
				t.Errorf("%s: %q, %v", file, b, err)
			}
		}
	})
}
