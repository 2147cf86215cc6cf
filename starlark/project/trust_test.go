package project

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sbx/engine/plan"
	"sbx/lib"
	"sbx/starlark/eval"
)

// TestTightens has files counted without trust only where they take away.
func TestTightens(t *testing.T) {
	const ok, no = true, false
	for _, tt := range []struct {
		name string
		text string
		want bool
	}{
		{"nothing", ``, ok},
		{"a mask", `mask("/etc/hostname", host.cwd and "/etc/hosts")`, ok},
		{"exclusions", `project(excluded_paths = [".env", "**/*.pem"])`, ok},
		{"an empty exclusion list", `project(excluded_paths = [])`, ok},
		{"namespaces", `unshare(net = True, uts = True, cgroup = True)`, ok},
		{"read-only", `remount_ro("/home/ann/p")`, ok},
		{"in a loop", "for p in ['/a', '/b']: mask(p, optional = True)", ok},
		{"by a function of another file", "load('t.star', 'tight')\ntight()", ok},

		{"a bind", `bind("/etc")`, no},
		{"a bind that is read-only", `bind("/etc/hosts", "/x", ro = True)`, no},
		{"a mask shadowed", "mask('$H/p/.env')\nbind('/etc/hosts', '$H/p/.env', ro = True)", no},
		{"the user's mask shadowed", "tmpfs('$H/p/masked')", no},
		{"the user's mask shadowed by a directory", "mkdir('$H/p/masked')", no},
		{"a bind of the same, after all", "bind('$H/p')", no},
		{"a bind of what is masked", "bind('$H/p', '/other')", no},
		{"inside", "bind('/usr', '/x', inside = True)", no},
		{"a symlink", "symlink('/etc', '/x')", no},
		{"a file", "write('/etc/ld.so.preload', '$H/p/evil.so')", no},
		{"a copy", "copy('/etc/hosts', '/x')", no},
		{"an overlay", "overlay('/usr', '/usr', upper = 'tmpfs')", no},
		{"dev", "dev('/x')", no},
		{"proc", "proc('/x')", no},
		{"chmod", "chmod('/tmp', 0o700)", no},
		{"LD_PRELOAD", `setenv("LD_PRELOAD", "/p/evil.so")`, no},
		{"PATH", `setenv("PATH", "/p/bin")`, no},
		{"unsetenv", `unsetenv("npm_config_ignore_scripts")`, no},
		{"a secret", `pass_env("A_TOKEN")`, no},
		{"clearenv", `clearenv()`, no},
		{"the command", `command(["make"])`, no},
		{"the command by project", `project(command = ["make"])`, no},
		{"a template", `project(allow_settings = ["ssh"])`, no},
		{"a template, loaded", "load('@sbx//ssh.star', 'ssh')\nssh()", no},
		{"extra paths", `project(extra_data_paths = ["/etc"])`, no},
		{"no extra paths, in place of the user's", `project(extra_data_paths = [])`, no},
		{"no markers", `project(refuse_if_exists = [])`, no},
		{"trusted directories", `project(trusted_dirs = ["/"])`, no},
		{"a namespace given back", `unshare(pid = False)`, no},
		{"a time namespace", `unshare(time = True)`, no},
		{"root", `become_root()`, no},
		{"capabilities", `capabilities("all")`, no},
		{"set-id programs", `no_new_privs(False)`, no},
		{"no init", `init(False)`, no},
		{"what goes on living", `die_with_parent(False)`, no},
		{"file descriptors", `pass_fd(3)`, no},
		{"the directory", `chdir("/")`, no},
		{"a limit", `rlimit("core", "unlimited")`, no},
		{"chown", `suppress_chown()`, no},
		{"a new session", `new_session()`, no},
		{"umask", `umask(0)`, no},
		{"the host name", `hostname("x")`, no},

		{"reads", "if read('$H/secret'): mask('/etc/hosts')", no},
		{"exists", "if exists('$H/secret'): mask('/etc/hosts')", no},
		{"is_dir", "is_dir('$H')", no},
		{"glob", "mask(*(glob('$H/*') + ['/etc']))", no},
		{"realpath", "realpath('/')", no},
		{"readlink", "readlink('/')", no},
		{"symlinks", "symlinks('/')", no},
		{"which", "which('sh')", no},
		{"env", "if host.env.get('A_TOKEN') == 't': mask('/etc/hosts')", no},
		{"env as a list", "[mask('/' + n, optional = True) for n in host.env]", no},
		{"home", "mask(host.home)", no},
		{"user", "mask('/' + host.user, optional = True)", no},
		{"os_release", "mask('/' + str(len(host.os_release)), optional = True)", no},
		{"secrets of the environment", "unset_secrets()", no},

		{"a bind behind load", "load('open.star', 'open')\nopen()", no},
		{"a file outside", "load('$H/out.star', 'out')\nout()", no},
		{"a file outside, by a link", "load('link.star', 'out')\nout()", no},
		{"a file outside, by dots", "load('../out.star', 'out')\nout()", no},
		{"a fault", "mask(1)", no},
		{"a fault of grammar", "mask(", no},
		{"fail", "fail('x')", no},
	} {
		w := newWorld(t,
			".config/sbx/project.star: mask('$H/p/masked')\nproject(extra_data_paths = [], excluded_paths = ['README'])",
			"p/masked/x: ", "p/.env: x", "p/t.star: def tight(): mask('/etc/hosts')", "p/open.star: def open(): bind('/etc')",
			"out.star: def out(): mask('/etc/hosts')", "p/link.star: -> ../out.star", "p/.sbx.star: "+tt.text)
		printed := false
		o := Options{Dir: w.dir}
		o.Eval = eval.Options{Lib: lib.Read, Host: fakeOS{env: w.env}, Print: func(plan.Pos, string) { printed = true }}
		r, err := Evaluate(&o, w.places)
		switch {
		case tt.want && err != nil:
			t.Errorf("%s: %v", tt.name, err)
		case tt.want && r.Project != Tightens:
			t.Errorf("%s: state %d", tt.name, r.Project)
		case !tt.want && (err == nil || !strings.Contains(err.Error(), "is not trusted")):
			t.Errorf("%s: counts: %v", tt.name, err)
		case printed:
			t.Errorf("%s: printed", tt.name)
		}
	}
}

