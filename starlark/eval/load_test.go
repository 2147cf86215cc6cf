package eval

import (
	"errors"
	"regexp"
	"strings"
	"testing"

	"sbx/engine/plan"
)

// evalFiles evaluates the file e.star among the given ones.
func evalFiles(files map[string]string, opts ...func(*Options)) (*plan.Plan, error) {
	h := newFakeHost()
	for name, text := range files {
		h.files[name] = text
	}
	opt := Options{File: "e.star", Host: h, Sources: map[string][]byte{}, Lib: func(name string) ([]byte, error) {
		if name == "std.star" {
			return []byte("load('@sbx//other.star', 'x')\ndef usr(): bind('/usr' + x)\nd = script.dir"), nil
		}
		if name == "other.star" {
			return []byte("x = '/x'"), nil
		}
		if name == "bad.star" {
			return []byte("load('other.star', 'x')"), nil
		}
		return nil, errors.New("no")
	}}
	for _, f := range opts {
		f(&opt)
	}
	return Eval(opt)
}

func TestLoad(t *testing.T) {
	tests := []struct {
		name  string
		files map[string]string
		want  string // regexp: the fault as shown; empty: none
	}{
		{"relative", map[string]string{
			"e.star":     "load('lib/a.star', 'f', g = 'h')\nload('lib/a.star', again = 'f')\nf()\ng()",
			"lib/a.star": "load('b.star', 'x')\ndef f(): bind(x)\ndef h(): bind(script.dir)",
			"lib/b.star": "x = '/x'\nprint(host.arch, exists('/a'))",
		}, ""},
		{"absolute", map[string]string{"e.star": "load('/abs/a.star', 'f')\nf()", "/abs/a.star": "def f(): dev()"}, ""},
		{"standard", map[string]string{"e.star": "load('@sbx//std.star', 'usr', 'd')\nusr()\nif d != '/work/dir': fail(d)"}, ""},
		{"missing", map[string]string{"e.star": "\nload('no.star', 'f')"},
			`^e.star:2:1: error: load: cannot read module "no.star": no such file or directory\n .*\n .*\n  hint: modules are looked for beside`},
		{"directory", map[string]string{"e.star": "load('d', 'f')", "d/": ""}, `cannot read module "d": it is a directory\n.*\n.*\^\n$`},
		{"missing suffix", map[string]string{"e.star": "load('a', 'f')", "a.star": "f = 1"}, `cannot read module "a": no such file or directory\n.*\n.*\n  hint: did you mean "a.star"\?`},
		{"missing, absolute", map[string]string{"e.star": "load('/no.star', 'f')"}, `cannot read module "/no.star": no such file or directory\n.*\n.*\^\n$`},
		{"no name", map[string]string{"e.star": "load('a.star', 'tolchain')", "a.star": "toolchain = 1"},
			`^e.star:1:17: error: load: module "a.star" defines no "tolchain"\n.*\n.*\n  hint: did you mean "toolchain"\?`},
		{"self", map[string]string{"e.star": "load('e.star', 'f')"}, `e.star:1:1: error: load: modules load each other in a circle: "e.star" loads "e.star"`},
		{"cycle", map[string]string{
			"e.star": "load('a.star', 'f')", "a.star": "\nload('b.star', 'f')", "b.star": "x = 1; load('./a.star', 'f')"},
			`^b.star:1:8: error: load: modules load each other in a circle: "a.star" loads "b.star" loads "a.star"\n(.*\n)*  called from a.star:2:1\n  called from e.star:1:1\n$`},
		{"cycle through entry", map[string]string{"e.star": "load('a.star', 'f')", "a.star": "load('e.star', 'f')"},
			`"e.star" loads "a.star" loads "e.star"`},
		{"call at top level", map[string]string{"e.star": "load('a.star', 'f')", "a.star": "def f():\n  bind('/a')\n\nf()"},
			`^a.star:2:3: error: bind: the top level of a module may only define\n(.*\n)*  hint: put it in a function and call that from the entry script\n  called from a.star:4:1\n  called from e.star:1:1\n$`},
		{"param at top level", map[string]string{"e.star": "load('a.star', 'f')", "a.star": "f = param('a')"},
			`^a.star:1:5: error: param: the top level of a module may only define`},
		{"syntax", map[string]string{"e.star": "load('a.star', 'f')", "a.star": "f = (1"},
			`^a.star:1:7: error: syntax: got end of file(.*\n)*  called from e.star:1:1\n$`},
		{"undefined", map[string]string{"e.star": "load('a.star', 'f')", "a.star": "f = bnid\ng = mkdri"},
			`a.star:1:5: error: name "bnid"(.*\n)*a.star:2:5: error: name "mkdri"`},
		{"failure", map[string]string{"e.star": "load('a.star', 'f')", "a.star": "f = 1 + ''"}, `^a.star:1:7: error: unknown binary op`},
		{"frozen", map[string]string{"e.star": "load('a.star', 'l')\nl.append(1)", "a.star": "l = []"},
			`^e.star:2:1: error: .*frozen list(.*\n)*  hint: args and the values of modules`},
		{"private", map[string]string{"e.star": "load('a.star', '_l')", "a.star": "_l = []"}, `e.star:1:17: error: load: names with leading underscores`},
		{"empty name", map[string]string{"e.star": "load('', 'l')"}, `module name "" is empty`},
		{"NUL", map[string]string{"e.star": "load('a\\0', 'l')"}, `NUL`},
		{"label", map[string]string{"e.star": "load('//a.star', 'l')"}, `module name "//a.star" is not a path\n(.*\n)*  hint: modules are named relative`},
		{"home", map[string]string{"e.star": "load('~/a.star', 'l')"}, `not expanded`},
		{"other root", map[string]string{"e.star": "load('@std//a.star', 'l')"}, `unknown root`},
		{"no such standard", map[string]string{"e.star": "load('@sbx//nope.star', 'l')"}, `no standard module "@sbx//nope.star"`},
		{"unclean standard", map[string]string{"e.star": "load('@sbx//../x.star', 'l')"}, `not clean`},
		{"relative standard", map[string]string{"e.star": "load('@sbx//bad.star', 'x')"}, `module name "other.star" is relative`},
		{"in function", map[string]string{"e.star": "def f():\n  load('a.star', 'x')"}, `e.star:2:3: error: load statement within a function`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			sources := map[string][]byte{}
			_, err := evalFiles(tt.files, func(o *Options) { o.Sources = sources })
			got := diagnostics(t, err).Format(func(f string) []byte { return sources[f] }, nil)
			if tt.want == "" {
				if got != "" {
					t.Error(got)
				}
			} else if !regexp.MustCompile(tt.want).MatchString(got) {
				t.Errorf("%s\nwant %s", got, tt.want)
			}
		})
	}
}

