package verbs

// The verb trust: whether a project's .sbx.star may count.

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"sbx/engine/host"
	"sbx/engine/layout"
	"sbx/engine/plan"
	"sbx/engine/validate"
	"sbx/starlark/eval"
	"sbx/starlark/project"
	"sbx/starlark/template"
)

// trustCmd is the verb's grammar.
type trustCmd struct {
	Yes     bool    `xor:"what" help:"Trust it without asking."`
	Revoke  bool    `xor:"what" help:"Trust it no more."`
	List    bool    `xor:"what" help:"List what is trusted."`
	Project *string `arg:"" optional:"" help:"The project; else the working directory."`
}

func (*trustCmd) Help() string {
	return `A project's .sbx.star may come from anyone, so sbx run does not go by it before you have seen what it does. ` +
		`This lists the sandbox that it makes, with what it opens marked, and asks. ` +
		`Trust is in the file as it is, with all that it loads, and in what it adds to the sandbox: when a file changes, or comes to add more, sbx run asks for it again. ` +
		`A file that only masks paths, makes them read-only or takes namespaces away needs none.`
}

func (c *trustCmd) run() int {
	places := findPlaces()
	if places.State == "" {
		complain(misuse("there is no place for what is trusted: the home directory is not known", "set HOME, or XDG_STATE_HOME"))
		return exitSetup
	}
	store := places.Store()
	dir := ""
	if c.Project != nil {
		dir = *c.Project
	}
	switch {
	case c.List:
		return trustList(store)
	case c.Revoke:
		return trustRevoke(store, dir)
	}
	o := project.Options{Dir: dir, Trust: true}
	r, sources, ok := evaluateProject(&o, []string{"trust"})
	if !ok {
		return exitSetup
	}
	if r.ProjectFile == "" {
		complain(misuse(fmt.Sprintf("project %q has no %s", r.Dir, project.FileName), ""))
		return exitSetup
	}
	f, err := hostFacts(r.Plan)
	if err != nil {
		complain(err)
		return exitSetup
	}
	l, diags := validate.Check(r.Plan, f)
	s := list{page: newPage(), plan: r.Plan, facts: f}
	s.trust(r, l)
	if n := out(s.String()); n != 0 {
		return n
	}
	report(sources, diags...)
	if diags.HasErrors() {
		return exitSetup
	}
	if !c.Yes {
		if !isTerminal(os.Stdin) || !isTerminal(os.Stdout) || !isTerminal(os.Stderr) {
			complain(misuse("not trusted: there is no terminal to ask on", "--yes trusts it without asking"))
			return exitSetup
		}
		talk("\nTrust this, as it is now? [y/N] ")
		answer, _ := bufio.NewReader(os.Stdin).ReadString('\n')
		if a := strings.ToLower(strings.TrimSpace(answer)); a != "y" && a != "yes" {
			complain(errors.New("not trusted"))
			return exitSetup
		}
	}
	if err := store.Put(r.NewRecord()); err != nil {
		complain(fmt.Errorf("cannot note the trust: %s", couldNot(err)))
		return exitSetup
	}
	talk("trusted: " + plan.Printable(r.ProjectFile) + "\n")
	return 0
}

// noteBegin notes what a project has for a configuration as a sandbox of this
// process begins, and what that can write. Where it cannot the user has been told.
func noteBegin(v *project.Seen, p *plan.Plan) bool {
	if v == nil {
		return noteWritten(p)
	}
	if !noteWritable(p, string(v.Project)) {
		return false
	}
	if err := findPlaces().Store().Begin(v, ownSandbox(), sandboxRuns); err != nil {
		complain(fmt.Errorf("cannot note the configuration of the project: %s", couldNot(err)))
		return false
	}
	return true
}

// noteEnd notes that a sandbox has ended, or goes by another name from now on. What
// goes wrong only has the next configuration file looked at with more suspicion.
func noteEnd(dir, sandbox, next string) {
	if places := findPlaces(); places.State != "" {
		places.Store().End(dir, sandbox, next)
	}
}

// noteWritable notes which directories a sandbox can write, those other than that of
// its project for where their place makes what is in them trusted as well. Where it
// cannot the user has been told.
func noteWritable(p *plan.Plan, own string) bool {
	if !noteWritten(p) {
		return false
	}
	dirs := slices.DeleteFunc(writable(p), func(dir string) bool { return dir == own })
	if err := findPlaces().NoteWritable(dirs); err != nil {
		complain(fmt.Errorf("cannot note the configuration of a project that the sandbox can write: %s", couldNot(err)))
		return false
	}
	return true
}

// noteWritten notes which directories a sandbox can write, for the symlinks that it
// may leave there. Where it cannot the user has been told.
func noteWritten(p *plan.Plan) bool {
	if err := findPlaces().NoteWritten(writable(p)); err != nil {
		complain(fmt.Errorf("cannot note what the sandbox can write: %s", couldNot(err)))
		return false
	}
	return true
}

// writable returns what a sandbox can write, but for what templates show, which are
// no projects.
func writable(p *plan.Plan) []string {
	var dirs []string
	for i := range p.Ops {
		op := &p.Ops[i]
		template := strings.HasPrefix(op.At.Pos.File, libRoot) && op.At.Pos.File != runModule
		if op.Kind == plan.Bind && !op.RO && !op.Inside && op.SrcFD == nil && !template {
			dirs = append(dirs, string(op.Src))
		}
	}
	return dirs
}

