package main

// The verb exec: a sandbox from a script or a plan, and the command in it.

import (
	"strings"
	"time"

	"sbx/engine/compile"
	"sbx/engine/explain"
	"sbx/engine/run"
)

// execOptions is the command line of exec.
type execOptions struct {
	target
	debug bool
}

// parseExec reads the command line of exec where it has the plain forms
//
//	[--set NAME=VALUE] [--plan FILE] [--debug] [SCRIPT] [--set …] [--] [COMMAND…]
//
// and reports whether that is so. The grammar proper is kong's, in cli.go; but
// starting kong costs a good part of the time that a small sandbox takes.
func parseExec(args []string) (o execOptions, ok bool) {
	i := 0
	value := func(name string) (string, bool) {
		if v, found := strings.CutPrefix(args[i], name+"="); found {
			return v, true
		}
		if args[i] == name && i+1 < len(args) {
			i++
			return args[i], true
		}
		return "", false
	}
	for ; i < len(args); i++ {
		a := args[i]
		switch {
		case a == "--":
			o.command = args[i+1:]
			return o, true
		case a == "-" || !strings.HasPrefix(a, "-"):
			if o.script != "" || o.plan != "" {
				o.command = args[i:]
				return o, true
			}
			o.script = a
		case a == "--debug":
			o.debug = true
		case a == "--set" || strings.HasPrefix(a, "--set="):
			v, found := value("--set")
			name, val, eq := strings.Cut(v, "=")
			if !found || !eq {
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
	return o, true
}

// execVerb makes the sandbox and waits for its end.
func execVerb(o execOptions) int {
	p, l, f, ok := o.target.load()
	if !ok {
		return exitSetup
	}
	prog, err := compile.Compile(p, l, f, compile.Options{Debug: o.debug})
	if err != nil {
		complain(err)
		return exitSetup
	}
	status, err := run.Run(prog)
	if err != nil {
		d, code := explain.Failure(prog, f, err)
		report(o.sources, d)
		return code
	}
	if status.Signaled() {
		sig := status.Signal()
		run.DieBySignal(sig)
		time.Sleep(time.Second) // another thread may be the one to take it
		return 128 + int(sig)
	}
	return status.ExitStatus()
}

const exitSetup = explain.ExitSetup
