package project

// YAML: as much of it as a flat configuration takes, one mapping of names to
// strings and lists of strings. All else is refused, never guessed at.

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"sbx/engine/plan"
)

// entry is one key of the mapping with its value.
type entry struct {
	key    string
	at     plan.Pos
	list   bool // in brackets, or of lines that begin with "-"
	whole  bool // the value stands on the key's line
	values []scalar
}

// scalar is one value.
type scalar struct {
	text string
	kind string // "a number", "a bool" or "null" where it is no string
	at   plan.Pos
}

// yamlReader goes through the lines of a text.
type yamlReader struct {
	file  string
	line  int32
	diags plan.Diagnostics
}

// readYAML reads a mapping.
func readYAML(file string, text []byte) ([]entry, plan.Diagnostics) {
	r := &yamlReader{file: file}
	if !utf8.Valid(text) {
		return nil, plan.Diagnostics{{Msg: fmt.Sprintf("%q is not valid UTF-8", file)}}
	}
	var entries []entry
	lines := strings.Split(strings.TrimPrefix(string(text), "\ufeff"), "\n")
	started := false
	for i, line := range lines {
		r.line = int32(i) + 1
		line = strings.TrimRight(line, "\r")
		rest := strings.TrimLeft(line, " ")
		indent := len(line) - len(rest)
		switch {
		case rest == "" || rest[0] == '#':
			continue
		case strings.ContainsRune(line, '\t') && strings.TrimLeft(line, " \t") != rest:
			r.fault(indent, "", "a line is indented by a tab, which YAML does not allow")
			continue
		case strings.TrimSpace(line) == "---" && !started && entries == nil:
			started = true
			continue
		case strings.TrimSpace(line) == "...":
			for j := i + 1; j < len(lines); j++ {
				if s := strings.TrimSpace(lines[j]); s != "" && s[0] != '#' {
					r.line = int32(j) + 1
					r.fault(0, "", "something follows the end of the document")
					break
				}
			}
			return entries, r.diags
		case rest == "-" || strings.HasPrefix(rest, "- "):
			if len(entries) == 0 || entries[len(entries)-1].whole {
				r.fault(indent, "", "an element of a list stands where there is none")
				continue
			}
			e := &entries[len(entries)-1]
			item := strings.TrimLeft(rest[1:], " ")
			col := len(line) - len(item)
			if v, ok := r.scalar(item, col, ""); ok {
				e.list, e.values = true, append(e.values, v)
			}
			continue
		case indent > 0:
			r.fault(indent, "", "a line is indented that is no element of a list")
			continue
		}
		key, at, rest, ok := r.key(line)
		if !ok {
			continue
		}
		e := entry{key: key, at: at}
		col := len(line) - len(rest)
		if value := strings.TrimSpace(rest); value != "" && value[0] != '#' {
			e.whole = true
			if value[0] == '[' {
				e.list = true
				e.values = r.flow(rest, col)
			} else if v, ok := r.scalar(rest, col, ""); ok && v.kind != "null" {
				e.values = []scalar{v}
			}
		}
		entries = append(entries, e)
	}
	return entries, r.diags
}

func (r *yamlReader) at(col int) plan.Pos {
	return plan.Pos{File: r.file, Line: r.line, Col: int32(col) + 1}
}

func (r *yamlReader) fault(col int, hint, format string, args ...any) {
	r.diags = append(r.diags, plan.Diagnostic{At: plan.Origin{Pos: r.at(col)}, Msg: fmt.Sprintf(format, args...), Hint: hint})
}

// key reads "KEY:" and returns what follows it, without white space before.
func (r *yamlReader) key(line string) (key string, at plan.Pos, rest string, ok bool) {
	if q := line[0]; q == '"' || q == '\'' {
		text, n, ok := r.quoted(line, 0)
		after := ""
		if ok {
			after = strings.TrimLeft(line[n:], " ")
		}
		if !ok || !strings.HasPrefix(after, ":") {
			if ok {
				r.fault(0, "", "a line is no \"name: value\"")
			}
			return "", plan.Pos{}, "", false
		}
		return text, r.at(0), strings.TrimLeft(after[1:], " "), true
	}
	i := strings.Index(line+" ", ": ")
	if i <= 0 || strings.IndexByte("[]{}&*!|>%@`?,-", line[0]) >= 0 || strings.Contains(line[:i], " #") {
		r.fault(0, "", "a line is no \"name: value\"")
		return "", plan.Pos{}, "", false
	}
	return strings.TrimSpace(line[:i]), r.at(0), strings.TrimLeft(line[i+1:], " "), true
}

