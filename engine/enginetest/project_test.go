//go:build linux

package enginetest

// sbx run: what a command sees of the host, and what it can reach.

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"sbx/engine/enginetest/box"
)

func init() {
	// connect tries each Unix socket, an abstract one with a leading @.
	probes["connect"] = func(args []string) int {
		for _, name := range args {
			fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
			if err != nil {
				return fail(err)
			}
			if unix.Connect(fd, &unix.SockaddrUnix{Name: name}) == nil {
				fmt.Println("reached", name)
			}
		}
		return 0
	}
	probes["abstract"] = func(args []string) int {
		l, err := net.Listen("unix", args[0])
		if err != nil {
			return fail(err)
		}
		defer l.Close()
		return probes["connect"](args)
	}
}

// listen listens on a Unix socket until the test ends; anybody may connect.
func listen(t testing.TB, name string) {
	t.Helper()
	l, err := net.Listen("unix", name)
	box.Must(t, err)
	t.Cleanup(func() { l.Close() })
	if name[0] == '/' {
		box.Must(t, os.Chmod(name, 0o777))
	}
}

// landlockVersion is that of the kernel, or 0.
func landlockVersion() int {
	n, _, errno := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, 0, 0, 1)
	if errno != 0 {
		return 0
	}
	return int(n)
}

func TestScopeSockets(t *testing.T) {
	each(t, func(t *testing.T, w who) {
		name := fmt.Sprintf("@sbx-test-%d-%s", os.Getpid(), w.Name)
		listen(t, name)
		w.want(t, base(), "/probe probe:connect "+name, "reached "+name)
		w.want(t, base()+"unshare(net = True)\nscope_sockets()", "/probe probe:connect "+name, "")
		if landlockVersion() < 6 {
			t.Skip("this kernel's Landlock has no scopes")
		}
		for _, more := range []string{"", "no_new_privs(False)\n", "become_root()\n", "unshare(pid = True)\n", "terminal_input()\n"} {
			w.want(t, base()+"scope_sockets()\n"+more, "/probe probe:connect "+name+"; /probe probe:abstract "+name+"-own", "reached "+name+"-own")
		}
		w.want(t, base()+"scope_sockets()\nscope_sockets(False)", "/probe probe:connect "+name, "reached "+name)
	})
}

// project is a home directory with a project in it, and what is around them.
type project struct {
	w                  who
	home, dir, runtime string
}

func newProject(t testing.TB, w who) *project {
	top := w.disk(t)
	p := &project{w: w, home: top + "/home/ann", dir: top + "/home/ann/src/app", runtime: top + "/runtime"}
	w.Write(t, p.home+"/.ssh/id_ed25519", "secret")
	w.Write(t, p.dir+"/.env", "secret")
	w.Write(t, p.dir+"/README", "")
	w.Mkdir(t, p.runtime)
	box.Must(t, os.Chmod(p.runtime, 0o700))
	for _, bin := range []string{sbxBin, probeBin} {
		box.Must(t, copyFile(bin, filepath.Join(p.dir, filepath.Base(bin))))
	}
	return p
}

// run runs sbx run, with flags and words.
func (p *project) run(t testing.TB, args ...string) box.Result {
	t.Helper()
	return p.runIn(t, p.dir, args...)
}

func (p *project) runIn(t testing.TB, dir string, args ...string) box.Result {
	t.Helper()
	cmd := p.w.Command(t, sbxBin, append([]string{"run"}, args...)...)
	cmd.Dir = dir
	cmd.Env = []string{"HOME=" + p.home, "PATH=" + os.Getenv("PATH"), "XDG_RUNTIME_DIR=" + p.runtime, "SHELL=/bin/sh", "A_TOKEN=secret"}
	p.w.Become(cmd)
	return box.Finish(t, cmd)
}

func (p *project) want(t testing.TB, want string, args ...string) {
	t.Helper()
	p.run(t, args...).Want(t, args, want)
}

