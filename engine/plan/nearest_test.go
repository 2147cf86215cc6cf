package plan

import (
	"strings"
	"testing"
)

func TestNearest(t *testing.T) {
	names := []string{"bind", "tmpfs", "mkdir", "remount_ro", "CAP_NET_RAW", "ro"}
	for in, want := range map[string]string{
		"bnid": "bind", "binds": "bind", "tempfs": "tmpfs", "mkdri": "mkdir", "remountro": "remount_ro", "capnetraw": "CAP_NET_RAW",
		"rw": "", "foo": "", "x": "", "": "", "python": "", strings.Repeat("x", 100): "",
	} {
		if got := Nearest(in, names); got != want {
			t.Errorf("Nearest(%q) = %q, want %q", in, got, want)
		}
	}
	if d := distance("kitten", "sitting"); d != 3 {
		t.Errorf("distance %d", d)
	}
}
