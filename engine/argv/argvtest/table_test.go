//go:build linux

package argvtest

// Hand-picked lines, as they are written down.

import (
	"strings"
	"testing"
)

// table compares p's programs on each line, as each user.
func (p *pair) table(t *testing.T, list []line) {
	each(t, func(t *testing.T, w who) {
		s := newSite(t, w)
		for _, l := range list {
			name := strings.Join(l.args, " ")
			if l.name != "" {
				name = l.name
			}
			t.Run(name, func(t *testing.T) {
				if l.root && !w.root() {
					t.Skip("root's")
				}
				p.same(t, &l, s)
			})
		}
	})
}

// plain are the lines of a text.
func plain(text string) []line {
	var list []line
	for l := range strings.Lines(text) {
		if l = strings.TrimSpace(l); l != "" && l[0] != '#' {
			list = append(list, line{args: split(l)})
		}
	}
	return list
}

// with returns a line with inherited descriptors.
func with(args string, fds map[int]string) line { return line{args: split(args), fds: fds} }

// split splits words at blanks; "”" is an empty one, and % a blank in a word.
func split(s string) []string {
	list := strings.Fields(s)
	for i, w := range list {
		if w == "''" {
			w = ""
		}
		list[i] = strings.ReplaceAll(w, "%", " ")
	}
	return list
}