func TestProject(t *testing.T) {
	each(t, func(t *testing.T, w who) {
		p := newProject(t, w)
		p.want(t, p.dir+"\nsrc", "sh", "-c", "pwd; ls -A ~")
		p.want(t, "made", "sh", "-c", "echo made > new; cat new")
		if b, err := os.ReadFile(p.dir + "/new"); err != nil || string(b) != "made\n" {
			t.Errorf("%q %v", b, err)
		}
		// Outside of the project nothing stays, or can be written at all.
		p.want(t, "700", "sh", "-c", "for d in ~ /tmp /var/tmp /usr /etc; do echo x > $d/sbx-x; done 2>/dev/null; stat -c %a ~")
		for _, name := range []string{p.home + "/sbx-x", "/tmp/sbx-x", "/var/tmp/sbx-x", "/usr/sbx-x", "/etc/sbx-x"} {
			if _, err := os.Lstat(name); err == nil {
				t.Errorf("%s is left", name)
			}
		}
		top := filepath.Base(strings.TrimSuffix(p.home, "/home/ann")) // in /var/tmp, where /tmp cannot hold an upper directory
		p.want(t, "", "sh", "-c", "ls -A /root /run /var/tmp | grep -v ':$' | grep -v '^$' | grep -v user | grep -vx "+top+"; cat ~/.ssh/id_ed25519 2>/dev/null; echo $A_TOKEN")
		// No process but its own, and no rights.
		p.want(t, "1", "sh", "-c", "awk '/^CapEff/ { print $2 + 0 } /^NoNewPrivs/ { exit $2 != 1 }' /proc/self/status | grep -c '^0$'")
		p.want(t, "", "sh", "-c", fmt.Sprintf("test -d /proc/%d && cat /proc/%d/environ", os.Getpid(), os.Getpid())+"; true")

		// Exclusions, also by links and patterns; the host keeps its files.
		w.Write(t, p.dir+"/keys/a.pem", "secret")
		w.Write(t, p.dir+"/keys/deep/b.pem", "secret")
		box.Must(t, os.Symlink("keys/a.pem", p.dir+"/link"))
		p.want(t, "", "--excluded-path", ".env", "--excluded-path", "**/*.pem", "sh", "-c", "cat .env link keys/*.pem keys/deep/*.pem 2>/dev/null; true")
		p.want(t, "", "--excluded-path", "keys", "sh", "-c", "cat link keys/a.pem 2>/dev/null; ls -A keys 2>/dev/null; true")
		p.want(t, "", "--excluded-path", "link", "sh", "-c", "cat link keys/a.pem 2>/dev/null; true")
		p.want(t, "secret", "cat", "link")

		// In itself, by the sbx that lies in the project. Root without capabilities
		// must not map uid 0 into a user namespace, user_namespaces(7).
		if !w.Root() {
			p.want(t, p.dir+"\nok", "./sbx", "run", "./sbx", "run", "sh", "-c", "pwd; touch n && echo ok")
		}

		// By other names.
		for _, name := range []string{"a b", "c\nd", "-e", "*"} {
			dir := w.Mkdir(t, p.home+"/"+name)
			if r := p.runIn(t, dir, "sh", "-c", "pwd; touch x"); r.Out != dir+"\n" {
				t.Errorf("%q: %s", name, r)
			}
		}
		box.Must(t, os.Symlink("src/app", p.home+"/link"))
		if r := p.runIn(t, "/", "--project-path", p.home+"/link", "sh", "-c", "pwd -P; cd "+p.home+"/link && ls README"); r.Out != p.dir+"\nREADME\n" {
			t.Error(r)
		}
	})
}

// TestProjectSockets has the ways to other processes closed.
func TestProjectSockets(t *testing.T) {
	each(t, func(t *testing.T, w who) {
		p := newProject(t, w)
		short := w.DirIn(t, "/tmp") // a socket's path has at most 107 bytes
		box.Must(t, os.Symlink(p.runtime, short+"/r"))
		abstract := fmt.Sprintf("@sbx-test-%d-run-%s", os.Getpid(), w.Name)
		names := []string{short + "/r/bus", short + "/agent"}
		for _, n := range names {
			listen(t, n)
		}
		args := append([]string{"./probe", "probe:connect", p.runtime + "/bus"}, names...)
		if landlockVersion() >= 6 {
			listen(t, abstract)
			args = append(args, abstract)
		}
		p.want(t, "", args...)
		r := box.Finish(t, exec.Command(probeBin, append([]string{"probe:connect"}, names...)...))
		if strings.Count(r.Out, "reached") != 2 {
			t.Errorf("outside: %s", r)
		}
		// With the directory they are there again.
		p.want(t, "reached "+short+"/agent", "--extra-data-path", short, "./probe", "probe:connect", short+"/agent")
	})
}

