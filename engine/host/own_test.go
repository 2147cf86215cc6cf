//go:build linux

package host

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"sbx/engine/plan"
)

// TestOwnPaths has sources that are about this process.
func TestOwnPaths(t *testing.T) {
	d, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(d+"/sub", 0o755); err != nil {
		t.Fatal(err)
	}
	t.Chdir(d)
	f, err := os.Open(d + "/sub")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	exe, err := filepath.EvalSymlinks("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	pipe, err := os.Readlink(fmt.Sprintf("/proc/self/fd/%d", r.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	self := fmt.Sprintf("/proc/%d", os.Getpid())
	for given, want := range map[string]string{
		"/proc/self/cwd":                        d,
		"/proc/thread-self/cwd/sub":             d + "/sub",
		self + "/cwd":                           d,
		fmt.Sprintf("/proc/self/fd/%d", f.Fd()): d + "/sub",
		fmt.Sprintf("/dev/fd/%d", f.Fd()):       d + "/sub",
		"/proc/self/root" + d:                   d,
		"/proc/self/exe":                        exe,
		fmt.Sprintf("/dev/fd/%d", r.Fd()):       fmt.Sprintf("%s/fd/%s", self, pipe),
		"/dev/fd/9999":                          "/dev/fd/9999",
		"/proc/self/status":                     "/proc/self/status",
		"/proc/self":                            "/proc/self",
		"/dev/null":                             "/dev/null",
		"/dev/nothing/at/all":                   "/dev/nothing/at/all",
		"relative":                              "relative",
		"":                                      "",
	} {
		s := plan.Str(given)
		p := &plan.Plan{Ops: []plan.Op{
			{Kind: plan.Bind, Src: s}, {Kind: plan.Overlay, Lower: []plan.Str{"/usr", s}, Upper: s, Work: s},
			{Kind: plan.Bind, Src: s, Inside: true}, {Kind: plan.Copy, Src: s},
		}}
		OwnPaths(p)
		for i, got := range []plan.Str{p.Ops[0].Src, p.Ops[1].Lower[1], p.Ops[1].Upper, p.Ops[1].Work} {
			if string(got) != want {
				t.Errorf("%q, %d: %q, want %q", given, i, got, want)
			}
		}
		if p.Ops[1].Lower[0] != "/usr" || p.Ops[2].Src != s || p.Ops[3].Src != s {
			t.Errorf("%q: %+v", given, p.Ops)
		}
	}
	p := &plan.Plan{Ops: []plan.Op{{Kind: plan.Bind, Src: "/proc/self/cwd", NoFollow: true}, {Kind: plan.Bind, Src: "/proc/self/cwd/sub/", NoFollow: true}}}
	if OwnPaths(p); p.Ops[0].Src != "/proc/self/cwd" || p.Ops[1].Src != plan.Str(d+"/sub") {
		t.Errorf("not followed: %+v", p.Ops)
	}
}
