package verbs

// How the faults of a command line are worded.

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"sbx/engine/plan"
)

// unknownVerb is the fault of a command line whose first word is none of verbs.
func unknownVerb(word string) error {
	hint := "sbx --help lists the verbs"
	if near := plan.Nearest(word, verbs[:]); near != "" {
		hint = fmt.Sprintf("did you mean %q?", "sbx "+near)
	} else if strings.HasSuffix(word, ".star") || word == "-" || isFile(word) {
		hint = fmt.Sprintf("did you mean %q?", "sbx exec "+word)
	}
	return misuse(fmt.Sprintf("unknown verb %q", word), hint)
}

func isFile(name string) bool {
	st, err := os.Stat(name)
	return err == nil && st.Mode().IsRegular()
}

// wording turns an error of kong's into a diagnostic.
// parts are the second words of the verb that were not read as such: a flag stands
// before the one there is.
func wording(verb string, known bool, args, parts []string, err error) error {
	help := "sbx --help"
	if known {
		help = "sbx " + verb + " --help"
	}
	d := plan.Diagnostic{Msg: err.Error(), Hint: help + " tells what there is"}
	msg, near, suggested := strings.Cut(err.Error(), ", did you mean ")
	if strings.HasPrefix(near, `"-`) && !strings.HasPrefix(near, `"--`) {
		suggested = false // one letter is like any other
	}
	if suggested {
		d.Hint = "did you mean " + near
	}
	flag, what, _ := strings.Cut(strings.TrimPrefix(msg, "--"), ": ")
	flag, _, _ = strings.Cut(flag, "=")
	switch {
	case strings.HasPrefix(msg, "unknown flag "):
		d.Msg = fmt.Sprintf("unknown flag %q", strings.TrimPrefix(msg, "unknown flag "))
		if !suggested && (verb == "exec" || verb == "plan") {
			d.Hint += "; flags of the command stand after --"
		}
		for _, a := range args {
			if slices.Contains(parts, a) {
				d.Hint = fmt.Sprintf("flags of %q stand after that", "sbx "+verb+" "+a)
				break
			}
		}
	case strings.HasPrefix(msg, `expected "<`):
		d.Msg = "an argument is missing: " + strings.Trim(strings.TrimPrefix(msg, "expected "), `"`)
	case strings.HasPrefix(msg, "unexpected argument "):
		d.Msg = fmt.Sprintf("unexpected argument %q", strings.TrimPrefix(msg, "unexpected argument "))
	case strings.HasPrefix(msg, "unexpected flag argument "):
		d.Msg = "a flag has a value that it does not take: " + strings.TrimPrefix(msg, "unexpected flag argument ")
	case strings.HasPrefix(what, "expected string value but got "), strings.HasPrefix(what, "missing value"):
		d.Msg = fmt.Sprintf("flag %q lacks its value", "--"+flag)
	case strings.HasPrefix(what, "bool value must be "):
		d.Msg = fmt.Sprintf("flag %q takes no value", "--"+flag)
	case strings.HasSuffix(msg, " can't be used together"):
		d.Msg = strings.TrimSuffix(msg, " can't be used together") + " exclude each other"
	}
	return plan.Diagnostics{d}
}

// couldNot words an error of the operating system: its paths quoted, the errno
// last.
func couldNot(err error) string {
	var p *os.PathError
	if errors.As(err, &p) {
		return fmt.Sprintf("%s %q: %v", p.Op, p.Path, p.Err)
	}
	return err.Error()
}
