package session

import (
	"bytes"
	"strings"
	"testing"
)

func TestModes(t *testing.T) {
	for _, c := range []struct{ in, enter, leave string }{
		{"plain\r\n", "", ""},
		{"\x1b[?1049h\x1b[?25l\x1b[?1000;1006h\x1b=\x1b[5 q", "\x1b[?1049h\x1b[?25l\x1b[?1000h\x1b[?1006h\x1b[5 q\x1b=", "\x1b[0 q\x1b>\x1b[?25h\x1b[?1000l\x1b[?1006l\x1b[?1049l"},
		{"\x1b[?1049h\x1b[?25l\x1b[?25h\x1b[?1049l", "", ""},
		{"\x1b[?7l\x1b[?7h\x1b[?12h\x1b[4h", "", ""},
		{"\x1b[>1u\x1b[>5u\x1b[<u\x1b[>4;2m", "\x1b[>1u\x1b[>4;2m", "\x1b[<1u\x1b[>4m"},
		{"\x1b[>1u\x1b[<9u\x1b[<u", "", ""},
		{"\x1b[>4;2m\x1b[>4;m", "", ""},
		{"\x1b[31mred", "", "\x1b[m"},
		{"\x1b[31mred\x1b[0m", "", ""},
		{"\x1b[?2004h\x1bc", "", ""},
		{"\x1b[?2004h\x1b[!p", "", ""},
		{"\x1b[?20\x18 04h", "", ""},
		{"\x1b]0;a \x1b[?2004h title\x07", "\x1b[?2004h", "\x1b[?2004l"}, // the escape has ended the string
		{"\x1b]0;title ?2004h\x07\x1bP?2004h\x1b\\", "", ""},
		{"\x1b[?2004", "", "\x18"},
		{"\x1b[?99999999999999999999h\x1b[?;h\x1b[?h", "", ""},
	} {
		for _, size := range []int{1, 2, 1000} {
			var m modes
			for b := []byte(c.in); len(b) > 0; {
				n := min(size, len(b))
				m.feed(b[:n])
				b = b[n:]
			}
			if got := string(m.enter()); got != c.enter {
				t.Errorf("%q: enter: %q, want %q", c.in, got, c.enter)
			}
			if got := string(m.leave()); got != c.leave {
				t.Errorf("%q: leave: %q, want %q", c.in, got, c.leave)
			}
		}
	}
}

func TestReplay(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"text\r\n\x1b[1;31mred\x1b[m\ttab\bé", "text\r\n\x1b[1;31mred\x1b[m\ttab\bé"},
		{"a\x1b[cb\x1b[>cd\x1b[6ne\x1b[?6nf\x1b[>1ng", "abdef\x1b[>1ng"},                         // device attributes, reports
		{"a\x1b[14tb\x1b[?2026$pc\x1b[?ud\x1b[>1ue\x1b[>qf\x1b[2 qg", "abcd\x1b[>1uef\x1b[2 qg"}, // window, modes, keyboard, version
		{"a\x1b]0;title\x07b\x1b]11;?\x07c\x1b]52;c;aGk=\x07d\x1b]8;;http://x\x1b\\e\x1b]9;note\x1b\\f", "a\x1b]0;title\x07bcd\x1b]8;;http://x\x1b\\ef"},
		{"a\x1bP$qm\x1b\\b\x1b_Gi=1\x1b\\c\x1b^x\x1b\\d\x07\x05e\x1bZf\x1bcg", "abcdefg"},
		{"a\x1b[?4mb\x1b[?2;1Sc\x1b[1$wd\x1b[#Re\x1b['|f\x1b[4mg\x1b[2Sh", "abcdef\x1b[4mg\x1b[2Sh"},
		{"a\x1b[3Jb\x1b[2Jc", "ab\x1b[2Jc"},
		{"a\x1b]52;c;?\x1b[1mb", "a\x1b[1mb"}, // a string that something else ends
		{"a\x1b[5\x18b", "ab"},
		{"a\x1b[1", "a\x1b[1"},
		{"a\x1b]0;ti", "a\x1b]0;ti"},
		{"a\x1b", "a\x1b"},
		{"a\x1b]0;x\x1b", "a\x1b]0;x\x1b"},
	} {
		h := history{}
		h.add([]byte(c.in))
		if got := string(h.replay()); got != c.want {
			t.Errorf("%q: %q, want %q", c.in, got, c.want)
		}
	}
}

func TestHistory(t *testing.T) {
	var h history
	line := strings.Repeat("x", 98) + "\r\n"
	var all strings.Builder
	for range 5000 {
		h.add([]byte(line))
		all.WriteString(line)
		if len(h.buf) > 3*historySize {
			t.Fatal(len(h.buf))
		}
	}
	got := string(h.replay())
	if len(got) < historySize-200 || len(got) > historySize || !strings.HasSuffix(all.String(), got) || got[0] != '\n' {
		t.Errorf("%d bytes, %q…", len(got), got[:10])
	}
	h.add(bytes.Repeat([]byte("y"), 5*historySize))
	if got := h.replay(); len(got) != historySize {
		t.Error(len(got))
	}
}

// FuzzScreen: whatever a program prints, nothing in the replay asks the terminal
// for an answer, and what was entered can be left.
func FuzzScreen(f *testing.F) {
	f.Add([]byte("\x1b[?1049h\x1b]52;c;?\x1b[c\x1b\\"))
	f.Add([]byte("\x1bP\x1b]11;?\x07\x1b[>1u\x1b[5n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		h := history{}
		h.add(b)
		out := h.replay()
		var p parser
		for _, c := range out {
			switch p.step(c) {
			case csiEnd:
				if p.asks(c) {
					t.Errorf("%q from %q asks", out, b)
				}
			case strEnd:
				if !p.shows() {
					t.Errorf("%q from %q has a string", out, b)
				}
			}
		}
		var m, n modes
		m.feed(b)
		n.feed(m.enter())
		n.feed(m.leave())
		if rest := n.enter(); len(rest) > 0 {
			t.Errorf("%q: after %q and %q %q is left", b, m.enter(), m.leave(), rest)
		}
	})
}
