package project

import (
	"fmt"
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
	w.write("work/p/.sbx.star", open+"\nif exists('$H/work/p/flag'): mkdir('/more')")
	want("that asks for a file", InTrusted, "")
	w.write("work/p/flag", "")
	want("which was made", Untrusted, "does more than it did when a sandbox was last made of the project")
	os.Remove(w.dir + "/flag")
	want("and removed", InTrusted, "")
	w.write("work/p/.sbx.star", open+"\nif not exists('$H/work/p/flag'): mkdir('/more')")
	want("more, as it was changed outside", InTrusted, "")
	w.write("work/p/flag", "")
	want("less", InTrusted, "")
	os.Remove(w.dir + "/flag")
	want("as much as before", InTrusted, "")
	w.write("work/p/.sbx.star", open+"\nif exists('$H/work/p/flag'): mkdir('/more')")
	want("changed again", InTrusted, "")
	w.write("work/p/flag", "")
	w.trust()
	want("trusted with it", Trusted, "")
	want("which counts from then on", InTrusted, "")
	os.Remove(w.dir + "/flag")

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
	w.write("work/q/x", "")
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

// TestMoved has a project whose file may be the work of a sandbox come to another
// place, where nothing is noted of it.
func TestMoved(t *testing.T) {
	const open = "bind('/etc', '/x')"
	var w *world
	begin := func(dir string) error {
		t.Helper()
		w.dir = w.home + dir
		r, err := w.evaluate(Options{})
		if err == nil && r.Seen != nil {
			err = w.places.Store().PutSeen(r.Seen)
		}
		return err
	}
	good := func(what, dir string) {
		t.Helper()
		if err := begin(dir); err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	bad := func(what, dir, why string) {
		t.Helper()
		if err := begin(dir); err == nil || !strings.Contains(err.Error(), why) {
			t.Errorf("%s: %v, want %s", what, err, why)
		}
	}
	move := func(from, to string) {
		t.Helper()
		if err := os.Rename(w.home+from, w.home+to); err != nil {
			t.Fatal(err)
		}
	}
	clone := func(from, to string) {
		t.Helper()
		if err := os.CopyFS(w.home+to, os.DirFS(w.home+from)); err != nil {
			t.Fatal(err)
		}
	}
	fresh := func() {
		t.Helper()
		w = newWorld(t, ".config/sbx/project.star: project(trusted_dirs = ['~/work'])", "work/p/x: ", "other/x: ")
	}

	fresh()
	good("none", "/work/p")
	w.write("work/p/.sbx.star", open) // from inside
	bad("at its place", "/work/p", "has appeared")
	clone("/work/p", "/work/copy")
	bad("a copy", "/work/copy", `p/.sbx.star", which has appeared`)
	move("/work/p", "/work/moved")
	bad("moved", "/work/moved", "has appeared")
	w.write("work/moved/.sbx.star", open+" ")
	bad("moved and changed", "/work/moved", "has appeared")
	w.trust()
	good("and trusted", "/work/moved")
	clone("/work/moved", "/work/copy2")
	good("a copy of that", "/work/copy2")

	fresh()
	w.write("work/p/.sbx.star", "load('lib/a.star', 'a')\n"+open)
	w.write("work/p/lib/a.star", "a = 1")
	good("the user's own", "/work/p")
	clone("/work/p", "/work/copy")
	good("a copy of it", "/work/copy")
	move("/work/p", "/work/q")
	good("moved", "/work/q")
	w.write("work/q/lib/a.star", "a = 2")
	clone("/work/q", "/work/copy2")
	bad("a copy of what was changed inside", "/work/copy2", "loads files that have changed")
	if _, err := w.evaluate(Options{IgnoreProjectConfig: true}); err != nil {
		t.Error(err)
	}

	// Ignoring it is no way around.
	r := w.must(Options{IgnoreProjectConfig: true})
	if err := w.places.Store().PutSeen(r.Seen); err != nil {
		t.Fatal(err)
	}
	bad("after it was ignored", "/work/copy2", "has appeared since")

	// What was sandboxed elsewhere.
	fresh()
	good("elsewhere", "/other")
	w.write("other/.sbx.star", open)
	w.write("other/sub/.sbx.star", open+" ")
	bad("where it needs trust anyway", "/other", "is not trusted")
	clone("/other/sub", "/work/sub")
	bad("a copy of a part", "/work/sub", "which lies in a project that was sandboxed")
	move("/other", "/work/other")
	bad("moved in", "/work/other", "has appeared")
	bad("and a part", "/work/other/sub", "lies in a project that was sandboxed")

	// Another in the place of one that was moved.
	fresh()
	w.write("work/p/.sbx.star", open)
	good("the first", "/work/p")
	move("/work/p", "/work/q")
	w.write("work/p/.sbx.star", open+" ")
	good("the second", "/work/p")
	good("the first again", "/work/q")
	os.Remove(w.home + "/work/q/.sbx.star")
	good("without", "/work/q")
	move("/work/q", "/work/r")
	w.write("work/r/.sbx.star", open)
	w.write("work/q/x", "")
	good("the third", "/work/q")
	bad("the first, with one that was made inside", "/work/r", "has appeared")

	// Another that only stands where one was.
	fresh()
	w.write("work/other/x", "")
	if err := os.RemoveAll(w.home + "/work/other"); err != nil {
		t.Fatal(err)
	}
	w.write("work/fresh/.sbx.star", open+"  ")
	good("another", "/work/fresh")

	// Sandboxes that are not those of sbx run.
	fresh()
	w.write("work/p/.sbx.star", open)
	if err := w.places.NoteWritable([]string{w.home + "/work/p", w.home + "/none"}); err != nil {
		t.Fatal(err)
	}
	good("unchanged", "/work/p")
	w.write("work/p/.sbx.star", open+" ")
	bad("changed, as it could be", "/work/p", "has changed since")
	w.trust()
	good("trusted", "/work/p")
	good("in its place", "/work/p")
	w.write("work/p/.sbx.star", open+"  ")
	good("changed outside", "/work/p")

	// Without directories that are trusted nothing is noted.
	fresh()
	if err := os.Remove(w.home + "/.config/sbx/project.star"); err != nil {
		t.Fatal(err)
	}
	if err := w.places.NoteWritable([]string{w.home + "/work/p"}); err != nil {
		t.Fatal(err)
	}
	good("no notes", "/work/p")
	if _, err := os.Stat(w.places.State); err == nil {
		t.Error("something is noted")
	}
}

// TestReplaced has the file replaced from outside, and then perhaps changed by a
// sandbox in which it is no longer read-only.
func TestReplaced(t *testing.T) {
	w := newWorld(t, ".config/sbx/project.star: project(trusted_dirs = ['~/p'])", "p/.sbx.star: bind('/etc', '/x')")
	s, n := w.places.Store(), 0
	runs := map[string]bool{}
	begin := func(why string) string {
		t.Helper()
		n++
		name := fmt.Sprint("sandbox ", n)
		r, err := w.evaluate(Options{})
		if err == nil {
			runs[name] = true
			err = s.Begin(r.Seen, name, func(name string) bool { return runs[name] })
			if why != "" || err != nil {
				t.Errorf("%d: %v, want %q", n, err, why)
			}
		} else if why == "" || !strings.Contains(err.Error(), why) {
			t.Errorf("%d: %v, want %q", n, err, why)
		}
		return name
	}
	end := func(name, next string) {
		t.Helper()
		if err := s.End(w.dir, name, next); err != nil {
			t.Error(err)
		}
		delete(runs, name)
		runs[next] = next != ""
	}
	replace := func() {
		t.Helper()
		n++
		w.write("p/new", fmt.Sprint("bind('/etc', '/x') #", n))
		if err := os.Rename(w.dir+"/new", w.dir+"/.sbx.star"); err != nil {
			t.Fatal(err)
		}
	}
	ignoring := func() string {
		t.Helper()
		n++
		name := fmt.Sprint("sandbox ", n)
		runs[name] = true
		if err := s.Begin(w.must(Options{IgnoreProjectConfig: true}).Seen, name, func(name string) bool { return runs[name] }); err != nil {
			t.Fatal(err)
		}
		return name
	}
	const replaced = "was replaced when a sandbox of the project may have been running"

	end(begin(""), "")
	replace()
	first := begin("") // that had ended
	w.write("p/.sbx.star", "bind('/etc', '/x') # in its place")
	second := begin("")
	end(second, "session x")
	end(first, "")
	replace()
	begin(replaced)
	end("session x", "")
	begin(replaced) // before it ended
	w.trust()
	third := begin("")
	end(third, "")
	replace()
	fourth := begin("")
	delete(runs, fourth) // killed, so it is not known when
	replace()
	begin(replaced)
	w.trust()
	end(begin(""), "")
	replace()
	end(begin(""), "")
	// One that ignores the file has it read-only all the same.
	replace()
	fifth := ignoring()
	end(begin(""), "")
	replace()
	ignoring()
	begin(replaced)
	end(fifth, "")
	begin(replaced)
	if err := s.End(w.home+"/none", "x", ""); err != nil {
		t.Error(err)
	}
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
