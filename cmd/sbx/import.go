package main

// The verb import: the command line of another program as a script.

import (
	"os"
	"strings"

	"sbx/engine/argv/mkosi"
	"sbx/engine/plan"
	"sbx/starlark/script"
)

// importCmd is the verb's grammar. The words of the other program are cut off
// before kong sees them.
type importCmd struct {
	Mkosi    importMkosi    `cmd:"" name:"mkosi-sandbox" help:"The command line of mkosi-sandbox(1)."`
	Sandboxa importSandboxa `cmd:"" name:"sandboxa" help:"A configuration file of sandboxa, for sbx run."`
}

func (*importCmd) Help() string {
	return `Prints a script that makes the same sandbox: sbx import bwrap -- ARGS… | sbx exec -

What stands after "--" are the words of the other program, without its own name.`
}

// importMkosi is the grammar of import mkosi-sandbox.
type importMkosi struct {
	lossFlags `embed:""`
}

func (c *importMkosi) run(args []string) int {
	cwd, err := os.Getwd()
	if err != nil {
		complain(err)
		return exitSetup
	}
	line, ds := mkosi.Parse(args, cwd)
	sources := map[string][]byte{mkosi.File: mkosi.Source(args)}
	if line.Help || line.Version {
		ds = append(ds, plan.Diagnostic{Msg: "the command line makes no sandbox"})
	}
	if report(sources, ds...); ds.HasErrors() {
		return exitSetup
	}
	fromMkosi(line.Plan)
	return c.print("mkosi-sandbox", args, line.Plan, sources)
}

// fromMkosi adds to a plan what mkosi-sandbox does beside its options: its filters
// need no_new_privs, and it does not touch PWD and OLDPWD.
func fromMkosi(p *plan.Plan) {
	p.NoNewPrivs = p.SuppressChown || p.SuppressSync
	p.Env = append([]plan.EnvOp{{Kind: plan.PassEnv, Name: "PWD"}, {Kind: plan.PassEnv, Name: "OLDPWD"}}, p.Env...)
}

// toMkosi returns the command line of a plan for mkosi-sandbox, which does what
// fromMkosi adds without being told.
func toMkosi(p *plan.Plan) ([]string, plan.Diagnostics) {
	q := *p
	if p.SuppressChown || p.SuppressSync {
		q.NoNewPrivs = false
	}
	return mkosi.Print(&q)
}

// print prints the script of a plan.
func (f *lossFlags) print(program string, args []string, p *plan.Plan, sources map[string][]byte) int {
	text, lost := script.Print(p, importHead(program, args))
	if !f.lost(sources, lost) {
		return exitSetup
	}
	return out(text)
}

// maxHead is the most lines that the command line takes in the script's comment.
const maxHead = 12

// importHead returns the comment of a script: the command line that it is from.
func importHead(program string, args []string) string {
	words := []string{program}
	for _, a := range args {
		words = append(words, clip(word(a), 200))
	}
	lines := foldWords(words, 90)
	if len(lines) > maxHead {
		lines = append(lines[:maxHead-1], "…")
	}
	return "The sandbox of this command line:\n\n  " + strings.Join(lines, "\n      ") + "\n"
}
