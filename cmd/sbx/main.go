// Command sbx makes Linux sandboxes from Starlark scripts, without root and
// without a daemon. See README.md.
package main

import (
	"os"

	"sbx/cmd/sbx/cmdline"
	"sbx/cmd/sbx/verbs"
	"sbx/engine/host/probe"
)

func main() {
	probe.ChildMain()
	os.Exit(verbs.Main(os.Args[1:], func(flags any, program, about string) (verbs.Reader, error) {
		return cmdline.New(flags, program, about)
	}))
}
