package session

import "testing"

func TestParseKey(t *testing.T) {
	for in, want := range map[string]byte{"": 0x1c, `^\`: 0x1c, "ctrl-a": 1, "Ctrl-A": 1, "^a": 1, "^]": 0x1d, "ctrl+_": 0x1f, "none": 0} {
		if k, err := ParseKey(in); err != nil || k != want {
			t.Errorf("%q: %#x, %v", in, k, err)
		}
	}
	for _, in := range []string{"a", "^", "^ab", "^[", "^m", "^é", "ctrl-", "^1", "alt-a"} {
		if k, err := ParseKey(in); err == nil {
			t.Errorf("%q: %#x", in, k)
		}
	}
}

func TestDetector(t *testing.T) {
	for _, c := range []struct {
		keys   []string
		pass   string
		held   string
		detach bool
	}{
		{[]string{"abc"}, "abc", "", false},
		{[]string{"\x1c"}, "", "\x1c", false},
		{[]string{"\x1cn"}, "\x1cn", "", false},
		{[]string{"a\x1c\x1cb"}, "a", "", true},
		{[]string{"\x1c", "\x1c"}, "", "", true},
		{[]string{"\x1c", "x", "\x1c"}, "\x1cx", "\x1c", false},
		{[]string{"\x1b[92;5u", "\x1b[92;5u"}, "", "", true},                          // kitty
		{[]string{"\x1b[92;5u\x1b[92;5:3u\x1b[57442;5:3u\x1b[92;5:1u"}, "", "", true}, // with releases
		{[]string{"\x1b[92:124;69u", "\x1b[92;133u"}, "", "", true},                   // caps lock, num lock
		{[]string{"\x1b[27;5;92~\x1b[27;5;92~"}, "", "", true},                        // xterm
		{[]string{"\x1b[92;6u\x1b[92;6u\x1b[93;5u\x1b[A\x1b[1;5C\x1b[3~"}, "\x1b[92;6u\x1b[92;6u\x1b[93;5u\x1b[A\x1b[1;5C\x1b[3~", "", false},
		{[]string{"\x1b[92;5u", "\x1b[A"}, "\x1b[92;5u\x1b[A", "", false},
		{[]string{"\x1b", "[92;5u"}, "\x1b[92;5u", "", false},
		{[]string{"\x1b[", "\x1b[12"}, "\x1b[\x1b[12", "", false},
	} {
		d := detector{key: 0x1c}
		pass, detach := "", false
		for _, k := range c.keys {
			var b []byte
			b, detach = d.feed([]byte(k))
			pass += string(b)
		}
		if pass != c.pass || detach != c.detach || string(d.held) != c.held {
			t.Errorf("%q: passes %q, holds %q, detaches %v", c.keys, pass, d.held, detach)
		}
	}
	d := detector{}
	if b, detach := d.feed([]byte("\x1c\x1c\x00\x00")); detach || string(b) != "\x1c\x1c\x00\x00" {
		t.Errorf("without a key: %q %v", b, detach)
	}
}

// FuzzDetector: no key is lost, and none comes twice.
func FuzzDetector(f *testing.F) {
	f.Add([]byte("a\x1cb\x1b[92;5u"), 3)
	f.Fuzz(func(t *testing.T, b []byte, n int) {
		d := detector{key: 0x1c}
		var out []byte
		rest := b
		for len(rest) > 0 {
			k := min(max(n, 1), len(rest))
			pass, detach := d.feed(rest[:k])
			out = append(out, pass...)
			if detach {
				return
			}
			rest = rest[k:]
		}
		if out = append(out, d.release()...); string(out) != string(b) {
			t.Errorf("%q became %q", b, out)
		}
	})
}
