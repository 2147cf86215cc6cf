package host

import (
	"slices"
	"testing"
)

func TestParseMountinfo(t *testing.T) {
	text := "36 35 98:0 /mnt1 /z rw,noatime master:1 - ext3 /dev/root rw,errors=continue\n" +
		"37 35 0:5 / /a\\040b\\011c\\012d\\134e\\043f rw - tmpfs none rw\n" +
		"38 35 0:5 / /white\u00a0space\u2003and\rmore\v rw - tmpfs none rw\n" +
		"39 35 0:5 / /z rw - tmpfs none rw\n" +
		"40 35 0:5 / /half\\04 rw - tmpfs none rw\n" +
		"41 35 0:5 / /not\\900\\777 rw - tmpfs none rw\n" +
		"not a line\n\n42 35 0:5 / /last rw - tmpfs none rw"
	want := []string{"/a b\tc\nd\\e#f", "/half\\04", "/last", "/not\\900\\777", "/white\u00a0space\u2003and\rmore\v", "/z"}
	if got := parseMountinfo(text); !slices.Equal(got, want) {
		t.Errorf("got %q\nwant %q", got, want)
	}
	if got := parseMountinfo(""); got == nil || len(got) > 0 {
		t.Errorf("of nothing: %#v", got)
	}
}