// runModule is what the sandbox of sbx run is made by.
const runModule = libRoot + "run.star"

func trustList(store project.Store) int {
	records, err := store.List()
	if err != nil {
		complain(fmt.Errorf("cannot list what is trusted: %s", couldNot(err)))
		return exitSetup
	}
	p := newPage()
	var rows []row
	for _, r := range records {
		note := cell{"as it was trusted", "ok"}
		if c := project.NewClosure(filepath.Join(string(r.Project), project.FileName)); c.Err != nil {
			note = cell{"gone", "dim"}
		} else if c.Digest() != r.Digest {
			note = cell{"changed since", "warning"}
		}
		rows = append(rows, row{cells: []cell{{text: pathText(r.Project)}, note}})
	}
	p.table(rows)
	return out(p.String())
}

func trustRevoke(store project.Store, dir string) int {
	path, err := filepath.Abs(dir)
	if err == nil {
		if real, e := filepath.EvalSymlinks(path); e == nil {
			path = real
		}
		var known bool
		if known, err = store.Remove(path); err == nil && !known {
			err = fmt.Errorf("project %q is not trusted", path)
		}
	}
	if err != nil {
		complain(fmt.Errorf("%s", couldNot(err)))
		return exitSetup
	}
	return 0
}

// trust lists the sandbox that the project's file makes, and at the end, where it
// is read, what the file does.
func (s *list) trust(r *project.Result, l *layout.Layout) {
	base := r.Without
	if base == nil {
		base = plan.New()
	}
	changes := project.Changes(r.Plan, base)
	s.marks = map[*plan.Op]string{}
	var rows []row
	opens := false
	for _, c := range changes {
		if c.Op != nil && c.Op.At.IsZero() {
			continue // ours: the protection of the file itself
		}
		mark := cell{"tightens", "ok"}
		if c.Opens {
			mark, opens = cell{"opens", "error"}, true
		}
		if c.Op != nil {
			s.marks[c.Op] = mark.text
			for i, line := range opRows("", c.Op) {
				if i > 0 {
					mark = cell{}
				} else {
					if s.later(c.Op) {
						line.cells[3].text = strings.Replace(line.cells[3].text, "optional", "when it exists", 1)
					}
					line.cells[3].text = strings.TrimLeft(line.cells[3].text+fromEnv(r, c.Op), " ")
				}
				line.cells[0] = mark
				rows = append(rows, line)
			}
			continue
		}
		rows = append(rows, row{[]cell{mark, {c.Name, "op"}, {text: plan.Printable(clip(c.Value, 200))}}, where(c.At)})
	}
	if rows == nil {
		rows = []row{{cells: []cell{{"nothing", "dim"}}}}
	}
	s.project(r, l)
	s.heading("What " + pathText(plan.Str(r.ProjectFile)) + " does")
	s.table(rows)
	if !opens {
		s.add("\n  It opens nothing, and counts without trust unless it looks at the host or loads what is not a file of the project.\n")
	}
	for _, f := range r.Files.Files[1:] {
		s.add("\n  It loads ", pathText(plan.Str(f.Path)), ".\n")
	}
	s.uses(r.Uses)
	rows = nil
	for _, a := range r.New {
		rows = append(rows, row{[]cell{{"opens", "error"}, {text: plan.Printable(a.What)}}, where(a.At)})
	}
	for _, a := range r.Lost {
		rows = append(rows, row{cells: []cell{{"does no more", "error"}, {text: plan.Printable(a.What)}}})
	}
	if rows != nil {
		s.heading("What is new since it was trusted")
		s.table(rows)
	}
}

// fromEnv says of which variable the source of an operation is the value.
func fromEnv(r *project.Result, op *plan.Op) string {
	switch name, vary := r.FromEnv(op); {
	case name == "":
		return ""
	case vary:
		return " (whatever $" + plan.Printable(name) + " is)"
	default:
		return " (from $" + plan.Printable(name) + ", as it is now)"
	}
}

// later reports whether an operation is left out as long as its source does not exist.
func (s *list) later(op *plan.Op) bool {
	return op.Kind == plan.Bind && op.Optional && op.Src != "" && s.facts.Stat(string(op.Src)).Type == host.Missing
}

// uses lists the settings templates that are called, those that open most first.
func (s *list) uses(uses []eval.TemplateUse) {
	var rows []row
	for level := len(template.Levels) - 1; level >= 0; level-- {
		for _, u := range uses {
			t, _, err := findTemplate(libRoot + u.Name + ".star")
			if err != nil || t == nil || template.Level(t.Level(u.Set)) != level {
				continue
			}
			about := t.Exposes
			if t.Why != "" {
				about += ": " + t.Why
			}
			name := template.Levels[level].Name
			rows = append(rows, row{cells: []cell{{name, levelStyle(name)}, {plan.Printable(u.Name + "(" + clip(u.Args, 60) + ")"), "op"}, {text: about}}})
		}
	}
	if rows != nil {
		s.heading("Settings templates that it uses, and how far they open the sandbox")
		s.table(rows)
	}
}
