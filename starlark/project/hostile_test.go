package project

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestHostileFiles has all sorts of things for the project's file: none of them
// counts, holds sbx up, or can be trusted where it cannot be read.
func TestHostileFiles(t *testing.T) {
	for _, tt := range []struct {
		name  string
		make  func(w *world, path string) error
		run   string // what sbx run says
		trust string // what sbx trust says; "": it trusts it
	}{
		{"a FIFO", func(_ *world, path string) error { return syscall.Mkfifo(path, 0o600) }, "not a regular file", "not a regular file"},
		{"a directory", func(_ *world, path string) error { return os.Mkdir(path, 0o755) }, "not a regular file", "not a regular file"},
		{"a device", func(_ *world, path string) error { return os.Symlink("/dev/zero", path) }, "not a regular file", "not a regular file"},
		{"a link to nothing", func(_ *world, path string) error { return os.Symlink("none", path) }, "no such file", "no such file"},
		{"a link in a circle", func(_ *world, path string) error { return os.Symlink(path, path) }, "too many levels", "too many levels"},
		{"a sparse file", func(_ *world, path string) error {
			if err := os.WriteFile(path, nil, 0o600); err != nil {
				return err
			}
			return os.Truncate(path, 1<<40)
		}, "larger than 8 MiB", "larger than 8 MiB"},
		{"no text", text("\x00\x01"), "holds a NUL byte", "holds a NUL byte"},
		{"not UTF-8", text("# \xff"), "not valid UTF-8", "not valid UTF-8"},
		{"a circle", func(w *world, path string) error {
			w.write("p/a.star", "load('b.star', 'b')\na = 1")
			w.write("p/b.star", "load('a.star', 'a')\nb = 1")
			return text("load('a.star', 'a')")(w, path)
		}, "load each other in a circle", "load each other in a circle"},
		{"itself", text("load('.sbx.star', 'a')"), "load each other in a circle", "load each other in a circle"},
		{"a loop", text("def f():\n    for i in range(10000000): pass\nf()"), "steps without coming to an end", "steps without coming to an end"},
		{"much memory", text("x = ['a' * 1000000] * 1000000\n''.join(x)"), "would take more than", "would take more than"},
		{"a FIFO that is loaded", func(w *world, path string) error {
			if err := syscall.Mkfifo(w.dir+"/f", 0o600); err != nil {
				return err
			}
			return text("load('f', 'x')")(w, path)
		}, "not a regular file", "not a regular file"},
		{"devices that are loaded", text("load('/dev/tty', 'x')"), "it loads what is not a file of the project", "not a regular file"},
		{"a name that there is not", text("bnid('/etc')"), `name "bnid" is not defined`, `name "bnid" is not defined`},
		{"the same file as another's", func(w *world, path string) error {
			w.write("q/.sbx.star", "bind('/etc', '/x')")
			w.dir = w.home + "/q"
			w.trust()
			w.dir = filepath.Dir(path)
			return os.Link(w.home+"/q/.sbx.star", path)
		}, "is not trusted", ""},
	} {
		w := newWorld(t)
		if err := tt.make(w, w.dir+"/.sbx.star"); err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		check := func(verb, want string, o Options) {
			t.Helper()
			_, err := w.evaluate(o)
			if err == nil && want != "" || err != nil && (want == "" || !strings.Contains(err.Error(), want)) {
				t.Errorf("%s: sbx %s: %v, want %q", tt.name, verb, err, want)
			}
		}
		check("run", tt.run, Options{})
		check("trust", tt.trust, Options{Trust: true})
		check("run --ignore-project-config", "", Options{IgnoreProjectConfig: true})
	}
}

func text(s string) func(*world, string) error {
	return func(_ *world, path string) error { return os.WriteFile(path, []byte(s), 0o644) }
}

// TestMaskedFile has the project's file out of sight where it is excluded, not
// shown again to be read-only.
func TestMaskedFile(t *testing.T) {
	w := newWorld(t, "p/.sbx.star: load('lib/a.star', 'a')", "p/lib/a.star: a = 1")
	shown := func(excluded ...string) string {
		t.Helper()
		var list []string
		for _, op := range w.ops(w.must(Options{ExcludedPaths: vals(excluded...)})) {
			if strings.HasPrefix(op, "bind") {
				list = append(list, op)
			}
		}
		return strings.Join(list, "; ")
	}
	const file, lib = "bind $H/p/.sbx.star [ro, exact]", "bind $H/p/lib/a.star [ro, exact]"
	for _, tt := range []struct{ excluded, want string }{
		{"README", file + "; " + lib}, {".sbx.star", lib}, {".s*", lib}, {"lib", file}, {"lib/*", file}, {"**", ""},
	} {
		if got := shown(tt.excluded); got != tt.want {
			t.Errorf("%s: %s", tt.excluded, got)
		}
	}
	// A mask that does not count hides nothing.
	w.write("p/.sbx.star", "mask('$H/p/.sbx.star')\nbind('$H/p/.sbx.star', ro = True)")
	w.trust()
	if got := shown(); !strings.HasSuffix(got, file) {
		t.Error(got)
	}
}
