package mkosi

import (
	"fmt"
	"testing"

	"sbx/engine/compile/compiletest"
	"sbx/engine/plan"
)

// TestNothingIsDropped changes each field of a plan by itself: the command line is
// another then, or something is named, or the plan makes no sense.
func TestNothingIsDropped(t *testing.T) {
	text := func(p *plan.Plan) (string, bool) {
		words, faults := Print(p)
		return fmt.Sprintf("%q %v", words, faults), true
	}
	before, ok := text(compiletest.Everything())
	if !ok {
		t.Fatal("the plan makes no sense")
	}
	without := map[string]bool{ // which says nothing here, or as little as all of its operation
		"bind /usr: Devices":      true,
		"bind /usr: Suid":         true,
		"bind /b: Devices":        true,
		"bind /b: Suid":           true,
		"tmpfs /t: Devices":       true,
		"tmpfs /t: Suid":          true,
		"mkdir /m: Optional":      true,
		"copy /c: Src":            true,
		"copy /c: Exact":          true,
		"copy /c: Content":        true,
		"copy /c: Mode":           true,
		"overlay /o: Devices":     true,
		"overlay /o: Suid":        true,
		"mask /usr/lib: Optional": true,
		"chmod /m: Mode":          true,
		"chmod /m: UID":           true,
		"chmod /m: GID":           true,
		"Propagation":             true,
		"Caps.Set":                true,
		"Caps.Keep":               true,
		"Caps.Add":                true,
		"Caps.Drop":               true,
		"Caps.Bounding":           true,
		"Unshare.UTS":             true,
		"Unshare.Cgroup":          true,
		"Unshare.Time":            true,
		"Unshare.User":            true,
		"Unshare.UserTry":         true,
		"Unshare.CgroupTry":       true,
		"Init":                    true,
	}
	sound := 0
	compiletest.Changes(func(name string, p *plan.Plan) {
		switch after, ok := text(p); {
		case !ok:
		case after != before:
			sound++
			if without[name] {
				t.Errorf("%s does something", name)
			}
		case !without[name]:
			t.Errorf("%s is dropped", name)
		}
	})
	t.Logf("%d changes make sense", sound)
	if sound < 60 {
		t.Error("too few")
	}
}
