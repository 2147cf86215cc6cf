package bwrap

import (
	"fmt"
	"testing"

	"sbx/engine/compile/compiletest"
	"sbx/engine/plan"
)

// TestNothingIsDropped changes each field of a plan by itself.
func TestNothingIsDropped(t *testing.T) {
	compiletest.NothingIsDropped(t, func(p *plan.Plan) (string, plan.Diagnostics, bool) {
		words, inputs, lost := Print(p)
		return fmt.Sprintf("%q %v", words, inputs), lost, true
	}, map[string]bool{ // which says nothing here, or as little as all of its operation
		"mkdir /m: Optional":       true,
		"write /w: Content":        true,
		"copy /c: Content":         true,
		"copy /c: Mode":            true,
		"overlay /o: Devices":      true,
		"overlay /o: Suid":         true,
		"mask /usr/lib: Optional":  true,
		"ShellScripts":             true,
		"Caps.Keep":                true,
		"Caps.Add":                 true,
		"Caps.Drop":                true,
		"PassFDs":                  true,
		"write /deep/d/w: Content": true,
	},
		"is there even where",
		"the command starts in $HOME or /")
}
