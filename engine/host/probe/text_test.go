package probe

import (
	"slices"
	"strings"
	"testing"
)

func TestConfined(t *testing.T) {
	for label, want := range map[string]bool{
		"": false, "unconfined": false, "sbx (unconfined)": false, "docker-default (enforce)": true, "unprivileged_userns (enforce)": true,
	} {
		if got := (&facts{apparmorLabel: label}).confined(); got != want {
			t.Errorf("%q: %v", label, got)
		}
	}
}

func TestQuoteSh(t *testing.T) {
	for word, want := range map[string]string{
		"/usr/bin/sbx": "/usr/bin/sbx", "/a b": "'/a b'", "/it's": `'/it'\''s'`, "rel": "'rel'", "": "''",
	} {
		if got := quoteSh(word); got != want {
			t.Errorf("%q: %s, want %s", word, got, want)
		}
	}
}

func TestSubRanges(t *testing.T) {
	const text = "# a comment\nalice:100000:65536\n1000:300000:10\nbob:165536:65536\nalice:400000:1\nbroken:1\nalice:x:y\nalice:5:0\n\n"
	for _, c := range []struct {
		user string
		uid  int
		want []idRange
	}{
		{"alice", 1000, []idRange{{100000, 65536}, {300000, 10}, {400000, 1}}},
		{"bob", 1001, []idRange{{165536, 65536}}},
		{"carol", 1002, nil},
		{"", 1000, []idRange{{300000, 10}}},
		{"", 7, nil},
	} {
		got, end := subRanges(text, c.user, c.uid)
		if !slices.Equal(got, c.want) || end != 400001 {
			t.Errorf("%s: %v, %d", c.user, got, end)
		}
	}
	if got, end := subRanges("", "x", 1); got != nil || end != 0 {
		t.Errorf("empty: %v, %d", got, end)
	}
	for _, c := range []struct {
		user string
		uid  int
		end  uint64
		want string
	}{
		{"alice", 1000, 0, "sudo usermod --add-subuids 100000-165535 --add-subgids 100000-165535 alice"},
		{"", 1000, 231072, "sudo usermod --add-subuids 231072-296607 --add-subgids 231072-296607 1000"},
	} {
		if got := mendSubIDs(c.user, c.uid, c.end); got != c.want {
			t.Errorf("got %s, want %s", got, c.want)
		}
	}
}

func TestProcTexts(t *testing.T) {
	const passwd = "root:x:0:0::/root:/bin/sh\n+::::::\nalice:x:1000:1000::/:\nbad\n"
	for uid, want := range map[int]string{0: "root", 1000: "alice", 1: ""} {
		if got := userName(passwd, uid); got != want {
			t.Errorf("uid %d: %q", uid, got)
		}
	}
	const status = "Name:\tsbx\nSeccomp:\t2\nSeccomp_filters:\t1\nNoNewPrivs:\t0\n"
	for name, want := range map[string]string{"Seccomp": "2", "Seccomp_filters": "1", "NoNewPrivs": "0", "None": ""} {
		if got := statusField(status, name); got != want {
			t.Errorf("%s: %q", name, got)
		}
	}
	for _, c := range []struct {
		text string
		id   int
		want bool
	}{
		{"         0          0 4294967295\n", 65534, true},
		{"         0       1000          1\n", 0, true},
		{"         0       1000          1\n", 65534, false},
		{"0 100000 1000\n1000 1000 1\n", 1000, true},
		{"0 100000 1000\n1000 1000 1\n", 1001, false},
		{"", 5, true},
		{"x y z\n", 0, false},
	} {
		if got := idMapped(c.text, c.id); got != c.want {
			t.Errorf("%q, %d: %v", c.text, c.id, got)
		}
	}
	const mountinfo = "22 1 0:20 / /proc rw - proc proc rw\n23 22 0:21 / /proc/sys/fs/binfmt_misc rw - binfmt_misc none rw\n" +
		"24 22 0:22 / /proc/kcore rw - tmpfs tmpfs rw\n25 22 0:20 /bus /proc/bus ro - proc proc rw\n26 1 0:23 / /process rw - tmpfs t rw\n27\n"
	if got := mountsBelowProc(mountinfo); !slices.Equal(got, []string{"/proc/kcore", "/proc/bus"}) {
		t.Errorf("%q", got)
	}
}

func TestList(t *testing.T) {
	words := strings.Fields("a b c d")
	for n, want := range map[int]string{2: "a, b and 2 more", 4: "a, b, c, d", 9: "a, b, c, d"} {
		if got := list(words, n); got != want {
			t.Errorf("%d: %s", n, got)
		}
	}
}

func TestStatusNames(t *testing.T) {
	for s, want := range map[Status]string{OK: "ok", Missing: "missing", Unknown: "unknown", 9: "unknown"} {
		if got, err := s.MarshalText(); err != nil || string(got) != want {
			t.Errorf("%d: %s, %v", s, got, err)
		}
	}
}
