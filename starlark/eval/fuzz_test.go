package eval

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sbx/engine/plan"
)

// FuzzEval looks for panics, hangs and plans that do not survive their JSON
// form. Every error has to be diagnostics, and none a bug of ours.
func FuzzEval(f *testing.F) {
	files, err := filepath.Glob("testdata/*.star")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		for chunk := range strings.SplitSeq(string(text), "\n---\n") {
			if !strings.Contains(chunk, "<<") { // large on purpose
				f.Add([]byte(chunk), "given=x")
			}
		}
	}
	f.Add([]byte(smallScript), "extra=3")
	f.Add([]byte("load('m.star', 'f')\nf(param('p', type = 'list'))"), "p=a,b")
	f.Fuzz(func(t *testing.T, src []byte, set string) {
		h := newFakeHost()
		h.files["m.star"] = "def f(x): bind(*x)"
		h.files["self.star"] = string(src)
		name, value, _ := strings.Cut(set, "=")
		opt := Options{File: "t.star", Source: src, Host: h, Set: [][2]string{{name, value}}, MaxSteps: 20_000, MaxTime: 5 * time.Second, MaxMemory: 8 << 30}
		if src == nil {
			opt.Source = []byte{}
		}
		if _, _, err := Params(opt); err != nil {
			checkDiagnostics(t, err)
		}
		p, err := Eval(opt)
		if err != nil {
			checkDiagnostics(t, err)
			return
		}
		b, err := p.JSON()
		if err != nil {
			t.Fatal(err)
		}
		q, err := plan.Read(b, "p.json")
		if err != nil {
			t.Fatalf("the plan does not read: %v\n%s", err, b)
		}
		if !plan.Same(p, q) {
			t.Fatalf("the plan changed:\n%s", b)
		}
	})
}

func checkDiagnostics(t *testing.T, err error) {
	var ds plan.Diagnostics
	if !errors.As(err, &ds) || !ds.HasErrors() {
		t.Fatalf("error is a %T: %v", err, err)
	}
	for _, d := range ds {
		if strings.Contains(d.Msg, "sbx bug") || strings.Contains(d.Msg, "internal error") || d.Msg == "" {
			t.Fatal(d)
		}
	}
	ds.Format(func(string) []byte { return nil }, nil)
}
