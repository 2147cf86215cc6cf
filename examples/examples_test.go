//go:build linux

// Package examples runs the examples: as an ordinary user, from a copy that
// belongs to that user, and as root too where the tests run as root.
package examples

import (
	"crypto/sha256"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"sbx/engine/enginetest/box"
)

var sbx string // the program

func TestMain(m *testing.M) {
	box.Main(m, func() (err error) {
		sbx, err = box.Build("sbx/cmd/sbx")
		box.Try(sbx, "doctor")
		return err
	})
}

// copied is a copy of one example, and who runs it.
type copied struct {
	box.User
	t   *testing.T
	dir string // holds the example and home
	env []string
}

// each runs f on a copy of an example for each user. What f leaves in the copy
// must be what it returns, and nothing else may differ.
func each(t *testing.T, example string, f func(c *copied) (made []string)) {
	t.Helper()
	box.Each(t, func(t *testing.T, u box.User) {
		t.Parallel()
		dir := u.Dir(t)
		c := &copied{User: u, t: t, dir: dir}
		c.env = []string{"HOME=" + c.path("home"), "PATH=/usr/bin:/bin"}
		box.Must(t, os.CopyFS(c.path(example), os.DirFS(example)))
		box.Must(t, filepath.WalkDir(dir, func(name string, _ fs.DirEntry, err error) error {
			u.Own(t, name)
			return err
		}))
		c.mkdir("home")
		before, mounts := files(t, dir), mountTable(t)
		made := f(c)
		after := files(t, dir)
		for _, name := range slices.Sorted(maps.Keys(after)) {
			if before[name] != after[name] && !slices.Contains(made, name) {
				t.Errorf("%s has changed: it was %q and is %q", name, before[name], after[name])
			}
			delete(before, name)
		}
		for name := range before {
			t.Errorf("%s is gone", name)
		}
		for _, name := range made {
			if _, ok := after[name]; !ok {
				t.Errorf("%s was not made", name)
			}
		}
		if now := mountTable(t); now != mounts {
			t.Errorf("the mounts of the host have changed:\n%s\nwere\n%s", now, mounts)
		}
	})
}

// files tells of each file below dir what could change. Directories only have
// their modes: where entries came and went is told by these.
func files(t *testing.T, dir string) map[string]string {
	t.Helper()
	m := map[string]string{}
	box.Must(t, filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		s := fmt.Sprint(info.Mode(), info.Sys().(*syscall.Stat_t).Uid)
		if d.Type().IsRegular() {
			b, err := os.ReadFile(name)
			if err != nil {
				return err
			}
			s += fmt.Sprintf(" %s %x", info.ModTime().Format(time.RFC3339Nano), sha256.Sum256(b))
		}
		rel, err := filepath.Rel(dir, name)
		m[rel] = s
		return err
	}))
	return m
}

