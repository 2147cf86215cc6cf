package verbs

// The verb doctor: what this host can do for sandboxes.

import (
	"strings"

	"sbx/engine/host/probe"
	"sbx/engine/plan"
)

// doctorCmd is the verb's grammar.
type doctorCmd struct {
	JSON bool `name:"json" help:"For programs."`
}

func (*doctorCmd) Help() string {
	return `Each feature is tried, not guessed from the kernel's version. Where one is missing, the command that mends it follows. ` +
		`The exit code is 0 where this host can make sandboxes, and 1 where it lacks what every sandbox needs.`
}

func (c *doctorCmd) run() int {
	results := probe.All()
	able := 0
	for _, r := range results {
		if r.Required && r.Status != probe.OK {
			able = 1
		}
	}
	var code int
	if c.JSON {
		code = outJSON(results)
	} else {
		code = out(doctorTable(results, able == 0))
	}
	return max(code, able)
}

func doctorTable(results []probe.Result, able bool) string {
	p := newPage()
	name := 0
	for _, r := range results {
		name = max(name, len(r.Name))
	}
	var missing []string
	indent := strings.Repeat(" ", 2+8)
	for _, r := range results {
		kind := r.Status.String()
		label := r.Name + strings.Repeat(" ", name-len(r.Name))
		if r.Status == probe.Missing && !r.Hardening {
			missing = append(missing, r.Name)
		}
		p.add("  ", p.in(kind, kind)+strings.Repeat(" ", 8-len(kind)), p.in("strong", label), "  ", plan.Printable(r.Detail), "\n")
		why := r.Why
		if r.Required {
			why = "needed: " + why
		}
		p.add(indent, p.in("dim", plan.Printable(why)), "\n")
		if r.Mend == "" {
			continue
		}
		for line := range strings.Lines(r.Mend) {
			line = strings.TrimRight(line, "\n")
			if note, ok := strings.CutPrefix(line, "#"); ok {
				p.add(indent, p.in("dim", "#"+plan.Printable(note)), "\n")
				continue
			}
			p.add(indent, p.in("hint", "$ "+plan.Printable(line)), "\n")
		}
	}
	switch {
	case !able:
		p.add("\n", p.in("missing", "This host cannot make sandboxes"), " before what is needed above is mended.\n")
	case len(missing) > 0:
		p.add("\n", p.in("ok", "This host can make sandboxes"), ", without ", strings.Join(missing, ", "), ".\n")
	default:
		p.add("\n", p.in("ok", "This host can make sandboxes"), ".\n")
	}
	return p.String()
}
