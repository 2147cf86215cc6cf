package project

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sbx/engine/plan"
	"sbx/lib"
	"sbx/starlark/eval"
)

// fakeOS is the host with an environment of the test's own.
type fakeOS struct {
	eval.OS
	env []string
}

func (h fakeOS) Environ() []string { return h.env }
func (h fakeOS) LookupEnv(name string) (string, bool) {
	for _, kv := range h.env {
		if v, ok := strings.CutPrefix(kv, name+"="); ok {
			return v, true
		}
	}
	return "", false
}

// world is a home directory with a project in it.
type world struct {
	t      *testing.T
	home   string
	dir    string
	env    []string
	places Places
}

func newWorld(t *testing.T, files ...string) *world {
	t.Helper()
	root, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, home: root + "/home/ann", dir: root + "/home/ann/p", env: []string{"HOME=" + root + "/home/ann", "A_TOKEN=t"}}
	w.places = Places{Home: w.home, Config: w.home + "/.config/sbx", State: w.home + "/.local/state/sbx", Sessions: []string{w.home + "/run/sbx"}}
	w.write("p/README", "")
	w.write("secret", "")
	for _, f := range files {
		name, text, _ := strings.Cut(f, ": ")
		w.write(name, text)
	}
	return w
}

// write writes a file in the home directory; "-> x" makes a symlink.
func (w *world) write(name, text string) {
	w.t.Helper()
	path := filepath.Join(w.home, name)
	err := os.MkdirAll(filepath.Dir(path), 0o755)
	if target, ok := strings.CutPrefix(text, "-> "); ok && err == nil {
		os.Remove(path)
		err = os.Symlink(strings.ReplaceAll(target, "$H", w.home), path)
	} else if err == nil {
		err = os.WriteFile(path, []byte(strings.ReplaceAll(text, "$H", w.home)), 0o644)
	}
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) evaluate(o Options) (*Result, error) {
	if o.Dir == "" {
		o.Dir = w.dir
	}
	o.Eval = eval.Options{Lib: lib.Read, Host: fakeOS{env: w.env}}
	return Evaluate(&o, w.places)
}

func (w *world) must(o Options) *Result {
	w.t.Helper()
	r, err := w.evaluate(o)
	if err != nil {
		w.t.Fatal(err)
	}
	return r
}

// trust does what sbx trust --yes does.
func (w *world) trust() {
	w.t.Helper()
	if err := w.places.Store().Put(w.must(Options{Trust: true}).NewRecord()); err != nil {
		w.t.Fatal(err)
	}
}

// ops lists the operations that the defaults do not make, $H for the home.
func (w *world) ops(r *Result) []string {
	var list []string
	for i := range r.Plan.Ops {
		if op := &r.Plan.Ops[i]; !strings.HasPrefix(op.At.Pos.File, "@sbx//run.star") {
			list = append(list, strings.ReplaceAll(op.String(), w.home, "$H"))
		}
	}
	return list
}

func vals(list ...string) []Value {
	out := []Value{}
	for _, s := range list {
		out = append(out, Value{Text: s})
	}
	return out
}

func TestDefaults(t *testing.T) {
	w := newWorld(t)
	r := w.must(Options{})
	if r.Dir != w.dir || r.User != Absent || r.Project != Absent || len(w.ops(r)) != 0 {
		t.Errorf("%+v", r)
	}
	if fmt.Sprint(r.Dropped) != "[A_TOKEN]" {
		t.Error(r.Dropped)
	}
	binds := map[string]bool{}
	for _, op := range r.Plan.Ops {
		if op.Kind == plan.Bind {
			binds[string(op.Dst)] = op.RO
		}
	}
	if ro, ok := binds["/"]; !ok || !ro {
		t.Error("the host is not read-only")
	}
	if ro, ok := binds[w.dir]; !ok || ro || r.Plan.Dir != plan.Str(w.dir) {
		t.Error("the project cannot be written")
	}
	if !r.Plan.Unshare.PID || !r.Plan.Unshare.IPC || r.Plan.Unshare.Net || !r.Plan.NoNewPrivs {
		t.Errorf("%+v", r.Plan.Unshare)
	}
}

