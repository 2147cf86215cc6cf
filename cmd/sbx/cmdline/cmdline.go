// Package cmdline reads command lines by a grammar, with kong.
//
// It stands between the verbs and kong so that the verbs do not import that: what
// a package imports is initialised before it, and exec does without (package verbs).
package cmdline

import (
	"bytes"
	"slices"

	"github.com/alecthomas/kong"
)

// Line is a command line that is to be read.
type Line struct {
	kong   *kong.Kong
	text   bytes.Buffer
	helped bool
}

// New returns a reader for the grammar that flags points to: a struct with a field
// for each verb, and kong's tags. The program and its purpose are for its help.
func New(flags any, program, about string) (*Line, error) {
	l := &Line{}
	k, err := kong.New(flags, kong.Name(program), kong.Description(about),
		kong.Writers(&l.text, &l.text), kong.Exit(func(int) { l.helped = true }),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, NoExpandSubcommands: true, NoAppDescFormat: true, WrapUpperBound: 100}))
	l.kong = k
	return l, err
}

// verb returns the part of the grammar for a verb of one or more words, or nil.
func (l *Line) verb(words []string) *kong.Node {
	n := l.kong.Model.Node
	for _, w := range words {
		i := slices.IndexFunc(n.Children, func(c *kong.Node) bool { return c.Name == w })
		if i < 0 {
			return nil
		}
		n = n.Children[i]
	}
	return n
}

// Verbs returns the verbs that begin with these words, by their next one, and
// whether there is any such verb.
func (l *Line) Verbs(words ...string) ([]string, bool) {
	n := l.verb(words)
	if n == nil {
		return nil, false
	}
	var names []string
	for _, c := range n.Children {
		names = append(names, c.Name)
	}
	return names, true
}

// Words returns how many kinds of words a verb takes that are no flags.
func (l *Line) Words(verb ...string) int { return len(l.verb(verb).Positional) }

// Valued reports whether the word after a flag, --name or -n, of a verb is its value.
func (l *Line) Valued(flag string, verb ...string) bool {
	return slices.ContainsFunc(l.verb(verb).Flags, func(f *kong.Flag) bool {
		return (flag == "--"+f.Name || f.Short != 0 && flag == "-"+string(f.Short)) && !f.IsBool()
	})
}

// Parse reads the words into the grammar. Where they ask for help it returns that.
func (l *Line) Parse(args []string) (help string, helped bool, err error) {
	_, err = l.kong.Parse(args)
	return l.text.String(), l.helped, err
}
