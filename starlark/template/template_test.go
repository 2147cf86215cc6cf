package template

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	text := `load("@sbx//files.star", "show")
é = "é"
def helper(): pass

def my_tool(a, b = "é", *, c = [1,
        2], **kw):
    """What it is for.

    Exposes: one thing; another
      thing
    Hides: all else
    Opens: medium: that is
      why: so

    A text: of two
      lines.


    And another.

    Args:
      a: the first
        one
      c: the third: so
    """
    show(a)
`
	got, err := Parse("x/my-tool.star", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(got)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"name":"my-tool","func":"my_tool","summary":"What it is for.","exposes":"one thing; another thing","hides":"all else",` +
		`"opens":"medium","why":"that is why: so","text":"A text: of two\n  lines.\n\nAnd another.",` +
		`"params":[{"name":"a","doc":"the first one"},{"name":"b","default":"\"é\""},{"name":"c","default":"[1,\n        2]","doc":"the third: so"},{"name":"**kw"}]}`
	if string(b) != want {
		t.Errorf("got  %s\nwant %s", b, want)
	}
}

func TestParseModule(t *testing.T) {
	m, err := ParseModule("x.star", []byte("\"\"\"Doc,\n  more.\n\"\"\"\ndef f(a, b = 1, *c):\n    \"\"\"F.\n\n    G\n      h\n    \"\"\"\ndef _g(): pass\ndef h(): pass\n"))
	if err != nil {
		t.Fatal(err)
	}
	if m.Doc != "Doc,\nmore." || len(m.Funcs) != 2 || m.Funcs[0].Doc != "F.\n\nG\n  h" || Signature(m.Funcs[0].Name, m.Funcs[0].Params) != "f(a, b = 1, *c)" || m.Funcs[1].Doc != "" {
		t.Errorf("%+v", m)
	}
}

func TestParseFaults(t *testing.T) {
	for _, tt := range []struct{ text, want string }{
		{"def y(): pass", ""},
		{"def x(): pass", "lacks its first line"},
		{"def x():\n    '''S.'''", `lacks a line "Exposes`},
		{"def x():\n    '''S.\n\n    Exposes: e\n    '''", `lacks a line "Opens`},
		{"def x():\n    '''S.\n\n    Exposes: e\n    Opens: much: w\n    '''", `lacks a line "Opens`},
		{"def x():\n    '''S.\n\n    Exposes: e\n    Opens: low\n    Args:\n      a: b\n    '''", "tells of a, which is no parameter"},
		{"def x(", "got end of file"},
	} {
		_, err := Parse("x.star", []byte(tt.text))
		if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("%q: %v, want %q", tt.text, err, tt.want)
		}
	}
}