// What is wrong with any load statement is told at once, with who led there, and
// once for each module.
func TestLoadFaults(t *testing.T) {
	_, err := evalFiles(map[string]string{
		"e.star": "load('no.star', 'f')\nload('a.star', 'f', 'g', 'x')\nload('bad.star', 'f')\nload('run.star', 'f')\n" +
			"load('b.star', 'f')\nload('fine.star', 'y')\nload('', 'z')\nbind(f)",
		"a.star":    "f = 1",
		"bad.star":  "f = (1",
		"run.star":  "def g(): return 1 + ''\nf = g()",
		"b.star":    "load('c.star', 'f')\nload('bad.star', 'g')\nload('nope.star', 'h')",
		"c.star":    "\nload('e.star', 'f')\nload('./b.star', f2 = 'f')",
		"fine.star": "y = 1",
	})
	got := ""
	for _, d := range diagnostics(t, err) {
		got += d.At.Pos.String() + " " + d.Msg
		for _, f := range d.At.Stack {
			got += " < " + f.Pos.String()
		}
		got += "\n"
	}
	if want := `b.star:3:1 cannot read module "nope.star": no such file or directory < e.star:5:1
bad.star:1:7 syntax: got end of file, want ')' < e.star:3:1
c.star:2:1 modules load each other in a circle: "e.star" loads "b.star" loads "c.star" loads "e.star" < b.star:1:1 < e.star:5:1
c.star:3:1 modules load each other in a circle: "b.star" loads "c.star" loads "b.star" < b.star:1:1 < e.star:5:1
e.star:1:1 cannot read module "no.star": no such file or directory
e.star:2:22 module "a.star" defines no "g"
e.star:2:27 module "a.star" defines no "x"
e.star:7:1 module name "" is empty
run.star:1:19 unknown binary op: int + string < run.star:2:5 < e.star:4:1
`; got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

// A limit ends all, and is told once.
func TestLoadLimit(t *testing.T) {
	long := "l = [i for i in range(100000)]"
	_, err := evalFiles(map[string]string{"e.star": "load('a.star', 'l')\nload('b.star', m = 'l')", "a.star": long, "b.star": long},
		func(o *Options) { o.MaxSteps = 1000 })
	if ds := diagnostics(t, err); len(ds) != 1 || !strings.Contains(ds[0].Msg, "steps") {
		t.Errorf("%v", ds)
	}
}

// A module is evaluated once, and is an input of the plan.
func TestLoadOnce(t *testing.T) {
	prints := 0
	p, err := evalFiles(map[string]string{
		"e.star": "load('a.star', 'x')\nload('./a.star', y = 'x')\nload('b.star', 'z')",
		"a.star": "print('a')\nx = 1", "b.star": "load('a.star', 'x')\nz = x",
	}, func(o *Options) { o.Print = func(plan.Pos, string) { prints++ } })
	if err != nil {
		t.Fatal(err)
	}
	if prints != 1 {
		t.Errorf("%d prints", prints)
	}
	if len(p.Inputs) != 2 || p.Inputs[0] != (plan.Input{Kind: "file", Name: "a.star", Value: plan.Str(digest([]byte("print('a')\nx = 1")))}) {
		t.Errorf("inputs: %v", p.Inputs)
	}
}

// A chain of links to one's own directory has no end of names.
func TestLoadDepth(t *testing.T) {
	files := map[string]string{"e.star": "load('d/a.star', 'x')"}
	for i := range 200 {
		files[strings.Repeat("d/", i+1)+"a.star"] = "load('d/a.star', 'x')"
	}
	_, err := evalFiles(files)
	if err == nil || !strings.Contains(err.Error(), "too deeply") {
		t.Errorf("err = %v", err)
	}
}

func TestOrigin(t *testing.T) {
	p, err := evalFiles(map[string]string{
		"e.star": "load('m.star', 'lib')\n" + // 1
			"bind('/é'); dev (\n)\n" + // 2
			"def f(x):\n" + // 4
			"    for i in range(2):\n" + // 5
			"        mkdir('/a')\n" + // 6
			"    lib.setup(1)\n" + // 7
			"f(1); f(\n  2)\n" + // 8
			"[tmpfs('/t') for i in range(1)]\n" + // 10
			"sorted([2, 1], key = lambda x: [proc()] and x)\n" + // 11
			"{'a': mqueue}['a']('/q')\n", // 12
		"m.star": "def inner(x):\n  proc()\nlib = struct(setup = inner)\n",
	})
	if err != nil {
		t.Fatal(err)
	}
	show := func(o plan.Origin) string {
		s := o.Pos.String()
		for _, f := range o.Stack {
			s += " < " + f.Pos.String() + "(" + f.Func + ")"
		}
		return s
	}
	want := []string{
		"e.star:2:1", "e.star:2:13",
		"e.star:6:9 < e.star:8:1()", "e.star:6:9 < e.star:8:1()", "m.star:2:3 < e.star:7:5(f) < e.star:8:1()",
		"e.star:6:9 < e.star:8:7()", "e.star:6:9 < e.star:8:7()", "m.star:2:3 < e.star:7:5(f) < e.star:8:7()",
		"e.star:10:2",
		"e.star:11:33 < e.star:11:1()", "e.star:11:33 < e.star:11:1()",
		"e.star:12:19",
	}
	for i := range p.Ops {
		if i >= len(want) || show(p.Ops[i].At) != want[i] {
			t.Errorf("op %d %s: %s", i, p.Ops[i].Kind, show(p.Ops[i].At))
		}
	}
	if len(p.Ops) != len(want) {
		t.Errorf("%d ops", len(p.Ops))
	}
	if &p.Ops[2].At.Stack[0] != &p.Ops[3].At.Stack[0] {
		t.Error("equal stacks are not shared")
	}
}

// The example of the design.
func TestDiagnosticShown(t *testing.T) {
	src := "def toolchain():\n    bind(\"/opt/sdk\", ro = 1)\n\ntoolchain()\n"
	sources := map[string][]byte{}
	_, err := Eval(Options{File: "build.sbx.star", Source: []byte(src), Host: newFakeHost(), Sources: sources})
	want := `build.sbx.star:2:5: error: bind: argument "ro" is an int, want a bool
  2 |     bind("/opt/sdk", ro = 1)
    |     ^
  hint: write True or False
  called from build.sbx.star:4:1
`
	if got := diagnostics(t, err).Format(func(f string) []byte { return sources[f] }, nil); got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}

func TestInputs(t *testing.T) {
	p, err := evalText(`
host.env["LANG"]; host.env["LANG"]; host.env.get("NO"); "CI" in host.env
host.uid; host.cwd; host.home
exists("/opt/sdk"); exists("/opt/none"); is_dir("/data/a")
read("/data/a"); glob("/data/*"); realpath("/lib"); which("make"); which("cc"); host.os_release
`)
	if err != nil {
		t.Fatal(err)
	}
	sum := func(s string) plan.Str { return plan.Str(digest([]byte(s))) }
	want := []plan.Input{
		{Kind: "env", Name: "LANG", Value: "C"}, {Kind: "env", Name: "NO"}, {Kind: "env", Name: "CI"},
		{Kind: "host", Name: "uid", Value: "1000"}, {Kind: "host", Name: "cwd", Value: "/work/dir"}, {Kind: "host", Name: "home", Value: "/home/ann"},
		{Kind: "path", Name: "/opt/sdk", Value: "dir"}, {Kind: "path", Name: "/opt/none", Value: "missing"}, {Kind: "path", Name: "/data/a", Value: "file"},
		{Kind: "file", Name: "/data/a", Value: sum("one")}, {Kind: "glob", Name: "/data/*", Value: sum("/data/a\x00/data/b\x00/data/noexec\x00")},
		{Kind: "realpath", Name: "/lib", Value: "/usr/lib"}, {Kind: "which", Name: "make", Value: "/usr/bin/make"}, {Kind: "which", Name: "cc"},
		{Kind: "file", Name: "/etc/os-release", Value: sum(newFakeHost().files["/etc/os-release"])},
	}
	for i, in := range p.Inputs {
		if i >= len(want) || in != want[i] {
			t.Errorf("input %d: %v", i, in)
		}
	}
	if len(p.Inputs) != len(want) {
		t.Errorf("%d inputs, want %d", len(p.Inputs), len(want))
	}
}

func TestPrint(t *testing.T) {
	var got []string
	_, err := Eval(Options{File: "t.star", Source: []byte("def f():\n  print('a', 1)\nf()\nprint()"), Host: newFakeHost(),
		Print: func(at plan.Pos, msg string) { got = append(got, at.String()+" "+msg) }})
	if err != nil || strings.Join(got, "|") != "t.star:2:3 a 1|t.star:4:1 " {
		t.Errorf("%q, %v", got, err)
	}
}
