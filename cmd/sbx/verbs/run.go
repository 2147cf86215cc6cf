package verbs

// The verb run: a command in the sandbox of a project.

import (
	"path/filepath"
	"strings"
	"unicode/utf8"

	"sbx/engine/compile"
	"sbx/engine/plan"
	"sbx/engine/validate"
	"sbx/lib"
	"sbx/starlark/eval"
	"sbx/starlark/project"
)

// runCmd is the verb's grammar.
type runCmd struct {
	ProjectPath         string   `placeholder:"DIR" help:"The project, in place of the working directory."`
	AllowSettings       []string `sep:"none" placeholder:"NAME" help:"Open the sandbox for a tool, by a template that sbx templates lists."`
	ExtraDataPath       []string `sep:"none" placeholder:"PATH" help:"Show PATH in the sandbox too, writable."`
	ExcludedPath        []string `sep:"none" placeholder:"PATTERN" help:"Mask these files and directories of the project."`
	RefuseIfExists      []string `sep:"none" placeholder:"NAME" help:"Refuse a directory that holds NAME, in place of .profile."`
	PassEnv             []string `sep:"none" placeholder:"NAME" help:"Let a variable in that looks like a secret."`
	ConfigFile          string   `placeholder:"FILE" help:"Use FILE in place of the project's .sbx.star, and trust it."`
	IgnoreProjectConfig bool     `help:"Do without the project's .sbx.star."`
	Detach              bool     `help:"Run it on a terminal of its own, to which sbx attach comes, and print its name."`
	Pty                 *bool    `negatable:"" help:"Run it on a terminal of its own, as is done by default where sbx is on one."`
	NoReconnect         bool     `help:"Start afresh where a session of the project waits."`
	DetachKey           string   `placeholder:"KEY" help:"The key that detaches when pressed twice, as for sbx attach."`
	DryRun              bool     `help:"List what the sandbox would be made of, and do nothing."`
	Debug               bool     `help:"Log each operation to stderr before it is done."`
	Command             []string `arg:"" optional:"" passthrough:"partial" help:"The command and its arguments."`
}

func (*runCmd) Help() string {
	return `The host is read-only; the home directory, /tmp, /dev and the processes are the sandbox's own; the project, which is the working directory, ` +
		`can be written. The command is $SHELL unless the configuration names another: ~/.config/sbx/project.star, and .sbx.star in the project, ` +
		`which counts once sbx trust has shown it to you.

On a terminal the command gets one of its own: Ctrl-\ pressed twice detaches. A session whose terminal went away lives on; the next sbx run in the project ` +
		`comes back to it, unless another command is named. It stops where options or configuration files are others than that session was started with: sbx attach comes back to it all the same, --no-reconnect starts afresh.

All that follows the first word is the command's. The exit codes are those of sbx exec.`
}

// runOptions is the command line of run, read.
type runOptions struct {
	project project.Options
	dryRun  bool
	debug   bool

	detach, fresh bool
	pty           *bool // nil: where there is a terminal
	detachKey     string

	args []string // the verb and its words, for diagnostics
}

// commandLineFile is the file of positions in the command line.
const commandLineFile = "<command line>"

// parseRun reads the command line of run where it has plain forms, and reports
// whether that is so: see parseExec.
func parseRun(args []string) (o runOptions, ok bool) {
	var c runCmd
	i := 1
	for ; i < len(args); i++ {
		a := args[i]
		if a == "--" || a == "-" || !strings.HasPrefix(a, "-") {
			break
		}
		name, value, valued := strings.Cut(a, "=")
		var list *[]string
		var text *string
		switch name {
		case "--allow-settings":
			list = &c.AllowSettings
		case "--extra-data-path":
			list = &c.ExtraDataPath
		case "--excluded-path":
			list = &c.ExcludedPath
		case "--refuse-if-exists":
			list = &c.RefuseIfExists
		case "--pass-env":
			list = &c.PassEnv
		case "--project-path":
			text = &c.ProjectPath
		case "--config-file":
			text = &c.ConfigFile
		case "--ignore-project-config":
			c.IgnoreProjectConfig = true
		case "--dry-run":
			c.DryRun = true
		case "--detach":
			c.Detach = true
		case "--no-reconnect":
			c.NoReconnect = true
		case "--pty", "--no-pty":
			on := name == "--pty"
			c.Pty = &on
		case "--detach-key":
			text = &c.DetachKey
		case "--debug":
			c.Debug = true
		default:
			return o, false
		}
		switch {
		case list == nil && text == nil:
			if valued {
				return o, false
			}
			continue
		case !valued:
			if i++; i == len(args) || strings.HasPrefix(args[i], "-") {
				return o, false
			}
			value = args[i]
		}
		if list != nil {
			*list = append(*list, value)
		} else if *text != "" || value == "" {
			return o, false
		} else {
			*text = value
		}
	}
	o, err := c.options(args, args[i:])
	return o, err == nil
}

