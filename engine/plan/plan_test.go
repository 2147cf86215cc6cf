package plan

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
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
	q, err := Read(b, "p")
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

// TestFieldNames has the names in the JSON form such that stringFaults knows them.
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
		{`{}`, "p:1:1: error: the plan's version is missing, this sbx reads"},
		{`null`, "p:1:1: error: the plan's version is missing"},
		{"{\"ops\": [{}],\n \"version\" : 2}", "p:2:14: error: the plan's version is 2, this sbx reads"},
		{"{\"version\":1,\n\"command\":[\"a\xff\"]}", "p:2:12: error: the string is no Unicode text"},
		{"{\"version\":1,\n\"\xff\":1}", "p:2:1: error: unknown field"},
		{`{"version":1,"command":["\ud83d\ude00","\\ud83d","a\udcff\udcfe"],"chdir":"\ud83d\u0041"}`,
			"p:1:50: error: the string is no Unicode text; other bytes are written {\"base64\": \"…\"}\np:1:75: error: the string is no Unicode text"},
		{`{"version":1,"command":["\ud83dx"]}`, "p:1:25: error: the string is no"},
		{`{"version":1,"command":["\ud83d\n\ude00"]}`, "p:1:25: error: the string is no"},
		{`{"version":1,"opps":[]}`, `unknown field "opps"`},
		{`{"version":1,"Ops":[]}`, `p:1:14: error: unknown field "Ops"`},
		{"{\"version\":1,\n\"op\u017f\":[]}", "p:2:1: error: unknown field \"opſ\""},
		{`{"version":1,"ops":[{"op":"bind","dst":{"Base64":"AA=="}}]}`, `unknown field "Base64"`},
		{"{\"version\":1,\n\"ops\":[],\"ops\":[]}", `p:2:10: error: field "ops" is there twice`},
		{`{"version":1,"ops":[],"\u006fps":[]}`, `field "ops" is there twice`},
		{`{"version":1,"version":1}`, `field "version" is there twice`},
		{`{"version":1,"ops":[{"op":"bind"},{"op":"\"op\":,{}","op":"bind"}]}`, `field "op" is there twice`},
		{`{"version":1,"where":{` + manyKeys + `"k7":{}}}`, `field "k7" is there twice`},
		{`{"version":1,"ops":[]} x`, "not a plan"},
		{"{\"version\":1,\n\"ops\":[{\"op\":5}]}", "p:2:14: error: "},
		{`{"version":1,"ops":[{"op":"write","mode":"9"}]}`, `p:1:42: error: "ops[0].mode" is "9", want a mode in octal, as "0755"`},
		{`[]`, `p:1:1: error: it is an array, want an object`},
		{` 5 `, `p:1:2: error: it is 5, want an object`},
		{`{"version":"1"}`, `p:1:12: error: "version" is "1", want an int`},
		{`{"version":1.5}`, `p:1:12: error: "version" is 1.5, want an int`},
		{"{\"version\" : 1,\n \"ops\" : {} }", `p:2:10: error: "ops" is an object, want an array`},
		{"{\"version\":1,\"ops\":[{\"op\":\"bind\",\"src\":\"]}\\\"\"},\n{\"op\":\"bind\",\n\"dst\":7}]}", `p:3:7: error: "ops[1].dst" is 7, want a string or {"base64": "…"}`},
		{`{"version":1,"ops":[null,{"op":"tmpfs","size":-1}]}`, `"ops[1].size" is -1, want an int from 0`},
		{`{"version":1,"ops":[{"op":"chmod","uid":4294967296}]}`, `"ops[0].uid" is 4294967296, want an int from 0 to 4294967295`},
		{`{"version":1,"ops":[{"op":"bind","ro":"yes"}]}`, `"ops[0].ro" is "yes", want true or false`},
		{`{"version":1,"ops":[{"op":"bind","at":{"pos":"x"}}]}`, `"ops[0].at.pos" is "x", want a position, as "FILE:LINE:COL"`},
		{`{"version":1,"ops":[{"op":"bind","bogus":1}]}`, `p:1:34: error: unknown field "bogus" in "ops[0]"`},
		{`{"version":1,"identity":[]}`, `"identity" is an array, want an object`},
		{`{"version":1,"where":{"umask":{"pos":[]}}}`, `"where.umask.pos" is an array, want a position`},
		{`{"version":1,"umask":18}`, `"umask" is 18, want a mode in octal`},
		{`{"version":1,"hostname":["` + strings.Repeat("x", 100) + `"]}`, `"hostname" is an array, want a string`},
		{`{"version":1,"command":"` + strings.Repeat("x", 100) + `"}`, `"command" is a string, want an array`},
		{`{"version":1,"ops":[{"op":"write","dst":{"base64":"?"}}]}`, "base64"},
		{`{"version":1,"ops":[{"op":"write","dst":{}}]}`, "base64"},
		{"{\"version\":1,\"foo\":[{\"a\":1}],\"umask\":18,\n\"ops\":[{\"Op\":1,\"ro\":1,\"ro\":true},5,[]],\"foo\":1}", "p:1:14: error: unknown field \"foo\"\n" +
			"p:1:38: error: \"umask\" is 18, want a mode in octal, as \"0755\"\n" + "p:2:9: error: unknown field \"Op\" in \"ops[0]\"\n" +
			"p:2:21: error: \"ops[0].ro\" is 1, want true or false\n" + "p:2:23: error: field \"ro\" is there twice\n" +
			"p:2:34: error: \"ops[1]\" is 5, want an object\n" + "p:2:36: error: \"ops[2]\" is an array, want an object\n" + "p:2:40: error: unknown field \"foo\""},
	} {
		_, err := Read([]byte(tt.in), "p")
		if err != nil && goWords(err) {
			t.Errorf("Read(%s): %v", tt.in, err)
		}
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("Read(%s) = %v, want %q", tt.in, err, tt.want)
		}
	}
}

