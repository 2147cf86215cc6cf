package eval

import (
	"os"
	"path/filepath"
	"testing"
)

// The real host, as far as any machine agrees.
func TestOS(t *testing.T) {
	dir := t.TempDir()
	if err := os.Symlink(dir, filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "run"), []byte("x"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "sub"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("none", filepath.Join(dir, "sub", "l")); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir)
	t.Setenv("HOME", "/h")
	src := `
d = script.dir
if not is_dir(d) or is_dir(d + "/run") or not exists(d + "/link") or exists(d + "/none/x"): fail("stat")
if glob(d + "/*") != [d + "/link", d + "/run", d + "/sub"]: fail("glob", glob(d + "/*"))
if realpath(d + "/link/run") != realpath(d) + "/run": fail("realpath")
if readlink(d + "/link") != d or readlink(d + "/run") or readlink(d + "/none"): fail("readlink")
if symlinks(d) != [d + "/link"] or symlinks(d, depth = 3) != [d + "/link", d + "/sub/l"]: fail("symlinks", symlinks(d, depth = 3))
if which("run") != d + "/run" or which("link"): fail("which")
if read(d + "/run") != "x": fail("read")
if not host.arch or not host.kernel or not host.user or host.home != "/h" or host.uid < 0 or host.gid < 0: fail("host")
if not is_dir(host.cwd) or type(host.os_release) != "dict": fail("host")
if len(read("/proc/self/status")) < 10: fail("proc")
if "PATH" not in host.env or "PATH" not in host.env.keys(): fail("env")
`
	if _, err := Eval(Options{File: filepath.Join(dir, "t.star"), Source: []byte(src)}); err != nil {
		t.Error(err)
	}
}

// Without HOME and USER, /etc/passwd tells, and else nothing.
func TestNobody(t *testing.T) {
	h := newFakeHost()
	delete(h.env, "HOME")
	src := `if host.home != "/home/ann" or host.user != "ann": fail(host.home, host.user)`
	if _, err := Eval(Options{File: "t.star", Source: []byte(src), Host: h}); err != nil {
		t.Error(err)
	}
	delete(h.files, "/etc/passwd")
	src = "if host.user != \"1000\": fail(host.user)\nhost.home"
	_, err := Eval(Options{File: "t.star", Source: []byte(src), Host: h})
	if err == nil || err.Error() != "t.star:2:5: error: host.home cannot be told: HOME is not set and /etc/passwd does not tell" {
		t.Error(err)
	}
}
