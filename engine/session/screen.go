package session

// What a client's terminal has to be told when it comes and goes: the modes that
// programs have set, and the last of what they printed.

import (
	"bytes"
	"slices"
	"strconv"
)

// parser follows escape sequences, ECMA-48, a byte at a time.
type parser struct {
	state  uint8
	mark   byte   // private marker of a control sequence: ? > < =
	inter  byte   // last intermediate byte
	params []byte // of a control sequence, or the start of a string
	intro  byte   // what began a string: ] P _ ^ X
}

const (
	ground uint8 = iota
	escape
	csi // control sequence: ESC [
	str
	strEscape
)

// event is what a byte completes.
type event uint8

const (
	inside  event = iota // of a sequence
	plain                // text, or a control character
	escEnd               // a short escape sequence, of which the byte is the end
	csiEnd               // a control sequence
	strEnd               // a string
	aborted              // the sequence before it is none; the byte counts for nothing, too
)

const maxParams = 128

func (p *parser) step(c byte) event {
	switch {
	case c == 0x18 || c == 0x1a: // CAN, SUB
		if p.state == ground {
			return plain
		}
		p.state = ground
		return aborted
	case c == 0x1b && p.state != str && p.state != strEscape:
		p.state, p.mark, p.inter, p.params = escape, 0, 0, p.params[:0]
		return inside
	}
	switch p.state {
	case escape:
		switch {
		case c == '[':
			p.state = csi
		case c == ']' || c == 'P' || c == '_' || c == '^' || c == 'X':
			p.state, p.intro = str, c
		case c >= 0x20 && c < 0x30:
			p.inter = c
		case c >= 0x30 && c < 0x7f:
			p.state = ground
			return escEnd
		}
		return inside
	case csi:
		switch {
		case c >= 0x40 && c < 0x7f:
			p.state = ground
			return csiEnd
		case c >= 0x3c && c <= 0x3f && len(p.params) == 0:
			p.mark = c
		case c >= 0x30 && c < 0x40 && len(p.params) < maxParams:
			p.params = append(p.params, c)
		case c >= 0x20 && c < 0x30:
			p.inter = c
		}
		return inside
	case str:
		switch {
		case c == 0x1b:
			p.state = strEscape
		case c == 0x07 && p.intro == ']':
			p.state = ground
			return strEnd
		case len(p.params) < maxParams:
			p.params = append(p.params, c)
		}
		return inside
	case strEscape:
		if c == '\\' {
			p.state = ground
			return strEnd
		}
		// Not its end: something else begins.
		p.state, p.mark, p.inter, p.params = escape, 0, 0, p.params[:0]
		return p.step(c)
	}
	return plain
}

// number returns the first parameter, and whether there is one.
func (p *parser) number() int {
	head, _, _ := bytes.Cut(p.params, []byte(";"))
	n, err := strconv.Atoi(string(head))
	if err != nil {
		return -1
	}
	return n
}

// Private modes that a program may leave set, as in "CSI ? 1049 h". Those of the
// second list are set in a new terminal.
var (
	offModes = []int{1, 9, 47, 1000, 1002, 1003, 1004, 1005, 1006, 1007, 1015, 1016, 1047, 1049, 2004, 2026, 2031, 2048}
	onModes  = []int{7, 25}
)

// modes knows the state of a terminal, as far as it must be put right.
type modes struct {
	parser
	changed map[int]bool // private modes that are not as in a new terminal
	kitty   []int        // flags that were pushed, of the keyboard protocol of kitty
	keys    string       // parameters of modifyOtherKeys, xterm's
	cursor  int          // its style
	keypad  bool         // application mode
	colored bool         // graphic rendition is perhaps not the default one
}

func (m *modes) feed(b []byte) {
	for _, c := range b {
		switch m.step(c) {
		case escEnd:
			m.escape(c)
		case csiEnd:
			m.control(c)
		}
	}
}

func (m *modes) escape(c byte) {
	if m.inter != 0 {
		return
	}
	switch c {
	case '=', '>':
		m.keypad = c == '='
	case 'c':
		m.reset()
	}
}

func (m *modes) reset() { *m = modes{parser: m.parser} }

func (m *modes) control(c byte) {
	switch {
	case m.mark == '?' && m.inter == 0 && (c == 'h' || c == 'l'):
		for p := range bytes.SplitSeq(m.params, []byte(";")) {
			n, err := strconv.Atoi(string(p))
			if err != nil {
				continue
			}
			on := slices.Contains(onModes, n)
			if !on && !slices.Contains(offModes, n) {
				continue
			}
			if m.changed == nil {
				m.changed = map[int]bool{}
			}
			if (c == 'h') != on {
				m.changed[n] = true
			} else {
				delete(m.changed, n)
			}
		}
	case m.mark == '>' && c == 'u':
		if len(m.kitty) < 16 {
			m.kitty = append(m.kitty, max(0, m.number()))
		}
	case m.mark == '<' && c == 'u':
		m.kitty = m.kitty[:max(0, len(m.kitty)-max(1, m.number()))]
	case m.mark == '>' && c == 'm' && m.number() == 4:
		m.keys = string(m.params)
		if m.keys == "4" || m.keys == "4;" || m.keys == "4;0" {
			m.keys = ""
		}
	case m.mark == 0 && m.inter == ' ' && c == 'q':
		m.cursor = max(0, m.number())
	case m.mark == 0 && m.inter == 0 && c == 'm':
		m.colored = len(m.params) > 0 && string(m.params) != "0"
	case m.inter == '!' && c == 'p':
		m.reset()
	}
}

