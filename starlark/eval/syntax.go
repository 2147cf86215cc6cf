package eval

// Errors of the parser and the hints at what was meant, mostly what other languages
// write.

import (
	"strings"

	"go.starlark.net/syntax"

	"sbx/engine/plan"
)

// syntaxError words an error of the parser.
func syntaxError(e syntax.Error) plan.Diagnostic {
	return plan.Diagnostic{
		At:   plan.Origin{Pos: toPos(e.Pos)},
		Msg:  "syntax: " + e.Msg,
		Hint: syntaxHint(e.Msg),
	}
}

// syntaxHint returns the hint of the first row of syntaxHints that a message of the
// parser agrees with, "" if there is none.
func syntaxHint(msg string) string {
	for i := range syntaxHints {
		row := &syntaxHints[i]
		if strings.HasPrefix(msg, row.begin) && strings.HasSuffix(msg, row.end) {
			return row.hint
		}
	}
	return ""
}

// syntaxHints are rows of how a message of the parser begins and ends, and its hint.
var syntaxHints = [...]struct{ begin, end, hint string }{
	{begin: "got import,", hint: loadHint},
	{begin: "got from,", hint: loadHint},
	{begin: "got class,", hint: "there are no classes; struct() makes records"},
	{begin: "got try,", hint: exceptionHint},
	{begin: "got except,", hint: exceptionHint},
	{begin: "got raise,", hint: exceptionHint},
	{begin: "got finally,", hint: exceptionHint},
	{begin: "got with,", hint: "read() returns the content of a file"},
	{begin: "got is,", hint: "compare with =="},
	{begin: "got del,", hint: "Starlark has no del"},
	{begin: "got global,", hint: "Starlark has no global"},
	{begin: "got nonlocal,", hint: "Starlark has no nonlocal"},
	{begin: "got async,", hint: "Starlark has no async"},
	{begin: "got await,", hint: "Starlark has no await"},
	{begin: "got yield,", hint: "Starlark has no yield"},

	{begin: "got '&', want primary", hint: wordHint},
	{begin: "got '|', want primary", hint: wordHint},
	{begin: "unexpected input character '!'", hint: wordHint},
	{begin: "unexpected input character '?'", hint: "a choice is written: a if condition else b"},
	{begin: "unexpected input character '`'", hint: "scripts run no programs; strings are quoted by \" or '"},
	{begin: "unexpected input character '$'", hint: "the environment is host.env[\"NAME\"]; names are written without $"},
	{begin: "unexpected input character '“'", hint: quoteHint},
	{begin: "unexpected input character '‘'", hint: quoteHint},
	{begin: "unexpected input character '’'", hint: quoteHint},
	{begin: "unexpected newline in string", hint: "is the closing quote missing? \"\"\" quotes strings of several lines"},
	{begin: "unexpected EOF in string", hint: "is the closing quote missing?"},
	{begin: "invalid escape sequence", hint: escapeHint},
	{begin: "truncated escape sequence", hint: escapeHint},
	{begin: "unindent does not match", hint: blockHint},
	{begin: "got '//', want primary", hint: "comments begin with #"},
	{begin: "got '/', want primary", hint: "comments begin with #"},

	{begin: "got '{', want ':'", hint: "a block is indented, and has no braces"},
	{begin: "got if, want ':'", hint: "else if is written elif"},
	{begin: "got else, want primary", hint: ifHint},
	{begin: "got elif, want primary", hint: ifHint},
	{begin: "got indent,", hint: blockHint},
	{begin: "got ", end: ", want indent", hint: "a block is indented more than the line with the colon before it"},
	{begin: "got ':', want newline", hint: typeHint},
	{begin: "got ':', want ')'", hint: typeHint},
	{begin: "got '=',", hint: "== compares; a statement assigns once"},

	{begin: "got newline,", hint: missingHint},
	{begin: "got end of file,", hint: missingHint},
	{begin: "got outdent,", hint: missingHint},
	{begin: "got ')',", hint: bracketHint},
	{begin: "got ']',", hint: bracketHint},
	{begin: "got '}',", hint: bracketHint},
	{begin: "got string literal, want newline", hint: "calls have brackets; + joins strings; there are no f-strings: \"%s\" % x"},
	{begin: "got string literal,", hint: commaHint},
	{begin: "got int literal,", hint: commaHint},
	{begin: "got float literal,", hint: commaHint},
	{begin: "got identifier, want newline", hint: "is an operator missing before it? calls have brackets, and names need no declaration"},
	{begin: "got identifier, want ','", hint: openHint},
	{begin: "got identifier, want ']'", hint: openHint},
	{begin: "got identifier, want '}'", hint: openHint},
}

const (
	loadHint      = `other files are loaded by load("file.star", "name")`
	exceptionHint = "there are no exceptions; exists() and the like tell beforehand, fail() ends the script"
	wordHint      = "the operators are words: a and b, a or b, not a"
	escapeHint    = `a backslash itself is "\\", and strings like r"…" have no escapes`
	quoteHint     = `strings are quoted by " or '`
	ifHint        = "does the if above it have the same indentation?"
	blockHint     = "the lines of a block have the same indentation, and only blocks are indented"
	typeHint      = "names and arguments have no types here"
	missingHint   = "is a bracket, quote or colon missing before this?"
	bracketHint   = "is another bracket open before it, or something missing?"
	commaHint     = "is a comma missing before it?"
	openHint      = "is a bracket or comma missing before it?"
)
