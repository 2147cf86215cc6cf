package verbs

// The verb exec: a sandbox from a script or a plan, and the command in it.

import (
	"strings"

	"sbx/engine/compile"
	"sbx/engine/explain"
	"sbx/engine/plan"
)

// execCmd is the verb's grammar.
type execCmd struct {
	targetFlags `embed:""`
	Debug       bool `help:"Log each operation to stderr before it is done."`
	targetWords `embed:""`
}

func (*execCmd) Help() string {
	return `Without a SCRIPT it is ` + defaultScripts[0] + `, or else ` + defaultScripts[1] + `, of the working directory. ` +
		`The command is what follows SCRIPT or the first "--"; without one it is what the script's command() says, or else $SHELL.

The exit code is the command's own. If a signal ended the command, sbx ends by the same signal. ` +
		`125: sbx itself failed. 126: the command was found in the sandbox but cannot run. 127: it was not found.`
}

func (c *execCmd) run(t target) int { return execVerb(execOptions{t, c.Debug}) }

// execOptions is the command line of exec, read.
type execOptions struct {
	target
	debug bool
}

// parseExec reads the command line of exec where it has the plain forms
//
//	[--set NAME=VALUE] [--plan FILE] [--debug] [SCRIPT] [--set …] [--] [COMMAND…]
//
// and reports whether that is so. What it does not take goes to kong, whose
// reading of the grammar is the one that counts; but starting kong costs a good part
// of the time that a small sandbox takes.
func parseExec(args []string) (o execOptions, ok bool) {
	i := 0
	value := func(name string) (string, bool) {
		if v, found := strings.CutPrefix(args[i], name+"="); found {
			return v, true
		}
		if args[i] == name && i+1 < len(args) {
			i++
			return args[i], args[i] == "-" || !strings.HasPrefix(args[i], "-")
		}
		return "", false
	}
	for ; i < len(args); i++ {
		a := args[i]
		switch {
		case a == "--":
			o.command = args[i+1:]
			return o, o.sound()
		case a == "-" || !strings.HasPrefix(a, "-"):
			if o.script != "" || o.plan != "" {
				o.command = args[i:]
				return o, o.sound()
			}
			if a == "" {
				return o, false
			}
			o.script = a
		case a == "--debug":
			o.debug = true
		case a == "--set" || strings.HasPrefix(a, "--set="):
			v, found := value("--set")
			name, val, eq := strings.Cut(v, "=")
			if !found || !eq || name == "" {
				return o, false
			}
			o.set = append(o.set, [2]string{name, val})
		case a == "--plan" || strings.HasPrefix(a, "--plan="):
			v, found := value("--plan")
			if !found || v == "" || o.plan != "" || o.script != "" {
				return o, false
			}
			o.plan = v
		default:
			return o, false
		}
	}
	return o, o.sound()
}

// sound reports whether the options go together.
func (o *execOptions) sound() bool { return o.plan == "" || len(o.set) == 0 }

// options are those of exec and run. To become a command in another's user namespace
// the threads of this process would have to end, which an initialiser cannot follow.
func options(p *plan.Plan, debug bool) compile.Options {
	return compile.Options{Debug: debug, Wait: p.Join.User != nil || p.Join.User2 != nil}
}

// execVerb makes the sandbox and waits for its end.
func execVerb(o execOptions) int {
	p, l, f, ok := o.target.load()
	if !ok {
		return exitSetup
	}
	prog, err := compile.Compile(p, l, f, options(p, o.debug))
	if err != nil {
		complain(err)
		return exitSetup
	}
	if o.sources[runModule] != nil && !noteWritable(p, "") {
		return exitSetup
	}
	return perform(prog, f, o.sources)
}

const exitSetup = explain.ExitSetup
