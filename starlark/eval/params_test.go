package eval

import (
	"fmt"
	"testing"

	"sbx/engine/plan"
)

func TestSet(t *testing.T) {
	for _, tt := range []struct {
		src  string
		set  [][2]string
		want string
	}{
		{`param("name", default = "x")`, [][2]string{{"nmae", "y"}}, `sbx: error: script "t.star" has no parameter "nmae" | did you mean --set name=…?`},
		{`param("name", default = "x"); param("other", default = 1)`, [][2]string{{"qqqqq", "y"}}, `sbx: error: script "t.star" has no parameter "qqqqq" | parameters are name, other`},
		{``, [][2]string{{"x", "y"}}, `sbx: error: script "t.star" has no parameter "x" | the script declares no parameters`},
		{`if param("n", default = 1) != 3: fail("no")`, [][2]string{{"n", "3"}}, ""},
		{`param("n", default = 1)`, [][2]string{{"n", "2"}, {"x", ""}, {"n", "3"}}, `t.star:1:1: error: param: parameter "n" is set 2 times, the first time to "2" and the last to "3" | keep one of them; only a list takes several, and this is an int`},
		{`param("s", choices = ["a", "b"])`, [][2]string{{"s", "a"}, {"s", "a"}, {"s", "a"}}, `t.star:1:1: error: param: parameter "s" is set 3 times, the first time to "a" and the last to "a" | keep one of them; only a list takes several, and this is a string`},
		{`if param("l", type = "list") != ["a", "b"]: fail("no")`, [][2]string{{"l", "a"}, {"l", "b"}}, ""},
		{`if param("b", default = False) != True: fail("no")`, [][2]string{{"b", "YES"}}, ""},
		{`if param("l", type = "list") != []: fail("no")`, [][2]string{{"l", ""}}, ""},
		{`if param("s", default = "") != "a=b,c": fail("no")`, [][2]string{{"s", "a=b,c"}}, ""},
	} {
		_, err := evalText(tt.src, tt.set...)
		got := ""
		for _, d := range diagnostics(t, err) {
			got += d.Error() + " | " + d.Hint
		}
		if got != tt.want {
			t.Errorf("%s: %s", tt.src, got)
		}
	}
}

func TestParams(t *testing.T) {
	src := `#!/usr/bin/env -S sbx exec
# Builds the thing.
#
# And more.

arch = param("arch", help = "target", choices = ["x86_64", "aarch64"])
jobs = param("jobs", default = 2)
bind(read("/not/there"))
late = param("late", default = [], help = "seen only in the text")
param("later", type = "bool")
print("never")
`
	params, doc, err := Params(Options{File: "t.star", Source: []byte(src), Host: newFakeHost(), Print: func(plan.Pos, string) { t.Error("printed") }})
	if err != nil {
		t.Fatal(err)
	}
	if doc != "Builds the thing.\n\nAnd more." {
		t.Errorf("doc = %q", doc)
	}
	got := ""
	for _, p := range params {
		got += p.Name + ":" + p.Type + " "
		if (p.Name == "arch" || p.Name == "later") != p.Required {
			t.Errorf("%s: required is %v", p.Name, p.Required)
		}
		if p.Value != nil && p.Required {
			t.Errorf("%s: value is %v", p.Name, p.Value)
		}
	}
	if got != "arch:string jobs:int late:list later:bool " {
		t.Errorf("params: %s", got)
	}

	_, doc, err = Params(Options{File: "t.star", Source: []byte("\"\"\"One.\n\n    Two\n      three.\n    \"\"\"\n"), Host: newFakeHost()})
	if err != nil || doc != "One.\n\nTwo\n  three." {
		t.Errorf("doc = %q, %v", doc, err)
	}
	if _, _, err := Params(Options{File: "t.star", Source: []byte("x = ("), Host: newFakeHost()}); err == nil {
		t.Error("a script that does not parse has parameters")
	}
	if _, _, err := Params(Options{File: "t.star", Source: []byte("param(1)"), Host: newFakeHost()}); err == nil {
		t.Error("a wrong call of param is no error")
	}
	if _, _, err := Params(Options{File: "no.star", Host: newFakeHost()}); err == nil {
		t.Error("a missing script has parameters")
	}
}

// TestCheckOption: of a faulty script that comes to its end, what the sound calls make is checked as well.
func TestCheckOption(t *testing.T) {
	for _, tt := range []struct {
		name, src   string
		ops, limits int
		lacks       string // "-": it is not checked
	}{
		{"sound", `bind("/a")`, 0, 0, "-"},
		{"faulty calls", "bind('/a')\nrlimit('nofile', 5, 3)\nbind(3)\nbind(4)\nrlimit('core', 1)", 1, 1, "[rlimit bind]"},
		{"in a function", "def f():\n  tmpfs('/x', mode = '')\n  bind('/a')\nf()", 1, 0, "[tmpfs]"},
		{"an invented value", "bind('/a')\nrlimit('core', 1)\nbind(3)\nx = param('x')\nbind(x)\nrlimit('core', 2)\ny = param('y')\nfail(x)", 1, 1, "[]"},
		{"ended", "bind('/a')\nbind(3)\nfail('no')", 0, 0, "-"},
		{"an unknown parameter", "bind(param('a', default = '/a'))", 0, 0, "-"},
	} {
		set := [][2]string{{"b", "/b"}}
		if tt.name != "an unknown parameter" {
			tt.src, set = tt.src+"\n", nil
		}
		lacks := "-"
		_, err := Eval(Options{File: "t.star", Source: []byte(tt.src), Host: newFakeHost(), Set: set, Check: func(p *plan.Plan, names []string) plan.Diagnostics {
			lacks = fmt.Sprint(names)
			if (names == nil) != (tt.lacks == "[]") {
				t.Errorf("%s: names are %#v", tt.name, names)
			}
			if len(p.Ops) != tt.ops || len(p.Rlimits) != tt.limits || tt.limits > 0 && p.Rlimits[0].Soft != 1 {
				t.Errorf("%s: %d operations, limits %v", tt.name, len(p.Ops), p.Rlimits)
			}
			return plan.Diagnostics{{At: plan.Origin{Pos: plan.Pos{File: "t.star", Line: 1, Col: 1}}, Msg: "checked"}}
		}})
		if lacks != tt.lacks {
			t.Errorf("%s: lacks %s, want %s", tt.name, lacks, tt.lacks)
		}
		if ds := diagnostics(t, err); tt.lacks != "-" && (len(ds) < 2 || ds[0].Msg != "checked") {
			t.Errorf("%s: %v", tt.name, ds)
		}
	}
}
