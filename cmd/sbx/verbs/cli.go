package verbs

// The command line: the grammar of all verbs, and what is wrong with a command
// line that does not fit it.

import (
	"errors"
	"fmt"
	"reflect"
	"strings"

	"sbx/engine/plan"
)

// grammar is what command lines are read by. Each verb's part stands in the
// verb's own file.
type grammar struct {
	Exec      execCmd      `cmd:"" help:"Make a sandbox and run a command in it."`
	Run       runCmd       `cmd:"" help:"Run a command in the sandbox of a project."`
	Trust     trustCmd     `cmd:"" help:"Let a project's .sbx.star count, after a look at what it does."`
	Plan      planCmd      `cmd:"" help:"List what a sandbox would be made of, without making it."`
	Check     checkCmd     `cmd:"" help:"Report all that is wrong with a script or plan on this host."`
	Ps        psCmd        `cmd:"" help:"List the sandboxes that run."`
	Attach    attachCmd    `cmd:"" help:"Attach the terminal to a session."`
	Enter     enterCmd     `cmd:"" help:"Run one more command in a sandbox that runs."`
	Kill      killCmd      `cmd:"" help:"End sandboxes, or signal their commands."`
	Import    importCmd    `cmd:"" help:"Turn the command line of another sandbox program into a script."`
	Export    exportCmd    `cmd:"" help:"Turn a script or plan into what another sandbox program takes."`
	Help      helpCmd      `cmd:"" help:"Explain a script and its parameters, a built-in or a verb."`
	Templates templatesCmd `cmd:"" help:"List the settings templates of the standard library, or explain one."`
	Doctor    doctorCmd    `cmd:"" help:"Find out whether this host can make sandboxes, and what mends it."`
	Version   versionCmd   `cmd:"" help:"Show the version of sbx."`
}

// about introduces sbx, in its help.
const about = `Builds Linux sandboxes from Starlark scripts, without root and without a daemon.

  sbx exec build.sbx.star -- make   run make in the sandbox of the script
  sbx plan build.sbx.star           see first what that does
  sbx help builtins                 what scripts can call`

// verbs are the names in grammar, for suggestions.
var verbs = [...]string{"exec", "run", "trust", "plan", "check", "ps", "attach", "enter", "kill", "import", "export", "help", "templates", "doctor", "version"}

// parse performs a command line and returns the exit code.
func parse(args []string) int {
	switch {
	case len(args) == 0:
		text, err := usage()
		if err != nil {
			complain(err)
		}
		talk(text)
		return exitSetup
	case args[0] == "--version": // as everywhere
		args = append([]string{"version"}, args[1:]...)
	case !isVerb(args[0]) && (!strings.HasPrefix(args[0], "-") || strings.Trim(args[0], "-") == ""):
		complain(unknownVerb(args[0]))
		return exitSetup
	}
	c, err := readArgs(args)
	switch {
	case err != nil:
		complain(err)
		return exitSetup
	case c.help != "":
		return out(c.help)
	}
	return c.perform()
}

// usage returns the help of sbx, or of a verb.
func usage(verb ...string) (string, error) {
	c, err := readArgs(append(verb, "--help"))
	if err != nil {
		return "", err
	}
	return c.help, nil
}

// commandLine is a command line that fits the grammar.
type commandLine struct {
	flags  grammar
	verb   string
	target target // of the verbs that have one
	run    runOptions

	foreign []string // of import
	help    string   // was asked for; the rest is not filled in
}