func TestTighter(t *testing.T) {
	base := plan.New()
	base.Ops = []plan.Op{{Kind: plan.Bind, Src: "/a", Dst: "/a"}, {Kind: plan.Tmpfs, Dst: "/b"}}
	with := func(ops ...plan.Op) *plan.Plan {
		p := *base
		p.Ops = ops
		return &p
	}
	mask := plan.Op{Kind: plan.Mask, Dst: "/m"}
	a, b := base.Ops[0], base.Ops[1]
	rw := a
	rw.RO = true
	for i, tt := range []struct {
		p    *plan.Plan
		want bool
	}{
		{with(a, b), true}, {with(a, mask, b), true}, {with(mask, a, b, mask), true},
		{with(a), false}, {with(b, a), false}, {with(a, b, b), false}, {with(rw, b), false}, {with(mask), false}, {with(), false},
	} {
		if got := Tighter(tt.p, base); got != tt.want {
			t.Errorf("%d: %v", i, got)
		}
	}
	// A field that nobody thought of here is none that tightens.
	p := *base
	p.Rlimits = []plan.Rlimit{{Name: "RLIMIT_CORE"}}
	if Tighter(&p, base) {
		t.Error("a limit")
	}
}

func TestTrust(t *testing.T) {
	w := newWorld(t, "p/.sbx.star: load('a.star', 'a')\na()", "p/a.star: load('sub/b.star', 'b')\ndef a(): bind('/etc', '/x'); b()",
		"p/sub/b.star: def b(): mkdir(read('$H/p/name').strip())", "p/name: /n1")
	untrusted := func(why string) {
		t.Helper()
		r, err := w.evaluate(Options{})
		if err == nil || !strings.Contains(err.Error(), why) {
			t.Errorf("%+v %v, want %s", r, err, why)
		} else if h := diagnostics(err)[0].Hint; !strings.Contains(h, "sbx trust") || !strings.Contains(h, "--ignore-project-config") {
			t.Errorf("hint %q", h)
		}
	}
	trusted := func() {
		t.Helper()
		if r := w.must(Options{}); r.Project != Trusted {
			t.Errorf("state %d", r.Project)
		}
	}
	untrusted("is not trusted")
	w.trust()
	trusted()
	st, err := os.ReadDir(w.places.Store().Dir)
	if err != nil || len(st) != 1 {
		t.Fatal(err, st)
	}
	if info, _ := st[0].Info(); info.Mode().Perm() != 0o600 {
		t.Error(info.Mode())
	}

	const changed = "changed since it was trusted"
	for _, change := range []struct{ file, text, why string }{
		{"p/.sbx.star", "load('a.star', 'a')\na() ", changed}, {"p/a.star", "def a(): bind('/', '/x')", changed}, {"p/sub/b.star", "def b(): bind('/')", changed},
		{"p/name", "/n2", `mkdir "/n2": this is new`}, // what comes of what it reads
	} {
		old, err := os.ReadFile(filepath.Join(w.home, change.file))
		if err != nil {
			t.Fatal(err)
		}
		w.write(change.file, change.text)
		untrusted(change.why)
		w.write(change.file, string(old))
		trusted()
	}
	os.Remove(w.dir + "/sub/b.star")
	untrusted("changed since it was trusted")
	w.write("p/sub/b.star", "def b(): mkdir(read('$H/p/name').strip())")
	trusted()

	// One that only tightens by now needs no trust.
	entry := "load('a.star', 'a')\na()"
	w.write("p/.sbx.star", "unshare(net = True)")
	if r := w.must(Options{}); r.Project != Tightens {
		t.Errorf("state %d", r.Project)
	}
	w.write("p/.sbx.star", entry)
	trusted()

	// The same file elsewhere is another project's.
	w2 := *w
	w2.dir = w.home + "/q"
	w.write("q/.sbx.star", "bind('/etc', '/x')")
	if _, err := w2.evaluate(Options{}); err == nil {
		t.Error("trusted elsewhere")
	}
	if ok, err := w.places.Store().Remove(w.dir); !ok || err != nil {
		t.Error(ok, err)
	}
	if ok, err := w.places.Store().Remove(w.dir); ok || err != nil {
		t.Error(ok, err)
	}
	untrusted("is not trusted")

	w.write(".config/sbx/project.star", "project(trusted_dirs = ['~/p', '~/none'])")
	if r := w.must(Options{}); r.Project != InTrusted {
		t.Errorf("state %d", r.Project)
	}
	w.write(".config/sbx/project.star", "project(trusted_dirs = ['~/pp'])")
	untrusted("is not trusted")
	w.write("p/.sbx.star", "project(trusted_dirs = ['~'])")
	if _, err := w.evaluate(Options{Trust: true}); err == nil || !strings.Contains(err.Error(), `"trusted_dirs" is not for the file of a project`) {
		t.Error(err)
	}
}

