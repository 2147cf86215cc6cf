package main

// All that sbx prints: results to stdout, talk to stderr.

import (
	"errors"
	"os"

	"sbx/engine/plan"
)

// out writes a verb's result to stdout and returns the exit code.
func out(s string) int {
	if _, err := os.Stdout.WriteString(s); err != nil {
		complain(err)
		return 1
	}
	return 0
}

// report prints diagnostics to stderr, with the lines of the scripts that they
// are about.
func report(sources map[string][]byte, ds ...plan.Diagnostic) {
	if len(ds) == 0 {
		return
	}
	os.Stderr.WriteString(plan.Diagnostics(ds).Format(func(file string) []byte {
		if b, ok := sources[file]; ok {
			return b
		}
		return nil
	}, style(os.Stderr)))
}

// complain prints an error.
func complain(err error) { complainIn(nil, err) }

func complainIn(sources map[string][]byte, err error) {
	var ds plan.Diagnostics
	if !errors.As(err, &ds) {
		ds = plan.Diagnostics{{Msg: err.Error()}}
	}
	report(sources, ds...)
}

// scriptPrint is the script's print().
func scriptPrint(_ plan.Pos, msg string) { os.Stderr.WriteString(plan.Printable(msg) + "\n") }

// style returns how diagnostics are coloured on a file: not at all unless it is
// a terminal, and never with NO_COLOR.
func style(f *os.File) func(kind, text string) string {
	if !colored(f) {
		return nil
	}
	return func(kind, text string) string {
		switch kind {
		case "error":
			return "\x1b[1;31m" + text + "\x1b[0m"
		case "warning":
			return "\x1b[1;33m" + text + "\x1b[0m"
		case "mark":
			return "\x1b[1;32m" + text + "\x1b[0m"
		case "hint":
			return "\x1b[1;36m" + text + "\x1b[0m"
		}
		return text
	}
}
