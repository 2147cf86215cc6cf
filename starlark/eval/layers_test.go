package eval

import (
	"fmt"
	"strings"
	"testing"

	"sbx/engine/plan"
)

// testLib is a standard library of a few templates.
func testLib(name string) ([]byte, error) {
	text, ok := map[string]string{
		"base.star":   "def base(where, more = []):\n    tmpfs(where)\n    for m in more: mkdir(m)\n",
		"ssh.star":    "def ssh():\n    bind('/agent')\n",
		"my-vim.star": "def my_vim():\n    bind('/vim')\n",
		"files.star":  "x = 1\n",
		"bad.star":    "def bad():\n    fail('no', host.uid)\n",
	}[name]
	if !ok {
		return nil, fmt.Errorf("none")
	}
	return []byte(text), nil
}

func layers(h Host) *Layers {
	return NewLayers(Options{Host: h, Lib: testLib, LibNear: func(name string) string { return plan.Nearest(name, []string{"ssh"}) }})
}

func ops(p *plan.Plan) string {
	var list []string
	for i := range p.Ops {
		list = append(list, p.Ops[i].String()+" @"+p.Ops[i].At.Pos.String())
	}
	return strings.Join(list, "\n")
}

func TestLayers(t *testing.T) {
	h := newFakeHost()
	h.env["A_TOKEN"] = "x"
	l := layers(h)
	defer l.Close()
	l.Call("@sbx//base.star", "base", map[string]any{"where": "/", "more": []string{"/a", "/b"}})
	l.File("/home/ann/user.star", "user.star", []byte("project(allow_settings = ['ssh'], excluded_paths = 'x', command = ['a'])\nunshare(net = True)\nunset_secrets()\n"))
	l.File("/p/.sbx.star", ".sbx.star", []byte("project(allow_settings = ('my-vim', 'ssh'), refuse_if_exists = [])\nunshare(net = False)\nbind(script.dir)\ncommand(['b'])\n"))
	l.Template("ssh", plan.Origin{})
	if ds := l.Faults(); ds != nil {
		t.Fatal(ds)
	}
	p := l.Plan()
	const want = `tmpfs / @@sbx//base.star:2:5
mkdir /a @@sbx//base.star:3:20
mkdir /b @@sbx//base.star:3:20
bind /agent @@sbx//ssh.star:2:5
bind /vim @@sbx//my-vim.star:2:5
bind /p @.sbx.star:3:1
bind /agent @@sbx//ssh.star:2:5`
	if got := ops(p); got != want {
		t.Errorf("%s", got)
	}
	if st := p.Ops[3].At.Stack; len(st) != 1 || st[0].Pos.String() != "user.star:1:1" {
		t.Errorf("called from %v", st)
	}
	if p.Unshare.Net || fmt.Sprint(p.Command) != "[b]" || p.Where["unshare.net"].Pos.File != ".sbx.star" {
		t.Error("the last layer does not win")
	}
	if len(p.Env) != 1 || p.Env[0].Name != "A_TOKEN" || p.Env[0].Value != "" {
		t.Error(p.Env)
	}
	c := l.Calls()
	if len(c) != 2 || fmt.Sprint(c[0].ExcludedPaths, c[0].Command) != "[x] [a]" || c[0].RefuseIfExists != nil || c[1].RefuseIfExists == nil || c[1].At.Pos.String() != ".sbx.star:1:1" {
		t.Error(c)
	}
}

func TestLayerFaults(t *testing.T) {
	for _, tt := range []struct{ src, want string }{
		{`project(alow_settings = [])`, `1:1: error: project: there is no argument "alow_settings" | did you mean "allow_settings"?`},
		{`project("ssh")`, `1:1: error: project: takes no positional arguments, got 1`},
		{`project(allow_settings = ["shs"])`, `1:1: error: project: there is no settings template "shs" | did you mean "ssh"?`},
		{`project(allow_settings = ["files"])`, `1:1: error: project: there is no settings template "files"`},
		{`project(allow_settings = ["../x"])`, `1:1: error: project: there is no settings template "../x"`},
		{`project(allow_settings = [1])`, `1:1: error: project: argument "allow_settings[0]" is an int, want a string or bytes`},
		{`project(command = [])`, `1:1: error: project: argument "command" is empty`},
		{`project(excluded_paths = 1)`, `1:1: error: project: argument "excluded_paths" is an int`},
		{"project(allow_settings = ['bad'])", `@sbx//bad.star:2:5: error: no 1000`},
		{"bind(1)\nproject(x = 1)\nbind(2)", `1:1: error: bind: argument "src" is an int`},
		{"load('none.star', 'x')", `1:1: error: load: cannot read module "none.star"`},
		{"if", `1:3: error: syntax`},
	} {
		l := layers(newFakeHost())
		l.File("/p/t.star", "t.star", []byte(tt.src))
		ds := l.Faults()
		l.Close()
		if len(ds) == 0 {
			t.Errorf("%s: no fault", tt.src)
			continue
		}
		got := ds[0].Error() + " | " + ds[0].Hint
		if !strings.Contains(got, strings.Split(tt.want, " | ")[0]) || strings.Contains(tt.want, "|") && !strings.HasSuffix(got, tt.want) {
			t.Errorf("%s\n got %s\nwant %s", tt.src, got, tt.want)
		}
	}
	// All that is wrong with the arguments of a call is told.
	l := layers(newFakeHost())
	defer l.Close()
	l.File("/p/t.star", "t.star", []byte("project(alow_settings = 1, allow_settings = ['shs', 'ssh', 'vom'], refuse_if_exists = True, excluded_paths = [1],\n    extra_data_paths = '~bob/x', command = [])\nbind(1)"))
	var got []string
	for _, d := range l.Faults() {
		got = append(got, d.Error())
	}
	want := `t.star:1:1: error: project: there is no argument "alow_settings"
t.star:1:1: error: project: argument "refuse_if_exists" is a bool, want a string, bytes, a list or None
t.star:1:1: error: project: argument "excluded_paths[0]" is an int, want a string or bytes
t.star:1:1: error: project: argument "command" is empty
t.star:1:1: error: project: there is no settings template "shs"
t.star:1:1: error: project: there is no settings template "vom"
t.star:3:1: error: bind: argument "src" is an int, want a string or bytes`
	if strings.Join(got, "\n") != want || ops(l.Plan()) != "bind /agent @@sbx//ssh.star:2:5" {
		t.Errorf("%s\n%s", strings.Join(got, "\n"), ops(l.Plan()))
	}
	if len(l.Calls()) != 1 || fmt.Sprint(l.Calls()[0].ExtraDataPaths) != "[~bob/x]" {
		t.Error(l.Calls())
	}
	if _, err := evalText(`project()`); err == nil || !strings.Contains(err.Error(), "setting of sbx run") {
		t.Error(err)
	}
}