// options returns what the flags and the words of the command mean; args is the
// whole command line.
func (c *runCmd) options(args, command []string) (runOptions, error) {
	words := len(command)
	// "run vim -- file" is "run vim file"; what comes later is the command's own.
	if len(command) > 0 && command[0] == "--" {
		command = command[1:]
	} else if len(command) > 1 && command[1] == "--" {
		command = append(command[:1:1], command[2:]...)
	}
	o := runOptions{dryRun: c.DryRun, debug: c.Debug, args: args, detach: c.Detach, fresh: c.NoReconnect, pty: c.Pty, detachKey: c.DetachKey}
	if c.Detach && c.Pty != nil && !*c.Pty {
		return o, misuse("--detach and --no-pty exclude each other", "")
	}
	p := &o.project
	p.Dir, p.IgnoreProjectConfig, p.Command = c.ProjectPath, c.IgnoreProjectConfig, command
	flags := args[:len(args)-words]
	for _, v := range values(flags, "--allow-settings") {
		for name := range strings.SplitSeq(v.Text, ",") {
			p.AllowSettings = append(p.AllowSettings, project.Value{Text: name, At: v.At})
		}
	}
	p.ExtraDataPaths = values(flags, "--extra-data-path")
	for i, v := range p.ExtraDataPaths { // the shell's user means the working directory
		if abs, err := filepath.Abs(v.Text); err == nil && v.Text != "" && v.Text[0] != '~' {
			p.ExtraDataPaths[i].Text = abs
		}
	}
	p.ExcludedPaths = values(flags, "--excluded-path")
	p.RefuseIfExists = values(flags, "--refuse-if-exists")
	p.PassEnv = values(flags, "--pass-env")
	for _, name := range [...]string{"--project-path", "--config-file", "--detach-key"} {
		switch v := values(flags, name); {
		case len(v) > 1:
			return o, misuse(name+" is given twice", "")
		case len(v) == 1 && v[0].Text == "":
			return o, misuse(name+" is empty", "")
		case len(v) == 1 && name == "--config-file":
			p.ConfigFile = &v[0]
		case len(v) == 1 && name == "--project-path":
			p.DirAt = v[0].At
		}
	}
	if c.ConfigFile != "" && c.IgnoreProjectConfig {
		return o, misuse("--config-file and --ignore-project-config exclude each other", "")
	}
	if len(command) > 0 && command[0] == "" {
		return o, misuse("the command's name is empty", "")
	}
	return o, nil
}

// values returns the operands of a flag with their places in the command line.
func values(args []string, flag string) []project.Value {
	var out []project.Value
	for i, a := range args {
		at, text := i, ""
		if a == flag && i+1 < len(args) {
			at, text = i+1, args[i+1]
		} else if v, ok := strings.CutPrefix(a, flag+"="); ok {
			text = v
		} else {
			continue
		}
		out = append(out, project.Value{Text: text, At: plan.Origin{Pos: plan.Pos{File: commandLineFile, Line: 1, Col: column(args, at)}}})
	}
	return out
}

// column returns where word i stands in commandLineText.
func column(args []string, i int) int32 {
	return int32(utf8.RuneCountInString(commandLineText(args[:i]))) + 2
}

// commandLineText returns a command line as a shell takes it.
func commandLineText(args []string) string {
	words := []string{"sbx"}
	for _, a := range args {
		words = append(words, word(a))
	}
	return strings.Join(words, " ")
}

// findPlaces finds what sbx run depends on.
func findPlaces() project.Places { return project.FindPlaces(sessionPlaces()) }

// evaluateProject works out the plan of a project. Where it is not ok the user
// has been told why.
func evaluateProject(o *project.Options, args []string) (*project.Result, map[string][]byte, bool) {
	sources := map[string][]byte{}
	if err := enoughFiles(); err != nil {
		complain(err)
		return nil, nil, false
	}
	o.Eval = eval.Options{
		Lib: lib.Read, LibNear: nearTemplate, Sources: sources, Print: scriptPrint, Check: checkPart,
		Abort: func(d plan.Diagnostic) {
			report(sources, d)
			exit(exitSetup)
		},
	}
	o.TrustCommand = "sbx trust"
	if o.Dir != "" {
		o.TrustCommand += " " + word(o.Dir)
	}
	r, err := project.Evaluate(o, findPlaces())
	if err == nil {
		return r, sources, true
	}
	sources[commandLineFile] = []byte(commandLineText(args))
	complainIn(sources, err)
	return nil, nil, false
}

// runVerb makes the sandbox and waits for its end.
func runVerb(o runOptions) int {
	r, sources, ok := evaluateProject(&o.project, o.args)
	if !ok {
		return exitSetup
	}
	f, err := hostFacts(r.Plan)
	if err != nil {
		complain(err)
		return exitSetup
	}
	l, diags := validate.Check(r.Plan, f)
	if diags != nil {
		sources[commandLineFile] = []byte(commandLineText(o.args))
	}
	if o.dryRun {
		s := list{page: newPage(), plan: r.Plan, facts: f}
		s.project(r, l)
		if n := out(s.String()); n != 0 {
			return n
		}
	}
	report(sources, diags...)
	if diags.HasErrors() {
		return exitSetup
	}
	if o.dryRun {
		return 0
	}
	if o.session() {
		return runSession(&o, r, f, sources)
	}
	prog, err := compile.Compile(r.Plan, l, f, options(r.Plan, o.debug))
	if err != nil {
		complain(err)
		return exitSetup
	}
	if !noteBegin(r.Seen, r.Plan) {
		return exitSetup
	}
	return performNoted(prog, f, sources, r.Dir)
}

// session reports whether the command gets a terminal of its own.
func (o *runOptions) session() bool {
	return o.detach || o.pty != nil && *o.pty || o.pty == nil && !o.debug && interactive()
}
