//go:build linux

package argvtest

// What sbx import prints makes the sandbox of the command line.

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"sbx/engine/enginetest/box"
)

// importPair is the front end cmd/name, and sbx exec with the script that sbx
// import makes of the same words.
func importPair(t testing.TB, name string, front func() (string, error)) *pair {
	t.Helper()
	theirs, err := front()
	box.Must(t, err)
	sbx, err := ourSbx()
	box.Must(t, err)
	wrapper := filepath.Join(box.Work, "import-"+name)
	text := "#!/bin/sh\n" + sbx + " import " + name + " -- \"$@\" | " + sbx + " exec -\n"
	box.Must(t, os.WriteFile(wrapper, []byte(text), 0o755))
	p := &pair{name: "sbx import " + name, theirs: program{argv: []string{theirs}, binder: []string{"--ro-bind"}},
		ours: program{argv: []string{wrapper}, binder: []string{"--ro-bind"}}, knows: func(string) bool { return true }}
	need(t, p)
	return p
}

// pipeline is what only the wrapper makes different.
func pipeline(d difference) bool {
	switch d.key {
	case "fd 0", "process", "process group", "parent-death signal", "pid", "ppid":
		return true
	case "environment":
		return d.theirs == shellPWD.ReplaceAllString(d.ours, "")
	}
	return false
}

var shellPWD = regexp.MustCompile(` "PWD=[^"]*"`)

var ourSbx = frontEnd("sbx")

// imported compares p's programs on some of those lines that make a sandbox. It
// leaves out those about what the wrapper changes, and those that mean something
// else on each host: what cannot be looked at, and what root has no need of.
func (p *pair) imported(t *testing.T, list []line) {
	each(t, func(t *testing.T, w who) {
		s := newSite(t, w)
		n := 0
		for i, l := range list {
			if i%5 != 0 && !testing.Verbose() || l.fds != nil || l.env != nil || l.tty || l.signal != 0 || l.umask != 0 || l.drop != nil || l.core != nil ||
				l.root && !w.root() || slices.ContainsFunc(l.args, func(a string) bool {
				return a == "--args" || a == "--close-fd" || a == "--debug" || a == "--suppress-chown" || strings.HasSuffix(a, "/closed/x") || strings.HasSuffix(a, "/loop") || strings.HasSuffix(a, "/up")
			}) {
				continue
			}
			theirs := l.run(t, p.theirs, s)
			if theirs[""] != "observed" {
				continue
			}
			n++
			ours := l.run(t, p.ours, s)
			report(t, &l, slices.DeleteFunc(compare(theirs, ours), pipeline), ours[noteKey])
		}
		t.Logf("%d command lines", n)
		if n < 20 {
			t.Error("too few")
		}
	})
}

func TestImportBwrap(t *testing.T) {
	t.Parallel()
	importPair(t, "bwrap", ourBwrap).imported(t, bwrapLines())
}

func TestImportMkosi(t *testing.T) {
	t.Parallel()
	importPair(t, "mkosi-sandbox", ourMkosi).imported(t, mkosiLines())
}
