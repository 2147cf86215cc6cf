package session

// The key that detaches a client.

import (
	"fmt"
	"strconv"
	"strings"
)

// DefaultKey is the key that, pressed twice, detaches.
const DefaultKey = `^\`

// ParseKey reads the name of the key that detaches: "^\" or "ctrl-\" stands for
// Ctrl with \, "none" for no key, and "" for DefaultKey. The result is what
// the key sends, or 0.
func ParseKey(s string) (byte, error) {
	switch s {
	case "":
		s = DefaultKey
	case "none":
		return 0, nil
	}
	name, ok := strings.CutPrefix(s, "^")
	if !ok {
		if len(s) > 5 && (strings.EqualFold(s[:5], "ctrl-") || strings.EqualFold(s[:5], "ctrl+")) {
			name, ok = s[5:], true
		}
	}
	if !ok || len(name) != 1 {
		return 0, fmt.Errorf("%q is no key: it is written as ^\\ or ctrl-a, or none", s)
	}
	c := strings.ToUpper(name)[0]
	if c < '@' || c > '_' {
		return 0, fmt.Errorf("%q is no key: Ctrl goes with a letter or one of @ [ \\ ] ^ _", s)
	}
	if c == '[' || c == 'M' || c == 'J' || c == 'I' || c == '@' {
		return 0, fmt.Errorf("%q is a key that every program needs", s)
	}
	return c & 0x1f, nil
}

// detector finds the key, pressed twice, in what is typed. The first press is
// kept back until it is known whether a second follows.
type detector struct {
	key  byte // 0: none
	held []byte
}

// feed takes what was typed. It returns what is to be passed on, and whether the
// key was pressed twice; what was typed after that is gone.
func (d *detector) feed(b []byte) (pass []byte, detach bool) {
	if d.key == 0 {
		return b, false
	}
	for len(b) > 0 {
		n, pressed, neutral := d.match(b)
		switch {
		case pressed && len(d.held) > 0:
			d.held = nil
			return pass, true
		case pressed || neutral && len(d.held) > 0:
			d.held = append(d.held, b[:n]...)
		default:
			pass = append(append(pass, d.held...), b[:n]...)
			d.held = nil
		}
		b = b[n:]
	}
	return pass, false
}

// release gives back what is kept.
func (d *detector) release() []byte {
	b := d.held
	d.held = nil
	return b
}

// match looks at one key. Terminals that were asked to tell keys apart send a
// control sequence for it: "CSI 92 ; 5 u", or xterm's "CSI 27 ; 5 ; 92 ~". Then
// the key's release, and what Ctrl itself does, is neutral.
func (d *detector) match(b []byte) (n int, pressed, neutral bool) {
	if b[0] == d.key {
		return 1, true, false
	}
	if len(b) < 4 || b[0] != 0x1b || b[1] != '[' {
		return 1, false, false
	}
	for n = 2; n < len(b) && n < 32 && (b[n] >= '0' && b[n] <= ';'); n++ {
	}
	if n == len(b) || b[n] != 'u' && b[n] != '~' {
		return 1, false, false
	}
	fields := strings.Split(string(b[2:n]), ";")
	n++
	switch {
	case b[n-1] == '~' && len(fields) == 3 && fields[0] == "27":
		fields = []string{fields[2], fields[1]}
	case b[n-1] == '~' || len(fields) < 2:
		return n, false, false
	}
	name, _, _ := strings.Cut(fields[0], ":")
	mods, kind, _ := strings.Cut(fields[1], ":")
	code, _ := strconv.Atoi(name)
	m, _ := strconv.Atoi(mods)
	if kind == "3" || code >= 57441 && code <= 57454 {
		return n, false, true
	}
	const ctrl, locks = 4, 64 | 128
	letter := int(d.key | 0x40)
	if letter >= 'A' && letter <= 'Z' {
		letter += 'a' - 'A'
	}
	return n, code == letter && (m-1)&^locks == ctrl, false
}
