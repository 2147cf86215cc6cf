package plan

import (
	"cmp"
	"slices"
	"strings"
	"testing"
)

// TestPaths compares all pairs with what their components say.
func TestPaths(t *testing.T) {
	paths := []string{"/", "/a", "/a/b", "/a/b/c", "/a.b", "/a.b/c", "/ab", "/a/bc", "/b", "/é", "/a\n"}
	split := func(p string) []string { return strings.FieldsFunc(p, func(r rune) bool { return r == '/' }) }
	for _, x := range paths {
		for _, y := range paths {
			cx, cy := split(x), split(y)
			if got, want := cmp.Compare(ComparePaths(x, y), 0), slices.Compare(cx, cy); got != want {
				t.Errorf("ComparePaths(%q, %q) is %d, want %d", x, y, got, want)
			}
			if got, want := Within(x, y), len(cx) >= len(cy) && slices.Equal(cx[:len(cy)], cy); got != want {
				t.Errorf("Within(%q, %q) is %t", x, y, got)
			}
		}
	}
}