func TestMerge(t *testing.T) {
	w := newWorld(t,
		`.config/sbx/project.star: project(allow_settings = ["ssh"], excluded_paths = ["a"], extra_data_paths = ["~/user"], refuse_if_exists = ["user"], command = ["user"])`,
		`p/.sbx.star: project(allow_settings = ["ssh"], excluded_paths = ["b"], extra_data_paths = ["data", "/srv"], command = ["project"])`,
		"p/a: x", "p/b: x", "p/c: x", "p/data/x: ", "user/x: ", "cli/x: ", "p/.profile: ")
	w.trust()

	r := w.must(Options{})
	if r.User != Own || r.Project != Trusted || fmt.Sprint(r.Plan.Command) != "[project]" || r.Plan.Where["command"].Pos.File != w.dir+"/.sbx.star" {
		t.Errorf("%+v %v", r, r.Plan.Command)
	}
	want := []string{"bind $H/p/data [exact]", "bind /srv", "mask $H/p/a [optional]", "mask $H/p/b [optional]"}
	got := w.ops(r)
	for _, s := range want {
		if !slices.Contains(got, s) {
			t.Errorf("%s is missing in %q", s, got)
		}
	}
	if slices.Contains(got, "bind $H/user") {
		t.Error("extra paths of both files count")
	}
	if n := strings.Count(strings.Join(got, "\n"), "mkdir $H/.ssh"); n != 1 {
		t.Errorf("ssh was called %d times", n)
	}

	r = w.must(Options{ExtraDataPaths: vals(w.home + "/cli"), ExcludedPaths: vals("c"), Command: []string{"cli"}, AllowSettings: vals("ssh")})
	got = w.ops(r)
	if fmt.Sprint(r.Plan.Command) != "[cli]" || !slices.Contains(got, "bind $H/cli") || slices.Contains(got, "bind /srv") || !slices.Contains(got, "mask $H/p/c [optional]") || !slices.Contains(got, "mask $H/p/a [optional]") {
		t.Error(r.Plan.Command, got)
	}
	if _, ok := r.Plan.Where["command"]; ok {
		t.Error("the command of the command line has the position of another")
	}
	if _, err := w.evaluate(Options{RefuseIfExists: vals(".profile")}); err == nil || !strings.Contains(err.Error(), `holds ".profile"`) {
		t.Error(err)
	}
	w.write("p/user", "")
	if _, err := w.evaluate(Options{}); err == nil || !strings.Contains(err.Error(), `.config/sbx/project.star:1:1: error: project`) {
		t.Error(err)
	}
	if r := w.must(Options{RefuseIfExists: vals(), IgnoreProjectConfig: true}); r.Project != Ignored || fmt.Sprint(r.Plan.Command) != "[user]" {
		t.Errorf("%+v", r)
	}
}

func TestConfigFile(t *testing.T) {
	w := newWorld(t, "p/.sbx.star: fail()", "my.star: load('lib/more.star', 'more')\nmore()\n", "lib/more.star: def more(): mkdir('/x')\n")
	r := w.must(Options{ConfigFile: &Value{Text: w.home + "/my.star"}})
	if r.Project != Own || fmt.Sprint(w.ops(r)) != "[mkdir /x bind $H/p/.sbx.star [ro, exact]]" {
		t.Errorf("%+v %q", r, w.ops(r))
	}
	if _, err := w.evaluate(Options{ConfigFile: &Value{Text: w.home + "/none"}}); err == nil || !strings.HasSuffix(err.Error(), "no such file or directory") {
		t.Error(err)
	}
}

