package verbs

// All that sbx prints: results to stdout, talk to stderr.

import (
	"encoding/json"
	"errors"
	"os"

	"sbx/engine/plan"
)

// out writes a verb's result to stdout and returns the exit code. A reader that
// went away ends sbx by SIGPIPE, without a word.
func out(s string) int {
	if _, err := os.Stdout.WriteString(s); err != nil {
		complain(errors.New(couldNot(err)))
		return exitSetup
	}
	return 0
}

// talk writes to stderr.
func talk(s string) { os.Stderr.WriteString(s) }

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

func complainIn(sources map[string][]byte, err error) { report(sources, diagnostics(err)...) }

// diagnostics is an error in the form in which all faults are told.
func diagnostics(err error) plan.Diagnostics {
	var ds plan.Diagnostics
	if !errors.As(err, &ds) {
		ds = plan.Diagnostics{{Msg: err.Error()}}
	}
	return ds
}

// outJSON writes a verb's result for programs, and returns the exit code.
func outJSON(v any) int {
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		complain(err)
		return exitSetup
	}
	return out(string(b) + "\n")
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
		code := ""
		switch kind {
		case "error", "missing":
			code = "1;31"
		case "warning", "unknown":
			code = "1;33"
		case "mark", "ok":
			code = "1;32"
		case "hint":
			code = "1;36"
		case "strong":
			code = "1"
		case "dim":
			code = "2"
		case "op":
			code = "36"
		default:
			return text
		}
		return "\x1b[" + code + "m" + text + "\x1b[0m"
	}
}
