//go:build linux

package lib_test

import (
	"cmp"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sbx/engine/compile"
	"sbx/engine/host"
	"sbx/engine/layout"
	"sbx/engine/plan"
	"sbx/engine/validate"
	"sbx/lib"
	"sbx/starlark/eval"
)

// A box is the sandbox that a template makes of a home directory of the test's
// own, on top of what `sbx run` begins with: the host read-only, an empty home,
// an empty /tmp, the project writable.
type box struct {
	t       *testing.T
	dir     string // holds the home h, the project p, and run, $XDG_RUNTIME_DIR
	plan    *plan.Plan
	layout  *layout.Layout
	environ []string
}

// fakeOS is the host with another environment, an ordinary user ann, and other
// files in /etc.
type fakeOS struct {
	eval.OS
	env   []string
	files map[string]string
}

func (h fakeOS) IDs() (uid, gid int) { return 1000, 1000 }
func (h fakeOS) Stat(path string) (fs.FileMode, error) {
	if _, ok := h.files[path]; ok {
		return 0o644, nil
	}
	return h.OS.Stat(path)
}
func (h fakeOS) ReadFile(path string, limit int64) ([]byte, error) {
	if text, ok := h.files[path]; ok {
		return []byte(text), nil
	}
	return h.OS.ReadFile(path, limit)
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
func (h fakeOS) Cwd() (string, error) { return "/", nil }

// base is what `sbx run` begins with.
const base = `
bind("/", ro = True)
dev()
proc()
tmpfs("/tmp")
tmpfs("/run/user")
tmpfs(host.home)
bind(host.project)
`

// newBox is evalBox of what is to be no fault.
func newBox(t *testing.T, script, files string, env ...string) *box {
	t.Helper()
	b, err := evalBox(t, script, files, env...)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// evalBox evaluates a script, to which all templates are known by name. $H, $P and
// $R stand for the home, the project and the runtime directory everywhere, and $K for
// the name that project_data() has for the project.
//
// A line of files is a path below the home, or one that begins with $; "PATH/" is
// a directory, "PATH -> TARGET" a symbolic link, "PATH socket" a socket and
// "PATH: TEXT" a file with that text.
func evalBox(t *testing.T, script, files string, env ...string) (*box, error) {
	t.Helper()
	dir, err := os.MkdirTemp("", "sbx") // a socket's path is short
	if err != nil {
		t.Fatal(err)
	}
	if dir, err = filepath.EvalSymlinks(dir); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	b := &box{t: t, dir: dir}
	for _, d := range []string{"h", "p", "run"} {
		b.must(os.Mkdir(filepath.Join(dir, d), 0o700))
	}
	etc := map[string]string{"/etc/passwd": "ann:x:1000:1000::/home/ann:/bin/sh\n", "/etc/subuid": "", "/etc/subgid": ""}
	for line := range strings.Lines(files) {
		line = strings.TrimSpace(line)
		if file, text, ok := strings.Cut(line, ": "); ok && strings.HasPrefix(file, "/etc/") {
			etc[file] = strings.ReplaceAll(text, `\n`, "\n")
		} else if line != "" {
			b.make(line)
		}
	}
	h := fakeOS{files: etc}
	for _, kv := range append(env, "HOME=$H", "XDG_RUNTIME_DIR=$R", "PATH=/usr/bin:/bin") {
		if _, ok := h.LookupEnv(strings.SplitN(kv, "=", 2)[0]); !ok {
			h.env = append(h.env, b.expand(kv))
		}
	}
	// What is secret is not there, unless a template passes it.
	text := base
	for _, kv := range h.env {
		if name, value, _ := strings.Cut(kv, "="); eval.IsSecretEnv(name, value) || eval.HoldsSecret(value) {
			text += fmt.Sprintf("unsetenv(%q)\n", name)
		}
	}
	loads := ""
	for _, name := range lib.Templates() {
		loads += fmt.Sprintf("load(\"@sbx//%s.star\", %q)\n", name, strings.ReplaceAll(name, "-", "_"))
	}
	p, err := eval.Eval(eval.Options{File: "t.star", Source: []byte(loads + text + script), Host: h, Lib: lib.Read, Project: dir + "/p"})
	if err != nil {
		return nil, err
	}
	facts := host.Live(p)
	facts.Env, facts.UID, facts.GID, facts.Caps = h.env, 1000, 1000, 0
	l, diags := validate.Check(p, facts)
	if diags.HasErrors() {
		return nil, diags
	}
	b.plan, b.layout, b.environ = p, l, compile.Environment(p, h.env, "/")
	return b, nil
}

func (b *box) must(err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
}

func (b *box) expand(s string) string {
	return strings.NewReplacer("$H", b.dir+"/h", "$P", b.dir+"/p", "$R", b.dir+"/run", "$K", strings.ReplaceAll(b.dir[1:]+"/p", "/", "-")).Replace(s)
}

// path returns the absolute path of one in a test.
func (b *box) path(s string) string {
	if s[0] != '$' && s[0] != '/' {
		s = "$H/" + s
	}
	return b.expand(s)
}

func (b *box) make(line string) {
	b.t.Helper()
	link, target, isLink := strings.Cut(line, " -> ")
	file, text, isText := strings.Cut(line, ": ")
	sock, isSocket := strings.CutSuffix(line, " socket")
	name := b.path(line)
	switch {
	case isLink:
		name = b.path(link)
	case isSocket:
		name = b.path(sock)
	case isText:
		name = b.path(file)
	}
	b.must(os.MkdirAll(filepath.Dir(name), 0o755))
	switch {
	case isLink:
		b.must(os.Symlink(b.expand(target), name))
	case isSocket:
		l, err := net.Listen("unix", name)
		b.must(err)
		b.t.Cleanup(func() { l.Close() })
	case strings.HasSuffix(line, "/"):
		b.must(os.MkdirAll(name, 0o755))
	default:
		mode := os.FileMode(0o600)
		if strings.HasPrefix(text, "#!") {
			mode = 0o755
		}
		b.must(os.WriteFile(name, []byte(strings.ReplaceAll(b.expand(text), `\n`, "\n")), mode))
	}
}

// how says what the sandbox has at a path: "no" where there is nothing, "ro" and
// "rw" for the host's files by whether they can be written, "own" for the
// sandbox's own, "link" for a symbolic link that leads somewhere, "masked".
func (b *box) how(path string) string {
	if b.layout.Type(path) == host.Missing {
		return "no"
	}
	if dir, err := filepath.EvalSymlinks(filepath.Dir(path)); err == nil { // of which the sandbox has the links
		path = filepath.Join(dir, filepath.Base(path))
	}
	var at *layout.Step
	ro := false // by a remount of all that is below
	for _, s := range b.layout.Steps {
		in := s.Target.Path == path || strings.HasPrefix(path, strings.TrimSuffix(s.Target.Path, "/")+"/")
		if in && !(s.Done && s.Op.Kind != plan.Bind) && (at == nil || len(s.Target.Path) >= len(at.Target.Path)) {
			at = s
		}
		ro = ro || in && s.Op.Kind == plan.RemountRO && s.Op.Recursive
	}
	if at == nil {
		at = b.layout.Root
	}
	switch {
	case at.Op.Kind == plan.Symlink && at.Target.Path == path:
		return "link"
	case at.Op.Kind == plan.Mask:
		return "masked"
	case at.Op.Kind == plan.Bind && (at.Op.RO || ro), at.Op.Kind == plan.RemountRO:
		return "ro"
	case at.Op.Kind == plan.Bind:
		return "rw"
	}
	return "own"
}

// text returns what the plan writes at a path.
func (b *box) text(path string) string {
	b.t.Helper()
	for _, op := range slices.Backward(b.plan.Ops) {
		if op.Kind == plan.Write && string(op.Dst) == b.path(path) {
			return string(op.Data)
		}
	}
	b.t.Errorf("%s is not written", path)
	return ""
}

// mounted reports whether a path is a mount point of its own, which nothing inside
// can move away.
func (b *box) mounted(path string) bool {
	return slices.ContainsFunc(b.layout.Steps, func(s *layout.Step) bool { return s.Target.Path == path })
}

// check compares with lines "HOW PATH…", where HOW may be "at" too, for a mount
// point, and "env NAME=VALUE" or "env -NAME".
func (b *box) check(want string) {
	b.t.Helper()
	for line := range strings.Lines(want) {
		f := strings.Fields(line)
		if len(f) == 0 {
			continue
		}
		for _, w := range f[1:] {
			if f[0] == "env" {
				b.checkEnv(b.expand(w))
			} else if f[0] == "at" {
				if !b.mounted(b.path(w)) {
					b.t.Errorf("%s is no mount point", w)
				}
			} else if got := b.how(b.path(w)); got != f[0] {
				b.t.Errorf("%s is %q, want %q", w, got, f[0])
			}
		}
	}
}

func (b *box) checkEnv(w string) {
	b.t.Helper()
	name, value, has := strings.Cut(strings.TrimPrefix(w, "-"), "=")
	i := slices.IndexFunc(b.environ, func(kv string) bool { return strings.HasPrefix(kv, name+"=") })
	switch {
	case i < 0 && !strings.HasPrefix(w, "-"):
		b.t.Errorf("%s is not set", name)
	case i >= 0 && strings.HasPrefix(w, "-"):
		b.t.Errorf("%s is set", b.environ[i])
	case i >= 0 && has && b.environ[i] != name+"="+value:
		b.t.Errorf("%s, want %q", b.environ[i], value)
	}
}

// a boxTest is a script on a home, and what it shows.
type boxTest struct {
	script, files, env, want string
}

func runBoxes(t *testing.T, tests []boxTest) {
	t.Helper()
	for _, tt := range tests {
		name, _, _ := strings.Cut(cmp.Or(tt.script, "nothing"), "\n")
		t.Run(name, func(t *testing.T) {
			newBox(t, tt.script, tt.files, strings.Fields(tt.env)...).check(tt.want)
		})
	}
}
