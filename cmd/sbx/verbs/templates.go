package verbs

// The verb templates: what the standard library has for which tool.

import (
	"fmt"
	"os"
	"strings"

	"sbx/engine/plan"
	"sbx/lib"
	"sbx/starlark/template"
)

// templatesCmd is the verb's grammar.
type templatesCmd struct {
	JSON bool    `name:"json" help:"Print JSON."`
	Name *string `arg:"" optional:"" help:"A template of the standard library, or the file of one's own."`
}

func (*templatesCmd) Help() string {
	return `A template opens a sandbox for one tool: load("@sbx//ssh.star", "ssh") in a script, then ssh(). ` +
		`One's own templates are modules that hold a function of the file's name, with a docstring in the same form.`
}

func (c *templatesCmd) run() int {
	if c.Name != nil {
		t, m, err := findTemplate(*c.Name)
		switch {
		case err != nil:
			complain(err)
			return exitSetup
		case t == nil && c.JSON:
			return outJSON(m)
		case t == nil:
			return out(modulePage(m))
		case c.JSON:
			return outJSON(t)
		}
		return out(templatePage(t))
	}
	list, err := templates()
	switch {
	case err != nil:
		complain(err)
		return exitSetup
	case c.JSON:
		return outJSON(list)
	}
	p := newPage()
	var rows []row
	for _, t := range list {
		rows = append(rows, row{cells: []cell{{t.Name, "op"}, {t.Opens, levelStyle(t.Opens)}, {text: t.Exposes}}})
	}
	p.table(rows)
	p.add("\n")
	rows = nil
	for _, l := range template.Levels {
		rows = append(rows, row{cells: []cell{{l.Name, levelStyle(l.Name)}, {l.Means, "dim"}}})
	}
	p.table(rows)
	p.add("\nsbx templates NAME tells more.\n")
	return out(p.String())
}

// levelStyle is the style in which a level is shown.
func levelStyle(level string) string {
	return [...]string{"", "ok", "hint", "warning", "error"}[1+template.Level(level)]
}

// templates are those of the standard library, by name.
func templates() ([]*template.Template, error) {
	var list []*template.Template
	for _, name := range lib.Names() {
		text, err := lib.Read(name)
		if err != nil {
			return nil, err
		}
		t, err := template.Parse(libRoot+name, text)
		if err != nil {
			return nil, err
		}
		if t != nil {
			list = append(list, t)
		}
	}
	return list, nil
}

const libRoot = "@sbx//"

// findTemplate reads the template that a user names: ssh, @sbx//ssh.star, or a
// file; or a module that is none.
func findTemplate(name string) (*template.Template, *template.Module, error) {
	bare := strings.TrimSuffix(strings.TrimPrefix(name, libRoot), ".star")
	file := libRoot + bare + ".star"
	text, err := lib.Read(bare + ".star")
	if err != nil || name != bare && !strings.HasPrefix(name, libRoot) {
		if !isFile(name) {
			return nil, nil, noTemplate(name, bare)
		}
		if text, err = os.ReadFile(name); err != nil {
			return nil, nil, plan.Diagnostics{{Msg: couldNot(err)}}
		}
		file = name
	}
	t, err := template.Parse(file, text)
	if err != nil {
		return nil, nil, plan.Diagnostics{{Msg: err.Error()}}
	}
	if t != nil {
		return t, nil, nil
	}
	m, err := template.ParseModule(file, text)
	if err == nil && !strings.HasPrefix(file, libRoot) {
		err = plan.Diagnostics{{Msg: fmt.Sprintf("%q is no template", name), Hint: fmt.Sprintf("a template holds a function of its file's name, %q", template.FuncName(file))}}
	}
	return nil, m, err
}

// nearTemplate returns the template that a wrong name may stand for, or "".
func nearTemplate(name string) string {
	if t := lib.For(name); t != "" {
		return t
	}
	return plan.Nearest(name, lib.Templates())
}

func noTemplate(name, bare string) error {
	d := plan.Diagnostic{Msg: fmt.Sprintf("there is no template %q", name), Hint: "sbx templates lists them"}
	if near := nearTemplate(bare); near != "" {
		d.Hint = fmt.Sprintf("did you mean %q?", near)
	}
	return plan.Diagnostics{d}
}

// templatePage explains one template.
func templatePage(t *template.Template) string {
	p := newPage()
	p.add(p.in("strong", template.Signature(t.Func, t.Params)), "\n\n")
	p.wrap("  ", t.Summary)
	p.add("\n")
	rows := []row{{cells: []cell{{"exposes", "dim"}, {text: t.Exposes}}}}
	if t.Hides != "" {
		rows = append(rows, row{cells: []cell{{"hides", "dim"}, {text: t.Hides}}})
	}
	opens := t.Opens
	if t.Why != "" {
		opens += ": " + t.Why
	}
	p.table(append(rows, row{cells: []cell{{"opens", "dim"}, {opens, levelStyle(t.Opens)}}}))
	if t.Text != "" {
		p.add("\n")
		for line := range strings.Lines(t.Text) {
			p.add("  ", plan.Printable(strings.TrimRight(line, "\n")), "\n")
		}
	}
	rows = nil
	for _, q := range t.Params {
		about := cell{"needed", "warning"}
		if q.Default != "" {
			about = cell{text: "default " + q.Default}
		}
		rows = append(rows, row{cells: []cell{{q.Name, "op"}, about, {text: q.Doc}}})
	}
	if rows != nil {
		p.heading("Parameters")
		p.table(rows)
	}
	return p.String()
}

// modulePage explains the functions of a module that is no template.
func modulePage(m *template.Module) string {
	p := newPage()
	text := func(indent, s string) {
		for line := range strings.Lines(s) {
			p.add(strings.TrimRight(indent+plan.Printable(strings.TrimRight(line, "\n")), " "), "\n")
		}
	}
	text("", m.Doc)
	for _, f := range m.Funcs {
		p.add("\n", p.in("strong", template.Signature(f.Name, f.Params)), "\n")
		text("  ", f.Doc)
	}
	return p.String()
}
