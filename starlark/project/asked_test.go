package project

import (
	"strings"
	"testing"

	"sbx/engine/plan"
)

// TestAsked: what the user says makes a difference, and what is around does not.
func TestAsked(t *testing.T) {
	vals := func(list ...string) (out []Value) {
		for _, s := range list {
			out = append(out, Value{Text: s, At: plan.Origin{}})
		}
		return out
	}
	base := Options{AllowSettings: vals("git", "vim"), ExcludedPaths: vals("*.pem")}
	for _, tt := range []struct {
		name   string
		change func(w *world, o *Options)
		want   []string // "H" stands for the home directory
	}{
		{"nothing", func(*world, *Options) {}, nil},
		{"the environment", func(w *world, o *Options) {
			w.env = append(w.env, "TERM=x", "SSH_AUTH_SOCK=/tmp/a", "B_TOKEN=t", "XDG_RUNTIME_DIR=/run/x")
		}, nil},
		{"files that a pattern means", func(w *world, o *Options) { w.write("p/new.pem", "") }, nil},
		{"order, and twice", func(w *world, o *Options) { o.AllowSettings = vals("vim", "git", "vim") }, nil},
		{"the command", func(w *world, o *Options) { o.Command = []string{"x"} }, nil},
		{"options", func(w *world, o *Options) {
			o.AllowSettings, o.ExcludedPaths, o.PassEnv = vals("git"), vals("*.pem", "a b"), vals("A_TOKEN")
		}, []string{`--excluded-path "a b" is new`, `--pass-env "A_TOKEN" is new`, `it was started with --allow-settings "vim"`}},
		{"another path", func(w *world, o *Options) { o.ExtraDataPaths = vals(w.home + "/d") }, []string{`--extra-data-path "H/d" is new`}},
		{"the user's file", func(w *world, o *Options) { w.write(".config/sbx/project.star", "unshare(net = True)") }, []string{`"H/.config/sbx/project.star" has changed`}},
		{"what it loads", func(w *world, o *Options) { w.write(".config/sbx/more.star", "x = 2") }, []string{`"H/.config/sbx/project.star" has changed`}},
		{"a project's file", func(w *world, o *Options) { w.write("p/.sbx.star", "mask('x', optional = True)") }, []string{`"H/p/.sbx.star" counts now`}},
		{"a project's file, ignored", func(w *world, o *Options) {
			w.write("p/.sbx.star", "bind('/')")
			o.IgnoreProjectConfig = true
		}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, `.config/sbx/project.star: load("more.star", "x")`, ".config/sbx/more.star: x = 1", "p/a.pem: ", "d/x: ")
			asked := func(o Options) []Asked {
				t.Helper()
				r, err := w.evaluate(o)
				if err != nil {
					t.Fatal(err)
				}
				return r.Asked(&o, w.places)
			}
			then := asked(base)
			o := base
			tt.change(w, &o)
			now := asked(o)
			got := strings.ReplaceAll(strings.Join(Differences(then, now), "\n"), w.home, "H")
			if want := strings.Join(tt.want, "\n"); got != want {
				t.Errorf("got:\n%s\nwant:\n%s", got, want)
			}
			if back := Differences(now, then); (len(back) == 0) != (len(tt.want) == 0) {
				t.Errorf("the other way round: %q", back)
			}
		})
	}
	if d := Differences([]Asked{{askedHome, "/a"}, {"/f", "1"}}, []Asked{{askedHome, "/b"}}); len(d) != 2 || d[0] != `the home directory was "/a"` || d[1] != `"/f" counted then` {
		t.Error(d)
	}
}
