package verbs

// page: text for stdout, laid out for a reader.

import (
	"os"
	"strconv"
	"strings"
	"unicode/utf8"

	"sbx/engine/plan"
)

// page collects text for stdout.
type page struct {
	strings.Builder
	style func(kind, text string) string // nil: no colours
	width int                            // of the terminal; 0: there is none
}

func newPage() *page { return &page{style: style(os.Stdout), width: columns(os.Stdout)} }

func (p *page) add(parts ...string) {
	for _, s := range parts {
		p.WriteString(s)
	}
}

// in returns text in a style.
func (p *page) in(kind, text string) string {
	if p.style == nil || text == "" {
		return text
	}
	return p.style(kind, text)
}

// heading begins a section.
func (p *page) heading(text string) {
	if p.Len() > 0 {
		p.add("\n")
	}
	p.add(p.in("strong", text), "\n")
}

// cell is one piece of a row: its text and style.
type cell struct{ text, kind string }

// row is a line of a table: cells in columns, and a note at the right.
type row struct {
	cells []cell
	note  string
}

// maxColumn is the widest that one long cell makes its column; longer cells
// push what follows to the right.
const maxColumn = 48

// table adds rows whose cells stand below each other, and whose notes do.
func (p *page) table(rows []row) {
	var widths []int
	for _, r := range rows {
		for i, c := range r.cells {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			if n := length(c.text); n <= maxColumn {
				widths[i] = max(widths[i], n)
			}
		}
	}
	lines := make([]string, len(rows))
	lengths := make([]int, len(rows))
	body, notes := 0, 0
	for k, r := range rows {
		lines[k], lengths[k] = p.line(r.cells, widths)
		if lengths[k] <= 2*maxColumn {
			body = max(body, lengths[k])
		}
		notes = max(notes, length(r.note))
	}
	// On a terminal the notes end at its right edge, if there is room.
	if p.width > 0 {
		body = min(body, p.width-notes-2)
	}
	for k, r := range rows {
		p.add(lines[k])
		if r.note != "" {
			p.add(strings.Repeat(" ", max(body-lengths[k], 0)+2), p.in("dim", r.note))
		}
		p.add("\n")
	}
}

// line returns the cells of a row in their columns, and its length. What does
// not fit the terminal in the last column goes on in lines below.
func (p *page) line(cells []cell, widths []int) (string, int) {
	var b strings.Builder
	n, pad := 0, 2
	for i, c := range cells {
		if room := p.width - n - pad; i == len(widths)-1 && room >= 30 && length(c.text) > room {
			indent := "\n" + strings.Repeat(" ", n+pad)
			b.WriteString(strings.Repeat(" ", pad) + p.in(c.kind, strings.Join(fold(c.text, room), indent)))
			return b.String(), p.width
		}
		if c.text != "" {
			b.WriteString(strings.Repeat(" ", pad) + p.in(c.kind, c.text))
			n += pad + length(c.text)
			pad = 0
		}
		pad += max(widths[i]-length(c.text), 0) + 2
	}
	return b.String(), n
}

// wrap adds a text in lines as wide as the terminal, at most 100 columns.
func (p *page) wrap(indent, text string) {
	width := 80
	if p.width > 0 {
		width = min(p.width, 100)
	}
	for _, line := range fold(text, width-len(indent)) {
		p.add(indent, line, "\n")
	}
}

// fold breaks a text into lines between words.
func fold(text string, width int) []string { return foldWords(strings.Fields(text), width) }

// foldWords puts words into lines.
func foldWords(words []string, width int) []string {
	var lines []string
	for _, w := range words {
		if i := len(lines) - 1; i >= 0 && length(lines[i])+1+length(w) <= width {
			lines[i] += " " + w
		} else {
			lines = append(lines, w)
		}
	}
	return lines
}

func length(s string) int { return utf8.RuneCountInString(s) }

// count returns a number with its noun.
func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return strconv.Itoa(n) + " " + noun + "s"
}

// word returns a string as a shell takes it, and as a terminal shows it.
func word(s string) string {
	plain := s != ""
	for i := range len(s) {
		if c := s[i]; !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("_-./=:,+@%^~", c) >= 0) {
			plain = false
		}
	}
	switch {
	case plain && s[0] != '~':
		return s
	case plan.Printable(s) == s && !strings.Contains(s, "\t"):
		return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
	}
	var b strings.Builder
	b.WriteString("$'")
	for i := range len(s) {
		switch c := s[i]; {
		case c == '\'' || c == '\\':
			b.WriteByte('\\')
			b.WriteByte(c)
		case c == '\n':
			b.WriteString(`\n`)
		case c == '\t':
			b.WriteString(`\t`)
		case c < ' ' || c >= 0x7f:
			const hex = "0123456789abcdef"
			b.WriteString(`\x` + string(hex[c>>4]) + string(hex[c&15]))
		default:
			b.WriteByte(c)
		}
	}
	b.WriteByte('\'')
	return b.String()
}

// lineWord returns a string as a shell takes it, one that knows no $'…' too as long as
// no other control characters than line feeds and tabs are in it.
func lineWord(s string) string {
	if rest := strings.NewReplacer("\n", "", "\t", "").Replace(s); len(rest) < len(s) && plan.Printable(rest) == rest {
		return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
	}
	return word(s)
}

// pathText returns a path as a list shows it.
func pathText(s plan.Str) string { return clip(word(string(s)), 200) }

// clip keeps a text short.
func clip(s string, n int) string {
	if length(s) <= n {
		return s
	}
	r := []rune(s)
	return string(r[:n]) + "…"
}
