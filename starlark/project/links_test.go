package project

import (
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sbx/engine/plan"
	"sbx/engine/sha256"
	"sbx/lib"
	"sbx/starlark/eval"
)

// TestLinksOfOthers has symlinks that the sandbox of one project left there lead
// no sandbox of another anywhere, and no project elsewhere.
func TestLinksOfOthers(t *testing.T) {
	const stray = "leads over a symlink to"
	for _, tt := range []struct {
		name  string
		files []string // what is made once the sandbox was there
		noted []string // what it could write; nil: $H/lib
		o     Options
		want  string // "": it goes on
	}{
		{"an extra path", []string{"lib/include: -> $H/.ssh"}, nil, Options{ExtraDataPaths: vals("$H/lib/include")}, stray},
		{"where no sandbox was", []string{"lib/include: -> $H/.ssh"}, []string{"$H/x"}, Options{ExtraDataPaths: vals("$H/lib/include")}, ""},
		{"on the way", []string{"lib/include: -> $H/.ssh"}, nil, Options{ExtraDataPaths: vals("$H/lib/include/keys")}, stray},
		{"deep", []string{"lib/a/b: -> ../../.ssh"}, nil, Options{ExtraDataPaths: vals("$H/lib/a/b/keys")}, stray},
		{"over another link", []string{"mine: -> lib/include", "lib/include: -> $H/.ssh"}, nil, Options{ExtraDataPaths: vals("$H/mine")}, stray},
		{"in the user's file", []string{"lib/include: -> $H/.ssh", `.config/sbx/project.star: project(extra_data_paths = ["~/lib/include"])`}, nil, Options{}, stray},
		{"a bind in the user's file", []string{"lib/include: -> $H/.ssh", `.config/sbx/project.star: bind(host.home + "/lib/include", "/i", ro = True)`}, nil, Options{}, stray},
		{"a copy", []string{"lib/f: -> $H/secret", `.config/sbx/project.star: copy(host.home + "/lib/f", "/f")`}, nil, Options{}, stray},
		{"a layer", []string{"lib/include: -> $H/.ssh", `.config/sbx/project.star: overlay("/o", host.home + "/lib/include")`}, nil, Options{}, stray},
		{"to nothing yet", []string{"lib/include: -> $H/none", `.config/sbx/project.star: bind(host.home + "/lib/include", create_src = True)`}, nil, Options{}, stray},
		{"within the same", []string{"lib/include: -> v2", "lib/v2/f: "}, nil, Options{ExtraDataPaths: vals("$H/lib/include")}, ""},
		{"one that nobody could make there", []string{"mine: -> .ssh"}, nil, Options{ExtraDataPaths: vals("$H/mine")}, ""},
		{"a directory that was moved", []string{"moved/include: -> $H/.ssh"}, []string{"$H/lib", "mv"}, Options{ExtraDataPaths: vals("$H/moved/include")}, stray},
		{"a project", []string{"lib/q: -> $H/.ssh"}, nil, Options{Dir: "$H/lib/q"}, stray},
		{"a project below", []string{"lib/q: -> $H/.ssh"}, nil, Options{Dir: "$H/lib/q/keys"}, stray},
		{"a project by a link of one's own", []string{"q: -> $H/.ssh"}, nil, Options{Dir: "$H/q"}, ""},
	} {
		w := newWorld(t, "lib/h: ", "x/h: ", ".ssh/keys/id: ")
		in := func(s string) string { return strings.ReplaceAll(s, "$H", w.home) }
		noted := []string{w.home + "/lib", w.home + "/gone", w.home + "/secret"}
		if tt.noted != nil {
			noted = []string{in(tt.noted[0])}
		}
		if err := w.places.NoteWritten(noted); err != nil {
			t.Fatal(err)
		}
		if len(tt.noted) > 1 {
			if err := os.Rename(w.home+"/lib", w.home+"/moved"); err != nil {
				t.Fatal(err)
			}
		}
		for _, f := range tt.files {
			name, text, _ := strings.Cut(f, ": ")
			w.write(name, text)
		}
		o := tt.o
		o.Dir = in(o.Dir)
		for i := range o.ExtraDataPaths {
			o.ExtraDataPaths[i].Text = in(o.ExtraDataPaths[i].Text)
		}
		_, err := w.evaluate(o)
		if err == nil && tt.want != "" || err != nil && (tt.want == "" || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
	}
}

// TestNoteWritten has what can be noted noted once, and goes on where nothing can.
func TestNoteWritten(t *testing.T) {
	w := newWorld(t, "x/y/z: ")
	dirs := []string{w.home + "/x", w.home + "/x/y/z", w.home + "/none"}
	for range 2 {
		if err := w.places.NoteWritten(dirs); err != nil {
			t.Fatal(err)
		}
	}
	if list, err := os.ReadDir(w.places.writtenDir()); err != nil || len(list) > 2 || len(list) == 0 {
		t.Error(list, err)
	}
	for dir, want := range map[string]string{"/x": "/x", "/x/y": "/x", "/p": "", "": ""} {
		if want != "" {
			want = w.home + want
		}
		if got := w.places.writtenTop(w.home + dir); got != want {
			t.Errorf("%s: %q", dir, got)
		}
	}
	if err := (Places{}).NoteWritten(dirs); err != nil {
		t.Error(err)
	}
	w.write("file", "")
	if err := (Places{State: w.home + "/file"}).NoteWritten(dirs); err != nil {
		t.Error(err)
	}
	w.write("state/writable", "-> none")
	if err := (Places{State: w.home + "/state"}).NoteWritten(dirs); err == nil {
		t.Error("what cannot be noted is lost")
	}
}

// TestLinks compares where paths lead with what the kernel makes of them.
func TestLinks(t *testing.T) {
	w := newWorld(t, "a/b/c: ", "l: -> a/b", "m: -> ../ann/l/c", "abs: -> $H/l", "dot: -> ./a/../a/./b", "loop: -> loop", "out: -> none/x")
	for path, want := range map[string]string{
		"/a/b/c": "/a/b/c", "/l": "/a/b", "/l/c": "/a/b/c", "/m": "/a/b/c", "/abs/c": "/a/b/c", "/dot/c": "/a/b/c", "/out/y": "/none/x/y", "/none": "/none",
	} {
		if real, _ := links(w.home+path, true); real != w.home+want || real != canonical(w.home+path) {
			t.Errorf("%s: %s, %s", path, real, canonical(w.home+path))
		}
	}
	if real, dirs := links(w.home+"/abs", false); real != w.home+"/abs" || len(dirs) != 0 {
		t.Error(real, dirs)
	}
	if real, dirs := links(w.home+"/loop/x", true); real != w.home+"/loop/x" || len(dirs) != maxLinks {
		t.Error(real, dirs)
	}
}

// What has changed since a script looked was a symlink that led out.
func TestToldThen(t *testing.T) {
	w := newWorld(t, "p/dir/f: x", "p/l: -> dir", "s/k: x")
	real, err := filepath.EvalSymlinks(w.home)
	if err != nil {
		t.Fatal(err)
	}
	sum := func(s string) string { b := sha256.Sum256([]byte(s)); return hex.EncodeToString(b[:]) }
	for _, tt := range []struct{ kind, path, value, want string }{
		{"realpath", "/p/dir", "/p/dir", ""},
		{"realpath", "/p/l", "/p/dir", ""},
		{"realpath", "/p/dir", "/s", "/s"},
		{"realpath", "/p/l/f", "/s/k", "/s/k"},
		{"realpath", "/s", "/gone", ""}, // nothing that a sandbox could have changed
		{"readlink", "/p/l", "dir", ""},
		{"readlink", "/p/dir", "../s", "/s"},
		{"readlink", "/p/l", "../s/k", "/s/k"},
		{"readlink", "/p/l", "/p/dir", ""},
		{"file", "/p/dir/f", sum("x"), ""},
		{"file", "/p/dir/f", sum("y"), "has changed"},
		{"file", "/s/k", sum("y"), ""},
	} {
		value := tt.value
		if tt.kind == "realpath" || strings.HasPrefix(value, "/") {
			value = real + value
		}
		p := &plan.Plan{Inputs: []plan.Input{{Kind: tt.kind, Name: plan.Str(real + tt.path), Value: plan.Str(value)}}}
		told, read := (&run{}).told(p, []tree{{given: real + "/p", real: real + "/p"}}, nil)
		got := ""
		for _, s := range told {
			got += strings.TrimPrefix(s.real, real)
		}
		if len(read) > 0 {
			got += read.Error()
		}
		if tt.want == "" && got != "" || !strings.Contains(got, tt.want) {
			t.Errorf("%v: %q", tt, got)
		}
	}
}

// relinking is a host on which another sandbox puts a symlink in a directory's place
// while that is looked at.
type relinking struct {
	fakeOS
	w    *world
	back bool // and then the directory again
}

func (h relinking) Realpath(path string) (string, error) {
	sub := h.w.home + "/mono/sub"
	if path != sub {
		return h.fakeOS.Realpath(path)
	}
	must := func(err error) {
		if err != nil {
			h.w.t.Fatal(err)
		}
	}
	must(os.Rename(sub, sub+"2"))
	must(os.Symlink(h.w.home+"/.ssh", sub))
	real, err := h.fakeOS.Realpath(path)
	if h.back {
		must(os.Remove(sub))
		must(os.Rename(sub+"2", sub))
	}
	return real, err
}

// TestProjectSwapped has the project replaced, by a sandbox of what holds it.
func TestProjectSwapped(t *testing.T) {
	for _, back := range []bool{true, false} {
		w := newWorld(t, "mono/sub/f: ", ".ssh/id: ")
		if err := w.places.NoteWritten([]string{w.home + "/mono"}); err != nil {
			t.Fatal(err)
		}
		o := Options{Dir: w.home + "/mono/sub", Eval: eval.Options{Lib: lib.Read, Host: relinking{fakeOS{env: w.env}, w, back}}}
		if r, err := Evaluate(&o, w.places); err == nil || !strings.Contains(err.Error(), "leads over a symlink to") {
			t.Errorf("back %v: %v, %v", back, r, err)
		}
	}
}

// TestToldPackage has a whole package, or all packages, stand for a program in it.
func TestToldPackage(t *testing.T) {
	w := newWorld(t, "p/tool: -> $H/priv/node_modules/tool/bin/x", "priv/node_modules/tool/bin/x: ", "priv/node_modules/tool/all: ", "priv/f: ")
	for dir, want := range map[string]bool{"/priv/node_modules/tool": false, "/priv/node_modules": false, "/priv/f": true} {
		w.write(".config/sbx/project.star", "realpath(host.project + '/tool')\nbind(host.home + '"+dir+"', ro = True)\n")
		if _, err := w.evaluate(Options{}); (err == nil) != want {
			t.Errorf("%s: %v", dir, err)
		}
	}
}