// goWords reports whether an error speaks of Go and not of the plan.
func goWords(err error) bool {
	return strings.Contains(err.Error(), "json:") || strings.Contains(err.Error(), "unmarshal")
}

// TestReadChanged has values of a plan replaced by ones of another shape: each is read,
// or refused with the line and the name of the place.
func TestReadChanged(t *testing.T) {
	b, err := sample().JSON()
	if err != nil {
		t.Fatal(err)
	}
	refused := 0
	for i, c := range b {
		if c != ':' || b[i+1] != ' ' {
			continue
		}
		end := (&shape{b: b}).end(i + 2)
		for _, v := range []string{`null`, `true`, `-7`, `1.5`, `1e99`, `"x"`, `""`, `[]`, `[[]]`, `{}`, `{"x":1}`, `{"base64":"!"}`} {
			in := slices.Concat(b[:i+2], []byte(v), b[end:])
			if !json.Valid(in) { // a colon in a string
				continue
			}
			_, err := Read(in, "p")
			if err == nil {
				continue
			}
			if refused++; goWords(err) || !strings.HasPrefix(err.Error(), "p:") && !strings.Contains(err.Error(), "version is") {
				t.Errorf("%s at byte %d: %v", v, i, err)
			}
		}
	}
	if refused < 100 {
		t.Errorf("only %d were refused", refused)
	}
}

// TestReadAbsent: what is not there has the safe defaults, and said so it is no other plan.
func TestReadAbsent(t *testing.T) {
	p, err := Read([]byte(`{"version":1}`), "p")
	if err != nil {
		t.Fatal(err)
	}
	if !p.NoNewPrivs || !p.Init || !p.DieWithParent || !Same(p, New()) {
		t.Errorf("%+v", p)
	}
	b, err := p.JSON()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"no_new_privs", "init", "die_with_parent"} {
		if !bytes.Contains(b, []byte(`"`+name+`": true`)) {
			t.Errorf("%s is not said in %s", name, b)
		}
		q, err := Read([]byte(`{"version":1,"`+name+`":false}`), "p")
		if err != nil || Same(p, q) {
			t.Errorf("%s: %v, %+v", name, err, q)
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
		p, err := Read(b, "p")
		if err != nil {
			if goWords(err) {
				t.Error(err)
			}
			return
		}
		out, err := p.JSON()
		if err != nil {
			t.Fatal(err)
		}
		q, err := Read(out, "p")
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
