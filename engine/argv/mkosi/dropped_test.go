package mkosi

import (
	"fmt"
	"testing"

	"sbx/engine/compile/compiletest"
	"sbx/engine/plan"
)

// TestNothingIsDropped changes each field of a plan by itself.
func TestNothingIsDropped(t *testing.T) {
	compiletest.NothingIsDropped(t, func(p *plan.Plan) (string, plan.Diagnostics, bool) {
		words, lost := Print(p)
		return fmt.Sprintf("%q", words), lost, true
	}, map[string]bool{ // which says nothing here, or as little as all of its operation
		"bind /usr: Devices":          true,
		"bind /usr: Suid":             true,
		"bind /b: Devices":            true,
		"bind /b: Suid":               true,
		"tmpfs /t: Devices":           true,
		"tmpfs /t: Suid":              true,
		"mkdir /m: Optional":          true,
		"copy /c: Src":                true,
		"copy /c: Exact":              true,
		"copy /c: Content":            true,
		"copy /c: Mode":               true,
		"overlay /o: Devices":         true,
		"overlay /o: Suid":            true,
		"mask /usr/lib: Optional":     true,
		"chmod /m: Mode":              true,
		"chmod /m: UID":               true,
		"chmod /m: GID":               true,
		"Unshare.UTS":                 true,
		"Init":                        true,
		"bind /deep/a/b: Devices":     true,
		"bind /deep/a/b: Suid":        true,
		"tmpfs /deep/c/t: Devices":    true,
		"tmpfs /deep/c/t: Suid":       true,
		"remount_ro /deep: Recursive": true,
		"PassFDs":                     true,
	})
}
