package script

// call: one call as text.

import (
	"strings"
	"unicode/utf8"

	"go.starlark.net/syntax"

	"sbx/engine/plan"
)

// maxLine is the longest line that lists are kept in, in characters.
const maxLine = 100

// call is a call of a built-in.
type call struct {
	name string
	args []arg
}

// arg is an argument: one text, or the elements of a list.
type arg struct {
	keyword string
	text    string
	list    []string
	listed  bool
}

func newCall(name string) *call { return &call{name: name} }

func (c *call) add(keyword, text string) { c.args = append(c.args, arg{keyword: keyword, text: text}) }
func (c *call) str(s plan.Str)           { c.add("", quote(s)) }
func (c *call) keyword(name, text string) {
	c.add(name, text)
}

func (c *call) flag(name string, on bool) {
	if on {
		c.add(name, "True")
	}
}

func (c *call) list(keyword string, list []plan.Str) {
	a := arg{keyword: keyword, listed: true}
	for _, s := range list {
		a.list = append(a.list, quote(s))
	}
	c.args = append(c.args, a)
}

// data adds the content of a file: as it is, where it is a text of several lines.
func (c *call) data(s plan.Str) {
	text := string(s)
	if !strings.Contains(strings.TrimSuffix(text, "\n"), "\n") || !utf8.ValidString(text) {
		c.str(s)
		return
	}
	var b strings.Builder
	b.WriteString("\"\"\"\\\n")
	for i, r := range text {
		switch {
		case r == '\n' || r == '\t':
			b.WriteRune(r)
		case r == '"' && i+1 < len(text) && text[i+1] != '"':
			b.WriteByte('"')
		default:
			q := syntax.Quote(string(r), false)
			b.WriteString(q[1 : len(q)-1])
		}
	}
	b.WriteString(`"""`)
	c.add("", b.String())
}

// write writes the call in one line, or its lists with a line for each element.
func (c *call) write(b *strings.Builder) {
	line, lists := c.line()
	if !lists || length(line) <= maxLine {
		b.WriteString(line + "\n")
		return
	}
	const indent = "    "
	if len(c.args) == 1 && c.args[0].listed {
		b.WriteString(c.name + "(" + c.args[0].name())
		c.args[0].write(b, "")
		b.WriteString(")\n")
		return
	}
	b.WriteString(c.name + "(\n")
	for i := range c.args {
		a := &c.args[i]
		b.WriteString(indent + a.name())
		if line := a.line(); a.listed && length(indent+a.name()+line)+1 > maxLine {
			a.write(b, indent)
		} else {
			b.WriteString(line)
		}
		b.WriteString(",\n")
	}
	b.WriteString(")\n")
}

// line returns the call as one line, and whether there are lists in it that can
// be broken, or several arguments of one meaning.
func (c *call) line() (line string, lists bool) {
	var b strings.Builder
	b.WriteString(c.name + "(")
	plain := 0
	for i := range c.args {
		if i > 0 {
			b.WriteString(", ")
		}
		a := &c.args[i]
		b.WriteString(a.name() + a.line())
		lists = lists || a.listed
		if a.keyword == "" {
			plain++
		}
	}
	b.WriteString(")")
	return b.String(), lists || plain > 3
}

func (a *arg) name() string {
	if a.keyword == "" {
		return ""
	}
	return a.keyword + " = "
}

func (a *arg) line() string {
	if a.listed {
		return "[" + strings.Join(a.list, ", ") + "]"
	}
	return a.text
}

// write writes a list with a line for each element.
func (a *arg) write(b *strings.Builder, indent string) {
	b.WriteString("[\n")
	for _, e := range a.list {
		b.WriteString(indent + "    " + e + ",\n")
	}
	b.WriteString(indent + "]")
}

func length(s string) int { return utf8.RuneCountInString(s) }