// TestExcluded has exclusions found and masked wherever they are shown.
func TestExcluded(t *testing.T) {
	w := newWorld(t, "p/.env: x", "p/k/a.pem: x", "p/k/d/b.pem: x", "p/k/.c.pem: x", "p/link: -> k/a.pem", "p/[x]/e: x", "p/s/out: -> $H/secret", "p/n*: x")
	for _, tt := range []struct {
		pattern string
		want    string
	}{
		{".env", "$H/p/.env"},
		{"none", ""},
		{"*.none", ""},
		{"none,other none", ""},
		{"k/*.pem", "$H/p/k/.c.pem $H/p/k/a.pem"},
		{"**/*.pem", "$H/p/k/.c.pem $H/p/k/a.pem $H/p/k/d/b.pem"},
		{"**/d", "$H/p/k/d"},
		{"k/**", "$H/p/k/.c.pem $H/p/k/a.pem $H/p/k/d"},
		{"**/d/**/*.pem", "$H/p/k/d/b.pem"},
		{"link", "$H/p/link"},
		{"[x]/e", "$H/p/[x]/e"},
		{"**/e", "$H/p/[x]/e"},
		{"n*", `$H/p/n*`},
		{"~/secret", "$H/secret"},
		{"$H/p/k", "$H/p/k"},
	} {
		r, err := w.evaluate(Options{ExcludedPaths: vals(strings.ReplaceAll(tt.pattern, "$H", w.home))})
		if err != nil {
			t.Errorf("%s: %v", tt.pattern, err)
			continue
		}
		var got []string
		for _, op := range r.Plan.Ops {
			if op.Kind == plan.Mask {
				got = append(got, strings.ReplaceAll(string(op.Dst), w.home, "$H"))
			}
		}
		slices.Sort(got)
		// What a link leads to is masked by its own name too.
		got = slices.DeleteFunc(got, func(s string) bool { return tt.pattern == "link" && s == "$H/p/k/a.pem" })
		if strings.Join(got, " ") != tt.want {
			t.Errorf("%s: %q, want %q", tt.pattern, got, tt.want)
		}
	}
	for _, bad := range []string{"", ".", "..", "/", "~", "~bob/x", "a\x00b", "[", "**/[", "/**/x", "/**", "//../**/*.pem", ".env,k", "none:k/*.pem", ".env none"} {
		if _, err := w.evaluate(Options{ExcludedPaths: vals(bad)}); err == nil {
			t.Errorf("%q is no fault", bad)
		}
	}

	w.write(".config/sbx/project.star", "bind('$H/p', '/other')\nbind('$H/p/k', '/keys', ro = True)\nproject(excluded_paths = ['k/a.pem'])\n")
	got := strings.Join(w.ops(w.must(Options{})), "\n")
	for _, at := range []string{"$H/p/k/a.pem", "/other/k/a.pem", "/keys/a.pem"} {
		if !strings.Contains(got, "mask "+at+" ") {
			t.Errorf("%s is not masked in\n%s", at, got)
		}
	}
}

func TestProjects(t *testing.T) {
	w := newWorld(t, "data/x: ", "link: -> data", "with space\nand newline/x: ", "file: ", "account/ann/x: ")
	w.places.Passwd = w.home + "/account/ann"
	for _, tt := range []struct{ dir, want string }{
		{w.home, "is the home directory"},
		{filepath.Dir(w.home), "holds the home directory"},
		{w.home + "/account/ann", "is the home directory"}, // HOME is set elsewhere
		{w.home + "/account", "holds the home directory"},
		{"/", "the root directory"},
		{"/proc/self", "is in /proc"},
		{"/dev", "is in /dev"},
		{w.home + "/none", "no such file"},
		{w.home + "/file", "is not a directory"},
		{w.home + "/link", ""},
		{w.home + "/data/", ""},
		{w.home + "/with space\nand newline", ""},
	} {
		r, err := w.evaluate(Options{Dir: tt.dir})
		switch {
		case tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)):
			t.Errorf("%q: %v", tt.dir, err)
		case tt.dir == w.home+"/link":
			found := slices.ContainsFunc(r.Plan.Ops, func(op plan.Op) bool { return op.Kind == plan.Symlink && string(op.Dst) == tt.dir })
			if r.Dir != w.home+"/data" || !found {
				t.Errorf("%s: %s %v", tt.dir, r.Dir, r.Plan.Ops)
			}
		}
	}
}

// TestHomes has homes hidden wherever they are.
func TestHomes(t *testing.T) {
	w := newWorld(t, "real/p/x: ", "homes/ann: -> ../real")
	// The home is a symlink in a directory that is hidden itself.
	w.places.Home = w.home + "/homes/ann"
	w.env = []string{"HOME=" + w.places.Home, "XDG_RUNTIME_DIR=/run/user/7"}
	r := w.must(Options{Dir: w.places.Home + "/p"})
	got := map[string]string{}
	for i := range r.Plan.Ops {
		op := &r.Plan.Ops[i]
		got[strings.ReplaceAll(string(op.Dst), w.home, "$H")] = op.String()
	}
	for dst, want := range map[string]string{"$H/real": "mkdir $H/real [mode 0700]", "$H/homes/ann": "symlink $H/homes/ann → $H/real", "$H/real/p": "bind $H/real/p", "/run/user/7": "mkdir /run/user/7 [mode 0700]"} {
		if s := strings.ReplaceAll(got[dst], w.home, "$H"); s != want {
			t.Errorf("%s: %q, want %q", dst, s, want)
		}
	}
}

