// Package verbs is what sbx does: each verb, its grammar and what it prints.
//
// The plain forms of exec and run are performed by this package's initialiser. Go
// initialises packages in the order of their import paths, as far as imports allow
// (specification, "Package initialization"), so this one comes before kong, which it
// does not import, and before what kong needs (net/netip, by way of unique): they
// would take a twentieth of the time of a small sandbox.
package verbs

import (
	"os"
)

func init() {
	if len(os.Args) < 2 {
		return
	}
	if code, ok := plain(os.Args[1:]); ok {
		os.Exit(code)
	}
}

// plain performs the command lines that need no Reader, and reports whether this
// was one.
func plain(args []string) (code int, ok bool) {
	switch args[0] {
	case "exec":
		quitPlainly()
		if o, ok := parseExec(args[1:]); ok {
			return execVerb(o), true
		}
	case "run":
		quitPlainly()
		if o, ok := parseRun(args); ok {
			return runVerb(o), true
		}
	}
	return 0, false
}

// exit ends sbx from where Main does not come back to.
func exit(code int) { os.Exit(code) }

// Main performs a command line and returns the exit code.
func Main(args []string, r func(flags any, program, about string) (Reader, error)) int {
	if code, ok := server(args); ok {
		return code
	}
	reader = r
	return parse(args)
}

// reader makes a Reader for a grammar, a pointer to a struct with kong's tags.
var reader func(flags any, program, about string) (Reader, error)

// Reader reads the words of a command line into a grammar: cmdline.Line.
type Reader interface {
	// Verbs returns the verbs that begin with these words, by their next one, and
	// whether there is any such verb.
	Verbs(words ...string) ([]string, bool)
	// Words returns how many kinds of words a verb takes that are no flags.
	Words(verb ...string) int
	// Valued reports whether the word after a flag, --name or -n, of a verb is its value.
	Valued(flag string, verb ...string) bool
	// Parse reads the words into the grammar. Where they ask for help it returns that.
	Parse(args []string) (help string, helped bool, err error)
}
