//go:build linux

package argvtest

// The comparison, and what is let pass in it.

import (
	"fmt"
	"maps"
	"reflect"
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

// compare returns what differs, sorted by key. Where only one of the commands
// could look, what it saw is of no interest.
func compare(theirs, ours observation) []difference {
	var list []difference
	keys := maps.Clone(theirs)
	maps.Copy(keys, ours)
	delete(keys, noteKey)
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		if theirs[""] != ours[""] && !always(key) {
			continue
		}
		if theirs[key] != ours[key] {
			list = append(list, difference{key, theirs[key], ours[key]})
		}
	}
	return list
}

// always tells whether a key is there with and without the command's own view.
func always(key string) bool {
	return key == "" || key == "exit" || key == "stdout" || key == "stderr" || strings.HasPrefix(key, "host ") || strings.HasPrefix(key, "written ")
}

// pair is a peer and what takes its place.
type pair struct {
	name         string
	theirs, ours program
	knows        func(option string) bool // whether the peer has the option
	deliberate   []deliberate
}

// both is a line, and what was seen of it.
type both struct {
	*line
	who
	theirs, ours observation
}

// theyFail tells whether only the peer makes no sandbox, with messages that have
// one of the texts in them. In ours there may be no observer.
func (b *both) theyFail(texts ...string) bool {
	return b.theirs[""] == "" && b.theirs["exit"] != "0" && (b.ours[""] != "" || b.ours["exit"] == "127") &&
		slices.ContainsFunc(texts, func(s string) bool { return strings.Contains(b.theirs[noteKey], s) })
}

// has tells whether one of the words is among those of the line.
func (b *both) has(words ...string) bool {
	return slices.ContainsFunc(words, func(w string) bool { return slices.Contains(b.args, w) })
}

// deliberate is a difference that is kept on purpose: it is in the package comment
// of the front end, with the reason.
type deliberate struct {
	reason string
	ok     func(b *both, d difference) bool
}

// differ runs both and returns what differs and is not deliberate.
func (p *pair) differ(t testing.TB, l *line, s *site) ([]difference, string) {
	t.Helper()
	b := &both{line: l, who: s.w}
	b.theirs = l.run(t, p.theirs, s)
	b.ours = l.run(t, p.ours, s)
	list := slices.DeleteFunc(compare(b.theirs, b.ours), func(d difference) bool {
		return slices.ContainsFunc(p.deliberate, func(k deliberate) bool { return k.ok(b, d) })
	})
	return list, fmt.Sprintf("their messages: %s\nour messages: %s", strings.TrimSpace(b.theirs[noteKey]), strings.TrimSpace(b.ours[noteKey]))
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
	caller := *l
	caller.args, caller.fds = nil, nil
	if !reflect.DeepEqual(caller, line{name: l.name}) {
		fmt.Fprintf(&b, " by a caller with %+v", caller)
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
