package verbs

// The verb check: whether exec would get as far as making the sandbox.

import (
	"fmt"
	"os"

	"sbx/engine/host"
	"sbx/engine/host/probe"
	"sbx/engine/plan"
)

// checkCmd is the verb's grammar.
type checkCmd struct {
	JSON bool `name:"json" help:"Print the faults for programs: a list, empty where all is well."`

	targetFlags `embed:""`
	targetWords `embed:""`
}

func (*checkCmd) Help() string {
	return `Prints nothing where all is well. The exit code is then 0, and 125 where something is wrong, or this host lets no such sandbox be made: sbx doctor tells more of that. ` +
		`A script may look at its arguments, so check takes a command as exec does.`
}

func (c *checkCmd) run(t target) int {
	found := plan.Diagnostics{}
	if c.JSON {
		t.faults = &found
	}
	p, l, f, ok := t.load()
	if p != nil {
		if ds := unmakeable(p, f); ds != nil {
			t.tell(ds)
			ok = false
		}
	}
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

// unmakeable tells where the host lacks what every sandbox needs, or lets the
// sandbox's user namespace not be made.
func unmakeable(p *plan.Plan, f *host.Facts) plan.Diagnostics {
	r, lacks := probe.Lacks(!f.Privileged(p) && p.Join.User == nil)
	if !lacks {
		return nil
	}
	return plan.Diagnostics{{Msg: "this host does not let the sandbox be made: " + r.Detail, Hint: "sbx doctor tells what this host lacks, and how to mend it"}}
}