func TestLoads(t *testing.T) {
	got := fmt.Sprint(Loads("/p/d/x.star", []byte("load('a.star', 'x')\nload('../b.star', 'y')\nload('@sbx//ssh.star', 'z')\nload('/c.star', 'w')\nload('~/x', 'v')\n")))
	if got != "[/p/d/a.star /p/b.star /c.star]" {
		t.Error(got)
	}
	if Loads("/x", []byte("load('a'")) != nil || Loads("/x", []byte("\xff")) != nil {
		t.Error("of what cannot be parsed")
	}
	// Nowhere else does a load stand: what a file loads does not depend on what it finds.
	for _, src := range []string{"if 1:\n    load('a.star', 'x')", "for i in [1]:\n    load('a.star', 'x')", "def f():\n    load('a.star', 'x')"} {
		if _, err := evalText(src); err == nil || !strings.Contains(err.Error(), "load statement") {
			t.Errorf("%s: %v", src, err)
		}
	}
}

// TestUses has calls of templates told, however they come about.
func TestUses(t *testing.T) {
	l := NewLayers(Options{Host: newFakeHost(), Lib: func(name string) ([]byte, error) {
		text, ok := map[string]string{
			"ssh.star":    "def ssh(keys = False, more = None):\n    bind('/agent')\n    setenv('A', 'b')\n",
			"my-vim.star": "load('@sbx//ssh.star', 'ssh')\ndef my_vim(*paths):\n    ssh()\n    bind('/vim')\ndef helper(): bind('/h')\n",
			"bad.star":    "def bad():\n    fail('no')\n",
		}[name]
		if !ok {
			return nil, fmt.Errorf("none")
		}
		return []byte(text), nil
	}})
	defer l.Close()
	l.File("/p/.sbx.star", ".sbx.star", []byte(`load("@sbx//ssh.star", login = "ssh")
load("@sbx//my-vim.star", "my_vim", "helper")
bind("/own")
project(allow_settings = ["ssh"])
def both():
    login(True, more = [])
    helper()
    [f("/x") for f in [my_vim]]
both()
`))
	if ds := l.Faults(); ds != nil {
		t.Fatal(ds)
	}
	var got []string
	for _, u := range l.Uses() {
		got = append(got, fmt.Sprint(u.Name, "(", u.Args, ") ", u.Set, " ", u.Ops, u.Env, " ", u.At.Pos))
	}
	const want = `ssh() [] [1 2] [0 1] .sbx.star:4:1
ssh(keys = True, more = []) [keys] [2 3] [1 2] .sbx.star:6:5
my-vim(paths = "/x") [paths] [4 6] [2 3] .sbx.star:8:6`
	if strings.Join(got, "\n") != want {
		t.Errorf("%s", strings.Join(got, "\n"))
	}
	if st := l.Plan().Ops[2].At.Stack; len(st) != 2 || st[0].Pos.String() != ".sbx.star:6:5" || st[0].Func != "both" {
		t.Errorf("called from %v", st)
	}
	l.Template("bad", plan.Origin{})
	l.Template("ssh", plan.Origin{})
	if n := len(l.Uses()); n != 5 || !l.Faults().HasErrors() {
		t.Error(n, l.Faults())
	}
	l.File("/p/x", "x", []byte("load('@sbx//ssh.star', 'ssh')\nssh(kyes = True)"))
	if ds := l.Faults(); !strings.Contains(ds.Error(), "kyes") {
		t.Error(ds)
	}
}
