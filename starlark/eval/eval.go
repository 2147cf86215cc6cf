// Package eval runs sandbox scripts: Starlark in, a plan out.
//
// A script is one entry file and the modules it loads. Its calls of the
// built-ins in Builtins add up to a plan.Plan, each part with the position and
// call stack it came from. Evaluation reads of the host only what the script
// asks for, writes nothing, and is bounded in steps, time and memory. What the
// values mean (is a path absolute, does it exist) is checked later, by
// engine/validate; here only their types are.
package eval

import (
	"fmt"
	"path/filepath"
	"time"

	"go.starlark.net/starlark"
	"go.starlark.net/syntax"

	"sbx/engine/plan"
)

// MaxSource is the size in bytes of the largest script file.
const MaxSource = 8 << 20

// Options say what to evaluate and with what.
type Options struct {
	File   string // path of the entry script; "-" is standard input
	Source []byte // its text; nil: File is read

	Set  [][2]string // --set name=value, in order
	Args []string    // what the script sees as args

	Project string // what the script sees as host.project; "": there is none

	Host Host                              // nil: OS
	Lib  func(name string) ([]byte, error) // text of @sbx//NAME.star; nil: there are none

	LibNear func(name string) string // the template that a wrong name may stand for, or ""; may be nil

	Print func(at plan.Pos, msg string) // takes what print() writes; nil: dropped

	MaxSteps  uint64          // 0: DefaultMaxSteps
	MaxTime   time.Duration   // 0: DefaultMaxTime
	MaxMemory uint64          // of the whole process, in bytes; 0: DefaultMaxMemory
	Cancel    <-chan struct{} // closed to interrupt; may be nil

	// Check, where not nil, says what is wrong with the plan of a script that came to
	// its end with faulty calls: p is what the others make. It lacks calls of the
	// built-ins named, or of any where lacks is nil. Those faults are reported as well.
	Check func(p *plan.Plan, lacks []string) plan.Diagnostics

	// Abort, where not nil, is called from another goroutine when one operation
	// goes beyond the limits and cannot be stopped. It should report and exit.
	Abort func(plan.Diagnostic)

	// Sources, where not nil, takes the text of each file read by its name in
	// positions, so that diagnostics can show lines.
	Sources map[string][]byte
}

// Eval evaluates a script. Where the script is at fault, and that is nearly
// always, the error is a plan.Diagnostics with all the faults found.
func Eval(opt Options) (*plan.Plan, error) {
	ev := newEvaluator(&opt)
	ds := ev.run()
	if !ds.HasErrors() {
		ds = append(ds, ev.unknownParams()...)
	}
	if ds.HasErrors() {
		if opt.Check != nil && ev.part != nil {
			ds = append(ds, opt.Check(ev.part, ev.lacks)...)
		}
		ds.Sort()
		return nil, ds
	}
	return ev.plan, nil
}

// module is one script file.
type module struct {
	name    string // as in positions
	key     string // what load calls it, cleaned
	lib     bool   // of the standard library
	text    []byte
	tree    *syntax.File
	prog    *starlark.Program
	predef  starlark.StringDict
	globals starlark.StringDict // once evaluated
	faulty  bool                // and told
	parent  *module             // that loads it, while it is evaluated
}

// evaluator is the state of one evaluation.
type evaluator struct {
	opt    *Options
	plan   *plan.Plan
	thread *starlark.Thread
	watch  watch
	entry  *module
	cur    *module // whose top level runs
	call   call

	defaults defaults

	loading int  // modules being evaluated
	stopped bool // a limit was reached, and told
	modules map[string]*module
	values  map[string]starlark.Value // built-ins in use

	layers *Layers // of which this is one; nil: a script by itself

	collect bool       // only parameters are wanted
	guess   bool       // a parameter has an invented value
	part    *plan.Plan // of a faulty script that came to its end: what is not invented
	lacks   []string   // the built-ins of the faulty calls; nil: any
	used    []bool
	strings int

	inputs map[plan.Input]struct{}
	diags  plan.Diagnostics
	stack  []plan.Frame // of the last origin
}

var fileOptions = syntax.FileOptions{Set: true, TopLevelControl: true, GlobalReassign: true}

func newEvaluator(opt *Options) *evaluator {
	if opt.Host == nil {
		opt.Host = OS{}
	}
	if opt.MaxSteps == 0 {
		opt.MaxSteps = DefaultMaxSteps
	}
	if opt.MaxTime == 0 {
		opt.MaxTime = DefaultMaxTime
	}
	if opt.MaxMemory == 0 {
		opt.MaxMemory = DefaultMaxMemory
	}
	ev := &evaluator{opt: opt, plan: plan.New()}
	ev.thread = &starlark.Thread{
		Print:      ev.print,
		Load:       ev.load,
		OnMaxSteps: ev.onSteps,
	}
	ev.thread.SetMaxExecutionSteps(min(opt.MaxSteps, watchSteps))
	ev.entry = &module{name: opt.File, key: filepath.Clean(opt.File), text: opt.Source}
	if opt.File == "-" {
		ev.entry.name, ev.entry.key = "<stdin>", "<stdin>"
	}
	return ev
}

