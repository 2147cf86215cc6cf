package plan

import (
	"bytes"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"testing"
)

func sample() *Plan {
	at := Origin{Pos: Pos{"a:b.star", 3, 7}, Stack: []Frame{{Pos{"a:b.star", 9, 1}, "f"}}}
	p := New()
	p.Ops = append(p.Ops,
		Op{Kind: Bind, Src: "/usr", Dst: "/usr", RO: true, At: at},
		Op{Kind: Write, Dst: "/etc/x", Data: "\xff\x00", Mode: ModePtr(0o644), At: at},
		Op{Kind: Overlay, Dst: "/o", Lower: []Str{"/a:b", "/c,d"}, UpperTmpfs: true})
	p.Env = []EnvOp{{Kind: SetEnv, Name: "A", Value: "b", At: at}, {Kind: ClearEnv}}
	p.SetWhere("unshare.net", at)
	p.Rlimits = []Rlimit{{Name: "RLIMIT_CORE", Hard: RlimInfinity}}
	p.Command = []Str{"sh", "-c", "\xfe"}
	return p
}

func TestJSONRoundTrip(t *testing.T) {
	b, err := sample().JSON()
	if err != nil {
		t.Fatal(err)
	}
	q, err := Read(b)
	if err != nil {
		t.Fatal(err)
	}
	c, err := q.JSON()
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(b, c) {
		t.Errorf("plan changed:\n%s\n%s", b, c)
	}
	if got := q.Ops[1].Data; got != "\xff\x00" {
		t.Errorf("data = %q", got)
	}
}

// manyKeys are fields k0 to k99.
var manyKeys = func() string {
	var b strings.Builder
	for i := range 100 {
		fmt.Fprintf(&b, "%q:{},", "k"+strconv.Itoa(i))
	}
	return b.String()
}()

// TestFieldNames has the names in the JSON form such that checkKeys knows them.
func TestFieldNames(t *testing.T) {
	done := map[reflect.Type]bool{}
	var check func(reflect.Type)
	check = func(typ reflect.Type) {
		switch typ.Kind() {
		case reflect.Pointer, reflect.Slice, reflect.Map:
			check(typ.Elem())
		case reflect.Struct:
			if done[typ] {
				return
			}
			done[typ] = true
			for f := range typ.Fields() {
				name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
				if typ != reflect.TypeFor[Pos]() && (name == "" || !isKey([]byte(name))) {
					t.Errorf("%s.%s is %q in JSON", typ, f.Name, name)
				}
				check(f.Type)
			}
		}
	}
	check(reflect.TypeFor[Plan]())
	if len(done) < 8 {
		t.Errorf("only %d types", len(done))
	}
}

func TestReadRefuses(t *testing.T) {
	for _, tt := range []struct{ in, want string }{
		{``, "not a plan"},
		{`{}`, "plan version is 0"},
		{`{"version":2}`, "plan version is 2"},
		{`{"version":1,"opps":[]}`, `unknown field "opps"`},
		{`{"version":1,"Ops":[]}`, `line 1: unknown field "Ops"`},
		{"{\"version\":1,\n\"op\u017f\":[]}", "line 2: unknown field \"opſ\""},
		{`{"version":1,"ops":[{"op":"bind","dst":{"Base64":"AA=="}}]}`, `unknown field "Base64"`},
		{"{\"version\":1,\n\"ops\":[],\"ops\":[]}", `line 2: field "ops" is there twice`},
		{`{"version":1,"ops":[],"\u006fps":[]}`, `field "ops" is there twice`},
		{`{"version":1,"version":1}`, `field "version" is there twice`},
		{`{"version":1,"ops":[{"op":"bind"},{"op":"\"op\":,{}","op":"bind"}]}`, `field "op" is there twice`},
		{`{"version":1,"where":{` + manyKeys + `"k7":{}}}`, `field "k7" is there twice`},
		{`{"version":1,"ops":[]} x`, "not a plan"},
		{"{\"version\":1,\n\"ops\":[{\"op\":5}]}", "line 2"},
		{`{"version":1,"ops":[{"op":"write","mode":"9"}]}`, "not octal"},
		{`{"version":1,"ops":[{"op":"write","dst":{"base64":"?"}}]}`, "base64"},
		{`{"version":1,"ops":[{"op":"write","dst":{}}]}`, "base64"},
	} {
		_, err := Read([]byte(tt.in))
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("Read(%s) = %v, want %q", tt.in, err, tt.want)
		}
	}
}

func TestDigest(t *testing.T) {
	p, q := sample(), sample()
	for i := range q.Ops {
		q.Ops[i].At = Origin{}
	}
	if !Same(p, q) {
		t.Error("digest depends on positions")
	}
	q.Ops[0].RO = false
	if Same(p, q) {
		t.Error("digest does not depend on ro")
	}
	if p.Ops[0].At.IsZero() {
		t.Error("Digest changed the plan")
	}
}

func TestFormat(t *testing.T) {
	d := Diagnostics{{
		At: Origin{Pos: Pos{"build.sbx.star", 2, 5}, Stack: []Frame{{Pos{"build.sbx.star", 4, 10}, "toolchain"}}},
		Op: "bind", Msg: `source "/opt/sdk" does not exist on the host`, Hint: "pass optional = True to skip it when it is missing",
	}}
	src := func(string) []byte { return []byte("def toolchain():\n    bind(\"/opt/sdk\", ro = True)\n\nx = [t]\n") }
	want := `build.sbx.star:2:5: error: bind: source "/opt/sdk" does not exist on the host
  2 |     bind("/opt/sdk", ro = True)
    |     ^
  hint: pass optional = True to skip it when it is missing
  called from build.sbx.star:4:10 in toolchain
`
	if got := d.Format(src, nil); got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}

func TestPrintable(t *testing.T) {
	for in, want := range map[string]string{
		"a\tb": "a\tb", "\x1b[31m": `\x1b[31m`, "\xff": `\xff`, "a\nb": `a\nb`, "\u202e": `\u202e`, "é": "é", "\ufffd": "\ufffd", "\u0085": `\x85`,
	} {
		if got := Printable(in); got != want {
			t.Errorf("Printable(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestSort(t *testing.T) {
	ds := Diagnostics{{Msg: "none"}, {Msg: "b", At: Origin{Pos: Pos{"f", 2, 1}}}, {Msg: "a", At: Origin{Pos: Pos{"f", 1, 9}}}}
	ds.Sort()
	if ds[0].Msg != "a" || ds[2].Msg != "none" {
		t.Errorf("order: %v", ds)
	}
}

func FuzzRead(f *testing.F) {
	b, _ := sample().JSON()
	f.Add(b)
	f.Add([]byte(`{"version":1}`))
	f.Add([]byte(`{"version":1,"ops":[{"op":"bind","at":{"pos":"x:1:1"}}]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := Read(b)
		if err != nil {
			return
		}
		out, err := p.JSON()
		if err != nil {
			t.Fatal(err)
		}
		q, err := Read(out)
		if err != nil {
			t.Fatalf("what JSON wrote does not read: %v\n%s", err, out)
		}
		again, _ := q.JSON()
		if !bytes.Equal(out, again) {
			t.Fatalf("not canonical:\n%s\n%s", out, again)
		}
		p.Bare()
	})
}
