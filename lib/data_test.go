//go:build linux

package lib_test

import (
	"strings"
	"testing"

	"sbx/lib"
	"sbx/starlark/eval"
)

// TestProjectData: what is kept for one project is neither another's, nor within it.
func TestProjectData(t *testing.T) {
	long := strings.Repeat("/0123456789", 50)
	var dirs []string
	for _, project := range []string{
		"/", "/a", "/-", "/%", "/a/b/c", "/a-b/c", "/a/b-c", "/a%2Db/c", "/a%/b", "/a-/b", "/a/-b", "/\xff/é",
		long[:200], long[:201], long[:202], long[:201] + "/" + long[202:], long[:400], long, long + "/x",
		long[:200] + "%", long[:200] + "%/%", long[:199] + "-" + long[200:], long[:200] + "-" + long[201:],
	} {
		text := `load("@sbx//files.star", "project_data"); bind("/usr", project_data("x"))`
		h := fakeOS{env: []string{"HOME=/home/ann"}}
		p, err := eval.Eval(eval.Options{File: "t.star", Source: []byte(text), Host: h, Lib: lib.Read, Project: project})
		if err != nil {
			t.Fatalf("%q: %v", project, err)
		}
		dir := string(p.Ops[len(p.Ops)-1].Dst)
		rest, ok := strings.CutPrefix(dir, "/home/ann/.local/share/sbx/x/")
		if !ok || rest == "" {
			t.Errorf("%q: %q", project, dir)
		}
		for name := range strings.SplitSeq(rest, "/") {
			if name == "" || name == "." || name == ".." || len(name) > 255 {
				t.Errorf("%q: %q has a part %q", project, dir, name)
			}
		}
		for i, d := range dirs {
			if strings.HasPrefix(dir+"/", d+"/") || strings.HasPrefix(d+"/", dir+"/") {
				t.Errorf("%q: %q is also number %d's", project, dir, i)
			}
		}
		dirs = append(dirs, dir)
	}
	if dirs[4] != "/home/ann/.local/share/sbx/x/a-b-c" {
		t.Error(dirs[4])
	}
}
