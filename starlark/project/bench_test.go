package project

import (
	"path/filepath"
	"testing"

	"sbx/lib"
	"sbx/starlark/eval"
)

// BenchmarkEvaluate is what sbx run takes to a plan where there is no
// configuration.
func BenchmarkEvaluate(b *testing.B) {
	home, err := filepath.EvalSymlinks(b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	places := Places{Home: home, Config: home + "/.config/sbx", State: home + "/.local/state/sbx", Sessions: []string{"/run/user/1/sbx"}}
	for b.Loop() {
		o := Options{Dir: b.TempDir(), Eval: eval.Options{Lib: lib.Read}}
		if _, err := Evaluate(&o, places); err != nil {
			b.Fatal(err)
		}
	}
}