// mountTable returns the mounts below work that this process sees.
func mountTable(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile("/proc/self/mountinfo")
	box.Must(t, err)
	var lines []string
	for line := range strings.Lines(string(b)) {
		if strings.Contains(line, box.Work) {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "")
}

func (c *copied) path(name string) string { return filepath.Join(c.dir, name) }

// mkdir makes a directory of the user's.
func (c *copied) mkdir(name string) string {
	c.t.Helper()
	return c.Mkdir(c.t, c.path(name))
}

// run runs sbx in the copy's directory.
func (c *copied) run(args ...string) box.Result {
	c.t.Helper()
	cmd := c.Command(c.t, sbx, args...)
	cmd.Dir, cmd.Env = c.dir, c.env
	return box.Finish(c.t, cmd)
}

// want runs sbx and compares what it prints; «regexps» stand for what varies.
func (c *copied) want(want string, args ...string) {
	c.t.Helper()
	r := c.run(args...)
	if r.Code != 0 || r.Err != "" {
		c.t.Errorf("sbx %s: %s", strings.Join(args, " "), r)
	}
	pattern := regexp.QuoteMeta(strings.TrimPrefix(want, "\n"))
	pattern = regexp.MustCompile(`«[^»]*»`).ReplaceAllStringFunc(pattern, func(s string) string {
		s = strings.Trim(s, "«»")
		return regexp.MustCompile(`\\(.)`).ReplaceAllString(s, "$1")
	})
	if !regexp.MustCompile("^" + pattern + "$").MatchString(r.Out) {
		c.t.Errorf("sbx %s prints\n%s\nwant\n%s", strings.Join(args, " "), r.Out, want)
	}
}

// TestAll sees to it that there is a test for each example, and that each is
// without faults and explains itself.
func TestAll(t *testing.T) {
	scripts, err := filepath.Glob("*/*.sbx.star")
	box.Must(t, err)
	want := []string{"become-root", "compile-c", "hello", "modules", "overlay-stack"}
	var have []string
	for _, s := range scripts {
		name := filepath.Dir(s)
		have = append(have, name)
		if filepath.Base(s) != name+".sbx.star" {
			t.Errorf("%s is not named after its folder", s)
		}
		each(t, name, func(c *copied) []string {
			script := filepath.Join(name, filepath.Base(s))
			if r := c.run("check", script); r.Code != 0 {
				t.Error("sbx check:", r)
			}
			if r := c.run("help", script); r.Code != 0 || r.Err != "" || !strings.Contains(r.Out, ".\n") || !strings.Contains(r.Out, "\nUsage: sbx exec ") {
				t.Error("sbx help:", r)
			}
			return nil
		})
	}
	if !slices.Equal(have, want) {
		t.Errorf("the examples are %q, want %q", have, want)
	}
}

const helloSays = `
Hello from a sandbox!
  I am     uid «\d+», process 2, on Linux «\S+»
  I see    bin dev hello lib «[a-z0-9 ]*»tmp usr
  /tmp     is empty, and gone at the end: 0 files
  /usr     is the host's, and cannot be written
  «\S+» is not here
`

func TestHello(t *testing.T) {
	each(t, "hello", func(c *copied) []string {
		c.want(helloSays, "exec", "hello/hello.sbx.star")
		c.env = []string{"HOME=/nonexistent", "PATH=/usr/bin:/bin"}
		c.want(helloSays, "exec", "hello/hello.sbx.star")
		c.env = nil
		c.want("/\n", "exec", "hello/hello.sbx.star", "--", "pwd")
		return nil
	})
}

// Where /bin and /lib are directories, not links into /usr. Such a host is made
// by sbx.
func TestUnmerged(t *testing.T) {
	const host = `
bind("/usr", ro = True)
for name in ["bin", "sbin", "lib", "lib32", "lib64"]:
    bind(realpath("/" + name) if exists("/" + name) else "/" + name, "/" + name, ro = True, optional = True)
dev()
proc()
tmpfs("/tmp")
capabilities("all" if host.uid == 0 else "none") # uid 0 without CAP_SETFCAP cannot be mapped again
bind(script.dir, "/it", ro = True)
bind(args[0], ro = True)
`
	each(t, "hello", func(c *copied) []string {
		box.Must(t, os.WriteFile(c.path("host.sbx.star"), []byte(host), 0o644))
		c.want("directory\n", "exec", "host.sbx.star", sbx, "exec", "/it/hello/hello.sbx.star", "sh", "-c", "test -L /bin || echo directory")
		c.want(helloSays, "exec", "host.sbx.star", sbx, "exec", "/it/hello/hello.sbx.star")
		return []string{"host.sbx.star"}
	})
}

func TestCompileC(t *testing.T) {
	for _, tool := range []string{"/usr/bin/make", "/usr/bin/cc", "/usr/include/stdio.h"} {
		if _, err := os.Stat(tool); err != nil {
			t.Skipf("there is no C compiler: %v", err)
		}
	}
	script := "compile-c/compile-c.sbx.star"
	each(t, "compile-c", func(c *copied) []string {
		c.want(`
cc -O2 -Wall -Wextra -Werror -c -o /out/main.o main.c
cc -O2 -Wall -Wextra -Werror -c -o /out/greet.o greet.c
cc -O2 -Wall -Wextra -Werror -o /out/greet /out/main.o /out/greet.o
`, "exec", script)
		c.want("Hello, you!\n", "exec", script, "--", "/out/greet", "you")
		c.want("make: '/out/greet' is up to date.\n", "exec", script)
		other := c.mkdir("other") // "made" has it
		for _, out := range []string{other, "other"} {
			c.want("cc -O2«(.|\n)*»", "exec", script, "--set", "out="+out)
			c.want("rm -f /out/greet /out/*.o\n", "exec", script, "--set", "out="+out, "--", "make", "clean")
		}
		if r := c.run("exec", script, "--", "touch", "main.c"); r.Code == 0 || !strings.Contains(r.Err, "Read-only file system") {
			c.t.Error("the source can be written:", r)
		}
		if r := c.run("exec", script, "--set", "out=none"); r.Code == 0 || !strings.Contains(r.Err, "does not exist") {
			c.t.Error("into a missing directory:", r)
		}
		return []string{"compile-c/out/greet", "compile-c/out/greet.o", "compile-c/out/main.o", "other"}
	})
}

func TestOverlayStack(t *testing.T) {
	script := "overlay-stack/overlay-stack.sbx.star"
	says := func(visits int) string {
		return fmt.Sprintf(`
files:   colour motd visits
colour:  green
motd:    every layer below can be seen
visits:  %d
`, visits)
	}
	each(t, "overlay-stack", func(c *copied) []string {
		c.want(says(1), "exec", script)
		c.want(says(1), "exec", script)
		upper := "upper=" + c.mkdir("changes")
		c.want(says(1), "exec", script, "--set", upper)
		c.want(says(2), "exec", script, "--set", upper)
		c.want("blue\nremoved by the command, in the upper only\n",
			"exec", script, "--set", "layers=base", "--", "cat", "colour", "obsolete")
		if info, err := os.Lstat(c.path("changes/obsolete")); err != nil || info.Mode()&fs.ModeCharDevice == 0 {
			c.t.Errorf("changes/obsolete is no whiteout: %v, %v", info, err)
		}
		return []string{"changes", "changes/obsolete", "changes/visits"}
	})
}

func TestBecomeRoot(t *testing.T) {
	const says = `
I am root, uid 0
in the archive:  -rwxr-xr-x 1234/1234
installed:       -rwxr-xr-x 0/0
for www-data:    drwxr-x--- 0/0
works
`
	script := "become-root/become-root.sbx.star"
	each(t, "become-root", func(c *copied) []string {
		c.want(says, "exec", script)
		c.mkdir("tree")
		c.want(says, "exec", script, "--set", "into=tree")
		for _, name := range []string{"tree/bin/tool", "tree/www"} {
			info, err := os.Stat(c.path(name))
			box.Must(c.t, err)
			if uid := info.Sys().(*syscall.Stat_t).Uid; int(uid) != c.UID {
				c.t.Errorf("%s belongs to %d, want %d", name, uid, c.UID)
			}
		}
		if !c.Root() {
			if r := c.run("exec", script, "--set", "suppress=false"); r.Code == 0 || !strings.Contains(r.Err, "Cannot change ownership") {
				c.t.Error("without suppress_chown:", r)
			}
		}
		return []string{"tree", "tree/bin", "tree/bin/tool", "tree/www"}
	})
}

func TestModules(t *testing.T) {
	script := "modules/modules.sbx.star"
	each(t, "modules", func(c *copied) []string {
		c.want("PATH=/usr/bin:/bin\nHOME=\nbin\ndev\n«(.|\n)*»tmp\nusr\n", "exec", script)
		c.want("PATH=/usr/bin:/bin\nHOME=/home/guest\nbin\ndev\n«(.|\n)*»home\n«(.|\n)*»", "exec", script, "--set", "rich=true")
		c.want("guest\n/home/guest\n", "exec", script, "--set", "rich=true", "--", "sh", "-c", "id -un; pwd")
		return nil
	})
}

// TestREADME sees to it that the README names every built-in and verb, and that
// its quick start is what it is.
func TestREADME(t *testing.T) {
	b, err := os.ReadFile("../README.md")
	box.Must(t, err)
	readme := string(b)
	for _, what := range []struct{ topic, pattern, begin string }{
		{"builtins", `(?m)^  (\w+)  `, "`"},
		{"", `(?m)^  ([a-z]+)  +[A-Z]`, "`sbx "},
	} {
		out, err := exec.Command(sbx, strings.Fields("help "+what.topic)...).Output()
		box.Must(t, err)
		names := regexp.MustCompile(what.pattern).FindAllStringSubmatch(string(out), -1)
		if len(names) < 6 {
			t.Fatalf("sbx help %s:\n%s", what.topic, out)
		}
		for _, n := range names {
			if !regexp.MustCompile(`(?m)^\|.*` + regexp.QuoteMeta(what.begin+n[1]) + `\b`).MatchString(readme) {
				t.Errorf("README.md has no row for %s", n[1])
			}
		}
	}
	const start = "\n\n    go run ./cmd/sbx exec examples/hello/hello.sbx.star\n    go test ./...\n\n"
	if !strings.Contains(readme, start) {
		t.Errorf("README.md lacks %q", start)
	}
}
