package main

// The verb check: whether exec would get as far as making the sandbox.

import (
	"fmt"
	"os"

	"sbx/engine/plan"
)

// checkCmd is the verb's grammar.
type checkCmd struct {
	targetFlags `embed:""`
	targetWords `embed:""`
}

func (*checkCmd) Help() string {
	return `Prints nothing where all is well. The exit code is then 0, and 125 where something is wrong. ` +
		`A script may look at its arguments, so check takes a command as exec does.`
}

func (c *checkCmd) run(t target) int {
	_, l, _, ok := t.load()
	if !ok {
		return exitSetup
	}
	if isTerminal(os.Stderr) {
		talk(fmt.Sprintf("%s: ok, %s\n", plan.Printable(t.name()), count(len(l.Steps), "operation")))
	}
	return 0
}
