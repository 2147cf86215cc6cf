package main

// The shape of the repository: who may import whom, what lies at its top, and
// who prints and exits.

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// topLevel is all there may be at the top, beside names with a dot.
var topLevel = []string{"LICENSE", "README.md", "cmd", "engine", "examples", "go.mod", "go.sum", "lib", "starlark"}

// arrows says for each package which others of this module it may import: by
// name, or all below "name/...". A package may always import what is internal to
// it. The first pattern that fits counts.
var arrows = []struct {
	from string
	to   string
}{
	{"engine/plan", ""},
	{"engine/host", "engine/plan"},
	{"engine/host/probe", "engine/plan engine/host"},
	{"engine/host/hosttest", "engine/host"},
	{"engine/compile/compiletest", "engine/plan engine/host engine/host/hosttest engine/program"},
	{"engine/layout", "engine/plan engine/host"},
	{"engine/validate", "engine/plan engine/host engine/layout"},
	{"engine/program", "engine/plan"},
	{"engine/seccomp", ""},
	{"engine/compile", "engine/plan engine/host engine/layout engine/program engine/seccomp"},
	{"engine/rtinit", ""},
	{"engine/run", "engine/plan engine/program engine/rtinit"},
	{"engine/explain", "engine/plan engine/host engine/layout engine/program engine/compile engine/run"},
	{"engine/argv/oci", "engine/plan engine/host engine/layout engine/compile"},
	{"engine/argv/systemd", "engine/plan engine/host engine/layout engine/compile"},
	{"engine/session", "engine/plan engine/host engine/validate engine/program engine/compile engine/rtinit engine/run engine/explain"},
	{"engine/argv/...", "engine/plan"},
	{"engine/varlink", ""},
	{"engine/sha256", ""},
	{"engine/enginetest/box", ""},
	{"engine/enginetest", "engine/..."},
	{"starlark/eval", "engine/plan engine/sha256"},
	{"starlark/...", "engine/plan engine/sha256 starlark/... lib"},
	{"lib", ""},
	{"examples/...", ""},
	{"cmd/sbx", "cmd/sbx/... engine/host/probe"},
	{"cmd/sbx/cmdline", ""},
	{"cmd/...", "engine/... starlark/... lib"},
}

// forTests are packages that only tests may import, and one another.
const forTests = "engine/host/hosttest engine/compile/compiletest engine/enginetest/..."

// others says which packages of other modules may be imported where. In tests
// there is testscript as well.
var others = map[string]string{
	"golang.org/x/sys/unix":       "engine/... starlark/... cmd/...",
	"go.starlark.net/":            "starlark/... cmd/...",
	"github.com/alecthomas/kong":  "cmd/sbx/cmdline",
	"github.com/rogpeppe/go-inte": "",
}

func fits(name, patterns string) bool {
	for p := range strings.FieldsSeq(patterns) {
		if dir, ok := strings.CutSuffix(p, "/..."); name == p || ok && (name == dir || strings.HasPrefix(name, dir+"/")) {
			return true
		}
	}
	return false
}

// repository returns the directory with go.mod.
func repository(t *testing.T) string {
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		if dir == "/" {
			t.Fatal("no go.mod")
		}
		dir = filepath.Dir(dir)
	}
}

func TestTopLevel(t *testing.T) {
	root := repository(t)
	ignored, _ := os.ReadFile(filepath.Join(root, ".gitignore"))
	list, err := os.ReadDir(root)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range list {
		n := e.Name()
		if !strings.HasPrefix(n, ".") && !slices.Contains(topLevel, n) && !slices.Contains(strings.Fields(string(ignored)), "/"+n) {
			t.Errorf("%s at the top of the repository: design, section 1", n)
		}
	}
}

func TestImports(t *testing.T) {
	root := repository(t)
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if base := d.Name(); d.IsDir() && (base == "testdata" || strings.HasPrefix(base, ".") && name != root) {
			return filepath.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(name, ".go") {
			return nil
		}
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, name)
		if err != nil {
			return err
		}
		for _, spec := range f.Imports {
			imp, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			checkImport(t, filepath.ToSlash(rel), imp)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// checkImport checks one import of a file.
func checkImport(t *testing.T, file, imp string) {
	t.Helper()
	test := strings.HasSuffix(file, "_test.go")
	from := path.Dir(file)
	to, ours := strings.CutPrefix(imp, "sbx/")
	switch {
	case !ours && strings.Contains(strings.Split(imp, "/")[0], "."):
		for prefix, where := range others {
			if strings.HasPrefix(imp, prefix) && (test || fits(from, where)) {
				return
			}
		}
		t.Errorf("%s imports %s", file, imp)
		return
	case !ours || strings.HasPrefix(to, from+"/internal/"):
		return
	}
	// A test may look at a package from those above it, but not from another world.
	if test {
		if strings.HasPrefix(from, "engine") && !strings.HasPrefix(to, "engine") {
			t.Errorf("%s imports %s: nothing under engine knows of scripts", file, imp)
		}
		return
	}
	if fits(to, forTests) && !fits(from, forTests) {
		t.Errorf("%s imports %s, which is for tests alone", file, imp)
		return
	}
	for _, a := range arrows {
		if fits(from, a.from) || strings.HasPrefix(from, a.from+"/internal/") {
			if !fits(to, a.to) {
				t.Errorf("%s imports %s: design, section 1", file, imp)
			}
			return
		}
	}
	t.Errorf("%s is in a package that arrows does not know: design, section 1", file)
}

// TestOnePrints has no file but output.go print, and none but those exit with
// which sbx starts.
func TestOnePrints(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{"cmdline", "verbs"} {
		more, err := filepath.Glob(dir + "/*.go")
		if err != nil || len(more) == 0 {
			t.Fatalf("files of %s: %q, %v", dir, more, err)
		}
		files = append(files, more...)
	}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(f, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			switch fn := selector(call.Fun); {
			case name != "verbs/output.go" && (strings.HasPrefix(fn, "fmt.Print") || strings.HasPrefix(fn, "fmt.Fprint") ||
				strings.HasPrefix(fn, "os.Stdout.Write") || strings.HasPrefix(fn, "os.Stderr.Write") || fn == "println"):
				t.Errorf("%s calls %s: output.go prints", name, fn)
			case name != "main.go" && name != "verbs/start.go" && fn == "os.Exit":
				t.Errorf("%s calls %s: main.go and start.go exit", name, fn)
			}
			return true
		})
	}
}

// selector returns a.b.c, or "".
func selector(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name
	case *ast.SelectorExpr:
		if x := selector(e.X); x != "" {
			return x + "." + e.Sel.Name
		}
	}
	return ""
}
