package layout_test

import (
	"math/rand/v2"
	"path"
	"slices"
	"testing"

	"sbx/engine/compile/compiletest"
	"sbx/engine/layout"
	"sbx/engine/plan"
)

// TestSettledRandom has a settled plan make the same tree, with nothing on the way
// to a destination that leads elsewhere.
func TestSettledRandom(t *testing.T) {
	r := rand.New(rand.NewPCG(8, 1))
	moved := 0
	for range 1000 {
		p := plan.New()
		p.Ops = []plan.Op{{Kind: plan.Symlink, Target: "usr", Dst: "/link"}, {Kind: plan.Symlink, Target: "link/lib", Dst: "/a"}, {Kind: plan.Bind, Src: "/usr", Dst: "/usr", RO: true}}
		for range 1 + r.IntN(9) {
			p.Ops = append(p.Ops, compiletest.Op(r))
		}
		f := compiletest.Host()
		l := layout.Build(p, f, nil)
		if l.Diags.HasErrors() {
			continue
		}
		q := l.Settled(p)
		// In the order of the destinations alone, as others have it.
		slices.SortStableFunc(q.Ops, func(x, y plan.Op) int { return slices.Compare(parts(x), parts(y)) })
		m := layout.Build(q, f, nil)
		if m.Diags.HasErrors() {
			t.Fatalf("%v\n%v\n%v", p.Ops, q.Ops, m.Diags)
		}
		for _, s := range m.Steps {
			if path.Clean(string(s.Op.Dst)) != s.Target.Path {
				t.Fatalf("%v\n%v\n%s lands at %s", p.Ops, q.Ops, s.Op.Dst, s.Target.Path)
			}
		}
		for _, s := range l.Steps {
			if path.Clean(string(s.Op.Dst)) != s.Target.Path {
				moved++
			}
			for _, at := range []string{s.Target.Path, path.Dir(s.Target.Path), string(s.Op.Dst), s.Target.Path + "/a", s.Target.Path + "/x"} {
				if x, y := l.Type(at), m.Type(at); x != y {
					t.Fatalf("%v\n%v\n%s is %v, and %v once settled", p.Ops, q.Ops, at, x, y)
				}
			}
		}
	}
	t.Logf("%d destinations were elsewhere", moved)
	if moved < 10 {
		t.Error("too few")
	}
}

func parts(o plan.Op) []string {
	list := []string{}
	for d := path.Clean(string(o.Dst)); d != "/"; d = path.Dir(d) {
		list = append([]string{path.Base(d)}, list...)
	}
	return list
}

// TestSettled has examples.
func TestSettled(t *testing.T) {
	p := plan.New()
	p.Ops = []plan.Op{
		{Kind: plan.Bind, Src: "/a", Dst: "/l/lib/"}, // replaced
		{Kind: plan.Symlink, Target: "/usr", Dst: "/l"},
		{Kind: plan.Bind, Src: "/none", Dst: "/l/x", Optional: true},
		{Kind: plan.Bind, Src: "/b", Dst: "/l/lib"},
		{Kind: plan.Bind, Src: "/usr", Dst: "/usr"},
		{Kind: plan.Bind, Src: "/dev/null", Dst: "/n/null"},
		{Kind: plan.Bind, Src: "/etc/x", Dst: "/n/x"},
	}
	l := layout.Build(p, compiletest.Host(), nil)
	if l.Diags != nil {
		t.Fatal(l.Diags)
	}
	got := ""
	for _, o := range l.Settled(p).Ops {
		got += string(o.Kind) + " " + string(o.Src) + " " + string(o.Dst) + "\n"
	}
	want := "symlink  /l\nbind /dev/null /n/null\nbind /etc/x /n/x\nbind /usr /usr\nbind /b /usr/lib\nbind /none /usr/x\n"
	if got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	if s := l.Specials(); len(s) != 1 || !s["/n/null"] {
		t.Error(s)
	}
}

// TestBeyond has named what is added to a read-only tree, and symlinks over what is
// there, and nothing else.
func TestBeyond(t *testing.T) {
	p := plan.New()
	p.Ops = []plan.Op{
		{Kind: plan.Bind, Src: "/usr", Dst: "/usr", RO: true}, {Kind: plan.Bind, Src: "/usr", Dst: "/w", Create: true},
		{Kind: plan.Tmpfs, Dst: "/usr/none/x"}, {Kind: plan.Tmpfs, Dst: "/usr/lib"}, {Kind: plan.Write, Dst: "/usr/lib/new"},
		{Kind: plan.Write, Dst: "/usr/new", Data: "x"},
		{Kind: plan.Symlink, Dst: "/own/link", Target: "a"}, {Kind: plan.Mkdir, Dst: "/own"}, {Kind: plan.Symlink, Dst: "/w/bin/sh", Target: "a"},
	}
	l := layout.Build(p, compiletest.Host(), nil)
	if l.Diags.HasErrors() {
		t.Fatal(l.Diags)
	}
	got := ""
	for _, x := range l.Beyond() {
		got += string(x.Op.Kind) + " " + x.At
		if x.In != nil {
			got += " in " + string(x.In.Dst)
		}
		got += "; "
	}
	if want := "write /usr/new in /usr; tmpfs /usr/none/x in /usr; symlink /w/bin/sh; "; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}
