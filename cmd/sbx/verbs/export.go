package verbs

// The verb export: a sandbox in the words of another program.

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"

	"sbx/engine/argv/bwrap"
	"sbx/engine/argv/oci"
	"sbx/engine/argv/systemd"
	"sbx/engine/plan"
	"sbx/engine/validate"
)

// exportCmd is the verb's grammar.
type exportCmd struct {
	Bwrap   exportBwrap   `cmd:"" name:"bwrap" help:"The command line of bubblewrap."`
	Mkosi   exportMkosi   `cmd:"" name:"mkosi-sandbox" help:"The command line of mkosi-sandbox(1)."`
	OCI     exportOCI     `cmd:"" name:"oci" help:"A bundle for container runtimes, such as crun and runc."`
	Systemd exportSystemd `cmd:"" name:"systemd-run" help:"The command line of systemd-run(1), with the properties of a service."`
}

func (*exportCmd) Help() string {
	return `What the other program cannot do is named on stderr. Where the script asks for it, by a call, that is an error and nothing is printed, ` +
		`unless --partial is given; what only the defaults of sbx ask for is a warning.`
}

// lossFlags are those of import and export.
type lossFlags struct {
	Partial bool `help:"Leave out what cannot be said, with a warning for each."`
}

// lost tells the user what an export or import loses, and reports whether it can be.
func (f *lossFlags) lost(sources map[string][]byte, ds plan.Diagnostics) bool {
	ok := true
	for i := range ds {
		d := &ds[i]
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
	return `Prints a command line for bash. The script is evaluated on this host, symlinks on the way to destinations are followed as they are here, and the plan is not checked otherwise.`
}

// foreignLine is a command line of another program.
type foreignLine struct {
	argv   []string // the program's name first
	inputs []bwrap.Input
}

// run prints the command line that convert makes of a plan.
func (c *argvFlags) run(t target, convert func(*plan.Plan) (foreignLine, plan.Diagnostics)) int {
	p, ok := t.evaluate()
	if !ok {
		return exitSetup
	}
	line, lost := convert(p)
	return c.print(t.sources, line, lost)
}

// links turns binds of symlinks themselves, of which the other program has none,
// or none that are optional, into what they come to on this host.
func links(p *plan.Plan, optional bool) {
	kept := p.Ops[:0]
	for _, o := range p.Ops {
		if o.Kind == plan.Bind && o.NoFollow && (o.Optional || !optional) && !o.Inside && o.SrcFD == nil {
			st, err := os.Lstat(string(o.Src))
			switch {
			case err == nil && st.Mode()&os.ModeSymlink != 0:
				if target, err := os.Readlink(string(o.Src)); err == nil {
					o = plan.Op{Kind: plan.Symlink, Dst: o.Dst, Target: plan.Str(target), Create: o.Create, ParentMode: o.ParentMode, At: o.At}
				}
			case err == nil:
				o.NoFollow = false
			case o.Optional && errors.Is(err, fs.ErrNotExist):
				continue
			}
		}
		kept = append(kept, o)
	}
	p.Ops = kept
}

// settle returns a plan whose operations are where the symlinks of the sandbox
// lead on this host, as the other program orders them by their destinations or
// does them one by one; which binds are of what is neither a directory nor a
// regular file, to where nothing is; and what it leaves out, since the program
// cannot do it here: one that puts symlinks over what is there has covers set.
func settle(p *plan.Plan, covers bool) (settled *plan.Plan, special func(*plan.Op) bool, lost plan.Diagnostics) {
	f, err := hostFacts(p)
	if err != nil {
		return p, nil, nil
	}
	l, _ := validate.Check(p, f) // what is wrong with it is for others to say
	specials := l.Specials()
	settled = l.Settled(p)
	if p.Order == plan.OrderTree {
		for _, x := range l.Beyond() {
			d := plan.Diagnostic{At: x.Op.At, Op: string(x.Op.Kind)}
			switch {
			case x.In != nil:
				d.Msg = fmt.Sprintf("destination %q does not exist in the read-only %s at %q, and nothing can be added to that", x.Op.Dst, x.In.Kind, x.In.Dst)
				d.Hint = "make it there first"
			case covers:
				continue
			default:
				d.Msg = fmt.Sprintf("destination %q exists, and a symlink is not put over it", x.Op.Dst)
			}
			lost = append(lost, d)
			settled.Ops = slices.DeleteFunc(settled.Ops, func(o plan.Op) bool { return o.Kind == x.Op.Kind && path.Clean(string(o.Dst)) == x.At })
		}
	}
	return settled, func(o *plan.Op) bool { return specials[path.Clean(string(o.Dst))] }, lost
}

// print prints a command line where no more is lost than may be.
func (c *argvFlags) print(sources map[string][]byte, line foreignLine, lost plan.Diagnostics) int {
	lost.Sort()
	if !c.lost(sources, lost) {
		return exitSetup
	}
	if !c.JSON {
		return out(line.shell())
	}
	type input struct {
		FD   int      `json:"fd"`
		Data plan.Str `json:"data"`
	}
	v := struct {
		Argv   []plan.Str `json:"argv"`
		Inputs []input    `json:"inputs,omitempty"`
	}{Argv: make([]plan.Str, len(line.argv))}
	for i, w := range line.argv {
		v.Argv[i] = plan.Str(w)
	}
	for _, in := range line.inputs {
		v.Inputs = append(v.Inputs, input{in.FD, plan.Str(in.Data)})
	}
	return outJSON(v)
}

// shell returns the command line as bash takes it: one line, or one for each
// option, the command in the last one. What is read from file descriptors comes
// from redirections.
func (l *foreignLine) shell() string {
	var b strings.Builder
	total := 0
	for _, w := range l.argv {
		total += length(word(w)) + 1
	}
	long := total > 100 || len(l.inputs) > 0
	command := false
	for i, w := range l.argv {
		switch {
		case i == 0:
		case long && !command && strings.HasPrefix(w, "-"):
			b.WriteString(" \\\n  ")
		default:
			b.WriteByte(' ')
		}
		command = command || w == "--"
		b.WriteString(lineWord(w))
	}
	for _, in := range l.inputs {
		b.WriteString(fmt.Sprintf(" \\\n  %d< <(printf %s)", in.FD, printfArg(in.Data)))
	}
	b.WriteByte('\n')
	return b.String()
}

// printfArg returns the arguments with which printf(1) writes data.
func printfArg(data []byte) string {
	s := string(data)
	if strings.IndexByte(s, 0) < 0 {
		return "%s " + word(s)
	}
	var b strings.Builder // bash has no NUL in its words
	b.WriteByte('\'')
	for i := range len(s) {
		switch c := s[i]; {
		case c == '%':
			b.WriteString("%%")
		case c < ' ' || c >= 0x7f || c == '\'' || c == '\\':
			b.WriteString(fmt.Sprintf(`\%03o`, c))
		default:
			b.WriteByte(c)
		}
	}
	b.WriteByte('\'')
	return b.String()
}

// exportBwrap is the grammar of export bwrap.
type exportBwrap struct {
	argvFlags `embed:""`
}

// exportMkosi is the grammar of export mkosi-sandbox.
type exportMkosi struct {
	argvFlags `embed:""`
}

// exportSystemd is the grammar of export systemd-run.
type exportSystemd struct {
	argvFlags `embed:""`
}

func (*exportSystemd) Help() string {
	return `Prints a command line for bash. The service is the caller's own: of the system's manager for root, else of the user's. ` +
		`It must find on the manager's host what the script finds on this one. What needs a recent systemd is named.`
}

func (c *exportSystemd) run(t target) int {
	p, l, f, ok := t.load()
	if !ok {
		return exitSetup
	}
	s, lost := systemd.Convert(p, l, f)
	seen := map[string]bool{}
	for _, q := range s.Properties {
		if n := systemd.Since(q); n > 252 && !seen[q.Name] {
			seen[q.Name] = true
			lost = append(lost, plan.Diagnostic{Severity: plan.Warning, Msg: fmt.Sprintf("the property %s=%s needs systemd %d", q.Name, q.Value, n)})
		}
	}
	return c.print(t.sources, foreignLine{argv: s.Words()}, lost)
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
