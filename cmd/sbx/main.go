// Command sbx makes Linux sandboxes from Starlark scripts, without root and
// without a daemon. See README.md.
package main

import (
	"os"

	"sbx/engine/host/probe"
)

func main() {
	probe.ChildMain()
	os.Exit(start(os.Args[1:]))
}

// start performs the command line and returns the exit code.
func start(args []string) int {
	if len(args) > 0 && args[0] == "exec" {
		if o, ok := parseExec(args[1:]); ok {
			return execVerb(o)
		}
	}
	return parse(args)
}