// scalar reads one value that ends the line, or in a list in brackets at one of
// the bytes of stop.
func (r *yamlReader) scalar(s string, col int, stop string) (scalar, bool) {
	v, n, ok := r.value(s, col, stop)
	if !ok {
		return v, false
	}
	if rest := strings.TrimLeft(s[n:], " "); rest != "" && (rest[0] != '#' || n == len(s)-len(rest)) {
		r.fault(col+n, "", "something follows a value: %q", rest)
		return v, false
	}
	return v, true
}

// value reads one value and returns where it ends.
func (r *yamlReader) value(s string, col int, stop string) (scalar, int, bool) {
	v := scalar{at: r.at(col)}
	switch {
	case s == "" || s[0] == '#':
		v.kind = "null"
		return v, 0, true
	case s[0] == '"' || s[0] == '\'':
		text, n, ok := r.quoted(s, col)
		v.text = text
		return v, n, ok
	case strings.IndexByte("[]{}&*!|>%@`", s[0]) >= 0, s == "-", s == "?", strings.HasPrefix(s, "- "), strings.HasPrefix(s, "? "):
		r.fault(col, "only strings and lists of strings are understood; put a string that begins so in quotes", "cannot make sense of %q", s)
		return v, 0, false
	}
	n := len(s)
	for i := range len(s) {
		if s[i] == '#' && i > 0 && s[i-1] == ' ' || strings.IndexByte(stop, s[i]) >= 0 {
			n = i
			break
		}
		if s[i] == ':' && (i+1 == len(s) || s[i+1] == ' ') {
			r.fault(col+i, "put a string with a colon in quotes", "a mapping stands where a string is wanted")
			return v, 0, false
		}
	}
	v.text = strings.TrimRight(s[:n], " ")
	v.kind = plainKind(v.text)
	return v, len(v.text), true
}

// plainKind returns what YAML takes a plain scalar for where that is no string.
func plainKind(s string) string {
	switch strings.ToLower(s) {
	case "", "~", "null":
		return "null"
	case "true", "false", "yes", "no", "on", "off":
		return "a bool" // some of them only to older readers
	}
	if _, err := strconv.ParseFloat(s, 64); err == nil {
		return "a number"
	}
	if _, err := strconv.ParseInt(s, 0, 64); err == nil {
		return "a number"
	}
	return ""
}

// quoted reads a string in quotes and returns where it ends.
func (r *yamlReader) quoted(s string, col int) (string, int, bool) {
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		switch c := s[i]; {
		case c == s[0] && c == '\'' && i+1 < len(s) && s[i+1] == '\'':
			b.WriteByte(c)
			i++
		case c == s[0]:
			return b.String(), i + 1, true
		case c == '\\' && s[0] == '"':
			text, n := unescape(s[i:])
			if n == 0 {
				r.fault(col+i, "", "an escape is not understood: %q", s[i:min(len(s), i+4)])
				return "", 0, false
			}
			b.WriteString(text)
			i += n - 1
		default:
			b.WriteByte(c)
		}
	}
	r.fault(col, "a string stands on one line", "a quote is not closed")
	return "", 0, false
}

// unescape returns the text of the escape that s begins with, and its length.
func unescape(s string) (string, int) {
	if len(s) < 2 {
		return "", 0
	}
	switch s[1] {
	case 'n':
		return "\n", 2
	case 't':
		return "\t", 2
	case 'r':
		return "\r", 2
	case 'e':
		return "\x1b", 2
	case '"', '\\', '/', ' ':
		return s[1:2], 2
	}
	if n := map[byte]int{'x': 2, 'u': 4, 'U': 8}[s[1]]; n > 0 && len(s) >= 2+n {
		if v, err := strconv.ParseUint(s[2:2+n], 16, 32); err == nil && utf8.ValidRune(rune(v)) {
			return string(rune(v)), 2 + n
		}
	}
	return "", 0
}

// flow reads a list in brackets, which ends its line.
func (r *yamlReader) flow(s string, col int) []scalar {
	values := []scalar{}
	i := 1
	skip := func() {
		for i < len(s) && s[i] == ' ' {
			i++
		}
	}
	for {
		skip()
		if i < len(s) && s[i] == ']' {
			break
		}
		if i == len(s) {
			r.fault(col, "a list in brackets stands on one line; else write one element a line, after \"- \"", "a bracket is not closed")
			return values
		}
		v, n, ok := r.value(s[i:], col+i, ",]")
		if !ok {
			return values
		}
		if n == 0 {
			r.fault(col+i, "", "an element is empty")
			return values
		}
		values = append(values, v)
		i += n
		skip()
		if i < len(s) && s[i] == ',' {
			i++
		} else if i < len(s) && s[i] != ']' {
			r.fault(col+i, "", "a comma or bracket is missing")
			return values
		}
	}
	if rest := strings.TrimLeft(s[i+1:], " "); rest != "" && (rest[0] != '#' || rest == s[i+1:]) {
		r.fault(col+i+1, "", "something follows a value: %q", rest)
	}
	return values
}