// readArgs reads a command line by the grammar.
func readArgs(args []string) (*commandLine, error) {
	c := &commandLine{}
	line, err := reader(&c.flags, "sbx", about)
	if err != nil {
		return nil, err
	}
	verb := args[:1]
	parts, known := line.Verbs(verb...)
	if len(parts) > 0 && len(args) > 1 && !strings.HasPrefix(args[1], "-") {
		verb = args[:2]
		if _, ok := line.Verbs(verb...); !ok {
			return nil, unknownPart(args[0], args[1], parts)
		}
	}
	head, tail, dashed, planned := args, []string(nil), false, false
	if len(verb) == 2 && args[0] == "import" && line.Words(verb...) == 0 {
		head, c.foreign = cutForeign(args)
	}
	if known && args[0] == "run" {
		// The reader need not know of the command.
		head, _, _ = cut(args, "--")
		i, _ := firstWord(line, verb, head)
		head, tail = args[:i], args[i:]
	} else if known && line.Words(verb...) > 1 {
		head, tail, dashed = cut(args, "--")
		var i int
		if i, planned = firstWord(line, verb, head); planned {
			head = append(append(append([]string{}, head[:i]...), "--"), head[i:]...)
		}
	}
	given, odd := asText(head)
	help, helped, err := line.Parse(given)
	if odd {
		restoreBytes(reflect.ValueOf(&c.flags).Elem())
		if err != nil {
			err = errors.New(asBytes(err.Error()))
		}
	}
	if helped {
		c.help = help
		if !known { // a command is something else here
			c.help = strings.NewReplacer("<command>", "<verb>", "Commands:", "Verbs:", "on a command", "on a verb").Replace(c.help)
		}
		return c, nil
	}
	if err != nil {
		if len(verb) > 1 {
			parts = nil
		}
		return nil, wording(strings.Join(verb, " "), known, args, parts, err)
	}
	c.verb = strings.Join(verb, " ")
	var f targetFlags
	var w targetWords
	switch c.verb {
	case "run":
		c.run, err = c.flags.Run.options(args, tail)
		return c, err
	case "exec":
		f, w = c.flags.Exec.targetFlags, c.flags.Exec.targetWords
	case "plan":
		f, w = c.flags.Plan.targetFlags, c.flags.Plan.targetWords
	case "check":
		f, w = c.flags.Check.targetFlags, c.flags.Check.targetWords
	case "enter":
		if dashed && len(c.flags.Enter.Command) > 0 { // the command has begun before it
			tail = append([]string{"--"}, tail...)
		}
		c.flags.Enter.Command = append(c.flags.Enter.Command, tail...)
		return c, nil
	case "export mkosi-sandbox":
		f, w = c.flags.Export.Mkosi.targetFlags, c.flags.Export.Mkosi.targetWords
	case "export bwrap":
		f, w = c.flags.Export.Bwrap.targetFlags, c.flags.Export.Bwrap.targetWords
	case "export systemd-run":
		f, w = c.flags.Export.Systemd.targetFlags, c.flags.Export.Systemd.targetWords
	case "export oci":
		f, w = c.flags.Export.OCI.targetFlags, c.flags.Export.OCI.targetWords
	default:
		return c, nil
	}
	if dashed && (len(w.Command) > 0 || planned && w.Script != nil) { // the command has begun before it
		tail = append([]string{"--"}, tail...)
	}
	w.Command = append(w.Command, tail...)
	if len(f.Plan) > 0 && w.Script != nil && !planned {
		return nil, misuse(fmt.Sprintf("a script, %q, and --plan exclude each other", *w.Script), "the command stands after --plan FILE")
	}
	c.target, err = aim(c.verb, f, w)
	return c, err
}

// cut splits a list at the first sep.
func cut(list []string, sep string) (head, tail []string, found bool) {
	for i, s := range list {
		if s == sep {
			return list[:i], list[i+1:], true
		}
	}
	return list, nil, false
}

// unknownPart is the fault of a verb whose second word is none of its parts.
func unknownPart(verb, word string, parts []string) error {
	hint := "there are " + strings.Join(parts, ", ")
	if near := plan.Nearest(word, parts); near != "" {
		hint = fmt.Sprintf("did you mean %q?", "sbx "+verb+" "+near)
	}
	return misuse(fmt.Sprintf("sbx cannot %s %q", verb, word), hint)
}

