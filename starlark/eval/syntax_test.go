package eval

import (
	"errors"
	"strings"
	"testing"

	"go.starlark.net/syntax"
)

// TestSyntaxHints has the parser refuse what people write who know other languages,
// and wants a hint at each. All rows of the table are to be met, so that one that
// the parser's words no longer fit is seen.
func TestSyntaxHints(t *testing.T) {
	t.Parallel()
	met := make(map[string]bool)
	for _, test := range []struct{ src, hint string }{
		{"import os", loadHint},
		{"from os import path", loadHint},
		{"class A: pass", "struct()"},
		{"try: pass", exceptionHint},
		{"except: pass", exceptionHint},
		{"raise 1", exceptionHint},
		{"finally: pass", exceptionHint},
		{"with open('f') as f: pass", "read()"},
		{"x = is y", "compare with =="},
		{"del x", "no del"},
		{"global x", "no global"},
		{"nonlocal x", "no nonlocal"},
		{"async def f(): pass", "no async"},
		{"await f()", "no await"},
		{"yield 1", "no yield"},
		{"x = a && b", wordHint},
		{"x = a || b", wordHint},
		{"x = !a", wordHint},
		{"x = a ? b : c", "a if condition else b"},
		{"x = `ls`", "run no programs"},
		{"x = $HOME", "host.env"},
		{"bind(“/usr”)", quoteHint},
		{"bind(‘/usr’)", quoteHint},
		{"bind(’/usr’)", quoteHint},
		{"x = 'a\nb'", `"""`},
		{"x = '''a", "closing quote"},
		{`x = "\d"`, escapeHint},
		{`x = "\x"`, escapeHint},
		{"if a:\n    b()\n  c()", blockHint},
		{"// a comment", "begin with #"},
		{"/* a comment */", "begin with #"},
		{"for x in y {\n}", "no braces"},
		{"if a: b()\nelse if c: d()", "elif"},
		{"  else: pass", blockHint},
		{"else: pass", ifHint},
		{"elif a: pass", ifHint},
		{"for x in y:\nf()", "is indented more"},
		{"x: str = 'a'", typeHint},
		{"def f(x: str): pass", typeHint},
		{"if a = b: pass", "== compares"},
		{"x = (1 +\n", missingHint},
		{"def f(x)\n  pass", missingHint},
		{"for x in y:\n  f(x\n", missingHint},
		{"x = [1, 2)", bracketHint},
		{"f(a]", bracketHint},
		{"f(a}", bracketHint},
		{`bind "/usr"`, "calls have brackets"},
		{`x = f"{y}"`, "no f-strings"},
		{`x = ["a" "b"]`, commaHint},
		{"x = [a 1]", commaHint},
		{"x = [a 1.5]", commaHint},
		{"let x = 1", "no declaration"},
		{"f(a b)", openHint},
		{"x = [a b]", openHint},
		{"x = {'a': b c}", openHint},
	} {
		_, err := fileOptions.Parse("x.star", test.src, 0)
		var fault syntax.Error
		if !errors.As(err, &fault) {
			t.Errorf("%q: %v", test.src, err)
			continue
		}
		got := syntaxHint(fault.Msg)
		if got == "" || !strings.Contains(got, test.hint) {
			t.Errorf("%q: %s: hint %q, want %q", test.src, fault.Msg, got, test.hint)
		}
		for _, row := range syntaxHints {
			if strings.HasPrefix(fault.Msg, row.begin) && strings.HasSuffix(fault.Msg, row.end) {
				met[row.begin+row.end] = true
				break
			}
		}
	}
	for _, row := range syntaxHints {
		if !met[row.begin+row.end] {
			t.Errorf("no source meets %q … %q", row.begin, row.end)
		}
	}
}