// TestPinned has what was digested evaluated, whatever is in the files by then.
func TestPinned(t *testing.T) {
	w := newWorld(t, "p/.sbx.star: load('a.star', 'a')\nmkdir(a)", "p/a.star: a = '/good'")
	o := Options{Dir: w.dir, Trust: true}
	o.Eval = eval.Options{Lib: lib.Read, Host: swapping{fakeOS{env: w.env}, w}}
	r, err := Evaluate(&o, w.places)
	if err != nil {
		t.Fatal(err)
	}
	if last := r.Plan.Ops[len(r.Plan.Ops)-3]; last.Dst != "/good" {
		t.Errorf("%v", r.Plan.Ops)
	}
	if NewClosure(w.dir+"/.sbx.star").Digest() == r.Files.Digest() {
		t.Error("nothing was swapped")
	}
}

// swapping is a host on which somebody changes the files as soon as the script
// is evaluated.
type swapping struct {
	fakeOS
	w *world
}

func (s swapping) LookupEnv(name string) (string, bool) {
	s.w.write("p/a.star", "a = '/evil'")
	s.w.write("p/.sbx.star", "mkdir('/evil')")
	return s.fakeOS.LookupEnv(name)
}

func TestStore(t *testing.T) {
	s := Store{filepath.Join(t.TempDir(), "state", "trust")}
	if r, err := s.Get("/p"); r != nil || err != nil {
		t.Error(r, err)
	}
	for _, p := range []string{"/p", "/q/x\xff y\n", "/p"} {
		if err := s.Put(Record{Project: plan.Str(p), Digest: "d"}); err != nil {
			t.Fatal(err)
		}
	}
	list, err := s.List()
	if err != nil || len(list) != 2 {
		t.Error(list, err)
	}
	if r, err := s.Get("/q/x\xff y\n"); err != nil || r.Digest != "d" {
		t.Error(r, err)
	}
	if files, _ := os.ReadDir(s.Dir); len(files) != 2 {
		t.Error("files are left:", files)
	}
	// A record under another's name is none.
	b, err := os.ReadFile(s.name("/p"))
	if err == nil {
		err = os.WriteFile(s.name("/other"), b, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	if r, err := s.Get("/other"); r != nil || err == nil {
		t.Error(r, err)
	}
	if list, _ := s.List(); len(list) != 2 {
		t.Error(list)
	}
	for _, text := range []string{"", "{}", `{"version":3,"project":"/p"}`} {
		if err := os.WriteFile(s.name("/p"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if r, err := s.Get("/p"); r != nil || err == nil {
			t.Error(text, r, err)
		}
	}
	if err := os.Chmod(s.Dir, 0o777); err != nil {
		t.Fatal(err)
	}
	if r, err := s.Get("/q/x\xff y\n"); r != nil || err == nil || !strings.Contains(err.Error(), "by others") {
		t.Error(r, err)
	}
}

func TestClosureBounds(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("a", "load('b', 'x')\nload('none', 'y')")
	write("b", "load('a', 'x')")
	c := NewClosure(filepath.Join(dir, "a"))
	if c.Err != nil || len(c.Files) != 3 || c.Files[2].Err == nil {
		t.Errorf("%+v", c)
	}
	d := c.Digest()
	write("none", "")
	if NewClosure(filepath.Join(dir, "a")).Digest() == d {
		t.Error("an empty file is like none")
	}
	var b strings.Builder
	for i := range 1100 {
		b.WriteString("load('f" + strings.Repeat("x", i%200) + strings.Repeat("y", i/200) + "', 'x')\n")
	}
	write("many", b.String())
	if c := NewClosure(filepath.Join(dir, "many")); c.Err == nil {
		t.Error("no bound")
	}
	if c := NewClosure(dir); c.Err == nil {
		t.Error("a directory")
	}
}

// TestChanges has the file's changes told, and no others.
func TestChanges(t *testing.T) {
	w := newWorld(t, ".config/sbx/project.star: bind(host.project + '/d', '/user')\nsetenv('USER_SET', '1')", "p/d/x: ",
		"p/.sbx.star: bind('/etc', '/x')\nmask('/etc/hosts')\nsetenv('A', 'b')\nsetenv('A_TOKEN', 'secret')\nunshare(net = True, ipc = False)\ncommand(['make'])\nbecome_root()\nproject(excluded_paths = ['README'])\nrlimit('core', 0)")
	r := w.must(Options{Trust: true})
	var got []string
	for _, c := range Changes(r.Plan, r.Without) {
		if c.Op != nil && c.Op.At.IsZero() {
			continue
		}
		mark := "tightens"
		if c.Opens {
			mark = "opens"
		}
		what := c.Value
		if c.Op != nil {
			what = strings.ReplaceAll(string(c.Op.Dst), w.home, "$H")
		}
		if c.At.IsZero() && c.Op == nil {
			what += " nowhere"
		}
		got = append(got, mark+" "+c.Name+" "+what)
	}
	want := []string{"opens bind /x", "tightens mask /etc/hosts", "tightens mask $H/p/README", "opens setenv A=b", "opens setenv A_TOKEN",
		`opens command ["make"]`, `opens identity {"root":true}`, `opens rlimits [{"name":"RLIMIT_CORE","soft":0,"hard":0}]`, "opens unshare.ipc off", "tightens unshare.net true"}
	for i := range got {
		got[i] = strings.TrimSuffix(got[i], " nowhere")
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("%s", strings.Join(got, "\n"))
	}
}
