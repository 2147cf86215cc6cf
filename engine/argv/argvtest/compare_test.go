//go:build linux

package argvtest

// The comparison, and what is let pass in it.

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
)

// difference is a key for which two observations differ.
type difference struct{ key, theirs, ours string }

func (d difference) String() string {
	return fmt.Sprintf("%s\n      theirs: %s\n      ours:   %s", d.key, orNothing(d.theirs), orNothing(d.ours))
}

func orNothing(s string) string {
	if s == "" {
		return "(nothing)"
	}
	return s
}

// compare returns what differs, sorted by key.
func compare(theirs, ours observation) []difference {
	var list []difference
	keys := maps.Clone(theirs)
	maps.Copy(keys, ours)
	delete(keys, noteKey)
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		if theirs[key] != ours[key] {
			list = append(list, difference{key, theirs[key], ours[key]})
		}
	}
	return list
}

// pair is a peer and what takes its place.
type pair struct {
	name         string
	theirs, ours program
	knows        func(option string) bool // whether the peer has the option
	deliberate   []deliberate
}

// deliberate is a difference that is kept on purpose: it is in the package comment
// of the front end, with the reason.
type deliberate struct {
	reason string
	ok     func(l *line, w who, d difference, theirs, ours observation) bool
}

// differ runs both and returns what differs and is not deliberate.
func (p *pair) differ(t testing.TB, l *line, s *site) ([]difference, string) {
	t.Helper()
	theirs := l.run(t, p.theirs, s)
	ours := l.run(t, p.ours, s)
	list := slices.DeleteFunc(compare(theirs, ours), func(d difference) bool {
		return slices.ContainsFunc(p.deliberate, func(k deliberate) bool { return k.ok(l, s.w, d, theirs, ours) })
	})
	return list, fmt.Sprintf("their messages: %s\nour messages: %s", strings.TrimSpace(theirs[noteKey]), strings.TrimSpace(ours[noteKey]))
}

// same fails the test where p's programs differ on l.
func (p *pair) same(t *testing.T, l *line, s *site) {
	t.Helper()
	if unknown := p.unknown(l); unknown != "" {
		t.Skipf("this %s does not know %s", p.name, unknown)
	}
	list, note := p.differ(t, l, s)
	report(t, l, list, note)
}

func report(t *testing.T, l *line, list []difference, note string) {
	t.Helper()
	if len(list) == 0 {
		return
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%q", l.args)
	if len(l.fds) > 0 {
		fmt.Fprintf(&b, " with %v", l.fds)
	}
	for i, d := range list {
		if i == 30 {
			fmt.Fprintf(&b, "\n  and %d more", len(list)-i)
			break
		}
		fmt.Fprintf(&b, "\n  %s", d)
	}
	t.Errorf("%s\n%s", &b, note)
}

// unknown returns an option of l that the peer does not have, or "".
func (p *pair) unknown(l *line) string {
	words := slices.Clone(l.args)
	for _, what := range l.fds {
		if args, ok := strings.CutPrefix(what, "args:"); ok {
			words = append(words, strings.Fields(args)...)
		}
	}
	for _, word := range words {
		if strings.HasPrefix(word, "--") && len(word) > 2 && !strings.Contains(word, "no-such") && !p.knows(word) {
			return word
		}
	}
	return ""
}
