package plan

// Diagnostic: the one form in which every stage reports a fault.

import (
	"bytes"
	"cmp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"unicode/utf8"
)

// Severity is how bad a diagnostic is.
type Severity uint8

// The severities. Only errors stop a run.
const (
	Error Severity = iota
	Warning
)

// String returns "error" or "warning".
func (s Severity) String() string {
	if s == Warning {
		return "warning"
	}
	return "error"
}

// MarshalText implements encoding.TextMarshaler.
func (s Severity) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// What is the part of an operation that a diagnostic is about.
type What string

// The parts.
const (
	WhatSource    What = "source"    // it cannot be found
	WhatParents   What = "parents"   // a directory on the way to the destination cannot be made
	WhatPoint     What = "point"     // the destination cannot be made, or is of another kind
	WhatConflict  What = "conflict"  // of a symlink: something else is there
	WhatNoMount   What = "no mount"  // nothing is mounted there
	WhatDirectory What = "directory" // the working directory cannot be entered
	WhatTarget    What = "target"    // of a symlink: it is none
	WhatCommand   What = "command"   // it has no name
	WhatOverlap   What = "overlap"   // of an overlay: a layer is, or lies within, another
)

// UnmarshalText implements encoding.TextUnmarshaler.
func (s *Severity) UnmarshalText(b []byte) error {
	*s = Error
	if string(b) == Warning.String() {
		*s = Warning
	}
	return nil
}

// Diagnostic is one fault: where it is, what it is and what to do about it.
type Diagnostic struct {
	Severity Severity `json:"severity"`
	At       Origin   `json:"at,omitzero"`
	Op       string   `json:"op,omitempty"`   // name of the built-in, where one is concerned
	Msg      string   `json:"message"`        // lower case, operands quoted, errno last
	Hint     string   `json:"hint,omitempty"` // one way out, or empty

	// What, Path and Errno are for those who word it otherwise: which part of the
	// operation is at fault, and the errno of the call that would tell; or empty.
	What  What          `json:"-"`
	Path  string        `json:"-"` // the source, or the target of the symlink that is there
	Errno syscall.Errno `json:"-"`
}

// Error returns the first line of the diagnostic.
func (d Diagnostic) Error() string {
	var b strings.Builder
	if d.At.Pos != (Pos{}) {
		b.WriteString(d.At.Pos.String())
	} else {
		b.WriteString("sbx")
	}
	b.WriteString(": ")
	b.WriteString(d.Severity.String())
	b.WriteString(": ")
	if d.Op != "" {
		b.WriteString(d.Op)
		b.WriteString(": ")
	}
	b.WriteString(d.Msg)
	return b.String()
}

// Diagnostics is a list of faults. It is an error where at least one is.
type Diagnostics []Diagnostic

// Error returns the first lines of all, one a line.
func (ds Diagnostics) Error() string {
	var b strings.Builder
	for i, d := range ds {
		if i > 0 {
			b.WriteByte('\n')
		}
		b.WriteString(d.Error())
	}
	return b.String()
}

// HasErrors reports whether any is an error and not a mere warning.
func (ds Diagnostics) HasErrors() bool {
	return slices.ContainsFunc(ds, func(d Diagnostic) bool { return d.Severity == Error })
}

// Err returns ds where it holds an error, and nil where it does not.
func (ds Diagnostics) Err() error {
	if ds.HasErrors() {
		return ds
	}
	return nil
}

// Sort orders by file, line and column, keeping the order of equal ones; those
// without a position come last.
func (ds Diagnostics) Sort() {
	slices.SortStableFunc(ds, func(a, b Diagnostic) int {
		p, q := a.At.Pos, b.At.Pos
		switch {
		case p == q:
			return 0
		case p == (Pos{}):
			return 1
		case q == (Pos{}):
			return -1
		}
		return cmp.Or(cmp.Compare(p.File, q.File), cmp.Compare(p.Line, q.Line), cmp.Compare(p.Col, q.Col))
	})
}

// Format returns the diagnostics as a person reads them: the fault, the line of
// the script with a mark under it, the hint, and the calls that led there.
// source returns the text of a script, or nil; style, where not nil, colours
// a piece ("error", "warning", "mark", "hint").
func (ds Diagnostics) Format(source func(file string) []byte, style func(kind, text string) string) string {
	if style == nil {
		style = func(_, text string) string { return text }
	}
	var b strings.Builder
	t := texts{source: source}
	for _, d := range ds {
		d.format(&b, &t, style)
	}
	return b.String()
}

