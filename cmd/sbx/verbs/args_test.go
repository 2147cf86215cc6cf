package verbs

import (
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"sbx/cmd/sbx/cmdline"
	"sbx/engine/plan"
)

func init() { // as main does
	reader = func(flags any, program, about string) (Reader, error) { return cmdline.New(flags, program, about) }
}

// TestParseExec compares the hand-written reading of exec's command line with
// kong's, on all short ones made of these words and on some longer ones.
func TestParseExec(t *testing.T) {
	words := []string{
		"--set", "--set=a=b", "--set==b", "--set=", "a=b", "=b", "--plan", "--plan=p", "--plan=", "--plan=-", "--debug", "--debug=true",
		"s", "cmd", "-", "--", "---", "-x", "-h", "--help", "--nope", "--debu", "",
	}
	var quick, slow int
	check := func(args []string) {
		t.Helper()
		o, ok := parseExec(args)
		if !ok {
			slow++
			if slow%10 > 0 {
				return // some are enough to see that kong does not fail badly
			}
		}
		c, err := readArgs(append([]string{"exec"}, args...))
		if !ok {
			var ds plan.Diagnostics
			if err != nil && (!errors.As(err, &ds) || len(ds) != 1 || ds[0].Msg == "") {
				t.Errorf("%q: %v", args, err)
			}
			return
		}
		quick++
		switch {
		case err != nil:
			t.Errorf("%q: kong: %v, parseExec: %+v", args, err, o)
		case c.help != "":
			t.Errorf("%q: kong prints help, parseExec: %+v", args, o)
		case c.target.script != o.script || c.target.plan != o.plan || c.flags.Exec.Debug != o.debug ||
			!slices.Equal(c.target.set, o.set) || !slices.Equal(c.target.command, o.command):
			t.Errorf("%q: kong: %+v, parseExec: %+v", args, c.target, o)
		}
	}
	check(nil)
	for _, a := range words {
		check([]string{a})
		for _, b := range words {
			check([]string{a, b})
		}
	}
	r := rand.New(rand.NewPCG(1, 2))
	for range 6000 {
		args := make([]string, 3+r.IntN(6))
		for i := range args {
			args[i] = words[r.IntN(len(words))]
		}
		check(args)
	}
	t.Logf("%d command lines read by parseExec, %d left to kong", quick, slow)
	if quick < 500 {
		t.Error("too few are read by parseExec")
	}
}

// TestPlainForms has the forms that the design shows read without kong.
func TestPlainForms(t *testing.T) {
	for _, c := range []struct {
		args string
		want execOptions
	}{
		{"", execOptions{}},
		{"x.star", execOptions{target: target{script: "x.star"}}},
		{"x.star -- make -j2", execOptions{target: target{script: "x.star", command: []string{"make", "-j2"}}}},
		{"x.star make -j2 -- x", execOptions{target: target{script: "x.star", command: []string{"make", "-j2", "--", "x"}}}},
		{"x.star --set a=b=c -- make", execOptions{target: target{script: "x.star", set: [][2]string{{"a", "b=c"}}, command: []string{"make"}}}},
		{"--set=a= --debug -- make", execOptions{target: target{set: [][2]string{{"a", ""}}, command: []string{"make"}}, debug: true}},
		{"--plan - make -j2", execOptions{target: target{plan: "-", command: []string{"make", "-j2"}}}},
		{"- cat", execOptions{target: target{script: "-", command: []string{"cat"}}}},
	} {
		o, ok := parseExec(strings.Fields(c.args))
		if !ok || o.script != c.want.script || o.plan != c.want.plan || o.debug != c.want.debug ||
			!slices.Equal(o.set, c.want.set) || !slices.Equal(o.command, c.want.command) {
			t.Errorf("%s: %+v, %v", c.args, o, ok)
		}
	}
}

// TestTargets has the verbs beside exec take the same words.
func TestTargets(t *testing.T) {
	for _, verb := range []string{"exec", "plan", "check"} {
		c, err := readArgs([]string{verb, "--set", "a=1", "x.star", "--set=b=2", "make", "--set", "--", "x"})
		if err != nil {
			t.Fatal(err)
		}
		if c.verb != verb || c.target.script != "x.star" || len(c.target.set) != 2 || !slices.Equal(c.target.command, []string{"make", "--set", "--", "x"}) {
			t.Errorf("%s: %+v", verb, c.target)
		}
	}
}

func TestNearest(t *testing.T) {
	for word, want := range map[string]string{
		"exce": "exec", "ecec": "exec", "plann": "plan", "chekc": "check", "docter": "doctor", "hepl": "help", "xyzzy": "", "rnu": "run", "": "",
	} {
		if got := plan.Nearest(word, verbs[:]); got != want {
			t.Errorf("%q: %q, want %q", word, got, want)
		}
	}
}

func TestWord(t *testing.T) {
	for s, want := range map[string]string{
		"a/b-c.d=e": "a/b-c.d=e", "": "''", "a b": "'a b'", "it's": `'it'\''s'`, "$x": "'$x'", "~/x": "'~/x'",
		"a\nb'\\": `$'a\nb\'\\'`, "\x1b[31m\xff": `$'\x1b[31m\xff'`, "\u202e": `$'\xe2\x80\xae'`, "naïve": "'naïve'",
	} {
		if got := word(s); got != want {
			t.Errorf("%q: %s, want %s", s, got, want)
		}
	}
}

// TestOddWords has words that are not UTF-8 come through kong as they are.
func TestOddWords(t *testing.T) {
	const odd = "a\xff\xc3/ü\xf4\x90\x80\x80b"
	c, err := readArgs([]string{"trust", "--yes", odd})
	if err != nil || c.flags.Trust.Project == nil || *c.flags.Trust.Project != odd {
		t.Errorf("%+v %v", c, err)
	}
	if c, err = readArgs([]string{"exec", "--plan=" + odd, "--", odd}); err != nil || c.target.plan != odd || len(c.target.command) != 1 || c.target.command[0] != odd {
		t.Errorf("%+v %v", c, err)
	}
	if _, err = readArgs([]string{"trust", "x", odd}); err == nil || !strings.Contains(err.Error(), `"a\xff\xc3/`) {
		t.Error(err)
	}
}