// TestProjectHostile has what runs inside try to prepare the next run.
func TestProjectHostile(t *testing.T) {
	each(t, func(t *testing.T, w who) {
		p := newProject(t, w)
		// The file of the project is made from inside: it counts for nothing.
		p.want(t, "", "sh", "-c", `echo 'bind("'$HOME'")' > .sbx.star`)
		wantError(t, p.run(t, "cat", p.home+"/.ssh/id_ed25519"), 125, ".sbx.star", "is not trusted")
		box.Must(t, os.Remove(p.dir+"/.sbx.star"))

		// The user's configuration binds a directory of the project, which becomes a link.
		w.Write(t, p.home+"/.config/sbx/project.star", `bind(host.project + "/data", "/data", optional = True)`)
		p.want(t, "", "ln", "-s", p.home+"/.ssh", "data")
		wantError(t, p.run(t, "cat", "/data/id_ed25519"), 125, "project.star:1:1", "leads over a symlink")
		box.Must(t, os.Remove(p.dir+"/data"))

		// Nor does what a template finds there lead out.
		p.want(t, "", "ln", "-s", p.home+"/.ssh", ".venv")
		w.Write(t, p.home+"/.config/sbx/project.star", "load(\"@sbx//files.star\", \"show\")\nshow(host.project + \"/.venv\")\n")
		wantError(t, p.run(t, "cat", p.home+"/.ssh/id_ed25519"), 125, ".venv", "leads over a symlink")
		box.Must(t, os.Remove(p.dir+"/.venv"))
		w.Write(t, p.home+"/.config/sbx/project.star", `bind(host.project + "/data", "/data", optional = True)`)

		// Nor is the configuration to be had.
		p.want(t, "", "sh", "-c", "mkdir -p ~/.config/sbx; echo 'bind(\"/\")' > ~/.config/sbx/project.star")
		if b, err := os.ReadFile(p.home + "/.config/sbx/project.star"); err != nil || !strings.Contains(string(b), "optional") {
			t.Errorf("%q %v", b, err)
		}
		wantError(t, p.runIn(t, p.home+"/.config", "true"), 125, "which sbx run itself goes by")
		wantError(t, p.runIn(t, p.home, "true"), 125, "is the home directory")

		// A trusted file, and what it loads, cannot be touched.
		w.Write(t, p.dir+"/lib/more.star", "def more(): setenv(\"MORE\", \"1\")")
		w.Write(t, p.dir+"/.sbx.star", "load(\"lib/more.star\", \"more\")\nmore()\n")
		cmd := exec.Command(sbxBin, "trust", "--yes", p.dir)
		cmd.Env = []string{"HOME=" + p.home}
		w.Become(cmd)
		if r := box.Finish(t, cmd); r.Code != 0 {
			t.Fatal(r)
		}
		p.want(t, "1", "sh", "-c", "(echo x >> .sbx.star; rm .sbx.star; mv .sbx.star y; echo x > lib/more.star) 2>/dev/null; echo $MORE")
		p.want(t, "1", "sh", "-c", "echo $MORE")
		// Nor can a directory above it be moved away.
		p.want(t, "1", "sh", "-c", "(mv lib lib2 || mkdir lib; echo 'def more(): bind(\"/\")' > lib/more.star) 2>/dev/null; echo $MORE")
		p.want(t, "1", "sh", "-c", "echo $MORE")

		// What is excluded stays so in the next sandbox, whatever this one does.
		w.Write(t, p.dir+"/conf/deep/key", "secret")
		w.Mkdir(t, p.dir+"/other")
		box.Must(t, os.Symlink("conf/deep/key", p.dir+"/link"))
		excluded := []string{"--excluded-path", "link", "--excluded-path", "**/.env", "sh", "-c"}
		p.want(t, "", append(excluded, "(mv conf c2; mv conf/deep conf/d2; rm link; ln -sf other link; mv .env e; ln .env e; mv conf/deep/key k) 2>/dev/null; true")...)
		p.want(t, "", append(excluded, "cat link conf/deep/key c2/deep/key conf/d2/key .env e k 2>/dev/null; true")...)
	})
}

