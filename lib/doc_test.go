//go:build linux

package lib_test

// What templates say of themselves.

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sbx/lib"
	"sbx/starlark/template"
)

func templates(t *testing.T) []*template.Template {
	var list []*template.Template
	for _, name := range lib.Names() {
		text, err := lib.Read(name)
		if err != nil {
			t.Fatal(err)
		}
		tm, err := template.Parse(name, text)
		if err != nil {
			t.Error(err)
		}
		if tm != nil {
			list = append(list, tm)
			if !slices.Contains(lib.Templates(), tm.Name) || lib.For(tm.Name) != "" {
				t.Errorf("%s is not among the templates, or stands for another", tm.Name)
			}
		} else if slices.Contains(lib.Templates(), strings.TrimSuffix(name, ".star")) {
			t.Errorf("%s is no template", name)
		}
	}
	return list
}

func TestDocumentation(t *testing.T) {
	list := templates(t)
	for _, tm := range list {
		for _, p := range tm.Params {
			if p.Doc == "" || p.Default == "" {
				t.Errorf("%s: parameter %s lacks its text or a default", tm.Name, p.Name)
			}
		}
		if tm.Why == "" || len(tm.Exposes) > 110 || strings.Contains(tm.Exposes+tm.Why, "|") {
			t.Errorf("%s: exposes %q, opens %q: %q", tm.Name, tm.Exposes, tm.Opens, tm.Why)
		}
	}
}

// TestTested sees to it that each template has a test of what it shows, and of
// what it does not.
func TestTested(t *testing.T) {
	names, err := filepath.Glob("*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	var tests string
	for _, name := range names {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		tests += string(b)
	}
	for _, tm := range templates(t) {
		_, test, ok := strings.Cut(tests, "{`"+tm.Func+"(")
		if test, _, _ = strings.Cut(test, "},\n"); !ok || !strings.Contains(test, "no ") {
			t.Errorf("%s has no test of what it does not show", tm.Name)
		}
	}
}

// TestLoads sees to it that what a module loads is used.
func TestLoads(t *testing.T) {
	for _, name := range lib.Names() {
		text, err := lib.Read(name)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			list, ok := strings.CutPrefix(line, "load(")
			if !ok {
				continue
			}
			names := strings.Split(list, ", ")[1:]
			if !slices.IsSorted(names) {
				t.Errorf("%s: the names of %s are not sorted", name, strings.TrimSpace(line))
			}
			for _, quoted := range names {
				if n := strings.Trim(quoted, "\")\n"); !strings.Contains(string(text), n+"(") && !strings.Contains(string(text), ", "+n+")") {
					t.Errorf("%s loads %s and does not call it", name, n)
				}
			}
		}
	}
}

// TestREADME compares the README's table with the library.
func TestREADME(t *testing.T) {
	var want strings.Builder
	want.WriteString("| template | opens | exposes |\n|---|---|---|\n")
	for _, tm := range templates(t) {
		fmt.Fprintf(&want, "| `%s` | %s | %s |\n", tm.Name, tm.Opens, tm.Exposes)
	}
	b, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	const begin, end = "<!-- templates -->\n", "<!-- end of templates -->\n"
	head, rest, ok1 := strings.Cut(string(b), begin)
	table, tail, ok2 := strings.Cut(rest, end)
	switch {
	case !ok1 || !ok2:
		t.Fatal("README.md has no place for the table of templates")
	case table == want.String():
	case os.Getenv("SBX_UPDATE") != "":
		if err := os.WriteFile("../README.md", []byte(head+begin+want.String()+end+tail), 0o644); err != nil {
			t.Fatal(err)
		}
	default:
		t.Errorf("the table of templates in README.md is not what the library has; SBX_UPDATE=1 writes it:\n%s", want.String())
	}
}
