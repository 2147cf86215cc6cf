// Command sbx makes Linux sandboxes from Starlark scripts, without root and
// without a daemon. See README.md.
package main

import (
	"os"

	"sbx/engine/host/probe"
)

func main() {
	growStack()
	probe.ChildMain()
	if code, ok := server(os.Args[1:]); ok {
		os.Exit(code)
	}
	os.Exit(start(os.Args[1:]))
}

// growStack makes room on the stack once. Growing by and by, as parsing and
// evaluating a script go deeper, costs a tenth of the time of a small sandbox.
func growStack()

// exit ends sbx from where main does not come back to.
func exit(code int) { os.Exit(code) }

// start performs the command line and returns the exit code.
func start(args []string) int {
	if len(args) > 0 && args[0] == "exec" {
		if o, ok := parseExec(args[1:]); ok {
			return execVerb(o)
		}
	}
	if len(args) > 0 && args[0] == "run" {
		if o, ok := parseRun(args); ok {
			return runVerb(o)
		}
	}
	return parse(args)
}
