package verbs

// What a verb is about: a script, or a plan in JSON, and its way to a layout
// without errors.

import (
	"cmp"
	"fmt"
	"io"
	"os"

	"sbx/engine/host"
	"sbx/engine/layout"
	"sbx/engine/plan"
	"sbx/engine/validate"
	"sbx/lib"
	"sbx/starlark/eval"
)

// targetFlags and targetWords are the part of the grammar that the verbs about
// a script share.
type targetFlags struct {
	Set  []string `sep:"none" placeholder:"NAME=VALUE" help:"Give the script's parameter NAME a value."`
	Plan []string `sep:"none" placeholder:"FILE" help:"Take a plan in JSON instead of a script; - is standard input. All words are then the command."`
}

type targetWords struct {
	Script  *string  `arg:"" optional:"" help:"The script; - is standard input."`
	Command []string `arg:"" optional:"" passthrough:"partial" help:"The command and its arguments, best after a --."`
}

// target names what to evaluate.
type target struct {
	verb    string
	script  string // "-": standard input; "": the default scripts
	plan    string // --plan
	set     [][2]string
	command []string

	checked bool              // faults of the plan on this host are told with those of the script
	sources map[string][]byte // texts of the scripts, for diagnostics
	faults  *plan.Diagnostics // takes the diagnostics; nil: they are printed
}

// defaultScripts are tried where no script is named.
var defaultScripts = [...]string{"build.sbx.star", "sandbox.sbx.star"}

// load evaluates and checks. Where it is not ok the user has been told why.
func (t *target) load() (*plan.Plan, *layout.Layout, *host.Facts, bool) {
	t.checked = true
	p, ok := t.evaluate()
	if !ok {
		return nil, nil, nil, false
	}
	f, err := hostFacts(p)
	if err != nil {
		t.tell(diagnostics(err))
		return nil, nil, nil, false
	}
	l, diags := validate.Check(p, f)
	t.tell(diags)
	return p, l, f, !diags.HasErrors()
}

// tell prints diagnostics, or hands them on.
func (t *target) tell(ds plan.Diagnostics) {
	if t.faults != nil {
		*t.faults = append(*t.faults, ds...)
		return
	}
	report(t.sources, ds...)
}

// evaluate gets the plan.
func (t *target) evaluate() (*plan.Plan, bool) {
	p, err := t.read()
	if err != nil {
		t.tell(diagnostics(err))
		return nil, false
	}
	if len(t.command) > 0 {
		p.Command = make([]plan.Str, len(t.command))
		for i, a := range t.command {
			p.Command[i] = plan.Str(a)
		}
		delete(p.Where, "command")
	}
	return p, true
}

func (t *target) read() (*plan.Plan, error) {
	if err := enoughFiles(); err != nil {
		return nil, err
	}
	t.sources = map[string][]byte{}
	if t.plan != "" {
		b, err := readPlan(t.plan)
		if err != nil {
			return nil, plan.Diagnostics{{Msg: "cannot read plan: " + couldNot(err)}}
		}
		t.sources[t.name()] = b
		p, err := plan.Read(b, t.name())
		if err != nil {
			return nil, err
		}
		if t.checked {
			plan.Locate(p, b, t.name())
		}
		return p, nil
	}
	opt, err := t.options()
	if err != nil {
		return nil, err
	}
	return eval.Eval(opt)
}

// name returns what the user calls the target.
func (t *target) name() string {
	switch {
	case t.plan == "-" || t.script == "-":
		return "<stdin>"
	case t.plan != "":
		return t.plan
	}
	return t.script
}

// options are those of the evaluation.
func (t *target) options() (eval.Options, error) {
	if t.script == "" {
		for _, name := range defaultScripts {
			if _, err := os.Lstat(name); err == nil {
				t.script = name
				break
			}
		}
		if t.script == "" {
			return eval.Options{}, plan.Diagnostics{{
				Msg:  fmt.Sprintf("no script is named, and there is neither %q nor %q here", defaultScripts[0], defaultScripts[1]),
				Hint: "sbx " + cmp.Or(t.verb, "exec") + " SCRIPT [-- COMMAND…]",
			}}
		}
	}
	opt := eval.Options{
		File: t.script, Set: t.set, Args: t.command,
		Lib: lib.Read, LibNear: nearTemplate, Sources: t.sources, Print: scriptPrint,
		Abort: func(d plan.Diagnostic) {
			report(t.sources, d)
			exit(exitSetup)
		},
	}
	if t.checked {
		opt.Check = checkPart
	}
	return opt, nil
}

// checkPart checks what the sound calls of a faulty script make.
func checkPart(p *plan.Plan, lacks []string) plan.Diagnostics {
	f, err := hostFacts(p)
	if err != nil {
		return nil
	}
	return validate.CheckPart(p, f, lacks)
}

// readPlan reads a plan's JSON, from standard input for "-".
func readPlan(name string) ([]byte, error) {
	in := os.Stdin
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		in = f
	}
	b, err := io.ReadAll(io.LimitReader(in, maxPlan+1))
	if err == nil && len(b) > maxPlan {
		err = fmt.Errorf("%q has more than %d bytes", name, maxPlan)
	}
	return b, err
}

// maxPlan bounds the JSON of a plan.
const maxPlan = 256 << 20
