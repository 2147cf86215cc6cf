package main

// The verb export: a sandbox in the words of another program.

import (
	"strings"

	"sbx/engine/argv/oci"
	"sbx/engine/plan"
)

// exportCmd is the verb's grammar.
type exportCmd struct {
	OCI exportOCI `cmd:"" name:"oci" help:"A bundle for container runtimes, such as crun and runc."`
}

func (*exportCmd) Help() string {
	return `What the other program cannot do is named on stderr. Where the script asks for it, by a call, that is an error and nothing is printed, ` +
		`unless --partial is given; what only the defaults of sbx ask for is a warning.`
}

// exportFlags are those of all the formats.
type exportFlags struct {
	Partial bool `help:"Leave out what cannot be said, with a warning for each."`
}

// lost tells the user what an export or import loses, and reports whether it can
// be. What has a position was asked for.
func (f *exportFlags) lost(sources map[string][]byte, ds plan.Diagnostics) bool {
	ok := true
	for i := range ds {
		d := &ds[i]
		if d.At.Pos == (plan.Pos{}) && d.Severity == plan.Error && f.Partial || d.At.Pos != (plan.Pos{}) && f.Partial {
			d.Severity = plan.Warning
		}
		if d.Severity == plan.Error {
			ok = false
			if d.Hint == "" {
				d.Hint = "--partial leaves it out"
			}
		}
	}
	report(sources, ds...)
	return ok
}

// exportOCI is the grammar of export oci.
type exportOCI struct {
	exportFlags `embed:""`
	Output      string `short:"o" placeholder:"DIR" help:"Write the bundle to a new directory, with config.json and the root file system."`
	targetFlags `embed:""`
	targetWords `embed:""`
}

func (*exportOCI) Help() string {
	return `Without --output it prints config.json, which is enough where the root file system holds nothing but mount points: ` +
		`"rootfs" beside it is an empty directory then. The bundle is for the user who makes it.`
}

func (c *exportOCI) run(t target) int {
	p, l, f, ok := t.load()
	if !ok {
		return exitSetup
	}
	b, lost := oci.Convert(p, l, f)
	if c.Output == "" {
		for _, e := range b.Entries {
			if e.Op != "" {
				lost = append(lost, plan.Diagnostic{At: e.At, Op: e.Op, Msg: "config.json alone cannot hold " + word(strings.TrimPrefix(e.Path, oci.RootDir)), Hint: "--output DIR writes a whole bundle"})
			}
		}
		lost.Sort()
	}
	if !c.lost(t.sources, lost) {
		return exitSetup
	}
	if c.Output != "" {
		if err := writeBundle(c.Output, b); err != nil {
			complain(err)
			return exitSetup
		}
		return 0
	}
	text, err := b.Spec.JSON()
	if err != nil {
		complain(err)
		return exitSetup
	}
	return out(string(text))
}
