package verbs

// The verb check: whether exec would get as far as making the sandbox.

import (
	"fmt"
	"os"

	"sbx/engine/plan"
)

// checkCmd is the verb's grammar.
type checkCmd struct {
	JSON bool `name:"json" help:"Print the faults for programs: a list, empty where all is well."`

	targetFlags `embed:""`
	targetWords `embed:""`
}

func (*checkCmd) Help() string {
	return `Prints nothing where all is well. The exit code is then 0, and 125 where something is wrong. ` +
		`A script may look at its arguments, so check takes a command as exec does.`
}

func (c *checkCmd) run(t target) int {
	found := plan.Diagnostics{}
	if c.JSON {
		t.faults = &found
	}
	_, l, _, ok := t.load()
	if c.JSON {
		code := outJSON(found)
		if !ok {
			code = exitSetup
		}
		return code
	}
	if !ok {
		return exitSetup
	}
	if isTerminal(os.Stderr) {
		talk(fmt.Sprintf("%s: ok, %s\n", plan.Printable(t.name()), count(len(l.Steps), "operation")))
	}
	return 0
}