// run evaluates the entry script and returns what is wrong with it.
func (ev *evaluator) run() (ds plan.Diagnostics) {
	defer func() {
		if e := recover(); e != nil {
			ds = append(ev.diags, plan.Diagnostic{Msg: fmt.Sprintf("sbx bug: %v", e)})
		}
	}()
	if ev.entry.text == nil {
		var err error
		if ev.opt.File == "-" {
			ev.entry.text, err = readAll(0, 0, MaxSource)
		} else {
			ev.entry.text, err = ev.opt.Host.ReadFile(ev.opt.File, MaxSource)
		}
		hint := ""
		switch {
		case err == errNotRegular:
			hint = "the script - is standard input"
		case err == nil && len(ev.entry.text) == 0 && ev.opt.File == "-": // and not a sandbox without anything
			err, hint = errEmpty, "what writes the script has failed, it seems"
		}
		if err != nil {
			return plan.Diagnostics{{Msg: "cannot read script " + quote(ev.entry.name) + ": " + errText(err), Hint: hint}}
		}
	} else if len(ev.entry.text) > MaxSource {
		return plan.Diagnostics{{Msg: "cannot read script " + quote(ev.entry.name) + ": " + errTooLarge(MaxSource).Error()}}
	}

	ev.watch = watch{opt: ev.opt, thread: ev.thread}
	defer ev.watch.end()
	if len(ev.entry.text) > watchSource {
		ev.watch.begin()
	}
	if ev.opt.Cancel != nil {
		done := make(chan struct{})
		defer close(done)
		go func() {
			select {
			case <-ev.opt.Cancel:
				ev.thread.Cancel(stopUser)
			case <-done:
			}
		}()
	}

	if ds := ev.compile(ev.entry); ds != nil {
		return ds
	}
	ev.cur = ev.entry
	_, err := ev.entry.prog.Init(ev.thread, ev.entry.predef)
	switch {
	case ev.guess:
		ev.lacks = nil
	case err != nil:
		ev.diags = append(ev.diags, ev.diagnose(err)...)
	case ev.lacks != nil:
		ev.part = ev.plan
	}
	return ev.diags
}

// compile parses and resolves a module whose text is there.
func (ev *evaluator) compile(m *module) plan.Diagnostics {
	if ev.opt.Sources != nil {
		ev.opt.Sources[m.name] = m.text
	}
	if d := checkText(m); d != nil {
		return plan.Diagnostics{*d}
	}
	tree, err := fileOptions.Parse(m.name, m.text, 0)
	if err != nil {
		return ev.diagnose(err)
	}
	var r rewriter
	r.stmts(tree.Stmts)
	if r.deep.IsValid() {
		return plan.Diagnostics{{At: plan.Origin{Pos: toPos(r.deep)}, Msg: "the nesting is too deep"}}
	}
	m.tree, m.predef = tree, make(starlark.StringDict, 16)
	m.prog, err = starlark.FileProgram(tree, func(name string) bool { return ev.predeclare(m, name) })
	if err != nil {
		return ev.diagnose(err)
	}
	return nil
}

// predeclare puts the built-in of that name into the module's environment, if
// there is one. Only what a script names is made.
func (ev *evaluator) predeclare(m *module, name string) bool {
	if _, ok := m.predef[name]; ok {
		return true
	}
	if canBurst(name) {
		ev.watch.begin()
	}
	if v, ok := ev.values[name]; ok {
		m.predef[name] = v
		return true
	}
	b := Lookup(name)
	var v starlark.Value
	switch {
	case b == nil:
		if v = findGuard(name); v == nil {
			return false
		}
	case b.value != nil:
		v = b.value(ev, m)
	default:
		v = &builtin{ev, b}
	}
	if name != "script" { // each module has its own
		if ev.values == nil {
			ev.values = make(map[string]starlark.Value, 16)
		}
		ev.values[name] = v
	}
	m.predef[name] = v
	return true
}

// absolute returns the absolute path of a module's file.
func (ev *evaluator) absolute(m *module) (string, error) {
	if filepath.IsAbs(m.key) {
		return m.key, nil
	}
	cwd, err := ev.opt.Host.Cwd()
	if err != nil {
		return "", err
	}
	return filepath.Join(cwd, m.key), nil
}

func (ev *evaluator) print(t *starlark.Thread, msg string) {
	if ev.opt.Print != nil && !ev.collect && !ev.guess {
		ev.opt.Print(ev.caller(t), msg)
	}
}
