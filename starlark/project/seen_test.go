package project

import (
	"os"
	"strings"
	"testing"
)

// TestTrustedDirs has a sandbox in a trusted directory prepare the next one.
func TestTrustedDirs(t *testing.T) {
	const open = "bind('/etc', '/x')"
	w := newWorld(t, ".config/sbx/project.star: project(trusted_dirs = ['~/work', '~/none'])", "work/p/x: ", "work/p/lib/more.star: x = 1")
	w.dir = w.home + "/work/p"
	// begin evaluates as sbx run does before the sandbox begins.
	begin := func(o Options) (State, error) {
		t.Helper()
		r, err := w.evaluate(o)
		if err != nil {
			return Untrusted, err
		}
		if r.Seen != nil {
			if err := w.places.Store().PutSeen(r.Seen); err != nil {
				t.Fatal(err)
			}
		}
		return r.Project, nil
	}
	want := func(what string, state State, words string) {
		t.Helper()
		got, err := begin(Options{})
		if got != state || (err == nil) != (words == "") || err != nil && !strings.Contains(err.Error(), words) {
			t.Errorf("%s: state %d, %v", what, got, err)
		}
	}
	forget := func() {
		t.Helper()
		if err := os.RemoveAll(w.places.State); err != nil {
			t.Fatal(err)
		}
	}

	w.write("work/p/.sbx.star", open)
	want("the first time", InTrusted, "")
	want("unchanged", InTrusted, "")
	w.write("work/p/.sbx.star", open+" ")
	want("changed, which was not possible inside", InTrusted, "")
	os.Remove(w.dir + "/.sbx.star")
	want("removed", Absent, "")
	w.write("work/p/.sbx.star", open)
	want("made, perhaps inside", Untrusted, "has appeared since a sandbox was made of the project")
	if s, err := begin(Options{IgnoreProjectConfig: true}); s != Ignored || err != nil {
		t.Error(s, err)
	}
	want("which ignoring it does not mend", Untrusted, "has appeared")
	if s, err := begin(Options{ConfigFile: &Value{Text: w.home + "/.config/sbx/project.star"}}); s != Untrusted || err == nil {
		t.Error(s, err) // trusted_dirs is not for it
	}
	w.write("work/p/.sbx.star", "mask('/etc/hosts')")
	want("it tightens, then", Tightens, "")
	w.write("work/p/.sbx.star", open)
	want("nor does that", Untrusted, "has appeared")
	w.trust()
	want("but trust does", Trusted, "")
	want("once and for all", InTrusted, "")

	forget()
	w.write("work/p/.sbx.star", "load('lib/more.star', 'x')\n"+open)
	want("with a module", InTrusted, "")
	w.write("work/p/lib/more.star", "x = 2")
	want("which was changed", Untrusted, "loads files that have changed")

	forget()
	w.write("work/p/real.star", open)
	os.Remove(w.dir + "/.sbx.star")
	w.write("work/p/.sbx.star", "-> real.star")
	want("a link", InTrusted, "")
	os.Remove(w.dir + "/.sbx.star")
	w.write("work/p/.sbx.star", open+" ")
	want("replaced by a file", Untrusted, "has changed since a sandbox was made of the project")

	forget()
	os.Remove(w.dir + "/.sbx.star")
	w.write("work/p/.sbx.star", open)
	if err := os.Link(w.dir+"/.sbx.star", w.dir+"/other"); err != nil {
		t.Fatal(err)
	}
	want("of two names", InTrusted, "")
	w.write("work/p/other", open+" ")
	want("changed by the other", Untrusted, "has changed since")

	// A project in a project.
	forget()
	os.Remove(w.dir + "/.sbx.star")
	want("none", Absent, "")
	w.dir = w.home + "/work/p/lib"
	w.write("work/p/lib/.sbx.star", open)
	want("made in the outer one", Untrusted, "lies in a project that was sandboxed")
	forget()
	want("not so", InTrusted, "")

	// What can be written beside the project.
	if _, err := begin(Options{ExtraDataPaths: vals(w.home + "/work/q")}); err == nil || !strings.Contains(err.Error(), "are trusted") {
		t.Error(err)
	}
	w.write("x/y", "")
	w.write(".config/sbx/project.star", "project(trusted_dirs = ['~/work', '~/x/y/..'])")
	w.dir = w.home + "/x"
	want("the trusted directory itself", Absent, "")
	w.write("z/work/f", "")
	w.write(".config/sbx/project.star", "project(trusted_dirs = ['~/z/work'])")
	w.dir = w.home + "/z"
	want("a project that holds one", Untrusted, "are trusted")
}

func TestConfigFileInProject(t *testing.T) {
	w := newWorld(t, "p/top.star: x = 1", "p/sub/deep.star: x = 1", "p/loads.star: load('sub/deep.star', 'x')")
	for _, tt := range []struct{ file, want string }{
		{"/top.star", ""}, {"/sub/deep.star", "could be changed from inside"}, {"/loads.star", "could be changed from inside"},
	} {
		r, err := w.evaluate(Options{ConfigFile: &Value{Text: w.dir + tt.file}})
		if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v", tt.file, err)
		}
		if err == nil && strings.Join(w.ops(r), " ") != "bind $H/p/top.star [ro, exact]" {
			t.Errorf("%q", w.ops(r))
		}
	}
}
