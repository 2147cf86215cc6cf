package main

// The verb export: a sandbox in the words of another program.

import (
	"strings"

	"sbx/engine/argv/oci"
	"sbx/engine/plan"
)

// exportCmd is the verb's grammar.
type exportCmd struct {
	Mkosi exportMkosi `cmd:"" name:"mkosi-sandbox" help:"The command line of mkosi-sandbox(1)."`
	OCI   exportOCI   `cmd:"" name:"oci" help:"A bundle for container runtimes, such as crun and runc."`
}

func (*exportCmd) Help() string {
	return `What the other program cannot do is named on stderr. Where the script asks for it, by a call, that is an error and nothing is printed, ` +
		`unless --partial is given; what only the defaults of sbx ask for is a warning.`
}

// lossFlags are those of import and export.
type lossFlags struct {
	Partial bool `help:"Leave out what cannot be said, with a warning for each."`
}

// lost tells the user what an export or import loses, and reports whether it can
// be. What has a position was asked for.
func (f *lossFlags) lost(sources map[string][]byte, ds plan.Diagnostics) bool {
	ok := true
	for i := range ds {
		d := &ds[i]
		if d.At.Pos != (plan.Pos{}) {
			d.Severity = plan.Error
		}
		if f.Partial {
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

// argvFlags are those of the formats that are command lines.
type argvFlags struct {
	lossFlags   `embed:""`
	JSON        bool `name:"json" help:"Print the words as a JSON array; those that are no UTF-8 as {\"base64\": …}."`
	targetFlags `embed:""`
	targetWords `embed:""`
}

func (*argvFlags) Help() string {
	return `Prints a command line for a shell. The script is evaluated on this host, and the plan is not checked against it.`
}

// run prints the command line that convert makes of a plan.
func (c *argvFlags) run(t target, program string, convert func(*plan.Plan) ([]string, plan.Diagnostics)) int {
	p, ok := t.evaluate()
	if !ok {
		return exitSetup
	}
	args, lost := convert(p)
	lost.Sort()
	if !c.lost(t.sources, lost) {
		return exitSetup
	}
	words := append([]string{program}, args...)
	if !c.JSON {
		return out(shellLines(words))
	}
	list := make([]plan.Str, len(words))
	for i, w := range words {
		list[i] = plan.Str(w)
	}
	return outJSON(list)
}

// shellLines returns a command line as a shell takes it: one line, or one for each
// option, the command in the last one.
func shellLines(words []string) string {
	var b strings.Builder
	total := 0
	for _, w := range words {
		total += length(word(w)) + 1
	}
	command := false
	for i, w := range words {
		switch {
		case i == 0:
		case total > 100 && !command && strings.HasPrefix(w, "-"):
			b.WriteString(" \\\n  ")
		default:
			b.WriteByte(' ')
		}
		command = command || w == "--"
		b.WriteString(word(w))
	}
	b.WriteByte('\n')
	return b.String()
}

// exportMkosi is the grammar of export mkosi-sandbox.
type exportMkosi struct {
	argvFlags `embed:""`
}

// exportOCI is the grammar of export oci.
type exportOCI struct {
	lossFlags   `embed:""`
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
