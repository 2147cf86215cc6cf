package verbs

// The verb plan: what exec would do.

import (
	"strings"

	"sbx/engine/compile"
	"sbx/engine/validate"
)

// planCmd is the verb's grammar.
type planCmd struct {
	targetFlags `embed:""`
	JSON        bool `name:"json" xor:"form" help:"Print the plan as JSON, which exec --plan runs. It is not checked against this host."`
	Syscalls    bool `xor:"form" help:"Print the system calls that make the sandbox."`
	targetWords `embed:""`
}

func (*planCmd) Help() string {
	return `Evaluates the script as exec does and makes nothing: sbx plan --json SCRIPT | sbx exec --plan - runs exactly that plan.

What is wrong with the plan on this host goes to stderr; the exit code is then 125.`
}

func (c *planCmd) run(t target) int {
	t.checked = !c.JSON
	p, ok := t.evaluate()
	if !ok {
		return exitSetup
	}
	if c.JSON {
		b, err := p.JSON()
		if err != nil {
			complain(err)
			return exitSetup
		}
		return out(string(b))
	}
	f, err := hostFacts(p)
	if err != nil {
		complain(err)
		return exitSetup
	}
	l, diags := validate.Check(p, f)
	code := 0
	if diags.HasErrors() {
		code = exitSetup
	}
	switch {
	case !c.Syscalls:
		if n := out(listing(&t, p, l, f)); n != 0 {
			return n
		}
	case code == 0:
		prog, err := compile.Compile(p, l, f, compile.Options{})
		if err != nil {
			complain(err)
			return exitSetup
		}
		var b strings.Builder
		prog.Print(&b)
		if n := out(b.String()); n != 0 {
			return n
		}
	}
	report(t.sources, diags...)
	return code
}