// TestClosed has directories that the project's owner cannot look into, but can open.
func TestClosed(t *testing.T) {
	each(t, func(t *testing.T, w who) {
		if w.Root() {
			return // it looks into all
		}
		p := newProject(t, w)
		key := w.Write(t, p.dir+"/conf/deep/key.pem", "secret")
		open := []string{"sh", "-c", "chmod 755 conf conf/deep 2>/dev/null; cat conf/deep/key.pem 2>/dev/null; true"}
		for _, mode := range []os.FileMode{0, 0o100, 0o300, 0o400, 0o600} {
			for _, dir := range []string{p.dir + "/conf", filepath.Dir(key)} {
				for _, excluded := range []string{"conf/deep/key.pem", "conf/*/key.pem", "conf/deep/*.pem", "**/*.pem", "**/key.pem", "conf/**", "conf/**/key.pem", key} {
					box.Must(t, os.Chmod(dir, mode))
					if r := p.run(t, append([]string{"--excluded-path", excluded}, open...)...); r.Code != 0 || r.Out != "" {
						t.Errorf("%s with mode %03o, %s excluded: %s", dir, mode, excluded, r)
					}
					box.Must(t, os.Chmod(dir, 0o755))
				}
			}
		}
		// A script cannot tell either.
		box.Must(t, os.Chmod(p.dir+"/conf", 0))
		w.Write(t, p.home+"/.config/sbx/project.star", "[mask(p) for p in glob(host.project + '/conf/*/*')]\n")
		wantError(t, p.run(t, "true"), 125, "cannot look at", "/conf\"", "in the sandbox too")
		box.Must(t, os.Chmod(p.dir+"/conf", 0o755))
	})
}

// TestExact has no symlink followed on the way to a source.
func TestExact(t *testing.T) {
	each(t, func(t *testing.T, w who) {
		d := w.Dir(t)
		w.Write(t, d+"/a/f", "secret")
		box.Must(t, os.Symlink("a", d+"/l"))
		box.Must(t, os.Symlink("f", d+"/a/g"))
		for _, op := range []string{"bind", "copy"} {
			for _, tt := range []struct {
				src string
				ok  bool
			}{{"/a/f", true}, {"/l/f", false}, {"/a/g", false}} {
				p := scriptPlan(t, w, base()+fmt.Sprintf("%s(%q, \"/f\")", op, d+tt.src))
				p.Ops[len(p.Ops)-1].Exact = true
				r := w.plan(t, p, "cat", "/f")
				if tt.ok && (r.Code != 0 || r.Out != "secret") || !tt.ok && r.Code != 125 {
					t.Errorf("%s %s: %s", op, tt.src, r)
				}
			}
		}
		// So it is with layers.
		d = w.disk(t)
		w.Write(t, d+"/a/f", "secret")
		w.Mkdir(t, d+"/u")
		w.Mkdir(t, d+"/w")
		box.Must(t, os.Symlink("a", d+"/l"))
		box.Must(t, os.Symlink("u", d+"/v"))
		for _, tt := range []struct {
			layers string
			ok     bool
		}{{"[d+'/a', '/usr']", true}, {"[d+'/l', '/usr']", false}, {"[d+'/a'], upper = d+'/u', work = d+'/w'", true}, {"[d+'/a'], upper = d+'/v', work = d+'/w'", false}} {
			p := scriptPlan(t, w, base()+fmt.Sprintf("d = %q\noverlay('/o', %s)", d, tt.layers))
			p.Ops[len(p.Ops)-1].Exact = true
			r := w.plan(t, p, "cat", "/o/f")
			if tt.ok && (r.Code != 0 || r.Out != "secret") || !tt.ok && r.Code != 125 {
				t.Errorf("%s: %s", tt.layers, r)
			}
		}
		d = w.Dir(t)
		box.Must(t, os.Symlink("a", d+"/l"))
		// A link itself can be bound.
		p := scriptPlan(t, w, base()+fmt.Sprintf("bind(%q, \"/l\", follow = False)", d+"/l"))
		p.Ops[len(p.Ops)-1].Exact = true
		if r := w.plan(t, p, "readlink", "/l"); r.Out != "a\n" {
			t.Error(r)
		}
	})
}