func private(b []byte, n int, final byte) []byte {
	return append(strconv.AppendInt(append(b, "\x1b[?"...), int64(n), 10), final)
}

// alternate screens.
var screens = []int{47, 1047, 1049}

// enter returns what brings a new terminal into this state.
func (m *modes) enter() []byte {
	var b []byte
	for _, n := range append(screens[:len(screens):len(screens)], m.sorted()...) { // the screen first
		if !m.changed[n] || len(b) > 0 && slices.Contains(screens, n) {
			continue
		}
		final := byte('h')
		if slices.Contains(onModes, n) {
			final = 'l'
		}
		b = private(b, n, final)
	}
	for _, flags := range m.kitty {
		b = append(strconv.AppendInt(append(b, "\x1b[>"...), int64(flags), 10), 'u')
	}
	if m.keys != "" {
		b = append(b, "\x1b[>"+m.keys+"m"...)
	}
	if m.cursor != 0 {
		b = append(strconv.AppendInt(append(b, "\x1b["...), int64(m.cursor), 10), " q"...)
	}
	if m.keypad {
		b = append(b, "\x1b="...)
	}
	return b
}

// leave returns what makes the terminal again what it was before.
func (m *modes) leave() []byte {
	var b []byte
	if m.state != ground { // in the midst of a sequence
		b = append(b, 0x18)
	}
	if len(m.kitty) > 0 {
		b = append(strconv.AppendInt(append(b, "\x1b[<"...), int64(len(m.kitty)), 10), 'u')
	}
	if m.keys != "" {
		b = append(b, "\x1b[>4m"...)
	}
	if m.cursor != 0 {
		b = append(b, "\x1b[0 q"...)
	}
	if m.keypad {
		b = append(b, "\x1b>"...)
	}
	if m.colored {
		b = append(b, "\x1b[m"...)
	}
	for _, n := range append(m.sorted(), screens...) { // the screen last
		if !m.changed[n] {
			continue
		}
		final := byte('l')
		if slices.Contains(onModes, n) {
			final = 'h'
		}
		b = private(b, n, final)
	}
	return b
}

// sorted returns the changed modes other than screens.
func (m *modes) sorted() []int {
	var list []int
	for n := range m.changed {
		if !slices.Contains(screens, n) {
			list = append(list, n)
		}
	}
	slices.Sort(list)
	return list
}

// history keeps the last of what was printed.
type history struct {
	buf []byte
	cut bool // the beginning is gone
}

const historySize = 64 << 10

func (h *history) add(b []byte) {
	if len(b) > historySize {
		b, h.cut, h.buf = b[len(b)-historySize:], true, h.buf[:0]
	}
	h.buf = append(h.buf, b...)
	if len(h.buf) > 2*historySize {
		h.buf = append(h.buf[:0], h.buf[len(h.buf)-historySize:]...)
		h.cut = true
	}
}

// replay returns it as it can be shown once more: without what asks the terminal
// for an answer, which would go to a program that has not asked, and without
// what is to happen once only, such as a bell or a change of the clipboard.
func (h *history) replay() []byte {
	b := h.buf
	if len(b) > historySize {
		b = b[len(b)-historySize:]
	}
	if h.cut || len(b) < len(h.buf) {
		// It may begin within a sequence, or a character.
		if i := bytes.IndexAny(b[:min(len(b), 8<<10)], "\n\x1b"); i >= 0 {
			b = b[i:]
		}
	}
	var p parser
	out := make([]byte, 0, len(b))
	start, esc := 0, 0 // of the string or sequence, and the last escape
	for i, c := range b {
		if c == 0x1b {
			esc = i
		}
		e := p.step(c)
		if p.state == escape || p.state == csi {
			start = esc
		}
		switch e {
		case plain:
			if c != 0x07 && c != 0x05 { // BEL, ENQ
				out = append(out, c)
			}
		case escEnd:
			if p.inter != 0 || c != 'Z' && c != 'c' {
				out = append(out, b[start:i+1]...)
			}
		case csiEnd:
			if !p.asks(c) {
				out = append(out, b[start:i+1]...)
			}
		case strEnd:
			if p.shows() {
				out = append(out, b[start:i+1]...)
			}
		}
	}
	if p.state != ground {
		out = append(out, b[start:]...) // what comes next completes it
	}
	return out
}

// asks reports whether a control sequence has an answer, or clears what is no
// longer there.
func (p *parser) asks(final byte) bool {
	switch final {
	case 'c', 't', 'x':
		return true
	case 'n':
		return p.mark != '>'
	case 'm', 'S':
		return p.mark == '?'
	case 'p', 'w':
		return p.inter == '$'
	case 'u':
		return p.mark == '?' || p.inter == '$' || p.inter == '&'
	case 'R', '|':
		return p.inter == '#' || p.inter == '\''
	case 'q':
		return p.mark == '>'
	case 'y':
		return p.inter == '*'
	case 'J':
		return p.number() == 3
	}
	return false
}

// shows reports whether a string is one to show again: a title, the working
// directory, a link, the mark of a prompt.
func (p *parser) shows() bool {
	if p.intro != ']' || bytes.IndexByte(p.params, '?') >= 0 {
		return false
	}
	switch p.number() {
	case 0, 1, 2, 7, 8, 133:
		return true
	}
	return false
}
