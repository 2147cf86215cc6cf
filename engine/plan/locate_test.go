package plan

import (
	"slices"
	"testing"
)

func TestLocate(t *testing.T) {
	const text = `{"version": 1, "ops": [
  {"op": "tmpfs", "dst": "/a]"}, {"op":"tmpfs","dst":"/ä"},{"op": "tmpfs", "dst": "/b"}
  ,
    {"op": "mkdir", "dst": "/c", "at": {"pos": "x.star:7:8"}}
 ], "chdir"
 : "/a", "init": true, "env":[{"op":"setenv","name":"A"}], "rlimits" : [ ], "identity": {"root": true}, "filters": [{"code": ""}],
 "command": ["}"], "close_fds": [3],"pass_fds":[]}
`
	p, err := Read([]byte(text), "p")
	if err != nil {
		t.Fatal(err)
	}
	q, _ := Read([]byte(text), "p")
	Locate(p, []byte(text), "p")
	var got []string
	for _, op := range p.Ops {
		got = append(got, op.At.Pos.String())
	}
	got = append(got, p.Env[0].At.Pos.String(), p.Filters[0].At.Pos.String())
	for _, key := range []string{"chdir", "command", "map_user", "init", "hostname", "close_fd", "pass_fd"} {
		got = append(got, key+" "+p.Where[key].Pos.String())
	}
	want := []string{"p:2:3", "p:2:34", "p:2:60", "x.star:7:8", "p:6:31", "p:6:117",
		"chdir p:6:4", "command p:7:13", "map_user p:6:89", "init ", "hostname ", "close_fd p:7:33", "pass_fd p:7:48"}
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	if !Same(p, q) {
		t.Error("it is another plan")
	}
	// One that sbx made keeps its own.
	s := New()
	s.Ops = []Op{{Kind: Tmpfs, Dst: "/", At: Origin{Pos: Pos{"x.star", 1, 1}}}}
	s.Dir = "/a"
	s.SetWhere("command", Origin{Pos: Pos{"x.star", 2, 1}})
	b, err := s.JSON()
	if err != nil {
		t.Fatal(err)
	}
	Locate(s, b, "p")
	if c, _ := s.JSON(); string(c) != string(b) {
		t.Errorf("%s", c)
	}
	for _, text := range []string{`{"version":1}`, ` { "version" : 1 , "ops" : null , "env":[] }`, `{"version":1,"ops":[]}`} {
		p, err := Read([]byte(text), "p")
		if err != nil {
			t.Fatal(err)
		}
		Locate(p, []byte(text), "p")
	}
}
