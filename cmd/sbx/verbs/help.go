package verbs

// The verb help: what a script is for and takes, and what scripts can call.

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"

	"go.starlark.net/starlark"

	"sbx/engine/plan"
	"sbx/starlark/eval"
)

// helpCmd is the verb's grammar.
type helpCmd struct {
	Topic *string `arg:"" optional:"" help:"A script, a verb, a built-in, or the word builtins for the list of them."`
}

func (c *helpCmd) run() int {
	if c.Topic == nil {
		return helpVerb()
	}
	topic := *c.Topic
	name, _, _ := strings.Cut(strings.TrimSuffix(topic, "()"), ".")
	switch b := eval.Lookup(name); {
	case isVerb(topic):
		return helpVerb(topic)
	case topic == "builtins":
		return helpBuiltins()
	case b != nil && !isFile(topic):
		return helpBuiltin(b)
	case strings.HasPrefix(topic, libRoot):
		return (&templatesCmd{Name: &topic}).run()
	case topic == "-" || isFile(topic) || strings.HasSuffix(topic, ".star"):
		return helpScript(topic)
	}
	d := plan.Diagnostic{Msg: fmt.Sprintf("no help on %q: it is no script, verb or built-in", topic), Hint: "sbx help builtins lists what scripts can call"}
	names := append(verbs[:len(verbs):len(verbs)], "builtins")
	for i := range eval.Builtins {
		names = append(names, eval.Builtins[i].Name)
	}
	if starlark.Universe[topic] != nil {
		d = plan.Diagnostic{Msg: fmt.Sprintf("no help on %q: it is Starlark's own", topic), Hint: "https://github.com/bazelbuild/starlark/blob/master/spec.md tells what it does"}
	} else if near := plan.Nearest(topic, names); near != "" {
		d.Hint = fmt.Sprintf("did you mean %q?", "sbx help "+near)
	}
	complain(plan.Diagnostics{d})
	return exitSetup
}

func helpVerb(verb ...string) int {
	text, err := usage(verb...)
	if err != nil {
		complain(err)
		return exitSetup
	}
	return out(text)
}

// helpBuiltins lists the built-ins, each with the first sentence of its text.
func helpBuiltins() int {
	p := newPage()
	group := ""
	var rows []row
	flush := func() {
		if rows != nil {
			p.heading(group)
			p.table(rows)
		}
		rows = nil
	}
	for i := range eval.Builtins {
		b := &eval.Builtins[i]
		if b.Group != group {
			flush()
			group = b.Group
		}
		text, _, _ := strings.Cut(b.Doc, ". ")
		rows = append(rows, row{cells: []cell{{b.Name, "op"}, {text: strings.TrimSuffix(text, ".")}}})
	}
	flush()
	p.add("\nsbx help NAME tells more. Starlark's own functions, such as len and sorted, are there too.\n")
	return out(p.String())
}

func helpBuiltin(b *eval.Builtin) int {
	p := newPage()
	p.add(p.in("strong", b.Signature()), "\n\n")
	p.wrap("  ", strings.ReplaceAll(b.Doc, "`", ""))
	return out(p.String())
}

// helpScript explains a script by its head and its parameters.
func helpScript(name string) int {
	t := target{verb: "help", script: name, sources: map[string][]byte{}}
	opt, err := t.options()
	if err != nil {
		complain(err)
		return exitSetup
	}
	params, doc, err := eval.Params(opt)
	if err != nil {
		complainIn(t.sources, err)
		return exitSetup
	}
	p := newPage()
	if doc != "" {
		for line := range strings.Lines(doc) {
			p.add(plan.Printable(strings.TrimRight(line, "\n")), "\n")
		}
		p.add("\n")
	}
	usage := "sbx exec " + word(name)
	for i, q := range defaultScripts {
		if filepath.Clean(name) == q && (i == 0 || !isFile(defaultScripts[0])) {
			usage = "sbx exec"
		}
	}
	for _, q := range params {
		if q.Required {
			usage += " --set " + q.Name + "=…"
		}
	}
	p.add(p.in("strong", "Usage:"), " ", usage)
	if len(params) > 0 {
		p.add(" [--set NAME=VALUE]…")
	}
	p.add(" [-- COMMAND…]\n")
	if len(params) > 0 {
		p.heading("Parameters")
		p.table(paramRows(params))
	}
	return out(p.String())
}

// paramRows is a line for each parameter, and more for what does not fit it.
func paramRows(params []plan.Param) []row {
	var rows []row
	for _, q := range params {
		about := cell{"needed", "warning"}
		if !q.Required {
			about = cell{text: "default " + clip(literal(q.Default), 60)}
			if q.Default == nil {
				about.text = "default computed"
			}
		}
		help := strings.Join(strings.Fields(q.Help), " ")
		if len(q.Choices) > 0 {
			var list []string
			for _, c := range q.Choices {
				list = append(list, literal(c))
			}
			if help != "" {
				help += " "
			}
			help += "[" + clip(strings.Join(list, ", "), 300) + "]"
		}
		rows = append(rows, row{cells: []cell{{q.Name, "op"}, {q.Type, "dim"}, about, {text: plan.Printable(help)}}})
	}
	return rows
}

// literal returns the value of a parameter as --set takes it, quoted where a
// reader could be misled without.
func literal(v any) string {
	switch v := v.(type) {
	case nil:
		return "?"
	case string:
		return word(v)
	case bool:
		if v {
			return "true"
		}
		return "false"
	}
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return plan.Printable(string(b))
}