func (d Diagnostic) format(b *strings.Builder, t *texts, style func(kind, text string) string) {
	if p := d.At.Pos; p != (Pos{}) {
		b.WriteString(Printable(p.String()))
	} else {
		b.WriteString("sbx")
	}
	b.WriteString(": " + style(d.Severity.String(), d.Severity.String()+":") + " ")
	if d.Op != "" {
		b.WriteString(Printable(d.Op) + ": ")
	}
	b.WriteString(Printable(d.Msg) + "\n")
	if line, ok := t.line(d.At.Pos); ok {
		num := strconv.Itoa(int(d.At.Pos.Line))
		pad := strings.Repeat(" ", len(num))
		b.WriteString("  " + num + " | " + line + "\n")
		b.WriteString("  " + pad + " | " + blank(line, int(d.At.Pos.Col)-1) + style("mark", "^") + "\n")
	}
	if d.Hint != "" {
		b.WriteString("  " + style("hint", "hint:") + " " + Printable(d.Hint) + "\n")
	}
	for _, f := range d.At.Stack {
		b.WriteString("  called from " + Printable(f.Pos.String()))
		if f.Func != "" {
			b.WriteString(" in " + Printable(f.Func))
		}
		b.WriteString("\n")
	}
}

const maxShown = 160 // columns of a source line that are shown

// texts are the scripts that diagnostics show lines of.
type texts struct {
	source func(file string) []byte
	starts map[string][]int // where the lines of each begin
}

// line returns the line of a position, as far as it is shown.
func (t *texts) line(p Pos) (string, bool) {
	if t.source == nil || p.Line < 1 || p.Col > maxShown {
		return "", false
	}
	b := t.source(p.File)
	starts, ok := t.starts[p.File]
	if !ok {
		starts = []int{0}
		for i, c := range b {
			if c == '\n' {
				starts = append(starts, i+1)
			}
		}
		if t.starts == nil {
			t.starts = map[string][]int{}
		}
		t.starts[p.File] = starts
	}
	if int(p.Line) > len(starts) {
		return "", false
	}
	b = b[starts[p.Line-1]:]
	if len(b) > utf8.UTFMax*(maxShown+1) {
		b = b[:utf8.UTFMax*(maxShown+1)] // more than is shown
	}
	if i := bytes.IndexByte(b, '\n'); i >= 0 {
		b = b[:i]
	}
	text := Printable(strings.TrimRight(string(b), "\r"))
	if text == "" || utf8.RuneCountInString(text) < int(p.Col)-1 {
		return "", false
	}
	if r := []rune(text); len(r) > maxShown {
		text = string(r[:maxShown]) + "…"
	}
	return text, true
}

// blank returns white space as wide as the first n characters of line.
func blank(line string, n int) string {
	var b strings.Builder
	for _, r := range line {
		if n--; n < 0 {
			break
		}
		if r == '\t' {
			b.WriteByte('\t')
		} else {
			b.WriteByte(' ')
		}
	}
	return b.String()
}

// Printable returns s with the characters that could drive a terminal replaced
// by visible escapes. Scripts and paths may come from anyone.
func Printable(s string) string {
	clean := true
	for _, r := range s {
		if r < ' ' && r != '\t' || r == 0x7f || r >= 0x80 && r < 0xa0 || r == utf8.RuneError || isBidi(r) {
			clean = false
			break
		}
	}
	if clean {
		return s
	}
	var b strings.Builder
	for i, r := range s {
		switch {
		case r == utf8.RuneError:
			_, n := utf8.DecodeRuneInString(s[i:])
			if n == 1 {
				b.WriteString(`\x` + hexDigits(uint32(s[i]), 2))
			} else {
				b.WriteRune(r)
			}
		case r == '\n':
			b.WriteString(`\n`)
		case r < ' ' && r != '\t' || r == 0x7f || r >= 0x80 && r < 0xa0:
			b.WriteString(`\x` + hexDigits(uint32(r), 2))
		case isBidi(r):
			b.WriteString(`\u` + hexDigits(uint32(r), 4))
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// isBidi reports the invisible characters that reorder text on a screen.
func isBidi(r rune) bool {
	return r >= 0x200e && r <= 0x200f || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069
}

func hexDigits(v uint32, n int) string {
	s := strconv.FormatUint(uint64(v), 16)
	return strings.Repeat("0", max(0, n-len(s))) + s
}