// cutForeign cuts the command line of import into our words and those of the
// other program, which begin at the first that is none of ours, or after "--".
func cutForeign(args []string) (ours, foreign []string) {
	for i := 2; i < len(args); i++ {
		switch args[i] {
		case "--partial", "--help", "-h":
		case "--":
			return args[:i], args[i+1:]
		default:
			return args[:i], args[i:]
		}
	}
	return args, nil
}

// firstWord returns the index of the first word after the verb that is neither a
// flag nor a flag's value, and whether --plan stands before it: then the word
// begins the command, and what follows is the command's.
func firstWord(line Reader, verb, args []string) (at int, planned bool) {
	for i := len(verb); i < len(args); i++ {
		if args[i] == "-" || !strings.HasPrefix(args[i], "-") {
			return i, planned
		}
		name, _, valued := strings.Cut(args[i], "=")
		planned = planned || strings.TrimPrefix(name, "--") == "plan"
		if !valued && line.Valued(args[i], verb...) {
			i++
		}
	}
	return len(args), planned
}

// aim checks what kong cannot, and returns what the verb is about.
func aim(verb string, f targetFlags, w targetWords) (target, error) {
	t := target{verb: verb}
	switch {
	case len(f.Plan) > 1:
		return t, misuse("--plan is given twice", "")
	case len(f.Plan) == 1 && f.Plan[0] == "":
		return t, misuse("--plan has an empty file name", "- is standard input")
	case len(f.Plan) == 1 && len(f.Set) > 0:
		return t, misuse("--set has no use with --plan: the values of parameters are in the plan already", "")
	}
	for _, s := range f.Set {
		name, value, ok := strings.Cut(s, "=")
		if !ok || name == "" {
			return t, misuse(fmt.Sprintf("--set %q is not NAME=VALUE", s), "")
		}
		t.set = append(t.set, [2]string{name, value})
	}
	t.command = w.Command
	switch {
	case len(f.Plan) == 1:
		t.plan = f.Plan[0]
		if w.Script != nil {
			t.command = append([]string{*w.Script}, t.command...)
		}
	case w.Script != nil && *w.Script == "":
		return t, misuse("the script's name is empty", "")
	case w.Script != nil:
		t.script = *w.Script
	}
	return t, nil
}

// perform does what the command line asks for.
func (c *commandLine) perform() int {
	switch c.verb {
	case "ps", "attach", "enter", "kill", "doctor": // the others' first look is at a script
		if err := enoughFiles(); err != nil {
			complain(err)
			return exitSetup
		}
	}
	switch c.verb {
	case "exec":
		return c.flags.Exec.run(c.target)
	case "run":
		return runVerb(c.run)
	case "trust":
		return c.flags.Trust.run()
	case "plan":
		return c.flags.Plan.run(c.target)
	case "check":
		return c.flags.Check.run(c.target)
	case "ps":
		return c.flags.Ps.run()
	case "attach":
		return c.flags.Attach.run()
	case "enter":
		return c.flags.Enter.run()
	case "kill":
		return c.flags.Kill.run()
	case "import mkosi-sandbox":
		return c.flags.Import.Mkosi.run(c.foreign)
	case "import sandboxa":
		return c.flags.Import.Sandboxa.run()
	case "export mkosi-sandbox":
		return c.flags.Export.Mkosi.run(c.target, toMkosi)
	case "import bwrap":
		return c.flags.Import.Bwrap.run(c.foreign)
	case "export bwrap":
		return c.flags.Export.Bwrap.run(c.target, toBwrap)
	case "export systemd-run":
		return c.flags.Export.Systemd.run(c.target)
	case "export oci":
		return c.flags.Export.OCI.run(c.target)
	case "help":
		return c.flags.Help.run()
	case "templates":
		return c.flags.Templates.run()
	case "doctor":
		return c.flags.Doctor.run()
	}
	return c.flags.Version.run()
}

// misuse is a command line that means nothing.
func misuse(msg, hint string) error { return plan.Diagnostics{{Msg: msg, Hint: hint}} }

func isVerb(s string) bool {
	for _, v := range verbs {
		if s == v {
			return true
		}
	}
	return false
}
