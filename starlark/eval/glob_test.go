package eval

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// TestGlob compares with path/filepath, where nothing fails.
func TestGlob(t *testing.T) {
	top := t.TempDir()
	for _, f := range []string{"a/x.pem", "a/y.txt", "b/x.pem", "b/[x]", "b/c/x.pem", ".hidden/x.pem"} {
		must(t, os.MkdirAll(filepath.Dir(top+"/"+f), 0o755))
		must(t, os.WriteFile(top+"/"+f, nil, 0o644))
	}
	must(t, os.Symlink("nowhere", top+"/a/z.pem"))
	must(t, os.Symlink("b", top+"/link"))
	for _, pattern := range []string{
		"/*", "/*/*", "/*/*.pem", "/a/?.pem", "/a/x.pem", "/none", "/none/*", "/*/none", "/a/x.pem/*", "/*/c/*", "/*/[ab]*", `/b/\[x]`, "/*/", "/link/*", "/[", "/a/[",
	} {
		got, err := Glob(top + pattern)
		want, wantErr := filepath.Glob(top + pattern)
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) || err != wantErr {
			t.Errorf("%s: %q, %v, want %q, %v", pattern, got, err, want, wantErr)
		}
	}
	// What may be searched but not read: a name that is given is there all the same.
	must(t, os.Chmod(top+"/b", 0o311))
	defer os.Chmod(top+"/b", 0o755)
	if got, err := Glob(top + "/[b]/x.pem"); err != nil || len(got) != 1 {
		t.Errorf("%q, %v", got, err)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