func TestGuard(t *testing.T) {
	for _, tt := range []struct {
		name  string
		files []string
		o     Options
		want  string // "": no fault
	}{
		{"the configuration is the project", []string{".config/x: "}, Options{Dir: "$H/.config"}, "which sbx run itself goes by"},
		{"the trust store is in the project", []string{".local/x: "}, Options{Dir: "$H/.local"}, "which sbx run itself goes by"},
		{"in the configuration", []string{".config/sbx/d/x: "}, Options{Dir: "$H/.config/sbx/d"}, `/.config/sbx/d" lies in "`},
		{"an extra path with the configuration", nil, Options{ExtraDataPaths: vals("$H")}, "which sbx run itself goes by"},
		{"by a symlink", []string{"l: -> ."}, Options{ExtraDataPaths: vals("$H/l")}, "which sbx run itself goes by"},
		{"the user's file is in the project", []string{"p/mine.star: x = 1", ".config/sbx/project.star: -> ../../p/mine.star"}, Options{}, "which sbx run itself goes by"},
		{"what the user's file loads is in the project", []string{"p/mine.star: x = 1", ".config/sbx/project.star: load('$H/p/mine.star', 'x')"}, Options{}, "which sbx run itself goes by"},
		{"a dangling configuration", []string{".config/sbx: -> ../p/none"}, Options{}, "which sbx run itself goes by"},
		{"the sockets of sessions", []string{"run/sbx/s: "}, Options{ExtraDataPaths: vals("$H/run")}, "would reach other sandboxes"},
		{"the sockets of sessions, with all", []string{"run/sbx/s: ", ".config/sbx/project.star: bind('/', '/mnt', ro = True)"}, Options{}, "would reach other sandboxes"},
		{"no directory of sessions", []string{"run/sbx: -> /etc"}, Options{}, ""},
		{"the sockets of sessions, hidden", []string{"run/sbx/s: ", ".config/sbx/project.star: bind('/', '/mnt', ro = True); tmpfs('/mnt$H/run')"}, Options{}, ""},
		{"the sockets of sessions, by no other name", []string{"run/sbx/s: ", "r: -> $H/run", ".config/sbx/project.star: bind('$H/r', '/r', ro = True)"}, Options{}, "would reach other sandboxes"},
		{"the sockets of sessions, unfollowed", []string{"run/sbx/s: ", ".config/sbx/project.star: bind('$H/run', '/r', ro = True, follow = False)"}, Options{}, "would reach other sandboxes"},
		{"the sockets of sessions, in layers", []string{"run/sbx/s: ", ".config/sbx/project.star: overlay('/o', ['$H/run/sbx', '/usr'])"}, Options{}, "would reach other sandboxes"},
		{"the sockets of sessions, read-only", []string{".config/sbx/project.star: bind('$H/run', '/r', ro = True)"}, Options{}, "would reach other sandboxes"},
		{"one socket", []string{"run/bus: ", ".config/sbx/project.star: bind('$H/run/bus')"}, Options{}, ""},
		{"read-only is fine", []string{".config/sbx/project.star: bind('$H/.config', ro = True)"}, Options{}, ""},

		{"a bind over a symlink in the project", []string{"p/data: -> $H", ".config/sbx/project.star: bind(host.project + '/data', '/data', ro = True)"}, Options{}, "leads over a symlink"},
		{"a symlink on the way", []string{"p/d: -> $H", ".config/sbx/project.star: bind(host.project + '/d/secret', '/data', ro = True)"}, Options{}, "leads over a symlink"},
		{"a copy", []string{"p/f: -> $H/secret", ".config/sbx/project.star: copy(host.project + '/f', '/f')"}, Options{}, "leads over a symlink"},
		{"a layer", []string{"p/l: -> $H", ".config/sbx/project.star: overlay('/f', host.project + '/l')"}, Options{}, "leads over a symlink"},
		{"an extra path in the project", []string{"p/d: -> $H"}, Options{ExtraDataPaths: vals("d")}, "leads over a symlink"},
		{"an extra path in an extra path", []string{"x/d: -> ../y", "y/f: "}, Options{ExtraDataPaths: vals("$H/x", "$H/x/d")}, "leads over a symlink"},
		{"a source that is made", []string{"p/d: -> $H", ".config/sbx/project.star: bind(host.project + '/d/new', '/data', create_src = True)"}, Options{}, "leads over a symlink"},
		{"a link that stays", []string{"p/d: -> e", "p/e/f: ", ".config/sbx/project.star: bind(host.project + '/d', '/data')"}, Options{}, ""},
		{"the link itself", []string{"p/d: -> $H", ".config/sbx/project.star: bind(host.project + '/d', '/data', follow = False)"}, Options{}, ""},

		{"by realpath", []string{"p/d: -> $H/s", "s/k: ", ".config/sbx/project.star: bind(realpath(host.project + '/d'), '/data', ro = True)"}, Options{}, "leads over a symlink"},
		{"below realpath", []string{"p/d: -> $H/s", "s/k: ", ".config/sbx/project.star: bind(realpath(host.project + '/d') + '/k', ro = True)"}, Options{}, "leads over a symlink"},
		{"by readlink", []string{"p/d: -> ../s/k", "s: -> t", "t/k: ", ".config/sbx/project.star: bind(host.project + '/' + readlink(host.project + '/d'), ro = True)"}, Options{}, "leads over a symlink"},
		{"by a template's function", []string{"p/d: -> $H/s", "s/k: ", ".config/sbx/project.star: load('@sbx//files.star', 'show'); show(host.project + '/d')"}, Options{}, "leads over a symlink"},
		{"a layer by realpath", []string{"p/d: -> /usr/bin", ".config/sbx/project.star: overlay('/o', [realpath(host.project + '/d')])"}, Options{}, "leads over a symlink"},
		{"what is hidden, by realpath", []string{"p/d: -> /run", ".config/sbx/project.star: bind(realpath(host.project + '/d'), ro = True)"}, Options{}, "leads over a symlink"},
		{"what is seen, by realpath", []string{"p/d: -> /usr/bin", ".config/sbx/project.star: bind(realpath(host.project + '/d'), ro = True)"}, Options{}, ""},
		{"what is seen, elsewhere", []string{"p/d: -> /", ".config/sbx/project.star: bind(realpath(host.project + '/d'), '/mnt', ro = True)"}, Options{}, "leads over a symlink"},
		{"realpath within", []string{"p/d: -> e", "p/e/f: ", ".config/sbx/project.star: bind(realpath(host.project + '/d'), '/data')"}, Options{}, ""},
		{"where a link leads, for itself", []string{"p/d: -> $H/s", "s/k: ", ".config/sbx/project.star: print(realpath(host.project + '/d')); bind('$H/k', optional = True)"}, Options{}, ""},
		{"a link to what holds it, by realpath", []string{"p/d: -> $H", ".config/sbx/project.star: bind(realpath(host.project + '/d') + '/s', ro = True)", "s/k: "}, Options{}, "leads over a symlink"},
		{"the link itself, where it leads asked", []string{"p/d: -> $H", ".config/sbx/project.star: print(realpath(host.project + '/d')); bind(host.project + '/d', '/data', follow = False)"}, Options{}, ""},
		{"what is read over a link", []string{"p/f: -> $H/secret", "secret: x", ".config/sbx/project.star: write('/f', read(host.project + '/f'))"}, Options{}, "leads over a symlink"},
		{"a module over a link", []string{"p/.sbx.star: load('m.star', 'x')", "p/m.star: -> ../m.star", "m.star: x = 1"}, Options{Trust: true}, ""},
	} {
		w := newWorld(t, tt.files...)
		tt.o.Dir = strings.ReplaceAll(tt.o.Dir, "$H", w.home)
		for i := range tt.o.ExtraDataPaths {
			tt.o.ExtraDataPaths[i].Text = strings.ReplaceAll(tt.o.ExtraDataPaths[i].Text, "$H", w.home)
		}
		_, err := w.evaluate(tt.o)
		if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}

func diagnostics(err error) plan.Diagnostics {
	var ds plan.Diagnostics
	errors.As(err, &ds)
	return ds
}
